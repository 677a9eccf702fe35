/* A server that takes frames, with a board and without; its handler does what the body says. Callers
 * are raw sockets. */
#ifndef CHAINSI_RPC_FRAMES_TEST_SUPPORT_H
#define CHAINSI_RPC_FRAMES_TEST_SUPPORT_H

#include <sys/un.h>

#include "rpc/server_test_support.h"

enum { INCARNATION = 0x1234 };

/* ------------------------------------------------------------------------------------------------
 * the service */

/* "wait" waits for the gate; anything else is echoed. Beside it the first descriptor is read from. */
__attribute__((unused)) static void handle_frames(void *user, chainsi_server_request *request,
                                                  chainsi_server_response *response)
{
    fixture *it = user;
    if (!request->frame) {
        handle(user, request, response);
        return;
    }
    int running = atomic_fetch_add(&it->running, 1) + 1, most = atomic_load(&it->most_running);
    while (running > most && !atomic_compare_exchange_weak(&it->most_running, &most, running)) {
    }
    atomic_fetch_add(&it->handled, 1);
    assert_int_equal(request->body[request->body_size], 0);
    if (!strcmp(request->body, "wait")) {
        while (sem_wait(&it->gate)) {
        }
    } else if (!strcmp(request->body, "meet")) {
        /* Until two are here. */
        AWAIT(atomic_load(&it->most_running) >= 2);
    } else if (!strcmp(request->body, "endure")) {
        if (request->cancelled)
            AWAIT(atomic_load(request->cancelled));
        else
            assert_int_equal(poll(&(struct pollfd){ .fd = request->fd, .events = request->hang_up },
                                  1, PATIENCE_MS),
                             1);
        atomic_fetch_add(&it->gone, 1);
    } else if (!strcmp(request->body, "fail")) {
        response->status = 5;
        response->retry_after_ms = 7;
    } else if (!strcmp(request->body, "descriptors")) {
        for (int i = 0; i < request->fd_count; i++) {
            char text[16];
            ssize_t got = read(request->fds[i], text, sizeof text);
            chainsi_buffer_add(response->body, text, got > 0 ? (size_t)got : 0);
        }
        response->fds[response->fd_count++] = request->fds[0];
        request->fds[0] = -1;
    } else if (!strcmp(request->body, "large")) {
        memset(chainsi_buffer_reserve(response->body, LARGE), 'x', LARGE);
        response->body->size = LARGE;
    } else if (!strcmp(request->body, "id")) {
        chainsi_buffer_add(response->body, request->frame->request_id,
                           request->frame->call.request_id_size);
    } else {
        chainsi_buffer_add(response->body, request->body, request->body_size);
    }
    atomic_fetch_sub(&it->running, 1);
}

typedef struct boarded {
    fixture it;
    chainsi_board *board;
    chainsi_seat seat;
} boarded;

__attribute__((unused)) static void start_boarded(boarded *its, int slots,
                                                  chainsi_server_options options)
{
    int memory = chainsi_board_create(0);
    its->board = chainsi_board_open(memory);
    assert_non_null(its->board);
    close(memory);
    struct sockaddr_un address;
    socklen_t size = chainsi_board_address(INCARNATION + (uint64_t)getpid(), &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_true(chainsi_board_join(its->board, (uint32_t)slots, INCARNATION + (uint64_t)getpid(),
                                   &its->seat));
    options.slots = slots;
    options.frames = true;
    if (!options.handler)
        options.handler = handle_frames;
    options.direct = true;
    options.direct_fd = fd;
    options.seat = &its->seat;
    start(&its->it, false, options);
}

__attribute__((unused)) static void stop_boarded(boarded *its)
{
    stop(&its->it);
    chainsi_board_close(its->board);
}

__attribute__((unused)) static int dial_direct(boarded *its)
{
    struct sockaddr_un address;
    socklen_t size = chainsi_board_address(its->seat.incarnation, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, size), 0);
    return fd;
}

/* ------------------------------------------------------------------------------------------------
 * callers */

__attribute__((unused)) static chainsi_claim claim_slot(boarded *its)
{
    chainsi_claim claim;
    AWAIT(chainsi_board_claim(its->board, 0, 0, &claim));
    return claim;
}

/* A CALL as it stands on the wire. */
__attribute__((unused)) static size_t write_call(char *text, uint32_t id, int flags,
                                                 const chainsi_claim *claim, const char *body)
{
    chainsi_frame frame = {
        .head = { .kind = CHAINSI_FRAME_CALL,
                  .flags = (uint8_t)flags,
                  .id = id,
                  .body_size = strlen(body) },
        .call = { .deadline_ns = CHAINSI_NEVER,
                  .slot = claim ? claim->slot : CHAINSI_FRAME_NO_SLOT,
                  .claim = claim ? claim->word : 0,
                  .request_id_size = 3 },
        .request_id = "abc",
    };
    size_t size = chainsi_frame_write(&frame, text);
    memcpy(text + size, body, strlen(body));
    return size + strlen(body);
}

__attribute__((unused)) static void greet(int fd)
{
    assert_int_equal(send(fd, CHAINSI_FRAME_PREFACE, CHAINSI_FRAME_PREFACE_SIZE, MSG_NOSIGNAL),
                     CHAINSI_FRAME_PREFACE_SIZE);
}

__attribute__((unused)) static void call(int fd, uint32_t id, int flags, const chainsi_claim *claim,
                                         const char *body)
{
    char text[1024];
    size_t size = write_call(text, id, flags, claim, body);
    assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), size);
}

__attribute__((unused)) static void read_exactly(int fd, void *data, size_t size)
{
    for (size_t have = 0; have < size;) {
        struct pollfd watched = { .fd = fd, .events = POLLIN };
        assert_int_equal(poll(&watched, 1, PATIENCE_MS), 1);
        ssize_t got = recv(fd, (char *)data + have, size - have, 0);
        assert_true(got > 0);
        have += (size_t)got;
    }
}

/* Reads one frame; body gets a NUL. */
__attribute__((unused)) static chainsi_frame hear_frame(int fd, char *body, size_t body_size)
{
    chainsi_frame frame = { 0 };
    read_exactly(fd, &frame.head, sizeof frame.head);
    read_exactly(fd, &frame.answer, sizeof frame.answer);
    assert_true(frame.head.body_size < body_size);
    read_exactly(fd, body, frame.head.body_size);
    body[frame.head.body_size] = 0;
    return frame;
}

__attribute__((unused)) static void expect_answer(int fd, uint32_t id, const char *body)
{
    char text[1024];
    chainsi_frame frame = hear_frame(fd, text, sizeof text);
    assert_int_equal(frame.head.kind, CHAINSI_FRAME_ANSWER);
    assert_int_equal(frame.head.id, id);
    assert_int_equal(frame.head.status, 0);
    assert_string_equal(text, body);
}

__attribute__((unused)) static void expect_not_started(int fd, uint32_t id)
{
    char text[16];
    chainsi_frame frame = hear_frame(fd, text, sizeof text);
    assert_int_equal(frame.head.kind, CHAINSI_FRAME_NOT_STARTED);
    assert_int_equal(frame.head.id, id);
}

__attribute__((unused)) static void send_with_descriptors(int fd, const void *data, size_t size,
                                                          const int *fds, int count)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(64 * sizeof(int))] = { 0 };
    size_t bytes = (size_t)count * sizeof *fds;
    struct iovec part = { (void *)(uintptr_t)data, size };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control,
                              .msg_controllen = CMSG_SPACE(bytes) };
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(rights), fds, bytes);
    assert_int_equal(sendmsg(fd, &message, MSG_NOSIGNAL), size);
}

__attribute__((unused)) static void expect_with_descriptor(int fd, uint32_t id, const char *body,
                                                           int *got)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    char text[256];
    struct iovec part = { text, sizeof text - 1 };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    struct pollfd watched = { .fd = fd, .events = POLLIN };
    assert_int_equal(poll(&watched, 1, PATIENCE_MS), 1);
    ssize_t size = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    chainsi_frame frame;
    const char *why;
    ptrdiff_t head = chainsi_frame_parse(text, (size_t)size, 1000, &frame, &why);
    assert_true(head > 0);
    assert_int_equal(frame.head.id, id);
    assert_int_equal(frame.head.attachments, 1);
    text[size] = 0;
    assert_string_equal(text + head, body);
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    assert_non_null(rights);
    memcpy(got, CMSG_DATA(rights), sizeof *got);
}

#endif
