/* The runner, with a real state and a service that does what requests say: order, slots, failures of every
 * kind, retries, cancelling, expiry, what a killed daemon left, and purging. */
#include "request_test_support.h"

#include "control/courier_test_support.h"
#include "control/requests.h"
#include "control/time_text.h"

static service chainlet;
static chainsi_upstream *upstream;
static chainsi_courier *courier;
static chainsi_requests *requests;
static chainsi_target_state target_state;
static size_t slots;
static int64_t keep_ms;

static void find_target(void *user, const chainsi_stored_request *request, bool is_call,
                        chainsi_request_target *target)
{
    (void)user;
    (void)is_call;
    target->state = request->chainlet ? CHAINSI_TARGET_NONE : target_state;
    target->upstream = upstream;
    target->name = "hello";
    target->slots = slots;
    snprintf(target->why, sizeof target->why, "there is no such Chainlet");
}

static void start(void)
{
    requests = chainsi_requests_new(
        &(chainsi_requests_options){
            .loop = &loop,
            .store = store,
            .courier = courier,
            .home = home,
            .policy = &quick,
            .keep_ms = keep_ms,
            .find_target = find_target,
        },
        why, sizeof why);
    assert_non_null(requests);
}

static int set_up(void **state)
{
    if (make_store(state) != 0 || change(put_chain, NULL) != CHAINS_OK)
        return -1;
    char path[128];
    snprintf(path, sizeof path, "unix:%s/calls", home);
    start_service(&chainlet, path);
    upstream = chainsi_upstream_new(&loop, path + strlen("unix:"));
    courier = new_courier(&loop);
    target_state = CHAINSI_TARGET_READY;
    slots = 2;
    keep_ms = CHAINSI_KEEP_RESULTS_MS;
    start();
    return 0;
}

/* Ends the daemon; an orderly end, or one that leaves all as it is. */
static void end(bool orderly)
{
    if (orderly)
        chainsi_requests_stop(requests);
    chainsi_store_close(store);
    chainsi_requests_free(requests);
    store = NULL;
    requests = NULL;
}

static int tear_down(void **state)
{
    if (requests)
        end(true);
    chainsi_courier_free(courier);
    chainsi_upstream_free(upstream);
    stop_service(&chainlet);
    return remove_home(state);
}

/* The end of a change. */
typedef struct ended {
    bool is;
    chains_status status;
    char why[256], id[CHAINSI_REQUEST_ID_TEXT];
} ended;

static void on_ended(void *user, chains_status status, const char *reason, const char *id)
{
    ended *e = user;
    assert_false(e->is);
    e->is = true;
    e->status = status;
    snprintf(e->why, sizeof e->why, "%s", reason ? reason : "");
    snprintf(e->id, sizeof e->id, "%s", id);
}

/* Accepts a request; gives its id. */
static const char *add_request(chainsi_stored_request request, const char *input)
{
    ended e = { 0 };
    request.chain = request.chain ? request.chain : "hello";
    request.environment = "production";
    request.input = json(input);
    chainsi_requests_add(requests, &request, on_ended, &e);
    assert_false(e.is);
    UNTIL(e.is);
    assert_int_equal(e.status, CHAINS_OK);
    assert_int_equal(strlen(e.id), CHAINSI_REQUEST_ID_TEXT - 1);
    return chainsi_arena_strdup(&arena, e.id);
}

static ended cancel_request(const char *id)
{
    ended e = { 0 };
    chainsi_requests_cancel(requests, id, on_ended, &e);
    UNTIL(e.is);
    return e;
}

static chainsi_stored_request until_ended(const char *id)
{
    UNTIL(find(id).ended_at != NULL);
    return find(id);
}

static void runs_what_is_accepted(void **state)
{
    (void)state;
    const char *id = add_request((chainsi_stored_request){ .timeout_ms = 60000 },
                                 "{\"words\": [\"moon\", \"\\u2603\"]}");
    chainsi_stored_request request = until_ended(id);
    assert_int_equal(request.state, CHAINSI_REQUEST_SUCCEEDED);
    assert_string_equal(request.result.text, "{\"words\": [\"moon\", \"\\u2603\"]}");
    assert_int_equal(request.attempts, 1);
    assert_int_equal(chainlet.count, 1);
    const seen *call = &chainlet.seen[0];
    assert_string_equal(call->id, id);
    assert_string_equal(call->type, "application/json");
    assert_string_equal(call->timeout, "60000");
    assert_int_equal(strlen(call->trace), 55);
    assert_memory_equal(call->trace + 3, id, 32); /* its trace is its id */
}

static void runs_the_most_urgent_first_in_free_slots(void **state)
{
    (void)state;
    slots = 1;
    const char *first = add_request((chainsi_stored_request){ .priority = 9 }, "\"wait\"");
    UNTIL(count_seen(&chainlet) == 1);
    const char *ids[6];
    for (int32_t i = 0; i < 6; i++)
        ids[i] = add_request((chainsi_stored_request){ .priority = 5 - i }, "1");
    assert_int_equal(find(ids[5]).state, CHAINSI_REQUEST_QUEUED); /* it waits on the disk */
    open_gate(&chainlet);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(until_ended(ids[i]).state, CHAINSI_REQUEST_SUCCEEDED);
    assert_string_equal(chainlet.seen[0].id, first);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(chainlet.seen[1 + i].id, ids[5 - i]);
    assert_int_equal(chainlet.most_running, 1);
}

static void fills_its_slots_and_no_more(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    const char *ids[COUNT];
    slots = 3;
    for (size_t i = 0; i < COUNT; i++)
        ids[i] = add_request((chainsi_stored_request){ 0 }, i < 3 ? "\"wait\"" : "2");
    UNTIL(read_counter(&chainlet, &chainlet.running) == 3);
    assert_int_equal(ask("SELECT count(*) FROM requests WHERE state = 'RUNNING'"), 3);
    assert_int_equal(count_seen(&chainlet), 3);
    open_gate(&chainlet);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(until_ended(ids[i]).state, CHAINSI_REQUEST_SUCCEEDED);
    assert_int_equal(chainlet.most_running, 3);
    assert_int_equal(chainlet.count, COUNT);
}

static void keeps_failures_as_they_came(void **state)
{
    (void)state;
    const struct {
        const char *input, *error;
    } cases[] = {
        { "\"invalid\"", "{\"status\":\"INVALID_ARGUMENT\",\"message\":\"as told\",\"path\":null,"
                         "\"trace\":[],\"request_id\":\"r\"}" },
        { "\"foreign\"", "'hello' answered HTTP 418" },
        { "\"garbage\"", "the answer of 'hello' is no JSON" },
        { "\"nothing\"", "the answer of 'hello' is empty" },
        { "\"huge\"", "is larger than the 67108864 bytes that are kept" },
        { "\"busy\"", "RESOURCE_EXHAUSTED" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *id = add_request((chainsi_stored_request){ 0 }, cases[i].input);
        chainsi_stored_request request = until_ended(id);
        assert_int_equal(request.state, CHAINSI_REQUEST_FAILED);
        assert_int_equal(request.attempts, 1);
        if (!strstr(request.error.text, cases[i].error))
            fail_msg("%s: %s", cases[i].input, request.error.text);
    }
    const char *id = add_request((chainsi_stored_request){ .chainlet = "nobody" }, "1");
    assert_non_null(strstr(until_ended(id).error.text, "NOT_FOUND"));
}

static void retries_as_often_as_it_may(void **state)
{
    (void)state;
    chainlet.failures = 2;
    const char *id = add_request((chainsi_stored_request){ .retries = 2 }, "3");
    chainsi_stored_request request = until_ended(id);
    assert_int_equal(request.state, CHAINSI_REQUEST_SUCCEEDED);
    assert_int_equal(request.attempts, 3);
    assert_null(request.error.text);
    chainlet.failures = 2;
    id = add_request((chainsi_stored_request){ .retries = 1 }, "4");
    request = until_ended(id);
    assert_int_equal(request.state, CHAINSI_REQUEST_FAILED);
    assert_int_equal(request.attempts, 2);
    assert_non_null(strstr(request.error.text, "UNAVAILABLE"));
    for (size_t i = 0; i < chainlet.count; i++) /* the same id every time */
        assert_string_equal(chainlet.seen[i].id, chainlet.seen[i < 3 ? 0 : 3].id);
    /* It asks for ten minutes. */
    id = add_request((chainsi_stored_request){ .retries = 1 }, "\"busy\"");
    UNTIL(find(id).error.text != NULL);
    request = find(id);
    int64_t started_ms, not_before_ms;
    assert_int_equal(request.state, CHAINSI_REQUEST_QUEUED);
    assert_true(chainsi_time_text_parse(request.started_at, &started_ms));
    assert_true(chainsi_time_text_parse(request.not_before, &not_before_ms));
    assert_true(not_before_ms - started_ms >= 600 * 1000);
}

static void makes_lost_attempts_again_but_not_for_ever(void **state)
{
    (void)state;
    const char *id = add_request((chainsi_stored_request){ 0 }, "\"lose\"");
    chainsi_stored_request request = until_ended(id);
    assert_int_equal(request.state, CHAINSI_REQUEST_FAILED);
    assert_int_equal(request.losses, CHAINSI_REQUEST_MOST_LOST);
    assert_int_equal(request.attempts, CHAINSI_REQUEST_MOST_LOST + 1);
    assert_non_null(strstr(request.error.text, "the process ended while the call ran"));
}

static void ends_calls_that_take_too_long(void **state)
{
    (void)state;
    const char *id = add_request((chainsi_stored_request){ .timeout_ms = 50 }, "\"wait\"");
    chainsi_stored_request request = until_ended(id);
    assert_int_equal(request.state, CHAINSI_REQUEST_FAILED);
    assert_non_null(strstr(request.error.text, "DEADLINE_EXCEEDED"));
    UNTIL(read_counter(&chainlet, &chainlet.gone) == 1); /* the callee has learnt of it */
}

static void cancels_what_waits_and_what_runs(void **state)
{
    (void)state;
    slots = 1;
    const char *running = add_request((chainsi_stored_request){ 0 }, "\"wait\"");
    UNTIL(count_seen(&chainlet) == 1);
    const char *waiting = add_request((chainsi_stored_request){ 0 }, "5");
    assert_int_equal(cancel_request(waiting).status, CHAINS_OK);
    assert_int_equal(find(waiting).state, CHAINSI_REQUEST_CANCELLED);
    const char *next = add_request((chainsi_stored_request){ 0 }, "6");
    assert_int_equal(cancel_request(running).status, CHAINS_OK);
    assert_int_equal(find(running).state, CHAINSI_REQUEST_CANCELLED);
    UNTIL(read_counter(&chainlet, &chainlet.gone) == 1);
    assert_int_equal(until_ended(next).state, CHAINSI_REQUEST_SUCCEEDED); /* its slot is free */
    assert_int_equal(count_seen(&chainlet), 2);
    ended again = cancel_request(running);
    assert_int_equal(again.status, CHAINS_FAILED_PRECONDITION);
    assert_non_null(strstr(again.why, "is CANCELLED"));
    assert_int_equal(cancel_request("x").status, CHAINS_NOT_FOUND);
}

static void expires_what_waits_too_long(void **state)
{
    (void)state;
    target_state = CHAINSI_TARGET_WAIT;
    const char *id = add_request((chainsi_stored_request){ .max_time_in_queue_s = 0.05 }, "7");
    const char *patient = add_request((chainsi_stored_request){ 0 }, "8");
    chainsi_stored_request request = until_ended(id);
    assert_int_equal(request.state, CHAINSI_REQUEST_EXPIRED);
    assert_int_equal(request.attempts, 0);
    assert_int_equal(find(patient).state, CHAINSI_REQUEST_QUEUED);
    target_state = CHAINSI_TARGET_READY;
    assert_int_equal(until_ended(patient).state, CHAINSI_REQUEST_SUCCEEDED); /* without a nudge */
    assert_int_equal(count_seen(&chainlet), 1);
}

static void takes_up_what_a_killed_daemon_left(void **state)
{
    (void)state;
    slots = 1;
    const char *running = add_request((chainsi_stored_request){ 0 }, "\"wait\"");
    UNTIL(count_seen(&chainlet) == 1);
    const char *waiting = add_request((chainsi_stored_request){ 0 }, "9");
    end(false);
    open_store();
    assert_int_equal(find(running).state, CHAINSI_REQUEST_RUNNING);
    open_gate(&chainlet);
    start();
    assert_int_equal(until_ended(running).state, CHAINSI_REQUEST_SUCCEEDED);
    assert_int_equal(until_ended(waiting).state, CHAINSI_REQUEST_SUCCEEDED);
    assert_int_equal(find(running).losses, 1);
    assert_int_equal(find(running).attempts, 2);
}

static void purges_what_was_kept_long_enough(void **state)
{
    (void)state;
    const char *id = add_request((chainsi_stored_request){ 0 }, "10");
    until_ended(id);
    end(true);
    open_store();
    start();
    for (int i = 0; i < 3; i++) /* the first thing that it does */
        until_ended(add_request((chainsi_stored_request){ 0 }, "11"));
    assert_int_equal(ask("SELECT count(*) FROM requests"), 4);
    end(true);
    open_store();
    keep_ms = 0;
    start();
    UNTIL(ask("SELECT count(*) FROM requests") == 0);
}

static void forgets_who_has_left(void **state)
{
    (void)state;
    ended e = { 0 };
    chainsi_stored_request request = { .chain = "hello", .environment = "production" };
    request.input = json("12");
    chainsi_requests_forget(chainsi_requests_add(requests, &request, on_ended, &e));
    UNTIL(count_seen(&chainlet) == 1); /* it runs anyway */
    assert_false(e.is);
    request.chain = "other";
    chainsi_requests_add(requests, &request, on_ended, &e);
    UNTIL(e.is);
    assert_int_equal(e.status, CHAINS_NOT_FOUND);
    assert_string_equal(e.why, "there is no chain 'other'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(runs_what_is_accepted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(runs_the_most_urgent_first_in_free_slots, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(fills_its_slots_and_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keeps_failures_as_they_came, set_up, tear_down),
        cmocka_unit_test_setup_teardown(retries_as_often_as_it_may, set_up, tear_down),
        cmocka_unit_test_setup_teardown(makes_lost_attempts_again_but_not_for_ever, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(ends_calls_that_take_too_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancels_what_waits_and_what_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(expires_what_waits_too_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_up_what_a_killed_daemon_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(purges_what_was_kept_long_enough, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgets_who_has_left, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
