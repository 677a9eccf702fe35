/* A whole terminal for a while: what is shown is renewed in place, keys and signals are waited for, and in the end the terminal is as it was.
 * One at a time, by one thread. */
#ifndef CHAINSI_CLI_SCREEN_H
#define CHAINSI_CLI_SCREEN_H

#include <termios.h>

#include "base/terminal.h"
#include "rpc/address.h"

typedef enum chainsi_screen_event {
    CHAINSI_SCREEN_TIME, /* it came */
    CHAINSI_SCREEN_SIZE, /* the terminal has another one, or shows something else: draw anew */
    CHAINSI_SCREEN_UP,
    CHAINSI_SCREEN_DOWN,
    CHAINSI_SCREEN_PAGE_UP,
    CHAINSI_SCREEN_PAGE_DOWN,
    CHAINSI_SCREEN_TOP,
    CHAINSI_SCREEN_BOTTOM,
    CHAINSI_SCREEN_END, /* q, Ctrl-C, or a signal that ends programs */
} chainsi_screen_event;

typedef struct chainsi_screen {
    chainsi_terminal terminal;
    chainsi_interrupt interrupt; /* for what blocks in between: it ends when the screen is to */
    struct termios before;
    int signals;            /* owned: what came of them */
    int ended_by;           /* a signal, or 0 */
    bool ended, resized;    /* not told of yet */
    unsigned char keys[64]; /* likewise */
    size_t key_count;
    chainsi_buffer frame, shown; /* the one before, "" if the terminal has to be drawn whole */
} chainsi_screen;

/* Takes the terminal of stdin and stdout. False, with nothing done, if they are no terminals whose cursor moves. */
bool chainsi_screen_open(chainsi_screen *screen);
/* Gives it back. A signal that ended it then ends this process. */
void chainsi_screen_close(chainsi_screen *screen);
/* Shows text, lines in the terminal's width that may have colours, from the top; below it nothing. */
void chainsi_screen_draw(chainsi_screen *screen, const chainsi_buffer *text);
/* Waits for the next of them, at most until until_ns. */
chainsi_screen_event chainsi_screen_wait(chainsi_screen *screen, int64_t until_ns);

#endif
