/* The rules of a call, at every distance. (What travels with one: distances_test.c.) */
#include <poll.h>
#include <sys/socket.h>

#include "runtime/call_test_support.h"

static void a_call_hands_over_its_outputs(void **state)
{
    fixture *made = *state;
    int32_t numbers[] = { 1, 2, 3 };
    const char *text = NULL;
    int64_t sum = 0;
    worker_input input = { .text = "hello", .numbers = { numbers, 3 } };
    assert_int_equal(call_worker(made, made->ctx, &input, &text, &sum), CHAINS_OK);
    assert_string_equal(text, "<hello>");
    assert_int_equal(sum, 6);
    assert_null(chains_last_error(made->ctx));
}

static void outputs_may_be_dropped(void **state)
{
    fixture *made = *state;
    int64_t sum = 5;
    worker_input input = { .text = "x" };
    assert_int_equal(call_worker(made, made->ctx, &input, NULL, &sum), CHAINS_OK);
    assert_int_equal(sum, 0);
}

static chains_status write_then_fail(chains_ctx *ctx, const worker_input *input,
                                     worker_output *output)
{
    (void)input;
    output->text = "half done";
    output->sum = 77;
    return chains_fail(ctx, CHAINS_ABORTED, "no more");
}

static void outputs_are_written_on_success_only(void **state)
{
    fixture *made = *state;
    const char *text = "before";
    int64_t sum = 4711;
    worker_hook = write_then_fail;
    worker_input input = { .text = "x" };
    assert_int_equal(call_worker(made, made->ctx, &input, &text, &sum), CHAINS_ABORTED);
    assert_string_equal(text, "before");
    assert_int_equal(sum, 4711);
}

static void an_error_has_its_place_and_way(void **state)
{
    fixture *made = *state;
    worker_input input = { .text = "thing", .fail_status = CHAINS_NOT_FOUND };
    assert_int_equal(call_worker(made, made->ctx, &input, NULL, NULL), CHAINS_NOT_FOUND);
    const chains_error *error = chains_last_error(made->ctx);
    assert_non_null(error);
    assert_int_equal(error->status, CHAINS_NOT_FOUND);
    assert_string_equal(error->message, "worker was told to fail: thing");
    assert_null(error->path);
    assert_int_equal(error->trace_count, 1);
    assert_string_equal(error->trace[0].chainlet, "worker");
    assert_string_equal(error->trace[0].function, "worker_work");
    assert_non_null(strstr(error->trace[0].file, "call_test_support.h"));
    assert_true(error->trace[0].line > 0);
    assert_string_equal(error->trace[0].message, "worker was told to fail: thing");
}

static chains_status fail_silently(chains_ctx *ctx, const worker_input *input,
                                   worker_output *output)
{
    (void)ctx;
    (void)input;
    (void)output;
    return CHAINS_DATA_LOSS;
}

static void a_status_without_chains_fail_still_has_a_message(void **state)
{
    fixture *made = *state;
    worker_hook = fail_silently;
    worker_input input = { .text = "x" };
    assert_int_equal(call_worker(made, made->ctx, &input, NULL, NULL), CHAINS_DATA_LOSS);
    const chains_error *error = chains_last_error(made->ctx);
    assert_string_equal(error->message, "worker_run_remote returned DATA_LOSS without chains_fail");
    assert_string_equal(error->trace[0].file, "worker.h");
    assert_int_equal(error->trace[0].line, 7);
}

static void limits_hold_on_every_call(void **state)
{
    fixture *made = *state;
    char *large = malloc(1000002);
    memset(large, 'a', 1000001);
    large[1000001] = 0;
    worker_input input = { .text = large };
    assert_int_equal(call_worker(made, made->ctx, &input, NULL, NULL), CHAINS_INVALID_ARGUMENT);
    assert_string_equal(chains_last_error(made->ctx)->path, "text");
    input.text = NULL;
    assert_int_equal(call_worker(made, made->ctx, &input, NULL, NULL), CHAINS_INVALID_ARGUMENT);
    assert_string_equal(chains_last_error(made->ctx)->path, "text");
    assert_int_equal(atomic_load(&the_worker.calls), 0);
    large[1000000] = 0;
    input.text = large;
    assert_int_equal(call_worker(made, made->ctx, &input, NULL, NULL), CHAINS_OK);
    free(large);
}

static chains_status answer_nothing(chains_ctx *ctx, const worker_input *input,
                                    worker_output *output)
{
    (void)ctx;
    (void)input;
    output->text = NULL;
    return CHAINS_OK;
}

static void an_answer_that_cannot_be_sent_is_internal(void **state)
{
    fixture *made = *state;
    worker_hook = answer_nothing;
    const char *text = "before";
    worker_input input = { .text = "x" };
    assert_int_equal(call_worker(made, made->ctx, &input, &text, NULL), CHAINS_INTERNAL);
    assert_string_equal(text, "before");
    assert_non_null(strstr(chains_last_error(made->ctx)->message, "text"));
}

static void retries_are_counted(void **state)
{
    fixture *made = *state;
    worker_input input = { .text = "x", .fail_status = CHAINS_UNAVAILABLE, .fail_until = 3 };
    made->options.retries = 2;
    assert_int_equal(call_worker(made, made->ctx, &input, NULL, NULL), CHAINS_OK);
    assert_int_equal(atomic_load(&the_worker.calls), 3);
    atomic_store(&the_worker.calls, 0);
    made->options.retries = 1;
    assert_int_equal(call_worker(made, made->ctx, &input, NULL, NULL), CHAINS_UNAVAILABLE);
    assert_int_equal(atomic_load(&the_worker.calls), 2);
    atomic_store(&the_worker.calls, 0);
    made->options.retries = 5;
    input.fail_status = CHAINS_INVALID_ARGUMENT;
    assert_int_equal(call_worker(made, made->ctx, &input, NULL, NULL), CHAINS_INVALID_ARGUMENT);
    assert_int_equal(atomic_load(&the_worker.calls), 1);
}

static void retries_stop_when_their_budget_is_spent(void **state)
{
    fixture *made = *state;
    worker_input input = { .text = "x", .fail_status = CHAINS_UNAVAILABLE };
    made->options.retries = 1;
    int calls = 0;
    for (; calls < 50; calls++)
        assert_int_equal(call_worker(made, made->ctx, &input, NULL, NULL), CHAINS_UNAVAILABLE);
    int retries = atomic_load(&the_worker.calls) - calls;
    int granted = (CHAINSI_BUDGET_START + calls * CHAINSI_BUDGET_DEPOSIT) / CHAINSI_BUDGET_ATTEMPT;
    assert_int_equal(retries, granted);
}

static void an_attempt_waits_as_long_as_the_callee_asks(void **state)
{
    fixture *made = *state;
    made->options.retries = 2;
    worker_input input = { .text = "x", .fail_status = CHAINS_RESOURCE_EXHAUSTED, .fail_until = 2 };
    int64_t began = chainsi_now_ns();
    assert_int_equal(call_worker(made, made->ctx, &input, NULL, NULL), CHAINS_OK);
    assert_int_equal(atomic_load(&the_worker.calls), 2);
    assert_true(chainsi_now_ns() - began >= 1000 * CHAINSI_NS_PER_MS);
    /* What doesn't fit before the deadline ends at once, with the callee's word. */
    atomic_store(&the_worker.calls, 0);
    chains_ctx child;
    chainsi_context_init_child(&child, made->ctx, false);
    child.deadline_ns = chainsi_deadline_after_ms(chainsi_now_ns(), 900);
    assert_int_equal(call_worker(made, &child, &input, NULL, NULL), CHAINS_RESOURCE_EXHAUSTED);
    assert_int_equal(atomic_load(&the_worker.calls), 1);
    chainsi_context_done(&child);
}

static void what_is_started_together_waits_for_room_in_the_queue(void **state)
{
    enum { CALLS = 60 };
    fixture *made = *state;
    if (fixture_is_over_tcp()) {
        stop_serving(made);
        fixture_waiting = 1;
        start_serving(made);
    } else {
        assert_int_equal(listen(made->listen_fd, 0), 0); /* eight run, and one waits */
    }
    worker_input input = { .text = "x", .wait_for_release = true };
    const char *texts[CALLS];
    chains_ctx *all = chains_gather(made->ctx);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(call_worker(made, all, &input, &texts[i], NULL), CHAINS_OK);
    while (atomic_load(&the_worker.running) < 8)
        usleep(200);
    atomic_store(&worker_released, true);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    for (int i = 0; i < CALLS; i++)
        assert_string_equal(texts[i], "<x>");
    assert_int_equal(atomic_load(&the_worker.calls), CALLS);
}

static void idempotent_does_not_repeat_an_answer(void **state)
{
    fixture *made = *state;
    worker_input input = { .text = "x", .fail_status = CHAINS_UNAVAILABLE };
    made->options.idempotent = true;
    assert_int_equal(call_worker(made, made->ctx, &input, NULL, NULL), CHAINS_UNAVAILABLE);
    assert_int_equal(atomic_load(&the_worker.calls), 1);
}

static void a_timeout_names_the_chainlet_and_the_limit(void **state)
{
    fixture *made = *state;
    made->options.timeout_ms = 30;
    worker_input input = { .text = "x", .until_cancelled = true };
    assert_int_equal(call_worker(made, made->ctx, &input, NULL, NULL), CHAINS_DEADLINE_EXCEEDED);
    const chains_error *error = chains_last_error(made->ctx);
    assert_non_null(strstr(error->message, "worker did not answer within 30 ms"));
    assert_non_null(strstr(error->message, ".timeout_ms"));
}

static void the_callers_deadline_limits_all_attempts(void **state)
{
    fixture *made = *state;
    made->options.timeout_ms = 20;
    made->options.retries = 1000000;
    atomic_store(&made->callee->budget.balance, CHAINSI_BUDGET_MOST);
    chains_ctx child;
    chainsi_context_init_child(&child, made->ctx, false);
    child.deadline_ns = chainsi_deadline_after_ms(chainsi_now_ns(), 150);
    worker_input input = { .text = "x", .until_cancelled = true };
    assert_int_equal(call_worker(made, &child, &input, NULL, NULL), CHAINS_DEADLINE_EXCEEDED);
    chainsi_context_done(&child);
}

/* Gathers */

static void inputs_are_read_before_a_started_call_returns(void **state)
{
    fixture *made = *state;
    enum { CALLS = 20 };
    const char *texts[CALLS];
    int64_t sums[CALLS];
    chains_ctx *all = chains_gather(made->ctx);
    for (int i = 0; i < CALLS; i++) {
        char name[32];
        int32_t numbers[2] = { i, 1 };
        snprintf(name, sizeof name, "call %d", i);
        worker_input input = { .text = name, .numbers = { numbers, 2 } };
        assert_int_equal(call_worker(made, all, &input, &texts[i], &sums[i]), CHAINS_OK);
        memset(name, '!', sizeof name - 1);
        numbers[0] = numbers[1] = -1;
        memset(&input, 0xff, sizeof input);
    }
    assert_int_equal(chains_wait(all), CHAINS_OK);
    for (int i = 0; i < CALLS; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "<call %d>", i);
        assert_string_equal(texts[i], expected);
        assert_int_equal(sums[i], i + 1);
    }
}

static void a_started_call_writes_inside_chains_wait_only(void **state)
{
    fixture *made = *state;
    const char *text = "before";
    int64_t sum = 11;
    chains_ctx *all = chains_gather(made->ctx);
    worker_input input = { .text = "x" };
    assert_int_equal(call_worker(made, all, &input, &text, &sum), CHAINS_OK);
    while (atomic_load(&the_worker.calls) < 1 || atomic_load(&the_worker.running) > 0)
        usleep(200);
    assert_string_equal(text, "before");
    assert_int_equal(sum, 11);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    assert_string_equal(text, "<x>");
    assert_int_equal(sum, 0);
    assert_int_equal(chains_wait(all), CHAINS_OK);
}

static void started_calls_run_at_once(void **state)
{
    fixture *made = *state;
    chains_ctx *all = chains_gather(made->ctx);
    worker_input input = { .text = "x", .wait_for_release = true };
    for (int i = 0; i < 4; i++)
        assert_int_equal(call_worker(made, all, &input, NULL, NULL), CHAINS_OK);
    while (atomic_load(&the_worker.running) < 4) /* all are there before any may go on */
        usleep(200);
    atomic_store(&worker_released, true);
    assert_int_equal(chains_wait(all), CHAINS_OK);
}

static void the_first_failure_cancels_the_rest(void **state)
{
    fixture *made = *state;
    chains_ctx *all = chains_gather(made->ctx);
    const char *texts[3] = { "a", "b", "c" };
    worker_input endless = { .text = "x", .until_cancelled = true };
    worker_input failing = { .text = "y", .fail_status = CHAINS_DATA_LOSS };
    assert_int_equal(call_worker(made, all, &endless, &texts[0], NULL), CHAINS_OK);
    assert_int_equal(call_worker(made, all, &failing, &texts[1], NULL), CHAINS_OK);
    assert_int_equal(call_worker(made, all, &endless, &texts[2], NULL), CHAINS_OK);
    assert_int_equal(chains_wait(all), CHAINS_DATA_LOSS);
    assert_int_equal(chains_last_error(made->ctx)->status, CHAINS_DATA_LOSS);
    assert_string_equal(texts[0], "a");
    assert_string_equal(texts[1], "b");
    assert_string_equal(texts[2], "c");
    assert_int_equal(chains_result(all, 0), CHAINS_CANCELLED);
    assert_int_equal(chains_result(all, 1), CHAINS_DATA_LOSS);
    assert_int_equal(chains_result(all, 3), CHAINS_OUT_OF_RANGE);
}

static void gather_all_lets_all_finish(void **state)
{
    fixture *made = *state;
    chains_ctx *all = chains_gather_all(made->ctx);
    const char *texts[3] = { "a", "b", "c" };
    worker_input failing = { .text = "y", .fail_status = CHAINS_DATA_LOSS };
    worker_input good = { .text = "z" };
    assert_int_equal(call_worker(made, all, &failing, &texts[0], NULL), CHAINS_OK);
    assert_int_equal(call_worker(made, all, &good, &texts[1], NULL), CHAINS_OK);
    failing.fail_status = CHAINS_NOT_FOUND;
    assert_int_equal(call_worker(made, all, &failing, &texts[2], NULL), CHAINS_OK);
    assert_int_equal(chains_wait(all), CHAINS_DATA_LOSS);
    assert_int_equal(chains_result(all, 0), CHAINS_DATA_LOSS);
    assert_int_equal(chains_result(all, 1), CHAINS_OK);
    assert_int_equal(chains_result(all, 2), CHAINS_NOT_FOUND);
    assert_string_equal(texts[0], "a");
    assert_string_equal(texts[1], "<z>");
    assert_string_equal(texts[2], "c");
}

/* Returns without waiting: what it started must end with its ctx, and write nothing. */
static void return_early(fixture *made, chains_ctx *ctx)
{
    const char *text = "mine";
    int64_t sum = 1;
    chains_ctx *all = chains_gather(ctx);
    worker_input input = { .text = "x", .until_cancelled = true };
    assert_int_equal(call_worker(made, all, &input, &text, &sum), CHAINS_OK);
    assert_string_equal(text, "mine");
}

static void returning_early_is_safe(void **state)
{
    fixture *made = *state;
    chains_ctx child;
    chainsi_context_init_child(&child, made->ctx, true);
    return_early(made, &child);
    chainsi_context_done(&child); /* ends only because the call is cancelled */
    while (atomic_load(&the_worker.running) > 0)
        usleep(200);
}

static void gathers_nest(void **state)
{
    fixture *made = *state;
    chains_ctx *outer = chains_gather(made->ctx);
    chains_ctx *inner = chains_gather(outer);
    const char *texts[2] = { NULL, NULL };
    worker_input input = { .text = "x" };
    assert_int_equal(call_worker(made, outer, &input, &texts[0], NULL), CHAINS_OK);
    assert_int_equal(call_worker(made, inner, &input, &texts[1], NULL), CHAINS_OK);
    assert_int_equal(chains_wait(inner), CHAINS_OK);
    assert_int_equal(chains_wait(outer), CHAINS_OK);
    assert_string_equal(texts[0], "<x>");
    assert_string_equal(texts[1], "<x>");
}

static void a_deadline_ends_what_was_started(void **state)
{
    fixture *made = *state;
    chains_ctx child;
    chainsi_context_init_child(&child, made->ctx, true);
    child.deadline_ns = chainsi_deadline_after_ms(chainsi_now_ns(), 40);
    chains_ctx *all = chains_gather(&child);
    worker_input input = { .text = "x", .until_cancelled = true };
    for (int i = 0; i < 5; i++)
        assert_int_equal(call_worker(made, all, &input, NULL, NULL), CHAINS_OK);
    assert_int_equal(chains_wait(all), CHAINS_DEADLINE_EXCEEDED);
    chainsi_context_done(&child);
}

typedef struct steps {
    fixture *made;
    const char **texts;
    size_t fail_from; /* steps from this one fail; count: none */
} steps;

static chains_status run_step(chains_ctx *child, void *user, size_t i)
{
    steps *all = user;
    worker_input input = { .text = chains_printf(child, "step %zu", i) };
    if (i >= all->fail_from)
        return chains_fail(child, CHAINS_OUT_OF_RANGE, "step %zu", i);
    CHAINS_TRY(call_worker(all->made, child, &input, &all->texts[i], NULL));
    return CHAINS_OK;
}

static void each_runs_all_steps(void **state)
{
    fixture *made = *state;
    enum { STEPS = 500 };
    const char *texts[STEPS];
    steps all = { .made = made, .texts = texts, .fail_from = STEPS };
    assert_int_equal(chains_each(made->ctx, STEPS, run_step, &all), CHAINS_OK);
    for (size_t i = 0; i < STEPS; i++)
        assert_string_equal(texts[i], chains_printf(made->ctx, "<step %zu>", i));
    assert_int_equal(chains_each(made->ctx, 0, run_step, &all), CHAINS_OK);
}

static void each_returns_the_failure_of_the_least_step(void **state)
{
    fixture *made = *state;
    enum { STEPS = 200 };
    const char *texts[STEPS];
    for (size_t from = 0; from < 60; from += 13) {
        steps all = { .made = made, .texts = texts, .fail_from = from };
        assert_int_equal(chains_each(made->ctx, STEPS, run_step, &all), CHAINS_OUT_OF_RANGE);
        assert_string_equal(chains_last_error(made->ctx)->message,
                            chains_printf(made->ctx, "step %zu", from));
    }
}

typedef struct doubled {
    int number;
    int *result;
} doubled;

static chains_status double_it(chains_ctx *child, void *argument)
{
    doubled *call = argument;
    if (call->number < 0)
        return chains_fail(child, CHAINS_OUT_OF_RANGE, "%d is negative", call->number);
    *call->result = call->number * 2;
    return CHAINS_OK;
}

static void spawn_copies_its_argument(void **state)
{
    fixture *made = *state;
    int results[10] = { 0 };
    chains_ctx *all = chains_gather(made->ctx);
    for (int i = 0; i < 10; i++) {
        doubled argument = { .number = i, .result = &results[i] };
        assert_int_equal(chains_spawn(all, double_it, &argument, sizeof argument), CHAINS_OK);
        memset(&argument, 0xff, sizeof argument);
    }
    assert_int_equal(chains_wait(all), CHAINS_OK);
    for (int i = 0; i < 10; i++)
        assert_int_equal(results[i], 2 * i);
    all = chains_gather(made->ctx);
    doubled bad = { .number = -3 };
    chains_spawn(all, double_it, &bad, sizeof bad);
    assert_int_equal(chains_wait(all), CHAINS_OUT_OF_RANGE);
    assert_string_equal(chains_last_error(made->ctx)->message, "-3 is negative");
}

static void what_a_gathered_call_hands_out_lives_as_long_as_its_parent(void **state)
{
    fixture *made = *state;
    const char *texts[50];
    chains_ctx *all = chains_gather(made->ctx);
    worker_input input = { .text = "kept" };
    for (int i = 0; i < 50; i++)
        call_worker(made, all, &input, &texts[i], NULL);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    for (int i = 0; i < 1000; i++)
        memset(chains_alloc(made->ctx, 100), 0xee, 100);
    for (int i = 0; i < 50; i++)
        assert_string_equal(texts[i], "<kept>");
}

static void count_cancel(void *argument)
{
    atomic_fetch_add((atomic_int *)argument, 1);
}

static chains_status wait_for_cancel_hook(chains_ctx *ctx, const worker_input *input,
                                          worker_output *output)
{
    (void)input;
    (void)output;
    atomic_int cancelled = 0;
    chains_on_cancel(ctx, count_cancel, &cancelled);
    while (!atomic_load(&cancelled))
        usleep(200);
    chains_on_cancel(ctx, NULL, NULL);
    return chains_fail(ctx, CHAINS_CANCELLED, "stopped by the hook");
}

static void on_cancel_is_called_once(void **state)
{
    fixture *made = *state;
    made->options.timeout_ms = 20;
    worker_hook = wait_for_cancel_hook;
    worker_input input = { .text = "x" };
    assert_int_equal(call_worker(made, made->ctx, &input, NULL, NULL), CHAINS_DEADLINE_EXCEEDED);
    while (atomic_load(&the_worker.running) > 0)
        usleep(200);
    worker_hook = NULL;
    atomic_int cancelled = 0;
    chains_ctx child;
    chainsi_context_init_child(&child, made->ctx, false);
    chains_on_cancel(&child, count_cancel, &cancelled);
    chainsi_context_done(&child); /* ends without having been cancelled */
    assert_int_equal(atomic_load(&cancelled), 0);
}

static void calls_stop_once_the_caller_has_left(void **state)
{
    fixture *made = *state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    chains_ctx request;
    chainsi_context_init_root(&request, made->ctx->process);
    request.connection = ends[0];
    request.connection_events = POLLRDHUP;
    worker_input input = { .text = "x" };
    const char *text;
    for (int i = 0; i < 10; i++)
        assert_int_equal(call_worker(made, &request, &input, &text, NULL), CHAINS_OK);
    close(ends[1]);
    int64_t until = chainsi_now_ns() + 10 * INT64_C(1000000000);
    chains_status status;
    do
        status = call_worker(made, &request, &input, &text, NULL);
    while (status == CHAINS_OK && chainsi_now_ns() < until);
    assert_int_equal(status, CHAINS_CANCELLED);
    chainsi_context_done(&request);
    close(ends[0]);
}

static chains_status answer_in_a_moment(chains_ctx *ctx, const worker_input *input,
                                        worker_output *output)
{
    /* From at once to twice as long as calls may take before they are late. */
    usleep((useconds_t)(chainsi_random() % 2000));
    output->text = chains_printf(ctx, "<%s>", input->text);
    return chainsi_random() % 16 ? CHAINS_OK : chains_fail(ctx, CHAINS_ABORTED, "by chance");
}

static void hedged_calls_give_one_answer(void **state)
{
    enum { ROUNDS = 20, TOGETHER = 12 };
    fixture *made = *state;
    made->options.idempotent = true;
    made->options.hedge_ms = 1;
    worker_hook = answer_in_a_moment;
    for (int round = 0; round < ROUNDS; round++) {
        atomic_store(&made->callee->budget.balance, CHAINSI_BUDGET_MOST);
        const char *texts[TOGETHER] = { 0 };
        char said[TOGETHER][16];
        chains_ctx *all = chains_gather_all(made->ctx);
        for (int i = 0; i < TOGETHER; i++) {
            snprintf(said[i], sizeof said[i], "<%d %d>", round, i);
            char text[16];
            snprintf(text, sizeof text, "%d %d", round, i);
            worker_input input = { .text = text };
            assert_int_equal(call_worker(made, all, &input, &texts[i], NULL), CHAINS_OK);
        }
        chains_wait(all);
        for (size_t i = 0; i < TOGETHER; i++) {
            if (chains_result(all, i) == CHAINS_OK)
                assert_string_equal(texts[i], said[i]);
            else
                assert_int_equal(chains_result(all, i), CHAINS_ABORTED);
        }
    }
    while (atomic_load(&the_worker.running) > 0)
        usleep(200);
}

int main(void)
{
    static const rule rules[] = {
        RULE(a_call_hands_over_its_outputs),
        RULE(outputs_may_be_dropped),
        RULE(outputs_are_written_on_success_only),
        RULE(an_error_has_its_place_and_way),
        RULE(a_status_without_chains_fail_still_has_a_message),
        RULE(limits_hold_on_every_call),
        RULE(an_answer_that_cannot_be_sent_is_internal),
        RULE(retries_are_counted),
        RULE(retries_stop_when_their_budget_is_spent),
        RULE_EXCEPT(an_attempt_waits_as_long_as_the_callee_asks, IN_ONE_PROCESS,
                    "in one process nobody is overloaded by calls"),
        RULE_ONCE_EXCEPT(
            what_is_started_together_waits_for_room_in_the_queue, IN_ONE_PROCESS | AT(DISTANCE_TCP),
            "only a Unix socket's queue says that it is full; elsewhere calls wait for a slot"),
        RULE(idempotent_does_not_repeat_an_answer),
        RULE(a_timeout_names_the_chainlet_and_the_limit),
        RULE(the_callers_deadline_limits_all_attempts),
        RULE_ONCE(inputs_are_read_before_a_started_call_returns),
        RULE_ONCE(a_started_call_writes_inside_chains_wait_only),
        RULE_ONCE(started_calls_run_at_once),
        RULE_ONCE(the_first_failure_cancels_the_rest),
        RULE_ONCE(gather_all_lets_all_finish),
        RULE_ONCE(returning_early_is_safe),
        RULE_ONCE(gathers_nest),
        RULE_ONCE(a_deadline_ends_what_was_started),
        RULE(each_runs_all_steps),
        RULE(each_returns_the_failure_of_the_least_step),
        RULE_ONCE(spawn_copies_its_argument),
        RULE_ONCE(what_a_gathered_call_hands_out_lives_as_long_as_its_parent),
        RULE(on_cancel_is_called_once),
        RULE(calls_stop_once_the_caller_has_left),
        RULE_ONCE(hedged_calls_give_one_answer),
    };
    return check_rules(rules, sizeof rules / sizeof *rules, open_fixture, close_fixture);
}
