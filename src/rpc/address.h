/* Where a service is: `unix:/path`, `http://host[:port]` or `https://host[:port]`, the last two
 * with an optional path in front of the paths that are called. Sockets made here are CLOEXEC. */
#ifndef CHAINSI_RPC_ADDRESS_H
#define CHAINSI_RPC_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum chainsi_address_kind {
    CHAINSI_ADDRESS_UNIX,
    CHAINSI_ADDRESS_HTTP,
    CHAINSI_ADDRESS_HTTPS,
} chainsi_address_kind;

typedef struct chainsi_address {
    chainsi_address_kind kind;
    char *
        path; /* owned; of the socket for UNIX, else the prefix: "" or "/v1", no slash at its end */
    char *host;      /* owned; without brackets; NULL for UNIX */
    char *authority; /* owned; what a Host header says; "localhost" for UNIX */
    uint16_t port;
} chainsi_address;

/* Parses text. False with a reason in why, and *address untouched, if it is none. */
bool chainsi_address_parse(const char *text, chainsi_address *address, char *why, size_t why_size);
/* Frees what the address owns; all zero bytes are allowed. */
void chainsi_address_done(chainsi_address *address);

/* What to do while a socket is waited for: poll() also watches these descriptors. When one has an
 * event, check() decides whether waiting ends (NULL: it does); where it decides to go on it has to
 * take the event back, or it is asked again at once. Both functions are called by the thread that waits, or, where
 * calls share a connection (joint.h), by one that looks for it meanwhile. */
typedef struct chainsi_interrupt {
    int count;
    struct {
        int fd;
        short events;
    } watch[2];
    bool (*check)(void *user);
    /* Whether waiting is to end, as far as a look at memory tells: asked of calls beside one that has an event.
     * NULL: the descriptors have to tell. */
    bool (*is_due)(void *user);
    void *user;
} chainsi_interrupt;

/* Connects: a stream socket in blocking mode (TCP_NODELAY where it is TCP), or -1 with errno
 * (ETIMEDOUT: the deadline, EINTR: interrupted, EAGAIN: the queue of a Unix socket is full) and a
 * reason. Blocks at most until the deadline, except that a host name is looked up by the system at
 * its own pace. interrupt may be NULL. Any thread. */
int chainsi_address_connect(const chainsi_address *address, int64_t deadline_ns,
                            const chainsi_interrupt *interrupt, char *why, size_t why_size);

/* A connected or listening TCP socket, whose connections inherit it: nothing waits to be sent together, and a host that is
 * gone without a word (its power, its network) is noticed: reading fails with ETIMEDOUT or EHOSTUNREACH. */
void chainsi_address_settle(int fd);
/* Whether sending, too, fails where the other host has answered nothing for CHAINSI_HOST_LOST_MS. It has to be off while
 * more is sent than the other end is sure to take in, as the kernel takes one that doesn't read for one that is gone. Both
 * kinds of connect turn it on. Nothing else than TCP is changed. */
void chainsi_address_limit_sending(int fd, bool on);

/* Begins to connect to an http address whose host is a number, without blocking: a non-blocking
 * TCP_NODELAY socket that will have POLLOUT once it is connected, or has failed; -1 with errno. */
int chainsi_address_begin_connect(const chainsi_address *address);

/* Listens there: a non-blocking listening socket, or -1 with errno and a reason. Port 0 is any free
 * one. The file of a Unix socket that nobody listens on any more is replaced, one in use is an
 * error (EADDRINUSE). https can't be listened on. */
int chainsi_address_listen(const chainsi_address *address, int backlog, char *why, size_t why_size);
/* The address a listening TCP socket has, as "http://127.0.0.1:4711", in text. False if it is no
 * TCP socket. */
bool chainsi_address_of(int fd, char *text, size_t size);

/* Waits until fd has one of events (POLLIN, POLLOUT), or the deadline, or the interrupt. */
typedef enum chainsi_wait_end {
    CHAINSI_WAIT_READY,
    CHAINSI_WAIT_DEADLINE,
    CHAINSI_WAIT_INTERRUPTED,
} chainsi_wait_end;
/* *revents is what fd had; NULL if nobody asks. */
chainsi_wait_end chainsi_wait_for(int fd, short events, short *revents, int64_t deadline_ns,
                                  const chainsi_interrupt *interrupt);

#endif
