/* What layers were made of trees before, so that they are not compressed again: a file in the layout, which may be
 * removed at any time. Files count as the same by size, times and number, as for make. */
#ifndef CHAINSI_IMAGE_LAYER_CACHE_H
#define CHAINSI_IMAGE_LAYER_CACHE_H

#include "image/layout.h"

/* What the layer of a (sealed) tree depends on. False: a file isn't there. */
bool chainsi_layer_key(const chainsi_tree *tree, chainsi_compression compression, int level,
                       char key[CHAINSI_OCI_DIGEST]);
/* The layer of that key, if it is still in the layout. */
bool chainsi_layer_recall(chainsi_layout *layout, const char *key, chainsi_compression compression,
                          chainsi_oci_descriptor *layer, char *diff_id);
/* Notes it. A failure is none: the layer is made again then. */
void chainsi_layer_note(chainsi_layout *layout, const char *key,
                        const chainsi_oci_descriptor *layer, const char *diff_id);

#endif
