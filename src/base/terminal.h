/* What is shown on terminals: what one can do, and text made fit for it. All that the tool prints of names, messages and
 * logs of others goes through here, so that none of it reaches a terminal as a control sequence. */
#ifndef CHAINSI_BASE_TERMINAL_H
#define CHAINSI_BASE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buffer.h"

typedef struct chainsi_terminal {
    bool there; /* it is a terminal */
    bool
        moves; /* its cursor can be moved: lines are renewed in place. Not with TERM=dumb, or none */
    bool color; /* likewise, and NO_COLOR is empty or not set */
    bool
        unicode; /* the locale doesn't name another character set; also where there is no terminal */
    size_t columns, rows; /* 0: not known, as where there is no terminal */
} chainsi_terminal;

/* What is behind a descriptor now. */
chainsi_terminal chainsi_terminal_of(int fd);

/* What text of others is passed on as; the rest always becomes \x1b, or \u202e. */
typedef enum chainsi_text_form {
    CHAINSI_TEXT_LINE,  /* on one line: line breaks become \n, tabs \t */
    CHAINSI_TEXT_LINES, /* line breaks and tabs stay */
    CHAINSI_TEXT_JSON,  /* likewise, and what is escaped is as JSON has it: JSON stays JSON */
} chainsi_text_form;

/* Appends text without anything that a terminal would obey: control characters, bytes that are no UTF-8, and what
 * turns the direction of writing are escaped. */
void chainsi_text_add(chainsi_buffer *out, const char *text, size_t size, chainsi_text_form form);
/* How many columns it takes in the form LINE: wide characters take two, combining ones none. */
size_t chainsi_text_columns(const char *text);
/* Appends it in exactly so many columns, in the form LINE: filled with blanks, before it if right, or cut, which '~' at its end
 * tells (unicode: an ellipsis). */
void chainsi_text_add_cell(chainsi_buffer *out, const char *text, size_t columns, bool right,
                           bool unicode);
/* The same without blanks behind it. */
void chainsi_text_add_cut(chainsi_buffer *out, const char *text, size_t columns, bool unicode);

/* A copy in the form LINE, in arena; "" for NULL. */
const char *chainsi_text_shown(chainsi_arena *arena, const char *text);
/* Writes it in the form LINE. */
void chainsi_text_print(FILE *out, const char *text);
/* Writes it in that form where out is a terminal; else as it is, for who reads it is a program. */
void chainsi_text_write(FILE *out, const char *text, size_t size, chainsi_text_form form);
/* How many of the bytes are whole characters, as far as that can be told without those that follow: for text that comes in pieces. */
size_t chainsi_text_whole(const char *text, size_t size);

#endif
