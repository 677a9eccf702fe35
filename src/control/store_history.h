/* What happened, in the state (store.h): replicas that were started, and events. Both are bounded:
 * what is older than the newest so many goes when something is added.
 *
 * Functions that change something are for chainsi_store_write's functions; all may be called on the
 * reader, where they only read. What is read lives in `arena`. */
#ifndef CHAINSI_CONTROL_STORE_HISTORY_H
#define CHAINSI_CONTROL_STORE_HISTORY_H

#include "control/database.h"

enum {
    CHAINSI_REPLICAS_KEPT = 200, /* that have ended, of one Chainlet */
    CHAINSI_EVENTS_KEPT = 20000, /* of all */
};

/* One process, from its start to its end. */
typedef struct chainsi_stored_replica {
    int64_t id; /* counts */
    const char *chain;
    const char *version;  /* id */
    const char *chainlet; /* name on the wire */
    int64_t pid;
    const char *started_at;
    const char *ready_at; /* NULL: it never was */
    const char *ended_at; /* NULL: it runs */
    const char *how;      /* it ended: "exit status 1"; NULL: it runs */
} chainsi_stored_replica;

typedef struct chainsi_stored_replicas {
    chainsi_stored_replica *items;
    size_t count;
} chainsi_stored_replicas;

typedef struct chainsi_stored_event {
    int64_t id; /* counts, and tells where to go on */
    const char *at;
    const char *kind;     /* "deployed", "scaled", "replica_died" ... */
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

/* Adds one that was started now, and gives it its id. NOT_FOUND: there is no such chain. */
chains_status chainsi_stored_replica_start(chainsi_database *database,
                                           chainsi_stored_replica *replica);
/* It became ready, or ended, now. NOT_FOUND where it was forgotten with its chain. */
chains_status chainsi_stored_replica_ready(chainsi_database *database, int64_t id);
chains_status chainsi_stored_replica_end(chainsi_database *database, int64_t id, const char *how);
/* The newest first; of one Chainlet, or of all of the chain (NULL). */
chains_status chainsi_stored_replica_list(chainsi_database *database, const char *chain,
                                          const char *chainlet, int64_t limit, chainsi_arena *arena,
                                          chainsi_stored_replicas *replicas);
/* Those of all chains whose end isn't known, the oldest first: for a daemon that starts. */
chains_status chainsi_stored_replica_running(chainsi_database *database, chainsi_arena *arena,
                                             chainsi_stored_replicas *replicas);

/* Adds an event that happened now; its id and time are set by this. */
chains_status chainsi_stored_event_add(chainsi_database *database,
                                       const chainsi_stored_event *event);
/* The newest first, of one chain or of all (NULL), with ids below `before` (0: from the newest). */
chains_status chainsi_stored_event_list(chainsi_database *database, const char *chain,
                                        int64_t before, int64_t limit, chainsi_arena *arena,
                                        chainsi_stored_events *events);

#endif
