/* Services as real processes: start, probes, drain, and what callers see when one is killed. This
 * program starts itself as the service; it has no threads of its own. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "runtime/call_test_support.h"

#include "rpc/client.h"

/* ------------------------------------------------------------------------------------------------
 * the service: its worker does what the text says, "VERB PATH" */

static const char *path_in(const char *text, const char *verb)
{
    size_t size = strlen(verb);
    return !strncmp(text, verb, size) && text[size] == ' ' ? text + size + 1 : NULL;
}

static void touch(const char *path)
{
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static void wait_for_file(const char *path)
{
    while (access(path, F_OK) != 0)
        usleep(500);
}

static chainsi_callee *next_service; /* of a relay */

static void post(void *called)
{
    sem_post(called);
}

static chains_status do_as_told(chains_ctx *ctx, const worker_input *input, worker_output *output)
{
    const char *path;
    if (next_service && path_in(input->text, "gather")) {
        chains_ctx *all = chains_gather(ctx);
        worker_input endure = { .text = "endure it" };
        void *const nowhere[] = { NULL, NULL };
        for (int i = 0; i < 3; i++)
            CHAINS_TRY(chainsi_call(next_service, all, &endure, nowhere, NULL));
        return chains_wait(all);
    }
    if (next_service) {
        void *const outputs[] = { &output->text, &output->sum };
        CHAINS_TRY(chainsi_call(next_service, ctx, input, outputs, NULL));
        return CHAINS_OK;
    }
    if ((path = path_in(input->text, "die-once")) && access(path, F_OK) != 0) {
        touch(path);
        raise(SIGKILL);
    }
    if (path_in(input->text, "hook")) {
        sem_t called;
        sem_init(&called, 0, 0);
        chains_on_cancel(ctx, post, &called);
        while (sem_wait(&called) != 0)
            ;
        return chains_fail(ctx, CHAINS_CANCELLED, "called back");
    }
    if ((path = path_in(input->text, "slow-once")) && access(path, F_OK) != 0) {
        touch(path);
        while (!chains_cancelled(ctx))
            usleep(500);
        touch(chains_printf(ctx, "%s.cancelled", path));
        return chains_fail(ctx, CHAINS_CANCELLED, "enough");
    }
    while (path_in(input->text, "endure") && !chains_cancelled(ctx))
        usleep(500);
    if (path_in(input->text, "endure"))
        return chains_fail(ctx, CHAINS_CANCELLED, "enough");
    if (path_in(input->text, "fail"))
        return chains_fail(ctx, CHAINS_NOT_FOUND, "told to %s", input->text);
    if (path_in(input->text, "die"))
        raise(SIGKILL);
    if ((path = path_in(input->text, "wait")))
        wait_for_file(path);
    output->text = chains_printf(ctx, "did %s", input->text);
    return CHAINS_OK;
}

static void *sleep_for_ever(void *unused)
{
    (void)unused;
    for (;;)
        pause();
    return NULL;
}

/* As libraries do that start their threads when a model is loaded. */
static void *create_with_thread(chains_ctx *ctx, void *const dependencies[])
{
    pthread_t thread;
    pthread_create(&thread, NULL, sleep_for_ever, NULL);
    pthread_detach(thread);
    return worker_create(ctx, dependencies);
}

static void *create_slowly(chains_ctx *ctx, void *const dependencies[])
{
    const char *path = getenv("TEST_LOAD");
    touch(chains_printf(ctx, "%s.begun", path));
    wait_for_file(path);
    return worker_create(ctx, dependencies);
}

static void *create_relay(chains_ctx *ctx, void *const dependencies[])
{
    next_service = dependencies[0];
    return worker_create(ctx, dependencies);
}

static void *create_in_vain(chains_ctx *ctx, void *const dependencies[])
{
    (void)dependencies;
    chains_fail(ctx, CHAINS_FAILED_PRECONDITION, "there is no model");
    return NULL;
}

static int serve(int argc, char **argv)
{
    static const chainsi_binding to_worker[] = { { .interface = &worker_interface } };
    chainsi_implementation implementation = worker_implementation;
    chainsi_node node = { .implementation = &implementation };
    const char *kind = argv[1];
    worker_hook = do_as_told;
    worker_config.concurrency = 1;
    const char *progress_s = getenv("TEST_PROGRESS_S");
    if (progress_s)
        worker_config.progress_timeout_s = strtod(progress_s, NULL);
    const char *max_queue = getenv("TEST_MAX_QUEUE");
    if (max_queue)
        worker_config.max_queue = atoi(max_queue);
    if (!strcmp(kind, "threads"))
        implementation.create = create_with_thread;
    else if (!strcmp(kind, "slow"))
        implementation.create = create_slowly;
    else if (!strcmp(kind, "vain"))
        implementation.create = create_in_vain;
    else if (!strcmp(kind, "relay")) {
        implementation.create = create_relay;
        node.dependencies = to_worker;
        node.dependency_count = 1;
    }
    return chainsi_serve_main(&node, argc - 1, argv + 1);
}

/* ------------------------------------------------------------------------------------------------
 * the tests' side */

typedef struct place {
    char folder[64], calls[128], probes[128], file[128];
    int calls_fd, probes_fd;
    chains_ctx *ctx;
    chainsi_callee *callee;
    chains_depends_config options;
    chainsi_arena arena;
    pid_t processes[4]; /* not yet waited for */
} place;

static int listen_at(const char *address)
{
    char why[256];
    chainsi_address parsed;
    assert_true(chainsi_address_parse(address, &parsed, why, sizeof why));
    int fd = chainsi_address_listen(&parsed, 64, why, sizeof why);
    chainsi_address_done(&parsed);
    assert_true(fd >= 0);
    return fd;
}

static int open_place(void **state)
{
    place *at = calloc(1, sizeof *at);
    char why[256];
    strcpy(at->folder, "/tmp/chains-test-XXXXXX");
    assert_non_null(mkdtemp(at->folder));
    snprintf(at->calls, sizeof at->calls, "unix:%s/calls", at->folder);
    snprintf(at->probes, sizeof at->probes, "unix:%s/probes", at->folder);
    snprintf(at->file, sizeof at->file, "%s/file", at->folder);
    at->calls_fd = listen_at(at->calls);
    at->probes_fd = listen_at(at->probes);
    at->ctx = chains_open(NULL);
    at->ctx->process->generated = true;
    at->callee =
        chainsi_callee_new(at->ctx, &worker_interface, &at->options, NULL,
                           chainsi_remote_new(&worker_interface, at->calls, why, sizeof why));
    *state = at;
    return 0;
}

/* The exit status, or minus the signal that ended it. */
static int wait_for_end(place *at, pid_t process)
{
    int status;
    assert_int_equal(waitpid(process, &status, 0), process);
    for (int i = 0; i < 4; i++)
        if (at->processes[i] == process)
            at->processes[i] = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int close_place(void **state)
{
    place *at = *state;
    for (int i = 0; i < 4; i++) {
        if (at->processes[i]) {
            kill(at->processes[i], SIGKILL);
            waitpid(at->processes[i], NULL, 0);
        }
    }
    chainsi_callee_done(at->callee);
    chains_close(at->ctx);
    chainsi_arena_done(&at->arena);
    close(at->calls_fd);
    close(at->probes_fd);
    char command[160];
    snprintf(command, sizeof command, "rm -r '%s'", at->folder);
    assert_int_equal(system(command), 0);
    free(at);
    return 0;
}

/* Starts a service of this kind with these sockets as LISTEN_FDS (-1: none); its stdout goes to out
 * if that is not -1. */
static pid_t start(place *at, const char *kind, int first_fd, int second_fd, const char *names,
                   const char *listen, int out)
{
    fflush(NULL);
    pid_t process = fork();
    assert_true(process >= 0);
    if (process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing is left of a test that fails */
        int count = (first_fd >= 0) + (second_fd >= 0);
        if (out >= 0)
            dup2(out, STDOUT_FILENO);
        /* Out of the way first: the numbers may be each other's. */
        int first = fcntl(first_fd, F_DUPFD, 100), second = fcntl(second_fd, F_DUPFD, 100);
        if (first >= 0)
            dup2(first, 3), close(first);
        if (second >= 0)
            dup2(second, 4), close(second);
        char number[8];
        snprintf(number, sizeof number, "%d", count);
        if (count)
            setenv("LISTEN_FDS", number, 1);
        if (names)
            setenv("LISTEN_FDNAMES", names, 1);
        setenv("TEST_LOAD", at->file, 1);
        execl("/proc/self/exe", "runtime_serve_test", kind, listen ? "--listen" : NULL, listen,
              (char *)NULL);
        _exit(127);
    }
    int i = 0;
    while (at->processes[i])
        i++;
    at->processes[i] = process;
    return process;
}

static pid_t start_replica(place *at, const char *kind)
{
    return start(at, kind, at->calls_fd, at->probes_fd, "calls:probes", NULL, -1);
}

/* One request; 0 when nobody answers. The body is the arena's. */
static int ask(place *at, const char *address, const char *method, const char *path,
               const char *body, const char **answer)
{
    char why[256];
    chainsi_client *client = chainsi_client_new(address, why, sizeof why);
    assert_non_null(client);
    chainsi_client_request request = {
        .method = method,
        .path = path,
        .body = body,
        .body_size = body ? strlen(body) : 0,
        .deadline_ns = chainsi_deadline_after_ms(chainsi_now_ns(), 20000),
    };
    chainsi_client_response response;
    chainsi_exchange_end end =
        chainsi_client_exchange(client, &request, &at->arena, &response, why, sizeof why);
    chainsi_client_free(client);
    if (end != CHAINSI_EXCHANGE_ANSWERED)
        return 0;
    if (answer)
        *answer = response.body;
    return response.status;
}

/* Waits until GET path of the address answers with this text in its body. */
static void wait_for_answer(place *at, const char *address, const char *path, const char *text)
{
    const char *body = "";
    for (int i = 0; i < 1000; i++) {
        if (ask(at, address, "GET", path, NULL, &body) && strstr(body, text))
            return;
        chainsi_arena_reset(&at->arena);
        usleep(10000);
    }
    fail_msg("%s of %s never said %s", path, address, text);
}

static void wait_until_ready(place *at)
{
    wait_for_answer(at, at->probes, "/readyz", "ready\n");
}

/* Sends a call of its own and leaves the connection open. */
static int begin_call(const char *address, const char *body)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    strcpy(name.sun_path, address + strlen("unix:"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
    char text[512];
    int size = snprintf(text, sizeof text,
                        "POST /run_remote HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
                        strlen(body), body);
    assert_int_equal(send(fd, text, (size_t)size, MSG_NOSIGNAL), size);
    return fd;
}

static const char endless[] = "{\"text\": \"endure it\"}";

static chains_status call(place *at, const char *text, const char **answer)
{
    worker_input input = { .text = text };
    void *const outputs[] = { (void *)answer, NULL };
    return chainsi_call(at->callee, at->ctx, &input, outputs, NULL);
}

/* ------------------------------------------------------------------------------------------------
 */

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
    /* Who only waits for it is well. */
    assert_int_equal(ask(at, at->probes, "GET", "/readyz", NULL, NULL), 200);
    close(fd);
    wait_until_ready(below);
    close_place((void **)&below);
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
    assert_non_null(strstr(error->trace[0].file, "serve_test.c"));
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
        TEST(calls_that_stand_still_make_a_replica_unready),
        TEST(a_caller_that_hangs_up_cancels),
        TEST(a_caller_that_hangs_up_calls_the_hook),
        TEST(a_call_whose_caller_left_the_queue_is_not_run),
        TEST(a_caller_that_hangs_up_cancels_the_whole_tree),
        TEST(a_caller_that_hangs_up_cancels_what_is_waited_for),
        TEST(an_error_shows_its_way_through_processes),
        TEST(a_replica_killed_under_a_call_is_unavailable),
        TEST(retries_get_the_answer_of_another_replica),
        TEST(a_late_call_is_made_again_elsewhere),
        TEST(only_what_may_be_is_hedged),
        TEST(a_full_queue_is_resource_exhausted),
        TEST(a_service_by_itself_lets_max_queue_calls_wait),
        TEST(over_tcp_one_port_serves_both),
        TEST(a_unix_socket_of_its_own_serves_both),
        TEST(without_a_socket_it_says_how_to_start_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
