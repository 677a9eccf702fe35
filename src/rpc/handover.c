/* Kept connections in HTTP, at a server whose socket other processes accept from, too.
 *
 * A client keeps its connection to one replica, but its next request must not wait there while another
 * replica has a free slot, nor be lost with a connection that is closed under its hands. So when it
 * meets a full replica, the whole connection, of which nothing has been read, goes back to the shared queue: as the
 * attachment of a HANDOVER frame, on a fresh connection to the socket that waits like that of any caller. Whichever
 * replica takes it from there goes on with the client, who notices nothing. What waits so counts as waiting,
 * outlives the replica that it came to, and finds replicas that join.
 *
 * A replica that drains does the same with requests that it has not read.
 *
 * A request of which a part was read waits here, as does one when the queue takes no more. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rpc/serving.h"

void chainsi_handover_init(chainsi_server *server)
{
    if (!server->options.shared || !server->options.frames || !server->local)
        return;
    struct sockaddr_un *name = &server->own_name;
    socklen_t size = sizeof *name;
    if (getsockname(server->options.listen_fd, (struct sockaddr *)name, &size) ||
        size <= offsetof(struct sockaddr_un, sun_path) + 1 || size > sizeof *name)
        return;
    /* A path that was too long for it is known to whoever bound it alone (rpc/address.c). */
    struct stat there;
    bool abstract = !name->sun_path[0];
    bool file = name->sun_path[0] == '/' && strncmp(name->sun_path, "/proc/", 6) != 0 &&
                !stat(name->sun_path, &there) && S_ISSOCK(there.st_mode);
    if (abstract || file)
        server->own_name_size = size;
}

/* What a HANDOVER is on the wire. */
typedef struct handover {
    char preface[CHAINSI_FRAME_PREFACE_SIZE];
    chainsi_frame_head head;
} handover;
static const handover sent_alone = {
    .preface = CHAINSI_FRAME_PREFACE,
    .head = { .kind = CHAINSI_FRAME_HANDOVER, .attachments = 1 },
};

/* Sends it with the descriptor beside it. */
static bool send_handover(int fd, int attachment)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof attachment)] = { 0 };
    struct iovec part = { (void *)(uintptr_t)&sent_alone, sizeof sent_alone };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof attachment);
    memcpy(CMSG_DATA(rights), &attachment, sizeof attachment);
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof sent_alone;
}

static bool put_in_queue(const chainsi_server *server, int fd)
{
    int carrier = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (carrier < 0)
        return false;
    bool sent =
        !connect(carrier, (const struct sockaddr *)&server->own_name, server->own_name_size) &&
        chainsi_worker_trusts(carrier) && send_handover(carrier, fd);
    close(carrier);
    return sent;
}

bool chainsi_handover_send(chainsi_server *server, chainsi_connection *connection)
{
    if (!server->own_name_size || connection->direct || connection->protocol == CHAINSI_FRAMES ||
        connection->phase != CHAINSI_READING_HEAD || connection->size)
        return false;
    char byte;
    ssize_t there = recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (there < 0 && errno == EAGAIN)
        return false;
    /* Else its client is gone. */
    if (there > 0 && !put_in_queue(server, connection->fd))
        return false;
    chainsi_table_close_handed(&server->table, connection);
    return true;
}

void chainsi_handover_close(chainsi_server *server, chainsi_connection *connection)
{
    if (!chainsi_handover_send(server, connection))
        chainsi_table_close(&server->table, connection);
}

bool chainsi_handover_is_coming(const chainsi_server *server, const chainsi_connection *connection)
{
    handover there;
    return server->options.shared && connection->protocol == CHAINSI_UNDECIDED &&
           !connection->size &&
           recv(connection->fd, &there, sizeof there, MSG_PEEK | MSG_DONTWAIT) ==
               (ssize_t)sizeof there &&
           !memcmp(&there, &sent_alone, sizeof there);
}

static bool is_unix_stream(int fd)
{
    int domain, type;
    socklen_t size = sizeof domain;
    return !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) && domain == AF_UNIX &&
           !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) && type == SOCK_STREAM;
}

chainsi_connection *chainsi_handover_take(chainsi_worker *self, chainsi_connection *carrier)
{
    chainsi_server *server = self->server;
    int fd;
    chainsi_connection_take_attachments(carrier, &fd, 1);
    bool good = server->options.shared && chainsi_worker_trusts(carrier->fd) && is_unix_stream(fd);
    chainsi_table_close(&server->table, carrier);
    if (!good) {
        close(fd);
        return NULL;
    }
    return chainsi_worker_open(server, fd, CHAINSI_UNDECIDED);
}
