/* What a replica over TCP may say of its slots: the answer to a want, at once and in pieces, on a fresh connection
 * and on one that had been kept. The first byte is the size of the pieces; it makes no difference but that bytes behind
 * a grant may be seen only later. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/client.h"
#include "rpc/want.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { MOST_SENT = 16 * 1024, PATIENCE_MS = 10000 };

static int listening = -1;
static chainsi_client *client;

static void listen_once(void)
{
    char text[64] = "http://127.0.0.1:0", why[256];
    chainsi_address address;
    REQUIRE(chainsi_address_parse(text, &address, why, sizeof why));
    listening = chainsi_address_listen(&address, 16, why, sizeof why);
    REQUIRE(listening >= 0 && chainsi_address_of(listening, text, sizeof text));
    chainsi_address_done(&address);
    client = chainsi_client_new(text, why, sizeof why);
    REQUIRE(client);
}

static void wait_for(int fd, short events)
{
    struct pollfd watched = { .fd = fd, .events = events };
    REQUIRE(poll(&watched, 1, PATIENCE_MS) == 1);
}

/* Takes the connection of a want, and reads what it asks. */
static int take_connection(chainsi_want *want)
{
    char asked[512];
    size_t have = 0;
    chainsi_grants_slots slots;
    wait_for(listening, POLLIN);
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    REQUIRE(fd >= 0);
    while (have < 4 || memcmp(asked + have - 4, "\r\n\r\n", 4) != 0) {
        REQUIRE(chainsi_want_look(want, &slots) == CHAINSI_WANT_WAITS);
        ssize_t got = recv(fd, asked + have, sizeof asked - have, MSG_DONTWAIT);
        REQUIRE(got != 0 && have < sizeof asked);
        have += got > 0 ? (size_t)got : 0;
    }
    return fd;
}

/* How a want ends that is answered with data in pieces, and then by the connection's end. */
static chainsi_want_end answer(const char *data, size_t size, size_t piece)
{
    chainsi_want *want = chainsi_want_new(client);
    REQUIRE(want);
    int fd = take_connection(want);
    chainsi_want_end end = CHAINSI_WANT_WAITS;
    chainsi_grants_slots slots = { 1, 0 };
    for (size_t at = 0; at < size && end == CHAINSI_WANT_WAITS; at += piece) {
        size_t part = size - at < piece ? size - at : piece;
        REQUIRE(send(fd, data + at, part, MSG_NOSIGNAL) == (ssize_t)part);
        wait_for(chainsi_want_fd(want), POLLIN);
        end = chainsi_want_look(want, &slots);
    }
    REQUIRE(!shutdown(fd, SHUT_WR));
    while (end == CHAINSI_WANT_WAITS) {
        wait_for(chainsi_want_fd(want), chainsi_want_events(want));
        end = chainsi_want_look(want, &slots);
    }
    REQUIRE(slots.free <= slots.total);
    REQUIRE(end != CHAINSI_WANT_GRANTED || slots.total);
    if (end == CHAINSI_WANT_GRANTED) {
        chainsi_channel granted = chainsi_want_take(want);
        chainsi_channel_close(&granted);
    } else {
        chainsi_want_free(want);
    }
    close(fd);
    return end;
}

static bool is_use_of_connection(chainsi_want_end end)
{
    return end == CHAINSI_WANT_GRANTED || end == CHAINSI_WANT_LOST;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    if (listening < 0)
        listen_once();
    if (size < 1 || size > MOST_SENT)
        return 0;
    const char *data = (const char *)input + 1;
    chainsi_want_end whole = answer(data, size - 1, MOST_SENT);
    chainsi_want_end parts = answer(data, size - 1, input[0] ? input[0] : 1);
    REQUIRE(whole == parts || (is_use_of_connection(whole) && is_use_of_connection(parts)));
    return 0;
}
