/* Contexts: making, ending, deadlines and cancellation.
 *
 * Cancellation is a flag on one ctx; those below find it by looking up. Threads that wait are woken
 * all at once (waiter.c) and look for themselves: cancelling is rare, and so no ctx needs to know
 * what runs below it. That the caller's connection hung up is found by asking the kernel when
 * somebody asks us. */
#include "runtime/context.h"

#include <poll.h>
#include <string.h>
#include <sys/random.h>

#include "runtime/cancel.h"
#include "runtime/error.h"
#include "runtime/gather.h"
#include "runtime/waiter.h"

uint64_t chainsi_random(void)
{
    static _Thread_local uint64_t state;
    if (!state) {
        if (getrandom(&state, sizeof state, GRND_NONBLOCK) != sizeof state)
            state = (uint64_t)chainsi_now_ns() ^ (uint64_t)(uintptr_t)&state;
        state |= 1;
    }
    /* splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014). */
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void chainsi_random_hex(char *text, size_t count)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < count; i++) {
        if (i % 16 == 0)
            bits = chainsi_random();
        text[i] = "0123456789abcdef"[bits & 15];
        bits >>= 4;
    }
    text[count] = 0;
}

void chainsi_context_init_root(chains_ctx *ctx, chainsi_process *process)
{
    *ctx = (chains_ctx){
        .process = process,
        .chainlet = "",
        .deadline_ns = CHAINSI_NEVER,
        .connection = -1,
        .request_id = "",
    };
    ctx->arena = &ctx->own;
}

/* Field by field: every call in this process makes a child, and what has no meaning yet (the error
 * of a ctx that hasn't failed, an arena of its own that isn't used) is not worth clearing. */
void chainsi_context_init_child(chains_ctx *ctx, chains_ctx *parent, bool own_arena)
{
    ctx->parent = parent;
    ctx->process = parent->process;
    ctx->arena = parent->arena;
    ctx->lock = parent->lock;
    ctx->chainlet = parent->chainlet;
    ctx->config = parent->config;
    ctx->deadline_ns = parent->deadline_ns;
    atomic_init(&ctx->cancelled, false);
    ctx->raced = false;
    ctx->connection = -1;
    ctx->connection_events = 0;
    ctx->caller_left = NULL;
    ctx->request_id = parent->request_id;
    ctx->trace = parent->trace;
    ctx->failed = false;
    ctx->raised = CHAINS_OK;
    ctx->past_errors = NULL;
    ctx->gather = NULL;
    ctx->gathers = NULL;
    ctx->grown = NULL;
    ctx->hook = NULL;
    ctx->announced = NULL;
    if (own_arena) {
        chainsi_arena_init(&ctx->own);
        ctx->arena = &ctx->own;
        ctx->lock = NULL;
    }
}

void chainsi_context_done(chains_ctx *ctx)
{
    chainsi_gathers_end(ctx);
    chainsi_cancel_hook_end(ctx);
    chainsi_error_forget(ctx);
    if (ctx->arena == &ctx->own)
        chainsi_arena_done(&ctx->own);
}

void chainsi_context_cancel(chains_ctx *ctx)
{
    atomic_store(&ctx->cancelled, true);
    chainsi_waiters_wake_all();
}

const chains_ctx *chainsi_context_connected(const chains_ctx *ctx)
{
    while (ctx && ctx->connection < 0)
        ctx = ctx->parent;
    return ctx;
}

static bool caller_has_gone(const chains_ctx *ctx)
{
    struct pollfd watched = { .fd = ctx->connection, .events = ctx->connection_events };
    return poll(&watched, 1, 0) > 0 &&
           (watched.revents & (ctx->connection_events | POLLHUP | POLLERR));
}

/* Whether it was cancelled itself, or its caller has said that it wants no answer. */
static bool has_flag(const chains_ctx *ctx)
{
    return atomic_load_explicit(&ctx->cancelled, memory_order_acquire) ||
           (ctx->caller_left && atomic_load(ctx->caller_left));
}

bool chainsi_context_is_cancelled(const chains_ctx *ctx)
{
    while (ctx && !has_flag(ctx))
        ctx = ctx->parent;
    return ctx;
}

/* Sets *connected to the nearest ctx with a connection to watch, or NULL. */
static chains_status told_to_stop(const chains_ctx *ctx, const chains_ctx **connected)
{
    if (ctx->deadline_ns != CHAINSI_NEVER && chainsi_now_ns() >= ctx->deadline_ns)
        return CHAINS_DEADLINE_EXCEEDED;
    *connected = NULL;
    for (const chains_ctx *above = ctx; above; above = above->parent) {
        if (has_flag(above))
            return CHAINS_CANCELLED;
        if (above->connection >= 0 && !*connected)
            *connected = above;
    }
    return CHAINS_OK;
}

chains_status chainsi_context_stopped(const chains_ctx *ctx)
{
    const chains_ctx *connected;
    chains_status status = told_to_stop(ctx, &connected);
    if (status == CHAINS_OK && connected && caller_has_gone(connected))
        return CHAINS_CANCELLED;
    return status;
}

chains_status chainsi_context_stopped_lately(const chains_ctx *ctx)
{
    static _Thread_local int asked_connection = -1;
    static _Thread_local struct timespec asked_at;
    const chains_ctx *connected;
    chains_status status = told_to_stop(ctx, &connected);
    if (status != CHAINS_OK || !connected)
        return status;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (connected->connection == asked_connection && now.tv_nsec == asked_at.tv_nsec &&
        now.tv_sec == asked_at.tv_sec)
        return CHAINS_OK;
    asked_connection = connected->connection;
    asked_at = now;
    return caller_has_gone(connected) ? CHAINS_CANCELLED : CHAINS_OK;
}

bool chains_cancelled(const chains_ctx *ctx)
{
    return chainsi_context_stopped(ctx) != CHAINS_OK;
}

int64_t chains_remaining_ms(const chains_ctx *ctx)
{
    if (ctx->deadline_ns == CHAINSI_NEVER)
        return -1;
    int64_t left = ctx->deadline_ns - chainsi_now_ns();
    return left > 0 ? left / CHAINSI_NS_PER_MS : 0;
}

const char *chains_environment(const chains_ctx *ctx)
{
    return ctx->process->environment;
}

const char *chains_request_id(const chains_ctx *ctx)
{
    return ctx->request_id;
}
