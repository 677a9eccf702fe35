/* A replica with a fault, in its own process: how it reads a call, and answers, in frames and by HTTP. It makes
 * system calls only. */
#ifndef CHAINSI_RUNTIME_FAULTS_TEST_SUPPORT_H
#define CHAINSI_RUNTIME_FAULTS_TEST_SUPPORT_H

#include <poll.h>
#include <signal.h>

#include "runtime/call_test_support.h"

enum {
    MOST_BYTES = 4 << 20,
    TOO_SLOW = 4, /* how a replica ends whose call had moved elsewhere before it could begin it */
};

typedef struct victim {
    int connection;
    bool http;
    const chainsi_seat *seat; /* NULL: no board */
    chainsi_frame call;
} victim;

static char bytes[MOST_BYTES];

static _Noreturn void die(void)
{
    kill(getpid(), SIGKILL);
    _exit(1);
}

static _Noreturn void stand_still(void)
{
    for (;;)
        poll(NULL, 0, -1);
}

static void must(bool good)
{
    if (!good)
        _exit(3);
}

/* Whether the bytes are a whole call. */
static bool is_whole(victim *it, size_t size)
{
    if (it->http) {
        const char *end = memmem(bytes, size, "\r\n\r\n", 4);
        const char *length = memmem(bytes, size, "Content-Length: ", 16);
        return end && length && size == (size_t)(end - bytes) + 4 + strtoul(length + 16, NULL, 10);
    }
    const char *why;
    ptrdiff_t head =
        size < CHAINSI_FRAME_PREFACE_SIZE
            ? CHAINSI_FRAME_MORE
            : chainsi_frame_parse(bytes + CHAINSI_FRAME_PREFACE_SIZE,
                                  size - CHAINSI_FRAME_PREFACE_SIZE, MOST_BYTES, &it->call, &why);
    must(head >= 0);
    return head && size == CHAINSI_FRAME_PREFACE_SIZE + (size_t)head + it->call.head.body_size;
}

static bool has_claim(const victim *it)
{
    return it->seat && it->call.call.slot != CHAINSI_FRAME_NO_SLOT;
}

/* Reads a whole call; `start`: and begins it, on the slot that it claims. pause_us after each read.
 * False: its caller has left. */
static bool read_call(victim *it, bool start, size_t piece, useconds_t pause_us)
{
    size_t size = 0;
    while (!is_whole(it, size)) {
        size_t room = sizeof bytes - size;
        ssize_t got = recv(it->connection, bytes + size, room < piece ? room : piece, 0);
        if (got <= 0)
            return false;
        size += (size_t)got;
        if (pause_us)
            usleep(pause_us);
    }
    if (start && has_claim(it) &&
        !chainsi_seat_start(it->seat, it->call.call.slot, it->call.call.claim))
        _exit(TOO_SLOW);
    return true;
}

static void take(victim *it)
{
    if (!read_call(it, true, sizeof bytes, 0))
        _exit(TOO_SLOW);
}

static const char good_body[] = "\x82\xa4text\xa2ok\xa3sum\x07";

/* A kind that no answer has is another protocol here. */
static size_t write_http_head(const chainsi_frame_head *head, char *out)
{
    return (size_t)sprintf(out,
                           "%s/1.1 %s\r\nContent-Type: application/msgpack\r\n"
                           "Content-Length: %llu\r\n\r\n",
                           head->kind == CHAINSI_FRAME_ANSWER ? "HTTP" : "POEM",
                           head->status ? "404 Not Found" : "200 OK",
                           (unsigned long long)head->body_size);
}

/* Writes an answer to the call, its head changed by whoever wants to; how many bytes. */
static size_t write_answer(const victim *it, const chainsi_frame_head *head, char *out)
{
    chainsi_frame frame = { .head = *head };
    frame.head.id += it->call.head.id;
    if (!frame.head.kind)
        frame.head.kind = CHAINSI_FRAME_ANSWER;
    if (!frame.head.body_size)
        frame.head.body_size = sizeof good_body - 1;
    size_t size = it->http ? write_http_head(&frame.head, out) : chainsi_frame_write(&frame, out);
    memcpy(out + size, good_body, sizeof good_body - 1);
    return size + sizeof good_body - 1;
}

static void free_slot(const victim *it)
{
    if (has_claim(it))
        chainsi_seat_free(it->seat, it->call.call.slot, 1000);
}

static void send_some(const victim *it, const void *data, size_t size)
{
    send(it->connection, data, size, MSG_NOSIGNAL);
}

static void answer(victim *it, chainsi_frame_head head)
{
    char out[256];
    size_t size = write_answer(it, &head, out);
    free_slot(it);
    send_some(it, out, size);
}

static void answer_with(victim *it, uint8_t announced, int count)
{
    char out[256];
    int fds[32] = { 0 };
    size_t size = write_answer(it, &(chainsi_frame_head){ .attachments = announced }, out);
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof fds)] = { 0 };
    struct iovec part = { out, size };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control,
                              .msg_controllen = CMSG_SPACE((size_t)count * sizeof *fds) };
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN((size_t)count * sizeof *fds);
    memcpy(CMSG_DATA(rights), fds, (size_t)count * sizeof *fds);
    free_slot(it);
    must(sendmsg(it->connection, &message, MSG_NOSIGNAL) == (ssize_t)size);
    stand_still();
}

#endif
