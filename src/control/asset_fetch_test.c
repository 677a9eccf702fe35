/* Downloads, against a server of the test's own that does what it shouldn't. */
#include "control/asset_site_test_support.h"
#include "control/asset_stream.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ------------------------------------------------------------------------------------------------
 * what goes well */

static void ranges_come_at_once(void **state)
{
    fixture *it = *state;
    /* None ends before all have begun: the server is still at all four. */
    CHANGE(it->site, hold = true);
    CHANGE(it->site, hold_after = 0);
    outcome got;
    start(it, it->site->url, it->digest, &got);
    /* The first has to give some bytes before the others are asked for. */
    CHANGE(it->site, hold_after = 16 * KIB);
    while (SEEN(it->site, requests) < 4)
        uv_run(&it->loop, UV_RUN_NOWAIT);
    CHANGE(it->site, hold = false);
    run_until(it, &got.done);
    assert_good(got);
    check_stored(it);
    assert_int_equal(SEEN(it->site, requests), 4);
    assert_int_equal(SEEN(it->site, most_answering), 4);
    assert_int_equal(got.progress.files_done, 1);
    assert_int_equal(got.progress.done, it->size);
    assert_int_equal(got.progress.size, it->size);
}

static void a_small_file_comes_in_one(void **state)
{
    fixture *it = *state;
    set_content(it, 100 * KIB);
    assert_good(fetch(it));
    check_stored(it);
    assert_int_equal(SEEN(it->site, requests), 1);
}

static void sizes_around_a_range_come_whole(void **state)
{
    fixture *it = *state;
    const size_t sizes[] = {
        1,         64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 128 * KIB, 128 * KIB + 1, 256 * KIB - 1,
        256 * KIB, 256 * KIB + 3
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        set_content(it, sizes[i]);
        assert_good(fetch(it));
        check_stored(it);
    }
}

static void an_empty_file_is_one(void **state)
{
    fixture *it = *state;
    set_content(it, 0);
    assert_good(fetch(it)); /* bytes=0- isn't satisfiable then */
    check_stored(it);
    forget_stored(it);
    CHANGE(it->site, ranges = false);
    assert_good(fetch(it));
    check_stored(it);
}

static void a_server_without_ranges_does(void **state)
{
    fixture *it = *state;
    CHANGE(it->site, ranges = false);
    assert_good(fetch(it));
    check_stored(it);
    assert_int_equal(SEEN(it->site, requests), 1);
}

static void a_server_without_versions_does(void **state)
{
    fixture *it = *state;
    CHANGE(it->site, etag = NULL);
    assert_good(fetch(it));
    check_stored(it);
    assert_int_equal(SEEN(it->site, requests), 1);
}

static void a_weak_etag_is_none_and_a_time_is_one(void **state)
{
    fixture *it = *state;
    CHANGE(it->site, etag = "W/\"v1\"");
    assert_good(fetch(it));
    assert_int_equal(SEEN(it->site, requests), 1);
    forget_stored(it);
    CHANGE(it->site, etag = NULL);
    CHANGE(it->site, modified = "Sat, 31 Jan 2026 12:00:00 GMT");
    assert_good(fetch(it));
    check_stored(it);
    assert_int_equal(SEEN(it->site, requests), 1 + 4);
}

static void a_server_that_tells_no_size_does(void **state)
{
    fixture *it = *state;
    CHANGE(it->site, ranges = false);
    CHANGE(it->site, unsized = true);
    outcome got = fetch(it);
    assert_good(got);
    check_stored(it);
    assert_int_equal(got.progress.size, it->size);
}

static void ranges_that_are_only_said_are_done_without(void **state)
{
    fixture *it = *state;
    CHANGE(it->site, ranges = false);
    CHANGE(it->site, pretends = true);
    assert_good(fetch(it));
    check_stored(it);
}

static void ranges_that_are_shifted_are_done_without(void **state)
{
    fixture *it = *state;
    CHANGE(it->site, shifted = true);
    assert_good(fetch(it));
    check_stored(it);
}

/* ------------------------------------------------------------------------------------------------
 * what breaks, and mends */

static void cut_connections_go_on_where_they_were(void **state)
{
    fixture *it = *state;
    CHANGE(it->site, cuts = 30);
    CHANGE(it->site, cut_after = 20 * KIB);
    assert_good(fetch(it));
    check_stored(it);
    /* Some of what was sent may have been lost with its connection, but all of it wasn't sent
     * again for each. */
    assert_true(SEEN(it->site, requests) > 30);
    assert_true(SEEN(it->site, sent) < 2 * (int64_t)it->size);
}

static void without_ranges_it_begins_again(void **state)
{
    fixture *it = *state;
    CHANGE(it->site, ranges = false);
    CHANGE(it->site, cuts = 2);
    CHANGE(it->site, cut_after = 600 * KIB);
    assert_good(fetch(it));
    check_stored(it);
    assert_int_equal(SEEN(it->site, requests), 3);
}

static void a_server_that_always_cuts_is_given_up(void **state)
{
    fixture *it = *state;
    CHANGE(it->site, ranges = false);
    CHANGE(it->site, cuts = 1000);
    CHANGE(it->site, cut_after = 600 * KIB);
    outcome got = fetch(it);
    assert_said(got, CHAINS_UNAVAILABLE, it->site->url);
    assert_non_null(strstr(got.why, "times in a row"));
    assert_int_equal(SEEN(it->site, requests), impatient.most_failures);
    check_nothing(it, it->digest);
}

static void errors_of_a_server_pass(void **state)
{
    fixture *it = *state;
    CHANGE(it->site, refusal = 500);
    for (int empty = 0; empty < 2; empty++) {
        int before = SEEN(it->site, requests);
        CHANGE(it->site, empty = empty != 0);
        CHANGE(it->site, refusals = 3);
        assert_good(fetch(it));
        check_stored(it);
        assert_int_equal(SEEN(it->site, requests), before + 3 + 4);
        forget_stored(it);
    }
}

static void errors_of_a_server_end_it_at_last(void **state)
{
    fixture *it = *state;
    CHANGE(it->site, refusal = 503);
    CHANGE(it->site, refusals = -1);
    CHANGE(it->site, extra = "Retry-After: 3600\r\n"); /* no longer than the policy lets it */
    outcome got = fetch(it);
    assert_said(got, CHAINS_UNAVAILABLE, "503 Service Unavailable");
    assert_int_equal(SEEN(it->site, requests), impatient.most_failures);
}

static void a_stalled_server_is_asked_again(void **state)
{
    fixture *it = *state;
    chainsi_fetch_policy hasty = impatient;
    hasty.stall_s = 1;
    use_policy(it, &hasty);
    set_content(it, 100 * KIB);
    CHANGE(it->site, hold = true);
    CHANGE(it->site, hold_after = 50 * KIB);
    outcome got;
    start(it, it->site->url, it->digest, &got);
    while (SEEN(it->site, requests) < 2)
        uv_run(&it->loop, UV_RUN_ONCE);
    CHANGE(it->site, hold = false);
    run_until(it, &got.done);
    assert_good(got);
    check_stored(it);
    use_policy(it, NULL);
}

static void nobody_there_is_unavailable(void **state)
{
    fixture *it = *state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    /* Bound and not listening: nobody else gets the port. */
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/file", ntohs(address.sin_port));
    assert_said(fetch_from(it, url, it->digest), CHAINS_UNAVAILABLE, url);
    close(fd);
}

/* The file becomes another one, which is the wanted one, while it is fetched. */
static void change_in_the_middle(fixture *it)
{
    uint8_t *before = make_content(it->size, 99);
    pthread_mutex_lock(&it->site->lock);
    it->site->does.content = before;
    it->site->does.etag = "\"v0\"";
    it->site->does.after = it->content;
    it->site->does.after_etag = "\"v1\"";
    it->site->does.cuts = 4;
    it->site->does.cut_after = 50 * KIB;
    pthread_mutex_unlock(&it->site->lock);
    assert_good(fetch(it));
    check_stored(it);
    wait_for_silence(it->site);
    free(before);
}

static void a_file_that_changes_is_fetched_anew(void **state)
{
    change_in_the_middle(*state);
}

static void a_server_that_mixes_versions_is_seen_through(void **state)
{
    fixture *it = *state;
    CHANGE(it->site, ignores_if_range = true);
    change_in_the_middle(it);
}

/* ------------------------------------------------------------------------------------------------
 * what is wrong */

static void a_wrong_digest_says_both(void **state)
{
    fixture *it = *state;
    char wrong[CHAINSI_DIGEST_DIGITS + 1];
    memset(wrong, 'a', sizeof wrong - 1);
    wrong[CHAINSI_DIGEST_DIGITS] = 0;
    outcome got = fetch_from(it, it->site->url, wrong);
    assert_said(got, CHAINS_DATA_LOSS, it->site->url);
    assert_non_null(strstr(got.why, wrong));
    assert_non_null(strstr(got.why, it->digest));
    check_nothing(it, wrong);
    /* Pieces are once doubted, and then the server is believed. */
    assert_int_equal(SEEN(it->site, requests), 4 + 1);
}

static void what_is_not_there_is_said_at_once(void **state)
{
    fixture *it = *state;
    const struct {
        int status;
        chains_status expected;
        const char *words;
        bool empty;
    } cases[] = {
        { 204, CHAINS_FAILED_PRECONDITION, "204 No Content", true },
        { 404, CHAINS_NOT_FOUND, "404 Not Found", true },
        { 404, CHAINS_NOT_FOUND, "404 Not Found", false },
        { 410, CHAINS_NOT_FOUND, "410 Gone", false },
        { 401, CHAINS_PERMISSION_DENIED, "401 Unauthorized", false },
        { 403, CHAINS_PERMISSION_DENIED, "403 Forbidden", false },
        { 400, CHAINS_FAILED_PRECONDITION, "400 Bad Request", false },
        { 304, CHAINS_FAILED_PRECONDITION, "304 Not Modified", false },
    };
    CHANGE(it->site, refusals = -1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHANGE(it->site, refusal = cases[i].status);
        CHANGE(it->site, empty = cases[i].empty);
        int before = SEEN(it->site, requests);
        outcome got = fetch(it);
        assert_said(got, cases[i].expected, cases[i].words);
        assert_non_null(strstr(got.why, it->site->url));
        assert_int_equal(SEEN(it->site, requests), before + 1);
    }
    check_nothing(it, it->digest);
}

static void redirects_are_followed_and_bounded(void **state)
{
    fixture *it = *state;
    site *other = site_start(NULL);
    CHANGE(other, redirect = it->site->url);
    assert_good(fetch_from(it, other->url, it->digest));
    check_stored(it);
    CHANGE(it->site, redirect = other->url);
    forget_stored(it);
    int before = SEEN(it->site, requests) + SEEN(other, requests);
    assert_said(fetch(it), CHAINS_FAILED_PRECONDITION, "redirects");
    assert_int_equal(SEEN(it->site, requests) + SEEN(other, requests),
                     before + CHAINSI_ASSET_MOST_REDIRECTS + 1);
    /* Not out of HTTP. */
    CHANGE(it->site, redirect = "file:///etc/passwd");
    assert_int_equal(fetch(it).status, CHAINS_FAILED_PRECONDITION);
    site_stop(other);
}

static void passwords_stay_with_their_host(void **state)
{
    fixture *it = *state;
    site *other = site_start(NULL);
    CHANGE(other, redirect = it->site->url);
    char *url = chainsi_path("http://user:secret@%s", other->url + strlen("http://"));
    assert_good(fetch_from(it, url, it->digest));
    assert_true(SEEN(other, authorized) > 0);
    assert_int_equal(SEEN(it->site, authorized), 0);
    /* And out of what is said. */
    CHANGE(other, redirect = NULL);
    CHANGE(other, refusals = -1);
    CHANGE(other, refusal = 404);
    char unknown[CHAINSI_DIGEST_DIGITS + 1];
    digest_of("x", 1, unknown);
    outcome got = fetch_from(it, url, unknown);
    assert_said(got, CHAINS_NOT_FOUND, other->url);
    assert_null(strstr(got.why, "secret"));
    free(url);
    site_stop(other);
}

/* A server with a certificate for this machine, whose file is at path. */
static site *start_tls(const fixture *it, char **path)
{
    char *key = chainsi_path("%s/key.pem", it->home);
    *path = chainsi_path("%s/certificate.pem", it->home);
    char *command = chainsi_path("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
                                 "-nodes -days 1 -subj /CN=chains -keyout %s -out %s "
                                 "-addext subjectAltName=IP:127.0.0.1 2>/dev/null",
                                 key, *path);
    assert_int_equal(system(command), 0);
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate_file(tls, *path, SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM), 1);
    free(command);
    free(key);
    return site_start(tls);
}

static void tls_is_trusted_or_not_spoken(void **state)
{
    fixture *it = *state;
    char *certificate;
    site *safe = start_tls(it, &certificate);
    site_do(safe, it->site->does);
    assert_said(fetch_from(it, safe->url, it->digest), CHAINS_FAILED_PRECONDITION, "certificate");
    assert_int_equal(SEEN(safe, requests), 0);
    setenv("SSL_CERT_FILE", certificate, 1);
    assert_good(fetch_from(it, safe->url, it->digest));
    check_stored(it);
    assert_int_equal(SEEN(safe, requests), 4);
    /* No redirect leads out of it. */
    forget_stored(it);
    CHANGE(safe, redirect = it->site->url);
    assert_int_equal(fetch_from(it, safe->url, it->digest).status, CHAINS_FAILED_PRECONDITION);
    assert_int_equal(SEEN(it->site, requests), 0);
    unsetenv("SSL_CERT_FILE");
    free(certificate);
    site_stop(safe);
}

static void a_file_has_a_largest_size(void **state)
{
    fixture *it = *state;
    chainsi_fetch_policy small = impatient;
    small.most_bytes = 1024 * KIB;
    use_policy(it, &small);
    for (int unsized = 0; unsized < 2; unsized++) {
        CHANGE(it->site, unsized = unsized != 0);
        CHANGE(it->site, ranges = unsized == 0);
        set_content(it, 1024 * KIB);
        assert_good(fetch(it));
        check_stored(it);
        forget_stored(it);
        set_content(it, 1024 * KIB + 1);
        assert_said(fetch(it), CHAINS_RESOURCE_EXHAUSTED, "1048576 bytes");
        check_nothing(it, it->digest);
    }
    use_policy(it, NULL);
}

static void what_cannot_be_fetched_is_refused(void **state)
{
    fixture *it = *state;
    const char *const urls[] = { "",          "ftp://host/file", "nonsense", "http://",
                                 "gopher://", "http://a b/",     "/file",    "http://host:99999/" };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        assert_said(fetch_from(it, urls[i], it->digest), CHAINS_INVALID_ARGUMENT, urls[i]);
}

/* ------------------------------------------------------------------------------------------------
 * local files */

static void local_files_are_copied(void **state)
{
    fixture *it = *state;
    char *path = chainsi_path("%s/a file%%", it->home);
    char *url = chainsi_path("file://%s/a%%20file%%25", it->home);
    assert_true(chainsi_write_file(path, it->content, it->size));
    outcome got = fetch_from(it, url, it->digest);
    assert_good(got);
    check_stored(it);
    assert_int_equal(got.progress.done, it->size);
    char wrong[CHAINSI_DIGEST_DIGITS + 1];
    digest_of("x", 1, wrong);
    got = fetch_from(it, url, wrong);
    assert_said(got, CHAINS_DATA_LOSS, it->digest);
    check_nothing(it, wrong);
    free(url);
    free(path);
}

static void local_files_that_are_none_are_refused(void **state)
{
    fixture *it = *state;
    char *pipe = chainsi_path("%s/pipe", it->home);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    const char *const names[] = { "absent", "pipe", "" };
    const char *const words[] = { "No such file", "regular file", "regular file" };
    for (size_t i = 0; i < 3; i++) {
        char *url = chainsi_path("file://%s/%s", it->home, names[i]);
        outcome got = fetch_from(it, url, it->digest);
        assert_said(got, CHAINS_NOT_FOUND, words[i]);
        assert_non_null(strstr(got.why, url));
        free(url);
    }
    free(pipe);
    check_nothing(it, it->digest);
}

/* ------------------------------------------------------------------------------------------------
 * what is left for the next one */

static void what_is_there_is_not_fetched_again(void **state)
{
    fixture *it = *state;
    chainsi_fetch_policy unforgiving = impatient;
    unforgiving.forgiving_bytes = INT64_MAX / 2;
    use_policy(it, &unforgiving);
    CHANGE(it->site, cuts = 1000);
    CHANGE(it->site, cut_after = 2 * KIB);
    outcome got = fetch(it);
    assert_int_equal(got.status, CHAINS_UNAVAILABLE);
    int64_t sent = SEEN(it->site, sent);
    assert_true(sent > 0);
    CHANGE(it->site, cuts = 0);
    assert_good(fetch(it));
    check_stored(it);
    assert_true(SEEN(it->site, sent) <= (int64_t)it->size + sent / 2);
    use_policy(it, NULL);
}

/* Fetches in a process of its own, which is killed when `kept` bytes are said to be there. */
static void kill_a_fetch_at(fixture *it, int64_t kept)
{
    char *arguments[] = {
        "asset_fetch_test", "--fetch", it->home, it->site->url, it->digest, NULL
    };
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execv("/proc/self/exe", arguments);
        _exit(127);
    }
    while (noted_bytes(it) < kept) {
        int status;
        if (waitpid(child, &status, WNOHANG) != 0)
            fail_msg("the process ended by itself: %d", status);
        sched_yield();
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_killed_process_is_taken_up(void **state)
{
    fixture *it = *state;
    /* It goes no further than this in the first range, and not at all in the others; then further. */
    const size_t holds[] = { 32 * KIB, 96 * KIB, 208 * KIB };
    int64_t kept = 0;
    CHANGE(it->site, hold = true);
    for (size_t i = 0; i < sizeof holds / sizeof *holds; i++) {
        CHANGE(it->site, hold_after = holds[i]);
        kill_a_fetch_at(it, (int64_t)holds[i] - 16 * KIB);
        assert_true(SEEN(it->site, least_from) >= kept);
        kept = (int64_t)holds[i] - 16 * KIB;
        forget_ranges(it->site);
    }
    CHANGE(it->site, hold = false);
    assert_good(fetch(it));
    check_stored(it);
    assert_true(SEEN(it->site, least_from) >= kept);
}

static void a_damaged_note_is_no_note(void **state)
{
    fixture *it = *state;
    const char *const texts[] = { "", "{", "{\"url\":\"x\"}" };
    char *path = chainsi_asset_state_path(it->home, it->digest);
    char *partial = chainsi_asset_partial_path(it->home, it->digest);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_true(chainsi_asset_store_make(it->home, it->digest));
        assert_true(chainsi_write_file(path, texts[i], strlen(texts[i])));
        assert_true(chainsi_write_file(partial, "something longer", 16));
        assert_good(fetch(it));
        check_stored(it);
        forget_stored(it);
    }
    /* One that claims what isn't there is found out by the digest. */
    chainsi_asset_range range = { 0, (int64_t)it->size, (int64_t)it->size };
    chainsi_asset_state lie = { it->site->url, "\"v1\"", (int64_t)it->size, { &range, 1 } };
    chainsi_buffer text = { 0 };
    assert_true(chainsi_asset_state_write(&lie, &text));
    assert_true(chainsi_write_file(path, text.data, text.size));
    uint8_t *wrong = make_content(it->size, 3);
    assert_true(chainsi_write_file(partial, wrong, it->size));
    assert_good(fetch(it));
    check_stored(it);
    free(wrong);
    chainsi_buffer_done(&text);
    free(path);
    free(partial);
}

/* ------------------------------------------------------------------------------------------------
 * the disk */

static void a_file_that_does_not_fit_says_so(void **state)
{
    fixture *it = *state;
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 512 * KIB;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    outcome known = fetch(it);
    CHANGE(it->site, ranges = false);
    CHANGE(it->site, unsized = true);
    outcome unknown = fetch(it);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_said(known, CHAINS_RESOURCE_EXHAUSTED, "1048576 bytes");
    assert_said(unknown, CHAINS_RESOURCE_EXHAUSTED, "File too large");
    check_nothing(it, it->digest);
}

/* Runs this program with a home on a small file system of its own, and reads what it says. */
static void a_full_disk_says_so(void **state)
{
    fixture *it = *state;
    int pipes[2];
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char *arguments[] = { "asset_fetch_test", "--fetch",  it->home,
                              it->site->url,      it->digest, NULL };
        if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("chains", it->home, "tmpfs", 0, "size=512k") != 0)
            _exit(77);
        dup2(pipes[1], STDOUT_FILENO);
        execv("/proc/self/exe", arguments);
        _exit(127);
    }
    close(pipes[1]);
    char said[2048] = { 0 };
    size_t size = 0;
    for (ssize_t got; (got = read(pipes[0], said + size, sizeof said - 1 - size)) > 0;)
        size += (size_t)got;
    close(pipes[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip(); /* not the right to mount */
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CHAINS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(said, "the disk is full"));
    assert_non_null(strstr(said, it->site->url));
}

/* ------------------------------------------------------------------------------------------------ */

static void delays_grow_to_their_limit(void **state)
{
    (void)state;
    const chainsi_fetch_policy *policy = &chainsi_fetch_policy_default;
    assert_int_equal(chainsi_fetch_delay_ms(policy, 1, 0), 250);
    assert_int_equal(chainsi_fetch_delay_ms(policy, 2, 0), 500);
    assert_int_equal(chainsi_fetch_delay_ms(policy, 2, 250), 250);
    assert_int_equal(chainsi_fetch_delay_ms(policy, 8, 0), 30000);
    assert_int_equal(chainsi_fetch_delay_ms(policy, 1000000, 0), 30000);
    assert_in_range(chainsi_fetch_delay_ms(policy, 1000000, UINT64_MAX), 15000, 30000);
}

/* --fetch HOME URL DIGEST: fetches, prints why it failed, and exits with the status. */
static int fetch_alone(char **arguments)
{
    fixture it = { .home = arguments[2] };
    uv_loop_init(&it.loop);
    it.courier = new_courier(&it.loop);
    it.assets = chainsi_assets_new(&it.loop, it.courier, it.home, &impatient);
    outcome got = fetch_from(&it, arguments[3], arguments[4]);
    printf("%s\n", got.why);
    chainsi_assets_free(it.assets);
    uv_run(&it.loop, UV_RUN_DEFAULT);
    chainsi_courier_free(it.courier);
    uv_run(&it.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&it.loop) ? 126 : (int)got.status;
}

int main(int count, char **arguments)
{
    /* The servers are on this machine, and what is trusted is the test's. */
    unsetenv("http_proxy");
    unsetenv("https_proxy");
    unsetenv("all_proxy");
    unsetenv("SSL_CERT_FILE");
    signal(SIGPIPE, SIG_IGN); /* of TLS */
    if (count == 5 && !strcmp(arguments[1], "--fetch"))
        return fetch_alone(arguments);
    const struct CMUnitTest tests[] = {
        ASSET_TEST(ranges_come_at_once),
        ASSET_TEST(a_small_file_comes_in_one),
        ASSET_TEST(sizes_around_a_range_come_whole),
        ASSET_TEST(an_empty_file_is_one),
        ASSET_TEST(a_server_without_ranges_does),
        ASSET_TEST(a_server_without_versions_does),
        ASSET_TEST(a_weak_etag_is_none_and_a_time_is_one),
        ASSET_TEST(a_server_that_tells_no_size_does),
        ASSET_TEST(ranges_that_are_only_said_are_done_without),
        ASSET_TEST(ranges_that_are_shifted_are_done_without),
        ASSET_TEST(cut_connections_go_on_where_they_were),
        ASSET_TEST(without_ranges_it_begins_again),
        ASSET_TEST(a_server_that_always_cuts_is_given_up),
        ASSET_TEST(errors_of_a_server_pass),
        ASSET_TEST(errors_of_a_server_end_it_at_last),
        ASSET_TEST(a_stalled_server_is_asked_again),
        ASSET_TEST(nobody_there_is_unavailable),
        ASSET_TEST(a_file_that_changes_is_fetched_anew),
        ASSET_TEST(a_server_that_mixes_versions_is_seen_through),
        ASSET_TEST(a_wrong_digest_says_both),
        ASSET_TEST(what_is_not_there_is_said_at_once),
        ASSET_TEST(redirects_are_followed_and_bounded),
        ASSET_TEST(passwords_stay_with_their_host),
        ASSET_TEST(tls_is_trusted_or_not_spoken),
        ASSET_TEST(a_file_has_a_largest_size),
        ASSET_TEST(what_cannot_be_fetched_is_refused),
        ASSET_TEST(local_files_are_copied),
        ASSET_TEST(local_files_that_are_none_are_refused),
        ASSET_TEST(what_is_there_is_not_fetched_again),
        ASSET_TEST(a_killed_process_is_taken_up),
        ASSET_TEST(a_damaged_note_is_no_note),
        ASSET_TEST(a_file_that_does_not_fit_says_so),
        ASSET_TEST(a_full_disk_says_so),
        cmocka_unit_test(delays_grow_to_their_limit),
    };
    return cmocka_run_group_tests(tests, set_up_all, NULL);
}
