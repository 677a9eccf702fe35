/* What batches are worth: calls a second, with and without, to a service whose batch costs 1 ms and
 * 10 us for each call in it, spent waiting, as for an accelerator.
 *
 *   batch_bench [ROUNDS [SECONDS]]      default 5 rounds of 0.5 seconds
 *
 * Three services run, on Unix sockets, in processes of their own: without batches, with batches that
 * wait for nobody, and with batches that wait up to 500 us. Callers are threads of one process, each
 * making one call after the other. Rounds are interleaved. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"
#include "rpc/address.h"
#include "runtime/callee.h"

enum {
    FIRST_LISTEN_FD = 3,
    FIXED_NS = 1000 * 1000,
    EACH_NS = 10 * 1000,
    MAX_SIZE = 64,
    MOST_CALLERS = 64,
    MOST_SAMPLES = 4 * 1000 * 1000,
};

/* ------------------------------------------------------------------------------------------------
 * the service */

typedef struct model_input {
    int32_t number;
} model_input;

typedef struct model_output {
    int32_t doubled;
    int32_t together;
} model_output;

static const chainsi_field input_fields[] = {
    { CHAINSI_FIELD(model_input, number, &chainsi_type_int32) },
};
static const chainsi_type input_type = {
    .kind = CHAINSI_STRUCT, .size = sizeof(model_input), .fields = input_fields, .field_count = 1
};
static const chainsi_field output_fields[] = {
    { CHAINSI_FIELD(model_output, doubled, &chainsi_type_int32) },
    { CHAINSI_FIELD(model_output, together, &chainsi_type_int32) },
};
static const chainsi_type output_type = {
    .kind = CHAINSI_STRUCT, .size = sizeof(model_output), .fields = output_fields, .field_count = 2
};
static chains_config config = { .max_queue = 1024, .abi_ = 1 };
static const chainsi_interface interface = {
    .name = "model",
    .c_name = "model",
    .file = "model.h",
    .line = 1,
    .fingerprint = 0x6d6f64,
    .input = &input_type,
    .output = &output_type,
    .config = &config,
};

static void *create(chains_ctx *ctx, void *const dependencies[])
{
    (void)dependencies;
    return ctx;
}

static void compute(size_t count)
{
    int64_t end_ns = chainsi_now_ns() + FIXED_NS + (int64_t)count * EACH_NS;
    struct timespec until = { .tv_sec = end_ns / 1000000000, .tv_nsec = end_ns % 1000000000 };
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static chains_status run_remote(void *self, chains_ctx *ctx, const void *input, void *output,
                                void *stream)
{
    (void)self, (void)ctx, (void)stream;
    compute(1);
    *(model_output *)output = (model_output){ 2 * ((const model_input *)input)->number, 1 };
    return CHAINS_OK;
}

static chains_status run_batch(void *self, chains_ctx *const calls[], size_t count,
                               const void *const inputs[], void *const outputs[])
{
    (void)self, (void)calls;
    compute(count);
    for (size_t i = 0; i < count; i++)
        *(model_output *)outputs[i] =
            (model_output){ 2 * ((const model_input *)inputs[i])->number, (int32_t)count };
    return CHAINS_OK;
}

static void destroy(void *self)
{
    (void)self;
}

static const chainsi_implementation implementation = {
    .interface = &interface,
    .create = create,
    .run = run_remote,
    .destroy = destroy,
    .run_batch = run_batch,
};
static const chainsi_node node = { .implementation = &implementation };

/* ------------------------------------------------------------------------------------------------
 * callers */

static char folder[] = "/tmp/chains-bench-XXXXXX";

typedef struct service {
    const char *title;
    int max_size, max_wait_us;
    char address[64];
    pid_t process;
    chains_ctx *ctx;
    chainsi_callee *callee;
} service;

static void start_service(service *it, int number)
{
    char why[256];
    chainsi_address address;
    snprintf(it->address, sizeof it->address, "unix:%s/%d", folder, number);
    if (!chainsi_address_parse(it->address, &address, why, sizeof why))
        give_up(why);
    int fd = chainsi_address_listen(&address, 4096, why, sizeof why);
    chainsi_address_done(&address);
    if (fd < 0)
        give_up(why);
    it->process = fork();
    if (it->process < 0)
        give_up("fork");
    if (it->process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        config.batch.max_size = it->max_size;
        config.batch.max_wait_us = it->max_wait_us;
        if (fd != FIRST_LISTEN_FD && dup2(fd, FIRST_LISTEN_FD) < 0)
            _exit(1);
        setenv("LISTEN_FDS", "1", 1); /* as a supervisor hands it over */
        setenv("LISTEN_FDNAMES", "calls", 1);
        char *words[] = { "model", NULL };
        _exit(chainsi_serve_main(&node, 1, words));
    }
    close(fd);
    it->ctx = chains_open(NULL);
    chainsi_remote *remote = chainsi_remote_new(&interface, it->address, why, sizeof why);
    if (!remote)
        give_up(why);
    it->callee = chainsi_callee_new(it->ctx, &interface, NULL, NULL, remote);
}

typedef struct caller {
    service *to;
    int64_t end_ns;
    int64_t *samples; /* owned */
    size_t count, together;
} caller;

static void *make_calls(void *user)
{
    caller *self = user;
    int64_t began;
    while ((began = chainsi_now_ns()) < self->end_ns && self->count < MOST_SAMPLES / MOST_CALLERS) {
        chains_ctx ctx;
        chainsi_context_init_child(&ctx, self->to->ctx, true);
        model_input input = { (int32_t)self->count };
        model_output output;
        void *const outputs[] = { &output.doubled, &output.together };
        if (chainsi_call(self->to->callee, &ctx, &input, outputs, NULL) != CHAINS_OK ||
            output.doubled != 2 * input.number)
            give_up(ctx.failed ? ctx.error.message : "a wrong answer");
        chainsi_context_done(&ctx);
        self->samples[self->count++] = chainsi_now_ns() - began;
        self->together += (size_t)output.together;
    }
    return NULL;
}

typedef struct result {
    double per_second, together, median_ms, p99_ms;
} result;

static result measure(service *to, int callers, double seconds)
{
    caller all[MOST_CALLERS];
    pthread_t threads[MOST_CALLERS];
    int64_t began = chainsi_now_ns();
    for (int i = 0; i < callers; i++) {
        all[i] = (caller){ .to = to, .end_ns = began + (int64_t)(seconds * 1e9) };
        all[i].samples = malloc(sizeof *all[i].samples * MOST_SAMPLES / MOST_CALLERS);
        if (!all[i].samples || pthread_create(&threads[i], NULL, make_calls, &all[i]) != 0)
            give_up("a thread");
    }
    size_t count = 0, together = 0;
    for (int i = 0; i < callers; i++) {
        pthread_join(threads[i], NULL);
        count += all[i].count;
        together += all[i].together;
    }
    double took = (double)(chainsi_now_ns() - began) / 1e9;
    int64_t *samples = malloc(sizeof *samples * (count + 1));
    if (!samples)
        give_up("memory");
    size_t at = 0;
    for (int i = 0; i < callers; i++) {
        memcpy(samples + at, all[i].samples, all[i].count * sizeof *samples);
        at += all[i].count;
        free(all[i].samples);
    }
    qsort(samples, count, sizeof *samples, compare_times);
    result found = { .per_second = (double)count / took,
                     .together = (double)together / (double)count,
                     .median_ms = (double)samples[count / 2] / 1e6,
                     .p99_ms = (double)samples[count * 99 / 100] / 1e6 };
    free(samples);
    return found;
}

static int compare_results(const void *a, const void *b)
{
    double left = ((const result *)a)->per_second, right = ((const result *)b)->per_second;
    return (left > right) - (left < right);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    double seconds = argc > 2 ? atof(argv[2]) : 0.5;
    static const int callers[] = { 1, 4, 16, 64 };
    enum { SERVICES = 3, STEPS = 4 };
    service services[SERVICES] = {
        { .title = "no batches" },
        { .title = "max_size 64", .max_size = MAX_SIZE },
        { .title = "max_size 64, max_wait_us 500", .max_size = MAX_SIZE, .max_wait_us = 500 },
    };
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder) || rounds < 1)
        give_up(folder);
    for (int i = 0; i < SERVICES; i++)
        start_service(&services[i], i);
    result *results[STEPS][SERVICES];
    for (int step = 0; step < STEPS; step++)
        for (int i = 0; i < SERVICES; i++)
            results[step][i] = calloc((size_t)rounds, sizeof(result));
    for (int round = -1; round < rounds; round++) /* the first one warms up */
        for (int step = 0; step < STEPS; step++)
            for (int i = 0; i < SERVICES; i++) {
                result found = measure(&services[i], callers[step], seconds);
                if (round >= 0)
                    results[step][i][round] = found;
            }
    printf("%-8s %-30s %9s %6s %10s %10s %8s\n", "callers", "service", "calls/s", "size",
           "median ms", "p99 ms", "ratio");
    for (int step = 0; step < STEPS; step++)
        for (int i = 0; i < SERVICES; i++) {
            qsort(results[step][i], (size_t)rounds, sizeof(result), compare_results);
            const result *middle = &results[step][i][rounds / 2];
            printf("%-8d %-30s %9.0f %6.1f %10.2f %10.2f %8.2f\n", callers[step], services[i].title,
                   middle->per_second, middle->together, middle->median_ms, middle->p99_ms,
                   middle->per_second / results[step][0][rounds / 2].per_second);
        }
    for (int i = 0; i < SERVICES; i++) {
        kill(services[i].process, SIGTERM);
        waitpid(services[i].process, NULL, 0);
        unlink(services[i].address + strlen("unix:"));
        chainsi_callee_done(services[i].callee);
        chains_close(services[i].ctx);
    }
    for (int step = 0; step < STEPS; step++)
        for (int i = 0; i < SERVICES; i++)
            free(results[step][i]);
    rmdir(folder);
    return 0;
}
