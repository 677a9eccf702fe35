/* A database on a PostgreSQL server, as an engine: the table, opening and closing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "control/digest.h"
#include "control/handle.h"
#include "control/postgres.h"

static void close_it(chainsi_database *database)
{
    chainsi_postgres *it = chainsi_postgres_of(database);
    chainsi_database_forget_kept(database);
    chainsi_postgres_drop(it);
    free(it->url);
    free(database->path);
    free(it);
}

static chains_status run(chainsi_database *database, const char *sql)
{
    chainsi_postgres *it = chainsi_postgres_of(database);
    PGresult *result = NULL;
    chains_status status = chainsi_postgres_run(it, sql, &result);
    if (status == CHAINS_OK)
        it->changes = strtoll(it->pq->PQcmdTuples(result), NULL, 10);
    it->pq->PQclear(result);
    return status;
}

static bool in_transaction(const chainsi_database *database)
{
    const chainsi_postgres *it = chainsi_postgres_of(database);
    if (!it->connection || it->connecting)
        return false;
    PGTransactionStatusType status = it->pq->PQtransactionStatus(it->connection);
    return status == PQTRANS_ACTIVE || status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

static bool is_overtaken(const chainsi_database *database)
{
    return chainsi_postgres_of(database)->overtaken;
}

static int64_t changes(const chainsi_database *database)
{
    return chainsi_postgres_of(database)->changes;
}

static chains_status check(chainsi_database *database)
{
    return run(database, "SELECT 1");
}

static const chainsi_engine engine = {
    .close = close_it,
    .run = run,
    .begin = chainsi_postgres_begin,
    .commit = chainsi_postgres_commit,
    .in_transaction = in_transaction,
    .changes = changes,
    .check = check,
    .claim = chainsi_postgres_claim,
    .is_overtaken = is_overtaken,
    .prepare = chainsi_postgres_prepare,
    .forget = chainsi_postgres_forget,
    .is_busy = chainsi_postgres_is_busy,
    .parameter_count = chainsi_postgres_parameter_count,
    .parameter_name = chainsi_postgres_parameter_name,
    .bind = chainsi_postgres_bind,
    .step = chainsi_postgres_step,
    .reset = chainsi_postgres_reset,
    .column_count = chainsi_postgres_column_count,
    .column_name = chainsi_postgres_column_name,
    .column = chainsi_postgres_column,
};

static const char *option(const PQconninfoOption *options, const char *name)
{
    for (; options->keyword; options++)
        if (!strcmp(options->keyword, name))
            return options->val && *options->val ? options->val : NULL;
    return NULL;
}

/* What may be shown of a URL; NULL: it is none. libpq's own sentence may hold the password. */
static char *shown_path(const chainsi_pq *pq, const char *url)
{
    PQconninfoOption *options = pq->PQconninfoParse(url, NULL);
    if (!options)
        return NULL;
    const char *host = option(options, "host"), *port = option(options, "port");
    const char *name = option(options, "dbname");
    char path[512];
    snprintf(path, sizeof path, "postgresql://%s%s%s/%s", host ? host : "", port ? ":" : "",
             port ? port : "", name ? name : "");
    pq->PQconninfoFree(options);
    return chainsi_copy_text(path);
}

chainsi_database *chainsi_database_open_postgres(const char *url, chainsi_database_mode mode,
                                                 char *why, size_t why_size)
{
    const chainsi_pq *pq = chainsi_pq_load(why, why_size);
    char *path = pq ? shown_path(pq, url) : NULL;
    if (!path) {
        if (pq)
            snprintf(why, why_size,
                     "the URL of the state is none that PostgreSQL understands: "
                     "postgresql://user:password@host:port/database?sslmode=..., where what is "
                     "special in a password is written as %%XX");
        return NULL;
    }
    uint8_t random[(CHAINSI_POSTGRES_MARK - 1) / 2];
    chainsi_postgres *it = chainsi_make(sizeof *it);
    it->base.engine = &engine;
    it->base.path = path;
    it->pq = pq;
    it->url = chainsi_copy_text(url);
    it->reads_only = mode == CHAINSI_DATABASE_READ;
    if (getentropy(random, sizeof random) != 0)
        abort();
    chainsi_hex(random, sizeof random, it->name);
    if (chainsi_postgres_connect(it, CHAINSI_POSTGRES_CONNECT_MS) == CHAINS_OK)
        return &it->base;
    snprintf(why, why_size, "%s", it->base.why);
    close_it(&it->base);
    return NULL;
}
