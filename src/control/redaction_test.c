/* Redaction: every case whole, and cut at every place into two, and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/redaction.h"

typedef struct secret {
    const char *name, *value;
} secret;

/* The text, in pieces of the given sizes: `first` bytes, then `step` at a time. */
static char *redact(const chainsi_redactor *redactor, const char *text, size_t first, size_t step)
{
    chainsi_redaction stream = { 0 };
    chainsi_buffer out = { 0 };
    size_t size = strlen(text), at = first < size ? first : size;
    chainsi_redact(redactor, &stream, text, at, &out);
    for (size_t part; at < size; at += part) {
        part = size - at < step ? size - at : step;
        chainsi_redact(redactor, &stream, text + at, part, &out);
    }
    chainsi_redact_end(redactor, &stream, &out);
    chainsi_buffer_add_byte(&out, 0);
    return (char *)out.data;
}

static void assert_redacts(const secret *secrets, const char *text, const char *expected)
{
    chainsi_redactor *redactor = chainsi_redactor_new();
    for (; secrets->name; secrets++)
        chainsi_redactor_add(redactor, secrets->name, secrets->value, strlen(secrets->value));
    size_t size = strlen(text);
    for (size_t first = 0; first <= size; first++) {
        for (size_t step = 1; step <= size; step += first ? size : 1) {
            char *found = redact(redactor, text, first, step);
            if (strcmp(found, expected) != 0)
                fail_msg("'%s' cut at %zu by %zu: '%s'", text, first, step, found);
            free(found);
        }
    }
    chainsi_redactor_free(redactor);
}

static void replaces_values(void **state)
{
    (void)state;
    const secret some[] = { { "token", "abcdef" }, { "password", "hunter2" }, { 0 } };
    assert_redacts(some, "", "");
    assert_redacts(some, "nothing here", "nothing here");
    assert_redacts(some, "abcdef", "[redacted:token]");
    assert_redacts(some, "abcdefabcdef hunter2\n",
                   "[redacted:token][redacted:token] [redacted:password]\n");
    assert_redacts(some, "abcde hunter", "abcde hunter");
    assert_redacts(some, "aabcdef ababcdef abcabcdef",
                   "a[redacted:token] ab[redacted:token] "
                   "abc[redacted:token]");
    assert_redacts(some, "huntehunter2", "hunte[redacted:password]");
}

static void takes_the_longest(void **state)
{
    (void)state;
    const secret nested[] = {
        { "short", "abcd" }, { "long", "abcdefgh" }, { "inner", "cdefgh" }, { 0 }
    };
    assert_redacts(nested, "abcdefgh", "[redacted:long]");
    assert_redacts(nested, "abcdefg", "[redacted:short]efg");
    assert_redacts(nested, "abcd", "[redacted:short]");
    assert_redacts(nested, "xcdefgh abc", "x[redacted:inner] abc");
    const secret twins[] = { { "one", "same value" }, { "two", "same value" }, { 0 } };
    assert_redacts(twins, "the same value", "the [redacted:one]");
    const secret periodic[] = { { "p", "aaab" }, { 0 } };
    assert_redacts(periodic, "aaaaaab aaaa", "aaa[redacted:p] aaaa");
}

static void finds_values_of_any_bytes(void **state)
{
    (void)state;
    const secret some[] = { { "pem", "-----\nAB\nCD\n-----" },
                            { "utf8", "\xc3\xa9\xc3\xa9" },
                            { 0 } };
    assert_redacts(some, "x-----\nAB\nCD\n-----y", "x[redacted:pem]y");
    assert_redacts(some, "-----\nAB\nCE", "-----\nAB\nCE");
    assert_redacts(some, "\xc3\xc3\xa9\xc3\xa9", "\xc3[redacted:utf8]");
}

static void leaves_short_values_alone(void **state)
{
    (void)state;
    const secret some[] = {
        { "flag", "1" }, { "none", "" }, { "three", "abc" }, { "four", "abcd" }, { 0 }
    };
    assert_redacts(some, "1 abc abcd", "1 abc [redacted:four]");
}

/* Text that begins no value goes out at once; what may begin one waits, and no longer than that. */
static void holds_back_no_more_than_it_must(void **state)
{
    (void)state;
    chainsi_redactor *redactor = chainsi_redactor_new();
    chainsi_redactor_add(redactor, "token", "abcdef", 6);
    chainsi_redaction stream = { 0 };
    chainsi_buffer out = { 0 };
    chainsi_redact(redactor, &stream, "hello\nab", 8, &out);
    assert_int_equal(out.size, 6);
    chainsi_redact(redactor, &stream, "c", 1, &out);
    assert_int_equal(out.size, 6);
    chainsi_redact(redactor, &stream, "x\n", 2, &out);
    assert_int_equal(out.size, 11);
    assert_int_equal(stream.held.size, 0);
    /* What is held goes out as it is when the secrets are others meanwhile. */
    chainsi_redact(redactor, &stream, "abc", 3, &out);
    chainsi_redactor_free(redactor);
    redactor = chainsi_redactor_new();
    chainsi_redact(redactor, &stream, "def", 3, &out);
    assert_int_equal(out.size, 17);
    chainsi_redact_end(redactor, &stream, &out);
    chainsi_redactor_free(redactor);
    chainsi_buffer_done(&out);
}

/* Against the plain way of doing it, over texts of few letters, where values overlap everywhere. */
static void agrees_with_the_plain_way(void **state)
{
    (void)state;
    unsigned seed = 7;
    for (int round = 0; round < 300; round++) {
        char values[3][10], text[64], expected[1024] = "";
        secret secrets[4] = { 0 };
        for (int i = 0; i < 3; i++) {
            size_t size = 4 + (size_t)rand_r(&seed) % 5;
            for (size_t j = 0; j < size; j++)
                values[i][j] = (char)('a' + rand_r(&seed) % 2);
            values[i][size] = 0;
            secrets[i] = (secret){ i == 0 ? "0" : i == 1 ? "1" : "2", values[i] };
        }
        size_t size = (size_t)rand_r(&seed) % (sizeof text - 1);
        for (size_t j = 0; j < size; j++)
            text[j] = (char)('a' + rand_r(&seed) % 2);
        text[size] = 0;
        for (size_t at = 0, end = 0; at < size;) {
            const secret *best = NULL;
            for (int i = 0; i < 3; i++)
                if (!strncmp(text + at, values[i], strlen(values[i])) &&
                    (!best || strlen(values[i]) > strlen(best->value)))
                    best = &secrets[i];
            end += (size_t)(best ? sprintf(expected + end, "[redacted:%s]", best->name)
                                 : sprintf(expected + end, "%c", text[at]));
            at += best ? strlen(best->value) : 1;
        }
        assert_redacts(secrets, text, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces_values),
        cmocka_unit_test(takes_the_longest),
        cmocka_unit_test(finds_values_of_any_bytes),
        cmocka_unit_test(leaves_short_values_alone),
        cmocka_unit_test(holds_back_no_more_than_it_must),
        cmocka_unit_test(agrees_with_the_plain_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
