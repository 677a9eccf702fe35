/* A list in the order of their times, and a thread that looks at it. The thread sleeps for good when
 * nothing was added for some time. Where it can't be had, nothing is attended to: it is done when
 * somebody waits for it. */
#include "runtime/attend.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#include "base/clock.h"
#include "runtime/pool.h"

enum {
    ATTEND_AFTER_US = 100,
    LOOK_EVERY_US = 1000,
    QUIET_LOOKS = 10, /* without anything new, before the thread sleeps for good */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t added = PTHREAD_COND_INITIALIZER;
static chainsi_attended *first, *last;
static bool watching; /* there is a thread */
static bool asleep;   /* for good, until something is added */
static int quiet;     /* looks since something was added */

static void leave_list(chainsi_attended *attended)
{
    if (attended->previous)
        attended->previous->next = attended->next;
    else
        first = attended->next;
    if (attended->next)
        attended->next->previous = attended->previous;
    else
        last = attended->previous;
    attended->next = attended->previous = NULL;
    attended->listed = false;
}

static void *look(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!first && quiet >= QUIET_LOOKS) {
            asleep = true;
            pthread_cond_wait(&added, &lock);
        }
        asleep = false;
        quiet++;
        pthread_mutex_unlock(&lock);
        nanosleep(&(struct timespec){ .tv_nsec = LOOK_EVERY_US * 1000 }, NULL);
        pthread_mutex_lock(&lock);
        const int64_t now_ns = first ? chainsi_now_ns() : 0;
        while (first && first->due_ns <= now_ns) {
            chainsi_attended *due = first;
            leave_list(due);
            due->attend(due);
        }
    }
    return NULL;
}

static void lock_all(void)
{
    pthread_mutex_lock(&lock);
}

static void unlock_all(void)
{
    pthread_mutex_unlock(&lock);
}

/* A child of fork() lacks the thread, and nobody in it waits for what its parent has started. */
static void begin_as_child(void)
{
    while (first)
        leave_list(first);
    pthread_cond_init(&added, NULL);
    watching = asleep = false;
    unlock_all();
}

static void watch_for_fork(void)
{
    chainsi_pool_start(); /* what is attended to may lock the pool: so fork() locks it after this */
    pthread_atfork(lock_all, unlock_all, begin_as_child);
}

static void start_watching(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    if (pthread_create(&thread, NULL, look, NULL) == 0) {
        pthread_detach(thread);
        watching = true;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void chainsi_attend_later(chainsi_attended *attended)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_for_fork);
    pthread_mutex_lock(&lock);
    if (!watching)
        start_watching();
    attended->due_ns = chainsi_now_ns() + ATTEND_AFTER_US * INT64_C(1000);
    attended->listed = true;
    attended->next = NULL;
    attended->previous = last;
    if (last)
        last->next = attended;
    else
        first = attended;
    last = attended;
    quiet = 0;
    if (asleep)
        pthread_cond_signal(&added);
    pthread_mutex_unlock(&lock);
}

void chainsi_attend_not(chainsi_attended *attended)
{
    pthread_mutex_lock(&lock);
    if (attended->listed)
        leave_list(attended);
    pthread_mutex_unlock(&lock);
}
