/* Who looks again when no slot was free, while callers claim slots and withdraw their claims. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "rpc/board.h"
#include "rpc/serving.h"

enum { LOOKS = 20000, CLAIMERS = 2 };

typedef struct claimer {
    chainsi_board *board;
    atomic_bool *stop;
    pthread_t thread;
} claimer;

static void *claim_and_withdraw(void *user)
{
    claimer *self = user;
    chainsi_claim claim;
    while (!atomic_load(self->stop))
        if (chainsi_board_claim(self->board, 0, 0, &claim))
            assert_true(chainsi_board_withdraw(self->board, &claim));
    return NULL;
}

/* Nothing runs, so nobody frees a slot who would look at the queue: whoever doesn't serve it has to see
 * to it that somebody looks later, however the claims come and go between his own looks. */
static void withdrawn_claims(void **state)
{
    (void)state;
    int fd = chainsi_board_create(0);
    chainsi_board *board = chainsi_board_open(fd);
    assert_non_null(board);
    close(fd);
    chainsi_seat seat;
    assert_true(chainsi_board_join(board, 1, 7, &seat));
    chainsi_server server = {
        .local = true,
        .options.listen_fd = -1,
        .table.epoll = -1,
        .doorbell = -1,
        .claims_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC),
    };
    chainsi_worker self = { .server = &server, .place = CHAINSI_NO_PLACE, .run_ns = -1 };
    chainsi_places_init(&server.places, 1, &seat);
    atomic_bool stop = false;
    claimer claimers[CLAIMERS];
    for (int i = 0; i < CLAIMERS; i++) {
        claimers[i] = (claimer){ .board = board, .stop = &stop };
        assert_int_equal(
            pthread_create(&claimers[i].thread, NULL, claim_and_withdraw, &claimers[i]), 0);
    }
    int served = 0;
    for (int i = 0; i < LOOKS; i++) {
        atomic_store(&server.listener_left, true); /* a call waits in the kernel's queue */
        chainsi_queue_check_claims(&self);
        /* Serving it ends in arming the socket for the next. */
        bool armed = !atomic_load(&server.listener_left);
        served += armed;
        assert_true(armed || atomic_load(&server.claims_watched));
        assert_int_equal(self.place, CHAINSI_NO_PLACE);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < CLAIMERS; i++)
        pthread_join(claimers[i].thread, NULL);
    assert_true(served > 0);
    assert_int_equal(chainsi_board_free_slots(board), 1);
    close(server.claims_timer);
    chainsi_board_close(board);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(withdrawn_claims) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
