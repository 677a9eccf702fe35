/* The board: states of slots, choice of the replica, counting, and many threads at once. */
#include "rpc/board.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

static chainsi_board *make(uint32_t max_queue)
{
    int fd = chainsi_board_create(max_queue);
    assert_true(fd >= 0);
    chainsi_board *board = chainsi_board_open(fd);
    assert_non_null(board);
    close(fd);
    return board;
}

static chainsi_seat join(chainsi_board *board, uint32_t slots, uint64_t incarnation)
{
    chainsi_seat seat;
    assert_true(chainsi_board_join(board, slots, incarnation, &seat));
    return seat;
}

/* Has a slot of the seat take so long, once. */
static void run_once(const chainsi_seat *seat, int64_t run_ns)
{
    int slot = chainsi_seat_take(seat);
    assert_true(slot >= 0);
    chainsi_seat_free(seat, (uint32_t)slot, run_ns);
}

static void test_life_of_a_slot(void **state)
{
    (void)state;
    chainsi_board *board = make(0);
    chainsi_claim claim, other;
    assert_false(chainsi_board_claim(board, 0, 0, &claim));
    chainsi_seat seat = join(board, 1, 7);
    uint32_t replicas;
    assert_int_equal(chainsi_board_slots(board, &replicas), 1);
    assert_int_equal(replicas, 1);

    assert_true(chainsi_board_claim(board, 0, 0, &claim));
    assert_true(claim.incarnation == 7);
    assert_true(chainsi_board_is_waiting(board, &claim));
    assert_false(chainsi_board_claim(board, 0, 0, &other));
    assert_int_equal(chainsi_seat_take(&seat), -1);
    assert_false(chainsi_seat_start(&seat, claim.slot, claim.word + 4));
    assert_false(chainsi_seat_start(&seat, 1, claim.word));
    assert_false(chainsi_seat_start(&seat, CHAINSI_BOARD_SLOTS, claim.word));
    assert_true(chainsi_seat_start(&seat, claim.slot, claim.word));
    assert_false(chainsi_board_is_waiting(board, &claim));
    assert_false(chainsi_seat_start(&seat, claim.slot, claim.word));
    assert_false(chainsi_board_withdraw(board, &claim));
    assert_int_equal(chainsi_board_free_slots(board), 0);
    chainsi_seat_free(&seat, claim.slot, 1000);
    assert_int_equal(chainsi_board_free_slots(board), 1);
    assert_false(chainsi_seat_start(&seat, claim.slot, claim.word));

    assert_true(chainsi_board_claim(board, 0, 0, &other));
    assert_true(other.word != claim.word);
    assert_true(chainsi_board_withdraw(board, &other));
    assert_false(chainsi_board_withdraw(board, &other));
    assert_false(chainsi_seat_start(&seat, other.slot, other.word));
    run_once(&seat, 5);
    chainsi_board_close(board);
}

static void test_leaving_and_joining(void **state)
{
    (void)state;
    chainsi_board *board = make(0);
    chainsi_seat seat = join(board, 3, 7);
    chainsi_claim claims[4];
    assert_int_equal(chainsi_board_claim_many(board, 0, 0, claims, 4), 3);
    assert_true(chainsi_seat_start(&seat, claims[0].slot, claims[0].word));
    assert_true(chainsi_board_withdraw(board, &claims[1]));
    chainsi_seat_leave(&seat);
    assert_false(chainsi_seat_start(&seat, claims[2].slot, claims[2].word));
    assert_int_equal(chainsi_seat_take(&seat), -1);
    assert_int_equal(chainsi_board_slots(board, NULL), 0);
    chainsi_seat_free(&seat, claims[0].slot, 1);
    assert_false(chainsi_board_claim(board, 0, 0, &claims[0]));
    /* The row stays its process's own: another replica gets another. */
    chainsi_seat second = join(board, 2, 8);
    assert_true(second.row != seat.row);
    assert_int_equal(chainsi_board_claim_many(board, 0, 0, claims, 4), 2);
    assert_true(claims[0].incarnation == 8 && claims[1].incarnation == 8);
    chainsi_board_close(board);
}

static void test_killed_replica(void **state)
{
    (void)state;
    chainsi_board *board = make(1);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        chainsi_seat seat;
        _exit(chainsi_board_join(board, 1, 7, &seat) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    chainsi_claim claim;
    assert_true(chainsi_board_claim(board, 0, 0, &claim)); /* nobody has noticed yet */
    chainsi_board_bury(board, 7);
    assert_false(chainsi_board_claim(board, 0, 0, &claim));
    assert_int_equal(chainsi_board_slots(board, NULL), 0);
    chainsi_board_bury(board, 0);
    chainsi_board_close(board);
}

/* Claims of callers that died before they sent are not load for ever. */
static void test_dead_callers(void **state)
{
    (void)state;
    int fd = chainsi_board_create(0);
    chainsi_board *board = chainsi_board_open(fd);
    chainsi_seat seat = join(board, 3, 8);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        chainsi_claim claims[2];
        _exit(chainsi_board_claim_many(chainsi_board_open(fd), 0, 0, claims, 2) == 2 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    chainsi_claim own;
    assert_true(chainsi_board_claim(board, 0, 0, &own));
    assert_int_equal(chainsi_board_free_slots(board), 0);
    chainsi_board_bury_dead(board);
    assert_int_equal(chainsi_board_free_slots(board), 2);
    chainsi_claim next;
    assert_true(chainsi_board_claim(board, 0, 0, &next));
    assert_true(chainsi_board_withdraw(board, &own));
    assert_true(chainsi_board_withdraw(board, &next));
    assert_int_equal(chainsi_seat_leave(&seat), 0);
    chainsi_board_close(board);
    close(fd);
}

/* A replica in the first row that nobody has who lives. */
static pid_t join_and_die(int fd, uint64_t incarnation)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        chainsi_seat seat;
        _exit(!chainsi_board_join(chainsi_board_open(fd), 1, incarnation, &seat));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return child;
}

static void test_dead_replicas(void **state)
{
    (void)state;
    int fd = chainsi_board_create(0);
    chainsi_board *board = chainsi_board_open(fd);
    int ready[2], over[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(over), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        chainsi_seat seat;
        char byte = 0;
        bool runs = chainsi_board_join(chainsi_board_open(fd), 2, 7, &seat) &&
                    chainsi_seat_take(&seat) >= 0 && write(ready[1], &byte, 1) == 1;
        _exit(runs && read(over[0], &byte, 1) == 1 ? 0 : 1);
    }
    char byte = 0;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    chainsi_seat own = join(board, 1, 8);
    chainsi_board_bury_dead(board); /* nobody is */
    uint32_t replicas;
    assert_int_equal(chainsi_board_slots(board, &replicas), 3);
    assert_int_equal(replicas, 2);
    assert_int_equal(write(over[1], &byte, 1), 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(chainsi_board_free_slots(board), 2); /* as if it ran its call for ever */
    chainsi_board_bury_dead(board);
    assert_int_equal(chainsi_board_slots(board, &replicas), 1);
    assert_int_equal(replicas, 1);
    chainsi_claim claim;
    assert_true(chainsi_board_claim(board, 7, 0, &claim));
    assert_true(claim.incarnation == 8);
    /* Who it was is known, also when another one has its row already, until the next. */
    assert_true(chainsi_board_incarnation(board, child) == 7);
    assert_true(chainsi_board_incarnation(board, getpid()) == 8);
    assert_true(chainsi_board_incarnation(board, 0) == 0);
    pid_t next = join_and_die(fd, 9), last = join_and_die(fd, 10);
    assert_true(chainsi_board_incarnation(board, last) == 10);
    assert_true(chainsi_board_incarnation(board, next) == 9);
    assert_true(chainsi_board_incarnation(board, child) == 0);
    chainsi_seat_leave(&own);
    chainsi_board_close(board);
    close(fd);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(over[i]);
    }
}

static void test_looking_from_outside(void **state)
{
    (void)state;
    chainsi_board *board = make(0);
    uint32_t busy = 99;
    uint64_t average_ns = 99, turns = chainsi_board_turns(board);
    assert_false(chainsi_board_look(board, getpid(), &busy, &average_ns));
    assert_int_equal(busy, 99);
    chainsi_seat seat = join(board, 3, 7);
    assert_true(chainsi_board_look(board, getpid(), &busy, &average_ns));
    assert_int_equal(busy, 0);
    assert_int_equal(average_ns, 0);
    turns = chainsi_board_turns(board);
    chainsi_claim claim;
    assert_true(chainsi_board_claim(board, 0, 0, &claim));
    int slot = chainsi_seat_take(&seat);
    assert_true(chainsi_board_look(board, getpid(), &busy, &average_ns));
    assert_int_equal(busy, 2);
    assert_true(chainsi_board_turns(board) == turns);
    chainsi_seat_free(&seat, (uint32_t)slot, 1000);
    assert_true(chainsi_board_turns(board) != turns);
    turns = chainsi_board_turns(board);
    assert_true(chainsi_board_look(board, getpid(), &busy, &average_ns));
    assert_int_equal(busy, 1);
    assert_int_equal(average_ns, 1000);
    /* What left is no replica to look at, and to leave is no call. */
    chainsi_seat_leave(&seat);
    assert_false(chainsi_board_look(board, getpid(), &busy, &average_ns));
    assert_true(chainsi_board_turns(board) == turns);
    chainsi_board_close(board);
}

static void test_fastest_first(void **state)
{
    (void)state;
    chainsi_board *board = make(0);
    chainsi_seat slow = join(board, 2, 1), fast = join(board, 2, 2);
    run_once(&slow, 50000);
    run_once(&fast, 1000);
    chainsi_claim claims[5];
    assert_int_equal(chainsi_board_claim_many(board, 0, 0, claims, 5), 2);
    assert_true(claims[0].incarnation == 2);
    assert_int_equal(chainsi_board_claim_many(board, 0, 0, claims + 2, 3), 2);
    assert_true(claims[2].incarnation == 1);
    for (int i = 0; i < 4; i++)
        assert_true(chainsi_board_withdraw(board, &claims[i]));

    /* Preferred only where it is about as fast; avoided at any price. */
    assert_true(chainsi_board_claim(board, 1, 0, &claims[0]));
    assert_true(claims[0].incarnation == 2);
    assert_true(chainsi_board_withdraw(board, &claims[0]));
    assert_true(chainsi_board_claim(board, 0, 2, &claims[0]));
    assert_true(claims[0].incarnation == 1);
    assert_true(chainsi_board_withdraw(board, &claims[0]));
    chainsi_seat similar = join(board, 1, 3);
    run_once(&similar, 1200);
    assert_true(chainsi_board_claim(board, 3, 0, &claims[0]));
    assert_true(claims[0].incarnation == 3);
    assert_true(chainsi_board_withdraw(board, &claims[0]));
    /* One that nobody knows yet is tried. */
    join(board, 1, 4);
    assert_true(chainsi_board_claim(board, 0, 0, &claims[0]));
    assert_true(claims[0].incarnation == 4);
    /* The average moves. */
    for (int i = 0; i < 60; i++)
        run_once(&slow, 10);
    assert_true(chainsi_board_claim(board, 0, 0, &claims[0]));
    assert_true(claims[0].incarnation == 1);
    chainsi_board_close(board);
}

static void test_revoking(void **state)
{
    (void)state;
    chainsi_board *board = make(0);
    chainsi_seat seat = join(board, 2, 9);
    int64_t oldest;
    assert_int_equal(chainsi_seat_revoke(&seat, chainsi_now_ns(), &oldest), 0);
    assert_true(oldest == CHAINSI_NEVER);
    chainsi_claim claim;
    int64_t before = chainsi_now_ns();
    assert_true(chainsi_board_claim(board, 0, 0, &claim));
    int64_t after = chainsi_now_ns();
    assert_int_equal(chainsi_seat_revoke(&seat, before - 2 * CHAINSI_NS_PER_MS, &oldest), 0);
    assert_true(oldest >= before - 2 * CHAINSI_NS_PER_MS && oldest <= chainsi_now_ns());
    assert_true(chainsi_board_is_waiting(board, &claim));
    assert_int_equal(chainsi_seat_revoke(&seat, after + 2 * CHAINSI_NS_PER_MS, &oldest), 1);
    assert_true(oldest == CHAINSI_NEVER);
    assert_false(chainsi_board_is_waiting(board, &claim));
    assert_false(chainsi_seat_start(&seat, claim.slot, claim.word));
    assert_int_equal(chainsi_board_free_slots(board), 2);
    chainsi_board_close(board);
}

static void test_waiting_calls_are_counted(void **state)
{
    (void)state;
    chainsi_board *board = make(2);
    assert_true(chainsi_board_enter_queue(board));
    assert_true(chainsi_board_enter_queue(board));
    assert_int_equal(chainsi_board_waiting(board), 2);
    assert_false(chainsi_board_enter_queue(board));
    assert_int_equal(chainsi_board_waiting(board), 2);
    chainsi_board_leave_queue(board);
    assert_true(chainsi_board_enter_queue(board));
    chainsi_board_leave_queue(board);
    chainsi_board_leave_queue(board);
    assert_int_equal(chainsi_board_waiting(board), 0);
    chainsi_board_close(board);
}

static void test_waiting_calls_of_the_dead(void **state)
{
    (void)state;
    int fd = chainsi_board_create(1);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(chainsi_board_enter_queue(chainsi_board_open(fd)) ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    chainsi_board *board = chainsi_board_open(fd);
    assert_true(chainsi_board_enter_queue(board));
    assert_false(chainsi_board_enter_queue(board));
    assert_int_equal(chainsi_board_waiting(board), 1);
    chainsi_board_close(board);
    close(fd);
}

/* Whatever a caller is killed in the midst of: its calls don't count any more, and nobody else's are lost. */
static void test_callers_killed_at_any_moment(void **state)
{
    (void)state;
    enum { TIMES = 50 };
    int fd = chainsi_board_create(1000), begun[2];
    chainsi_board *board = chainsi_board_open(fd);
    assert_true(chainsi_board_enter_queue(board));
    for (int i = 0; i < TIMES; i++) {
        assert_int_equal(pipe(begun), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            chainsi_board *own = chainsi_board_open(fd);
            for (bool told = false;; told = true) {
                chainsi_board_enter_queue(own);
                chainsi_board_leave_queue(own);
                if (!told && write(begun[1], "", 1) != 1)
                    _exit(1);
            }
        }
        char byte;
        assert_int_equal(read(begun[0], &byte, 1), 1);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        close(begun[0]);
        close(begun[1]);
        assert_int_equal(chainsi_board_waiting(board), 1);
    }
    chainsi_board_leave_queue(board);
    assert_int_equal(chainsi_board_waiting(board), 0);
    chainsi_board_close(board);
    close(fd);
}

static void test_no_board(void **state)
{
    (void)state;
    int fd = memfd_create("other", MFD_CLOEXEC);
    assert_null(chainsi_board_open(fd));
    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_null(chainsi_board_open(fd));
    close(fd);
    assert_null(chainsi_board_open(-1));
    chainsi_seat none = { 0 };
    int64_t oldest;
    assert_int_equal(chainsi_seat_take(&none), -1);
    assert_false(chainsi_seat_start(&none, 0, 0));
    assert_int_equal(chainsi_seat_revoke(&none, 0, &oldest), 0);
    chainsi_seat_free(&none, 0, 0);
    chainsi_seat_leave(&none);
    chainsi_board_close(NULL);
}

static void test_limits(void **state)
{
    (void)state;
    chainsi_board *board = make(0);
    for (uint64_t i = 1; i <= CHAINSI_BOARD_ROWS; i++)
        join(board, i == 1 ? CHAINSI_BOARD_SLOTS + 1 : 1, i);
    chainsi_seat seat;
    assert_false(chainsi_board_join(board, 1, 1000, &seat));
    uint32_t replicas;
    assert_int_equal(chainsi_board_slots(board, &replicas),
                     CHAINSI_BOARD_SLOTS + CHAINSI_BOARD_ROWS - 1);
    assert_int_equal(replicas, CHAINSI_BOARD_ROWS);
    chainsi_board_close(board);
}

static void test_address(void **state)
{
    (void)state;
    struct sockaddr_un address;
    uint32_t size = chainsi_board_address(UINT64_C(0xab), &address);
    assert_int_equal(size, offsetof(struct sockaddr_un, sun_path) + 1 + 7 + 16);
    assert_int_equal(address.sun_path[0], 0);
    assert_memory_equal(address.sun_path + 1, "chains-00000000000000ab", 23);
}

/* Threads that claim, withdraw, start, take, free and revoke at once: a slot never has two users,
 * and none is lost. */
enum { REPLICAS = 3, SLOTS = 5, CALLERS = 4, ROUNDS = 20000 };

typedef struct crowd {
    chainsi_board *board;
    chainsi_seat seats[REPLICAS];
    atomic_int users[REPLICAS][SLOTS];
    atomic_int broken, ran;
} crowd;

static void use(crowd *all, int replica, uint32_t slot)
{
    atomic_int *users = &all->users[replica][slot];
    if (atomic_fetch_add(users, 1) != 0)
        atomic_fetch_add(&all->broken, 1);
    atomic_fetch_sub(users, 1);
    atomic_fetch_add(&all->ran, 1);
    chainsi_seat_free(&all->seats[replica], slot, 1 + slot);
}

static void *call(void *user)
{
    crowd *all = user;
    for (int i = 0; i < ROUNDS; i++) {
        chainsi_claim claims[3];
        size_t count = chainsi_board_claim_many(all->board, 0, 0, claims, 1 + (size_t)i % 3);
        for (size_t k = 0; k < count; k++) {
            int replica = (int)claims[k].incarnation - 1;
            if (i % 7 == 0 && chainsi_board_withdraw(all->board, &claims[k])) {
                if (chainsi_seat_start(&all->seats[replica], claims[k].slot, claims[k].word))
                    atomic_fetch_add(&all->broken, 1);
                continue;
            }
            if (chainsi_seat_start(&all->seats[replica], claims[k].slot, claims[k].word))
                use(all, replica, claims[k].slot);
        }
    }
    return NULL;
}

static void *serve_queue(void *user)
{
    crowd *all = user;
    for (int i = 0; i < ROUNDS; i++) {
        int replica = i % REPLICAS;
        int slot = chainsi_seat_take(&all->seats[replica]);
        if (slot >= 0)
            use(all, replica, (uint32_t)slot);
        int64_t oldest;
        if (i % 50 == 0)
            chainsi_seat_revoke(&all->seats[replica], CHAINSI_NEVER, &oldest);
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    (void)state;
    static crowd all;
    all.board = make(0);
    for (int i = 0; i < REPLICAS; i++)
        all.seats[i] = join(all.board, SLOTS, (uint64_t)i + 1);
    pthread_t threads[CALLERS + 1];
    for (int i = 0; i <= CALLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i < CALLERS ? call : serve_queue, &all),
                         0);
    for (int i = 0; i <= CALLERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&all.broken), 0);
    assert_true(atomic_load(&all.ran) > ROUNDS);
    assert_int_equal(chainsi_board_free_slots(all.board), REPLICAS * SLOTS);
    chainsi_claim claims[REPLICAS * SLOTS];
    size_t got = 0, more;
    while ((more = chainsi_board_claim_many(all.board, 0, 0, claims + got,
                                            REPLICAS * SLOTS - got)) > 0)
        got += more;
    assert_int_equal(got, REPLICAS * SLOTS);
    chainsi_board_close(all.board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life_of_a_slot),
        cmocka_unit_test(test_leaving_and_joining),
        cmocka_unit_test(test_killed_replica),
        cmocka_unit_test(test_dead_replicas),
        cmocka_unit_test(test_dead_callers),
        cmocka_unit_test(test_looking_from_outside),
        cmocka_unit_test(test_fastest_first),
        cmocka_unit_test(test_revoking),
        cmocka_unit_test(test_waiting_calls_are_counted),
        cmocka_unit_test(test_waiting_calls_of_the_dead),
        cmocka_unit_test(test_callers_killed_at_any_moment),
        cmocka_unit_test(test_no_board),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
