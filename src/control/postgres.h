/* A database on a PostgreSQL server (14 or newer): what database.h promises, over connections that break.
 *
 * A connection to be read from reconnects by itself, and never keeps its thread for long: an answer that
 * takes CHAINSI_POSTGRES_READ_MS, and a connection that isn't there again after CHAINSI_POSTGRES_GLANCE_MS, are
 * UNAVAILABLE; then reads fail at once until the server answers. It can't change anything.
 *
 * The writer (chainsi_database_claim) is the only one: as long as its connection lives it holds an advisory lock
 * of the server's on its schema. Each of its transactions leaves a mark of its own in the row of the table
 * `chainsd`. So when a connection breaks
 *   - before COMMIT was sent, the transaction is taken back, and can be run again;
 *   - after that, the next connection finds out: it takes the lock, which it can have only when the server has
 *     ended the earlier connection's work (which it is asked to do), and reads the mark. The mark of the
 *     transaction: it was made. The one before: it was not;
 *   - any other mark: somebody else has written meanwhile, and what this process has in memory is of the past:
 *     ABORTED, from then on. So it is when another process has the lock.
 * While the server can't be reached, begin waits until it has been away for CHAINSI_POSTGRES_WAIT_MS, and fails as
 * UNAVAILABLE from then on, until it is back; commit waits as long to find out, and is UNKNOWN if it can't.
 * If what was UNKNOWN turns out to have been made, that is ABORTED, too: nobody in this process knows of it. */
#ifndef CHAINSI_CONTROL_POSTGRES_H
#define CHAINSI_CONTROL_POSTGRES_H

#include "control/database_engine.h"
#include "control/postgres_late.h"

enum {
    CHAINSI_POSTGRES_READ_MS = 5000,   /* for an answer to a read */
    CHAINSI_POSTGRES_WRITE_MS = 30000, /* for one to a statement of the writer's */
    CHAINSI_POSTGRES_GLANCE_MS =
        200, /* for a connection to be read from; then five times as long not */
    CHAINSI_POSTGRES_CONNECT_MS = 3000, /* for any other */
    CHAINSI_POSTGRES_WAIT_MS = 10000,   /* for a server that is away */
    CHAINSI_POSTGRES_LOCK_MS = 5000,    /* for whoever has the lock to end */
    CHAINSI_POSTGRES_MARK = 33,         /* 32 hex digits and a NUL */
};

typedef struct chainsi_postgres {
    chainsi_database base;
    const chainsi_pq *pq;
    char *url; /* owned; with the password */
    bool reads_only;
    PGconn *connection;      /* owned; NULL: there is none */
    bool connecting;         /* it isn't up yet */
    unsigned generation;     /* of the connection: statements are prepared on one */
    unsigned statements;     /* how many have had a name */
    int64_t changes;         /* of the latest statement */
    int64_t tried_ns;        /* when a connection was last begun; 0: never */
    int64_t glance_again_ns; /* when one is waited for again, after it was in vain */

    /* The writer's. */
    bool claimed, overtaken;
    int64_t away_ns;                           /* since when it can't be reached; 0: it can */
    char name[CHAINSI_POSTGRES_MARK];          /* of this writer, among all */
    char mark[CHAINSI_POSTGRES_MARK];          /* as it stands, by what is known */
    char next_mark[CHAINSI_POSTGRES_MARK];     /* of the open transaction */
    char doubtful_mark[CHAINSI_POSTGRES_MARK]; /* of one that was UNKNOWN; "": none */
} chainsi_postgres;

static inline chainsi_postgres *chainsi_postgres_of(const chainsi_database *database)
{
    return (chainsi_postgres *)(uintptr_t)database;
}

/* postgres_connection.c */

/* Drops the connection. */
void chainsi_postgres_drop(chainsi_postgres *it);
/* Has a connection, waiting for at most so long: what has been begun goes on with the next call. UNAVAILABLE,
 * FAILED_PRECONDITION: the server is too old, or its database isn't UTF-8. */
chains_status chainsi_postgres_connect(chainsi_postgres *it, int64_t timeout_ms);
/* Waits for the answer to what was sent, of which the last result is *result (owned by the caller), or the
 * failure. The connection is dropped if it broke, or none came in time. */
chains_status chainsi_postgres_await(chainsi_postgres *it, PGresult **result);
/* Notes what a result, or the connection (NULL), says, and gives its status. */
chains_status chainsi_postgres_fail(chainsi_postgres *it, const PGresult *result);
/* Runs a text with any number of statements; result may be NULL. */
chains_status chainsi_postgres_run(chainsi_postgres *it, const char *sql, PGresult **result);

/* postgres_writer.c */
chains_status chainsi_postgres_claim(chainsi_database *database);
chains_status chainsi_postgres_begin(chainsi_database *database);
chains_status chainsi_postgres_commit(chainsi_database *database);

/* postgres_statement.c: those of the engine, all of the same names. */
chains_status chainsi_postgres_prepare(chainsi_database *database, const char *sql, bool kept,
                                       void **handle);
void chainsi_postgres_forget(void *handle);
bool chainsi_postgres_is_busy(const void *handle);
int chainsi_postgres_parameter_count(const void *handle);
const char *chainsi_postgres_parameter_name(const void *handle, int index);
chains_status chainsi_postgres_bind(chainsi_database *database, void *handle, int index,
                                    const chainsi_datum *datum);
chains_status chainsi_postgres_step(chainsi_database *database, void *handle, bool *row);
void chainsi_postgres_reset(void *handle);
int chainsi_postgres_column_count(const void *handle);
const char *chainsi_postgres_column_name(const void *handle, int column);
void chainsi_postgres_column(void *handle, int column, chainsi_datum *datum);

#endif
