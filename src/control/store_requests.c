/* Asynchronous requests as rows. States are written out in the texts of statements: only so are the
 * indices used that hold one state alone. */
#include "control/store_requests.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "control/digest.h"
#include "control/fields.h"
#include "control/time_text.h"

static const chainsi_field request_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_stored_request, id),
    CHAINSI_FIELD_INTEGER(chainsi_stored_request, number),
    CHAINSI_FIELD_TEXT(chainsi_stored_request, chain),
    CHAINSI_FIELD_TEXT(chainsi_stored_request, environment),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_request, version),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_request, chainlet),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_request, key),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_request, given_id),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_request, given_digest),
    CHAINSI_FIELD_OF(chainsi_stored_request, state, &chainsi_request_state_type),
    CHAINSI_FIELD_OF(chainsi_stored_request, priority, &chainsi_type_int32),
    CHAINSI_FIELD_NUMBER(chainsi_stored_request, max_time_in_queue_s),
    CHAINSI_FIELD_NUMBER(chainsi_stored_request, timeout_ms),
    CHAINSI_FIELD_OF(chainsi_stored_request, retries, &chainsi_type_int32),
    CHAINSI_FIELD_OF(chainsi_stored_request, attempts, &chainsi_type_int32),
    CHAINSI_FIELD_OF(chainsi_stored_request, losses, &chainsi_type_int32),
    CHAINSI_FIELD_TEXT(chainsi_stored_request, created_at),
    CHAINSI_FIELD_TEXT(chainsi_stored_request, not_before),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_request, expires_at),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_request, started_at),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_request, ended_at),
    CHAINSI_FIELD_OPTIONAL(chainsi_stored_request, error, &chainsi_type_json),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_request, webhook),
    CHAINSI_FIELD_OF(chainsi_stored_request, webhook_state, &chainsi_webhook_state_type),
    CHAINSI_FIELD_OF(chainsi_stored_request, webhook_attempts, &chainsi_type_int32),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_request, webhook_at),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_request, webhook_error),
    CHAINSI_FIELD_OPTIONAL(chainsi_stored_request, input, &chainsi_type_json),
    CHAINSI_FIELD_OPTIONAL(chainsi_stored_request, result, &chainsi_type_json),
};
const chainsi_type chainsi_stored_request_type =
    CHAINSI_STRUCT_OF(chainsi_stored_request, request_fields);
const chainsi_type chainsi_stored_requests_type =
    CHAINSI_LIST_OF(chainsi_stored_requests, &chainsi_stored_request_type);

static const chainsi_field line_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_request_line, chain),
    CHAINSI_FIELD_TEXT(chainsi_request_line, environment),
};
static const chainsi_type line_type = CHAINSI_STRUCT_OF(chainsi_request_line, line_fields);
static const chainsi_type lines_type = CHAINSI_LIST_OF(chainsi_request_lines, &line_type);

enum { ID_BYTES = (CHAINSI_REQUEST_ID_TEXT - 1) / 2 };

static const char *time_in(chainsi_arena *arena, int64_t unix_ms)
{
    char text[CHAINSI_TIME_TEXT];
    chainsi_time_text_of(text, unix_ms);
    return chainsi_arena_strdup(arena, text);
}

static chains_status no_request(chainsi_database *database, const char *id)
{
    return chainsi_database_fail(database, CHAINS_NOT_FOUND, "there is no request '%s'", id);
}

/* Adding. */

/* Puts what has no place in the row itself. */
static chains_status add_body(chainsi_database *database, const char *sql,
                              const chainsi_stored_request *request)
{
    chainsi_statement insert = chainsi_statement_begin(database, sql);
    chainsi_statement_struct(&insert, &chainsi_stored_request_type, request);
    return chainsi_statement_run(&insert);
}

static chains_json null_if_absent(chains_json json)
{
    return json.text ? json : (chains_json){ "null", 4 };
}

/* Finds the one that this is sent again of. NOT_FOUND: it isn't. */
static chains_status find_given(chainsi_database *database, chainsi_arena *arena,
                                chainsi_stored_request *request)
{
    chainsi_stored_request found;
    chainsi_statement find = chainsi_statement_begin(
        database, "SELECT * FROM requests WHERE chain = :chain AND given_id = :given_id AND "
                  "(key = :key OR (key IS NULL AND :key IS NULL))");
    chainsi_statement_text(&find, ":chain", request->chain);
    chainsi_statement_text(&find, ":given_id", request->given_id);
    chainsi_statement_text(&find, ":key", request->key);
    chains_status status =
        chainsi_statement_read_one(&find, &chainsi_stored_request_type, arena, &found);
    if (status != CHAINS_OK)
        return status;
    if (strcmp(found.given_digest, request->given_digest) != 0)
        return chainsi_database_fail(database, CHAINS_ALREADY_EXISTS,
                                     "the request '%s' has the X-Request-Id '%s', and asked for "
                                     "something else",
                                     found.id, request->given_id);
    *request = found;
    return CHAINS_OK;
}

static chains_status add_new(chainsi_database *database, int64_t now_ms, chainsi_arena *arena,
                             chainsi_stored_request *request)
{
    uint8_t random[ID_BYTES];
    char id[CHAINSI_REQUEST_ID_TEXT];
    if (getentropy(random, sizeof random) != 0)
        return chainsi_database_fail(database, CHAINS_UNAVAILABLE,
                                     "the system gives no random bytes");
    chainsi_hex(random, sizeof random, id);
    chainsi_stored_request added = *request;
    added.id = chainsi_arena_strdup(arena, id);
    added.state = CHAINSI_REQUEST_QUEUED;
    added.attempts = 0;
    added.created_at = added.not_before = time_in(arena, now_ms);
    /* Beyond a thousand years it is no limit. */
    added.expires_at = added.max_time_in_queue_s > 0 && added.max_time_in_queue_s < 3e10
                           ? time_in(arena, now_ms + (int64_t)(added.max_time_in_queue_s * 1000))
                           : NULL;
    added.webhook_state = CHAINSI_WEBHOOK_NONE;
    added.webhook_attempts = 0;
    added.input = null_if_absent(request->input);
    chainsi_statement insert = chainsi_statement_begin(
        database,
        "INSERT INTO requests (id, chain, environment, version, chainlet, key, given_id, "
        "given_digest, state, priority, max_time_in_queue_s, timeout_ms, retries, attempts, "
        "created_at, not_before, expires_at, "
        "webhook, webhook_state, webhook_attempts) VALUES (:id, :chain, :environment, :version, "
        ":chainlet, :key, :given_id, :given_digest, :state, :priority, :max_time_in_queue_s, "
        ":timeout_ms, :retries, "
        ":attempts, :created_at, :not_before, :expires_at, :webhook, :webhook_state, "
        ":webhook_attempts) RETURNING number");
    chainsi_statement_struct(&insert, &chainsi_stored_request_type, &added);
    if (chainsi_statement_next(&insert))
        added.number = chainsi_statement_column(&insert, 0);
    chains_status status = chainsi_statement_run(&insert);
    if (status == CHAINS_FAILED_PRECONDITION)
        return chainsi_database_fail(database, CHAINS_NOT_FOUND, "there is no chain '%s'",
                                     request->chain);
    if (status == CHAINS_OK)
        status =
            add_body(database,
                     "INSERT INTO request_inputs (number, input) VALUES (:number, :input)", &added);
    if (status == CHAINS_OK)
        *request = added;
    return status;
}

chains_status chainsi_stored_request_add(chainsi_database *database, int64_t now_ms,
                                         chainsi_arena *arena, chainsi_stored_request *request)
{
    chains_status status =
        request->given_id ? find_given(database, arena, request) : CHAINS_NOT_FOUND;
    return status == CHAINS_NOT_FOUND ? add_new(database, now_ms, arena, request) : status;
}

/* Looking. */

chains_status chainsi_stored_request_find(chainsi_database *database, const char *id,
                                          chainsi_arena *arena, chainsi_stored_request *request)
{
    chainsi_statement find = chainsi_statement_begin(
        database, "SELECT requests.*, result FROM requests LEFT JOIN request_results "
                  "USING (number) WHERE id = :id");
    chainsi_statement_text(&find, ":id", id);
    chains_status status =
        chainsi_statement_read_one(&find, &chainsi_stored_request_type, arena, request);
    return status == CHAINS_NOT_FOUND ? no_request(database, id) : status;
}

/* The number of a request; 0 with a failure. */
static int64_t number_of(chainsi_database *database, const char *id, chains_status *status)
{
    chainsi_statement find =
        chainsi_statement_begin(database, "SELECT number FROM requests WHERE id = :id");
    chainsi_statement_text(&find, ":id", id);
    int64_t number = chainsi_statement_next(&find) ? chainsi_statement_column(&find, 0) : 0;
    *status = chainsi_statement_end(&find);
    if (*status == CHAINS_OK && !number)
        *status = no_request(database, id);
    return number;
}

chains_status chainsi_stored_request_list(chainsi_database *database,
                                          const chainsi_request_filter *filter,
                                          chainsi_arena *arena, chainsi_stored_requests *requests)
{
    /* A text for each kind of question, so that each has its index. */
    static const char *const texts[2][2] = {
        { "SELECT * FROM requests WHERE number < :before ORDER BY number DESC LIMIT :limit",
          "SELECT * FROM requests WHERE state = :state AND number < :before ORDER BY number DESC "
          "LIMIT :limit" },
        { "SELECT * FROM requests WHERE chain = :chain AND number < :before ORDER BY number DESC "
          "LIMIT :limit",
          "SELECT * FROM requests WHERE chain = :chain AND state = :state AND number < :before "
          "ORDER BY number DESC LIMIT :limit" },
    };
    int64_t before = INT64_MAX;
    if (filter->before) {
        chains_status status;
        before = number_of(database, filter->before, &status);
        if (status != CHAINS_OK)
            return status;
    }
    chainsi_stored_request asked = {
        .chain = filter->chain,
        .state = filter->state ? *filter->state : CHAINSI_REQUEST_QUEUED,
    };
    chainsi_statement list =
        chainsi_statement_begin(database, texts[filter->chain != NULL][filter->state != NULL]);
    chainsi_statement_struct(&list, &chainsi_stored_request_type, &asked);
    chainsi_statement_integer(&list, ":before", before);
    chainsi_statement_integer(&list, ":limit", filter->limit);
    chainsi_statement_read_all(&list, &chainsi_stored_requests_type, arena, requests);
    return chainsi_statement_end(&list);
}

chains_status chainsi_stored_request_lines(chainsi_database *database, chainsi_arena *arena,
                                           chainsi_request_lines *lines)
{
    chainsi_statement list = chainsi_statement_begin(
        database, "SELECT DISTINCT chain, environment FROM requests WHERE state = 'QUEUED'");
    chainsi_statement_read_all(&list, &lines_type, arena, lines);
    return chainsi_statement_end(&list);
}

chains_status chainsi_stored_request_waiting(chainsi_database *database, const char *chain,
                                             const char *environment, int64_t *count)
{
    chainsi_statement ask = chainsi_statement_begin(
        database, "SELECT count(*) FROM requests WHERE state = 'QUEUED' AND chain = :chain AND "
                  "environment = :environment");
    chainsi_statement_text(&ask, ":chain", chain);
    chainsi_statement_text(&ask, ":environment", environment);
    int64_t found = chainsi_statement_next(&ask) ? chainsi_statement_column(&ask, 0) : 0;
    chains_status status = chainsi_statement_end(&ask);
    if (status == CHAINS_OK)
        *count = found;
    return status;
}

/* SQLite's indices are named: to its planner that of a state alone looks as good, which is walked through all
 * that waits. */
#define NEXT_DUE(expiring, delayed, telling)                                                       \
    "SELECT min(at) FROM (SELECT * FROM (SELECT expires_at AS at FROM requests " expiring          \
    "WHERE state = 'QUEUED' AND expires_at IS NOT NULL AND attempts = 0 AND expires_at > :now "    \
    "ORDER BY expires_at LIMIT 1) AS a UNION ALL SELECT * FROM (SELECT not_before FROM "           \
    "requests " delayed "WHERE state = 'QUEUED' AND not_before > created_at AND "                  \
    "not_before > :now ORDER BY not_before LIMIT 1) AS b UNION ALL SELECT * FROM (SELECT "         \
    "webhook_at FROM requests " telling "WHERE webhook_state = 'PENDING' AND webhook_at > :now "   \
    "ORDER BY webhook_at LIMIT 1) AS c) AS d"

chains_status chainsi_stored_request_next_due(chainsi_database *database, int64_t now_ms,
                                              chainsi_arena *arena, const char **at)
{
    static const char indexed[] =
        NEXT_DUE("INDEXED BY requests_expiring ", "INDEXED BY requests_delayed ",
                 "INDEXED BY requests_telling ");
    static const char plain[] = NEXT_DUE("", "", "");
    chainsi_statement ask =
        chainsi_statement_begin(database, chainsi_database_is_shared(database) ? plain : indexed);
    chainsi_statement_time(&ask, ":now", now_ms);
    const char *found =
        chainsi_statement_next(&ask) ? chainsi_statement_column_text(&ask, 0, arena) : NULL;
    chains_status status = chainsi_statement_end(&ask);
    if (status == CHAINS_OK)
        *at = found;
    return status;
}

/* Running. */

static chains_status begin_attempt(chainsi_database *database, chainsi_stored_request *request,
                                   const char *now)
{
    chainsi_statement begin = chainsi_statement_begin(
        database, "UPDATE requests SET state = 'RUNNING', attempts = attempts + 1, "
                  "started_at = :now WHERE number = :number");
    chainsi_statement_integer(&begin, ":number", request->number);
    chainsi_statement_text(&begin, ":now", now);
    request->state = CHAINSI_REQUEST_RUNNING;
    request->attempts++;
    request->started_at = now;
    return chainsi_statement_run(&begin);
}

chains_status chainsi_stored_request_take(chainsi_database *database, const char *chain,
                                          const char *environment, int64_t count, int64_t now_ms,
                                          chainsi_arena *arena, chainsi_stored_requests *requests)
{
    const char *now = time_in(arena, now_ms);
    chainsi_stored_requests taken = { 0 };
    chainsi_statement find = chainsi_statement_begin(
        database,
        "SELECT requests.*, input FROM requests JOIN request_inputs USING (number) WHERE "
        "state = 'QUEUED' AND chain = :chain AND environment = :environment AND "
        "not_before <= :now AND (expires_at IS NULL OR attempts > 0 OR expires_at > :now) "
        "ORDER BY priority, requests.number LIMIT :count");
    chainsi_statement_text(&find, ":chain", chain);
    chainsi_statement_text(&find, ":environment", environment);
    chainsi_statement_text(&find, ":now", now);
    chainsi_statement_integer(&find, ":count", count);
    chainsi_statement_read_all(&find, &chainsi_stored_requests_type, arena, &taken);
    chains_status status = chainsi_statement_end(&find);
    for (size_t i = 0; status == CHAINS_OK && i < taken.count; i++)
        status = begin_attempt(database, &taken.items[i], now);
    if (status == CHAINS_OK)
        *requests = taken;
    return status;
}

/* Why a request could not be changed. */
static chains_status explain(chainsi_database *database, const char *id)
{
    chainsi_arena arena = { 0 };
    chainsi_stored_request request;
    chains_status status = chainsi_stored_request_find(database, id, &arena, &request);
    if (status == CHAINS_OK)
        status =
            chainsi_database_fail(database, CHAINS_FAILED_PRECONDITION, "the request '%s' is %s",
                                  id, chainsi_request_state_name(request.state));
    chainsi_arena_done(&arena);
    return status;
}

/* Runs a statement that must change the request. */
static chains_status change_request(chainsi_statement *statement, const char *id)
{
    chainsi_statement_text(statement, ":id", id);
    chains_status status = chainsi_statement_change(statement);
    return status == CHAINS_NOT_FOUND ? explain(statement->database, id) : status;
}

chains_status chainsi_stored_request_retry(chainsi_database *database, const char *id,
                                           chainsi_request_return how, chains_json error,
                                           int64_t not_before_ms)
{
    chainsi_stored_request set = { .error = error };
    chainsi_statement retry = chainsi_statement_begin(
        database, "UPDATE requests SET state = 'QUEUED', not_before = :not_before, "
                  "error = :error, attempts = attempts - :undone, losses = losses + :lost "
                  "WHERE id = :id AND state = 'RUNNING'");
    chainsi_statement_struct(&retry, &chainsi_stored_request_type, &set);
    chainsi_statement_time(&retry, ":not_before", not_before_ms);
    chainsi_statement_integer(&retry, ":undone", how == CHAINSI_RETURN_NOT_STARTED);
    chainsi_statement_integer(&retry, ":lost", how == CHAINSI_RETURN_LOST);
    return change_request(&retry, id);
}

/* Ending. */

/* What every end sets. The input goes by a trigger of the schema. */
#define END                                                                                        \
    "ended_at = :now, webhook_state = CASE WHEN webhook IS NULL THEN 'NONE' ELSE 'PENDING' END, "  \
    "webhook_at = CASE WHEN webhook IS NULL THEN NULL ELSE :now END "

/* Runs a statement that ends the request. */
static chains_status end_request(chainsi_statement *statement, const char *id, int64_t now_ms)
{
    chainsi_statement_time(statement, ":now", now_ms);
    return change_request(statement, id);
}

chains_status chainsi_stored_request_succeed(chainsi_database *database, const char *id,
                                             chains_json result, int64_t now_ms)
{
    chainsi_statement end = chainsi_statement_begin(
        database, "UPDATE requests SET state = 'SUCCEEDED', error = NULL, " END
                  "WHERE id = :id AND state = 'RUNNING'");
    chains_status status = end_request(&end, id, now_ms);
    chainsi_stored_request ended = { .result = null_if_absent(result) };
    if (status == CHAINS_OK)
        ended.number = number_of(database, id, &status);
    if (status != CHAINS_OK)
        return status;
    return add_body(
        database, "INSERT INTO request_results (number, result) VALUES (:number, :result)", &ended);
}

chains_status chainsi_stored_request_give_up(chainsi_database *database, const char *id,
                                             chains_json error, int64_t now_ms)
{
    chainsi_stored_request set = { .error = error };
    chainsi_statement end = chainsi_statement_begin(
        database, "UPDATE requests SET state = 'FAILED', error = :error, " END
                  "WHERE id = :id AND state = 'RUNNING'");
    chainsi_statement_struct(&end, &chainsi_stored_request_type, &set);
    return end_request(&end, id, now_ms);
}

chains_status chainsi_stored_request_cancel(chainsi_database *database, const char *id,
                                            int64_t now_ms, bool *was_running)
{
    chainsi_arena arena = { 0 };
    chainsi_stored_request request;
    chains_status status = chainsi_stored_request_find(database, id, &arena, &request);
    chainsi_request_state before = status == CHAINS_OK ? request.state : CHAINSI_REQUEST_QUEUED;
    chainsi_arena_done(&arena);
    if (status != CHAINS_OK)
        return status;
    chainsi_statement end =
        chainsi_statement_begin(database, "UPDATE requests SET state = 'CANCELLED', " END
                                          "WHERE id = :id AND state IN ('QUEUED', 'RUNNING')");
    status = end_request(&end, id, now_ms);
    if (status == CHAINS_OK)
        *was_running = before == CHAINSI_REQUEST_RUNNING;
    return status;
}

chains_status chainsi_stored_request_expire(chainsi_database *database, int64_t now_ms,
                                            int64_t *count)
{
    chainsi_statement expire = chainsi_statement_begin(
        database, "UPDATE requests SET state = 'EXPIRED', error = "
                  "'{\"status\":\"DEADLINE_EXCEEDED\",\"message\":\"it waited longer than "
                  "max_time_in_queue_s\"}', " END
                  "WHERE state = 'QUEUED' AND expires_at IS NOT NULL AND attempts = 0 AND "
                  "expires_at <= :now");
    chainsi_statement_time(&expire, ":now", now_ms);
    chains_status status = chainsi_statement_run(&expire);
    if (status == CHAINS_OK)
        *count = chainsi_database_changes(database);
    return status;
}

chains_status chainsi_stored_request_recover(chainsi_database *database, int64_t now_ms)
{
    chainsi_statement again = chainsi_statement_begin(
        database, "UPDATE requests SET state = 'QUEUED', losses = losses + 1 WHERE "
                  "state = 'RUNNING' AND losses < :most");
    chainsi_statement_integer(&again, ":most", CHAINSI_REQUEST_MOST_LOST);
    chains_status status = chainsi_statement_run(&again);
    if (status != CHAINS_OK)
        return status;
    chainsi_statement end = chainsi_statement_begin(
        database, "UPDATE requests SET state = 'FAILED', error = "
                  "'{\"status\":\"UNAVAILABLE\",\"message\":\"chainsd has ended too often while "
                  "it ran\"}', " END "WHERE state = 'RUNNING'");
    chainsi_statement_time(&end, ":now", now_ms);
    return chainsi_statement_run(&end);
}

/* Webhooks. */

chains_status chainsi_stored_request_untold(chainsi_database *database, int64_t now_ms,
                                            int64_t limit, chainsi_arena *arena,
                                            chainsi_stored_requests *requests)
{
    chainsi_statement list = chainsi_statement_begin(
        database, "SELECT * FROM requests WHERE webhook_state = 'PENDING' AND webhook_at <= :now "
                  "ORDER BY webhook_at LIMIT :limit");
    chainsi_statement_time(&list, ":now", now_ms);
    chainsi_statement_integer(&list, ":limit", limit);
    chainsi_statement_read_all(&list, &chainsi_stored_requests_type, arena, requests);
    return chainsi_statement_end(&list);
}

chains_status chainsi_stored_request_told(chainsi_database *database, const char *id,
                                          const char *error, int64_t again_ms)
{
    char again[CHAINSI_TIME_TEXT];
    chainsi_time_text_of(again, again_ms);
    bool pending = error && again_ms >= 0;
    chainsi_stored_request set = {
        .webhook_state = !error    ? CHAINSI_WEBHOOK_DELIVERED
                         : pending ? CHAINSI_WEBHOOK_PENDING
                                   : CHAINSI_WEBHOOK_FAILED,
        .webhook_at = pending ? again : NULL,
        .webhook_error = error,
    };
    chainsi_statement told = chainsi_statement_begin(
        database, "UPDATE requests SET webhook_state = :webhook_state, webhook_at = :webhook_at, "
                  "webhook_error = :webhook_error, webhook_attempts = webhook_attempts + 1 "
                  "WHERE id = :id AND webhook_state = 'PENDING'");
    chainsi_statement_struct(&told, &chainsi_stored_request_type, &set);
    return change_request(&told, id);
}

chains_status chainsi_stored_request_purge(chainsi_database *database, int64_t before_ms,
                                           int64_t limit, int64_t *count)
{
    chainsi_statement purge = chainsi_statement_begin(
        database, "DELETE FROM requests WHERE number IN (SELECT number FROM requests WHERE "
                  "ended_at IS NOT NULL AND ended_at < :before AND webhook_state <> 'PENDING' "
                  "ORDER BY ended_at LIMIT :limit)");
    chainsi_statement_time(&purge, ":before", before_ms);
    chainsi_statement_integer(&purge, ":limit", limit);
    chains_status status = chainsi_statement_run(&purge);
    if (status == CHAINS_OK)
        *count = chainsi_database_changes(database);
    return status;
}
