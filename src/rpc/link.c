/* The connections of a link and its claims.
 *
 * Invariants: a kept connection has nothing outstanding in either direction, and knows its replica
 * if the link has a board. */
#include "rpc/link.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rpc/joint.h"
#include "rpc/limits.h"
#include "rpc/near_parts.h"

struct chainsi_link {
    chainsi_address address; /* of the shared socket; is_near: of the only replica's own */
    bool is_near;
    chainsi_board *board;    /* owned; NULL: none */
    chainsi_joint *joint;    /* owned; NULL: none */
    _Atomic uint64_t recent; /* the replica that was used last; 0: none yet */
    _Atomic uint64_t avoided;
    _Atomic int64_t avoided_until_ns;
    pthread_mutex_t lock;                /* of what follows */
    int kept_count;                      /* the last one is the most recent */
    chainsi_wire kept[CHAINSI_MAX_IDLE]; /* owned */
};

chainsi_link *chainsi_link_new(const char *path, int board_fd)
{
    chainsi_link *link = calloc(1, sizeof *link);
    char *copy = strdup(path);
    if (!link || !copy)
        abort();
    link->address = (chainsi_address){ .kind = CHAINSI_ADDRESS_UNIX, .path = copy };
    link->board = board_fd >= 0 ? chainsi_board_open(board_fd) : NULL;
    pthread_mutex_init(&link->lock, NULL);
    link->joint = link->board ? chainsi_joint_new(link) : NULL;
    return link;
}

chainsi_link *chainsi_link_new_near(const char *path, int board_fd)
{
    chainsi_link *link = chainsi_link_new(path, board_fd);
    link->is_near = true;
    return link;
}

void chainsi_link_close_idle(chainsi_link *link)
{
    chainsi_wire wire;
    if (link->joint)
        chainsi_joint_close_idle(link->joint);
    while (chainsi_link_take(link, 0, &wire))
        chainsi_wire_close(&wire);
}

void chainsi_link_free(chainsi_link *link)
{
    if (!link)
        return;
    chainsi_joint_free(link->joint);
    link->joint = NULL;
    chainsi_link_close_idle(link);
    chainsi_board_close(link->board);
    chainsi_address_done(&link->address);
    pthread_mutex_destroy(&link->lock);
    free(link);
}

chainsi_joint *chainsi_link_joint(const chainsi_link *link)
{
    return link->joint;
}

chainsi_board *chainsi_link_board(const chainsi_link *link)
{
    return link->board;
}

/* ------------------------------------------------------------------------------------------------
 * connections */

/* Takes out the kept connection at index, locked. */
static chainsi_wire remove_kept(chainsi_link *link, int index)
{
    chainsi_wire wire = link->kept[index];
    link->kept_count--;
    memmove(&link->kept[index], &link->kept[index + 1],
            (size_t)(link->kept_count - index) * sizeof *link->kept);
    return wire;
}

/* The most recent kept connection to that replica (0: to any), locked; -1. */
static int find_kept(const chainsi_link *link, uint64_t incarnation)
{
    int index = link->kept_count - 1;
    while (incarnation && index >= 0 && link->kept[index].incarnation != incarnation)
        index--;
    return index;
}

bool chainsi_link_take(chainsi_link *link, uint64_t incarnation, chainsi_wire *wire)
{
    pthread_mutex_lock(&link->lock);
    int index = find_kept(link, incarnation);
    if (index >= 0)
        *wire = remove_kept(link, index);
    pthread_mutex_unlock(&link->lock);
    return index >= 0;
}

void chainsi_link_keep(chainsi_link *link, chainsi_wire *wire)
{
    chainsi_wire oldest = { .fd = -1 };
    wire->kept = true;
    if (link->board && !wire->incarnation) { /* nobody would ever ask for it */
        chainsi_wire_close(wire);
        return;
    }
    pthread_mutex_lock(&link->lock);
    if (link->kept_count == CHAINSI_MAX_IDLE)
        oldest = remove_kept(link, 0);
    link->kept[link->kept_count++] = *wire;
    pthread_mutex_unlock(&link->lock);
    *wire = (chainsi_wire){ .fd = -1 };
    chainsi_wire_close(&oldest);
}

void chainsi_wire_close(chainsi_wire *wire)
{
    if (wire->fd >= 0)
        close(wire->fd);
    *wire = (chainsi_wire){ .fd = -1 };
}

void chainsi_link_forget(chainsi_link *link, uint64_t incarnation)
{
    chainsi_wire wire;
    while (incarnation && chainsi_link_take(link, incarnation, &wire))
        chainsi_wire_close(&wire);
}

/* A connection to a replica's own socket; -1 with errno. */
static int connect_to_replica(uint64_t incarnation)
{
    struct sockaddr_un address;
    socklen_t size = chainsi_board_address(incarnation, &address);
    /* Not blocking: a full queue says so. */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&address, size) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    fcntl(fd, F_SETFL, 0);
    return fd;
}

static int connect_to_near(const chainsi_link *link)
{
    int fd = chainsi_near_connect(link->address.path);
    if (fd >= 0 && !chainsi_near_trusts(fd)) { /* somebody has put another one in its place */
        close(fd);
        errno = EPERM;
        return -1;
    }
    if (fd >= 0)
        fcntl(fd, F_SETFL, 0);
    return fd;
}

int chainsi_link_connect(chainsi_link *link, uint64_t incarnation, chainsi_wire *wire)
{
    char why[256];
    int fd = link->is_near ? connect_to_near(link)
             : incarnation
                 ? connect_to_replica(incarnation)
                 : chainsi_address_connect(&link->address, CHAINSI_NEVER, NULL, why, sizeof why);
    if (fd < 0) {
        int error = errno;
        if (error == ECONNREFUSED && incarnation && link->board)
            chainsi_board_bury(link->board, incarnation);
        return error;
    }
    struct timeval patience = { .tv_usec = CHAINSI_LINK_PATIENCE_MS * 1000 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    *wire = (chainsi_wire){ .fd = fd, .incarnation = incarnation };
    return 0;
}

int chainsi_wire_take_attachments(struct msghdr *message, int *attachments, int count, int most)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t received = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < received; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
            if (count < most)
                attachments[count++] = fd;
            else
                close(fd);
        }
    }
    return count;
}

/* ------------------------------------------------------------------------------------------------
 * claims */

size_t chainsi_link_claim(chainsi_link *link, uint64_t avoided, chainsi_claim *claims, size_t count)
{
    if (!link->board)
        return 0;
    if (!avoided) {
        avoided = atomic_load_explicit(&link->avoided, memory_order_relaxed);
        if (avoided && chainsi_now_ns() >= atomic_load(&link->avoided_until_ns)) {
            atomic_store(&link->avoided, 0);
            avoided = 0;
        }
    }
    uint64_t recent = atomic_load_explicit(&link->recent, memory_order_relaxed);
    size_t claimed = chainsi_board_claim_many(link->board, recent, avoided, claims, count);
    if (claimed && claims->incarnation != recent)
        atomic_store_explicit(&link->recent, claims->incarnation, memory_order_relaxed);
    return claimed;
}

uint64_t chainsi_link_recent(const chainsi_link *link)
{
    return atomic_load_explicit(&link->recent, memory_order_relaxed);
}

void chainsi_link_avoid(chainsi_link *link, uint64_t incarnation)
{
    atomic_store(&link->avoided_until_ns,
                 chainsi_now_ns() + CHAINSI_LINK_AVOID_MS * CHAINSI_NS_PER_MS);
    atomic_store(&link->avoided, incarnation);
}
