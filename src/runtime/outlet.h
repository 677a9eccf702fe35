/* The serving side of a stream: items in the form that the client asked for, on their way as they are
 * emitted.
 *
 *   form       Accept                          an item         the end
 *   DELIMITED  application/x-chains-stream     {"item": …}     {"result": {…}} or {"error": {…}};
 *              MessagePack, each behind its length: four bytes, most significant first
 *   EVENTS     text/event-stream               event: item     event: result, event: error; the value
 *                                              data: …         as JSON
 *   LINES      application/x-ndjson            {"item": …}     {"result": {…}} or {"error": {…}}
 *   GATHERED   anything else                   one answer when the method has returned:
 *              {"<the stream's name>": […], plain outputs…}, in JSON or MessagePack
 *   ITEMS      (a call in frames)              an ITEM frame   the ANSWER frame of any call, which is
 *              the handler's; large values go beside an item
 *
 * Nothing is sent before the first item, so that a failure until then is an ordinary error answer. */
#ifndef CHAINSI_RUNTIME_OUTLET_H
#define CHAINSI_RUNTIME_OUTLET_H

#include "base/attachments.h"
#include "rpc/parts.h"
#include "runtime/context.h"
#include "runtime/glue.h"
#include "schema/codec.h"

#define CHAINSI_STREAM_TYPE "application/x-chains-stream"

typedef enum chainsi_outlet_form {
    CHAINSI_OUTLET_GATHERED,
    CHAINSI_OUTLET_DELIMITED,
    CHAINSI_OUTLET_EVENTS,
    CHAINSI_OUTLET_LINES,
    CHAINSI_OUTLET_ITEMS,
} chainsi_outlet_form;

typedef struct chainsi_outlet {
    chainsi_stream stream; /* what run is given */
    chains_ctx *ctx;       /* of the request */
    const chainsi_interface *interface;
    chainsi_outlet_form form;
    bool msgpack; /* how values are encoded */
    chainsi_server_response *response;
    chainsi_parts parts;
    pthread_mutex_t lock;            /* a method may emit from its chains_each steps */
    chainsi_buffer *buffer;          /* one part; of GATHERED, all items */
    size_t items;                    /* emitted */
    int64_t first_ns;                /* when the first of them was */
    chainsi_attachments attachments; /* of ITEMS, while one is sent */
    uint64_t afloat;           /* of ITEMS, bytes beside them that the reader may not have taken */
    chains_status failed;      /* what emit gives from now on */
    chainsi_codec_error wrong; /* of the item that couldn't be encoded */
} chainsi_outlet;

/* The form that a request in HTTP asks for. */
chainsi_outlet_form chainsi_outlet_choose(const chainsi_http_head *head);
/* Prepares the answer of a method with a stream. msgpack is for GATHERED. */
void chainsi_outlet_init(chainsi_outlet *outlet, chains_ctx *ctx,
                         const chainsi_interface *interface, chainsi_outlet_form form, bool msgpack,
                         const chainsi_server_request *request, chainsi_server_response *response);
/* After the method has returned status: what the call ends with, recorded on ctx if it failed. An
 * emit that failed makes the call fail, whatever the method said. */
chains_status chainsi_outlet_settle(chainsi_outlet *outlet, chains_status status);
/* Ends an answer that succeeded with its plain outputs; not of ITEMS. A failure is recorded on ctx. */
chains_status chainsi_outlet_finish(chainsi_outlet *outlet, const void *output);
/* Whether the head has left: a failure has to be told in the stream. */
bool chainsi_outlet_has_begun(const chainsi_outlet *outlet);
/* Ends an answer that has begun with the error of ctx; not of ITEMS. */
void chainsi_outlet_fail(chainsi_outlet *outlet);
/* Frees what it holds; when nothing emits any more. */
void chainsi_outlet_done(chainsi_outlet *outlet);

#endif
