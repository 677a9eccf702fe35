/* One request for bytes of an asset, on its way to the file. The courier carries it; what answers mean for the
 * download is the owner's. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_ASSET_STREAM_H
#define CHAINSI_CONTROL_ASSET_STREAM_H

#include "control/courier.h"

enum { CHAINSI_ASSET_MOST_REDIRECTS = 10 };

typedef struct chainsi_asset_stream chainsi_asset_stream;

typedef struct chainsi_asset_stream_events {
    /* The answer's head is there. True: its body goes to the file. May change the stream's end. */
    bool (*on_answer)(chainsi_asset_stream *stream, const chainsi_errand_answer *answer);
    /* `size` bytes more are in the file; or error (libuv's): none will be. */
    void (*on_written)(chainsi_asset_stream *stream, size_t size, int error);
    /* The request has ended, and nothing of it is still being written. DONE also if all wanted bytes came. why:
     * a sentence, until this returns. */
    void (*on_end)(chainsi_asset_stream *stream, chainsi_errand_outcome outcome, const char *why);
} chainsi_asset_stream_events;

/* What is asked for. */
typedef struct chainsi_asset_request {
    const char *url;       /* http or https */
    bool ranges;           /* asks for bytes from stream.next on; else for the whole file */
    const char *validator; /* of the version that is wanted, for If-Range; "" or NULL: any */
    long connect_timeout_s, stall_s, stall_rate;
} chainsi_asset_request;

/* All zero at first, but for events, user and file. */
struct chainsi_asset_stream {
    const chainsi_asset_stream_events *events;
    void *user;
    int file; /* the owner's */
    chainsi_courier *courier;
    chainsi_errand *errand; /* NULL while nothing is asked */
    int64_t next;           /* the place in the file behind what is there of it */
    int64_t end;            /* the place where what is wanted ends; INT64_MAX: with the answer */
    bool answered;          /* on_answer was called */
    bool taken;             /* and took the body */
};

/* Asks for the bytes from `from` up to `end`; nothing may be under way. */
void chainsi_asset_stream_start(chainsi_asset_stream *stream, chainsi_courier *courier,
                                const chainsi_asset_request *request, int64_t from, int64_t end);
/* Has the request, if there is one, end soon: on_end comes then. */
void chainsi_asset_stream_stop(chainsi_asset_stream *stream);
/* Whether a request, or a write, is under way. */
bool chainsi_asset_stream_busy(const chainsi_asset_stream *stream);

#endif
