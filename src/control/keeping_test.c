/* The brain's side, against a keeper that this test plays at the other end of the pair. */
#include "control/keeping.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 30000, MANY = 2000 };

typedef struct fixture {
    uv_loop_t loop;
    int keeper; /* the keeper's end */
    chainsi_keeping *keeping;
    unsigned stops;
    bool lost;
} fixture;

/* A process that notes what it is told. */
typedef struct noting {
    chainsi_kept_process process;
    int starts, ends;
    pid_t pid;
    int error, output, wait_status;
} noting;

static void note_start(chainsi_kept_process *process, pid_t pid, int error, int output)
{
    noting *it = (noting *)process;
    it->starts++;
    it->pid = pid;
    it->error = error;
    it->output = output;
}

static void note_end(chainsi_kept_process *process, int wait_status)
{
    noting *it = (noting *)process;
    it->ends++;
    it->wait_status = wait_status;
}

static noting make_noting(const char *name)
{
    return (noting){ .process = { .name = name, .on_started = note_start, .on_ended = note_end } };
}

static void note_stop(void *user, unsigned times)
{
    ((fixture *)user)->stops = times;
}

static void note_lost(void *user)
{
    ((fixture *)user)->lost = true;
}

static void say(const fixture *it, chainsi_command_kind kind, uint32_t number, const char *name,
                int value, int fd)
{
    chainsi_command command;
    assert_true(chainsi_command_make(&command, kind, name));
    command.number = number;
    command.value = value;
    command.pid = kind == CHAINSI_COMMAND_PROCESS ? 4711 : 0;
    assert_true(chainsi_command_send(it->keeper, &command, fd));
}

/* The next command that the brain has sent; its descriptor is closed. */
static chainsi_command hear(const fixture *it)
{
    chainsi_command command;
    int fd = -1;
    struct pollfd polled = { .fd = it->keeper, .events = POLLIN };
    assert_int_equal(poll(&polled, 1, PATIENCE_MS), 1);
    assert_int_equal(chainsi_command_receive(it->keeper, &command, &fd), 1);
    if (fd >= 0)
        close(fd);
    return command;
}

static void expect(const fixture *it, chainsi_command_kind kind, const char *name, int value)
{
    chainsi_command command = hear(it);
    assert_int_equal(command.kind, kind);
    assert_string_equal(command.name, name);
    assert_int_equal(command.value, value);
}

static void expect_nothing(const fixture *it)
{
    chainsi_command command;
    int fd;
    assert_int_equal(chainsi_command_receive(it->keeper, &command, &fd), -1);
    assert_int_equal(errno, EAGAIN);
}

/* With something held, a process that runs, one that has ended, and asked twice to end. */
static int begin(void **state)
{
    fixture *it = calloc(1, sizeof *it);
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    it->keeper = pair[0];
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    say(it, CHAINSI_COMMAND_ENDED, 0, "before the list", 0, -1);
    say(it, CHAINSI_COMMAND_HELD, 0, "socket", 0, fd);
    say(it, CHAINSI_COMMAND_PROCESS, 0, "runs", 0, fd);
    chainsi_command ended;
    chainsi_command_make(&ended, CHAINSI_COMMAND_PROCESS, "ended");
    ended.ended = 1;
    ended.value = SIGKILL;
    ended.note_size = 4;
    memcpy(ended.note, "note", 4);
    chainsi_command_send(it->keeper, &ended, -1);
    say(it, CHAINSI_COMMAND_DONE, 1, "", 2, -1);
    close(fd);
    uv_loop_init(&it->loop);
    it->keeping = chainsi_keeping_new(
        &it->loop, pair[1],
        &(chainsi_keeping_events){ .on_stop = note_stop, .on_lost = note_lost, .user = it });
    if (!it->keeping)
        return -1;
    expect(it, CHAINSI_COMMAND_LIST, "", 0);
    *state = it;
    return 0;
}

static int end(void **state)
{
    fixture *it = *state;
    chainsi_keeping_free(it->keeping);
    uv_run(&it->loop, UV_RUN_DEFAULT);
    int left = uv_loop_close(&it->loop);
    if (it->keeper >= 0)
        close(it->keeper);
    free(it);
    return left;
}

static void gives_what_was_found(void **state)
{
    fixture *it = *state;
    assert_int_equal(chainsi_keeping_stops(it->keeping), 2);
    assert_true(chainsi_keeping_has(it->keeping, "socket"));
    int fd = chainsi_keeping_take(it->keeping, "socket");
    assert_true(fd >= 0);
    close(fd);
    assert_false(chainsi_keeping_has(it->keeping, "socket"));
    assert_int_equal(chainsi_keeping_take(it->keeping, "socket"), -1);
    assert_int_equal(chainsi_keeping_take(it->keeping, "runs"), -1); /* that is a process */
    noting runs = make_noting("runs"), ended = make_noting("ended"), none = make_noting("socket");
    chainsi_command said;
    int output = -1;
    assert_false(chainsi_keeping_take_process(it->keeping, &none.process, &said, &output));
    assert_true(chainsi_keeping_take_process(it->keeping, &runs.process, &said, &output));
    assert_int_equal(said.pid, 4711);
    assert_false(said.ended);
    assert_true(output >= 0);
    close(output);
    assert_true(chainsi_keeping_take_process(it->keeping, &ended.process, &said, &output));
    assert_true(said.ended);
    assert_int_equal(said.value, SIGKILL);
    assert_memory_equal(said.note, "note", 4);
    assert_int_equal(output, -1);
    assert_null(chainsi_keeping_found(it->keeping));
    chainsi_keeping_settle(it->keeping);
    expect_nothing(it);
    say(it, CHAINSI_COMMAND_ENDED, 0, "runs", SIGTERM, -1);
    uv_run(&it->loop, UV_RUN_ONCE);
    assert_int_equal(runs.ends, 1);
    assert_int_equal(runs.wait_status, SIGTERM);
    assert_int_equal(ended.ends, 0);
}

static void settles_what_nobody_took(void **state)
{
    fixture *it = *state;
    chainsi_keeping_settle(it->keeping);
    assert_null(chainsi_keeping_found(it->keeping));
    expect(it, CHAINSI_COMMAND_FORGET, "ended", 0);
    expect(it, CHAINSI_COMMAND_SIGNAL, "runs", SIGKILL);
    expect(it, CHAINSI_COMMAND_RELEASE, "socket", 0);
    say(it, CHAINSI_COMMAND_ENDED, 0, "runs", SIGKILL, -1);
    uv_run(&it->loop, UV_RUN_ONCE);
    expect(it, CHAINSI_COMMAND_FORGET, "runs", 0);
}

static void what_is_held_anew_was_not_found(void **state)
{
    fixture *it = *state;
    chainsi_keeping_hold(it->keeping, "socket", 0);
    expect(it, CHAINSI_COMMAND_HOLD, "socket", 0);
    assert_false(chainsi_keeping_has(it->keeping, "socket"));
}

static const char *const environment[] = { NULL };
static const chainsi_order order = { .program = "/bin/true",
                                     .directory = "/",
                                     .environment = environment };

static void starts_signals_and_forgets_in_order(void **state)
{
    fixture *it = *state;
    noting first = make_noting("first"), second = make_noting("second");
    chainsi_keeping_start(it->keeping, &first.process, &order, "note", 4);
    chainsi_keeping_start(it->keeping, &second.process, &order, "", 0);
    chainsi_keeping_signal(it->keeping, &first.process, SIGTERM);
    chainsi_command command = hear(it);
    uint32_t number = command.number;
    assert_int_equal(command.kind, CHAINSI_COMMAND_START);
    assert_int_equal(command.note_size, 4);
    expect(it, CHAINSI_COMMAND_START, "second", 0);
    expect(it, CHAINSI_COMMAND_SIGNAL, "first", SIGTERM);

    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    chainsi_command_make(&command, CHAINSI_COMMAND_DONE, "first");
    command.number = number;
    command.pid = 4711;
    assert_true(chainsi_command_send(it->keeper, &command, fd));
    close(fd);
    chainsi_command_make(&command, CHAINSI_COMMAND_DONE, "second");
    command.number = number + 1;
    command.error = ENOENT;
    assert_true(chainsi_command_send(it->keeper, &command, -1));
    say(it, CHAINSI_COMMAND_DONE, number + 2, "first", 0, -1);
    say(it, CHAINSI_COMMAND_ENDED, 0, "first", SIGTERM, -1);
    uv_run(&it->loop, UV_RUN_ONCE);
    assert_int_equal(first.starts, 1);
    assert_int_equal(first.pid, 4711);
    assert_true(first.output >= 0);
    close(first.output);
    assert_int_equal(first.ends, 1);
    assert_int_equal(second.starts, 1);
    assert_int_equal(second.error, ENOENT);
    assert_int_equal(second.output, -1);
    chainsi_keeping_forget(it->keeping, &first.process);
    chainsi_keeping_forget(it->keeping, &first.process);                /* that is known already */
    chainsi_keeping_start(it->keeping, &second.process, &order, "", 0); /* again */
    expect(it, CHAINSI_COMMAND_FORGET, "first", 0);
    expect(it, CHAINSI_COMMAND_START, "second", 0);
    expect_nothing(it);
}

static void a_full_socket_is_waited_for(void **state)
{
    fixture *it = *state;
    for (int i = 0; i < MANY; i++)
        chainsi_keeping_release(it->keeping, i % 2 ? "odd" : "even");
    for (int i = 0; i < MANY; i++) {
        chainsi_command command;
        int fd;
        /* What has room goes out by the loop. */
        while (chainsi_command_receive(it->keeper, &command, &fd) != 1) {
            assert_int_equal(errno, EAGAIN);
            assert_true(uv_run(&it->loop, UV_RUN_NOWAIT) != 0);
        }
        assert_int_equal(command.number, i + 2);
        assert_string_equal(command.name, i % 2 ? "odd" : "even");
    }
    chainsi_keeping_release(it->keeping, "last");
    chainsi_keeping_flush(it->keeping);
    expect(it, CHAINSI_COMMAND_RELEASE, "last", 0);
}

static void tells_of_stops_and_of_the_end(void **state)
{
    fixture *it = *state;
    say(it, CHAINSI_COMMAND_STOP, 0, "", 3, -1);
    uv_run(&it->loop, UV_RUN_ONCE);
    assert_int_equal(it->stops, 3);
    assert_false(it->lost);
    close(it->keeper);
    it->keeper = -1;
    uv_run(&it->loop, UV_RUN_ONCE);
    assert_true(it->lost);
    chainsi_keeping_release(it->keeping, "nobody hears that");
    chainsi_keeping_flush(it->keeping);
}

static void a_keeper_that_is_gone_is_noticed_at_once(void **state)
{
    (void)state;
    uv_loop_t loop;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
                     0);
    close(pair[0]);
    uv_loop_init(&loop);
    chainsi_keeping_events events = { note_stop, note_lost, NULL };
    assert_null(chainsi_keeping_new(&loop, pair[1], &events));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gives_what_was_found, begin, end),
        cmocka_unit_test_setup_teardown(settles_what_nobody_took, begin, end),
        cmocka_unit_test_setup_teardown(what_is_held_anew_was_not_found, begin, end),
        cmocka_unit_test_setup_teardown(starts_signals_and_forgets_in_order, begin, end),
        cmocka_unit_test_setup_teardown(a_full_socket_is_waited_for, begin, end),
        cmocka_unit_test_setup_teardown(tells_of_stops_and_of_the_end, begin, end),
        cmocka_unit_test(a_keeper_that_is_gone_is_noticed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
