/* Reading of requests. A buffer belongs to a connection while it holds bytes of it, and goes back to
 * the thread's spare when it is empty: an idle connection is one small struct. */
#include "rpc/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "rpc/address.h"

enum {
    FIRST_CAPACITY = 16 * 1024,
    FULL_AT_ONCE = 1024 * 1024, /* a body's room up to this is made before its bytes are there */
    MOST_AHEAD = 64 * 1024,     /* bytes read without knowing what they are */
    LEAST_ROOM = 2 * 1024,
};

void chainsi_connection_open(chainsi_connection *connection, int fd)
{
    connection->fd = fd;
    connection->registered = false;
    connection->continued = false;
    connection->phase = CHAINSI_READING_HEAD;
    connection->data = NULL;
    connection->capacity = connection->start = connection->size = 0;
    connection->lingered = 0;
    connection->scan = (chainsi_http_scan){ 0 };
    atomic_store_explicit(&connection->deadline_ns, CHAINSI_NEVER, memory_order_relaxed);
    atomic_store_explicit(&connection->idle_since_ns, CHAINSI_NEVER, memory_order_relaxed);
}

void chainsi_connection_close(chainsi_connection *connection)
{
    free(connection->data);
    connection->data = NULL;
    close(connection->fd);
    connection->fd = -1;
}

static void resize(chainsi_connection *connection, size_t capacity)
{
    char *data = realloc(connection->data, capacity);
    if (!data) {
        fprintf(stderr, "chains: out of memory: no %zu bytes\n", capacity);
        abort();
    }
    connection->data = data;
    connection->capacity = capacity;
}

/* Room behind the bytes that are there, one byte less than there is: the body's NUL needs it. */
static size_t make_room(chainsi_connection *connection, chainsi_spare *spare)
{
    if (!connection->data) {
        if (spare->data) {
            connection->data = spare->data;
            connection->capacity = spare->capacity;
            spare->data = NULL;
        } else {
            resize(connection, FIRST_CAPACITY);
        }
    }
    size_t whole = 0; /* bytes of the request with its NUL, where that is known */
    if (connection->phase == CHAINSI_READING_LENGTH)
        whole = connection->head_size + connection->length + 1;
    size_t need = whole ? whole : connection->size + LEAST_ROOM;
    if (connection->start && connection->start + need > connection->capacity) {
        memmove(connection->data, connection->data + connection->start, connection->size);
        connection->start = 0;
    }
    /* What is only announced gets room as it comes in. */
    bool is_full = connection->start + connection->size + LEAST_ROOM > connection->capacity;
    if (connection->start + need > connection->capacity &&
        (is_full || connection->capacity < FULL_AT_ONCE)) {
        size_t capacity = connection->capacity * 2;
        if (whole) {
            if (capacity < FULL_AT_ONCE)
                capacity = FULL_AT_ONCE;
            if (capacity > whole)
                capacity = whole;
        }
        resize(connection, capacity);
    }
    size_t room = connection->capacity - connection->start - connection->size - 1;
    size_t most = whole ? whole - 1 - connection->size : MOST_AHEAD;
    return room < most ? room : most;
}

static void send_continue(chainsi_connection *connection)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    connection->continued = true;
    /* If it doesn't fit, the caller sends its body all the same after a while. */
    (void)!send(connection->fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static chainsi_read_end refuse(chainsi_http_refusal *refusal, int status, const char *reason)
{
    refusal->status = status;
    refusal->reason = reason;
    return CHAINSI_READ_REFUSED;
}

/* After a complete head: what is to be read behind it. */
static chainsi_read_end begin_body(chainsi_connection *connection, size_t max_body,
                                   const chainsi_http_request *request,
                                   chainsi_http_refusal *refusal)
{
    int64_t length = request->head.content_length;
    connection->body_size = 0;
    if (request->head.chunked) {
        connection->chunked = (chainsi_http_chunked){ .max_body = max_body };
        connection->phase = CHAINSI_READING_CHUNKS;
    } else {
        if (length > 0 && (uint64_t)length > max_body)
            return refuse(refusal, 413, "the body is too large");
        connection->length = length > 0 ? (size_t)length : 0;
        connection->phase = CHAINSI_READING_LENGTH;
    }
    return CHAINSI_READ_INCOMPLETE;
}

/* Uses the `fresh` bytes at the end of those that are there. */
static chainsi_read_end take_in(chainsi_connection *connection, size_t fresh, size_t max_body,
                                chainsi_http_request *request, bool *parsed,
                                chainsi_http_refusal *refusal)
{
    char *data = connection->data + connection->start;
    if (connection->phase == CHAINSI_READING_HEAD) {
        ptrdiff_t head =
            chainsi_http_parse_request(data, connection->size, &connection->scan, request, refusal);
        if (head < 0)
            return CHAINSI_READ_REFUSED;
        if (head == CHAINSI_HTTP_MORE)
            return CHAINSI_READ_INCOMPLETE;
        *parsed = true;
        connection->head_size = (size_t)head;
        if (begin_body(connection, max_body, request, refusal) == CHAINSI_READ_REFUSED)
            return CHAINSI_READ_REFUSED;
        fresh = connection->size - connection->head_size;
    }
    if (connection->phase == CHAINSI_READING_LENGTH) {
        size_t whole = connection->head_size + connection->length;
        if (connection->size < whole)
            return CHAINSI_READ_INCOMPLETE;
        connection->body_size = connection->length;
        connection->end = whole;
    } else {
        size_t decoded, consumed, at = connection->size - fresh;
        chainsi_http_progress progress = chainsi_http_decode_chunked(
            &connection->chunked, data + at, fresh, &decoded, &consumed, refusal);
        if (progress == CHAINSI_HTTP_BODY_REFUSED)
            return CHAINSI_READ_REFUSED;
        connection->body_size += decoded;
        if (progress == CHAINSI_HTTP_BODY_MORE) {
            connection->size = at + decoded;
            return CHAINSI_READ_INCOMPLETE;
        }
        connection->end = at + consumed;
    }
    connection->phase = CHAINSI_READ_WHOLE;
    return CHAINSI_READ_REQUEST;
}

void chainsi_connection_parse(chainsi_connection *connection, chainsi_http_request *request)
{
    chainsi_http_scan scan = { 0 };
    chainsi_http_refusal refusal;
    chainsi_http_parse_request(connection->data + connection->start, connection->head_size, &scan,
                               request, &refusal);
}

chainsi_read_end chainsi_connection_read(chainsi_connection *connection, size_t max_body,
                                         chainsi_spare *spare, chainsi_http_request *request,
                                         chainsi_http_refusal *refusal)
{
    /* Bytes behind the last request. */
    size_t fresh = connection->phase == CHAINSI_READING_HEAD && !connection->scan.scanned
                       ? connection->size
                       : 0;
    bool parsed = false, may_have_more = true;
    for (;;) {
        if (fresh) {
            chainsi_read_end end = take_in(connection, fresh, max_body, request, &parsed, refusal);
            if (end == CHAINSI_READ_REQUEST) {
                if (!parsed)
                    chainsi_connection_parse(connection, request);
                connection->received_ns = chainsi_now_ns();
                return end;
            }
            if (end == CHAINSI_READ_REFUSED)
                return end;
            if (parsed && request->expect_continue && !connection->continued &&
                connection->size == connection->head_size)
                send_continue(connection);
        }
        if (!may_have_more)
            return CHAINSI_READ_INCOMPLETE;
        char *before = connection->data;
        size_t start = connection->start;
        size_t room = make_room(connection, spare);
        if (connection->data != before || connection->start != start)
            parsed = false; /* its slices are stale */
        ssize_t got = recv(connection->fd, connection->data + connection->start + connection->size,
                           room, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) {
            fresh = 0;
            continue;
        }
        if (got < 0 && errno == EAGAIN)
            return CHAINSI_READ_INCOMPLETE;
        if (got <= 0)
            return CHAINSI_READ_CLOSED;
        fresh = (size_t)got;
        connection->size += fresh;
        /* A short read has emptied the socket; if not, epoll says so. */
        may_have_more = fresh == room;
    }
}

char *chainsi_connection_body(chainsi_connection *connection, char *replaced)
{
    char *body = connection->data + connection->start + connection->head_size;
    *replaced = body[connection->body_size];
    body[connection->body_size] = 0;
    return body;
}

bool chainsi_connection_next(chainsi_connection *connection, char replaced)
{
    connection->data[connection->start + connection->head_size + connection->body_size] = replaced;
    connection->start += connection->end;
    connection->size -= connection->end;
    connection->phase = CHAINSI_READING_HEAD;
    connection->scan = (chainsi_http_scan){ 0 };
    connection->continued = false;
    return connection->size > 0;
}

void chainsi_connection_rest(chainsi_connection *connection, chainsi_spare *spare)
{
    if (connection->size || !connection->data)
        return;
    if (!spare->data && connection->capacity <= FULL_AT_ONCE + MOST_AHEAD) {
        spare->data = connection->data;
        spare->capacity = connection->capacity;
    } else {
        free(connection->data);
    }
    connection->data = NULL;
    connection->capacity = connection->start = 0;
}

chainsi_read_end chainsi_connection_drop(chainsi_connection *connection)
{
    char dropped[4096];
    while (connection->lingered < CHAINSI_LINGER_BYTES) {
        ssize_t got = recv(connection->fd, dropped, sizeof dropped, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN)
            return CHAINSI_READ_INCOMPLETE;
        if (got <= 0)
            return CHAINSI_READ_CLOSED;
        connection->lingered += (size_t)got;
    }
    return CHAINSI_READ_CLOSED;
}

bool chainsi_connection_send(chainsi_connection *connection, const chainsi_buffer *head,
                             const void *body, size_t body_size, int64_t deadline_ns)
{
    struct iovec parts[2] = { { head->data, head->size }, { (void *)(uintptr_t)body, body_size } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = body_size ? 2 : 1 };
    while (message.msg_iovlen) {
        ssize_t sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN || chainsi_wait_for(connection->fd, POLLOUT, NULL, deadline_ns,
                                                    NULL) != CHAINSI_WAIT_READY)
                return false;
            continue;
        }
        size_t left = (size_t)sent;
        while (message.msg_iovlen && left >= message.msg_iov->iov_len) {
            left -= message.msg_iov->iov_len;
            message.msg_iov++;
            message.msg_iovlen--;
        }
        if (message.msg_iovlen) {
            message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + left;
            message.msg_iov->iov_len -= left;
        }
    }
    return true;
}
