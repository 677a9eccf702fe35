/* Sessions are only ever made by the program's one engine, so that is whose functions move their bytes. */
#include "rpc/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Parts that are smaller together leave in one record: a record has a price of its own, and a system call. */
enum { JOINED = 8 * 1024 };

ssize_t chainsi_channel_read(const chainsi_channel *channel, void *data, size_t size,
                             short *wait_for)
{
    *wait_for = 0;
    if (channel->session)
        return chainsi_tls_get_engine()->read(channel->session, data, size, wait_for);
    ssize_t got = recv(channel->fd, data, size, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        *wait_for = POLLIN;
    return got;
}

static ssize_t write_session(chainsi_tls_session *session, const struct iovec *parts, size_t count,
                             short *wait_for)
{
    const chainsi_tls_engine *engine = chainsi_tls_get_engine();
    size_t whole = 0;
    for (size_t i = 0; i < count; i++)
        whole += parts[i].iov_len;
    if (count == 1 || whole > JOINED)
        return engine->write(session, parts->iov_base, parts->iov_len, wait_for);
    char joined[JOINED];
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(joined + size, parts[i].iov_base, parts[i].iov_len);
        size += parts[i].iov_len;
    }
    return engine->write(session, joined, size, wait_for);
}

ssize_t chainsi_channel_write(const chainsi_channel *channel, const struct iovec *parts,
                              size_t count, short *wait_for)
{
    *wait_for = 0;
    if (channel->session)
        return write_session(channel->session, parts, count, wait_for);
    struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count };
    ssize_t sent = sendmsg(channel->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        *wait_for = POLLOUT;
    return sent;
}

void chainsi_channel_close(chainsi_channel *channel)
{
    if (channel->session)
        chainsi_tls_get_engine()->close(channel->session);
    if (channel->fd >= 0)
        close(channel->fd);
    *channel = CHAINSI_NO_CHANNEL;
}
