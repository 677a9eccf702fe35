/* Which files belong to a chain: its headers, who includes whom, and the source of each header. */
#ifndef CHAINSI_COMPILER_FIND_H
#define CHAINSI_COMPILER_FIND_H

#include "base/arena.h"
#include "compiler/diagnostic.h"
#include "compiler/model.h"

/* One header below the chain's folder that includes chains.h, itself or through another. */
typedef struct chainsi_header {
    const char *path;   /* relative to the folder */
    const char *text;   /* its contents, NUL-terminated */
    size_t size;        /* of text, bytes */
    const char *source; /* the file of the same stem beside it, relative; NULL: there is none */
    chainsi_language language; /* of source */
    bool lacks_library;        /* it, or what it includes, includes a header that isn't here */
    bool broken;               /* it can't be read with the others: it leaves a brace open, say */
} chainsi_header;

typedef struct chainsi_headers {
    chainsi_header *items; /* sorted by path; in the arena */
    size_t count;
    const char *const *include_dirs; /* "." first, then each header's folder; relative */
    size_t include_dir_count;
} chainsi_headers;

/* Looks below folder (absolute). The result lives in the arena. Unreadable files and folders are
 * reported. Reads files; blocks. */
chainsi_headers chainsi_find_headers(const char *folder, chainsi_arena *arena,
                                     chainsi_diagnostics *diagnostics);
/* The contents of a file, NUL-terminated, in the arena; NULL if it can't be read. */
char *chainsi_find_read(const char *path, chainsi_arena *arena, size_t *size);
/* Whether a folder of that name is passed over: there is nothing of a chain in it. */
bool chainsi_find_passes_over(const char *name);
/* Whether a file is one that Chainlets are compiled from, by its name's end: a source, or a header of any kind. */
bool chainsi_find_is_source(const char *name);
/* The language of a source by its name's end; NONE for anything else. */
chainsi_language chainsi_find_language(const char *path);

#endif
