/* The choice among replicas: rules by hand, and what holds whatever is known. Nothing here takes time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "rpc/choice.h"

#define MS(number) ((number)*CHAINSI_NS_PER_MS)

enum { MOST = 8 };

typedef struct scene {
    chainsi_choice all[MOST];
    bool skipped[MOST];
    int count;
    bool may_guess;
} scene;

static int pick(const scene *of, unsigned start, int64_t now_ns)
{
    const chainsi_choice *pointers[MOST];
    for (int i = 0; i < of->count; i++)
        pointers[i] = &of->all[i];
    return chainsi_choice_pick(pointers, of->skipped, of->count, start, of->may_guess, now_ns);
}

static chainsi_grants_slots slots(uint32_t free, uint32_t total)
{
    return (chainsi_grants_slots){ free, total };
}

static void test_unknown_ones_are_tried_in_turn(void **state)
{
    (void)state;
    scene of = { .count = 3 };
    for (unsigned start = 0; start < 6; start++)
        assert_int_equal(pick(&of, start, 0), start % 3);
    /* One call each, as long as nobody has said how many slots there are. */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pick(&of, 0, 0), i);
        chainsi_choice_sent(&of.all[i], false);
    }
    assert_int_equal(pick(&of, 0, 0), CHAINSI_CHOICE_NONE);
    assert_int_equal(pick(&(scene){ .count = 0 }, 0, 0), CHAINSI_CHOICE_NONE);
}

static void test_the_fastest_free_one_is_first(void **state)
{
    (void)state;
    scene of = { .count = 3 };
    const int64_t run_ms[] = { 20, 5, 10 };
    for (int i = 0; i < 3; i++) {
        chainsi_choice_sent(&of.all[i], false);
        chainsi_choice_ended(&of.all[i], MS(run_ms[i]));
        chainsi_choice_said(&of.all[i], slots(1, 1), 0);
    }
    const int expected[] = { 1, 2, 0, CHAINSI_CHOICE_NONE };
    for (int i = 0; i < 4; i++) {
        int at = pick(&of, 0, 0);
        assert_int_equal(at, expected[i]);
        if (at >= 0)
            chainsi_choice_sent(&of.all[at], false);
    }
    of.all[1].sent_since = of.all[1].outstanding = 0;
    of.skipped[1] = true;
    assert_int_equal(pick(&of, 0, 0), CHAINSI_CHOICE_NONE);
}

static void test_averages_move(void **state)
{
    (void)state;
    chainsi_choice it = { 0 };
    it.outstanding = 100;
    chainsi_choice_ended(&it, MS(10));
    assert_int_equal(it.run_ns, MS(10));
    chainsi_choice_ended(&it, MS(18));
    assert_int_equal(it.run_ns, MS(11));
    chainsi_choice_ended(&it, 0); /* it wasn't answered */
    assert_int_equal(it.run_ns, MS(11));
    for (int i = 0; i < 90; i++)
        chainsi_choice_ended(&it, MS(2));
    assert_in_range(it.run_ns, MS(2), MS(3));
}

static void test_what_was_busy_is_asked_again_where_it_pays(void **state)
{
    (void)state;
    scene of = { .count = 2, .may_guess = true };
    of.all[0].run_ns = MS(40);
    of.all[1].run_ns = MS(1000000);
    chainsi_choice_said(&of.all[0], slots(0, 4), MS(100));
    chainsi_choice_said(&of.all[1], slots(0, 1), MS(100));
    /* What it says is believed for as long as a slot of it should be busy, within limits. */
    assert_int_equal(pick(&of, 0, MS(110) - 1), CHAINSI_CHOICE_NONE);
    assert_int_equal(pick(&of, 0, MS(110)), 0);
    of.skipped[0] = true;
    assert_int_equal(pick(&of, 0, MS(100 + CHAINSI_CHOICE_LATEST_MS) - 1), CHAINSI_CHOICE_NONE);
    assert_int_equal(pick(&of, 0, MS(100 + CHAINSI_CHOICE_LATEST_MS)), 1);
    of.may_guess = false;
    assert_int_equal(pick(&of, 0, MS(10000)), CHAINSI_CHOICE_NONE);
    /* Beside one that is free, only if it is more than twice as fast. */
    of = (scene){ .count = 2, .may_guess = true };
    of.all[0].run_ns = MS(10);
    chainsi_choice_said(&of.all[0], slots(0, 1), 0);
    chainsi_choice_said(&of.all[1], slots(1, 1), 0);
    of.all[1].run_ns = MS(20);
    assert_int_equal(pick(&of, 0, MS(1000)), 1);
    of.all[1].run_ns = MS(20) + 1;
    assert_int_equal(pick(&of, 0, MS(1000)), 0);
    assert_int_equal(pick(&of, 0, MS(1)), 1);
    of.may_guess = false;
    assert_int_equal(pick(&of, 0, MS(1000)), 1);
    /* Said without a number. */
    chainsi_choice_said(&of.all[1], slots(3, 4), MS(1000));
    chainsi_choice_busy(&of.all[1], MS(1000));
    assert_int_equal(of.all[1].said.total, 4);
    assert_int_equal(pick(&of, 0, MS(1000)), CHAINSI_CHOICE_NONE);
}

static void test_a_granted_slot_is_not_counted_twice(void **state)
{
    (void)state;
    scene of = { .count = 1 };
    chainsi_choice_said(&of.all[0], slots(1, 2), 0);
    chainsi_choice_sent(&of.all[0], true);
    assert_int_equal(pick(&of, 0, 0), 0);
    chainsi_choice_sent(&of.all[0], false);
    assert_int_equal(pick(&of, 0, 0), CHAINSI_CHOICE_NONE);
}

static void test_what_is_down_is_left_alone(void **state)
{
    (void)state;
    scene of = { .count = 2 };
    int64_t next_ns = CHAINSI_NEVER;
    chainsi_choice_failed(&of.all[0], 0);
    assert_int_equal(pick(&of, 0, MS(100000)), 1);
    chainsi_choice_sent(&of.all[1], false);
    assert_int_equal(pick(&of, 0, MS(100000)), CHAINSI_CHOICE_NONE);
    /* But wanted again, after a pause that doubles. */
    int64_t now_ns = 0, pause_ms = CHAINSI_CHOICE_FIRST_PAUSE_MS;
    for (int i = 0; i < 10; i++) {
        next_ns = CHAINSI_NEVER;
        assert_false(chainsi_choice_may_want(&of.all[0], now_ns + MS(pause_ms) - 1, &next_ns));
        assert_int_equal(next_ns, now_ns + MS(pause_ms));
        assert_true(chainsi_choice_may_want(&of.all[0], next_ns, &next_ns));
        now_ns = next_ns;
        chainsi_choice_failed(&of.all[0], now_ns);
        pause_ms *= 2;
        if (pause_ms > CHAINSI_CHOICE_LONGEST_PAUSE_MS)
            pause_ms = CHAINSI_CHOICE_LONGEST_PAUSE_MS;
    }
    /* If all are, the one is tried whose pause ends first. */
    of.all[1].outstanding = 0;
    chainsi_choice_failed(&of.all[1], now_ns);
    assert_int_equal(pick(&of, 0, now_ns), 1);
    of.skipped[1] = true;
    assert_int_equal(pick(&of, 0, now_ns), 0);
    chainsi_choice_reached(&of.all[0]);
    assert_true(chainsi_choice_may_want(&of.all[0], now_ns, &next_ns));
    assert_int_equal(pick(&of, 0, now_ns), 0);
}

static void test_what_is_back_is_called_until_it_fails_again(void **state)
{
    (void)state;
    scene of = { .count = 2 };
    chainsi_choice_sent(&of.all[1], false); /* so that its time is known, */
    chainsi_choice_ended(&of.all[1], MS(5));
    chainsi_choice_said(&of.all[1], slots(4, 4), 0); /* and it has slots enough */
    chainsi_choice_failed(&of.all[0], 0);
    assert_true(chainsi_choice_is_away(&of.all[0]));
    assert_int_equal(pick(&of, 0, MS(100000)), 1);
    of.all[0].back = true;
    assert_false(chainsi_choice_is_away(&of.all[0]));
    assert_int_equal(pick(&of, 0, MS(100000)), 0);
    chainsi_choice_failed(&of.all[0], MS(100000));
    assert_int_equal(of.all[0].failures, 2); /* which its next pause goes by */
    assert_int_equal(pick(&of, 0, MS(200000)), 1);
    of.all[0].back = true;
    chainsi_choice_reached(&of.all[0]);
    assert_int_equal(of.all[0].failures, 0);
    assert_int_equal(pick(&of, 0, MS(200000)), 0);
}

static void test_plain_ones(void **state)
{
    (void)state;
    scene of = { .count = 2 };
    int64_t next_ns = CHAINSI_NEVER;
    of.all[0].plain = of.all[1].plain = true;
    of.all[0].outstanding = 3;
    of.all[1].outstanding = 2;
    assert_int_equal(pick(&of, 0, 0), 1); /* calls wait in it; there is no other way */
    assert_false(chainsi_choice_may_want(&of.all[0], 0, &next_ns));
    /* Unless there is one that tells when it is free. */
    chainsi_choice_said(&of.all[0], slots(0, 1), 0);
    assert_int_equal(pick(&of, 0, 0), CHAINSI_CHOICE_NONE);
}

/* How many slots a replica should have free, as the header has it. */
static int count_free(const chainsi_choice *it)
{
    if (!it->said.total || it->plain)
        return 1 - it->outstanding;
    int said = (int)it->said.free - it->sent_since, left = (int)it->said.total - it->outstanding;
    return said < left ? said : left;
}

static int64_t below(unsigned *seed, int most)
{
    return rand_r(seed) % most;
}

static scene any_scene(unsigned *seed, int64_t now_ns)
{
    scene of = { .count = 1 + (int)below(seed, MOST), .may_guess = below(seed, 2) };
    for (int i = 0; i < of.count; i++) {
        chainsi_choice *it = &of.all[i];
        it->outstanding = (int)below(seed, 4);
        it->said.total = (uint32_t)below(seed, 4);
        it->said.free = it->said.total ? (uint32_t)below(seed, (int)it->said.total + 1) : 0;
        it->said_ns = now_ns - MS(below(seed, 300));
        it->sent_since = (int)below(seed, 3);
        it->run_ns = MS(below(seed, 50));
        it->failures = below(seed, 3) ? 0 : (int)below(seed, 5);
        it->down_until_ns = now_ns + MS(below(seed, 200));
        it->plain = !below(seed, 5);
        of.skipped[i] = !below(seed, 4);
    }
    return of;
}

static void test_whatever_is_known(void **state)
{
    (void)state;
    const int64_t now_ns = MS(1000000);
    unsigned seed = 1;
    int picked[3] = { 0 }; /* none, something free, something else */
    for (int round = 0; round < 100000; round++) {
        scene of = any_scene(&seed, now_ns);
        unsigned start = (unsigned)below(&seed, 100);
        int at = pick(&of, start, now_ns);
        assert_int_equal(pick(&of, start, now_ns), at);
        bool any_up = false;
        int64_t fastest_ns = CHAINSI_NEVER;
        for (int i = 0; i < of.count; i++) {
            const chainsi_choice *it = &of.all[i];
            any_up = any_up || !it->failures;
            if (!of.skipped[i] && !it->failures && count_free(it) > 0 && it->run_ns < fastest_ns)
                fastest_ns = it->run_ns;
        }
        assert_in_range(at + 1, 0, of.count);
        if (at >= 0) {
            assert_false(of.skipped[at]);
            assert_true(!any_up || !of.all[at].failures);
        }
        /* One that should be free is not passed over, unless for a guess that pays. */
        if (fastest_ns != CHAINSI_NEVER) {
            assert_true(at >= 0);
            if (count_free(&of.all[at]) > 0)
                assert_int_equal(of.all[at].run_ns, fastest_ns);
            else
                assert_true(of.may_guess && of.all[at].run_ns * 2 < fastest_ns);
        }
        picked[at < 0 ? 0 : fastest_ns != CHAINSI_NEVER ? 1 : 2]++;
    }
    for (int i = 0; i < 3; i++)
        assert_true(picked[i] > 1000); /* the scenes are worth something */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_ones_are_tried_in_turn),
        cmocka_unit_test(test_the_fastest_free_one_is_first),
        cmocka_unit_test(test_averages_move),
        cmocka_unit_test(test_what_was_busy_is_asked_again_where_it_pays),
        cmocka_unit_test(test_a_granted_slot_is_not_counted_twice),
        cmocka_unit_test(test_what_is_down_is_left_alone),
        cmocka_unit_test(test_what_is_back_is_called_until_it_fails_again),
        cmocka_unit_test(test_plain_ones),
        cmocka_unit_test(test_whatever_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
