/* Frames of anybody: a connection of the serving side that is sent the input at once and in pieces,
 * which must make no difference; and a server with a board and several slots, which must answer in
 * frames, lose no slot and close what it can't understand. The first byte of the input is the size of
 * the pieces, the second says how its caller behaves. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "rpc/connection.h"
#include "rpc/parts.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { MOST_BODY = 20000, MOST_SENT = 32 * 1024, SLOTS = 2, PATIENCE_MS = 20000 };

/* What the caller does; bits of the input's second byte. */
enum behaviour {
    CLOSES = 1, /* without reading */
    CLAIMS = 2, /* has real claims put into its calls */
    QUEUES = 4, /* comes by the shared socket */
    BARE = 8,   /* sends no preface of its own */
};

/* ------------------------------------------------------------------------------------------------
 * a connection */

typedef struct seen {
    size_t frames, requests;
    bool ended;
    uint64_t digest;
} seen;

static void digest(seen *its, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        its->digest = (its->digest ^ bytes[i]) * UINT64_C(1099511628211);
    its->digest = (its->digest ^ size) * UINT64_C(1099511628211);
}

static seen read_in_pieces(const char *data, size_t size, size_t piece)
{
    int ends[2];
    seen its = { 0 };
    REQUIRE(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    chainsi_connection connection = { 0 };
    chainsi_spare spare = { 0 };
    chainsi_connection_open(&connection, ends[0], NULL, CHAINSI_UNDECIDED);
    for (size_t at = 0; at < size && !its.ended; at += piece) {
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
            if (end != CHAINSI_READ_REQUEST && end != CHAINSI_READ_FRAME) {
                its.ended = true;
                break;
            }
            char replaced, *body = chainsi_connection_body(&connection, &replaced);
            REQUIRE(connection.body_size <= MOST_BODY && body[connection.body_size] == 0);
            if (end == CHAINSI_READ_FRAME) {
                its.frames++;
                digest(&its, &frame.head, sizeof frame.head);
                digest(&its, &frame.call, sizeof frame.call);
                if (frame.call.request_id_size)
                    digest(&its, frame.request_id, frame.call.request_id_size);
            } else {
                its.requests++;
            }
            digest(&its, body, connection.body_size);
            memset(body, 'x', connection.body_size);
            chainsi_connection_next(&connection, replaced);
            chainsi_connection_rest(&connection, &spare);
        }
    }
    chainsi_connection_close(&connection);
    free(spare.data);
    close(ends[1]);
    return its;
}

/* ------------------------------------------------------------------------------------------------
 * a server */

typedef struct served {
    chainsi_server *server;
    chainsi_board *board;
    chainsi_seat seat;
    struct sockaddr_un shared, direct;
    socklen_t shared_size, direct_size;
} served;

/* As many items as the body's size says, 3 at most, each with the body. */
static void send_items(chainsi_server_request *request, chainsi_server_response *response)
{
    REQUIRE(request->fd >= 0);
    chainsi_parts *parts = chainsi_arena_alloc(request->arena, sizeof *parts);
    chainsi_parts_init(parts, request, response, 0);
    chainsi_frame item = { .head = { .kind = CHAINSI_FRAME_ITEM,
                                     .id = request->frame->head.id,
                                     .body_size = request->body_size } };
    char *data = chainsi_arena_alloc(request->arena, CHAINSI_FRAME_MAX_HEAD + request->body_size);
    size_t head = chainsi_frame_write(&item, data);
    memcpy(data + head, request->body, request->body_size);
    response->parts = parts;
    for (size_t i = 0; i < request->body_size % 4; i++)
        chainsi_parts_send_item(parts, data, head + request->body_size, NULL, 0, CHAINSI_NEVER);
}

static void handle(void *user, chainsi_server_request *request, chainsi_server_response *response)
{
    (void)user;
    REQUIRE(request->body[request->body_size] == 0);
    if (request->frame && (request->frame->head.flags & CHAINSI_FRAME_TAKES_ITEMS))
        send_items(request, response);
    chainsi_buffer_add(response->body, request->body, request->body_size);
    response->lingers = request->body_size % 3 == 1;
}

static int listen_at(const struct sockaddr_un *address, socklen_t size)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0 && !bind(fd, (const struct sockaddr *)address, size) && !listen(fd, 64));
    return fd;
}

static served *the_server(void)
{
    static served its;
    if (its.server)
        return &its;
    int memory = chainsi_board_create(0);
    its.board = chainsi_board_open(memory);
    REQUIRE(its.board);
    close(memory);
    uint64_t own = UINT64_C(0xf0220000) + (uint64_t)getpid() * 2;
    its.direct_size = chainsi_board_address(own, &its.direct);
    its.shared_size = chainsi_board_address(own + 1, &its.shared);
    int direct = listen_at(&its.direct, its.direct_size);
    REQUIRE(chainsi_board_join(its.board, SLOTS, own, &its.seat));
    chainsi_server_options options = {
        .listen_fd = listen_at(&its.shared, its.shared_size),
        .frames = true,
        .direct = true,
        .direct_fd = direct,
        .seat = &its.seat,
        .slots = SLOTS,
        .max_body = MOST_BODY,
        .handler = handle,
        .shared = true,
    };
    char why[256];
    its.server = chainsi_server_start(&options, why, sizeof why);
    REQUIRE(its.server);
    return &its;
}

static void await_quiet(served *its)
{
    int64_t until_ns = chainsi_now_ns() + PATIENCE_MS * CHAINSI_NS_PER_MS;
    for (;;) {
        chainsi_server_counters counters;
        chainsi_server_read_counters(its->server, &counters);
        if (!counters.connections && !counters.in_flight && !counters.waiting &&
            chainsi_board_free_slots(its->board) == SLOTS)
            return;
        REQUIRE(chainsi_now_ns() < until_ns);
        poll(NULL, 0, 1);
    }
}

/* Puts claims into the calls of the input that ask for a slot. Returns how many. */
static size_t put_claims(served *its, char *data, size_t size, chainsi_claim claims[SLOTS])
{
    size_t count = 0;
    for (size_t at = CHAINSI_FRAME_PREFACE_SIZE; at < size && count < SLOTS;) {
        chainsi_frame frame;
        const char *why;
        ptrdiff_t head = chainsi_frame_parse(data + at, size - at, MOST_BODY, &frame, &why);
        if (head <= 0)
            break;
        if (frame.head.kind == CHAINSI_FRAME_CALL && frame.call.slot < SLOTS &&
            chainsi_board_claim(its->board, 0, 0, &claims[count])) {
            frame.call.slot = claims[count].slot;
            frame.call.claim = claims[count++].word;
            memcpy(data + at + sizeof frame.head, &frame.call, sizeof frame.call);
        }
        at += (size_t)head + frame.head.body_size;
    }
    return count;
}

/* Checks that what was answered is frames, or HTTP. */
static void check_answers(const char *data, size_t size)
{
    if (size >= 8 && !memcmp(data, "HTTP/1.1", 8))
        return;
    while (size) {
        chainsi_frame frame;
        const char *why;
        ptrdiff_t head = chainsi_frame_parse(data, size, MOST_BODY, &frame, &why);
        REQUIRE(head != CHAINSI_FRAME_REFUSED);
        if (head == CHAINSI_FRAME_MORE || (size_t)head + frame.head.body_size > size)
            return; /* cut off by a protocol error behind it */
        REQUIRE(frame.head.kind == CHAINSI_FRAME_ANSWER ||
                frame.head.kind == CHAINSI_FRAME_NOT_STARTED ||
                frame.head.kind == CHAINSI_FRAME_ITEM);
        data += (size_t)head + frame.head.body_size;
        size -= (size_t)head + frame.head.body_size;
    }
}

static size_t receive(int fd, char *data, size_t size, int wait_ms)
{
    struct pollfd watched = { .fd = fd, .events = POLLIN };
    if (poll(&watched, 1, wait_ms) <= 0)
        return 0;
    ssize_t got = recv(fd, data, size, MSG_DONTWAIT);
    return got > 0 ? (size_t)got : 0;
}

static void call_server(const char *input, size_t size, size_t piece, unsigned behaviour)
{
    served *its = the_server();
    bool queues = behaviour & QUEUES;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    REQUIRE(!connect(fd, (struct sockaddr *)(queues ? &its->shared : &its->direct),
                     queues ? its->shared_size : its->direct_size));
    char *data = malloc(size + CHAINSI_FRAME_PREFACE_SIZE), *answers = malloc(1024 * 1024);
    REQUIRE(data && answers);
    size_t preface = behaviour & BARE ? 0 : CHAINSI_FRAME_PREFACE_SIZE;
    memcpy(data, CHAINSI_FRAME_PREFACE, preface);
    memcpy(data + preface, input, size);
    size += preface;
    chainsi_claim claims[SLOTS];
    size_t claimed = behaviour & CLAIMS ? put_claims(its, data, size, claims) : 0;
    size_t have = 0;
    bool good = true;
    for (size_t at = 0; at < size && good;) {
        size_t part = size - at < piece ? size - at : piece;
        ssize_t sent = send(fd, data + at, part, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) {
            have += receive(fd, answers + have, 1024 * 1024 - have, 10);
            continue;
        }
        good = sent > 0;
        at += sent > 0 ? (size_t)sent : 0;
    }
    if (!(behaviour & CLOSES)) {
        shutdown(fd, SHUT_WR);
        for (size_t got; (got = receive(fd, answers + have, 1024 * 1024 - have, PATIENCE_MS));)
            have += got;
        check_answers(answers, have);
    }
    close(fd);
    for (size_t i = 0; i < claimed; i++)
        chainsi_board_withdraw(its->board, &claims[i]);
    free(data);
    free(answers);
    await_quiet(its);
}

/* ------------------------------------------------------------------------------------------------ */

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    if (size < 2 || size > MOST_SENT)
        return 0;
    size_t piece = (size_t)input[0] * 8 + 1;
    unsigned behaviour = input[1];
    const char *data = (const char *)input + 2;
    size -= 2;
    if (size / piece > 500)
        piece = size / 500 + 1;
    char *prefaced = malloc(size + CHAINSI_FRAME_PREFACE_SIZE);
    REQUIRE(prefaced);
    memcpy(prefaced, CHAINSI_FRAME_PREFACE, CHAINSI_FRAME_PREFACE_SIZE);
    memcpy(prefaced + CHAINSI_FRAME_PREFACE_SIZE, data, size);
    seen at_once = read_in_pieces(prefaced, size + CHAINSI_FRAME_PREFACE_SIZE, size + 100),
         by_and_by = read_in_pieces(prefaced, size + CHAINSI_FRAME_PREFACE_SIZE, piece);
    free(prefaced);
    REQUIRE(at_once.frames == by_and_by.frames && at_once.ended == by_and_by.ended);
    REQUIRE(at_once.requests == 0 && by_and_by.requests == 0);
    REQUIRE(at_once.digest == by_and_by.digest);
    call_server(data, size, piece, behaviour);
    return 0;
}
