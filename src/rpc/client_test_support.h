/* A peer that follows a script, and a caller: what the peer does with each connection is a function of the test. */
#ifndef CHAINSI_RPC_CLIENT_TEST_SUPPORT_H
#define CHAINSI_RPC_CLIENT_TEST_SUPPORT_H

#include "rpc/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "rpc/descriptors_test_support.h"

typedef struct peer {
    char folder[32], address[128];
    int listen_fd;
    pthread_t thread;
    /* What it does with its connection number `index`; closed afterwards. */
    void (*script)(struct peer *peer, int fd, int index);
    int accepted;
    sem_t closed;    /* posted after each connection */
    char seen[4096]; /* the last request's head */
    bool saw_end;    /* the script found that the caller had closed */
    int wake;        /* an eventfd for the script */
} peer;

__attribute__((unused)) static void *run_peer(void *user)
{
    peer *it = user;
    for (;;) {
        int fd = accept(it->listen_fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        it->script(it, fd, it->accepted++);
        close(fd);
        sem_post(&it->closed);
    }
}

__attribute__((unused)) static void start_peer(peer *it, bool tcp, void (*script)(peer *, int, int))
{
    char why[256] = "";
    *it = (peer){ .folder = "/tmp/chains-client-XXXXXX", .script = script };
    assert_non_null(mkdtemp(it->folder));
    if (tcp)
        snprintf(it->address, sizeof it->address, "http://127.0.0.1:0");
    else
        snprintf(it->address, sizeof it->address, "unix:%s/s", it->folder);
    chainsi_address address;
    assert_true(chainsi_address_parse(it->address, &address, why, sizeof why));
    it->listen_fd = chainsi_address_listen(&address, 16, why, sizeof why);
    assert_true(it->listen_fd >= 0);
    /* This side wants to block. */
    int flags = fcntl(it->listen_fd, F_GETFL);
    assert_int_equal(fcntl(it->listen_fd, F_SETFL, flags & ~O_NONBLOCK), 0);
    if (tcp)
        assert_true(chainsi_address_of(it->listen_fd, it->address, sizeof it->address));
    chainsi_address_done(&address);
    assert_int_equal(sem_init(&it->closed, 0, 0), 0);
    it->wake = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(pthread_create(&it->thread, NULL, run_peer, it), 0);
}

__attribute__((unused)) static void stop_peer(peer *it)
{
    shutdown(it->listen_fd, SHUT_RDWR);
    pthread_join(it->thread, NULL);
    close(it->listen_fd);
    close(it->wake);
    sem_destroy(&it->closed);
    char path[64];
    snprintf(path, sizeof path, "%s/s", it->folder);
    unlink(path);
    rmdir(it->folder);
}

__attribute__((unused)) static void await_close(peer *it)
{
    while (sem_wait(&it->closed)) {
    }
}

/* Reads one request, body and all. False at the caller's end. */
__attribute__((unused)) static bool read_request(peer *it, int fd)
{
    size_t size = 0, body_size = 0;
    char *head_end = NULL;
    while (!head_end) {
        ssize_t got = recv(fd, it->seen + size, 1, 0);
        if (got <= 0 || size + 2 > sizeof it->seen)
            return false;
        size++;
        it->seen[size] = 0;
        head_end = strstr(it->seen, "\r\n\r\n");
    }
    char *length = strstr(it->seen, "Content-Length: ");
    if (length)
        body_size = strtoul(length + 16, NULL, 10);
    while (body_size) {
        char dropped[65536];
        ssize_t got = recv(fd, dropped, body_size < sizeof dropped ? body_size : sizeof dropped, 0);
        if (got <= 0)
            return false;
        body_size -= (size_t)got;
    }
    return true;
}

__attribute__((unused)) static void send_text(int fd, const char *text)
{
    send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* What a test asks with, unless it says otherwise. */
__attribute__((unused)) static chainsi_client_request ask = {
    .method = "POST",
    .path = "/run_remote",
    .body = "hello",
    .body_size = 5,
    .deadline_ns = CHAINSI_NEVER,
};

typedef struct caller {
    chainsi_client *client;
    chainsi_arena arena;
    chainsi_client_response response;
    char why[256];
} caller;

__attribute__((unused)) static void start_caller(caller *it, const char *address)
{
    *it = (caller){ 0 };
    it->client = chainsi_client_new(address, it->why, sizeof it->why);
    if (!it->client)
        fail_msg("%s", it->why);
}

__attribute__((unused)) static chainsi_exchange_end call(caller *it,
                                                         const chainsi_client_request *request)
{
    memset(&it->response, 0xa5, sizeof it->response);
    it->why[0] = 0;
    chainsi_exchange_end end = chainsi_client_exchange(it->client, request, &it->arena,
                                                       &it->response, it->why, sizeof it->why);
    /* Whatever goes wrong is said. */
    if (end != CHAINSI_EXCHANGE_ANSWERED)
        assert_true(it->why[0] != 0);
    return end;
}

__attribute__((unused)) static void stop_caller(caller *it)
{
    chainsi_client_free(it->client);
    chainsi_arena_done(&it->arena);
}

/* The end of one call to a peer with this script. */
__attribute__((unused)) static chainsi_exchange_end end_with(bool tcp,
                                                             void (*script)(peer *, int, int),
                                                             const chainsi_client_request *request,
                                                             int *accepted)
{
    peer server;
    caller me;
    start_peer(&server, tcp, script);
    start_caller(&me, server.address);
    chainsi_exchange_end end = call(&me, request);
    stop_caller(&me);
    stop_peer(&server);
    if (accepted)
        *accepted = server.accepted;
    return end;
}

#endif
