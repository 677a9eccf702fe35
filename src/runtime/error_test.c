/* Errors: the trace that one gets over several levels in one process, which failure travels, and
 * the body on the wire. */
#include "runtime/call_test_support.h"

/* ------------------------------------------------------------------------------------------------
 * three levels: outer calls middle calls inner, all of them workers by other names */

static chainsi_interface interfaces[3];
static chainsi_implementation implementations[3];
static chainsi_node nodes[3];
static chainsi_instance *instances[3];
static chainsi_callee *callees[3];
static atomic_int lines[3]; /* where each level failed or noted its place */

static chains_status call_level(int level, chains_ctx *ctx, const worker_input *input)
{
    void *const outputs[] = { NULL, NULL };
    return chainsi_call(callees[level], ctx, input, outputs, NULL);
}

static chains_status help_inner(chains_ctx *ctx, const char *text)
{
    lines[2] = __LINE__ + 1;
    return chains_fail(ctx, CHAINS_DATA_LOSS, "no %s here", text);
}

static chains_status run_inner(void *self, chains_ctx *ctx, const void *input, void *output,
                               void *stream)
{
    (void)stream;
    (void)self, (void)output;
    CHAINS_TRY(help_inner(ctx, ((const worker_input *)input)->text));
    return CHAINS_OK;
}

static chains_status help_middle(chains_ctx *ctx, const worker_input *input)
{
    lines[1] = __LINE__ + 1;
    CHAINS_TRY(call_level(2, ctx, input));
    return CHAINS_OK;
}

static chains_status run_middle(void *self, chains_ctx *ctx, const void *input, void *output,
                                void *stream)
{
    (void)stream;
    (void)self, (void)output;
    CHAINS_TRY(help_middle(ctx, input)); /* the helper's place is the nearer one */
    return CHAINS_OK;
}

static chains_status (*outer)(chains_ctx *ctx, const worker_input *input);

static chains_status run_outer(void *self, chains_ctx *ctx, const void *input, void *output,
                               void *stream)
{
    (void)stream;
    (void)self, (void)output;
    return outer(ctx, input);
}

static chains_status call_plainly(chains_ctx *ctx, const worker_input *input)
{
    lines[0] = __LINE__ + 1;
    CHAINS_TRY(call_level(1, ctx, input));
    return CHAINS_OK;
}

static chains_status call_in_gather(chains_ctx *ctx, const worker_input *input)
{
    chains_ctx *all = chains_gather(ctx);
    CHAINS_TRY(call_level(1, all, input));
    CHAINS_TRY(call_level(1, all, input));
    lines[0] = __LINE__ + 1;
    CHAINS_TRY(chains_wait(all));
    return CHAINS_OK;
}

static chains_status call_in_step(chains_ctx *child, void *user, size_t i)
{
    (void)i;
    lines[0] = __LINE__ + 1;
    CHAINS_TRY(call_level(1, child, user));
    return CHAINS_OK;
}

static chains_status call_in_steps(chains_ctx *ctx, const worker_input *input)
{
    CHAINS_TRY(chains_each(ctx, 2, call_in_step, (void *)(uintptr_t)input));
    return CHAINS_OK;
}

static chains_status call_without_a_place(chains_ctx *ctx, const worker_input *input)
{
    return call_level(1, ctx, input);
}

static int open_levels(void **state)
{
    static const char *const names[] = { "outer", "middle", "inner" };
    static chains_status (*const runs[])(void *, chains_ctx *, const void *, void *,
                                         void *) = { run_outer, run_middle, run_inner };
    fixture *made;
    open_fixture((void **)&made);
    for (int i = 2; i >= 0; i--) {
        interfaces[i] = worker_interface;
        interfaces[i].name = interfaces[i].c_name = names[i];
        implementations[i] = worker_implementation;
        implementations[i].interface = &interfaces[i];
        implementations[i].run = runs[i];
        nodes[i] = (chainsi_node){ .implementation = &implementations[i] };
        instances[i] = chainsi_instance_new(&nodes[i], made->ctx, NULL);
        callees[i] = chainsi_callee_new(made->ctx, &interfaces[i], NULL, instances[i], NULL);
    }
    *state = made;
    return 0;
}

static int close_levels(void **state)
{
    for (int i = 0; i < 3; i++) {
        chainsi_instance_free(instances[i]);
        chainsi_callee_done(callees[i]);
    }
    return close_fixture(state);
}

static const chains_error *fail_through(fixture *made)
{
    worker_input input = { .text = "key" };
    assert_int_equal(call_level(0, made->ctx, &input), CHAINS_DATA_LOSS);
    const chains_error *error = chains_last_error(made->ctx);
    assert_string_equal(error->message, "no key here");
    assert_int_equal(error->trace_count, 3);
    static const char *const names[] = { "outer", "middle", "inner" };
    for (int i = 0; i < 3; i++) {
        assert_string_equal(error->trace[i].chainlet, names[i]);
        assert_string_equal(error->trace[i].message, i == 2 ? "no key here" : "");
    }
    assert_string_equal(error->trace[2].function, "help_inner");
    assert_int_equal(error->trace[2].line, lines[2]);
    assert_string_equal(error->trace[1].function, "help_middle");
    assert_int_equal(error->trace[1].line, lines[1]);
    return error;
}

static void a_trace_has_a_hop_a_level(void **state)
{
    static const struct {
        chains_status (*run)(chains_ctx *ctx, const worker_input *input);
        const char *function;
    } ways[] = {
        { call_plainly, "call_plainly" },
        { call_in_gather, "call_in_gather" },
        { call_in_steps, "call_in_step" },
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        outer = ways[i].run;
        const chains_error *error = fail_through(*state);
        assert_string_equal(error->trace[0].function, ways[i].function);
        assert_int_equal(error->trace[0].line, lines[0]);
        assert_non_null(strstr(error->trace[0].file, "error_test.c"));
    }
}

static void without_a_place_the_hop_is_the_declaration(void **state)
{
    outer = call_without_a_place;
    const chains_error *error = fail_through(*state);
    assert_string_equal(error->trace[0].function, "outer_run_remote");
    assert_string_equal(error->trace[0].file, "worker.h");
    assert_int_equal(error->trace[0].line, 7);
}

static chains_status clean_up_and_return_the_first(chains_ctx *ctx, const worker_input *input)
{
    chains_status status = call_level(1, ctx, input);
    worker_input wrong = { .text = NULL };
    assert_int_equal(call_level(1, ctx, &wrong), CHAINS_INVALID_ARGUMENT);
    return status;
}

static chains_status go_on_and_fail_otherwise(chains_ctx *ctx, const worker_input *input)
{
    call_level(1, ctx, input);
    return chains_fail(ctx, CHAINS_ABORTED, "something else");
}

static void the_failure_that_is_returned_travels(void **state)
{
    fixture *made = *state;
    outer = clean_up_and_return_the_first;
    fail_through(made);
    outer = go_on_and_fail_otherwise;
    worker_input input = { .text = "key" };
    assert_int_equal(call_level(0, made->ctx, &input), CHAINS_ABORTED);
    assert_int_equal(chains_last_error(made->ctx)->trace_count, 1);
    assert_string_equal(chains_last_error(made->ctx)->message, "something else");
}

static chains_status return_nonsense(chains_ctx *ctx, const worker_input *input)
{
    (void)ctx, (void)input;
    return (chains_status)4711;
}

static void a_number_that_is_no_status_is_unknown(void **state)
{
    fixture *made = *state;
    outer = return_nonsense;
    worker_input input = { .text = "key" };
    assert_int_equal(call_level(0, made->ctx, &input), CHAINS_UNKNOWN);
    assert_int_equal(chains_fail(made->ctx, (chains_status)99, "nonsense"), CHAINS_INTERNAL);
    assert_int_equal(chains_fail(made->ctx, CHAINS_OK, "no failure"), CHAINS_INTERNAL);
}

static void long_messages_are_whole(void **state)
{
    fixture *made = *state;
    static char text[5000];
    memset(text, 'x', sizeof text - 1);
    chains_fail(made->ctx, CHAINS_ABORTED, "%s.", text);
    assert_int_equal(strlen(chains_last_error(made->ctx)->message), sizeof text);
}

/* ------------------------------------------------------------------------------------------------
 * the body */

static void compare(const chains_error *error, bool msgpack)
{
    chainsi_buffer body = { 0 };
    chainsi_arena arena = { 0 };
    chains_error read;
    chainsi_error_encode(error, "r-1", msgpack, &body);
    assert_true(chainsi_error_decode((char *)body.data, body.size, msgpack, &arena, &read));
    assert_int_equal(read.status, error->status);
    assert_string_equal(read.message, error->message);
    if (error->path)
        assert_string_equal(read.path, error->path);
    else
        assert_null(read.path);
    assert_int_equal(read.trace_count, error->trace_count);
    for (size_t i = 0; i < read.trace_count; i++) {
        assert_string_equal(read.trace[i].chainlet, error->trace[i].chainlet);
        assert_string_equal(read.trace[i].function, error->trace[i].function);
        assert_string_equal(read.trace[i].file, error->trace[i].file);
        assert_int_equal(read.trace[i].line, error->trace[i].line);
        assert_string_equal(read.trace[i].message, error->trace[i].message);
    }
    chainsi_arena_done(&arena);
    chainsi_buffer_done(&body);
}

static void bodies_come_back_in_both_formats(void **state)
{
    (void)state;
    chains_trace_entry trace[] = {
        { "outer", "run", "a.c", 12, "" },
        { "inner", "help \"quoted\"\n", "b/ü.c", 0, "why\tnot" },
    };
    chains_error error = { CHAINS_INVALID_ARGUMENT, "bad “thing”", "messages[3].role", trace, 2 };
    for (int format = 0; format < 2; format++) {
        compare(&error, format);
        for (int status = 1; status <= CHAINS_UNAUTHENTICATED; status++) {
            chains_error plain = { (chains_status)status, "", NULL, NULL, 0 };
            compare(&plain, format);
        }
    }
}

static void a_body_is_sendable_whatever_the_author_said(void **state)
{
    (void)state;
    chains_trace_entry trace[] = { { "x", "f", "\xff.c", 1, "caf\xe9" } };
    chains_error error = { CHAINS_UNKNOWN, "caf\xe9", NULL, trace, 1 };
    for (int format = 0; format < 2; format++) {
        chainsi_buffer body = { 0 };
        chainsi_arena arena = { 0 };
        chains_error read;
        chainsi_error_encode(&error, "", format, &body);
        assert_true(chainsi_error_decode((char *)body.data, body.size, format, &arena, &read));
        assert_string_equal(read.message, "caf?");
        assert_string_equal(read.trace[0].file, "?.c");
        chainsi_arena_done(&arena);
        chainsi_buffer_done(&body);
    }
}

static void the_json_is_the_contracts(void **state)
{
    (void)state;
    chains_trace_entry trace[] = { { "w", "f", "w.c", 3, "no" } };
    chains_error error = { CHAINS_NOT_FOUND, "no", NULL, trace, 1 };
    chainsi_buffer body = { 0 };
    chainsi_error_encode(&error, "r", false, &body);
    chainsi_buffer_add_byte(&body, 0);
    const char *text = (char *)body.data;
    assert_non_null(strstr(text, "{\"error\":{\"status\":\"NOT_FOUND\",\"message\":\"no\""));
    assert_non_null(strstr(text, "\"trace\":[{\"chainlet\":\"w\",\"function\":\"f\","
                                 "\"file\":\"w.c\",\"line\":3,\"message\":\"no\"}]"));
    assert_non_null(strstr(text, "\"request_id\":\"r\""));
    chainsi_buffer_done(&body);
}

static void foreign_bodies_are_none(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "null",
        "{}",
        "[]",
        "{\"error\": \"text\"}",
        "{\"error\": {\"status\": \"ABORTED\"}}",
        "{\"error\": {\"status\": 5, \"message\": \"x\"}}",
        "<html>",
        "{\"error\": {",
    };
    chainsi_arena arena = { 0 };
    chains_error error;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        for (int format = 0; format < 2; format++)
            assert_false(
                chainsi_error_decode(bodies[i], strlen(bodies[i]), format, &arena, &error));
    /* Of a newer or older version: what isn't known is passed over, what is no failure is one. */
    static const char odd[] = "{\"error\": {\"status\": \"OK\", \"message\": \"m\", \"new\": 1}}";
    assert_true(chainsi_error_decode(odd, sizeof odd - 1, false, &arena, &error));
    assert_int_equal(error.status, CHAINS_UNKNOWN);
    assert_int_equal(error.trace_count, 0);
    chainsi_arena_done(&arena);
}

int main(void)
{
#define LEVELS(test) cmocka_unit_test_setup_teardown(test, open_levels, close_levels)
    const struct CMUnitTest tests[] = {
        LEVELS(a_trace_has_a_hop_a_level),
        LEVELS(without_a_place_the_hop_is_the_declaration),
        LEVELS(the_failure_that_is_returned_travels),
        LEVELS(a_number_that_is_no_status_is_unknown),
        LEVELS(long_messages_are_whole),
        cmocka_unit_test(bodies_come_back_in_both_formats),
        cmocka_unit_test(a_body_is_sendable_whatever_the_author_said),
        cmocka_unit_test(the_json_is_the_contracts),
        cmocka_unit_test(foreign_bodies_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
