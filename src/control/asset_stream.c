#include "control/asset_stream.h"

#include <stdio.h>
#include <stdlib.h>

static int64_t on_answer(void *user, const chainsi_errand_answer *answer)
{
    chainsi_asset_stream *stream = user;
    stream->answered = true;
    stream->taken = stream->events->on_answer(stream, answer);
    return stream->taken ? stream->end : -1;
}

static void on_written(void *user, size_t size, int error)
{
    chainsi_asset_stream *stream = user;
    stream->next += (int64_t)size;
    stream->events->on_written(stream, size, error);
}

static void on_end(void *user, chainsi_errand_outcome outcome, const chainsi_errand_answer *answer,
                   const char *why)
{
    (void)answer;
    chainsi_asset_stream *stream = user;
    stream->errand = NULL;
    stream->events->on_end(stream, outcome, why);
}

void chainsi_asset_stream_start(chainsi_asset_stream *stream, chainsi_courier *courier,
                                const chainsi_asset_request *request, int64_t from, int64_t end)
{
    static const chainsi_errand_events events = { on_answer, on_written, on_end };
    char if_range[CHAINSI_ERRAND_MOST_VALIDATOR + 16];
    const char *headers[] = { NULL, NULL };
    const char *authorities = getenv("SSL_CERT_FILE"); /* as OpenSSL's own defaults have it */
    stream->courier = courier;
    stream->next = from;
    stream->end = end;
    stream->answered = stream->taken = false;
    if (request->ranges && request->validator && *request->validator) {
        snprintf(if_range, sizeof if_range, "If-Range: %s", request->validator);
        headers[0] = if_range;
    }
    stream->errand =
        chainsi_courier_send(courier,
                             &(chainsi_errand_request){
                                 .url = request->url,
                                 .agent = "chains",
                                 .authorities = authorities,
                                 .headers = headers,
                                 .file = stream->file,
                                 .terms = { .connect_timeout_ms = request->connect_timeout_s * 1000,
                                            .stall_s = request->stall_s,
                                            .stall_rate = request->stall_rate,
                                            .most_redirects = CHAINSI_ASSET_MOST_REDIRECTS,
                                            .from = from,
                                            .end = end,
                                            .ranged = request->ranges,
                                            .stays_secure = true },
                             },
                             &events, stream);
}

void chainsi_asset_stream_stop(chainsi_asset_stream *stream)
{
    if (stream->errand)
        chainsi_courier_cancel(stream->courier, stream->errand);
}

bool chainsi_asset_stream_busy(const chainsi_asset_stream *stream)
{
    return stream->errand != NULL;
}
