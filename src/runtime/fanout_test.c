/* Started calls to replicas in processes of their own, which have a board: numbers, order, failures,
 * time, cancellation, and replicas that die or stop meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "runtime/call_test_support.h"

#include "rpc/board.h"
#include "rpc/link_test_support.h"
#include "runtime/remote.h"

enum { MOST_REPLICAS = 2, PATIENCE_S = 30 };

/* What a replica does, by the text of the call:
 *   "pid"        answers its process, and how many calls it has had
 *   "sleep US"   the same after a while
 *   "touch FILE" makes the file */
static chains_status serve_text(chains_ctx *ctx, const worker_input *input, worker_output *output)
{
    int us = 0;
    if (sscanf(input->text, "sleep %d", &us) == 1)
        usleep((useconds_t)us);
    if (!strncmp(input->text, "touch ", 6))
        close(open(input->text + 6, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    output->text = chains_printf(ctx, "%d", (int)getpid());
    output->sum = atomic_load(&the_worker.calls);
    for (size_t i = 0; i < input->numbers.count; i++)
        output->sum = input->numbers.items[i];
    return CHAINS_OK;
}

static int serve(void)
{
    worker_hook = serve_text;
    worker_config.concurrency = atoi(getenv("TEST_SLOTS"));
    char *arguments[] = { "worker", NULL };
    return chainsi_serve_main(&worker_node, 1, arguments);
}

typedef struct group {
    char folder[32], path[64], file[64];
    int calls_fd, board_fd;
    chainsi_board *board;
    pid_t replicas[MOST_REPLICAS];
    chains_ctx *ctx;
    chains_depends_config options;
    chainsi_callee *callee;
} group;

static pid_t start_replica(group *it, int slots)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* where a test fails nobody else ends it */
    int calls = fcntl(it->calls_fd, F_DUPFD, 64), board = fcntl(it->board_fd, F_DUPFD, 64);
    dup2(calls, 3);
    dup2(board, 4);
    char number[16];
    snprintf(number, sizeof number, "%d", slots);
    setenv("TEST_SLOTS", number, 1);
    snprintf(number, sizeof number, "%d", (int)getpid());
    setenv("LISTEN_PID", number, 1);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_FDNAMES", "calls:board", 1);
    execl("/proc/self/exe", "fanout_test", "serve", (char *)NULL);
    _exit(127);
}

static group *open_group(int replicas, int slots)
{
    group *it = calloc(1, sizeof *it);
    char why[256];
    strcpy(it->folder, "/tmp/chains-fan-XXXXXX");
    assert_non_null(mkdtemp(it->folder));
    snprintf(it->path, sizeof it->path, "unix:%s/calls", it->folder);
    snprintf(it->file, sizeof it->file, "%s/file", it->folder);
    chainsi_address address;
    assert_true(chainsi_address_parse(it->path, &address, why, sizeof why));
    it->calls_fd = chainsi_address_listen(&address, 4096, why, sizeof why);
    chainsi_address_done(&address);
    it->board_fd = chainsi_board_create(0);
    it->board = chainsi_board_open(it->board_fd);
    assert_non_null(it->board);
    for (int i = 0; i < replicas; i++)
        it->replicas[i] = start_replica(it, slots);
    it->ctx = chains_open(NULL);
    it->ctx->process->generated = true;
    chainsi_remote *remote = chainsi_remote_new(&worker_interface, it->path, why, sizeof why);
    chainsi_remote_use_board(remote, it->board_fd);
    it->callee = chainsi_callee_new(it->ctx, &worker_interface, &it->options, NULL, remote);
    for (int i = 0; i < PATIENCE_S * 1000; i++) {
        uint32_t there;
        chainsi_board_slots(it->board, &there);
        if (there == (uint32_t)replicas)
            return it;
        usleep(1000);
    }
    fail_msg("the replicas don't start");
    return NULL;
}

static void end_replica(group *it, int index, int signal)
{
    if (!it->replicas[index])
        return;
    kill(it->replicas[index], signal);
    while (waitpid(it->replicas[index], NULL, 0) < 0 && errno == EINTR)
        ;
    it->replicas[index] = 0;
}

static void close_group(group *it)
{
    chainsi_gathers_end(it->ctx);
    chainsi_callee_done(it->callee);
    chains_close(it->ctx);
    for (int i = 0; i < MOST_REPLICAS; i++)
        end_replica(it, i, SIGKILL);
    /* Nothing of it waits anywhere any more. */
    assert_int_equal(chainsi_board_waiting(it->board), 0);
    chainsi_board_close(it->board);
    close(it->board_fd);
    close(it->calls_fd);
    unlink(it->file);
    unlink(it->path + strlen("unix:"));
    rmdir(it->folder);
    free(it);
}

static chains_status call(group *it, chains_ctx *ctx, const char *what, int32_t number,
                          const char **text, int64_t *sum)
{
    worker_input input = { .text = what, .numbers = { &number, number >= 0 } };
    void *const outputs[] = { (void *)text, sum };
    return chainsi_call(it->callee, ctx, &input, outputs, NULL);
}

static void start_until_cancelled(group *it, chains_ctx *all, const char **text)
{
    worker_input input = { .text = "x", .until_cancelled = true };
    void *const outputs[] = { (void *)text, NULL };
    assert_int_equal(chainsi_call(it->callee, all, &input, outputs, NULL), CHAINS_OK);
}

/* All slots are free again: what was cancelled has ended. */
static void wait_for_slots(group *it, uint32_t count)
{
    for (int i = 0; i < PATIENCE_S * 1000; i++) {
        if (chainsi_board_free_slots(it->board) == count)
            return;
        usleep(1000);
    }
    fail_msg("%u slots are free, not %u", chainsi_board_free_slots(it->board), count);
}

static void run_many(group *it, int count)
{
    const char **texts = calloc((size_t)count, sizeof *texts);
    int64_t *sums = calloc((size_t)count + 1, sizeof *sums);
    chains_ctx ctx;
    chainsi_context_init_child(&ctx, it->ctx, true);
    chains_ctx *all = chains_gather(&ctx);
    for (int i = 0; i < count; i++)
        assert_int_equal(call(it, all, "pid", i, &texts[i], &sums[i]), CHAINS_OK);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    for (int i = 0; i < count; i++) {
        assert_int_equal(sums[i], i);
        assert_true(atoi(texts[i]) > 0);
        assert_int_equal(chains_result(all, (size_t)i), CHAINS_OK);
    }
    /* The same gather once more. */
    assert_int_equal(call(it, all, "pid", 7, &texts[0], &sums[1]), CHAINS_OK);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    assert_int_equal(sums[1], 7);
    chainsi_context_done(&ctx);
    free(texts);
    free(sums);
}

static void thousands_of_calls(void **state)
{
    (void)state;
    group *it = open_group(2, 4);
    run_many(it, 1);
    run_many(it, 1000);
    run_many(it, 10000);
    close_group(it);
}

static void one_slot_serves_many(void **state)
{
    (void)state;
    group *it = open_group(1, 1);
    run_many(it, 500);
    close_group(it);
}

static void limit_in_flight(group *it, int limit)
{
    it->options.concurrency_limit = limit;
    chainsi_slots_done(&it->callee->in_flight);
    chainsi_slots_init(&it->callee->in_flight, limit);
}

static void calls_go_out_in_the_order_of_starting(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    group *it = open_group(1, 8);
    limit_in_flight(it, 1);
    int64_t order[COUNT];
    chains_ctx *all = chains_gather(it->ctx);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(call(it, all, "pid", -1, NULL, &order[i]), CHAINS_OK);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(order[i], i + 1);
    close_group(it);
}

static void replicas_share_the_work(void **state)
{
    (void)state;
    enum { COUNT = 64 };
    group *it = open_group(2, 4);
    const char *texts[COUNT];
    int of_first = 0;
    chains_ctx *all = chains_gather(it->ctx);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(call(it, all, "sleep 3000", -1, &texts[i], NULL), CHAINS_OK);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    for (int i = 0; i < COUNT; i++)
        of_first += atoi(texts[i]) == it->replicas[0];
    assert_true(of_first >= COUNT / 8 && of_first <= COUNT - COUNT / 8);
    close_group(it);
}

static void the_first_failure_cancels_the_others(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    group *it = open_group(2, 4);
    const char *texts[COUNT] = { 0 };
    chains_ctx *all = chains_gather(it->ctx);
    /* Whichever replica the failing call is moved to, because the first was slow, has a free slot. */
    limit_in_flight(it, 4);
    for (int i = 0; i < 3; i++)
        start_until_cancelled(it, all, &texts[i]);
    worker_input input = { .text = "x", .fail_status = CHAINS_NOT_FOUND };
    assert_int_equal(chainsi_call(it->callee, all, &input, (void *[]){ NULL, NULL }, NULL),
                     CHAINS_OK);
    for (int i = 3; i < COUNT; i++)
        start_until_cancelled(it, all, &texts[i]);
    assert_int_equal(chains_wait(all), CHAINS_NOT_FOUND);
    assert_string_equal(chains_last_error(it->ctx)->message, "worker was told to fail: x");
    for (int i = 0; i < COUNT; i++)
        assert_null(texts[i]);
    assert_int_equal(chains_result(all, 0), CHAINS_CANCELLED);
    assert_int_equal(chains_result(all, COUNT), CHAINS_CANCELLED);
    wait_for_slots(it, 8);
    close_group(it);
}

static void gather_all_tells_every_status(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    group *it = open_group(1, 4);
    chains_ctx *all = chains_gather_all(it->ctx);
    int64_t sums[COUNT];
    for (int i = 0; i < COUNT; i++) {
        int32_t number = i;
        worker_input input = { .text = "x",
                               .numbers = { &number, 1 },
                               .fail_status = i % 3 ? 0 : CHAINS_ABORTED };
        sums[i] = -1;
        assert_int_equal(chainsi_call(it->callee, all, &input, (void *[]){ NULL, &sums[i] }, NULL),
                         CHAINS_OK);
    }
    assert_int_equal(chains_wait(all), CHAINS_ABORTED);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(chains_result(all, (size_t)i), i % 3 ? CHAINS_OK : CHAINS_ABORTED);
        assert_int_equal(sums[i], i % 3 ? i : -1);
    }
    close_group(it);
}

static void a_timeout_ends_one_call_alone(void **state)
{
    (void)state;
    group *it = open_group(1, 4);
    it->options.timeout_ms = 100;
    const char *texts[8] = { 0 };
    chains_ctx *all = chains_gather_all(it->ctx);
    for (int i = 0; i < 8; i++) {
        if (i == 2)
            start_until_cancelled(it, all, &texts[i]);
        else
            assert_int_equal(call(it, all, "pid", -1, &texts[i], NULL), CHAINS_OK);
    }
    assert_int_equal(chains_wait(all), CHAINS_DEADLINE_EXCEEDED);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(chains_result(all, (size_t)i),
                         i == 2 ? CHAINS_DEADLINE_EXCEEDED : CHAINS_OK);
        assert_true((texts[i] == NULL) == (i == 2));
    }
    assert_non_null(strstr(chains_last_error(it->ctx)->message, "within 100 ms (.timeout_ms"));
    wait_for_slots(it, 4);
    close_group(it);
}

static void the_deadline_ends_all(void **state)
{
    (void)state;
    group *it = open_group(1, 2);
    chains_ctx ctx;
    chainsi_context_init_child(&ctx, it->ctx, true);
    ctx.deadline_ns = chainsi_now_ns() + 50 * CHAINSI_NS_PER_MS;
    chains_ctx *all = chains_gather(&ctx);
    const char *text = NULL;
    for (int i = 0; i < 20; i++)
        start_until_cancelled(it, all, &text);
    assert_int_equal(chains_wait(all), CHAINS_DEADLINE_EXCEEDED);
    assert_true(chainsi_now_ns() >= ctx.deadline_ns);
    assert_non_null(strstr(chains_last_error(&ctx)->message, "deadline"));
    chainsi_context_done(&ctx);
    wait_for_slots(it, 2);
    close_group(it);
}

static void *cancel_soon(void *user)
{
    usleep(20000);
    chainsi_context_cancel(user);
    return NULL;
}

static void cancelling_the_parent_ends_all(void **state)
{
    (void)state;
    group *it = open_group(2, 2);
    chains_ctx ctx;
    chainsi_context_init_child(&ctx, it->ctx, true);
    chains_ctx *all = chains_gather(&ctx);
    const char *text = NULL;
    for (int i = 0; i < 50; i++)
        start_until_cancelled(it, all, &text);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &ctx), 0);
    assert_int_equal(chains_wait(all), CHAINS_CANCELLED);
    pthread_join(thread, NULL);
    chainsi_context_done(&ctx);
    wait_for_slots(it, 4);
    close_group(it);
}

typedef struct cancelling {
    group *it;
    chains_ctx *ctx;
    uint32_t waiting;
} cancelling;

static void *cancel_once_so_many_wait(void *user)
{
    cancelling *its = user;
    while (chainsi_board_waiting(its->it->board) < its->waiting)
        usleep(100);
    usleep(5000); /* of those that are counted the last may not have connected yet */
    chainsi_context_cancel(its->ctx);
    return NULL;
}

static void what_waits_in_the_queue_does_not_begin(void **state)
{
    (void)state;
    enum { SLOTS = 4, MORE = 30 };
    group *it = open_group(1, SLOTS);
    chains_ctx ctx;
    chainsi_context_init_child(&ctx, it->ctx, true);
    int64_t begun = 0;
    for (int round = 1; round <= 20; round++) {
        chains_ctx *all = chains_gather(&ctx);
        const char *text = NULL;
        for (int i = 0; i < SLOTS + MORE; i++)
            start_until_cancelled(it, all, &text);
        cancelling its = { it, all, SLOTS }; /* as many go to the queue, the rest waits here */
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, cancel_once_so_many_wait, &its), 0);
        assert_int_equal(chains_wait(all), CHAINS_CANCELLED);
        pthread_join(thread, NULL);
        wait_for_slots(it, SLOTS);
        const int64_t before = begun;
        assert_int_equal(call(it, &ctx, "pid", -1, &text, &begun), CHAINS_OK);
        /* This call, and those that had slots, if the machine let them begin by then. */
        assert_in_range(begun - before, 1, SLOTS + 1);
    }
    chainsi_context_done(&ctx);
    close_group(it);
}

static void returning_early_cancels_all(void **state)
{
    (void)state;
    group *it = open_group(1, 4);
    chains_ctx ctx;
    chainsi_context_init_child(&ctx, it->ctx, true);
    const char *text = "before";
    chains_ctx *all = chains_gather(&ctx);
    for (int i = 0; i < 50; i++)
        start_until_cancelled(it, all, &text);
    while (chainsi_board_free_slots(it->board))
        usleep(100); /* nobody waits, and yet they get on */
    chainsi_context_done(&ctx);
    assert_string_equal(text, "before");
    wait_for_slots(it, 4);
    close_group(it);
}

static void calls_get_on_while_nobody_waits(void **state)
{
    (void)state;
    group *it = open_group(1, 1);
    char touch[80];
    snprintf(touch, sizeof touch, "touch %s", it->file);
    for (int round = 0; round < 2; round++) {
        const char *text = NULL;
        chains_ctx *all = chains_gather(it->ctx);
        assert_int_equal(call(it, all, touch, -1, &text, NULL), CHAINS_OK);
        while (access(it->file, F_OK) != 0)
            usleep(100);
        unlink(it->file);
        /* More behind what is done already. */
        for (int i = 0; i < 20; i++)
            assert_int_equal(call(it, all, touch, -1, &text, NULL), CHAINS_OK);
        while (access(it->file, F_OK) != 0)
            usleep(100);
        assert_null(text);
        assert_int_equal(chains_wait(all), CHAINS_OK);
        assert_int_equal(atoi(text), it->replicas[0]);
        unlink(it->file);
    }
    close_group(it);
}

static void a_replica_that_dies_loses_only_what_it_runs(void **state)
{
    (void)state;
    enum { COUNT = 400 };
    group *it = open_group(2, 4);
    chains_ctx *all = chains_gather_all(it->ctx);
    int lost = 0;
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(call(it, all, "sleep 1000", -1, NULL, NULL), CHAINS_OK);
    while (chainsi_board_free_slots(it->board) > 4)
        usleep(100);
    end_replica(it, 0, SIGKILL);
    chains_wait(all);
    for (int i = 0; i < COUNT; i++) {
        chains_status status = chains_result(all, (size_t)i);
        assert_true(status == CHAINS_OK || status == CHAINS_UNAVAILABLE);
        lost += status != CHAINS_OK;
    }
    assert_true(lost <= 4);
    /* With a retry nothing is lost. */
    it->replicas[0] = start_replica(it, 4);
    uint32_t there = 0;
    while (chainsi_board_slots(it->board, &there) < 8 || there < 2)
        usleep(1000);
    it->options.retries = 1;
    all = chains_gather(it->ctx);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(call(it, all, "sleep 1000", -1, NULL, NULL), CHAINS_OK);
    while (chainsi_board_free_slots(it->board) > 4)
        usleep(100);
    end_replica(it, 1, SIGKILL);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    close_group(it);
}

static void a_replica_that_stands_still_gives_up_what_it_has_not_begun(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    group *it = open_group(2, 4);
    int stopped;
    kill(it->replicas[0], SIGSTOP); /* which it may take a while to do */
    assert_int_equal(waitpid(it->replicas[0], &stopped, WUNTRACED), it->replicas[0]);
    assert_true(WIFSTOPPED(stopped));
    const char *texts[COUNT];
    chains_ctx *all = chains_gather(it->ctx);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(call(it, all, "pid", -1, &texts[i], NULL), CHAINS_OK);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(atoi(texts[i]), it->replicas[1]);
    kill(it->replicas[0], SIGCONT);
    close_group(it);
}

/* Mixed and nested. */

typedef struct nest {
    group *it;
    int depth;
} nest;

static chains_status climb(chains_ctx *ctx, void *argument, size_t index)
{
    const nest *above = argument;
    (void)index;
    const char *texts[10];
    chains_ctx *all = chains_gather(ctx);
    for (int i = 0; i < 10; i++)
        CHAINS_TRY(call(above->it, all, "pid", -1, &texts[i], NULL));
    if (above->depth) {
        nest below = { above->it, above->depth - 1 };
        CHAINS_TRY(chains_each(ctx, 4, climb, &below));
    }
    return chains_wait(all);
}

static chains_status climb_alone(chains_ctx *ctx, void *argument)
{
    return climb(ctx, argument, 0);
}

static void gathers_mix_and_nest(void **state)
{
    (void)state;
    group *it = open_group(2, 2);
    nest root = { it, 2 };
    chains_ctx *all = chains_gather(it->ctx);
    const char *texts[20] = { 0 };
    for (int i = 0; i < 20; i++) {
        assert_int_equal(call(it, all, "pid", -1, &texts[i], NULL), CHAINS_OK);
        if (i % 4 == 0)
            assert_int_equal(chains_spawn(all, climb_alone, &root, sizeof root), CHAINS_OK);
    }
    assert_int_equal(chains_wait(all), CHAINS_OK);
    for (int i = 0; i < 20; i++)
        assert_non_null(texts[i]);
    close_group(it);
}

static chains_status fail_soon(chains_ctx *ctx, void *argument)
{
    (void)argument;
    return chains_fail(ctx, CHAINS_ABORTED, "a function failed");
}

static void a_failed_function_cancels_calls(void **state)
{
    (void)state;
    group *it = open_group(1, 2);
    chains_ctx *all = chains_gather(it->ctx);
    const char *text = NULL;
    for (int i = 0; i < 20; i++)
        start_until_cancelled(it, all, &text);
    assert_int_equal(chains_spawn(all, fail_soon, NULL, 0), CHAINS_OK);
    assert_int_equal(chains_wait(all), CHAINS_ABORTED);
    assert_string_equal(chains_last_error(it->ctx)->message, "a function failed");
    wait_for_slots(it, 2);
    close_group(it);
}

/* ------------------------------------------------------------------------------------------------
 * replicas that follow a script */

static void answer_well(stand_in *replica, int connection, const chainsi_frame *frame)
{
    static const char body[] = "\x82\xa4text\xa2ok\xa3sum\x07";
    stand_in_answer(replica, connection, frame, 0, body, sizeof body - 1);
}

static void refuse_once(stand_in *replica, int connection, const chainsi_frame *frame,
                        const char *body)
{
    (void)body;
    if (*(int *)replica->user > 0) {
        --*(int *)replica->user;
        if (frame->call.slot != CHAINSI_FRAME_NO_SLOT)
            chainsi_seat_free(&replica->seat, frame->call.slot, -1);
        stand_in_refuse(replica, connection, frame);
        return;
    }
    answer_well(replica, connection, frame);
}

static void answer_garbage(stand_in *replica, int connection, const chainsi_frame *frame,
                           const char *body)
{
    (void)body;
    if (*(int *)replica->user > 0) {
        --*(int *)replica->user;
        answer_well(replica, connection, frame);
        return;
    }
    stand_in_send(replica, connection, "HTTP/1.1 500 No\r\n\r\n", 19);
}

static void hang_up(stand_in *replica, int connection, const chainsi_frame *frame, const char *body)
{
    (void)frame, (void)body;
    stand_in_close(replica, connection);
}

/* The first one is lost while it runs; it is said why when the second one is there. */
static void lose_the_first(stand_in *replica, int connection, const chainsi_frame *frame,
                           const char *body)
{
    (void)body;
    if (++*(int *)replica->user == 1) {
        chainsi_losses_promise(chainsi_board_losses(replica->board));
        stand_in_close(replica, connection);
        return;
    }
    chainsi_losses_note(chainsi_board_losses(replica->board), replica->seat.incarnation,
                        CHAINSI_LOSS_SIGNAL + SIGABRT, chainsi_now_ns());
    answer_well(replica, connection, frame);
}

typedef void handler(stand_in *, int, const chainsi_frame *, const char *);

/* A replica that follows a script, and calls of it that were started. */
typedef struct scripted {
    stand where;
    stand_in replica;
    chains_ctx *ctx, *all;
    chainsi_callee *callee;
} scripted;

static void start_scripted(scripted *it, handler *handle, int *number, bool with_board,
                           const chains_depends_config *options, int count)
{
    char why[256], address[80];
    open_stand(&it->where, with_board, 0);
    it->replica = (stand_in){ .shared_fd = it->where.shared_fd,
                              .board = it->where.board,
                              .slots = 8,
                              .handle = handle,
                              .user = number };
    stand_in_start(&it->replica);
    snprintf(address, sizeof address, "unix:%s", it->where.path);
    it->ctx = chains_open(NULL);
    it->ctx->process->generated = true;
    chainsi_remote *remote = chainsi_remote_new(&worker_interface, address, why, sizeof why);
    chainsi_remote_use_board(remote, it->where.board_fd);
    it->callee = chainsi_callee_new(it->ctx, &worker_interface, options, NULL, remote);
    it->all = chains_gather_all(it->ctx);
    worker_input input = { .text = "x" };
    for (int i = 0; i < count; i++)
        assert_int_equal(chainsi_call(it->callee, it->all, &input, (void *[]){ NULL, NULL }, NULL),
                         CHAINS_OK);
}

static void end_scripted(scripted *it)
{
    chainsi_callee_done(it->callee);
    chains_close(it->ctx);
    stand_in_stop(&it->replica);
    close_stand(&it->where);
}

/* Of two calls the first one is lost. Whether it was heard why. */
static bool hears_why_one_was_lost(void)
{
    const chains_depends_config one_at_a_time = { .concurrency_limit = 1 };
    scripted it;
    int calls = 0;
    start_scripted(&it, lose_the_first, &calls, true, &one_at_a_time, 2);
    assert_int_equal(chains_wait(it.all), CHAINS_UNAVAILABLE);
    assert_int_equal(chains_result(it.all, 1), CHAINS_OK);
    assert_int_equal(calls, 2);
    const char *message = chains_last_error(it.ctx)->message;
    assert_non_null(strstr(message, "while it may have been running the call"));
    const bool heard = strstr(message, "worker was ended by signal 6 (SIGABRT)");
    end_scripted(&it);
    return heard;
}

/* Else the second call would begin when the wait for the note of the first one is over. A machine that stands
 * still for that second looks the same, but not again and again. */
static void others_go_on_while_it_is_not_known_why_one_was_lost(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        if (hears_why_one_was_lost())
            return;
    fail_msg("a call that was lost holds up the others");
}

static int run_scripted(handler *handle, int number, int count, bool with_board,
                        chains_status expected)
{
    scripted it;
    start_scripted(&it, handle, &number, with_board, NULL, count);
    int good = 0;
    chains_wait(it.all);
    for (int i = 0; i < count; i++) {
        chains_status status = chains_result(it.all, (size_t)i);
        good += status == CHAINS_OK;
        if (status != CHAINS_OK)
            assert_int_equal(status, expected);
    }
    end_scripted(&it);
    return good;
}

static void what_is_not_started_is_sent_again(void **state)
{
    (void)state;
    for (int with_board = 0; with_board < 2; with_board++) {
        assert_int_equal(run_scripted(refuse_once, 30, 60, with_board, CHAINS_OK), 60);
        /* Not for ever. */
        assert_int_equal(run_scripted(refuse_once, 1 << 30, 20, with_board, CHAINS_UNAVAILABLE), 0);
    }
}

static void answers_that_are_none_fail_the_calls(void **state)
{
    (void)state;
    for (int with_board = 0; with_board < 2; with_board++) {
        assert_int_equal(run_scripted(answer_garbage, 0, 20, with_board, CHAINS_INTERNAL), 0);
        assert_true(run_scripted(answer_garbage, 5, 20, with_board, CHAINS_INTERNAL) >= 5);
        assert_int_equal(run_scripted(hang_up, 0, 20, with_board, CHAINS_UNAVAILABLE), 0);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "serve"))
        return serve();
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousands_of_calls),
        cmocka_unit_test(one_slot_serves_many),
        cmocka_unit_test(calls_go_out_in_the_order_of_starting),
        cmocka_unit_test(replicas_share_the_work),
        cmocka_unit_test(the_first_failure_cancels_the_others),
        cmocka_unit_test(gather_all_tells_every_status),
        cmocka_unit_test(a_timeout_ends_one_call_alone),
        cmocka_unit_test(the_deadline_ends_all),
        cmocka_unit_test(cancelling_the_parent_ends_all),
        cmocka_unit_test(what_waits_in_the_queue_does_not_begin),
        cmocka_unit_test(returning_early_cancels_all),
        cmocka_unit_test(calls_get_on_while_nobody_waits),
        cmocka_unit_test(a_replica_that_dies_loses_only_what_it_runs),
        cmocka_unit_test(a_replica_that_stands_still_gives_up_what_it_has_not_begun),
        cmocka_unit_test(gathers_mix_and_nest),
        cmocka_unit_test(a_failed_function_cancels_calls),
        cmocka_unit_test(what_is_not_started_is_sent_again),
        cmocka_unit_test(answers_that_are_none_fail_the_calls),
        cmocka_unit_test(others_go_on_while_it_is_not_known_why_one_was_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
