/* What is told of assets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cli/fetched.h"

#define MIB (INT64_C(1) << 20)

static void what_is_said(void **state)
{
    (void)state;
    static const struct {
        chainsi_api_fetched fetched;
        const char *words;
    } cases[] = {
        { { .files = 2, .bytes = -1 }, "0 of 2 assets" },
        { { .files = 1, .bytes = 999, .bytes_done = 5 }, "0 of 1 asset, 5 of 999 B" },
        { { .files = 2,
            .files_done = 1,
            .bytes = 40 * MIB,
            .bytes_done = 12 * MIB + MIB / 4,
            .bytes_per_s = 1500 * 1024 },
          "1 of 2 assets, 12.2 of 40.0 MiB, 1.5 MiB/s" },
        { { .files = 2, .bytes = -1, .bytes_done = 3 * MIB, .bytes_per_s = 2048 },
          "0 of 2 assets, 3.0 MiB, 2.0 KiB/s" },
        { { .files = 1, .bytes = MIB * MIB, .bytes_done = MIB * MIB, .verifying = true },
          "0 of 1 asset, 1.0 of 1.0 TiB, verifying" },
        { { .files = 1, .bytes = -1, .trouble = "no\r\x1b[2Jroute" },
          "0 of 1 asset, tried again soon: no  [2Jroute" },
        { { .files = 1, .files_done = 1, .bytes = 1000, .bytes_done = 1000 }, "1 asset, 1.0 KiB" },
        { { .files = 3, .files_done = 3, .bytes = MIB, .bytes_done = MIB, .bytes_per_s = 7 },
          "3 assets, 1.0 MiB" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char words[CHAINSI_FETCHED_TEXT];
        chainsi_fetched_words(&cases[i].fetched, words);
        assert_string_equal(words, cases[i].words);
    }
    char much[2 * CHAINSI_FETCHED_TEXT], words[CHAINSI_FETCHED_TEXT];
    memset(much, 'x', sizeof much);
    much[sizeof much - 1] = 0;
    chainsi_fetched_words(&(chainsi_api_fetched){ .files = 1, .bytes = -1, .trouble = much },
                          words);
    assert_int_equal(strlen(words), CHAINSI_FETCHED_TEXT - 1);
}

/* What a watcher sees of one deployment that is looked at every half second. */
static char *watch(bool terminal, size_t columns)
{
    char *text = NULL;
    size_t size = 0;
    chainsi_bar progress = { .out = open_memstream(&text, &size),
                             .terminal = { .moves = terminal, .columns = columns } };
    chainsi_fetched_shown shown = { .progress = &progress };
    chainsi_fetched_show(&shown, NULL, 0);
    for (int64_t half = 0; half < 50; half++)
        chainsi_fetched_show(&shown,
                             &(chainsi_api_fetched){ .files = 1, .bytes = 50, .bytes_done = half },
                             half * 500 * CHAINSI_NS_PER_MS);
    for (int i = 0; i < 2; i++)
        chainsi_fetched_show(
            &shown,
            &(chainsi_api_fetched){ .files = 1, .files_done = 1, .bytes = 50, .bytes_done = 50 },
            25000 * CHAINSI_NS_PER_MS);
    chainsi_bar_leave(&progress);
    fclose(progress.out);
    return text;
}

static void lines_are_few(void **state)
{
    (void)state;
    char *text = watch(false, 0);
    assert_string_equal(text, "fetching  0 of 1 asset, 0 of 50 B\n"
                              "fetching  0 of 1 asset, 20 of 50 B\n"
                              "fetching  0 of 1 asset, 40 of 50 B\n"
                              "fetched  1 asset, 50 B\n");
    free(text);
}

static void a_line_is_renewed(void **state)
{
    (void)state;
    char *text = watch(true, 30);
    size_t renewed = 0;
    for (const char *at = text; (at = strchr(at, '\r')); at++)
        renewed++;
    assert_int_equal(renewed, 51);
    assert_ptr_equal(strstr(text, "\rfetching  0 of 1 asset, 0 of~\033[K\r"), text);
    const char *last = strrchr(text, '\r');
    assert_string_equal(last, "\rfetched  1 asset, 50 B\033[K\n");
    assert_ptr_equal(strchr(text, '\n'), strrchr(text, '\n'));
    free(text);
}

static void a_bar_is_drawn(void **state)
{
    (void)state;
    char *text = watch(true, 80);
    assert_non_null(
        strstr(text, "\rfetching  [###########------------]  0 of 1 asset, 25 of 50 B\033[K\r"));
    free(text);
}

static void what_was_there_is_not_told(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    chainsi_bar progress = { .out = open_memstream(&text, &size) };
    chainsi_fetched_shown shown = { .progress = &progress };
    chainsi_fetched_show(&shown, &(chainsi_api_fetched){ .files = 2, .files_done = 2 }, 0);
    fclose(progress.out);
    assert_string_equal(text, "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said),      cmocka_unit_test(lines_are_few),
        cmocka_unit_test(a_line_is_renewed), cmocka_unit_test(what_was_there_is_not_told),
        cmocka_unit_test(a_bar_is_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
