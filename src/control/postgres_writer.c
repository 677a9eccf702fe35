/* The one writer: its lock, its marks, and what becomes of a transaction whose connection broke. The header says
 * what is promised. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "control/digest.h"
#include "control/postgres.h"

enum { RETRY_MS = 100, AWAY_RETRY_MS = 1000 };

/* 0x43484e53, "CHNS", and the schema: two states in one database are two locks. */
#define LOCK_KEY   "1128812115"
#define SCHEMA_KEY "hashtext(current_schema())"

static void pause_ms(int64_t ms)
{
    struct timespec time = { ms / 1000, (ms % 1000) * 1000000 };
    nanosleep(&time, NULL);
}

static int64_t ms_since(int64_t then_ns)
{
    return (chainsi_now_ns() - then_ns) / CHAINSI_NS_PER_MS;
}

static void make_mark(char mark[CHAINSI_POSTGRES_MARK])
{
    uint8_t random[(CHAINSI_POSTGRES_MARK - 1) / 2];
    if (getentropy(random, sizeof random) != 0)
        abort();
    chainsi_hex(random, sizeof random, mark);
}

static chains_status overtake(chainsi_postgres *it, const char *how)
{
    it->overtaken = true;
    return chainsi_database_fail(&it->base, CHAINS_ABORTED, "%s: %s", it->base.path, how);
}

/* The text of the only column of the only row, in text; false if it is NULL or there is none. */
static bool take_answer(const chainsi_postgres *it, PGresult *result, char *text, size_t size)
{
    const chainsi_pq *pq = it->pq;
    bool there = pq->PQntuples(result) == 1 && !pq->PQgetisnull(result, 0, 0);
    if (there)
        snprintf(text, size, "%s", pq->PQgetvalue(result, 0, 0));
    pq->PQclear(result);
    return there;
}

/* The lock. */

/* An earlier connection of this very process may still have it: the server hasn't seen its end. */
static chains_status end_earlier(chainsi_postgres *it)
{
    char sql[768];
    snprintf(sql, sizeof sql,
             "SELECT pg_terminate_backend(l.pid) FROM pg_locks AS l JOIN pg_stat_activity AS a ON "
             "a.pid = l.pid WHERE l.locktype = 'advisory' AND l.classid = " LOCK_KEY " AND "
             "l.objid = (" SCHEMA_KEY "::bigint & 4294967295)::oid AND l.database = (SELECT oid "
             "FROM pg_database WHERE datname = current_database()) AND l.pid <> pg_backend_pid() "
             "AND a.application_name = 'chainsd %s'",
             it->name);
    return chainsi_postgres_run(it, sql, NULL);
}

/* Whose it is; "" if that can't be told. */
static void find_holder(chainsi_postgres *it, char *text, size_t size)
{
    PGresult *result = NULL;
    text[0] = 0;
    if (chainsi_postgres_run(
            it,
            "SELECT format(', connected from %s since %s', coalesce(host(a.client_addr), 'its own "
            "machine'), date_trunc('second', a.backend_start)) FROM pg_locks AS l JOIN "
            "pg_stat_activity AS a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.classid "
            "= " LOCK_KEY " AND l.granted AND l.objid = (" SCHEMA_KEY "::bigint & "
            "4294967295)::oid AND l.database = (SELECT oid FROM pg_database WHERE datname = "
            "current_database()) LIMIT 1",
            &result) == CHAINS_OK)
        take_answer(it, result, text, size);
}

/* UNAVAILABLE: another one has it, after all that waiting, or the server is gone; *held tells. */
static chains_status take_lock(chainsi_postgres *it, bool *held)
{
    int64_t begun_ns = chainsi_now_ns();
    for (*held = false;;) {
        PGresult *result = NULL;
        char answer[8] = "", holder[160];
        chains_status status = chainsi_postgres_run(
            it, "SELECT pg_try_advisory_lock(" LOCK_KEY ", " SCHEMA_KEY ")", &result);
        if (status != CHAINS_OK)
            return status;
        if (!take_answer(it, result, answer, sizeof answer))
            return chainsi_database_fail(
                &it->base, CHAINS_UNAVAILABLE,
                "%s has no schema for its user: make one, or set its search_path", it->base.path);
        if (answer[0] == 't')
            return CHAINS_OK;
        if (ms_since(begun_ns) > CHAINSI_POSTGRES_LOCK_MS) {
            *held = true;
            find_holder(it, holder, sizeof holder);
            return chainsi_database_fail(&it->base, CHAINS_UNAVAILABLE,
                                         "another chainsd has the state in %s%s", it->base.path,
                                         holder);
        }
        status = end_earlier(it);
        if (status != CHAINS_OK)
            return status;
        pause_ms(RETRY_MS);
    }
}

chains_status chainsi_postgres_claim(chainsi_database *database)
{
    chainsi_postgres *it = chainsi_postgres_of(database);
    bool held;
    chains_status status = take_lock(it, &held);
    it->claimed = status == CHAINS_OK;
    return status;
}

/* Coming back. */

static chains_status read_mark(chainsi_postgres *it, char mark[CHAINSI_POSTGRES_MARK])
{
    PGresult *result = NULL;
    chains_status status = chainsi_postgres_run(it, "SELECT mark FROM chainsd", &result);
    if (status == CHAINS_OK && !take_answer(it, result, mark, CHAINSI_POSTGRES_MARK))
        return overtake(it, "the row of its table chainsd is gone");
    return status;
}

/* Connects anew, as the writer again; mark is how the state stands. Drops the connection on failure. */
static chains_status come_back(chainsi_postgres *it, char mark[CHAINSI_POSTGRES_MARK])
{
    bool held = false;
    chains_status status = chainsi_postgres_connect(it, CHAINSI_POSTGRES_CONNECT_MS);
    if (status == CHAINS_OK)
        status = take_lock(it, &held);
    if (held)
        status = overtake(it, "another chainsd has become the one that writes");
    if (status == CHAINS_OK)
        status = read_mark(it, mark);
    if (status != CHAINS_OK)
        chainsi_postgres_drop(it);
    return status;
}

/* Has the connection of the writer, and the state as this process left it, or has found it. */
static chains_status need_connection(chainsi_postgres *it)
{
    char mark[CHAINSI_POSTGRES_MARK];
    if (it->connection && !it->connecting)
        return it->mark[0] ? CHAINS_OK : read_mark(it, it->mark);
    chains_status status = come_back(it, mark);
    if (status != CHAINS_OK)
        return status;
    if (!it->mark[0])
        memcpy(it->mark, mark, sizeof it->mark);
    if (!strcmp(mark, it->mark)) {
        it->doubtful_mark[0] = 0;
        return CHAINS_OK;
    }
    return overtake(it, !strcmp(mark, it->doubtful_mark)
                            ? "a change was kept of which nobody could be told"
                            : "another chainsd has changed the state meanwhile");
}

/* Notes that the server is away. Whether it is to be tried again, after a while. */
static bool wait_for_server(chainsi_postgres *it)
{
    if (!it->away_ns)
        it->away_ns = chainsi_now_ns();
    if (ms_since(it->away_ns) >= CHAINSI_POSTGRES_WAIT_MS)
        return false;
    pause_ms(RETRY_MS);
    return true;
}

/* Transactions. */

/* The mark is changed only as it was left: whoever else wrote, with the lock or without it, is found here. */
static chains_status open_marked(chainsi_postgres *it)
{
    char sql[160];
    PGresult *result = NULL;
    make_mark(it->next_mark);
    snprintf(sql, sizeof sql, "BEGIN; UPDATE chainsd SET mark = '%s' WHERE mark = '%s'",
             it->next_mark, it->mark);
    chains_status status = chainsi_postgres_run(it, sql, &result);
    if (status == CHAINS_OK && strcmp(it->pq->PQcmdTuples(result), "1") != 0)
        status = overtake(it, "another chainsd has changed the state meanwhile");
    it->pq->PQclear(result);
    if (status != CHAINS_OK)
        chainsi_database_roll_back(&it->base);
    return status;
}

chains_status chainsi_postgres_begin(chainsi_database *database)
{
    chainsi_postgres *it = chainsi_postgres_of(database);
    if (it->overtaken)
        return CHAINS_ABORTED; /* the sentence stands */
    if (!it->claimed)
        return chainsi_postgres_run(it, "BEGIN", NULL);
    for (;;) {
        bool away = it->away_ns && ms_since(it->away_ns) >= CHAINSI_POSTGRES_WAIT_MS;
        if (away && !it->connection && ms_since(it->tried_ns) < AWAY_RETRY_MS)
            return CHAINS_UNAVAILABLE; /* so does this one */
        bool fresh = !it->connection;
        chains_status status = need_connection(it);
        if (status == CHAINS_OK)
            status = open_marked(it);
        if (status != CHAINS_UNAVAILABLE) {
            it->away_ns = 0;
            return status;
        }
        chainsi_postgres_drop(it); /* it may lead to a server that can't be written to any more */
        if (fresh && !wait_for_server(it))
            return status;
    }
}

/* What became of a transaction whose COMMIT was sent. */
static chains_status find_out(chainsi_postgres *it)
{
    for (;;) {
        char mark[CHAINSI_POSTGRES_MARK];
        chains_status status = come_back(it, mark);
        if (status == CHAINS_OK) {
            it->away_ns = 0;
            if (!strcmp(mark, it->next_mark))
                return CHAINS_OK;
            if (strcmp(mark, it->mark) != 0)
                return overtake(it, "another chainsd has changed the state meanwhile");
            return chainsi_database_fail(&it->base, CHAINS_UNAVAILABLE,
                                         "the connection to %s broke before the change was kept",
                                         it->base.path);
        }
        if (status != CHAINS_UNAVAILABLE)
            return status;
        if (!wait_for_server(it))
            return CHAINS_UNKNOWN;
    }
}

chains_status chainsi_postgres_commit(chainsi_database *database)
{
    chainsi_postgres *it = chainsi_postgres_of(database);
    PGresult *result = NULL;
    if (!it->connection)
        return chainsi_postgres_fail(it, NULL);
    chains_status status = chainsi_postgres_run(it, "COMMIT", &result);
    /* Of a transaction in which something had failed, COMMIT is a ROLLBACK, and says so here alone. */
    if (status == CHAINS_OK && strcmp(it->pq->PQcmdStatus(result), "COMMIT") != 0)
        status = chainsi_database_fail(database, CHAINS_INTERNAL,
                                       "the transaction was taken back for a failure in it");
    it->pq->PQclear(result);
    if (!it->claimed)
        return status;
    if (status != CHAINS_OK && !it->connection) {
        status = find_out(it);
        if (status == CHAINS_UNKNOWN) {
            memcpy(it->doubtful_mark, it->next_mark, sizeof it->doubtful_mark);
            chainsi_database_fail(database, status,
                                  "the connection to %s broke while a change was kept: whether it "
                                  "was can't be told until it is back",
                                  it->base.path);
        }
    }
    if (status == CHAINS_OK)
        memcpy(it->mark, it->next_mark, sizeof it->mark);
    return status;
}
