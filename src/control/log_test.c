/* Logs: lines from any cut, whose they are, followers, turning over, and what was written in part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/home.h"
#include "control/log.h"
#include "control/log_search.h"

static char folder[] = "/tmp/chains-log-XXXXXX";
static char *path;

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    path = chainsi_path("%s/x.log", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    free(path);
    return chainsi_remove_tree(folder) ? 0 : -1;
}

static const chainsi_log_tag tag = { "c", "production", "v0003-ab12cd", "entry", 2 };
#define TAG " production v0003-ab12cd entry/2 "

static chainsi_log_hub hub;

/* The last lines of the file. */
static char *tail(size_t count)
{
    chainsi_buffer out = { 0 };
    chainsi_log_filter filter = { .replica = -1 };
    chainsi_log_search *search = chainsi_log_search_new(&filter, count);
    chainsi_log_search_add(search, path, "entry");
    while (chainsi_log_search_step(search, 1))
        ;
    chainsi_log_search_give(search, false, &out);
    chainsi_log_search_free(search);
    chainsi_buffer_add_byte(&out, 0);
    return (char *)out.data;
}

static void splits_lines_wherever_they_are_cut(void **state)
{
    (void)state;
    static const char text[] = "one\n2026-01-31T12:00:00.123Z INFO    entry two\n\nlast";
    for (size_t step = 1; step < sizeof text; step++) {
        chainsi_log *log = chainsi_log_new(path, &hub);
        chainsi_log_source source = { .tag = tag };
        for (size_t at = 0; at < sizeof text - 1; at += step) {
            size_t left = sizeof text - 1 - at;
            chainsi_log_feed(log, &source, text + at, left < step ? left : step);
        }
        chainsi_log_end(log, &source);
        char *lines = tail(10);
        /* A time was put before the lines that have none, and only those; a tag before all. */
        assert_non_null(strstr(lines, TAG "-       one\n"));
        assert_non_null(strstr(lines, "2026-01-31T12:00:00.123Z" TAG "INFO    two\n"));
        assert_non_null(strstr(lines, TAG "-       \n"));
        assert_non_null(strstr(lines, TAG "-       last\n"));
        size_t count = 0;
        for (char *at = lines; (at = strchr(at, '\n')); at++)
            count++;
        assert_int_equal(count, 4);
        free(lines);
        chainsi_log_free(log);
        unlink(path);
    }
}

static void cuts_long_lines(void **state)
{
    (void)state;
    chainsi_log *log = chainsi_log_new(path, &hub);
    chainsi_log_source source = { .tag = tag };
    char *text = malloc(3 * CHAINSI_LOG_MAX_LINE);
    memset(text, 'x', 3 * CHAINSI_LOG_MAX_LINE);
    chainsi_log_feed(log, &source, text, 2 * CHAINSI_LOG_MAX_LINE + 1);
    assert_int_equal(source.rest.size, 1);
    char *lines = tail(10);
    assert_int_equal(strlen(lines),
                     2 * (CHAINSI_LOG_MAX_LINE + CHAINSI_TIME_TEXT - 1 + strlen(TAG "-       \n")));
    free(lines);
    chainsi_log_end(log, &source);
    chainsi_log_free(log);
    free(text);
}

typedef struct counting_follower {
    chainsi_log_follower follower;
    size_t lines;
    bool leave, ended;
} counting_follower;

static void count_line(chainsi_log_follower *follower, const chainsi_log_line *line)
{
    counting_follower *counting = (counting_follower *)follower;
    assert_true(line->own);
    assert_int_equal(line->replica, 2);
    assert_true(chainsi_slice_is(line->environment, "production"));
    assert_int_equal(line->level, CHAINSI_LOG_WARNING);
    counting->lines++;
    if (counting->leave)
        chainsi_log_unfollow(follower);
}

static void note_end(chainsi_log_follower *follower)
{
    ((counting_follower *)follower)->ended = true;
}

static void tells_followers(void **state)
{
    (void)state;
    chainsi_log *log = chainsi_log_new(path, &hub);
    counting_follower stays = { .follower = { .on_line = count_line, .on_end = note_end } };
    counting_follower leaves = { .follower = { .on_line = count_line, .on_end = note_end },
                                 .leave = true };
    chainsi_log_follow(&hub, &stays.follower);
    chainsi_log_follow(&hub, &leaves.follower);
    chainsi_log_say(log, &tag, CHAINSI_LOG_WARNING, "process %d", 1);
    /* Another Chainlet's, which came later. */
    chainsi_log *other = chainsi_log_new(path, &hub);
    chainsi_log_say(other, &tag, CHAINSI_LOG_WARNING, "process %d", 2);
    assert_int_equal(stays.lines, 2);
    assert_int_equal(leaves.lines, 1);
    chainsi_log_unfollow(&leaves.follower);
    chainsi_log_free(log);
    chainsi_log_free(other);
    chainsi_log_hub_end(&hub);
    assert_true(stays.ended);
    assert_false(leaves.ended);
    chainsi_log_unfollow(&stays.follower);
}

/* What follows a line that found no room for all of it is another line. */
static void ends_torn_lines(void **state)
{
    (void)state;
    assert_true(chainsi_write_file(path, "torn", 4));
    chainsi_log *log = chainsi_log_new(path, &hub);
    chainsi_log_source source = { .tag = tag };
    chainsi_log_feed(log, &source, "whole\nagain\n", 12);
    chainsi_log_end(log, &source);
    chainsi_log_free(log);
    size_t size;
    char *text = chainsi_read_file(path, 4096, &size);
    char *second = strchr(text, '\n');
    assert_int_equal(second - text, 4);
    assert_int_equal(strlen(second + 1), 2 * (24 + strlen(TAG "-       whole\n")));
    free(text);
}

static void turns_over_when_full(void **state)
{
    (void)state;
    chainsi_log *log = chainsi_log_new(path, &hub);
    chainsi_log_source source = { .tag = tag };
    size_t size = 1024 * 1024;
    char *text = malloc(size);
    memset(text, 'x', size);
    text[size - 1] = '\n';
    for (int i = 0; i < 17; i++)
        chainsi_log_feed(log, &source, text, size);
    chainsi_log_feed(log, &source, "after\n", 6);
    chainsi_log_end(log, &source);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_size < CHAINSI_LOG_MAX_FILE);
    char *before = chainsi_path("%s.1", path);
    assert_int_equal(stat(before, &info), 0);
    assert_true(info.st_size < CHAINSI_LOG_MAX_FILE + 2 * CHAINSI_LOG_MAX_LINE);
    free(before);
    free(text);
    chainsi_log_free(log);
}

static void takes_secrets_out_wherever_they_are_cut(void **state)
{
    (void)state;
    static const char text[] = "a hunter2 b\nhunterhunter2\nhunt\nthe end is hunter2";
    chainsi_redactor *redactor = chainsi_redactor_new();
    chainsi_redactor_add(redactor, "door", "hunter2", 7);
    for (size_t step = 1; step < sizeof text; step++) {
        chainsi_log *log = chainsi_log_new(path, &hub);
        chainsi_log_source source = { .tag = tag };
        chainsi_log_redact(log, redactor);
        for (size_t at = 0; at < sizeof text - 1; at += step) {
            size_t left = sizeof text - 1 - at;
            chainsi_log_feed(log, &source, text + at, left < step ? left : step);
        }
        chainsi_log_end(log, &source);
        char *lines = tail(10);
        assert_null(strstr(lines, "hunter2"));
        assert_non_null(strstr(lines, " a [redacted:door] b\n"));
        assert_non_null(strstr(lines, " hunter[redacted:door]\n"));
        assert_non_null(strstr(lines, " hunt\n"));
        assert_non_null(strstr(lines, " the end is [redacted:door]\n"));
        free(lines);
        chainsi_log_free(log);
        unlink(path);
    }
    chainsi_redactor_free(redactor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(splits_lines_wherever_they_are_cut, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(takes_secrets_out_wherever_they_are_cut, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(cuts_long_lines, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(tells_followers, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(ends_torn_lines, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(turns_over_when_full, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
