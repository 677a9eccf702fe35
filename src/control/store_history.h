/* What happened, in the state (store.h): replicas from their start to their end, and events. Both are
 * bounded: what is older than the newest so many goes when something is added.
 *
 * A replica is known by what the keeper calls its process, which is one at a time. So its start ends
 * whatever was still open of that name: nobody saw how that ended.
 *
 * Functions that change something are for chainsi_store_write's functions; all may be called on the
 * reader, where they only read. What is read lives in `arena`. The types' tables are api_history.c's. */
#ifndef CHAINSI_CONTROL_STORE_HISTORY_H
#define CHAINSI_CONTROL_STORE_HISTORY_H

#include "control/database.h"

enum {
    CHAINSI_REPLICAS_KEPT = 100,         /* that have ended, of one Chainlet in one environment */
    CHAINSI_REPLICA_DAYS_KEPT = 30,      /* after their end */
    CHAINSI_EVENTS_KEPT = 20000,         /* of all */
    CHAINSI_SCALING_EVENTS_KEPT = 10000, /* of these, of the kind CHAINSI_EVENT_SCALED */
};

#define CHAINSI_EVENT_SCALED  "scaled"
#define CHAINSI_EVENT_CRASHED "crashed" /* a replica that served has died */
#define CHAINSI_EVENT_FAILED  "failed"  /* it died too often, and is given up for now */

/* How a replica ended. */
#define CHAINSI_ENDING_EXITED      "exited"  /* by itself, or before it was to */
#define CHAINSI_ENDING_KILLED      "killed"  /* by a signal */
#define CHAINSI_ENDING_MEMORY      "memory"  /* by the kernel, as memory ran out */
#define CHAINSI_ENDING_DRAINED     "drained" /* as it was told to */
#define CHAINSI_ENDING_OVERDUE     "overdue" /* told to end, its calls outlasted its drain time */
#define CHAINSI_ENDING_STALLED     "stalled" /* its calls stood still: it was killed */
#define CHAINSI_ENDING_LATE        "late"    /* it wasn't ready in time: it was killed */
#define CHAINSI_ENDING_NOT_STARTED "not_started" /* it never ran */
#define CHAINSI_ENDING_LOST        "lost"        /* nobody saw it */

/* One process, from its start to its end. */
typedef struct chainsi_stored_replica {
    int64_t id; /* counts, and tells where to go on */
    const char *chain, *environment;
    const char *version;  /* id */
    const char *chainlet; /* name on the wire */
    const char *process;  /* what the keeper knows it as */
    int64_t pid;          /* 0: it never ran */
    const char *started_at;
    const char *ready_at;       /* NULL: it never was */
    const char *ended_at;       /* NULL: it runs, and so is all that follows */
    const char *ending;         /* one of the above */
    const int32_t *exit_status; /* NULL: it was killed, or nobody knows */
    const int32_t *signal;      /* that killed it; NULL: none, or nobody knows */
    const char *how;            /* for people: "exit status 1" */
} chainsi_stored_replica;

typedef struct chainsi_stored_replicas {
    chainsi_stored_replica *items;
    size_t count;
} chainsi_stored_replicas;

typedef struct chainsi_stored_event {
    int64_t id; /* counts, and tells where to go on */
    const char *at;
    const char *kind;     /* "deployed", "scaled" ... */
    const char *chain;    /* or NULL */
    const char *chainlet; /* or NULL */
    const char *message;  /* for people */
    chains_json details;  /* for programs; without text: none */
} chainsi_stored_event;

typedef struct chainsi_stored_events {
    chainsi_stored_event *items;
    size_t count;
} chainsi_stored_events;

extern const chainsi_type chainsi_stored_replica_type, chainsi_stored_replicas_type,
    chainsi_stored_event_type, chainsi_stored_events_type;

/* Adds one that runs: all but its id, ready_at and what comes with its end; brain: of the process that
 * says so, see _settle. NOT_FOUND: there is no such chain. */
chains_status chainsi_stored_replica_start(chainsi_database *database, const char *brain,
                                           const chainsi_stored_replica *replica);
/* The same of one that may be there already, by its process and pid; then only the brain is noted. */
chains_status chainsi_stored_replica_pick_up(chainsi_database *database, const char *brain,
                                             const chainsi_stored_replica *replica);
/* The one that runs under that name became ready; the first time counts. One that isn't there was
 * forgotten with its chain. */
chains_status chainsi_stored_replica_ready(chainsi_database *database, const char *process,
                                           const char *at);
/* It ended: whose it was, process, and what comes with an end. */
chains_status chainsi_stored_replica_end(chainsi_database *database,
                                         const chainsi_stored_replica *replica);
/* Adds one that could not be started, with its end. As of _start. */
chains_status chainsi_stored_replica_add_failed(chainsi_database *database,
                                                const chainsi_stored_replica *replica);
/* All that run by the word of another brain than this one have ended, and nobody saw how. */
chains_status chainsi_stored_replica_settle(chainsi_database *database, const char *brain,
                                            const char *at);
/* Forgets those that ended so many days before `now_ms`, by steady time (steady.h). */
chains_status chainsi_stored_replica_purge(chainsi_database *database, int64_t now_ms);
/* Of one Chainlet in one environment; the newest first, with ids below `before` (0: from the newest). */
chains_status chainsi_stored_replica_list(chainsi_database *database, const char *chain,
                                          const char *environment, const char *chainlet,
                                          int64_t before, int64_t limit, chainsi_arena *arena,
                                          chainsi_stored_replicas *replicas);

/* Adds an event that happened now; its id and time are set by this. */
chains_status chainsi_stored_event_add(chainsi_database *database,
                                       const chainsi_stored_event *event);
/* Forgets those that say how Chainlets were scaled beyond the newest so many: they are the most, and
 * would drive out the others. */
chains_status chainsi_stored_event_trim(chainsi_database *database);

/* Which to list. */
typedef struct chainsi_event_filter {
    const char *chain;    /* NULL: of all */
    const char *chainlet; /* NULL: of any, or none */
    const char *kind;     /* NULL: any */
    int64_t before;       /* with ids below that; 0: from the newest */
    int64_t limit;
} chainsi_event_filter;

/* The newest first. */
chains_status chainsi_stored_event_list(chainsi_database *database,
                                        const chainsi_event_filter *filter, chainsi_arena *arena,
                                        chainsi_stored_events *events);

/* The id of the newest of all; 0: there is none, or it can't be read. */
int64_t chainsi_stored_event_newest(chainsi_database *database);

#endif
