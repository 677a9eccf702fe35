/* Sweeps: what goes, what stays, and that they look once more. */
#include "store_test_support.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "control/asset_store.h"
#include "control/store_chains.h"
#include "control/sweep.h"

#define NAMED  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OLD    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define YOUNG  "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define PARTLY "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"

static chainsi_sweep *sweep;
static uv_timer_t clock_tick; /* a sweep alone lets the loop end */

static void on_clock(uv_timer_t *timer)
{
    (void)timer;
}

static int set_up(void **state)
{
    if (make_store(state) != 0)
        return -1;
    uv_timer_init(&loop, &clock_tick);
    uv_timer_start(&clock_tick, on_clock, 5, 5);
    sweep = chainsi_sweep_new(&loop, home, store, 0);
    return 0;
}

static int tear_down(void **state)
{
    chainsi_sweep_free(sweep);
    uv_close((uv_handle_t *)&clock_tick, NULL);
    return remove_home(state);
}

/* A file of that age, or to come: seconds since 1970. Frees the path. */
static void put(char *path, time_t changed_s)
{
    const struct timespec times[2] = { { .tv_sec = changed_s }, { .tv_sec = changed_s } };
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
    free(path);
}

static void put_stored(const char *digest, time_t changed_s)
{
    assert_true(chainsi_asset_store_make(home, digest));
    put(chainsi_asset_store_path(home, digest), changed_s);
}

static bool is_there(char *path)
{
    bool found = access(path, F_OK) == 0;
    free(path);
    return found;
}

static void wait_until_gone(const char *digest)
{
    while (is_there(chainsi_asset_store_path(home, digest)))
        uv_run(&loop, UV_RUN_ONCE);
}

static chains_status add_version(chainsi_database *database, void *arguments)
{
    (void)arguments;
    chainsi_asset asset = { "file:///a", NAMED, "a" };
    chainsi_api_service service = { .name = "x", .c_name = "x", .binary = "/x" };
    service.assets = (chainsi_api_assets){ &asset, 1 };
    chainsi_stored_version version = { .chain = "x", .artefacts = "/there" };
    version.deploy = (chainsi_api_deploy){ .chain = "x",
                                           .environment = CHAINSI_PRODUCTION,
                                           .entrypoint = "x",
                                           .services = { &service, 1 } };
    chains_status status = chainsi_stored_chain_put(database, "x", "x");
    return status == CHAINS_OK ? chainsi_stored_version_add(database, &arena, &version) : status;
}

static void what_nobody_names_goes_when_it_is_old(void **state)
{
    (void)state;
    if (change(add_version, NULL) != CHAINS_OK)
        fail_msg("%s", why);
    time_t to_come_s = time(NULL) + 3600;
    put_stored(NAMED, 0);
    put_stored(YOUNG, to_come_s);
    put(chainsi_asset_partial_path(home, PARTLY), to_come_s);
    put_stored(OLD, 0);
    chainsi_sweep_ask(sweep);
    chainsi_sweep_ask(sweep);
    wait_until_gone(OLD);
    assert_true(is_there(chainsi_asset_store_path(home, NAMED)));
    assert_true(is_there(chainsi_asset_store_path(home, YOUNG)));
    assert_true(is_there(chainsi_asset_partial_path(home, PARTLY)));
    /* Unasked, when what was young is old. */
    put_stored(YOUNG, 0);
    put(chainsi_asset_partial_path(home, PARTLY), 0);
    wait_until_gone(YOUNG);
    while (is_there(chainsi_asset_partial_path(home, PARTLY)))
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(is_there(chainsi_asset_store_path(home, NAMED)));
}

static void one_that_is_under_way_may_be_left(void **state)
{
    (void)state;
    put_stored(OLD, 0);
    chainsi_sweep_ask(sweep);
    uv_run(&loop, UV_RUN_ONCE);
    chainsi_sweep_free(sweep);
    sweep = NULL;
    chainsi_sweep_ask(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_nobody_names_goes_when_it_is_old, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_under_way_may_be_left, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
