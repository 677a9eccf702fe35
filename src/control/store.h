/* The state of a daemon: the SQLite database CHAINS_HOME/state.db, its one writer, and its backups; or one of a
 * PostgreSQL server's (postgres.h), with one writer of all that use it, and no backups: they are its operator's.
 *
 * What it holds has a header a noun (store_chains.h, store_requests.h ...): functions on a
 * chainsi_database, which reads and changes are made of.
 *
 * Reading. chainsi_store_reader is a connection for short reads on the loop's thread. Each read sees
 * the changes that had been made durable when it began: at least all those whose end was told.
 *
 * Changing. A change is a function that runs on the store's own thread, in a transaction:
 *
 *   chainsi_write *write = chainsi_write_new(sizeof(struct promotion));
 *   struct promotion *promotion = write->arguments;    in write->arena, as all that it points to
 *   write->run = promote;                              the changes; on the store's thread
 *   write->on_end = on_promoted;                       their end; on the loop's thread
 *   chainsi_store_write(store, write);
 *
 *   - Changes are made one after the other, in the order in which they were handed over, and their
 *     ends are told in that order. A change sees those before it.
 *   - All that wait are made in one transaction, and so share the one wait for the disk. on_end is
 *     called when they are on it (synchronous=FULL): what it was told stays, whatever happens to
 *     this process or to the machine.
 *   - A change that fails is taken back whole, and alone: those beside it are not touched. If the
 *     transaction itself fails (the disk is full), each change is tried once more in one of its own.
 *     So `run` may be called twice: it works from its arguments alone, and writes what it finds out
 *     anew each time. A statement that failed within `run` is the end of it: on a server nothing
 *     more can be done in that transaction.
 *   - on_end is called once for each change, never from within chainsi_store_write, with the status
 *     that run returned and chainsi_database_why, or why it could not be kept. Then the write is freed.
 *     Whoever no longer wants to know (a client left) sets on_end to NULL; the change is made anyway.
 *   - A full disk is a failure of the changes that find no room (RESOURCE_EXHAUSTED). What was there
 *     stays whole and can be read; when there is room, changes succeed again.
 *   - A server that is away is waited for, for some seconds (postgres.h); then it is a failure of the
 *     changes, UNAVAILABLE, until it is back. One whose connection breaks while changes are kept is
 *     asked what became of them; if that can't be found out in that time, they are UNAVAILABLE with a
 *     sentence that says so, and are not tried again.
 *
 * Opening never makes an empty state where there was another: a damaged file, one of a newer
 * program, or a missing one beside a backup of it is refused, with what to do. */
#ifndef CHAINSI_CONTROL_STORE_H
#define CHAINSI_CONTROL_STORE_H

#include <stdint.h>

#include <uv.h>

#include "base/arena.h"
#include "control/database.h"

enum {
    CHAINSI_STORE_MAX_GROUP = 256,    /* changes that share a transaction */
    CHAINSI_STORE_MAX_WAITING = 65536 /* changes; one more is RESOURCE_EXHAUSTED */
};

typedef struct chainsi_store chainsi_store;
typedef struct chainsi_write chainsi_write;

typedef chains_status (*chainsi_change)(chainsi_database *database, void *arguments);

/* One change on its way. */
struct chainsi_write {
    /* What whoever asks sets, before it is handed over. */
    chainsi_change run;
    void (*on_end)(chainsi_write *write, chains_status status, const char *why); /* or NULL */
    void *user;                                                                  /* on_end's */
    chainsi_arena arena; /* freed after on_end */
    void *arguments;     /* run's; in arena */
    /* The store's. */
    chains_status status;
    char *why; /* in arena; NULL: it succeeded */
    bool waited_for, ended;
    chainsi_write *next;
};

/* How much was done since the store was opened. */
typedef struct chainsi_store_counts {
    uint64_t writes;  /* changes that ended */
    uint64_t failed;  /* of them, those that failed */
    uint64_t commits; /* transactions that were made durable */
    uint64_t waiting; /* changes now */
} chainsi_store_counts;

/* Opens home/state.db, or makes it, and takes the steps that its schema lacks (after a backup). Blocks;
 * reads the whole file to check it. url: NULL, or the database of a server to use instead, in which the
 * schema is made if there is nothing. loop: where on_end is called and from whose thread the store is
 * used; NULL: nobody can use chainsi_store_write. NULL with a reason: UNAVAILABLE if another process
 * has it open, DATA_LOSS, FAILED_PRECONDITION, and those of database.h. */
chainsi_store *chainsi_store_open(const char *home, const char *url, uv_loop_t *loop,
                                  chains_status *status, char *why, size_t why_size);
/* Makes the changes that were handed over, gives up a backup, tells their ends, and closes. What is
 * handed over from within on_end meanwhile is UNAVAILABLE. Not to be called from within on_end. The
 * loop must run once more afterwards, for its handle. NULL is allowed. */
void chainsi_store_close(chainsi_store *store);

/* Has a function called once when another process has become the writer of a server's database, or what is in
 * memory is of the past for another reason (postgres.h): no change is made any more, and the process had better
 * end. On the loop's thread, where it is called, too. */
void chainsi_store_on_overtaken(chainsi_store *store,
                                void (*on_overtaken)(void *user, const char *why), void *user);

/* The connection for reading. On the loop's thread; it ends with the store. A statement that stays
 * begun across turns of the loop keeps the log from being brought back into the file. */
chainsi_database *chainsi_store_reader(chainsi_store *store);

/* A change whose arguments are so many zeroed bytes. */
chainsi_write *chainsi_write_new(size_t arguments_size);
/* Only for one that was never handed over. NULL is allowed. */
void chainsi_write_free(chainsi_write *write);
/* Hands a change over; the store owns it from now on. Never blocks. On the loop's thread. */
void chainsi_store_write(chainsi_store *store, chainsi_write *write);
/* Makes a change and waits until it is durable: for start-up, and for programs without a loop. Any
 * thread but the store's own. */
chains_status chainsi_store_write_now(chainsi_store *store, chainsi_change run, void *arguments,
                                      char *why, size_t why_size);

/* Makes a backup (backup.h) on a thread of its own, beside reading and changing. on_end as of a write,
 * on the loop's thread; NULL: nobody wants to know. ABORTED if one is being made already; of a server's
 * database none is made, and all is well. To be called
 * by the owner at start and on a schedule. On the loop's thread. */
void chainsi_store_back_up(chainsi_store *store,
                           void (*on_end)(chainsi_write *write, chains_status status,
                                          const char *why),
                           void *user);

chainsi_store_counts chainsi_store_count(chainsi_store *store);

#endif
