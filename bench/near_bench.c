/* A call to a replica on the same node, through a folder of the node (rpc/near.h), beside the same call over TCP.
 *
 *   near_bench [ROUNDS]        default 15, of 1000 small calls each, 20 of 1 MiB and 2 of 64 MiB
 *
 * The callee is share_service, which reads one byte of each page, with one slot, listening on a port of loopback and in
 * a folder. The bytes lie in memory of chains_alloc. Rounds of both alternate, so that a noisy machine disturbs
 * them alike: take the ratios. Printed: the median and p99 of a call each way, and the ratio of medians. */
#include <errno.h>
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
#include "share_service.h"

enum { MOST_ROUNDS = 1000 };
enum { TCP, NEAR, WAYS };

static const struct {
    const char *name;
    size_t size;
    int calls; /* of a round */
} cases[] = { { "64 bytes", 64, 1000 }, { "1 MiB", 1 << 20, 20 }, { "64 MiB", 64 << 20, 2 } };
enum { CASES = sizeof cases / sizeof *cases };

static char folder[] = "/tmp/chains-bench-XXXXXX", near[64];

/* Starts the callee and reads where it listens. */
static pid_t start_callee(char *address, size_t size)
{
    char program[4096];
    int said[2];
    find_programs(program, sizeof program - 16);
    strcat(program, "/share_service");
    if (pipe2(said, O_CLOEXEC) < 0)
        give_up("pipe");
    pid_t child = fork();
    if (!child) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(said[1], STDOUT_FILENO);
        setenv("CHAINS_NEAR_LISTEN", near, 1);
        execl(program, program, "look", "--listen", "http://127.0.0.1:0", (char *)NULL);
        give_up(program);
    }
    close(said[1]);
    ssize_t got = read(said[0], address, size - 1);
    if (got < 2)
        give_up("the callee's address");
    address[got - 1] = 0;
    close(said[0]);
    return child;
}

static chainsi_callee *new_callee(chains_ctx *ctx, const char *address, bool is_near)
{
    static const chains_depends_config options = { .concurrency_limit = -1 };
    char why[256], named[128];
    /* A name, as pods have it. */
    snprintf(named, sizeof named, "http://localhost%s", strrchr(address, ':'));
    if (is_near)
        setenv("CHAINS_LOOK_NEAR", near, 1);
    chainsi_remote *remote = chainsi_remote_new(&look_interface, named, why, sizeof why);
    unsetenv("CHAINS_LOOK_NEAR");
    if (!remote)
        give_up(why);
    return chainsi_callee_new(ctx, &look_interface, &options, NULL, remote);
}

static int64_t call(chains_ctx *ctx, chainsi_callee *callee, chains_bytes data)
{
    uint64_t sum;
    void *const outputs[] = { &sum };
    const look_input input = { data };
    const int64_t began_ns = chainsi_now_ns();
    if (chainsi_call(callee, ctx, &input, outputs, NULL) != CHAINS_OK) {
        fprintf(stderr, "near_bench: %s\n", chains_last_error(ctx)->message);
        exit(1);
    }
    return chainsi_now_ns() - began_ns;
}

static int compare(const void *a, const void *b)
{
    const int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

static void measure(chains_ctx *root, chainsi_callee *const callees[], int which, int rounds)
{
    const int count = rounds * cases[which].calls;
    int64_t *times[WAYS];
    for (int way = TCP; way < WAYS; way++)
        times[way] = calloc((size_t)count, sizeof **times);
    const chains_bytes data = { chains_alloc(root, cases[which].size), cases[which].size };
    memset((void *)(uintptr_t)data.data, 1, data.size);
    for (int way = TCP; way < WAYS; way++)
        call(root, callees[way], data);
    for (int i = 0; i < count; i++) {
        const int first = i / cases[which].calls % WAYS; /* they take turns */
        for (int k = 0; k < WAYS; k++)
            times[(first + k) % WAYS][i] = call(root, callees[(first + k) % WAYS], data);
    }
    double medians[WAYS] = { 0 };
    for (int way = TCP; way < WAYS; way++) {
        qsort(times[way], (size_t)count, sizeof **times, compare);
        medians[way] = (double)times[way][count / 2] / 1000;
        printf("%-10s %-5s median %10.1f us   p99 %10.1f us", cases[which].name,
               way == TCP ? "TCP" : "near", medians[way],
               (double)times[way][count * 99 / 100] / 1000);
        printf(way == TCP ? "\n" : "   %.2fx\n", medians[NEAR] / medians[TCP]);
        free(times[way]);
    }
}

int main(int argc, char **argv)
{
    const int rounds = argc > 1 ? atoi(argv[1]) : 15;
    if (rounds < 1 || rounds > MOST_ROUNDS) {
        fprintf(stderr, "usage: near_bench [ROUNDS]\n");
        return 2;
    }
    if (!mkdtemp(folder))
        give_up(folder);
    snprintf(near, sizeof near, "%s/look", folder);
    char address[128];
    pid_t callee = start_callee(address, sizeof address);
    while (access(near, F_OK) != 0)
        usleep(1000);
    usleep(100000);
    chains_ctx *ctx = chains_open(NULL);
    ctx->process->generated = true;
    chainsi_callee *callees[WAYS] = {
        [TCP] = new_callee(ctx, address, false), [NEAR] = new_callee(ctx, address, true)
    };
    for (int i = 0; i < CASES; i++)
        measure(ctx, callees, i, rounds);
    for (int way = TCP; way < WAYS; way++)
        chainsi_callee_done(callees[way]);
    chains_close(ctx);
    kill(callee, SIGTERM);
    waitpid(callee, NULL, 0);
    rmdir(near);
    rmdir(folder);
    return 0;
}
