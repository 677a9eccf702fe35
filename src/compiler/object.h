/* The symbols of an object file: 64-bit little-endian ELF, read without any library. */
#ifndef CHAINSI_COMPILER_OBJECT_H
#define CHAINSI_COMPILER_OBJECT_H

#include "base/arena.h"

/* A symbol that other objects can see, or want. */
typedef struct chainsi_symbol {
    const char *name;
    bool defined;
} chainsi_symbol;

typedef struct chainsi_symbols {
    const chainsi_symbol *items;
    size_t count;
} chainsi_symbols;

/* Reads the global symbols of the file at path; texts and list live in arena. False if it can't be
 * read, or is no such object. */
bool chainsi_symbols_read(chainsi_symbols *symbols, const char *path, chainsi_arena *arena);

/* Whether the symbols define, or want, a function of that name. */
bool chainsi_symbols_define(const chainsi_symbols *symbols, const char *name);
bool chainsi_symbols_want(const chainsi_symbols *symbols, const char *name);
/* Whether they define a C++ function of that name, mangled. */
bool chainsi_symbols_mangle(const chainsi_symbols *symbols, const char *name);

#endif
