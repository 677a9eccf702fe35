/* What goes over the line between brain and courier. */
#include "control/courier_line.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "rpc/descriptors_test_support.h"

static void what_is_no_message_is_refused(void **state)
{
    (void)state;
    int pair[2], fds[CHAINSI_PACKET_MOST_FDS];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    chainsi_line_message message = { .kind = CHAINSI_LINE_PING, .number = 7 }, got;
    assert_true(chainsi_line_send(pair[0], &message, pair, 2));
    assert_int_equal(chainsi_line_receive(pair[1], &got, fds), 1);
    assert_int_equal(got.number, 7);
    assert_true(fcntl(fds[0], F_GETFD) == FD_CLOEXEC && fcntl(fds[1], F_GETFD) == FD_CLOEXEC);
    close(fds[0]);
    close(fds[1]);

    char longer[sizeof message + 1] = { CHAINSI_LINE_PING };
    assert_true(send(pair[0], longer, sizeof message - 1, 0) > 0);
    assert_int_equal(chainsi_line_receive(pair[1], &got, fds), -1);
    assert_int_equal(errno, EBADMSG);
    assert_true(send(pair[0], longer, sizeof message + 1, 0) > 0);
    assert_int_equal(chainsi_line_receive(pair[1], &got, fds), -1);
    message.kind = CHAINSI_LINE_PONG + 1;
    assert_true(chainsi_line_send(pair[0], &message, pair, 1)); /* whose descriptor is closed */
    assert_int_equal(chainsi_line_receive(pair[1], &got, fds), -1);
    message.kind = CHAINSI_LINE_WRITTEN;
    message.value = -1;
    assert_true(chainsi_line_send(pair[0], &message, NULL, 0));
    assert_int_equal(chainsi_line_receive(pair[1], &got, fds), -1);
    message.value = 0;
    message.kind = CHAINSI_LINE_ENDED;
    assert_true(chainsi_line_send(pair[0], &message, NULL, 0)); /* without an outcome */
    assert_int_equal(chainsi_line_receive(pair[1], &got, fds), -1);
    message.outcome = CHAINSI_ERRAND_DONE;
    memset(message.why, 'x', sizeof message.why); /* without an end */
    assert_true(chainsi_line_send(pair[0], &message, NULL, 0));
    assert_int_equal(chainsi_line_receive(pair[1], &got, fds), -1);
    close(pair[0]);
    assert_int_equal(chainsi_line_receive(pair[1], &got, fds), 0);
    close(pair[1]);
}

static void parcels_come_as_they_were(void **state)
{
    (void)state;
    const char *const headers[] = { "A: b", "C:", NULL };
    chainsi_errand_request request = {
        .url = "http://h/", .agent = "me", .headers = headers, .body = "body", .body_size = 4
    };
    chainsi_line_parcel parcel, wrong;
    size_t size;
    int fd = chainsi_line_pack(&request, &parcel);
    const char *texts = chainsi_line_unpack(fd, &parcel, &size);
    static const char expected[] = "http://h/\0me\0\0A: b\0C:\0body";
    assert_int_equal(size, sizeof expected - 1);
    assert_memory_equal(texts, expected, size);
    assert_true(parcel.has_body);
    munmap((void *)texts, size);
    for (int kind = 0; kind < 4; kind++) {
        wrong = parcel;
        if (kind == 0)
            wrong.body_size++;
        else if (kind == 1)
            wrong.texts_size = 2;
        else if (kind == 2)
            wrong.texts_size--, wrong.body_size++; /* no NUL at its end */
        else
            wrong.texts_size = UINT64_MAX;
        assert_null(chainsi_line_unpack(fd, &wrong, &size));
        assert_int_equal(errno, EBADMSG);
    }
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_no_message_is_refused),
        TEST(parcels_come_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
