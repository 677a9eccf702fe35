/* Replicas that are killed, close, stall and lie at every point of a call, in processes of their own: what the
 * caller sees is a declared status, and what certainly wasn't started runs elsewhere without a word.
 *
 * Each fault is met by one call and by a gather, by the queue and by a claim on the board, and those that aren't
 * about frames over TCP. A second replica takes what is sent again, once the first is dead. Over TCP nothing
 * tells that a call which has left wasn't started, so none is sent again. */
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "runtime/faults_test_support.h"

#include "rpc/descriptors_test_support.h"
#include "rpc/limits.h"

enum {
    MANY_NUMBERS = 300000,
    SOON_MS = 60,
    BOUND_MS = 20000,
    MOST_MEETINGS = 50, /* until it is fast enough */
};

/* ------------------------------------------------------------------------------------------------
 * what it does */

static void killed_before_reading(victim *it)
{
    (void)it;
    poll(&(struct pollfd){ .fd = it->connection, .events = POLLIN }, 1, -1);
    die();
}

static void killed_while_reading(victim *it)
{
    must(recv(it->connection, bytes, 100, MSG_WAITALL) == 100);
    die();
}

static void closes_while_it_reads(victim *it)
{
    must(recv(it->connection, bytes, 100, MSG_WAITALL) == 100);
    close(it->connection);
}

static void killed_after_reading(victim *it)
{
    must(read_call(it, false, sizeof bytes, 0));
    die();
}

static void killed_while_it_runs(victim *it)
{
    take(it);
    die();
}

static void closes_its_half(victim *it)
{
    take(it);
    shutdown(it->connection, SHUT_WR);
    stand_still();
}

static void killed_in_the_answers_head(victim *it)
{
    char out[256];
    take(it);
    write_answer(it, &(chainsi_frame_head){ 0 }, out);
    send_some(it, out, 7);
    die();
}

static void killed_in_the_answers_body(victim *it)
{
    char out[256];
    take(it);
    size_t size = write_answer(it, &(chainsi_frame_head){ 0 }, out);
    send_some(it, out, size - 1);
    die();
}

static void reads_slowly(victim *it)
{
    must(read_call(it, true, 8192, 50));
    answer(it, (chainsi_frame_head){ 0 });
    stand_still();
}

static void writes_slowly(victim *it)
{
    char out[256];
    take(it);
    size_t size = write_answer(it, &(chainsi_frame_head){ 0 }, out);
    free_slot(it);
    for (size_t i = 0; i < size; i++) {
        send_some(it, out + i, 1);
        usleep(200);
    }
    stand_still();
}

static void never_reads(victim *it)
{
    (void)it;
    stand_still();
}

static void never_answers(victim *it)
{
    take(it);
    stand_still();
}

static void trickles_for_ever(victim *it)
{
    char out[256];
    take(it);
    write_answer(it, &(chainsi_frame_head){ .body_size = 1 << 20 }, out);
    for (int i = 0;; i++) {
        send_some(it, out + (i < 32 ? i : 31), 1);
        usleep(2000);
    }
}

static void answers_too_much(victim *it)
{
    take(it);
    answer(it, (chainsi_frame_head){ .body_size = (uint64_t)CHAINSI_MAX_BODY + 1 });
    stand_still();
}

static void answers_another_call(victim *it)
{
    take(it);
    answer(it, (chainsi_frame_head){ .id = 5 });
    stand_still();
}

static void answers_twice(victim *it)
{
    take(it);
    answer(it, (chainsi_frame_head){ 0 });
    answer(it, (chainsi_frame_head){ 0 });
    stand_still();
}

static void answers_with_a_call(victim *it)
{
    take(it);
    answer(it, (chainsi_frame_head){ .kind = CHAINSI_FRAME_CALL });
    stand_still();
}

static void answers_with_an_item(victim *it)
{
    take(it);
    answer(it, (chainsi_frame_head){ .kind = CHAINSI_FRAME_ITEM });
    stand_still();
}

static void answers_with_no_kind(victim *it)
{
    take(it);
    answer(it, (chainsi_frame_head){ .kind = 77 });
    stand_still();
}

static void refuses_with_a_body(victim *it)
{
    take(it);
    answer(it, (chainsi_frame_head){ .kind = CHAINSI_FRAME_NOT_STARTED });
    stand_still();
}

static void fails_with_nonsense(victim *it)
{
    take(it);
    answer(it, (chainsi_frame_head){ .status = 5 });
    stand_still();
}

static void fails_with_no_status(victim *it)
{
    take(it);
    answer(it, (chainsi_frame_head){ .status = 200 });
    stand_still();
}

static void announces_descriptors(victim *it)
{
    take(it);
    answer(it, (chainsi_frame_head){ .attachments = 2 });
    stand_still();
}

static void announces_too_many(victim *it)
{
    take(it);
    answer(it, (chainsi_frame_head){ .attachments = CHAINSI_FRAME_MAX_ATTACHMENTS + 1 });
    stand_still();
}

static void sends_no_memfd(victim *it)
{
    take(it);
    answer_with(it, 1, 1);
}

static void sends_more_than_announced(victim *it)
{
    take(it);
    answer_with(it, 1, 4);
}

static void sends_more_than_fit(victim *it)
{
    take(it);
    answer_with(it, 1, 30);
}

/* ------------------------------------------------------------------------------------------------
 * what comes of it */

typedef struct fault {
    const char *name;
    void (*commit)(victim *it);
    chains_status status; /* of the call */
    bool large;           /* the call has more bytes than a socket takes at once */
    bool resent;          /* it is the second replica that answers */
    bool claim_tells;     /* with a board it is: a claim that wasn't begun can be withdrawn */
    bool late;            /* the call has a limit of SOON_MS */
    bool framed;          /* it is about frames, or the board: there is no such fault over TCP */
    chainsi_loss
        noted; /* with a board somebody has noted why the replica ended; UNKNOWN: nobody does */
} fault;

#define FAULT(function, ...)                                                                       \
    {                                                                                              \
#function, function, __VA_ARGS__                                                           \
    }

static const fault faults[] = {
    FAULT(killed_before_reading, .resent = true),
    FAULT(killed_before_reading, .resent = true, .large = true),
    FAULT(killed_while_reading, .resent = true),
    FAULT(killed_while_reading, .resent = true, .large = true),
    FAULT(closes_while_it_reads, .resent = true),
    FAULT(closes_while_it_reads, .resent = true, .large = true),
    FAULT(killed_after_reading, .status = CHAINS_UNAVAILABLE, .claim_tells = true),
    FAULT(killed_while_it_runs, .status = CHAINS_UNAVAILABLE),
    FAULT(killed_while_it_runs, .status = CHAINS_UNAVAILABLE, .large = true),
    FAULT(killed_while_it_runs, .status = CHAINS_UNAVAILABLE, .noted = CHAINSI_LOSS_MEMORY,
          .framed = true),
    FAULT(killed_while_it_runs, .status = CHAINS_UNAVAILABLE, .noted = CHAINSI_LOSS_OTHER,
          .framed = true),
    FAULT(killed_while_it_runs, .status = CHAINS_UNAVAILABLE,
          .noted = CHAINSI_LOSS_SIGNAL + SIGABRT, .framed = true),
    FAULT(killed_before_reading, .resent = true, .noted = CHAINSI_LOSS_MEMORY, .framed = true),
    FAULT(killed_in_the_answers_body, .status = CHAINS_UNAVAILABLE, .noted = CHAINSI_LOSS_MEMORY,
          .framed = true),
    FAULT(closes_its_half, .status = CHAINS_UNAVAILABLE),
    FAULT(killed_in_the_answers_head, .status = CHAINS_UNAVAILABLE),
    FAULT(killed_in_the_answers_body, .status = CHAINS_UNAVAILABLE),
    FAULT(reads_slowly, .large = true),
    FAULT(writes_slowly, .status = CHAINS_OK),
    FAULT(never_reads, .status = CHAINS_DEADLINE_EXCEEDED, .late = true),
    FAULT(never_reads, .status = CHAINS_DEADLINE_EXCEEDED, .late = true, .large = true),
    FAULT(never_answers, .status = CHAINS_DEADLINE_EXCEEDED, .late = true),
    FAULT(trickles_for_ever, .status = CHAINS_DEADLINE_EXCEEDED, .late = true),
    FAULT(answers_too_much, .status = CHAINS_INTERNAL),
    FAULT(answers_another_call, .status = CHAINS_INTERNAL, .framed = true),
    FAULT(answers_twice, .status = CHAINS_OK),
    FAULT(answers_with_a_call, .status = CHAINS_INTERNAL, .framed = true),
    FAULT(answers_with_an_item, .status = CHAINS_INTERNAL, .framed = true),
    FAULT(answers_with_no_kind, .status = CHAINS_INTERNAL),
    FAULT(refuses_with_a_body, .status = CHAINS_INTERNAL, .framed = true),
    FAULT(fails_with_nonsense, .status = CHAINS_NOT_FOUND),
    FAULT(fails_with_no_status, .status = CHAINS_UNKNOWN, .framed = true),
    FAULT(announces_descriptors, .status = CHAINS_INTERNAL, .framed = true),
    FAULT(announces_too_many, .status = CHAINS_INTERNAL, .framed = true),
    FAULT(sends_no_memfd, .status = CHAINS_INTERNAL, .framed = true),
    FAULT(sends_more_than_announced, .status = CHAINS_INTERNAL, .framed = true),
    FAULT(sends_more_than_fit, .status = CHAINS_INTERNAL, .framed = true),
};

typedef struct scene {
    char folder[32], address[64];
    int calls_fd, board_fd;
    chainsi_board *board; /* NULL: none */
    chainsi_seat seat;
    pid_t faulty, good;
    chains_ctx *ctx;
    chains_depends_config options;
    chainsi_callee *callee;
} scene;

/* 0 in the child. */
static pid_t begin_process(void)
{
    pid_t parent = getpid(), child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
    }
    return child;
}

/* Answers one call on each connection, once the other replica is dead. */
static _Noreturn void serve_well(const scene *it, int other_lives)
{
    char byte;
    must(read(other_lives, &byte, 1) == 0);
    for (;;) {
        victim me = { .connection = accept(it->calls_fd, NULL, NULL),
                      .http = fixture_is_over_tcp() };
        must(me.connection >= 0);
        if (read_call(&me, true, sizeof bytes, 0)) /* not one that was given up in the queue */
            answer(&me, (chainsi_frame_head){ 0 });
        close(me.connection);
    }
}

static void start_replicas(scene *it, const fault *its)
{
    int lives[2], direct = -1;
    assert_int_equal(pipe2(lives, O_CLOEXEC), 0);
    it->good = begin_process();
    if (it->good == 0) {
        close(lives[1]);
        serve_well(it, lives[0]);
    }
    if (it->board) {
        uint64_t incarnation = chainsi_random() | 1;
        direct = listen_directly(incarnation);
        fcntl(direct, F_SETFL, 0); /* it waits in accept */
        assert_true(chainsi_board_join(it->board, 1, incarnation, &it->seat));
        if (its->noted != CHAINSI_LOSS_UNKNOWN) {
            chainsi_losses_promise(chainsi_board_losses(it->board));
            chainsi_losses_note(chainsi_board_losses(it->board), incarnation, its->noted,
                                chainsi_now_ns());
        }
    }
    it->faulty = begin_process();
    if (it->faulty == 0) {
        close(lives[0]);
        victim me = { .connection = accept(it->board ? direct : it->calls_fd, NULL, NULL),
                      .http = fixture_is_over_tcp(),
                      .seat = it->board ? &it->seat : NULL };
        must(me.connection >= 0);
        its->commit(&me);
        _exit(0);
    }
    close(lives[0]);
    close(lives[1]);
    if (direct >= 0)
        close(direct);
}

/* Its status, as of waitpid(). */
static int end_process(pid_t pid)
{
    int status = 0;
    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void open_scene(scene *it)
{
    char why[256];
    *it = (scene){ .folder = "/tmp/chains-fault-XXXXXX", .board_fd = -1 };
    assert_non_null(mkdtemp(it->folder));
    if (fixture_is_over_tcp())
        strcpy(it->address, "http://127.0.0.1:0");
    else
        snprintf(it->address, sizeof it->address, "unix:%s/calls", it->folder);
    chainsi_address address;
    assert_true(chainsi_address_parse(it->address, &address, why, sizeof why));
    it->calls_fd = chainsi_address_listen(&address, 64, why, sizeof why);
    chainsi_address_done(&address);
    fcntl(it->calls_fd, F_SETFL, 0);
    if (fixture_is_over_tcp())
        assert_true(chainsi_address_of(it->calls_fd, it->address, sizeof it->address));
    if (fixture_at == DISTANCE_BOARD) {
        it->board_fd = chainsi_board_create(0);
        it->board = chainsi_board_open(it->board_fd);
    }
    it->ctx = chains_open(NULL);
    it->ctx->process->generated = true;
    chainsi_remote *remote = chainsi_remote_new(&worker_interface, it->address, why, sizeof why);
    if (it->board)
        chainsi_remote_use_board(remote, it->board_fd);
    it->callee = chainsi_callee_new(it->ctx, &worker_interface, &it->options, NULL, remote);
}

static void close_scene(scene *it)
{
    chainsi_callee_done(it->callee);
    chains_close(it->ctx);
    if (it->board) {
        assert_int_equal(chainsi_board_waiting(it->board), 0);
        chainsi_board_close(it->board);
        close(it->board_fd);
    }
    close(it->calls_fd);
    if (!fixture_is_over_tcp())
        unlink(it->address + strlen("unix:"));
    rmdir(it->folder);
}

static chains_status call(scene *it, bool large, const char **text)
{
    int32_t *numbers = calloc(MANY_NUMBERS, sizeof *numbers);
    for (int i = 0; i < MANY_NUMBERS; i++)
        numbers[i] = -1 - i * 1000; /* five bytes each */
    worker_input input = { .text = "x", .numbers = { numbers, large ? MANY_NUMBERS : 1 } };
    chains_status status =
        make_call(it->callee, it->ctx, &input, (void *[]){ (void *)text, NULL }, NULL);
    free(numbers);
    return status;
}

/* The status that the call is to have. */
static chains_status expect_status(const fault *its)
{
    const bool with_board = fixture_at == DISTANCE_BOARD;
    if (its->resent || (its->claim_tells && with_board))
        return fixture_is_over_tcp() ? CHAINS_UNAVAILABLE : CHAINS_OK;
    if (its->status == CHAINS_UNAVAILABLE && with_board && its->noted == CHAINSI_LOSS_MEMORY)
        return CHAINS_RESOURCE_EXHAUSTED;
    return its->status;
}

static const char *const ways[DISTANCES] = { [DISTANCE_QUEUE] = "by the queue",
                                             [DISTANCE_BOARD] = "with a board",
                                             [DISTANCE_TCP] = "over TCP" };

/* False: the machine was so busy that the call had moved on before the fault could be. */
static bool meet(const fault *its)
{
    scene it;
    const char *text = "before";
    open_scene(&it);
    start_replicas(&it, its);
    it.options.timeout_ms = its->late ? SOON_MS : BOUND_MS;
    /* What was not started is sent again once for nothing; there are no retries. */
    atomic_store(&it.callee->budget.balance, 0);
    chains_status expected = expect_status(its);
    chains_status status = call(&it, its->large, &text);
    int ended = end_process(it.faulty);
    if (status != expected && WIFEXITED(ended) && WEXITSTATUS(ended) == TOO_SLOW) {
        end_process(it.good);
        close_scene(&it);
        return false;
    }
    if (status != expected)
        fail_msg("%s%s, %s: %s, not %s: %s", its->name, its->large ? ", large" : "",
                 ways[fixture_at], chains_status_name(status), chains_status_name(expected),
                 status ? chains_last_error(it.ctx)->message : "it succeeded");
    assert_string_equal(text, status == CHAINS_OK ? "ok" : "before");
    if (expected == CHAINS_UNAVAILABLE)
        assert_non_null(strstr(chains_last_error(it.ctx)->message, "it may have been running"));
    if (its->noted >= CHAINSI_LOSS_SIGNAL && fixture_at == DISTANCE_BOARD)
        assert_non_null(
            strstr(chains_last_error(it.ctx)->message, "was ended by signal 6 (SIGABRT)"));
    if (expected == CHAINS_RESOURCE_EXHAUSTED)
        assert_non_null(strstr(chains_last_error(it.ctx)->message, "exceeded its memory limit"));
    /* The caller is none the worse for it. */
    it.options.timeout_ms = BOUND_MS;
    text = "before";
    status = call(&it, false, &text);
    if (status != CHAINS_OK)
        fail_msg("after %s, %s: %s", its->name, ways[fixture_at],
                 chains_last_error(it.ctx)->message);
    assert_string_equal(text, "ok");
    end_process(it.good);
    close_scene(&it);
    return true;
}

static void meet_all(fixture_distance distance, bool gathered)
{
    fixture_at = distance;
    fixture_gathered = gathered;
    for (const fault *each = faults; each < faults + sizeof faults / sizeof *faults; each++) {
        if (each->framed && fixture_is_over_tcp())
            continue;
        int before = count_descriptors();
        int meetings = 0;
        while (!meet(each))
            if (++meetings == MOST_MEETINGS)
                fail_msg("%s: its replica was never fast enough", each->name);
        if (count_descriptors() != before)
            fail_msg("%s: %d descriptors were left", each->name, count_descriptors() - before);
    }
}

static void calls_by_the_queue(void **state)
{
    (void)state;
    meet_all(DISTANCE_QUEUE, false);
}

static void calls_with_a_claim(void **state)
{
    (void)state;
    meet_all(DISTANCE_BOARD, false);
}

static void calls_over_tcp(void **state)
{
    (void)state;
    meet_all(DISTANCE_TCP, false);
}

static void gathers_by_the_queue(void **state)
{
    (void)state;
    meet_all(DISTANCE_QUEUE, true);
}

static void gathers_with_claims(void **state)
{
    (void)state;
    meet_all(DISTANCE_BOARD, true);
}

static void gathers_over_tcp(void **state)
{
    (void)state;
    meet_all(DISTANCE_TCP, true);
}

/* What a process opens once is open when descriptors are counted. */
static int warm_up(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        fixture_gathered = i;
        for (fixture_at = DISTANCE_QUEUE; fixture_at <= DISTANCE_TCP; fixture_at++)
            meet(&faults[0]);
    }
    return 0;
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    counts_eventfds = false; /* the pool's threads */
    const struct CMUnitTest tests[] = {
        TEST(calls_by_the_queue),   TEST(calls_with_a_claim),  TEST(calls_over_tcp),
        TEST(gathers_by_the_queue), TEST(gathers_with_claims), TEST(gathers_over_tcp),
    };
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
