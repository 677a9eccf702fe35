/* The writer: indentation, lists broken at the edge, C literals, and files that are left alone. */
#include "compiler/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_text(const chainsi_writer *writer, const char *text)
{
    assert_int_equal(writer->text.size, strlen(text));
    assert_memory_equal(writer->text.data, text, strlen(text));
}

static void test_blocks_and_blanks(void **state)
{
    (void)state;
    chainsi_writer writer = { 0 };
    chainsi_writer_blank(&writer);
    chainsi_writer_open(&writer, "a %d {", 1);
    chainsi_writer_line(&writer, "b;");
    chainsi_writer_close(&writer, "}");
    chainsi_writer_blank(&writer);
    chainsi_writer_blank(&writer);
    chainsi_writer_line(&writer, "c");
    assert_text(&writer, "a 1 {\n    b;\n}\n\nc\n");
    chainsi_writer_done(&writer);
}

static void test_lists_break_at_the_edge(void **state)
{
    (void)state;
    char word[41];
    memset(word, 'x', 40);
    word[40] = '\0';
    const char *two[] = { word, word };
    chainsi_writer writer = { 0 };
    /* 18 + 40 + 1 + 1 + 40 = 100 columns: fits just so. */
    chainsi_writer_list(&writer, "12345678901234567", two, 2, ")");
    char fits[256], breaks[256];
    snprintf(fits, sizeof fits, "12345678901234567%s, %s)\n", word, word);
    assert_int_equal(strlen(fits) - 1, CHAINSI_WRITER_COLUMNS);
    assert_text(&writer, fits);
    writer.text.size = 0;
    chainsi_writer_list(&writer, "123456789012345678", two, 2, ")");
    snprintf(breaks, sizeof breaks, "123456789012345678%s,\n%18s%s)\n", word, "", word);
    assert_text(&writer, breaks);
    chainsi_writer_done(&writer);
}

static void test_c_strings(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "", "\"\"" },
        { "a \"b\" \\", "\"a \\\"b\\\" \\\\\"" },
        { "line\n\ttab", "\"line\\n\\ttab\"" },
        { "?"
          "?)?",
          "\"?\\?)?\"" },
        { "\001"
          "1\x7f",
          "\"\\0011\\177\"" },
        { "größer", "\"größer\"" },
    };
    chainsi_arena arena = { 0 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(chainsi_c_string(&arena, cases[i][0]), cases[i][1]);
    assert_string_equal(chainsi_c_string(&arena, NULL), "NULL");
    chainsi_arena_done(&arena);
}

static void test_a_file_is_written_only_when_it_changes(void **state)
{
    (void)state;
    char folder[] = "/tmp/chains-writer-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char path[64];
    snprintf(path, sizeof path, "%s/file", folder);
    chainsi_writer writer = { 0 };
    chainsi_writer_line(&writer, "one");
    assert_true(chainsi_writer_save(&writer, path));
    struct stat first, second, third;
    assert_int_equal(stat(path, &first), 0);
    assert_true(chainsi_writer_save(&writer, path));
    assert_int_equal(stat(path, &second), 0);
    assert_int_equal(first.st_ino, second.st_ino); /* a write would have replaced the file */
    chainsi_writer_line(&writer, "two");
    assert_true(chainsi_writer_save(&writer, path));
    assert_int_equal(stat(path, &third), 0);
    assert_int_equal(third.st_size, 8);
    unlink(path);
    rmdir(folder);
    assert_false(chainsi_writer_save(&writer, path));
    chainsi_writer_done(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_and_blanks),
        cmocka_unit_test(test_lists_break_at_the_edge),
        cmocka_unit_test(test_c_strings),
        cmocka_unit_test(test_a_file_is_written_only_when_it_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
