/* How far something is, while it is waited for: on a terminal one line that is renewed in place, with a bar. */
#ifndef CHAINSI_BASE_BAR_H
#define CHAINSI_BASE_BAR_H

#include <stdio.h>

#include "base/terminal.h"

/* "building  [#####-----]  5 of 10  compile hand.c" in at most so many columns. share: 0 to 1; negative: no bar. The words are shown as
 * chainsi_text_add does, and cut; where there is no room for much of them the bar gives way. */
void chainsi_bar_line(chainsi_buffer *out, const char *what, double share, const char *words,
                      size_t columns, bool unicode);

/* All zero but for out and terminal (chainsi_terminal_of) at first. */
typedef struct chainsi_bar {
    FILE *out;
    chainsi_terminal terminal;
    bool open; /* the line has no end yet */
} chainsi_bar;

/* Renews the line. Only on a terminal whose cursor moves; elsewhere the caller writes lines of its own. */
void chainsi_bar_show(chainsi_bar *bar, const char *what, double share, const char *words);
/* The line stays as it is, and what follows is below it. */
void chainsi_bar_leave(chainsi_bar *bar);
/* The line is gone, and what follows takes its place. */
void chainsi_bar_clear(chainsi_bar *bar);

#endif
