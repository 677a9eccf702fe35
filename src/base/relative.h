/* Paths of files below a folder, as others give them. Pure functions. */
#ifndef CHAINSI_BASE_RELATIVE_H
#define CHAINSI_BASE_RELATIVE_H

#include <stdbool.h>

enum {
    CHAINSI_RELATIVE_MOST = 1024,     /* bytes of a path */
    CHAINSI_RELATIVE_MOST_NAME = 255, /* bytes between two slashes */
};

/* Why the path can't name a file of the folder, to be read behind it: "is absolute". NULL if it can:
 * it is relative, without "." and "..". path NULL is empty. */
const char *chainsi_relative_fault(const char *path);
/* Whether one of two such paths is the other, or a folder of it. */
bool chainsi_relative_clash(const char *one, const char *other);

#endif
