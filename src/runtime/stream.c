#include "runtime/stream.h"

#include <stdio.h>
#include <string.h>

#include "runtime/delivery.h"
#include "runtime/error.h"
#include "schema/value.h"

enum { DEFAULT_GAP_MS = 60000 };

chains_status chainsi_emit(void *stream, const void *item)
{
    chainsi_stream *to = stream;
    return to ? to->deliver(to, item) : CHAINS_OK;
}

void chainsi_stream_place(const chainsi_interface *interface, size_t item,
                          chainsi_codec_error *error)
{
    char path[CHAINSI_CODEC_PATH + 64];
    int used = snprintf(path, 64, "%.32s[%zu]%s", interface->stream_name, item,
                        *error->path && *error->path != '[' ? "." : "");
    memcpy(path + used, error->path, strlen(error->path) + 1);
    path[sizeof error->path - 1] = 0;
    memcpy(error->path, path, sizeof error->path);
}

/* ------------------------------------------------------------------------------------------------
 * the caller's end */

void chainsi_intake_init(chainsi_intake *intake, const chainsi_interface *interface,
                         const chainsi_stream *stream, double gap_ms)
{
    *intake = (chainsi_intake){
        .interface = interface,
        .listens = stream != NULL,
        .gap_ns = gap_ms < 0 ? CHAINSI_NEVER
                             : (int64_t)((gap_ms > 0 ? gap_ms : DEFAULT_GAP_MS) *
                                         (double)CHAINSI_NS_PER_MS),
        .due_ns = CHAINSI_NEVER,
    };
    if (stream)
        intake->to = *stream;
}

chains_status chainsi_intake_deliver(chainsi_intake *intake, const void *item)
{
    if (!intake->items++)
        intake->first_ns = chainsi_now_ns();
    if (intake->listens && intake->failed == CHAINS_OK)
        intake->failed = intake->job ? chainsi_delivery_make(intake->job, &intake->to, item)
                                     : intake->to.deliver(&intake->to, item);
    /* The time that emit took is the caller's own. */
    if (intake->gap_ns != CHAINSI_NEVER)
        intake->due_ns = chainsi_now_ns() + intake->gap_ns;
    return intake->failed;
}

chains_status chainsi_intake_fail(chainsi_intake *intake)
{
    const chainsi_interface *interface = intake->interface;
    if (chainsi_error_recall(intake->ctx, intake->failed))
        return intake->failed;
    return chainsi_error_set(intake->ctx, intake->failed, interface->name, "run_remote", NULL,
                             "the stream of %s was ended by its caller, whose emit returned %s",
                             interface->name, chains_status_name(intake->failed));
}

chains_status chainsi_intake_fail_late(chainsi_intake *intake)
{
    const chainsi_interface *interface = intake->interface;
    return chainsi_error_set(intake->ctx, CHAINS_DEADLINE_EXCEEDED, interface->name, "run_remote",
                             NULL,
                             "%s emitted nothing for %g ms (.stream_gap_ms of the calls to it)",
                             interface->name, (double)intake->gap_ns / (double)CHAINSI_NS_PER_MS);
}

/* ------------------------------------------------------------------------------------------------
 * callees in this process */

static chains_status check_and_deliver(chainsi_local_stream *local, const void *item)
{
    chainsi_intake *intake = local->intake;
    const chainsi_type *type = intake->interface->stream_item;
    chains_status stopped = chainsi_context_stopped_lately(local->callee);
    if (stopped != CHAINS_OK)
        return stopped;
    if (intake->due_ns != CHAINSI_NEVER && chainsi_now_ns() > intake->due_ns) {
        local->late = true;
        return CHAINS_DEADLINE_EXCEEDED;
    }
    if (chainsi_value_check(type, item, &local->wrong) != CHAINS_OK) {
        chainsi_stream_place(intake->interface, intake->items, &local->wrong);
        chainsi_error_answer(local->callee, intake->interface, &local->wrong);
        return CHAINS_INTERNAL;
    }
    if (!local->callee->process->strict)
        return chainsi_intake_deliver(intake, item);
    void *copy = chainsi_arena_alloc_raw(&local->copies, type->size);
    chainsi_value_copy(type, item, copy, &local->copies);
    chains_status status = chainsi_intake_deliver(intake, copy);
    chainsi_arena_done(&local->copies);
    return status;
}

static chains_status deliver(chainsi_stream *stream, const void *item)
{
    chainsi_local_stream *local = stream->user;
    pthread_mutex_lock(&local->lock);
    bool ended = local->failed != CHAINS_OK;
    if (!ended)
        local->failed = check_and_deliver(local, item);
    chains_status status = local->failed;
    pthread_mutex_unlock(&local->lock);
    if (!ended && status != CHAINS_OK)
        chainsi_context_cancel(local->callee);
    return status;
}

void chainsi_local_stream_init(chainsi_local_stream *stream, chainsi_intake *intake,
                               chains_ctx *callee)
{
    *stream = (chainsi_local_stream){
        .stream = { .deliver = deliver, .user = stream },
        .intake = intake,
        .callee = callee,
    };
    pthread_mutex_init(&stream->lock, NULL);
}

chains_status chainsi_local_stream_end(chainsi_local_stream *stream, chains_status status,
                                       bool *recorded)
{
    chainsi_intake *intake = stream->intake;
    pthread_mutex_destroy(&stream->lock);
    chainsi_arena_done(&stream->copies);
    *recorded = true;
    if (intake->failed != CHAINS_OK)
        return chainsi_intake_fail(intake);
    if (stream->late || (status == CHAINS_OK && intake->due_ns < chainsi_now_ns()))
        return chainsi_intake_fail_late(intake);
    *recorded = false;
    return stream->failed != CHAINS_OK ? stream->failed : status;
}
