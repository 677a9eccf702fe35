/* A Chainlet for tests of calls, with hand-written tables, at any distance: in this process, or as a
 * service on a socket. And how rules of calls are checked at all of them. */
#ifndef CHAINSI_RUNTIME_CALL_TEST_SUPPORT_H
#define CHAINSI_RUNTIME_CALL_TEST_SUPPORT_H

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "rpc/address.h"
#include "rpc/near.h"
#include "runtime/callee.h"
#include "runtime/error.h"
#include "runtime/gather.h"
#include "runtime/glue.h"
#include "runtime/seat_test_support.h"
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

/* Where the callee is: every rule of a call holds at every distance. */
typedef enum fixture_distance {
    DISTANCE_LOCAL,  /* in this process, as with .colocate */
    DISTANCE_STRICT, /* the same, guarded */
    DISTANCE_QUEUE,  /* a service behind a Unix socket, found by its queue alone */
    DISTANCE_BOARD,  /* the same with a board */
    DISTANCE_TCP,    /* a service behind a port */
    DISTANCE_LIST,   /* the same, found in a list of replicas: it is there twice */
    DISTANCE_NEAR,   /* the same, and in a folder of the node */
    DISTANCES,
} fixture_distance;

static fixture_distance fixture_at = DISTANCE_LOCAL;
/* Calls that would be made at once are started, and waited for. */
static bool fixture_gathered;
static const chainsi_node *fixture_node = &worker_node;

/* Calls that may wait in a service behind a port; 0: its default. */
static size_t fixture_waiting;

enum { FIXTURE_SLOTS = 8 };
static int fixture_slots = FIXTURE_SLOTS; /* of a service */

/* A program that calls a Chainlet: in the same process, or a service with threads in this one. */
typedef struct fixture {
    chains_ctx *ctx;
    chainsi_callee *callee;
    chains_depends_config options;
    chainsi_instance *instance; /* local */
    chainsi_service service;    /* else */
    int listen_fd, board_fd;
    char folder[64], address[128];
} fixture;

static inline bool fixture_is_remote(void)
{
    return fixture_at >= DISTANCE_QUEUE;
}

static inline bool fixture_is_over_tcp(void)
{
    return fixture_at == DISTANCE_TCP || fixture_at == DISTANCE_LIST;
}

static inline bool fixture_listens_on_tcp(void)
{
    return fixture_is_over_tcp() || fixture_at == DISTANCE_NEAR;
}

/* Names the folder for callers of an interface; NULL: no more. */
static void name_near(const chainsi_interface *interface, const char *folder)
{
    char name[64];
    snprintf(name, sizeof name, "CHAINS_%s_NEAR", interface->c_name);
    for (char *at = name; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    if (folder)
        setenv(name, folder, 1);
    else
        unsetenv(name);
}

/* As a service's main() does it. */
CHAINS_UNUSED_ static void start_serving(fixture *made)
{
    chainsi_service *service = &made->service;
    const chains_config *config = fixture_node->implementation->interface->config;
    const bool tcp = fixture_listens_on_tcp();
    char why[256], near[80];
    chainsi_seat seat;
    chainsi_server_options options = {
        .listen_fd = made->listen_fd,
        .slots = fixture_slots,
        .max_body = config->max_body > 0 ? (size_t)config->max_body : 0,
        .frames = !tcp,
        .shared = !tcp,
        .eager = tcp,
        .max_waiting = fixture_waiting,
        .probe = tcp ? chainsi_service_is_probe : NULL,
        .handler = chainsi_service_handle,
        .after = chainsi_service_after,
        .wake = chainsi_service_wake,
        .user = service,
    };
    if (made->board_fd >= 0) {
        if (!service->board)
            service->board = chainsi_board_open(made->board_fd);
        take_seat(service->board, &options, &seat);
    }
    if (fixture_at == DISTANCE_NEAR) {
        snprintf(near, sizeof near, "%s/near", made->folder);
        service->near = chainsi_near_offer_new(near, (uint32_t)options.slots, &seat,
                                               &options.direct_fd, why, sizeof why);
        if (!service->near)
            fail_msg("%s", why);
        options.direct = true;
        options.seat = &seat;
    }
    chainsi_server *server = chainsi_server_start(&options, why, sizeof why);
    if (!server)
        fail_msg("%s", why);
    atomic_store(&service->server, server);
}

/* Answers what runs, and takes nothing more; what waits goes on waiting. */
CHAINS_UNUSED_ static void stop_serving(fixture *made)
{
    if (made->service.near)
        chainsi_near_offer_end(made->service.near);
    chainsi_server_free(atomic_exchange(&made->service.server, NULL));
    chainsi_near_offer_free(made->service.near);
    made->service.near = NULL;
}

static void open_service(fixture *made)
{
    char why[256];
    chainsi_address address;
    strcpy(made->folder, "/tmp/chains-test-XXXXXX");
    assert_non_null(mkdtemp(made->folder));
    if (fixture_listens_on_tcp())
        strcpy(made->address, "http://127.0.0.1:0");
    else
        snprintf(made->address, sizeof made->address, "unix:%s/calls", made->folder);
    assert_true(chainsi_address_parse(made->address, &address, why, sizeof why));
    made->listen_fd = chainsi_address_listen(&address, 4096, why, sizeof why);
    chainsi_address_done(&address);
    assert_true(made->listen_fd >= 0);
    if (fixture_listens_on_tcp()) /* only now is the port known */
        assert_true(chainsi_address_of(made->listen_fd, made->address, sizeof made->address));
    if (fixture_at == DISTANCE_BOARD)
        made->board_fd = chainsi_board_create(0);
    chainsi_service *service = &made->service;
    service->node = fixture_node;
    service->metrics = (chainsi_metrics)CHAINSI_METRICS;
    service->process = *made->ctx->process;
    chainsi_context_init_root(&service->ctx, &service->process);
    service->graph = chainsi_graph_new(&service->ctx);
    atomic_store(&service->instance, chainsi_graph_make(service->graph, fixture_node));
    start_serving(made);
}

/* What a caller that was built against this interface holds. */
static chainsi_callee *new_remote_callee(fixture *made, const chainsi_interface *interface)
{
    char why[256], list[300];
    snprintf(list, sizeof list, "%s,%s", made->address, made->address);
    char near[80];
    snprintf(near, sizeof near, "%s/near", made->folder);
    name_near(interface, fixture_at == DISTANCE_NEAR ? near : NULL);
    chainsi_remote *remote = chainsi_remote_new(
        interface, fixture_at >= DISTANCE_LIST ? list : made->address, why, sizeof why);
    name_near(interface, NULL);
    assert_non_null(remote);
    if (made->board_fd >= 0)
        chainsi_remote_use_board(remote, made->board_fd);
    return chainsi_callee_new(made->ctx, interface, &made->options, NULL, remote);
}

CHAINS_UNUSED_ static int open_fixture(void **state)
{
    const chainsi_interface *interface = fixture_node->implementation->interface;
    fixture *made = calloc(1, sizeof *made);
    made->listen_fd = made->board_fd = -1;
    made->options.colocate = !fixture_is_remote();
    fixture_waiting = 0;
    atomic_store(&worker_released, false);
    worker_hook = NULL;
    made->ctx = chains_open(&(chains_options){ .strict = fixture_at == DISTANCE_STRICT });
    made->ctx->process->generated = true;
    if (fixture_is_remote()) {
        open_service(made);
        made->callee = new_remote_callee(made, interface);
    } else {
        made->instance = chainsi_instance_new(fixture_node, made->ctx, NULL);
        made->callee =
            chainsi_callee_new(made->ctx, interface, &made->options, made->instance, NULL);
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
        stop_serving(made);
        chainsi_graph_free(made->service.graph);
        chainsi_context_done(&made->service.ctx);
        chainsi_metrics_done(&made->service.metrics);
        chainsi_board_close(made->service.board);
        if (made->board_fd >= 0)
            close(made->board_fd);
        close(made->listen_fd);
        if (!fixture_listens_on_tcp())
            unlink(made->address + strlen("unix:"));
        char near[80];
        snprintf(near, sizeof near, "%s/near", made->folder);
        if (fixture_at == DISTANCE_NEAR)
            assert_int_equal(rmdir(near), 0); /* nothing is left in it */
        rmdir(made->folder);
    }
    free(made);
    return 0;
}

/* A call as a generated stub makes it; gathered, one that is started and waited for. */
CHAINS_UNUSED_ static chains_status make_call(chainsi_callee *callee, chains_ctx *ctx,
                                              const void *input, void *const outputs[],
                                              const chainsi_stream *stream)
{
    if (!fixture_gathered || ctx->gather)
        return chainsi_call(callee, ctx, input, outputs, stream);
    chains_ctx *all = chains_gather(ctx);
    CHAINS_TRY(chainsi_call(callee, all, input, outputs, stream));
    return chains_wait(all);
}

CHAINS_UNUSED_ static chains_status call_worker(fixture *made, chains_ctx *ctx,
                                                const worker_input *input, const char **text,
                                                int64_t *sum)
{
    void *const outputs[] = { (void *)text, sum };
    return make_call(made->callee, ctx, input, outputs, NULL);
}

/* ------------------------------------------------------------------------------------------------
 * rules */

/* A rule of calls, checked with a fixture of its own. */
typedef struct rule {
    const char *name;
    CMUnitTestFunction check;
    bool once; /* it is about started calls, or something else: it isn't checked again gathered */
    unsigned except; /* a bit for each distance that can't have it */
    const char *why; /* it can't */
} rule;

#define AT(distance) (1U << (distance))
enum {
    IN_ONE_PROCESS = AT(DISTANCE_LOCAL) | AT(DISTANCE_STRICT),
    OVER_UNIX = AT(DISTANCE_QUEUE) | AT(DISTANCE_BOARD),
};
#define RULE(function)                                                                             \
    {                                                                                              \
#function, (function), false, 0, NULL                                                      \
    }
#define RULE_ONCE(function)                                                                        \
    {                                                                                              \
#function, (function), true, 0, NULL                                                       \
    }
#define RULE_EXCEPT(function, distances, why)                                                      \
    {                                                                                              \
#function, (function), false, (distances), (why)                                           \
    }
#define RULE_ONCE_EXCEPT(function, distances, why)                                                 \
    {                                                                                              \
#function, (function), true, (distances), (why)                                            \
    }

/* Checks the rules at every distance, and again with every call gathered. How many failed. */
CHAINS_UNUSED_ static int check_rules(const rule *rules, size_t count, CMFixtureFunction open,
                                      CMFixtureFunction close)
{
    static const char *const names[DISTANCES] = { "in this process",
                                                  "in this process, strict",
                                                  "over a Unix socket",
                                                  "over a Unix socket with a board",
                                                  "over TCP",
                                                  "over TCP, in a list",
                                                  "near" };
    struct CMUnitTest *tests = calloc(count, sizeof *tests);
    int failed = 0;
    for (int i = 0; i < DISTANCES * 2; i++) {
        char name[64];
        size_t taken = 0;
        fixture_at = (fixture_distance)(i / 2);
        fixture_gathered = i % 2;
        snprintf(name, sizeof name, "%s%s", names[fixture_at],
                 fixture_gathered ? ", gathered" : "");
        printf("# %s\n", name);
        for (const rule *each = rules; each < rules + count; each++) {
            if (each->once && fixture_gathered)
                continue;
            if (each->except & AT(fixture_at))
                printf("# without %s: %s\n", each->name, each->why);
            else
                tests[taken++] = (struct CMUnitTest){ .name = each->name,
                                                      .test_func = each->check,
                                                      .setup_func = open,
                                                      .teardown_func = close };
        }
        fflush(stdout);
        failed += _cmocka_run_group_tests(name, tests, taken, NULL, NULL);
    }
    free(tests);
    return failed;
}

#endif
