/* The rules of calls of a method with a stream, at every distance. */
#include <pthread.h>

#include "runtime/stream_test_support.h"

/* A listener that notes what it hears. */
typedef struct listener {
    words stream;
    chains_ctx *ctx;
    int heard;
    int fail_at; /* below 0: never */
    bool silent; /* fails without chains_fail */
    pthread_t thread;
    bool elsewhere; /* an item came on another thread */
    char last[64];
    fixture *nested; /* calls the talker from within emit */
} listener;

static chains_status hear(words *stream, word item)
{
    listener *it = stream->user;
    it->elsewhere = it->elsewhere || !pthread_equal(it->thread, pthread_self());
    if (item.index != it->heard)
        return chains_fail(it->ctx, CHAINS_INTERNAL, "word %d came after %d", item.index,
                           it->heard);
    snprintf(it->last, sizeof it->last, "%.60s", item.text);
    if (it->heard == it->fail_at)
        return it->silent ? CHAINS_ABORTED
                          : chains_fail(it->ctx, CHAINS_ABORTED, "heard enough at %d", it->heard);
    it->heard++;
    if (it->nested) {
        int32_t said = 0;
        CHAINS_TRY(call_talker(it->nested, it->ctx,
                               &(talker_input){ .count = 2, .fail_at = -1, .pause_at = -1 }, &said,
                               NULL));
        if (said != 2)
            return CHAINS_INTERNAL;
    }
    return CHAINS_OK;
}

static listener *listen_with(listener *it, chains_ctx *ctx, int fail_at)
{
    *it = (listener){
        .stream = { .emit = hear, .user = it },
        .ctx = ctx,
        .fail_at = fail_at,
        .thread = pthread_self(),
    };
    return it;
}

static const talker_input three = { .count = 3, .fail_at = -1, .pause_at = -1 };

static void items_come_in_order_before_the_outputs(void **state)
{
    fixture *made = *state;
    listener it;
    int32_t said = 0;
    assert_int_equal(
        call_talker(made, made->ctx, &three, &said, &listen_with(&it, made->ctx, -1)->stream),
        CHAINS_OK);
    assert_int_equal(it.heard, 3);
    assert_string_equal(it.last, "word 2");
    assert_false(it.elsewhere);
    assert_int_equal(said, 3);
}

static void no_items_are_a_stream_too(void **state)
{
    fixture *made = *state;
    listener it;
    int32_t said = 7;
    assert_int_equal(call_talker(made, made->ctx, &(talker_input){ .fail_at = -1, .pause_at = -1 },
                                 &said, &listen_with(&it, made->ctx, -1)->stream),
                     CHAINS_OK);
    assert_int_equal(it.heard, 0);
    assert_int_equal(said, 0);
}

static void without_a_stream_items_are_dropped(void **state)
{
    fixture *made = *state;
    int32_t said = 0;
    assert_int_equal(call_talker(made, made->ctx, &three, &said, NULL), CHAINS_OK);
    assert_int_equal(said, 3);
    assert_int_equal(atomic_load(&talker_emitted), 3);
}

static bool was_refused(void *user)
{
    (void)user;
    return atomic_load(&talker_refused) > 0;
}

static void a_failing_emit_ends_the_callee_and_is_returned(void **state)
{
    fixture *made = *state;
    for (int silent = 0; silent < 2; silent++) {
        atomic_store(&talker_refused, 0);
        listener it;
        int32_t said = 7;
        listen_with(&it, made->ctx, 1)->silent = silent;
        assert_int_equal(
            call_talker(made, made->ctx,
                        &(talker_input){ .count = 1 << 30, .fail_at = -1, .pause_at = -1 }, &said,
                        &it.stream),
            CHAINS_ABORTED);
        assert_int_equal(it.heard, 1);
        assert_int_equal(said, 7);
        const chains_error *error = chains_last_error(made->ctx);
        assert_int_equal(error->status, CHAINS_ABORTED);
        assert_non_null(strstr(error->message, silent ? "" : "heard enough at 1"));
        assert_true(
            comes_true(was_refused, NULL)); /* by the time the pipe is full, over a socket */
        assert_true(atomic_load(&talker_was_cancelled));
    }
}

static void a_callee_that_ignores_it_has_failed_all_the_same(void **state)
{
    fixture *made = *state;
    listener it;
    int32_t said = 7;
    assert_int_equal(
        call_talker(made, made->ctx,
                    &(talker_input){ .count = 5, .fail_at = -1, .pause_at = -1, .deaf = true },
                    &said, &listen_with(&it, made->ctx, 0)->stream),
        CHAINS_ABORTED);
    assert_int_equal(said, 7);
    assert_int_equal(it.heard, 0);
}

static void a_failure_in_mid_stream_is_no_short_success(void **state)
{
    fixture *made = *state;
    made->options.retries = 3;
    listener it;
    int32_t said = 7;
    assert_int_equal(call_talker(made, made->ctx,
                                 &(talker_input){ .count = 5,
                                                  .fail_at = 2,
                                                  .fail_status = CHAINS_UNAVAILABLE,
                                                  .pause_at = -1 },
                                 &said, &listen_with(&it, made->ctx, -1)->stream),
                     CHAINS_UNAVAILABLE);
    assert_int_equal(it.heard, 2);
    assert_int_equal(said, 7);
    assert_int_equal(atomic_load(&talker_calls), 1); /* nothing is retried after the first item */
    const chains_error *error = chains_last_error(made->ctx);
    assert_string_equal(error->message, "failed at word 2");
    assert_int_equal(error->trace_count, 1);
    assert_string_equal(error->trace[0].chainlet, "talker");
    assert_string_equal(error->trace[0].function, "talk");
}

static void before_the_first_item_it_is_retried(void **state)
{
    fixture *made = *state;
    made->options.retries = 2;
    listener it;
    int32_t said = 7;
    assert_int_equal(call_talker(made, made->ctx,
                                 &(talker_input){ .count = 5,
                                                  .fail_at = 0,
                                                  .fail_status = CHAINS_UNAVAILABLE,
                                                  .pause_at = -1 },
                                 &said, &listen_with(&it, made->ctx, -1)->stream),
                     CHAINS_UNAVAILABLE);
    assert_int_equal(atomic_load(&talker_calls), 3);
}

static void an_item_beyond_its_limits_names_its_path(void **state)
{
    fixture *made = *state;
    listener it;
    int32_t said;
    assert_int_equal(
        call_talker(
            made, made->ctx,
            &(talker_input){ .count = 1, .size = (2 << 20) + 1, .fail_at = -1, .pause_at = -1 },
            &said, &listen_with(&it, made->ctx, -1)->stream),
        CHAINS_INTERNAL);
    assert_int_equal(it.heard, 0);
    assert_non_null(strstr(chains_last_error(made->ctx)->message, "words[0].text"));
    /* The largest one that is allowed. */
    listen_with(&it, made->ctx, -1);
    assert_int_equal(
        call_talker(made, made->ctx,
                    &(talker_input){ .count = 2, .size = 2 << 20, .fail_at = -1, .pause_at = -1 },
                    &said, &it.stream),
        CHAINS_OK);
    assert_int_equal(it.heard, 2);
}

static void pause_beyond_the_gap(chains_ctx *ctx)
{
    int64_t until = chainsi_now_ns() + 60 * CHAINSI_NS_PER_MS;
    while (chainsi_now_ns() < until && !chains_cancelled(ctx))
        usleep(1000);
}

/* Until the caller, in a process of its own as it were, has found that nothing comes. In one process it
 * finds that when this is over. */
static void pause_until_it_is_noticed(chains_ctx *ctx)
{
    if (!fixture_is_remote()) {
        pause_beyond_the_gap(ctx);
        return;
    }
    for (int i = 0; i < 20000 && !chains_cancelled(ctx); i++)
        usleep(1000);
}

static void a_gap_ends_the_stream(void **state)
{
    fixture *made = *state;
    made->options.stream_gap_ms = 30;
    talker_pause = pause_until_it_is_noticed;
    listener it;
    int32_t said;
    assert_int_equal(call_talker(made, made->ctx,
                                 &(talker_input){ .count = 5, .fail_at = -1, .pause_at = 1 }, &said,
                                 &listen_with(&it, made->ctx, -1)->stream),
                     CHAINS_DEADLINE_EXCEEDED);
    assert_int_equal(it.heard, 1);
    assert_non_null(strstr(chains_last_error(made->ctx)->message, ".stream_gap_ms"));
}

static void before_the_first_item_there_is_no_gap(void **state)
{
    fixture *made = *state;
    made->options.stream_gap_ms = 30;
    talker_pause = pause_beyond_the_gap;
    listener it;
    int32_t said;
    assert_int_equal(
        call_talker(made, made->ctx,
                    &(talker_input){
                        .count = 2, .fail_at = 0, .fail_status = CHAINS_DATA_LOSS, .pause_at = 0 },
                    &said, &listen_with(&it, made->ctx, -1)->stream),
        CHAINS_DATA_LOSS);
}

static void a_gap_below_0_is_none(void **state)
{
    fixture *made = *state;
    made->options.stream_gap_ms = -1;
    talker_pause = pause_beyond_the_gap;
    listener it;
    int32_t said;
    assert_int_equal(call_talker(made, made->ctx,
                                 &(talker_input){ .count = 5, .fail_at = -1, .pause_at = 2 }, &said,
                                 &listen_with(&it, made->ctx, -1)->stream),
                     CHAINS_OK);
    assert_int_equal(it.heard, 5);
}

enum { GAP_MS = 200, SLOW_MS = 220 };

static chains_status hear_slowly(words *stream, word item)
{
    int64_t until = chainsi_now_ns() + SLOW_MS * CHAINSI_NS_PER_MS;
    while (chainsi_now_ns() < until)
        usleep(1000);
    return hear(stream, item);
}

/* One item: all that is left to come within the gap is the end. */
static void the_time_of_a_slow_emit_is_no_gap(void **state)
{
    fixture *made = *state;
    made->options.stream_gap_ms = GAP_MS;
    listener it;
    int32_t said;
    listen_with(&it, made->ctx, -1)->stream.emit = hear_slowly;
    assert_int_equal(call_talker(made, made->ctx,
                                 &(talker_input){ .count = 1, .fail_at = -1, .pause_at = -1 },
                                 &said, &it.stream),
                     CHAINS_OK);
    assert_int_equal(it.heard, 1);
}

static void an_emit_may_call(void **state)
{
    fixture *made = *state;
    listener it;
    int32_t said;
    listen_with(&it, made->ctx, -1)->nested = made;
    assert_int_equal(call_talker(made, made->ctx, &three, &said, &it.stream), CHAINS_OK);
    assert_int_equal(it.heard, 3);
    assert_int_equal(atomic_load(&talker_calls), 4);
}

static void a_deadline_ends_it(void **state)
{
    fixture *made = *state;
    made->options.timeout_ms = 40;
    talker_pause = pause_until_it_is_noticed;
    listener it;
    int32_t said;
    assert_int_equal(call_talker(made, made->ctx,
                                 &(talker_input){ .count = 5, .fail_at = -1, .pause_at = 2 }, &said,
                                 &listen_with(&it, made->ctx, -1)->stream),
                     CHAINS_DEADLINE_EXCEEDED);
    assert_in_range(it.heard, 0, 2); /* it may have come before the first of them */
    assert_non_null(strstr(chains_last_error(made->ctx)->message, ".timeout_ms"));
}

/* A listener whose caller is cancelled while it hears the third word. */
static chains_status hear_and_cancel(words *stream, word item)
{
    listener *it = stream->user;
    if (item.index == 2)
        chainsi_context_cancel(it->ctx);
    it->heard++;
    return CHAINS_OK;
}

static void a_caller_that_is_cancelled_ends_a_stream_without_pauses(void **state)
{
    fixture *made = *state;
    chains_ctx child;
    chainsi_context_init_child(&child, made->ctx, true);
    listener it;
    int32_t said = 7;
    listen_with(&it, &child, -1)->stream.emit = hear_and_cancel;
    assert_int_equal(call_talker(made, &child,
                                 &(talker_input){ .count = 1 << 30, .fail_at = -1, .pause_at = -1 },
                                 &said, &it.stream),
                     CHAINS_CANCELLED);
    assert_int_equal(said, 7);
    assert_true(comes_true(was_refused, NULL));
    chainsi_context_done(&child);
}

/* Started calls. */

enum { MANY = 8 };

static void started_calls_hand_over_in_the_wait(void **state)
{
    fixture *made = *state;
    listener all[MANY];
    int32_t said[MANY] = { 0 };
    chains_ctx *gather = chains_gather(made->ctx);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(call_talker(made, gather,
                                     &(talker_input){ .count = 20, .fail_at = -1, .pause_at = -1 },
                                     &said[i], &listen_with(&all[i], made->ctx, -1)->stream),
                         CHAINS_OK);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(all[i].heard, 0);
    assert_int_equal(chains_wait(gather), CHAINS_OK);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(all[i].heard, 20);
        assert_false(all[i].elsewhere);
        assert_int_equal(said[i], 20);
    }
}

static atomic_int arrived;

static void wait_for_the_other(chains_ctx *ctx)
{
    atomic_fetch_add(&arrived, 1);
    while (atomic_load(&arrived) < 2 && !chains_cancelled(ctx))
        usleep(200);
}

/* Neither gets on before the other has emitted: the thread that waits runs neither of them. */
static void two_streams_come_side_by_side(void **state)
{
    fixture *made = *state;
    talker_pause = wait_for_the_other;
    atomic_store(&arrived, 0);
    made->options.timeout_ms = 20000;
    listener all[2];
    int32_t said[2] = { 0 };
    chains_ctx *gather = chains_gather(made->ctx);
    for (int i = 0; i < 2; i++)
        call_talker(made, gather, &(talker_input){ .count = 3, .fail_at = -1, .pause_at = 1 },
                    &said[i], &listen_with(&all[i], made->ctx, -1)->stream);
    assert_int_equal(chains_wait(gather), CHAINS_OK);
    assert_int_equal(all[0].heard, 3);
    assert_int_equal(all[1].heard, 3);
}

static void a_failing_emit_cancels_its_siblings(void **state)
{
    fixture *made = *state;
    listener all[3];
    int32_t said[3] = { 7, 7, 7 };
    chains_ctx *gather = chains_gather(made->ctx);
    for (int i = 0; i < 3; i++)
        call_talker(made, gather,
                    &(talker_input){ .count = 1 << 30, .fail_at = -1, .pause_at = -1 }, &said[i],
                    &listen_with(&all[i], made->ctx, i == 1 ? 5 : -1)->stream);
    assert_int_equal(chains_wait(gather), CHAINS_ABORTED);
    assert_int_equal(chains_result(gather, 1), CHAINS_ABORTED);
    assert_int_equal(chains_result(gather, 0), CHAINS_CANCELLED);
    assert_string_equal(chains_last_error(made->ctx)->message, "heard enough at 5");
    for (int i = 0; i < 3; i++)
        assert_int_equal(said[i], 7);
}

static void a_stream_that_nobody_waits_for_hands_over_nothing(void **state)
{
    fixture *made = *state;
    chains_ctx child;
    chainsi_context_init_child(&child, made->ctx, true);
    listener it;
    int32_t said = 7;
    call_talker(made, chains_gather(&child),
                &(talker_input){ .count = 1 << 30, .fail_at = -1, .pause_at = -1 }, &said,
                &listen_with(&it, &child, -1)->stream);
    chainsi_context_done(&child);
    assert_int_equal(it.heard, 0);
    assert_int_equal(said, 7);
}

static void started_calls_may_have_no_listener(void **state)
{
    fixture *made = *state;
    int32_t said[MANY] = { 0 };
    chains_ctx *gather = chains_gather(made->ctx);
    for (int i = 0; i < MANY; i++)
        call_talker(made, gather, &three, &said[i], NULL);
    assert_int_equal(chains_wait(gather), CHAINS_OK);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(said[i], 3);
}

/* An emit that starts more of them. */
static chains_status hear_more(words *stream, word item)
{
    listener *it = stream->user;
    if (item.index > 1)
        return CHAINS_OK;
    listener inner[2];
    int32_t said[2] = { 0 };
    chains_ctx *gather = chains_gather(it->ctx);
    for (int i = 0; i < 2; i++)
        CHAINS_TRY(call_talker(it->nested, gather, &three, &said[i],
                               &listen_with(&inner[i], it->ctx, -1)->stream));
    CHAINS_TRY(chains_wait(gather));
    it->heard += inner[0].heard + inner[1].heard;
    return CHAINS_OK;
}

static void gathers_nest_in_emits(void **state)
{
    fixture *made = *state;
    listener all[2];
    int32_t said[2] = { 0 };
    chains_ctx *gather = chains_gather(made->ctx);
    for (int i = 0; i < 2; i++) {
        listen_with(&all[i], made->ctx, -1)->nested = made;
        all[i].stream.emit = hear_more;
        call_talker(made, gather, &three, &said[i], &all[i].stream);
    }
    assert_int_equal(chains_wait(gather), CHAINS_OK);
    assert_int_equal(all[0].heard, 12);
    assert_int_equal(all[1].heard, 12);
}

int main(void)
{
    static const rule rules[] = {
        RULE(items_come_in_order_before_the_outputs),
        RULE(no_items_are_a_stream_too),
        RULE(without_a_stream_items_are_dropped),
        RULE(a_failing_emit_ends_the_callee_and_is_returned),
        RULE(a_callee_that_ignores_it_has_failed_all_the_same),
        RULE(a_failure_in_mid_stream_is_no_short_success),
        RULE(before_the_first_item_it_is_retried),
        RULE(an_item_beyond_its_limits_names_its_path),
        RULE(a_gap_ends_the_stream),
        RULE(before_the_first_item_there_is_no_gap),
        RULE(a_gap_below_0_is_none),
        RULE(the_time_of_a_slow_emit_is_no_gap),
        RULE(an_emit_may_call),
        RULE(a_deadline_ends_it),
        RULE(a_caller_that_is_cancelled_ends_a_stream_without_pauses),
        RULE_ONCE(started_calls_hand_over_in_the_wait),
        RULE_ONCE(two_streams_come_side_by_side),
        RULE_ONCE(a_failing_emit_cancels_its_siblings),
        RULE_ONCE(a_stream_that_nobody_waits_for_hands_over_nothing),
        RULE_ONCE(started_calls_may_have_no_listener),
        RULE_ONCE(gathers_nest_in_emits),
    };
    return check_rules(rules, sizeof rules / sizeof *rules, open_talker, close_fixture);
}
