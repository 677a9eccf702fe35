/* What one hop over a Unix socket takes, counted: system calls by name and allocations, on the calling
 * and on the serving side, in the steady state. Counts, unlike times, mean the same on any machine.
 *
 *   counts_bench [CALLS]      default 2000
 *
 * Caller and service are processes of their own. Allocations are counted by this program's own malloc
 * in both; system calls by strace, which is attached once both are warm. strace slows both down: now
 * and then a wait outlasts the time for which a caller just blocks in its read, hence counts that are
 * a little above whole numbers. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "call_service.h"
#include "rpc/address.h"
#include "rpc/board.h"
#include "runtime/callee.h"
#include "runtime/gather.h"

enum { TOGETHER = 16, WARM_UP = 300, MOST_NAMES = 24, FIRST_LISTEN_FD = 3, SPARE_FD = 100 };

/* ------------------------------------------------------------------------------------------------
 * allocations */

typedef struct tally {
    atomic_ulong allocations, frees;
} tally;

static tally *tallies;   /* shared: of the caller, and of the service */
static tally *own_tally; /* NULL: nothing is counted */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void __libc_free(void *memory);

static void count_allocation(void)
{
    if (own_tally)
        atomic_fetch_add_explicit(&own_tally->allocations, 1, memory_order_relaxed);
}

void *malloc(size_t size)
{
    count_allocation();
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    count_allocation();
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    count_allocation();
    return __libc_realloc(memory, size);
}

void free(void *memory)
{
    if (own_tally && memory)
        atomic_fetch_add_explicit(&own_tally->frees, 1, memory_order_relaxed);
    __libc_free(memory);
}
#endif

/* ------------------------------------------------------------------------------------------------
 * the service */

static void *create(chains_ctx *ctx, void *const dependencies[])
{
    (void)ctx, (void)dependencies;
    return tallies;
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

/* Forks: 0 in the child, which ends with this process. */
static pid_t begin_child(void)
{
    fflush(NULL);
    pid_t parent = getpid(), child = fork();
    if (child < 0)
        give_up("fork");
    if (child == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent))
        _exit(1);
    return child;
}

/* As a supervisor starts a replica; board_fd -1: without a board. */
static pid_t start_service(int calls_fd, int board_fd)
{
    pid_t child = begin_child();
    if (child > 0)
        return child;
    int calls = fcntl(calls_fd, F_DUPFD, SPARE_FD), board = fcntl(board_fd, F_DUPFD, SPARE_FD);
    if (dup2(calls, FIRST_LISTEN_FD) < 0 || dup2(board, FIRST_LISTEN_FD + 1) < 0)
        give_up("dup2");
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_FDNAMES", "calls:board", 1);
    echo_config.concurrency = TOGETHER;
    own_tally = &tallies[1];
    static const chainsi_implementation implementation = {
        .interface = &echo_interface,
        .create = create,
        .run = run,
        .destroy = destroy,
    };
    static const chainsi_node node = { .implementation = &implementation };
    char *arguments[] = { "echo", NULL };
    _exit(chainsi_serve_main(&node, 1, arguments));
}

/* ------------------------------------------------------------------------------------------------
 * the caller */

typedef struct caller {
    pid_t pid;
    int commands, answers; /* pipes: how many calls to make, and of which kind; then a byte */
} caller;

typedef struct command {
    int count;
    bool gathered; /* by gathers of TOGETHER */
} command;

static void make_calls(chains_ctx *root, chainsi_callee *callee, const command *wanted)
{
    static chainsi_arena arena; /* as a service's thread has one for its requests */
    const echo_input input = { "0123456789012345678901234567890123456789012345678901234567890123" };
    for (int i = 0; i < wanted->count; i++) {
        chains_ctx ctx;
        const char *replies[TOGETHER];
        chains_status status;
        chainsi_context_init_root(&ctx, root->process);
        ctx.arena = &arena;
        if (wanted->gathered) {
            chains_ctx *all = chains_gather(&ctx);
            for (int n = 0; n < TOGETHER; n++)
                chainsi_call(callee, all, &input, (void *[]){ &replies[n] }, NULL);
            status = chains_wait(all);
        } else {
            status = chainsi_call(callee, &ctx, &input, (void *[]){ &replies[0] }, NULL);
        }
        if (status != CHAINS_OK || strcmp(replies[0], input.text) != 0) {
            fprintf(stderr, "counts_bench: a call failed: %s\n",
                    status ? chains_last_error(&ctx)->message : "wrong answer");
            _exit(1);
        }
        chainsi_context_done(&ctx);
        chainsi_arena_reset(&arena);
    }
}

static caller start_caller(const char *address, int board_fd)
{
    int commands[2], answers[2];
    if (pipe2(commands, O_CLOEXEC) < 0 || pipe2(answers, O_CLOEXEC) < 0)
        give_up("pipe2");
    pid_t child = begin_child();
    if (child > 0) {
        close(commands[0]);
        close(answers[1]);
        return (caller){ child, commands[1], answers[0] };
    }
    own_tally = &tallies[0];
    char why[256];
    chains_ctx *ctx = chains_open(NULL);
    ctx->process->generated = true;
    chainsi_remote *remote = chainsi_remote_new(&echo_interface, address, why, sizeof why);
    chainsi_remote_use_board(remote, board_fd);
    chainsi_callee *callee =
        chainsi_callee_new(ctx, &echo_interface, &chainsi_depends_unset, NULL, remote);
    command wanted;
    close(commands[1]);
    while (read(commands[0], &wanted, sizeof wanted) == sizeof wanted) {
        make_calls(ctx, callee, &wanted);
        if (write(answers[1], "", 1) != 1)
            break;
    }
    _exit(0);
}

static void have_made(const caller *it, int count, bool gathered)
{
    command wanted = { .count = count, .gathered = gathered };
    char done;
    if (write(it->commands, &wanted, sizeof wanted) != sizeof wanted ||
        read(it->answers, &done, 1) != 1)
        give_up("the caller ended");
}

/* ------------------------------------------------------------------------------------------------
 * system calls */

static bool have_strace;

/* Whether every thread of the process has a tracer. */
static bool is_traced(pid_t pid)
{
    char text[128];
    snprintf(text, sizeof text, "grep -q '^TracerPid:.0$' /proc/%d/task/*/status", (int)pid);
    return system(text) != 0;
}

/* Attaches strace to a process; what it counts goes to the file. */
static pid_t attach(pid_t pid, const char *file)
{
    pid_t tracer = begin_child();
    if (tracer == 0) {
        char number[16];
        snprintf(number, sizeof number, "%d", (int)pid);
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, STDERR_FILENO);
        execlp("strace", "strace", "-f", "-c", "-p", number, "-o", file, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 500 && !is_traced(pid); i++) {
        usleep(10000);
        if (waitpid(tracer, NULL, WNOHANG) == tracer)
            return -1;
    }
    return tracer;
}

static void print_counts(const char *file, double hops)
{
    FILE *table = fopen(file, "r");
    char line[256];
    bool any = false;
    while (table && fgets(line, sizeof line, table)) {
        double share, seconds;
        long each, count;
        char rest[2][64] = { "", "" };
        int got = sscanf(line, "%lf %lf %ld %ld %63s %63s", &share, &seconds, &each, &count,
                         rest[0], rest[1]);
        if (got < 5)
            continue;
        const char *name = got == 6 ? rest[1] : rest[0];
        if (!strcmp(name, "total") || (double)count / hops < 0.005)
            continue;
        printf("%s%s %.2f", any ? ", " : "", name, (double)count / hops);
        any = true;
    }
    printf("%s\n", any ? "" : "not counted");
    if (table)
        fclose(table);
    unlink(file);
}

static void count_system_calls(const caller *it, pid_t service, const char *folder, int count,
                               bool gathered)
{
    char files[2][64];
    pid_t tracers[2], traced[2] = { it->pid, service };
    if (!have_strace) {
        printf("  system calls: not counted, strace is not installed\n");
        return;
    }
    for (int i = 0; i < 2; i++) {
        snprintf(files[i], sizeof files[i], "%s/strace-%d", folder, i);
        tracers[i] = attach(traced[i], files[i]);
        if (tracers[i] < 0) {
            printf("  system calls: not counted, strace may not be attached here\n");
            return;
        }
    }
    have_made(it, count, gathered);
    for (int i = 0; i < 2; i++) {
        kill(tracers[i], SIGINT);
        waitpid(tracers[i], NULL, 0);
        printf("  system calls, %s: ", i ? "serving" : "calling");
        print_counts(files[i], count);
    }
}

static void count_kind(const caller *it, pid_t service, const char *folder, int count,
                       bool gathered)
{
    tally before[2];
    have_made(it, WARM_UP, gathered);
    for (int i = 0; i < 2; i++) {
        atomic_init(&before[i].allocations, atomic_load(&tallies[i].allocations));
        atomic_init(&before[i].frees, atomic_load(&tallies[i].frees));
    }
    have_made(it, count, gathered);
    for (int i = 0; i < 2; i++)
        printf(
            "  allocations, %s: %.3f, and %.3f freed\n", i ? "serving" : "calling",
            (double)(atomic_load(&tallies[i].allocations) - atomic_load(&before[i].allocations)) /
                count,
            (double)(atomic_load(&tallies[i].frees) - atomic_load(&before[i].frees)) / count);
    count_system_calls(it, service, folder, count, gathered);
}

static void count_all(const char *folder, bool with_board, int count)
{
    char address[64], why[256];
    snprintf(address, sizeof address, "unix:%s/%s", folder, with_board ? "b" : "q");
    chainsi_address parsed;
    if (!chainsi_address_parse(address, &parsed, why, sizeof why))
        give_up(why);
    int calls_fd = chainsi_address_listen(&parsed, 256, why, sizeof why);
    chainsi_address_done(&parsed);
    /* Descriptor 0 is no board: there is none, then. */
    int board_fd = with_board ? chainsi_board_create(0) : 0;
    pid_t service = start_service(calls_fd, board_fd);
    caller it = start_caller(address, with_board ? board_fd : -1);
    have_made(&it, WARM_UP, false);
    printf("one call, %s\n", with_board ? "with the board" : "by the queue alone");
    count_kind(&it, service, folder, count, false);
    printf("a gather of %d, %s\n", TOGETHER, with_board ? "with the board" : "by the queue alone");
    count_kind(&it, service, folder, count / 4, true);
    close(it.commands);
    close(it.answers);
    waitpid(it.pid, NULL, 0);
    kill(service, SIGTERM);
    waitpid(service, NULL, 0);
    close(calls_fd);
    unlink(address + strlen("unix:"));
    if (with_board)
        close(board_fd);
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 2000;
    char folder[] = "/tmp/chains-bench-XXXXXX";
    tallies =
        mmap(NULL, 2 * sizeof *tallies, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (count < 4 || tallies == MAP_FAILED || !mkdtemp(folder))
        give_up("start");
    have_strace = system("strace -V >/dev/null 2>&1") == 0;
    printf("64 bytes of text and back over a Unix socket; for each call, or each gather\n");
    count_all(folder, true, count);
    count_all(folder, false, count);
    rmdir(folder);
    return 0;
}
