#include "cli/status_table.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli/fetched.h"
#include "cli/table.h"
#include "cli/waterfall.h"

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

static const char *rate_text(double per_s, chainsi_arena *arena)
{
    return chainsi_arena_printf(arena, per_s == 0 ? "0" : per_s < 9.95 ? "%.1f" : "%.0f", per_s);
}

/* The share of calls that failed; nothing that is more than nothing looks like nothing. */
static const char *share_text(const chainsi_live_rate *rate, chainsi_arena *arena)
{
    if (rate->calls_per_s <= 0)
        return "-";
    const double percent = 100 * rate->failed_per_s / rate->calls_per_s;
    return chainsi_arena_printf(arena,
                                percent == 0     ? "0 %%"
                                : percent < 0.1  ? "<0.1 %%"
                                : percent < 9.95 ? "%.1f %%"
                                                 : "%.0f %%",
                                percent);
}

static const char *time_text(double ms, bool unicode, chainsi_arena *arena)
{
    char text[32];
    if (ms < 0)
        return "-";
    chainsi_waterfall_time(text, ms, unicode);
    return chainsi_arena_strdup(arena, text);
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
    bool rated; /* there are two looks */
} maker;

static void add_rates(maker *m, const chainsi_live_rate *rate, chainsi_table_row *row)
{
    row->cells[CALLS].text = m->rated ? rate_text(rate->calls_per_s, &m->arena) : "-";
    row->cells[FAILED].text = m->rated ? share_text(rate, &m->arena) : "-";
    row->cells[FAILED].color = rate->failed_per_s > 0 ? "31" : NULL;
    row->cells[P50].text = time_text(rate->p50_ms, m->unicode, &m->arena);
    row->cells[P99].text = time_text(rate->p99_ms, m->unicode, &m->arena);
}

static void add_chain_row(maker *m, const chainsi_api_chain *chain, const chainsi_live *live)
{
    chainsi_table_row *row = &m->rows[m->count++];
    row->cells[NAME] = (chainsi_table_cell){
        chainsi_arena_printf(&m->arena, "%s/%s  %s  %s", chain->name, chain->environment,
                             chain->state, chain->version_id ? chain->version_id : "-"),
        strcmp(chain->state, "ready") ? state_color(chain->state) : "1",
    };
    row->span = WAIT + 1;
    const chainsi_live_rate rate = chainsi_live_front(live, chain->name, chain->environment);
    add_rates(m, &rate, row);
    const char *news = news_of(chain, &m->arena);
    if (news)
        m->rows[m->count++] = (chainsi_table_row){
            .cells = { { chainsi_arena_printf(&m->arena, "  %s", news),
                         strcmp(chain->deployment.state, "failed") ? "33" : "31" } },
            .span = SIZE_MAX,
        };
}

static void add_chainlet_row(maker *m, const chainsi_api_chain *chain,
                             const chainsi_api_chainlet *chainlet, const chainsi_live *live)
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
    const chainsi_live_rate rate =
        chainsi_live_chainlet(live, chain->name, chain->environment, chainlet->name);
    add_rates(m, &rate, row);
}

void chainsi_status_table_write(const chainsi_api_chains *chains,
                                const chainsi_status_filter *filter, const chainsi_live *live,
                                size_t columns, bool unicode, bool color, chainsi_buffer *head,
                                chainsi_buffer *body)
{
    maker m = { .unicode = unicode, .rated = live->seconds > 0 };
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
        add_chain_row(&m, chain, live);
        for (size_t k = 0; k < chain->chainlets.count; k++)
            add_chainlet_row(&m, chain, &chain->chainlets.items[k], live);
    }
    const chainsi_table table = { columns_of_table, COLUMNS, m.rows, m.count };
    chainsi_table_write(&table, columns, unicode, color, head, body);
    chainsi_arena_done(&m.arena);
}

/* ------------------------------------------------------------------------------------------------
 * plain lines */

static void add_plain_rates(const chainsi_live *live, const chainsi_live_rate *rate,
                            chainsi_arena *arena, chainsi_buffer *out)
{
    if (live->seconds <= 0)
        return;
    chainsi_buffer_printf(out, ", %s calls/s", rate_text(rate->calls_per_s, arena));
    if (rate->calls_per_s > 0)
        chainsi_buffer_printf(out, ", %s failed", share_text(rate, arena));
    if (rate->p50_ms >= 0)
        chainsi_buffer_printf(out, ", p50 %s, p99 %s", time_text(rate->p50_ms, false, arena),
                              time_text(rate->p99_ms, false, arena));
}

static void add_plain_chain(const chainsi_api_chain *chain, const chainsi_live *live,
                            const char *at, chainsi_arena *arena, chainsi_buffer *out)
{
    const chainsi_live_rate front = chainsi_live_front(live, chain->name, chain->environment);
    const char *news = news_of(chain, arena);
    chainsi_buffer_printf(out, "%s %s/%s %s %s", at, chain->name, chain->environment,
                          chain->version_id ? chain->version_id : "-", chain->state);
    add_plain_rates(live, &front, arena, out);
    if (news) {
        chainsi_buffer_add_text(out, "; ");
        chainsi_text_add(out, news, strlen(news), CHAINSI_TEXT_LINE);
    }
    chainsi_buffer_add_byte(out, '\n');
    for (size_t i = 0; i < chain->chainlets.count; i++) {
        const chainsi_api_chainlet *chainlet = &chain->chainlets.items[i];
        const chainsi_live_rate rate =
            chainsi_live_chainlet(live, chain->name, chain->environment, chainlet->name);
        chainsi_buffer_printf(out,
                              "%s %s/%s %s %s, %lld of %lld ready, %lld in flight, %lld waiting",
                              at, chain->name, chain->environment, chainlet->name, chainlet->state,
                              (long long)chainlet->ready, (long long)chainlet->wanted,
                              (long long)chainlet->in_flight, (long long)chainlet->waiting);
        add_plain_rates(live, &rate, arena, out);
        chainsi_buffer_add_byte(out, '\n');
    }
}

void chainsi_status_lines_write(const chainsi_api_chains *chains,
                                const chainsi_status_filter *filter, const chainsi_live *live,
                                const char *at, chainsi_buffer *out)
{
    chainsi_arena arena = { 0 };
    for (size_t i = 0; i < chains->count; i++)
        if (chainsi_status_is_shown(filter, &chains->items[i]))
            add_plain_chain(&chains->items[i], live, at, &arena, out);
    chainsi_arena_done(&arena);
}
