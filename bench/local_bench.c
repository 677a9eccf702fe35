/* What a call to a co-located Chainlet costs over a plain call of the same C function.
 *
 *   local_bench [ROUNDS [CALLS]]      default 200 rounds of 10000 calls
 *
 * The Chainlet takes a small struct's worth of arguments and gives one back; its tables and thunk
 * are written by hand, as the generator writes them. Rounds of all kinds are interleaved, so that a
 * noisy machine disturbs them alike; the figure is the difference of medians. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"
#include "runtime/callee.h"

typedef struct scale_input {
    double value, factor;
    int64_t steps;
} scale_input;

typedef struct scale_output {
    double scaled;
    int64_t steps;
} scale_output;

static const chainsi_field input_fields[] = {
    { CHAINSI_FIELD(scale_input, value, &chainsi_type_double) },
    { CHAINSI_FIELD(scale_input, factor, &chainsi_type_double) },
    { CHAINSI_FIELD(scale_input, steps, &chainsi_type_int64) },
};
static const chainsi_type input_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(scale_input),
    .fields = input_fields,
    .field_count = 3,
};
static const chainsi_field output_fields[] = {
    { CHAINSI_FIELD(scale_output, scaled, &chainsi_type_double) },
    { CHAINSI_FIELD(scale_output, steps, &chainsi_type_int64) },
};
static const chainsi_type output_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(scale_output),
    .fields = output_fields,
    .field_count = 2,
};
static const chains_config config = { .abi_ = 1 };
static const chainsi_interface interface = {
    .name = "scale",
    .c_name = "scale",
    .file = "scale.h",
    .line = 1,
    .fingerprint = 0x7363616c65,
    .input = &input_type,
    .output = &output_type,
    .config = &config,
};

/* The author's function. */
static __attribute__((noinline)) chains_status scale(void *self, chains_ctx *ctx, double value,
                                                     double factor, int64_t steps, double *scaled,
                                                     int64_t *done)
{
    (void)self;
    (void)ctx;
    *scaled = value * factor;
    *done = steps + 1;
    return CHAINS_OK;
}

static void *create(chains_ctx *ctx, void *const dependencies[])
{
    (void)dependencies;
    return chains_alloc(ctx, 1);
}

static chains_status run(void *self, chains_ctx *ctx, const void *input, void *output, void *stream)
{
    (void)stream;
    const scale_input *in = input;
    scale_output *out = output;
    return scale(self, ctx, in->value, in->factor, in->steps, &out->scaled, &out->steps);
}

static void destroy(void *self)
{
    (void)self;
}

static const chainsi_implementation implementation = {
    .interface = &interface,
    .create = create,
    .run = run,
    .destroy = destroy,
};
static const chainsi_node node = { .implementation = &implementation };

/* The stub. */
static __attribute__((noinline)) chains_status call_scale(void *self, chains_ctx *ctx, double value,
                                                          double factor, int64_t steps,
                                                          double *scaled, int64_t *done)
{
    const scale_input input = { value, factor, steps };
    void *const outputs[] = { scaled, done };
    return chainsi_call(self, ctx, &input, outputs, NULL);
}

typedef chains_status (*kind_of_call)(void *, chains_ctx *, double, double, int64_t, double *,
                                      int64_t *);

/* Nanoseconds a call, of one round. */
static double measure(kind_of_call volatile call, void *self, chains_ctx *ctx, int calls)
{
    double scaled = 1;
    int64_t done = 0;
    int64_t began = chainsi_now_ns();
    for (int i = 0; i < calls; i++)
        if (call(self, ctx, scaled, 1.0, done, &scaled, &done) != CHAINS_OK)
            abort();
    if (done != calls)
        abort();
    return (double)(chainsi_now_ns() - began) / calls;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 200, calls = argc > 2 ? atoi(argv[2]) : 10000;
    if (rounds < 1 || calls < 1) {
        fprintf(stderr, "usage: local_bench [ROUNDS [CALLS]]\n");
        return 2;
    }
    chains_ctx *program = chains_open(NULL);
    program->process->generated = true;
    chainsi_instance *instance = chainsi_instance_new(&node, program, NULL);
    chainsi_callee *callee = chainsi_callee_new(program, &interface, NULL, instance, NULL);

    /* A request as a service has it: with a deadline, a trace, and a caller that may hang up. */
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        abort();
    chains_ctx request;
    chainsi_context_init_root(&request, program->process);
    request.connection = ends[0];
    request.deadline_ns = chainsi_now_ns() + 3600 * INT64_C(1000000000);
    request.trace = chainsi_trace_new();

    enum { PLAIN, BARE, SERVED, KINDS };
    static const char *const names[] = { "plain function call", "co-located call",
                                         "co-located call in a request with a deadline" };
    kind_of_call kinds[] = { scale, call_scale, call_scale };
    chains_ctx *contexts[] = { program, program, &request };
    double *samples[KINDS], medians[KINDS];
    for (int kind = 0; kind < KINDS; kind++)
        samples[kind] = calloc((size_t)rounds, sizeof **samples);
    for (int round = 0; round < rounds; round++)
        for (int kind = 0; kind < KINDS; kind++)
            samples[kind][round] = measure(kinds[kind], callee, contexts[kind], calls);
    for (int kind = 0; kind < KINDS; kind++) {
        qsort(samples[kind], (size_t)rounds, sizeof **samples, compare_figures);
        medians[kind] = samples[kind][rounds / 2];
        printf("%-46s %7.1f ns median, %7.1f ns p99", names[kind], medians[kind],
               samples[kind][rounds * 99 / 100]);
        if (kind != PLAIN)
            printf(", %.1f ns over a plain call", medians[kind] - medians[PLAIN]);
        putchar('\n');
        free(samples[kind]);
    }
    chainsi_context_done(&request);
    close(ends[0]);
    close(ends[1]);
    chainsi_callee_done(callee);
    chainsi_instance_free(instance);
    chains_close(program);
    return 0;
}
