/* curl's multi interface: libcurl says which sockets and which time it waits for, libuv waits, and
 * libcurl is told what happened.
 *
 * libuv wants a descriptor to stay open for as long as it is watched. libcurl says so before it
 * closes one, but for those that are still connecting when their transfer is stopped: their watch is
 * ended before. */
#include "control/transfers.h"

#include <assert.h>
#include <stdlib.h>

#include "control/handle.h"

/* A socket that is watched. */
typedef struct watch {
    uv_poll_t poll; /* its data: the transfers */
    CURL *easy;
    curl_socket_t socket;
    struct watch *next;
} watch;

struct chainsi_transfers {
    uv_loop_t *loop;   /* not owned */
    CURLM *multi;      /* owned; NULL before the first transfer: see cluster/curl_late.c */
    uv_timer_t *timer; /* owned */
    watch *watches;    /* owned */
};

static void tell_ended(chainsi_transfers *transfers)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(transfers->multi, &left));) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        CURL *easy = message->easy_handle;
        chainsi_transfer *transfer = NULL;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
        curl_multi_remove_handle(transfers->multi, easy); /* the message is gone with it */
        transfer->on_done(transfer, code);
    }
}

static void act(chainsi_transfers *transfers, curl_socket_t socket, int events)
{
    int running;
    curl_multi_socket_action(transfers->multi, socket, events, &running);
    tell_ended(transfers);
}

static void on_time(uv_timer_t *timer)
{
    if (timer->data)
        act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long timeout_ms, void *user)
{
    (void)multi;
    chainsi_transfers *transfers = user;
    if (timeout_ms < 0)
        uv_timer_stop(transfers->timer);
    else
        uv_timer_start(transfers->timer, on_time, (uint64_t)timeout_ms, 0);
    return 0;
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    watch *it = (watch *)poll;
    if (!poll->data)
        return;
    act(poll->data, it->socket,
        status < 0 ? CURL_CSELECT_ERR
                   : (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                         (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0));
}

static void end_watch(chainsi_transfers *transfers, watch *ended)
{
    for (watch **at = &transfers->watches; *at; at = &(*at)->next)
        if (*at == ended) {
            *at = ended->next;
            curl_multi_assign(transfers->multi, ended->socket, NULL);
            chainsi_handle_close(ended);
            return;
        }
}

/* NULL: it can't be watched. */
static watch *begin_watch(chainsi_transfers *transfers, curl_socket_t socket)
{
    watch *it = chainsi_make(sizeof *it);
    if (uv_poll_init_socket(transfers->loop, &it->poll, socket) != 0) {
        free(it);
        return NULL;
    }
    it->poll.data = transfers;
    it->socket = socket;
    it->next = transfers->watches;
    transfers->watches = it;
    curl_multi_assign(transfers->multi, socket, it);
    return it;
}

static int watch_socket(CURL *easy, curl_socket_t socket, int what, void *user, void *watched)
{
    chainsi_transfers *transfers = user;
    watch *it = watched;
    if (what == CURL_POLL_REMOVE) {
        end_watch(transfers, it);
        return 0;
    }
    if (!it && !(it = begin_watch(transfers, socket)))
        return -1;
    it->easy = easy;
    uv_poll_start(&it->poll,
                  (what != CURL_POLL_OUT ? UV_READABLE : 0) |
                      (what != CURL_POLL_IN ? UV_WRITABLE : 0),
                  on_socket);
    return 0;
}

chainsi_transfers *chainsi_transfers_new(uv_loop_t *loop)
{
    chainsi_transfers *transfers = chainsi_make(sizeof *transfers);
    transfers->loop = loop;
    transfers->timer = chainsi_timer_new(loop, transfers);
    return transfers;
}

static void make_multi(chainsi_transfers *transfers)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
        !(transfers->multi = curl_multi_init()))
        abort(); /* out of memory */
    curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETDATA, transfers);
    curl_multi_setopt(transfers->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(transfers->multi, CURLMOPT_TIMERDATA, transfers);
}

void chainsi_transfers_free(chainsi_transfers *transfers)
{
    if (!transfers)
        return;
    if (transfers->multi) {
        curl_multi_cleanup(transfers->multi);
        curl_global_cleanup();
    }
    chainsi_handle_close(transfers->timer);
    free(transfers);
}

void chainsi_transfers_start(chainsi_transfers *transfers, chainsi_transfer *transfer)
{
    if (!transfers->multi)
        make_multi(transfers);
    curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
    CURLMcode code = curl_multi_add_handle(transfers->multi, transfer->easy);
    assert(code == CURLM_OK);
    (void)code;
}

void chainsi_transfers_stop(chainsi_transfers *transfers, chainsi_transfer *transfer)
{
    for (watch *it = transfers->watches, *next; it; it = next) {
        next = it->next;
        if (it->easy == transfer->easy)
            end_watch(transfers, it);
    }
    curl_multi_remove_handle(transfers->multi, transfer->easy);
}
