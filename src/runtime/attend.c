/* A list in the order of their times, and a timer for the first of them. Where the timer or the
 * thread can't be had, nothing is attended to: it is done when somebody waits for it. */
#include "runtime/attend.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtime/pool.h"

enum { ATTEND_AFTER_US = 100 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static chainsi_attended *first, *last;
static int timer = -1;
static bool watching; /* there is a thread */

static void set_timer(int64_t at_ns)
{
    struct itimerspec when = {
        .it_value = { .tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000 },
    };
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

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

static void *watch_timer(void *unused)
{
    (void)unused;
    for (;;) {
        uint64_t count;
        if (read(timer, &count, sizeof count) != sizeof count)
            continue;
        pthread_mutex_lock(&lock);
        const int64_t now_ns = chainsi_now_ns();
        while (first && first->due_ns <= now_ns) {
            chainsi_attended *due = first;
            leave_list(due);
            due->attend(due);
        }
        if (first)
            set_timer(first->due_ns);
        pthread_mutex_unlock(&lock);
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
    if (timer >= 0)
        close(timer);
    timer = -1;
    watching = false;
    unlock_all();
}

static void watch_for_fork(void)
{
    chainsi_pool_start(); /* what is attended to may lock the pool: so fork() locks it after this */
    pthread_atfork(lock_all, unlock_all, begin_as_child);
}

static void start_watching(void)
{
    if (timer < 0)
        timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (timer < 0)
        return;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch_timer, NULL) == 0) {
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
    if (watching) {
        attended->due_ns = chainsi_now_ns() + ATTEND_AFTER_US * INT64_C(1000);
        attended->listed = true;
        attended->next = NULL;
        attended->previous = last;
        if (last) {
            last->next = attended;
        } else {
            first = attended;
            set_timer(attended->due_ns);
        }
        last = attended;
    }
    pthread_mutex_unlock(&lock);
}

void chainsi_attend_not(chainsi_attended *attended)
{
    pthread_mutex_lock(&lock);
    if (attended->listed) {
        leave_list(attended);
        if (!first)
            set_timer(0); /* off: waking the thread would cost more */
    }
    pthread_mutex_unlock(&lock);
}
