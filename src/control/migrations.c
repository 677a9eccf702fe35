/* The schema, step by step, as SQLite takes it; migrations_postgres.c has the steps of PostgreSQL, and each change
 * here is one there. Times are texts as of time_text.h. What belongs to a chain goes with it:
 * every reference to chains cascades. */
#include "control/migrations.h"

#include <stdio.h>

/* 1: what is deployed, and what happened to it. */
static const char chains_schema[] =
    "CREATE TABLE chains ("
    "  name TEXT PRIMARY KEY,"
    "  entrypoint TEXT NOT NULL,"
    "  created_at TEXT NOT NULL,"
    "  last_number INTEGER NOT NULL DEFAULT 0," /* of its versions; never given twice */
    "  deleting INTEGER NOT NULL DEFAULT 0"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE versions ("
    "  chain TEXT NOT NULL REFERENCES chains ON DELETE CASCADE,"
    "  id TEXT NOT NULL,"
    "  number INTEGER NOT NULL,"
    "  state TEXT NOT NULL,"
    "  message TEXT,"
    "  deploy TEXT NOT NULL,"
    "  source_digest TEXT,"
    "  interface TEXT,"
    "  artefacts TEXT,"
    "  created_by TEXT,"
    "  created_at TEXT NOT NULL,"
    "  ready_at TEXT,"
    "  PRIMARY KEY (chain, number),"
    "  UNIQUE (chain, id)"
    ") STRICT;"

    "CREATE TABLE environments ("
    "  chain TEXT NOT NULL REFERENCES chains ON DELETE CASCADE,"
    "  name TEXT NOT NULL,"
    "  version TEXT NOT NULL,"
    "  since TEXT NOT NULL,"
    "  previous_version TEXT,"
    "  canary_version TEXT,"
    "  canary_percent REAL NOT NULL DEFAULT 0,"
    "  canary_max_error_rate_increase REAL NOT NULL DEFAULT 0,"
    "  canary_max_p99_ratio REAL NOT NULL DEFAULT 0,"
    "  canary_since TEXT,"
    "  canary_until TEXT,"
    "  PRIMARY KEY (chain, name),"
    "  FOREIGN KEY (chain, version) REFERENCES versions (chain, id),"
    "  FOREIGN KEY (chain, previous_version) REFERENCES versions (chain, id),"
    "  FOREIGN KEY (chain, canary_version) REFERENCES versions (chain, id)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE scales ("
    "  chain TEXT NOT NULL,"
    "  environment TEXT NOT NULL,"
    "  chainlet TEXT NOT NULL,"
    "  min_replicas INTEGER,"
    "  max_replicas INTEGER,"
    "  concurrency_target REAL,"
    "  target_utilization REAL,"
    "  window_s REAL,"
    "  scale_down_delay_s REAL,"
    "  scale_to_zero_delay_s REAL,"
    "  set_at TEXT NOT NULL,"
    "  PRIMARY KEY (chain, environment, chainlet),"
    "  FOREIGN KEY (chain, environment) REFERENCES environments ON DELETE CASCADE"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE replicas ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  chain TEXT NOT NULL REFERENCES chains ON DELETE CASCADE,"
    "  version TEXT NOT NULL,"
    "  chainlet TEXT NOT NULL,"
    "  pid INTEGER NOT NULL,"
    "  started_at TEXT NOT NULL,"
    "  ready_at TEXT,"
    "  ended_at TEXT,"
    "  how TEXT"
    ") STRICT;"
    "CREATE INDEX replicas_of_chainlet ON replicas (chain, chainlet, id);"
    "CREATE INDEX replicas_running ON replicas (id) WHERE ended_at IS NULL;"

    /* What they tell of may be gone: they refer to nothing. */
    "CREATE TABLE events ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  at TEXT NOT NULL,"
    "  kind TEXT NOT NULL,"
    "  chain TEXT,"
    "  chainlet TEXT,"
    "  message TEXT NOT NULL,"
    "  details TEXT"
    ") STRICT;"
    "CREATE INDEX events_of_chain ON events (chain, id);";

/* 2: who may call, and what services are handed. */
static const char keys_schema[] = "CREATE TABLE keys ("
                                  "  id TEXT PRIMARY KEY,"
                                  "  digest BLOB NOT NULL UNIQUE,"
                                  "  scope TEXT NOT NULL,"
                                  "  rate_per_s REAL NOT NULL,"
                                  "  note TEXT,"
                                  "  created_at TEXT NOT NULL,"
                                  "  revoked_at TEXT,"
                                  "  last_used_at TEXT"
                                  ") STRICT, WITHOUT ROWID;"

                                  "CREATE TABLE secrets ("
                                  "  name TEXT PRIMARY KEY,"
                                  "  sealed BLOB NOT NULL,"
                                  "  updated_at TEXT NOT NULL"
                                  ") STRICT, WITHOUT ROWID;";

/* 3: asynchronous requests. Their inputs and results stand apart: a row is written again whole when
 * its state changes, and lists pass over it. */
static const char requests_schema[] =
    "CREATE TABLE requests ("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  id TEXT NOT NULL UNIQUE,"
    "  chain TEXT NOT NULL REFERENCES chains ON DELETE CASCADE,"
    "  environment TEXT NOT NULL,"
    "  version TEXT,"
    "  chainlet TEXT,"
    "  key TEXT,"
    "  state TEXT NOT NULL,"
    "  priority INTEGER NOT NULL,"
    "  max_time_in_queue_s REAL NOT NULL,"
    "  retries INTEGER NOT NULL,"
    "  attempts INTEGER NOT NULL,"
    "  created_at TEXT NOT NULL,"
    "  not_before TEXT NOT NULL,"
    "  expires_at TEXT,"
    "  started_at TEXT,"
    "  ended_at TEXT,"
    "  error TEXT,"
    "  webhook TEXT,"
    "  webhook_state TEXT NOT NULL,"
    "  webhook_attempts INTEGER NOT NULL,"
    "  webhook_at TEXT,"
    "  webhook_error TEXT"
    ") STRICT;"
    "CREATE INDEX requests_queued ON requests (chain, environment, priority, number)"
    "  WHERE state = 'QUEUED';"
    "CREATE INDEX requests_expiring ON requests (expires_at)"
    "  WHERE state = 'QUEUED' AND expires_at IS NOT NULL;"
    "CREATE INDEX requests_retrying ON requests (not_before)"
    "  WHERE state = 'QUEUED' AND attempts > 0;"
    "CREATE INDEX requests_running ON requests (number) WHERE state = 'RUNNING';"
    "CREATE INDEX requests_of_chain ON requests (chain, number);"
    "CREATE INDEX requests_of_state ON requests (state, number);"
    "CREATE INDEX requests_ended ON requests (ended_at) WHERE ended_at IS NOT NULL;"
    "CREATE INDEX requests_telling ON requests (webhook_at) WHERE webhook_state = 'PENDING';"

    "CREATE TABLE request_inputs ("
    "  number INTEGER PRIMARY KEY REFERENCES requests ON DELETE CASCADE,"
    "  input TEXT NOT NULL"
    ") STRICT;"
    /* Whatever ends a request. */
    "CREATE TRIGGER requests_end AFTER UPDATE OF ended_at ON requests BEGIN"
    "  DELETE FROM request_inputs WHERE number = new.number;"
    "END;"
    "CREATE TABLE request_results ("
    "  number INTEGER PRIMARY KEY REFERENCES requests ON DELETE CASCADE,"
    "  result TEXT NOT NULL"
    ") STRICT;";

/* 4: which version an environment is on its way to. */
static const char transitions_schema[] =
    "CREATE TABLE transitions ("
    "  chain TEXT NOT NULL REFERENCES chains ON DELETE CASCADE,"
    "  environment TEXT NOT NULL,"
    "  version TEXT NOT NULL,"
    "  percent REAL NOT NULL,"
    "  max_error_rate_increase REAL NOT NULL,"
    "  max_p99_ratio REAL NOT NULL,"
    "  minutes REAL NOT NULL,"
    "  begun_at TEXT NOT NULL,"
    "  PRIMARY KEY (chain, environment),"
    "  FOREIGN KEY (chain, version) REFERENCES versions (chain, id)"
    ") STRICT, WITHOUT ROWID;";

/* 5: a key may be for one chain alone, whether there is one of that name or not. */
static const char key_chains_schema[] = "ALTER TABLE keys ADD COLUMN chain TEXT;";

/* 6: what running requests needs: the time of an attempt, and how many got lost. What waits for its time
 * needn't have been tried. */
static const char running_schema[] =
    "ALTER TABLE requests ADD COLUMN timeout_ms REAL NOT NULL DEFAULT 0;"
    "ALTER TABLE requests ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;"
    "DROP INDEX requests_retrying;"
    "CREATE INDEX requests_delayed ON requests (not_before)"
    "  WHERE state = 'QUEUED' AND not_before > created_at;";

/* 7: of replicas where they ran and how they ended; which of them are known to whom, by the name that the
 * keeper has for a process, and by the brain that has seen it last. Events of scaling have a bound of their
 * own. */
static const char history_schema[] =
    "ALTER TABLE replicas ADD COLUMN environment TEXT NOT NULL DEFAULT 'production';"
    "ALTER TABLE replicas ADD COLUMN process TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE replicas ADD COLUMN brain TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE replicas ADD COLUMN ending TEXT;"
    "ALTER TABLE replicas ADD COLUMN exit_status INTEGER;"
    "ALTER TABLE replicas ADD COLUMN signal INTEGER;"
    "DROP INDEX replicas_of_chainlet;"
    "DROP INDEX replicas_running;"
    "CREATE INDEX replicas_of_chainlet ON replicas (chain, environment, chainlet, id);"
    "CREATE INDEX replicas_running ON replicas (process) WHERE ended_at IS NULL;"
    "CREATE INDEX replicas_ended ON replicas (ended_at) WHERE ended_at IS NOT NULL;"
    "CREATE INDEX events_scaled ON events (id) WHERE kind = 'scaled';";

/* 8: how the clock stood (state_clock.h). When it was set, the ends of what has ended move: that ends
 * nothing. */
static const char clock_schema[] =
    "CREATE TABLE clock ("
    "  one INTEGER PRIMARY KEY CHECK (one = 1),"
    "  boot TEXT NOT NULL,"
    "  offset_ms INTEGER NOT NULL"
    ") STRICT;"
    "DROP TRIGGER requests_end;"
    "CREATE TRIGGER requests_end AFTER UPDATE OF ended_at ON requests"
    "  WHEN old.ended_at IS NULL AND new.ended_at IS NOT NULL BEGIN"
    "  DELETE FROM request_inputs WHERE number = new.number;"
    "END;";

/* 9: a transition that a rollback asked for, whose version doesn't say so. */
static const char back_schema[] =
    "ALTER TABLE transitions ADD COLUMN back INTEGER NOT NULL DEFAULT 0;";

/* 10: until when an ended replica is kept, which moves when the clock is set (state_clock.h); when it ended is told as it was. */
static const char kept_schema[] =
    "ALTER TABLE replicas ADD COLUMN kept_until TEXT;"
    "UPDATE replicas SET kept_until = strftime('%Y-%m-%dT%H:%M:%fZ', ended_at, '+30 days')"
    "  WHERE ended_at IS NOT NULL;"
    "DROP INDEX replicas_ended;"
    "CREATE INDEX replicas_kept ON replicas (kept_until) WHERE kept_until IS NOT NULL;";

/* 11: what a client called its request, and a digest of what it asked for: so one that is sent again is known. */
static const char given_id_schema[] =
    "ALTER TABLE requests ADD COLUMN given_id TEXT;"
    "ALTER TABLE requests ADD COLUMN given_digest TEXT;"
    "CREATE INDEX requests_given ON requests (chain, given_id) WHERE given_id IS NOT NULL;";

const char *const chainsi_migrations[CHAINSI_MIGRATIONS] = {
    chains_schema,     keys_schema,    requests_schema, transitions_schema,
    key_chains_schema, running_schema, history_schema,  clock_schema,
    back_schema,       kept_schema,    given_id_schema,
};

const char *const *chainsi_migrations_of(const chainsi_database *database)
{
    return chainsi_database_is_shared(database) ? chainsi_migrations_postgres : chainsi_migrations;
}

/* What a database says of itself. */
typedef struct notes {
    bool own, empty; /* it is chainsd's; nothing is in it */
    int64_t steps;
} notes;

static chains_status read_notes_of_file(chainsi_database *database, notes *read)
{
    int64_t application, tables;
    chains_status status = chainsi_database_ask(database, "PRAGMA application_id", &application);
    if (status == CHAINS_OK)
        status = chainsi_database_ask(database, "PRAGMA user_version", &read->steps);
    if (status == CHAINS_OK)
        status = chainsi_database_ask(database, "SELECT count(*) FROM sqlite_schema", &tables);
    if (status == CHAINS_OK) {
        read->own = application == CHAINSI_APPLICATION_ID;
        read->empty = !application && !read->steps && !tables;
    }
    return status;
}

static chains_status read_notes_of_server(chainsi_database *database, notes *read)
{
    int64_t own, tables;
    chains_status status = chainsi_database_ask(
        database, "SELECT CASE WHEN to_regclass('chainsd') IS NULL THEN 0 ELSE 1 END", &own);
    if (status == CHAINS_OK && own)
        status = chainsi_database_ask(database, "SELECT steps FROM chainsd", &read->steps);
    if (status == CHAINS_OK)
        status = chainsi_database_ask(
            database,
            "SELECT count(*) FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace "
            "WHERE nspname = current_schema()) AND relkind IN ('r', 'v', 'm', 'p', 'f')",
            &tables);
    if (status == CHAINS_OK) {
        read->own = own;
        read->empty = !own && !tables;
    }
    return status;
}

chains_status chainsi_migrations_taken(chainsi_database *database, int count, int *taken)
{
    notes read = { 0 };
    chains_status status = chainsi_database_is_shared(database)
                               ? read_notes_of_server(database, &read)
                               : read_notes_of_file(database, &read);
    if (status != CHAINS_OK)
        return status;
    const char *path = chainsi_database_path(database);
    if (!read.empty && !read.own)
        return chainsi_database_fail(
            database, CHAINS_FAILED_PRECONDITION, "%s is a database, but not one of chainsd's%s",
            path,
            chainsi_database_is_shared(database) ? ": give it one, or a schema, of its own" : "");
    if (read.steps < 0)
        return chainsi_database_fail(database, CHAINS_DATA_LOSS,
                                     "%s is damaged (its schema is %lld)", path,
                                     (long long)read.steps);
    if (read.steps > count)
        return chainsi_database_fail(database, CHAINS_FAILED_PRECONDITION,
                                     "a newer chainsd has written %s (its schema is %lld, this one "
                                     "knows up to %d): start that one",
                                     path, (long long)read.steps, count);
    *taken = (int)read.steps;
    return CHAINS_OK;
}

/* What is noted with a step. */
static void write_note(const chainsi_database *database, int number, char *sql, size_t size)
{
    if (!chainsi_database_is_shared(database))
        snprintf(sql, size, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                 CHAINSI_APPLICATION_ID, number);
    else
        snprintf(sql, size,
                 "CREATE TABLE IF NOT EXISTS chainsd (one BIGINT PRIMARY KEY CHECK (one = 1), "
                 "steps BIGINT NOT NULL, mark TEXT NOT NULL);"
                 "INSERT INTO chainsd (one, steps, mark) VALUES (1, %d, 'new') "
                 "ON CONFLICT (one) DO UPDATE SET steps = excluded.steps",
                 number);
}

static chains_status take_step(chainsi_database *database, const char *step, int number)
{
    char note[320];
    write_note(database, number, note, sizeof note);
    chains_status status = chainsi_database_run(
        database, chainsi_database_is_shared(database) ? "BEGIN" : "BEGIN IMMEDIATE");
    if (status == CHAINS_OK)
        status = chainsi_database_run(database, step);
    if (status == CHAINS_OK)
        status = chainsi_database_run(database, note);
    if (status == CHAINS_OK)
        status = chainsi_database_run(database, "COMMIT");
    chainsi_database_roll_back(database);
    return status;
}

chains_status chainsi_migrate(chainsi_database *database, const char *const *steps, int count)
{
    int taken = count;
    chains_status status = chainsi_migrations_taken(database, count, &taken);
    for (int i = taken; status == CHAINS_OK && i < count; i++)
        status = take_step(database, steps[i], i + 1);
    return status;
}
