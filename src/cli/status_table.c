#include "cli/status_table.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli/fetched.h"
#include "cli/rate.h"
#include "cli/table.h"

bool chainsi_status_is_shown(const chainsi_status_filter *filter, const chainsi_api_chain *chain)
{
    return (!filter->chain || !strcmp(chain->name, filter->chain)) &&
           (!filter->environment || !strcmp(chain->environment, filter->environment));
}

/* ------------------------------------------------------------------------------------------------
 * words */

static const char *state_color(const char *state)
{
    return !strcmp(state, "ready")     ? "32"
           : !strcmp(state, "failed")  ? "31"
           : !strcmp(state, "at_zero") ? NULL
                                       : "33";
}

/* What clients saw of it. */
static chainsi_rate rate_of_clients(const chainsi_api_chain *chain)
{
    const chainsi_api_clients *clients = chain->clients;
    if (!clients)
        return (chainsi_rate){ 0 };
    return (chainsi_rate){ &clients->calls_per_s, &clients->errors_per_s, clients->p50_ms,
                           clients->p99_ms };
}

static chainsi_rate rate_of_chainlet(const chainsi_status *status, size_t chain, const char *name)
{
    const chainsi_api_boxes *boxes = status->graphs ? &status->graphs[chain].chainlets : NULL;
    for (size_t i = 0; boxes && i < boxes->count; i++)
        if (!strcmp(boxes->items[i].name, name))
            return CHAINSI_RATE_OF(&boxes->items[i]);
    return (chainsi_rate){ 0 };
}

/* What is being done to an environment, or went wrong with it; NULL: nothing. */
static const char *news_of(const chainsi_api_chain *chain, chainsi_arena *arena)
{
    const chainsi_api_deployment *latest = &chain->deployment;
    if (chain->canary)
        return chainsi_arena_printf(arena,
                                    "%s is tried on %g %% of the calls: %lld of its %lld failed",
                                    chain->canary->version_id, chain->canary->percent,
                                    (long long)chain->canary->new_version.failed,
                                    (long long)chain->canary->new_version.calls);
    if (!strcmp(latest->state, "failed"))
        return chainsi_arena_printf(arena, "%s has failed: %s%s%s", latest->version_id,
                                    latest->chainlet ? latest->chainlet : "",
                                    latest->chainlet ? ": " : "",
                                    latest->message ? latest->message : "");
    if (strcmp(latest->state, "starting") != 0)
        return NULL;
    if (latest->assets && latest->assets->files_done < latest->assets->files) {
        char words[CHAINSI_FETCHED_TEXT];
        chainsi_fetched_words(latest->assets, words);
        return chainsi_arena_printf(arena, "%s is fetching %s", latest->version_id, words);
    }
    size_t ready = 0;
    for (size_t i = 0; i < latest->chainlets.count; i++)
        ready += !strcmp(latest->chainlets.items[i].state, "ready");
    return chainsi_arena_printf(arena, "%s is starting: %zu of %zu ready", latest->version_id,
                                ready, latest->chainlets.count);
}

static int64_t count_restarts(const chainsi_api_chainlet *chainlet)
{
    int64_t restarts = 0;
    for (size_t i = 0; i < chainlet->replicas.count; i++)
        restarts += chainlet->replicas.items[i].restarts;
    return restarts;
}

/* ------------------------------------------------------------------------------------------------
 * the table */

enum { NAME, STATE, READY, RUN, WAIT, CALLS, FAILED, P50, P99, RESTARTS, COLUMNS };

static const chainsi_table_column columns_of_table[COLUMNS] = {
    [NAME] = { .title = "CHAIN", .least = 13 },
    [STATE] = { .title = "STATE", .wants = 8 },
    [READY] = { .title = "READY", .wants = 5, .right = true },
    [RUN] = { .title = "RUN", .wants = 4, .right = true, .rank = 4 },
    [WAIT] = { .title = "WAIT", .wants = 4, .right = true, .rank = 3 },
    [CALLS] = { .title = "CALLS/S", .wants = 7, .right = true, .rank = 1 },
    [FAILED] = { .title = "FAILED", .wants = 6, .right = true, .rank = 2 },
    [P50] = { .title = "P50", .wants = 7, .right = true, .rank = 6 },
    [P99] = { .title = "P99", .wants = 7, .right = true, .rank = 5 },
    [RESTARTS] = { .title = "RESTARTS", .right = true, .rank = 7 },
};

typedef struct maker {
    chainsi_arena arena;
    chainsi_table_row *rows;
    size_t count;
    bool unicode;
} maker;

static void add_rates(maker *m, const chainsi_rate *rate, chainsi_table_row *row)
{
    row->cells[CALLS].text = chainsi_rate_calls(rate, &m->arena);
    row->cells[FAILED].text = chainsi_rate_failed(rate, &m->arena);
    row->cells[FAILED].color = chainsi_rate_has_failed(rate) ? "31" : NULL;
    row->cells[P50].text = chainsi_rate_time(rate->p50_ms, m->unicode, &m->arena);
    row->cells[P99].text = chainsi_rate_time(rate->p99_ms, m->unicode, &m->arena);
}

static void add_chain_row(maker *m, const chainsi_api_chain *chain)
{
    chainsi_table_row *row = &m->rows[m->count++];
    row->cells[NAME] = (chainsi_table_cell){
        chainsi_arena_printf(&m->arena, "%s/%s  %s  %s", chain->name, chain->environment,
                             chain->state, chain->version_id ? chain->version_id : "-"),
        strcmp(chain->state, "ready") ? state_color(chain->state) : "1",
    };
    row->span = WAIT + 1;
    const chainsi_rate rate = rate_of_clients(chain);
    add_rates(m, &rate, row);
    const char *news = news_of(chain, &m->arena);
    if (news)
        m->rows[m->count++] = (chainsi_table_row){
            .cells = { { chainsi_arena_printf(&m->arena, "  %s", news),
                         strcmp(chain->deployment.state, "failed") ? "33" : "31" } },
            .span = SIZE_MAX,
        };
}

static void add_chainlet_row(maker *m, const chainsi_api_chainlet *chainlet,
                             const chainsi_rate *rate)
{
    chainsi_table_row *row = &m->rows[m->count++];
    row->cells[NAME].text = chainsi_arena_printf(&m->arena, "  %s", chainlet->name);
    row->cells[STATE] = (chainsi_table_cell){ chainlet->state, state_color(chainlet->state) };
    row->cells[READY].text = chainsi_arena_printf(
        &m->arena, "%lld/%lld", (long long)chainlet->ready, (long long)chainlet->wanted);
    row->cells[RUN].text = chainsi_arena_printf(&m->arena, "%lld", (long long)chainlet->in_flight);
    row->cells[WAIT].text = chainsi_arena_printf(&m->arena, "%lld", (long long)chainlet->waiting);
    row->cells[RESTARTS].text =
        chainsi_arena_printf(&m->arena, "%lld", (long long)count_restarts(chainlet));
    add_rates(m, rate, row);
}

void chainsi_status_table_write(const chainsi_status *status, const chainsi_status_filter *filter,
                                size_t columns, bool unicode, bool color, chainsi_buffer *head,
                                chainsi_buffer *body)
{
    maker m = { .unicode = unicode };
    const chainsi_api_chains *chains = &status->chains;
    size_t most = 0;
    for (size_t i = 0; i < chains->count; i++)
        most += 2 + chains->items[i].chainlets.count;
    m.rows = chainsi_arena_array(&m.arena, most, sizeof *m.rows);
    if (most)
        memset(m.rows, 0, most * sizeof *m.rows);
    for (size_t i = 0; i < chains->count; i++) {
        const chainsi_api_chain *chain = &chains->items[i];
        if (!chainsi_status_is_shown(filter, chain))
            continue;
        add_chain_row(&m, chain);
        for (size_t k = 0; k < chain->chainlets.count; k++) {
            const chainsi_api_chainlet *chainlet = &chain->chainlets.items[k];
            const chainsi_rate rate = rate_of_chainlet(status, i, chainlet->name);
            add_chainlet_row(&m, chainlet, &rate);
        }
    }
    const chainsi_table table = { columns_of_table, COLUMNS, m.rows, m.count };
    chainsi_table_write(&table, columns, unicode, color, head, body);
    chainsi_arena_done(&m.arena);
}

/* ------------------------------------------------------------------------------------------------
 * plain lines */

static void add_plain_rate(const chainsi_rate *rate, chainsi_arena *arena, chainsi_buffer *out)
{
    const char *words = chainsi_rate_words(rate, arena);
    if (words)
        chainsi_buffer_printf(out, ", %s", words);
}

static void add_plain_chain(const chainsi_status *status, size_t index, const char *at,
                            chainsi_arena *arena, chainsi_buffer *out)
{
    const chainsi_api_chain *chain = &status->chains.items[index];
    const chainsi_rate clients = rate_of_clients(chain);
    const char *news = news_of(chain, arena);
    chainsi_buffer_printf(out, "%s %s/%s %s %s", at, chain->name, chain->environment,
                          chain->version_id ? chain->version_id : "-", chain->state);
    add_plain_rate(&clients, arena, out);
    if (news) {
        chainsi_buffer_add_text(out, "; ");
        chainsi_text_add(out, news, strlen(news), CHAINSI_TEXT_LINE);
    }
    chainsi_buffer_add_byte(out, '\n');
    for (size_t i = 0; i < chain->chainlets.count; i++) {
        const chainsi_api_chainlet *chainlet = &chain->chainlets.items[i];
        const chainsi_rate rate = rate_of_chainlet(status, index, chainlet->name);
        chainsi_buffer_printf(out,
                              "%s %s/%s %s %s, %lld of %lld ready, %lld in flight, %lld waiting",
                              at, chain->name, chain->environment, chainlet->name, chainlet->state,
                              (long long)chainlet->ready, (long long)chainlet->wanted,
                              (long long)chainlet->in_flight, (long long)chainlet->waiting);
        add_plain_rate(&rate, arena, out);
        chainsi_buffer_add_byte(out, '\n');
    }
}

void chainsi_status_lines_write(const chainsi_status *status, const chainsi_status_filter *filter,
                                const char *at, chainsi_buffer *out)
{
    chainsi_arena arena = { 0 };
    for (size_t i = 0; i < status->chains.count; i++)
        if (chainsi_status_is_shown(filter, &status->chains.items[i]))
            add_plain_chain(status, i, at, &arena, out);
    chainsi_arena_done(&arena);
}
