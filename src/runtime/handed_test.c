/* Descriptors handed over at the start. Each case runs in a process of its own. */
#include "runtime/handed.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void run_apart(void (*body)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);
        for (int fd = 3; fd < 7; fd++)
            EXPECT(fd == null || dup2(null, fd) == fd);
        body();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void hand_over(const char *count, const char *names, bool to_another)
{
    char pid[24];
    snprintf(pid, sizeof pid, "%d", to_another ? (int)getppid() : (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", count, 1);
    if (names)
        setenv("LISTEN_FDNAMES", names, 1);
}

static void by_name(void)
{
    hand_over("4", "calls:board.phi_llm:probes:board", false);
    EXPECT(chainsi_handed_take());
    EXPECT(chainsi_handed_find("calls") == 3);
    EXPECT(chainsi_handed_find("probes") == 5);
    EXPECT(chainsi_handed_find("board") == 6);
    EXPECT(chainsi_handed_board("phi_llm") == 4);
    EXPECT(chainsi_handed_board("phi") == -1);
    EXPECT(chainsi_handed_find("") == -1);
    EXPECT(fcntl(4, F_GETFD) & FD_CLOEXEC);
    EXPECT(!getenv("LISTEN_FDS") && !getenv("LISTEN_PID") && !getenv("LISTEN_FDNAMES"));
}

static void without_names(void)
{
    hand_over("1", NULL, false);
    EXPECT(chainsi_handed_take());
    EXPECT(chainsi_handed_find("calls") == 3);
    EXPECT(chainsi_handed_find("probes") == -1);
}

static void fewer_names(void)
{
    hand_over("3", "calls", false);
    EXPECT(chainsi_handed_take());
    EXPECT(chainsi_handed_find("calls") == 3);
    EXPECT(chainsi_handed_find("probes") == -1);
}

static void to_another(void)
{
    hand_over("2", "calls:probes", true);
    EXPECT(!chainsi_handed_take());
    EXPECT(chainsi_handed_find("calls") == -1);
}

static void nonsense(void)
{
    hand_over("-3", "calls", false);
    EXPECT(!chainsi_handed_take());
    hand_over("100000", "calls", false);
    EXPECT(!chainsi_handed_take());
    EXPECT(chainsi_handed_find("calls") == -1);
}

static void closed(void)
{
    close(4);
    hand_over("2", "calls:probes", false);
    EXPECT(chainsi_handed_take());
    EXPECT(chainsi_handed_find("probes") == -1);
}

static void test_handed(void **state)
{
    (void)state;
    run_apart(by_name);
    run_apart(without_names);
    run_apart(fewer_names);
    run_apart(to_another);
    run_apart(nonsense);
    run_apart(closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_handed) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
