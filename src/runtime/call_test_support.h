/* A Chainlet for tests of calls, with hand-written tables, in this process or as a service on a
 * socket. */
#ifndef CHAINSI_RUNTIME_CALL_TEST_SUPPORT_H
#define CHAINSI_RUNTIME_CALL_TEST_SUPPORT_H

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
#include "runtime/glue.h"
#include "runtime/service.h"

/* worker: says what it is told, after doing what it is told. */
typedef struct worker_input {
    const char *text;
    chains_int32_list numbers;
    int32_t fail_status;   /* 0: none */
    int32_t fail_until;    /* fails as long as it was called fewer times */
    bool until_cancelled;  /* runs until chains_cancelled */
    bool wait_for_release; /* runs until worker_release is posted */
} worker_input;

typedef struct worker_output {
    const char *text;
    int64_t sum;
} worker_output;

typedef struct worker {
    atomic_int calls;
    atomic_int running, most_running;
} worker;

static worker the_worker;
static atomic_bool worker_released;
static chains_status (*worker_hook)(chains_ctx *ctx, const worker_input *input,
                                    worker_output *output);

static const chainsi_type int32_list_type = {
    .kind = CHAINSI_LIST,
    .size = sizeof(chains_int32_list),
    .item = &chainsi_type_int32,
};
static const chainsi_limits text_limits = { .has_length = true,
                                            .min_length = 0,
                                            .max_length = 1000000 };
static const chainsi_field worker_input_fields[] = {
    { CHAINSI_FIELD(worker_input, text, &chainsi_type_string), .limits = &text_limits },
    { CHAINSI_FIELD(worker_input, numbers, &int32_list_type),
      .default_value = &(chains_int32_list){ 0 } },
    { CHAINSI_FIELD(worker_input, fail_status, &chainsi_type_int32),
      .default_value = &(int32_t){ 0 } },
    { CHAINSI_FIELD(worker_input, fail_until, &chainsi_type_int32),
      .default_value = &(int32_t){ 0 } },
    { CHAINSI_FIELD(worker_input, until_cancelled, &chainsi_type_bool),
      .default_value = &(bool){ false } },
    { CHAINSI_FIELD(worker_input, wait_for_release, &chainsi_type_bool),
      .default_value = &(bool){ false } },
};
static const chainsi_type worker_input_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(worker_input),
    .fields = worker_input_fields,
    .field_count = 6,
};
static const chainsi_field worker_output_fields[] = {
    { CHAINSI_FIELD(worker_output, text, &chainsi_type_string) },
    { CHAINSI_FIELD(worker_output, sum, &chainsi_type_int64) },
};
static const chainsi_type worker_output_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(worker_output),
    .fields = worker_output_fields,
    .field_count = 2,
};
static chains_config worker_config = { .concurrency = 8, .secrets = { "token" } };
static const chainsi_interface worker_interface = {
    .name = "worker",
    .c_name = "worker",
    .file = "worker.h",
    .line = 7,
    .fingerprint = 0x0123456789abcdef,
    .input = &worker_input_type,
    .output = &worker_output_type,
    .config = &worker_config,
};

static void *worker_create(chains_ctx *ctx, void *const dependencies[])
{
    (void)ctx;
    (void)dependencies;
    atomic_store(&the_worker.calls, 0);
    atomic_store(&the_worker.running, 0);
    atomic_store(&the_worker.most_running, 0);
    return &the_worker;
}

static chains_status worker_work(worker *self, chains_ctx *ctx, const worker_input *input,
                                 worker_output *output)
{
    int calls = atomic_fetch_add(&self->calls, 1) + 1;
    while (input->wait_for_release && !atomic_load(&worker_released))
        usleep(200);
    while (input->until_cancelled && !chains_cancelled(ctx))
        usleep(200);
    if (input->until_cancelled)
        return chains_fail(ctx, CHAINS_CANCELLED, "stopped as told");
    if (input->fail_status && (!input->fail_until || calls < input->fail_until))
        return chains_fail(ctx, (chains_status)input->fail_status, "worker was told to fail: %s",
                           input->text);
    if (worker_hook)
        return worker_hook(ctx, input, output);
    output->text = chains_printf(ctx, "<%s>", input->text);
    for (size_t i = 0; i < input->numbers.count; i++)
        output->sum += input->numbers.items[i];
    return CHAINS_OK;
}

static chains_status worker_run(void *self, chains_ctx *ctx, const void *input, void *output,
                                void *stream)
{
    (void)stream;
    worker *the = self;
    int running = atomic_fetch_add(&the->running, 1) + 1;
    int most = atomic_load(&the->most_running);
    while (running > most && !atomic_compare_exchange_weak(&the->most_running, &most, running))
        ;
    chains_status status = worker_work(the, ctx, input, output);
    atomic_fetch_sub(&the->running, 1);
    return status;
}

static void worker_destroy(void *self)
{
    (void)self;
}

static const chainsi_implementation worker_implementation = {
    .interface = &worker_interface,
    .create = worker_create,
    .run = worker_run,
    .destroy = worker_destroy,
};
static const chainsi_node worker_node = { .implementation = &worker_implementation };

/* A program that calls the worker: local (the same process) or remote (a service of its own, with
 * threads in this process). */
typedef struct fixture {
    chains_ctx *ctx;
    chainsi_callee *callee;
    chains_depends_config options;
    chainsi_instance *instance; /* local */
    chainsi_service service;    /* remote */
    int listen_fd;
    char folder[64], address[128];
} fixture;

static bool fixture_remote, fixture_strict;
static const chainsi_node *fixture_node = &worker_node;

CHAINS_UNUSED_ static int open_fixture(void **state)
{
    const chainsi_interface *interface = fixture_node->implementation->interface;
    fixture *made = calloc(1, sizeof *made);
    made->listen_fd = -1;
    atomic_store(&worker_released, false);
    worker_hook = NULL;
    made->ctx = chains_open(&(chains_options){ .strict = fixture_strict });
    made->ctx->process->generated = true;
    if (!fixture_remote) {
        made->instance = chainsi_instance_new(fixture_node, made->ctx, NULL);
        made->callee =
            chainsi_callee_new(made->ctx, interface, &made->options, made->instance, NULL);
    } else {
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
        service->node = fixture_node;
        service->process = *made->ctx->process;
        chainsi_context_init_root(&service->ctx, &service->process);
        service->graph = chainsi_graph_new(&service->ctx);
        atomic_store(&service->instance, chainsi_graph_make(service->graph, fixture_node));
        chainsi_server_options options = {
            .listen_fd = made->listen_fd,
            .slots = 8,
            .frames = true,
            .handler = chainsi_service_handle,
            .after = chainsi_service_after,
            .user = service,
        };
        chainsi_server *server = chainsi_server_start(&options, why, sizeof why);
        assert_non_null(server);
        atomic_store(&service->server, server);
        made->callee =
            chainsi_callee_new(made->ctx, interface, &made->options, NULL,
                               chainsi_remote_new(interface, made->address, why, sizeof why));
    }
    *state = made;
    return 0;
}

CHAINS_UNUSED_ static int close_fixture(void **state)
{
    fixture *made = *state;
    atomic_store(&worker_released, true);
    if (made->ctx)
        chainsi_gathers_end(made->ctx);
    chainsi_callee_done(made->callee);
    if (made->instance)
        chainsi_instance_free(made->instance);
    chains_close(made->ctx);
    if (made->listen_fd >= 0) {
        chainsi_server *server = atomic_load(&made->service.server);
        chainsi_server_free(server);
        chainsi_graph_free(made->service.graph);
        chainsi_context_done(&made->service.ctx);
        close(made->listen_fd);
        unlink(made->address + strlen("unix:"));
        rmdir(made->folder);
    }
    free(made);
    return 0;
}

CHAINS_UNUSED_ static chains_status call_worker(fixture *made, chains_ctx *ctx,
                                                const worker_input *input, const char **text,
                                                int64_t *sum)
{
    void *const outputs[] = { (void *)text, sum };
    return chainsi_call(made->callee, ctx, input, outputs, NULL);
}

#endif
