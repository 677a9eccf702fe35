/* The calling side between Chainlets, with a callee that answers with the input: one call, one that
 * takes items, and several on one connection. The first byte is the size of the pieces, which makes
 * no difference; the second how many calls are on the connection. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"
#include "rpc/link.h"
#include "rpc/sheaf.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { MOST_BODY = 20000, MOST_SENT = 64 * 1024, MOST_CALLS = 40, MOST_ITEMS = 200 };

static uint64_t digest(uint64_t so_far, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        so_far = (so_far ^ bytes[i]) * UINT64_C(1099511628211);
    return (so_far ^ size) * UINT64_C(1099511628211);
}

/* ------------------------------------------------------------------------------------------------
 * several calls on a connection */

typedef struct bundled {
    int answers, refused;
    uint64_t digest;
} bundled;

static bundled run_sheaf(const char *data, size_t size, size_t piece, int calls)
{
    static int users[MOST_CALLS];
    int ends[2];
    bundled its = { 0 };
    chainsi_arena arena = { 0 };
    chainsi_sheaf sheaf;
    REQUIRE(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    chainsi_wire wire = { .fd = ends[0] };
    chainsi_sheaf_init(&sheaf, &wire);
    for (int i = 0; i < calls; i++) {
        chainsi_frame frame = { .head = { .kind = CHAINSI_FRAME_CALL, .body_size = 2 } };
        chainsi_sheaf_add(&sheaf, &frame, "hi", NULL, &users[i]);
    }
    REQUIRE(chainsi_sheaf_flush(&sheaf) == 0);
    if (calls > 2) /* an answer that nobody waits for any more */
        chainsi_sheaf_abandon(&sheaf, 1, false);
    for (size_t at = 0; at < size && !its.refused; at += piece) {
        size_t part = size - at < piece ? size - at : piece;
        REQUIRE(send(ends[1], data + at, part, MSG_NOSIGNAL) == (ssize_t)part);
        ptrdiff_t got;
        while (!its.refused && (got = chainsi_sheaf_read(&sheaf, &arena, false)) > 0) {
            chainsi_sheaf_answer answer;
            const char *why = NULL;
            int taken;
            while ((taken = chainsi_sheaf_next(&sheaf, MOST_BODY, &answer, &why)) > 0) {
                REQUIRE((int *)answer.user >= users && (int *)answer.user < users + calls);
                its.digest = digest(its.digest, answer.body, answer.frame.head.body_size);
                memset(answer.body, 'x', answer.frame.head.body_size);
                its.answers++;
            }
            if (taken < 0) {
                REQUIRE(why && *why);
                its.refused = 1;
            }
        }
    }
    uint32_t left = sheaf.waiting;
    bool has_left;
    while (chainsi_sheaf_take_back(&sheaf, &has_left))
        left--;
    REQUIRE(left == 0 && its.answers <= calls);
    chainsi_sheaf_done(&sheaf);
    chainsi_arena_done(&arena);
    close(ends[1]);
    return its;
}

/* ------------------------------------------------------------------------------------------------
 * one call */

static chainsi_link *make_link(void)
{
    REQUIRE(start_peer("hi"));
    return chainsi_link_new(peer.path, -1);
}

typedef struct called {
    chainsi_exchange_end end;
    int items;
    uint64_t digest;
} called;

static bool take_item(void *user, char *item, size_t size, const int *attachments, int count)
{
    called *its = user;
    (void)attachments;
    REQUIRE(size <= MOST_BODY && count == 0);
    its->digest = digest(its->digest, item, size);
    memset(item, 'x', size);
    return ++its->items < MOST_ITEMS;
}

static called call(const char *data, size_t size, size_t piece, bool takes_items)
{
    static chainsi_link *link;
    if (!link)
        link = make_link();
    set_answer(data, size, piece);
    chainsi_link_request request = { .request_id = "",
                                     .body = "hi",
                                     .body_size = 2,
                                     .deadline_ns = CHAINSI_NEVER,
                                     .max_body = MOST_BODY,
                                     .elsewhere = true };
    chainsi_arena arena = { 0 };
    chainsi_link_answer answer;
    char why[256] = "";
    called result = { .items = 0 };
    chainsi_link_sink sink = { .take = take_item, .user = &result, .deadline_ns = CHAINSI_NEVER };
    if (takes_items)
        request.sink = &sink;
    result.end = chainsi_link_exchange(link, &request, &arena, &answer, why, sizeof why);
    REQUIRE(answer.attachment_count == 0);
    REQUIRE(result.end != CHAINSI_EXCHANGE_NOT_STARTED || !result.items);
    if (result.end == CHAINSI_EXCHANGE_ANSWERED) {
        REQUIRE(answer.body_size <= MOST_BODY && answer.body[answer.body_size] == 0);
        result.digest = digest(result.digest ^ answer.status, answer.body, answer.body_size);
    } else {
        REQUIRE(why[0]);
    }
    chainsi_link_close_idle(link);
    chainsi_arena_done(&arena);
    await_peer();
    return result;
}

/* ------------------------------------------------------------------------------------------------ */

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    if (size < 2 || size > MOST_SENT)
        return 0;
    size_t piece = (size_t)input[0] + 1;
    int calls = input[1] % MOST_CALLS + 1;
    const char *data = (const char *)input + 2;
    size -= 2;
    if (size / piece > 2000)
        piece = size / 2000 + 1;
    bundled at_once = run_sheaf(data, size, size + 1, calls);
    bundled by_and_by = run_sheaf(data, size, piece, calls);
    REQUIRE(at_once.answers == by_and_by.answers && at_once.refused == by_and_by.refused);
    REQUIRE(at_once.digest == by_and_by.digest);
    for (int takes_items = 0; calls == 1 && takes_items < 2; takes_items++) {
        called first = call(data, size, size + 1, takes_items),
               second = call(data, size, piece, takes_items);
        REQUIRE(first.end == second.end && first.digest == second.digest);
        REQUIRE(first.items == second.items);
    }
    return 0;
}
