/* The connections of a server, and who owns each.
 *
 * Every connection is in one epoll, edge-triggered, so that nothing has to be armed between two
 * requests, and has one owner at a time:
 *
 *            claim, or sweep/drain/recall          close
 *   WAITING ------------------------------> OWNED -------> FREE --accept--> OWNED
 *      ^                                    |  ^ |  ^
 *      |                            release |  | |  | release, which says so: read on
 *      '------------------------------------'  | v  |
 *   QUEUED <----------- queue -----------------' TOLD   an event came while it was owned
 *      '--------------- unqueue ---------------^
 *
 * WAITING is the only state in which somebody may claim a connection. An event that meets another
 * owner is noted (TOLD), and that owner reads on instead of letting go. So an event is lost only to
 * an owner who is yet to read, and a connection is let go only when the last read left nothing in
 * the socket (connection->drained). QUEUED ones stand in a list of the server's (they have
 * something to be read, and no slot is free); who takes them from there owns them.
 *
 * Only the owner closes, so a descriptor's number is never used after it was given away. Structs of
 * connections are kept until the server ends, so a late event at worst finds another connection
 * with nothing to read. What it says of an end is to be asked of that connection again.
 *
 * Used by the files of the server only; any thread. */
#ifndef CHAINSI_RPC_TABLE_H
#define CHAINSI_RPC_TABLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "rpc/connection.h"

enum {
    CHAINSI_TABLE_CHUNK = 32, /* connections that are allocated together */
    CHAINSI_TABLE_CHUNKS = 1024,
    CHAINSI_TABLE_MOST = CHAINSI_TABLE_CHUNK * CHAINSI_TABLE_CHUNKS,
};

typedef struct chainsi_table {
    int epoll, timer; /* owned descriptors; the timer is nobody's until it is armed */
    int tick_ms;      /* how soon after it was set the timer fires */
    /* Called before a connection is closed, whoever closes it. */
    void (*closing)(void *user, chainsi_connection *connection);
    void *user;
    atomic_bool timer_armed;
    atomic_int recallable;  /* connections between requests that needn't be kept */
    atomic_int connections; /* open ones */
    pthread_mutex_t lock;   /* of what follows */
    chainsi_connection *chunks[CHAINSI_TABLE_CHUNKS]; /* owned */
    int chunk_count;
    chainsi_connection *free_ones;
} chainsi_table;

/* Makes an empty table of zero bytes, but for closing; false with errno. _done is called in any case. */
bool chainsi_table_init(chainsi_table *table);
/* All connections must be closed and all threads gone. */
void chainsi_table_done(chainsi_table *table);

/* A connection for a descriptor, owned by the caller; NULL if there are too many. */
chainsi_connection *chainsi_table_take(chainsi_table *table);
/* Closes a connection that the caller owns. */
void chainsi_table_close(chainsi_table *table, chainsi_connection *connection);

/* Has epoll tell of an owned connection, if it doesn't yet. False: it can't. */
bool chainsi_table_register(chainsi_table *table, chainsi_connection *connection);
/* After epoll told of it: true makes the caller its owner, false means that it has another, who will
 * see what came. */
bool chainsi_table_claim(chainsi_connection *connection);
/* Without having been told: true makes the caller its owner. */
bool chainsi_table_seize(chainsi_connection *connection);
/* Lets go of a connection until something comes. False: something has, and the caller still owns
 * it. Sets the timer if it has a deadline. The last read must have emptied the socket. */
bool chainsi_table_release(chainsi_table *table, chainsi_connection *connection);
/* Lets go of a connection that was seized; what came meanwhile is told to another thread. */
void chainsi_table_put_back(chainsi_table *table, chainsi_connection *connection);
/* The same, and what has come before that is told of once more. */
void chainsi_table_rouse(chainsi_table *table, chainsi_connection *connection);
/* For an owner who puts it into a list, and one who takes it from there. */
void chainsi_table_queue(chainsi_connection *connection);
void chainsi_table_unqueue(chainsi_connection *connection);

/* Notes since when a connection of the caller's is idle; CHAINSI_NEVER: it isn't. */
void chainsi_table_set_idle(chainsi_table *table, chainsi_connection *connection, int64_t since_ns);
bool chainsi_table_is_idle(const chainsi_connection *connection);
/* Closes all idle ones that nobody owns and that needn't be kept / the one that is idle for longest;
 * false if none is. */
void chainsi_table_close_idle(chainsi_table *table);
bool chainsi_table_close_oldest(chainsi_table *table);

/* Calls visit for every struct of a connection that there is, open or not, whoever owns it. */
void chainsi_table_visit(chainsi_table *table, void (*visit)(chainsi_connection *, void *),
                         void *user);

/* Has the timer fire after a tick, unless it is going to. */
void chainsi_table_set_timer(chainsi_table *table);

#endif
