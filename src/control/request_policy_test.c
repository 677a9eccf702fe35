/* What becomes of requests and webhooks: every kind of end, at the limits and one past them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/request_policy.h"

static const chainsi_request_policy policy = {
    .first_retry_ms = 1000,
    .longest_retry_ms = 6000,
    .first_loss_ms = 100,
    .longest_loss_ms = 250,
    .not_started_ms = 50,
    .first_telling_ms = 10,
    .longest_telling_ms = 80,
    .telling_ms = 1000,
};

/* What is decided, with the longest delay that chance gives; -1: it ends. */
static int64_t decide(chainsi_attempt attempt, chainsi_request_return expected)
{
    chainsi_request_return how = (chainsi_request_return)-1;
    int64_t delay_ms = -1;
    if (chainsi_request_decide(&policy, &attempt, 0, &how, &delay_ms) == CHAINSI_REQUEST_ENDS) {
        assert_int_equal(delay_ms, -1);
        return -1;
    }
    assert_int_equal(how, expected);
    return delay_ms;
}

static void retries_what_can_get_better(void **state)
{
    (void)state;
    static const chains_status final[] = {
        CHAINS_OK,
        CHAINS_CANCELLED,
        CHAINS_INVALID_ARGUMENT,
        CHAINS_NOT_FOUND,
        CHAINS_ALREADY_EXISTS,
        CHAINS_PERMISSION_DENIED,
        CHAINS_OUT_OF_RANGE,
        CHAINS_UNIMPLEMENTED,
        CHAINS_FAILED_PRECONDITION,
        CHAINS_UNAUTHENTICATED,
    };
    for (size_t i = 0; i < sizeof final / sizeof *final; i++)
        assert_int_equal(
            decide((chainsi_attempt){ .status = final[i], .attempts = 1, .retries = 9 },
                   CHAINSI_RETURN_FAILED),
            -1);
    static const chains_status passing[] = { CHAINS_UNAVAILABLE, CHAINS_DEADLINE_EXCEEDED,
                                             CHAINS_RESOURCE_EXHAUSTED, CHAINS_ABORTED,
                                             CHAINS_UNKNOWN };
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        assert_int_equal(
            decide((chainsi_attempt){ .status = passing[i], .attempts = 1, .retries = 1 },
                   CHAINSI_RETURN_FAILED),
            1000);
}

static void keeps_to_the_retries(void **state)
{
    (void)state;
    static const int64_t delays[] = { 1000, 2000, 4000, 6000, 6000, -1 };
    for (int32_t i = 0; i < 6; i++)
        assert_int_equal(
            decide(
                (chainsi_attempt){ .status = CHAINS_UNAVAILABLE, .attempts = 1 + i, .retries = 5 },
                CHAINSI_RETURN_FAILED),
            delays[i]);
    assert_int_equal(decide((chainsi_attempt){ .status = CHAINS_UNAVAILABLE, .attempts = 1 },
                            CHAINSI_RETURN_FAILED),
                     -1);
    /* What was lost is none of them. */
    assert_int_equal(decide((chainsi_attempt){ .status = CHAINS_UNAVAILABLE,
                                               .attempts = 4,
                                               .losses = 3,
                                               .retries = 1 },
                            CHAINSI_RETURN_FAILED),
                     1000);
    assert_int_equal(decide((chainsi_attempt){ .status = CHAINS_RESOURCE_EXHAUSTED,
                                               .attempts = 1,
                                               .retries = 1,
                                               .retry_after_ms = 7777 },
                            CHAINSI_RETURN_FAILED),
                     7777);
}

static void makes_lost_attempts_again(void **state)
{
    (void)state;
    chainsi_attempt lost = { .end = CHAINSI_ATTEMPT_LOST, .attempts = 1 };
    assert_int_equal(decide(lost, CHAINSI_RETURN_LOST), 100);
    lost.losses = 1;
    assert_int_equal(decide(lost, CHAINSI_RETURN_LOST), 200);
    lost.losses = CHAINSI_REQUEST_MOST_LOST - 1;
    assert_int_equal(decide(lost, CHAINSI_RETURN_LOST), 250);
    lost.losses = CHAINSI_REQUEST_MOST_LOST;
    assert_int_equal(decide(lost, CHAINSI_RETURN_LOST), -1);
    assert_int_equal(decide((chainsi_attempt){ .end = CHAINSI_ATTEMPT_NOT_STARTED, .attempts = 99 },
                            CHAINSI_RETURN_NOT_STARTED),
                     50);
}

static void spreads_delays_over_their_upper_half(void **state)
{
    (void)state;
    chainsi_attempt attempt = { .status = CHAINS_UNAVAILABLE, .attempts = 1, .retries = 1 };
    chainsi_request_return how;
    int64_t least = INT64_MAX, most = 0;
    for (uint64_t random = 0; random <= 500; random++) {
        int64_t delay_ms = 0;
        chainsi_request_decide(&policy, &attempt, random, &how, &delay_ms);
        least = delay_ms < least ? delay_ms : least;
        most = delay_ms > most ? delay_ms : most;
    }
    assert_int_equal(least, 500);
    assert_int_equal(most, 1000);
}

static void gives_webhooks_up_in_the_end(void **state)
{
    (void)state;
    enum { ENDED = 5000 };
    assert_int_equal(chainsi_webhook_again_ms(&policy, ENDED, 0, ENDED, 0), ENDED + 10);
    assert_int_equal(chainsi_webhook_again_ms(&policy, ENDED, 2, ENDED + 100, 0), ENDED + 140);
    assert_int_equal(chainsi_webhook_again_ms(&policy, ENDED, 99, ENDED + 920, 0), ENDED + 1000);
    assert_int_equal(chainsi_webhook_again_ms(&policy, ENDED, 99, ENDED + 921, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retries_what_can_get_better),
        cmocka_unit_test(keeps_to_the_retries),
        cmocka_unit_test(makes_lost_attempts_again),
        cmocka_unit_test(spreads_delays_over_their_upper_half),
        cmocka_unit_test(gives_webhooks_up_in_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
