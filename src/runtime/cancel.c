/* chains_on_cancel. One thread, started with the first hook, looks whether the contexts with hooks were
 * cancelled: whenever something was, and every few milliseconds for what nobody tells (a caller that hangs
 * up, a deadline). So a call without a hook pays nothing. The thread ends when no hook is left. */
#include "runtime/cancel.h"

#include <signal.h>

#include "runtime/context.h"
#include "runtime/memory.h"
#include "runtime/waiter.h"

enum { LOOK_EVERY_MS = 5 };

typedef struct chainsi_cancel_hook {
    chains_ctx *ctx;
    chains_cancel_function function;
    void *argument;
    bool running;
    struct chainsi_cancel_hook **list; /* the one that it is in; NULL: none */
    struct chainsi_cancel_hook *previous, *next;
} chainsi_cancel_hook;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ran = PTHREAD_COND_INITIALIZER;
static chainsi_cancel_hook *hooks; /* those whose contexts go on, as far as is known */
static chainsi_cancel_hook *due;   /* those that are to run */
static bool watching;

static void put(chainsi_cancel_hook *hook, chainsi_cancel_hook **list)
{
    hook->list = list;
    hook->previous = NULL;
    hook->next = *list;
    if (*list)
        (*list)->previous = hook;
    *list = hook;
}

static void forget(chainsi_cancel_hook *hook)
{
    if (!hook->list)
        return;
    if (hook->previous)
        hook->previous->next = hook->next;
    else
        *hook->list = hook->next;
    if (hook->next)
        hook->next->previous = hook->previous;
    hook->list = NULL;
}

static void run_due_hooks(void)
{
    for (chainsi_cancel_hook *hook = hooks, *next; hook; hook = next) {
        next = hook->next;
        if (chainsi_context_stopped(hook->ctx) == CHAINS_OK)
            continue;
        forget(hook);
        put(hook, &due);
    }
    while (due) {
        chainsi_cancel_hook *hook = due;
        forget(hook);
        hook->running = true;
        pthread_mutex_unlock(&lock);
        hook->function(hook->argument);
        pthread_mutex_lock(&lock);
        hook->running = false;
        pthread_cond_broadcast(&ran);
    }
}

static void *watch_hooks(void *unused)
{
    (void)unused;
    chainsi_waiter *waiter = chainsi_waiter_self();
    pthread_mutex_lock(&lock);
    while (hooks || due) {
        run_due_hooks();
        pthread_mutex_unlock(&lock);
        chainsi_waiter_wait(waiter, NULL, chainsi_now_ns() + LOOK_EVERY_MS * CHAINSI_NS_PER_MS);
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
    put(hook, &hooks);
    if (!watching)
        start_watching();
    pthread_mutex_unlock(&lock);
}
