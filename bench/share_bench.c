/* Large bytes to another process of the machine, directly and through a second one, beside a bare C
 * socket that carries as many: how long it takes, and how much of it was copied.
 *
 *   share_bench [ROUNDS]      default 15
 *
 * The callee reads one byte of each page. Ways:
 *   bare socket     write and read, into memory that is kept
 *   socket          a call with CHAINS_SHARE=off in all processes: bodies go through the socket
 *   shared          a call with bytes of chains_alloc
 *   copied          a call with bytes of malloc, which are copied to shared memory once
 * "made" are the same with the bytes made anew before each call, which is timed too. Rounds of all are
 * interleaved, so that a noisy machine disturbs them alike: take the ratios. Copies are counted by
 * the processes themselves (/metrics); the bare socket's are those that any socket makes. */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"
#include "runtime/callee.h"
#include "runtime/traffic.h"
#include "share_service.h"

enum { MEBIBYTE = 1024 * 1024, MOST_ROUNDS = 1000, MOST_METRICS = 64 * 1024, WARM_UP = 2 };

static const size_t sizes[] = { MEBIBYTE, 64 * MEBIBYTE };
static char folder[] = "/tmp/chains-bench-XXXXXX";
static char service_path[4096];
static cpu_set_t all_cpus;

/* ------------------------------------------------------------------------------------------------
 * places and sockets */

static void pin(int n)
{
    pin_to(&all_cpus, n);
}

static struct sockaddr_un address_of(const char *name)
{
    return unix_address("%.40s/%.20s", folder, name);
}

/* Waits until somebody listens there. */
static int connect_to(const char *name)
{
    struct sockaddr_un address = address_of(name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (int i = 0; i < 5000; i++) {
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
            return fd;
        usleep(1000);
    }
    give_up(address.sun_path);
}

/* ------------------------------------------------------------------------------------------------
 * processes */

static pid_t children[16];
static int child_count;

static pid_t start_child(int cpu)
{
    pid_t child = fork();
    if (child < 0)
        give_up("fork");
    if (child > 0) {
        children[child_count++] = child;
    } else {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(cpu);
    }
    return child;
}

static void stop_children(void)
{
    while (child_count) {
        pid_t child = children[--child_count];
        kill(child, SIGTERM);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            ;
    }
}

/* The floor's processes: reads so many bytes as the first eight say, and hands them on to `next`, or
 * answers with the sum. */
static void start_floor(const char *name, const char *next, int cpu)
{
    int listener = listen_unix(address_of(name));
    if (start_child(cpu) > 0) {
        close(listener);
        return;
    }
    char *data = malloc(sizes[1]);
    int fd = accept(listener, NULL, NULL), next_fd = next ? connect_to(next) : -1;
    uint64_t size, sum;
    while (read_all(fd, &size, sizeof size) && read_all(fd, data, size)) {
        if (next) {
            write_all(next_fd, &size, sizeof size);
            write_all(next_fd, data, size);
            read_all(next_fd, &sum, sizeof sum);
        } else {
            sum = sum_of_pages(data, size);
        }
        write_all(fd, &sum, sizeof sum);
    }
    _exit(0);
}

static void start_service(const char *name, const char *kind, const char *next, bool shares,
                          int cpu)
{
    if (start_child(cpu) > 0)
        return;
    char listen[128], url[128];
    snprintf(listen, sizeof listen, "unix:%s", address_of(name).sun_path);
    if (next) {
        snprintf(url, sizeof url, "unix:%s", address_of(next).sun_path);
        setenv("CHAINS_LOOK_URL", url, 1);
    }
    if (!shares)
        setenv("CHAINS_SHARE", "off", 1);
    if (!freopen("/dev/null", "w", stdout))
        give_up("/dev/null");
    execl(service_path, "share_service", kind, "--listen", listen, (char *)NULL);
    give_up(service_path);
}

/* What a service has counted. */
static chainsi_traffic ask_traffic(const char *name)
{
    static const char request[] =
        "GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
    static char text[MOST_METRICS];
    int fd = connect_to(name);
    write_all(fd, request, sizeof request - 1);
    size_t size = 0;
    for (ssize_t done; (done = read(fd, text + size, sizeof text - 1 - size)) > 0;)
        size += (size_t)done;
    text[size] = 0;
    close(fd);
    chainsi_traffic traffic = { 0 };
    const struct {
        const char *way;
        uint64_t *count;
    } ways[] = {
        { "way=\"socket\"} ", &traffic.socket },
        { "way=\"copied\"} ", &traffic.copied },
        { "way=\"shared\"} ", &traffic.shared },
    };
    for (size_t i = 0; i < 3; i++) {
        const char *at = strstr(text, ways[i].way);
        if (at)
            *ways[i].count = strtoull(at + strlen(ways[i].way), NULL, 10);
    }
    return traffic;
}

/* ------------------------------------------------------------------------------------------------
 * ways */

typedef enum way { BARE, SOCKET, SHARED, COPIED, WAYS } way;
static const char *const way_names[] = { "bare socket", "socket", "shared", "copied" };

typedef struct bench {
    size_t size;
    bool chain; /* through two processes */
    int floor_fd;
    chains_ctx *ctx;            /* of what is kept */
    chainsi_callee *callees[2]; /* that don't share, that do */
    char *plain, *blocks;       /* the bytes: of malloc, of chains_alloc */
    size_t least;               /* chainsi_share_least when sharing is on */
} bench;

static chainsi_callee *callee_at(chains_ctx *ctx, const char *name)
{
    char address[128], why[256];
    snprintf(address, sizeof address, "unix:%s", address_of(name).sun_path);
    chainsi_remote *remote = chainsi_remote_new(&look_interface, address, why, sizeof why);
    if (!remote) {
        fprintf(stderr, "share_bench: %s\n", why);
        exit(1);
    }
    return chainsi_callee_new(ctx, &look_interface, &chainsi_depends_unset, NULL, remote);
}

static void expect_sum(uint64_t sum, const bench *it, int byte)
{
    if (sum == (uint64_t)byte * (it->size / SHARE_PAGE))
        return;
    fprintf(stderr, "share_bench: wrong answer\n");
    exit(1);
}

/* One message in one way; nanoseconds. made: of bytes that are made for it. */
static int64_t send_once(bench *it, way how, bool made)
{
    int byte = made ? 2 : 1;
    uint64_t sum = 0;
    atomic_store(&chainsi_share_least, how == SHARED || how == COPIED ? it->least : SIZE_MAX);
    chains_ctx *ctx = chains_open(NULL);
    int64_t start = chainsi_now_ns();
    char *data = how == SHARED ? it->blocks : it->plain;
    if (made) {
        data = how == SHARED ? chains_alloc(ctx, it->size) : malloc(it->size);
        memset(data, byte, it->size);
    }
    if (how == BARE) {
        uint64_t size = it->size;
        write_all(it->floor_fd, &size, sizeof size);
        write_all(it->floor_fd, data, it->size);
        read_all(it->floor_fd, &sum, sizeof sum);
    } else {
        look_input input = { { data, it->size } };
        chains_status status =
            chainsi_call(it->callees[how != SOCKET], ctx, &input, (void *[]){ &sum }, NULL);
        if (status != CHAINS_OK) {
            const chains_error *error = chains_last_error(ctx);
            fprintf(stderr, "share_bench: %s: %s\n", way_names[how],
                    error ? error->message : "failed");
            exit(1);
        }
    }
    if (made && how != SHARED)
        free(data);
    chains_close(ctx);
    int64_t took = chainsi_now_ns() - start;
    expect_sum(sum, it, byte);
    return took;
}

static chainsi_traffic all_traffic(const bench *it, way how)
{
    chainsi_traffic own = chainsi_traffic_read();
    bool shares = how != SOCKET;
    const char *names[] = { shares ? "look" : "look-off", shares ? "pass" : "pass-off" };
    for (int i = 0; i < (it->chain ? 2 : 1); i++) {
        chainsi_traffic theirs = ask_traffic(names[i]);
        own.socket += theirs.socket;
        own.copied += theirs.copied;
        own.shared += theirs.shared;
    }
    return own;
}

static void measure(bench *it, int rounds)
{
    static int64_t took[2][WAYS][MOST_ROUNDS];
    for (int round = -WARM_UP; round < rounds; round++)
        for (int made = 0; made < 2; made++)
            for (way how = BARE; how < WAYS; how++) {
                int64_t ns = send_once(it, how, made);
                if (round >= 0)
                    took[made][how][round] = ns;
            }
    for (int made = 0; made < 2; made++) {
        double floor_us = 0;
        for (way how = BARE; how < WAYS; how++) {
            int64_t *samples = took[made][how];
            qsort(samples, (size_t)rounds, sizeof *samples, compare_times);
            double us = (double)samples[rounds / 2] / 1e3;
            if (how == BARE)
                floor_us = us;
            printf("%3zu MiB %-7s %-5s %-12s median %9.1f us   times the bare socket %6.3f",
                   it->size / MEBIBYTE, it->chain ? "chain" : "one hop", made ? "made" : "",
                   way_names[how], us, us / floor_us);
            if (how != BARE && !made) {
                chainsi_traffic before = all_traffic(it, how);
                send_once(it, how, made);
                chainsi_traffic after = all_traffic(it, how);
                printf("   copied: %" PRIu64 " to shared memory, %" PRIu64 " by sockets",
                       after.copied - before.copied, after.socket - before.socket);
            }
            printf("\n");
        }
    }
}

static void run_placement(int cpu, int rounds)
{
    start_floor("floor", NULL, cpu);
    start_floor("floor-chain", "floor2", cpu);
    start_floor("floor2", NULL, cpu);
    start_service("look", "look", NULL, true, cpu);
    start_service("look-off", "look", NULL, false, cpu);
    start_service("pass", "pass", "look", true, cpu);
    start_service("pass-off", "pass", "look-off", false, cpu);
    pin(0);
    chains_ctx *ctx = chains_open(NULL);
    for (int chain = 0; chain < 2; chain++) {
        bench it = {
            .chain = chain,
            .floor_fd = connect_to(chain ? "floor-chain" : "floor"),
            .ctx = ctx,
            .callees = { callee_at(ctx, chain ? "pass-off" : "look-off"),
                         callee_at(ctx, chain ? "pass" : "look") },
        };
        close(connect_to(chain ? "pass" : "look"));
        close(connect_to(chain ? "pass-off" : "look-off"));
        chainsi_share_enable();
        it.least = atomic_load(&chainsi_share_least);
        for (size_t i = 0; i < 2; i++) {
            it.size = sizes[i];
            it.plain = malloc(it.size);
            memset(it.plain, 1, it.size);
            atomic_store(&chainsi_share_least, it.least);
            it.blocks = memset(chains_alloc(ctx, it.size), 1, it.size);
            measure(&it, it.size > MEBIBYTE ? (rounds + 2) / 3 : rounds * 4);
            free(it.plain);
        }
        chainsi_callee_done(it.callees[0]);
        chainsi_callee_done(it.callees[1]);
        close(it.floor_fd);
    }
    chains_close(ctx);
    stop_children();
    for (const char *const *name = (const char *const[]){ "floor", "floor-chain", "floor2", "look",
                                                          "look-off", "pass", "pass-off", NULL };
         *name; name++)
        unlink(address_of(*name).sun_path);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 15;
    if (argc > 2 || rounds < 1 || rounds > MOST_ROUNDS / 4) {
        fprintf(stderr, "usage: share_bench [ROUNDS]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    if (sched_getaffinity(0, sizeof all_cpus, &all_cpus) < 0)
        give_up("sched_getaffinity");
    find_programs(service_path, sizeof service_path - 32);
    strcat(service_path, "/share_service");
    if (!mkdtemp(folder))
        give_up(folder);
    printf("all on one CPU\n");
    run_placement(0, rounds);
    if (CPU_COUNT(&all_cpus) > 1) {
        printf("the caller on one CPU, services on another\n");
        run_placement(1, rounds);
    }
    rmdir(folder);
    return 0;
}
