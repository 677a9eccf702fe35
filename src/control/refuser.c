/* The stand-in for a failed Chainlet: a front of its own on the Chainlet's socket. */
#include "control/refuser.h"

#include <stdlib.h>

#include "control/exchange.h"
#include "control/handle.h"

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
