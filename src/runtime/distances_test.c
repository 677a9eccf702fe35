/* What travels with a call, at every distance: large values, identity, deadlines, cancellation; and
 * what becomes of calls while a service comes and goes. */
#include <poll.h>
#include <sys/socket.h>

#include "runtime/call_test_support.h"

/* mirror: gives back what it is given, and tells who it was given it by. */
typedef struct mirror_input {
    chains_bytes data;
    const char *text;
    chains_tensor tensor;
} mirror_input;

typedef struct mirror_output {
    chains_bytes data;
    const char *text;
    chains_tensor tensor;
    const char *request_id;
    uint64_t trace_high, trace_low, span;
    int64_t remaining_ms;
} mirror_output;

enum { MOST_BODY = 4 << 20, MIB = 1 << 20 };

static const chainsi_field mirror_input_fields[] = {
    { CHAINSI_FIELD(mirror_input, data, &chainsi_type_bytes),
      .default_value = &(chains_bytes){ NULL, 0 } },
    { CHAINSI_FIELD(mirror_input, text, &chainsi_type_string), .optional = true },
    { CHAINSI_FIELD(mirror_input, tensor, &chainsi_type_tensor) },
};
static const chainsi_type mirror_input_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(mirror_input),
    .fields = mirror_input_fields,
    .field_count = sizeof mirror_input_fields / sizeof *mirror_input_fields,
};
static const chainsi_field mirror_output_fields[] = {
    { CHAINSI_FIELD(mirror_output, data, &chainsi_type_bytes) },
    { CHAINSI_FIELD(mirror_output, text, &chainsi_type_string), .optional = true },
    { CHAINSI_FIELD(mirror_output, tensor, &chainsi_type_tensor) },
    { CHAINSI_FIELD(mirror_output, request_id, &chainsi_type_string) },
    { CHAINSI_FIELD(mirror_output, trace_high, &chainsi_type_uint64) },
    { CHAINSI_FIELD(mirror_output, trace_low, &chainsi_type_uint64) },
    { CHAINSI_FIELD(mirror_output, span, &chainsi_type_uint64) },
    { CHAINSI_FIELD(mirror_output, remaining_ms, &chainsi_type_int64) },
};
static const chainsi_type mirror_output_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(mirror_output),
    .fields = mirror_output_fields,
    .field_count = sizeof mirror_output_fields / sizeof *mirror_output_fields,
};
static const chains_config mirror_config = { .concurrency = 8, .max_body = MOST_BODY };
static const chainsi_interface mirror_interface = {
    .name = "mirror",
    .c_name = "mirror",
    .file = "mirror.h",
    .line = 3,
    .fingerprint = 0x1111222233334444,
    .input = &mirror_input_type,
    .output = &mirror_output_type,
    .config = &mirror_config,
};

static atomic_int mirror_calls;

static void *mirror_create(chains_ctx *ctx, void *const dependencies[])
{
    (void)ctx, (void)dependencies;
    atomic_store(&mirror_calls, 0);
    return &mirror_calls;
}

static chains_status mirror_run(void *self, chains_ctx *ctx, const void *input, void *output,
                                void *stream)
{
    (void)self, (void)stream;
    const mirror_input *given = input;
    mirror_output *back = output;
    atomic_fetch_add(&mirror_calls, 1);
    *back = (mirror_output){
        .data = given->data,
        .text = given->text,
        .tensor = given->tensor,
        .request_id = chains_request_id(ctx),
        .trace_high = ctx->trace.high,
        .trace_low = ctx->trace.low,
        .span = ctx->trace.span,
        .remaining_ms = chains_remaining_ms(ctx),
    };
    return CHAINS_OK;
}

static void mirror_destroy(void *self)
{
    (void)self;
}

static const chainsi_implementation mirror_implementation = {
    .interface = &mirror_interface,
    .create = mirror_create,
    .run = mirror_run,
    .destroy = mirror_destroy,
};
static const chainsi_node mirror_node = { .implementation = &mirror_implementation };

static int open_mirror(void **state)
{
    fixture_node = &mirror_node;
    return open_fixture(state);
}

static int open_worker(void **state)
{
    fixture_node = &worker_node;
    return open_fixture(state);
}

static void aim(mirror_output *back, void *outputs[8])
{
    void *const aimed[8] = {
        &back->data,       &back->text,      &back->tensor, &back->request_id,
        &back->trace_high, &back->trace_low, &back->span,   &back->remaining_ms
    };
    memcpy(outputs, aimed, sizeof aimed);
}

static chains_status call_mirror(fixture *made, chains_ctx *ctx, const mirror_input *input,
                                 mirror_output *back)
{
    void *outputs[8];
    aim(back, outputs);
    return make_call(made->callee, ctx, input, outputs, NULL);
}

/* ------------------------------------------------------------------------------------------------
 * values */

/* Bytes, text and a tensor of so many bytes each, whose contents depend on `seed`. */
static mirror_input make_values(chains_ctx *ctx, size_t size, unsigned seed)
{
    char *bytes = chains_alloc(ctx, size + 1), *text = chains_alloc(ctx, size + 1);
    float *numbers = chains_alloc(ctx, size);
    int64_t *shape = chains_alloc(ctx, 2 * sizeof *shape);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(i * 31 + i / 253 + seed);
        text[i] = (char)('a' + (i + seed) % 26);
    }
    shape[0] = 4;
    shape[1] = (int64_t)(size / sizeof *numbers / 4);
    for (size_t i = 0; i < size / sizeof *numbers; i++)
        numbers[i] = (float)i + (float)seed;
    return (mirror_input){
        .data = { bytes, size },
        .text = text,
        .tensor = { .dtype = CHAINS_FLOAT32, .shape = shape, .rank = 2, .data = numbers },
    };
}

static void assert_mirrored(const mirror_input *given, const mirror_output *back, size_t size)
{
    assert_int_equal(back->data.size, size);
    assert_memory_equal(back->data.data, given->data.data, size);
    assert_string_equal(back->text, given->text);
    assert_int_equal(back->tensor.dtype, CHAINS_FLOAT32);
    assert_int_equal(back->tensor.rank, 2);
    assert_memory_equal(back->tensor.shape, given->tensor.shape, 2 * sizeof(int64_t));
    assert_int_equal((uintptr_t)back->tensor.data % sizeof(float), 0);
    assert_memory_equal(back->tensor.data, given->tensor.data, size);
}

static void values_of_any_size_come_back_whole(void **state)
{
    fixture *made = *state;
    /* Around what a socket takes at once, and what is worth sharing. */
    static const size_t sizes[] = { 16, 4096, 65536, 262144, MIB };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mirror_input given = make_values(made->ctx, sizes[i], (unsigned)i);
        mirror_output back;
        assert_int_equal(call_mirror(made, made->ctx, &given, &back), CHAINS_OK);
        assert_mirrored(&given, &back, sizes[i]);
    }
}

static void large_values_of_many_calls_dont_meet(void **state)
{
    enum { CALLS = 12 };
    fixture *made = *state;
    mirror_input given[CALLS];
    mirror_output back[CALLS];
    chains_ctx *all = chains_gather(made->ctx);
    for (unsigned i = 0; i < CALLS; i++) {
        given[i] = make_values(made->ctx, MIB / 2, i);
        assert_int_equal(call_mirror(made, all, &given[i], &back[i]), CHAINS_OK);
    }
    if (chains_wait(all) != CHAINS_OK)
        fail_msg("%s", chains_last_error(made->ctx)->message);
    for (unsigned i = 0; i < CALLS; i++)
        assert_mirrored(&given[i], &back[i], MIB / 2);
}

static void what_is_written_after_starting_isnt_seen(void **state)
{
    fixture *made = *state;
    mirror_input given = make_values(made->ctx, MIB, 1), kept = make_values(made->ctx, MIB, 1);
    mirror_output back;
    chains_ctx *all = chains_gather(made->ctx);
    assert_int_equal(call_mirror(made, all, &given, &back), CHAINS_OK);
    memset((char *)(uintptr_t)given.data.data, '!', MIB);
    memset((char *)(uintptr_t)given.text, '!', MIB);
    memset((char *)(uintptr_t)given.tensor.data, 0, MIB);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    assert_mirrored(&kept, &back, MIB);
}

static const mirror_input nothing = { .tensor = { .dtype = CHAINS_FLOAT32,
                                                  .data = &(float){ 1 } } };

static void a_body_beyond_max_body_is_refused_clearly(void **state)
{
    fixture *made = *state;
    made->options.retries = 2;
    mirror_input given = nothing;
    mirror_output back;
    char *data = calloc(1, MOST_BODY + 1);
    given.data = (chains_bytes){ data, MOST_BODY + 1 };
    assert_int_equal(call_mirror(made, made->ctx, &given, &back), CHAINS_INVALID_ARGUMENT);
    assert_int_equal(atomic_load(&mirror_calls), 0);
    const chains_error *error = chains_last_error(made->ctx);
    assert_non_null(strstr(error->message, ".max_body"));
    assert_non_null(strstr(error->message, "mirror"));
    /* The service goes on. */
    given.data.size = MOST_BODY - 1024;
    assert_int_equal(call_mirror(made, made->ctx, &given, &back), CHAINS_OK);
    assert_int_equal(back.data.size, MOST_BODY - 1024);
    free(data);
}

/* ------------------------------------------------------------------------------------------------
 * identity */

static void request_id_and_trace_travel(void **state)
{
    fixture *made = *state;
    chains_ctx request;
    mirror_output back;
    chainsi_context_init_root(&request, made->ctx->process);
    request.request_id = "order-17";
    request.trace =
        (chainsi_trace){ 0x0123456789abcdef, 0xfedcba9876543210, 0x1122334455667788, false };
    assert_int_equal(call_mirror(made, &request, &nothing, &back), CHAINS_OK);
    assert_string_equal(back.request_id, "order-17");
    assert_true(back.trace_high == request.trace.high);
    assert_true(back.trace_low == request.trace.low);
    /* Of its own: it is another step of the same trace. */
    assert_true(back.span != 0 && back.span != request.trace.span);
    uint64_t first = back.span;
    assert_int_equal(call_mirror(made, &request, &nothing, &back), CHAINS_OK);
    assert_true(back.span != first);
    chainsi_context_done(&request);
}

static void another_interface_is_refused_before_it_runs(void **state)
{
    fixture *made = *state;
    made->options.retries = 3;
    chainsi_interface other = mirror_interface;
    other.fingerprint++;
    chainsi_callee *callee = new_remote_callee(made, &other);
    mirror_output back = { .request_id = "before" };
    void *outputs[8];
    aim(&back, outputs);
    assert_int_equal(make_call(callee, made->ctx, &nothing, outputs, NULL),
                     CHAINS_FAILED_PRECONDITION);
    const chains_error *error = chains_last_error(made->ctx);
    assert_string_equal(error->message,
                        "the caller was built against another interface of mirror "
                        "(1111222233334445, this is 1111222233334444): deploy both from the same "
                        "headers");
    assert_string_equal(error->trace[error->trace_count - 1].chainlet, "mirror");
    assert_string_equal(back.request_id, "before");
    assert_int_equal(atomic_load(&mirror_calls), 0);
    chainsi_callee_done(callee);
}

/* ------------------------------------------------------------------------------------------------
 * time */

static void the_nearer_deadline_travels(void **state)
{
    fixture *made = *state;
    mirror_output back;
    assert_int_equal(call_mirror(made, made->ctx, &nothing, &back), CHAINS_OK);
    assert_int_equal(back.remaining_ms, -1);
    chains_ctx child;
    chainsi_context_init_child(&child, made->ctx, true);
    child.deadline_ns = chainsi_deadline_after_ms(chainsi_now_ns(), 60000);
    assert_int_equal(call_mirror(made, &child, &nothing, &back), CHAINS_OK);
    assert_in_range(back.remaining_ms, 1, 60000);
    made->options.timeout_ms = 30000;
    assert_int_equal(call_mirror(made, &child, &nothing, &back), CHAINS_OK);
    assert_in_range(back.remaining_ms, 1, 30000);
    made->options.timeout_ms = 90000;
    assert_int_equal(call_mirror(made, &child, &nothing, &back), CHAINS_OK);
    assert_in_range(back.remaining_ms, 1, 60000);
    chainsi_context_done(&child);
}

static void what_is_too_late_isnt_started(void **state)
{
    fixture *made = *state;
    made->options.retries = 2;
    chains_ctx child;
    chainsi_context_init_child(&child, made->ctx, true);
    child.deadline_ns = chainsi_now_ns() - 1;
    mirror_output back = { .request_id = "before" };
    assert_int_equal(call_mirror(made, &child, &nothing, &back), CHAINS_DEADLINE_EXCEEDED);
    assert_int_equal(chains_last_error(&child)->status, CHAINS_DEADLINE_EXCEEDED);
    assert_string_equal(back.request_id, "before");
    assert_int_equal(atomic_load(&mirror_calls), 0);
    chainsi_context_done(&child);
}

/* Starts a call in the way that is being checked: as one of a fan-out, or by a step that calls and
 * waits. */
typedef struct step {
    fixture *made;
    worker_input input;
    const char **text;
} step;

static chains_status take_step(chains_ctx *ctx, void *argument)
{
    step *it = argument;
    return call_worker(it->made, ctx, &it->input, it->text, NULL);
}

static void start_worker(fixture *made, chains_ctx *all, const worker_input *input,
                         const char **text)
{
    step it = { made, *input, text };
    assert_int_equal(fixture_gathered ? call_worker(made, all, input, text, NULL)
                                      : chains_spawn(all, take_step, &it, sizeof it),
                     CHAINS_OK);
}

static void await_running(int count)
{
    while (atomic_load(&the_worker.running) != count)
        usleep(200);
}

static void a_deadline_that_passes_while_it_waits_starts_nothing(void **state)
{
    fixture *made = *state;
    chains_ctx *busy = chains_gather(made->ctx);
    worker_input input = { .text = "x", .wait_for_release = true };
    for (int i = 0; i < FIXTURE_SLOTS; i++)
        start_worker(made, busy, &input, NULL);
    await_running(FIXTURE_SLOTS);
    chains_ctx child;
    chainsi_context_init_child(&child, made->ctx, true);
    child.deadline_ns = chainsi_deadline_after_ms(chainsi_now_ns(), 30);
    assert_int_equal(call_worker(made, &child, &input, NULL, NULL), CHAINS_DEADLINE_EXCEEDED);
    chainsi_context_done(&child);
    atomic_store(&worker_released, true);
    assert_int_equal(chains_wait(busy), CHAINS_OK);
    /* What comes after it is taken: nothing is left of it in any queue. */
    assert_int_equal(call_worker(made, made->ctx, &input, NULL, NULL), CHAINS_OK);
    await_running(0);
    assert_int_equal(atomic_load(&the_worker.calls), FIXTURE_SLOTS + 1);
}

/* ------------------------------------------------------------------------------------------------
 * cancellation */

static void *hang_up_once_it_runs(void *end)
{
    await_running(1);
    close(*(int *)end);
    return NULL;
}

static void a_caller_that_leaves_stops_what_runs_for_it(void **state)
{
    fixture *made = *state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    chains_ctx request;
    chainsi_context_init_root(&request, made->ctx->process);
    request.connection = ends[0];
    request.connection_events = POLLRDHUP;
    pthread_t thread;
    pthread_create(&thread, NULL, hang_up_once_it_runs, &ends[1]);
    worker_input input = { .text = "x", .until_cancelled = true };
    const char *text = "before";
    assert_int_equal(call_worker(made, &request, &input, &text, NULL), CHAINS_CANCELLED);
    assert_string_equal(text, "before");
    pthread_join(thread, NULL);
    await_running(0); /* which it does only when it hears of that */
    chainsi_context_done(&request);
    close(ends[0]);
}

static chains_status fail_once_others_run(chains_ctx *ctx, const worker_input *input,
                                          worker_output *output)
{
    (void)input, (void)output;
    await_running(4);
    return chains_fail(ctx, CHAINS_DATA_LOSS, "enough");
}

static void a_siblings_failure_stops_what_runs(void **state)
{
    fixture *made = *state;
    worker_hook = fail_once_others_run;
    chains_ctx *all = chains_gather(made->ctx);
    const char *texts[4] = { "a", "b", "c", "d" };
    worker_input endless = { .text = "x", .until_cancelled = true }, failing = { .text = "y" };
    for (int i = 0; i < 4; i++)
        start_worker(made, all, i == 2 ? &failing : &endless, &texts[i]);
    assert_int_equal(chains_wait(all), CHAINS_DATA_LOSS);
    assert_string_equal(chains_last_error(made->ctx)->message, "enough");
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(chains_result(all, i), i == 2 ? CHAINS_DATA_LOSS : CHAINS_CANCELLED);
        assert_int_equal(texts[i][0], "abcd"[i]);
    }
    await_running(0);
}

/* ------------------------------------------------------------------------------------------------
 * services that come and go */

static void a_replica_that_was_replaced_is_nobodys_news(void **state)
{
    fixture *made = *state;
    worker_input input = { .text = "x" };
    const char *text;
    for (int i = 0; i < 5; i++) {
        /* It knows the callers' connections, which are kept, and closes them. */
        assert_int_equal(call_worker(made, made->ctx, &input, &text, NULL), CHAINS_OK);
        stop_serving(made);
        start_serving(made);
    }
    assert_int_equal(call_worker(made, made->ctx, &input, &text, NULL), CHAINS_OK);
    assert_int_equal(atomic_load(&the_worker.calls), 6);
}

static void without_a_replica_calls_wait_for_one(void **state)
{
    enum { CALLS = 20 };
    fixture *made = *state;
    worker_input input = { .text = "x" };
    const char *texts[CALLS] = { NULL };
    assert_int_equal(call_worker(made, made->ctx, &input, &texts[0], NULL), CHAINS_OK);
    stop_serving(made);
    chains_ctx *all = chains_gather(made->ctx);
    for (int i = 0; i < CALLS; i++)
        start_worker(made, all, &input, &texts[i]);
    start_serving(made);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    for (int i = 0; i < CALLS; i++)
        assert_string_equal(texts[i], "<x>");
    assert_int_equal(atomic_load(&the_worker.calls), CALLS + 1);
}

static void a_service_that_is_gone_is_unavailable(void **state)
{
    fixture *made = *state;
    atomic_store(&made->callee->budget.balance, 0); /* the first resend is free */
    stop_serving(made);
    assert_int_equal(shutdown(made->listen_fd, SHUT_RDWR), 0);
    worker_input input = { .text = "x" };
    const char *text = "before";
    assert_int_equal(call_worker(made, made->ctx, &input, &text, NULL), CHAINS_UNAVAILABLE);
    assert_non_null(strstr(chains_last_error(made->ctx)->message, "worker can't be reached at "));
    assert_string_equal(text, "before");
    start_serving(made); /* for the fixture to end */
}

int main(void)
{
    static const char in_one_process[] = "there is no service between caller and callee";
    static const rule of_the_mirror[] = {
        RULE(values_of_any_size_come_back_whole),
        RULE_ONCE(large_values_of_many_calls_dont_meet),
        RULE_ONCE(what_is_written_after_starting_isnt_seen),
        RULE_EXCEPT(a_body_beyond_max_body_is_refused_clearly, IN_ONE_PROCESS,
                    "nothing is encoded in one process"),
        RULE(request_id_and_trace_travel),
        RULE_EXCEPT(another_interface_is_refused_before_it_runs, IN_ONE_PROCESS,
                    "what is linked together was built from the same headers"),
        RULE(the_nearer_deadline_travels),
        RULE(what_is_too_late_isnt_started),
    };
    static const rule of_the_worker[] = {
        RULE(a_deadline_that_passes_while_it_waits_starts_nothing),
        RULE(a_caller_that_leaves_stops_what_runs_for_it),
        RULE(a_siblings_failure_stops_what_runs),
        RULE_EXCEPT(a_replica_that_was_replaced_is_nobodys_news, IN_ONE_PROCESS, in_one_process),
        RULE_EXCEPT(without_a_replica_calls_wait_for_one, IN_ONE_PROCESS, in_one_process),
        RULE_EXCEPT(a_service_that_is_gone_is_unavailable, IN_ONE_PROCESS, in_one_process),
    };
    return check_rules(of_the_mirror, sizeof of_the_mirror / sizeof *of_the_mirror, open_mirror,
                       close_fixture) +
           check_rules(of_the_worker, sizeof of_the_worker / sizeof *of_the_worker, open_worker,
                       close_fixture);
}
