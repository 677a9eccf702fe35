/* One request for bytes of an asset, and the way of its answer's body to the file. Reads of headers
 * are here; what they mean for the download is the owner's. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_ASSET_STREAM_H
#define CHAINSI_CONTROL_ASSET_STREAM_H

#include "control/asset_writer.h"
#include "control/transfers.h"

enum { CHAINSI_ASSET_MOST_VALIDATOR = 256, CHAINSI_ASSET_MOST_REDIRECTS = 10 };

/* The head of an answer, the last one after redirects. */
typedef struct chainsi_asset_answer {
    long status;
    int64_t from; /* the place of its body in the file */
    int64_t size; /* of the whole file; -1: it isn't said */
    bool ranges;  /* the server does ranges */
    /* By what this version of the file is known: an ETag that isn't weak, or its time; "" */
    char validator[CHAINSI_ASSET_MOST_VALIDATOR];
    int64_t pause_ms; /* that the server asks for; 0 */
} chainsi_asset_answer;

typedef struct chainsi_asset_stream chainsi_asset_stream;

typedef struct chainsi_asset_stream_events {
    /* The answer's head is there. True: its body goes to the file. May change the stream's end. Must
     * not start or stop streams. */
    bool (*on_answer)(chainsi_asset_stream *stream, const chainsi_asset_answer *answer);
    /* `size` bytes more are in the file; or error (libuv's): none will be. */
    void (*on_written)(chainsi_asset_stream *stream, size_t size, int error);
    /* The request has ended, and transfer.easy is NULL; what came in may still be on its way to the
     * file. CURLE_OK also if all wanted bytes came. why: curl's sentence, until this returns. */
    void (*on_end)(chainsi_asset_stream *stream, CURLcode code, const char *why);
} chainsi_asset_stream_events;

/* What is asked for. */
typedef struct chainsi_asset_request {
    const char *url;       /* http or https */
    bool ranges;           /* asks for bytes from stream.next on; else for the whole file */
    const char *validator; /* of the version that is wanted, for If-Range; "" or NULL: any */
    long connect_timeout_s, stall_s, stall_rate;
} chainsi_asset_request;

/* All zero at first, but for events, user and the writer's loop and file. */
struct chainsi_asset_stream {
    chainsi_transfer transfer; /* easy: owned; NULL while nothing is asked */
    chainsi_asset_writer writer;
    const chainsi_asset_stream_events *events;
    void *user;
    chainsi_transfers *transfers;
    struct curl_slist *headers; /* owned */
    int64_t next;               /* the place in the file of the next byte that comes in */
    int64_t end;   /* the place where what is wanted ends; INT64_MAX: with the answer */
    bool answered; /* on_answer was called */
    bool taken;    /* and took the body */
    bool paused;
    char error[CURL_ERROR_SIZE];
};

/* Asks for the bytes from `from` up to `end`. Nothing may be under way or waiting in the writer.
 * False if the URL makes no sense to curl. Not from within on_answer. */
bool chainsi_asset_stream_start(chainsi_asset_stream *stream, chainsi_transfers *transfers,
                                const chainsi_asset_request *request, int64_t from, int64_t end);
/* Ends the request, if there is one, without on_end. Not from within on_answer. */
void chainsi_asset_stream_stop(chainsi_asset_stream *stream);
/* Whether a request, or a write, is under way. */
bool chainsi_asset_stream_busy(const chainsi_asset_stream *stream);

#endif
