/* No wake-up is lost, no slot and no place in the queue leaks, and nothing runs twice: thousands of
 * calls, one by one and gathered, by threads here and by processes that are killed, to replicas that
 * are killed, stopped, drained and replaced meanwhile. Every call ends, and at the end every slot is
 * free.
 *
 * Nothing here is timed but by a bound far beyond what any call takes on a busy machine: a call that
 * waits that long has been forgotten. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "runtime/call_test_support.h"

#include "rpc/board.h"

enum {
    REPLICAS = 4,
    SLOTS = 3,
    CALLERS = 2, /* processes */
    THREADS = 4,
    ROUNDS = 1000, /* of a thread: each a call and a gather */
    TOGETHER = 12,
    MOST_WAITING = 64,
    BOUND_S = 30,
    TEST_CALLS_FD = 3,
    TEST_BOARD_FD = 4,
    TEST_RUNS_FD = 5,
    CALLS = THREADS * ROUNDS * (TOGETHER + 1), /* of the threads; each has a number */
    UNNUMBERED = -1,
    SPARE_FD = 64,
};

/* How often each call was run, in memory that all processes share. */
static atomic_uchar *runs;

static void map_runs(int fd)
{
    runs = mmap(NULL, CALLS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(runs != MAP_FAILED);
}

/* The numbers of a call: how long it takes, microseconds, and its own, which it gives back. */
static chains_status serve_briefly(chains_ctx *ctx, const worker_input *input,
                                   worker_output *output)
{
    if (input->numbers.count != 2)
        return chains_fail(ctx, CHAINS_DATA_LOSS, "%zu numbers came", input->numbers.count);
    const int32_t number = input->numbers.items[1];
    if (number >= 0 && number < CALLS)
        atomic_fetch_add(&runs[number], 1);
    if (input->numbers.items[0])
        usleep((useconds_t)input->numbers.items[0]);
    output->text = input->text;
    output->sum = number;
    return CHAINS_OK;
}

static int serve(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    worker_hook = serve_briefly;
    map_runs(TEST_RUNS_FD);
    worker_config.concurrency = SLOTS;
    char *arguments[] = { "worker", NULL };
    return chainsi_serve_main(&worker_node, 1, arguments);
}

/* ------------------------------------------------------------------------------------------------
 * callers */

typedef struct caller {
    chains_ctx *ctx;
    chains_depends_config options;
    chainsi_callee *callee;
} caller;

static void open_caller(caller *it, const char *address, int board_fd)
{
    char why[256];
    *it = (caller){ .ctx = chains_open(NULL) };
    it->ctx->process->generated = true;
    chainsi_remote *remote = chainsi_remote_new(&worker_interface, address, why, sizeof why);
    assert_non_null(remote);
    chainsi_remote_use_board(remote, board_fd);
    it->callee = chainsi_callee_new(it->ctx, &worker_interface, &it->options, NULL, remote);
}

static void close_caller(caller *it)
{
    chainsi_callee_done(it->callee);
    chains_close(it->ctx);
}

/* What was lost with its replica, what found none, and what found the queue full has failed as it
 * should. */
static bool is_declared(chains_status status)
{
    return status == CHAINS_OK || status == CHAINS_UNAVAILABLE ||
           status == CHAINS_RESOURCE_EXHAUSTED;
}

typedef struct counts {
    atomic_int ended, answered;
} counts;

/* One call, and a gather of some, with numbers from `first` on, or UNNUMBERED. False with a word if a call ended as none may. */
static bool make_round(caller *it, int32_t first, counts *all)
{
    chains_ctx ctx;
    int32_t numbers[TOGETHER + 1][2];
    int64_t sums[TOGETHER + 1];
    chainsi_context_init_child(&ctx, it->ctx, true);
    ctx.deadline_ns = chainsi_deadline_after_ms(chainsi_now_ns(), BOUND_S * 1000);
    chains_ctx *gather = chains_gather_all(&ctx);
    bool good = true;
    for (int i = 0; i <= TOGETHER && good; i++) {
        numbers[i][0] = (int32_t)(chainsi_random() % 4 ? 0 : chainsi_random() % 800);
        numbers[i][1] = first < 0 ? first : first + i;
        worker_input input = { .text = "x", .numbers = { numbers[i], 2 } };
        chains_status status = chainsi_call(it->callee, i < TOGETHER ? gather : &ctx, &input,
                                            (void *[]){ NULL, &sums[i] }, NULL);
        atomic_fetch_add(&all->ended, i == TOGETHER);
        if (status == CHAINS_OK && i == TOGETHER) {
            atomic_fetch_add(&all->answered, 1);
            good = sums[i] == numbers[i][1];
        } else if (!is_declared(status)) {
            fprintf(stderr, "a call ended with %s: %s\n", chains_status_name(status),
                    chains_last_error(&ctx)->message);
            good = false;
        }
    }
    chains_wait(gather);
    for (size_t i = 0; i < TOGETHER && good; i++) {
        chains_status status = chains_result(gather, i);
        atomic_fetch_add(&all->ended, 1);
        atomic_fetch_add(&all->answered, status == CHAINS_OK);
        good = is_declared(status) && (status || sums[i] == numbers[i][1]);
        if (!good)
            fprintf(stderr, "a gathered call ended with %s\n", chains_status_name(status));
    }
    chainsi_context_done(&ctx);
    return good;
}

/* A process that calls until it is killed. */
static int call_for_ever(const char *address)
{
    caller it;
    counts all = { 0 };
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    open_caller(&it, address, TEST_BOARD_FD);
    while (make_round(&it, UNNUMBERED, &all))
        ;
    return 1;
}

/* ------------------------------------------------------------------------------------------------
 * the service */

typedef struct place {
    char folder[32], address[64];
    int calls_fd, board_fd, runs_fd;
    chainsi_board *board;
    pid_t replicas[REPLICAS], callers[CALLERS];
    caller caller;
    counts all;
    atomic_bool failed;
    atomic_int begun, threads; /* threads: all of them, and those that still call */
} place;

static pid_t start_process(place *it, const char *role)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    int calls = fcntl(it->calls_fd, F_DUPFD, SPARE_FD);
    int board = fcntl(it->board_fd, F_DUPFD, SPARE_FD);
    dup2(calls, TEST_CALLS_FD);
    int seen = fcntl(it->runs_fd, F_DUPFD, SPARE_FD);
    dup2(board, TEST_BOARD_FD);
    dup2(seen, TEST_RUNS_FD);
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_FDNAMES", "calls:board", 1);
    execl("/proc/self/exe", "wakeups_test", role, it->address, (char *)NULL);
    _exit(127);
}

static void end_process(pid_t pid, int number)
{
    kill(pid, number);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void open_place(place *it)
{
    char why[256];
    *it = (place){ .folder = "/tmp/chains-wake-XXXXXX" };
    assert_non_null(mkdtemp(it->folder));
    snprintf(it->address, sizeof it->address, "unix:%s/calls", it->folder);
    chainsi_address address;
    assert_true(chainsi_address_parse(it->address, &address, why, sizeof why));
    it->calls_fd = chainsi_address_listen(&address, 4096, why, sizeof why);
    chainsi_address_done(&address);
    it->board_fd = chainsi_board_create(MOST_WAITING);
    it->board = chainsi_board_open(it->board_fd);
    assert_non_null(it->board);
    it->runs_fd = memfd_create("runs", MFD_CLOEXEC);
    assert_int_equal(ftruncate(it->runs_fd, CALLS), 0);
    map_runs(it->runs_fd);
    for (int i = 0; i < REPLICAS; i++)
        it->replicas[i] = start_process(it, "serve");
    for (int i = 0; i < CALLERS; i++)
        it->callers[i] = start_process(it, "call");
    open_caller(&it->caller, it->address, it->board_fd);
}

static void close_place(place *it)
{
    close_caller(&it->caller);
    for (int i = 0; i < REPLICAS; i++)
        end_process(it->replicas[i], SIGKILL);
    chainsi_board_close(it->board);
    close(it->board_fd);
    close(it->calls_fd);
    munmap(runs, CALLS);
    close(it->runs_fd);
    unlink(it->address + strlen("unix:"));
    rmdir(it->folder);
}

/* ------------------------------------------------------------------------------------------------ */

static void *call_many(void *user)
{
    place *it = user;
    const int32_t own = atomic_fetch_add(&it->begun, 1) * ROUNDS;
    for (int32_t i = 0; i < ROUNDS && !atomic_load(&it->failed); i++)
        if (!make_round(&it->caller, (own + i) * (TOGETHER + 1), &it->all))
            atomic_store(&it->failed, true);
    atomic_fetch_sub(&it->threads, 1);
    return NULL;
}

/* Something happens to a process. */
static void disturb(place *it)
{
    pid_t *replica = &it->replicas[chainsi_random() % REPLICAS];
    pid_t *other = &it->callers[chainsi_random() % CALLERS];
    switch (chainsi_random() % 4) {
    case 0:
        end_process(*replica, SIGKILL);
        *replica = start_process(it, "serve");
        break;
    case 1: /* drains */
        end_process(*replica, SIGTERM);
        *replica = start_process(it, "serve");
        break;
    case 2:
        kill(*replica, SIGSTOP);
        usleep((useconds_t)(chainsi_random() % 150000));
        kill(*replica, SIGCONT);
        break;
    default:
        end_process(*other, SIGKILL);
        *other = start_process(it, "call");
    }
}

/* Claims that the dead have left are taken back when their slots are needed, and the rows of the dead
 * when somebody finds out: so all slots are asked for, until just those of the living are free. */
static void expect_rest(place *it)
{
    const int64_t until_ns = chainsi_now_ns() + BOUND_S * INT64_C(1000000000);
    uint32_t free_slots = 0, waiting = 1;
    while (chainsi_now_ns() < until_ns) {
        assert_true(make_round(&it->caller, UNNUMBERED, &it->all));
        assert_true(make_round(&it->caller, UNNUMBERED, &it->all));
        for (int i = 0; i < 200 && (free_slots != REPLICAS * SLOTS || waiting); i++) {
            usleep(500);
            free_slots = chainsi_board_free_slots(it->board);
            waiting = chainsi_board_waiting(it->board);
        }
        if (free_slots == REPLICAS * SLOTS && !waiting)
            return;
    }
    fail_msg("%u slots are free and %u calls wait", free_slots, waiting);
}

static void every_call_ends_and_every_slot_comes_free(void **state)
{
    (void)state;
    place it;
    pthread_t threads[THREADS];
    open_place(&it);
    atomic_store(&it.threads, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_many, &it), 0);
    int disturbances = 0;
    for (; atomic_load(&it.threads); disturbances++) {
        disturb(&it);
        usleep((useconds_t)(chainsi_random() % 30000));
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < CALLERS; i++)
        end_process(it.callers[i], SIGKILL);
    assert_false(atomic_load(&it.failed));
    printf("# %d calls, %d answered, %d disturbances\n", atomic_load(&it.all.ended),
           atomic_load(&it.all.answered), disturbances);
    assert_int_equal(atomic_load(&it.all.ended), CALLS);
    /* There are no retries: whatever became of a replica, what was sent again had not begun. */
    for (int i = 0; i < CALLS; i++)
        if (atomic_load(&runs[i]) > 1)
            fail_msg("call %d ran %d times", i, atomic_load(&runs[i]));
    assert_true(atomic_load(&it.all.answered) > atomic_load(&it.all.ended) / 2);
    expect_rest(&it);
    close_place(&it);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "serve"))
        return serve();
    if (argc > 2 && !strcmp(argv[1], "call"))
        return call_for_ever(argv[2]);
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_ends_and_every_slot_comes_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
