/* The context of a call, as the library sees it.
 *
 * Contexts form a tree. The root is made by chains_open or for a request; each call makes a child.
 * A child whose call runs on the caller's thread takes its memory from its caller's arena; one that
 * runs elsewhere has an arena of its own, which the waiting thread adopts. Deadline, cancellation
 * and the connection to watch are looked up along the way to the root.
 *
 * A context is used by the thread that runs its call. The fields marked "any thread" may be read
 * from others. */
#ifndef CHAINSI_RUNTIME_CONTEXT_H
#define CHAINSI_RUNTIME_CONTEXT_H

#include <pthread.h>
#include <stdatomic.h>

#include <chains.h>

#include "base/arena.h"
#include "base/clock.h"
#include "runtime/trace.h"

typedef struct chainsi_gather chainsi_gather;

/* What all contexts of a program share. Constant once its Chainlets are made, which one thread
 * does. */
typedef struct chainsi_process {
    const char *environment;            /* "production", "local", ... */
    const chains_secret_value *secrets; /* up to a NULL name; never NULL */
    const char *assets_dir;
    chains_log_level log_level;
    bool strict;
    bool generated; /* the program was made by `chains`: calls go through chainsi_call */
    struct chainsi_instance *fakes;    /* that the program made itself */
    struct chainsi_progress *progress; /* of a service that is watched; NULL */
} chainsi_process;

/* Where in the author's code a call that failed was made; noted by CHAINS_TRY. */
typedef struct chainsi_site {
    const char *file; /* NULL: not known */
    const char *function;
    int line;
} chainsi_site;

/* A failure that a later one on the same ctx took the place of. */
typedef struct chainsi_past_error chainsi_past_error;
struct chainsi_past_error {
    chains_error error;
    bool raised_here;
    chainsi_site site;
    chainsi_past_error *older;
};

struct chains_ctx {
    chains_ctx *parent; /* NULL for a root; outlives this. Any thread. */
    chainsi_process *process;
    chainsi_arena *arena;  /* where memory comes from: own, or an ancestor's */
    chainsi_arena own;     /* for a root and for calls on other threads */
    pthread_mutex_t *lock; /* not NULL: arena may be used by several threads (the ctx of _new) */
    const char
        *chainlet; /* whose code runs with it, by wire name; "" for a program's own. Any thread. */
    const chains_config
        *config; /* of that Chainlet; NULL for a program's own code, which may read everything */
    int64_t deadline_ns;     /* of this and all above it; CHAINSI_NEVER. Any thread. */
    atomic_bool cancelled;   /* this one was told to stop. Any thread. */
    bool raced;              /* one of two attempts: another thread may cancel it by itself */
    int connection;          /* descriptor of the caller's connection, -1: none. Any thread. */
    short connection_events; /* what poll() reports when the caller has gone */
    const atomic_bool *caller_left;  /* set when the caller wants no answer; its waiters are woken
                                       then. NULL: nobody says so. Any thread. */
    const char *request_id;          /* "" outside of a request. Any thread. */
    chainsi_trace trace;             /* with this call's span */
    bool failed;                     /* error and site are set */
    bool raised_here;                /* by chains_fail with this ctx, not by a call made with it */
    chains_status raised;            /* what the latest chains_fail with this ctx said, but where
                                        there is a lock; OK: there was none */
    chains_error error;              /* its memory is of arena */
    chainsi_site site;               /* of the call whose error it is */
    chainsi_past_error *past_errors; /* newest first */
    chainsi_gather
        *gather; /* not NULL: this is the ctx of a gather, and calls made with it are started */
    chainsi_gather *gathers;          /* made with this ctx, newest first */
    struct chainsi_grown *grown;      /* lists that chains_push has grown */
    struct chainsi_cancel_hook *hook; /* chains_on_cancel's */
    struct chainsi_callee *announced; /* of a started call that counts as in flight there before it
                                         begins, and has a place there (chainsi_local_announce); NULL */
};

/* Fills in a root with a fresh arena and ids. request_id and the trace come from the caller, or are
 * made. */
void chainsi_context_init_root(chains_ctx *ctx, chainsi_process *process);
/* Fills in a child of parent that runs `chainlet` (the parent's when NULL). own_arena: it runs on
 * another thread, or is kept. */
void chainsi_context_init_child(chains_ctx *ctx, chains_ctx *parent, bool own_arena);
/* Ends a ctx: cancels gathers that nobody waited for and waits until they ended, takes back
 * chains_on_cancel, and frees the memory if it is its own. Blocks as long as what was started goes
 * on after being cancelled. */
void chainsi_context_done(chains_ctx *ctx);

/* Marks ctx and everything below it as cancelled, and wakes the threads that wait. Any thread. */
void chainsi_context_cancel(chains_ctx *ctx);
/* Why ctx should stop: CHAINS_OK (it should not), CHAINS_CANCELLED or CHAINS_DEADLINE_EXCEEDED. Any
 * thread. */
chains_status chainsi_context_stopped(const chains_ctx *ctx);
/* The same, but the caller's connection is looked at only once in a tick of the coarse clock (some
 * milliseconds): for what happens before each of many short calls. Any thread. */
chains_status chainsi_context_stopped_lately(const chains_ctx *ctx);
/* Whether it, or what it is a part of, was cancelled by somebody who said so: neither the clock nor a
 * connection is looked at. Any thread. */
bool chainsi_context_is_cancelled(const chains_ctx *ctx);
/* The nearest ctx with a connection to watch, or NULL. */
const chains_ctx *chainsi_context_connected(const chains_ctx *ctx);

/* count random hex digits and a NUL. Any thread. */
void chainsi_random_hex(char *text, size_t count);
/* A random 64-bit number; not for secrets. Any thread. */
uint64_t chainsi_random(void);

#endif
