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

void chainsi_connection_open(chainsi_connection *connection, int fd, chainsi_tls_session *session,
                             enum chainsi_protocol protocol)
{
    connection->fd = fd;
    connection->session = session;
    connection->shaking = session != NULL;
    connection->protocol = protocol;
    connection->registered = connection->drained = connection->continued = false;
    connection->direct = connection->keeps = connection->recallable = false;
    connection->answered = connection->wants = false;
    atomic_store_explicit(&connection->leased_until_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&connection->ended, false, memory_order_relaxed);
    connection->attachments = NULL;
    connection->bundle = NULL;
    connection->timed = false;
    atomic_store_explicit(&connection->under_way, 0, memory_order_relaxed);
    connection->phase = CHAINSI_READING_HEAD;
    connection->data = NULL;
    connection->capacity = connection->start = connection->size = 0;
    connection->lingered = 0;
    connection->received_ns = chainsi_now_ns();
    connection->scan = (chainsi_http_scan){ 0 };
    atomic_store_explicit(&connection->deadline_ns, CHAINSI_NEVER, memory_order_relaxed);
    atomic_store_explicit(&connection->idle_since_ns, CHAINSI_NEVER, memory_order_relaxed);
}

void chainsi_connection_close(chainsi_connection *connection)
{
    free(connection->data);
    connection->data = NULL;
    if (connection->attachments) {
        for (int i = 0; i < connection->attachments->count; i++)
            close(connection->attachments->fds[i]);
        free(connection->attachments);
        connection->attachments = NULL;
    }
    chainsi_channel channel = chainsi_connection_channel(connection);
    chainsi_channel_close(&channel);
    connection->fd = -1;
    connection->session = NULL;
    connection->shaking = false;
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
    static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct iovec part = { text, sizeof text - 1 };
    const chainsi_channel channel = chainsi_connection_channel(connection);
    short wait_for;
    connection->continued = true;
    /* If it doesn't fit, the caller sends its body all the same after a while. */
    (void)!chainsi_channel_write(&channel, &part, 1, &wait_for);
}

static chainsi_read_end refuse(chainsi_reading *reading, int status, const char *reason)
{
    reading->refusal.status = status;
    reading->refusal.reason = reason;
    return CHAINSI_READ_REFUSED;
}

/* After a complete head: what is to be read behind it. */
static chainsi_read_end begin_body(chainsi_connection *connection, size_t max_body,
                                   chainsi_reading *reading)
{
    const chainsi_http_head *head = &reading->request->head;
    int64_t length = head->content_length;
    connection->body_size = 0;
    if (head->chunked) {
        connection->chunked = (chainsi_http_chunked){ .max_body = max_body };
        connection->phase = CHAINSI_READING_CHUNKS;
    } else {
        if (length > 0 && (uint64_t)length > max_body)
            return refuse(reading, 413, "the body is too large");
        connection->length = length > 0 ? (size_t)length : 0;
        connection->phase = CHAINSI_READING_LENGTH;
    }
    return CHAINSI_READ_INCOMPLETE;
}

/* Uses what is there of a request in HTTP, of which the last `fresh` bytes are new. */
static chainsi_read_end take_in_request(chainsi_connection *connection, size_t fresh,
                                        size_t max_body, bool *parsed, chainsi_reading *reading)
{
    char *data = connection->data + connection->start;
    if (connection->phase == CHAINSI_READING_HEAD) {
        ptrdiff_t head = chainsi_http_parse_request(data, connection->size, &connection->scan,
                                                    reading->request, &reading->refusal);
        if (head < 0)
            return CHAINSI_READ_REFUSED;
        if (head == CHAINSI_HTTP_MORE)
            return CHAINSI_READ_INCOMPLETE;
        *parsed = true;
        connection->head_size = (size_t)head;
        if (begin_body(connection, max_body, reading) == CHAINSI_READ_REFUSED)
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
            &connection->chunked, data + at, fresh, &decoded, &consumed, &reading->refusal);
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

/* Uses what is there of a frame. What no peer of ours sends ends the connection. */
static chainsi_read_end take_in_frame(chainsi_connection *connection, size_t max_body, bool *parsed,
                                      chainsi_reading *reading)
{
    if (connection->phase == CHAINSI_READING_HEAD) {
        const char *why;
        ptrdiff_t head = chainsi_frame_parse(connection->data + connection->start, connection->size,
                                             max_body, reading->frame, &why);
        if (head == CHAINSI_FRAME_REFUSED)
            return CHAINSI_READ_CLOSED;
        if (head == CHAINSI_FRAME_MORE)
            return CHAINSI_READ_INCOMPLETE;
        int attached = connection->attachments ? connection->attachments->count : 0;
        if (reading->frame->head.attachments > attached)
            return CHAINSI_READ_CLOSED;
        *parsed = true;
        connection->head_size = (size_t)head;
        connection->length = (size_t)reading->frame->head.body_size;
        connection->phase = CHAINSI_READING_LENGTH;
    }
    size_t whole = connection->head_size + connection->length;
    if (connection->size < whole)
        return CHAINSI_READ_INCOMPLETE;
    connection->body_size = connection->length;
    connection->end = whole;
    connection->phase = CHAINSI_READ_WHOLE;
    return CHAINSI_READ_FRAME;
}

bool chainsi_connection_has_frame(chainsi_connection *connection, chainsi_frame_kind kind,
                                  size_t max_body, chainsi_frame *frame)
{
    chainsi_reading reading = { .frame = frame };
    bool parsed;
    return connection->size && connection->phase == CHAINSI_READING_HEAD &&
           (uint8_t)connection->data[connection->start] == kind &&
           take_in_frame(connection, max_body, &parsed, &reading) == CHAINSI_READ_FRAME;
}

/* Finds out from its first bytes what the connection speaks. False: more are needed. */
static bool decide_protocol(chainsi_connection *connection)
{
    const char *data = connection->data + connection->start;
    if (data[0] != CHAINSI_FRAME_PREFACE[0]) {
        connection->protocol = CHAINSI_HTTP;
        return true;
    }
    if (connection->size < CHAINSI_FRAME_PREFACE_SIZE)
        return false;
    if (memcmp(data, CHAINSI_FRAME_PREFACE, CHAINSI_FRAME_PREFACE_SIZE) != 0) {
        connection->protocol = CHAINSI_HTTP; /* which will refuse it */
        return true;
    }
    connection->protocol = CHAINSI_FRAMES;
    connection->start += CHAINSI_FRAME_PREFACE_SIZE;
    connection->size -= CHAINSI_FRAME_PREFACE_SIZE;
    return true;
}

/* Uses the `fresh` bytes at the end of those that are there. */
static chainsi_read_end take_in(chainsi_connection *connection, size_t fresh, size_t max_body,
                                bool *parsed, chainsi_reading *reading)
{
    if (connection->protocol == CHAINSI_UNDECIDED && !decide_protocol(connection))
        return CHAINSI_READ_INCOMPLETE;
    return connection->protocol == CHAINSI_FRAMES
               ? take_in_frame(connection, max_body, parsed, reading)
               : take_in_request(connection, fresh, max_body, parsed, reading);
}

void chainsi_connection_parse(chainsi_connection *connection, chainsi_reading *reading)
{
    char *data = connection->data + connection->start;
    if (connection->protocol == CHAINSI_FRAMES) {
        const char *why;
        chainsi_frame_parse(data, connection->head_size, UINT64_MAX, reading->frame, &why);
        return;
    }
    chainsi_http_scan scan = { 0 };
    chainsi_http_parse_request(data, connection->head_size, &scan, reading->request,
                               &reading->refusal);
}

/* Notes the descriptors that came with a message. False: there are too many. */
static bool take_in_attachments(chainsi_connection *connection, struct msghdr *message)
{
    bool good = !(message->msg_flags & MSG_CTRUNC);
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (!connection->attachments)
            connection->attachments = calloc(1, sizeof *connection->attachments);
        chainsi_descriptors *kept = connection->attachments;
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
            if (kept && kept->count < CHAINSI_FRAME_MAX_ATTACHMENTS) {
                kept->fds[kept->count++] = fd;
            } else {
                close(fd);
                good = false;
            }
        }
    }
    return good;
}

void chainsi_connection_take_attachments(chainsi_connection *connection, int *fds, int count)
{
    chainsi_descriptors *kept = connection->attachments;
    if (!count)
        return;
    memcpy(fds, kept->fds, (size_t)count * sizeof *fds);
    kept->count -= count;
    memmove(kept->fds, kept->fds + count, (size_t)kept->count * sizeof *fds);
}

/* Whether a read has left nothing in the socket: it got less than it had room for, and the end, which
 * epoll may have told of together with the bytes, is yet to come. */
static bool is_drained(const chainsi_connection *connection, ssize_t got, size_t room)
{
    return got < (ssize_t)room && !atomic_load(&connection->ended);
}

/* As recv(), through the session. */
static ssize_t receive_by_session(chainsi_connection *connection, char *at, size_t room)
{
    const chainsi_tls_engine *engine = chainsi_tls_get_engine();
    short wait_for = 0;
    ssize_t got = engine->read(connection->session, at, room, &wait_for);
    if (got < 0 &&
        wait_for) /* it only ever waits to read: new keys are no cause to write at once */
        errno = wait_for == POLLIN ? EAGAIN : EPROTO;
    connection->drained =
        engine->is_drained(connection->session) && !atomic_load(&connection->ended);
    return got;
}

/* Goes on with the handshake: REQUEST, it is done. */
static chainsi_read_end shake_hands(chainsi_connection *connection)
{
    char why[256];
    int wait_for = chainsi_tls_get_engine()->handshake(connection->session, why, sizeof why);
    connection->shaking = wait_for != 0;
    if (!wait_for)
        return CHAINSI_READ_REQUEST;
    if (wait_for == POLLIN)
        return CHAINSI_READ_INCOMPLETE;
    return wait_for < 0 && errno == EPROTONOSUPPORT ? CHAINSI_READ_PLAIN : CHAINSI_READ_STRANGER;
}

/* Receives into the room behind the bytes that are there. As recv(). Frames may have descriptors
 * beside them; whoever speaks HTTP has theirs closed by the kernel. */
static ssize_t receive(chainsi_connection *connection, size_t room)
{
    char *at = connection->data + connection->start + connection->size;
    ssize_t got;
    if (connection->session)
        return receive_by_session(connection, at, room);
    if (connection->protocol <= CHAINSI_HTTP && connection->protocol != CHAINSI_UNDECIDED) {
        got = recv(connection->fd, at, room, MSG_DONTWAIT);
        connection->drained = is_drained(connection, got, room);
        return got;
    }
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(CHAINSI_FRAME_MAX_ATTACHMENTS * sizeof(int))];
    struct iovec part = { at, room };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    got = recvmsg(connection->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    /* What has descriptors beside it ends a read early. */
    connection->drained =
        is_drained(connection, got, room) && (got <= 0 || !message.msg_controllen);
    if (got >= 0 && message.msg_controllen && !take_in_attachments(connection, &message)) {
        errno = EPROTO;
        return -1;
    }
    return got;
}

chainsi_read_end chainsi_connection_read(chainsi_connection *connection, size_t max_body,
                                         chainsi_spare *spare, chainsi_reading *reading)
{
    if (connection->shaking) {
        chainsi_read_end end = shake_hands(connection);
        if (end != CHAINSI_READ_REQUEST)
            return end;
    }
    /* Bytes behind the last request. */
    size_t fresh = connection->phase == CHAINSI_READING_HEAD && !connection->scan.scanned
                       ? connection->size
                       : 0;
    bool parsed = false, may_have_more = true, received = false;
    for (;;) {
        if (fresh) {
            chainsi_read_end end = take_in(connection, fresh, max_body, &parsed, reading);
            if (end == CHAINSI_READ_REQUEST || end == CHAINSI_READ_FRAME) {
                if (!parsed)
                    chainsi_connection_parse(connection, reading);
                if (received) /* else it came with the one before */
                    connection->received_ns = chainsi_now_ns();
                return end;
            }
            if (end != CHAINSI_READ_INCOMPLETE)
                return end;
            if (parsed && connection->protocol != CHAINSI_FRAMES &&
                reading->request->expect_continue && !connection->continued &&
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
        ssize_t got = receive(connection, room);
        if (got < 0 && errno == EINTR) {
            fresh = 0;
            continue;
        }
        if (got < 0 && errno == EAGAIN)
            return CHAINSI_READ_INCOMPLETE;
        if (got <= 0)
            return CHAINSI_READ_CLOSED;
        received = true;
        fresh = (size_t)got;
        connection->size += fresh;
        may_have_more = !connection->drained;
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

void chainsi_connection_skip(chainsi_connection *connection, int attachments)
{
    int fds[CHAINSI_FRAME_MAX_ATTACHMENTS];
    chainsi_connection_take_attachments(connection, fds, attachments);
    for (int i = 0; i < attachments; i++)
        close(fds[i]);
    char replaced;
    chainsi_connection_body(connection, &replaced);
    chainsi_connection_next(connection, replaced);
}

/* Drops what was sent from the parts of a message. */
static void advance(struct msghdr *message, size_t sent)
{
    while (message->msg_iovlen && sent >= message->msg_iov->iov_len) {
        sent -= message->msg_iov->iov_len;
        message->msg_iov++;
        message->msg_iovlen--;
    }
    if (message->msg_iovlen) {
        message->msg_iov->iov_base = (char *)message->msg_iov->iov_base + sent;
        message->msg_iov->iov_len -= sent;
    }
}

bool chainsi_connection_send(chainsi_connection *connection, const chainsi_buffer *head,
                             const void *body, size_t body_size, const int *fds, int fd_count,
                             int64_t timeout_ms)
{
    struct iovec parts[2] = { { head->data, head->size }, { (void *)(uintptr_t)body, body_size } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = body_size ? 2 : 1 };
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(CHAINSI_FRAME_MAX_ATTACHMENTS * sizeof(int))];
    if (fd_count) {
        size_t bytes = (size_t)fd_count * sizeof *fds;
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(bytes);
        memset(control, 0, sizeof control);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(bytes);
        memcpy(CMSG_DATA(rights), fds, bytes);
    }
    int64_t deadline_ns = 0;
    while (message.msg_iovlen) {
        /* send() where it will do: it is cheaper by a fiftieth of a call. */
        short wait_for = POLLOUT;
        const chainsi_channel channel = chainsi_connection_channel(connection);
        ssize_t sent = connection->session ? chainsi_channel_write(&channel, message.msg_iov,
                                                                   message.msg_iovlen, &wait_for)
                       : message.msg_iovlen == 1 && !message.msg_control
                           ? send(connection->fd, message.msg_iov->iov_base,
                                  message.msg_iov->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT)
                           : sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            const bool full = connection->session ? wait_for : errno == EAGAIN;
            if (!connection->session && errno == EINTR)
                continue;
            if (!deadline_ns)
                deadline_ns = chainsi_now_ns() + timeout_ms * CHAINSI_NS_PER_MS;
            if (!full || chainsi_wait_for(connection->fd, wait_for, NULL, deadline_ns, NULL) !=
                             CHAINSI_WAIT_READY)
                return false;
            continue;
        }
        message.msg_control = NULL;
        message.msg_controllen = 0;
        advance(&message, (size_t)sent);
    }
    return true;
}
