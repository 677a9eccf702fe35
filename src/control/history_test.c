/* What is told of processes, and what of it is in the state. */
#include "store_test_support.h"

#include "control/history.h"
#include "control/store_chains.h"

static chainsi_history *history;
static const chainsi_history_place place = { "hello", "production", "v0001", "writer" };
static const char at[] = "2026-01-31T12:00:00.000Z";

static chains_status put_chain(chainsi_database *database, void *arguments)
{
    (void)arguments;
    return chainsi_stored_chain_put(database, "hello", "hello");
}

static int begin(void **state)
{
    if (make_store(state) != 0 || change(put_chain, NULL) != CHAINS_OK)
        return -1;
    history = chainsi_history_new(&loop, store);
    return 0;
}

/* Has all that was told written, and ends it. */
static void end(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    chainsi_history_finish(history);
    chainsi_history_ready(history, "too/late");
    uv_run(&loop, UV_RUN_DEFAULT);
}

static int forget(void **state)
{
    close_store();
    chainsi_history_free(history);
    return remove_home(state);
}

static void what_happens_at_once_is_one_change(void **state)
{
    (void)state;
    enum { REPLICAS = 500 };
    uint64_t before = chainsi_store_count(store).writes;
    for (int i = 0; i < REPLICAS; i++) {
        char process[32];
        snprintf(process, sizeof process, "hello/%d", i);
        chainsi_history_started(history, &place, process, 1000 + i, at);
        chainsi_history_scaled(history, &place, i, i + 1, "burst", "one more");
        chainsi_history_ready(history, process);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(chainsi_store_count(store).writes, before + 1);
    assert_int_equal(ask("SELECT count(*) FROM replicas WHERE ready_at IS NOT NULL"), REPLICAS);
    assert_int_equal(ask("SELECT count(*) FROM events WHERE kind = 'scaled'"), REPLICAS);
    assert_int_equal(ask(on_server() ? "SELECT details::json ->> 'to' FROM events WHERE id = 500"
                                     : "SELECT details ->> 'to' FROM events WHERE id = 500"),
                     REPLICAS);
    /* Nothing is told: nothing is written. */
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(chainsi_store_count(store).writes, before + 1);
    end();
}

static void ends_are_told_apart(void **state)
{
    (void)state;
    chainsi_history_started(history, &place, "hello/0", 1, at);
    chainsi_history_ended(history, &place, "hello/0", CHAINSI_ENDING_KILLED, 9,
                          "killed by signal 9");
    chainsi_history_started(history, &place, "hello/0", 2, at);
    chainsi_history_ended(history, &place, "hello/0", CHAINSI_ENDING_EXITED, 3 << 8,
                          "exit status 3");
    chainsi_history_not_started(history, &place, "hello/0", "there is no such program");
    chainsi_history_started(history, &place, "hello/1", 3, at);
    chainsi_history_settle(history);
    end();
    assert_int_equal(ask("SELECT signal FROM replicas WHERE pid = 1 AND exit_status IS NULL"), 9);
    assert_int_equal(ask("SELECT exit_status FROM replicas WHERE pid = 2 AND signal IS NULL"), 3);
    assert_int_equal(ask("SELECT count(*) FROM replicas WHERE pid = 0 AND ending = 'not_started'"),
                     1);
    assert_int_equal(ask("SELECT count(*) FROM replicas WHERE pid = 3 AND ended_at IS NULL"), 1);
}

/* With its chain a process is forgotten; the others aren't. */
static void a_chain_that_is_gone_harms_nobody(void **state)
{
    (void)state;
    const chainsi_history_place gone = { "gone", "production", "v0001", "writer" };
    chainsi_history_started(history, &gone, "gone/0", 1, at);
    chainsi_history_started(history, &place, "hello/0", 2, at);
    chainsi_history_ended(history, &gone, "gone/0", CHAINSI_ENDING_DRAINED, 0, "exit status 0");
    end();
    assert_int_equal(ask("SELECT count(*) FROM replicas"), 1);
}

static void too_much_is_lost(void **state)
{
    (void)state;
    for (int i = 0; i < CHAINSI_HISTORY_MOST_WAITING + 5; i++)
        chainsi_history_scaled(history, &place, 0, 1, "woken", "one");
    end();
    assert_int_equal(ask("SELECT max(id) FROM events"), CHAINSI_HISTORY_MOST_WAITING);
}

static void without_one_nothing_is_kept(void **state)
{
    (void)state;
    chainsi_history_started(NULL, &place, "hello/0", 1, at);
    chainsi_history_ready(NULL, "hello/0");
    chainsi_history_ended(NULL, &place, "hello/0", CHAINSI_ENDING_DRAINED, 0, "");
    chainsi_history_settle(NULL);
    chainsi_history_finish(NULL);
    end();
    assert_int_equal(ask("SELECT count(*) FROM replicas"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_happens_at_once_is_one_change, begin, forget),
        cmocka_unit_test_setup_teardown(ends_are_told_apart, begin, forget),
        cmocka_unit_test_setup_teardown(a_chain_that_is_gone_harms_nobody, begin, forget),
        cmocka_unit_test_setup_teardown(too_much_is_lost, begin, forget),
        cmocka_unit_test_setup_teardown(without_one_nothing_is_kept, begin, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
