/* One timer; at each of its ticks boards are read, then processes asked, then points are made of both. */
#include "control/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "control/chain.h"
#include "control/handle.h"
#include "control/scrape.h"
#include "control/steady.h"
#include "control/time_text.h"

enum {
    WATCHED_MS = 5000, /* after somebody looked */
    STEP_MS = CHAINSI_SERIES_STEP_S * 1000,
    TICK_MS = 1000,                          /* of those that are watched */
    RECENT_MS = STEP_MS + CHAINSI_SCRAPE_MS, /* within which a chain that is asked has answered */
};

/* The points of a Chainlet. */
typedef struct track {
    char *environment, *chainlet; /* owned */
    chainsi_series series;        /* owned */
    uint64_t starts;              /* that its points tell of */
    struct track *next;
} track;

/* What is kept of a chain. */
typedef struct book {
    char *chain;            /* owned */
    chainsi_ledger *ledger; /* owned */
    track *tracks;          /* owned */
    int64_t watched_until_ns;
    uint64_t turns; /* of all of its boards */
    bool moved;     /* since the last points */
    bool busy;      /* it had at these */
    bool asked;     /* its processes are being asked */
    bool rested;    /* they weren't at the tick before */
    struct book *next;
} book;

struct chainsi_sampler {
    const chainsi_registry *registry;
    uv_timer_t *timer;      /* owned; active but when resting */
    bool running;           /* it is */
    book *books;            /* owned */
    chainsi_scrape *scrape; /* owned; NULL: nobody is being asked */
    int64_t tick_ns;        /* the last one */
    int64_t heard_ns;       /* when it woke up */
    int64_t since_ns;       /* of those that rested: nothing was called before that */
    int64_t began_unix_ms;
    int64_t slot; /* of the last points */
};

int64_t chainsi_sampler_slot(void)
{
    return chainsi_steady_ms() / STEP_MS;
}

static book *find_book(const chainsi_sampler *sampler, const char *chain)
{
    book *each = sampler->books;
    while (each && strcmp(each->chain, chain) != 0)
        each = each->next;
    return each;
}

static book *make_book(chainsi_sampler *sampler, const char *chain)
{
    book *made = find_book(sampler, chain);
    if (made)
        return made;
    made = chainsi_make(sizeof *made);
    made->chain = chainsi_copy_text(chain);
    made->ledger = chainsi_ledger_new(sampler->tick_ns);
    made->rested = true;
    made->next = sampler->books;
    sampler->books = made;
    return made;
}

static void free_book(book *of)
{
    for (track *each = of->tracks, *next; each; each = next) {
        next = each->next;
        chainsi_series_done(&each->series);
        free(each->environment);
        free(each->chainlet);
        free(each);
    }
    chainsi_ledger_free(of->ledger);
    free(of->chain);
    free(of);
}

static track *find_track(const book *of, const char *environment, const char *chainlet)
{
    track *each = of ? of->tracks : NULL;
    while (each &&
           (strcmp(each->chainlet, chainlet) != 0 || strcmp(each->environment, environment) != 0))
        each = each->next;
    return each;
}

static track *make_track(book *of, const char *environment, const char *chainlet)
{
    track *made = find_track(of, environment, chainlet);
    if (made)
        return made;
    made = chainsi_make(sizeof *made);
    made->environment = chainsi_copy_text(environment);
    made->chainlet = chainsi_copy_text(chainlet);
    made->next = of->tracks;
    of->tracks = made;
    return made;
}

/* Boards. */

typedef void (*visitor)(void *user, const chainsi_environment *environment,
                        const chainsi_chainlet *chainlet);

static void visit_deployment(const chainsi_environment *environment,
                             const chainsi_deployment *deployment, visitor visit, void *user)
{
    for (size_t i = 0; deployment && i < deployment->options.deploy->services.count; i++)
        visit(user, environment, &deployment->chainlets[i]);
}

typedef struct movement {
    uint64_t turns;
    bool runs;
} movement;

static void add_movement(void *user, const chainsi_environment *environment,
                         const chainsi_chainlet *chainlet)
{
    (void)environment;
    movement *of = user;
    if (!chainlet->scaler)
        return;
    const chainsi_demand demand = chainsi_scaler_measure(chainlet->scaler);
    of->turns += demand.turns;
    of->runs = of->runs || demand.running || demand.waiting;
}

/* Whether calls have ended since the last time, or run. */
static bool look_at_boards(book *of, const chainsi_chain *chain)
{
    movement now = { 0 };
    for (const chainsi_environment *each = chain->environments; each; each = each->next) {
        visit_deployment(each, each->current, add_movement, &now);
        visit_deployment(each, each->candidate, add_movement, &now);
    }
    const bool moved = now.runs || now.turns != of->turns;
    of->turns = now.turns;
    return moved;
}

/* Points. */

typedef struct pen {
    const chainsi_sampler *sampler;
    book *book;
    int64_t slot;
} pen;

static void add_point(void *user, const chainsi_environment *environment,
                      const chainsi_chainlet *chainlet)
{
    const pen *with = user;
    const chainsi_subject subject = {
        .chain = with->book->chain,
        .environment = environment->name,
        .chainlet = chainlet->service->name,
        .callee = "",
    };
    track *to = make_track(with->book, environment->name, chainlet->service->name);
    const uint64_t starts = chainsi_ledger_starts(with->book->ledger, &subject);
    const chainsi_rates rates = chainsi_ledger_rates(with->book->ledger, &subject,
                                                     with->sampler->tick_ns, CHAINSI_SERIES_STEP_S);
    chainsi_demand demand = { 0 };
    if (chainlet->scaler)
        demand = chainsi_scaler_measure(chainlet->scaler);
    const chainsi_point point = {
        .in_flight = demand.running,
        .waiting = demand.waiting,
        .ready = (double)chainsi_fleet_count(chainlet->fleet).ready,
        .wanted = chainlet->fleet ? (double)chainlet->fleet->wanted : 0,
        .calls_per_s = rates.calls_per_s,
        .errors_per_s = rates.errors_per_s,
        .p50_ms = rates.p50_ms,
        .p99_ms = rates.p99_ms,
        .queue_p99_ms = rates.queue_p99_ms,
        .cold_starts = (double)(starts - to->starts),
    };
    to->starts = starts;
    chainsi_series_add(&to->series, with->slot, &point);
}

static void add_points(chainsi_sampler *sampler)
{
    const int64_t slot = chainsi_sampler_slot();
    if (slot == sampler->slot)
        return;
    sampler->slot = slot;
    for (const chainsi_chain *chain = sampler->registry->chains; chain; chain = chain->next) {
        pen with = { sampler, find_book(sampler, chain->name), slot };
        for (const chainsi_environment *each = chain->environments; with.book && each;
             each = each->next)
            visit_deployment(each, each->current, add_point, &with);
    }
}

/* Asking. What is read of each process on a thread of the pool comes back as records, one behind the other. */

typedef struct record {
    uint64_t source;
    int64_t began_unix_ms;
    uint64_t counts[CHAINSI_COUNTS];
    uint64_t size; /* of the four texts behind it, with a NUL each, padded to 8 */
} record;

static void write_record(const chainsi_scraped *from, const chainsi_counted *counted,
                         chainsi_buffer *out)
{
    static const char zeros[8];
    const chainsi_subject *subject = &counted->subject;
    const char *texts[] = { subject->chain, subject->environment, subject->chainlet,
                            subject->callee };
    const char *name = chainsi_labels_find(&from->source.labels, "replica");
    record made = {
        .source = name ? chainsi_hash_add(CHAINSI_HASH_START, name, strlen(name)) : 0,
        .began_unix_ms = from->started_unix_ms,
    };
    memcpy(made.counts, counted->counts, sizeof made.counts);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        made.size += strlen(texts[i]) + 1;
    const size_t padding = (8 - made.size % 8) % 8;
    made.size += padding;
    chainsi_buffer_add(out, &made, sizeof made);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        chainsi_buffer_add(out, texts[i], strlen(texts[i]) + 1);
    chainsi_buffer_add(out, zeros, padding);
}

static void compose(const void *settings, const chainsi_scraped *first, chainsi_buffer *out)
{
    (void)settings;
    chainsi_arena arena = { 0 };
    for (const chainsi_source *each = &first->source; each; each = each->next)
        for (const chainsi_counted *of = chainsi_counts_read(each, &arena); of; of = of->next)
            write_record((const chainsi_scraped *)each, of, out);
    chainsi_arena_done(&arena);
}

static const char *next_text(const char *text)
{
    return text + strlen(text) + 1;
}

static void take_record(const chainsi_sampler *sampler, const record *of)
{
    chainsi_counted counted = { .subject.chain = (const char *)(of + 1) };
    chainsi_subject *subject = &counted.subject;
    subject->environment = next_text(subject->chain);
    subject->chainlet = next_text(subject->environment);
    subject->callee = next_text(subject->chainlet);
    memcpy(counted.counts, of->counts, sizeof counted.counts);
    const book *in = find_book(sampler, subject->chain);
    /* What the daemon counts began with it, and so with the books. */
    const int64_t ago_ms = chainsi_unix_ms() - of->began_unix_ms;
    const int64_t began_ns = of->source ? chainsi_now_ns() - ago_ms * CHAINSI_NS_PER_MS : INT64_MAX;
    if (in && in->asked)
        chainsi_ledger_add(in->ledger, of->source, began_ns, &counted);
}

static void go_on(chainsi_sampler *sampler);

static void on_end(void *user, const chainsi_buffer *records)
{
    chainsi_sampler *sampler = user;
    sampler->scrape = NULL;
    for (book *each = sampler->books; each; each = each->next)
        if (each->asked)
            chainsi_ledger_begin(each->ledger, sampler->tick_ns,
                                 each->rested ? sampler->since_ns : 0);
    for (size_t at = 0; at < records->size;) {
        const record *of = (const void *)(records->data + at);
        take_record(sampler, of);
        at += sizeof *of + of->size;
    }
    for (book *each = sampler->books; each; each = each->next) {
        if (each->asked)
            chainsi_ledger_end(each->ledger);
        each->rested = !each->asked;
        each->asked = false;
    }
    add_points(sampler);
    go_on(sampler);
}

static bool is_asked(void *user, const char *chain)
{
    const book *of = find_book(user, chain);
    return of && of->asked;
}

static void write_own(void *user, chainsi_buffer *out)
{
    const chainsi_sampler *sampler = user;
    chainsi_meters_write(sampler->registry->supervisor->meters, is_asked, user, out);
}

/* Ticks. */

static void on_tick(uv_timer_t *timer);

static void start_timer(chainsi_sampler *sampler, int64_t step_ms)
{
    const int64_t passed_ms = chainsi_steady_ms() % step_ms;
    uv_timer_start(sampler->timer, on_tick, (uint64_t)(step_ms - passed_ms), 0);
    sampler->running = true;
}

/* What is to be done when a tick is over. */
static void go_on(chainsi_sampler *sampler)
{
    const int64_t now_ns = chainsi_now_ns();
    bool watched = false, busy = false;
    for (const book *each = sampler->books; each; each = each->next) {
        watched = watched || each->watched_until_ns > now_ns;
        busy = busy || each->busy || each->moved;
    }
    sampler->running = false;
    if (watched || busy)
        start_timer(sampler, watched ? TICK_MS : STEP_MS);
}

static void on_tick(uv_timer_t *timer)
{
    chainsi_sampler *sampler = timer->data;
    if (!sampler || sampler->scrape)
        return;
    bool some = false;
    const bool is_due = sampler->slot != chainsi_sampler_slot();
    const int64_t now_ns = chainsi_now_ns();
    for (const chainsi_chain *chain = sampler->registry->chains; chain; chain = chain->next) {
        book *of = make_book(sampler, chain->name);
        of->moved = look_at_boards(of, chain) || of->moved;
        of->asked = of->watched_until_ns > now_ns;
        if (is_due) {
            /* Once more when it rests, as what ends is counted a little later. */
            of->asked = of->asked || of->moved || of->busy;
            of->busy = of->moved;
            of->moved = false;
        }
        some = some || of->asked;
    }
    sampler->since_ns = sampler->heard_ns > sampler->tick_ns ? sampler->heard_ns : sampler->tick_ns;
    sampler->tick_ns = now_ns;
    if (!some) {
        for (book *each = sampler->books; each; each = each->next)
            each->rested = true;
        add_points(sampler);
        go_on(sampler);
        return;
    }
    sampler->scrape = chainsi_scrape_start(&(chainsi_scrape_options){
        .registry = sampler->registry,
        .shows = is_asked,
        .write_own = write_own,
        .own_began_unix_ms = sampler->began_unix_ms,
        .compose = compose,
        .on_end = on_end,
        .user = sampler,
    });
}

void chainsi_sampler_expect(chainsi_sampler *sampler, const char *chain)
{
    if (!sampler)
        return;
    if (chain)
        make_book(sampler, chain)->moved = true;
    if (sampler->running)
        return;
    sampler->heard_ns = chainsi_now_ns();
    start_timer(sampler, STEP_MS);
}

void chainsi_sampler_watch(chainsi_sampler *sampler, const char *chain)
{
    book *of = make_book(sampler, chain);
    const int64_t now_ns = chainsi_now_ns();
    const bool was_watched = of->watched_until_ns > now_ns;
    of->watched_until_ns = now_ns + WATCHED_MS * CHAINSI_NS_PER_MS;
    if (was_watched && sampler->running)
        return;
    if (!sampler->running)
        sampler->heard_ns = now_ns;
    sampler->running = true;
    if (!sampler->scrape)
        uv_timer_start(sampler->timer, on_tick, 0, 0);
}

/* Its life. */

chainsi_sampler *chainsi_sampler_new(const chainsi_registry *registry)
{
    chainsi_sampler *sampler = chainsi_make(sizeof *sampler);
    sampler->registry = registry;
    sampler->timer = chainsi_timer_new(registry->supervisor->loop, sampler);
    uv_unref((uv_handle_t *)sampler->timer);
    sampler->tick_ns = sampler->heard_ns = chainsi_now_ns();
    sampler->began_unix_ms = chainsi_unix_ms();
    return sampler;
}

void chainsi_sampler_free(chainsi_sampler *sampler)
{
    if (!sampler)
        return;
    if (sampler->scrape)
        chainsi_scrape_cancel(sampler->scrape);
    chainsi_handle_close(sampler->timer);
    for (book *each = sampler->books, *next; each; each = next) {
        next = each->next;
        free_book(each);
    }
    free(sampler);
}

void chainsi_sampler_forget(chainsi_sampler *sampler, const char *chain)
{
    for (book **at = sampler ? &sampler->books : NULL; at && *at; at = &(*at)->next)
        if (!strcmp((*at)->chain, chain)) {
            book *gone = *at;
            *at = gone->next;
            free_book(gone);
            return;
        }
}

/* What came of it. */

chainsi_rates chainsi_sampler_rates(const chainsi_sampler *sampler, const chainsi_subject *subject)
{
    const book *of = find_book(sampler, subject->chain);
    if (!of)
        return (chainsi_rates){ .p50_ms = NAN, .p99_ms = NAN, .queue_p99_ms = NAN };
    /* As long as it is being asked the last answer counts, else nothing happened since. */
    const int64_t now_ns = chainsi_now_ns(), looked_ns = chainsi_ledger_looked(of->ledger);
    const bool is_asked_on = looked_ns && now_ns - looked_ns < RECENT_MS * CHAINSI_NS_PER_MS;
    return chainsi_ledger_rates(of->ledger, subject, is_asked_on ? looked_ns : now_ns,
                                CHAINSI_LEDGER_WINDOW_S);
}

const chainsi_ledger_page *chainsi_sampler_pages(const chainsi_sampler *sampler, const char *chain)
{
    const book *of = find_book(sampler, chain);
    return of ? chainsi_ledger_pages(of->ledger) : NULL;
}

const chainsi_series *chainsi_sampler_series(const chainsi_sampler *sampler, const char *chain,
                                             const char *environment, const char *chainlet)
{
    const track *of = find_track(find_book(sampler, chain), environment, chainlet);
    return of ? &of->series : NULL;
}
