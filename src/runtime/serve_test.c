/* Services as real processes: start, probes, drain, and what callers see when one is killed. This
 * program starts itself as the service; it has no threads of its own. */
#include "runtime/serve_test_support.h"

static void it_serves_and_drains(void **state)
{
    place *at = *state;
    pid_t service = start_replica(at, "plain");
    wait_until_ready(at);
    const char *answer = NULL;
    assert_int_equal(call(at, "things", &answer), CHAINS_OK);
    assert_string_equal(answer, "did things");
    kill(service, SIGTERM);
    assert_int_equal(wait_for_end(at, service), 0);
}

static void calls_that_run_are_answered_after_sigterm_with(place *at, const char *kind)
{
    pid_t service = start_replica(at, kind);
    wait_until_ready(at);
    char body[256];
    snprintf(body, sizeof body, "{\"text\": \"wait %s\"}", at->file);
    int fd = begin_call(at->calls, body);
    wait_for_answer(at, at->probes, "/metrics", "chains_in_flight{chainlet=\"worker\"} 1\n");
    kill(service, SIGTERM);
    wait_for_answer(at, at->probes, "/readyz", "draining\n");
    kill(service, SIGTERM); /* once is enough */
    touch(at->file);
    char answer[1024] = "";
    assert_true(recv(fd, answer, sizeof answer - 1, MSG_WAITALL) > 0);
    assert_non_null(strstr(answer, "200 OK"));
    assert_non_null(strstr(answer, "did wait"));
    close(fd);
    assert_int_equal(wait_for_end(at, service), 0);
}

static void calls_that_run_are_answered_after_sigterm(void **state)
{
    calls_that_run_are_answered_after_sigterm_with(*state, "plain");
}

/* Their signal masks are not ours. */
static void threads_of_the_author_do_not_spoil_the_drain(void **state)
{
    calls_that_run_are_answered_after_sigterm_with(*state, "threads");
}

static void sigterm_while_loading_ends_it_at_once(void **state)
{
    place *at = *state;
    pid_t service = start_replica(at, "slow");
    char begun[160];
    snprintf(begun, sizeof begun, "%s.begun", at->file);
    wait_for_file(begun);
    const char *answer;
    assert_int_equal(ask(at, at->probes, "GET", "/healthz", NULL, &answer), 200);
    assert_int_equal(ask(at, at->probes, "GET", "/readyz", NULL, &answer), 503);
    assert_string_equal(answer, "starting\n");
    kill(service, SIGTERM);
    assert_int_equal(wait_for_end(at, service), -SIGTERM);
}

static void calls_wait_while_it_loads(void **state)
{
    place *at = *state;
    start_replica(at, "slow");
    int fd = begin_call(at->calls, "{\"text\": \"early\"}");
    touch(at->file);
    char answer[1024] = "";
    assert_true(recv(fd, answer, sizeof answer - 1, 0) > 0);
    assert_non_null(strstr(answer, "did early"));
    close(fd);
}

static void what_cannot_load_says_so_and_ends(void **state)
{
    place *at = *state;
    pid_t service = start_replica(at, "vain");
    assert_int_equal(wait_for_end(at, service), 1);
}

static void probes_are_answered_while_all_slots_are_busy(void **state)
{
    place *at = *state;
    start(at, "plain", at->probes_fd, at->calls_fd, "probes:calls", NULL, -1);
    wait_until_ready(at);
    int fd = begin_call(at->calls, endless);
    wait_for_answer(at, at->probes, "/metrics", "chains_in_flight{chainlet=\"worker\"} 1\n");
    assert_int_equal(ask(at, at->probes, "GET", "/healthz", NULL, NULL), 200);
    assert_int_equal(ask(at, at->probes, "GET", "/readyz", NULL, NULL), 200);
    assert_int_equal(ask(at, at->probes, "GET", "/openapi.json", NULL, NULL), 200);
    /* The second socket is for probes: a call there would run beside the one that has the slot. */
    assert_int_equal(ask(at, at->probes, "POST", "/run_remote", "{\"text\": \"x\"}", NULL), 404);
    close(fd);
}

static void a_caller_that_hangs_up_cancels(void **state)
{
    place *at = *state;
    start_replica(at, "plain");
    wait_until_ready(at);
    int fd = begin_call(at->calls, endless);
    wait_for_answer(at, at->probes, "/metrics", "chains_in_flight{chainlet=\"worker\"} 1\n");
    close(fd);
    wait_for_answer(at, at->probes, "/metrics", "status=\"CANCELLED\"} 1\n");
}

static void a_caller_that_hangs_up_calls_the_hook(void **state)
{
    place *at = *state;
    start_replica(at, "plain");
    wait_until_ready(at);
    int fd = begin_call(at->calls, "{\"text\": \"hook it\"}");
    wait_for_answer(at, at->probes, "/metrics", "chains_in_flight{chainlet=\"worker\"} 1\n");
    close(fd);
    wait_for_answer(at, at->probes, "/metrics", "status=\"CANCELLED\"} 1\n");
}

static void cancel_a_tree(place *at, const char *body)
{
    place *below = NULL;
    open_place((void **)&below);
    start_replica(below, "plain");
    setenv("CHAINS_WORKER_URL", below->calls, 1);
    start_replica(at, "relay");
    unsetenv("CHAINS_WORKER_URL");
    wait_until_ready(below);
    wait_until_ready(at);
    int fd = begin_call(at->calls, body);
    wait_for_answer(at, below->probes, "/metrics", "chains_in_flight{chainlet=\"worker\"} 1\n");
    close(fd);
    wait_for_answer(at, below->probes, "/metrics", "status=\"CANCELLED\"}");
    wait_for_answer(at, at->probes, "/metrics", "status=\"CANCELLED\"} 1\n");
    close_place((void **)&below);
}

static void a_caller_that_hangs_up_cancels_the_whole_tree(void **state)
{
    cancel_a_tree(*state, endless);
}

static void a_caller_that_hangs_up_cancels_what_is_waited_for(void **state)
{
    cancel_a_tree(*state, "{\"text\": \"gather them\"}");
}

static void an_error_shows_its_way_through_processes(void **state)
{
    place *at = *state;
    place *below = NULL;
    open_place((void **)&below);
    start_replica(below, "plain");
    setenv("CHAINS_WORKER_URL", below->calls, 1);
    start_replica(at, "relay");
    unsetenv("CHAINS_WORKER_URL");
    assert_int_equal(call(at, "fail here", NULL), CHAINS_NOT_FOUND);
    const chains_error *error = chains_last_error(at->ctx);
    assert_string_equal(error->message, "told to fail here");
    assert_int_equal(error->trace_count, 2);
    assert_string_equal(error->trace[0].message, ""); /* it only passed it on */
    assert_string_equal(error->trace[1].message, "told to fail here");
    assert_true(error->trace[0].line > 0 && error->trace[0].line < error->trace[1].line);
    const char *answer = NULL;
    assert_int_equal(call(at, "far", &answer), CHAINS_OK);
    assert_string_equal(answer, "did far");
    kill(below->processes[0], SIGKILL);
    assert_int_equal(wait_for_end(below, below->processes[0]), -SIGKILL);
    close(below->calls_fd); /* the last holder: nobody listens any more */
    below->calls_fd = -1;
    assert_int_equal(call(at, "far", &answer), CHAINS_UNAVAILABLE);
    error = chains_last_error(at->ctx);
    assert_int_equal(error->trace_count, 2);
    assert_string_equal(error->trace[0].function, "do_as_told");
    assert_non_null(strstr(error->trace[0].file, "serve_test_support.h"));
    assert_string_equal(error->trace[1].chainlet, "worker");
    assert_non_null(strstr(error->trace[1].message, "can't be reached"));
    close_place((void **)&below);
}

static void a_replica_killed_under_a_call_is_unavailable(void **state)
{
    place *at = *state;
    pid_t service = start_replica(at, "plain");
    wait_until_ready(at);
    assert_int_equal(call(at, "die now", NULL), CHAINS_UNAVAILABLE);
    assert_non_null(strstr(chains_last_error(at->ctx)->message, "may have been running"));
    assert_int_equal(wait_for_end(at, service), -SIGKILL);
}

static void retries_get_the_answer_of_another_replica(void **state)
{
    place *at = *state;
    start_replica(at, "plain");
    start(at, "plain", at->calls_fd, -1, NULL, NULL, -1);
    char text[256];
    snprintf(text, sizeof text, "die-once %s", at->file);
    at->options.retries = 1;
    const char *answer = NULL;
    assert_int_equal(call(at, text, &answer), CHAINS_OK);
    assert_non_null(strstr(answer, "did die-once"));
    unlink(at->file);
    at->options.retries = 0;
    at->options.idempotent = true; /* one resend after "maybe started" */
    start(at, "plain", at->calls_fd, -1, NULL, NULL, -1);
    assert_int_equal(call(at, text, &answer), CHAINS_OK);
}

static void one_socket_serves_both_with(place *at, const char *listen)
{
    int out[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid_t service = start(at, "plain", -1, -1, NULL, listen, out[1]);
    close(out[1]);
    char address[256] = "";
    if (!strncmp(listen, "http", 4)) {
        ssize_t size = read(out[0], address, sizeof address - 1);
        assert_true(size > 1 && address[size - 1] == '\n');
        address[size - 1] = 0;
    } else {
        strcpy(address, listen);
    }
    close(out[0]);
    wait_for_answer(at, address, "/readyz", "ready\n");
    const char *answer;
    assert_int_equal(ask(at, address, "POST", "/run_remote", "{\"text\": \"it\"}", &answer), 200);
    assert_non_null(strstr(answer, "did it"));
    char body[256];
    snprintf(body, sizeof body, "{\"text\": \"wait %s\"}", at->file);
    pid_t caller = fork();
    if (caller == 0)
        _exit(ask(at, address, "POST", "/run_remote", body, NULL) == 200 ? 0 : 1);
    wait_for_answer(at, address, "/metrics", "chains_in_flight{chainlet=\"worker\"} 1\n");
    assert_int_equal(ask(at, address, "GET", "/readyz", NULL, NULL), 200);
    touch(at->file);
    int status;
    assert_int_equal(waitpid(caller, &status, 0), caller);
    assert_int_equal(status, 0);
    kill(service, SIGTERM);
    assert_int_equal(wait_for_end(at, service), 0);
}

static void over_tcp_one_port_serves_both(void **state)
{
    one_socket_serves_both_with(*state, "http://127.0.0.1:0");
}

static void a_unix_socket_of_its_own_serves_both(void **state)
{
    place *at = *state;
    char address[128];
    snprintf(address, sizeof address, "unix:%s/own", at->folder);
    one_socket_serves_both_with(at, address);
}

static void without_a_socket_it_says_how_to_start_it(void **state)
{
    place *at = *state;
    assert_int_equal(wait_for_end(at, start(at, "plain", -1, -1, NULL, NULL, -1)), 2);
    setenv("LISTEN_PID", "1", 1); /* somebody else's sockets */
    pid_t service = start(at, "plain", at->calls_fd, -1, NULL, NULL, -1);
    unsetenv("LISTEN_PID");
    assert_int_equal(wait_for_end(at, service), 2);
    service = start(at, "plain", -1, -1, NULL, "http://127.0.0.1:notaport", -1);
    assert_int_equal(wait_for_end(at, service), 1);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return serve(argc, argv);
#define TEST(test) cmocka_unit_test_setup_teardown(test, open_place, close_place)
    const struct CMUnitTest tests[] = {
        TEST(it_serves_and_drains),
        TEST(calls_that_run_are_answered_after_sigterm),
        TEST(threads_of_the_author_do_not_spoil_the_drain),
        TEST(sigterm_while_loading_ends_it_at_once),
        TEST(calls_wait_while_it_loads),
        TEST(what_cannot_load_says_so_and_ends),
        TEST(probes_are_answered_while_all_slots_are_busy),
        TEST(a_caller_that_hangs_up_cancels),
        TEST(a_caller_that_hangs_up_calls_the_hook),
        TEST(a_caller_that_hangs_up_cancels_the_whole_tree),
        TEST(a_caller_that_hangs_up_cancels_what_is_waited_for),
        TEST(an_error_shows_its_way_through_processes),
        TEST(a_replica_killed_under_a_call_is_unavailable),
        TEST(retries_get_the_answer_of_another_replica),
        TEST(over_tcp_one_port_serves_both),
        TEST(a_unix_socket_of_its_own_serves_both),
        TEST(without_a_socket_it_says_how_to_start_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
