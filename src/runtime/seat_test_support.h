/* A seat on a board for a server of a test, as a service's main() takes one. */
#ifndef CHAINSI_RUNTIME_SEAT_TEST_SUPPORT_H
#define CHAINSI_RUNTIME_SEAT_TEST_SUPPORT_H

#include <sys/socket.h>
#include <sys/un.h>

#include "rpc/board.h"
#include "rpc/server.h"
#include "runtime/context.h"

/* A socket of the incarnation's own, for calls that come with claims. */
static inline int listen_directly(uint64_t incarnation)
{
    struct sockaddr_un address;
    socklen_t size = chainsi_board_address(incarnation, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 256), 0);
    return fd;
}

/* Offers the server's slots on the board. *seat must live until it has started. */
static inline void take_seat(chainsi_board *board, chainsi_server_options *options,
                             chainsi_seat *seat)
{
    uint64_t incarnation = chainsi_random() | 1;
    options->direct = true;
    options->direct_fd = listen_directly(incarnation);
    options->seat = seat;
    assert_true(chainsi_board_join(board, (uint32_t)options->slots, incarnation, seat));
}

#endif
