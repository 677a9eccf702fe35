/* What it costs a call to be told of (runtime/spans.h), and not to be, beside what can't be avoided: copying
 * as many bytes, and reading the clock.
 *
 *   spans_bench [ROUNDS [CALLS]]      default 40 rounds of 100,000 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ring.h"
#include "bench.h"
#include "runtime/spans.h"

enum { MOST_ROUNDS = 1000 };

static chains_ctx ctx = { .chainlet = "poem_generator",
                          .request_id = "0af7651916cd43dd8448eb211c80319c" };
static chainsi_span_record copied[64];
static volatile int64_t sink;

static void copy_bytes(int count)
{
    static chainsi_span_record from;
    for (int i = 0; i < count; i++) {
        memcpy(&copied[i & 63], &from, 192);
        __asm__ volatile("" : : : "memory");
    }
}

static void read_clock(int count)
{
    for (int i = 0; i < count; i++)
        sink = chainsi_now_ns();
}

static void write_ring(int count)
{
    static chainsi_span_record from;
    for (int i = 0; i < count; i++)
        chainsi_ring_write(chainsi_spans_ring, from.words, 192);
}

/* As a service does after a call. */
static void tell_served(int count)
{
    for (int i = 0; i < count; i++) {
        if (!chainsi_spans_tells_served(&ctx.trace, CHAINS_OK, 1000))
            continue;
        chainsi_span span = {
            .id = (uint64_t)i + 1,
            .parent = 1,
            .began_ns = 1,
            .ended_ns = chainsi_now_ns(),
            .run_ns = 1,
            .kind = CHAINSI_SPAN_SERVED,
        };
        chainsi_spans_write(&span, &ctx);
    }
}

/* As a caller does round a call. */
static void tell_made(int count)
{
    for (int i = 0; i < count; i++) {
        chainsi_made made;
        chainsi_made_begin(&made, &ctx);
        if (made.began_ns)
            chainsi_made_end(&made, &ctx, "phi_llm", false, CHAINS_OK, NULL);
        __asm__ volatile("" : : : "memory");
    }
}

static const struct {
    const char *name;
    void (*run)(int count);
    bool recorded;
} kinds[] = {
    { "copying 192 bytes", copy_bytes, false },
    { "reading the clock", read_clock, false },
    { "a record of 192 bytes into a ring", write_ring, false },
    { "a call served, told of", tell_served, true },
    { "a call made, told of", tell_made, true },
    { "a call served, not told of", tell_served, false },
    { "a call made, not told of", tell_made, false },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

int main(int argc, char **argv)
{
    static double ns[KINDS][MOST_ROUNDS];
    int rounds = argc > 1 ? atoi(argv[1]) : 40, calls = argc > 2 ? atoi(argv[2]) : 100000;
    int fd = chainsi_ring_create();
    if (rounds < 1 || rounds > MOST_ROUNDS || calls < 1 || fd < 0)
        return 1;
    chainsi_spans_use(fd);
    ctx.trace = chainsi_trace_new();
    for (int round = 0; round < rounds; round++) {
        for (int kind = 0; kind < KINDS; kind++) {
            ctx.trace.recorded = kinds[kind].recorded;
            int64_t began_ns = chainsi_now_ns();
            kinds[kind].run(calls);
            ns[kind][round] = (double)(chainsi_now_ns() - began_ns) / calls;
        }
    }
    for (int kind = 0; kind < KINDS; kind++) {
        qsort(ns[kind], (size_t)rounds, sizeof **ns, compare_figures);
        printf("%-36s median %7.1f ns   p99 %7.1f ns   %6.2f x copying\n", kinds[kind].name,
               ns[kind][rounds / 2], ns[kind][rounds * 99 / 100],
               ns[kind][rounds / 2] / ns[0][rounds / 2]);
    }
    close(fd);
    return 0;
}
