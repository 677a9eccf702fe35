/* Asks, shows, waits. What the daemon said last is kept, and shown again when the terminal has another size or the daemon is gone. */
#include "cli/status_watch.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/screen.h"
#include "cli/verb.h"
#include "control/time_text.h"
#include "schema/json.h"

enum {
    ASK_LIMIT_MS = 2000,
    EVERY_MS = 1000,        /* on a terminal */
    EVERY_PLAIN_MS = 10000, /* elsewhere */
    LEAST_COLUMNS = 20,
};

typedef struct watcher {
    chainsi_daemon *daemon;
    bool connected;
    const chainsi_status_filter *filter;
    bool json; /* that it said is passed on */
    int64_t every_ns;
    char address[sizeof((chainsi_daemon *)0)->address];
    chainsi_arena said; /* what it said last */
    chainsi_status status;
    const char *text;           /* of it, JSON */
    char at[CHAINSI_TIME_TEXT]; /* when that was; "": never */
    size_t top;                 /* the first row that is shown */
} watcher;

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

static bool read_answer(watcher *w, const chainsi_daemon_answer *answer, const chainsi_type *type,
                        chainsi_arena *arena, void *value)
{
    chainsi_codec_error why;
    const char *text = chainsi_arena_copy(arena, answer->body, answer->size);
    if (chainsi_json_decode(type, text, answer->size, arena, value, &why) == CHAINS_OK)
        return true;
    snprintf(w->daemon->why, sizeof w->daemon->why, "its answer can't be read");
    return false;
}

/* Asks how often what is called; of an environment that is gone since, nothing is known. */
static bool ask_for_graphs(watcher *w, chainsi_status *status, chainsi_arena *arena)
{
    const size_t count = status->chains.count;
    chainsi_daemon_answer answer;
    status->graphs = chainsi_arena_array(arena, count + 1, sizeof *status->graphs);
    memset(status->graphs, 0, (count + 1) * sizeof *status->graphs);
    for (size_t i = 0; i < count; i++) {
        const chainsi_api_chain *chain = &status->chains.items[i];
        if (!chainsi_status_is_shown(w->filter, chain))
            continue;
        answer.status = 0;
        if (ask(w, chainsi_daemon_graph_path(w->daemon, chain->name, chain->environment), &answer)
                ? !read_answer(w, &answer, &chainsi_api_graph_type, arena, &status->graphs[i])
                : answer.status != 404)
            return false;
    }
    return true;
}

/* Asks for all that is shown, and keeps it. */
static bool ask_for_all(watcher *w)
{
    chainsi_arena said = { 0 };
    chainsi_status status = { .graphs = NULL };
    chainsi_daemon_answer answer;
    if (!ask_for_chains(w, &answer) ||
        !read_answer(w, &answer, &chainsi_api_chains_type, &said, &status.chains) ||
        (!w->json && !ask_for_graphs(w, &status, &said))) {
        chainsi_arena_done(&said);
        return false;
    }
    chainsi_arena_done(&w->said);
    w->text = chainsi_arena_copy(&said, answer.body, answer.size);
    w->said = said;
    w->status = status;
    memcpy(w->address, w->daemon->address, sizeof w->address);
    chainsi_time_text(w->at);
    return true;
}

/* Asks the daemon, which is looked for if it was gone. False: it is gone. */
static bool refresh(watcher *w, const chainsi_interrupt *interrupt)
{
    if (!w->connected) {
        chainsi_daemon_close(w->daemon);
        w->connected = chainsi_daemon_connect(w->daemon);
    }
    w->daemon->quiet = true;
    w->daemon->interrupt = interrupt;
    chainsi_arena_reset(&w->daemon->arena);
    w->connected = w->connected && ask_for_all(w);
    return w->connected;
}

/* What is said where nothing is to be shown. */
static const char *nothing(const watcher *w)
{
    return w->filter->chain ? "nothing of that name is deployed" : "nothing is deployed";
}

/* ------------------------------------------------------------------------------------------------
 * on a terminal */

static void add_title(const watcher *w, const chainsi_terminal *terminal, size_t columns,
                      chainsi_buffer *out)
{
    const chainsi_api_chains *chains = &w->status.chains;
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
    chainsi_buffer text = { 0 }, head = { 0 }, body = { 0 };
    chainsi_status_table_write(&w->status, w->filter, columns, terminal->unicode, terminal->color,
                               &head, &body);
    if (!body.size)
        chainsi_buffer_printf(&body, "%s\n", nothing(w));
    const size_t lines = count_lines(&body), most = lines > rows ? lines - rows : 0;
    w->top = w->top > most ? most : w->top;
    add_title(w, terminal, columns, &text);
    chainsi_buffer_add(&text, head.data, head.size);
    add_lines(&text, &body, w->top, rows);
    add_foot(w, most - w->top, terminal, columns, &text);
    chainsi_screen_draw(screen, &text);
    chainsi_buffer_done(&text);
    chainsi_buffer_done(&head);
    chainsi_buffer_done(&body);
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

static void print_lines(const watcher *w)
{
    chainsi_buffer text = { 0 };
    if (w->json) {
        chainsi_buffer_printf(&text, "%s\n", w->text);
    } else {
        chainsi_status_lines_write(&w->status, w->filter, w->at, &text);
        if (!text.size)
            chainsi_buffer_printf(&text, "%s %s\n", w->at, nothing(w));
    }
    chainsi_text_write(stdout, (const char *)text.data, text.size,
                       w->json ? CHAINSI_TEXT_JSON : CHAINSI_TEXT_LINES);
    chainsi_buffer_done(&text);
}

static int watch_plain(watcher *w)
{
    bool told = false; /* that it is gone */
    while (true) {
        const bool there = refresh(w, NULL);
        if (there)
            print_lines(w);
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
    watcher w = { .daemon = daemon, .connected = true, .filter = filter, .json = json };
    chainsi_screen screen;
    int status = CHAINSI_EXIT_OK;
    const bool shows = !json && chainsi_screen_open(&screen);
    const int64_t every_ms = shows ? EVERY_MS : EVERY_PLAIN_MS;
    w.every_ns = every_s > 0 ? (int64_t)(every_s * 1e9) : every_ms * CHAINSI_NS_PER_MS;
    if (shows) {
        watch_screen(&w, &screen);
        chainsi_screen_close(&screen);
    } else {
        status = watch_plain(&w);
    }
    daemon->interrupt = NULL;
    chainsi_arena_done(&w.said);
    return status;
}
