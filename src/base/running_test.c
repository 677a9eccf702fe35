/* The table of what runs: processes that die at any instant, more than fits, and what anybody has written. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/running.h"

static chainsi_running *open_new(int *fd)
{
    *fd = chainsi_running_create();
    assert_true(*fd >= 0);
    chainsi_running *running = chainsi_running_open(*fd);
    assert_non_null(running);
    return running;
}

/* What is said of a process that has ended. */
static const char *said_of(chainsi_running *running, pid_t process, size_t size)
{
    static char text[512];
    chainsi_running_list list;
    assert_true(size <= sizeof text);
    chainsi_running_take(running, process, &list);
    chainsi_running_say(&list, text, size);
    return text;
}

/* A process that begins these requests, ends the first, and is killed. */
static pid_t die_with(int fd, size_t count, const char *const *ids)
{
    pid_t child = fork();
    if (!child) {
        chainsi_running *running = chainsi_running_open(fd);
        int first = -1;
        for (size_t i = 0; i < count; i++) {
            int cell = chainsi_running_begin(running, ids[i]);
            first = i ? first : cell;
        }
        chainsi_running_end(running, first);
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    return child;
}

static void what_a_killed_process_ran_is_known_once(void **state)
{
    (void)state;
    int fd;
    chainsi_running *running = open_new(&fd);
    int own = chainsi_running_begin(running, "mine");
    assert_true(own >= 0);
    pid_t child = die_with(fd, 3, (const char *const[]){ "over", "one", "two" });
    assert_string_equal(said_of(running, child, 512), "; it ran the requests one, two");
    assert_string_equal(said_of(running, child, 512), "");
    child = die_with(fd, 2, (const char *const[]){ "over", "alone" });
    assert_string_equal(said_of(running, child, 512), "; it ran the request alone");
    assert_string_equal(said_of(running, getpid(), 512), "; it ran the request mine");
    chainsi_running_close(running);
    close(fd);
}

static void names_what_fits(void **state)
{
    (void)state;
    const char *ids[20] = { [0] = "over" };
    for (size_t i = 1; i < 20; i++)
        ids[i] = "0123456789abcdef0123456789abcdef";
    int fd;
    chainsi_running *running = open_new(&fd);
    pid_t child = die_with(fd, 20, ids);
    assert_string_equal(said_of(running, child, 120),
                        "; it ran the requests 0123456789abcdef0123456789abcdef, "
                        "0123456789abcdef0123456789abcdef and 17 more");
    child = die_with(fd, 20, ids);
    assert_string_equal(said_of(running, child, 60), "; it ran 19 requests");
    child = die_with(fd, 20, ids);
    assert_string_equal(said_of(running, child, 20), "");
    chainsi_running_close(running);
    close(fd);
}

static void as_many_as_there_are_cells(void **state)
{
    (void)state;
    int fd, noted = 0;
    chainsi_running *running = open_new(&fd);
    for (int i = 0; i < 2 * CHAINSI_RUNNING_CELLS; i++)
        noted += chainsi_running_begin(running, "x") >= 0;
    assert_int_equal(noted, CHAINSI_RUNNING_CELLS);
    chainsi_running_list list;
    chainsi_running_take(running, getpid(), &list);
    assert_int_equal(list.count, CHAINSI_RUNNING_CELLS);
    assert_true(chainsi_running_begin(running, "x") >= 0);
    assert_true(chainsi_running_begin(NULL, "x") < 0);
    chainsi_running_end(NULL, -1);
    chainsi_running_close(running);
    close(fd);
}

/* How many pages of the memory there are. */
static long count_pages(int fd)
{
    struct stat info;
    assert_int_equal(fstat(fd, &info), 0);
    return (long)info.st_blocks * 512 / sysconf(_SC_PAGESIZE);
}

static void who_looks_touches_no_page_that_nobody_used(void **state)
{
    (void)state;
    int fd;
    chainsi_running *running = open_new(&fd);
    const long fresh = count_pages(fd);
    chainsi_running_take(running, getpid(), NULL);
    assert_int_equal(count_pages(fd), fresh);
    chainsi_running_begin(running, "x");
    const long used = count_pages(fd);
    assert_string_equal(said_of(running, getpid(), 512), "; it ran the request x");
    assert_int_equal(count_pages(fd), used);
    assert_true(used <= fresh + 2);
    chainsi_running_close(running);
    close(fd);
}

static void ids_are_bounded_and_printable(void **state)
{
    (void)state;
    char longest[300];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    int fd;
    chainsi_running *running = open_new(&fd);
    chainsi_running_list list;
    chainsi_running_begin(running, longest);
    chainsi_running_take(running, getpid(), &list);
    assert_int_equal(strlen(list.ids[0]), CHAINSI_RUNNING_ID);
    chainsi_running_begin(running, "a\x1b[1m\xff b");
    assert_string_equal(said_of(running, getpid(), 512), "; it ran the request a?[1m??b");
    chainsi_running_close(running);
    close(fd);
}

static void what_is_no_table_is_none(void **state)
{
    (void)state;
    int fd = memfd_create("other", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_null(chainsi_running_open(fd));
    assert_null(chainsi_running_open(-1));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_killed_process_ran_is_known_once),
        cmocka_unit_test(names_what_fits),
        cmocka_unit_test(as_many_as_there_are_cells),
        cmocka_unit_test(who_looks_touches_no_page_that_nobody_used),
        cmocka_unit_test(ids_are_bounded_and_printable),
        cmocka_unit_test(what_is_no_table_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
