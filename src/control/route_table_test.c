/* The rows are well-formed, and each is found by its own path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/page.h"
#include "control/route_table.h"

const chainsi_page_file chainsi_page_files[] = { { 0 } };

enum { MOST_SEGMENTS = 10 };

/* Cuts the path of a row into segments; a name in braces stands for itself. */
static size_t cut(char *path, const char *segments[MOST_SEGMENTS])
{
    size_t count = 0;
    char *rest;
    for (char *each = strtok_r(path, "/", &rest); each; each = strtok_r(NULL, "/", &rest))
        segments[count++] = each;
    return count;
}

static void test_each_row_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < chainsi_route_count; i++) {
        const chainsi_route_row *row = &chainsi_route_table[i];
        char path[256], allowed[CHAINSI_ROUTE_METHODS];
        const char *segments[MOST_SEGMENTS];
        chainsi_names names;
        snprintf(path, sizeof path, "%s", row->path);
        size_t count = cut(path, segments);
        assert_ptr_equal(chainsi_route_find(row->method, segments, count, &names, allowed), row);
        assert_true(!names.chain || !strcmp(names.chain, "{chain}"));
        assert_true(!names.environment || !strcmp(names.environment, "{environment}"));
        assert_true(!names.version || !strcmp(names.version, "{version}"));
        assert_true(!names.chainlet || !strcmp(names.chainlet, "{chainlet}"));
        assert_true(!names.id || !strcmp(names.id, "{id}"));
        assert_true(!names.name || !strcmp(names.name, "{name}"));
        assert_null(chainsi_route_find(CHAINSI_HTTP_OTHER, segments, count, &names, allowed));
        assert_true(*allowed);
        assert_ptr_not_equal(chainsi_route_find(row->method, segments, count - 1, &names, allowed),
                             row);
    }
}

static void test_rows_say_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < chainsi_route_count; i++) {
        const chainsi_route_row *row = &chainsi_route_table[i];
        assert_non_null(row->answer);
        assert_true(row->id && row->about);
        assert_true((row->output != NULL) != (row->media && row->media_about));
        assert_true(!row->no_head || row->method == CHAINSI_HTTP_GET);
        /* Rows of one path are neighbours, each with a method of its own. */
        bool apart = false;
        for (size_t k = i + 1; k < chainsi_route_count; k++) {
            const chainsi_route_row *other = &chainsi_route_table[k];
            assert_string_not_equal(row->id, other->id);
            bool same = !strcmp(row->path, other->path);
            if (same && (apart || row->method == other->method))
                fail_msg("%s: its rows are apart, or of one method", row->path);
            apart = apart || !same;
        }
    }
}

static void test_what_is_not_there(void **state)
{
    (void)state;
    static const char *const paths[][4] = {
        { "api", "v1", "chains", "" },
        { "api", "v1", "keys", "" },
        { "api", "v1", "x" },
        { "api", "v1", "chain" },
        { "api", "v1", "chainsx" },
        { "healthz", "" },
        { "chains", "x", "y", "run_remot" },
        { "api", "v1" },
        { "" },
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        size_t count = 0;
        chainsi_names names;
        char allowed[CHAINSI_ROUTE_METHODS] = "untouched";
        while (count < 4 && paths[i][count])
            count++;
        assert_null(chainsi_route_find(CHAINSI_HTTP_GET, paths[i], count, &names, allowed));
        assert_string_equal(allowed, "");
    }
}

static void test_methods(void **state)
{
    (void)state;
    chainsi_names names;
    char allowed[CHAINSI_ROUTE_METHODS];
    const char *scaling[] = { "api", "v1", "chains", "x", "chainlets", "y", "scaling" };
    const char *logs[] = { "api", "v1", "chains", "x", "logs" };
    assert_null(chainsi_route_find(CHAINSI_HTTP_POST, scaling, 7, &names, allowed));
    assert_string_equal(allowed, "GET, HEAD, PUT, DELETE");
    assert_non_null(chainsi_route_find(CHAINSI_HTTP_HEAD, scaling, 7, &names, allowed));
    assert_string_equal(names.chain, "x");
    assert_string_equal(names.chainlet, "y");
    assert_null(names.environment);
    assert_null(chainsi_route_find(CHAINSI_HTTP_HEAD, logs, 5, &names, allowed));
    assert_string_equal(allowed, "GET");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_row_is_found),
        cmocka_unit_test(test_rows_say_all),
        cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_methods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
