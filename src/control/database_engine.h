/* What a kind of database does for database.h: each is a file of its own behind this table, and
 * database.c and row.c are what they share. Included by those alone.
 *
 * Statuses and sentences are those of database.h; a function that fails has noted its sentence. */
#ifndef CHAINSI_CONTROL_DATABASE_ENGINE_H
#define CHAINSI_CONTROL_DATABASE_ENGINE_H

#include "control/database.h"

/* What a value is, or would be if it weren't NULL. */
typedef enum chainsi_datum_kind {
    CHAINSI_DATUM_INTEGER,
    CHAINSI_DATUM_REAL,
    CHAINSI_DATUM_TEXT,
    CHAINSI_DATUM_BYTES,
} chainsi_datum_kind;

/* A value on its way into a database or out of it. */
typedef struct chainsi_datum {
    chainsi_datum_kind kind;
    bool is_null;
    bool passing; /* into it: what bytes point to is gone when the call returns */
    int64_t integer;
    double real;
    chains_bytes bytes; /* TEXT, BYTES; TEXT that comes out of it has a NUL behind it */
} chainsi_datum;

typedef struct chainsi_engine {
    void (*close)(chainsi_database *database);
    chains_status (*run)(chainsi_database *database, const char *sql);
    chains_status (*begin)(chainsi_database *database);
    chains_status (*commit)(chainsi_database *database);
    bool (*in_transaction)(const chainsi_database *database);
    int64_t (*changes)(const chainsi_database *database);
    chains_status (*check)(chainsi_database *database);
    /* These may be NULL: there is nothing to do. */
    chains_status (*claim)(chainsi_database *database);
    bool (*is_overtaken)(const chainsi_database *database);
    void (*keep_log)(chainsi_database *database);
    void (*interrupt)(chainsi_database *database);
    int64_t (*scanned)(const void *handle);

    /* kept: it will be run again. sql need not live on if it isn't. */
    chains_status (*prepare)(chainsi_database *database, const char *sql, bool kept, void **handle);
    void (*forget)(void *handle); /* NULL is allowed */
    bool (*is_busy)(const void *handle);
    int (*parameter_count)(const void *handle);
    /* Of parameters from 1, with the ':'. */
    const char *(*parameter_name)(const void *handle, int index);
    chains_status (*bind)(chainsi_database *database, void *handle, int index,
                          const chainsi_datum *datum);
    /* Runs on to the next row; *row is false at the end, and untouched on failure. */
    chains_status (*step)(chainsi_database *database, void *handle, bool *row);
    /* Ends what runs, and forgets what was bound. */
    void (*reset)(void *handle);
    int (*column_count)(const void *handle);
    const char *(*column_name)(const void *handle, int column);
    /* A column of the row as datum->kind says, until the next call. */
    void (*column)(void *handle, int column, chainsi_datum *datum);
} chainsi_engine;

enum { CHAINSI_DATABASE_WHY = 1024 };

typedef struct chainsi_kept_statement {
    const char *sql; /* a constant of the program */
    void *handle;    /* owned */
} chainsi_kept_statement;

/* What every connection begins with. */
struct chainsi_database {
    const chainsi_engine *engine;
    char *path;                   /* owned */
    chainsi_kept_statement *kept; /* owned */
    size_t kept_count;
    char why[CHAINSI_DATABASE_WHY];
};

chainsi_database *chainsi_database_open_sqlite(const char *path, chainsi_database_mode mode,
                                               char *why, size_t why_size);
chainsi_database *chainsi_database_open_postgres(const char *url, chainsi_database_mode mode,
                                                 char *why, size_t why_size);
/* What an engine's close begins with: the statements that were kept. */
void chainsi_database_forget_kept(chainsi_database *database);

#endif
