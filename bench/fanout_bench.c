/* Calls that are started together, beside the same messages as one batch on one bare connection.
 *
 *   fanout_bench [ROUNDS [CALLS]]      default 300 rounds of 1, 16 and 1,000 calls
 *
 * The floor sends as many messages as there are calls in one write, to a process that reads all of
 * them and answers all in one write; the bytes are those of the frames. Rounds are interleaved. The
 * service is one replica with SLOTS slots, on a board, in a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"
#include "call_service.h"
#include "rpc/board.h"
#include "runtime/callee.h"

enum {
    SLOTS = 32,
    MOST_CALLS = 10000,
    WARM_UP = 30,
    FRAME_IN = 144, /* bytes of a call and its answer, with a text of 64 bytes */
    FRAME_OUT = 98,
};

static const char text_of_64[] = "0123456789012345678901234567890123456789012345678901234567890123";
static char folder[] = "/tmp/chains-bench-XXXXXX";
static int board_fd;
static cpu_set_t all_cpus;

static void pin(int n)
{
    pin_to(&all_cpus, n);
}

static double median_us(int64_t *samples, int count)
{
    qsort(samples, (size_t)count, sizeof *samples, compare_times);
    return (double)samples[count / 2] / 1e3;
}

/* ------------------------------------------------------------------------------------------------
 * the service */

static char instance;

static void *create(chains_ctx *ctx, void *const dependencies[])
{
    (void)ctx, (void)dependencies;
    return &instance;
}

static chains_status run(void *self, chains_ctx *ctx, const void *input, void *output, void *stream)
{
    (void)self, (void)ctx, (void)stream;
    ((echo_output *)output)->reply = ((const echo_input *)input)->text;
    return CHAINS_OK;
}

static void destroy(void *self)
{
    (void)self;
}

static int serve(void)
{
    static const chains_config config = { .concurrency = SLOTS, .abi_ = 1 };
    static chainsi_interface interface;
    interface = echo_interface;
    interface.config = &config;
    static const chainsi_implementation implementation = {
        .interface = &interface, .create = create, .run = run, .destroy = destroy
    };
    static const chainsi_node node = { .implementation = &implementation };
    char *arguments[] = { "fanout_bench", NULL };
    return chainsi_serve_main(&node, 1, arguments);
}

static pid_t start_service(int cpu)
{
    int calls = listen_unix(unix_address("%.40s/calls", folder));
    pid_t child = fork();
    if (child < 0)
        give_up("fork");
    if (child > 0) {
        close(calls);
        return child;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (cpu >= 0)
        pin(cpu);
    else
        sched_setaffinity(0, sizeof all_cpus, &all_cpus);
    hand_over((int[]){ calls, board_fd }, 2, "calls:board");
    execl("/proc/self/exe", "fanout_bench", "serve", (char *)NULL);
    _exit(127);
}

/* ------------------------------------------------------------------------------------------------
 * the floor */

/* Answers batches of `calls` messages. */
static pid_t start_floor(int calls, int cpu, int *fd)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        give_up("socketpair");
    pid_t child = fork();
    if (child < 0)
        give_up("fork");
    if (child > 0) {
        close(ends[1]);
        *fd = ends[0];
        return child;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ends[0]);
    if (cpu >= 0)
        pin(cpu);
    else
        sched_setaffinity(0, sizeof all_cpus, &all_cpus);
    char *data = calloc((size_t)calls, FRAME_IN);
    while (read_all(ends[1], data, (size_t)calls * FRAME_IN))
        write_all(ends[1], data, (size_t)calls * FRAME_OUT);
    _exit(0);
}

/* ------------------------------------------------------------------------------------------------ */

static int64_t gather_once(chainsi_callee *callee, int calls)
{
    static const char *replies[MOST_CALLS];
    chains_ctx *ctx = chains_open(NULL);
    int64_t start = chainsi_now_ns();
    chains_ctx *all = chains_gather(ctx);
    for (int i = 0; i < calls; i++) {
        echo_input input = { text_of_64 };
        if (chainsi_call(callee, all, &input, (void *[]){ &replies[i] }, NULL) != CHAINS_OK)
            give_up("a call");
    }
    if (chains_wait(all) != CHAINS_OK) {
        fprintf(stderr, "fanout_bench: %s\n", chains_last_error(ctx)->message);
        exit(1);
    }
    int64_t took = chainsi_now_ns() - start;
    for (int i = 0; i < calls; i++)
        if (strcmp(replies[i], text_of_64) != 0)
            give_up("a wrong answer");
    chains_close(ctx);
    return took;
}

static int64_t batch_once(int fd, char *data, int calls)
{
    int64_t start = chainsi_now_ns();
    write_all(fd, data, (size_t)calls * FRAME_IN);
    if (!read_all(fd, data, (size_t)calls * FRAME_OUT))
        give_up("the floor's process");
    return chainsi_now_ns() - start;
}

static void measure(const char *title, int cpu, int calls, int rounds)
{
    if (cpu < 0)
        sched_setaffinity(0, sizeof all_cpus, &all_cpus);
    else
        pin(0);
    int fd;
    pid_t floor_process = start_floor(calls, cpu, &fd), service = start_service(cpu);
    chains_ctx *ctx = chains_open(NULL);
    ctx->process->generated = true;
    char address[128], why[256];
    snprintf(address, sizeof address, "unix:%.40s/calls", folder);
    chainsi_remote *remote = chainsi_remote_new(&echo_interface, address, why, sizeof why);
    chainsi_remote_use_board(remote, board_fd);
    chainsi_callee *callee =
        chainsi_callee_new(ctx, &echo_interface, &chainsi_depends_unset, NULL, remote);
    char *data = calloc((size_t)calls, FRAME_IN);
    int64_t *floor_ns = calloc((size_t)rounds, sizeof *floor_ns),
            *call_ns = calloc((size_t)rounds, sizeof *call_ns);
    int64_t cpu_used_ns = 0;
    for (int round = -WARM_UP; round < rounds; round++) {
        int64_t floor_took = batch_once(fd, data, calls);
        int64_t began_ns = cpu_ns(service);
        int64_t took = gather_once(callee, calls);
        if (round < 0)
            continue;
        cpu_used_ns += cpu_ns(service) - began_ns;
        floor_ns[round] = floor_took;
        call_ns[round] = took;
    }
    double floor_us = median_us(floor_ns, rounds), call_us = median_us(call_ns, rounds);
    printf(
        "%5d calls %-22s one batch %8.1f us   gather %8.1f us   ratio %.2f   %.2f us a call, CPU "
        "%.2f us\n",
        calls, title, floor_us, call_us, call_us / floor_us, call_us / calls,
        (double)cpu_used_ns / rounds / calls / 1e3);
    chainsi_callee_done(callee);
    chains_close(ctx);
    close(fd);
    stop(floor_process);
    stop(service);
    free(data);
    free(floor_ns);
    free(call_ns);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "serve"))
        return serve();
    int rounds = argc > 1 ? atoi(argv[1]) : 300;
    int only = argc > 2 ? atoi(argv[2]) : 0;
    if (argc > 3 || rounds < 1 || only < 0 || only > MOST_CALLS) {
        fprintf(stderr, "usage: fanout_bench [ROUNDS [CALLS]]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    board_fd = chainsi_board_create(0);
    if (board_fd < 0 || !mkdtemp(folder) || sched_getaffinity(0, sizeof all_cpus, &all_cpus) < 0)
        give_up("getting ready");
    int counts[] = { only ? only : 1, 16, 1000 };
    for (int i = 0; i < (only ? 1 : 3); i++) {
        int enough = counts[i] > 100 ? rounds / 5 + 1 : rounds;
        measure("both on one CPU", 0, counts[i], enough);
        if (CPU_COUNT(&all_cpus) > 1) {
            measure("on two CPUs", 1, counts[i], enough);
            measure("wherever", -1, counts[i], enough);
        }
    }
    unlink(unix_address("%.40s/calls", folder).sun_path);
    rmdir(folder);
    return 0;
}
