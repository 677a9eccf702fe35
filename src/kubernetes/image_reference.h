/* Where a Chainlet's image is: what is written into manifests, and pushed to. Pure functions. */
#ifndef CHAINSI_KUBERNETES_IMAGE_REFERENCE_H
#define CHAINSI_KUBERNETES_IMAGE_REFERENCE_H

#include "base/arena.h"

/* "PLACE/CHAIN/CHAINLET", in arena; place: a registry, or a path in one, NULL or "": none. */
const char *chainsi_image_repository(chainsi_arena *arena, const char *place, const char *chain,
                                     const char *chainlet);
/* "REGISTRY/CHAIN/CHAINLET:TAG", or with a digest ("sha256:…", not NULL) "REGISTRY/CHAIN/CHAINLET@DIGEST", in
 * arena. registry may have a path ("ghcr.io/me"), and a scheme, which is left out; NULL: none. Names that aren't allowed in a repository (capitals) get
 * a hash, so that two that differ never become the same. */
const char *chainsi_image_reference(chainsi_arena *arena, const char *registry, const char *chain,
                                    const char *chainlet, const char *tag, const char *digest);
/* Whether the text is a digest: "sha256:" and 64 hex digits in lower case. */
bool chainsi_is_image_digest(const char *text);
/* Whether the text may be a tag: letters, digits, '_', '-' and '.', 128 at most. */
bool chainsi_is_image_tag(const char *text);

#endif
