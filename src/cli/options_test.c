/* Options of verbs: every form is read, and what is wrong ends with status 2. */
#include "cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const chainsi_verb verb = { "try", "[FOLDER]", "Tries.", "  --json  prints JSON\n", NULL };

typedef struct given {
    bool json;
    const char *name;
    chainsi_words fakes, positionals;
    int64_t port;
    double timeout;
    bool follow;
    int status;
    bool read;
} given;

static given read_words(int argc, char **argv)
{
    given g = { .port = -7, .status = -1 };
    const chainsi_option options[] = {
        { "json", CHAINSI_OPTION_FLAG, &g.json },
        { "name", CHAINSI_OPTION_TEXT, &g.name },
        { "fake", CHAINSI_OPTION_WORDS, &g.fakes },
        { "port", CHAINSI_OPTION_INTEGER, &g.port },
        { "timeout", CHAINSI_OPTION_NUMBER, &g.timeout },
        { "f", CHAINSI_OPTION_FLAG, &g.follow },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    g.read = chainsi_options_read(&verb, options, argc, argv, 1, &g.positionals, &g.status);
    return g;
}

#define READ(...)                                                                                  \
    read_words((int)(sizeof((char *[]){ "try", __VA_ARGS__ }) / sizeof(char *)),                   \
               (char *[]){ "try", __VA_ARGS__ })

static void done(given *g)
{
    chainsi_words_done(&g->fakes);
    chainsi_words_done(&g->positionals);
}

static void test_all_forms(void **state)
{
    (void)state;
    given g = READ("--fake", "a.c", "here", "--name=x=y", "--json", "--fake=b.c", "--port", "0",
                   "--timeout=1.5", "-f");
    assert_true(g.read);
    assert_true(g.json && g.follow);
    assert_string_equal(g.name, "x=y");
    assert_int_equal(g.fakes.count, 2);
    assert_string_equal(g.fakes.items[0], "a.c");
    assert_string_equal(g.fakes.items[1], "b.c");
    assert_int_equal(g.positionals.count, 1);
    assert_string_equal(g.positionals.items[0], "here");
    assert_int_equal(g.port, 0);
    assert_true(g.timeout > 1.4 && g.timeout < 1.6);
    done(&g);
}

static void test_double_dash_ends_options(void **state)
{
    (void)state;
    given g = READ("--", "--json");
    assert_true(g.read);
    assert_false(g.json);
    assert_string_equal(g.positionals.items[0], "--json");
    done(&g);
}

static void test_wrong_usage_is_2(void **state)
{
    (void)state;
    char *wrong[] = { "--jsno", "--port=x",   "--port",      "--json=1",      "-json",
                      "--f",    "--timeout=", "--timeout=x", "--timeout=nan", "--timeout=inf" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        given g = READ(wrong[i]);
        assert_false(g.read);
        assert_int_equal(g.status, CHAINSI_EXIT_USAGE);
        done(&g);
    }
    given g = READ("one", "two");
    assert_false(g.read);
    assert_int_equal(g.status, CHAINSI_EXIT_USAGE);
    done(&g);
}

static void test_help_is_0(void **state)
{
    (void)state;
    given g = READ("--help");
    assert_false(g.read);
    assert_int_equal(g.status, CHAINSI_EXIT_OK);
    done(&g);
}

static void test_nearest_word(void **state)
{
    (void)state;
    const char *const words[] = { "input", "fake", "sanitize", NULL };
    assert_string_equal(chainsi_nearest_word("inptu", words), "input");
    assert_string_equal(chainsi_nearest_word("sanitise", words), "sanitize");
    assert_string_equal(chainsi_nearest_word("san", words), "sanitize");
    assert_null(chainsi_nearest_word("volume", words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_forms),        cmocka_unit_test(test_double_dash_ends_options),
        cmocka_unit_test(test_wrong_usage_is_2), cmocka_unit_test(test_help_is_0),
        cmocka_unit_test(test_nearest_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
