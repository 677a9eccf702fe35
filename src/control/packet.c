#include "control/packet.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for the descriptors, aligned as the kernel wants it. */
typedef union attachment {
    struct cmsghdr header;
    char room[CMSG_SPACE(CHAINSI_PACKET_MOST_FDS * sizeof(int))];
} attachment;

bool chainsi_packet_send(int socket, const void *data, size_t size, const int *fds, size_t fd_count)
{
    assert(fd_count <= CHAINSI_PACKET_MOST_FDS);
    struct iovec part = { (void *)data, size };
    attachment with = { 0 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (fd_count) {
        message.msg_control = &with;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof *fds);
        with.header.cmsg_level = SOL_SOCKET;
        with.header.cmsg_type = SCM_RIGHTS;
        with.header.cmsg_len = CMSG_LEN(fd_count * sizeof *fds);
        memcpy(CMSG_DATA(&with.header), fds, fd_count * sizeof *fds);
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0;
}

ssize_t chainsi_packet_receive(int socket, void *data, size_t room,
                               int fds[CHAINSI_PACKET_MOST_FDS])
{
    struct iovec part = { data, room };
    attachment with = { 0 };
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &with,
        .msg_controllen = sizeof with.room,
    };
    ssize_t size;
    do {
        size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    for (size_t i = 0; i < CHAINSI_PACKET_MOST_FDS; i++)
        fds[i] = -1;
    /* A peer that ends without having read all that was sent to it resets the connection. */
    if (size == 0 || (size < 0 && errno == ECONNRESET))
        return 0;
    if (size < 0)
        return -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        chainsi_packet_close(fds);
        errno = EBADMSG;
        return -1;
    }
    return size;
}

void chainsi_packet_close(const int fds[CHAINSI_PACKET_MOST_FDS])
{
    for (size_t i = 0; i < CHAINSI_PACKET_MOST_FDS; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static bool write_all(int fd, const char *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t count = write(fd, data + at, size - at);
        if (count < 0 && errno != EINTR)
            return false;
        at += count > 0 ? (size_t)count : 0;
    }
    return true;
}

int chainsi_packet_file(const char *name, const struct iovec *parts, size_t count)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    for (size_t i = 0; fd >= 0 && i < count; i++) {
        if (write_all(fd, parts[i].iov_base, parts[i].iov_len))
            continue;
        int error = errno;
        close(fd);
        fd = -1;
        errno = error;
    }
    return fd;
}
