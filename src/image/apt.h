/* Debian packages of .image.apt, in a folder: what apt would install that the base doesn't have, unpacked.
 *
 * They are unpacked only. No script of a package runs, so that what such a script would make (users, caches, links of
 * update-alternatives, compiled bytecode) isn't there. apt takes them from where this machine takes its own. */
#ifndef CHAINSI_IMAGE_APT_H
#define CHAINSI_IMAGE_APT_H

#include "base/arena.h"
#include "image/dpkg.h"
#include "image/problem.h"

/* work: a folder where unpacked packages are kept; the same packages, of the same lists of apt, are unpacked once.
 * status: dpkg's status of the base; NULL: there is none. *root is where they are then, in arena; packages get a line each. No root
 * is needed. Blocks; fetches. */
bool chainsi_apt_unpack(const char *work, const char *const *names, size_t count,
                        const char *status, chainsi_arena *arena, const char **root,
                        chainsi_packages_found *packages, chainsi_problem *problem);

#endif
