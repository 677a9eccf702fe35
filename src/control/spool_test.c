/* Bodies in memory and in files, around the size where one becomes the other. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/limits.h"
#include "control/spool.h"

static char folder[] = "/tmp/chains-spool-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* fails if anything was left in it */
}

static void test_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0,
                                    1,
                                    CHAINSI_SPOOL_FROM,
                                    CHAINSI_SPOOL_FROM + 1,
                                    3 * CHAINSI_SPOOL_FROM,
                                    3 * CHAINSI_SPOOL_FROM - 4096 };
    static char data[3 * CHAINSI_SPOOL_FROM];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 7 + i / 4096);
    chainsi_spool spool = { 0 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t at = 0, part = 1; at < sizes[i]; at += part, part = part * 3 + 1) {
            if (part > sizes[i] - at)
                part = sizes[i] - at;
            assert_true(chainsi_spool_add(&spool, folder, data + at, part));
        }
        assert_int_equal(spool.size, sizes[i]);
        assert_int_equal(spool.has_file, sizes[i] > CHAINSI_SPOOL_FROM);
        for (int again = 0; again < 2; again++) {
            const char *whole = chainsi_spool_whole(&spool);
            assert_non_null(whole);
            assert_memory_equal(whole, data, sizes[i]);
            assert_int_equal(whole[sizes[i]], 0);
        }
        chainsi_spool_reset(&spool);
        assert_int_equal(spool.size, 0);
        assert_true(spool.memory.capacity <= CHAINSI_KEPT_BUFFER);
    }
    chainsi_spool_done(&spool);
}

static void test_without_a_folder(void **state)
{
    (void)state;
    static const char data[CHAINSI_SPOOL_FROM];
    chainsi_spool spool = { 0 };
    for (int i = 0; i < 3; i++)
        assert_true(chainsi_spool_add(&spool, NULL, data, sizeof data));
    assert_false(spool.has_file);
    assert_int_equal(chainsi_spool_whole(&spool)[spool.size], 0);
    chainsi_spool_done(&spool);
}

static void test_no_room(void **state)
{
    (void)state;
    static const char data[CHAINSI_SPOOL_FROM + 1];
    chainsi_spool spool = { 0 };
    assert_true(chainsi_spool_add(&spool, "/nowhere", data, CHAINSI_SPOOL_FROM));
    assert_false(chainsi_spool_add(&spool, "/nowhere", data, 1));
    assert_int_equal(errno, ENOENT);
    assert_int_equal(spool.size, CHAINSI_SPOOL_FROM);
    chainsi_spool_done(&spool);
    /* A file that nobody asked for as a whole. */
    assert_true(chainsi_spool_add(&spool, folder, data, sizeof data));
    chainsi_spool_done(&spool);
    chainsi_spool_done(&spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_without_a_folder),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
