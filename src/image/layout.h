/* A folder with images, as OCI's image layout has it: blobs by their digests, and an index that names images. It is
 * where images are made, whether they stay there or go to a registry.
 *
 * Files get their names when they are whole, so that whatever ends the process, what has a name is right. One process
 * writes a layout at a time. */
#ifndef CHAINSI_IMAGE_LAYOUT_H
#define CHAINSI_IMAGE_LAYOUT_H

#include "base/buffer.h"
#include "image/compression.h"
#include "image/oci.h"
#include "image/problem.h"
#include "image/tree.h"

typedef struct chainsi_layout {
    chainsi_arena arena;     /* owned: what descriptors point to */
    const char *folder;      /* as given, in arena */
    chainsi_oci_index index; /* what it names; its list is owned (heap) */
} chainsi_layout;

/* Makes the folder and what is in it where it is missing; else reads what is there. False: the folder is no layout, or
 * can't be made. chainsi_layout_close in any case. */
bool chainsi_layout_open(chainsi_layout *layout, const char *folder, chainsi_problem *problem);
/* The same for one that must be there. */
bool chainsi_layout_read(chainsi_layout *layout, const char *folder, chainsi_problem *problem);
void chainsi_layout_close(chainsi_layout *layout);

/* Adds a blob. */
bool chainsi_layout_add(chainsi_layout *layout, const char *media_type, const void *data,
                        size_t size, chainsi_oci_descriptor *added, chainsi_problem *problem);
/* Encodes a value by its table, and adds that. */
bool chainsi_layout_add_value(chainsi_layout *layout, const char *media_type,
                              const chainsi_type *type, const void *value,
                              chainsi_oci_descriptor *added, chainsi_problem *problem);
/* Adds a layer with what is in the (sealed) tree; often: that changes with each build. diff_id, of CHAINSI_OCI_DIGEST bytes,
 * is the digest of the archive before it was compressed. */
bool chainsi_layout_add_tree(chainsi_layout *layout, const chainsi_tree *tree,
                             chainsi_compression compression, bool often,
                             chainsi_oci_descriptor *added, char *diff_id,
                             chainsi_problem *problem);

/* Where a blob of that digest is, in the layout's arena. */
const char *chainsi_layout_path(chainsi_layout *layout, const char *digest);
/* Reads a blob of at most max bytes into out, and checks its digest. */
bool chainsi_layout_get(chainsi_layout *layout, const char *digest, size_t max, chainsi_buffer *out,
                        chainsi_problem *problem);

/* Has the index name a manifest; one of that name (NULL: of that digest) before it is replaced, and what had it as its
 * subject goes with it. */
void chainsi_layout_name(chainsi_layout *layout, const chainsi_oci_descriptor *manifest,
                         const char *name);
/* Has it name what is said about an image. */
void chainsi_layout_attach(chainsi_layout *layout, const chainsi_oci_descriptor *artifact,
                           const char *artifact_type, const char *subject);
/* Writes the index, and takes away blobs that nothing needs that it names. */
bool chainsi_layout_save(chainsi_layout *layout, chainsi_problem *problem);

#endif
