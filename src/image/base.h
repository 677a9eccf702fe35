/* The image that another is made on: .image.base. */
#ifndef CHAINSI_IMAGE_BASE_H
#define CHAINSI_IMAGE_BASE_H

#include "image/dpkg.h"
#include "image/layout.h"

typedef struct chainsi_base {
    const char *name, *digest;      /* as given; of its manifest */
    chainsi_oci_descriptors layers; /* OCI's media types; their blobs are in the layout */
    chainsi_oci_texts diff_ids, env;
    chainsi_oci_pairs labels;
    const char *root;   /* a folder with its libraries, see unpack.h */
    const char *status; /* its dpkg's status; NULL: it has none */
} chainsi_base;

/* Brings it into the layout. name: "oci:FOLDER[:NAME]", or as docker and podman name images:
 * "[HOST[:PORT]/]PATH[:TAG][@sha256:…]", without a host of Docker Hub's. work: where its libraries are kept, unpacked once. What it points
 * to lives in the layout. Blocks; fetches. */
bool chainsi_base_get(chainsi_layout *layout, const char *name, const char *work,
                      const char *architecture, chainsi_base *base, chainsi_problem *problem);
/* Adds its Debian packages to a list. */
bool chainsi_base_packages(const chainsi_base *base, chainsi_arena *arena,
                           chainsi_packages_found *packages);

#endif
