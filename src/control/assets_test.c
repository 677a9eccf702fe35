/* Jobs: who waits for what, what is shared, and what happens to those who leave. */
#include "control/asset_site_test_support.h"

/* Lets everything that is ready happen, without waiting for more. */
static void run_a_little(fixture *it)
{
    for (int i = 0; i < 20; i++)
        uv_run(&it->loop, UV_RUN_NOWAIT);
}

/* Holds bodies before their first byte, so that downloads stay under way. */
static void hold(fixture *it)
{
    CHANGE(it->site, hold_after = 0);
    CHANGE(it->site, hold = true);
}

static void run_until_asked(fixture *it, int requests)
{
    while (SEEN(it->site, requests) < requests)
        uv_run(&it->loop, UV_RUN_NOWAIT);
}

static void no_assets_are_done_at_once(void **state)
{
    fixture *it = *state;
    outcome got = { 0 };
    chainsi_assets_start(it->assets, NULL, 0, &noting, &got);
    assert_false(got.done); /* not from within */
    run_until(it, &got.done);
    assert_good(got);
}

static void what_is_stored_is_not_fetched(void **state)
{
    fixture *it = *state;
    assert_good(fetch(it));
    int requests = SEEN(it->site, requests);
    outcome got = fetch_from(it, "http://127.0.0.1:1/nobody", it->digest);
    assert_good(got);
    assert_int_equal(got.progress.files_done, 1);
    assert_int_equal(got.progress.done, 0);
    for (char *at = it->digest; *at; at++)
        *at = (char)(*at >= 'a' ? *at - 'a' + 'A' : *at);
    assert_good(fetch(it));
    assert_int_equal(SEEN(it->site, requests), requests);
}

static void two_who_wait_share_a_download(void **state)
{
    fixture *it = *state;
    set_content(it, 100 * KIB);
    outcome first, second;
    hold(it);
    CHANGE(it->site, hold_after = 50 * KIB);
    start(it, it->site->url, it->digest, &first);
    run_until_asked(it, 1);
    start(it, it->site->url, it->digest, &second);
    /* Both see how far it is, before it is done. */
    while (!first.told || !second.told || second.progress.size != (int64_t)it->size)
        uv_run(&it->loop, UV_RUN_ONCE);
    assert_int_equal(second.progress.files, 1);
    assert_int_equal(second.progress.files_done, 0);
    assert_false(second.progress.verifying);
    CHANGE(it->site, hold = false);
    run_until(it, &first.done);
    run_until(it, &second.done);
    assert_good(first);
    assert_good(second);
    check_stored(it);
    assert_int_equal(SEEN(it->site, requests), 1);
}

static void one_who_leaves_does_not_take_it_along(void **state)
{
    fixture *it = *state;
    set_content(it, 100 * KIB);
    outcome first, second;
    hold(it);
    chainsi_assets_job *job = start(it, it->site->url, it->digest, &first);
    start(it, it->site->url, it->digest, &second);
    run_until_asked(it, 1);
    chainsi_assets_cancel(job);
    run_a_little(it);
    CHANGE(it->site, hold = false);
    run_until(it, &second.done);
    assert_good(second);
    assert_false(first.done);
    assert_int_equal(SEEN(it->site, requests), 1);
}

static void the_next_url_is_tried_for_who_has_it(void **state)
{
    fixture *it = *state;
    site *bad = site_start(NULL);
    CHANGE(bad, refusals = -1);
    CHANGE(bad, refusal = 404);
    outcome first, second;
    start(it, bad->url, it->digest, &first);
    start(it, it->site->url, it->digest, &second);
    run_until(it, &first.done);
    run_until(it, &second.done);
    assert_said(first, CHAINS_NOT_FOUND, bad->url);
    assert_good(second);
    check_stored(it);
    assert_int_equal(SEEN(bad, requests), 1);
    site_stop(bad);
}

static void a_cancelled_download_is_taken_up(void **state)
{
    fixture *it = *state;
    CHANGE(it->site, hold = true);
    int64_t kept = 0;
    for (size_t until = 16 * KIB; until < 250 * KIB; until += 48 * KIB) {
        /* Only the first range gets that far; the others get nothing. */
        CHANGE(it->site, hold_after = until);
        outcome got;
        chainsi_assets_job *job = start(it, it->site->url, it->digest, &got);
        while (noted_bytes(it) < (int64_t)until)
            uv_run(&it->loop, UV_RUN_NOWAIT);
        assert_true(SEEN(it->site, least_from) >= kept);
        kept = (int64_t)until;
        forget_ranges(it->site);
        chainsi_assets_cancel(job);
        /* It is asked for again while the first is still ending, and cancelled again. */
        chainsi_assets_cancel(start(it, it->site->url, it->digest, &got));
        use_policy(it, &impatient);
        assert_false(got.done);
    }
    CHANGE(it->site, hold = false);
    assert_good(fetch(it));
    check_stored(it);
    assert_true(SEEN(it->site, least_from) >= kept);
}

static void asked_for_again_at_once_it_is_there(void **state)
{
    fixture *it = *state;
    outcome first, second;
    hold(it);
    chainsi_assets_job *job = start(it, it->site->url, it->digest, &first);
    run_until_asked(it, 1);
    chainsi_assets_cancel(job);
    uv_run(&it->loop, UV_RUN_NOWAIT); /* it is being cancelled */
    start(it, it->site->url, it->digest, &second);
    CHANGE(it->site, hold = false);
    run_until(it, &second.done);
    assert_good(second);
    check_stored(it);
    assert_false(first.done);
}

static void a_list_is_done_when_all_are(void **state)
{
    fixture *it = *state;
    char *path = chainsi_path("%s/other", it->home);
    char *url = chainsi_path("file://%s", path);
    char digest[CHAINSI_DIGEST_DIGITS + 1];
    digest_of("other", 5, digest);
    assert_true(chainsi_write_file(path, "other", 5));
    const chainsi_asset assets[] = {
        { it->site->url, it->digest, "model" },
        { url, digest, "other" },
        { it->site->url, it->digest, "model.again" },
    };
    outcome got = { 0 };
    chainsi_assets_start(it->assets, assets, 3, &noting, &got);
    run_until(it, &got.done);
    assert_good(got);
    check_stored(it);
    assert_int_equal(SEEN(it->site, requests), 4); /* its ranges, once */
    assert_int_equal(got.progress.files, 3);
    assert_int_equal(got.progress.files_done, 3);
    assert_int_equal(got.progress.done, it->size + 5);
    assert_int_equal(got.progress.size, it->size + 5);
    free(path);
    free(url);
}

static void the_first_failure_ends_a_list(void **state)
{
    fixture *it = *state;
    char unknown[CHAINSI_DIGEST_DIGITS + 1];
    digest_of("x", 1, unknown);
    const chainsi_asset assets[] = {
        { it->site->url, it->digest, "model" },
        { "file:///nonexistent/file", unknown, "other" },
    };
    outcome got = { 0 };
    hold(it);
    chainsi_assets_start(it->assets, assets, 2, &noting, &got);
    run_until(it, &got.done);
    assert_said(got, CHAINS_NOT_FOUND, "file:///nonexistent/file");
    assert_int_equal(got.failed, 1);
    /* Nobody waits for the other any more. */
    CHANGE(it->site, hold = false);
}

static void what_is_tried_again_says_why(void **state)
{
    fixture *it = *state;
    chainsi_fetch_policy slow = impatient;
    slow.first_delay_ms = slow.longest_delay_ms = 60 * 60 * 1000;
    use_policy(it, &slow);
    CHANGE(it->site, refusal = 503);
    CHANGE(it->site, refusals = -1);
    outcome got;
    chainsi_assets_job *job = start(it, it->site->url, it->digest, &got);
    while (!got.trouble[0])
        uv_run(&it->loop, UV_RUN_ONCE);
    assert_string_equal(got.trouble, "the server answers 503 Service Unavailable");
    assert_int_equal(got.progress.files_done, 0);
    chainsi_assets_cancel(job);
    use_policy(it, NULL);
}

static void lists_that_make_no_sense_are_refused(void **state)
{
    fixture *it = *state;
    const chainsi_asset lists[][2] = {
        { { it->site->url, it->digest, "../x" }, { it->site->url, it->digest, "y" } },
        { { it->site->url, "12", "x" }, { it->site->url, it->digest, "y" } },
        { { it->site->url, it->digest, "x" }, { it->site->url, it->digest, "x" } },
        { { it->site->url, it->digest, "x" }, { NULL, it->digest, "x/y" } },
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        outcome got = { 0 };
        chainsi_assets_start(it->assets, lists[i], 2, &noting, &got);
        run_until(it, &got.done);
        assert_int_equal(got.status, CHAINS_INVALID_ARGUMENT);
        assert_true(got.failed == CHAINSI_ASSETS_NONE);
    }
    assert_int_equal(SEEN(it->site, requests), 0);
    assert_int_equal(fetch_from(it, NULL, it->digest).status, CHAINS_INVALID_ARGUMENT);
}

static void a_few_are_fetched_at_a_time(void **state)
{
    enum { MANY = 3 * CHAINSI_ASSETS_AT_ONCE };
    fixture *it = *state;
    chainsi_asset assets[MANY];
    char urls[MANY][128], digests[MANY][CHAINSI_DIGEST_DIGITS + 1], paths[MANY][16];
    hold(it);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(urls[i], sizeof urls[i], "%s/%zu", it->site->url, i);
        snprintf(paths[i], sizeof paths[i], "%zu", i);
        digest_of(&i, sizeof i, digests[i]); /* all will be wrong */
        assets[i] = (chainsi_asset){ urls[i], digests[i], paths[i] };
    }
    outcome got = { 0 };
    chainsi_assets_start(it->assets, assets, MANY, &noting, &got);
    run_until_asked(it, CHAINSI_ASSETS_AT_ONCE);
    run_a_little(it);
    assert_int_equal(SEEN(it->site, requests), CHAINSI_ASSETS_AT_ONCE);
    CHANGE(it->site, hold = false);
    run_until(it, &got.done);
    assert_said(got, CHAINS_DATA_LOSS, it->site->url);
}

/* A job whose user asks for more, or gives all up, from within its callbacks. */
typedef struct restless {
    fixture *fixture;
    chainsi_assets_job *job;
    outcome second;
    bool done;
    enum { START_ANOTHER, CANCEL, FREE_ALL } does;
} restless;

static void on_restless_progress(void *user, const chainsi_assets_progress *progress)
{
    restless *it = user;
    (void)progress;
    if (it->does == START_ANOTHER || it->done)
        return;
    it->done = true;
    if (it->does == CANCEL) {
        chainsi_assets_cancel(it->job);
    } else {
        chainsi_assets_free(it->fixture->assets);
        it->fixture->assets = NULL;
    }
}

static void on_restless_done(void *user, chains_status status, size_t failed, const char *why)
{
    (void)failed;
    restless *it = user;
    (void)why;
    assert_int_equal(it->does, START_ANOTHER);
    assert_int_equal(status, CHAINS_OK);
    start(it->fixture, it->fixture->site->url, it->fixture->digest, &it->second);
    it->done = true;
}

static void callbacks_may_do_what_they_like(void **state)
{
    fixture *it = *state;
    static const chainsi_assets_events events = { on_restless_progress, on_restless_done };
    const chainsi_asset asset = { it->site->url, it->digest, "file" };
    restless user = { .fixture = it, .does = CANCEL };
    hold(it);
    user.job = chainsi_assets_start(it->assets, &asset, 1, &events, &user);
    run_until(it, &user.done);
    run_a_little(it);
    CHANGE(it->site, hold = false);

    user = (restless){ .fixture = it, .does = START_ANOTHER };
    chainsi_assets_start(it->assets, &asset, 1, &events, &user);
    run_until(it, &user.done);
    run_until(it, &user.second.done);
    assert_good(user.second);

    set_content(it, 512 * KIB);
    const chainsi_asset other = { it->site->url, it->digest, "file" };
    hold(it);
    user = (restless){ .fixture = it, .does = FREE_ALL };
    user.job = chainsi_assets_start(it->assets, &other, 1, &events, &user);
    run_until(it, &user.done);
    uv_run(&it->loop, UV_RUN_DEFAULT);
    CHANGE(it->site, hold = false);
}

static void the_end_comes_at_any_time(void **state)
{
    fixture *it = *state;
    for (int turns = 0; turns < 60; turns++) {
        outcome got;
        use_policy(it, &impatient);
        start(it, it->site->url, it->digest, &got);
        for (int i = 0; i < turns && !got.done; i++)
            uv_run(&it->loop, UV_RUN_ONCE);
        use_policy(it, NULL);
        if (got.done) {
            assert_good(got);
            check_stored(it);
            forget_stored(it);
        }
    }
    use_policy(it, &impatient);
    assert_good(fetch(it));
    check_stored(it);
}

int main(void)
{
    unsetenv("http_proxy"); /* the server is on this machine */
    const struct CMUnitTest tests[] = {
        ASSET_TEST(no_assets_are_done_at_once),
        ASSET_TEST(what_is_stored_is_not_fetched),
        ASSET_TEST(two_who_wait_share_a_download),
        ASSET_TEST(one_who_leaves_does_not_take_it_along),
        ASSET_TEST(the_next_url_is_tried_for_who_has_it),
        ASSET_TEST(a_cancelled_download_is_taken_up),
        ASSET_TEST(asked_for_again_at_once_it_is_there),
        ASSET_TEST(a_list_is_done_when_all_are),
        ASSET_TEST(the_first_failure_ends_a_list),
        ASSET_TEST(what_is_tried_again_says_why),
        ASSET_TEST(lists_that_make_no_sense_are_refused),
        ASSET_TEST(a_few_are_fetched_at_a_time),
        ASSET_TEST(callbacks_may_do_what_they_like),
        ASSET_TEST(the_end_comes_at_any_time),
    };
    return cmocka_run_group_tests(tests, set_up_all, NULL);
}
