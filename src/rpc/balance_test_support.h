/* The measure of balance: for each call the longest unbroken time that it waited while any slot was free. What
 * happens is noted in a log, which several processes may share, and judged afterwards. */
#ifndef CHAINSI_RPC_BALANCE_TEST_SUPPORT_H
#define CHAINSI_RPC_BALANCE_TEST_SUPPORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "rpc/board.h"

enum { BALANCE_MOST = 1 << 16, BALANCE_SLOTS = CHAINSI_BOARD_ROWS * CHAINSI_BOARD_SLOTS };

/* A slot has become free, or is taken. */
typedef struct balance_event {
    int64_t at_ns;
    uint32_t slot; /* below BALANCE_SLOTS */
    bool freed;
} balance_event;

/* A call waited from asked_ns until got_ns. */
typedef struct balance_call {
    int64_t asked_ns, got_ns;
    int64_t gap_ns; /* what is judged */
    int32_t replica;
} balance_call;

/* Any thread of any process that has it. */
typedef struct balance_log {
    atomic_uint event_count, call_count;
    balance_event events[BALANCE_MOST];
    balance_call calls[BALANCE_MOST];
} balance_log;

typedef struct balance_figures {
    unsigned count; /* of calls */
    int64_t median_ns, p99_ns, most_ns;
} balance_figures;

static balance_log *balance;

/* Makes an empty log, which processes share that are forked afterwards. */
__attribute__((unused)) static bool balance_open(void)
{
    void *memory =
        mmap(NULL, sizeof *balance, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    balance = memory == MAP_FAILED ? NULL : memory;
    return balance != NULL;
}

__attribute__((unused)) static void balance_close(void)
{
    munmap(balance, sizeof *balance);
    balance = NULL;
}

__attribute__((unused)) static void balance_note(uint32_t slot, bool freed, int64_t at_ns)
{
    unsigned i = atomic_fetch_add(&balance->event_count, 1);
    if (i < BALANCE_MOST)
        balance->events[i] = (balance_event){ at_ns, slot, freed };
}

__attribute__((unused)) static void balance_note_call(balance_call call)
{
    unsigned i = atomic_fetch_add(&balance->call_count, 1);
    if (i < BALANCE_MOST)
        balance->calls[i] = call;
}

/* ------------------------------------------------------------------------------------------------
 * judging */

typedef struct balance_span {
    int64_t from_ns, to_ns;
} balance_span;

static int compare_balance_events(const void *a, const void *b)
{
    int64_t x = ((const balance_event *)a)->at_ns, y = ((const balance_event *)b)->at_ns;
    return (x > y) - (x < y);
}

static int compare_balance_gaps(const void *a, const void *b)
{
    int64_t x = ((const balance_call *)a)->gap_ns, y = ((const balance_call *)b)->gap_ns;
    return (x > y) - (x < y);
}

/* The times when any slot was free, in order, from all events. */
static size_t find_free_spans(balance_span *spans)
{
    unsigned count = atomic_load(&balance->event_count);
    qsort(balance->events, count, sizeof *balance->events, compare_balance_events);
    static bool is_free[BALANCE_SLOTS];
    memset(is_free, 0, sizeof is_free);
    size_t span_count = 0;
    int free_count = 0;
    for (unsigned i = 0; i < count; i++) {
        const balance_event *at = &balance->events[i];
        if (is_free[at->slot] == at->freed)
            continue;
        is_free[at->slot] = at->freed;
        free_count += at->freed ? 1 : -1;
        if (at->freed && free_count == 1)
            spans[span_count++] = (balance_span){ at->at_ns, CHAINSI_NEVER };
        else if (!at->freed && free_count == 0)
            spans[span_count - 1].to_ns = at->at_ns;
    }
    return span_count;
}

static int64_t find_longest_gap(const balance_call *at, const balance_span *spans, size_t count)
{
    int64_t longest = 0;
    size_t low = 0, high = count; /* the first span that ends after the call was made */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (spans[middle].to_ns <= at->asked_ns)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i < count && spans[i].from_ns < at->got_ns; i++) {
        int64_t from = spans[i].from_ns > at->asked_ns ? spans[i].from_ns : at->asked_ns;
        int64_t to = spans[i].to_ns < at->got_ns ? spans[i].to_ns : at->got_ns;
        if (to - from > longest)
            longest = to - from;
    }
    return longest;
}

/* Finds the gap of every call, and orders calls by it. False: the log was too small, or has no call. Nothing may be
 * noted meanwhile. */
__attribute__((unused)) static bool balance_judge(balance_figures *figures)
{
    static balance_span spans[BALANCE_MOST];
    unsigned count = atomic_load(&balance->call_count);
    if (!count || count > BALANCE_MOST || atomic_load(&balance->event_count) > BALANCE_MOST)
        return false;
    size_t span_count = find_free_spans(spans);
    balance_call *calls = balance->calls;
    for (unsigned i = 0; i < count; i++)
        calls[i].gap_ns = find_longest_gap(&calls[i], spans, span_count);
    qsort(calls, count, sizeof *calls, compare_balance_gaps);
    *figures = (balance_figures){ count, calls[count / 2].gap_ns, calls[count * 99 / 100].gap_ns,
                                  calls[count - 1].gap_ns };
    return true;
}

/* Judges, and says what it found. */
__attribute__((unused)) static void balance_tell(void)
{
    balance_figures found = { 0 };
    if (balance_judge(&found))
        printf("waited with a slot free: median %.1f us, p99 %.1f us, most %.1f us\n",
               (double)found.median_ns / 1e3, (double)found.p99_ns / 1e3,
               (double)found.most_ns / 1e3);
    else
        printf("too much happened to be judged\n");
}

#endif
