/* One image of one service: its base and Debian packages, if it asks for some, the libraries that it needs, its files,
 * and as the last and small layer itself.
 *
 * It runs as user 65532, needs no writable root, and has no shell in it unless its base has one. The same input gives
 * the same digest: no time, owner or order of this machine is in it ($SOURCE_DATE_EPOCH sets the time that it says). */
#ifndef CHAINSI_IMAGE_IMAGE_H
#define CHAINSI_IMAGE_IMAGE_H

#include "image/layout.h"

#define CHAINSI_IMAGE_FOLDER                                                                       \
    "/chains" /* the working folder: the service and .image.files are below it */
#define CHAINSI_IMAGE_PORT 8080

typedef struct chainsi_image_input {
    const char *name;             /* of the Chainlet, on the wire */
    const char *chain;            /* of the chain's entrypoint */
    const char *description;      /* or NULL */
    const char *version;          /* of Chains */
    const char *binary;           /* the program */
    const char *program;          /* what it is called in the image; NULL: "service" */
    const char *const *arguments; /* ends with NULL; NULL: those of a service */
    int port;                     /* 0: a service's */
    const char *const *
        features; /* what it is to be able to do, of what libraries that it opens late are for (late.h);
                      ends with NULL; NULL: what they say themselves */
    const char *base;       /* .image.base; NULL: none */
    const char *const *apt; /* names of Debian packages */
    size_t apt_count;
    const char *work; /* an existing folder, where what bases and packages hold is kept unpacked */
    const char *files_folder; /* what files are relative to */
    const char *const *files; /* files and folders */
    size_t file_count;
    const chainsi_oci_pair *env; /* variables of the Chainlet */
    size_t env_count;
    chainsi_compression
        compression; /* of the layers that are made; those of the base are as they are */
} chainsi_image_input;

typedef struct chainsi_image {
    chainsi_oci_descriptor manifest, sbom_manifest, sbom;
    chainsi_oci_descriptor config;
    chainsi_oci_descriptors layers;
    int64_t size; /* bytes of all that a machine without any of it has to fetch */
} chainsi_image;

/* Makes it in the layout, and has the layout's index name it so; what the image points to lives in the layout. Reads
 * files, compresses; blocks. */
bool chainsi_image_make(chainsi_layout *layout, const chainsi_image_input *input,
                        chainsi_image *image, chainsi_problem *problem);

#endif
