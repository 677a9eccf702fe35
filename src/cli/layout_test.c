/* What holds of every layout, of graphs made at random from fixed seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/layout.h"

enum { MOST_BOXES = 30, MOST_ARROWS = 90, GAP = 3 };

/* Boxes and arrows of a seed; each arrow goes to a box of a higher number. */
static void make(unsigned seed, size_t *sizes, chainsi_layout_arrow *arrows,
                 chainsi_layout_options *options)
{
    const size_t boxes = 2 + seed % (MOST_BOXES - 1);
    *options = (chainsi_layout_options){
        .sizes = sizes, .box_count = boxes, .arrows = arrows, .gap = GAP, .point_size = 1
    };
    for (size_t i = 0; i < boxes; i++)
        sizes[i] = 0;
    for (size_t i = 0; i < MOST_ARROWS && i < 2 * boxes; i++) {
        const size_t from = (size_t)rand_r(&seed) % (boxes - 1);
        const size_t to = from + 1 + (size_t)rand_r(&seed) % (boxes - 1 - from);
        arrows[options->arrow_count++] = (chainsi_layout_arrow){ from, to };
        sizes[to] += 2;
    }
    for (size_t i = 0; i < boxes; i++)
        sizes[i] += 5 + (size_t)rand_r(&seed) % 12;
}

static void assert_apart(const chainsi_layout *l)
{
    for (size_t i = 0; i < l->place_count; i++) {
        const chainsi_layout_place *a = &l->places[i];
        assert_true(a->begin + a->size <= l->extent);
        for (size_t k = i + 1; k < l->place_count; k++) {
            const chainsi_layout_place *b = &l->places[k];
            assert_true(a->layer != b->layer || a->begin + a->size + GAP <= b->begin ||
                        b->begin + b->size + GAP <= a->begin);
        }
    }
}

/* Each arrow goes from its box to its box, a layer at a time, and enters within; no two enter at one place. */
static void assert_linked(const chainsi_layout *l, const chainsi_layout_options *options)
{
    size_t step = 0;
    for (size_t i = 0; i < options->arrow_count; i++) {
        size_t at = options->arrows[i].from;
        for (; step < l->step_count && l->steps[step].arrow == i; step++) {
            const chainsi_layout_step *it = &l->steps[step];
            assert_int_equal(it->from, at);
            at = it->to;
            assert_int_equal(l->places[at].layer, l->places[it->from].layer + 1);
            assert_true(it->enters >= l->places[at].begin &&
                        it->enters < l->places[at].begin + l->places[at].size);
            assert_true(it->leaves == it->enters ||
                        it->track < l->tracks[l->places[it->from].layer]);
            for (size_t k = 0; k < step; k++)
                assert_true(l->steps[k].to != it->to || l->steps[k].enters != it->enters);
        }
        assert_int_equal(at, options->arrows[i].to);
    }
    assert_int_equal(step, l->step_count);
}

/* Two lines that bend in one track are of one place, or apart. */
static void assert_tracks(const chainsi_layout *l)
{
    for (size_t i = 0; i < l->step_count; i++)
        for (size_t k = 0; k < i; k++) {
            const chainsi_layout_step *a = &l->steps[i], *b = &l->steps[k];
            if (a->from == b->from || a->track != b->track || a->leaves == a->enters ||
                b->leaves == b->enters || l->places[a->from].layer != l->places[b->from].layer)
                continue;
            const size_t a_low = a->leaves < a->enters ? a->leaves : a->enters;
            const size_t a_high = a->leaves < a->enters ? a->enters : a->leaves;
            const size_t b_low = b->leaves < b->enters ? b->leaves : b->enters;
            const size_t b_high = b->leaves < b->enters ? b->enters : b->leaves;
            assert_true(a_high < b_low || b_high < a_low);
        }
}

static void what_always_holds(void **state)
{
    (void)state;
    static size_t sizes[MOST_BOXES];
    static chainsi_layout_arrow arrows[MOST_ARROWS];
    for (unsigned seed = 0; seed < 120; seed++) {
        chainsi_layout_options options;
        chainsi_layout l;
        make(seed, sizes, arrows, &options);
        chainsi_layout_make(&l, &options);
        assert_apart(&l);
        assert_linked(&l, &options);
        assert_tracks(&l);
        chainsi_layout_done(&l);
    }
}

/* A graph that isn't one of calls ends, too. */
static void a_cycle(void **state)
{
    (void)state;
    static const size_t sizes[] = { 3, 3, 3 };
    static const chainsi_layout_arrow arrows[] = { { 0, 1 }, { 1, 2 }, { 2, 0 } };
    chainsi_layout l;
    chainsi_layout_make(&l, &(chainsi_layout_options){ .sizes = sizes,
                                                       .box_count = 3,
                                                       .arrows = arrows,
                                                       .arrow_count = 3,
                                                       .gap = GAP,
                                                       .point_size = 1 });
    assert_true(l.layer_count >= 2);
    assert_apart(&l);
    chainsi_layout_done(&l);
}

static void nothing(void **state)
{
    (void)state;
    chainsi_layout l;
    chainsi_layout_make(&l, &(chainsi_layout_options){ .gap = GAP, .point_size = 1 });
    assert_int_equal(l.place_count, 0);
    assert_int_equal(l.extent, 0);
    chainsi_layout_done(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_always_holds),
        cmocka_unit_test(a_cycle),
        cmocka_unit_test(nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
