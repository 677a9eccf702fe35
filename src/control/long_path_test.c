/* A state below a folder whose path is longer than SQLite takes. */
#include "store_test_support.h"

#include "control/backup.h"

static char deep[1100];

static void make_deep_folder(void)
{
    size_t size = (size_t)snprintf(deep, sizeof deep, "%s", home);
    for (int i = 0; i < 10; i++)
        size += (size_t)snprintf(deep + size, sizeof deep - size, "/%090d", i);
    assert_true(chainsi_make_folders(deep));
}

static bool is_there(const char *name)
{
    char *path = chainsi_path("%s/%s", deep, name);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

static void open_deep(void)
{
    chains_status status;
    store = chainsi_store_open(deep, NULL, &loop, &status, why, sizeof why);
    if (!store)
        fail_msg("%s", why);
}

static void on_backed_up(chainsi_write *write, chains_status status, const char *reason)
{
    if (status != CHAINS_OK)
        fail_msg("%s", reason);
    *(bool *)write->user = true;
}

static void keeps_the_state(void **state)
{
    (void)state;
    bool backed_up = false;
    make_deep_folder();
    open_deep();
    assert_int_equal(change(run_sql, "CREATE TABLE t (x INTEGER) STRICT"), CHAINS_OK);
    assert_true(is_there("state.db"));
    assert_true(is_there("state.db-wal"));
    chainsi_store_back_up(store, on_backed_up, &backed_up);
    while (!backed_up)
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(chainsi_backup_exists(deep));
    assert_int_equal(change(run_sql, "INSERT INTO t VALUES (7)"), CHAINS_OK);
    close_store();
    open_deep();
    assert_int_equal(ask("SELECT x FROM t"), 7);
}

/* What is wrong is told by the path that people know. */
static void says_which_file_is_missing(void **state)
{
    (void)state;
    make_deep_folder();
    char *path = chainsi_path("%s/none/x.db", deep);
    assert_null(chainsi_database_open(path, CHAINSI_DATABASE_READ, why, sizeof why));
    assert_non_null(strstr(why, path));
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_the_state, make_home, remove_home),
        cmocka_unit_test_setup_teardown(says_which_file_is_missing, make_home, remove_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
