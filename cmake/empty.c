/* Stands in for a folder that has no sources. */
typedef int chainsi_empty;
