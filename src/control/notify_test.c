/* What a service manager hears, from a socket that plays its part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/notify.h"

static int listen_as(const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t size = strlen(name);
    memcpy(address.sun_path, name, size);
    if (*name == '@')
        address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void expect(int fd, const char *text)
{
    char got[256];
    ssize_t size = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
    assert_true(size >= 0);
    got[size] = 0;
    assert_string_equal(got, text);
}

static void it_is_told_by_path_and_by_abstract_name(void **state)
{
    (void)state;
    char folder[] = "/tmp/chains-notify-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s", folder);
    int fd = listen_as(path);
    assert_true(chainsi_notify("READY=1\nMAINPID=%d", 7));
    expect(fd, "READY=1\nMAINPID=7");
    close(fd);
    assert_false(chainsi_notify("READY=1")); /* nobody is there any more */
    unlink(path);
    rmdir(folder);
    snprintf(path, sizeof path, "@chains-notify-%d", (int)getpid());
    fd = listen_as(path);
    assert_true(chainsi_notify("WATCHDOG=1"));
    expect(fd, "WATCHDOG=1");
    close(fd);
}

static void nonsense_is_nobody(void **state)
{
    (void)state;
    static const char *const names[] = { "", "@", "relative", "vsock:2:1" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        assert_false(chainsi_notify("READY=1"));
    }
    char longest[200];
    memset(longest, '/', sizeof longest);
    longest[sizeof longest - 1] = 0;
    setenv("NOTIFY_SOCKET", longest, 1);
    assert_false(chainsi_notify("READY=1"));
    unsetenv("NOTIFY_SOCKET");
    assert_false(chainsi_notify("READY=1"));
}

static void the_watchdog_is_for_the_process_that_it_names(void **state)
{
    (void)state;
    char pid[24];
    assert_int_equal(chainsi_notify_watchdog_ns(), 0);
    setenv("WATCHDOG_USEC", "3000000", 1);
    assert_int_equal(chainsi_notify_watchdog_ns(), INT64_C(1500000000));
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(chainsi_notify_watchdog_ns(), INT64_C(1500000000));
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(chainsi_notify_watchdog_ns(), 0);
    unsetenv("WATCHDOG_PID");
    static const char *const nonsense[] = { "", "0", "-5", "5s", "99999999999999999999" };
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        setenv("WATCHDOG_USEC", nonsense[i], 1);
        assert_int_equal(chainsi_notify_watchdog_ns(), 0);
    }
    unsetenv("WATCHDOG_USEC");
}

static void the_journal_is_known_by_its_stream(void **state)
{
    (void)state;
    struct stat info;
    char stream[64];
    assert_int_equal(fstat(STDERR_FILENO, &info), 0);
    assert_false(chainsi_notify_is_journal(STDERR_FILENO));
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)info.st_dev, (uintmax_t)info.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    assert_true(chainsi_notify_is_journal(STDERR_FILENO));
    setenv("JOURNAL_STREAM", "1:2", 1);
    assert_false(chainsi_notify_is_journal(STDERR_FILENO));
    unsetenv("JOURNAL_STREAM");
}

static void its_variables_are_the_daemons_own(void **state)
{
    (void)state;
    assert_true(chainsi_notify_is_own("NOTIFY_SOCKET=/run/systemd/notify"));
    assert_true(chainsi_notify_is_own("WATCHDOG_USEC=1"));
    assert_true(chainsi_notify_is_own("JOURNAL_STREAM=1:2"));
    assert_true(chainsi_notify_is_own("CHAINS_JOURNAL_SOCKET=/x"));
    assert_false(chainsi_notify_is_own("NOTIFY_SOCKETS=x"));
    assert_false(chainsi_notify_is_own("PATH=/bin"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told_by_path_and_by_abstract_name),
        cmocka_unit_test(nonsense_is_nobody),
        cmocka_unit_test(the_watchdog_is_for_the_process_that_it_names),
        cmocka_unit_test(the_journal_is_known_by_its_stream),
        cmocka_unit_test(its_variables_are_the_daemons_own),
    };
    return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
