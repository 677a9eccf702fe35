/* Searching logs: across files and logs, in pieces of any size, and while a file is turned over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <stdio.h>

#include "control/home.h"
#include "control/log_search.h"

static char folder[] = "/tmp/chains-search-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return chainsi_remove_tree(folder) ? 0 : -1;
}

static void write_text(const char *name, const chainsi_buffer *text)
{
    char *path = chainsi_path("%s/%s", folder, name);
    assert_true(chainsi_write_file(path, text->data ? (const char *)text->data : "", text->size));
    free(path);
}

/* Lines of the seconds from `from` to `to`, every step-th one, with so many bytes of text; every tenth is marked. */
static void write_lines(const char *name, const char *environment, int from, int to, int step,
                        size_t bytes)
{
    chainsi_buffer text = { 0 };
    char *more = calloc(bytes + 1, 1);
    memset(more, 'x', bytes);
    for (int i = from; i < to; i += step)
        chainsi_buffer_printf(&text,
                              "2026-01-31T12:%02d:%02d.000Z %s v0001-abcdef a/0 -       "
                              "<%d>%s%s\n",
                              i / 60, i % 60, environment, i, i % 10 ? "" : "tenth", more);
    write_text(name, &text);
    free(more);
    chainsi_buffer_done(&text);
}

/* The numbers of the lines found. */
static size_t numbers_of(chainsi_log_search *search, int *numbers, size_t most)
{
    chainsi_buffer out = { 0 };
    size_t count = chainsi_log_search_give(search, false, &out), at = 0;
    assert_true(count <= most);
    chainsi_buffer_add_byte(&out, 0);
    for (const char *text = (const char *)out.data; (text = strchr(text, '<')); text++)
        numbers[at++] = atoi(text + 1);
    assert_int_equal(at, count);
    chainsi_buffer_done(&out);
    return count;
}

static void add(chainsi_log_search *search, const char *name)
{
    char *path = chainsi_path("%s/%s.log", folder, name);
    chainsi_log_search_add(search, path, name);
    free(path);
}

/* Finds the lines first, first + step, ... of a search; bytes: of a step. */
static void expect(const chainsi_log_filter *filter, size_t tail, size_t bytes, size_t count,
                   int first, int step)
{
    int numbers[2000];
    chainsi_log_search *search = chainsi_log_search_new(filter, tail);
    add(search, "a");
    add(search, "b");
    while (chainsi_log_search_step(search, bytes))
        ;
    assert_int_equal(numbers_of(search, numbers, 2000), count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(numbers[i], first + step * (int)i);
    chainsi_log_search_free(search);
}

static void finds_across_files_and_logs(void **state)
{
    (void)state;
    /* Lines of a of 200 bytes are several chunks; those of b stand between them. */
    write_lines("a.log.1", "production", 0, 1000, 2, 200);
    write_lines("a.log", "production", 1000, 1600, 2, 200);
    write_lines("b.log", "staging", 1, 1600, 2, 10);
    const chainsi_log_filter any = { .replica = -1 };
    const chainsi_log_filter production = { .replica = -1, .environment = "production" };
    const chainsi_log_filter tenth = { .replica = -1, .contains = "tenth" };
    const chainsi_log_filter late = { .replica = -1, .since = "2026-01-31T12:26:00.000Z" };
    const size_t steps[] = { 1, 100000, 100000000 };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        expect(&any, 10, steps[i], 10, 1590, 1);
        expect(&any, 2000, steps[i], 1600, 0, 1);
        expect(&any, 0, steps[i], 0, 0, 0);
        expect(&production, 400, steps[i], 400, 800, 2);
        expect(&tenth, 3, steps[i], 3, 1570, 10);
        expect(&tenth, 1000, steps[i], 160, 0, 10);
        expect(&late, 1000, steps[i], 40, 1560, 1);
    }
}

/* Beside files: those between the files' lines, with a last line without a break, and none at all. */
static void finds_lines_in_memory(void **state)
{
    (void)state;
    static const char lines[] = "2026-01-31T12:00:01.000Z production v0001-a c/0 -       <1>\n"
                                "2026-01-31T12:00:03.000Z production v0001-a c/0 -       <3>\n"
                                "2026-01-31T12:00:05.000Z staging v0001-a c/0 -       <5>";
    const chainsi_log_filter any = { .replica = -1 };
    const chainsi_log_filter production = { .replica = -1, .environment = "production" };
    static const struct {
        size_t tail;
        bool filtered;
        size_t count;
        int found[8];
    } cases[] = {
        { 10, false, 6, { 0, 1, 2, 3, 4, 5 } },
        { 10, true, 5, { 0, 1, 2, 3, 4 } },
        { 2, false, 2, { 4, 5 } },
        { 2, true, 2, { 3, 4 } },
        { 0, false, 0, { 0 } },
    };
    write_lines("a.log", "production", 0, 6, 2, 10);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int numbers[8];
        chainsi_log_search *search =
            chainsi_log_search_new(cases[i].filtered ? &production : &any, cases[i].tail);
        chainsi_log_search_add_lines(search, lines, sizeof lines - 1, "c");
        add(search, "a");
        chainsi_log_search_add_lines(search, "", 0, "d");
        while (chainsi_log_search_step(search, 1))
            ;
        assert_int_equal(numbers_of(search, numbers, 8), cases[i].count);
        assert_memory_equal(numbers, cases[i].found, cases[i].count * sizeof *numbers);
        chainsi_log_search_free(search);
    }
}

/* Lines as long as the log allows, and one that isn't of it, which comes in pieces. */
static void reads_long_lines(void **state)
{
    (void)state;
    write_lines("a.log", "production", 0, 40, 1, 16384);
    chainsi_log_filter filter = { .replica = 0 };
    expect(&filter, 100, 1, 40, 0, 1);
    chainsi_buffer text = { 0 };
    for (int i = 0; i < 300000; i++)
        chainsi_buffer_add_byte(&text, 'y');
    chainsi_buffer_add_text(&text, "\n2026-01-31T12:00:07.000Z production v0001-a a/0 -       <7>");
    write_text("a.log", &text);
    chainsi_buffer_done(&text);
    expect(&filter, 100, 1, 1, 7, 1);
}

/* What was there when it began is found, and nothing twice. */
static void is_not_confused_by_a_file_that_turns_over(void **state)
{
    (void)state;
    write_lines("a.log.1", "production", 0, 500, 1, 100);
    write_lines("a.log", "production", 500, 1500, 1, 400);
    const chainsi_log_filter filter = { .replica = -1 };
    int numbers[2000];
    chainsi_log_search *search = chainsi_log_search_new(&filter, 1200);
    add(search, "a");
    char *old = chainsi_path("%s/a.log", folder), *turned = chainsi_path("%s/a.log.1", folder);
    assert_int_equal(rename(old, turned), 0);
    write_lines("a.log", "production", 1500, 1600, 1, 100);
    while (chainsi_log_search_step(search, 1))
        ;
    assert_int_equal(numbers_of(search, numbers, 2000), 1000);
    assert_int_equal(numbers[0], 500);
    assert_int_equal(numbers[999], 1499);
    chainsi_log_search_free(search);
    free(old);
    free(turned);
}

static void finds_the_logs_of_a_folder(void **state)
{
    (void)state;
    write_lines("a.log", "production", 0, 1, 1, 1);
    write_lines("a.log.1", "production", 1, 2, 1, 1);
    write_lines("only.old.log.1", "production", 2, 3, 1, 1);
    write_lines("no_log", "production", 3, 4, 1, 1);
    write_lines(".log", "production", 4, 5, 1, 1);
    write_lines("x.log.2", "production", 5, 6, 1, 1);
    chainsi_log_filter filter = { .replica = -1 };
    chainsi_log_search *search = chainsi_log_search_new(&filter, 100);
    assert_int_equal(chainsi_log_search_add_folder(search, folder), 2);
    assert_int_equal(chainsi_log_search_add_folder(search, "/nowhere"), -1);
    while (chainsi_log_search_step(search, 1))
        ;
    int numbers[10];
    assert_int_equal(numbers_of(search, numbers, 10), 3);
    chainsi_buffer out = { 0 };
    assert_int_equal(chainsi_log_search_give(search, true, &out), 3);
    chainsi_buffer_add_byte(&out, 0);
    assert_non_null(strstr((const char *)out.data, "\"chainlet\":\"only.old\""));
    chainsi_buffer_done(&out);
    chainsi_log_search_free(search);
    filter.chainlet = "only.old";
    search = chainsi_log_search_new(&filter, 100);
    assert_int_equal(chainsi_log_search_add_folder(search, folder), 1);
    chainsi_log_search_free(search);
    chainsi_log_search_free(NULL);
}

static void gives_some_at_a_time(void **state)
{
    (void)state;
    write_lines("a.log", "production", 0, 1000, 2, 40);
    write_lines("b.log", "production", 1, 1000, 2, 40);
    chainsi_log_filter filter = { .replica = -1 };
    for (int json = 0; json <= 1; json++) {
        chainsi_log_search *search = chainsi_log_search_new(&filter, 900);
        chainsi_buffer whole = { 0 }, parts = { 0 };
        add(search, "a");
        add(search, "b");
        while (chainsi_log_search_step(search, 4096))
            ;
        assert_int_equal(chainsi_log_search_give(search, json, &whole), 900);
        size_t calls = 1;
        for (; chainsi_log_search_give_some(search, json, 1000, &parts); calls++)
            assert_true(parts.size < calls * 1300);
        assert_true(calls > 50);
        assert_int_equal(parts.size, whole.size);
        assert_memory_equal(parts.data, whole.data, whole.size);
        assert_false(chainsi_log_search_give_some(search, json, 1000, &parts));
        assert_int_equal(parts.size, whole.size);
        chainsi_log_search_free(search);
        chainsi_buffer_done(&whole);
        chainsi_buffer_done(&parts);
    }
}

/* The last ones that fit are found. */
static void finds_no_more_bytes_than_may_be(void **state)
{
    (void)state;
    enum { LINE = 32 * 1024, FIT = CHAINSI_LOG_MAX_FOUND / LINE };
    char *line = malloc(LINE + 1);
    memset(line, 'x', LINE);
    line[LINE] = '\n';
    for (int more = 0; more <= 1; more++) {
        char *path = chainsi_path("%s/a.log", folder);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        for (int i = 0; i < FIT + more; i++)
            assert_int_equal(fwrite(line, 1, LINE + 1, file), LINE + 1);
        fclose(file);
        free(path);
        chainsi_log_filter filter = { .replica = -1 };
        chainsi_log_search *search = chainsi_log_search_new(&filter, CHAINSI_LOG_MAX_TAIL);
        chainsi_buffer out = { 0 };
        add(search, "a");
        assert_false(chainsi_log_search_step(search, SIZE_MAX));
        assert_int_equal(chainsi_log_search_give(search, false, &out), FIT);
        chainsi_buffer_done(&out);
        chainsi_log_search_free(search);
    }
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_across_files_and_logs, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(reads_long_lines, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(is_not_confused_by_a_file_that_turns_over, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(finds_the_logs_of_a_folder, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(finds_lines_in_memory, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(gives_some_at_a_time, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(finds_no_more_bytes_than_may_be, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
