/* What the files of a set of replicas share.
 *
 *   replicas.c   a call's way through them
 *   members.c    which replicas there are, and which of them are called; names
 *   waiting.c    calls for which no slot is free
 *   probe.c      whether one that couldn't be reached can be
 *   choice.c     who is tried next; want.c a place in one replica's queue; lookup.c names */
#ifndef CHAINSI_RPC_CALLING_H
#define CHAINSI_RPC_CALLING_H

#include <pthread.h>

#include "rpc/choice.h"
#include "rpc/replicas.h"
#include "rpc/want.h"

typedef struct chainsi_replica {
    char *host; /* owned: a number */
    uint16_t port;
    chainsi_client *client; /* owned; NULL while it isn't called */
    size_t source;          /* of the set's sources, the one it was found by */
    int at;                 /* its place in the set; -1: it is gone */
    int references;         /* the set's, each call's and each want's */
    bool gone;              /* no longer in the set */
    uint64_t put_aside;     /* when, as a number; 0: it wasn't */
    int wants;
    int probe_fd;     /* owned: a connection that is being tried; -1: none is */
    int64_t probe_ns; /* when that is given up; or, while it is away, when the next one is tried */
    chainsi_choice known;
} chainsi_replica;

/* One address of the list. */
typedef struct chainsi_source {
    chainsi_address address; /* owned */
    bool is_name;
    chainsi_found found; /* at last; of whoever looks up */
} chainsi_source;

typedef struct chainsi_waiting_call chainsi_waiting_call;

typedef struct chainsi_wanted {
    chainsi_replica *replica; /* a reference */
    chainsi_want *want;       /* owned */
    int64_t connect_by_ns;    /* CHAINSI_NEVER once it is connected */
    bool granted;             /* and not yet handed to a call */
} chainsi_wanted;

struct chainsi_replicas {
    chainsi_replicas_options options;
    chainsi_source *sources; /* owned */
    size_t source_count;
    bool has_names;
    int epoll;   /* owned: all wants, and `changed`. Watched by the call that leads */
    int changed; /* owned: an eventfd, written when the set has changed */

    int first_look_up; /* owned: an eventfd that can be read once it has ended; -1: there are no names */

    pthread_mutex_t lock; /* of all that follows */
    /* The first `used` are those that are called; the rest is only known, and taken in when all of these are
     * busy: who calls a few of thousands needn't have a connection to each, nor look at each for every
     * call. Three arrays side by side. */
    chainsi_replica **all;        /* owned, of references */
    const chainsi_choice **known; /* owned: of the same */
    bool *skipped;                /* owned: for a choice */
    int count, capacity, used;
    int engaged;           /* of those used: where calls of the set's are */
    uint32_t chance;       /* the state of random numbers; never 0 */
    uint64_t put_aside;    /* how many have been */
    int64_t explored_ns;   /* when others were taken in last because calls wait, */
    int64_t round_ns;      /* when that began to be counted, */
    int explored;          /* and how many since then */
    int64_t lost_since_ns; /* none can be reached since then; 0: some can */
    int64_t probe_ns;      /* when probes are to be looked at next; 0: there are none */
    unsigned start;        /* where ties of the next choice begin */
    chainsi_replica *last; /* called last; not a reference, only compared */

    bool looked_up;  /* with success */
    bool has_looked; /* whatever it has found */
    bool looking;    /* a thread is */
    bool has_looker;
    pthread_t looker;     /* to be joined */
    bool lost;            /* a replica, since the last look-up */
    int64_t looked_up_ns; /* when a look-up began last; 0: none has */
    char lookup_failure[256];

    chainsi_waiting_call *first_waiting, *last_waiting;
    chainsi_waiting_call *leader; /* the one that watches the wants; NULL: none waits */
    int waiting;
    chainsi_wanted wants[CHAINSI_MAX_WANTS]; /* owned by the leader */
    int want_count;
    uint64_t refused, granted, unreached;
};

/* --- members.c; all with the lock held --- */

/* Adds a replica of a source. */
void chainsi_members_add(chainsi_replicas *set, size_t source, const char *host, uint16_t port);
/* Has as many in use as there should be at least. */
void chainsi_members_take_in_first(chainsi_replicas *set);
/* Takes another one in, which isn't known to be busy; instead of one that is of no use, where so many are in use that
 * nothing is asked of. False: there is none, or none gives way. */
bool chainsi_members_take_in(chainsi_replicas *set);
/* Has one that is in use wait for better times, and its connections closed. False: it is needed. */
bool chainsi_members_put_aside(chainsi_replicas *set, chainsi_replica *replica);
void chainsi_members_free(chainsi_replicas *set);
void chainsi_replica_unref(chainsi_replica *replica);
/* A call is sent to it / has ended, as chainsi_choice has it. */
void chainsi_members_sent(chainsi_replicas *set, chainsi_replica *replica, bool granted);
void chainsi_members_ended(chainsi_replicas *set, chainsi_replica *replica, int64_t run_ns);
/* Whether no replica can be reached, as far as is known. */
bool chainsi_members_are_down(const chainsi_replicas *set);
/* A number below `limit`, which is above 0. */
int chainsi_members_chance(chainsi_replicas *set, int limit);
/* Has names looked up if it is time; *next_ns is lowered to when it will be. */
void chainsi_replicas_refresh(chainsi_replicas *set, int64_t now_ns, int64_t *next_ns);
/* The first look-up is waited for, by all, whatever it finds, at most until the deadline or the interrupt. The lock is not
 * held meanwhile. */
chainsi_wait_end chainsi_replicas_look_up_first(chainsi_replicas *set, int64_t deadline_ns,
                                                const chainsi_interrupt *interrupt);
/* Has the call that leads look again. */
void chainsi_replicas_tell(chainsi_replicas *set);
/* A replica couldn't be reached, or says that it leaves: names are looked up sooner. */
void chainsi_replicas_fail(chainsi_replicas *set, chainsi_replica *replica, int64_t now_ns);

/* --- probe.c; all with the lock held --- */

/* One that couldn't be reached is to be tried after a while. */
void chainsi_probe_later(chainsi_replicas *set, chainsi_replica *replica, int64_t now_ns);
/* Tries those that are due, and looks at those that are being tried; costs nothing while there are none. Doesn't block. */
void chainsi_probe_all(chainsi_replicas *set, int64_t now_ns);
/* It isn't tried any more. */
void chainsi_probe_end(chainsi_replica *replica);

/* --- waiting.c --- */

typedef enum chainsi_waiting_end {
    CHAINSI_WAITING_STILL,
    CHAINSI_WAITING_GRANTED,
    CHAINSI_WAITING_FULL,
    CHAINSI_WAITING_UNREACHABLE, /* no replica can be reached, and none is expected */
    CHAINSI_WAITING_PLAIN,       /* there is one that lets calls wait in it */
    CHAINSI_WAITING_DEADLINE,
    CHAINSI_WAITING_INTERRUPTED,
} chainsi_waiting_end;

/* Waits until a slot is kept for the calling thread: *replica (a reference) and *connection are set then.
 * The lock is held before and afterwards, and not while it waits. */
chainsi_waiting_end chainsi_waiting_take(chainsi_replicas *set,
                                         const chainsi_client_request *request,
                                         chainsi_replica **replica, chainsi_channel *connection);

#endif
