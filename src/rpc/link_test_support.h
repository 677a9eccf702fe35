/* A replica for tests of the calling side: one thread that speaks frames on the service's shared
 * socket and, with a board, on one of its own. What it does with a call is a function of the test. */
#ifndef CHAINSI_RPC_LINK_TEST_SUPPORT_H
#define CHAINSI_RPC_LINK_TEST_SUPPORT_H

#include "rpc/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "rpc/limits.h"

enum { STAND_IN_CONNECTIONS = 512, STAND_IN_BYTES = 4 << 20 };

typedef struct stand_in stand_in;
struct stand_in {
    /* Set before it starts. */
    int shared_fd;        /* the service's; not owned; -1: it doesn't listen there */
    chainsi_board *board; /* NULL: none */
    uint32_t slots;       /* on the board */
    /* Called for each call; answers it now or never. */
    void (*handle)(stand_in *it, int connection, const chainsi_frame *frame, const char *body);
    void *user;

    chainsi_seat seat;
    int own_fd, wake;
    atomic_bool stopping, deaf; /* deaf: reads nothing and accepts nothing */
    atomic_int accepted, calls, cancels, hang_ups;
    struct {
        int fd;
        bool begun; /* its preface was read */
        char *data;
        size_t size;
    } connections[STAND_IN_CONNECTIONS];
    int connection_count;
    chainsi_frame last; /* the last call */
    pthread_t thread;
};

__attribute__((unused)) static void stand_in_send(stand_in *it, int connection, const void *data,
                                                  size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t sent =
            send(it->connections[connection].fd, (const char *)data + at, size - at, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        at += (size_t)sent;
    }
}

__attribute__((unused)) static void stand_in_answer(stand_in *it, int connection,
                                                    const chainsi_frame *call, uint8_t status,
                                                    const char *body, size_t size)
{
    chainsi_frame frame = {
        .head = { .kind = CHAINSI_FRAME_ANSWER,
                  .status = status,
                  .id = call->head.id,
                  .body_size = size },
        .answer = { .incarnation = it->seat.incarnation },
    };
    char *data = malloc(CHAINSI_FRAME_MAX_HEAD + size);
    size_t head = chainsi_frame_write(&frame, data);
    memcpy(data + head, body, size);
    if (call->call.slot != CHAINSI_FRAME_NO_SLOT)
        chainsi_seat_free(&it->seat, call->call.slot, 1000);
    stand_in_send(it, connection, data, head + size);
    free(data);
}

__attribute__((unused)) static void stand_in_refuse(stand_in *it, int connection,
                                                    const chainsi_frame *call)
{
    chainsi_frame frame = {
        .head = { .kind = CHAINSI_FRAME_NOT_STARTED, .id = call->head.id },
        .answer = { .incarnation = it->seat.incarnation, .retry_after_ms = 3 },
    };
    char data[CHAINSI_FRAME_MAX_HEAD];
    stand_in_send(it, connection, data, chainsi_frame_write(&frame, data));
}

/* Answers with the call's own body. */
__attribute__((unused)) static void stand_in_echo(stand_in *it, int connection,
                                                  const chainsi_frame *frame, const char *body)
{
    stand_in_answer(it, connection, frame, 0, body, frame->head.body_size);
}

static void stand_in_close(stand_in *it, int connection)
{
    close(it->connections[connection].fd);
    free(it->connections[connection].data);
    it->connections[connection] = it->connections[--it->connection_count];
}

/* Takes the frames that are whole. False: the connection was closed by the handler. */
static bool stand_in_take(stand_in *it, int connection)
{
    size_t at = 0;
    char *data = it->connections[connection].data;
    size_t size = it->connections[connection].size;
    if (!it->connections[connection].begun) {
        if (size < CHAINSI_FRAME_PREFACE_SIZE)
            return true;
        assert_memory_equal(data, CHAINSI_FRAME_PREFACE, CHAINSI_FRAME_PREFACE_SIZE);
        it->connections[connection].begun = true;
        at = CHAINSI_FRAME_PREFACE_SIZE;
    }
    for (;;) {
        chainsi_frame frame;
        const char *why = "";
        ptrdiff_t head = chainsi_frame_parse(data + at, size - at, STAND_IN_BYTES, &frame, &why);
        if (head < 0)
            fail_msg("a frame was refused: %s", why);
        if (head == 0 || size - at - (size_t)head < frame.head.body_size)
            break;
        const char *body = data + at + head;
        at += (size_t)head + frame.head.body_size;
        if (frame.head.kind == CHAINSI_FRAME_CANCEL) {
            atomic_fetch_add(&it->cancels, 1);
            continue;
        }
        assert_int_equal(frame.head.kind, CHAINSI_FRAME_CALL);
        it->last = frame;
        bool started = frame.call.slot == CHAINSI_FRAME_NO_SLOT ||
                       chainsi_seat_start(&it->seat, frame.call.slot, frame.call.claim);
        atomic_fetch_add(&it->calls, 1);
        int before = it->connection_count;
        if (started)
            it->handle(it, connection, &frame, body);
        else
            stand_in_refuse(it, connection, &frame);
        if (it->connection_count != before)
            return false;
    }
    memmove(data, data + at, size - at);
    it->connections[connection].size = size - at;
    return true;
}

static void stand_in_read(stand_in *it, int connection)
{
    ssize_t got = recv(it->connections[connection].fd,
                       it->connections[connection].data + it->connections[connection].size,
                       STAND_IN_BYTES - it->connections[connection].size, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        atomic_fetch_add(&it->hang_ups, 1);
        stand_in_close(it, connection);
        return;
    }
    it->connections[connection].size += (size_t)got;
    stand_in_take(it, connection);
}

static void stand_in_accept(stand_in *it, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    assert_true(it->connection_count < STAND_IN_CONNECTIONS);
    int index = it->connection_count++;
    memset(&it->connections[index], 0, sizeof it->connections[index]);
    it->connections[index].fd = fd;
    it->connections[index].data = malloc(STAND_IN_BYTES);
    atomic_fetch_add(&it->accepted, 1);
}

static void *stand_in_run(void *user)
{
    stand_in *it = user;
    struct pollfd watched[STAND_IN_CONNECTIONS + 3];
    while (!atomic_load(&it->stopping)) {
        bool deaf = atomic_load(&it->deaf);
        int count = it->connection_count;
        watched[0] = (struct pollfd){ .fd = it->wake, .events = POLLIN };
        watched[1] = (struct pollfd){ .fd = deaf ? -1 : it->own_fd, .events = POLLIN };
        watched[2] = (struct pollfd){ .fd = deaf ? -1 : it->shared_fd, .events = POLLIN };
        for (int i = 0; i < count; i++)
            watched[3 + i] =
                (struct pollfd){ .fd = deaf ? -1 : it->connections[i].fd, .events = POLLIN };
        poll(watched, (nfds_t)count + 3, -1);
        uint64_t woken;
        if (watched[0].revents && read(it->wake, &woken, sizeof woken) < 0)
            continue;
        if (atomic_load(&it->deaf))
            continue;
        for (int i = count - 1; i >= 0; i--)
            if (watched[3 + i].revents)
                stand_in_read(it, i);
        for (int i = 1; i < 3; i++)
            if (watched[i].revents)
                stand_in_accept(it, watched[i].fd);
    }
    return NULL;
}

__attribute__((unused)) static void stand_in_wake(stand_in *it)
{
    uint64_t one = 1;
    assert_int_equal(write(it->wake, &one, sizeof one), sizeof one);
}

__attribute__((unused)) static void stand_in_start(stand_in *it)
{
    static _Atomic uint64_t incarnations = 0;
    it->own_fd = -1;
    it->wake = eventfd(0, EFD_CLOEXEC);
    if (it->board) {
        uint64_t incarnation =
            ((uint64_t)getpid() << 32 | (atomic_fetch_add(&incarnations, 1) + 1)) << 1 | 1;
        struct sockaddr_un address;
        socklen_t size = chainsi_board_address(incarnation, &address);
        it->own_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(bind(it->own_fd, (struct sockaddr *)&address, size), 0);
        assert_int_equal(listen(it->own_fd, 64), 0);
        assert_true(chainsi_board_join(it->board, it->slots, incarnation, &it->seat));
    }
    assert_int_equal(pthread_create(&it->thread, NULL, stand_in_run, it), 0);
}

/* Ends it as kill -9 would: everything is closed, the board says nothing. */
__attribute__((unused)) static void stand_in_kill(stand_in *it)
{
    atomic_store(&it->stopping, true);
    stand_in_wake(it);
    pthread_join(it->thread, NULL);
    while (it->connection_count)
        stand_in_close(it, it->connection_count - 1);
    if (it->own_fd >= 0)
        close(it->own_fd);
    close(it->wake);
}

__attribute__((unused)) static void stand_in_stop(stand_in *it)
{
    chainsi_seat_leave(&it->seat);
    stand_in_kill(it);
}

/* A service without replicas: its shared socket and its board. */
typedef struct stand {
    char folder[32], path[64];
    int shared_fd, board_fd;
    chainsi_board *board; /* the replicas' mapping */
    chainsi_link *link;
} stand;

__attribute__((unused)) static void open_stand(stand *it, bool with_board, uint32_t max_queue)
{
    char why[256];
    *it = (stand){ .folder = "/tmp/chains-link-XXXXXX", .board_fd = -1 };
    assert_non_null(mkdtemp(it->folder));
    snprintf(it->path, sizeof it->path, "%s/s", it->folder);
    chainsi_address address = { .kind = CHAINSI_ADDRESS_UNIX, .path = it->path };
    it->shared_fd = chainsi_address_listen(&address, 64, why, sizeof why);
    assert_true(it->shared_fd >= 0);
    if (with_board) {
        it->board_fd = chainsi_board_create(max_queue);
        assert_true(it->board_fd >= 0);
        it->board = chainsi_board_open(it->board_fd);
    }
    it->link = chainsi_link_new(it->path, it->board_fd);
}

__attribute__((unused)) static void close_stand(stand *it)
{
    chainsi_link_free(it->link);
    chainsi_board_close(it->board);
    if (it->board_fd >= 0)
        close(it->board_fd);
    close(it->shared_fd);
    unlink(it->path);
    rmdir(it->folder);
}

#endif
