/* What a Chainlet sees of the store: a folder of its own (its CHAINS_ASSETS_DIR) in which each of
 * its assets has the path that it gave it. The files are hard links, so they stay when the store
 * lets go of them, and symbolic links where the file system has no others.
 *
 * Blocks for as long as files take. Any thread. */
#ifndef CHAINSI_CONTROL_ASSET_LINKS_H
#define CHAINSI_CONTROL_ASSET_LINKS_H

#include "control/asset_store.h"

/* False with a reason if an asset has no digest or no usable path: as of base/relative.h,
 * and none is another's or a folder of another's. */
bool chainsi_asset_links_check(const chainsi_asset *assets, size_t count, char *why,
                               size_t why_size);

/* Makes the folder, in place of what is there, with a link for each asset, all of which must be in
 * the store. False with a reason; then what was there is left as it was. */
bool chainsi_asset_links_make(const char *home, const char *folder, const chainsi_asset *assets,
                              size_t count, char *why, size_t why_size);

#endif
