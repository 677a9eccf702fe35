/* What it costs a caller that its callee has thousands of replicas over TCP: calls through a set of replicas
 * (rpc/replicas.h), as stubs make them, to a service with 3 addresses and with thousands.
 *
 *   endpoints_bench [CALLS]        default 40000 a case
 *
 * The replicas are one server in another process, which listens on every address of the loopback interface and has a
 * slot for each call: what differs is the caller's work alone. The name's addresses are faked; the look-up, of which
 * each case has some, isn't the system's. Printed for each number of addresses: the first call, which waits for the
 * look-up and for what is made of it; calls of one thread and of eight, calls a second, median and p99, and the ratio of
 * the median to that with 3; memory of the set and connections afterwards; the same calls of eight while a hundredth of
 * the addresses changes every 50 ms; and how long a call takes that finds the slots of all busy but one replica's. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "bench.h"
#include "rpc/address.h"
#include "rpc/replicas.h"
#include "rpc/server.h"

enum { THREADS = 8, SLOTS = 64, LOOKUP_MS = 50, FINDS = 10 };

static const int counts[] = { 3, 64, 500, 5000 };
enum { COUNTS = sizeof counts / sizeof *counts };

/* ------------------------------------------------------------------------------------------------
 * replicas */

static void answer(void *user, chainsi_server_request *request, chainsi_server_response *response)
{
    (void)user;
    chainsi_buffer_add(response->body, request->body, request->body_size);
    if (chainsi_slice_is(request->head.path, "/stay"))
        for (;;)
            pause();
}

static int listen_at(const char *text, uint16_t *port)
{
    char why[256], shown[64];
    chainsi_address address;
    chainsi_address_parse(text, &address, why, sizeof why);
    int fd = chainsi_address_listen(&address, 4096, why, sizeof why);
    chainsi_address_done(&address);
    if (fd < 0 || !chainsi_address_of(fd, shown, sizeof shown))
        give_up(text);
    *port = (uint16_t)atoi(strrchr(shown, ':') + 1);
    return fd;
}

/* A server, in a process that ends with this one. */
static pid_t serve(int fd, int slots)
{
    char why[256];
    pid_t process = fork();
    if (process)
        return process;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    chainsi_server_options options = {
        .slots = slots, .eager = true, .handler = answer, .listen_fd = fd, .max_connections = 20000
    };
    if (!chainsi_server_start(&options, why, sizeof why))
        give_up(why);
    for (;;)
        pause();
}

static uint16_t all_port, busy_port, free_port;

/* ------------------------------------------------------------------------------------------------
 * names */

typedef struct name {
    int count;
    uint16_t port;
    atomic_bool changes; /* a hundredth of it with each look-up */
    bool one_is_free;    /* and is at free_port */
    atomic_uint looked_up;
} name;

static bool find(void *user, const char *host, uint16_t port, chainsi_found *found, char *why,
                 size_t why_size)
{
    name *of = user;
    (void)host, (void)port, (void)why, (void)why_size;
    const unsigned round = atomic_fetch_add(&of->looked_up, 1);
    for (int i = 0; i < of->count; i++) {
        const bool moved = atomic_load(&of->changes) && (unsigned)i % 100 == round % 100;
        const uint32_t number = UINT32_C(0x7f010000) + (uint32_t)i + (moved ? 0x10000 : 0);
        const struct in_addr address = { htonl(number) };
        char text[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &address, text, sizeof text);
        chainsi_found_add(found, text, of->one_is_free && i == 0 ? free_port : of->port);
    }
    return true;
}

static chainsi_replicas *open_set(name *of)
{
    char why[256];
    chainsi_replicas_options options = {
        .max_waiting = 1000, .lookup = find, .user = of, .lookup_ms = LOOKUP_MS
    };
    chainsi_replicas *set =
        chainsi_replicas_new("http://replicas.bench", &options, why, sizeof why);
    if (!set)
        give_up(why);
    return set;
}

/* ------------------------------------------------------------------------------------------------
 * calls */

static int64_t call(chainsi_replicas *set, chainsi_arena *arena, const char *path)
{
    char why[256];
    chainsi_client_response response;
    chainsi_client_request request = { .method = "POST",
                                       .path = path,
                                       .body = "hello",
                                       .body_size = 5,
                                       .deadline_ns = CHAINSI_NEVER };
    const int64_t began_ns = chainsi_now_ns();
    if (chainsi_replicas_exchange(set, &request, false, arena, &response, why, sizeof why) !=
        CHAINSI_EXCHANGE_ANSWERED) {
        fprintf(stderr, "endpoints_bench: %s\n", why);
        exit(1);
    }
    const int64_t took_ns = chainsi_now_ns() - began_ns;
    chainsi_arena_reset(arena);
    return took_ns;
}

typedef struct share {
    chainsi_replicas *set;
    int64_t *times;
    int calls;
} share;

static void *make_calls(void *user)
{
    share *own = user;
    chainsi_arena arena = { 0 };
    for (int i = 0; i < own->calls; i++)
        own->times[i] = call(own->set, &arena, "/x");
    chainsi_arena_done(&arena);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

typedef struct result {
    double per_s, median_us, p99_us;
} result;

static result measure(chainsi_replicas *set, int threads, int calls)
{
    int64_t *times = calloc((size_t)calls, sizeof *times);
    pthread_t started[THREADS];
    share shares[THREADS];
    const int64_t began_ns = chainsi_now_ns();
    for (int i = 0; i < threads; i++) {
        const int each = calls / threads;
        shares[i] = (share){ set, times + i * each, each };
        pthread_create(&started[i], NULL, make_calls, &shares[i]);
    }
    for (int i = 0; i < threads; i++)
        pthread_join(started[i], NULL);
    const int64_t took_ns = chainsi_now_ns() - began_ns;
    qsort(times, (size_t)calls, sizeof *times, compare);
    result out = { calls * 1e9 / (double)took_ns, (double)times[calls / 2] / 1000,
                   (double)times[calls / 100 * 99] / 1000 };
    free(times);
    return out;
}

/* Bytes of this process that nobody else has. */
static long own_kib(void)
{
    long value = 0;
    char line[128];
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, "Private_Dirty:", 14))
            value = strtol(line + 14, NULL, 10);
    if (file)
        fclose(file);
    return value;
}

static int count_connections(const chainsi_replicas *set)
{
    (void)set;
    int open = 0;
    for (int fd = 3; fd < 20000; fd++) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        open += getpeername(fd, (struct sockaddr *)&peer, &size) == 0;
    }
    return open;
}

static void print(const char *what, const result *of, const result *floor)
{
    printf("  %-28s %9.0f calls/s  median %7.1f us  p99 %8.1f us  %5.2fx\n", what, of->per_s,
           of->median_us, of->p99_us, of->median_us / floor->median_us);
}

/* All slots but one replica's are taken: how long until that one is found. */
static void measure_finding(int count)
{
    int64_t times[FINDS];
    chainsi_arena arena = { 0 };
    for (int i = 0; i < FINDS; i++) {
        name of = { .count = count, .port = busy_port, .one_is_free = true };
        chainsi_replicas *set = open_set(&of);
        times[i] = call(set, &arena, "/x");
        chainsi_replicas_free(set);
    }
    chainsi_arena_done(&arena);
    qsort(times, FINDS, sizeof *times, compare);
    printf("  the only free one            median %7.1f ms   most %7.1f ms\n",
           (double)times[FINDS / 2] / 1e6, (double)times[FINDS - 1] / 1e6);
}

static void measure_count(int count, int calls, result floors[3])
{
    chainsi_arena arena = { 0 };
    const long before_kib = own_kib();
    name of = { .count = count, .port = all_port };
    chainsi_replicas *set = open_set(&of);
    printf("%d addresses: the first call %.2f ms\n", count, (double)call(set, &arena, "/x") / 1e6);
    chainsi_arena_done(&arena);
    result results[3];
    results[0] = measure(set, 1, calls);
    results[1] = measure(set, THREADS, calls);
    chainsi_replicas_counters counters;
    chainsi_replicas_read_counters(set, &counters);
    const long kib = own_kib() - before_kib;
    const int connections = count_connections(set);
    atomic_store(&of.changes, true);
    results[2] = measure(set, THREADS, calls);
    if (count == counts[0])
        memcpy(floors, results, sizeof results);
    print("one thread", &results[0], &floors[0]);
    print("eight threads", &results[1], &floors[1]);
    print("eight, addresses change", &results[2], &floors[2]);
    printf("  in use %d, connections %d, memory %ld KiB\n", counters.used, connections, kib);
    chainsi_replicas_free(set);
    measure_finding(count);
}

int main(int argc, char **argv)
{
    const int calls = argc > 1 ? atoi(argv[1]) : 40000;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    int all = listen_at("http://0.0.0.0:0", &all_port),
        busy = listen_at("http://0.0.0.0:0", &busy_port),
        lone = listen_at("http://0.0.0.0:0", &free_port);
    const pid_t servers[] = { serve(all, SLOTS), serve(busy, 1), serve(lone, 1) };
    chainsi_client *client;
    char address[64], why[256];
    snprintf(address, sizeof address, "http://127.0.0.1:%u", busy_port);
    if (!(client = chainsi_client_new(address, why, sizeof why)))
        give_up(why);
    /* Takes the only slot of `busy`. */
    chainsi_arena arena = { 0 };
    chainsi_client_response response;
    chainsi_client_request stay = { .method = "POST",
                                    .path = "/stay",
                                    .body = "",
                                    .deadline_ns =
                                        chainsi_deadline_after_ms(chainsi_now_ns(), 200) };
    chainsi_client_exchange(client, &stay, &arena, &response, why, sizeof why);
    chainsi_client_free(client);
    chainsi_arena_done(&arena);
    result floors[3] = { 0 };
    for (int i = 0; i < COUNTS; i++)
        measure_count(counts[i], calls, floors);
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        kill(servers[i], SIGKILL);
        waitpid(servers[i], NULL, 0);
    }
    return 0;
}
