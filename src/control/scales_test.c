/* What an environment says in place of a Chainlet's own options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/api_scale.h"
#include "control/scales.h"

static const chainsi_api_scaling own = {
    .min_replicas = 2,
    .max_replicas = 4,
    .concurrency_target = 1,
    .target_utilization = 0.7,
    .window_s = 60,
    .scale_down_delay_s = 300,
    .scale_to_zero_delay_s = 900,
};

static void the_last_word_counts(void **state)
{
    (void)state;
    chainsi_scales scales = { 0 };
    int32_t few = 1, many = 9;
    double window_s = 5;
    assert_null(chainsi_scales_find(&scales, "reader"));
    chainsi_scales_set(&scales, &(chainsi_stored_scale){ .chainlet = "reader",
                                                         .min_replicas = &few,
                                                         .window_s = &window_s,
                                                         .set_at = "t" });
    chainsi_scales_set(&scales,
                       &(chainsi_stored_scale){ .chainlet = "writer", .max_replicas = &few });
    chainsi_scales_set(&scales,
                       &(chainsi_stored_scale){ .chainlet = "reader", .max_replicas = &many });
    many = 0; /* it was copied */
    const chainsi_stored_scale *found = chainsi_scales_find(&scales, "reader");
    assert_int_equal(*found->max_replicas, 9);
    assert_null(found->min_replicas); /* whatever the one before said */
    assert_null(found->window_s);
    chainsi_scales_reset(&scales, "reader");
    chainsi_scales_reset(&scales, "reader");
    assert_null(chainsi_scales_find(&scales, "reader"));
    assert_non_null(chainsi_scales_find(&scales, "writer"));
    chainsi_scales_done(&scales);
}

static void what_is_not_said_is_the_versions(void **state)
{
    (void)state;
    const int32_t most = 9;
    const double target = 3;
    const chainsi_stored_scale scale = { .max_replicas = &most, .concurrency_target = &target };
    chainsi_api_scaling result = chainsi_scale_apply(&scale, &own);
    assert_int_equal(result.min_replicas, 2);
    assert_int_equal(result.max_replicas, 9);
    assert_true(result.concurrency_target == 3 && result.target_utilization == 0.7);
    result = chainsi_scale_apply(NULL, &own);
    assert_int_equal(result.max_replicas, 4);
}

/* Versions come that were not thought of. */
static void what_was_said_moves_the_versions_bound(void **state)
{
    (void)state;
    const int32_t one = 1, eight = 8;
    chainsi_api_scaling result =
        chainsi_scale_fit(&(chainsi_stored_scale){ .max_replicas = &one }, &own);
    assert_int_equal(result.min_replicas, 1);
    assert_int_equal(result.max_replicas, 1);
    result = chainsi_scale_fit(&(chainsi_stored_scale){ .min_replicas = &eight }, &own);
    assert_int_equal(result.min_replicas, 8);
    assert_int_equal(result.max_replicas, 8);
    result = chainsi_scale_fit(
        &(chainsi_stored_scale){ .min_replicas = &one, .max_replicas = &eight }, &own);
    assert_int_equal(result.min_replicas, 1);
    assert_int_equal(result.max_replicas, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_word_counts),
        cmocka_unit_test(what_is_not_said_is_the_versions),
        cmocka_unit_test(what_was_said_moves_the_versions_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
