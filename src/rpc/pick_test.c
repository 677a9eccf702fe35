/* In which row a slot is claimed: what holds whatever rows there are. */
#include "rpc/pick.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MOST = 6, ROUNDS = 100000, SEED = 20240 };

typedef struct seen {
    uint64_t incarnation, average_ns;
    bool has_free;
} seen;

typedef struct scene {
    seen rows[MOST];
    int count;
    uint64_t preferred, avoided;
} scene;

static int pick(const scene *of)
{
    chainsi_pick it = chainsi_pick_begin(of->preferred, of->avoided);
    for (int i = 0; i < of->count; i++)
        if (chainsi_pick_may(&it, of->rows[i].incarnation) && of->rows[i].has_free)
            chainsi_pick_see(&it, i, of->rows[i].incarnation, of->rows[i].average_ns);
    return chainsi_pick_end(&it);
}

/* Whether a slot may be claimed there at all. */
static bool is_open(const scene *of, int row)
{
    const seen *it = &of->rows[row];
    return it->has_free && it->incarnation && it->incarnation != of->avoided;
}

static unsigned seed;

static uint64_t below(int most)
{
    return (uint64_t)(rand_r(&seed) % most);
}

/* Few different averages, and some far apart: there are ties, and all sides of a quarter. */
static uint64_t any_average(void)
{
    static const uint64_t averages[] = { 0, 1, 3, 4, 5, 100, 124, 125, 126, UINT64_MAX / 2 };
    return averages[below(sizeof averages / sizeof *averages)];
}

static scene any_scene(void)
{
    scene of = { .count = (int)below(MOST + 1),
                 .preferred = below(MOST + 2),
                 .avoided = below(MOST + 2) };
    for (int i = 0; i < of.count; i++)
        of.rows[i] = (seen){ below(5) ? (uint64_t)i + 1 : 0, any_average(), below(3) };
    return of;
}

/* The rule of board.h, said the other way round. */
static void check(const scene *of, int at)
{
    uint64_t fastest_ns = UINT64_MAX;
    int liked = CHAINSI_PICK_NONE;
    for (int i = 0; i < of->count; i++) {
        if (!is_open(of, i))
            continue;
        if (of->rows[i].average_ns < fastest_ns)
            fastest_ns = of->rows[i].average_ns;
        if (of->rows[i].incarnation == of->preferred)
            liked = i;
    }
    if (fastest_ns == UINT64_MAX) {
        assert_int_equal(at, CHAINSI_PICK_NONE);
        return;
    }
    assert_in_range(at, 0, of->count - 1);
    assert_true(is_open(of, at));
    if (liked != CHAINSI_PICK_NONE && of->rows[liked].average_ns <= fastest_ns + fastest_ns / 4) {
        assert_int_equal(at, liked);
        return;
    }
    assert_true(of->rows[at].average_ns == fastest_ns);
    for (int i = 0; i < at; i++)
        assert_false(is_open(of, i) && of->rows[i].average_ns == fastest_ns);
}

/* What can't be claimed in doesn't count, however fast it is. */
static void check_without_the_closed(const scene *of, int at)
{
    scene less = *of;
    int moved[MOST];
    less.count = 0;
    for (int i = 0; i < of->count; i++) {
        if (!is_open(of, i))
            continue;
        moved[less.count] = i;
        less.rows[less.count++] = of->rows[i];
    }
    int same = pick(&less);
    assert_int_equal(same == CHAINSI_PICK_NONE ? CHAINSI_PICK_NONE : moved[same], at);
}

static void test_whatever_is_seen(void **state)
{
    (void)state;
    int picked[4] = {
        0
    }; /* none, the preferred and fastest one, a slower preferred one, another */
    seed = SEED;
    print_message("seed %u\n", seed);
    for (int round = 0; round < ROUNDS; round++) {
        scene of = any_scene();
        int at = pick(&of);
        check(&of, at);
        check_without_the_closed(&of, at);
        if (at == CHAINSI_PICK_NONE) {
            picked[0]++;
            continue;
        }
        bool is_liked = of.rows[at].incarnation == of.preferred;
        of.preferred = 0;
        picked[!is_liked ? 3 : pick(&of) == at ? 1 : 2]++;
    }
    for (int i = 0; i < 4; i++)
        assert_true(picked[i] > ROUNDS / 100); /* the scenes are worth something */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_whatever_is_seen) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
