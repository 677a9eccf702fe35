/* What the dynamic linker reads of a program or library. Files may be hostile: nothing is read that they don't have,
 * and sizes that they name have limits. */
#ifndef CHAINSI_IMAGE_ELF_H
#define CHAINSI_IMAGE_ELF_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "image/late.h"

enum {
    CHAINSI_ELF_MAX_SEGMENTS = 512,
    CHAINSI_ELF_MAX_DYNAMIC = 1 << 16, /* bytes */
    CHAINSI_ELF_MAX_NEEDED = 512,
    CHAINSI_ELF_MAX_VERSIONS = 4096,
};
#define CHAINSI_ELF_MAX_TEXTS ((size_t)64 << 20) /* bytes */

/* A version of a library's interface: GLIBC_2.36 of libc.so.6. */
typedef struct chainsi_elf_version {
    const char *library; /* that is to have it; NULL: this one has */
    const char *name;
} chainsi_elf_version;

typedef struct chainsi_elf {
    uint16_t machine;                     /* EM_X86_64, … */
    const char *interpreter;              /* NULL: none */
    const char *rpath, *runpath, *soname; /* NULL: none */
    const char **needed;
    size_t needed_count;
    chainsi_elf_version *versions; /* that it needs, and that it has */
    size_t version_count;
    chainsi_lates lates; /* that it opens while it runs */
} chainsi_elf;

typedef enum chainsi_elf_status {
    CHAINSI_ELF_OK,
    CHAINSI_ELF_UNREADABLE, /* errno */
    CHAINSI_ELF_OTHER,      /* not ELF, or not of this machine's word size and byte order */
    CHAINSI_ELF_BROKEN,     /* it says it is, and then isn't */
} chainsi_elf_status;

/* Reads the file; texts live in arena. *elf is untouched unless the answer is CHAINSI_ELF_OK. */
chainsi_elf_status chainsi_elf_read(const char *path, chainsi_arena *arena, chainsi_elf *elf);

#endif
