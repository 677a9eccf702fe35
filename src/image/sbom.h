/* What an image is made of, as an SPDX 2.3 document in JSON. */
#ifndef CHAINSI_IMAGE_SBOM_H
#define CHAINSI_IMAGE_SBOM_H

#include "base/buffer.h"
#include "image/dpkg.h"
#include "image/problem.h"

typedef struct chainsi_sbom {
    const char *name;    /* of the Chainlet */
    const char *version; /* of Chains */
    const char *created; /* "1970-01-01T00:00:00Z" */
    const chainsi_package *packages;
    size_t package_count;
} chainsi_sbom;

/* Appends the document. The same input gives the same document. Packages that are the same but for their file become
 * one. */
bool chainsi_sbom_write(const chainsi_sbom *sbom, chainsi_buffer *out, chainsi_problem *problem);

#endif
