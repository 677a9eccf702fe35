/* The journal's protocol, spoken to a socket that plays its part. */
#include <inttypes.h>
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

#include "control/home.h"
#include "control/journal.h"

static char folder[] = "/tmp/chains-journal-XXXXXX";
static int journal; /* a socket; -1: closed */
static char text[65536];

static void listen_at(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    strcpy(address.sun_path, path);
    journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(journal, (struct sockaddr *)&address, sizeof address), 0);
}

/* The next message, with a NUL; its size, -1 if there is none. */
static ssize_t hear(void)
{
    ssize_t size = recv(journal, text, sizeof text - 1, 0);
    text[size < 0 ? 0 : size] = 0;
    return size;
}

static const chainsi_log_tag tag = { "c", "production", "v0003-ab12cd", "phi_llm", 2 };

static void tells_lines_with_their_fields(void **state)
{
    (void)state;
    static const char said[] = "2026-01-31T12:00:00.123Z production v0003-ab12cd phi_llm/2 "
                               "WARNING [r-1] A=b";
    chainsi_log_line line = chainsi_log_line_read(said, sizeof said - 1);
    chainsi_journal_tell(&tag, &line);
    assert_true(hear() > 0);
    assert_string_equal(text, "PRIORITY=4\nSYSLOG_IDENTIFIER=chainsd\nMESSAGE=A=b\n"
                              "CHAINS_CHAIN=c\nCHAINS_ENVIRONMENT=production\n"
                              "CHAINS_VERSION=v0003-ab12cd\nCHAINS_CHAINLET=phi_llm\n"
                              "CHAINS_REPLICA=2\nCHAINS_REQUEST_ID=r-1\n");
}

static void tells_what_the_daemon_says(void **state)
{
    (void)state;
    assert_true(chainsi_journal_say("one"));
    assert_true(hear() > 0);
    assert_string_equal(text, "PRIORITY=6\nSYSLOG_IDENTIFIER=chainsd\nMESSAGE=one\n");
    /* A line break in a value doesn't end it. */
    static const char two[] = "PRIORITY=6\nSYSLOG_IDENTIFIER=chainsd\n"
                              "MESSAGE\n\13\0\0\0\0\0\0\0one\nFIELD=x\n";
    assert_true(chainsi_journal_say("one\nFIELD=x"));
    assert_int_equal(hear(), sizeof two - 1);
    assert_memory_equal(text, two, sizeof two - 1);
}

/* Until it takes no more. */
static void fill(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    while (sendto(fd, "MESSAGE=fill\n", 13, 0, (struct sockaddr *)&address, sizeof address) > 0)
        ;
    close(fd);
}

static void drain(void)
{
    while (hear() > 0)
        assert_string_equal(text, "MESSAGE=fill\n");
}

static void tells_what_was_lost(void **state)
{
    fill(*state);
    for (int i = 0; i < 3; i++)
        assert_true(chainsi_journal_say("lost"));
    drain();
    assert_true(chainsi_journal_say("after"));
    assert_true(hear() > 0);
    assert_string_equal(text, "PRIORITY=4\nSYSLOG_IDENTIFIER=chainsd\n"
                              "MESSAGE=3 lines found no room in the journal's socket\n");
    assert_true(hear() > 0);
    assert_non_null(strstr(text, "MESSAGE=after\n"));
    assert_int_equal(hear(), -1);
}

static void on_beat(uv_timer_t *beat)
{
    (void)beat;
}

static void sends_by_and_by_with_a_loop(void **state)
{
    enum { MESSAGES = 200, SIZE = 10000 };
    uv_loop_t loop;
    uv_timer_t beat;
    uv_loop_init(&loop);
    uv_timer_init(&loop, &beat);
    uv_timer_start(&beat, on_beat, 1, 1);
    chainsi_journal_begin(&loop);
    fill(*state);
    char *said = malloc(SIZE + 1);
    memset(said, 'x', SIZE);
    said[SIZE] = 0;
    for (int i = 0; i < MESSAGES; i++) {
        said[snprintf(said, 16, "%d", i)] = ' ';
        assert_true(chainsi_journal_say(said));
    }
    drain();
    /* The first ones in their order; more than 1 MiB is told of when they are through. */
    int heard = 0, lost = 0;
    while (!lost) {
        if (hear() <= 0) {
            uv_run(&loop, UV_RUN_ONCE);
            continue;
        }
        const char *message = strstr(text, "MESSAGE=") + 8;
        if (strstr(message, "found no room"))
            lost = atoi(message);
        else
            assert_int_equal(atoi(message), heard++);
    }
    assert_int_equal(heard + lost, MESSAGES);
    assert_in_range(heard, 1024 * 1024 / SIZE - 5, 1024 * 1024 / SIZE);
    assert_int_equal(hear(), -1);
    /* What is left at the end is tried once more. */
    fill(*state);
    assert_true(chainsi_journal_say("the last one"));
    drain();
    chainsi_journal_end();
    assert_true(hear() > 0);
    assert_non_null(strstr(text, "MESSAGE=the last one\n"));
    uv_close((uv_handle_t *)&beat, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    free(said);
}

static void holds_nothing_up_that_never_finds_room(void **state)
{
    (void)state;
    enum { SIZE = 1000 * 1000 }; /* more than a socket sends at once, less than may wait */
    uv_loop_t loop;
    uv_loop_init(&loop);
    chainsi_journal_begin(&loop);
    char *said = malloc(SIZE + 1);
    memset(said, 'x', SIZE);
    said[SIZE] = 0;
    assert_false(chainsi_journal_say(said));
    assert_true(chainsi_journal_say("after"));
    assert_true(hear() > 0);
    assert_non_null(strstr(text, "MESSAGE=after\n"));
    chainsi_journal_end();
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    free(said);
}

static void has_another_way_without_a_socket(void **state)
{
    const char *path = *state;
    close(journal);
    assert_int_equal(unlink(path), 0);
    assert_false(chainsi_journal_say("nobody hears"));
    listen_at(path);
    assert_true(chainsi_journal_say("again"));
    assert_true(hear() > 0);
    assert_non_null(strstr(text, "MESSAGE=again\n"));
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    char *path = chainsi_path("%s/socket", folder), stream[64];
    struct stat info;
    listen_at(path);
    fstat(STDERR_FILENO, &info);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)info.st_dev, (uintmax_t)info.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    setenv("CHAINS_JOURNAL_SOCKET", path, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_lines_with_their_fields),
        cmocka_unit_test(tells_what_the_daemon_says),
        cmocka_unit_test_prestate(tells_what_was_lost, path),
        cmocka_unit_test_prestate(sends_by_and_by_with_a_loop, path),
        cmocka_unit_test(holds_nothing_up_that_never_finds_room),
        cmocka_unit_test_prestate(has_another_way_without_a_socket, path),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    close(journal);
    chainsi_remove_tree(folder);
    free(path);
    return failed;
}
