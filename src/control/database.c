/* A connection, its statements, and what SQLite's codes mean in ours. Rows as structs are row.c. */
#include "control/database.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/handle.h"
#include "control/long_path.h"
#include "control/steady.h"
#include "control/time_text.h"

/* How long a connection waits for another's lock. In WAL mode that happens while the log is brought
 * back into the file after a crash, and then for moments only. */
enum { BUSY_MS = 10000, MAX_WHY = 1024 };

typedef struct kept_statement {
    const char *sql; /* a constant of the program */
    sqlite3_stmt *handle;
} kept_statement;

struct chainsi_database {
    sqlite3 *handle;
    char *path;           /* owned */
    kept_statement *kept; /* owned */
    size_t kept_count;
    char why[MAX_WHY];
};

const char *chainsi_database_path(const chainsi_database *database)
{
    return database->path;
}

/* Failures. */

const char *chainsi_database_why(const chainsi_database *database)
{
    return database->why;
}

chains_status chainsi_database_fail(chainsi_database *database, chains_status status,
                                    const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(database->why, sizeof database->why, format, arguments);
    va_end(arguments);
    return status;
}

/* Whether errno says that there is no room. */
static bool means_full(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

/* Whether the latest failure of the system's that the database's file, or its log, has met was for
 * want of room. A commit's failure isn't in sqlite3_system_errno. */
static bool file_is_full(sqlite3 *handle, int which)
{
    sqlite3_file *file = NULL;
    int error = 0;
    return sqlite3_file_control(handle, "main", which, &file) == SQLITE_OK && file &&
           file->pMethods &&
           file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error) == SQLITE_OK &&
           means_full(error);
}

/* SQLite has a code of its own for a full disk only where the system said ENOSPC to a write. */
static bool lacks_room(const chainsi_database *database, int code)
{
    if ((code & 0xff) == SQLITE_FULL)
        return true;
    if ((code & 0xff) != SQLITE_IOERR && (code & 0xff) != SQLITE_CANTOPEN)
        return false;
    return means_full(sqlite3_system_errno(database->handle)) ||
           file_is_full(database->handle, SQLITE_FCNTL_FILE_POINTER) ||
           file_is_full(database->handle, SQLITE_FCNTL_JOURNAL_POINTER);
}

/* The failure of the connection's latest call. */
static chains_status fail_with(chainsi_database *database, int code)
{
    const char *said = sqlite3_errmsg(database->handle);
    if (lacks_room(database, code))
        return chainsi_database_fail(database, CHAINS_RESOURCE_EXHAUSTED,
                                     "there is no room left for %s (%s); what it holds is whole",
                                     database->path, said);
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return chainsi_database_fail(database, CHAINS_DATA_LOSS, "%s is damaged (%s)",
                                     database->path, said);
    case SQLITE_CONSTRAINT:
        return chainsi_database_fail(database,
                                     code == SQLITE_CONSTRAINT_PRIMARYKEY ||
                                             code == SQLITE_CONSTRAINT_UNIQUE
                                         ? CHAINS_ALREADY_EXISTS
                                         : CHAINS_FAILED_PRECONDITION,
                                     "%s", said);
    case SQLITE_INTERRUPT:
        return chainsi_database_fail(database, CHAINS_CANCELLED, "it was interrupted");
    case SQLITE_NOMEM:
        abort();
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH: {
        int error = sqlite3_system_errno(database->handle);
        return chainsi_database_fail(database, CHAINS_UNAVAILABLE, "cannot use %s: %s%s%s",
                                     database->path, said, error ? ", " : "",
                                     error ? strerror(error) : "");
    }
    default:
        return chainsi_database_fail(database, CHAINS_INTERNAL, "%s", said);
    }
}

/* Connections. */

chainsi_database *chainsi_database_open(const char *path, chainsi_database_mode mode, char *why,
                                        size_t why_size)
{
    /* What SQLite makes itself is as readable as the umask says; its log and index take their mode
     * from the database. */
    if (mode == CHAINSI_DATABASE_MAKE) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0) {
            snprintf(why, why_size, "cannot make %s: %s", path, strerror(errno));
            return NULL;
        }
        close(fd);
    }
    chainsi_database *database = chainsi_make(sizeof *database);
    database->path = chainsi_copy_text(path);
    int flags = mode == CHAINSI_DATABASE_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    int code = sqlite3_open_v2(path, &database->handle, flags | SQLITE_OPEN_NOMUTEX,
                               chainsi_long_path_vfs());
    if (!database->handle)
        abort();
    sqlite3_extended_result_codes(database->handle, 1);
    if (code != SQLITE_OK) {
        fail_with(database, code);
        snprintf(why, why_size, "%s", database->why);
        chainsi_database_close(database);
        return NULL;
    }
    sqlite3_busy_timeout(database->handle, BUSY_MS);
    /* A file that was tampered with must not run anything. */
    sqlite3_db_config(database->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(database->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return database;
}

void chainsi_database_keep_log(chainsi_database *database)
{
    int keep_it = 1;
    sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_it);
}

void chainsi_database_close(chainsi_database *database)
{
    if (!database)
        return;
    for (size_t i = 0; i < database->kept_count; i++)
        sqlite3_finalize(database->kept[i].handle);
    int code = sqlite3_close(database->handle);
    assert(code == SQLITE_OK);
    (void)code;
    free(database->kept);
    free(database->path);
    free(database);
}

bool chainsi_database_in_transaction(const chainsi_database *database)
{
    return !sqlite3_get_autocommit(database->handle);
}

int64_t chainsi_database_changes(const chainsi_database *database)
{
    return sqlite3_changes64(database->handle);
}

int64_t chainsi_database_last_row(const chainsi_database *database)
{
    return sqlite3_last_insert_rowid(database->handle);
}

int64_t chainsi_database_scanned(const chainsi_database *database)
{
    int64_t count = 0;
    for (size_t i = 0; i < database->kept_count; i++) {
        sqlite3_stmt *handle = database->kept[i].handle;
        count += sqlite3_stmt_status(handle, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0);
        count += sqlite3_stmt_status(handle, SQLITE_STMTSTATUS_SORT, 0);
    }
    return count;
}

void chainsi_database_interrupt(chainsi_database *database)
{
    sqlite3_interrupt(database->handle);
}

chains_status chainsi_database_run(chainsi_database *database, const char *sql)
{
    int code = sqlite3_exec(database->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? CHAINS_OK : fail_with(database, code);
}

/* A statement that isn't kept. */
static chains_status prepare(chainsi_database *database, const char *sql, unsigned flags,
                             sqlite3_stmt **handle)
{
    int code = sqlite3_prepare_v3(database->handle, sql, -1, flags, handle, NULL);
    return code == SQLITE_OK ? CHAINS_OK : fail_with(database, code);
}

chains_status chainsi_database_ask(chainsi_database *database, const char *sql, int64_t *number)
{
    sqlite3_stmt *handle = NULL;
    chains_status status = prepare(database, sql, 0, &handle);
    if (status != CHAINS_OK)
        return status;
    int code = sqlite3_step(handle);
    if (code == SQLITE_ROW)
        *number = sqlite3_column_int64(handle, 0);
    else if (code == SQLITE_DONE)
        status = chainsi_database_fail(database, CHAINS_INTERNAL, "'%s' has no answer", sql);
    else
        status = fail_with(database, code);
    sqlite3_finalize(handle);
    return status;
}

chains_status chainsi_database_check(chainsi_database *database)
{
    sqlite3_stmt *handle = NULL;
    chains_status status = prepare(database, "PRAGMA quick_check(1)", 0, &handle);
    if (status != CHAINS_OK)
        return status;
    int code = sqlite3_step(handle);
    const char *said = code == SQLITE_ROW ? (const char *)sqlite3_column_text(handle, 0) : NULL;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = fail_with(database, code);
    else if (!said || strcmp(said, "ok") != 0)
        status = chainsi_database_fail(database, CHAINS_DATA_LOSS, "%s is damaged (%s)",
                                       database->path, said ? said : "no answer");
    sqlite3_finalize(handle);
    return status;
}

/* Statements. */

static sqlite3_stmt *find_kept(const chainsi_database *database, const char *sql)
{
    for (size_t i = 0; i < database->kept_count; i++)
        if (database->kept[i].sql == sql)
            return database->kept[i].handle;
    return NULL;
}

static void keep(chainsi_database *database, const char *sql, sqlite3_stmt *handle)
{
    kept_statement *kept =
        realloc(database->kept, (database->kept_count + 1) * sizeof *database->kept);
    if (!kept)
        abort();
    database->kept = kept;
    kept[database->kept_count++] = (kept_statement){ sql, handle };
}

chainsi_statement chainsi_statement_begin(chainsi_database *database, const char *sql)
{
    chainsi_statement statement = { .database = database, .handle = find_kept(database, sql) };
    if (!statement.handle) {
        statement.status = prepare(database, sql, SQLITE_PREPARE_PERSISTENT, &statement.handle);
        if (statement.status == CHAINS_OK)
            keep(database, sql, statement.handle);
    }
    assert(!statement.handle || !sqlite3_stmt_busy(statement.handle));
    return statement;
}

/* The number of a parameter; 0: a failure came before. A parameter that isn't there is our mistake. */
static int parameter(const chainsi_statement *statement, const char *name)
{
    if (statement->status != CHAINS_OK)
        return 0;
    int index = sqlite3_bind_parameter_index(statement->handle, name);
    assert(index > 0);
    return index;
}

static void note_bound(chainsi_statement *statement, int code)
{
    if (code != SQLITE_OK && statement->status == CHAINS_OK)
        statement->status = fail_with(statement->database, code);
}

void chainsi_statement_text(chainsi_statement *statement, const char *name, const char *text)
{
    int index = parameter(statement, name);
    if (index)
        note_bound(statement,
                   sqlite3_bind_text64(statement->handle, index, text, text ? strlen(text) : 0,
                                       SQLITE_STATIC, SQLITE_UTF8));
}

void chainsi_statement_time(chainsi_statement *statement, const char *name, int64_t unix_ms)
{
    char text[CHAINSI_TIME_TEXT];
    chainsi_time_text_of(text, unix_ms);
    int index = parameter(statement, name);
    if (index)
        note_bound(statement,
                   sqlite3_bind_text(statement->handle, index, text, -1, SQLITE_TRANSIENT));
}

void chainsi_statement_now(chainsi_statement *statement, const char *name)
{
    chainsi_statement_time(statement, name, chainsi_steady_ms());
}

void chainsi_statement_integer(chainsi_statement *statement, const char *name, int64_t number)
{
    int index = parameter(statement, name);
    if (index)
        note_bound(statement, sqlite3_bind_int64(statement->handle, index, number));
}

void chainsi_statement_bytes(chainsi_statement *statement, const char *name, chains_bytes bytes)
{
    int index = parameter(statement, name);
    if (index)
        note_bound(statement, sqlite3_bind_blob64(statement->handle, index, bytes.data, bytes.size,
                                                  SQLITE_STATIC));
}

bool chainsi_statement_next(chainsi_statement *statement)
{
    if (statement->status != CHAINS_OK)
        return false;
    int code = sqlite3_step(statement->handle);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        statement->status = fail_with(statement->database, code);
    return code == SQLITE_ROW;
}

void chainsi_statement_finish(chainsi_statement *statement)
{
    while (chainsi_statement_next(statement))
        ;
}

int64_t chainsi_statement_column(const chainsi_statement *statement, int column)
{
    return sqlite3_column_int64(statement->handle, column);
}

const char *chainsi_statement_column_text(const chainsi_statement *statement, int column,
                                          chainsi_arena *arena)
{
    const void *text = sqlite3_column_text(statement->handle, column);
    return text ? chainsi_arena_copy(arena, text,
                                     (size_t)sqlite3_column_bytes(statement->handle, column))
                : NULL;
}

chains_status chainsi_statement_end(chainsi_statement *statement)
{
    if (statement->handle) {
        sqlite3_reset(statement->handle); /* its code was noted when it happened */
        sqlite3_clear_bindings(statement->handle);
    }
    return statement->status;
}

chains_status chainsi_statement_run(chainsi_statement *statement)
{
    chainsi_statement_finish(statement);
    return chainsi_statement_end(statement);
}

chains_status chainsi_statement_change(chainsi_statement *statement)
{
    chains_status status = chainsi_statement_run(statement);
    if (status == CHAINS_OK && !sqlite3_changes64(statement->database->handle))
        return CHAINS_NOT_FOUND;
    return status;
}
