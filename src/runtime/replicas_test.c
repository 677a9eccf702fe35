/* Calls to replicas on ports of their own, each a process: found in a list or by a name, killed, and drained. */
#include <netinet/in.h>

#include "runtime/serve_test_support.h"

#include "rpc/grants.h"

enum { REPLICAS = 2, SLOTS = 4 };

/* Some replicas and who calls them. */
typedef struct several {
    place *at;
    pid_t replicas[REPLICAS];
    char addresses[REPLICAS][64];
    chainsi_callee *callee;
} several;

/* Reads the address that a service says. */
static void read_line(int fd, char *text, size_t size)
{
    size_t have = 0;
    while (have < size - 1 && read(fd, text + have, 1) == 1 && text[have] != '\n')
        have++;
    text[have] = 0;
}

static void start_one(several *all, int i)
{
    int said[2];
    assert_int_equal(pipe2(said, O_CLOEXEC), 0);
    all->replicas[i] = start(all->at, "plain", -1, -1, NULL, "http://127.0.0.1:0", said[1]);
    close(said[1]);
    read_line(said[0], all->addresses[i], sizeof all->addresses[i]);
    close(said[0]);
    wait_for_answer(all->at, all->addresses[i], "/readyz", "ready\n");
}

static chainsi_callee *new_callee(several *all, const char *address)
{
    char why[256];
    chainsi_remote *remote = chainsi_remote_new(&worker_interface, address, why, sizeof why);
    if (!remote)
        fail_msg("%s", why);
    return chainsi_callee_new(all->at->ctx, &worker_interface, &all->at->options, NULL, remote);
}

static void start_several(several *all, place *at)
{
    *all = (several){ .at = at };
    char number[8], list[256];
    snprintf(number, sizeof number, "%d", SLOTS);
    setenv("TEST_CONCURRENCY", number, 1);
    for (int i = 0; i < REPLICAS; i++)
        start_one(all, i);
    unsetenv("TEST_CONCURRENCY");
    snprintf(list, sizeof list, "%s,%s", all->addresses[0], all->addresses[1]);
    all->callee = new_callee(all, list);
}

static chains_status call_with(chainsi_callee *callee, chains_ctx *ctx, const char *text,
                               const char **answer)
{
    worker_input input = { .text = text };
    void *const outputs[] = { (void *)answer, NULL };
    return chainsi_call(callee, ctx, &input, outputs, NULL);
}

/* How many calls a replica has run. */
static int count_run(several *all, int i)
{
    const char *body = "", name[] = "chains_run_seconds_count{chainlet=\"worker\"} ";
    assert_int_equal(ask(all->at, all->addresses[i], "GET", "/metrics", NULL, &body), 200);
    const char *found = strstr(body, name);
    assert_non_null(found);
    return atoi(found + strlen(name));
}

static void wait_for_running(several *all, int i, int running)
{
    char text[80];
    snprintf(text, sizeof text, "chains_in_flight{chainlet=\"worker\"} %d\n", running);
    wait_for_answer(all->at, all->addresses[i], "/metrics", text);
}

static void a_gather_larger_than_all_slots_and_queues(void **state)
{
    enum { CALLS = 300 };
    several all;
    start_several(&all, *state);
    const char *answers[CALLS];
    char texts[CALLS][16], expected[32];
    chains_ctx *gather = chains_gather(all.at->ctx);
    for (int i = 0; i < CALLS; i++) {
        snprintf(texts[i], sizeof texts[i], "say %d", i);
        assert_int_equal(call_with(all.callee, gather, texts[i], &answers[i]), CHAINS_OK);
    }
    assert_int_equal(chains_wait(gather), CHAINS_OK);
    for (int i = 0; i < CALLS; i++) {
        snprintf(expected, sizeof expected, "did say %d", i);
        assert_string_equal(answers[i], expected);
    }
    int first = count_run(&all, 0), second = count_run(&all, 1);
    assert_int_equal(first + second, CALLS);
    assert_true(first > 0 && second > 0);
    chainsi_callee_done(all.callee);
}

/* Every slot of both is taken by calls that are started together, and no more than that. */
static void each_slot_runs_one_call(void **state)
{
    enum { CALLS = REPLICAS * SLOTS };
    several all;
    start_several(&all, *state);
    char text[160];
    snprintf(text, sizeof text, "wait %s", all.at->file);
    chains_ctx *gather = chains_gather(all.at->ctx);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(call_with(all.callee, gather, text, NULL), CHAINS_OK);
    for (int i = 0; i < REPLICAS; i++)
        wait_for_running(&all, i, SLOTS);
    touch(all.at->file);
    assert_int_equal(chains_wait(gather), CHAINS_OK);
    chainsi_callee_done(all.callee);
}

static void a_killed_replica_is_left_alone(void **state)
{
    several all;
    start_several(&all, *state);
    char text[160];
    const char *answer = NULL;
    /* It runs in one, which dies: nobody knows how far it came, and only `.retries` make it again. */
    snprintf(text, sizeof text, "die-once %s", all.at->file);
    assert_int_equal(call_with(all.callee, all.at->ctx, text, &answer), CHAINS_UNAVAILABLE);
    assert_int_equal(access(all.at->file, F_OK), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(call_with(all.callee, all.at->ctx, "go on", &answer), CHAINS_OK);
    assert_string_equal(answer, "did go on");
    unlink(all.at->file);
    /* The other one dies as well: what may be made again finds that there is none. */
    all.at->options.retries = 2;
    assert_int_equal(call_with(all.callee, all.at->ctx, text, &answer), CHAINS_UNAVAILABLE);
    all.at->options.retries = 0;
    chainsi_callee_done(all.callee);
}

static void nothing_is_lost_when_a_replica_drains(void **state)
{
    enum { ROUNDS = 4, CALLS = 100 };
    several all;
    start_several(&all, *state);
    for (int round = 0; round < ROUNDS; round++) {
        chains_ctx *gather = chains_gather(all.at->ctx);
        for (int i = 0; i < CALLS; i++)
            assert_int_equal(call_with(all.callee, gather, "go on", NULL), CHAINS_OK);
        if (round == 1) /* while it runs some of them */
            kill(all.replicas[0], SIGTERM);
        assert_int_equal(chains_wait(gather), CHAINS_OK);
    }
    assert_int_equal(wait_for_end(all.at, all.replicas[0]), 0);
    chainsi_callee_done(all.callee);
}

static void a_replica_is_found_by_its_name(void **state)
{
    several all;
    start_several(&all, *state);
    char named[64];
    const char *answer = NULL;
    snprintf(named, sizeof named, "http://localhost%s", strrchr(all.addresses[0], ':'));
    chainsi_callee *callee = new_callee(&all, named);
    for (int i = 0; i < 3; i++)
        assert_int_equal(call_with(callee, all.at->ctx, "go on", &answer), CHAINS_OK);
    assert_string_equal(answer, "did go on");
    assert_int_equal(count_run(&all, 0), 3);
    chainsi_callee_done(callee);
    callee = new_callee(&all, "http://nobody.invalid:1");
    assert_int_equal(call_with(callee, all.at->ctx, "go on", &answer), CHAINS_UNAVAILABLE);
    assert_non_null(strstr(chains_last_error(all.at->ctx)->message, "'nobody.invalid'"));
    chainsi_callee_done(callee);
    chainsi_callee_done(all.callee);
}

/* A proxy that says what the one replica behind it says, that it has one slot, and could start more of them for calls that
 * it sees. It answers the first call, and then none before it has got this many at once. */
enum { AT_ONCE = 3 };

/* Reads a request to the end of its head, which a call of ours leaves with its body. */
static void read_call(int fd, char *text, size_t size)
{
    size_t have = 0;
    ssize_t got = 1;
    while (got > 0 && have < size - 1 && !memmem(text, have, "\r\n\r\n", 4)) {
        got = read(fd, text + have, size - 1 - have);
        have += got > 0 ? (size_t)got : 0;
    }
    text[have] = 0;
}

static void answer_call(int fd)
{
    static const char body[] = "{\"text\":\"passed on\",\"sum\":1}";
    char text[256];
    int size =
        snprintf(text, sizeof text,
                 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Chains-Slots: 0/1\r\n"
                 "Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
                 strlen(body), body);
    if (write(fd, text, (size_t)size) != size)
        abort();
    close(fd);
}

/* How many of the calls asked not to wait. */
static void *be_proxy(void *listener)
{
    char text[4096];
    int calls[AT_ONCE];
    intptr_t refusing = 0;
    const int fd = *(const int *)listener;
    for (int round = 0; round < 2; round++) {
        const int count = round ? AT_ONCE : 1;
        for (int i = 0; i < count; i++) {
            calls[i] = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
            read_call(calls[i], text, sizeof text);
            refusing += strstr(text, CHAINSI_GRANTS_REFUSE) != NULL;
        }
        for (int i = 0; i < count; i++)
            answer_call(calls[i]);
    }
    return (void *)refusing;
}

static void a_proxy_sees_all_calls_at_once(void **state)
{
    place *at = *state;
    struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof own;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&own, size), 0);
    assert_int_equal(listen(listener, AT_ONCE), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&own, &size), 0);
    char address[64], why[256];
    snprintf(address, sizeof address, "http://localhost:%d", ntohs(own.sin_port));
    pthread_t proxy;
    assert_int_equal(pthread_create(&proxy, NULL, be_proxy, &listener), 0);
    setenv("CHAINS_BALANCE", "proxy", 1);
    chainsi_remote *remote = chainsi_remote_new(&worker_interface, address, why, sizeof why);
    unsetenv("CHAINS_BALANCE");
    assert_non_null(remote);
    assert_false(chainsi_remote_has_replicas(remote));
    chainsi_callee *callee =
        chainsi_callee_new(at->ctx, &worker_interface, &at->options, NULL, remote);
    const char *answer;
    assert_int_equal(call_with(callee, at->ctx, "go on", &answer), CHAINS_OK);
    chains_ctx *gather = chains_gather(at->ctx);
    for (int i = 0; i < AT_ONCE; i++)
        assert_int_equal(call_with(callee, gather, "go on", &answer), CHAINS_OK);
    assert_int_equal(chains_wait(gather), CHAINS_OK);
    assert_string_equal(answer, "passed on");
    void *refusing;
    assert_int_equal(pthread_join(proxy, &refusing), 0);
    assert_null(refusing);
    close(listener);
    chainsi_callee_done(callee);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return serve(argc, argv);
#define TEST(function) cmocka_unit_test_setup_teardown(function, open_place, close_place)
    const struct CMUnitTest tests[] = {
        TEST(a_gather_larger_than_all_slots_and_queues),
        TEST(each_slot_runs_one_call),
        TEST(a_killed_replica_is_left_alone),
        TEST(nothing_is_lost_when_a_replica_drains),
        TEST(a_replica_is_found_by_its_name),
        TEST(a_proxy_sees_all_calls_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
