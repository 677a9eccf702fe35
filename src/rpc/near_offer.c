/* The side of the replica that offers.
 *
 * A socket's file appears under its name when it is listened on: who finds one that refuses connections knows that its
 * process is gone, and may remove it. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "rpc/limits.h"
#include "rpc/near.h"
#include "rpc/near_parts.h"

struct chainsi_near_offer {
    char calls[sizeof((struct sockaddr_un *)0)->sun_path]; /* paths */
    char boards[sizeof((struct sockaddr_un *)0)->sun_path];
    chainsi_board *board; /* owned */
    int board_fd;         /* owned: the memory */
    int listen_fd, stop;  /* owned */
    bool started, ended;
    pthread_t thread;
};

int chainsi_near_connect(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    /* Not blocking: a full queue says so. */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

bool chainsi_near_trusts(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) && peer.uid == geteuid();
}

/* Listens at a path; -1 with errno. */
static int listen_at(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s%s", path, CHAINSI_NEAR_UNFINISHED);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* For this user alone, whatever the process's umask is: calls that come here show no certificate. */
    if (fd >= 0 && !bind(fd, (struct sockaddr *)&address, sizeof address) &&
        !chmod(address.sun_path, 0600) && !listen(fd, CHAINSI_BACKLOG) &&
        !rename(address.sun_path, path))
        return fd;
    int error = errno;
    if (fd >= 0) {
        unlink(address.sun_path);
        close(fd);
    }
    errno = error;
    return -1;
}

/* Whether a file's name is one that a replica gives to its sockets. Others stay, whatever they are: what is no socket refuses
 * connections, too. */
static bool is_socket_of_replica(const char *file)
{
    const char *rest = file + CHAINSI_NEAR_NAME;
    return strspn(file, "0123456789abcdef") == CHAINSI_NEAR_NAME &&
           (!*rest || !strcmp(rest, CHAINSI_NEAR_BOARD));
}

/* Removes the sockets that refuse connections. */
static void tidy(const char *folder)
{
    DIR *listed = opendir(folder);
    if (!listed)
        return;
    for (struct dirent *entry; (entry = readdir(listed));) {
        char path[sizeof((struct sockaddr_un *)0)->sun_path];
        if (!is_socket_of_replica(entry->d_name) ||
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path)
            continue;
        int fd = chainsi_near_connect(path);
        if (fd >= 0)
            close(fd);
        else if (errno == ECONNREFUSED)
            unlink(path);
    }
    closedir(listed);
}

/* False: no connection could be taken, though one is there. */
static bool give_board(const chainsi_near_offer *offer)
{
    int fd = accept4(offer->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
    char byte = 'b';
    struct iovec part = { &byte, 1 };
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control = { .head = { .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS,
                            .cmsg_len = CMSG_LEN(sizeof(int)) } };
    memcpy(CMSG_DATA(&control.head), &offer->board_fd, sizeof offer->board_fd);
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    if (chainsi_near_trusts(fd))
        (void)!sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
    return true;
}

static void *give_boards(void *user)
{
    const chainsi_near_offer *offer = user;
    struct pollfd watched[] = { { .fd = offer->listen_fd, .events = POLLIN },
                                { .fd = offer->stop, .events = POLLIN } };
    for (;;) {
        if (poll(watched, 2, -1) < 0)
            continue;
        if (watched[1].revents)
            return NULL;
        /* Without a free descriptor who asks stays in the queue, and would be told of again at once. */
        if (!give_board(offer) && poll(watched + 1, 1, CHAINSI_NEAR_PATIENCE_MS) > 0)
            return NULL;
    }
}

/* Opens all but the thread; false with errno. */
static bool open_offer(chainsi_near_offer *offer, const char *folder, uint32_t slots,
                       chainsi_seat *seat, int *fd)
{
    uint64_t incarnation = 0;
    if (getrandom(&incarnation, sizeof incarnation, 0) != sizeof incarnation || !incarnation)
        return false;
    if (strlen(folder) > CHAINSI_NEAR_PATH) {
        errno = ENAMETOOLONG;
        return false;
    }
    snprintf(offer->calls, sizeof offer->calls, "%s/%016" PRIx64, folder, incarnation);
    snprintf(offer->boards, sizeof offer->boards, "%s/%016" PRIx64 CHAINSI_NEAR_BOARD, folder,
             incarnation);
    if (mkdir(folder, 0700) && errno != EEXIST)
        return false;
    tidy(folder);
    offer->board_fd = chainsi_board_create_for_strangers();
    offer->board = offer->board_fd >= 0 ? chainsi_board_open(offer->board_fd) : NULL;
    offer->stop = eventfd(0, EFD_CLOEXEC);
    if (!offer->board || offer->stop < 0 || (*fd = listen_at(offer->calls)) < 0)
        return false;
    if (chainsi_board_join(offer->board, slots, incarnation, seat) &&
        (offer->listen_fd = listen_at(offer->boards)) >= 0)
        return true;
    int error = errno;
    unlink(offer->calls);
    close(*fd);
    errno = error;
    return false;
}

chainsi_near_offer *chainsi_near_offer_new(const char *folder, uint32_t slots, chainsi_seat *seat,
                                           int *fd, char *why, size_t why_size)
{
    chainsi_near_offer *offer = calloc(1, sizeof *offer);
    if (!offer)
        abort();
    offer->board_fd = offer->listen_fd = offer->stop = -1;
    if (!open_offer(offer, folder, slots, seat, fd)) {
        snprintf(why, why_size, "%s: %s", folder, strerror(errno));
        offer->ended = true;
        chainsi_near_offer_free(offer);
        return NULL;
    }
    int failed = pthread_create(&offer->thread, NULL, give_boards, offer);
    offer->started = !failed;
    if (offer->started)
        return offer;
    snprintf(why, why_size, "a thread: %s", strerror(failed));
    close(*fd);
    chainsi_near_offer_free(offer);
    return NULL;
}

void chainsi_near_offer_end(chainsi_near_offer *offer)
{
    if (offer->ended)
        return;
    offer->ended = true;
    unlink(offer->boards);
    unlink(offer->calls);
    uint64_t one = 1;
    (void)!write(offer->stop, &one, sizeof one);
    if (offer->started)
        pthread_join(offer->thread, NULL);
}

void chainsi_near_offer_free(chainsi_near_offer *offer)
{
    if (!offer)
        return;
    chainsi_near_offer_end(offer);
    chainsi_board_close(offer->board);
    const int owned[] = { offer->board_fd, offer->listen_fd, offer->stop };
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        if (owned[i] >= 0)
            close(owned[i]);
    free(offer);
}
