#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/tally.h"

enum { THREADS = 8, ROUNDS = 20000, COUNTERS = 300 };

static void what_is_added_is_read(void **state)
{
    (void)state;
    chainsi_tally tally = CHAINSI_TALLY(3);
    assert_int_equal(chainsi_tally_read(&tally, 0), 0);
    chainsi_tally_add(&tally, 0, 1);
    chainsi_tally_add(&tally, 2, 40);
    chainsi_tally_add(&tally, 2, 2);
    uint64_t sums[3] = { 9, 9, 9 };
    chainsi_tally_read_all(&tally, sums);
    assert_int_equal(sums[0], 1);
    assert_int_equal(sums[1], 0);
    assert_int_equal(sums[2], 42);
    assert_int_equal(chainsi_tally_read(&tally, 2), 42);
    chainsi_tally_done(&tally);
    assert_int_equal(chainsi_tally_read(&tally, 2), 0);
    chainsi_tally_done(&tally);
}

static void *add(void *user)
{
    chainsi_tally *tally = user;
    for (uint64_t i = 0; i < ROUNDS; i++)
        chainsi_tally_add(tally, (uint32_t)(i % COUNTERS), i);
    return NULL;
}

static void nothing_is_lost_among_threads(void **state)
{
    (void)state;
    chainsi_tally tally = CHAINSI_TALLY(COUNTERS);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add, &tally), 0);
    uint64_t before = 0;
    for (int i = 0; i < 100; i++) { /* while they add, it only grows */
        uint64_t now = chainsi_tally_read(&tally, 7);
        assert_true(now >= before);
        before = now;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    uint64_t sums[COUNTERS], total = 0;
    chainsi_tally_read_all(&tally, sums);
    for (int i = 0; i < COUNTERS; i++)
        total += sums[i];
    assert_int_equal(total, (uint64_t)THREADS * ROUNDS * (ROUNDS - 1) / 2);
    chainsi_tally_done(&tally);
}

static void places_are_used_again(void **state)
{
    (void)state;
    chainsi_tally kept = CHAINSI_TALLY(5);
    chainsi_tally_add(&kept, 4, 11);
    for (int i = 0; i < 10 * CHAINSI_TALLY_CHUNK * CHAINSI_TALLY_CHUNKS / 50; i++) {
        chainsi_tally passing = CHAINSI_TALLY(50);
        assert_int_equal(chainsi_tally_read(&passing, 49), 0);
        chainsi_tally_add(&passing, 49, 7);
        assert_int_equal(chainsi_tally_read(&passing, 49), 7);
        chainsi_tally_done(&passing);
    }
    assert_int_equal(chainsi_tally_read(&kept, 4), 11);
    chainsi_tally_done(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_is_read),
        cmocka_unit_test(nothing_is_lost_among_threads),
        cmocka_unit_test(places_are_used_again),
    };
    return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
