/* The stream in the answer of a service elsewhere: its parts, read as they come.
 *
 * Of a Chainlet: on this machine ITEM frames (rpc/frame.h), behind which the result comes as any
 * answer; else DELIMITED of outlet.h. Of an external service, by the answer's Content-Type:
 *   text/event-stream      an event named `result` or `error` ends the stream; so does, unnamed, the
 *                          data [DONE]; the data of all others are items, whatever their name
 *   application/x-ndjson   {"item": …}, {"result": …}, {"error": …}; a line that begins otherwise is an
 *                          item as a whole
 * Where an external service's answer ends by its own framing without any of that, or with [DONE], the
 * plain outputs are their defaults; if one has none, the answer is incomplete. */
#ifndef CHAINSI_RUNTIME_INLET_H
#define CHAINSI_RUNTIME_INLET_H

#include "rpc/client.h"
#include "rpc/link.h"
#include "rpc/splitter.h"
#include "runtime/stream.h"

/* What a request asks for, for Chainlets and for external services. */
#define CHAINSI_ACCEPT_STREAM          "Accept: application/x-chains-stream, application/msgpack\r\n"
#define CHAINSI_ACCEPT_STREAM_EXTERNAL "Accept: text/event-stream, application/x-ndjson\r\n"

typedef enum chainsi_inlet_state {
    CHAINSI_INLET_CLOSED,  /* no stream has come (yet) */
    CHAINSI_INLET_OPEN,    /* items may come */
    CHAINSI_INLET_RESULT,  /* ended well: the outputs are there */
    CHAINSI_INLET_ERROR,   /* ended by the callee's error, which is on ctx */
    CHAINSI_INLET_STOPPED, /* the caller's emit failed */
    CHAINSI_INLET_BROKEN,  /* what came can't be read; the reason is on ctx */
} chainsi_inlet_state;

typedef struct chainsi_inlet {
    chainsi_client_sink sink;     /* for an exchange over HTTP */
    chainsi_link_sink frame_sink; /* for one in frames */
    /* Private. */
    chainsi_intake *intake;
    void *output;
    chainsi_inlet_state state;
    bool msgpack, delimited; /* the answer says where it ends */
    chainsi_splitter splitter;
    chainsi_arena item; /* of one item */
} chainsi_inlet;

/* output: a struct of interface->output. End it with _done. */
void chainsi_inlet_init(chainsi_inlet *inlet, chainsi_intake *intake, void *output);
void chainsi_inlet_done(chainsi_inlet *inlet);
/* How the attempt ended, after its exchange did; one in frames that was ANSWERED is not asked about.
 * False: the exchange's end says it, as for any call. Else *status, with a failure recorded on the
 * call's ctx; *lost: nobody knows how it ended. */
bool chainsi_inlet_settle(chainsi_inlet *inlet, chainsi_exchange_end end, chains_status *status,
                          bool *lost);

#endif
