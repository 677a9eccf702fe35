/* The compilers and tools that build an author's programs, as they are on this machine: $CC, $CXX,
 * $NVCC, $PKG_CONFIG, $OBJCOPY, $NINJA, else those of the PATH. */
#ifndef CHAINSI_COMPILER_TOOLCHAIN_H
#define CHAINSI_COMPILER_TOOLCHAIN_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buffer.h"

typedef struct chainsi_toolchain {
    const char *cc, *cxx; /* for a shell: may hold several words */
    bool cc_is_clang, cxx_is_clang;
    const char *nvcc; /* NULL: there is none */
    const char *objcopy, *nm, *ninja;
    const char *const *library_dirs; /* where the linker looks for -lNAME, in its order */
    size_t library_dir_count;
} chainsi_toolchain;

/* Finds them; runs the compilers to learn what they are. All texts live in arena. Blocks. */
void chainsi_toolchain_find(chainsi_toolchain *toolchain, chainsi_arena *arena);

/* The -L words, for a shell, with which nvcc links (it may be a script that runs another nvcc, so
 * only nvcc itself knows); "" if it doesn't say. nvcc must not be NULL. Blocks. */
const char *chainsi_toolchain_cuda_libraries(const chainsi_toolchain *toolchain,
                                             chainsi_arena *arena);

/* What pkg-config says of a list of packages. */
typedef struct chainsi_packages {
    const char *cflags, *libs; /* words for a shell; "" when something is missing */
    const char *missing;       /* the first package that isn't here; NULL: all are */
} chainsi_packages;

/* names ends with NULL or after limit ones. Blocks. */
chainsi_packages chainsi_toolchain_packages(const char *const *names, size_t limit,
                                            chainsi_arena *arena);

/* The libraries of an author's linker words, apart. */
typedef struct chainsi_libraries {
    chainsi_buffer archives; /* paths of static archives, quoted for a shell, each behind a blank,
                                and -Wl,--whole-archive where it was written between them */
    chainsi_buffer others;   /* all other words: shared libraries, folders, flags */
    bool prefers_archives;   /* behind -Wl,-Bstatic */
} chainsi_libraries;

/* Takes one word (-lfoo, -L…, path, flag) to the side where it belongs: -lfoo is an archive if the
 * linker would find libfoo.a first, no libfoo.so, or behind -Wl,-Bstatic. `-L` words must come before what they help find.
 * folder: what relative paths are relative to. */
void chainsi_libraries_add(chainsi_libraries *libraries, const chainsi_toolchain *toolchain,
                           const char *folder, const char *word);
void chainsi_libraries_done(chainsi_libraries *libraries);

/* text as one word of a shell. */
const char *chainsi_shell_quote(chainsi_arena *arena, const char *text);
/* Splits words as a shell would, as far as pkg-config's output needs it: blanks, quotes,
 * backslashes. Returns their number. */
size_t chainsi_shell_split(chainsi_arena *arena, const char *text, const char *const **words);
/* What the shell command prints on stdout, in arena; *status gets its exit status, -1 if it didn't
 * exit. status may be NULL. Its stderr is dropped. Blocks. */
const char *chainsi_shell_output(chainsi_arena *arena, const char *command, int *status);

#endif
