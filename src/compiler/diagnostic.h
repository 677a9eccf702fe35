/* Diagnostics: what is wrong with an author's files, where, and what to write instead.
 *
 *   transcriber.h:14:12: error: 'samples' is 'float *': nothing tells how many floats it points to
 *      14 |     float *samples,
 *         |            ^~~~~~~
 *     hint: pass a 'chains_float_list', or make it an output by placing a non-const pointer last
 */
#ifndef CHAINSI_COMPILER_DIAGNOSTIC_H
#define CHAINSI_COMPILER_DIAGNOSTIC_H

#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buffer.h"

/* A place in a file. */
typedef struct chainsi_position {
    const char
        *file; /* relative to the chain's folder where it lies in it; NULL: nowhere in particular */
    int line;  /* from 1 */
    int column; /* from 1, in bytes */
    int length; /* bytes to underline, at least 1; 0 is taken for 1 */
} chainsi_position;

typedef enum chainsi_severity { CHAINSI_SEVERITY_WARNING, CHAINSI_SEVERITY_ERROR } chainsi_severity;

typedef struct chainsi_diagnostic {
    chainsi_position position;
    chainsi_severity severity;
    const char *message;
    const char *hint; /* or NULL */
} chainsi_diagnostic;

/* A collection of diagnostics. Owned by who made it. */
typedef struct chainsi_diagnostics {
    chainsi_arena arena; /* holds the texts */
    chainsi_diagnostic *items;
    size_t count, capacity;
    const char
        *folder; /* what relative files are relative to; not owned. NULL: the working directory */
} chainsi_diagnostics;

void chainsi_diagnostics_init(chainsi_diagnostics *diagnostics, const char *folder);
void chainsi_diagnostics_done(chainsi_diagnostics *diagnostics);

/* Adds an error. position is copied with its file's name. hint may be NULL; both texts are copied.
 */
void chainsi_diagnostics_add(chainsi_diagnostics *diagnostics, chainsi_severity severity,
                             chainsi_position position, const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* True if any is an error. */
bool chainsi_diagnostics_failed(const chainsi_diagnostics *diagnostics);
/* Sorts by file, line and column, keeping the order otherwise, and drops exact repetitions. */
void chainsi_diagnostics_sort(chainsi_diagnostics *diagnostics);
/* Does who reads this stream want colors? It must be a terminal that knows them, and NO_COLOR empty
 * or unset (base/terminal.h). */
bool chainsi_diagnostics_color(FILE *out);
/* Prints all in the form above, each with its source line. color: with terminal escapes. */
void chainsi_diagnostics_print(const chainsi_diagnostics *diagnostics, FILE *out, bool color);
/* Appends `[{"file","line","column","severity","message","hint"}]`. */
void chainsi_diagnostics_json(const chainsi_diagnostics *diagnostics, chainsi_buffer *out);

#endif
