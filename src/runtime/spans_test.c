/* What is told of calls, whatever their distance. Caller and service are one process here, with one ring. */
#include "base/ring.h"
#include "runtime/call_test_support.h"
#include "runtime/spans.h"

enum { MOST_SPANS = 32, MOST_LOOKS = 5000 };

static int ring_fd = -1;
static chainsi_ring_reader reader;

/* What was read, with the records that its texts are in. */
static chainsi_span spans[MOST_SPANS];
static chainsi_span_record records[MOST_SPANS];
static size_t span_count;

static int open_told(void **state)
{
    ring_fd = chainsi_ring_create();
    chainsi_spans_use(ring_fd);
    reader = (chainsi_ring_reader){ 0 };
    span_count = 0;
    int status = open_fixture(state);
    fixture *made = *state;
    made->ctx->trace.recorded = true;
    made->ctx->request_id = "order-17";
    return status;
}

static int close_told(void **state)
{
    int status = close_fixture(state);
    chainsi_spans_use(-1);
    close(ring_fd);
    return status;
}

static void read_spans(void)
{
    size_t size;
    chainsi_ring_begin(chainsi_spans_ring, &reader, chainsi_now_ns());
    while (span_count < MOST_SPANS &&
           (size = chainsi_ring_next(chainsi_spans_ring, &reader, records[span_count].words))) {
        assert_true(chainsi_span_unpack(&spans[span_count], &records[span_count], size));
        span_count++;
    }
}

/* Reads until so many are there. A service tells of a call before it answers, unless nobody waits. */
static void expect_spans(size_t count)
{
    for (int looks = 0; span_count < count && looks < MOST_LOOKS; looks++) {
        read_spans();
        if (span_count < count)
            usleep(1000);
    }
    assert_int_equal(span_count, count);
}

/* The only span of that kind, and attempt (0: any). */
static const chainsi_span *find(unsigned kind, unsigned attempt)
{
    const chainsi_span *found = NULL;
    for (size_t i = 0; i < span_count; i++)
        if (spans[i].kind == kind && (!attempt || spans[i].attempt == attempt)) {
            assert_null(found);
            found = &spans[i];
        }
    assert_non_null(found);
    return found;
}

static const chainsi_span *find_child(uint64_t parent, unsigned kind)
{
    for (size_t i = 0; i < span_count; i++)
        if (spans[i].parent == parent && spans[i].kind == kind)
            return &spans[i];
    fail_msg("nothing of kind %u is below %llx", kind, (unsigned long long)parent);
    return NULL;
}

static void assert_is_of(const chainsi_span *span, const chains_ctx *ctx)
{
    assert_true(span->trace_high == ctx->trace.high && span->trace_low == ctx->trace.low);
    assert_string_equal(span->request_id, ctx->request_id);
    assert_int_equal(span->process, getpid());
    assert_true(span->began_ns <= span->ended_ns);
    assert_false(span->alone);
}

/* The caller's span of a call. */
static const chainsi_span *find_call(void)
{
    return find(fixture_is_remote() ? CHAINSI_SPAN_MADE : CHAINSI_SPAN_LOCAL, 0);
}

static void both_sides_tell_of_a_call(void **state)
{
    fixture *made = *state;
    const uint64_t own = made->ctx->trace.span;
    const char *text;
    worker_input input = { .text = "a" };
    assert_int_equal(call_worker(made, made->ctx, &input, &text, NULL), CHAINS_OK);
    expect_spans(fixture_is_remote() ? 2 : 1);
    const chainsi_span *call = find_call();
    assert_is_of(call, made->ctx);
    assert_true(call->parent == own);
    assert_true(made->ctx->trace.span == own);
    assert_string_equal(call->callee, "worker");
    assert_int_equal(call->status, CHAINS_OK);
    assert_int_equal(call->attempt, 1);
    assert_true(call->queue_ns >= 0);
    if (!fixture_is_remote())
        return;
    const chainsi_span *served = find(CHAINSI_SPAN_SERVED, 0);
    assert_is_of(served, made->ctx);
    assert_true(served->parent == call->id);
    assert_string_equal(served->chainlet, "worker");
    assert_true(served->decode_ns >= 0 && served->run_ns >= 0 && served->encode_ns >= 0);
    assert_true((served->queue_ns >= 0) == !fixture_is_over_tcp());
}

static void each_attempt_is_told_of(void **state)
{
    fixture *made = *state;
    made->options.retries = 2;
    const char *text;
    worker_input input = { .text = "b", .fail_status = CHAINS_UNAVAILABLE, .fail_until = 2 };
    assert_int_equal(call_worker(made, made->ctx, &input, &text, NULL), CHAINS_OK);
    expect_spans(fixture_is_remote() ? 5 : 3);
    const chainsi_span *call = find_call();
    assert_int_equal(call->attempt, 2);
    assert_int_equal(call->status, CHAINS_OK);
    assert_true(call->parent == made->ctx->trace.span);
    const chainsi_span *first = find(CHAINSI_SPAN_ATTEMPT, 1),
                       *second = find(CHAINSI_SPAN_ATTEMPT, 2);
    assert_true(first->parent == call->id && second->parent == call->id);
    assert_int_equal(first->status, CHAINS_UNAVAILABLE);
    assert_string_equal(first->message, "worker was told to fail: b");
    assert_true(strstr(first->file, "call_test_support.h") && first->line > 0);
    assert_int_equal(second->status, CHAINS_OK);
    assert_true(second->began_ns >= first->ended_ns);
    if (!fixture_is_remote())
        return;
    const chainsi_span *served = find_child(second->id, CHAINSI_SPAN_SERVED);
    assert_int_equal(find_child(first->id, CHAINSI_SPAN_SERVED)->status, CHAINS_UNAVAILABLE);
    assert_int_equal(served->status, CHAINS_OK);
    if (served->queue_ns >= 0) /* not since the first attempt */
        assert_true(served->began_ns - served->queue_ns >= second->began_ns);
}

static void a_failure_is_told_of_with_its_place(void **state)
{
    fixture *made = *state;
    const char *text;
    worker_input input = { .text = "c", .fail_status = CHAINS_NOT_FOUND };
    assert_int_equal(call_worker(made, made->ctx, &input, &text, NULL), CHAINS_NOT_FOUND);
    expect_spans(fixture_is_remote() ? 2 : 1);
    for (size_t i = 0; i < span_count; i++) {
        assert_int_equal(spans[i].status, CHAINS_NOT_FOUND);
        assert_string_equal(spans[i].message, "worker was told to fail: c");
        assert_string_equal(spans[i].raised_by, "worker");
        assert_true(spans[i].line > 0);
        if (spans[i].kind != CHAINSI_SPAN_MADE) /* which is the caller's */
            assert_non_null(strstr(spans[i].left_at, "call_test_support.h:"));
    }
}

static void of_what_is_not_recorded_only_failures_are_told(void **state)
{
    fixture *made = *state;
    const char *text;
    made->ctx->trace.recorded = false;
    worker_input good = { .text = "d" }, bad = { .text = "d", .fail_status = CHAINS_NOT_FOUND };
    assert_int_equal(call_worker(made, made->ctx, &good, &text, NULL), CHAINS_OK);
    assert_int_equal(call_worker(made, made->ctx, &bad, &text, NULL), CHAINS_NOT_FOUND);
    expect_spans(fixture_is_remote() ? 1 : 0);
    if (!fixture_is_remote())
        return;
    assert_true(spans[0].alone);
    assert_int_equal(spans[0].kind, CHAINSI_SPAN_SERVED);
    assert_int_equal(spans[0].status, CHAINS_NOT_FOUND);
    assert_true(spans[0].trace_low == made->ctx->trace.low);
    assert_true(spans[0].parent == made->ctx->trace.span);
}

static void branches_of_a_gather_are_children_of_its_parent(void **state)
{
    fixture *made = *state;
    enum { TOGETHER = 4 };
    const char *texts[TOGETHER];
    chains_ctx *all = chains_gather(made->ctx);
    for (int i = 0; i < TOGETHER; i++) {
        worker_input input = { .text = "e" };
        assert_int_equal(call_worker(made, all, &input, &texts[i], NULL), CHAINS_OK);
    }
    assert_int_equal(chains_wait(all), CHAINS_OK);
    expect_spans(fixture_is_remote() ? 2 * TOGETHER : TOGETHER);
    for (size_t i = 0; i < span_count; i++) {
        assert_is_of(&spans[i], made->ctx);
        if (spans[i].kind == CHAINSI_SPAN_SERVED)
            continue;
        assert_true(spans[i].parent == made->ctx->trace.span);
        if (fixture_is_remote())
            find_child(spans[i].id, CHAINSI_SPAN_SERVED);
    }
}

/* The call that is there first is late for as long as nobody cancels it: either attempt may be that. */
static atomic_int dawdlers;

static chains_status dawdle(chains_ctx *ctx, const worker_input *input, worker_output *output)
{
    const bool late = atomic_fetch_add(&dawdlers, 1) == 0;
    while (late && !chains_cancelled(ctx))
        usleep(200);
    output->text = input->text;
    return late ? CHAINS_CANCELLED : CHAINS_OK;
}

static void a_hedge_is_told_of_beside_the_first_attempt(void **state)
{
    fixture *made = *state;
    const char *text;
    made->options.idempotent = true;
    made->options.hedge_ms = 1;
    atomic_store(&made->callee->budget.balance, CHAINSI_BUDGET_MOST);
    atomic_store(&dawdlers, 0);
    worker_hook = dawdle;
    worker_input input = { .text = "f" };
    assert_int_equal(call_worker(made, made->ctx, &input, &text, NULL), CHAINS_OK);
    expect_spans(4);
    const chainsi_span *call = find(CHAINSI_SPAN_MADE, 0), *hedge = find(CHAINSI_SPAN_HEDGE, 0);
    const chainsi_span *first = find_child(call->id, CHAINSI_SPAN_SERVED),
                       *second = find_child(hedge->id, CHAINSI_SPAN_SERVED);
    assert_int_equal(call->status, CHAINS_OK);
    assert_true(hedge->parent == call->id);
    assert_true(hedge->began_ns >= call->began_ns + CHAINSI_NS_PER_MS);
    assert_int_equal(hedge->status, second->status);
    assert_int_equal(first->status, second->status == CHAINS_OK ? CHAINS_CANCELLED : CHAINS_OK);
}

int main(void)
{
    static const rule rules[] = {
        RULE(both_sides_tell_of_a_call),
        RULE(each_attempt_is_told_of),
        RULE(a_failure_is_told_of_with_its_place),
        RULE(of_what_is_not_recorded_only_failures_are_told),
        RULE_ONCE(branches_of_a_gather_are_children_of_its_parent),
        RULE_EXCEPT(a_hedge_is_told_of_beside_the_first_attempt, IN_ONE_PROCESS,
                    "calls in one process are not hedged"),
    };
    return check_rules(rules, sizeof rules / sizeof *rules, open_told, close_told);
}
