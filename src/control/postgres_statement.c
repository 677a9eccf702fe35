/* Statements on a PostgreSQL server. The text's :names become $1, $2 ...; what a parameter is, is known from what is
 * bound to it, NULL included, and told to the server, which then need not guess. Values go as text but for texts and
 * bytes, which go as they are; rows come as text, all of them with the first step. A statement that is kept is
 * prepared with its first step on each connection. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "control/handle.h"
#include "control/postgres.h"
#include "schema/utf8.h"

/* Of pg_type, where they don't change. */
enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, OID_FLOAT8 = 701 };

typedef struct parameter {
    char *name; /* owned; with the ':' */
    Oid type;   /* 0: nothing was bound */
    bool is_binary, is_null;
    const char *value; /* own, number, or its user's */
    size_t size;
    char *own; /* owned; NULL: there is no copy */
    char number[32];
} parameter;

typedef struct statement {
    chainsi_postgres *database; /* not owned */
    char *sql;                  /* owned; with $1 */
    parameter *parameters;      /* owned */
    int count;
    unsigned generation; /* of the connection that it is prepared on */
    unsigned number;     /* its name there; 0: it isn't kept */
    bool ran;
    PGresult *result; /* owned; NULL: it hasn't run, or failed */
    int row;
    chainsi_buffer bytes; /* of the column that was asked for last */
} statement;

/* Texts. */

static int find_or_add(statement *it, const char *name, size_t size)
{
    for (int i = 0; i < it->count; i++)
        if (!strncmp(it->parameters[i].name, name, size) && !it->parameters[i].name[size])
            return i + 1;
    parameter *more = realloc(it->parameters, (size_t)(it->count + 1) * sizeof *more);
    if (!more)
        abort();
    it->parameters = more;
    it->parameters[it->count] = (parameter){ .name = chainsi_make(size + 1), .is_null = true };
    memcpy(it->parameters[it->count].name, name, size);
    return ++it->count;
}

static size_t name_size(const char *text)
{
    size_t size = 1;
    while (isalnum((unsigned char)text[size]) || text[size] == '_')
        size++;
    return size;
}

/* Outside of quotes, :name is a parameter; :: is a cast. */
static void translate(statement *it, const char *sql)
{
    chainsi_buffer out = { 0 };
    bool quoted = false;
    for (const char *c = sql; *c;) {
        quoted = quoted != (*c == '\'');
        size_t size = *c == ':' && !quoted ? name_size(c) : 1;
        if (size > 1) {
            chainsi_buffer_printf(&out, "$%d", find_or_add(it, c, size));
        } else {
            size = !strncmp(c, "::", 2) ? 2 : 1;
            chainsi_buffer_add(&out, c, size);
        }
        c += size;
    }
    chainsi_buffer_add_byte(&out, 0);
    it->sql = (char *)out.data;
}

chains_status chainsi_postgres_prepare(chainsi_database *database, const char *sql, bool kept,
                                       void **handle)
{
    statement *it = chainsi_make(sizeof *it);
    it->database = chainsi_postgres_of(database);
    it->number = kept ? ++it->database->statements : 0;
    translate(it, sql);
    *handle = it;
    return CHAINS_OK;
}

void chainsi_postgres_forget(void *handle)
{
    statement *it = handle;
    if (!it)
        return;
    chainsi_postgres_reset(it);
    for (int i = 0; i < it->count; i++)
        free(it->parameters[i].name);
    free(it->parameters);
    free(it->sql);
    chainsi_buffer_done(&it->bytes);
    free(it);
}

bool chainsi_postgres_is_busy(const void *handle)
{
    const statement *it = handle;
    return it->ran;
}

/* Parameters. */

int chainsi_postgres_parameter_count(const void *handle)
{
    const statement *it = handle;
    return it->count;
}

const char *chainsi_postgres_parameter_name(const void *handle, int index)
{
    const statement *it = handle;
    return it->parameters[index - 1].name;
}

static void set_own(parameter *p, char *own, size_t size)
{
    p->own = own;
    p->value = own;
    p->size = size;
}

/* A file would keep any bytes as text; a server refuses what isn't UTF-8, or has a NUL in it. Each byte of that
 * becomes U+FFFD. */
static void set_repaired(parameter *p, const char *text, size_t size)
{
    chainsi_buffer out = { 0 };
    for (size_t at = 0; at < size;) {
        size_t good = chainsi_utf8_valid(text + at, size - at);
        const char *nul = memchr(text + at, 0, good);
        if (nul)
            good = (size_t)(nul - (text + at));
        chainsi_buffer_add(&out, text + at, good);
        at += good;
        if (at < size) {
            chainsi_buffer_add_text(&out, "\xef\xbf\xbd");
            at++;
        }
    }
    set_own(p, (char *)out.data, out.size);
}

static void set_bytes(parameter *p, const chainsi_datum *datum)
{
    const char *data = datum->bytes.data ? datum->bytes.data : "";
    size_t size = datum->bytes.size;
    p->is_binary = true;
    if (datum->kind == CHAINSI_DATUM_TEXT &&
        (chainsi_utf8_valid(data, size) != size || memchr(data, 0, size))) {
        set_repaired(p, data, size);
    } else if (datum->passing) {
        char *copy = chainsi_make(size + 1);
        memcpy(copy, data, size);
        set_own(p, copy, size);
    } else {
        p->value = data;
        p->size = size;
    }
}

chains_status chainsi_postgres_bind(chainsi_database *database, void *handle, int index,
                                    const chainsi_datum *datum)
{
    static const Oid types[] = {
        [CHAINSI_DATUM_INTEGER] = OID_INT8,
        [CHAINSI_DATUM_REAL] = OID_FLOAT8,
        [CHAINSI_DATUM_TEXT] = OID_TEXT,
        [CHAINSI_DATUM_BYTES] = OID_BYTEA,
    };
    statement *it = handle;
    parameter *p = &it->parameters[index - 1];
    free(p->own);
    p->own = NULL;
    p->type = types[datum->kind];
    p->is_null = datum->is_null;
    p->is_binary = false;
    p->value = p->number;
    if (datum->bytes.size > INT32_MAX)
        return chainsi_database_fail(database, CHAINS_INVALID_ARGUMENT, "it is too large");
    if (datum->is_null)
        return CHAINS_OK;
    if (datum->kind == CHAINSI_DATUM_INTEGER)
        snprintf(p->number, sizeof p->number, "%lld", (long long)datum->integer);
    else if (datum->kind == CHAINSI_DATUM_REAL)
        snprintf(p->number, sizeof p->number, "%.17g", datum->real);
    else
        set_bytes(p, datum);
    return CHAINS_OK;
}

/* Running. */

enum { MOST_PARAMETERS = 64 };

/* Tells the server what is to be run, once a connection. */
static chains_status need_prepared(statement *it, const char *name)
{
    chainsi_postgres *database = it->database;
    Oid types[MOST_PARAMETERS];
    PGresult *result = NULL;
    if (it->generation == database->generation)
        return CHAINS_OK;
    for (int i = 0; i < it->count; i++)
        types[i] = it->parameters[i].type;
    if (!database->pq->PQsendPrepare(database->connection, name, it->sql, it->count, types))
        return chainsi_postgres_fail(database, NULL);
    chains_status status = chainsi_postgres_await(database, &result);
    database->pq->PQclear(result);
    if (status == CHAINS_OK)
        it->generation = database->generation;
    return status;
}

static chains_status send_it(statement *it)
{
    const chainsi_pq *pq = it->database->pq;
    PGconn *connection = it->database->connection;
    const char *values[MOST_PARAMETERS];
    int sizes[MOST_PARAMETERS], formats[MOST_PARAMETERS];
    Oid types[MOST_PARAMETERS];
    char name[16];
    for (int i = 0; i < it->count; i++) {
        const parameter *p = &it->parameters[i];
        values[i] = p->is_null ? NULL : p->value;
        sizes[i] = (int)p->size;
        formats[i] = p->is_binary;
        types[i] = p->type;
    }
    snprintf(name, sizeof name, "s%u", it->number);
    chains_status status = it->number ? need_prepared(it, name) : CHAINS_OK;
    if (status != CHAINS_OK)
        return status;
    int sent = it->number
                   ? pq->PQsendQueryPrepared(connection, name, it->count, values, sizes, formats, 0)
                   : pq->PQsendQueryParams(connection, it->sql, it->count, types, values, sizes,
                                           formats, 0);
    return sent ? CHAINS_OK : chainsi_postgres_fail(it->database, NULL);
}

static chains_status run_it(statement *it)
{
    chainsi_postgres *database = it->database;
    if (!database->connection || database->connecting) {
        if (!database->reads_only)
            return chainsi_postgres_fail(database, NULL);
        /* Which has a connection made. */
        chains_status status = chainsi_postgres_run(database, "", NULL);
        if (status != CHAINS_OK)
            return status;
    }
    chains_status status = send_it(it);
    if (status == CHAINS_OK)
        status = chainsi_postgres_await(database, &it->result);
    return status;
}

chains_status chainsi_postgres_step(chainsi_database *base, void *handle, bool *row)
{
    statement *it = handle;
    chainsi_postgres *database = it->database;
    if (it->count > MOST_PARAMETERS)
        return chainsi_database_fail(base, CHAINS_INTERNAL, "too many parameters");
    if (!it->ran) {
        it->ran = true;
        bool had_one = database->connection && !database->connecting;
        chains_status status = run_it(it);
        /* It broke since the last time: to read again does no harm. */
        if (status == CHAINS_UNAVAILABLE && database->reads_only && had_one &&
            !database->connection)
            status = run_it(it);
        if (status != CHAINS_OK)
            return status;
        database->changes = strtoll(database->pq->PQcmdTuples(it->result), NULL, 10);
        it->row = -1;
    }
    *row = ++it->row < database->pq->PQntuples(it->result);
    return CHAINS_OK;
}

void chainsi_postgres_reset(void *handle)
{
    statement *it = handle;
    if (it->result)
        it->database->pq->PQclear(it->result);
    it->result = NULL;
    it->ran = false;
    for (int i = 0; i < it->count; i++) {
        parameter *p = &it->parameters[i];
        free(p->own);
        p->own = NULL;
        p->value = NULL;
        p->is_null = true;
    }
}

/* Rows. */

int chainsi_postgres_column_count(const void *handle)
{
    const statement *it = handle;
    return it->database->pq->PQnfields(it->result);
}

const char *chainsi_postgres_column_name(const void *handle, int column)
{
    const statement *it = handle;
    return it->database->pq->PQfname(it->result, column);
}

static unsigned digit_of(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* \x0123 */
static void decode_bytes(statement *it, const char *text)
{
    it->bytes.size = 0;
    const char *digits = strncmp(text, "\\x", 2) ? "" : text + 2;
    for (const char *c = digits; isxdigit((unsigned char)c[0]) && isxdigit((unsigned char)c[1]);
         c += 2)
        chainsi_buffer_add_byte(&it->bytes, (uint8_t)(digit_of(c[0]) << 4 | digit_of(c[1])));
    chainsi_buffer_reserve(&it->bytes, 1);
}

void chainsi_postgres_column(void *handle, int column, chainsi_datum *datum)
{
    statement *it = handle;
    const chainsi_pq *pq = it->database->pq;
    datum->is_null = pq->PQgetisnull(it->result, it->row, column) != 0;
    if (datum->is_null)
        return;
    const char *text = pq->PQgetvalue(it->result, it->row, column);
    switch (datum->kind) {
    case CHAINSI_DATUM_INTEGER:
        datum->integer = *text == 't' ? 1 : strtoll(text, NULL, 10);
        break;
    case CHAINSI_DATUM_REAL:
        datum->real = strtod(text, NULL);
        break;
    case CHAINSI_DATUM_TEXT:
        datum->bytes = (chains_bytes){ text, (size_t)pq->PQgetlength(it->result, it->row, column) };
        break;
    case CHAINSI_DATUM_BYTES:
        decode_bytes(it, text);
        datum->bytes = (chains_bytes){ it->bytes.data, it->bytes.size };
        break;
    }
}
