/* Text of others on its way to a terminal: what a terminal would obey instead of showing (escape sequences, returns to
 * the line's beginning, bytes that are no UTF-8) is shown as \x1b, or \u001b where the text is JSON. Line breaks and
 * tabs are left alone, and so is all that goes to a file or a pipe. */
#ifndef CHAINSI_CLI_SHOWN_H
#define CHAINSI_CLI_SHOWN_H

#include <stdbool.h>
#include <stdio.h>

#include "base/buffer.h"

/* A text that comes in pieces. All zero at first but for json. */
typedef struct chainsi_shown {
    bool json;
    unsigned char lead; /* of a character that isn't complete */
    int missing;        /* of its bytes */
} chainsi_shown;

/* Appends a piece of the text as a terminal may have it. */
void chainsi_shown_add(chainsi_shown *shown, const char *text, size_t size, chainsi_buffer *out);
/* Writes a piece to a file, changed if that is a terminal. False: errno. */
bool chainsi_shown_write(chainsi_shown *shown, const char *text, size_t size, FILE *file);

#endif
