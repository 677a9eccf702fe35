/* Packets with descriptors, and orders as texts with a NUL behind each: program, directory, the
 * environment, an empty one, the groups, an empty one, then held and name of each descriptor. */
#include "control/command.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "control/packet.h"

bool chainsi_command_make(chainsi_command *command, chainsi_command_kind kind, const char *name)
{
    size_t size = strlen(name);
    if (size >= sizeof command->name)
        return false;
    *command = (chainsi_command){ .kind = kind };
    memcpy(command->name, name, size);
    return true;
}

bool chainsi_command_send(int socket, const chainsi_command *command, int fd)
{
    /* Only as much of the note as there is: it is the last member. */
    return chainsi_packet_send(socket, command,
                               offsetof(chainsi_command, note) + command->note_size, &fd, fd >= 0);
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
    int fds[CHAINSI_PACKET_MOST_FDS];
    ssize_t size = chainsi_packet_receive(socket, command, sizeof *command, fds);
    if (size <= 0)
        return (int)size;
    if (!is_whole(command, (size_t)size) || fds[1] >= 0) {
        chainsi_packet_close(fds);
        errno = EBADMSG;
        return -1;
    }
    *fd = fds[0];
    return 1;
}

static void add_text(chainsi_buffer *out, const char *text)
{
    chainsi_buffer_add(out, text, strlen(text) + 1);
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
        fd = chainsi_packet_file("order", &(struct iovec){ out.data, out.size }, 1);
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
