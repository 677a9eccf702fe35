/* HTTP of anybody: heads and chunked bodies at once and in pieces, a connection of the serving side,
 * and the calling side with a peer that answers with the input. The first byte is the size of the
 * pieces; whatever it is must make no difference. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"
#include "rpc/accept.h"
#include "rpc/client.h"
#include "rpc/connection.h"
#include "rpc/grants.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { MOST_BODY = 20000, MOST_SENT = 64 * 1024 };

/* A copy of just its size, so that a sanitizer sees every byte too many. */
static char *copy(const void *data, size_t size)
{
    char *text = malloc(size ? size : 1);
    REQUIRE(text);
    memcpy(text, data, size);
    return text;
}

/* ------------------------------------------------------------------------------------------------
 * heads */

static void check_slice(chainsi_slice slice, const char *data, size_t size)
{
    REQUIRE(slice.size == 0 || slice.data == data ||
            (slice.data > data && slice.data + slice.size <= data + size) ||
            (slice.size == 1 && *slice.data == '/'));
    for (size_t i = 0; i < slice.size; i++)
        REQUIRE(slice.data[i] != '\r' && slice.data[i] != '\n' && slice.data[i] != 0);
}

static void check_head(const chainsi_http_head *head, const char *data, size_t size)
{
    REQUIRE(size <= CHAINSI_MAX_HEAD && memcmp(data + size - 4, "\r\n\r\n", 4) == 0);
    REQUIRE(head->header_count <= CHAINSI_MAX_HEADERS);
    REQUIRE(!head->chunked || (head->content_length < 0 && head->minor_version == 1));
    for (size_t i = 0; i < head->header_count; i++) {
        REQUIRE(head->headers[i].name.size > 0);
        check_slice(head->headers[i].name, data, size);
        check_slice(head->headers[i].value, data, size);
    }
}

static void check_choice(const chainsi_http_head *head)
{
    static const char *const types[] = { "text/event-stream", "application/json" };
    int chosen = chainsi_accept_choose(head, types, 2);
    REQUIRE(chosen >= -1 && chosen < 2);
    REQUIRE(chosen < 0 || chainsi_http_find(head, "Accept"));
}

/* The result of a head that comes in pieces; *status is the refusal's. */
static ptrdiff_t parse(bool is_request, const char *data, size_t size, size_t piece, int *status)
{
    chainsi_http_scan scan = { 0 };
    chainsi_http_refusal refusal = { 0 };
    ptrdiff_t got = CHAINSI_HTTP_MORE;
    for (size_t have = 0; have < size && got == CHAINSI_HTTP_MORE;) {
        have = have + piece < size ? have + piece : size;
        char *text = copy(data, have);
        if (is_request) {
            chainsi_http_request request;
            got = chainsi_http_parse_request(text, have, &scan, &request, &refusal);
            if (got > 0) {
                check_head(&request.head, text, (size_t)got);
                check_slice(request.path, text, (size_t)got);
                check_slice(request.query, text, (size_t)got);
                REQUIRE(request.path.size > 0);
                REQUIRE(!chainsi_grants_is_want(&request) || request.path.size == 5);
                (void)chainsi_grants_is_refusing(&request);
                check_choice(&request.head);
                char *moved = copy(text, (size_t)got);
                chainsi_http_move_request(&request, text, (size_t)got, moved);
                check_head(&request.head, moved, (size_t)got);
                check_slice(request.path, moved, (size_t)got);
                check_slice(request.query, moved, (size_t)got);
                check_slice(request.method_name, moved, (size_t)got);
                free(moved);
            }
        } else {
            chainsi_http_response response;
            got = chainsi_http_parse_response(text, have, &scan, &response, &refusal);
            if (got > 0) {
                check_head(&response.head, text, (size_t)got);
                check_slice(response.reason, text, (size_t)got);
                REQUIRE(response.status >= 100 && response.status <= 599);
                chainsi_grants_slots slots = { 0, 1 };
                (void)chainsi_grants_read(&response.head, &slots);
                REQUIRE(slots.total && slots.free <= slots.total);
            }
        }
        REQUIRE(got <= (ptrdiff_t)have);
        REQUIRE(got != CHAINSI_HTTP_REFUSED || refusal.reason);
        free(text);
    }
    *status = refusal.status;
    return got;
}

/* ------------------------------------------------------------------------------------------------
 * chunked bodies */

typedef struct dechunked {
    chainsi_http_progress progress;
    int status;
    size_t size, consumed;
    char *body;
} dechunked;

static dechunked dechunk(const char *data, size_t size, size_t piece)
{
    dechunked its = { .progress = CHAINSI_HTTP_BODY_MORE, .body = malloc(size + 1) };
    REQUIRE(its.body);
    chainsi_http_chunked chunked = { .max_body = MOST_BODY };
    chainsi_http_refusal refusal = { 0 };
    for (size_t at = 0; at < size && its.progress == CHAINSI_HTTP_BODY_MORE; at += piece) {
        size_t part = size - at < piece ? size - at : piece, decoded, consumed;
        char *text = copy(data + at, part);
        its.progress =
            chainsi_http_decode_chunked(&chunked, text, part, &decoded, &consumed, &refusal);
        REQUIRE(decoded <= consumed && consumed <= part);
        REQUIRE(its.progress != CHAINSI_HTTP_BODY_MORE || consumed == part);
        memcpy(its.body + its.size, text, decoded);
        its.size += decoded;
        its.consumed += consumed;
        free(text);
    }
    REQUIRE(its.size <= MOST_BODY);
    its.status = refusal.status;
    return its;
}

/* ------------------------------------------------------------------------------------------------
 * the serving side */

typedef struct served {
    unsigned requests;
    int status;
    uint64_t digest; /* of all bodies */
} served;

static void digest(served *its, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        its->digest = (its->digest ^ (unsigned char)data[i]) * UINT64_C(1099511628211);
    its->digest = (its->digest ^ size) * UINT64_C(1099511628211);
}

/* Reads requests from a connection that is sent data in pieces, until it ends or is refused. */
static served serve(const char *data, size_t size, size_t piece)
{
    int ends[2];
    served its = { 0 };
    REQUIRE(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    chainsi_connection connection = { 0 };
    chainsi_spare spare = { 0 };
    chainsi_connection_open(&connection, ends[0], NULL, CHAINSI_ONLY_HTTP);
    bool ended = false;
    for (size_t at = 0; at < size && !ended; at += piece) {
        size_t part = size - at < piece ? size - at : piece;
        REQUIRE(send(ends[1], data + at, part, MSG_NOSIGNAL) == (ssize_t)part);
        for (;;) {
            chainsi_http_request request;
            chainsi_frame frame;
            chainsi_reading reading = { .request = &request, .frame = &frame };
            chainsi_read_end end =
                chainsi_connection_read(&connection, MOST_BODY, &spare, &reading);
            if (end == CHAINSI_READ_INCOMPLETE)
                break;
            if (end == CHAINSI_READ_REQUEST) {
                char replaced, *body = chainsi_connection_body(&connection, &replaced);
                REQUIRE(connection.body_size <= MOST_BODY && body[connection.body_size] == 0);
                check_head(&request.head, connection.data + connection.start, connection.head_size);
                its.requests++;
                digest(&its, body, connection.body_size);
                digest(&its, request.path.data, request.path.size);
                memset(body, 'x', connection.body_size);
                chainsi_connection_next(&connection, replaced);
                chainsi_connection_rest(&connection, &spare);
                continue;
            }
            REQUIRE(end == CHAINSI_READ_REFUSED);
            its.status = reading.refusal.status;
            ended = true;
            break;
        }
    }
    chainsi_connection_close(&connection);
    free(spare.data);
    close(ends[1]);
    return its;
}

/* ------------------------------------------------------------------------------------------------
 * the calling side */

static chainsi_client *make_client(void)
{
    char why[256], address[80];
    REQUIRE(start_peer("\r\n\r\nhi"));
    snprintf(address, sizeof address, "unix:%s", peer.path);
    chainsi_client *client = chainsi_client_new(address, why, sizeof why);
    REQUIRE(client);
    return client;
}

typedef struct called {
    chainsi_exchange_end end;
    int status;
    uint64_t digest;
} called;

static bool begin_body(void *user, const chainsi_http_response *head)
{
    (void)user;
    REQUIRE(head->status >= 200);
    return true;
}

/* A body that is taken as it comes. */
typedef struct taken {
    char *data; /* owned */
    size_t size;
} taken;

static bool take_body(void *user, char *data, size_t size)
{
    taken *body = user;
    REQUIRE(size);
    body->data = realloc(body->data, body->size + size);
    REQUIRE(body->data);
    memcpy(body->data + body->size, data, size);
    body->size += size;
    memset(data, '#', size);
    return true;
}

/* streamed: the body is taken as it comes. */
static called call(const char *data, size_t size, size_t piece, bool streamed)
{
    static chainsi_client *client;
    if (!client)
        client = make_client();
    set_answer(data, size, piece);
    chainsi_client_request request = { .method = "POST",
                                       .path = "/x",
                                       .body = "hi",
                                       .body_size = 2,
                                       .deadline_ns = CHAINSI_NEVER,
                                       .max_body = MOST_BODY,
                                       .fresh = true };
    served its = { 0 };
    taken body = { 0 };
    chainsi_client_sink sink = {
        .begin = begin_body, .take = take_body, .user = &body, .deadline_ns = CHAINSI_NEVER
    };
    request.sink = streamed ? &sink : NULL;
    chainsi_arena arena = { 0 };
    chainsi_client_response response;
    char why[256] = "";
    called result = { .end = chainsi_client_exchange(client, &request, &arena, &response, why,
                                                     sizeof why) };
    REQUIRE(result.end == CHAINSI_EXCHANGE_ANSWERED ||
            result.end == CHAINSI_EXCHANGE_MAYBE_STARTED ||
            result.end == CHAINSI_EXCHANGE_PROTOCOL);
    if (result.end == CHAINSI_EXCHANGE_ANSWERED) {
        REQUIRE(response.body_size <= (streamed ? 0 : MOST_BODY));
        REQUIRE(response.body[response.body_size] == 0);
        REQUIRE(response.status >= 200);
        digest(&its, streamed ? body.data : response.body,
               streamed ? body.size : response.body_size);
        digest(&its, response.content_type, strlen(response.content_type));
        result.status = response.status;
        result.digest = its.digest;
    } else {
        REQUIRE(why[0]);
    }
    free(body.data);
    chainsi_client_close_idle(client);
    chainsi_arena_done(&arena);
    await_peer();
    return result;
}

/* ------------------------------------------------------------------------------------------------ */

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    if (size < 1 || size > MOST_SENT)
        return 0;
    size_t piece = (size_t)input[0] + 1;
    const char *data = (const char *)input + 1;
    size--;
    if (size / piece > 2000) /* every piece costs a copy of what is there */
        piece = size / 2000 + 1;
    for (int is_request = 0; is_request < 2; is_request++) {
        int status, status_in_pieces;
        ptrdiff_t whole = parse(is_request, data, size, size + 1, &status);
        ptrdiff_t in_pieces = parse(is_request, data, size, piece, &status_in_pieces);
        REQUIRE(whole == in_pieces && status == status_in_pieces);
    }
    dechunked whole = dechunk(data, size, size + 1), in_pieces = dechunk(data, size, piece);
    REQUIRE(whole.progress == in_pieces.progress && whole.status == in_pieces.status);
    REQUIRE(whole.size == in_pieces.size && whole.consumed == in_pieces.consumed);
    REQUIRE(memcmp(whole.body, in_pieces.body, whole.size) == 0);
    free(whole.body);
    free(in_pieces.body);

    served at_once = serve(data, size, size + 1), by_and_by = serve(data, size, piece);
    REQUIRE(at_once.requests == by_and_by.requests && at_once.status == by_and_by.status);
    REQUIRE(at_once.digest == by_and_by.digest);

    if (size >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        called first = call(data, size, size + 1, false), second = call(data, size, piece, false);
        REQUIRE(first.end == second.end && first.status == second.status);
        REQUIRE(first.digest == second.digest);
        called streamed = call(data, size, piece, true);
        /* What is too large as a whole may come as a stream. */
        if (first.end != CHAINSI_EXCHANGE_PROTOCOL) {
            REQUIRE(first.end == streamed.end && first.status == streamed.status);
            REQUIRE(first.digest == streamed.digest);
        }
    }
    return 0;
}
