/* Packets and orders: what was sent arrives, and nonsense is refused. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/command.h"

static int pair[2];

static int open_pair(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair);
}

static int close_pair(void **state)
{
    (void)state;
    if (pair[0] >= 0)
        close(pair[0]);
    close(pair[1]);
    return 0;
}

static void arrives_as_it_was_sent(void **state)
{
    (void)state;
    static const uint32_t sizes[] = { 0, 1, CHAINSI_COMMAND_MAX_NOTE };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        chainsi_command sent, got;
        assert_true(chainsi_command_make(&sent, CHAINSI_COMMAND_NOTE, "x/1/entry"));
        sent.number = 7;
        sent.error = ENOENT;
        sent.value = -3;
        sent.pid = 4711;
        sent.ended = 1;
        sent.since_ns = INT64_MAX - 1;
        sent.note_size = sizes[i];
        memset(sent.note, 'n', sizes[i]);
        int fd = 99;
        assert_true(chainsi_command_send(pair[0], &sent, -1));
        assert_int_equal(chainsi_command_receive(pair[1], &got, &fd), 1);
        assert_int_equal(fd, -1);
        assert_memory_equal(&got, &sent, offsetof(chainsi_command, note) + sizes[i]);
    }
}

static void a_descriptor_travels(void **state)
{
    (void)state;
    chainsi_command command;
    int pipe_ends[2], fd = -1;
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
    assert_true(chainsi_command_make(&command, CHAINSI_COMMAND_HOLD, "pipe"));
    assert_true(chainsi_command_send(pair[0], &command, pipe_ends[1]));
    assert_int_equal(chainsi_command_receive(pair[1], &command, &fd), 1);
    assert_true(fd >= 0 && fd != pipe_ends[1]);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    char byte;
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(read(pipe_ends[0], &byte, 1), 1);
    close(fd);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void names_have_a_limit(void **state)
{
    (void)state;
    chainsi_command command;
    char name[CHAINSI_COMMAND_MAX_NAME + 1];
    memset(name, 'x', sizeof name);
    name[CHAINSI_COMMAND_MAX_NAME] = 0;
    assert_false(chainsi_command_make(&command, CHAINSI_COMMAND_HOLD, name));
    assert_true(chainsi_command_make(&command, CHAINSI_COMMAND_HOLD, name + 1));
    assert_string_equal(command.name, name + 1);
}

static void nothing_and_the_end_are_told_apart(void **state)
{
    (void)state;
    chainsi_command command;
    int fd;
    assert_int_equal(chainsi_command_receive(pair[1], &command, &fd), -1);
    assert_int_equal(errno, EAGAIN);
    close(pair[0]);
    pair[0] = -1;
    assert_int_equal(chainsi_command_receive(pair[1], &command, &fd), 0);
    assert_true(chainsi_command_make(&command, CHAINSI_COMMAND_LIST, ""));
    assert_false(chainsi_command_send(pair[1], &command, -1));
    assert_int_equal(errno, EPIPE);
}

static void expect_refusal(const chainsi_command *command, size_t size)
{
    chainsi_command got;
    int fd = -1;
    assert_int_equal(send(pair[0], command, size, 0), (ssize_t)size);
    assert_int_equal(chainsi_command_receive(pair[1], &got, &fd), -1);
    assert_int_equal(errno, EBADMSG);
    assert_int_equal(fd, -1);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    chainsi_command command;
    size_t head = offsetof(chainsi_command, note);
    assert_true(chainsi_command_make(&command, CHAINSI_COMMAND_NOTE, "x"));
    expect_refusal(&command, 1);
    expect_refusal(&command, head - 1);
    expect_refusal(&command, head + 1);
    command.note_size = 1;
    expect_refusal(&command, head);
    command.note_size = CHAINSI_COMMAND_MAX_NOTE + 1;
    expect_refusal(&command, sizeof command);
    command.note_size = 0;
    memset(command.name, 'x', sizeof command.name);
    expect_refusal(&command, head);
}

static const chainsi_order_fd fds[] = { { "x/1/entry/calls", "calls" }, { "held", "" } };
static const char *const environment[] = { "A=1", "", "B=", NULL };
static const char *const groups[] = { "x/1/entry/group0", "x/1/entry/group1" };
static const chainsi_order whole_order = {
    .program = "/bin/true",
    .directory = "/",
    .environment = environment,
    .fds = fds,
    .fd_count = 2,
    .groups = groups,
    .group_count = 2,
};

static void an_order_is_read_as_written(void **state)
{
    (void)state;
    chainsi_arena arena = { 0 };
    chainsi_order order;
    int fd = chainsi_order_write(&whole_order);
    assert_true(fd >= 0);
    assert_true(chainsi_order_read(fd, &arena, &order));
    close(fd);
    assert_string_equal(order.program, "/bin/true");
    assert_string_equal(order.directory, "/");
    assert_string_equal(order.environment[0], "A=1");
    assert_string_equal(order.environment[1], "B="); /* what is empty is no variable */
    assert_null(order.environment[2]);
    assert_int_equal(order.fd_count, 2);
    assert_string_equal(order.fds[0].held, "x/1/entry/calls");
    assert_string_equal(order.fds[0].name, "calls");
    assert_string_equal(order.fds[1].held, "held");
    assert_string_equal(order.fds[1].name, "");
    assert_int_equal(order.group_count, 2);
    assert_string_equal(order.groups[0], "x/1/entry/group0");
    assert_string_equal(order.groups[1], "x/1/entry/group1");
    chainsi_arena_done(&arena);
}

static bool reads(const char *data, size_t size)
{
    chainsi_arena arena = { 0 };
    chainsi_order order;
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    bool read = chainsi_order_read(fd, &arena, &order);
    if (!read)
        assert_int_equal(errno, EBADMSG);
    close(fd);
    chainsi_arena_done(&arena);
    return read;
}

static void a_cut_order_is_refused(void **state)
{
    (void)state;
    /* program, directory, one variable, one group, one descriptor */
    static const char text[] = "p\0d\0A=1\0\0g\0\0held\0name";
    assert_true(reads(text, sizeof text));
    for (size_t size = 0; size < sizeof text; size++)
        assert_int_equal(reads(text, size), size == 12); /* an order without descriptors */
}

static void orders_have_a_limit(void **state)
{
    (void)state;
    size_t fixed = sizeof "/bin/true" + sizeof "/" + 2;
    char *variable = malloc(CHAINSI_ORDER_MAX_SIZE);
    memset(variable, 'x', CHAINSI_ORDER_MAX_SIZE);
    variable[CHAINSI_ORDER_MAX_SIZE - fixed - 1] = 0;
    const char *const entries[] = { variable, NULL };
    chainsi_order order = { .program = "/bin/true", .directory = "/", .environment = entries };
    int fd = chainsi_order_write(&order);
    assert_true(fd >= 0);
    chainsi_arena arena = { 0 };
    assert_true(chainsi_order_read(fd, &arena, &order));
    chainsi_arena_done(&arena);
    close(fd);
    variable[CHAINSI_ORDER_MAX_SIZE - fixed - 1] = 'x';
    variable[CHAINSI_ORDER_MAX_SIZE - fixed] = 0;
    order = (chainsi_order){ .program = "/bin/true", .directory = "/", .environment = entries };
    assert_int_equal(chainsi_order_write(&order), -1);
    assert_int_equal(errno, E2BIG);
    free(variable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(arrives_as_it_was_sent, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(a_descriptor_travels, open_pair, close_pair),
        cmocka_unit_test(names_have_a_limit),
        cmocka_unit_test_setup_teardown(nothing_and_the_end_are_told_apart, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, open_pair, close_pair),
        cmocka_unit_test(an_order_is_read_as_written),
        cmocka_unit_test(a_cut_order_is_refused),
        cmocka_unit_test(orders_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
