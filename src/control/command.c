/* Packets with descriptors, and orders as texts with a NUL behind each: program, directory, the
 * environment, an empty one, the groups, an empty one, then held and name of each descriptor. */
#include "control/command.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"

bool chainsi_command_make(chainsi_command *command, chainsi_command_kind kind, const char *name)
{
    size_t size = strlen(name);
    if (size >= sizeof command->name)
        return false;
    *command = (chainsi_command){ .kind = kind };
    memcpy(command->name, name, size);
    return true;
}

/* Room for one descriptor, aligned as the kernel wants it. */
typedef union attachment {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
} attachment;

bool chainsi_command_send(int socket, const chainsi_command *command, int fd)
{
    /* Only as much of the note as there is: it is the last member. */
    struct iovec part = { (void *)command, offsetof(chainsi_command, note) + command->note_size };
    attachment with = { 0 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (fd >= 0) {
        message.msg_control = &with;
        message.msg_controllen = sizeof with.room;
        with.header.cmsg_level = SOL_SOCKET;
        with.header.cmsg_type = SCM_RIGHTS;
        with.header.cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(&with.header), &fd, sizeof fd);
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0;
}

static bool is_whole(const chainsi_command *command, size_t size)
{
    return size >= offsetof(chainsi_command, note) &&
           command->note_size <= CHAINSI_COMMAND_MAX_NOTE &&
           size == offsetof(chainsi_command, note) + command->note_size &&
           memchr(command->name, 0, sizeof command->name);
}

int chainsi_command_receive(int socket, chainsi_command *command, int *fd)
{
    struct iovec part = { command, sizeof *command };
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
    /* A peer that ends without having read all that was sent to it resets the connection. */
    if (size == 0 || (size < 0 && errno == ECONNRESET))
        return 0;
    if (size < 0)
        return -1;
    int got = -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(&got, CMSG_DATA(header), sizeof got);
    if (!is_whole(command, (size_t)size)) {
        if (got >= 0)
            close(got);
        errno = EBADMSG;
        return -1;
    }
    *fd = got;
    return 1;
}

static void add_text(chainsi_buffer *out, const char *text)
{
    chainsi_buffer_add(out, text, strlen(text) + 1);
}

static bool write_all(int fd, const chainsi_buffer *data)
{
    for (size_t at = 0; at < data->size;) {
        ssize_t count = write(fd, data->data + at, data->size - at);
        if (count < 0 && errno != EINTR)
            return false;
        at += count > 0 ? (size_t)count : 0;
    }
    return true;
}

int chainsi_order_write(const chainsi_order *order)
{
    chainsi_buffer out = { 0 };
    add_text(&out, order->program);
    add_text(&out, order->directory);
    for (const char *const *entry = order->environment; *entry; entry++)
        if (**entry)
            add_text(&out, *entry);
    add_text(&out, "");
    for (size_t i = 0; i < order->group_count; i++)
        add_text(&out, order->groups[i]);
    add_text(&out, "");
    for (size_t i = 0; i < order->fd_count; i++) {
        add_text(&out, order->fds[i].held);
        add_text(&out, order->fds[i].name);
    }
    int fd = -1;
    if (out.size > CHAINSI_ORDER_MAX_SIZE)
        errno = E2BIG;
    else
        fd = memfd_create("order", MFD_CLOEXEC);
    if (fd >= 0 && !write_all(fd, &out)) {
        int error = errno;
        close(fd);
        fd = -1;
        errno = error;
    }
    chainsi_buffer_done(&out);
    return fd;
}

/* The next text, NULL at the end; *at goes behind it. */
static const char *next_text(const char **at, const char *end)
{
    if (*at == end)
        return NULL;
    const char *text = *at;
    *at += strlen(text) + 1; /* the last byte of all is a NUL */
    return text;
}

bool chainsi_order_read(int fd, chainsi_arena *arena, chainsi_order *order)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return false;
    size_t size = (size_t)info.st_size;
    if (!size || size > CHAINSI_ORDER_MAX_SIZE) {
        errno = EBADMSG;
        return false;
    }
    char *data = chainsi_arena_alloc(arena, size);
    if (pread(fd, data, size, 0) != (ssize_t)size || data[size - 1]) {
        errno = EBADMSG;
        return false;
    }
    size_t texts = 0;
    for (size_t i = 0; i < size; i++)
        texts += !data[i];
    const char *at = data, *end = data + size;
    const char *program = next_text(&at, end), *directory = next_text(&at, end);
    const char **environment = chainsi_arena_array(arena, texts + 1, sizeof *environment);
    const char **groups = chainsi_arena_array(arena, texts, sizeof *groups);
    chainsi_order_fd *fds = chainsi_arena_array(arena, texts, sizeof *fds);
    size_t entries = 0, group_count = 0, fd_count = 0;
    const char *text;
    while ((text = next_text(&at, end)) && *text)
        environment[entries++] = text;
    while (text && (text = next_text(&at, end)) && *text)
        groups[group_count++] = text;
    bool whole = directory && text;
    while (whole && (text = next_text(&at, end))) {
        fds[fd_count].held = text;
        fds[fd_count].name = next_text(&at, end);
        whole = fds[fd_count++].name != NULL;
    }
    if (!whole) {
        errno = EBADMSG;
        return false;
    }
    *order = (chainsi_order){
        .program = program,
        .directory = directory,
        .environment = environment,
        .groups = groups,
        .group_count = group_count,
        .fds = fds,
        .fd_count = fd_count,
    };
    return true;
}
