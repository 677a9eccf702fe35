/* The stand-in for a failed Chainlet: a front of its own on the Chainlet's socket. Clients come with
 * HTTP, the Chainlets that call it with frames, one call on a connection. */
#include "control/refuser.h"

#include <stdlib.h>
#include <string.h>

#include "control/front.h"
#include "control/handle.h"
#include "rpc/frame.h"
#include "runtime/error.h"

struct chainsi_refuser {
    chainsi_front *front; /* owned */
    uv_pipe_t *listener;  /* owned */
    char *message;        /* owned */
};

static size_t max_body(void *user, const chainsi_http_request *request)
{
    (void)user;
    (void)request;
    return CHAINSI_MAX_BODY;
}

static void on_request(void *user, chainsi_exchange *exchange)
{
    const chainsi_refuser *refuser = user;
    chainsi_exchange_fail(exchange, CHAINS_UNAVAILABLE, "%s", refuser->message);
}

/* Answers the call without reading its body. */
static bool on_frames(void *user, const char *data, size_t size, chainsi_buffer *answer)
{
    const chainsi_refuser *refuser = user;
    chainsi_frame call;
    const char *why;
    if (size < CHAINSI_FRAME_PREFACE_SIZE)
        return false;
    if (memcmp(data, CHAINSI_FRAME_PREFACE, CHAINSI_FRAME_PREFACE_SIZE) != 0)
        return true;
    ptrdiff_t head =
        chainsi_frame_parse(data + CHAINSI_FRAME_PREFACE_SIZE, size - CHAINSI_FRAME_PREFACE_SIZE,
                            UINT64_MAX, &call, &why);
    if (head == CHAINSI_FRAME_MORE)
        return false;
    if (head < 0 || call.head.kind != CHAINSI_FRAME_CALL)
        return true;
    char request_id[CHAINSI_FRAME_MAX_REQUEST_ID + 1];
    memcpy(request_id, call.request_id, call.call.request_id_size);
    request_id[call.call.request_id_size] = 0;
    chains_error error = { .status = CHAINS_UNAVAILABLE, .message = refuser->message };
    chainsi_buffer body = { 0 };
    chainsi_error_encode(&error, request_id, true, &body);
    chainsi_frame frame = { .head = { .kind = CHAINSI_FRAME_ANSWER,
                                      .status = (uint8_t)error.status,
                                      .id = call.head.id,
                                      .body_size = body.size } };
    answer->size +=
        chainsi_frame_write(&frame, (char *)chainsi_buffer_reserve(answer, CHAINSI_FRAME_MAX_HEAD));
    chainsi_buffer_add(answer, body.data, body.size);
    chainsi_buffer_done(&body);
    return true;
}

static void on_finished(void *user)
{
    chainsi_refuser *refuser = user;
    chainsi_front_free(refuser->front);
    free(refuser->message);
    free(refuser);
}

chainsi_refuser *chainsi_refuser_new(uv_loop_t *loop, int fd, const char *message)
{
    chainsi_refuser *refuser = chainsi_make(sizeof *refuser);
    refuser->front = chainsi_front_new(loop, &(chainsi_front_options){
                                                 .max_body = max_body,
                                                 .on_request = on_request,
                                                 .on_frames = on_frames,
                                                 .on_finished = on_finished,
                                                 .user = refuser,
                                             });
    refuser->listener = chainsi_front_listen_unix(refuser->front, fd);
    if (!refuser->listener) {
        chainsi_front_free(refuser->front);
        free(refuser);
        return NULL;
    }
    refuser->message = chainsi_copy_text(message);
    return refuser;
}

void chainsi_refuser_free(chainsi_refuser *refuser)
{
    if (!refuser)
        return;
    chainsi_front_close_listener(refuser->listener);
    chainsi_front_stop(refuser->front);
    chainsi_front_finish(refuser->front);
}
