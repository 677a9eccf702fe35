/* Keys from a folder: copied, checked, and never in the place of another one that seals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "control/home.h"
#include "control/shared_keys.h"

#define DIGITS "0123456789abcdef0123456789abcdef"
#define BYTES  "\0\1\2\3\4\5\6\7\0\1\2\3\4\5\6\7\0\1\2\3\4\5\6\7\0\1\2\3\4\5\6\7"

static char folder[64], home[64], why[512];

static void put(const char *in, const char *name, const void *data, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", in, name);
    assert_true(chainsi_write_file(path, data, size));
}

static int begin(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/chains-keys-XXXXXX");
    strcpy(home, "/tmp/chains-home-XXXXXX");
    if (!mkdtemp(folder) || !mkdtemp(home))
        return -1;
    put(folder, "token", DIGITS "\n", 33);
    put(folder, "webhook.key", DIGITS, 32);
    put(folder, "secret.key", BYTES, 32);
    return setenv("CHAINS_KEYS_DIR", folder, 1);
}

static int end(void **state)
{
    (void)state;
    unsetenv("CHAINS_KEYS_DIR");
    return chainsi_remove_tree(folder) && chainsi_remove_tree(home) ? 0 : -1;
}

static void holds(const char *name, const void *data)
{
    char path[128];
    struct stat info;
    size_t size = 0;
    snprintf(path, sizeof path, "%s/%s", home, name);
    char *there = chainsi_read_file(path, 4096, &size);
    assert_non_null(there);
    assert_int_equal(size, 32);
    assert_memory_equal(there, data, 32);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    free(there);
}

static void copies_them(void **state)
{
    (void)state;
    char token[CHAINSI_TOKEN_SIZE + 1];
    for (int round = 0; round < 2; round++) {
        assert_true(chainsi_shared_keys_take(home, why, sizeof why));
        holds("token", DIGITS);
        holds("webhook.key", DIGITS);
        holds("secret.key", BYTES);
        assert_true(chainsi_home_token(home, false, token));
        assert_string_equal(token, DIGITS);
    }
    /* A new token is taken; another key that seals is not. */
    put(folder, "token", "ffffffffffffffffffffffffffffffff", 32);
    assert_true(chainsi_shared_keys_take(home, why, sizeof why));
    holds("token", "ffffffffffffffffffffffffffffffff");
    put(folder, "secret.key", "an entirely other one of 32 byte", 32);
    assert_false(chainsi_shared_keys_take(home, why, sizeof why));
    assert_non_null(strstr(why, "secret.key is another one than that of CHAINS_KEYS_DIR"));
    holds("secret.key", BYTES);
}

static void does_nothing_unasked(void **state)
{
    (void)state;
    char path[128];
    setenv("CHAINS_KEYS_DIR", "", 1);
    assert_true(chainsi_shared_keys_take(home, why, sizeof why));
    snprintf(path, sizeof path, "%s/token", home);
    struct stat info;
    assert_int_not_equal(stat(path, &info), 0);
}

static void says_what_is_no_key(void **state)
{
    (void)state;
    const struct {
        const char *name, *data;
        size_t size;
    } bad[] = {
        { "token", "", 0 },
        { "token", DIGITS "0", 33 },
        { "token", "0123456789ABCDEF0123456789ABCDEF", 32 },
        { "webhook.key", "x123456789abcdef0123456789abcdef", 32 },
        { "secret.key", BYTES "\n", 33 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char path[128];
        put(folder, bad[i].name, bad[i].data, bad[i].size);
        assert_false(chainsi_shared_keys_take(home, why, sizeof why));
        snprintf(path, sizeof path, "%s/%s is no key", folder, bad[i].name);
        assert_non_null(strstr(why, path));
        put(folder, bad[i].name, strcmp(bad[i].name, "secret.key") ? DIGITS : BYTES, 32);
    }
    char path[128];
    snprintf(path, sizeof path, "%s/webhook.key", folder);
    assert_int_equal(remove(path), 0);
    assert_false(chainsi_shared_keys_take(home, why, sizeof why));
    assert_non_null(strstr(why, "webhook.key: No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(copies_them, begin, end),
        cmocka_unit_test_setup_teardown(does_nothing_unasked, begin, end),
        cmocka_unit_test_setup_teardown(says_what_is_no_key, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
