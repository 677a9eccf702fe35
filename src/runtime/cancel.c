/* chains_on_cancel. One thread, started with the first hook, asks every few milliseconds whether
 * the contexts with hooks were cancelled: hooks are rare (calls into libraries that block), and so
 * a call without one pays nothing. The thread ends when no hook is left. */
#include "runtime/cancel.h"

#include <signal.h>
#include <time.h>

#include "runtime/context.h"
#include "runtime/memory.h"

enum { LOOK_EVERY_MS = 5 };

typedef struct chainsi_cancel_hook {
    chains_ctx *ctx;
    chains_cancel_function function;
    void *argument;
    bool running;
    struct chainsi_cancel_hook *next;
} chainsi_cancel_hook;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ran = PTHREAD_COND_INITIALIZER;
static chainsi_cancel_hook *hooks; /* those that have not run */
static bool watching;

static void forget(chainsi_cancel_hook *hook)
{
    for (chainsi_cancel_hook **at = &hooks; *at; at = &(*at)->next) {
        if (*at == hook) {
            *at = hook->next;
            return;
        }
    }
}

static void run_due_hooks(void)
{
    chainsi_cancel_hook *hook = hooks;
    while (hook) {
        if (chainsi_context_stopped(hook->ctx) == CHAINS_OK) {
            hook = hook->next;
            continue;
        }
        forget(hook);
        hook->running = true;
        pthread_mutex_unlock(&lock);
        hook->function(hook->argument);
        pthread_mutex_lock(&lock);
        hook->running = false;
        pthread_cond_broadcast(&ran);
        hook = hooks; /* the list may have changed meanwhile */
    }
}

static void *watch_hooks(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    while (hooks) {
        run_due_hooks();
        pthread_mutex_unlock(&lock);
        nanosleep(&(struct timespec){ .tv_nsec = LOOK_EVERY_MS * 1000000 }, NULL);
        pthread_mutex_lock(&lock);
    }
    watching = false;
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void lock_hooks(void)
{
    pthread_mutex_lock(&lock);
}

static void unlock_hooks(void)
{
    pthread_mutex_unlock(&lock);
}

/* A child of fork() lacks the thread; the next hook starts another. */
static void begin_as_child(void)
{
    pthread_cond_init(&ran, NULL);
    watching = false;
    unlock_hooks();
}

static void watch_for_fork(void)
{
    pthread_atfork(lock_hooks, unlock_hooks, begin_as_child);
}

static void start_watching(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch_hooks, NULL) == 0) {
        pthread_detach(thread);
        watching = true;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void chainsi_cancel_hook_end(chains_ctx *ctx)
{
    chainsi_cancel_hook *hook = ctx->hook;
    if (!hook)
        return;
    pthread_mutex_lock(&lock);
    while (hook->running)
        pthread_cond_wait(&ran, &lock);
    forget(hook);
    pthread_mutex_unlock(&lock);
    ctx->hook = NULL;
}

void chains_on_cancel(chains_ctx *ctx, chains_cancel_function function, void *argument)
{
    chainsi_cancel_hook_end(ctx);
    if (!function)
        return;
    chainsi_cancel_hook *hook = chains_alloc(ctx, sizeof *hook);
    *hook = (chainsi_cancel_hook){ .ctx = ctx, .function = function, .argument = argument };
    ctx->hook = hook;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_for_fork);
    pthread_mutex_lock(&lock);
    hook->next = hooks;
    hooks = hook;
    if (!watching)
        start_watching();
    pthread_mutex_unlock(&lock);
}
