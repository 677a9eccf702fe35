/* The side of the callers: which replicas the folder has.
 *
 * A replica is referred to by the list while it is in it, and by each call that has taken it; the last one frees
 * its link. The folder is looked at by one of the threads that call, without the lock. */
#include "rpc/near.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/limits.h"
#include "rpc/near_parts.h"

struct chainsi_near_replica {
    char name[CHAINSI_NEAR_NAME + 1];
    chainsi_link *link; /* owned */
    int references;
    bool seen, gone;
};

struct chainsi_near {
    char *folder;                                 /* owned */
    pthread_mutex_t lock;                         /* of what follows */
    chainsi_near_replica *all[CHAINSI_NEAR_MOST]; /* references */
    int count;
    bool looking;      /* a thread is */
    int64_t looked_ns; /* when that began last */
};

chainsi_near *chainsi_near_new(const char *folder)
{
    chainsi_near *near = calloc(1, sizeof *near);
    if (!near || !(near->folder = strdup(folder)))
        abort();
    pthread_mutex_init(&near->lock, NULL);
    near->looked_ns = -CHAINSI_LOOKUP_MS * CHAINSI_NS_PER_MS; /* at once */
    return near;
}

static void unref(chainsi_near_replica *replica)
{
    if (--replica->references)
        return;
    chainsi_link_free(replica->link);
    free(replica);
}

static void leave_out(chainsi_near *near, int at)
{
    chainsi_near_replica *replica = near->all[at];
    near->all[at] = near->all[--near->count];
    replica->gone = true;
    unref(replica);
}

void chainsi_near_free(chainsi_near *near)
{
    if (!near)
        return;
    while (near->count)
        leave_out(near, near->count - 1);
    pthread_mutex_destroy(&near->lock);
    free(near->folder);
    free(near);
}

/* The memory that the socket at the path gives; -1: none. */
static int ask_for_board(const char *path)
{
    int fd = chainsi_near_connect(path), board = -1;
    if (fd < 0)
        return -1;
    char byte;
    struct iovec part = { &byte, 1 };
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    struct pollfd watched = { .fd = fd, .events = POLLIN };
    if (chainsi_near_trusts(fd) && poll(&watched, 1, CHAINSI_NEAR_PATIENCE_MS) == 1 &&
        recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) == 1)
        (void)chainsi_wire_take_attachments(&message, &board, 0, 1);
    close(fd);
    return board;
}

/* Of that name; NULL: it isn't called. Locked. */
static chainsi_near_replica *find(const chainsi_near *near, const char *name)
{
    for (int i = 0; i < near->count; i++)
        if (!strcmp(near->all[i]->name, name))
            return near->all[i];
    return NULL;
}

/* Has the replica called from now on, unless it can't be. */
static void add(chainsi_near *near, const char *name)
{
    char path[2 * CHAINSI_NEAR_PATH];
    snprintf(path, sizeof path, "%s/%s" CHAINSI_NEAR_BOARD, near->folder, name);
    int board = ask_for_board(path);
    if (board < 0)
        return;
    path[strlen(path) - strlen(CHAINSI_NEAR_BOARD)] = 0;
    chainsi_near_replica *replica = calloc(1, sizeof *replica);
    if (!replica)
        abort();
    strcpy(replica->name, name);
    replica->link = chainsi_link_new_near(path, board);
    replica->references = 1;
    replica->seen = true;
    close(board);
    pthread_mutex_lock(&near->lock);
    if (chainsi_link_board(replica->link) && near->count < CHAINSI_NEAR_MOST)
        near->all[near->count++] = replica;
    else
        unref(replica);
    pthread_mutex_unlock(&near->lock);
}

/* The name of a replica in that of its board's socket; false: it is no such. */
static bool read_name(const char *file, char name[CHAINSI_NEAR_NAME + 1])
{
    if (strspn(file, "0123456789abcdef") != CHAINSI_NEAR_NAME ||
        strcmp(file + CHAINSI_NEAR_NAME, CHAINSI_NEAR_BOARD) != 0)
        return false;
    memcpy(name, file, CHAINSI_NEAR_NAME);
    name[CHAINSI_NEAR_NAME] = 0;
    return true;
}

/* Looks at the folder; by one thread at a time. */
static void look(chainsi_near *near)
{
    pthread_mutex_lock(&near->lock);
    for (int i = 0; i < near->count; i++)
        near->all[i]->seen = false;
    pthread_mutex_unlock(&near->lock);
    DIR *listed = strlen(near->folder) <= CHAINSI_NEAR_PATH ? opendir(near->folder) : NULL;
    for (struct dirent *entry; listed && (entry = readdir(listed));) {
        char name[CHAINSI_NEAR_NAME + 1];
        if (!read_name(entry->d_name, name))
            continue;
        pthread_mutex_lock(&near->lock);
        chainsi_near_replica *known = find(near, name);
        if (known)
            known->seen = true;
        const bool is_new = !known && near->count < CHAINSI_NEAR_MOST;
        pthread_mutex_unlock(&near->lock);
        if (is_new)
            add(near, name);
    }
    if (listed)
        closedir(listed);
    pthread_mutex_lock(&near->lock);
    for (int i = near->count - 1; i >= 0; i--)
        if (!near->all[i]->seen)
            leave_out(near, i);
    near->looking = false;
    pthread_mutex_unlock(&near->lock);
}

static void look_if_due(chainsi_near *near)
{
    const int64_t now_ns = chainsi_now_ns();
    pthread_mutex_lock(&near->lock);
    const bool due =
        !near->looking && now_ns - near->looked_ns >= CHAINSI_LOOKUP_MS * CHAINSI_NS_PER_MS;
    if (due) {
        near->looking = true;
        near->looked_ns = now_ns;
    }
    pthread_mutex_unlock(&near->lock);
    if (due)
        look(near);
}

chainsi_near_replica *chainsi_near_take(chainsi_near *near, int *next)
{
    if (!*next)
        look_if_due(near);
    chainsi_near_replica *taken = NULL;
    pthread_mutex_lock(&near->lock);
    while (!taken && *next < near->count) {
        chainsi_near_replica *at = near->all[(*next)++];
        if (chainsi_board_free_slots(chainsi_link_board(at->link)))
            taken = at;
    }
    if (taken)
        taken->references++;
    pthread_mutex_unlock(&near->lock);
    return taken;
}

void chainsi_near_give(chainsi_near *near, chainsi_near_replica *replica, bool lost)
{
    pthread_mutex_lock(&near->lock);
    for (int i = 0; lost && !replica->gone && i < near->count; i++)
        if (near->all[i] == replica)
            leave_out(near, i);
    unref(replica);
    pthread_mutex_unlock(&near->lock);
}

chainsi_link *chainsi_near_link(const chainsi_near_replica *replica)
{
    return replica->link;
}
