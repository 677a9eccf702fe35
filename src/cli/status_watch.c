/* Asks, shows, waits. What the daemon said last is kept as text, and shown again when the terminal has another size or the daemon is gone. */
#include "cli/status_watch.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/live.h"
#include "cli/screen.h"
#include "cli/verb.h"
#include "control/time_text.h"
#include "schema/json.h"

enum {
    ASK_LIMIT_MS = 2000,
    EVERY_MS = 1000,        /* on a terminal */
    EVERY_PLAIN_MS = 10000, /* elsewhere */
    MOST_LOOKS = 11, /* that rates are counted over: ten seconds, where it asks every second */
    LEAST_COLUMNS = 20,
};

typedef struct watcher {
    chainsi_daemon *daemon;
    bool connected;
    const chainsi_status_filter *filter;
    int64_t every_ns;
    char address[sizeof((chainsi_daemon *)0)->address];
    chainsi_buffer chains;               /* what it said last, JSON */
    char at[CHAINSI_TIME_TEXT];          /* when that was; "": never */
    chainsi_live_look looks[MOST_LOOKS]; /* the newest first */
    size_t look_count;
    size_t top; /* the first row that is shown */
} watcher;

static void forget_looks(watcher *w)
{
    for (size_t i = 0; i < w->look_count; i++)
        chainsi_live_look_done(&w->looks[i]);
    w->look_count = 0;
}

static void add_look(watcher *w, const chainsi_daemon_answer *answer)
{
    if (w->look_count == MOST_LOOKS)
        chainsi_live_look_done(&w->looks[--w->look_count]);
    memmove(w->looks + 1, w->looks, w->look_count * sizeof *w->looks);
    w->look_count++;
    chainsi_live_look_take(&w->looks[0], answer->body, answer->size, chainsi_now_ns());
}

/* What was counted since the oldest look there is. */
static void measure(const watcher *w, chainsi_live *live)
{
    const bool two = w->look_count > 1;
    chainsi_live_between(live, two ? &w->looks[w->look_count - 1] : NULL,
                         two ? &w->looks[0] : NULL);
}

static bool ask(watcher *w, const char *path, chainsi_daemon_answer *answer)
{
    chainsi_daemon *daemon = w->daemon;
    if (!chainsi_daemon_ask(daemon, "GET", path, NULL, ASK_LIMIT_MS, answer))
        return false;
    if (answer->status == 200)
        return true;
    snprintf(daemon->why, sizeof daemon->why, "it answered HTTP %d", answer->status);
    return false;
}

/* Asks for the chains that are meant; one that isn't there is none. */
static bool ask_for_chains(watcher *w, chainsi_daemon_answer *answer)
{
    const char *path = "/api/v1/chains";
    if (w->filter->chain)
        path = chainsi_arena_printf(&w->daemon->arena, "/api/v1/chains/%s/environments",
                                    w->filter->chain);
    answer->status = 0;
    if (ask(w, path, answer))
        return true;
    if (answer->status != 404)
        return false;
    *answer = (chainsi_daemon_answer){ .status = 200, .body = "[]", .size = 2 };
    return true;
}

/* Asks the daemon, which is looked for if it was gone. False: it is gone. */
static bool refresh(watcher *w, const chainsi_interrupt *interrupt)
{
    chainsi_daemon_answer answer;
    if (!w->connected) {
        chainsi_daemon_close(w->daemon);
        w->connected = chainsi_daemon_connect(w->daemon);
    }
    w->daemon->quiet = true;
    w->daemon->interrupt = interrupt;
    if (w->connected) {
        chainsi_arena_reset(&w->daemon->arena);
        w->connected = ask_for_chains(w, &answer);
    }
    if (w->connected) {
        memcpy(w->address, w->daemon->address, sizeof w->address);
        w->chains.size = 0;
        chainsi_buffer_add(&w->chains, answer.body, answer.size);
        chainsi_time_text(w->at);
        w->connected = ask(w, "/metrics", &answer);
    }
    if (w->connected)
        add_look(w, &answer);
    else
        forget_looks(w);
    return w->connected;
}

/* What is said where nothing is to be shown. */
static const char *nothing(const watcher *w)
{
    return w->filter->chain ? "nothing of that name is deployed" : "nothing is deployed";
}

/* Reads what it said last. False: that can't be read. */
static bool read_chains(const watcher *w, chainsi_arena *arena, chainsi_api_chains *chains)
{
    chainsi_codec_error why;
    *chains = (chainsi_api_chains){ 0 };
    return chainsi_json_decode(&chainsi_api_chains_type, (const char *)w->chains.data,
                               w->chains.size, arena, chains, &why) == CHAINS_OK;
}

/* ------------------------------------------------------------------------------------------------
 * on a terminal */

static void add_title(const watcher *w, const chainsi_api_chains *chains,
                      const chainsi_terminal *terminal, size_t columns, chainsi_buffer *out)
{
    chainsi_buffer words = { 0 };
    size_t shown = 0, chainlets = 0;
    for (size_t i = 0; i < chains->count; i++) {
        if (!chainsi_status_is_shown(w->filter, &chains->items[i]))
            continue;
        shown++;
        chainlets += chains->items[i].chainlets.count;
    }
    if (w->connected)
        chainsi_buffer_printf(&words, "%.8s  %zu chain%s, %zu Chainlet%s  %s", w->at + 11, shown,
                              shown == 1 ? "" : "s", chainlets, chainlets == 1 ? "" : "s",
                              w->address);
    else
        chainsi_buffer_printf(&words, "no daemon answers: %s. This was so at %.8s",
                              w->daemon->why[0] ? w->daemon->why : "it is gone", w->at + 11);
    chainsi_buffer_add_byte(&words, 0);
    if (terminal->color)
        chainsi_buffer_add_text(out, w->connected ? "\x1b[1m" : "\x1b[1;31m");
    chainsi_text_add_cut(out, (const char *)words.data, columns, terminal->unicode);
    chainsi_buffer_add_text(out, terminal->color ? "\x1b[0m\n" : "\n");
    chainsi_buffer_done(&words);
}

static size_t count_lines(const chainsi_buffer *text)
{
    size_t count = 0;
    for (size_t i = 0; i < text->size; i++)
        count += text->data[i] == '\n';
    return count;
}

/* Appends `count` lines of a text from one on. */
static void add_lines(chainsi_buffer *out, const chainsi_buffer *text, size_t from, size_t count)
{
    size_t line = 0;
    for (size_t i = 0; i < text->size; i++) {
        if (line >= from && line < from + count)
            chainsi_buffer_add_byte(out, text->data[i]);
        line += text->data[i] == '\n';
    }
}

static void add_foot(const watcher *w, size_t below, const chainsi_terminal *terminal,
                     size_t columns, chainsi_buffer *out)
{
    char words[128];
    if (below || w->top)
        snprintf(words, sizeof words, "q ends it; up and down show %zu more above, %zu below",
                 w->top, below);
    else
        snprintf(words, sizeof words, "q ends it");
    chainsi_buffer_add_text(out, terminal->color ? "\x1b[2m" : "");
    chainsi_text_add_cut(out, words, columns, terminal->unicode);
    chainsi_buffer_add_text(out, terminal->color ? "\x1b[0m" : "");
}

/* Draws what is known; gives the number of rows of the table that there is room for. */
static size_t draw(watcher *w, chainsi_screen *screen)
{
    const chainsi_terminal *terminal = &screen->terminal;
    /* The last column stays free, where clearing the rest of the line would take a character away. */
    const size_t columns =
        (terminal->columns > LEAST_COLUMNS ? terminal->columns : (size_t)LEAST_COLUMNS) - 1;
    const size_t rows = terminal->rows > 4 ? terminal->rows - 3 : 1;
    chainsi_arena arena = { 0 };
    chainsi_api_chains chains;
    chainsi_live live;
    chainsi_buffer text = { 0 }, head = { 0 }, body = { 0 };
    const bool readable = read_chains(w, &arena, &chains);
    measure(w, &live);
    chainsi_status_table_write(&chains, w->filter, &live, columns, terminal->unicode,
                               terminal->color, &head, &body);
    if (!body.size)
        chainsi_buffer_printf(&body, "%s\n", readable ? nothing(w) : "its answer can't be read");
    const size_t lines = count_lines(&body), most = lines > rows ? lines - rows : 0;
    w->top = w->top > most ? most : w->top;
    add_title(w, &chains, terminal, columns, &text);
    chainsi_buffer_add(&text, head.data, head.size);
    add_lines(&text, &body, w->top, rows);
    add_foot(w, most - w->top, terminal, columns, &text);
    chainsi_screen_draw(screen, &text);
    chainsi_buffer_done(&text);
    chainsi_buffer_done(&head);
    chainsi_buffer_done(&body);
    chainsi_live_done(&live);
    chainsi_arena_done(&arena);
    return rows;
}

static void scroll(watcher *w, chainsi_screen_event event, size_t rows)
{
    const size_t most = SIZE_MAX / 2; /* draw() knows better */
    if (event == CHAINSI_SCREEN_UP)
        w->top -= w->top > 0;
    else if (event == CHAINSI_SCREEN_DOWN)
        w->top++;
    else if (event == CHAINSI_SCREEN_PAGE_UP)
        w->top -= w->top > rows ? rows : w->top;
    else if (event == CHAINSI_SCREEN_PAGE_DOWN)
        w->top += rows;
    else if (event == CHAINSI_SCREEN_TOP)
        w->top = 0;
    else if (event == CHAINSI_SCREEN_BOTTOM)
        w->top = most;
}

static void watch_screen(watcher *w, chainsi_screen *screen)
{
    chainsi_screen_event event = CHAINSI_SCREEN_TIME;
    int64_t next_ns = 0;
    while (event != CHAINSI_SCREEN_END) {
        if (chainsi_now_ns() >= next_ns) {
            refresh(w, &screen->interrupt);
            next_ns = chainsi_now_ns() + w->every_ns;
        }
        const size_t rows = screen->ended ? 0 : draw(w, screen);
        event = chainsi_screen_wait(screen, next_ns);
        scroll(w, event, rows);
    }
}

/* ------------------------------------------------------------------------------------------------
 * elsewhere */

static void print_lines(const watcher *w, bool json)
{
    chainsi_arena arena = { 0 };
    chainsi_api_chains chains;
    chainsi_live live;
    chainsi_buffer text = { 0 };
    measure(w, &live);
    if (json) {
        chainsi_buffer_add(&text, w->chains.data, w->chains.size);
        chainsi_buffer_add_byte(&text, '\n');
    } else if (read_chains(w, &arena, &chains)) {
        chainsi_status_lines_write(&chains, w->filter, &live, w->at, &text);
        if (!text.size)
            chainsi_buffer_printf(&text, "%s %s\n", w->at, nothing(w));
    }
    fwrite(text.data, 1, text.size, stdout);
    chainsi_buffer_done(&text);
    chainsi_live_done(&live);
    chainsi_arena_done(&arena);
}

static int watch_plain(watcher *w, bool json)
{
    bool told = false; /* that it is gone */
    while (true) {
        const bool there = refresh(w, NULL);
        if (there)
            print_lines(w, json);
        else if (!told)
            fprintf(stderr, "chains: no daemon answers: %s; looking for it\n",
                    w->daemon->why[0] ? w->daemon->why : "it is gone");
        told = !there;
        if (fflush(stdout) != 0)
            return CHAINSI_EXIT_FAILED; /* nobody reads it any more; main() says so */
        nanosleep(&(struct timespec){ .tv_sec = w->every_ns / 1000000000,
                                      .tv_nsec = w->every_ns % 1000000000 },
                  NULL);
    }
}

int chainsi_status_watch(chainsi_daemon *daemon, const chainsi_status_filter *filter,
                         double every_s, bool json)
{
    watcher w = { .daemon = daemon, .connected = true, .filter = filter };
    chainsi_screen screen;
    int status = CHAINSI_EXIT_OK;
    const bool shows = !json && chainsi_screen_open(&screen);
    const int64_t every_ms = shows ? EVERY_MS : EVERY_PLAIN_MS;
    w.every_ns = every_s > 0 ? (int64_t)(every_s * 1e9) : every_ms * CHAINSI_NS_PER_MS;
    if (shows) {
        watch_screen(&w, &screen);
        chainsi_screen_close(&screen);
    } else {
        status = watch_plain(&w, json);
    }
    daemon->interrupt = NULL;
    forget_looks(&w);
    chainsi_buffer_done(&w.chains);
    return status;
}
