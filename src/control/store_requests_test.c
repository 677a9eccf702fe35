/* Asynchronous requests: order, expiry, retries, ends that exclude each other, webhooks, pages, and ten
 * thousand of them. */
#include "store_test_support.h"

#include "base/clock.h"
#include "control/store_chains.h"
#include "control/store_requests.h"
#include "store_rows_test_support.h"

enum { SECOND = 1000, MANY = 10000 };
#define T0 INT64_C(1800000000000) /* some day in 2027 */

static int begin(void **state)
{
    if (open_database(state) != 0)
        return -1;
    return chainsi_stored_chain_put(database, "hello", "hello") == CHAINS_OK ? 0 : -1;
}

static chains_json json(const char *text)
{
    return (chains_json){ text, strlen(text) };
}

/* Adds a request and gives its id. */
static const char *add(chainsi_stored_request request, int64_t now_ms)
{
    if (!request.chain)
        request.chain = "hello";
    if (!request.environment)
        request.environment = "production";
    if (!request.input.text)
        request.input = json("{\"words\":[\"moon\"]}");
    OK(chainsi_stored_request_add(database, now_ms, &arena, &request));
    return request.id;
}

static chainsi_stored_requests take(int64_t count, int64_t now_ms)
{
    chainsi_stored_requests taken;
    OK(chainsi_stored_request_take(database, "hello", "production", count, now_ms, &arena, &taken));
    return taken;
}

static chainsi_stored_request find(const char *id)
{
    chainsi_stored_request request;
    OK(chainsi_stored_request_find(database, id, &arena, &request));
    return request;
}

static int64_t count_rows(const char *table)
{
    int64_t count = -1;
    OK(chainsi_database_ask(
        database, chainsi_arena_printf(&arena, "SELECT count(*) FROM %s", table), &count));
    return count;
}

static void goes_from_queue_to_result(void **state)
{
    (void)state;
    const char *id = add((chainsi_stored_request){ .priority = 3,
                                                   .retries = 2,
                                                   .max_time_in_queue_s = 60,
                                                   .key = "k",
                                                   .webhook = "http://x/" },
                         T0);
    assert_int_equal(strlen(id), 32);
    chainsi_stored_request request = find(id);
    assert_int_equal(request.state, CHAINSI_REQUEST_QUEUED);
    assert_string_equal(request.created_at, "2027-01-15T08:00:00.000Z");
    assert_string_equal(request.expires_at, "2027-01-15T08:01:00.000Z");
    assert_int_equal(request.webhook_state, CHAINSI_WEBHOOK_NONE);
    assert_null(request.input.text);
    assert_null(request.result.text);

    chainsi_stored_requests taken = take(10, T0 + SECOND);
    assert_int_equal(taken.count, 1);
    assert_string_equal(taken.items[0].id, id);
    assert_string_equal(taken.items[0].input.text, "{\"words\":[\"moon\"]}");
    assert_int_equal(taken.items[0].attempts, 1);
    assert_int_equal(take(10, T0 + SECOND).count, 0);
    request = find(id);
    assert_int_equal(request.state, CHAINSI_REQUEST_RUNNING);
    assert_string_equal(request.started_at, "2027-01-15T08:00:01.000Z");

    OK(chainsi_stored_request_succeed(database, id, json("[\"a poem\"]"), T0 + 2 * SECOND));
    request = find(id);
    assert_int_equal(request.state, CHAINSI_REQUEST_SUCCEEDED);
    assert_string_equal(request.result.text, "[\"a poem\"]");
    assert_string_equal(request.ended_at, "2027-01-15T08:00:02.000Z");
    assert_int_equal(request.webhook_state, CHAINSI_WEBHOOK_PENDING);
    assert_int_equal(count_rows("request_inputs"), 0);
    FAILS(CHAINS_FAILED_PRECONDITION,
          chainsi_arena_printf(&arena, "the request '%s' is SUCCEEDED", id),
          chainsi_stored_request_succeed(database, id, json("1"), T0));
    FAILS(CHAINS_NOT_FOUND, "there is no request 'x'",
          chainsi_stored_request_succeed(database, "x", json("1"), T0));
    chainsi_stored_request nobodys = { .chain = "nobody", .environment = "production" };
    FAILS(CHAINS_NOT_FOUND, "there is no chain 'nobody'",
          chainsi_stored_request_add(database, T0, &arena, &nobodys));
}

static void one_that_is_sent_again_is_the_same(void **state)
{
    (void)state;
    const chainsi_stored_request given = { .given_id = "mine", .given_digest = "d1" };
    const char *id = add(given, T0);
    chainsi_stored_request again = given, other = given;
    assert_string_equal(add(again, T0 + SECOND), id);
    assert_int_equal(count_rows("requests"), 1);
    assert_int_equal(count_rows("request_inputs"), 1);
    /* Also when it runs, and has ended. */
    take(1, T0);
    assert_string_equal(add(again, T0), id);
    OK(chainsi_stored_request_succeed(database, id, json("1"), T0));
    assert_string_equal(add(again, T0), id);
    other.chain = "hello";
    other.environment = "production";
    other.given_digest = "d2";
    FAILS(CHAINS_ALREADY_EXISTS,
          chainsi_arena_printf(
              &arena, "the request '%s' has the X-Request-Id 'mine', and asked for something else",
              id),
          chainsi_stored_request_add(database, T0, &arena, &other));
    /* A key's requests are its own. */
    again.key = "ada";
    const char *hers = add(again, T0);
    assert_string_not_equal(hers, id);
    assert_string_equal(add(again, T0), hers);
    assert_string_not_equal(add((chainsi_stored_request){ 0 }, T0),
                            add((chainsi_stored_request){ 0 }, T0));
}

static void takes_the_most_urgent_first(void **state)
{
    (void)state;
    const char *late = add((chainsi_stored_request){ .priority = 1 }, T0);
    const char *first = add((chainsi_stored_request){ .priority = 0 }, T0);
    const char *second = add((chainsi_stored_request){ .priority = 0 }, T0);
    add((chainsi_stored_request){ .environment = "staging" }, T0);
    int64_t count = 0;
    OK(chainsi_stored_request_waiting(database, "hello", "production", &count));
    assert_int_equal(count, 3);
    chainsi_stored_requests taken = take(2, T0);
    assert_int_equal(taken.count, 2);
    assert_string_equal(taken.items[0].id, first);
    assert_string_equal(taken.items[1].id, second);
    OK(chainsi_stored_request_waiting(database, "hello", "production", &count));
    assert_int_equal(count, 1);
    assert_string_equal(take(2, T0).items[0].id, late);
}

static void tries_again_later_in_its_place(void **state)
{
    (void)state;
    const char *first = add((chainsi_stored_request){ .retries = 1 }, T0);
    const char *second = add((chainsi_stored_request){ 0 }, T0), *at = "";
    OK(chainsi_stored_request_next_due(database, T0, &arena, &at));
    assert_null(at);
    assert_string_equal(take(1, T0).items[0].id, first);
    OK(chainsi_stored_request_retry(database, first, CHAINSI_RETURN_FAILED,
                                    json("{\"status\":\"ABORTED\"}"), T0 + 5 * SECOND));
    OK(chainsi_stored_request_next_due(database, T0, &arena, &at));
    assert_string_equal(at, "2027-01-15T08:00:05.000Z");
    FAILS(CHAINS_FAILED_PRECONDITION,
          chainsi_arena_printf(&arena, "the request '%s' is QUEUED", first),
          chainsi_stored_request_retry(database, first, CHAINSI_RETURN_FAILED, json("1"), T0));
    assert_string_equal(find(first).error.text, "{\"status\":\"ABORTED\"}");
    chainsi_stored_requests taken = take(5, T0 + 5 * SECOND - 1);
    assert_int_equal(taken.count, 1);
    assert_string_equal(taken.items[0].id, second);
    taken = take(5, T0 + 5 * SECOND);
    assert_int_equal(taken.count, 1);
    assert_string_equal(taken.items[0].id, first);
    assert_int_equal(taken.items[0].attempts, 2);
    assert_string_equal(taken.items[0].input.text, "{\"words\":[\"moon\"]}");
    OK(chainsi_stored_request_give_up(database, first, json("{\"status\":\"INTERNAL\"}"), T0));
    assert_string_equal(find(first).error.text, "{\"status\":\"INTERNAL\"}");
}

static void expires_what_waited_too_long(void **state)
{
    (void)state;
    const char *short_one = add((chainsi_stored_request){ .max_time_in_queue_s = 1.5 }, T0);
    const char *long_one = add((chainsi_stored_request){ .max_time_in_queue_s = 1e12 }, T0);
    const char *at = NULL;
    OK(chainsi_stored_request_next_due(database, T0, &arena, &at));
    assert_string_equal(at, "2027-01-15T08:00:01.500Z");
    assert_null(find(long_one).expires_at);
    int64_t count = -1;
    OK(chainsi_stored_request_expire(database, T0 + 1499, &count));
    assert_int_equal(count, 0);
    /* What has expired isn't taken, even if nobody has said so yet. */
    assert_int_equal(take(1, T0 + 1500).count, 1);
    OK(chainsi_stored_request_expire(database, T0 + 1500, &count));
    assert_int_equal(count, 1);
    assert_int_equal(find(short_one).state, CHAINSI_REQUEST_EXPIRED);
    assert_non_null(strstr(find(short_one).error.text, "DEADLINE_EXCEEDED"));
    assert_int_equal(find(long_one).state, CHAINSI_REQUEST_RUNNING);
    assert_int_equal(count_rows("request_inputs"), 1);
}

static void one_end_wins(void **state)
{
    (void)state;
    const char *queued = add((chainsi_stored_request){ 0 }, T0);
    bool was_running = true;
    OK(chainsi_stored_request_cancel(database, queued, T0, &was_running));
    assert_false(was_running);
    assert_int_equal(take(1, T0).count, 0);
    const char *running = add((chainsi_stored_request){ 0 }, T0);
    take(1, T0);
    OK(chainsi_stored_request_cancel(database, running, T0, &was_running));
    assert_true(was_running);
    assert_int_equal(find(running).state, CHAINSI_REQUEST_CANCELLED);
    assert_int_equal(chainsi_stored_request_succeed(database, running, json("1"), T0),
                     CHAINS_FAILED_PRECONDITION);
    assert_int_equal(chainsi_stored_request_give_up(database, running, json("1"), T0),
                     CHAINS_FAILED_PRECONDITION);
    FAILS(CHAINS_FAILED_PRECONDITION,
          chainsi_arena_printf(&arena, "the request '%s' is CANCELLED", running),
          chainsi_stored_request_cancel(database, running, T0, &was_running));
    FAILS(CHAINS_NOT_FOUND, "there is no request 'x'",
          chainsi_stored_request_cancel(database, "x", T0, &was_running));
    assert_int_equal(count_rows("request_results"), 0);
}

/* A limit on the time in the queue is one on the time until it first runs. */
static void does_not_expire_once_it_ran(void **state)
{
    (void)state;
    const char *id = add((chainsi_stored_request){ .max_time_in_queue_s = 5 }, T0), *at = "";
    take(1, T0 + SECOND);
    OK(chainsi_stored_request_retry(database, id, CHAINSI_RETURN_LOST, (chains_json){ 0 }, T0));
    int64_t count = -1;
    OK(chainsi_stored_request_expire(database, T0 + 9 * SECOND, &count));
    assert_int_equal(count, 0);
    OK(chainsi_stored_request_next_due(database, T0, &arena, &at));
    assert_null(at);
    assert_int_equal(take(1, T0 + 9 * SECOND).count, 1);
}

/* What had not begun is as if it had never been taken. */
static void forgets_attempts_that_did_not_start(void **state)
{
    (void)state;
    const char *id = add((chainsi_stored_request){ .max_time_in_queue_s = 5 }, T0), *at = "";
    take(1, T0);
    OK(chainsi_stored_request_retry(database, id, CHAINSI_RETURN_NOT_STARTED, (chains_json){ 0 },
                                    T0 + SECOND));
    assert_int_equal(find(id).attempts, 0);
    assert_int_equal(find(id).losses, 0);
    OK(chainsi_stored_request_next_due(database, T0, &arena, &at));
    assert_string_equal(at, "2027-01-15T08:00:01.000Z");
    OK(chainsi_stored_request_next_due(database, T0 + SECOND, &arena, &at));
    assert_string_equal(at, "2027-01-15T08:00:05.000Z");
    int64_t count = -1;
    OK(chainsi_stored_request_expire(database, T0 + 5 * SECOND, &count));
    assert_int_equal(count, 1);
}

static void recovers_what_a_killed_daemon_ran(void **state)
{
    (void)state;
    const char *id = add((chainsi_stored_request){ .webhook = "http://x/" }, T0);
    const char *waits = add((chainsi_stored_request){ 0 }, T0);
    for (int i = 0; i < CHAINSI_REQUEST_MOST_LOST; i++) {
        assert_string_equal(take(1, T0).items[0].id, id);
        OK(chainsi_stored_request_recover(database, T0 + SECOND));
        assert_int_equal(find(id).state, CHAINSI_REQUEST_QUEUED);
        assert_int_equal(find(id).attempts, i + 1);
        assert_int_equal(find(id).losses, i + 1);
    }
    take(1, T0);
    OK(chainsi_stored_request_recover(database, T0 + SECOND));
    assert_int_equal(find(id).state, CHAINSI_REQUEST_FAILED);
    assert_int_equal(find(id).webhook_state, CHAINSI_WEBHOOK_PENDING);
    assert_non_null(strstr(find(id).error.text, "\"UNAVAILABLE\""));
    assert_int_equal(find(waits).attempts, 0);
    assert_int_equal(find(waits).losses, 0);
}

static void knows_where_requests_wait(void **state)
{
    (void)state;
    chainsi_request_lines lines;
    OK(chainsi_stored_chain_put(database, "other", "other"));
    OK(chainsi_stored_request_lines(database, &arena, &lines));
    assert_int_equal(lines.count, 0);
    for (int i = 0; i < 3; i++) {
        add((chainsi_stored_request){ 0 }, T0);
        add((chainsi_stored_request){ .environment = "staging" }, T0);
        add((chainsi_stored_request){ .chain = "other" }, T0);
    }
    take(3, T0);
    OK(chainsi_stored_request_lines(database, &arena, &lines));
    assert_int_equal(lines.count, 2);
    assert_string_equal(lines.items[0].chain, "hello");
    assert_string_equal(lines.items[0].environment, "staging");
    assert_string_equal(lines.items[1].chain, "other");
    assert_string_equal(lines.items[1].environment, "production");
}

static void tells_webhooks_until_they_have_heard(void **state)
{
    (void)state;
    const char *id = add((chainsi_stored_request){ .webhook = "http://x/" }, T0), *at = NULL;
    chainsi_stored_requests untold;
    take(1, T0);
    OK(chainsi_stored_request_untold(database, T0, 10, &arena, &untold));
    assert_int_equal(untold.count, 0);
    OK(chainsi_stored_request_succeed(database, id, json("7"), T0));
    OK(chainsi_stored_request_untold(database, T0, 10, &arena, &untold));
    assert_int_equal(untold.count, 1);
    assert_string_equal(untold.items[0].id, id);
    OK(chainsi_stored_request_told(database, id, "HTTP 500", T0 + 9 * SECOND));
    OK(chainsi_stored_request_next_due(database, T0, &arena, &at));
    assert_string_equal(at, "2027-01-15T08:00:09.000Z");
    OK(chainsi_stored_request_untold(database, T0 + 9 * SECOND - 1, 10, &arena, &untold));
    assert_int_equal(untold.count, 0);
    OK(chainsi_stored_request_untold(database, T0 + 9 * SECOND, 10, &arena, &untold));
    assert_int_equal(untold.items[0].webhook_attempts, 1);
    assert_string_equal(untold.items[0].webhook_error, "HTTP 500");
    OK(chainsi_stored_request_told(database, id, NULL, 0));
    assert_int_equal(find(id).webhook_state, CHAINSI_WEBHOOK_DELIVERED);
    assert_int_equal(find(id).webhook_attempts, 2);
    assert_null(find(id).webhook_error);
    assert_int_equal(chainsi_stored_request_told(database, id, NULL, 0),
                     CHAINS_FAILED_PRECONDITION);

    const char *other = add((chainsi_stored_request){ .webhook = "http://y/" }, T0);
    take(1, T0);
    OK(chainsi_stored_request_give_up(database, other, json("{}"), T0));
    OK(chainsi_stored_request_told(database, other, "no such host", -1));
    assert_int_equal(find(other).webhook_state, CHAINSI_WEBHOOK_FAILED);
    OK(chainsi_stored_request_untold(database, T0 + 99 * SECOND, 10, &arena, &untold));
    assert_int_equal(untold.count, 0);
}

static void purges_what_ended_long_ago(void **state)
{
    (void)state;
    const char *untold = add((chainsi_stored_request){ .webhook = "http://x/" }, T0);
    const char *ids[5];
    for (int i = 0; i < 5; i++)
        ids[i] = add((chainsi_stored_request){ 0 }, T0);
    take(5, T0); /* the last one waits on */
    OK(chainsi_stored_request_succeed(database, untold, json("1"), T0));
    for (int i = 0; i < 4; i++)
        OK(chainsi_stored_request_succeed(database, ids[i], json("1"), T0 + i * SECOND));
    int64_t count = -1;
    OK(chainsi_stored_request_purge(database, T0 + 3 * SECOND, 2, &count));
    assert_int_equal(count, 2);
    OK(chainsi_stored_request_purge(database, T0 + 3 * SECOND, 2, &count));
    assert_int_equal(count, 1);
    assert_int_equal(count_rows("requests"), 3);
    assert_int_equal(count_rows("request_results"), 2);
    OK(chainsi_stored_request_told(database, untold, NULL, 0));
    OK(chainsi_stored_request_purge(database, T0 + 3 * SECOND, 2, &count));
    assert_int_equal(count, 1);
    assert_int_equal(find(ids[3]).state, CHAINSI_REQUEST_SUCCEEDED);
    assert_int_equal(find(ids[4]).state, CHAINSI_REQUEST_QUEUED);
    OK(chainsi_stored_chain_remove(database, "hello"));
    assert_int_equal(count_rows("requests"), 0);
    assert_int_equal(count_rows("request_inputs"), 0);
    assert_int_equal(count_rows("request_results"), 0);
}

static void lists_in_pages(void **state)
{
    (void)state;
    OK(chainsi_stored_chain_put(database, "other", "other"));
    for (int i = 0; i < 20; i++)
        add((chainsi_stored_request){ .chain = i % 2 ? "hello" : "other", .priority = i }, T0);
    take(3, T0); /* those of priority 1, 3 and 5 */
    chainsi_request_state queued;
    assert_true(chainsi_request_state_from_name("QUEUED", &queued));
    assert_false(chainsi_request_state_from_name("queued", &queued));
    const struct {
        const char *chain;
        const chainsi_request_state *state;
        int32_t expected[20], count;
    } cases[] = {
        { NULL,
          NULL,
          { 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0 },
          20 },
        { "hello", NULL, { 19, 17, 15, 13, 11, 9, 7, 5, 3, 1 }, 10 },
        { "hello", &queued, { 19, 17, 15, 13, 11, 9, 7 }, 7 },
        { NULL, &queued, { 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 4, 2, 0 }, 17 },
        { "nobody", NULL, { 0 }, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_request_filter filter = { cases[i].chain, cases[i].state, NULL, 3 };
        chainsi_stored_requests page;
        int32_t seen = 0;
        do {
            OK(chainsi_stored_request_list(database, &filter, &arena, &page));
            for (size_t j = 0; j < page.count; j++, seen++) {
                assert_int_equal(page.items[j].priority, cases[i].expected[seen]);
                assert_null(page.items[j].input.text);
                filter.before = page.items[j].id;
            }
        } while (page.count == 3);
        assert_int_equal(seen, cases[i].count);
    }
    chainsi_request_filter filter = { NULL, NULL, "x", 3 };
    chainsi_stored_requests page;
    FAILS(CHAINS_NOT_FOUND, "there is no request 'x'",
          chainsi_stored_request_list(database, &filter, &arena, &page));
}

/* Inputs and results as large as bodies of calls are kept and given back as they were. */
static void keeps_large_bodies(void **state)
{
    (void)state;
    enum { LARGE = 16 << 20 };
    char *text = chainsi_arena_alloc_raw(&arena, LARGE);
    memset(text, 'x', LARGE);
    text[0] = text[LARGE - 1] = '"';
    const char *id = add((chainsi_stored_request){ .input = { text, LARGE } }, T0);
    chainsi_stored_requests taken = take(1, T0);
    assert_int_equal(taken.items[0].input.size, LARGE);
    assert_memory_equal(taken.items[0].input.text, text, LARGE);
    text[1] = 'y';
    OK(chainsi_stored_request_succeed(database, id, (chains_json){ text, LARGE }, T0));
    chainsi_stored_request request = find(id);
    assert_int_equal(request.result.size, LARGE);
    assert_memory_equal(request.result.text, text, LARGE);
}

/* What is done often looks at the rows that it is about, and at no others. */
static void uses_its_indices(void **state)
{
    (void)state;
    OK(chainsi_database_run(database, "BEGIN"));
    for (int i = 0; i < 500; i++)
        add((chainsi_stored_request){ .priority = i % 7,
                                      .max_time_in_queue_s = 1000 + i,
                                      .webhook = i % 2 ? "http://x/" : NULL },
            T0);
    chainsi_stored_requests taken = take(200, T0);
    for (size_t i = 0; i < 150; i++)
        OK(chainsi_stored_request_succeed(database, taken.items[i].id, json("1"), T0));
    for (size_t i = 150; i < 160; i++)
        OK(chainsi_stored_request_retry(database, taken.items[i].id, CHAINSI_RETURN_LOST, json("1"),
                                        T0 + SECOND));
    OK(chainsi_database_run(database, "COMMIT"));

    chainsi_stored_requests requests;
    chainsi_request_state running = CHAINSI_REQUEST_RUNNING;
    const char *at, *id = taken.items[170].id;
    bool was_running;
    int64_t count;
    OK(chainsi_stored_request_waiting(database, "hello", "production", &count));
    OK(chainsi_stored_request_next_due(database, T0, &arena, &at));
    OK(chainsi_stored_request_untold(database, T0, 5, &arena, &requests));
    OK(chainsi_stored_request_expire(database, T0, &count));
    OK(chainsi_stored_request_purge(database, T0 + SECOND, 5, &count));
    OK(chainsi_stored_request_cancel(database, id, T0, &was_running));
    OK(chainsi_stored_request_told(database, requests.items[0].id, NULL, 0));
    const chainsi_request_filter filters[] = {
        { "hello", NULL, id, 5 },
        { "hello", &running, id, 5 },
        { NULL, &running, id, 5 },
    };
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        OK(chainsi_stored_request_list(database, &filters[i], &arena, &requests));
    OK(chainsi_stored_request_recover(database, T0));
    if (chainsi_database_scanned(database) > 10)
        fail_msg("%lld rows were scanned", (long long)chainsi_database_scanned(database));
}

/* Ten thousand come and go in a time that a test of seconds can't miss: what took the square of their
 * number would take minutes. */
static void holds_many(void **state)
{
    (void)state;
    OK(chainsi_database_run(database, "BEGIN"));
    for (int i = 0; i < MANY; i++)
        add((chainsi_stored_request){ .priority = i % 10, .max_time_in_queue_s = 1000 + i }, T0);
    int64_t taken_count = 0;
    int32_t priority = 0;
    const char *at;
    for (chainsi_stored_requests taken; (taken = take(7, T0)).count;) {
        for (size_t i = 0; i < taken.count; i++) {
            assert_true(taken.items[i].priority >= priority);
            priority = taken.items[i].priority;
            OK(chainsi_stored_request_succeed(database, taken.items[i].id, json("1"), T0));
            OK(chainsi_stored_request_next_due(database, T0 + 5000 * SECOND, &arena, &at));
        }
        taken_count += (int64_t)taken.count;
        chainsi_arena_reset(&arena);
    }
    assert_int_equal(taken_count, MANY);
    OK(chainsi_database_run(database, "COMMIT"));
    assert_int_equal(count_rows("requests"), MANY);
    assert_int_equal(count_rows("request_inputs"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(goes_from_queue_to_result, begin, close_database),
        cmocka_unit_test_setup_teardown(one_that_is_sent_again_is_the_same, begin, close_database),
        cmocka_unit_test_setup_teardown(takes_the_most_urgent_first, begin, close_database),
        cmocka_unit_test_setup_teardown(tries_again_later_in_its_place, begin, close_database),
        cmocka_unit_test_setup_teardown(expires_what_waited_too_long, begin, close_database),
        cmocka_unit_test_setup_teardown(one_end_wins, begin, close_database),
        cmocka_unit_test_setup_teardown(does_not_expire_once_it_ran, begin, close_database),
        cmocka_unit_test_setup_teardown(forgets_attempts_that_did_not_start, begin, close_database),
        cmocka_unit_test_setup_teardown(recovers_what_a_killed_daemon_ran, begin, close_database),
        cmocka_unit_test_setup_teardown(knows_where_requests_wait, begin, close_database),
        cmocka_unit_test_setup_teardown(tells_webhooks_until_they_have_heard, begin,
                                        close_database),
        cmocka_unit_test_setup_teardown(purges_what_ended_long_ago, begin, close_database),
        cmocka_unit_test_setup_teardown(lists_in_pages, begin, close_database),
        cmocka_unit_test_setup_teardown(keeps_large_bodies, begin, close_database),
        cmocka_unit_test_setup_teardown(uses_its_indices, begin, close_database),
        cmocka_unit_test_setup_teardown(holds_many, begin, close_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
