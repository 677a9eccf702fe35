/* The one line that is renewed. */
#include "base/bar.h"

#include <string.h>

enum {
    LEAST_BAR = 8,
    MOST_BAR = 30,
    LEAST_WORDS = 16, /* columns for the words, before there is a bar */
    DEFAULT_COLUMNS = 80,
};

static void add_boxes(chainsi_buffer *out, double share, size_t columns, bool unicode)
{
    const double whole = share > 1 ? 1 : share;
    const size_t full = (size_t)(whole * (double)columns + 1e-9);
    chainsi_buffer_add_text(out, unicode ? "" : "[");
    for (size_t i = 0; i < columns; i++)
        chainsi_buffer_add_text(out,
                                i < full ? (unicode ? "\u2588" : "#") : (unicode ? "\u2591" : "-"));
    chainsi_buffer_add_text(out, unicode ? "  " : "]  ");
}

void chainsi_bar_line(chainsi_buffer *out, const char *what, double share, const char *words,
                      size_t columns, bool unicode)
{
    const size_t edges = unicode ? 2 : 4;
    size_t room = columns;
    const size_t name = chainsi_text_columns(what);
    chainsi_text_add_cut(out, what, room, unicode);
    room -= name < room ? name : room;
    if (room <= 2)
        return;
    chainsi_buffer_add_text(out, "  ");
    room -= 2;
    if (share >= 0 && room >= LEAST_BAR + edges + LEAST_WORDS) {
        size_t bar = room / 3;
        bar = bar > MOST_BAR ? MOST_BAR : bar < LEAST_BAR ? LEAST_BAR : bar;
        add_boxes(out, share, bar, unicode);
        room -= bar + edges;
    }
    chainsi_text_add_cut(out, words, room, unicode);
}

void chainsi_bar_show(chainsi_bar *bar, const char *what, double share, const char *words)
{
    if (!bar->terminal.moves)
        return;
    /* The last column stays free: some terminals go on to the next line in it. */
    const size_t columns =
        (bar->terminal.columns ? bar->terminal.columns : (size_t)DEFAULT_COLUMNS) - 1;
    chainsi_buffer line = { 0 };
    chainsi_buffer_add_byte(&line, '\r');
    chainsi_bar_line(&line, what, share, words, columns, bar->terminal.unicode);
    chainsi_buffer_add_text(&line, "\033[K");
    fwrite(line.data, 1, line.size, bar->out);
    fflush(bar->out);
    chainsi_buffer_done(&line);
    bar->open = true;
}

void chainsi_bar_leave(chainsi_bar *bar)
{
    if (bar->open)
        fputc('\n', bar->out);
    bar->open = false;
}

void chainsi_bar_clear(chainsi_bar *bar)
{
    if (bar->open)
        fputs("\r\033[K", bar->out);
    bar->open = false;
}
