/* Images on their way to a registry, and bases from one, as OCI's distribution specification has it. */
#ifndef CHAINSI_IMAGE_REGISTRY_H
#define CHAINSI_IMAGE_REGISTRY_H

#include "image/exchange.h"
#include "image/image.h"

typedef struct chainsi_pushed {
    const char *reference; /* "host/path/name:tag", in the layout's arena */
    int64_t sent;          /* bytes of blobs that weren't there */
    size_t blobs;          /* how many of them */
} chainsi_pushed;

/* Pushes an image of the layout to a repository of the registry ("PATH/NAME"), with its list of packages. Only what isn't there is sent, and the tag (NULL: the first 12 digits of
 * the digest) is set last, so that whatever fails, what the tag named before stays. Blocks. */
bool chainsi_registry_push(chainsi_exchange *exchange, chainsi_layout *layout,
                           const char *repository, const chainsi_image *image, const char *tag,
                           chainsi_pushed *pushed, chainsi_problem *problem);

/* Brings the manifest that reference ("tag" or "sha256:…") names in the repository, and all of its blobs, into the layout; of
 * an index the one of this machine. */
bool chainsi_registry_pull(chainsi_exchange *exchange, chainsi_layout *layout,
                           const char *repository, const char *reference, const char *architecture,
                           chainsi_oci_descriptor *manifest, chainsi_problem *problem);

#endif
