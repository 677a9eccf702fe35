/* A Chainlet with a batch for tests, with hand-written tables, in this process or as a service on a
 * socket, and threads that call it. */
#ifndef CHAINSI_RUNTIME_BATCH_TEST_SUPPORT_H
#define CHAINSI_RUNTIME_BATCH_TEST_SUPPORT_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rpc/address.h"
#include "runtime/callee.h"
#include "runtime/error.h"
#include "runtime/gather.h"
#include "runtime/seat_test_support.h"
#include "runtime/service.h"

enum { MOST_THREADS = 64, PATIENCE_S = 20 };

/* doubler: doubles a number and says with how many it was doubled. */
typedef struct doubler_input {
    int32_t number;
    int32_t fail;     /* the status that it fails with alone; 0: none */
    int32_t fail_all; /* likewise for all */
    bool until_cancelled;
} doubler_input;

typedef struct doubler_output {
    int64_t doubled;
    const char *text;
    int32_t together;
} doubler_output;

static atomic_int running, most_running, alone, together;
static atomic_int sizes[MOST_THREADS + 1]; /* how often run_batch ran so many */
static atomic_bool held;                   /* whatever runs waits until it is false */
static atomic_int hold_count;              /* how many wait so */

static const chainsi_limits number_limits = { .has_range = true, .min.i = -1000, .max.i = 1000 };
static const chainsi_field input_fields[] = {
    { CHAINSI_FIELD(doubler_input, number, &chainsi_type_int32), .limits = &number_limits },
    { CHAINSI_FIELD(doubler_input, fail, &chainsi_type_int32), .default_value = &(int32_t){ 0 } },
    { CHAINSI_FIELD(doubler_input, fail_all, &chainsi_type_int32),
      .default_value = &(int32_t){ 0 } },
    { CHAINSI_FIELD(doubler_input, until_cancelled, &chainsi_type_bool),
      .default_value = &(bool){ false } },
};
static const chainsi_type input_type = {
    .kind = CHAINSI_STRUCT, .size = sizeof(doubler_input), .fields = input_fields, .field_count = 4
};
static const chainsi_field output_fields[] = {
    { CHAINSI_FIELD(doubler_output, doubled, &chainsi_type_int64) },
    { CHAINSI_FIELD(doubler_output, text, &chainsi_type_string) },
    { CHAINSI_FIELD(doubler_output, together, &chainsi_type_int32) },
};
static const chainsi_type output_type = { .kind = CHAINSI_STRUCT,
                                          .size = sizeof(doubler_output),
                                          .fields = output_fields,
                                          .field_count = 3 };
static chains_config doubler_config;
static const chainsi_interface doubler_interface = {
    .name = "doubler",
    .c_name = "doubler",
    .file = "doubler.h",
    .line = 7,
    .fingerprint = 0x77,
    .input = &input_type,
    .output = &output_type,
    .config = &doubler_config,
};

static void begin_run(void)
{
    int now = atomic_fetch_add(&running, 1) + 1;
    int most = atomic_load(&most_running);
    while (now > most && !atomic_compare_exchange_weak(&most_running, &most, now))
        ;
    atomic_fetch_add(&hold_count, 1);
    while (atomic_load(&held))
        usleep(200);
    atomic_fetch_sub(&hold_count, 1);
}

static chains_status double_one(chains_ctx *ctx, const doubler_input *in, doubler_output *out,
                                size_t count)
{
    while (in->until_cancelled && !chains_cancelled(ctx))
        usleep(200);
    if (in->until_cancelled)
        return chains_fail(ctx, CHAINS_CANCELLED, "stopped as told");
    if (in->fail)
        return chains_fail(ctx, (chains_status)in->fail, "%d failed", in->number);
    out->doubled = 2 * (int64_t)in->number;
    out->text = chains_printf(ctx, "%d", in->number);
    out->together = (int32_t)count;
    return CHAINS_OK;
}

static chains_status doubler_run_remote(void *self, chains_ctx *ctx, const void *input,
                                        void *output, void *stream)
{
    (void)self, (void)stream;
    begin_run();
    atomic_fetch_add(&alone, 1);
    chains_status status = double_one(ctx, input, output, 1);
    atomic_fetch_sub(&running, 1);
    return status;
}

static chains_status doubler_run_batch(void *self, chains_ctx *const calls[], size_t count,
                                       const void *const inputs[], void *const outputs[])
{
    (void)self;
    begin_run();
    atomic_fetch_add(&together, 1);
    atomic_fetch_add(&sizes[count], 1);
    chains_status status = CHAINS_OK;
    for (size_t i = 0; i < count; i++)
        double_one(calls[i], inputs[i], outputs[i], count); /* each may fail alone */
    for (size_t i = 0; i < count && status == CHAINS_OK; i++) {
        const doubler_input *in = inputs[i];
        if (in->fail_all == CHAINS_ABORTED)
            status = CHAINS_ABORTED; /* and no word why */
        else if (in->fail_all)
            status =
                chains_fail(calls[i], (chains_status)in->fail_all, "%d failed all", in->number);
    }
    atomic_fetch_sub(&running, 1);
    return status;
}

static void *doubler_create(chains_ctx *ctx, void *const dependencies[])
{
    (void)dependencies;
    return ctx;
}

static void doubler_destroy(void *self)
{
    (void)self;
}

static const chainsi_implementation doubler_implementation = {
    .interface = &doubler_interface,
    .create = doubler_create,
    .run = doubler_run_remote,
    .destroy = doubler_destroy,
    .run_batch = doubler_run_batch,
};
static const chainsi_node doubler_node = { .implementation = &doubler_implementation };

/* ------------------------------------------------------------------------------------------------
 * the same program over both distances */

typedef struct fixture {
    chains_ctx *ctx;
    chains_ctx *all; /* a gather: what is called with a child of it may be cancelled */
    chainsi_callee *callee;
    chainsi_instance *instance; /* local */
    chainsi_service service;    /* remote */
    int listen_fd, board_fd;    /* likewise; -1 without a board */
    char folder[64], address[128];
} fixture;

static bool is_remote, is_strict, has_board;

static chainsi_batch *collector(fixture *made)
{
    return (made->instance ? made->instance : atomic_load(&made->service.instance))->batch;
}

static void open_service(fixture *made)
{
    char why[256];
    strcpy(made->folder, "/tmp/chains-test-XXXXXX");
    assert_non_null(mkdtemp(made->folder));
    snprintf(made->address, sizeof made->address, "unix:%s/calls", made->folder);
    chainsi_address address;
    assert_true(chainsi_address_parse(made->address, &address, why, sizeof why));
    made->listen_fd = chainsi_address_listen(&address, 4096, why, sizeof why);
    chainsi_address_done(&address);
    assert_true(made->listen_fd >= 0);
    chainsi_service *service = &made->service;
    service->node = &doubler_node;
    service->metrics = (chainsi_metrics)CHAINSI_METRICS;
    service->process = *made->ctx->process;
    chainsi_context_init_root(&service->ctx, &service->process);
    service->graph = chainsi_graph_new(&service->ctx);
    atomic_store(&service->instance, chainsi_graph_make(service->graph, &doubler_node));
    chainsi_server_options options = {
        .listen_fd = made->listen_fd,
        .slots = chainsi_batch_slots(&doubler_implementation),
        .frames = true,
        .handler = chainsi_service_handle,
        .after = chainsi_service_after,
        .on_read = chainsi_batch_waits(collector(made)) ? chainsi_service_note_read : NULL,
        .user = service,
    };
    chainsi_seat seat;
    if (has_board) {
        made->board_fd = chainsi_board_create(0);
        service->board = chainsi_board_open(made->board_fd);
        take_seat(service->board, &options, &seat);
    }
    chainsi_server *server = chainsi_server_start(&options, why, sizeof why);
    assert_non_null(server);
    atomic_store(&service->server, server);
    chainsi_remote *remote = chainsi_remote_new(&doubler_interface, made->address, why, sizeof why);
    if (has_board)
        chainsi_remote_use_board(remote, made->board_fd);
    made->callee = chainsi_callee_new(made->ctx, &doubler_interface, NULL, NULL, remote);
}

static fixture *open_program(int concurrency, int max_size, int max_wait_us)
{
    doubler_config = (chains_config){
        .concurrency = concurrency,
        .batch = { .max_size = max_size, .max_wait_us = max_wait_us },
    };
    atomic_store(&running, 0);
    atomic_store(&most_running, 0);
    atomic_store(&alone, 0);
    atomic_store(&together, 0);
    atomic_store(&held, false);
    for (size_t i = 0; i <= MOST_THREADS; i++)
        atomic_store(&sizes[i], 0);
    fixture *made = calloc(1, sizeof *made);
    assert_non_null(made);
    made->listen_fd = made->board_fd = -1;
    made->ctx = chains_open(&(chains_options){ .strict = is_strict });
    made->ctx->process->generated = true;
    made->all = chains_gather(made->ctx);
    if (is_remote) {
        open_service(made);
        return made;
    }
    made->instance = chainsi_instance_new(&doubler_node, made->ctx, NULL);
    made->callee = chainsi_callee_new(made->ctx, &doubler_interface, NULL, made->instance, NULL);
    return made;
}

static void close_program(fixture *made)
{
    chainsi_callee_done(made->callee);
    if (made->instance)
        chainsi_instance_free(made->instance);
    if (made->listen_fd >= 0) {
        chainsi_server_free(atomic_load(&made->service.server));
        if (made->board_fd >= 0) {
            chainsi_board_close(made->service.board);
            close(made->board_fd);
        }
        chainsi_graph_free(made->service.graph);
        chainsi_context_done(&made->service.ctx);
        chainsi_metrics_done(&made->service.metrics);
        close(made->listen_fd);
        unlink(made->address + strlen("unix:"));
        rmdir(made->folder);
    }
    chains_close(made->ctx);
    free(made);
}

/* ------------------------------------------------------------------------------------------------
 * callers */

typedef struct caller {
    fixture *made;
    chainsi_callee *callee; /* NULL: made's */
    pthread_t thread;
    chains_ctx ctx;
    doubler_input input;
    doubler_output output;
    chains_status status;
    atomic_bool done;
} caller;

static void *make_call(void *user)
{
    caller *self = user;
    void *const outputs[] = { &self->output.doubled, &self->output.text, &self->output.together };
    self->status = chainsi_call(self->callee ? self->callee : self->made->callee, &self->ctx,
                                &self->input, outputs, NULL);
    chainsi_error_leave_thread();
    atomic_store(&self->done, true);
    return NULL;
}

static void start(fixture *made, caller *self, doubler_input input, int64_t deadline_ms)
{
    *self = (caller){ .made = made, .input = input, .output = { .doubled = -1 } };
    chainsi_context_init_child(&self->ctx, made->all, true);
    if (deadline_ms)
        self->ctx.deadline_ns = chainsi_now_ns() + deadline_ms * CHAINSI_NS_PER_MS;
    assert_int_equal(pthread_create(&self->thread, NULL, make_call, self), 0);
}

static void join(caller *self)
{
    pthread_join(self->thread, NULL);
}

static void forget(caller *self)
{
    chainsi_context_done(&self->ctx);
}

#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        int64_t until_ns_ = chainsi_now_ns() + PATIENCE_S * 1000 * CHAINSI_NS_PER_MS;              \
        while (!(condition)) {                                                                     \
            assert_true(chainsi_now_ns() < until_ns_);                                             \
            usleep(200);                                                                           \
        }                                                                                          \
    } while (0)

/* Starts a call that holds the only slot, until `held` is false, and count calls behind it. */
static void start_behind(fixture *made, caller *first, caller *rest, const doubler_input *inputs,
                         size_t count)
{
    atomic_store(&held, true);
    start(made, first, (doubler_input){ .number = 500 }, 0);
    WAIT_UNTIL(atomic_load(&hold_count) == 1);
    for (size_t i = 0; i < count; i++) {
        start(made, &rest[i], inputs[i], 0);
        WAIT_UNTIL(chainsi_batch_waiting(collector(made)) == i + 1);
    }
}

static void release(caller *first, caller *rest, size_t count)
{
    atomic_store(&held, false);
    join(first);
    for (size_t i = 0; i < count; i++)
        join(&rest[i]);
}

static void assert_doubled(const caller *self)
{
    assert_int_equal(self->status, CHAINS_OK);
    assert_int_equal(self->output.doubled, 2 * self->input.number);
    char text[16];
    snprintf(text, sizeof text, "%d", self->input.number);
    assert_string_equal(self->output.text, text);
}

#endif
