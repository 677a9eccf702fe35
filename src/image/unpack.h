/* What of a base is looked at here: its shared libraries, links, and dpkg's list of packages. The rest stays packed.
 *
 * A base is made by others: names that lead out of the folder (.., absolute ones, links) stay in it, sizes have
 * limits, and owners, devices and permissions are not taken over. */
#ifndef CHAINSI_IMAGE_UNPACK_H
#define CHAINSI_IMAGE_UNPACK_H

#include "image/problem.h"

/* Unpacks a layer (tar, plain or compressed by gzip or zstd) into root, on top of those before, whose files it may remove by
 * "whiteouts". Blocks. */
bool chainsi_unpack_layer(const char *layer, const char *root, chainsi_problem *problem);

#endif
