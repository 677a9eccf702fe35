/* A connection to a PostgreSQL server: how it comes up without keeping its thread, what is sent and awaited on it,
 * and what SQLSTATEs mean. libpq is used without blocking throughout; this file waits for its socket. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/handle.h"
#include "control/postgres.h"

enum { OLDEST_SERVER = 140000, GLANCE_REST_MS = 20 };

void chainsi_postgres_drop(chainsi_postgres *it)
{
    if (it->connection)
        it->pq->PQfinish(it->connection);
    it->connection = NULL;
    it->connecting = false;
}

/* Failures. */

/* libpq's sentences have several lines, each with its end, and some begin further in. */
static void fold(char *text)
{
    char *to = text;
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c > ' ')
            *to++ = *c;
        else if (to > text && to[-1] != ' ')
            *to++ = ' ';
    while (to > text && to[-1] == ' ')
        to--;
    *to = 0;
}

static chains_status status_of(const char *state)
{
    if (!strcmp(state, "53100"))
        return CHAINS_RESOURCE_EXHAUSTED;
    if (!strcmp(state, "23505"))
        return CHAINS_ALREADY_EXISTS;
    if (!strncmp(state, "23", 2))
        return CHAINS_FAILED_PRECONDITION;
    if (!strcmp(state, "XX001") || !strcmp(state, "XX002"))
        return CHAINS_DATA_LOSS;
    /* Connections, roles, transactions and servers that can't go on; what isn't allowed. */
    static const char *const unavailable[] = { "08", "25006", "28", "3D", "40", "42501",
                                               "53", "55",    "57", "58", "0A" };
    for (size_t i = 0; i < sizeof unavailable / sizeof *unavailable; i++)
        if (!strncmp(state, unavailable[i], strlen(unavailable[i])))
            return CHAINS_UNAVAILABLE;
    return CHAINS_INTERNAL;
}

chains_status chainsi_postgres_fail(chainsi_postgres *it, const PGresult *result)
{
    char said[CHAINSI_DATABASE_WHY - 256];
    const char *state = result ? it->pq->PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *primary =
        result ? it->pq->PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (!primary)
        primary = result           ? it->pq->PQresultErrorMessage(result)
                  : it->connection ? it->pq->PQerrorMessage(it->connection)
                                   : "there is no connection";
    snprintf(said, sizeof said, "%s", primary);
    fold(said);
    chains_status status = state ? status_of(state) : CHAINS_UNAVAILABLE;
    switch (status) {
    case CHAINS_RESOURCE_EXHAUSTED:
        return chainsi_database_fail(&it->base, status,
                                     "there is no room left for %s (%s); what it holds is whole",
                                     it->base.path, said);
    case CHAINS_DATA_LOSS:
        return chainsi_database_fail(&it->base, status, "%s is damaged (%s)", it->base.path, said);
    case CHAINS_UNAVAILABLE:
        return chainsi_database_fail(&it->base, status, "cannot use %s: %s", it->base.path, said);
    default:
        return chainsi_database_fail(&it->base, status, "%s", said);
    }
}

/* Waiting. */

/* Waits for the socket; false when the time is over. */
static bool wait_for(const chainsi_postgres *it, short events, int64_t until_ns)
{
    struct pollfd watched = { .fd = it->pq->PQsocket(it->connection), .events = events };
    for (;;) {
        int64_t left_ns = until_ns - chainsi_now_ns();
        int left_ms = left_ns > 0 ? (int)(left_ns / CHAINSI_NS_PER_MS) + 1 : 0;
        int count = poll(&watched, 1, left_ms);
        if (count > 0 || (count < 0 && errno != EINTR))
            return true;
        if (count == 0 && left_ms == 0)
            return false;
    }
}

/* Sends what libpq still holds, and reads until a result is whole. 0; ETIMEDOUT; EPIPE: it broke. */
static int wait_for_result(chainsi_postgres *it, int64_t until_ns)
{
    const chainsi_pq *pq = it->pq;
    for (;;) {
        int unsent = pq->PQflush(it->connection);
        if (unsent < 0)
            return EPIPE;
        if (!unsent && !pq->PQisBusy(it->connection))
            return 0;
        if (!wait_for(it, (short)(POLLIN | (unsent ? POLLOUT : 0)), until_ns))
            return ETIMEDOUT;
        if (!pq->PQconsumeInput(it->connection))
            return EPIPE;
    }
}

static bool is_failure(const chainsi_postgres *it, const PGresult *result)
{
    ExecStatusType status = it->pq->PQresultStatus(result);
    return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY;
}

chains_status chainsi_postgres_await(chainsi_postgres *it, PGresult **result)
{
    const chainsi_pq *pq = it->pq;
    int64_t timeout_ms = it->reads_only ? CHAINSI_POSTGRES_READ_MS : CHAINSI_POSTGRES_WRITE_MS;
    int64_t until_ns = chainsi_now_ns() + timeout_ms * CHAINSI_NS_PER_MS;
    PGresult *last = NULL;
    chains_status status = CHAINS_OK;
    for (int error = 0;;) {
        if (error != EPIPE) /* then there is nothing to wait for: what it says is that */
            error = wait_for_result(it, until_ns);
        if (error == ETIMEDOUT) {
            status = chainsi_database_fail(&it->base, CHAINS_UNAVAILABLE,
                                           "cannot use %s: no answer for %lld ms", it->base.path,
                                           (long long)timeout_ms);
            break;
        }
        PGresult *next = pq->PQgetResult(it->connection);
        if (!next)
            break;
        if (status == CHAINS_OK && is_failure(it, next))
            status = chainsi_postgres_fail(it, next);
        pq->PQclear(last);
        last = next;
    }
    bool broke = pq->PQstatus(it->connection) != CONNECTION_OK;
    if (status == CHAINS_OK && (broke || !last))
        status = chainsi_postgres_fail(it, NULL);
    /* Whoever ended it, by whatever code: nothing more can be asked on it. */
    if (broke && status != CHAINS_OK)
        status = CHAINS_UNAVAILABLE;
    if (broke || (status == CHAINS_UNAVAILABLE && !last))
        chainsi_postgres_drop(it);
    if (status != CHAINS_OK) {
        pq->PQclear(last);
        return status;
    }
    *result = last;
    return CHAINS_OK;
}

/* Connecting. */

static void ignore_notice(void *user, const PGresult *result)
{
    (void)user;
    (void)result;
}

static chains_status start(chainsi_postgres *it)
{
    char name[64];
    snprintf(name, sizeof name, "chainsd %s", it->reads_only ? "reader" : it->name);
    /* What comes later wins, and the URL is spread out where it stands. A server that is gone is found out about
     * within seconds; of several, the one that can be written to is meant. */
    const char *const words[] = {
        "keepalives_idle",  "keepalives_interval",  "keepalives_count",
        "tcp_user_timeout", "target_session_attrs", "dbname",
        "application_name", "client_encoding",      NULL,
    };
    const char *const values[] = { "5", "2", "3", "10000", "primary", it->url, name, "UTF8", NULL };
    it->connection = it->pq->PQconnectStartParams(words, values, 1);
    it->tried_ns = chainsi_now_ns();
    if (!it->connection)
        abort();
    it->connecting = true;
    if (it->pq->PQstatus(it->connection) != CONNECTION_BAD)
        return CHAINS_OK;
    chains_status status = chainsi_postgres_fail(it, NULL);
    chainsi_postgres_drop(it);
    return status;
}

/* Once it is up. */
static chains_status settle(chainsi_postgres *it)
{
    const chainsi_pq *pq = it->pq;
    it->connecting = false;
    it->generation++;
    pq->PQsetnonblocking(it->connection, 1);
    pq->PQsetNoticeReceiver(it->connection, ignore_notice, NULL);
    if (pq->PQserverVersion(it->connection) < OLDEST_SERVER) {
        chains_status status = chainsi_database_fail(
            &it->base, CHAINS_FAILED_PRECONDITION, "%s is on PostgreSQL %d, which is older than 14",
            it->base.path, pq->PQserverVersion(it->connection) / 10000);
        chainsi_postgres_drop(it);
        return status;
    }
    /* Bytes come as they are read here, whatever the server is set to. A commit that was told is on the disk. A client whose machine is gone is found out about: the server keeps the
     * writer's lock as long as it believes in it. */
    static const char *const settings[] = {
        [false] = "SET bytea_output = 'hex'; SET tcp_keepalives_idle = 5; SET "
                  "tcp_keepalives_interval = 2;"
                  "SET tcp_keepalives_count = 3;"
                  "SELECT set_config('synchronous_commit', 'on', false) WHERE "
                  "current_setting('synchronous_commit') = 'off'; SHOW server_encoding",
        [true] = "SET bytea_output = 'hex'; SET default_transaction_read_only = on; SHOW "
                 "server_encoding",
    };
    PGresult *encoding = NULL;
    chains_status status = chainsi_postgres_run(it, settings[it->reads_only], &encoding);
    if (status == CHAINS_OK && pq->PQntuples(encoding) != 1) /* something else stands before it */
        status = chainsi_database_fail(&it->base, CHAINS_UNAVAILABLE,
                                       "cannot use %s: it doesn't answer as a PostgreSQL server",
                                       it->base.path);
    if (status == CHAINS_OK && strcmp(pq->PQgetvalue(encoding, 0, 0), "UTF8") != 0)
        status = chainsi_database_fail(
            &it->base, CHAINS_FAILED_PRECONDITION,
            "%s is encoded as %s: make one with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE "
            "template0",
            it->base.path, pq->PQgetvalue(encoding, 0, 0));
    pq->PQclear(encoding);
    if (status != CHAINS_OK)
        chainsi_postgres_drop(it);
    return status;
}

chains_status chainsi_postgres_connect(chainsi_postgres *it, int64_t timeout_ms)
{
    const chainsi_pq *pq = it->pq;
    if (it->connection && !it->connecting)
        return CHAINS_OK;
    if (!it->connection) {
        chains_status status = start(it);
        if (status != CHAINS_OK)
            return status;
    }
    int64_t until_ns = chainsi_now_ns() + timeout_ms * CHAINSI_NS_PER_MS;
    /* A new one is to be waited for writing, as if PQconnectPoll had said so. */
    short events = POLLOUT;
    while (wait_for(it, events, until_ns)) {
        PostgresPollingStatusType next = pq->PQconnectPoll(it->connection);
        if (next == PGRES_POLLING_OK)
            return settle(it);
        if (next == PGRES_POLLING_FAILED) {
            chains_status status = chainsi_postgres_fail(it, NULL);
            chainsi_postgres_drop(it);
            return status;
        }
        events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    }
    /* One that doesn't come up is begun anew: its server's address may be another one by now. */
    if (chainsi_now_ns() - it->tried_ns > CHAINSI_POSTGRES_CONNECT_MS * CHAINSI_NS_PER_MS)
        chainsi_postgres_drop(it);
    return chainsi_database_fail(&it->base, CHAINS_UNAVAILABLE, "cannot reach %s: no answer yet",
                                 it->base.path);
}

/* Has a connection to read from, without keeping the thread: what took long in vain is tried again after a second,
 * what was refused at once soon. */
static chains_status glance(chainsi_postgres *it)
{
    int64_t now_ns = chainsi_now_ns();
    bool soon = now_ns < it->glance_again_ns;
    if (soon && !it->connection)
        return CHAINS_UNAVAILABLE; /* and the sentence is there */
    chains_status status = chainsi_postgres_connect(it, soon ? 0 : CHAINSI_POSTGRES_GLANCE_MS);
    int64_t took_ns = chainsi_now_ns() - now_ns;
    if (status != CHAINS_OK && !soon)
        it->glance_again_ns = now_ns + 5 * took_ns + GLANCE_REST_MS * CHAINSI_NS_PER_MS;
    return status;
}

chains_status chainsi_postgres_run(chainsi_postgres *it, const char *sql, PGresult **result)
{
    PGresult *own = NULL;
    chains_status status = CHAINS_OK;
    if (it->reads_only && (!it->connection || it->connecting))
        status = glance(it);
    if (status != CHAINS_OK)
        return status;
    if (!it->connection || !it->pq->PQsendQuery(it->connection, sql))
        return chainsi_postgres_fail(it, NULL);
    status = chainsi_postgres_await(it, &own);
    if (status == CHAINS_OK && result)
        *result = own;
    else
        it->pq->PQclear(own);
    return status;
}
