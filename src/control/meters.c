#include "control/meters.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control/exposition.h"
#include "control/handle.h"
#include "runtime/metrics.h"

/* As of base/histogram.h, for one thread. */
typedef struct histogram {
    uint64_t sums[CHAINSI_HISTOGRAM_COUNTERS];
} histogram;

enum { ENDINGS = 9 };
static const char *const endings[ENDINGS] = {
    CHAINSI_ENDING_EXITED,  CHAINSI_ENDING_KILLED, CHAINSI_ENDING_DRAINED,
    CHAINSI_ENDING_STALLED, CHAINSI_ENDING_LATE,   CHAINSI_ENDING_NOT_STARTED,
    CHAINSI_ENDING_LOST,    CHAINSI_ENDING_MEMORY, CHAINSI_ENDING_OVERDUE,
};

/* Of an environment, or of a Chainlet in it. */
typedef struct meter {
    char *chain, *environment, *chainlet; /* owned; chainlet NULL: calls of the front door */
    uint64_t calls[CHAINSI_METRICS_STATUSES];
    histogram time;
    histogram phases[CHAINSI_START_PHASES];
    uint64_t ends[ENDINGS];
    struct meter *next;
} meter;

/* Calls have a list of their own: it is looked through for each of them. */
enum { CALLS, CHAINLETS, LISTS };
struct chainsi_meters {
    meter *lists[LISTS]; /* owned */
};

chainsi_meters *chainsi_meters_new(void)
{
    return chainsi_make(sizeof(chainsi_meters));
}

/* Frees those of a chain; NULL: all. */
static void free_meters(meter **at, const char *chain)
{
    while (*at) {
        meter *each = *at;
        if (chain && strcmp(each->chain, chain) != 0) {
            at = &each->next;
            continue;
        }
        *at = each->next;
        free(each->chain);
        free(each->environment);
        free(each->chainlet);
        free(each);
    }
}

void chainsi_meters_free(chainsi_meters *meters)
{
    for (int i = 0; meters && i < LISTS; i++)
        free_meters(&meters->lists[i], NULL);
    free(meters);
}

void chainsi_meters_forget(chainsi_meters *meters, const char *chain)
{
    for (int i = 0; meters && i < LISTS; i++)
        free_meters(&meters->lists[i], chain);
}

/* chainlet NULL: of the calls. */
static meter *find(chainsi_meters *meters, const char *chain, const char *environment,
                   const char *chainlet)
{
    meter **at = &meters->lists[chainlet ? CHAINLETS : CALLS];
    while (*at &&
           (strcmp((*at)->chain, chain) != 0 || strcmp((*at)->environment, environment) != 0 ||
            (chainlet && strcmp((*at)->chainlet, chainlet) != 0)))
        at = &(*at)->next;
    if (!*at) {
        *at = chainsi_make(sizeof **at);
        (*at)->chain = chainsi_copy_text(chain);
        (*at)->environment = chainsi_copy_text(environment);
        (*at)->chainlet = chainsi_copy_text(chainlet);
    }
    return *at;
}

static void add_time(histogram *to, int64_t ns)
{
    int bucket = 0;
    while (bucket < CHAINSI_HISTOGRAM_BOUNDS && ns > chainsi_histogram_bounds[bucket])
        bucket++;
    to->sums[bucket]++;
    if (ns > 0)
        to->sums[CHAINSI_HISTOGRAM_BOUNDS + 1] += (uint64_t)ns;
}

void chainsi_meters_call(chainsi_meters *meters, const char *chain, const char *environment,
                         chains_status status, int64_t ns)
{
    if (!meters)
        return;
    meter *of = find(meters, chain, environment, NULL);
    of->calls[(unsigned)status < CHAINSI_METRICS_STATUSES ? (unsigned)status : CHAINS_UNKNOWN]++;
    add_time(&of->time, ns);
}

void chainsi_meters_start(chainsi_meters *meters, const chainsi_history_place *place,
                          chainsi_start_phase phase, int64_t ns)
{
    if (meters)
        add_time(&find(meters, place->chain, place->environment, place->chainlet)->phases[phase],
                 ns);
}

void chainsi_meters_end(chainsi_meters *meters, const chainsi_history_place *place,
                        const char *ending)
{
    if (!meters)
        return;
    meter *of = find(meters, place->chain, place->environment, place->chainlet);
    for (int i = 0; i < ENDINGS; i++)
        of->ends[i] += !strcmp(endings[i], ending);
}

/* Writing: a family after the other, each with all that it is counted of. */

/* name="value" of a meter, and of one more label (NULL: none), as text with a NUL. */
static const char *write_labels(const meter *of, const char *name, const char *value,
                                chainsi_buffer *labels)
{
    labels->size = 0;
    chainsi_exposition_add_label(labels, "chain", of->chain);
    chainsi_buffer_add_byte(labels, ',');
    chainsi_exposition_add_label(labels, "environment", of->environment);
    if (of->chainlet) {
        chainsi_buffer_add_byte(labels, ',');
        chainsi_exposition_add_label(labels, "chainlet", of->chainlet);
    }
    if (name) {
        chainsi_buffer_add_byte(labels, ',');
        chainsi_exposition_add_label(labels, name, value);
    }
    chainsi_buffer_add_byte(labels, 0);
    return (const char *)labels->data;
}

static void write_calls(const meter *of, chainsi_buffer *labels, chainsi_buffer *out)
{
    for (int i = 0; i < CHAINSI_METRICS_STATUSES; i++)
        if (of->calls[i] || i == CHAINS_OK)
            chainsi_buffer_printf(
                out, "chains_front_calls_total{%s} %" PRIu64 "\n",
                write_labels(of, "status", chains_status_name((chains_status)i), labels),
                of->calls[i]);
}

static void write_times(const meter *of, chainsi_buffer *labels, chainsi_buffer *out)
{
    chainsi_metrics_write_histogram("chains_front_seconds", write_labels(of, NULL, NULL, labels),
                                    of->time.sums, out);
}

static void write_starts(const meter *of, chainsi_buffer *labels, chainsi_buffer *out)
{
    static const char *const phases[] = { "spawn", "ready" };
    for (int i = 0; i < CHAINSI_START_PHASES; i++)
        chainsi_metrics_write_histogram("chains_start_seconds",
                                        write_labels(of, "phase", phases[i], labels),
                                        of->phases[i].sums, out);
}

static void write_ends(const meter *of, chainsi_buffer *labels, chainsi_buffer *out)
{
    for (int i = 0; i < ENDINGS; i++)
        if (of->ends[i])
            chainsi_buffer_printf(out, "chains_replica_ends_total{%s} %" PRIu64 "\n",
                                  write_labels(of, "ending", endings[i], labels), of->ends[i]);
}

void chainsi_meters_write(const chainsi_meters *meters,
                          bool (*shows)(void *user, const char *chain), void *user,
                          chainsi_buffer *out)
{
    static const struct {
        int list;
        const char *head;
        void (*write)(const meter *of, chainsi_buffer *labels, chainsi_buffer *out);
    } families[] = {
        { CALLS,
          "# HELP chains_front_calls_total Calls of clients that ended, by status.\n"
          "# TYPE chains_front_calls_total counter\n",
          write_calls },
        { CALLS,
          "# HELP chains_front_seconds Time of such a call, as the front door sees it.\n"
          "# TYPE chains_front_seconds histogram\n",
          write_times },
        { CHAINLETS,
          "# HELP chains_start_seconds Time of starting a replica, by phase: spawn, until the "
          "keeper "
          "begins with it; ready, from then until it is ready.\n"
          "# TYPE chains_start_seconds histogram\n",
          write_starts },
        { CHAINLETS,
          "# HELP chains_replica_ends_total Processes that ended, by how.\n"
          "# TYPE chains_replica_ends_total counter\n",
          write_ends },
    };
    chainsi_buffer labels = { 0 };
    for (size_t i = 0; meters && i < sizeof families / sizeof *families; i++) {
        chainsi_buffer_add_text(out, families[i].head);
        for (const meter *each = meters->lists[families[i].list]; each; each = each->next)
            if (!shows || shows(user, each->chain))
                families[i].write(each, &labels, out);
    }
    chainsi_buffer_done(&labels);
}
