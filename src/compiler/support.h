/* Where the files are that programs of authors are built with: relative to the running program, in
 * the build tree as in an installation (see src/library.cmake). */
#ifndef CHAINSI_COMPILER_SUPPORT_H
#define CHAINSI_COMPILER_SUPPORT_H

#include "base/arena.h"

typedef struct chainsi_support {
    const char *include_dir;          /* of chains.h */
    const char *internal_include_dir; /* of runtime/glue.h and schema/type.h */
    const char *library;              /* libchains.a */
    const char *tls_library;          /* libchains_tls.a; NULL where it wasn't built */
} chainsi_support;

/* Finds them. Returns false, with nothing written, when the running program isn't where it was
 * built or installed. $CHAINS_SUPPORT_DIR, if set, is the folder that holds include/ and lib/. The
 * texts live in arena. */
bool chainsi_support_find(chainsi_support *support, chainsi_arena *arena);

#endif
