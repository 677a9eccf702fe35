/* One exchange: take a kept connection or make one, send, read, keep the connection if both sides
 * agree where the answer ended.
 *
 * What decides between NOT_STARTED and MAYBE_STARTED (a callee starts a call when it has read the
 * request's last byte):
 *  - on Unix sockets the kernel tells: EPIPE when the callee had closed before the send, ECONNRESET
 *    when it closed without reading everything that was sent, end of file when it had read
 *    everything. The first two before any byte of an answer mean NOT_STARTED.
 *  - on TCP nothing tells, so NOT_STARTED only while no byte of the request has left.
 *
 * Invariants: an idle connection has no byte of anybody's outstanding in either direction; a
 * connection that took part in anything but an ANSWERED exchange is closed. */
#include "rpc/client.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct chainsi_client {
    chainsi_address address;
    const chainsi_tls_engine *tls; /* of https; NULL otherwise */
    chainsi_tls_peer *peer;        /* owned; likewise */
    char *line_end;                /* owned: " HTTP/1.1\r\nHost: …\r\n" */
    size_t line_end_size, prefix_size;
    pthread_mutex_t lock;                   /* of what follows */
    int idle_count;                         /* the last one is the most recent */
    chainsi_channel idle[CHAINSI_MAX_IDLE]; /* owned */
};

/* ------------------------------------------------------------------------------------------------
 * connections */

/* Whether an idle connection can still be used, as far as can be told without sending. */
static bool is_usable(const chainsi_client *client, const chainsi_channel *it)
{
    /* A Unix socket tells by EPIPE, at no cost. */
    if (client->address.kind == CHAINSI_ADDRESS_UNIX)
        return true;
    char byte;
    if (!it->session)
        return recv(it->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
               (errno == EAGAIN || errno == EINTR);
    short wait_for;
    return chainsi_channel_read(it, &byte, 1, &wait_for) < 0 && wait_for == POLLIN;
}

static bool take_idle(chainsi_client *client, chainsi_channel *it)
{
    for (;;) {
        pthread_mutex_lock(&client->lock);
        bool found = client->idle_count > 0;
        if (found)
            *it = client->idle[--client->idle_count];
        pthread_mutex_unlock(&client->lock);
        if (!found)
            return false;
        if (is_usable(client, it))
            return true;
        chainsi_channel_close(it);
    }
}

chainsi_channel chainsi_client_take_idle(chainsi_client *client)
{
    chainsi_channel it;
    return take_idle(client, &it) ? it : CHAINSI_NO_CHANNEL;
}

bool chainsi_client_open_session(chainsi_client *client, chainsi_channel *channel, char *why,
                                 size_t why_size)
{
    if (!client->tls || channel->session)
        return true;
    channel->session = client->tls->open(channel->fd, client->peer, why, why_size);
    return channel->session != NULL;
}

static void keep_idle(chainsi_client *client, chainsi_channel *it)
{
    pthread_mutex_lock(&client->lock);
    if (client->idle_count < CHAINSI_MAX_IDLE) {
        client->idle[client->idle_count++] = *it;
        *it = CHAINSI_NO_CHANNEL;
    }
    pthread_mutex_unlock(&client->lock);
    chainsi_channel_close(it);
}

static chainsi_exchange_end end_of_wait(chainsi_wait_end end)
{
    return end == CHAINSI_WAIT_DEADLINE ? CHAINSI_EXCHANGE_DEADLINE : CHAINSI_EXCHANGE_INTERRUPTED;
}

/* A fresh connection, handshake done: ANSWERED means that it is there. */
static chainsi_exchange_end make_connection(chainsi_client *client,
                                            const chainsi_client_request *request,
                                            chainsi_channel *it, int *error, char *why,
                                            size_t why_size)
{
    int64_t until_ns = request->deadline_ns;
    if (request->connect_timeout_ms) {
        int64_t limit_ns = chainsi_now_ns() + request->connect_timeout_ms * CHAINSI_NS_PER_MS;
        if (limit_ns < until_ns)
            until_ns = limit_ns;
    }
    *it = (chainsi_channel){ .fd = chainsi_address_connect(&client->address, until_ns,
                                                           request->interrupt, why, why_size) };
    if (it->fd < 0) {
        *error = errno;
        if (errno == EINTR)
            return CHAINSI_EXCHANGE_INTERRUPTED;
        if (errno == ETIMEDOUT && request->deadline_ns != CHAINSI_NEVER &&
            chainsi_now_ns() >= request->deadline_ns) {
            snprintf(why, why_size, "the deadline passed before there was a connection");
            return CHAINSI_EXCHANGE_DEADLINE;
        }
        return CHAINSI_EXCHANGE_NOT_STARTED;
    }
    if (!client->tls)
        return CHAINSI_EXCHANGE_ANSWERED;
    chainsi_client_open_session(client, it, why, why_size);
    chainsi_exchange_end end = CHAINSI_EXCHANGE_NOT_STARTED;
    while (it->session) {
        int wait_for = client->tls->handshake(it->session, why, why_size);
        if (!wait_for)
            return CHAINSI_EXCHANGE_ANSWERED;
        if (wait_for < 0)
            break;
        chainsi_wait_end waited =
            chainsi_wait_for(it->fd, (short)wait_for, NULL, until_ns, request->interrupt);
        if (waited == CHAINSI_WAIT_DEADLINE && chainsi_now_ns() < request->deadline_ns) {
            snprintf(why, why_size, "the TLS handshake with %s took too long",
                     client->address.authority);
            break;
        }
        if (waited != CHAINSI_WAIT_READY) {
            end = end_of_wait(waited);
            snprintf(why, why_size, "%s during the TLS handshake with '%s'",
                     end == CHAINSI_EXCHANGE_DEADLINE ? "the deadline passed" : "interrupted",
                     client->address.host);
            break;
        }
    }
    *error = EPROTO;
    chainsi_channel_close(it);
    return end;
}

/* The connection that the request brings, a kept one, or a fresh one; ends as above. *fresh says that no kept one is to be
 * used, and comes back as whether none was. */
static chainsi_exchange_end get_connection(chainsi_client *client,
                                           const chainsi_client_request *request,
                                           chainsi_channel *it, bool *fresh, int *error, char *why,
                                           size_t why_size)
{
    if (request->connection) {
        *it = *request->connection;
        *fresh = true;
        if (is_usable(client, it))
            return CHAINSI_EXCHANGE_ANSWERED;
        chainsi_channel_close(it);
        *error = EPIPE;
        snprintf(why, why_size, "the connection was closed before the call was sent");
        return CHAINSI_EXCHANGE_NOT_STARTED;
    }
    if (!*fresh && take_idle(client, it))
        return CHAINSI_EXCHANGE_ANSWERED;
    *fresh = true;
    return make_connection(client, request, it, error, why, why_size);
}

/* ------------------------------------------------------------------------------------------------
 * sending */

/* What is still to be sent. */
typedef struct outgoing {
    struct iovec parts[2]; /* head, body */
    struct iovec *next;
    size_t count; /* of parts from next on */
    bool begun;   /* a byte has left */
    int error;    /* why no more can be sent, else 0 */
} outgoing;

static void advance(outgoing *out, size_t sent)
{
    out->begun = true;
    while (out->count && sent >= out->next->iov_len) {
        sent -= out->next->iov_len;
        out->next++;
        out->count--;
    }
    if (out->count) {
        out->next->iov_base = (char *)out->next->iov_base + sent;
        out->next->iov_len -= sent;
    }
}

static char *append(char *at, const char *data, size_t size)
{
    memcpy(at, data, size);
    return at + size;
}

static char *append_number(char *at, size_t number)
{
    char digits[24];
    char *first = digits + sizeof digits;
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    return append(at, first, (size_t)(digits + sizeof digits - first));
}

/* Whether the caller's texts make a request, and nothing but the one request. */
static bool can_be_sent(const chainsi_client_request *request, size_t path_size)
{
    for (size_t i = 0; i < path_size; i++) {
        if (request->path[i] < 0x21 || request->path[i] > 0x7e)
            return false;
    }
    const char *headers = request->headers;
    size_t size = request->headers_size;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)headers[i];
        if (c == '\r') {
            /* A line of its own would end the head. */
            if (i + 1 >= size || headers[++i] != '\n' || (i >= 3 && headers[i - 2] == '\n'))
                return false;
        } else if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return !size || (size > 2 && headers[0] != '\r' && headers[size - 1] == '\n');
}

/* Writes the head to `space`, or to the arena where that is too small. */
static void write_head(const chainsi_client *client, const chainsi_client_request *request,
                       size_t path_size, chainsi_arena *arena, char *space, size_t space_size,
                       outgoing *out)
{
    size_t method_size = strlen(request->method);
    size_t most = method_size + 1 + client->prefix_size + path_size + client->line_end_size +
                  request->headers_size + 64;
    char *head = most <= space_size ? space : chainsi_arena_alloc_raw(arena, most);
    char *at = append(head, request->method, method_size);
    *at++ = ' ';
    at = append(at, client->address.path, client->prefix_size);
    at = append(at, request->path, path_size);
    at = append(at, client->line_end, client->line_end_size);
    if (request->body || request->body_size || request->method[0] == 'P') {
        at = append(at, "Content-Length: ", 16);
        at = append_number(at, request->body_size);
        at = append(at, "\r\n", 2);
    }
    if (request->headers_size)
        at = append(at, request->headers, request->headers_size);
    at = append(at, "\r\n", 2);
    out->parts[0] = (struct iovec){ head, (size_t)(at - head) };
    out->parts[1] = (struct iovec){ (void *)(uintptr_t)request->body, request->body_size };
    out->next = out->parts;
    out->count = request->body_size ? 2 : 1;
}

/* ------------------------------------------------------------------------------------------------
 * the answer */

enum reading {
    READING_HEAD,
    READING_LENGTH,
    READING_CHUNKS,
    READING_TO_END,
    READING_DONE,
};

/* The answer as it comes in, in one allocation of the arena that grows in place where it can. */
typedef struct incoming {
    chainsi_arena *arena;
    char *data; /* NULL before the first byte is asked for */
    size_t size, capacity;
    size_t head; /* where the head begins: behind interim ones */
    size_t body; /* where the body begins */
    size_t body_size;
    int64_t length; /* of the body, where known */
    size_t max_body;
    enum reading reading;
    int interim;
    chainsi_client_sink *sink; /* of the request */
    bool taken;                /* by the sink: what it was given is dropped from data */
    bool no_body;              /* the request was a HEAD */
    bool extra;                /* bytes came behind the answer */
    chainsi_http_scan scan;
    chainsi_http_chunked chunked;
    chainsi_http_response parsed;
    const char *failure; /* why it is refused */
} incoming;

enum { FIRST_READ = 4096, LARGEST_FIRST_READ = 64 * 1024 };

/* Makes the allocation `capacity` bytes; what the head's slices point to stays where it is. */
static void grow(incoming *in, size_t capacity)
{
    if (chainsi_arena_extend(in->arena, in->data, in->capacity, capacity)) {
        in->capacity = capacity;
        return;
    }
    /* Only the part that is still being read moves. */
    size_t kept = in->reading == READING_HEAD ? in->head : in->body;
    capacity -= kept;
    char *moved = chainsi_arena_alloc_raw(in->arena, capacity);
    memcpy(moved, in->data + kept, in->size - kept);
    in->data = moved;
    in->size -= kept;
    in->capacity = capacity;
    in->head = in->body = 0;
}

/* Room to read into, one byte less than there is: the NUL's. */
static size_t make_room(incoming *in)
{
    if (!in->data) {
        size_t rest = in->arena->blocks ? (size_t)(in->arena->end - in->arena->next) : 0;
        in->capacity = rest < FIRST_READ / 2       ? FIRST_READ
                       : rest > LARGEST_FIRST_READ ? LARGEST_FIRST_READ
                                                   : rest;
        in->data = chainsi_arena_alloc_raw(in->arena, in->capacity);
    } else if (in->reading == READING_LENGTH && !in->taken) {
        size_t need = in->body + (size_t)in->length + 1;
        if (need > in->capacity)
            grow(in, need);
    } else if (in->size + 1 >= in->capacity) {
        grow(in, in->capacity * 2);
    }
    return in->capacity - in->size - 1;
}

static bool refuse_answer(incoming *in, const char *failure)
{
    in->failure = failure;
    return false;
}

/* After a complete head: what is to be read behind it. */
static bool begin_body(incoming *in)
{
    int status = in->parsed.status;
    const chainsi_http_head *head = &in->parsed.head;
    if (status == 101)
        return refuse_answer(in, "the answer switches to another protocol");
    if (status < 200) {
        if (++in->interim > CHAINSI_MAX_INTERIM)
            return refuse_answer(in, "there are too many interim answers");
        in->head = in->body;
        in->scan = (chainsi_http_scan){ 0 };
        return true;
    }
    in->taken = in->sink && in->sink->begin(in->sink->user, &in->parsed);
    size_t max_body = in->taken ? INT64_MAX : in->max_body;
    if (in->no_body || status == 204 || status == 304) {
        in->length = 0;
        in->reading = READING_LENGTH;
    } else if (head->chunked) {
        in->chunked = (chainsi_http_chunked){ .max_body = max_body };
        in->reading = READING_CHUNKS;
    } else if (head->content_length >= 0) {
        if ((uint64_t)head->content_length > max_body)
            return refuse_answer(in, "the answer is larger than is allowed");
        in->length = head->content_length;
        in->reading = READING_LENGTH;
    } else {
        in->reading = READING_TO_END;
    }
    return true;
}

/* Takes in `fresh` bytes that were read behind size. False with failure set. */
static bool take_in(incoming *in, size_t fresh)
{
    chainsi_http_refusal refusal;
    in->size += fresh;
    while (in->reading == READING_HEAD) {
        ptrdiff_t head = chainsi_http_parse_response(in->data + in->head, in->size - in->head,
                                                     &in->scan, &in->parsed, &refusal);
        if (head < 0)
            return refuse_answer(in, refusal.reason);
        if (head == CHAINSI_HTTP_MORE)
            return true;
        in->body = in->head + (size_t)head;
        if (!begin_body(in))
            return false;
        fresh = in->size - in->body;
    }
    if (in->reading == READING_LENGTH) {
        size_t have = in->size - in->body;
        if (have >= (size_t)in->length) {
            in->extra = have > (size_t)in->length;
            in->body_size = (size_t)in->length;
            in->reading = READING_DONE;
        }
    } else if (in->reading == READING_CHUNKS) {
        size_t decoded, consumed, start = in->size - fresh;
        chainsi_http_progress progress = chainsi_http_decode_chunked(
            &in->chunked, in->data + start, fresh, &decoded, &consumed, &refusal);
        if (progress == CHAINSI_HTTP_BODY_REFUSED)
            return refuse_answer(in, refusal.status == 413 ? "the answer is larger than is allowed"
                                                           : refusal.reason);
        in->size = start + decoded;
        if (progress == CHAINSI_HTTP_BODY_DONE) {
            in->extra = consumed < fresh;
            in->body_size = in->size - in->body;
            in->reading = READING_DONE;
        }
    } else if (in->reading == READING_TO_END) {
        in->body_size = in->size - in->body;
        if (!in->taken && in->body_size > in->max_body)
            return refuse_answer(in, "the answer is larger than is allowed");
    }
    return true;
}

/* Gives what there is of the body to the sink. False if that wants no more. */
static bool hand_to_sink(incoming *in)
{
    size_t size = in->size - in->body;
    if (in->reading == READING_DONE)
        size = in->body_size;
    if (in->reading == READING_LENGTH)
        in->length -= (int64_t)size;
    bool wanted = !size || in->sink->take(in->sink->user, in->data + in->body, size);
    in->size = in->body;
    in->body_size = 0;
    return wanted;
}

/* Fills the response from what was read, and gives what isn't used back to the arena. */
static void hand_out(incoming *in, chainsi_client_response *response)
{
    response->status = in->parsed.status;
    response->head = in->parsed.head;
    const chainsi_slice *type = chainsi_http_find(&in->parsed.head, "content-type");
    response->content_type = "";
    if (type) {
        /* Behind a value there is at least its line's CR, which nobody needs any more. */
        ((char *)(uintptr_t)type->data)[type->size] = 0;
        response->content_type = type->data;
    }
    response->body = in->data + in->body;
    response->body_size = in->body_size;
    response->body[in->body_size] = 0;
    chainsi_arena_extend(in->arena, in->data, in->capacity, in->body + in->body_size + 1);
}

/* ------------------------------------------------------------------------------------------------
 * an exchange */

/* How an exchange ends whose connection was lost; error 0 is an end of file. */
static chainsi_exchange_end end_of_loss(const chainsi_client *client, const chainsi_channel *it,
                                        const outgoing *out, const incoming *in, int error,
                                        char *why, size_t why_size)
{
    if (in->size > in->head || in->interim || in->reading != READING_HEAD) {
        snprintf(why, why_size, "the connection ended in the middle of the answer: %s",
                 error ? strerror(error) : "end of file");
        return CHAINSI_EXCHANGE_MAYBE_STARTED;
    }
    /* By an alert of the handshake, which had ended for this side alone: nobody has read the request. */
    if (error == EACCES && it->session) {
        snprintf(why, why_size, "it has refused this program's certificate: %s",
                 client->tls->refusal(it->session));
        return CHAINSI_EXCHANGE_NOT_STARTED;
    }
    bool started;
    if (client->address.kind == CHAINSI_ADDRESS_UNIX)
        started = !out->count && error != ECONNRESET && error != EPIPE;
    else
        started = out->begun;
    snprintf(why, why_size, "the connection was closed before an answer came%s: %s",
             started ? "" : " and before the call was taken",
             error ? strerror(error) : "end of file");
    return started ? CHAINSI_EXCHANGE_MAYBE_STARTED : CHAINSI_EXCHANGE_NOT_STARTED;
}

/* Sends what can be sent now; *wait_for is what has to be waited for to go on, if anything. */
static void send_some(const chainsi_channel *it, outgoing *out, short *wait_for)
{
    *wait_for = 0;
    while (out->count && !out->error) {
        ssize_t sent = chainsi_channel_write(it, out->next, out->count, wait_for);
        if (sent > 0)
            advance(out, (size_t)sent);
        else if (*wait_for)
            return;
        else
            out->error = sent ? errno : EPIPE;
    }
}

/* Sends and reads on one connection until there is an answer or an end. */
static chainsi_exchange_end run_exchange(chainsi_client *client, const chainsi_channel *it,
                                         const chainsi_client_request *request, outgoing *out,
                                         incoming *in, int *error, char *why, size_t why_size)
{
    const chainsi_client_sink *sink = request->sink;
    bool may_block =
        request->deadline_ns == CHAINSI_NEVER && !request->interrupt && !it->session && !sink;
    bool read_first = it->session != NULL; /* it may hold bytes that poll() knows nothing about */
    while (in->reading != READING_DONE) {
        short send_wait;
        send_some(it, out, &send_wait);
        bool sending = out->count && !out->error;
        size_t room = make_room(in);
        short read_wait = POLLIN;
        ssize_t got = -1;
        if (!sending && may_block) {
            got = recv(it->fd, in->data + in->size, room, 0);
            if (got < 0 && errno == EINTR)
                continue;
            read_wait = 0;
        } else if (read_first) {
            got = chainsi_channel_read(it, in->data + in->size, room, &read_wait);
        }
        if (got < 0 && read_wait) {
            /* While sending, an answer is also waited for: it may come early. */
            short wait_for = (short)(sending ? send_wait | read_wait : read_wait), had = 0;
            int64_t deadline_ns = request->deadline_ns;
            if (sink && sink->deadline_ns < deadline_ns)
                deadline_ns = sink->deadline_ns;
            chainsi_wait_end end =
                chainsi_wait_for(it->fd, wait_for, &had, deadline_ns, request->interrupt);
            if (end != CHAINSI_WAIT_READY) {
                snprintf(why, why_size, "%s",
                         end == CHAINSI_WAIT_DEADLINE ? "the deadline passed before an answer came"
                                                      : "interrupted");
                return end_of_wait(end);
            }
            read_first = it->session || had != POLLOUT;
            continue;
        }
        if (got <= 0) {
            *error = got ? errno : 0;
            if (!got && in->reading == READING_TO_END) {
                in->reading = READING_DONE;
                break;
            }
            /* What kept the request from being sent says more than the end of reading. */
            if (out->error && *error != EACCES)
                *error = out->error;
            return end_of_loss(client, it, out, in, *error, why, why_size);
        }
        if (!take_in(in, (size_t)got)) {
            snprintf(why, why_size, "%s", in->failure);
            *error = EPROTO;
            return CHAINSI_EXCHANGE_PROTOCOL;
        }
        if (in->taken && !hand_to_sink(in)) {
            snprintf(why, why_size, "the rest of the answer wasn't wanted");
            return CHAINSI_EXCHANGE_INTERRUPTED;
        }
        read_first = it->session || (size_t)got == room;
    }
    return CHAINSI_EXCHANGE_ANSWERED;
}

chainsi_exchange_end chainsi_client_exchange(chainsi_client *client,
                                             const chainsi_client_request *request,
                                             chainsi_arena *arena,
                                             chainsi_client_response *response, char *why,
                                             size_t why_size)
{
    response->error = 0;
    size_t path_size = strlen(request->path);
    if (!can_be_sent(request, path_size)) {
        snprintf(why, why_size, "the path or a header has a character that cannot be sent");
        response->error = EINVAL;
        if (request->connection) {
            chainsi_channel brought = *request->connection;
            chainsi_channel_close(&brought);
        }
        return CHAINSI_EXCHANGE_PROTOCOL;
    }
    char space[1024];
    outgoing whole = { .error = 0 };
    write_head(client, request, path_size, arena, space, sizeof space, &whole);
    const bool may_be_left_unread =
        client->address.kind != CHAINSI_ADDRESS_UNIX &&
        whole.parts[0].iov_len + request->body_size > CHAINSI_SURE_TO_FIT;
    incoming in;
    in.data = NULL; /* kept from one attempt to the next */
    for (bool fresh = request->fresh;; fresh = true) {
        chainsi_channel it;
        chainsi_exchange_end end =
            get_connection(client, request, &it, &fresh, &response->error, why, why_size);
        if (end != CHAINSI_EXCHANGE_ANSWERED)
            return end;
        if (may_be_left_unread)
            chainsi_address_limit_sending(it.fd, false);
        outgoing out = whole;
        out.next = out.parts;
        char *data = in.data;
        size_t capacity = data ? in.capacity : 0;
        memset(&in, 0, offsetof(incoming, parsed));
        in.failure = NULL;
        in.arena = arena;
        in.data = data;
        in.capacity = capacity;
        in.max_body = request->max_body ? request->max_body : CHAINSI_MAX_BODY;
        in.sink = request->sink;
        in.no_body = !strcmp(request->method, "HEAD");
        end = run_exchange(client, &it, request, &out, &in, &response->error, why, why_size);
        if (end == CHAINSI_EXCHANGE_ANSWERED) {
            bool keep = in.parsed.head.keep_alive && !out.count && !in.extra && !request->sink &&
                        (in.no_body || in.parsed.status == 204 || in.parsed.status == 304 ||
                         in.parsed.head.chunked || in.parsed.head.content_length >= 0);
            hand_out(&in, response);
            response->error = 0;
            if (keep && may_be_left_unread)
                chainsi_address_limit_sending(it.fd, true);
            if (keep)
                keep_idle(client, &it);
            else
                chainsi_channel_close(&it);
            return end;
        }
        chainsi_channel_close(&it);
        /* A kept connection may have been closed meanwhile; that is nobody's news. */
        if (end != CHAINSI_EXCHANGE_NOT_STARTED || fresh)
            return end;
    }
}

/* ------------------------------------------------------------------------------------------------
 * lifecycle */

chainsi_client *chainsi_client_new(const char *text, char *why, size_t why_size)
{
    chainsi_address address;
    if (!chainsi_address_parse(text, &address, why, why_size))
        return NULL;
    return chainsi_client_new_at(&address, why, why_size);
}

chainsi_client *chainsi_client_new_at(chainsi_address *address, char *why, size_t why_size)
{
    const chainsi_tls_engine *tls = NULL;
    if (address->kind == CHAINSI_ADDRESS_HTTPS) {
        tls = chainsi_tls_get_engine();
        if (!tls) {
            snprintf(why, why_size,
                     "'https://%s' needs TLS, which this program was linked without (library "
                     "chains_tls)",
                     address->authority);
            chainsi_address_done(address);
            return NULL;
        }
    }
    chainsi_client *client = calloc(1, sizeof *client);
    if (!client || asprintf(&client->line_end, " HTTP/1.1\r\nHost: %s\r\n", address->authority) < 0)
        abort();
    client->address = *address;
    client->tls = tls;
    client->line_end_size = strlen(client->line_end);
    /* A Unix socket's path is no part of the target. */
    if (address->kind == CHAINSI_ADDRESS_UNIX)
        client->prefix_size = 0;
    else
        client->prefix_size = strlen(address->path);
    pthread_mutex_init(&client->lock, NULL);
    chainsi_client_know_peer(client, NULL, NULL, NULL);
    return client;
}

const chainsi_address *chainsi_client_address(const chainsi_client *client)
{
    return &client->address;
}

void chainsi_client_know_peer(chainsi_client *client, chainsi_tls_identity *identity,
                              const char *name, const unsigned char *pin)
{
    char where[300];
    if (!client->tls)
        return;
    const chainsi_address *address = &client->address;
    snprintf(where, sizeof where, strchr(address->host, ':') ? "[%s]:%u" : "%s:%u", address->host,
             address->port);
    client->tls->part(client->peer);
    client->peer = client->tls->meet(&(chainsi_tls_peer_options){
        .identity = identity,
        .name = name ? name : address->host,
        .where = where,
        .pin = pin,
    });
}

void chainsi_client_close_idle(chainsi_client *client)
{
    for (;;) {
        chainsi_channel it = { .fd = -1 };
        pthread_mutex_lock(&client->lock);
        bool found = client->idle_count > 0;
        if (found)
            it = client->idle[--client->idle_count];
        pthread_mutex_unlock(&client->lock);
        if (!found)
            return;
        chainsi_channel_close(&it);
    }
}

void chainsi_client_free(chainsi_client *client)
{
    if (!client)
        return;
    chainsi_client_close_idle(client);
    if (client->tls)
        client->tls->part(client->peer);
    pthread_mutex_destroy(&client->lock);
    chainsi_address_done(&client->address);
    free(client->line_end);
    free(client);
}
