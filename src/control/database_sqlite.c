/* A database in a file: SQLite, and what its codes mean in ours. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/database_engine.h"
#include "control/handle.h"
#include "control/long_path.h"

/* How long a connection waits for another's lock. In WAL mode that happens while the log is brought
 * back into the file after a crash, and then for moments only. */
enum { BUSY_MS = 10000 };

typedef struct sqlite_database {
    chainsi_database base;
    sqlite3 *handle;
} sqlite_database;

static sqlite_database *of(const chainsi_database *database)
{
    return (sqlite_database *)(uintptr_t)database;
}

/* Failures. */

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
static bool lacks_room(const sqlite_database *it, int code)
{
    if ((code & 0xff) == SQLITE_FULL)
        return true;
    if ((code & 0xff) != SQLITE_IOERR && (code & 0xff) != SQLITE_CANTOPEN)
        return false;
    return means_full(sqlite3_system_errno(it->handle)) ||
           file_is_full(it->handle, SQLITE_FCNTL_FILE_POINTER) ||
           file_is_full(it->handle, SQLITE_FCNTL_JOURNAL_POINTER);
}

/* The failure of the connection's latest call. */
static chains_status fail_with(chainsi_database *database, int code)
{
    const sqlite_database *it = of(database);
    const char *said = sqlite3_errmsg(it->handle);
    if (lacks_room(it, code))
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
        int error = sqlite3_system_errno(it->handle);
        return chainsi_database_fail(database, CHAINS_UNAVAILABLE, "cannot use %s: %s%s%s",
                                     database->path, said, error ? ", " : "",
                                     error ? strerror(error) : "");
    }
    default:
        return chainsi_database_fail(database, CHAINS_INTERNAL, "%s", said);
    }
}

/* The connection. */

static void close_it(chainsi_database *database)
{
    sqlite_database *it = of(database);
    chainsi_database_forget_kept(database);
    int code = sqlite3_close(it->handle);
    assert(code == SQLITE_OK);
    (void)code;
    free(database->path);
    free(it);
}

static void keep_log(chainsi_database *database)
{
    int keep_it = 1;
    sqlite3_file_control(of(database)->handle, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_it);
}

static bool in_transaction(const chainsi_database *database)
{
    return !sqlite3_get_autocommit(of(database)->handle);
}

static int64_t changes(const chainsi_database *database)
{
    return sqlite3_changes64(of(database)->handle);
}

static int64_t scanned(const void *handle)
{
    sqlite3_stmt *statement = (sqlite3_stmt *)(uintptr_t)handle;
    return (int64_t)sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0) +
           sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_SORT, 0);
}

static void interrupt(chainsi_database *database)
{
    sqlite3_interrupt(of(database)->handle);
}

static chains_status run(chainsi_database *database, const char *sql)
{
    int code = sqlite3_exec(of(database)->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? CHAINS_OK : fail_with(database, code);
}

static chains_status begin(chainsi_database *database)
{
    return run(database, "BEGIN IMMEDIATE");
}

static chains_status commit(chainsi_database *database)
{
    return run(database, "COMMIT");
}

static chains_status prepare(chainsi_database *database, const char *sql, bool kept, void **handle)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v3(of(database)->handle, sql, -1,
                                  kept ? SQLITE_PREPARE_PERSISTENT : 0, &statement, NULL);
    if (code != SQLITE_OK)
        return fail_with(database, code);
    *handle = statement;
    return CHAINS_OK;
}

static chains_status check(chainsi_database *database)
{
    void *handle = NULL;
    chains_status status = prepare(database, "PRAGMA quick_check(1)", false, &handle);
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

static void forget(void *handle)
{
    sqlite3_finalize(handle);
}

static bool is_busy(const void *handle)
{
    return sqlite3_stmt_busy((sqlite3_stmt *)(uintptr_t)handle);
}

static int parameter_count(const void *handle)
{
    return sqlite3_bind_parameter_count((sqlite3_stmt *)(uintptr_t)handle);
}

static const char *parameter_name(const void *handle, int index)
{
    return sqlite3_bind_parameter_name((sqlite3_stmt *)(uintptr_t)handle, index);
}

static chains_status bind_datum(chainsi_database *database, void *handle, int index,
                                const chainsi_datum *datum)
{
    const void *data = datum->bytes.data ? datum->bytes.data : (const void *)"";
    sqlite3_destructor_type lives = datum->passing ? SQLITE_TRANSIENT : SQLITE_STATIC;
    int code;
    if (datum->is_null)
        code = sqlite3_bind_null(handle, index);
    else if (datum->kind == CHAINSI_DATUM_INTEGER)
        code = sqlite3_bind_int64(handle, index, datum->integer);
    else if (datum->kind == CHAINSI_DATUM_REAL)
        code = sqlite3_bind_double(handle, index, datum->real);
    else if (datum->kind == CHAINSI_DATUM_TEXT)
        code = sqlite3_bind_text64(handle, index, data, datum->bytes.size, lives, SQLITE_UTF8);
    else
        code = sqlite3_bind_blob64(handle, index, data, datum->bytes.size, lives);
    return code == SQLITE_OK ? CHAINS_OK : fail_with(database, code);
}

static chains_status step(chainsi_database *database, void *handle, bool *row)
{
    int code = sqlite3_step(handle);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return fail_with(database, code);
    *row = code == SQLITE_ROW;
    return CHAINS_OK;
}

static void reset(void *handle)
{
    sqlite3_reset(handle); /* its code was noted when it happened */
    sqlite3_clear_bindings(handle);
}

static int column_count(const void *handle)
{
    return sqlite3_column_count((sqlite3_stmt *)(uintptr_t)handle);
}

static const char *column_name(const void *handle, int column)
{
    return sqlite3_column_name((sqlite3_stmt *)(uintptr_t)handle, column);
}

static void column(void *handle, int column, chainsi_datum *datum)
{
    datum->is_null = sqlite3_column_type(handle, column) == SQLITE_NULL;
    if (datum->is_null)
        return;
    if (datum->kind == CHAINSI_DATUM_INTEGER) {
        datum->integer = sqlite3_column_int64(handle, column);
    } else if (datum->kind == CHAINSI_DATUM_REAL) {
        datum->real = sqlite3_column_double(handle, column);
    } else {
        datum->bytes.data = datum->kind == CHAINSI_DATUM_BYTES
                                ? sqlite3_column_blob(handle, column)
                                : sqlite3_column_text(handle, column);
        datum->bytes.size = (size_t)sqlite3_column_bytes(handle, column);
    }
}

static const chainsi_engine engine = {
    .close = close_it,
    .run = run,
    .begin = begin,
    .commit = commit,
    .in_transaction = in_transaction,
    .changes = changes,
    .check = check,
    .keep_log = keep_log,
    .interrupt = interrupt,
    .scanned = scanned,
    .prepare = prepare,
    .forget = forget,
    .is_busy = is_busy,
    .parameter_count = parameter_count,
    .parameter_name = parameter_name,
    .bind = bind_datum,
    .step = step,
    .reset = reset,
    .column_count = column_count,
    .column_name = column_name,
    .column = column,
};

chainsi_database *chainsi_database_open_sqlite(const char *path, chainsi_database_mode mode,
                                               char *why, size_t why_size)
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
    sqlite_database *it = chainsi_make(sizeof *it);
    it->base.engine = &engine;
    it->base.path = chainsi_copy_text(path);
    int flags = mode == CHAINSI_DATABASE_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    int code =
        sqlite3_open_v2(path, &it->handle, flags | SQLITE_OPEN_NOMUTEX, chainsi_long_path_vfs());
    if (!it->handle)
        abort();
    sqlite3_extended_result_codes(it->handle, 1);
    if (code != SQLITE_OK) {
        fail_with(&it->base, code);
        snprintf(why, why_size, "%s", it->base.why);
        close_it(&it->base);
        return NULL;
    }
    sqlite3_busy_timeout(it->handle, BUSY_MS);
    /* A file that was tampered with must not run anything. */
    sqlite3_db_config(it->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(it->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return &it->base;
}
