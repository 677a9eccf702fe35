/* What connections have in common, whatever they lead to: sentences, the statements that are kept, binding by
 * name. Rows as structs are row.c; what is done where is database_sqlite.c and postgres_*.c. */
#include "control/database.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/database_engine.h"
#include "control/steady.h"
#include "control/time_text.h"

bool chainsi_database_is_url(const char *place)
{
    return !strncmp(place, "postgresql://", 13) || !strncmp(place, "postgres://", 11);
}

chainsi_database *chainsi_database_open(const char *place, chainsi_database_mode mode, char *why,
                                        size_t why_size)
{
    return chainsi_database_is_url(place)
               ? chainsi_database_open_postgres(place, mode, why, why_size)
               : chainsi_database_open_sqlite(place, mode, why, why_size);
}

void chainsi_database_close(chainsi_database *database)
{
    if (database)
        database->engine->close(database);
}

void chainsi_database_forget_kept(chainsi_database *database)
{
    for (size_t i = 0; i < database->kept_count; i++)
        database->engine->forget(database->kept[i].handle);
    free(database->kept);
    database->kept = NULL;
    database->kept_count = 0;
}

const char *chainsi_database_path(const chainsi_database *database)
{
    return database->path;
}

bool chainsi_database_is_shared(const chainsi_database *database)
{
    return database->engine->claim != NULL;
}

bool chainsi_database_is_overtaken(const chainsi_database *database)
{
    return database->engine->is_overtaken && database->engine->is_overtaken(database);
}

chains_status chainsi_database_claim(chainsi_database *database)
{
    return database->engine->claim ? database->engine->claim(database) : CHAINS_OK;
}

void chainsi_database_keep_log(chainsi_database *database)
{
    if (database->engine->keep_log)
        database->engine->keep_log(database);
}

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

chains_status chainsi_database_run(chainsi_database *database, const char *sql)
{
    return database->engine->run(database, sql);
}

chains_status chainsi_database_begin(chainsi_database *database)
{
    return database->engine->begin(database);
}

chains_status chainsi_database_commit(chainsi_database *database)
{
    return database->engine->commit(database);
}

void chainsi_database_roll_back(chainsi_database *database)
{
    char why[CHAINSI_DATABASE_WHY];
    if (!chainsi_database_in_transaction(database))
        return;
    memcpy(why, database->why, sizeof why);
    database->engine->run(database, "ROLLBACK");
    memcpy(database->why, why, sizeof why);
}

bool chainsi_database_in_transaction(const chainsi_database *database)
{
    return database->engine->in_transaction(database);
}

int64_t chainsi_database_changes(const chainsi_database *database)
{
    return database->engine->changes(database);
}

chains_status chainsi_database_check(chainsi_database *database)
{
    return database->engine->check(database);
}

int64_t chainsi_database_scanned(const chainsi_database *database)
{
    int64_t count = 0;
    for (size_t i = 0; database->engine->scanned && i < database->kept_count; i++)
        count += database->engine->scanned(database->kept[i].handle);
    return count;
}

void chainsi_database_interrupt(chainsi_database *database)
{
    if (database->engine->interrupt)
        database->engine->interrupt(database);
}

chains_status chainsi_database_ask(chainsi_database *database, const char *sql, int64_t *number)
{
    const chainsi_engine *engine = database->engine;
    void *handle = NULL;
    chains_status status = engine->prepare(database, sql, false, &handle);
    if (status != CHAINS_OK)
        return status;
    bool row = false;
    status = engine->step(database, handle, &row);
    if (status == CHAINS_OK && row) {
        chainsi_datum answer = { .kind = CHAINSI_DATUM_INTEGER };
        engine->column(handle, 0, &answer);
        *number = answer.is_null ? 0 : answer.integer;
    } else if (status == CHAINS_OK) {
        status = chainsi_database_fail(database, CHAINS_INTERNAL, "'%s' has no answer", sql);
    }
    engine->forget(handle);
    return status;
}

/* Statements. */

static void *find_kept(const chainsi_database *database, const char *sql)
{
    for (size_t i = 0; i < database->kept_count; i++)
        if (database->kept[i].sql == sql)
            return database->kept[i].handle;
    return NULL;
}

static void keep(chainsi_database *database, const char *sql, void *handle)
{
    chainsi_kept_statement *kept =
        realloc(database->kept, (database->kept_count + 1) * sizeof *database->kept);
    if (!kept)
        abort();
    database->kept = kept;
    kept[database->kept_count++] = (chainsi_kept_statement){ sql, handle };
}

chainsi_statement chainsi_statement_begin(chainsi_database *database, const char *sql)
{
    chainsi_statement statement = { .database = database, .handle = find_kept(database, sql) };
    if (!statement.handle) {
        statement.status = database->engine->prepare(database, sql, true, &statement.handle);
        if (statement.status == CHAINS_OK)
            keep(database, sql, statement.handle);
    }
    assert(!statement.handle || !database->engine->is_busy(statement.handle));
    return statement;
}

/* A parameter that isn't there is our mistake. */
static void bind(chainsi_statement *statement, const char *name, const chainsi_datum *datum)
{
    const chainsi_engine *engine = statement->database->engine;
    if (statement->status != CHAINS_OK)
        return;
    int count = engine->parameter_count(statement->handle), index = 1;
    while (index <= count && strcmp(engine->parameter_name(statement->handle, index), name) != 0)
        index++;
    assert(index <= count);
    statement->status = engine->bind(statement->database, statement->handle, index, datum);
}

void chainsi_statement_text(chainsi_statement *statement, const char *name, const char *text)
{
    bind(statement, name,
         &(chainsi_datum){
             .kind = CHAINSI_DATUM_TEXT,
             .is_null = !text,
             .bytes = { text, text ? strlen(text) : 0 },
         });
}

void chainsi_statement_time(chainsi_statement *statement, const char *name, int64_t unix_ms)
{
    char text[CHAINSI_TIME_TEXT];
    chainsi_time_text_of(text, unix_ms);
    bind(statement, name,
         &(chainsi_datum){
             .kind = CHAINSI_DATUM_TEXT,
             .passing = true,
             .bytes = { text, strlen(text) },
         });
}

void chainsi_statement_now(chainsi_statement *statement, const char *name)
{
    chainsi_statement_time(statement, name, chainsi_steady_ms());
}

void chainsi_statement_integer(chainsi_statement *statement, const char *name, int64_t number)
{
    bind(statement, name, &(chainsi_datum){ .kind = CHAINSI_DATUM_INTEGER, .integer = number });
}

void chainsi_statement_bytes(chainsi_statement *statement, const char *name, chains_bytes bytes)
{
    bind(statement, name,
         &(chainsi_datum){ .kind = CHAINSI_DATUM_BYTES, .is_null = !bytes.data, .bytes = bytes });
}

bool chainsi_statement_next(chainsi_statement *statement)
{
    bool row = false;
    if (statement->status == CHAINS_OK)
        statement->status =
            statement->database->engine->step(statement->database, statement->handle, &row);
    return statement->status == CHAINS_OK && row;
}

void chainsi_statement_finish(chainsi_statement *statement)
{
    while (chainsi_statement_next(statement))
        ;
}

int64_t chainsi_statement_column(const chainsi_statement *statement, int column)
{
    chainsi_datum datum = { .kind = CHAINSI_DATUM_INTEGER };
    statement->database->engine->column(statement->handle, column, &datum);
    return datum.is_null ? 0 : datum.integer;
}

const char *chainsi_statement_column_text(const chainsi_statement *statement, int column,
                                          chainsi_arena *arena)
{
    chainsi_datum datum = { .kind = CHAINSI_DATUM_TEXT };
    statement->database->engine->column(statement->handle, column, &datum);
    return datum.is_null ? NULL : chainsi_arena_copy(arena, datum.bytes.data, datum.bytes.size);
}

chains_status chainsi_statement_end(chainsi_statement *statement)
{
    if (statement->handle)
        statement->database->engine->reset(statement->handle);
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
    if (status == CHAINS_OK && !chainsi_database_changes(statement->database))
        return CHAINS_NOT_FOUND;
    return status;
}
