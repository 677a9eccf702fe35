/* Services that get more calls than they can run, or that are late or stand still. */
#include "runtime/serve_test_support.h"

static void calls_that_stand_still_make_a_replica_unready(void **state)
{
    place *at = *state;
    place *below = NULL;
    open_place((void **)&below);
    setenv("TEST_PROGRESS_S", "0.1", 1);
    start_replica(below, "plain");
    setenv("CHAINS_WORKER_URL", below->calls, 1);
    start_replica(at, "relay");
    unsetenv("CHAINS_WORKER_URL");
    unsetenv("TEST_PROGRESS_S");
    wait_until_ready(below);
    wait_until_ready(at);
    int fd = begin_call(at->calls, endless);
    wait_for_answer(below, below->probes, "/readyz", "stalled: 1 call runs, and nothing has ended");
    assert_int_equal(ask(below, below->probes, "GET", "/readyz", NULL, NULL), 503);
    assert_int_equal(ask(below, below->probes, "GET", "/healthz", NULL, NULL), 200);
    assert_int_equal(ask(below, below->probes, "GET", "/livez", NULL, NULL), 503);
    assert_int_equal(ask(at, at->probes, "GET", "/livez", NULL, NULL), 200);
    /* Who only waits for it is well. */
    assert_int_equal(ask(at, at->probes, "GET", "/readyz", NULL, NULL), 200);
    close(fd);
    wait_until_ready(below);
    close_place((void **)&below);
}

static void a_call_whose_caller_left_the_queue_is_not_run(void **state)
{
    place *at = *state;
    start_replica(at, "plain");
    wait_until_ready(at);
    char body[256];
    snprintf(body, sizeof body, "{\"text\": \"wait %s\"}", at->file);
    int first = begin_call(at->calls, body);
    wait_for_answer(at, at->probes, "/metrics", "chains_in_flight{chainlet=\"worker\"} 1\n");
    close(begin_call(at->calls, "{\"text\": \"never\"}"));
    touch(at->file);
    wait_for_answer(at, at->probes, "/metrics", "status=\"CANCELLED\"} 1\n");
    wait_for_answer(at, at->probes, "/metrics",
                    "chains_run_seconds_count{chainlet=\"worker\"} 1\n");
    close(first);
}

static int count_waiting(place *at, const char *address)
{
    const char *body = "", name[] = "chains_waiting{chainlet=\"worker\"} ";
    assert_int_equal(ask(at, address, "GET", "/metrics", NULL, &body), 200);
    const char *found = strstr(body, name);
    assert_non_null(found);
    return atoi(found + strlen(name));
}

/* A call of a process of its own, which ends with 0 if it is answered well. */
static pid_t fork_call(place *at, const char *address, const char *body)
{
    pid_t caller = fork();
    if (caller == 0)
        _exit(ask(at, address, "POST", "/run_remote", body, NULL) == 200 ? 0 : 1);
    return caller;
}

static void a_call_that_gave_up_in_the_queue_is_not_run(void **state)
{
    place *at = *state;
    start_replica(at, "plain");
    wait_until_ready(at);
    int fd = begin_call(at->calls, endless);
    wait_for_answer(at, at->probes, "/metrics", "chains_in_flight{chainlet=\"worker\"} 1\n");
    at->options.timeout_ms = 50;
    assert_int_equal(call(at, "x", NULL), CHAINS_DEADLINE_EXCEEDED);
    close(fd);
    at->options.timeout_ms = 0;
    assert_int_equal(call(at, "y", NULL), CHAINS_OK);
    wait_for_answer(at, at->probes, "/metrics",
                    "chains_run_seconds_count{chainlet=\"worker\"} 2\n");
}

/* A caller that stays, and whose deadline passes while its call waits in the process. */
static void a_call_whose_deadline_passed_in_the_queue_is_not_run(void **state)
{
    place *at = *state;
    char address[256], body[256];
    snprintf(address, sizeof address, "%s.own", at->calls);
    pid_t service = start(at, "plain", -1, -1, NULL, address, -1);
    wait_for_answer(at, address, "/readyz", "ready\n");
    snprintf(body, sizeof body, "{\"text\": \"wait %s\"}", at->file);
    pid_t caller = fork_call(at, address, body);
    wait_for_answer(at, address, "/metrics", "chains_in_flight{chainlet=\"worker\"} 1\n");
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    strcpy(name.sun_path, address + strlen("unix:"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
    static const char request[] = "POST /run_remote HTTP/1.1\r\nHost: x\r\n"
                                  "X-Chains-Timeout-Ms: 20\r\nContent-Length: 13\r\n\r\n"
                                  "{\"text\": \"x\"}";
    assert_int_equal(write(fd, request, sizeof request - 1), sizeof request - 1);
    while (count_waiting(at, address) < 1)
        usleep(1000);
    int64_t passed_ns = chainsi_now_ns() + 20 * CHAINSI_NS_PER_MS;
    while (chainsi_now_ns() < passed_ns)
        usleep(1000);
    touch(at->file);
    char answer[4096] = "";
    size_t size = 0;
    for (ssize_t got; !strstr(answer, "DEADLINE_EXCEEDED") && size < sizeof answer - 1 &&
                      (got = read(fd, answer + size, sizeof answer - 1 - size)) > 0;)
        size += (size_t)got;
    assert_non_null(strstr(answer, "HTTP/1.1 504"));
    assert_non_null(strstr(answer, "the deadline had passed before the call began"));
    wait_for_answer(at, address, "/metrics", "chains_run_seconds_count{chainlet=\"worker\"} 1\n");
    close(fd);
    int status;
    assert_int_equal(waitpid(caller, &status, 0), caller);
    assert_int_equal(status, 0);
    kill(service, SIGTERM);
    assert_int_equal(wait_for_end(at, service), 0);
    unlink(address + strlen("unix:"));
}

static void a_late_call_is_made_again_elsewhere(void **state)
{
    place *at = *state;
    start_replica(at, "plain");
    start(at, "plain", at->calls_fd, -1, NULL, NULL, -1);
    char text[256], cancelled[256];
    snprintf(text, sizeof text, "slow-once %s", at->file);
    snprintf(cancelled, sizeof cancelled, "%s.cancelled", at->file);
    at->options.hedge_ms = 20;
    at->options.idempotent = true;
    const char *answer = NULL;
    assert_int_equal(call(at, text, &answer), CHAINS_OK);
    assert_non_null(strstr(answer, "did slow-once"));
    wait_for_file(cancelled); /* the late one was told to stop */
    unlink(at->file);
    unlink(cancelled);
    /* Started, as well. */
    worker_input input = { .text = text };
    void *const outputs[] = { &answer, NULL };
    answer = NULL;
    chains_ctx *all = chains_gather(at->ctx);
    assert_int_equal(chainsi_call(at->callee, all, &input, outputs, NULL), CHAINS_OK);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    assert_non_null(strstr(answer, "did slow-once"));
    wait_for_file(cancelled);
    unlink(cancelled);
}

static void only_what_may_be_is_hedged(void **state)
{
    place *at = *state;
    start_replica(at, "plain");
    start(at, "plain", at->calls_fd, -1, NULL, NULL, -1);
    char text[256], cancelled[256];
    snprintf(text, sizeof text, "slow-once %s", at->file);
    snprintf(cancelled, sizeof cancelled, "%s.cancelled", at->file);
    at->options.hedge_ms = 20;
    at->options.timeout_ms = 200;
    assert_int_equal(call(at, text, NULL), CHAINS_DEADLINE_EXCEEDED); /* not .idempotent */
    wait_for_file(cancelled);
    unlink(at->file);
    unlink(cancelled);
    at->options.idempotent = true;
    atomic_store(&at->callee->budget.balance, 0); /* no budget */
    assert_int_equal(call(at, text, NULL), CHAINS_DEADLINE_EXCEEDED);
    wait_for_file(cancelled);
    unlink(cancelled);
}

static void a_full_queue_is_resource_exhausted(void **state)
{
    place *at = *state;
    assert_int_equal(listen(at->calls_fd, 0), 0); /* and nobody accepts */
    int first = begin_call(at->calls, endless);
    assert_int_equal(call(at, "x", NULL), CHAINS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(chains_last_error(at->ctx)->message, "queue"));
    close(first);
}

/* A full queue asks for a second, as a service's 429 does: a caller that hasn't got that tries no more. */
static void a_full_queue_is_left_alone_for_a_while(void **state)
{
    place *at = *state;
    worker_input input = { .text = "x" };
    void *const outputs[] = { NULL, NULL };
    chainsi_buffer told = { 0 };
    assert_int_equal(listen(at->calls_fd, 0), 0); /* and nobody accepts */
    int first = begin_call(at->calls, endless);
    at->options.retries = 3;
    at->ctx->deadline_ns = chainsi_now_ns() + CHAINSI_RETRY_AFTER_S * 1000 * CHAINSI_NS_PER_MS;
    for (int started = 0; started < 2; started++) {
        chains_ctx *ctx = started ? chains_gather(at->ctx) : at->ctx;
        chains_status status = chainsi_call(at->callee, ctx, &input, outputs, NULL);
        assert_int_equal(started ? chains_wait(ctx) : status, CHAINS_RESOURCE_EXHAUSTED);
        told.size = 0;
        chainsi_edges_write(&told);
        chainsi_buffer_add_byte(&told, 0);
        const char *retries = strstr((const char *)told.data, "\nchains_dependency_retries_total{");
        assert_non_null(retries);
        assert_int_equal(atoi(strchr(retries, '}') + 1), 0);
    }
    chainsi_buffer_done(&told);
    close(first);
}

static void a_service_by_itself_lets_max_queue_calls_wait(void **state)
{
    place *at = *state;
    char address[256], body[256];
    snprintf(address, sizeof address, "%s.own", at->calls);
    setenv("TEST_MAX_QUEUE", "2", 1);
    pid_t service = start(at, "plain", -1, -1, NULL, address, -1);
    unsetenv("TEST_MAX_QUEUE");
    wait_for_answer(at, address, "/readyz", "ready\n");
    snprintf(body, sizeof body, "{\"text\": \"wait %s\"}", at->file);
    pid_t callers[3];
    callers[0] = fork_call(at, address, body);
    wait_for_answer(at, address, "/metrics", "chains_in_flight{chainlet=\"worker\"} 1\n");
    for (int i = 1; i < 3; i++) {
        callers[i] = fork_call(at, address, body);
        while (count_waiting(at, address) < i)
            usleep(1000);
    }
    const char *answer = NULL;
    assert_int_equal(ask(at, address, "POST", "/run_remote", body, &answer), 429);
    assert_non_null(strstr(answer, "RESOURCE_EXHAUSTED"));
    touch(at->file);
    for (int i = 0; i < 3; i++) {
        int status;
        assert_int_equal(waitpid(callers[i], &status, 0), callers[i]);
        assert_int_equal(status, 0);
    }
    kill(service, SIGTERM);
    assert_int_equal(wait_for_end(at, service), 0);
    unlink(address + strlen("unix:"));
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return serve(argc, argv);
#define TEST(test) cmocka_unit_test_setup_teardown(test, open_place, close_place)
    const struct CMUnitTest tests[] = {
        TEST(calls_that_stand_still_make_a_replica_unready),
        TEST(a_call_whose_caller_left_the_queue_is_not_run),
        TEST(a_call_that_gave_up_in_the_queue_is_not_run),
        TEST(a_call_whose_deadline_passed_in_the_queue_is_not_run),
        TEST(a_late_call_is_made_again_elsewhere),
        TEST(only_what_may_be_is_hedged),
        TEST(a_full_queue_is_resource_exhausted),
        TEST(a_full_queue_is_left_alone_for_a_while),
        TEST(a_service_by_itself_lets_max_queue_calls_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
