/* Services as processes of their own, for tests: the test's program runs itself again as a replica, and
 * main() hands its arguments to serve(). */
#ifndef CHAINSI_RUNTIME_SERVE_TEST_SUPPORT_H
#define CHAINSI_RUNTIME_SERVE_TEST_SUPPORT_H

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
    const char *concurrency = getenv("TEST_CONCURRENCY");
    worker_config.concurrency = concurrency ? atoi(concurrency) : 1;
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

CHAINS_UNUSED_ static pid_t start_replica(place *at, const char *kind)
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

CHAINS_UNUSED_ static void wait_until_ready(place *at)
{
    wait_for_answer(at, at->probes, "/readyz", "ready\n");
}

/* Sends a call of its own and leaves the connection open. */
CHAINS_UNUSED_ static int begin_call(const char *address, const char *body)
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

CHAINS_UNUSED_ static chains_status call(place *at, const char *text, const char **answer)
{
    worker_input input = { .text = text };
    void *const outputs[] = { (void *)answer, NULL };
    return chainsi_call(at->callee, at->ctx, &input, outputs, NULL);
}

#endif
