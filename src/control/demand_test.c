/* What is asked of a Chainlet, with a real listening socket and a real board. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "control/demand.h"

enum { CALLERS = 5, BACKLOG = 16 };

typedef struct place {
    char folder[40];
    struct sockaddr_un address;
    int diag_fd, listen_fd;
} place;

static int open_place(void **state)
{
    place *made = calloc(1, sizeof *made);
    assert_non_null(made);
    snprintf(made->folder, sizeof made->folder, "/tmp/chains-demand-XXXXXX");
    assert_non_null(mkdtemp(made->folder));
    made->address.sun_family = AF_UNIX;
    snprintf(made->address.sun_path, sizeof made->address.sun_path, "%s/s", made->folder);
    made->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(made->listen_fd, (void *)&made->address, sizeof made->address), 0);
    assert_int_equal(listen(made->listen_fd, BACKLOG), 0);
    made->diag_fd = chainsi_demand_open();
    assert_true(made->diag_fd >= 0);
    *state = made;
    return 0;
}

static int close_place(void **state)
{
    place *made = *state;
    close(made->diag_fd);
    close(made->listen_fd);
    unlink(made->address.sun_path);
    rmdir(made->folder);
    free(made);
    return 0;
}

static int connect_to(const place *made)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const void *)&made->address, sizeof made->address), 0);
    return fd;
}

static void the_queue_of_a_socket_is_counted(void **state)
{
    place *made = *state;
    int callers[CALLERS];
    uint32_t queued = 99;
    assert_true(chainsi_demand_queued(made->diag_fd, made->listen_fd, &queued));
    assert_int_equal(queued, 0);
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = connect_to(made);
        assert_true(chainsi_demand_queued(made->diag_fd, made->listen_fd, &queued));
        assert_int_equal(queued, i + 1);
    }
    int accepted = accept4(made->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(chainsi_demand_queued(made->diag_fd, made->listen_fd, &queued));
    assert_int_equal(queued, CALLERS - 1);
    chainsi_demand demand = chainsi_demand_read(made->diag_fd, made->listen_fd, NULL);
    assert_int_equal(demand.waiting, CALLERS - 1);
    assert_int_equal(demand.running, 0);
    close(accepted);
    for (int i = 0; i < CALLERS; i++)
        close(callers[i]);
}

static void what_does_not_listen_has_no_queue(void **state)
{
    place *made = *state;
    uint32_t queued = 99;
    int fd = connect_to(made);
    assert_false(chainsi_demand_queued(made->diag_fd, fd, &queued));
    close(fd);
    assert_false(chainsi_demand_queued(made->diag_fd, STDERR_FILENO, &queued));
    assert_false(chainsi_demand_queued(made->diag_fd, -1, &queued));
    assert_int_equal(errno, EBADF);
    assert_int_equal(queued, 99);
    /* The next question isn't answered with what was left over. */
    assert_true(chainsi_demand_queued(made->diag_fd, made->listen_fd, &queued));
    assert_int_equal(queued, 1);
}

static void the_board_tells_what_runs(void **state)
{
    place *made = *state;
    int board_fd = chainsi_board_create(0);
    chainsi_board *board = chainsi_board_open(board_fd);
    assert_non_null(board);
    chainsi_demand demand = chainsi_demand_read(made->diag_fd, made->listen_fd, board);
    assert_int_equal(demand.slots, 0);
    assert_int_equal(demand.running, 0);
    chainsi_seat seats[2];
    for (uint64_t i = 0; i < 2; i++)
        assert_true(chainsi_board_join(board, 3, i + 1, &seats[i]));
    chainsi_claim claim;
    assert_true(chainsi_board_claim(board, 0, 0, &claim));
    int taken = chainsi_seat_take(&seats[0]);
    assert_true(taken >= 0);
    demand = chainsi_demand_read(made->diag_fd, made->listen_fd, board);
    assert_int_equal(demand.slots, 6);
    assert_int_equal(demand.replicas, 2);
    assert_int_equal(demand.running, 2);
    assert_int_equal(demand.waiting, 0);
    /* Three more that went by the queue: one of them may be what runs. */
    for (int i = 0; i < 5; i++)
        assert_true(chainsi_board_enter_queue(board));
    demand = chainsi_demand_read(made->diag_fd, made->listen_fd, board);
    assert_int_equal(demand.waiting, 3);
    int callers[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        callers[i] = connect_to(made);
    demand = chainsi_demand_read(made->diag_fd, made->listen_fd, board);
    assert_int_equal(demand.waiting, CALLERS);
    for (int i = 0; i < CALLERS; i++)
        close(callers[i]);
    for (int i = 0; i < 5; i++)
        chainsi_board_leave_queue(board);
    uint64_t turns = demand.turns;
    chainsi_seat_free(&seats[0], (uint32_t)taken, 1000);
    assert_true(chainsi_board_withdraw(board, &claim));
    demand = chainsi_demand_read(made->diag_fd, made->listen_fd, board);
    assert_int_equal(demand.running, 0);
    assert_true(demand.turns != turns);
    chainsi_seat_leave(&seats[1]);
    demand = chainsi_demand_read(made->diag_fd, made->listen_fd, board);
    assert_int_equal(demand.slots, 3);
    assert_int_equal(demand.replicas, 1);
    chainsi_board_close(board);
    close(board_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_queue_of_a_socket_is_counted, open_place, close_place),
        cmocka_unit_test_setup_teardown(what_does_not_listen_has_no_queue, open_place, close_place),
        cmocka_unit_test_setup_teardown(the_board_tells_what_runs, open_place, close_place),
    };
    return cmocka_run_group_tests_name("demand", tests, NULL, NULL);
}
