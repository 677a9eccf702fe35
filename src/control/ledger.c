#include "control/ledger.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control/handle.h"

#define NS_PER_S 1e9

enum { LOOKS_MISSED = 64 /* by a process, until it is taken to be gone */ };

/* What came between two looks. */
typedef struct entry {
    int64_t from_ns, to_ns;
    float counts[CHAINSI_COUNTS];
} entry;

/* What a process had counted at the last look that it was there. */
typedef struct account {
    uint64_t source, look;
    int64_t at_ns;
    uint64_t counts[CHAINSI_COUNTS];
    struct account *next;
} account;

typedef struct page {
    chainsi_ledger_page page; /* first; its texts are owned */
    account *accounts;        /* owned */
    int64_t forgotten_ns;     /* when the last one that was taken to be gone was there */
    entry *entries;           /* owned; CHAINSI_LEDGER_LOOKS of them; NULL: nothing came yet */
    size_t next;              /* of entries, which is the oldest */
    uint64_t starts;          /* all that came */
} page;

struct chainsi_ledger {
    page *first; /* owned */
    size_t count;
    int64_t known_ns, from_ns, now_ns;
    int64_t forgotten_ns; /* of pages that are gone, the last of theirs */
    uint64_t look;
};

chainsi_ledger *chainsi_ledger_new(int64_t now_ns)
{
    chainsi_ledger *ledger = chainsi_make(sizeof *ledger);
    ledger->known_ns = now_ns;
    return ledger;
}

static void free_page(page *of)
{
    for (account *each = of->accounts, *next; each; each = next) {
        next = each->next;
        free(each);
    }
    free((char *)(uintptr_t)of->page.subject.chain);
    free((char *)(uintptr_t)of->page.subject.environment);
    free((char *)(uintptr_t)of->page.subject.chainlet);
    free((char *)(uintptr_t)of->page.subject.callee);
    free(of->entries);
    free(of);
}

static page *next_of(const page *of)
{
    return (page *)of->page.next;
}

void chainsi_ledger_free(chainsi_ledger *ledger)
{
    for (page *each = ledger ? ledger->first : NULL, *next; each; each = next) {
        next = next_of(each);
        free_page(each);
    }
    free(ledger);
}

static page *find(const chainsi_ledger *ledger, const chainsi_subject *subject)
{
    for (page *each = ledger->first; each; each = next_of(each))
        if (chainsi_subject_is(&each->page.subject, subject))
            return each;
    return NULL;
}

static page *make_page(chainsi_ledger *ledger, const chainsi_subject *subject)
{
    page *made = chainsi_make(sizeof *made);
    made->page.subject = (chainsi_subject){
        .chain = chainsi_copy_text(subject->chain),
        .environment = chainsi_copy_text(subject->environment),
        .chainlet = chainsi_copy_text(subject->chainlet),
        .callee = chainsi_copy_text(subject->callee),
    };
    made->forgotten_ns = ledger->forgotten_ns;
    made->page.next = (chainsi_ledger_page *)ledger->first;
    ledger->first = made;
    ledger->count++;
    return made;
}

/* Looks. */

void chainsi_ledger_begin(chainsi_ledger *ledger, int64_t now_ns, int64_t since_ns)
{
    int64_t before_ns = ledger->look ? ledger->now_ns : ledger->known_ns;
    ledger->from_ns = since_ns > before_ns && since_ns < now_ns ? since_ns : before_ns;
    ledger->now_ns = now_ns;
    ledger->look++;
}

static account *find_account(page *of, uint64_t source)
{
    account *each = of->accounts;
    while (each && each->source != source)
        each = each->next;
    return each;
}

/* What came since the last look, or since the process has begun anew; `share` of it, but of starts all. */
static bool subtract(const account *before, const uint64_t *counts, double share, float *came)
{
    bool anew = false, some = false;
    for (int i = 0; i < CHAINSI_COUNTS; i++)
        anew = anew || counts[i] < before->counts[i];
    for (int i = 0; i < CHAINSI_COUNTS; i++) {
        const double part = i == CHAINSI_COUNT_STARTS ? 1 : share;
        came[i] = (float)((double)(counts[i] - (anew ? 0 : before->counts[i])) * part);
        some = some || came[i] > 0;
    }
    return some;
}

/* Adds to the entry of this look. */
static void add_entry(const chainsi_ledger *ledger, page *to, const float *came)
{
    if (!to->entries)
        to->entries = chainsi_make(CHAINSI_LEDGER_LOOKS * sizeof *to->entries);
    entry *last = &to->entries[(to->next + CHAINSI_LEDGER_LOOKS - 1) % CHAINSI_LEDGER_LOOKS];
    if (last->to_ns != ledger->now_ns) {
        last = &to->entries[to->next];
        to->next = (to->next + 1) % CHAINSI_LEDGER_LOOKS;
        *last = (entry){ .from_ns = ledger->from_ns, .to_ns = ledger->now_ns };
    }
    for (int i = 0; i < CHAINSI_COUNTS; i++)
        last->counts[i] += came[i];
    to->starts += (uint64_t)came[CHAINSI_COUNT_STARTS];
}

void chainsi_ledger_add(chainsi_ledger *ledger, uint64_t source, int64_t began_ns,
                        const chainsi_counted *counted)
{
    float came[CHAINSI_COUNTS];
    page *to = find(ledger, &counted->subject);
    if (!to && ledger->count == CHAINSI_LEDGER_MOST)
        return;
    if (!to)
        to = make_page(ledger, &counted->subject);
    account *of = find_account(to, source);
    const bool met = of != NULL;
    /* What was there before others were forgotten may be one of them that answers again, and told all that before. */
    const bool is_new = began_ns >= ledger->known_ns && began_ns >= to->forgotten_ns;
    double share = 1;
    if (!met) {
        of = chainsi_make(sizeof *of);
        of->source = source;
        of->next = to->accounts;
        to->accounts = of;
    } else if (of->look + 1 < ledger->look && ledger->now_ns > of->at_ns) {
        share = (double)(ledger->now_ns - ledger->from_ns) / (double)(ledger->now_ns - of->at_ns);
        share = fmin(share, 1);
    }
    if ((met || is_new) && subtract(of, counted->counts, share, came))
        add_entry(ledger, to, came);
    memcpy(of->counts, counted->counts, sizeof of->counts);
    of->look = ledger->look;
    of->at_ns = ledger->now_ns;
}

static void forget_gone(const chainsi_ledger *ledger, page *on)
{
    for (account **at = &on->accounts; *at;) {
        account *of = *at;
        if (of->look + LOOKS_MISSED > ledger->look) {
            at = &of->next;
            continue;
        }
        *at = of->next;
        on->forgotten_ns = of->at_ns > on->forgotten_ns ? of->at_ns : on->forgotten_ns;
        free(of);
    }
}

/* A page without accounts is empty as well: looks come at most once a second, and LOOKS_MISSED are longer than the
 * window. */
void chainsi_ledger_end(chainsi_ledger *ledger)
{
    page *before = NULL;
    for (page *each = ledger->first, *next; each; each = next) {
        next = next_of(each);
        forget_gone(ledger, each);
        if (each->accounts) {
            before = each;
            continue;
        }
        if (before)
            before->page.next = (chainsi_ledger_page *)next;
        else
            ledger->first = next;
        ledger->count--;
        if (each->forgotten_ns > ledger->forgotten_ns)
            ledger->forgotten_ns = each->forgotten_ns;
        free_page(each);
    }
}

/* What came of it. */

int64_t chainsi_ledger_looked(const chainsi_ledger *ledger)
{
    return ledger->now_ns;
}

const chainsi_ledger_page *chainsi_ledger_pages(const chainsi_ledger *ledger)
{
    return (const chainsi_ledger_page *)ledger->first;
}

uint64_t chainsi_ledger_starts(const chainsi_ledger *ledger, const chainsi_subject *subject)
{
    const page *of = find(ledger, subject);
    return of ? of->starts : 0;
}

/* Sums up what belongs to the window. */
static void sum(const page *of, int64_t from_ns, int64_t to_ns, double *sums)
{
    for (size_t i = 0; of && of->entries && i < CHAINSI_LEDGER_LOOKS; i++) {
        const entry *each = &of->entries[i];
        const int64_t begin = each->from_ns > from_ns ? each->from_ns : from_ns;
        const int64_t end = each->to_ns < to_ns ? each->to_ns : to_ns;
        if (end <= begin)
            continue;
        const double share = (double)(end - begin) / (double)(each->to_ns - each->from_ns);
        for (int k = 0; k < CHAINSI_COUNTS; k++)
            sums[k] += (double)each->counts[k] * share;
    }
}

chainsi_rates chainsi_ledger_rates(const chainsi_ledger *ledger, const chainsi_subject *subject,
                                   int64_t now_ns, double window_s)
{
    double sums[CHAINSI_COUNTS] = { 0 };
    int64_t from_ns = now_ns - (int64_t)(window_s * NS_PER_S);
    if (from_ns < ledger->known_ns)
        from_ns = ledger->known_ns;
    sum(find(ledger, subject), from_ns, now_ns, sums);
    const double seconds = fmax((double)(now_ns - from_ns) / NS_PER_S, 1e-3);
    return (chainsi_rates){
        .calls_per_s = sums[CHAINSI_COUNT_CALLS] / seconds,
        .errors_per_s = sums[CHAINSI_COUNT_ERRORS] / seconds,
        .retries_per_s = sums[CHAINSI_COUNT_RETRIES] / seconds,
        .p50_ms = chainsi_counts_quantile(sums + CHAINSI_COUNT_TIMES, 0.5),
        .p99_ms = chainsi_counts_quantile(sums + CHAINSI_COUNT_TIMES, 0.99),
        .queue_p99_ms = chainsi_counts_quantile(sums + CHAINSI_COUNT_QUEUES, 0.99),
    };
}
