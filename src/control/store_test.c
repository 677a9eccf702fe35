/* The store: changes in groups, their order and their ends, failures beside successes, closing. */
#include "store_test_support.h"

#include "control/store_history.h"

enum { MANY = 1000 };

/* What the ends of changes said, in the order in which they were told. */
static struct {
    int told[MANY + 1];
    chains_status status[MANY + 1];
    char why[256];
    size_t count;
} ends;

static int begin(void **state)
{
    memset(&ends, 0, sizeof ends);
    return make_store(state);
}

static void on_end(chainsi_write *write, chains_status status, const char *reason)
{
    assert_true(ends.count <= MANY);
    ends.told[ends.count] = *(int *)write->user;
    ends.status[ends.count++] = status;
    snprintf(ends.why, sizeof ends.why, "%s", reason);
}

static int numbers[MANY + 1];

/* Hands over a change whose arguments are a number. */
static chainsi_write *hand_over(chainsi_change run, int number)
{
    chainsi_write *write = chainsi_write_new(sizeof(int));
    numbers[number] = number;
    *(int *)write->arguments = number;
    write->run = run;
    write->on_end = on_end;
    write->user = &numbers[number];
    chainsi_store_write(store, write);
    return write;
}

/* Adds an event whose message is the number. */
static chains_status add(chainsi_database *database, void *arguments)
{
    char message[16];
    snprintf(message, sizeof message, "%d", *(int *)arguments);
    return chainsi_stored_event_add(database,
                                    &(chainsi_stored_event){ .kind = "test", .message = message });
}

/* Adds one, too, and then fails if the number is divisible by three. */
static chains_status add_or_fail(chainsi_database *database, void *arguments)
{
    chains_status status = add(database, arguments);
    int number = *(int *)arguments;
    if (status == CHAINS_OK && number % 3 == 0)
        return chainsi_database_fail(database, CHAINS_ABORTED, "%d is divisible", number);
    return status;
}

/* The pipe that holds the writer up until something is written to it. */
static int gate[2];

static chains_status wait_at_gate(chainsi_database *database, void *arguments)
{
    (void)database;
    (void)arguments;
    char byte;
    return read(gate[0], &byte, 1) == 1 ? CHAINS_OK : CHAINS_INTERNAL;
}

static void close_gate(void)
{
    assert_int_equal(pipe(gate), 0);
    hand_over(wait_at_gate, MANY);
}

static void open_gate(void)
{
    assert_int_equal(write(gate[1], "x", 1), 1);
}

static void forget_gate(void)
{
    close(gate[0]);
    close(gate[1]);
}

static void tells_ends_in_order_and_after_the_call(void **state)
{
    (void)state;
    for (int i = 0; i < MANY; i++)
        hand_over(add, i);
    assert_int_equal(ends.count, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(ends.count, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(ends.told[i], i);
        assert_int_equal(ends.status[i], CHAINS_OK);
    }
    assert_int_equal(ask("SELECT count(*) FROM events"), MANY);
    assert_int_equal(ask("SELECT count(*) FROM events WHERE id = 1 + CAST(message AS INTEGER)"),
                     MANY);
}

static void shares_transactions(void **state)
{
    (void)state;
    close_gate();
    for (int i = 0; i < MANY; i++)
        hand_over(add, i);
    open_gate();
    uv_run(&loop, UV_RUN_DEFAULT);
    forget_gate();
    chainsi_store_counts counts = chainsi_store_count(store);
    assert_int_equal(counts.writes, MANY + 1);
    assert_int_equal(counts.failed, 0);
    assert_int_equal(counts.waiting, 0);
    /* The first may have been alone, or with some of the others; the rest were taken in full groups. */
    assert_true(counts.commits <= 2 + MANY / CHAINSI_STORE_MAX_GROUP);
}

static void takes_back_what_failed_and_only_that(void **state)
{
    (void)state;
    close_gate();
    for (int i = 0; i < MANY; i++)
        hand_over(add_or_fail, i);
    open_gate();
    uv_run(&loop, UV_RUN_DEFAULT);
    forget_gate();
    assert_int_equal(ends.count, MANY + 1);
    for (size_t i = 1; i <= MANY; i++)
        assert_int_equal(ends.status[i], ends.told[i] % 3 ? CHAINS_OK : CHAINS_ABORTED);
    assert_string_equal(ends.why, "999 is divisible");
    assert_int_equal(ask("SELECT count(*) FROM events"), MANY - 334);
    assert_int_equal(ask("SELECT count(*) FROM events WHERE CAST(message AS INTEGER) % 3 = 0"), 0);
    assert_int_equal(chainsi_store_count(store).failed, 334);
}

/* A change sees those before it in its group, and the reader sees what was told. */
static chains_status count_events(chainsi_database *database, void *arguments)
{
    int64_t count = 0;
    chains_status status = chainsi_database_ask(database, "SELECT count(*) FROM events", &count);
    return status == CHAINS_OK && count == *(int *)arguments ? CHAINS_OK : CHAINS_INTERNAL;
}

static void on_end_read(chainsi_write *write, chains_status status, const char *reason)
{
    on_end(write, status, reason);
    assert_true(ask("SELECT count(*) FROM events") >= *(int *)write->user);
}

static void sees_what_came_before(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i += 2) {
        hand_over(add, i);
        hand_over(count_events, i / 2 + 1)->on_end = on_end_read;
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(ends.count, 100);
    for (size_t i = 0; i < ends.count; i++)
        assert_int_equal(ends.status[i], CHAINS_OK);
}

static void makes_changes_that_nobody_waits_for(void **state)
{
    (void)state;
    close_gate();
    hand_over(add, 1)->on_end = NULL;
    open_gate();
    uv_run(&loop, UV_RUN_DEFAULT);
    forget_gate();
    assert_int_equal(ends.count, 1);
    assert_int_equal(ask("SELECT count(*) FROM events"), 1);
}

static void waits_where_asked(void **state)
{
    (void)state;
    int number = 7;
    assert_int_equal(change(add, &number), CHAINS_OK);
    assert_int_equal(ask("SELECT CAST(message AS INTEGER) FROM events"), 7);
    number = 9;
    assert_int_equal(change(add_or_fail, &number), CHAINS_ABORTED);
    assert_string_equal(why, "9 is divisible");
    assert_int_equal(change(run_sql, "INSERT INTO nowhere VALUES (1)"), CHAINS_INTERNAL);
    assert_string_equal(why, on_server() ? "relation \"nowhere\" does not exist"
                                         : "no such table: nowhere");
}

/* What SQLite would pass over in silence if it were misspelt. */
static chains_status ask_settings(chainsi_database *database, void *arguments)
{
    int64_t *settings = arguments;
    chains_status status = chainsi_database_ask(database, "PRAGMA synchronous", &settings[0]);
    if (status == CHAINS_OK)
        status = chainsi_database_ask(database, "PRAGMA foreign_keys", &settings[1]);
    if (status == CHAINS_OK)
        status = chainsi_database_ask(
            database, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", &settings[2]);
    return status;
}

static void writes_as_promised(void **state)
{
    (void)state;
    OF_FILES_ALONE();
    for (int round = 0; round < 2; round++) { /* one that was made, and one that was there */
        int64_t settings[3] = { 0 };
        assert_int_equal(change(ask_settings, settings), CHAINS_OK);
        assert_int_equal(settings[0], 2); /* FULL */
        assert_int_equal(settings[1], 1);
        assert_int_equal(settings[2], 1);
        close_store();
        open_store();
    }
}

/* The reader can't change anything. */
static void reads_only(void **state)
{
    (void)state;
    chainsi_database *reader = chainsi_store_reader(store);
    assert_int_equal(chainsi_database_run(reader, "DELETE FROM events"), CHAINS_UNAVAILABLE);
}

static void on_end_hand_over(chainsi_write *write, chains_status status, const char *reason)
{
    on_end(write, status, reason);
    if (ends.count == 1)
        hand_over(add, 2);
}

static void makes_and_tells_all_when_it_closes(void **state)
{
    (void)state;
    close_gate();
    for (int i = 0; i < 10; i++)
        hand_over(add, i);
    open_gate();
    close_store();
    forget_gate();
    assert_int_equal(ends.count, 11);
    open_store();
    assert_int_equal(ask("SELECT count(*) FROM events"), 10);
    memset(&ends, 0, sizeof ends);
    hand_over(add, 1)->on_end = on_end_hand_over;
    close_store();
    assert_int_equal(ends.count, 2);
    assert_int_equal(ends.status[1], CHAINS_UNAVAILABLE);
    assert_string_equal(ends.why, "chainsd is stopping");
    open_store();
    assert_int_equal(ask("SELECT count(*) FROM events"), 11);
}

/* One past the limit is refused, and told so; those at it are made. */
static void refuses_what_is_too_much(void **state)
{
    (void)state;
    close_gate();
    while (chainsi_store_count(store).waiting) /* until the gate itself is running */
        ;
    int more = 1;
    for (int i = 0; i < CHAINSI_STORE_MAX_WAITING; i++) {
        chainsi_write *write = chainsi_write_new(0);
        write->run = run_sql;
        write->arguments = "";
        chainsi_store_write(store, write);
    }
    chainsi_write *write = chainsi_write_new(0);
    write->run = run_sql;
    write->arguments = "";
    write->on_end = on_end;
    write->user = &more;
    chainsi_store_write(store, write);
    assert_int_equal(ends.count, 0);
    while (!ends.count)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(ends.told[0], more);
    assert_int_equal(ends.status[0], CHAINS_RESOURCE_EXHAUSTED);
    open_gate();
    uv_run(&loop, UV_RUN_DEFAULT);
    forget_gate();
    assert_int_equal(chainsi_store_count(store).writes, CHAINSI_STORE_MAX_WAITING + 1);
    assert_int_equal(chainsi_store_count(store).failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_ends_in_order_and_after_the_call, begin, remove_home),
        cmocka_unit_test_setup_teardown(shares_transactions, begin, remove_home),
        cmocka_unit_test_setup_teardown(takes_back_what_failed_and_only_that, begin, remove_home),
        cmocka_unit_test_setup_teardown(sees_what_came_before, begin, remove_home),
        cmocka_unit_test_setup_teardown(makes_changes_that_nobody_waits_for, begin, remove_home),
        cmocka_unit_test_setup_teardown(waits_where_asked, begin, remove_home),
        cmocka_unit_test_setup_teardown(writes_as_promised, begin, remove_home),
        cmocka_unit_test_setup_teardown(reads_only, begin, remove_home),
        cmocka_unit_test_setup_teardown(makes_and_tells_all_when_it_closes, begin, remove_home),
        cmocka_unit_test_setup_teardown(refuses_what_is_too_much, begin, remove_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
