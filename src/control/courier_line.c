#include "control/courier_line.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"

/* Room for the descriptors, aligned as the kernel wants it. */
typedef union attachment {
    struct cmsghdr header;
    char room[CMSG_SPACE(CHAINSI_LINE_MOST_FDS * sizeof(int))];
} attachment;

bool chainsi_line_send(int socket, const chainsi_line_message *message, const int *fds,
                       size_t fd_count)
{
    struct iovec part = { (void *)message, sizeof *message };
    attachment with = { 0 };
    struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
    if (fd_count) {
        header.msg_control = &with;
        header.msg_controllen = CMSG_SPACE(fd_count * sizeof *fds);
        with.header.cmsg_level = SOL_SOCKET;
        with.header.cmsg_type = SCM_RIGHTS;
        with.header.cmsg_len = CMSG_LEN(fd_count * sizeof *fds);
        memcpy(CMSG_DATA(&with.header), fds, fd_count * sizeof *fds);
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &header, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0;
}

static void take_fds(struct msghdr *header, int fds[CHAINSI_LINE_MOST_FDS])
{
    for (size_t i = 0; i < CHAINSI_LINE_MOST_FDS; i++)
        fds[i] = -1;
    struct cmsghdr *first = CMSG_FIRSTHDR(header);
    if (first && first->cmsg_level == SOL_SOCKET && first->cmsg_type == SCM_RIGHTS)
        memcpy(fds, CMSG_DATA(first), first->cmsg_len - CMSG_LEN(0));
}

/* Texts are of no concern where the kind has none. */
static bool is_whole(chainsi_line_message *message, size_t size)
{
    if (size != sizeof *message || message->kind < CHAINSI_LINE_ERRAND ||
        message->kind > CHAINSI_LINE_PONG)
        return false;
    if (message->kind != CHAINSI_LINE_ANSWER && message->kind != CHAINSI_LINE_ENDED)
        return true;
    return memchr(message->why, 0, sizeof message->why) &&
           memchr(message->answer.validator, 0, sizeof message->answer.validator) &&
           (message->kind == CHAINSI_LINE_ANSWER || (message->outcome >= CHAINSI_ERRAND_DONE &&
                                                     message->outcome <= CHAINSI_ERRAND_CANCELLED));
}

int chainsi_line_receive(int socket, chainsi_line_message *message, int fds[CHAINSI_LINE_MOST_FDS])
{
    struct iovec part = { message, sizeof *message };
    attachment with = { 0 };
    struct msghdr header = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &with,
        .msg_controllen = sizeof with.room,
    };
    ssize_t size;
    do {
        size = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    /* A peer that ends without having read all that was sent to it resets the connection. */
    if (size == 0 || (size < 0 && errno == ECONNRESET))
        return 0;
    if (size < 0)
        return -1;
    take_fds(&header, fds);
    if (!(header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && is_whole(message, (size_t)size))
        return 1;
    for (size_t i = 0; i < CHAINSI_LINE_MOST_FDS; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    errno = EBADMSG;
    return -1;
}

static void add_text(chainsi_buffer *out, const char *text)
{
    chainsi_buffer_add(out, text ? text : "", text ? strlen(text) + 1 : 1);
}

static bool write_all(int fd, const void *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t count = write(fd, (const char *)data + at, size - at);
        if (count < 0 && errno != EINTR)
            return false;
        at += count > 0 ? (size_t)count : 0;
    }
    return true;
}

int chainsi_line_pack(const chainsi_errand_request *request, chainsi_line_parcel *parcel)
{
    chainsi_buffer texts = { 0 };
    add_text(&texts, request->url);
    add_text(&texts, request->agent);
    add_text(&texts, request->authorities);
    for (const char *const *header = request->headers; header && *header; header++)
        add_text(&texts, *header);
    *parcel = (chainsi_line_parcel){ .texts_size = texts.size,
                                     .body_size = request->body_size,
                                     .has_body = request->body != NULL };
    int fd = -1;
    if (texts.size > CHAINSI_ERRAND_MOST_TEXTS)
        errno = E2BIG;
    else
        fd = memfd_create("errand", MFD_CLOEXEC);
    if (fd >= 0 && (!write_all(fd, texts.data, texts.size) ||
                    !write_all(fd, request->body, request->body_size))) {
        int error = errno;
        close(fd);
        fd = -1;
        errno = error;
    }
    chainsi_buffer_done(&texts);
    return fd;
}

const char *chainsi_line_unpack(int fd, const chainsi_line_parcel *parcel, size_t *size)
{
    enum { FIRST_TEXTS = 3 };
    struct stat info;
    if (fstat(fd, &info) != 0)
        return NULL;
    errno = EBADMSG;
    if (parcel->texts_size < FIRST_TEXTS || parcel->texts_size > CHAINSI_ERRAND_MOST_TEXTS ||
        info.st_size < (off_t)parcel->texts_size ||
        (uint64_t)info.st_size - parcel->texts_size != parcel->body_size)
        return NULL;
    char *texts = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (texts == MAP_FAILED)
        return NULL;
    size_t count = 0;
    for (uint64_t i = 0; i < parcel->texts_size; i++)
        count += !texts[i];
    if (count < FIRST_TEXTS || texts[parcel->texts_size - 1]) {
        munmap(texts, (size_t)info.st_size);
        errno = EBADMSG;
        return NULL;
    }
    *size = (size_t)info.st_size;
    return texts;
}
