/* The other end of a caller under test: a thread that reads a request from each connection to a Unix socket in a folder of
 * its own, answers with the bytes of the input, in pieces, and closes. One a program. */
#ifndef CHAINSI_FUZZ_PEER_H
#define CHAINSI_FUZZ_PEER_H

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/address.h"

static struct {
    char folder[32], path[64];
    const char *request_end; /* what a request ends with; all of them are short */
    int listening;
    const char *answer; /* set while it waits for a connection */
    size_t size, piece;
    sem_t answered;
} peer = { .folder = "/tmp/chains-fuzz-XXXXXX", .listening = -1 };

static void read_request(int fd)
{
    char seen[512];
    size_t have = 0, end = strlen(peer.request_end);
    ssize_t got;
    while ((have < end || memcmp(seen + have - end, peer.request_end, end)) &&
           (got = recv(fd, seen + have, sizeof seen - have, 0)) > 0)
        have += (size_t)got;
}

static void *answer_always(void *user)
{
    (void)user;
    for (;;) {
        struct pollfd watched = { .fd = peer.listening, .events = POLLIN };
        poll(&watched, 1, -1);
        int fd = accept4(peer.listening, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        read_request(fd);
        for (size_t at = 0; at < peer.size; at += peer.piece) {
            size_t part = peer.size - at < peer.piece ? peer.size - at : peer.piece;
            if (send(fd, peer.answer + at, part, MSG_NOSIGNAL) < 0)
                break;
        }
        close(fd);
        sem_post(&peer.answered);
    }
    return NULL;
}

static void remove_peer(void)
{
    unlink(peer.path);
    rmdir(peer.folder);
}

/* Its socket is at peer.path from then on. False: it can't be started. */
static bool start_peer(const char *request_end)
{
    char why[256];
    pthread_t thread;
    if (!mkdtemp(peer.folder))
        return false;
    snprintf(peer.path, sizeof peer.path, "%s/s", peer.folder);
    atexit(remove_peer);
    peer.request_end = request_end;
    chainsi_address address = { .kind = CHAINSI_ADDRESS_UNIX, .path = peer.path };
    peer.listening = chainsi_address_listen(&address, 16, why, sizeof why);
    if (peer.listening < 0 || sem_init(&peer.answered, 0, 0) ||
        pthread_create(&thread, NULL, answer_always, NULL))
        return false;
    pthread_detach(thread);
    return true;
}

/* What the next connection is answered, in pieces of so many bytes at most; await_peer has to follow. */
static void set_answer(const char *data, size_t size, size_t piece)
{
    peer.answer = data;
    peer.size = size;
    peer.piece = piece;
}

static void await_peer(void)
{
    while (sem_wait(&peer.answered)) /* a signal */
        ;
}

#endif
