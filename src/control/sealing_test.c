/* Sealing: what is sealed opens with its key and its name, unchanged, and in no other way; who may read
 * the key. */
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
#include "control/sealing.h"

static char home[] = "/tmp/chains-seal-XXXXXX";
static char *key_path;
static chainsi_arena arena;
static char why[512];

static int make_home(void **state)
{
    (void)state;
    strcpy(home + sizeof home - 7, "XXXXXX");
    if (!mkdtemp(home))
        return -1;
    key_path = chainsi_path("%s/secret.key", home);
    return 0;
}

static int remove_home(void **state)
{
    (void)state;
    chainsi_arena_done(&arena);
    free(key_path);
    return chainsi_remove_tree(home) ? 0 : -1;
}

static chainsi_sealer *open_sealer(bool make, chains_status expected)
{
    chains_status status = CHAINS_UNKNOWN;
    chainsi_sealer *sealer = chainsi_sealer_open(home, make, &status, why, sizeof why);
    assert_int_equal(status, expected);
    assert_int_equal(sealer != NULL, status == CHAINS_OK);
    return sealer;
}

static chains_bytes seal(const chainsi_sealer *sealer, const char *name, const void *data,
                         size_t size)
{
    chains_bytes sealed = { 0 };
    assert_int_equal(chainsi_seal(sealer, name, data, size, &arena, &sealed, why, sizeof why),
                     CHAINS_OK);
    return sealed;
}

static void assert_opens(const chainsi_sealer *sealer, const char *name, chains_bytes sealed,
                         const char *expected, size_t size)
{
    chainsi_plain plain = { 0 };
    assert_int_equal(chainsi_unseal(sealer, name, sealed, &plain, why, sizeof why), CHAINS_OK);
    assert_int_equal(plain.size, size);
    assert_memory_equal(plain.text, expected, size);
    assert_int_equal(plain.text[size], 0);
    chainsi_plain_done(&plain);
    assert_null(plain.text);
}

static void assert_stays_shut(const chainsi_sealer *sealer, const char *name, chains_bytes sealed)
{
    chainsi_plain plain = { 0 };
    assert_int_equal(chainsi_unseal(sealer, name, sealed, &plain, why, sizeof why),
                     CHAINS_DATA_LOSS);
    assert_null(plain.text);
}

static void seals_and_opens(void **state)
{
    (void)state;
    chainsi_sealer *sealer = open_sealer(true, CHAINS_OK);
    static char large[CHAINSI_SECRET_MOST + 1];
    memset(large, 'x', sizeof large);
    assert_opens(sealer, "token", seal(sealer, "token", "a\0b\n", 4), "a\0b\n", 4);
    assert_opens(sealer, "", seal(sealer, "", "", 0), "", 0);
    assert_opens(sealer, "large", seal(sealer, "large", large, CHAINSI_SECRET_MOST), large,
                 CHAINSI_SECRET_MOST);
    chains_bytes sealed;
    assert_int_equal(
        chainsi_seal(sealer, "large", large, sizeof large, &arena, &sealed, why, sizeof why),
        CHAINS_INVALID_ARGUMENT);
    assert_string_equal(why, "the secret 'large' has 65537 bytes; at most 65536 are taken");
    /* The same twice looks different, and doesn't show what it is. */
    chains_bytes one = seal(sealer, "token", "password", 8), two;
    two = seal(sealer, "token", "password", 8);
    assert_int_equal(one.size, two.size);
    assert_memory_not_equal(one.data, two.data, one.size);
    assert_null(memmem(one.data, one.size, "passw", 5));
    chainsi_sealer_close(sealer);

    sealer = open_sealer(false, CHAINS_OK); /* with the key that is there */
    assert_opens(sealer, "token", one, "password", 8);
    chainsi_sealer_close(sealer);
}

static void opens_nothing_that_was_changed(void **state)
{
    (void)state;
    chainsi_sealer *sealer = open_sealer(true, CHAINS_OK);
    chains_bytes sealed = seal(sealer, "token", "password", 8);
    uint8_t *bytes = (uint8_t *)sealed.data;
    for (size_t i = 0; i < sealed.size; i++) {
        bytes[i] ^= 0x10;
        assert_stays_shut(sealer, "token", sealed);
        bytes[i] ^= 0x10;
    }
    for (size_t size = 0; size < sealed.size; size++)
        assert_stays_shut(sealer, "token", (chains_bytes){ bytes, size });
    assert_stays_shut(sealer, "other", sealed);
    assert_string_equal(why, "the secret 'other' does not open: secret.key is not the one that it "
                             "was sealed with, or what is kept was changed");
    assert_opens(sealer, "token", sealed, "password", 8);

    assert_int_equal(unlink(key_path), 0);
    chainsi_sealer *other = open_sealer(true, CHAINS_OK);
    assert_stays_shut(other, "token", sealed);
    chainsi_sealer_close(other);
    chainsi_sealer_close(sealer);
}

static void keeps_its_key_to_itself(void **state)
{
    (void)state;
    open_sealer(false, CHAINS_NOT_FOUND);
    assert_non_null(strstr(why, "secret.key"));
    chainsi_sealer_close(open_sealer(true, CHAINS_OK));
    struct stat info;
    assert_int_equal(stat(key_path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(info.st_size, 32);
    const mode_t modes[] = { 0640, 0604, 0620, 0601, 0666 };
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(chmod(key_path, modes[i]), 0);
        open_sealer(true, CHAINS_FAILED_PRECONDITION);
        assert_non_null(strstr(why, "others may read"));
        assert_non_null(strstr(why, "chmod 600"));
    }
    assert_int_equal(chmod(key_path, 0400), 0);
    chainsi_sealer_close(open_sealer(true, CHAINS_OK));
}

static void takes_no_key_of_another_size_or_kind(void **state)
{
    (void)state;
    uint8_t bytes[33] = { 0 };
    const size_t sizes[] = { 0, 31, 33 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_true(chainsi_write_file(key_path, bytes, sizes[i]));
        open_sealer(true, CHAINS_FAILED_PRECONDITION);
        assert_non_null(strstr(why, "is no key: it must be 32 bytes"));
    }
    assert_int_equal(unlink(key_path), 0);
    assert_int_equal(mkfifo(key_path, 0600), 0);
    open_sealer(true, CHAINS_FAILED_PRECONDITION);
    assert_int_equal(unlink(key_path), 0);
    assert_int_equal(symlink("/dev/zero", key_path), 0);
    open_sealer(true, CHAINS_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(seals_and_opens, make_home, remove_home),
        cmocka_unit_test_setup_teardown(opens_nothing_that_was_changed, make_home, remove_home),
        cmocka_unit_test_setup_teardown(keeps_its_key_to_itself, make_home, remove_home),
        cmocka_unit_test_setup_teardown(takes_no_key_of_another_size_or_kind, make_home,
                                        remove_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
