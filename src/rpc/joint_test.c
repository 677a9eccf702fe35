/* Calls of many threads on shared connections, against replicas that follow a script. The threads of a
 * test need not be many: it counts itself as enough callers. */
#include "rpc/link_test_support.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "rpc/joint.h"

enum { MOST_THREADS = 64 };

typedef struct party {
    stand place;
    chainsi_joint *joint;
} party;

static void open_party(party *it, uint32_t max_queue)
{
    open_stand(&it->place, true, max_queue);
    it->joint = chainsi_link_joint(it->place.link);
    for (int i = 1; i < CHAINSI_JOINT_CALLERS; i++)
        chainsi_joint_enter(it->joint);
}

static void close_party(party *it)
{
    for (int i = 1; i < CHAINSI_JOINT_CALLERS; i++)
        chainsi_joint_leave(it->joint, 0);
    close_stand(&it->place);
}

/* A thread that calls. */
typedef struct guest {
    party *at;
    int calls;            /* one after the other */
    size_t body_size;     /* 0: a few bytes, of each call its own */
    int64_t timeout_ns;   /* 0: none */
    int interrupt_fd;     /* readable: its call ends; -1: none */
    atomic_bool *due;     /* set: its call is to end; NULL: nothing tells but the descriptor */
    atomic_int *finished; /* calls, of all guests; NULL: not counted */
    /* Filled in. */
    int ends[CHAINSI_EXCHANGE_PROTOCOL + 1];
    chainsi_exchange_end last;
    char why[256];
    pthread_t thread;
} guest;

static bool is_due(void *user)
{
    guest *it = user;
    return it->due && atomic_load(it->due);
}

static void make_call(guest *it, int number)
{
    char text[64], large[8192];
    int size = snprintf(text, sizeof text, "%p makes call %d", (void *)it, number);
    memset(large, 'x', sizeof large);
    chainsi_arena arena = { 0 };
    chainsi_interrupt interrupt = {
        .count = 1, .watch = { { it->interrupt_fd, POLLIN } }, .is_due = is_due, .user = it
    };
    chainsi_link_request request = {
        .interface = 7,
        .request_id = "r1",
        .body = it->body_size ? large : text,
        .body_size = it->body_size ? it->body_size : (size_t)size,
        .deadline_ns = it->timeout_ns ? chainsi_now_ns() + it->timeout_ns : CHAINSI_NEVER,
        .interrupt = it->interrupt_fd >= 0 ? &interrupt : NULL,
    };
    chainsi_link_answer answer;
    chainsi_exchange_end end = chainsi_link_exchange(it->at->place.link, &request, &arena, &answer,
                                                     it->why, sizeof it->why);
    if (end == CHAINSI_EXCHANGE_ANSWERED && !answer.status) {
        assert_int_equal(answer.body_size, request.body_size);
        assert_memory_equal(answer.body, request.body, request.body_size);
        assert_int_equal(answer.body[answer.body_size], 0);
    }
    it->ends[end]++;
    it->last = end;
    chainsi_arena_done(&arena);
    if (it->finished)
        atomic_fetch_add(it->finished, 1);
}

static void *attend(void *user)
{
    guest *it = user;
    for (int i = 0; i < it->calls; i++)
        make_call(it, i);
    return NULL;
}

static guest make_guest(party *at, int calls)
{
    return (guest){ .at = at, .calls = calls, .interrupt_fd = -1 };
}

static void start_guests(guest *guests, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(pthread_create(&guests[i].thread, NULL, attend, &guests[i]), 0);
}

static int join_guests(guest *guests, int count, chainsi_exchange_end end)
{
    int ended = 0;
    for (int i = 0; i < count; i++) {
        pthread_join(guests[i].thread, NULL);
        ended += guests[i].ends[end];
    }
    return ended;
}

static void wait_until(const atomic_int *number, int least)
{
    while (atomic_load(number) < least)
        usleep(200);
}

/* Answers with the call's own body, and counts what it ran; what it read and didn't run had moved. */
static void run_echo(stand_in *it, int connection, const chainsi_frame *frame, const char *body)
{
    atomic_fetch_add((atomic_int *)it->user, 1);
    stand_in_echo(it, connection, frame, body);
}

/* ------------------------------------------------------------------------------------------------
 * sharing */

static void test_threads_share_a_connection(void **state)
{
    (void)state;
    enum { THREADS = 32, CALLS = 300 };
    party at;
    open_party(&at, 0);
    atomic_int runs = 0;
    stand_in replica = { .shared_fd = at.place.shared_fd, /* where a call goes that moves */
                         .board = at.place.board,
                         .slots = THREADS,
                         .handle = run_echo,
                         .user = &runs };
    stand_in_start(&replica);
    guest guests[THREADS];
    for (int i = 0; i < THREADS; i++)
        guests[i] = make_guest(&at, CALLS);
    start_guests(guests, THREADS);
    assert_int_equal(join_guests(guests, THREADS, CHAINSI_EXCHANGE_ANSWERED), THREADS * CALLS);
    stand_in_stop(&replica);
    assert_int_equal(runs, THREADS * CALLS);
    /* On a machine that stands still for long a call moves, which means that it goes alone. */
    const int moved = replica.calls - runs;
    assert_in_range(replica.accepted, 1, 1 + moved);
    assert_int_equal(replica.last.call.interface, 7);
    close_party(&at);
}

static void test_few_callers_have_connections_of_their_own(void **state)
{
    (void)state;
    party at;
    open_party(&at, 0);
    chainsi_joint_leave(at.joint, 0);
    stand_in replica = {
        .shared_fd = -1, .board = at.place.board, .slots = 2, .handle = stand_in_echo
    };
    stand_in_start(&replica);
    guest lone = make_guest(&at, 3);
    attend(&lone);
    assert_int_equal(lone.ends[CHAINSI_EXCHANGE_ANSWERED], 3);
    assert_int_equal(replica.last.head.flags, CHAINSI_FRAME_SOLE | CHAINSI_FRAME_KEEPS);
    chainsi_joint_enter(at.joint);
    attend(&lone);
    assert_int_equal(replica.last.head.flags, CHAINSI_FRAME_KEEPS);
    stand_in_stop(&replica);
    close_party(&at);
}

static void test_large_bodies_go_alone(void **state)
{
    (void)state;
    party at;
    open_party(&at, 0);
    stand_in replica = {
        .shared_fd = -1, .board = at.place.board, .slots = 2, .handle = stand_in_echo
    };
    stand_in_start(&replica);
    guest one = make_guest(&at, 1);
    one.body_size = CHAINSI_JOINT_BODY;
    attend(&one);
    assert_int_equal(replica.last.head.flags, CHAINSI_FRAME_KEEPS);
    one.body_size = CHAINSI_JOINT_BODY + 1;
    attend(&one);
    assert_int_equal(replica.last.head.flags, CHAINSI_FRAME_SOLE | CHAINSI_FRAME_KEEPS);
    /* After many large answers small calls go alone, too, until answers are small again. */
    one.calls = 100;
    one.body_size = 2 * CHAINSI_JOINT_BODY;
    attend(&one);
    one.calls = 1;
    one.body_size = 0;
    attend(&one);
    assert_int_equal(replica.last.head.flags, CHAINSI_FRAME_SOLE | CHAINSI_FRAME_KEEPS);
    one.calls = 100;
    attend(&one);
    assert_int_equal(replica.last.head.flags, CHAINSI_FRAME_KEEPS);
    stand_in_stop(&replica);
    close_party(&at);
}

/* More callers than slots: those that wait for one get them in turn, here in line or, where answers
 * don't come often enough, in the queue. */
static void test_callers_wait_in_line(void **state)
{
    (void)state;
    enum { THREADS = 48, CALLS = 200, SLOTS = 2 };
    party at;
    open_party(&at, 0);
    atomic_int runs = 0;
    stand_in replica = { .shared_fd = at.place.shared_fd,
                         .board = at.place.board,
                         .slots = SLOTS,
                         .handle = run_echo,
                         .user = &runs };
    stand_in_start(&replica);
    guest guests[THREADS];
    for (int i = 0; i < THREADS; i++)
        guests[i] = make_guest(&at, CALLS);
    start_guests(guests, THREADS);
    assert_int_equal(join_guests(guests, THREADS, CHAINSI_EXCHANGE_ANSWERED), THREADS * CALLS);
    stand_in_stop(&replica);
    assert_int_equal(runs, THREADS * CALLS);
    assert_int_equal(chainsi_board_waiting(at.place.board), 0);
    close_party(&at);
}

/* ------------------------------------------------------------------------------------------------
 * ends */

/* Keeps calls, and answers the ones that say so. */
typedef struct keeper {
    atomic_int kept;
    int connection;
    chainsi_frame frames[MOST_THREADS];
} keeper;

static void keep(stand_in *it, int connection, const chainsi_frame *frame, const char *body)
{
    keeper *its = it->user;
    (void)body;
    its->connection = connection;
    its->frames[atomic_load(&its->kept)] = *frame;
    atomic_fetch_add(&its->kept, 1);
}

/* A party with a replica that keeps all calls. */
typedef struct standstill {
    party at;
    keeper its;
    stand_in replica;
} standstill;

static void open_standstill(standstill *it, uint32_t slots)
{
    *it = (standstill){ .replica = { .shared_fd = -1, .handle = keep } };
    open_party(&it->at, 0);
    it->replica.slots = slots;
    it->replica.shared_fd = it->at.place.shared_fd; /* where a call goes that moves */
    it->replica.board = it->at.place.board;
    it->replica.user = &it->its;
    stand_in_start(&it->replica);
}

static void close_standstill(standstill *it)
{
    stand_in_stop(&it->replica);
    close_party(&it->at);
}

static void test_one_is_interrupted(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    standstill here;
    open_standstill(&here, THREADS);
    guest guests[THREADS];
    int fds[THREADS];
    for (int i = 0; i < THREADS; i++) {
        guests[i] = make_guest(&here.at, 1);
        guests[i].interrupt_fd = fds[i] = eventfd(0, EFD_CLOEXEC);
    }
    start_guests(guests, THREADS);
    wait_until(&here.its.kept, THREADS);
    /* One after the other, whoever leads. */
    for (int i = 0; i < THREADS; i++) {
        uint64_t one = 1;
        assert_int_equal(write(fds[i], &one, sizeof one), sizeof one);
        pthread_join(guests[i].thread, NULL);
        assert_int_equal(guests[i].last, CHAINSI_EXCHANGE_INTERRUPTED);
        close(fds[i]);
        /* It is told by a frame; the last one, and one that had moved to a connection of its own, by the
         * end of the connection. */
        while (atomic_load(&here.replica.cancels) + atomic_load(&here.replica.hang_ups) <= i)
            usleep(200);
    }
    assert_in_range(here.replica.accepted, 1, THREADS);
    wait_until(&here.replica.hang_ups, here.replica.accepted);
    close_standstill(&here);
}

/* What ends one call ends others, which are not told by descriptors of their own. */
static void test_many_are_interrupted(void **state)
{
    (void)state;
    enum { THREADS = 12 };
    standstill here;
    open_standstill(&here, THREADS);
    guest guests[THREADS];
    int told = eventfd(0, EFD_CLOEXEC), untold = eventfd(0, EFD_CLOEXEC);
    atomic_bool due = false;
    for (int i = 0; i < THREADS; i++) {
        guests[i] = make_guest(&here.at, 1);
        guests[i].interrupt_fd = i == THREADS / 2 ? told : untold;
        guests[i].due = &due;
    }
    start_guests(guests, THREADS);
    wait_until(&here.its.kept, THREADS);
    uint64_t one = 1;
    atomic_store(&due, true);
    assert_int_equal(write(told, &one, sizeof one), sizeof one);
    if (here.replica.accepted > 1) /* a slow machine: some have another connection */
        assert_int_equal(write(untold, &one, sizeof one), sizeof one);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(guests[i].thread, NULL);
        assert_int_equal(guests[i].last, CHAINSI_EXCHANGE_INTERRUPTED);
    }
    wait_until(&here.replica.hang_ups, here.replica.accepted);
    close(told);
    close(untold);
    close_standstill(&here);
}

/* Calls that nothing interrupts are beside those that are told by descriptors alone. */
static void test_some_cannot_be_interrupted(void **state)
{
    (void)state;
    enum { THREADS = 12, LATE_S = 20 };
    standstill here;
    open_standstill(&here, THREADS);
    guest guests[THREADS];
    for (int i = 0; i < THREADS; i++) {
        guests[i] = make_guest(&here.at, 1);
        if (i % 2) {
            guests[i].interrupt_fd = eventfd(0, EFD_CLOEXEC);
            guests[i].timeout_ns = LATE_S * INT64_C(1000000000);
        }
    }
    start_guests(guests, THREADS);
    wait_until(&here.its.kept, THREADS);
    for (int i = 1; i < THREADS; i += 2) {
        uint64_t one = 1;
        assert_int_equal(write(guests[i].interrupt_fd, &one, sizeof one), sizeof one);
        pthread_join(guests[i].thread, NULL);
        assert_int_equal(guests[i].last, CHAINSI_EXCHANGE_INTERRUPTED);
        close(guests[i].interrupt_fd);
    }
    stand_in_stop(&here.replica);
    for (int i = 0; i < THREADS; i += 2) {
        pthread_join(guests[i].thread, NULL);
        assert_int_equal(guests[i].last, CHAINSI_EXCHANGE_MAYBE_STARTED);
    }
    close_party(&here.at);
}

static void test_deadlines(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    standstill here;
    open_standstill(&here, THREADS);
    guest guests[THREADS];
    for (int i = 0; i < THREADS; i++) {
        guests[i] = make_guest(&here.at, 1);
        guests[i].timeout_ns = (60 - i * 10) * CHAINSI_NS_PER_MS;
    }
    const int64_t since_ns = chainsi_now_ns();
    start_guests(guests, THREADS);
    assert_int_equal(join_guests(guests, THREADS, CHAINSI_EXCHANGE_DEADLINE), THREADS);
    assert_true(chainsi_now_ns() - since_ns >= 60 * CHAINSI_NS_PER_MS);
    close_standstill(&here);
}

static void test_the_connection_is_lost(void **state)
{
    (void)state;
    enum { THREADS = 6 };
    standstill here;
    open_standstill(&here, THREADS);
    guest guests[THREADS];
    for (int i = 0; i < THREADS; i++)
        guests[i] = make_guest(&here.at, 1);
    start_guests(guests, THREADS);
    wait_until(&here.its.kept, THREADS);
    stand_in_kill(&here.replica);
    /* They were read, and may be running. */
    assert_int_equal(join_guests(guests, THREADS, CHAINSI_EXCHANGE_MAYBE_STARTED), THREADS);
    close_party(&here.at);
}

/* The last bytes that weren't read are a CANCEL: what was sent before it may be running. */
static void test_the_connection_is_lost_with_a_cancel(void **state)
{
    (void)state;
    enum { LATE_S = 20, STAYS = 0, LEAVES = 1 };
    standstill here;
    guest guests[2];
    bool together = false;
    while (!together) { /* a slow machine: they have a connection each */
        open_standstill(&here, 2);
        guests[STAYS] = make_guest(&here.at, 1);
        guests[STAYS].timeout_ns = LATE_S * INT64_C(1000000000);
        guests[LEAVES] = make_guest(&here.at, 1);
        guests[LEAVES].interrupt_fd = eventfd(0, EFD_CLOEXEC);
        start_guests(guests, 2);
        wait_until(&here.its.kept, 2);
        atomic_store(&here.replica.deaf, true);
        stand_in_wake(&here.replica);
        together = here.replica.accepted == 1;
        uint64_t one = 1;
        assert_int_equal(write(guests[LEAVES].interrupt_fd, &one, sizeof one), sizeof one);
        pthread_join(guests[LEAVES].thread, NULL);
        assert_int_equal(guests[LEAVES].last, CHAINSI_EXCHANGE_INTERRUPTED);
        close(guests[LEAVES].interrupt_fd);
        if (together) {
            /* The answer had been on its way, and is read. */
            const chainsi_frame *first = &here.its.frames[0], *second = &here.its.frames[1];
            int fd = here.replica.connections[0].fd, unread = 1;
            stand_in_answer(&here.replica, 0,
                            first->call.deadline_ns == CHAINSI_NEVER ? first : second, 0, "", 0);
            while (unread > 0) {
                usleep(200);
                assert_int_equal(ioctl(fd, SIOCOUTQ, &unread), 0);
            }
        }
        stand_in_kill(&here.replica);
        pthread_join(guests[STAYS].thread, NULL);
        assert_int_equal(guests[STAYS].last, CHAINSI_EXCHANGE_MAYBE_STARTED);
        close_party(&here.at);
    }
}

static void test_what_was_not_read_moves(void **state)
{
    (void)state;
    enum { THREADS = 6 };
    party at;
    open_party(&at, 0);
    stand_in deaf = { .shared_fd = -1,
                      .board = at.place.board,
                      .slots = THREADS,
                      .handle = stand_in_echo,
                      .deaf = true };
    stand_in_start(&deaf);
    guest guests[THREADS];
    for (int i = 0; i < THREADS; i++)
        guests[i] = make_guest(&at, 1);
    start_guests(guests, THREADS);
    while (chainsi_board_free_slots(at.place.board))
        usleep(200);
    stand_in other = {
        .shared_fd = -1, .board = at.place.board, .slots = THREADS, .handle = stand_in_echo
    };
    stand_in_start(&other);
    /* It stands still, and another has free slots. */
    assert_int_equal(join_guests(guests, THREADS, CHAINSI_EXCHANGE_ANSWERED), THREADS);
    assert_true(other.calls >= THREADS);
    stand_in_stop(&deaf);
    stand_in_stop(&other);
    close_party(&at);
}

static void answer_another(stand_in *it, int connection, const chainsi_frame *frame,
                           const char *body)
{
    (void)body;
    chainsi_frame wrong = *frame;
    wrong.head.id += 1000;
    stand_in_answer(it, connection, &wrong, 0, "", 0);
}

static void refuse(stand_in *it, int connection, const chainsi_frame *frame, const char *body)
{
    (void)body;
    chainsi_seat_free(&it->seat, frame->call.slot, -1);
    stand_in_refuse(it, connection, frame);
}

static void test_odd_answers(void **state)
{
    (void)state;
    party at;
    open_party(&at, 0);
    stand_in replica = {
        .shared_fd = -1, .board = at.place.board, .slots = 1, .handle = answer_another
    };
    stand_in_start(&replica);
    guest one = make_guest(&at, 1);
    attend(&one);
    assert_int_equal(one.last, CHAINSI_EXCHANGE_PROTOCOL);
    assert_non_null(strstr(one.why, "no answer"));
    replica.handle = refuse;
    attend(&one);
    assert_int_equal(one.last, CHAINSI_EXCHANGE_NOT_STARTED);
    replica.handle = stand_in_echo;
    attend(&one);
    assert_int_equal(one.last, CHAINSI_EXCHANGE_ANSWERED);
    stand_in_stop(&replica);
    close_party(&at);
}

/* ------------------------------------------------------------------------------------------------
 * stress */

/* Replicas come and go, some callers are interrupted or in a hurry: each call ends, and in one of the
 * ways that there are. */
static void test_calls_end_whatever_happens(void **state)
{
    (void)state;
    enum { THREADS = 40, CALLS = 400, REPLICAS = 3, SLOTS = 4 };
    party at;
    open_party(&at, 0);
    stand_in replicas[REPLICAS];
    for (int i = 0; i < REPLICAS; i++) {
        replicas[i] = (stand_in){ .shared_fd = at.place.shared_fd,
                                  .board = at.place.board,
                                  .slots = SLOTS,
                                  .handle = stand_in_echo };
        stand_in_start(&replicas[i]);
    }
    atomic_int finished = 0;
    guest guests[THREADS];
    for (int i = 0; i < THREADS; i++) {
        guests[i] = make_guest(&at, CALLS);
        guests[i].finished = &finished;
        if (i % 4 == 1)
            guests[i].timeout_ns = 25 * CHAINSI_NS_PER_MS;
        if (i % 8 == 2)
            guests[i].interrupt_fd = eventfd(0, EFD_CLOEXEC);
        if (i % 8 == 3)
            guests[i].body_size = CHAINSI_JOINT_BODY;
    }
    start_guests(guests, THREADS);
    for (int round = 1; round < 40; round++) {
        wait_until(&finished, round * THREADS * CALLS / 50);
        for (int i = 0; i < THREADS; i++) {
            uint64_t one = 1;
            if (guests[i].interrupt_fd >= 0 && round % 2)
                assert_int_equal(write(guests[i].interrupt_fd, &one, sizeof one), sizeof one);
            else if (guests[i].interrupt_fd >= 0)
                assert_int_equal(read(guests[i].interrupt_fd, &one, sizeof one), sizeof one);
        }
        stand_in *it = &replicas[round % REPLICAS];
        stand_in_kill(it);
        *it = (stand_in){ .shared_fd = at.place.shared_fd,
                          .board = at.place.board,
                          .slots = SLOTS,
                          .handle = stand_in_echo };
        stand_in_start(it);
    }
    int answered = join_guests(guests, THREADS, CHAINSI_EXCHANGE_ANSWERED);
    int ended = 0;
    for (int i = 0; i < THREADS; i++) {
        for (int end = 0; end <= CHAINSI_EXCHANGE_PROTOCOL; end++)
            ended += guests[i].ends[end];
        assert_int_equal(guests[i].ends[CHAINSI_EXCHANGE_PROTOCOL], 0);
        if (guests[i].interrupt_fd < 0)
            assert_int_equal(guests[i].ends[CHAINSI_EXCHANGE_INTERRUPTED], 0);
        else
            close(guests[i].interrupt_fd);
        if (!guests[i].timeout_ns)
            assert_int_equal(guests[i].ends[CHAINSI_EXCHANGE_DEADLINE], 0);
    }
    assert_int_equal(ended, THREADS * CALLS);
    assert_true(answered > ended / 2);
    assert_int_equal(chainsi_board_waiting(at.place.board), 0);
    for (int i = 0; i < REPLICAS; i++)
        stand_in_stop(&replicas[i]);
    close_party(&at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_share_a_connection),
        cmocka_unit_test(test_few_callers_have_connections_of_their_own),
        cmocka_unit_test(test_large_bodies_go_alone),
        cmocka_unit_test(test_callers_wait_in_line),
        cmocka_unit_test(test_one_is_interrupted),
        cmocka_unit_test(test_many_are_interrupted),
        cmocka_unit_test(test_some_cannot_be_interrupted),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_the_connection_is_lost),
        cmocka_unit_test(test_the_connection_is_lost_with_a_cancel),
        cmocka_unit_test(test_what_was_not_read_moves),
        cmocka_unit_test(test_odd_answers),
        cmocka_unit_test(test_calls_end_whatever_happens),
    };
    return cmocka_run_group_tests_name("joint", tests, NULL, NULL);
}
