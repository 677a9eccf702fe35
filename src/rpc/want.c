/* CONNECTING --> (SHAKING HANDS, by https) --> ASKING --> WAITING --> an end. A connection that had been kept may have been closed
 * meanwhile: then a fresh one takes its place. */
#include "rpc/want.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_ANSWER = 2048 }; /* bytes of a head; a replica's own is a tenth */

struct chainsi_want {
    chainsi_client *client; /* not owned */
    chainsi_channel on;     /* owned; none: taken */
    bool kept;              /* it had been used before */
    bool open;              /* connected, hands shaken */
    short events;           /* to watch it for */
    char *request;          /* owned */
    size_t request_size, sent;
    size_t size; /* of the answer, so far */
    int interim; /* answers that were dropped */
    chainsi_http_scan scan;
    char answer[MOST_ANSWER];
};

static bool begin_afresh(chainsi_want *want)
{
    chainsi_channel_close(&want->on);
    want->on.fd = chainsi_address_begin_connect(chainsi_client_address(want->client));
    want->kept = want->open = false;
    want->events = POLLOUT;
    want->sent = want->size = 0;
    want->scan = (chainsi_http_scan){ 0 };
    return want->on.fd >= 0;
}

/* Goes on with connecting. False: the connection is of no use. */
static bool connect_on(chainsi_want *want)
{
    char why[256];
    int error = 0;
    socklen_t size = sizeof error;
    struct pollfd watched = { .fd = want->on.fd, .events = POLLOUT };
    if (want->open || poll(&watched, 1, 0) <= 0)
        return true;
    if (getsockopt(want->on.fd, SOL_SOCKET, SO_ERROR, &error, &size) || error) {
        errno = error ? error : errno;
        return false;
    }
    if (!chainsi_client_open_session(want->client, &want->on, why, sizeof why))
        return false;
    int wait_for = want->on.session
                       ? chainsi_tls_get_engine()->handshake(want->on.session, why, sizeof why)
                       : 0;
    want->open = !wait_for;
    want->events = (short)wait_for;
    return wait_for >= 0;
}

/* Sends what can be sent. False: the connection is of no use. */
static bool ask(chainsi_want *want)
{
    if (!connect_on(want))
        return false;
    if (!want->open)
        return true;
    while (want->sent < want->request_size) {
        struct iovec rest = { want->request + want->sent, want->request_size - want->sent };
        ssize_t sent = chainsi_channel_write(&want->on, &rest, 1, &want->events);
        if (sent < 0)
            return want->events;
        want->sent += (size_t)sent;
    }
    want->events = POLLIN;
    return true;
}

chainsi_want *chainsi_want_new(chainsi_client *client)
{
    const chainsi_address *address = chainsi_client_address(client);
    chainsi_want *want = calloc(1, sizeof *want);
    int size = want ? asprintf(&want->request,
                               "POST %s" CHAINSI_GRANTS_PATH " HTTP/1.1\r\nHost: %s\r\n"
                               "Content-Length: 0\r\n\r\n",
                               address->path, address->authority)
                    : -1;
    if (size < 0)
        abort();
    want->client = client;
    want->request_size = (size_t)size;
    want->on = chainsi_client_take_idle(client);
    want->kept = want->open = want->on.fd >= 0;
    if ((want->kept && ask(want)) || (begin_afresh(want) && ask(want)))
        return want;
    int error = errno;
    chainsi_want_free(want);
    errno = error;
    return NULL;
}

void chainsi_want_free(chainsi_want *want)
{
    if (!want)
        return;
    chainsi_channel_close(&want->on);
    free(want->request);
    free(want);
}

int chainsi_want_fd(const chainsi_want *want)
{
    return want->on.fd;
}

bool chainsi_want_is_open(const chainsi_want *want)
{
    return want->open;
}

short chainsi_want_events(const chainsi_want *want)
{
    return want->events;
}

/* What an answer means. */
static chainsi_want_end judge(const chainsi_want *want, const chainsi_http_response *answer,
                              size_t head_size, chainsi_grants_slots *slots)
{
    const bool knows = chainsi_grants_read(&answer->head, slots);
    if (answer->status == 429)
        return CHAINSI_WANT_FULL;
    if (answer->status == 503)
        return CHAINSI_WANT_LOST;
    if (answer->status != 200 || !knows)
        return CHAINSI_WANT_PLAIN;
    return answer->head.keep_alive && answer->head.content_length == 0 && want->size == head_size
               ? CHAINSI_WANT_GRANTED
               : CHAINSI_WANT_LOST;
}

/* What the bytes that are there mean. Interim answers are dropped. */
static chainsi_want_end read_head(chainsi_want *want, chainsi_grants_slots *slots)
{
    for (;;) {
        chainsi_http_response answer;
        chainsi_http_refusal refusal;
        ptrdiff_t head =
            chainsi_http_parse_response(want->answer, want->size, &want->scan, &answer, &refusal);
        if (head < 0)
            return CHAINSI_WANT_LOST;
        if (head == CHAINSI_HTTP_MORE)
            return CHAINSI_WANT_WAITS;
        if (answer.status >= 200)
            return judge(want, &answer, (size_t)head, slots);
        if (answer.status == 101 || ++want->interim > CHAINSI_MAX_INTERIM)
            return CHAINSI_WANT_LOST;
        want->size -= (size_t)head;
        memmove(want->answer, want->answer + head, want->size);
        want->scan = (chainsi_http_scan){ 0 };
    }
}

static chainsi_want_end lose(chainsi_want *want)
{
    /* Nothing but a want was on it, so nothing is lost. */
    return want->kept && begin_afresh(want) && ask(want) ? CHAINSI_WANT_WAITS : CHAINSI_WANT_LOST;
}

chainsi_want_end chainsi_want_look(chainsi_want *want, chainsi_grants_slots *slots)
{
    *slots = (chainsi_grants_slots){ 0 };
    if (!ask(want))
        return lose(want);
    if (!want->open || want->sent < want->request_size)
        return CHAINSI_WANT_WAITS;
    while (want->size < sizeof want->answer) {
        ssize_t got = chainsi_channel_read(&want->on, want->answer + want->size,
                                           sizeof want->answer - want->size, &want->events);
        if (got < 0 && want->events)
            return CHAINSI_WANT_WAITS;
        if (got <= 0)
            return want->size || want->interim ? CHAINSI_WANT_LOST : lose(want);
        want->size += (size_t)got;
        chainsi_want_end end = read_head(want, slots);
        if (end != CHAINSI_WANT_WAITS)
            return end;
    }
    return CHAINSI_WANT_LOST;
}

chainsi_channel chainsi_want_take(chainsi_want *want)
{
    chainsi_channel on = want->on;
    fcntl(on.fd, F_SETFL, 0); /* blocking from here on */
    want->on = CHAINSI_NO_CHANNEL;
    chainsi_want_free(want);
    return on;
}
