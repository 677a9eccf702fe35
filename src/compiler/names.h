/* Names that a Chainlet, type or field can't have, and names that were meant. */
#ifndef CHAINSI_COMPILER_NAMES_H
#define CHAINSI_COMPILER_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* What already declares the name in C's or C++'s headers, or the languages themselves: "C's
 * <strings.h>", "a keyword of C++"; NULL. */
const char *chainsi_names_taken(const char *name);
/* Is it a keyword of C++ that C lets pass? Then not even a field may have the name. */
bool chainsi_names_keyword(const char *name);
/* The candidate nearest to a misspelt name, or NULL if none is near. */
const char *chainsi_names_nearest(const char *name, const char *const *candidates, size_t count);

#endif
