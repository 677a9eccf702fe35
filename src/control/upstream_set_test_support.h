/* Servers on loopback that stand for pods, and calls to the set of them from one loop. */
#ifndef CHAINSI_CONTROL_UPSTREAM_SET_TEST_SUPPORT_H
#define CHAINSI_CONTROL_UPSTREAM_SET_TEST_SUPPORT_H

#include "rpc/server_test_support.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "control/handle.h"
#include "control/upstream_parts.h"

enum { MOST_PODS = 6, MOST_CALLS = 600 };

struct pods;

typedef struct call {
    struct pods *of;
    chainsi_upstream_call *call; /* NULL: it has ended */
    bool ended;
    chainsi_upstream_end end;
    int status;
    size_t size; /* of the answer's body */
    int number;  /* it was the number'th that ended, from 1 on */
    char why[256];
    void (*on_end)(struct call *call);
} call;

typedef struct pods {
    uv_loop_t loop;
    uv_timer_t *pace; /* so that the loop goes round while servers do something */
    fixture servers[MOST_PODS];
    int count;
    chainsi_upstream *set;
    call calls[MOST_CALLS];
    int begun, ended, waits;
} pods;

static void see_head(void *user, const chainsi_http_response *response)
{
    call *it = user;
    it->status = response->status;
}

static void see_body(void *user, const char *data, size_t size)
{
    call *it = user;
    (void)data;
    it->size += size;
}

static void see_end(void *user, chainsi_upstream_end end, const char *why)
{
    call *it = user;
    it->call = NULL;
    it->ended = true;
    it->end = end;
    it->number = ++it->of->ended;
    snprintf(it->why, sizeof it->why, "%s", why);
    if (it->on_end)
        it->on_end(it);
}

static const chainsi_upstream_events seeing = { see_head, see_body, see_end };

__attribute__((unused)) static call *ask_with(pods *of, const char *path, const char *headers,
                                              const void *body, size_t size)
{
    char head[512];
    call *it = &of->calls[of->begun++];
    assert_true(of->begun <= MOST_CALLS);
    it->of = of;
    int used =
        snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n",
                 path, headers, size);
    it->call = chainsi_upstream_start(of->set, head, (size_t)used, body, size, false, &seeing, it);
    return it;
}

__attribute__((unused)) static call *ask(pods *of, const char *path)
{
    return ask_with(of, path, "", "{}", 2);
}

static void go_round(uv_timer_t *timer)
{
    (void)timer;
}

/* Runs the loop until the condition holds; fails the test if it doesn't within PATIENCE_MS. */
#define RUN_UNTIL(of, condition)                                                                   \
    do {                                                                                           \
        int64_t until_ = chainsi_now_ns() + PATIENCE_MS * CHAINSI_NS_PER_MS;                       \
        while (!(condition)) {                                                                     \
            assert_true(chainsi_now_ns() < until_);                                                \
            uv_run(&(of)->loop, UV_RUN_ONCE);                                                      \
        }                                                                                          \
    } while (0)

__attribute__((unused)) static void add_pod(pods *of, chainsi_server_options options)
{
    options.eager = true;
    start(&of->servers[of->count++], true, options);
}

static uint16_t port_of(const fixture *server)
{
    return (uint16_t)atoi(strrchr(server->address, ':') + 1);
}

__attribute__((unused)) static chainsi_endpoint endpoint_at(uint16_t port)
{
    return (chainsi_endpoint){ .host = "127.0.0.1", .port = port };
}

/* Has the set consist of the pods whose bit is set. */
__attribute__((unused)) static void use_pods(pods *of, unsigned which)
{
    chainsi_endpoint endpoints[MOST_PODS];
    size_t count = 0;
    for (int i = 0; i < of->count; i++)
        if (which >> i & 1)
            endpoints[count++] = endpoint_at(port_of(&of->servers[i]));
    chainsi_upstream_set_endpoints(of->set, endpoints, count);
}

static void count_wait(void *user)
{
    pods *of = user;
    of->waits++;
}

__attribute__((unused)) static void open_pods(pods *of, uint32_t slots, uint32_t max_waiting)
{
    uv_loop_init(&of->loop);
    of->pace = chainsi_timer_new(&of->loop, NULL);
    uv_timer_start(of->pace, go_round, 1, 1);
    of->set = chainsi_upstream_new_set(&of->loop, slots, max_waiting);
    chainsi_upstream_on_wait(of->set, count_wait, of);
}

/* What libuv keeps for good is opened before descriptors are counted. */
__attribute__((unused)) static int open_first_loop(void **state)
{
    uv_loop_t loop;
    (void)state;
    return uv_loop_init(&loop) || uv_loop_close(&loop);
}

/* Some pods with some slots each, all in the set. */
__attribute__((unused)) static pods *start_pods(int count, int slots, uint32_t max_waiting)
{
    signal(SIGPIPE, SIG_IGN);
    pods *of = chainsi_make(sizeof *of);
    open_pods(of, (uint32_t)slots, max_waiting);
    for (int i = 0; i < count; i++)
        add_pod(of, (chainsi_server_options){ .slots = slots });
    use_pods(of, ~0u);
    return of;
}

__attribute__((unused)) static void end_loop(pods *of)
{
    chainsi_upstream_free(of->set);
    chainsi_handle_close(of->pace);
    uv_run(&of->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&of->loop), 0);
}

__attribute__((unused)) static void stop_pods(pods *of)
{
    end_loop(of);
    for (int i = 0; i < of->count; i++)
        stop(&of->servers[i]);
    free(of);
}

__attribute__((unused)) static int running_at(pods *of, int pod)
{
    return atomic_load(&of->servers[pod].running);
}

__attribute__((unused)) static int handled_at(pods *of, int pod)
{
    return atomic_load(&of->servers[pod].handled);
}

__attribute__((unused)) static void let_go(pods *of, int pod)
{
    assert_int_equal(sem_post(&of->servers[pod].gate), 0);
}

__attribute__((unused)) static void expect_answer(const call *it)
{
    assert_true(it->ended);
    if (it->end != CHAINSI_UPSTREAM_ANSWERED)
        fail_msg("%s", it->why);
    assert_int_equal(it->status, 200);
}

__attribute__((unused)) static void expect_load(pods *of, uint32_t running, uint32_t waiting)
{
    chainsi_upstream_load load = chainsi_upstream_read_load(of->set);
    assert_int_equal(load.running, running);
    assert_int_equal(load.waiting, waiting);
}

#endif
