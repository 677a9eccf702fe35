/* Ninja: writing its files, and running it with its output made short. */
#ifndef CHAINSI_COMPILER_NINJA_H
#define CHAINSI_COMPILER_NINJA_H

#include "compiler/toolchain.h"
#include "compiler/writer.h"

/* path as it stands in a list of inputs or outputs, or text as the value of a variable. In arena. */
const char *chainsi_ninja_path(chainsi_arena *arena, const char *path);
const char *chainsi_ninja_value(chainsi_arena *arena, const char *text);

/* Runs ninja in `folder` with the file `manifest` (relative to it) until the targets are up to date.
 * What failed commands print is passed on to stderr as it is; progress goes there, too: on a
 * terminal in one line with a bar, which is gone at the end, elsewhere a line a step, or none if quiet. Returns
 * false if anything failed. Blocks. */
bool chainsi_ninja_run(const chainsi_toolchain *toolchain, const char *folder, const char *manifest,
                       const char *const *targets, size_t target_count, bool quiet);

#endif
