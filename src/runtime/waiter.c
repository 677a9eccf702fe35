/* Waiters. A list of all, under a lock, for waking everybody; a waiter leaves it when its thread
 * ends. */
#include "runtime/waiter.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/context.h"

struct chainsi_waiter {
    int fd; /* owned */
    /* It was woken and has not taken that back: its descriptor is readable, or is about to be. Many may
     * wake all at once (each of hundreds of calls that are cancelled): one write is enough. */
    atomic_bool awake;
    chainsi_waiter *next, *previous;
};

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static chainsi_waiter *all;

static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static _Thread_local chainsi_waiter *self;

static void end_waiter(void *data)
{
    chainsi_waiter *waiter = data;
    pthread_mutex_lock(&all_lock);
    if (waiter->previous)
        waiter->previous->next = waiter->next;
    else
        all = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    pthread_mutex_unlock(&all_lock);
    close(waiter->fd);
    free(waiter);
    self = NULL;
}

static int make_descriptor(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        abort(); /* no descriptor left: nothing that waits could ever be woken */
    return fd;
}

static void lock_all(void)
{
    pthread_mutex_lock(&all_lock);
}

static void unlock_all(void)
{
    pthread_mutex_unlock(&all_lock);
}

/* A child of fork() has one thread. Its descriptor would be the parent's, whose wakes it would
 * take. */
static void begin_as_child(void)
{
    all = self;
    if (self) {
        self->next = self->previous = NULL;
        close(self->fd);
        self->fd = make_descriptor();
        atomic_store(&self->awake, false);
    }
    unlock_all();
}

static void make_key(void)
{
    pthread_key_create(&key, end_waiter);
    pthread_atfork(lock_all, unlock_all, begin_as_child);
}

chainsi_waiter *chainsi_waiter_self(void)
{
    if (self)
        return self;
    pthread_once(&key_once, make_key);
    chainsi_waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter)
        abort();
    waiter->fd = make_descriptor();
    pthread_mutex_lock(&all_lock);
    waiter->next = all;
    if (all)
        all->previous = waiter;
    all = waiter;
    pthread_mutex_unlock(&all_lock);
    pthread_setspecific(key, waiter);
    self = waiter;
    return waiter;
}

int chainsi_waiter_fd(const chainsi_waiter *waiter)
{
    return waiter->fd;
}

void chainsi_waiter_wake(chainsi_waiter *waiter)
{
    if (atomic_exchange(&waiter->awake, true))
        return;
    uint64_t one = 1;
    ssize_t written = write(waiter->fd, &one, sizeof one);
    assert(written == sizeof one || errno == EAGAIN); /* EAGAIN: it is as awake as can be */
    (void)written;
}

void chainsi_waiters_wake_all(void)
{
    pthread_mutex_lock(&all_lock);
    for (chainsi_waiter *waiter = all; waiter; waiter = waiter->next)
        chainsi_waiter_wake(waiter);
    pthread_mutex_unlock(&all_lock);
}

void chainsi_waiter_clear(chainsi_waiter *waiter)
{
    uint64_t count;
    ssize_t got = read(waiter->fd, &count, sizeof count);
    (void)got; /* EAGAIN: nobody woke it */
    /* After that, and before the thread looks for what it was woken for: who finds it awake until then
     * has said already what there is to see. */
    atomic_exchange(&waiter->awake, false);
}

void chainsi_waiter_wait(chainsi_waiter *waiter, const chains_ctx *ctx, int64_t deadline_ns)
{
    struct pollfd watched[2] = { { .fd = waiter->fd, .events = POLLIN } };
    nfds_t count = 1;
    const chains_ctx *connected = ctx ? chainsi_context_connected(ctx) : NULL;
    if (connected)
        watched[count++] =
            (struct pollfd){ .fd = connected->connection, .events = connected->connection_events };
    struct timespec rest = { 0 };
    int64_t now = chainsi_now_ns();
    if (deadline_ns > now)
        rest = (struct timespec){ .tv_sec = (deadline_ns - now) / 1000000000,
                                  .tv_nsec = (deadline_ns - now) % 1000000000 };
    ppoll(watched, count, deadline_ns == CHAINSI_NEVER ? NULL : &rest, NULL);
    if (watched[0].revents)
        chainsi_waiter_clear(waiter);
}
