#include "control/front_span.h"

#include <unistd.h>

#include "base/clock.h"

void chainsi_front_span_begin(chainsi_front_span *span, chainsi_collector *collector,
                              const chainsi_exchange *exchange)
{
    const chainsi_slice *text = chainsi_http_find(&exchange->request.head, "traceparent");
    span->parent = 0;
    if (text && chainsi_trace_read(&span->trace, text->data, text->size)) {
        span->parent = span->trace.span;
        span->trace.span = chainsi_trace_span();
        return;
    }
    span->trace = chainsi_trace_new();
    span->trace.recorded = chainsi_collector_choose(collector, &span->trace, exchange->received_ns);
}

void chainsi_front_span_end(const chainsi_front_span *span, chainsi_collector *collector,
                            const chainsi_exchange *exchange, const char *chain,
                            const char *chainlet, unsigned attempts, chains_status status,
                            const char *message)
{
    const int64_t now_ns = chainsi_now_ns(), began_ns = exchange->received_ns;
    if (!collector || (!span->trace.recorded && status == CHAINS_OK &&
                       now_ns - began_ns < CHAINSI_SAMPLING_SLOW_MS * CHAINSI_NS_PER_MS))
        return;
    const chainsi_span told = {
        .trace_high = span->trace.high,
        .trace_low = span->trace.low,
        .id = span->trace.span,
        .parent = span->parent,
        .began_ns = began_ns,
        .ended_ns = now_ns,
        .queue_ns = -1,
        .decode_ns = -1,
        .run_ns = -1,
        .encode_ns = -1,
        .first_item_ns = -1,
        .attempt = (uint16_t)attempts,
        .process = (uint32_t)getpid(),
        .kind = CHAINSI_SPAN_FRONT,
        .status = (uint8_t)status,
        .alone = !span->trace.recorded,
        .chainlet = "",
        .callee = chainlet,
        .request_id = exchange->request_id,
        .raised_by = "",
        .file = "",
        .message = message,
    };
    chainsi_collector_tell(collector, chain, &told);
}
