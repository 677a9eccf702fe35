/* Answers in parts. What a part adds to its bytes (the head, a chunk's size) leaves in the same
 * sendmsg. */
#include "rpc/parts.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "rpc/address.h"
#include "rpc/channel.h"

enum { COPIED = 2048 }; /* bytes of a part and what goes with it */

void chainsi_parts_init(chainsi_parts *parts, const chainsi_server_request *request,
                        chainsi_server_response *response, int stall_ms)
{
    *parts = (chainsi_parts){
        .request = request,
        .response = response,
        .stall_ms = stall_ms > 0 ? stall_ms : CHAINSI_READER_STALL_MS,
    };
}

/* Waits until the reader takes more. */
static chainsi_parts_end wait_for_reader(const chainsi_parts *parts, int64_t deadline_ns)
{
    int64_t stalled_ns = chainsi_now_ns() + parts->stall_ms * CHAINSI_NS_PER_MS;
    int64_t until_ns = stalled_ns < deadline_ns ? stalled_ns : deadline_ns;
    if (chainsi_wait_for(parts->request->fd, POLLOUT, NULL, until_ns, NULL) == CHAINSI_WAIT_READY)
        return CHAINSI_PARTS_SENT;
    return until_ns == deadline_ns ? CHAINSI_PARTS_DEADLINE : CHAINSI_PARTS_STALLED;
}

/* fds: go beside the first byte. */
static chainsi_parts_end send_all(const chainsi_parts *parts, struct iovec *pieces, size_t count,
                                  const int *fds, int fd_count, int64_t deadline_ns)
{
    struct msghdr message = { .msg_iov = pieces, .msg_iovlen = count };
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(CHAINSI_FRAME_MAX_ATTACHMENTS * sizeof(int))];
    if (fd_count) {
        size_t bytes = (size_t)fd_count * sizeof *fds;
        memset(control, 0, sizeof control);
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(bytes);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(bytes);
        memcpy(CMSG_DATA(rights), fds, bytes);
    }
    while (message.msg_iovlen) {
        const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
        short wait_for = 0;
        const chainsi_channel channel = { parts->request->fd, parts->request->session };
        ssize_t sent = channel.session ? chainsi_channel_write(&channel, message.msg_iov,
                                                               message.msg_iovlen, &wait_for)
                       : message.msg_iovlen == 1 && !message.msg_control
                           ? send(parts->request->fd, message.msg_iov->iov_base,
                                  message.msg_iov->iov_len, flags)
                           : sendmsg(parts->request->fd, &message, flags);
        if (sent < 0) {
            if (!channel.session && errno == EINTR)
                continue;
            if (channel.session ? !wait_for : errno != EAGAIN)
                return CHAINSI_PARTS_GONE;
            chainsi_parts_end end = wait_for_reader(parts, deadline_ns);
            if (end != CHAINSI_PARTS_SENT)
                return end;
            continue;
        }
        message.msg_control = NULL;
        message.msg_controllen = 0;
        size_t left = (size_t)sent;
        while (message.msg_iovlen && left >= message.msg_iov->iov_len) {
            left -= message.msg_iov->iov_len;
            message.msg_iov++;
            message.msg_iovlen--;
        }
        if (message.msg_iovlen) {
            message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + left;
            message.msg_iov->iov_len -= left;
        }
    }
    return CHAINSI_PARTS_SENT;
}

static void write_head(const chainsi_parts *parts, bool chunked, chainsi_buffer *head)
{
    chainsi_server_response *response = parts->response;
    const chainsi_http_head *asked = &parts->request->head.head;
    bool keep = chunked && asked->keep_alive && !response->close;
    chainsi_buffer_printf(head, "HTTP/1.1 %d %s\r\n", response->status,
                          chainsi_http_reason(response->status));
    if (response->content_type)
        chainsi_buffer_printf(head, "Content-Type: %s\r\n", response->content_type);
    if (chunked)
        chainsi_buffer_add_text(head, "Transfer-Encoding: chunked\r\n");
    if (!keep)
        chainsi_buffer_add_text(head, "Connection: close\r\n");
    chainsi_buffer_add(head, response->headers->data, response->headers->size);
    chainsi_buffer_add_text(head, "\r\n");
    response->close = !keep;
}

chainsi_parts_end chainsi_parts_send(chainsi_parts *parts, const void *data, size_t size, bool last,
                                     int64_t deadline_ns)
{
    assert((size || last) && !parts->whole);
    if (parts->end != CHAINSI_PARTS_SENT)
        return parts->end;
    bool chunked = parts->request->head.head.minor_version > 0;
    chainsi_buffer head = { 0 };
    struct iovec pieces[4];
    size_t count = 0;
    if (!parts->begun) {
        write_head(parts, chunked, &head);
        pieces[count++] = (struct iovec){ head.data, head.size };
        parts->begun = true;
    }
    char length[20];
    if (chunked && size)
        pieces[count++] =
            (struct iovec){ length, (size_t)snprintf(length, sizeof length, "%zx\r\n", size) };
    if (size)
        pieces[count++] = (struct iovec){ (void *)(uintptr_t)data, size };
    static char ends[] = "\r\n0\r\n\r\n";
    if (chunked && size && last)
        pieces[count++] = (struct iovec){ ends, 7 };
    else if (chunked)
        pieces[count++] = size ? (struct iovec){ ends, 2 } : (struct iovec){ ends + 2, 5 };
    /* A small part is cheaper to copy than to have the kernel gather its pieces. */
    char small[COPIED];
    size_t whole = 0;
    for (size_t i = 0; i < count; i++)
        whole += pieces[i].iov_len;
    if (whole <= sizeof small && count > 1) {
        size_t at = 0;
        for (size_t i = 0; i < count; at += pieces[i++].iov_len)
            memcpy(small + at, pieces[i].iov_base, pieces[i].iov_len);
        pieces[0] = (struct iovec){ small, whole };
        count = 1;
    }
    parts->end = send_all(parts, pieces, count, NULL, 0, deadline_ns);
    parts->whole = last && parts->end == CHAINSI_PARTS_SENT;
    chainsi_buffer_done(&head);
    return parts->end;
}

chainsi_parts_end chainsi_parts_send_item(chainsi_parts *parts, const void *frame, size_t size,
                                          const int *fds, int fd_count, int64_t deadline_ns)
{
    if (parts->end != CHAINSI_PARTS_SENT)
        return parts->end;
    parts->begun = true;
    struct iovec piece = { (void *)(uintptr_t)frame, size };
    parts->end = send_all(parts, &piece, 1, fds, fd_count, deadline_ns);
    return parts->end;
}

bool chainsi_parts_are_taken(const chainsi_parts *parts)
{
    int waiting;
    return ioctl(parts->request->fd, SIOCOUTQ, &waiting) == 0 && waiting == 0;
}

bool chainsi_parts_have_room(const chainsi_parts *parts)
{
    struct pollfd watched = { .fd = parts->request->fd, .events = POLLOUT };
    return poll(&watched, 1, 0) > 0;
}
