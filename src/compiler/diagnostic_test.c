/* Diagnostics: their order, their printed form with the source line, and their JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "compiler/diagnostic.h"

static void add(chainsi_diagnostics *diagnostics, const char *file, int line, int column,
                int length, const char *message, const char *hint)
{
    chainsi_position position = { file, line, column, length };
    chainsi_diagnostics_add(diagnostics, CHAINSI_SEVERITY_ERROR, position, hint, "%s", message);
}

static char *print(const chainsi_diagnostics *diagnostics)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    chainsi_diagnostics_print(diagnostics, out, false);
    fclose(out);
    return text;
}

static void test_sorting(void **state)
{
    (void)state;
    chainsi_diagnostics diagnostics;
    chainsi_diagnostics_init(&diagnostics, "/nowhere");
    add(&diagnostics, "b.h", 1, 1, 1, "first of b", NULL);
    add(&diagnostics, "a.h", 10, 2, 1, "last of a", NULL);
    add(&diagnostics, "a.h", 9, 3, 1, "one", "with a hint");
    add(&diagnostics, "a.h", 9, 3, 1, "two", NULL);
    add(&diagnostics, "a.h", 9, 3, 1, "one", "with a hint"); /* a repetition */
    add(&diagnostics, "a.h", 9, 3, 1, "one", "with another");
    add(&diagnostics, NULL, 0, 0, 0, "of no file", NULL);
    chainsi_diagnostics_sort(&diagnostics);
    char *text = print(&diagnostics);
    assert_string_equal(text, "error: of no file\n"
                              "a.h:9:3: error: one\n  hint: with a hint\n"
                              "a.h:9:3: error: two\n"
                              "a.h:9:3: error: one\n  hint: with another\n"
                              "a.h:10:2: error: last of a\n"
                              "b.h:1:1: error: first of b\n");
    free(text);
    chainsi_diagnostics_done(&diagnostics);
}

static void test_source_lines(void **state)
{
    (void)state;
    char folder[] = "/tmp/chains-diagnostic-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char path[64];
    snprintf(path, sizeof path, "%s/x.h", folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("\n\tfloat *samples,\r\nint ö, größe;", file);
    fclose(file);
    chainsi_diagnostics diagnostics;
    chainsi_diagnostics_init(&diagnostics, folder);
    add(&diagnostics, "x.h", 2, 9, 7, "tabs stay", NULL);
    add(&diagnostics, "x.h", 3, 9, 7, "bytes are no columns", NULL);
    add(&diagnostics, "x.h", 3, 400, 7, "past the end", NULL);
    add(&diagnostics, "x.h", 9, 1, 1, "past the last line", NULL);
    char *text = print(&diagnostics);
    assert_string_equal(text, "x.h:2:9: error: tabs stay\n"
                              "    2 | \tfloat *samples,\n"
                              "      | \t       ^~~~~~~\n"
                              "x.h:3:9: error: bytes are no columns\n"
                              "    3 | int ö, größe;\n"
                              "      |        ^~~~~\n"
                              "x.h:3:400: error: past the end\n"
                              "    3 | int ö, größe;\n"
                              "      |              ^\n"
                              "x.h:9:1: error: past the last line\n");
    free(text);
    chainsi_diagnostics_done(&diagnostics);
    unlink(path);
    rmdir(folder);
}

static void test_json(void **state)
{
    (void)state;
    chainsi_diagnostics diagnostics;
    chainsi_diagnostics_init(&diagnostics, NULL);
    assert_false(chainsi_diagnostics_failed(&diagnostics));
    chainsi_position position = { "a \"b\".h", 3, 4, 5 };
    chainsi_diagnostics_add(&diagnostics, CHAINSI_SEVERITY_WARNING, position, NULL, "tab\t%d", 7);
    assert_false(chainsi_diagnostics_failed(&diagnostics));
    add(&diagnostics, NULL, 0, 0, 0, "no\\thing", "a hint");
    assert_true(chainsi_diagnostics_failed(&diagnostics));
    chainsi_buffer out = { 0 };
    chainsi_diagnostics_json(&diagnostics, &out);
    chainsi_buffer_add_byte(&out, '\0');
    assert_string_equal(
        (const char *)out.data,
        "[{\"file\":\"a \\\"b\\\".h\",\"line\":3,\"column\":4,\"severity\":\"warning\","
        "\"message\":\"tab\\t7\",\"hint\":null},"
        "{\"file\":null,\"line\":0,\"column\":0,\"severity\":\"error\","
        "\"message\":\"no\\\\thing\",\"hint\":\"a hint\"}]");
    chainsi_buffer_done(&out);
    chainsi_diagnostics_done(&diagnostics);
}

static void test_color(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    assert_false(chainsi_diagnostics_color(memory));
    fclose(memory);
    free(text);
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0);
    FILE *out = fdopen(terminal, "w");
    assert_non_null(out);
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    assert_true(chainsi_diagnostics_color(out));
    setenv("NO_COLOR", "", 1);
    assert_true(chainsi_diagnostics_color(out));
    setenv("NO_COLOR", "1", 1);
    assert_false(chainsi_diagnostics_color(out));
    unsetenv("NO_COLOR");
    setenv("TERM", "dumb", 1);
    assert_false(chainsi_diagnostics_color(out));
    fclose(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorting),
        cmocka_unit_test(test_source_lines),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_color),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
