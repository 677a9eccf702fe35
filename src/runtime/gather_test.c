/* Gathers, steps and spawned functions: nesting, numbers, hooks, contexts that threads share, and
 * programs built by hand. */
#include <sys/wait.h>

#include "runtime/call_test_support.h"

enum { MANY = 400 }; /* more than a dependency's .concurrency_limit and the pool's threads */

static void many_started_calls(void **state)
{
    fixture *made = *state;
    static const char *texts[MANY];
    static int64_t sums[MANY];
    chains_ctx *all = chains_gather(made->ctx);
    for (int i = 0; i < MANY; i++) {
        int32_t number = i;
        worker_input input = { .text = "x", .numbers = { &number, 1 } };
        assert_int_equal(call_worker(made, all, &input, &texts[i], &sums[i]), CHAINS_OK);
    }
    assert_int_equal(chains_wait(all), CHAINS_OK);
    for (int i = 0; i < MANY; i++) {
        assert_string_equal(texts[i], "<x>");
        assert_int_equal(sums[i], i);
        assert_int_equal(chains_result(all, (size_t)i), CHAINS_OK);
    }
    assert_int_equal(chains_result(all, MANY), CHAINS_OUT_OF_RANGE);
}

static void an_empty_gather_is_done(void **state)
{
    fixture *made = *state;
    chains_ctx *all = chains_gather(made->ctx);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    assert_int_equal(chains_result(all, 0), CHAINS_OUT_OF_RANGE);
}

typedef struct tree {
    fixture *made;
    int depth;
    atomic_int *leaves;
} tree;

static chains_status climb(chains_ctx *ctx, void *user, size_t i)
{
    tree *above = user;
    (void)i;
    if (above->depth == 0) {
        worker_input input = { .text = "leaf" };
        CHAINS_TRY(call_worker(above->made, ctx, &input, NULL, NULL));
        atomic_fetch_add(above->leaves, 1);
        return CHAINS_OK;
    }
    tree below = *above;
    below.depth--;
    /* A gather and an each in every node, so that every thread of the pool waits for others. */
    chains_ctx *all = chains_gather(ctx);
    worker_input input = { .text = "node" };
    const char *text;
    CHAINS_TRY(call_worker(above->made, all, &input, &text, NULL));
    CHAINS_TRY(chains_each(ctx, 8, climb, &below));
    return chains_wait(all);
}

static void nested_steps_and_gathers_get_on(void **state)
{
    fixture *made = *state;
    atomic_int leaves = 0;
    tree root = { .made = made, .depth = 3, .leaves = &leaves };
    assert_int_equal(climb(made->ctx, &root, 0), CHAINS_OK);
    assert_int_equal(atomic_load(&leaves), 8 * 8 * 8);
}

static chains_status start_more(chains_ctx *child, void *argument)
{
    fixture *made = *(fixture **)argument;
    chains_ctx *all = chains_gather(child);
    worker_input input = { .text = "x" };
    for (int i = 0; i < 20; i++)
        CHAINS_TRY(call_worker(made, all, &input, NULL, NULL));
    return chains_wait(all);
}

static void spawned_functions_gather(void **state)
{
    fixture *made = *state;
    chains_ctx *all = chains_gather(made->ctx);
    for (int i = 0; i < 50; i++)
        assert_int_equal(chains_spawn(all, start_more, &made, sizeof made), CHAINS_OK);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    assert_int_equal(atomic_load(&the_worker.calls), 50 * 20);
}

static chains_status keep_index(chains_ctx *child, void *user, size_t i)
{
    (void)child;
    ((size_t *)user)[i] = i + 1;
    return CHAINS_OK;
}

static void each_of_none_one_and_many(void **state)
{
    fixture *made = *state;
    static size_t seen[100000];
    assert_int_equal(chains_each(made->ctx, 0, keep_index, NULL), CHAINS_OK);
    assert_int_equal(chains_each(made->ctx, 1, keep_index, seen), CHAINS_OK);
    assert_int_equal(seen[0], 1);
    assert_int_equal(chains_each(made->ctx, 100000, keep_index, seen), CHAINS_OK);
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(seen[i], i + 1);
}

/* A call that can't be started fails at once, and is the failure of whoever started it. */
static void a_call_that_cannot_be_started_fails_on_the_parent(void **state)
{
    fixture *made = *state;
    chains_ctx child;
    chainsi_context_init_child(&child, made->ctx, true);
    chains_ctx *all = chains_gather(&child);
    /* Fails in its last field, when the first ones are encoded already. */
    int32_t numbers[100] = { 0 };
    worker_input input = { .text = NULL, .numbers = { numbers, 100 } };
    assert_int_equal(call_worker(made, all, &input, NULL, NULL), CHAINS_INVALID_ARGUMENT);
    const chains_error *error = chains_last_error(&child);
    assert_non_null(error);
    assert_int_equal(error->status, CHAINS_INVALID_ARGUMENT);
    assert_string_equal(error->path, "text");
    assert_string_equal(error->trace[0].file, "worker.h");
    assert_int_equal(error->trace[0].line, 7);
    assert_int_equal(chains_wait(all), CHAINS_OK); /* nothing was started */
    assert_int_equal(chains_fail(all, CHAINS_ABORTED, "by mistake on the gather"), CHAINS_ABORTED);
    assert_string_equal(chains_last_error(&child)->message, "by mistake on the gather");
    assert_string_equal(chains_last_error(all)->message, "by mistake on the gather");
    chainsi_context_done(&child);
}

static chains_status pass_on(chains_status status)
{
    CHAINS_TRY(status);
    return CHAINS_OK;
}

/* CHAINS_TRY must not write to a ctx that has ended. */
static void a_failure_is_forgotten_with_its_ctx(void **state)
{
    fixture *made = *state;
    chains_ctx child;
    chainsi_context_init_child(&child, made->ctx, true);
    chains_ctx *all = chains_gather(&child);
    chains_fail(all, CHAINS_ABORTED, "of a gather");
    chainsi_context_done(&child);
    memset(&child, 0xee, sizeof child);
    assert_int_equal(pass_on(CHAINS_ABORTED), CHAINS_ABORTED);
}

/* Hooks */

static void count(void *argument)
{
    atomic_fetch_add((atomic_int *)argument, 1);
}

static chains_status leave_a_hook(chains_ctx *child, void *argument)
{
    chains_on_cancel(child, count, *(atomic_int **)argument);
    return CHAINS_OK;
}

/* The thread that looks after hooks has looked at all of them when another one was called twice. */
static void wait_for_hooks(chains_ctx *cancelled)
{
    for (int i = 0; i < 2; i++) {
        atomic_int called = 0;
        chains_on_cancel(cancelled, count, &called);
        while (!atomic_load(&called))
            usleep(200);
        chains_on_cancel(cancelled, NULL, NULL);
    }
}

static void a_hook_ends_with_its_function(void **state)
{
    fixture *made = *state;
    static atomic_int called;
    atomic_int *pointer = &called;
    chains_ctx child;
    chainsi_context_init_child(&child, made->ctx, true);
    chains_ctx *all = chains_gather(&child);
    for (int i = 0; i < 10; i++)
        assert_int_equal(chains_spawn(all, leave_a_hook, &pointer, sizeof pointer), CHAINS_OK);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    chainsi_context_cancel(&child);
    wait_for_hooks(&child);
    assert_int_equal(atomic_load(&called), 0);
    chainsi_context_done(&child);
}

static void hooks_of_many_are_called_once_each(void **state)
{
    fixture *made = *state;
    enum { HOOKS = 20 };
    chains_ctx above, children[HOOKS];
    static atomic_int called[HOOKS];
    chainsi_context_init_child(&above, made->ctx, true);
    for (int i = 0; i < HOOKS; i++) {
        atomic_store(&called[i], 0);
        chainsi_context_init_child(&children[i], &above, false);
        chains_on_cancel(&children[i], count, &called[i]);
    }
    chainsi_context_cancel(&above);
    for (int i = 0; i < HOOKS; i++)
        while (!atomic_load(&called[i]))
            usleep(200);
    wait_for_hooks(&above);
    for (int i = 0; i < HOOKS; i++) {
        assert_int_equal(atomic_load(&called[i]), 1);
        chainsi_context_done(&children[i]);
    }
    chainsi_context_done(&above);
}

/* The ctx of _new is used by all calls at once. */

static chains_ctx *shared;

static void *use_the_shared_ctx(void *argument)
{
    fixture *made = argument;
    chains_string_list list = { 0 };
    for (int i = 0; i < 30; i++) {
        const char *texts[3] = { 0 };
        char *name = chains_printf(shared, "item %d", i);
        worker_input input = { .text = name };
        if (call_worker(made, shared, &input, &texts[0], NULL) != CHAINS_OK)
            return "a call failed";
        if (strncmp(texts[0], "<item ", 6) != 0)
            return "a call answered something else";
        chains_ctx *all = chains_gather(shared);
        if (call_worker(made, all, &input, &texts[1], NULL) != CHAINS_OK ||
            call_worker(made, all, &input, &texts[2], NULL) != CHAINS_OK ||
            chains_wait(all) != CHAINS_OK || strcmp(texts[1], texts[2]) != 0)
            return "a gather failed";
        input.fail_status = CHAINS_NOT_FOUND;
        if (call_worker(made, shared, &input, &texts[0], NULL) != CHAINS_NOT_FOUND)
            return "a failure was lost";
        if (chains_last_error(shared)->status != CHAINS_NOT_FOUND)
            return "an error is another's";
        pass_on(CHAINS_NOT_FOUND);
        chains_push(shared, &list, texts[1]);
    }
    return list.count == 30 ? NULL : "a list lost items";
}

static void the_ctx_of_new_is_for_all_threads(void **state)
{
    fixture *made = *state;
    enum { THREADS = 6 };
    chainsi_instance *instance =
        made->instance ? made->instance : atomic_load(&made->service.instance);
    shared = &instance->ctx;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_the_shared_ctx, made), 0);
    for (int i = 0; i < THREADS; i++) {
        void *complaint;
        pthread_join(threads[i], &complaint);
        if (complaint)
            fail_msg("%s", (const char *)complaint);
    }
}

CHAINS_UNUSED_ static void started_calls_meet(fixture *made)
{
    chains_ctx *all = chains_gather(made->ctx);
    worker_input input = { .text = "x", .wait_for_release = true };
    for (int i = 0; i < 4; i++)
        assert_int_equal(call_worker(made, all, &input, NULL, NULL), CHAINS_OK);
    while (atomic_load(&the_worker.running) < 4)
        usleep(200);
    atomic_store(&worker_released, true);
    assert_int_equal(chains_wait(all), CHAINS_OK);
}

/* A child of fork() has no threads of the pool, and makes its own. */
static void a_forked_child_has_a_pool_of_its_own(void **state)
{
#if defined(__SANITIZE_THREAD__)
    (void)state;
    skip(); /* the thread sanitizer allows no threads in a child of a process that had some */
#else
    fixture *made = *state;
    started_calls_meet(made);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        atomic_store(&worker_released, false);
        started_calls_meet(made);
        atomic_int called = 0;
        chains_ctx cancelled;
        chainsi_context_init_child(&cancelled, made->ctx, false);
        chainsi_context_cancel(&cancelled);
        chains_on_cancel(&cancelled, count, &called);
        while (!atomic_load(&called))
            usleep(200);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
#endif
}

/* Programs built by hand: the callee gets the caller's ctx, and everything runs at once, in order.
 */

static chains_status callee_by_hand(chains_ctx *ctx, int number, int *result)
{
    if (number < 0)
        return chains_fail(ctx, CHAINS_OUT_OF_RANGE, "%d is negative", number);
    *result = number * 2;
    return CHAINS_OK;
}

typedef struct order {
    int *next;
    int number;
} order;

static chains_status note_order(chains_ctx *child, void *argument)
{
    const order *call = argument;
    if (*call->next != call->number)
        return chains_fail(child, CHAINS_INTERNAL, "out of order");
    ++*call->next;
    return CHAINS_OK;
}

static chains_status start_nothing(chains_ctx *child, void *argument)
{
    return argument ? chains_fail(child, CHAINS_INTERNAL, "an argument of no bytes") : CHAINS_OK;
}

static chains_status fail_third(chains_ctx *child, void *user, size_t i)
{
    *(size_t *)user = i;
    return i == 3 ? chains_fail(child, CHAINS_ABORTED, "step 3") : CHAINS_OK;
}

static void by_hand_calls_run_at_once_and_in_order(void **state)
{
    (void)state;
    chains_ctx *ctx = chains_open(NULL);
    int result = 0, next = 0;
    chains_ctx *all = chains_gather(ctx);
    assert_int_equal(callee_by_hand(all, 4, &result), CHAINS_OK);
    assert_int_equal(result, 8);
    for (int i = 0; i < 5; i++) {
        order call = { .next = &next, .number = i };
        assert_int_equal(chains_spawn(all, note_order, &call, sizeof call), CHAINS_OK);
        assert_int_equal(next, i + 1);
    }
    assert_int_equal(chains_spawn(all, start_nothing, NULL, 0), CHAINS_OK);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    assert_int_equal(callee_by_hand(all, -1, &result), CHAINS_OUT_OF_RANGE);
    assert_string_equal(chains_last_error(ctx)->message, "-1 is negative");
    size_t last = 0;
    assert_int_equal(chains_each(ctx, 10, fail_third, &last), CHAINS_ABORTED);
    assert_int_equal(last, 3);
    assert_string_equal(chains_last_error(ctx)->message, "step 3");
    chains_close(ctx);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void)
{
    static const rule rules[] = {
        RULE_ONCE(many_started_calls),
        RULE_ONCE(an_empty_gather_is_done),
        RULE_ONCE(nested_steps_and_gathers_get_on),
        RULE_ONCE(spawned_functions_gather),
        RULE_ONCE(each_of_none_one_and_many),
        RULE_ONCE(a_call_that_cannot_be_started_fails_on_the_parent),
        RULE_ONCE(a_failure_is_forgotten_with_its_ctx),
        RULE_ONCE(a_hook_ends_with_its_function),
        RULE_ONCE(hooks_of_many_are_called_once_each),
        RULE_ONCE(the_ctx_of_new_is_for_all_threads),
    };
    /* Not with a service of this process, whose threads a child hasn't either. */
    const struct CMUnitTest forking[] = { TEST(a_forked_child_has_a_pool_of_its_own) };
    const struct CMUnitTest by_hand[] = {
        cmocka_unit_test(by_hand_calls_run_at_once_and_in_order),
    };
    int failed = cmocka_run_group_tests_name("local, forked", forking, NULL, NULL);
    failed += cmocka_run_group_tests(by_hand, NULL, NULL);
    return failed + check_rules(rules, sizeof rules / sizeof *rules, open_fixture, close_fixture);
}
