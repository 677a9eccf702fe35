/* Servers on loopback, whose slots a test opens and closes, and calls to the set of them. */
#ifndef CHAINSI_RPC_REPLICAS_TEST_SUPPORT_H
#define CHAINSI_RPC_REPLICAS_TEST_SUPPORT_H

#include "rpc/server_test_support.h"

#include <netinet/in.h>

#include "rpc/replicas.h"

enum { MOST_SERVERS = 6 };

/* Some servers, and what is asked of them. */
typedef struct group {
    fixture servers[MOST_SERVERS];
    int count;
    char addresses[1024];
    chainsi_replicas *set;
} group;

__attribute__((unused)) static void add_address(group *it, const char *address)
{
    size_t used = strlen(it->addresses);
    snprintf(it->addresses + used, sizeof it->addresses - used, "%s%s", used ? "," : "", address);
}

__attribute__((unused)) static void add_server(group *it, chainsi_server_options options)
{
    options.eager = true;
    fixture *server = &it->servers[it->count++];
    start(server, true, options);
    add_address(it, server->address);
}

__attribute__((unused)) static void open_set(group *it, chainsi_replicas_options options)
{
    char why[256];
    if (!options.max_waiting)
        options.max_waiting = 100;
    it->set = chainsi_replicas_new(it->addresses, &options, why, sizeof why);
    if (!it->set)
        fail_msg("%s", why);
}

__attribute__((unused)) static void start_group(group *it, int servers, int slots)
{
    *it = (group){ .count = 0 };
    for (int i = 0; i < servers; i++)
        add_server(it, (chainsi_server_options){ .slots = slots });
    open_set(it, (chainsi_replicas_options){ 0 });
}

__attribute__((unused)) static void stop_group(group *it)
{
    chainsi_replicas_free(it->set);
    for (int i = 0; i < it->count; i++)
        if (it->servers[i].server)
            stop(&it->servers[i]);
}

__attribute__((unused)) static chainsi_replicas_counters count_calls(group *it)
{
    chainsi_replicas_counters counters;
    chainsi_replicas_read_counters(it->set, &counters);
    return counters;
}

__attribute__((unused)) static int count_running(group *it)
{
    int running = 0;
    for (int i = 0; i < it->count; i++)
        running += atomic_load(&it->servers[i].running);
    return running;
}

/* One call. */
typedef struct asked {
    group *of;
    const char *path;
    size_t size;         /* of the body; 0: a few bytes */
    int64_t deadline_ns; /* 0: none */
    const chainsi_interrupt *interrupt;
    pthread_t thread;
    chainsi_exchange_end end;
    int status, error;
    char why[256];
} asked;

__attribute__((unused)) static void *ask_one(void *user)
{
    asked *it = user;
    chainsi_arena arena = { 0 };
    chainsi_client_response response = { 0 };
    char *body = calloc(1, it->size + 5);
    chainsi_client_request request = { .method = "POST",
                                       .path = it->path,
                                       .body = body,
                                       .body_size = it->size ? it->size : 5,
                                       .deadline_ns =
                                           it->deadline_ns ? it->deadline_ns : CHAINSI_NEVER,
                                       .interrupt = it->interrupt };
    it->end = chainsi_replicas_exchange(it->of->set, &request, false, &arena, &response, it->why,
                                        sizeof it->why);
    it->status = it->end == CHAINSI_EXCHANGE_ANSWERED ? response.status : 0;
    it->error = response.error;
    chainsi_arena_done(&arena);
    free(body);
    return NULL;
}

__attribute__((unused)) static void begin(asked *it, group *of, const char *path)
{
    it->of = of;
    it->path = path;
    assert_int_equal(pthread_create(&it->thread, NULL, ask_one, it), 0);
}

__attribute__((unused)) static void end_well(asked *it)
{
    pthread_join(it->thread, NULL);
    if (it->end != CHAINSI_EXCHANGE_ANSWERED)
        fail_msg("%s", it->why);
    assert_int_equal(it->status, 200);
}

__attribute__((unused)) static void open_gate(fixture *server)
{
    assert_int_equal(sem_post(&server->gate), 0);
}

/* Has a call of a plain client in every slot of every server, which have one each. */
__attribute__((unused)) static void fill(group *it, int fds[])
{
    for (int i = 0; i < it->count; i++) {
        fds[i] = dial(&it->servers[i]);
        post(fds[i], "/wait", "");
        AWAIT(atomic_load(&it->servers[i].running) == 1);
    }
}

__attribute__((unused)) static void release(group *it, int fds[])
{
    for (int i = 0; i < it->count; i++) {
        if (fds[i] < 0)
            continue;
        open_gate(&it->servers[i]);
        expect(fds[i], 200, "");
        close(fds[i]);
    }
}

/* An address where nobody listens yet, and a socket that will. */
__attribute__((unused)) static int reserve(char *address, size_t size)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    assert_true(chainsi_address_of(fd, address, size));
    return fd;
}

#endif
