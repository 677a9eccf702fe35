/* A call, whatever its distance: starting or running it, attempts and retries, and handing over
 * what came back.
 *
 * The callee's outputs go to a scratch struct in the ctx's memory, and from there to the caller's
 * places: on success only, and for a started call in chains_wait. */
#include <string.h>

#include "runtime/call.h"
#include "runtime/delivery.h"
#include "runtime/error.h"
#include "runtime/fanout.h"
#include "runtime/gather.h"
#include "runtime/glue.h"
#include "runtime/hedge.h"
#include "runtime/memory.h"
#include "runtime/progress.h"
#include "runtime/retry.h"
#include "runtime/spans.h"
#include "runtime/waiter.h"
#include "schema/value.h"

const chains_depends_config chainsi_depends_unset;

enum {
    MOST_KEPT_BUFFER = 1024 * 1024, /* a thread's request buffer that grew larger is freed */
    DEADLINE_SLACK_MS = 2,          /* deadlines travel and are waited for in whole milliseconds */
    SMALL_OUTPUT = 512,             /* bytes of an output struct that needs no arena */
};

/* A thread's buffer for encoded requests: calls made on it run one after the other. */
static pthread_key_t message_key;
static pthread_once_t message_once = PTHREAD_ONCE_INIT;
static _Thread_local chainsi_message request_message;

static void free_message(void *message)
{
    chainsi_message_done(message);
}

static void make_message_key(void)
{
    pthread_key_create(&message_key, free_message);
}

static chainsi_message *take_message(void)
{
    if (!request_message.body.data) {
        pthread_once(&message_once, make_message_key);
        pthread_setspecific(message_key, &request_message);
    }
    request_message.body.size = 0;
    return &request_message;
}

static void put_message(chainsi_message *message)
{
    if (message->attachments.count)
        chainsi_attachments_done(&message->attachments);
    if (message->body.capacity > MOST_KEPT_BUFFER)
        chainsi_buffer_done(&message->body);
}

static inline void copy_output(void *to, const void *from, size_t size)
{
    if (size == 8)
        memcpy(to, from, 8);
    else
        memcpy(to, from, size);
}

void chainsi_call_hand_over(const chainsi_interface *interface, const void *scratch,
                            void *const outputs[])
{
    for (uint32_t i = 0; i < interface->output->field_count; i++) {
        const chainsi_field *field = &interface->output->fields[i];
        if (outputs[i])
            copy_output(outputs[i], (const char *)scratch + field->offset, field->type->size);
    }
}

/* Waits on this thread, unless the call is cancelled meanwhile. */
static void pause_call(const chains_ctx *ctx, int64_t delay_ns)
{
    int64_t until = chainsi_now_ns() + delay_ns;
    chainsi_waiter *waiter = chainsi_waiter_self();
    while (chainsi_now_ns() < until && chainsi_context_stopped(ctx) == CHAINS_OK)
        chainsi_waiter_wait(waiter, ctx, until);
}

chains_status chainsi_call_stopped(chainsi_callee *callee, chains_ctx *ctx, chains_status stopped)
{
    return chainsi_error_set(ctx, stopped, callee->interface->name, "run_remote", NULL,
                             stopped == CHAINS_CANCELLED
                                 ? "the call to %s was cancelled"
                                 : "the request's deadline passed before %s answered",
                             callee->interface->name);
}

static chains_status fail_timeout(chainsi_callee *callee, chains_ctx *ctx)
{
    return chainsi_error_set(
        ctx, CHAINS_DEADLINE_EXCEEDED, callee->interface->name, "run_remote", NULL,
        "%s did not answer within %g ms (.timeout_ms of %s's calls to it)", callee->interface->name,
        callee->options->timeout_ms, *ctx->chainlet ? ctx->chainlet : "this program");
}

/* While a call is with another service, this one doesn't stand still. */
static chains_status attempt_away(chainsi_callee *callee, chains_ctx *ctx,
                                  const chainsi_message *message, void *output,
                                  chainsi_intake *intake, int64_t deadline_ns,
                                  chainsi_attempt *attempt)
{
    chainsi_progress *progress = ctx->process->progress;
    if (progress)
        chainsi_progress_leave(progress);
    chains_status status =
        chainsi_hedge_applies(callee)
            ? chainsi_hedge_attempt(callee, ctx, message, output, deadline_ns, attempt)
            : chainsi_remote_attempt(callee->remote, ctx, message, output, intake, deadline_ns,
                                     attempt);
    if (progress)
        chainsi_progress_return(progress, chainsi_now_ns());
    return status;
}

chains_status chainsi_call_explain(chainsi_callee *callee, chains_ctx *ctx, chains_status status,
                                   int64_t deadline_ns)
{
    /* Which limit it was is told by the clock, whichever side noticed first: the callee has the
     * same deadline, to the millisecond. */
    if (status == CHAINS_DEADLINE_EXCEEDED || status == CHAINS_CANCELLED) {
        int64_t now = chainsi_now_ns() + DEADLINE_SLACK_MS * CHAINSI_NS_PER_MS;
        if (deadline_ns < ctx->deadline_ns && now >= deadline_ns)
            return fail_timeout(callee, ctx);
        chains_status stopped =
            now >= ctx->deadline_ns ? CHAINS_DEADLINE_EXCEEDED : chainsi_context_stopped(ctx);
        if (stopped != CHAINS_OK)
            return chainsi_call_stopped(callee, ctx, stopped);
    }
    return status;
}

static chains_status attempt_call(chainsi_callee *callee, chains_ctx *ctx, const void *input,
                                  const chainsi_message *message, void *output,
                                  chainsi_intake *intake, chainsi_made *made,
                                  chainsi_attempt *attempt)
{
    double timeout_ms = callee->options->timeout_ms;
    int64_t deadline_ns = ctx->deadline_ns;
    if (timeout_ms > 0) {
        int64_t limit = chainsi_deadline_after_ms(chainsi_now_ns(), timeout_ms);
        if (limit < deadline_ns)
            deadline_ns = limit;
    }
    chains_status status = ctx->announced
                               ? CHAINS_OK /* and it has one */
                               : chainsi_slots_take(&callee->in_flight, ctx, deadline_ns);
    if (status == CHAINS_OK) {
        if (made->began_ns && made->queue_ns < 0)
            made->queue_ns = chainsi_now_ns() - made->began_ns;
        if (callee->instance)
            status =
                chainsi_local_attempt(callee->instance, ctx, input, output, intake, deadline_ns);
        else
            status = attempt_away(callee, ctx, message, output, intake, deadline_ns, attempt);
        chainsi_slots_give(&callee->in_flight);
        if (status == CHAINS_OK || attempt->end == CHAINSI_ATTEMPT_ABSENT)
            return status;
    }
    return chainsi_call_explain(callee, ctx, status, deadline_ns);
}

bool chainsi_call_begin(chainsi_callee *callee)
{
    bool may_resend = callee->remote || callee->options->retries > 0;
    if (may_resend)
        chainsi_retry_budget_deposit(&callee->budget);
    return may_resend;
}

chainsi_retry_decision chainsi_call_again(chainsi_callee *callee, const chains_ctx *ctx,
                                          chainsi_retry_state *state, chains_status status,
                                          const chainsi_attempt *attempt)
{
    const chains_depends_config *options = callee->options;
    chainsi_retry_failure failure = {
        .status = status,
        .not_started = attempt->end == CHAINSI_ATTEMPT_NOT_STARTED,
        .allowed = options->retries,
        .retry_after_ns = attempt->retry_after_ns,
        .left_ns =
            ctx->deadline_ns == CHAINSI_NEVER ? CHAINSI_NEVER : ctx->deadline_ns - chainsi_now_ns(),
    };
    if (options->idempotent && failure.allowed < 1 && attempt->end == CHAINSI_ATTEMPT_LOST)
        failure.allowed = 1; /* one resend after "maybe started" */
    return chainsi_retry_decide(state, &callee->budget, &failure, chainsi_random());
}

/* Whether a call met a full queue and is one of many that were started together. Calls of this process
 * may be what fills it, then: it waits until one of them has ended, instead of failing them all. */
static bool should_wait_for_others(const chains_ctx *ctx, const chainsi_attempt *attempt)
{
    if (attempt->end != CHAINSI_ATTEMPT_QUEUE_FULL)
        return false;
    while (ctx && !ctx->gather)
        ctx = ctx->parent;
    return ctx != NULL;
}

/* What is called from now on is called by the attempt that follows. */
static void begin_attempt(chainsi_made *made, chains_ctx *ctx, const chainsi_callee *callee,
                          chains_status status)
{
    chainsi_made_retry(made, ctx, callee->interface->name, status);
    ctx->trace.span = made->attempt;
}

static chains_status attempt_as_allowed(chainsi_callee *callee, chains_ctx *ctx, const void *input,
                                        const chainsi_message *message, void *output,
                                        chainsi_intake *intake, chainsi_made *made)
{
    const bool may_resend = chainsi_call_begin(callee);
    chainsi_retry_state state = { 0 };
    for (;;) {
        chains_status stopped = chainsi_context_stopped_lately(ctx);
        if (stopped != CHAINS_OK)
            return chainsi_call_stopped(callee, ctx, stopped);
        chainsi_attempt attempt = { .end = CHAINSI_ATTEMPT_ENDED };
        memset(output, 0, callee->interface->output->size);
        /* Before and after: what filled the queue may have ended meanwhile. */
        bool others = may_resend && chainsi_slots_taken(&callee->in_flight);
        chains_status status =
            attempt_call(callee, ctx, input, message, output, intake, made, &attempt);
        if (status == CHAINS_OK || !may_resend || (intake && intake->items))
            return status;
        if ((others || chainsi_slots_taken(&callee->in_flight)) &&
            should_wait_for_others(ctx, &attempt)) {
            chainsi_slots_wait_given(&callee->in_flight, ctx);
            continue;
        }
        chainsi_retry_decision decision = chainsi_call_again(callee, ctx, &state, status, &attempt);
        if (!decision.again)
            return status;
        if (callee->remote)
            chainsi_edge_retry(&callee->edge);
        if (made->began_ns)
            begin_attempt(made, ctx, callee, status);
        if (decision.delay_ns > 0)
            pause_call(ctx, decision.delay_ns);
        if (made->began_ns)
            made->attempt_ns = chainsi_now_ns();
    }
}

static chains_status run_attempts(chainsi_callee *callee, chains_ctx *ctx, const void *input,
                                  const chainsi_message *message, void *output,
                                  chainsi_intake *intake)
{
    const uint64_t own_span = ctx->trace.span;
    chainsi_made made;
    chainsi_made_begin(&made, ctx);
    if (made.began_ns)
        ctx->trace.span = made.attempt; /* the callee's parent */
    int64_t began_ns = callee->remote ? chainsi_edge_begin() : 0;
    chains_status status = attempt_as_allowed(callee, ctx, input, message, output, intake, &made);
    if (callee->remote)
        chainsi_edge_end(&callee->edge, status, began_ns);
    if (made.began_ns) {
        chainsi_made_end(&made, ctx, callee->interface->name, !callee->remote, status, intake);
        ctx->trace.span = own_span;
    }
    return status;
}

/* A started call, in the memory of its job. */
typedef struct started_call {
    chainsi_callee *callee;
    chains_ctx *ctx;         /* the job's */
    void *input;             /* a copy, for a local callee */
    chainsi_message message; /* encoded, for a remote one; owned */
    void *scratch;
    void **outputs;
    chainsi_intake *intake; /* of a method with a stream; NULL */
} started_call;

static chains_status run_started(chains_ctx *ctx, void *data)
{
    started_call *call = data;
    chains_status status =
        run_attempts(call->callee, ctx, call->input, &call->message, call->scratch, call->intake);
    chainsi_local_retract(ctx);
    return status;
}

static void finish_started(void *data)
{
    started_call *call = data;
    chainsi_call_hand_over(call->callee->interface, call->scratch, call->outputs);
}

static void discard_started(void *data)
{
    started_call *call = data;
    chainsi_local_retract(call->ctx);
    chainsi_message_done(&call->message);
}

static chains_status start_call(chainsi_callee *callee, chains_ctx *ctx, const void *input,
                                void *const outputs[], const chainsi_stream *stream)
{
    const chainsi_interface *interface = callee->interface;
    if (chainsi_fanout_takes(callee) && !interface->stream_name) {
        chainsi_message *message = take_message();
        chains_status status = chainsi_remote_encode(callee->remote, ctx->parent, input, message);
        if (status == CHAINS_OK)
            chainsi_fanout_start(ctx->gather, callee, message, outputs);
        put_message(message);
        return status;
    }
    chainsi_job *job = chainsi_job_new(ctx->gather);
    started_call *call = chains_alloc(job->ctx, sizeof *call);
    call->callee = callee;
    call->ctx = job->ctx;
    call->scratch = chains_alloc(job->ctx, interface->output->size);
    uint32_t count = interface->output->field_count;
    call->outputs = chains_alloc(job->ctx, (count + 1) * sizeof *call->outputs);
    if (count)
        memcpy(call->outputs, outputs, count * sizeof *outputs);
    if (interface->stream_name) {
        call->intake = chains_alloc(job->ctx, sizeof *call->intake);
        chainsi_intake_init(call->intake, interface, stream, callee->options->stream_gap_ms);
        call->intake->ctx = job->ctx;
        call->intake->job = job;
        if (stream)
            chainsi_delivery_expect(job);
    }
    if (callee->instance) {
        call->input = chains_alloc(job->ctx, interface->input->size);
        chainsi_codec_error why;
        chains_status status = chainsi_value_check(interface->input, input, &why);
        if (status != CHAINS_OK) {
            status = chainsi_error_argument(ctx->parent, interface, &why);
            chainsi_context_done(job->ctx);
            return status;
        }
        chainsi_value_copy(interface->input, input, call->input, job->ctx->arena);
    } else {
        chains_status status =
            chainsi_remote_encode(callee->remote, ctx->parent, input, &call->message);
        if (status != CHAINS_OK) {
            chainsi_message_done(&call->message); /* what was encoded before it failed */
            chainsi_context_done(job->ctx);
            return status;
        }
    }
    job->run = run_started;
    job->finish = finish_started;
    job->discard = discard_started;
    job->data = call;
    chainsi_local_announce(callee, job->ctx);
    chainsi_job_start(job);
    return CHAINS_OK;
}

static chains_status run_call(chainsi_callee *callee, chains_ctx *ctx, const void *input,
                              void *const outputs[], const chainsi_stream *stream)
{
    const chainsi_interface *interface = callee->interface;
    _Alignas(max_align_t) char small[SMALL_OUTPUT];
    size_t size = interface->output->size;
    void *scratch = size <= sizeof small ? small : chainsi_memory_raw(ctx, size);
    chainsi_intake streamed, *intake = NULL;
    if (interface->stream_name) {
        intake = &streamed;
        chainsi_intake_init(intake, interface, stream, callee->options->stream_gap_ms);
        intake->ctx = ctx;
    }
    chains_status status;
    if (callee->instance) {
        status = run_attempts(callee, ctx, input, NULL, scratch, intake);
    } else {
        /* The caller's emit may make calls of its own meanwhile. */
        chainsi_message own = { .body = { 0 } }, *message = intake ? &own : take_message();
        status = chainsi_remote_encode(callee->remote, ctx, input, message);
        if (status == CHAINS_OK)
            status = run_attempts(callee, ctx, input, message, scratch, intake);
        if (intake)
            chainsi_message_done(message);
        else
            put_message(message);
    }
    if (status == CHAINS_OK)
        chainsi_call_hand_over(interface, scratch, outputs);
    return status;
}

/* A call with the ctx of _new, which other threads may be using: it runs with a ctx of this thread,
 * whose memory is handed over at the end. */
static chains_status run_call_apart(chainsi_callee *callee, chains_ctx *shared, const void *input,
                                    void *const outputs[], const chainsi_stream *stream)
{
    chains_ctx ctx;
    chainsi_context_init_child(&ctx, shared, true);
    chains_status status = run_call(callee, &ctx, input, outputs, stream);
    if (status != CHAINS_OK)
        chainsi_error_move(shared, &ctx);
    chainsi_memory_adopt(shared, &ctx);
    chainsi_context_done(&ctx);
    return status;
}

chains_status chainsi_call(void *self, chains_ctx *ctx, const void *input, void *const outputs[],
                           const chainsi_stream *stream)
{
    chainsi_callee *callee = self;
    if (ctx->gather)
        return start_call(callee, ctx, input, outputs, stream);
    return ctx->lock ? run_call_apart(callee, ctx, input, outputs, stream)
                     : run_call(callee, ctx, input, outputs, stream);
}
