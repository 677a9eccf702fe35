/* The shared libraries that a program needs, as the dynamic linker of this machine would find them. */
#ifndef CHAINSI_IMAGE_SHARED_H
#define CHAINSI_IMAGE_SHARED_H

#include "base/arena.h"
#include "image/problem.h"

enum { CHAINSI_SHARED_MAX = 2048 }; /* libraries of one program */

typedef struct chainsi_shared {
    const char *name;   /* as it is asked for: "libc.so.6" */
    const char *source; /* the file here, all links followed */
    bool from_root;     /* it lies below the root */
} chainsi_shared;

typedef struct chainsi_shared_list {
    const char *
        interpreter; /* as programs name it: "/lib64/ld-linux-x86-64.so.2"; NULL: they are static */
    const char *interpreter_source; /* the file here */
    bool interpreter_from_root;
    chainsi_shared *items; /* sorted by name */
    size_t count;
} chainsi_shared_list;

/* Where it is looked for, in this order: RPATH of those that ask (unless they have a RUNPATH), $LD_LIBRARY_PATH, RUNPATH
 * of the one that asks, /etc/ld.so.cache, the default folders. roots (ends with NULL) are trees of a base and of
 * unpacked packages, in which all is looked for first, in their folders of /etc/ld.so.conf.d as well. programs are read
 * first; what they need then. Of libraries that are opened while a program runs (late.h) it has those that are required,
 * those that are recommended and are on this machine, and of others those for a feature that is named (features ends with NULL; NULL: none).
 * What is in the list lives in arena. */
bool chainsi_shared_find(const char *const *programs, size_t count, const char *const *roots,
                         const char *const *features, chainsi_arena *arena,
                         chainsi_shared_list *list, chainsi_problem *problem);

#endif
