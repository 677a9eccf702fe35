/* The pool. Threads are detached; they hold nothing that must be freed at the program's end, and
 * are never waited for: whoever waits for a task waits for what it is about. */
#include "runtime/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "runtime/waiter.h"

enum {
    MOST_THREADS = 320, /* a dependency's default .concurrency_limit, and some */
    IDLE_SECONDS = 10,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static chainsi_task *first, *last;
static int threads, idle, queued;
static int starting; /* threads that have not looked at the queue yet */

/* A child of fork() has none of the threads, and nobody in it waits for what is queued. */

static void unlock_after_fork(void)
{
    pthread_mutex_unlock(&lock);
}

static void begin_as_child(void)
{
    pthread_cond_init(&work, NULL);
    first = last = NULL;
    threads = idle = queued = starting = 0;
    pthread_mutex_unlock(&lock);
}

static void watch_for_fork(void)
{
    pthread_atfork(chainsi_pool_lock, unlock_after_fork, begin_as_child);
}

void chainsi_pool_lock(void)
{
    pthread_mutex_lock(&lock);
}

void chainsi_pool_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void chainsi_pool_remove(chainsi_task *task)
{
    if (task->previous)
        task->previous->next = task->next;
    else
        first = task->next;
    if (task->next)
        task->next->previous = task->previous;
    else
        last = task->previous;
    task->next = task->previous = NULL;
    task->queued = false;
    queued--;
}

static bool wait_for_work(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_SECONDS;
    idle++;
    int failure = 0;
    while (!first && failure != ETIMEDOUT)
        failure = pthread_cond_clockwait(&work, &lock, CLOCK_MONOTONIC, &until);
    idle--;
    return first != NULL;
}

static void *serve_pool(void *unused)
{
    (void)unused;
    chainsi_waiter_self(); /* made before any task runs: what is cancelled from then on wakes it */
    pthread_mutex_lock(&lock);
    starting--;
    while (first || wait_for_work()) {
        chainsi_task *task = first;
        chainsi_pool_remove(task);
        pthread_mutex_unlock(&lock);
        task->run(task);
        pthread_mutex_lock(&lock);
    }
    threads--;
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void add_thread(void)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    /* Signals are the program's business, not the pool's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    if (pthread_create(&thread, &attributes, serve_pool, NULL) == 0) {
        threads++;
        starting++;
    } /* else: the threads there are, or the one that waits, will run it */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

void chainsi_pool_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_for_fork);
}

void chainsi_pool_add(chainsi_task *task)
{
    task->queued = true;
    task->next = NULL;
    task->previous = last;
    if (last)
        last->next = task;
    else
        first = task;
    last = task;
    queued++;
    if (idle >= queued)
        pthread_cond_signal(&work);
    else if (threads < MOST_THREADS)
        add_thread();
}

bool chainsi_pool_has_room(void)
{
    pthread_mutex_lock(&lock);
    const int busy = threads - idle - starting;
    const bool room = busy + queued < MOST_THREADS;
    pthread_mutex_unlock(&lock);
    return room;
}

bool chainsi_pool_is_short(void)
{
    return queued > idle + starting;
}
