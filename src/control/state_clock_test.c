/* People set their clock: what has a limit in the state moves along, and nothing else does. */
#include "store_test_support.h"

#include "control/state_clock.h"
#include "control/steady.h"
#include "control/store_chains.h"
#include "control/store_environments.h"
#include "control/store_history.h"
#include "control/store_requests.h"
#include "store_rows_test_support.h"

enum { HOUR = 3600 * 1000 };
#define T0 INT64_C(1800000000000) /* 2027-01-15T08:00:00Z */

static int begin(void **state)
{
    if (open_database(state) != 0)
        return -1;
    return chainsi_stored_chain_put(database, "hello", "hello") == CHAINS_OK ? 0 : -1;
}

static chainsi_clock_reading reading_of(const char *boot, int64_t offset_ms)
{
    chainsi_clock_reading reading = { .offset_ms = offset_ms,
                                      .before_ms = chainsi_steady_offset_ms() };
    snprintf(reading.boot, sizeof reading.boot, "%s", boot);
    return reading;
}

/* Follows the clock; gives by how much times were moved. */
static int64_t follow(const char *boot, int64_t offset_ms)
{
    chainsi_clock_reading reading = reading_of(boot, offset_ms);
    OK(chainsi_clock_follow(database, &reading));
    return reading.moved_ms;
}

static const char *add(double max_time_in_queue_s, const char *webhook)
{
    chainsi_stored_request request = {
        .chain = "hello",
        .environment = "production",
        .max_time_in_queue_s = max_time_in_queue_s,
        .webhook = webhook,
        .input = { "\"moon\"", 6 },
    };
    OK(chainsi_stored_request_add(database, T0, &arena, &request));
    return request.id;
}

static chainsi_stored_request find(const char *id)
{
    chainsi_stored_request request;
    OK(chainsi_stored_request_find(database, id, &arena, &request));
    return request;
}

static chainsi_stored_requests take(int64_t now_ms)
{
    chainsi_stored_requests taken;
    OK(chainsi_stored_request_take(database, "hello", "production", 10, now_ms, &arena, &taken));
    return taken;
}

static void what_waits_moves_along(void **state)
{
    (void)state;
    assert_int_equal(follow("one", 1000), 0);
    const char *id = add(2 * 3600, NULL);
    /* Three hours back: it would not be taken before then. */
    assert_int_equal(take(T0 - 3 * HOUR).count, 0);
    assert_int_equal(follow("one", 1000 - 3 * HOUR), -3 * HOUR);
    chainsi_stored_request request = find(id);
    assert_string_equal(request.created_at, "2027-01-15T05:00:00.000Z");
    assert_string_equal(request.not_before, "2027-01-15T05:00:00.000Z");
    assert_string_equal(request.expires_at, "2027-01-15T07:00:00.000Z");
    assert_null(request.started_at);
    assert_null(request.ended_at);
    assert_null(request.webhook_at);
    chainsi_stored_requests taken = take(T0 - 3 * HOUR);
    assert_int_equal(taken.count, 1);
    assert_int_equal(taken.items[0].input.size, 6);
}

static void what_waits_does_not_expire(void **state)
{
    (void)state;
    assert_int_equal(follow("one", 0), 0);
    const char *id = add(3600, NULL);
    assert_int_equal(follow("one", 5 * HOUR + 7), 5 * HOUR + 7);
    int64_t count = -1;
    OK(chainsi_stored_request_expire(database, T0 + 5 * HOUR + 7, &count));
    assert_int_equal(count, 0);
    assert_string_equal(find(id).expires_at, "2027-01-15T14:00:00.007Z");
    OK(chainsi_stored_request_expire(database, T0 + 6 * HOUR + 7, &count));
    assert_int_equal(count, 1);
}

static void what_has_ended_is_kept_as_long(void **state)
{
    (void)state;
    assert_int_equal(follow("one", 0), 0);
    const char *id = add(0, "http://x/");
    assert_int_equal(take(T0).count, 1);
    OK(chainsi_stored_request_succeed(database, id, (chains_json){ "1", 1 }, T0));
    assert_int_equal(follow("one", 48 * HOUR), 48 * HOUR);
    chainsi_stored_request request = find(id);
    assert_string_equal(request.ended_at, "2027-01-17T08:00:00.000Z");
    assert_string_equal(request.webhook_at, "2027-01-17T08:00:00.000Z");
    assert_int_equal(request.result.size, 1);
    OK(chainsi_stored_request_told(database, id, NULL, -1));
    int64_t count = -1;
    OK(chainsi_stored_request_purge(database, T0 + 24 * HOUR, 10, &count));
    assert_int_equal(count, 0);
    OK(chainsi_stored_request_purge(database, T0 + 49 * HOUR, 10, &count));
    assert_int_equal(count, 1);
}

/* Their times are told as they were. */
static void ended_replicas_are_kept_as_long(void **state)
{
    (void)state;
    static const int64_t kept_ms = INT64_C(24) * HOUR * CHAINSI_REPLICA_DAYS_KEPT;
    static const int64_t ahead_ms = INT64_C(48) * HOUR * CHAINSI_REPLICA_DAYS_KEPT;
    chainsi_stored_replica replica = { .chain = "hello",
                                       .environment = "production",
                                       .version = "v0001-000000",
                                       .chainlet = "hello",
                                       .process = "hello/0",
                                       .started_at = "2027-01-15T08:00:00.000Z",
                                       .ended_at = "2027-01-15T08:00:00.000Z",
                                       .ending = CHAINSI_ENDING_EXITED,
                                       .how = "exit status 1" };
    chainsi_stored_replicas found;
    assert_int_equal(follow("one", 0), 0);
    int64_t begun_ms = chainsi_steady_ms();
    OK(chainsi_stored_replica_add_failed(database, &replica));
    int64_t ended_ms = chainsi_steady_ms();
    assert_int_equal(follow("one", ahead_ms), ahead_ms);
    OK(chainsi_stored_replica_purge(database, begun_ms + ahead_ms + kept_ms));
    OK(chainsi_stored_replica_list(database, "hello", "production", "hello", 0, 10, &arena,
                                   &found));
    assert_int_equal(found.count, 1);
    assert_string_equal(found.items[0].ended_at, "2027-01-15T08:00:00.000Z");
    OK(chainsi_stored_replica_purge(database, ended_ms + ahead_ms + kept_ms + 1));
    OK(chainsi_stored_replica_list(database, "hello", "production", "hello", 0, 10, &arena,
                                   &found));
    assert_int_equal(found.count, 0);
}

static void a_retry_stays_a_retry(void **state)
{
    (void)state;
    assert_int_equal(follow("one", 0), 0);
    const char *id = add(0, NULL);
    assert_int_equal(take(T0).count, 1);
    OK(chainsi_stored_request_retry(database, id, CHAINSI_RETURN_FAILED, (chains_json){ 0 },
                                    T0 + 60 * 1000));
    assert_int_equal(follow("one", -24 * HOUR), -24 * HOUR);
    const char *at = NULL;
    OK(chainsi_stored_request_next_due(database, T0 - 24 * HOUR, &arena, &at));
    assert_string_equal(at, "2027-01-14T08:01:00.000Z");
    assert_int_equal(take(T0 - 24 * HOUR).count, 0);
    assert_int_equal(take(T0 - 24 * HOUR + 60 * 1000).count, 1);
}

static void a_canary_moves_along(void **state)
{
    (void)state;
    chainsi_stored_version version = {
        .chain = "hello",
        .deploy = { .chain = "hello", .environment = "production", .entrypoint = "hello" }
    };
    OK(chainsi_stored_version_add(database, &arena, &version));
    OK(chainsi_stored_environment_promote(database, "hello", "production", version.id));
    OK(chainsi_stored_environment_try(database, &(chainsi_stored_environment){
                                                    .chain = "hello",
                                                    .name = "production",
                                                    .canary_version = version.id,
                                                    .canary_until = "2027-01-15T08:00:00.000Z",
                                                }));
    assert_int_equal(follow("one", 0), 0);
    assert_int_equal(follow("one", HOUR), HOUR);
    chainsi_stored_environment environment;
    OK(chainsi_stored_environment_find(database, "hello", "production", &arena, &environment));
    assert_string_equal(environment.canary_until, "2027-01-15T09:00:00.000Z");
}

static void small_steps_and_other_starts_move_nothing(void **state)
{
    (void)state;
    assert_int_equal(follow("one", 0), 0);
    const char *id = add(0, NULL);
    assert_int_equal(follow("one", CHAINSI_CLOCK_SLACK_MS - 1), 0);
    assert_int_equal(chainsi_steady_offset_ms(), 0); /* steps add up until they count */
    assert_int_equal(follow("one", CHAINSI_CLOCK_SLACK_MS), CHAINSI_CLOCK_SLACK_MS);
    assert_int_equal(chainsi_steady_offset_ms(), CHAINSI_CLOCK_SLACK_MS);
    assert_int_equal(follow("two", 100 * HOUR), 0);
    assert_int_equal(chainsi_steady_offset_ms(), 100 * HOUR);
    assert_int_equal(follow("two", 100 * HOUR), 0);
    /* A start that can't be known is another one each time. */
    assert_int_equal(follow("", 200 * HOUR), 0);
    assert_int_equal(follow("", 300 * HOUR), 0);
    assert_string_equal(find(id).created_at, "2027-01-15T08:00:01.000Z");
}

static void times_that_cannot_be_said_stay(void **state)
{
    (void)state;
    assert_int_equal(follow("one", 0), 0);
    const char *id = add(0, NULL);
    assert_int_equal(follow("one", INT64_C(9000) * 365 * 24 * HOUR),
                     INT64_C(9000) * 365 * 24 * HOUR);
    assert_string_equal(find(id).created_at, "2027-01-15T08:00:00.000Z");
}

static void what_failed_is_undone(void **state)
{
    (void)state;
    assert_int_equal(follow("one", 5), 0);
    chainsi_clock_reading reading = reading_of("one", HOUR);
    OK(chainsi_clock_follow(database, &reading));
    assert_int_equal(chainsi_steady_offset_ms(), HOUR);
    chainsi_clock_go_back(&reading);
    assert_int_equal(chainsi_steady_offset_ms(), 5);
    assert_true(chainsi_clock_was_set());
}

static void reads_the_clock(void **state)
{
    (void)state;
    chainsi_clock_reading one = chainsi_clock_read(), two = chainsi_clock_read();
    assert_string_equal(one.boot, two.boot);
    assert_true(llabs(one.offset_ms - two.offset_ms) < HOUR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, close_database)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_waits_moves_along),
        TEST(what_waits_does_not_expire),
        TEST(what_has_ended_is_kept_as_long),
        TEST(ended_replicas_are_kept_as_long),
        TEST(a_retry_stays_a_retry),
        TEST(a_canary_moves_along),
        TEST(small_steps_and_other_starts_move_nothing),
        TEST(times_that_cannot_be_said_stay),
        TEST(what_failed_is_undone),
        TEST(reads_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
