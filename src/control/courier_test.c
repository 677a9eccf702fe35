/* The courier as a real process, against a server of the test's own: bodies to files, limits, cancelling, its
 * death and that of the brain, leaving, and what it holds of the daemon's. */
#include "control/asset_site_test_support.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "control/handle.h"

enum { MANY = 300, CONTENT = 1024 * KIB };

/* What the test fetches with, without assets. */
typedef struct bench {
    uv_loop_t loop;
    site *site;
    uint8_t *content;
    chainsi_courier *courier;
    int file; /* memfd */
} bench;

/* What became of an errand. */
typedef struct end {
    chainsi_errand *errand;
    int64_t until; /* what on_answer gives: where what is wanted ends */
    bool answered, done;
    int64_t written;
    int error;
    chainsi_errand_answer answer;
    chainsi_errand_outcome outcome;
    char why[CHAINSI_ERRAND_MOST_WHY];
} end;

static int64_t on_answer(void *user, const chainsi_errand_answer *answer)
{
    end *it = user;
    assert_false(it->answered);
    it->answered = true;
    it->answer = *answer;
    return it->until;
}

static void on_written(void *user, size_t size, int error)
{
    end *it = user;
    assert_true(it->answered);
    it->written += (int64_t)size;
    it->error = error;
}

static void on_end(void *user, chainsi_errand_outcome came, const chainsi_errand_answer *answer,
                   const char *why)
{
    end *it = user;
    assert_false(it->done);
    it->done = true;
    it->outcome = came;
    if (!it->answered)
        it->answer = *answer;
    snprintf(it->why, sizeof it->why, "%s", why);
}

static const chainsi_errand_events watching = { on_answer, on_written, on_end };

static chainsi_errand_request get(const bench *it)
{
    return (chainsi_errand_request){ .url = it->site->url, .agent = "test", .file = -1 };
}

static chainsi_errand_request get_to_file(const bench *it)
{
    chainsi_errand_request request = get(it);
    request.file = it->file;
    request.terms.end = INT64_MAX;
    return request;
}

static void send_to(bench *it, const chainsi_errand_request *request, end *ended)
{
    *ended = (end){ .until = INT64_MAX };
    ended->errand = chainsi_courier_send(it->courier, request, &watching, ended);
}

static void run_to(bench *it, const bool *flag)
{
    while (!*flag)
        uv_run(&it->loop, UV_RUN_ONCE);
}

static end do_errand(bench *it, const chainsi_errand_request *request)
{
    end ended;
    send_to(it, request, &ended);
    run_to(it, &ended.done);
    return ended;
}

static void use_courier(bench *it, const char *program, int idle_ms, int watch_ms)
{
    chainsi_courier_free(it->courier);
    it->courier = chainsi_courier_new(&(chainsi_courier_options){
        .loop = &it->loop, .program = program, .idle_ms = idle_ms, .watch_ms = watch_ms });
}

static int start_bench(void **state)
{
    note_descriptors(state);
    bench *it = calloc(1, sizeof *it);
    uv_loop_init(&it->loop);
    it->site = site_start(NULL);
    it->content = make_content(CONTENT, 11);
    site_do(
        it->site,
        (behaviour){ .etag = "\"v1\"", .ranges = true, .content = it->content, .size = CONTENT });
    it->courier = new_courier(&it->loop);
    it->file = memfd_create("file", MFD_CLOEXEC);
    *state = it;
    return 0;
}

static int end_bench(void **state)
{
    bench *it = *state;
    pid_t process = chainsi_courier_process(it->courier);
    chainsi_courier_free(it->courier);
    uv_run(&it->loop, UV_RUN_DEFAULT);
    bool good = uv_loop_close(&it->loop) == 0;
    good = good && (!process || (kill(process, 0) != 0 && errno == ESRCH));
    site_stop(it->site);
    close(it->file);
    free(it->content);
    free(it);
    return good && compare_descriptors(state) == 0 ? 0 : -1;
}

static void check_file(const bench *it, size_t from, size_t size)
{
    uint8_t *there = malloc(size + 1);
    assert_int_equal(pread(it->file, there, size + 1, (off_t)from), (ssize_t)size);
    assert_memory_equal(there, it->content + from, size);
    free(there);
}

static void check_end(const end *it, chainsi_errand_outcome came, const char *words)
{
    if (it->outcome != came || !strstr(it->why, words))
        fail_msg("%d, '%s', not %d and '%s'", it->outcome, it->why, came, words);
}

/* ------------------------------------------------------------------------------------------------
 * errands */

static void a_body_goes_to_the_file(void **state)
{
    bench *it = *state;
    chainsi_errand_request request = get_to_file(it);
    assert_int_equal(chainsi_courier_process(it->courier), 0);
    end got = do_errand(it, &request);
    check_end(&got, CHAINSI_ERRAND_DONE, "");
    assert_int_equal(got.answer.status, 200);
    assert_int_equal(got.answer.size, CONTENT);
    assert_true(got.answer.ranges);
    assert_string_equal(got.answer.validator, "\"v1\"");
    assert_int_equal(got.written, CONTENT);
    check_file(it, 0, CONTENT);
}

static void a_range_goes_to_its_place(void **state)
{
    bench *it = *state;
    chainsi_errand_request request = get_to_file(it);
    request.terms.ranged = true;
    request.terms.from = 1000;
    request.terms.end = 300 * KIB;
    end got;
    send_to(it, &request, &got);
    got.until = 200 * KIB; /* it is thought better of */
    run_to(it, &got.done);
    check_end(&got, CHAINSI_ERRAND_DONE, "");
    assert_int_equal(got.answer.status, 206);
    assert_int_equal(got.answer.from, 1000);
    assert_int_equal(got.answer.size, CONTENT);
    assert_int_equal(got.written, 200 * KIB - 1000);
    check_file(it, 1000, 200 * KIB - 1000);
}

/* It ends with less than has come while the answer was looked at. */
static void a_range_may_be_cut_short(void **state)
{
    bench *it = *state;
    chainsi_errand_request request = get_to_file(it);
    CHANGE(it->site, size = 1000);
    end got;
    send_to(it, &request, &got);
    got.until = 10;
    run_to(it, &got.done);
    check_end(&got, CHAINSI_ERRAND_DONE, "");
    assert_int_equal(got.written, 10);
    check_file(it, 0, 10);
}

static void a_body_that_is_thrown_away_has_a_limit(void **state)
{
    bench *it = *state;
    chainsi_errand_request request = get(it);
    request.terms.most_answer = 100 * KIB;
    CHANGE(it->site, size = 100 * KIB);
    end got = do_errand(it, &request);
    check_end(&got, CHAINSI_ERRAND_DONE, "");
    CHANGE(it->site, size = 100 * KIB + 1);
    got = do_errand(it, &request);
    check_end(&got, CHAINSI_ERRAND_BROKE, "");
    assert_int_equal(got.answer.status, 200);
    request.terms.most_answer = 0;
    CHANGE(it->site, size = CONTENT);
    got = do_errand(it, &request);
    check_end(&got, CHAINSI_ERRAND_DONE, "");
    assert_false(got.answered);
    assert_int_equal(got.written, 0);
}

static void texts_have_a_limit(void **state)
{
    bench *it = *state;
    chainsi_errand_request request = get(it);
    size_t others = strlen(request.url) + strlen(request.agent) + 3;
    char *header = calloc(1, CHAINSI_ERRAND_MOST_TEXTS + 1);
    const char *const headers[] = { header, NULL };
    memset(header, 'x', CHAINSI_ERRAND_MOST_TEXTS - others - 1);
    memcpy(header, "X: ", 3);
    request.headers = headers;
    end got = do_errand(it, &request);
    assert_null(strstr(got.why, "handed"));
    header[strlen(header)] = 'x';
    got = do_errand(it, &request);
    check_end(&got, CHAINSI_ERRAND_REFUSED, "it cannot be handed to a courier");
    free(header);
}

static void what_makes_no_sense_is_told(void **state)
{
    bench *it = *state;
    static const char *const urls[] = { "", "http://", "ftp://127.0.0.1/", "http://a b/",
                                        "file:///etc/passwd" };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        chainsi_errand_request request = get(it);
        request.url = urls[i];
        end got = do_errand(it, &request);
        assert_int_equal(got.outcome, CHAINSI_ERRAND_NO_URL);
        assert_true(strlen(got.why) > 5);
        assert_int_equal(got.answer.status, 0);
    }
    CHANGE(it->site, redirect = "/file");
    chainsi_errand_request request = get(it);
    end got = do_errand(it, &request);
    check_end(&got, CHAINSI_ERRAND_DONE, "");
    assert_int_equal(got.answer.status, 302);
    request.terms.most_redirects = 2;
    got = do_errand(it, &request);
    check_end(&got, CHAINSI_ERRAND_REFUSED, "redirect");
}

static void a_file_that_takes_nothing_is_told(void **state)
{
    bench *it = *state;
    chainsi_errand_request request = get_to_file(it);
    request.file = open("/dev/full", O_WRONLY | O_CLOEXEC);
    end got = do_errand(it, &request);
    close(request.file);
    assert_int_equal(got.error, UV_ENOSPC);
    check_end(&got, CHAINSI_ERRAND_BROKE, "cannot be written");
}

static void until_written(bench *it, const end *got, int64_t size)
{
    while (got->written < size && !got->done)
        uv_run(&it->loop, UV_RUN_ONCE);
    assert_false(got->done);
}

static void an_errand_can_be_cancelled(void **state)
{
    bench *it = *state;
    CHANGE(it->site, hold = true);
    CHANGE(it->site, hold_after = 64 * KIB);
    chainsi_errand_request request = get_to_file(it), other = get(it);
    end never, filed, dropped;
    send_to(it, &request, &never);
    chainsi_courier_cancel(it->courier, never.errand); /* before it was sent */
    send_to(it, &other, &dropped);
    send_to(it, &request, &filed);
    until_written(it, &filed, 64 * KIB);
    check_end(&never, CHAINSI_ERRAND_CANCELLED, "");
    chainsi_courier_cancel(it->courier, dropped.errand);
    chainsi_courier_cancel(it->courier, filed.errand);
    assert_false(filed.done);
    run_to(it, &filed.done);
    check_end(&filed, CHAINSI_ERRAND_CANCELLED, "");
    /* The process goes on. */
    pid_t process = chainsi_courier_process(it->courier);
    CHANGE(it->site, hold = false);
    end got = do_errand(it, &request);
    check_end(&got, CHAINSI_ERRAND_DONE, "");
    check_file(it, 0, CONTENT);
    assert_int_equal(chainsi_courier_process(it->courier), process);
    assert_false(dropped.done);
}

static void an_answer_may_be_unwanted(void **state)
{
    bench *it = *state;
    chainsi_errand_request request = get_to_file(it);
    end got;
    send_to(it, &request, &got);
    got.until = -1;
    run_to(it, &got.done);
    check_end(&got, CHAINSI_ERRAND_CANCELLED, "");
    assert_int_equal(got.answer.status, 200);
    assert_int_equal(got.written, 0);
    assert_int_equal(lseek(it->file, 0, SEEK_END), 0);
}

/* More than the socket between the two takes at once, either way. */
static void many_errands_wait_their_turn(void **state)
{
    bench *it = *state;
    static end ends[MANY];
    chainsi_errand_request request = get(it);
    end first = do_errand(it, &request);
    check_end(&first, CHAINSI_ERRAND_DONE, "");
    pid_t process = chainsi_courier_process(it->courier);
    request.url = "http://127.0.0.1:1/nobody";
    assert_int_equal(kill(process, SIGSTOP), 0);
    for (size_t i = 0; i < MANY; i++)
        send_to(it, &request, &ends[i]);
    for (int turns = 0; turns < 20; turns++)
        uv_run(&it->loop, UV_RUN_NOWAIT);
    assert_int_equal(kill(process, SIGCONT), 0);
    for (size_t i = 0; i < MANY; i++) {
        run_to(it, &ends[i].done);
        assert_int_equal(ends[i].outcome, CHAINSI_ERRAND_BROKE);
    }
    assert_int_equal(chainsi_courier_process(it->courier), process);
}

/* ------------------------------------------------------------------------------------------------
 * the process */

static void a_killed_courier_is_a_broken_connection(void **state)
{
    bench *it = *state;
    CHANGE(it->site, hold = true);
    CHANGE(it->site, hold_after = 64 * KIB);
    chainsi_errand_request request = get_to_file(it);
    for (int times = 0; times < 3; times++) {
        end got, dropped;
        request.file = -1;
        send_to(it, &request, &dropped);
        request.file = it->file;
        send_to(it, &request, &got);
        until_written(it, &got, 64 * KIB);
        assert_int_equal(kill(chainsi_courier_process(it->courier), SIGKILL), 0);
        run_to(it, &got.done);
        run_to(it, &dropped.done);
        check_end(&got, CHAINSI_ERRAND_BROKE, "killed by signal 9");
        check_end(&dropped, CHAINSI_ERRAND_BROKE, "killed by signal 9");
    }
    CHANGE(it->site, hold = false);
    end got = do_errand(it, &request);
    check_end(&got, CHAINSI_ERRAND_DONE, "");
    check_file(it, 0, CONTENT);
}

static void one_that_hangs_is_killed(void **state)
{
    bench *it = *state;
    CHANGE(it->site, hold = true);
    CHANGE(it->site, hold_after = 64 * KIB);
    use_courier(it, COURIER_PROGRAM, CHAINSI_COURIER_IDLE_MS, 50);
    chainsi_errand_request request = get_to_file(it);
    end got;
    send_to(it, &request, &got);
    while (!got.answered && !got.done)
        uv_run(&it->loop, UV_RUN_ONCE);
    if (!got.done) /* on a machine that stands still it has been thought to hang already */
        assert_int_equal(kill(chainsi_courier_process(it->courier), SIGSTOP), 0);
    run_to(it, &got.done);
    check_end(&got, CHAINSI_ERRAND_BROKE, "killed by signal 9");
}

static void wake_up(uv_timer_t *timer)
{
    (void)timer;
}

static void it_leaves_when_nothing_is_to_be_done(void **state)
{
    bench *it = *state;
    use_courier(it, COURIER_PROGRAM, 1, CHAINSI_COURIER_WATCH_MS);
    chainsi_errand_request request = get(it);
    uv_timer_t *awake =
        chainsi_timer_new(&it->loop, NULL); /* else nothing keeps the loop running */
    uv_timer_start(awake, wake_up, 1, 1);
    for (int times = 0; times < 3; times++) {
        end got = do_errand(it, &request);
        check_end(&got, CHAINSI_ERRAND_DONE, "");
        pid_t process = chainsi_courier_process(it->courier);
        while (chainsi_courier_process(it->courier))
            uv_run(&it->loop, UV_RUN_ONCE);
        assert_true(process == 0 || kill(process, 0) != 0);
    }
    chainsi_handle_close(awake);
}

static void one_that_cannot_be_started_is_told(void **state)
{
    bench *it = *state;
    chainsi_errand_request request = get(it);
    use_courier(it, "/nonexistent/program", 1, 1000);
    end got = do_errand(it, &request);
    check_end(&got, CHAINSI_ERRAND_BROKE, "No such file or directory");
    use_courier(it, "/bin/false", 1, 1000);
    got = do_errand(it, &request);
    check_end(&got, CHAINSI_ERRAND_BROKE, "has ended: exit status 1");
}

static size_t count_held(pid_t process, bool *holds, const char *path)
{
    char folder[64], target[512];
    size_t count = 0;
    snprintf(folder, sizeof folder, "/proc/%d/fd", (int)process);
    DIR *listing = opendir(folder);
    assert_non_null(listing);
    for (struct dirent *entry; (entry = readdir(listing));) {
        ssize_t size = readlinkat(dirfd(listing), entry->d_name, target, sizeof target - 1);
        target[size > 0 ? size : 0] = 0;
        *holds = *holds || strstr(target, path);
        count += entry->d_name[0] != '.';
    }
    closedir(listing);
    return count;
}

static void it_holds_nothing_but_its_errands(void **state)
{
    bench *it = *state;
    char path[] = "/tmp/chains-courier-XXXXXX";
    int open_here = mkstemp(path); /* and not CLOEXEC */
    chainsi_errand_request request = get_to_file(it);
    bool holds = false, holds_file = false;
    end got = do_errand(it, &request);
    check_end(&got, CHAINSI_ERRAND_DONE, "");
    pid_t process = chainsi_courier_process(it->courier);
    size_t before = count_held(process, &holds, path);
    for (int i = 0; i < 20; i++)
        do_errand(it, &request);
    assert_int_equal(chainsi_courier_process(it->courier), process);
    assert_int_equal(count_held(process, &holds, path), before);
    count_held(process, &holds_file, "memfd:");
    assert_false(holds);
    assert_false(holds_file);
    close(open_here);
    unlink(path);
}

/* ------------------------------------------------------------------------------------------------
 * the brain's end */

static const char brain_verb[] = "--as-brain", other_verb[] = "--as-other";

/* A brain that sends an errand to a URL, says "x" on its output once it is under way, and becomes another
 * program, or waits to be killed. Its stderr is the courier's as well. */
static int be_brain(const char *url, bool becomes)
{
    bench it = { .file = memfd_create("file", MFD_CLOEXEC) };
    uv_loop_init(&it.loop);
    it.courier = new_courier(&it.loop);
    end got;
    chainsi_errand_request request = { .url = url, .agent = "test", .file = it.file };
    request.terms.end = INT64_MAX;
    send_to(&it, &request, &got);
    while (got.written < 64 * KIB && !got.done)
        uv_run(&it.loop, UV_RUN_ONCE);
    if (becomes)
        fcntl(STDERR_FILENO, F_SETFD, FD_CLOEXEC);
    if (got.done || write(STDOUT_FILENO, "x", 1) != 1)
        return 1;
    if (becomes)
        execl("/proc/self/exe", "courier_test", other_verb, NULL);
    pause();
    return 1;
}

static void check_that_it_ends_with(bench *it, bool becomes)
{
    int said[2], held[2];
    char byte;
    CHANGE(it->site, hold = true);
    CHANGE(it->site, hold_after = 64 * KIB);
    assert_int_equal(pipe2(said, O_CLOEXEC), 0);
    assert_int_equal(pipe2(held, O_CLOEXEC), 0);
    pid_t brain = fork();
    assert_true(brain >= 0);
    if (brain == 0) {
        dup2(said[1], STDOUT_FILENO);
        dup2(held[1], STDERR_FILENO);
        execl("/proc/self/exe", "courier_test", brain_verb, it->site->url,
              becomes ? "becomes" : "stays", NULL);
        _exit(127);
    }
    close(said[1]);
    close(held[1]);
    assert_int_equal(read(said[0], &byte, 1), 1);
    if (!becomes)
        assert_int_equal(kill(brain, SIGKILL), 0);
    /* Both ends of it: nobody has it any more. */
    while (read(held[0], &byte, 1) > 0)
        ;
    if (becomes)
        assert_int_equal(kill(brain, SIGKILL), 0);
    assert_int_equal(waitpid(brain, NULL, 0), brain);
    close(said[0]);
    close(held[0]);
    CHANGE(it->site, hold = false);
}

static void it_ends_with_a_killed_brain(void **state)
{
    check_that_it_ends_with(*state, false);
}

/* As the brain does that takes the keeper's place: the process stays, and its end of the line is gone. */
static void it_ends_with_a_brain_that_becomes_another(void **state)
{
    check_that_it_ends_with(*state, true);
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], brain_verb))
        return be_brain(argv[2], !strcmp(argv[3], "becomes"));
    if (argc == 2 && !strcmp(argv[1], other_verb))
        return pause();
#define BENCH(function) cmocka_unit_test_setup_teardown(function, start_bench, end_bench)
    const struct CMUnitTest tests[] = {
        BENCH(a_body_goes_to_the_file),
        BENCH(a_range_goes_to_its_place),
        BENCH(a_range_may_be_cut_short),
        BENCH(a_body_that_is_thrown_away_has_a_limit),
        BENCH(texts_have_a_limit),
        BENCH(what_makes_no_sense_is_told),
        BENCH(a_file_that_takes_nothing_is_told),
        BENCH(an_errand_can_be_cancelled),
        BENCH(an_answer_may_be_unwanted),
        BENCH(many_errands_wait_their_turn),
        BENCH(a_killed_courier_is_a_broken_connection),
        BENCH(one_that_hangs_is_killed),
        BENCH(it_leaves_when_nothing_is_to_be_done),
        BENCH(one_that_cannot_be_started_is_told),
        BENCH(it_holds_nothing_but_its_errands),
        BENCH(it_ends_with_a_killed_brain),
        BENCH(it_ends_with_a_brain_that_becomes_another),
    };
    return cmocka_run_group_tests(tests, set_up_all, NULL);
}
