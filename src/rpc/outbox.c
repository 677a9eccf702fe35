#include "rpc/outbox.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KEPT = 256 * 1024 /* bytes; a larger buffer is not kept */ };

/* Descriptors that go with the byte at an offset. */
typedef struct attached {
    size_t at;
    int count;
    int fds[CHAINSI_FRAME_MAX_ATTACHMENTS]; /* owned */
} attached;

static void close_all(const attached *beside)
{
    for (int i = 0; i < beside->count; i++)
        close(beside->fds[i]);
}

static attached *next_attached(const chainsi_outbox *box)
{
    return box->attached_sent < box->attached.size
               ? (attached *)(void *)(box->attached.data + box->attached_sent)
               : NULL;
}

void chainsi_outbox_drop(chainsi_outbox *box)
{
    for (attached *left; (left = next_attached(box)); box->attached_sent += sizeof *left)
        close_all(left);
    box->bytes.size = box->sent = box->attached.size = box->attached_sent = 0;
    if (box->bytes.capacity > KEPT)
        chainsi_buffer_done(&box->bytes);
}

void chainsi_outbox_done(chainsi_outbox *box)
{
    chainsi_outbox_drop(box);
    chainsi_buffer_done(&box->bytes);
    chainsi_buffer_done(&box->attached);
}

void chainsi_outbox_add(chainsi_outbox *box, const chainsi_frame *frame, const void *body,
                        const int *fds)
{
    if (frame->head.attachments) {
        attached beside = { .at = box->bytes.size, .count = frame->head.attachments };
        memcpy(beside.fds, fds, (size_t)beside.count * sizeof *fds);
        chainsi_buffer_add(&box->attached, &beside, sizeof beside);
    }
    char *head = (char *)chainsi_buffer_reserve(&box->bytes, CHAINSI_FRAME_MAX_HEAD);
    box->bytes.size += chainsi_frame_write(frame, head);
    chainsi_buffer_add(&box->bytes, body, frame->head.body_size);
}

/* Sends bytes, and with the first of them descriptors; NULL: none. How many the socket took, 0 if it is full, -1 if it has
 * failed. */
static ssize_t push(int fd, const void *data, size_t size, const attached *beside)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof beside->fds)] = { 0 };
    struct iovec part = { (void *)(uintptr_t)data, size };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (beside) {
        size_t bytes = (size_t)beside->count * sizeof beside->fds[0];
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(bytes);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(bytes);
        memcpy(CMSG_DATA(rights), beside->fds, bytes);
    }
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 && errno == EAGAIN ? 0 : sent;
}

/* Where a write from here has to end: descriptors go with the first byte of one. beside: those that go
 * with this one. */
static size_t end_of_write(const chainsi_outbox *box, const attached *beside)
{
    size_t next = box->attached_sent + (beside ? sizeof *beside : 0);
    return next < box->attached.size
               ? ((const attached *)(const void *)(box->attached.data + next))->at
               : box->bytes.size;
}

int chainsi_outbox_send(chainsi_outbox *box, int fd)
{
    while (box->sent < box->bytes.size) {
        attached *beside = next_attached(box);
        if (beside && box->sent < beside->at)
            beside = NULL;
        size_t until = end_of_write(box, beside);
        ssize_t sent = push(fd, box->bytes.data + box->sent, until - box->sent, beside);
        if (sent <= 0)
            return (int)sent;
        box->sent += (size_t)sent;
        if (beside) {
            close_all(beside);
            box->attached_sent += sizeof *beside;
        }
    }
    return 1;
}
