/* What surrounds a Chainlet: secrets through a descriptor or a folder, assets, the environment, the log,
 * metrics, and Chainlets that a program makes by itself. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "runtime/call_test_support.h"
#include "runtime/input.h"
#include "runtime/metrics.h"

/* Runs body in a child whose stderr comes back in text; the exit status. */
static int run_apart(int (*body)(void), char *text, size_t size)
{
    int out[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(out[1], STDERR_FILENO);
        _exit(body());
    }
    close(out[1]);
    size_t used = 0;
    ssize_t got;
    while (used < size - 1 && (got = read(out[0], text + used, size - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = 0;
    close(out[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void pass_secrets(const char *json)
{
    int fd = memfd_create("secrets", 0);
    char number[16];
    snprintf(number, sizeof number, "%d", fd);
    setenv("CHAINS_SECRETS_FD", number, 1);
    if (write(fd, json, strlen(json)) != (ssize_t)strlen(json))
        _exit(99);
}

static bool is(const char *text, const char *expected)
{
    return text && !strcmp(text, expected);
}

static int read_secrets_twice(void)
{
    pass_secrets("{\"token\": \"t\\u00f6p\", \"other\": \"\"}");
    int fd = atoi(getenv("CHAINS_SECRETS_FD"));
    for (int i = 0; i < 2; i++) {
        chains_ctx *ctx = chains_open(NULL);
        if (!is(chains_secret(ctx, "token"), "töp") || !is(chains_secret(ctx, "other"), "") ||
            chains_secret(ctx, "absent"))
            return 1;
        if (chains_last_error(ctx)->status != CHAINS_FAILED_PRECONDITION)
            return 2;
        chains_close(ctx);
        if (getenv("CHAINS_SECRETS_FD") || fcntl(fd, F_GETFD) >= 0)
            return 3; /* nothing is left for children */
    }
    chains_secret_value own[] = { { "token", "mine" }, { 0 } };
    chains_ctx *ctx = chains_open(&(chains_options){ .secrets = own });
    if (!is(chains_secret(ctx, "token"), "mine"))
        return 4;
    chains_close(ctx);
    return 0;
}

static void secrets_come_through_a_descriptor(void **state)
{
    (void)state;
    char text[4096];
    assert_int_equal(run_apart(read_secrets_twice, text, sizeof text), 0);
}

static const char *bad_secrets;

static int read_bad_secrets(void)
{
    if (*bad_secrets == '{' || *bad_secrets == '[')
        pass_secrets(bad_secrets);
    else
        setenv("CHAINS_SECRETS_FD", bad_secrets, 1);
    chains_close(chains_open(NULL));
    return 0;
}

static void secrets_that_cannot_be_read_end_the_program(void **state)
{
    (void)state;
    static const char *const bad[] = { "abc", "-1",  "7x",         "99999999999",
                                       "250", "[1]", "{\"a\": 1}", "{\"hidden-value" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[4096];
        bad_secrets = bad[i];
        assert_int_equal(run_apart(read_bad_secrets, text, sizeof text), 2);
        assert_non_null(strstr(text, "CHAINS_SECRETS_FD"));
        assert_null(strstr(text, "hidden-value"));
    }
}

static const char *secret_folder;

static void write_secret(const char *name, const char *value, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", secret_folder, name);
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, value, size) == (ssize_t)size);
    close(fd);
}

static int read_secrets_of_a_folder(void)
{
    setenv("CHAINS_SECRETS_DIR", secret_folder, 1);
    for (int i = 0; i < 2; i++) {
        chains_ctx *ctx = chains_open(NULL);
        if (!is(chains_secret(ctx, "token"), "töp\n") || !is(chains_secret(ctx, "other"), "") ||
            chains_secret(ctx, "..data") || chains_secret(ctx, "absent"))
            return 1;
        chains_close(ctx);
    }
    return 0;
}

/* As Kubernetes mounts them: each a link, beside folders that begin with a dot. */
static void secrets_come_through_a_folder(void **state)
{
    (void)state;
    char folder[] = "/tmp/chains-test-XXXXXX", path[64], text[4096];
    secret_folder = mkdtemp(folder);
    assert_non_null(secret_folder);
    write_secret(".token", "töp\n", strlen("töp\n"));
    write_secret("other", "", 0);
    snprintf(path, sizeof path, "%s/token", folder);
    assert_int_equal(symlink(".token", path), 0);
    assert_int_equal(run_apart(read_secrets_of_a_folder, text, sizeof text), 0);

    write_secret("other", "hidden-value\0", sizeof "hidden-value");
    assert_int_equal(run_apart(read_secrets_of_a_folder, text, sizeof text), 2);
    assert_non_null(strstr(text, "other can't be read, or is no text"));
    assert_null(strstr(text, "hidden-value"));
    unlink(path);
    assert_int_equal(symlink("nowhere", path), 0);
    write_secret("other", "", 0);
    assert_int_equal(run_apart(read_secrets_of_a_folder, text, sizeof text), 2);
    assert_non_null(strstr(text, "token can't be read"));

    unlink(path);
    static const char *const names[] = { ".token", "other" };
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
    assert_int_equal(run_apart(read_secrets_of_a_folder, text, sizeof text), 2);
    assert_non_null(strstr(text, "No such file"));
}

static void the_environment_is_copied(void **state)
{
    (void)state;
    setenv("CHAINS_ENVIRONMENT", "staging", 1);
    chains_ctx *ctx = chains_open(NULL);
    setenv("CHAINS_ENVIRONMENT", "changed by the program meanwhile", 1);
    assert_string_equal(chains_environment(ctx), "staging");
    chains_close(ctx);
    unsetenv("CHAINS_ENVIRONMENT");
    ctx = chains_open(NULL);
    assert_string_equal(chains_environment(ctx), "local");
    assert_string_equal(chains_request_id(ctx), "");
    chains_close(ctx);
}

static void assets_are_given_to_who_names_them(void **state)
{
    (void)state;
    static chains_config config = { .assets = { { .path = "model.bin" }, { .path = "none" } } };
    char folder[] = "/tmp/chains-test-XXXXXX", file[64];
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/model.bin", folder);
    close(open(file, O_CREAT | O_WRONLY, 0600));
    chains_ctx *ctx = chains_open(&(chains_options){ .assets_dir = folder });
    ctx->config = &config;
    ctx->chainlet = "worker";
    assert_string_equal(chains_asset(ctx, "model.bin"), file);
    assert_null(chains_asset(ctx, "none"));
    assert_int_equal(chains_last_error(ctx)->status, CHAINS_NOT_FOUND);
    assert_null(chains_asset(ctx, "../etc/passwd"));
    assert_int_equal(chains_last_error(ctx)->status, CHAINS_PERMISSION_DENIED);
    chains_close(ctx);
    unlink(file);
    rmdir(folder);
}

/* ------------------------------------------------------------------------------------------------
 * the log */

static int write_log(void)
{
    chains_ctx *ctx = chains_open(&(chains_options){ .log_level = CHAINS_INFO });
    ctx->chainlet = "worker";
    ctx->request_id = "r-1";
    chains_log(ctx, CHAINS_DEBUG, "not shown");
    chains_log(ctx, CHAINS_INFO, "one\ntwo\r\t\x1b[31m\x7f %d", 42);
    chains_log(ctx, CHAINS_WARNING,
               "\xc2\x9b"
               "31m caf\xc3\xa9");
    chains_log(ctx, (chains_log_level)77, "%s", "");
    char *long_text = malloc(100001);
    memset(long_text, 'y', 100000);
    long_text[100000] = 0;
    chains_log(ctx, CHAINS_ERROR, "%s|", long_text);
    free(long_text);
    chains_close(ctx);
    return 0;
}

static void a_message_is_one_line(void **state)
{
    (void)state;
    static char text[200000];
    assert_int_equal(run_apart(write_log, text, sizeof text), 0);
    assert_null(strstr(text, "not shown"));
    assert_non_null(strstr(text, "Z INFO    worker [r-1] one\\ntwo\\x0d\t\\x1b[31m\\x7f 42\n"));
    assert_non_null(strstr(text, "Z WARNING worker [r-1] \\x9b31m café\n"));
    assert_non_null(strstr(text, "Z ERROR   worker [r-1] \n"));
    assert_non_null(strstr(text, "yyy|\n"));
    int lines = 0;
    for (const char *at = text; *at; at++)
        lines += *at == '\n';
    assert_int_equal(lines, 4);
}

static void errors_reach_a_terminal_without_what_steers_it(void **state)
{
    (void)state;
    chains_trace_entry trace[] = {
        { "outer", "run", "a.c", 1, "" },
        { "inner", "f\x1b]", "b.c", 2, "a\nb \xc2\x9b" },
    };
    chains_error error = { CHAINS_ABORTED, "x\x1b[2J", NULL, trace, 2 };
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    chainsi_error_print(&error, out);
    fclose(out);
    assert_string_equal(text, "error: ABORTED: x [2J\n"
                              "  outer: run (a.c:1)\n"
                              "  inner: f ] (b.c:2): a b  \n");
    free(text);
}

/* ------------------------------------------------------------------------------------------------
 * metrics */

static void metrics_are_prometheus_text(void **state)
{
    (void)state;
    chainsi_metrics metrics = CHAINSI_METRICS;
    chainsi_metrics_count(&metrics, CHAINS_OK, 10000);             /* in the first bucket still */
    chainsi_metrics_count(&metrics, CHAINS_OK, 10001);             /* in the second */
    chainsi_metrics_count(&metrics, CHAINS_ABORTED, 600000000000); /* beyond all */
    chainsi_metrics_count(&metrics, CHAINS_INVALID_ARGUMENT, -1);  /* not run */
    chainsi_metrics_count(&metrics, (chains_status)99, 0);
    chainsi_metrics_time(&metrics, CHAINSI_PHASE_QUEUE,
                         -1); /* clocks of two processes may differ */
    chainsi_metrics_time(&metrics, CHAINSI_PHASE_ENCODE, 250000001);
    chainsi_server_counters counters = { .in_flight = 3, .accepted = 7, .lost = 1 };
    chainsi_buffer out = { 0 };
    chainsi_metrics_write(&metrics, "worker", &counters, false, &out);
    chainsi_buffer_add_byte(&out, 0);
    static const char *const expected[] = {
        "# TYPE chains_calls_total counter\n",
        "\nchains_calls_total{chainlet=\"worker\",status=\"OK\"} 2\n",
        "\nchains_calls_total{chainlet=\"worker\",status=\"UNKNOWN\"} 1\n",
        "\nchains_calls_total{chainlet=\"worker\",status=\"INVALID_ARGUMENT\"} 1\n",
        "\nchains_calls_total{chainlet=\"worker\",status=\"ABORTED\"} 1\n",
        "# TYPE chains_run_seconds histogram\n",
        "\nchains_run_seconds_bucket{chainlet=\"worker\",le=\"1e-05\"} 2\n",
        "\nchains_run_seconds_bucket{chainlet=\"worker\",le=\"5e-05\"} 3\n",
        "\nchains_run_seconds_bucket{chainlet=\"worker\",le=\"120\"} 3\n",
        "\nchains_run_seconds_bucket{chainlet=\"worker\",le=\"+Inf\"} 4\n",
        "\nchains_run_seconds_sum{chainlet=\"worker\"} 600.000020001\n",
        "\nchains_run_seconds_count{chainlet=\"worker\"} 4\n",
        "\nchains_queue_seconds_bucket{chainlet=\"worker\",le=\"1e-05\"} 1\n",
        "\nchains_queue_seconds_sum{chainlet=\"worker\"} 0.000000000\n",
        "\nchains_decode_seconds_count{chainlet=\"worker\"} 0\n",
        "\nchains_encode_seconds_bucket{chainlet=\"worker\",le=\"0.25\"} 0\n",
        "\nchains_encode_seconds_bucket{chainlet=\"worker\",le=\"0.5\"} 1\n",
        "\nchains_in_flight{chainlet=\"worker\"} 3\n",
        "\nchains_connections_accepted_total{chainlet=\"worker\"} 7\n",
        "\nchains_answers_lost_total{chainlet=\"worker\"} 1\n",
        "\nchains_ready{chainlet=\"worker\"} 0\n",
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strstr((char *)out.data, expected[i]))
            fail_msg("no %s", expected[i]);
    assert_null(strstr((char *)out.data, "NOT_FOUND"));
    chainsi_buffer_done(&out);
    chainsi_metrics_done(&metrics);
}

/* ------------------------------------------------------------------------------------------------
 * Chainlets that a program makes: two callers of one dependency, by hand-made nodes as `chains
 * test` has them */

static const chainsi_node fake_worker = { .implementation = &worker_implementation, .fake = true };
static const chainsi_binding to_real[] = { { .interface = &worker_interface,
                                             .local = &worker_node } };
static const chainsi_binding to_fake[] = { { .interface = &worker_interface,
                                             .local = &fake_worker } };
static const chainsi_interface far_interface = {
    .name = "far",
    .c_name = "far",
    .input = &worker_input_type,
    .output = &worker_output_type,
    .external = &(chains_external_config){ .url = "http://127.0.0.1:9" },
};
static const chainsi_binding to_far_and_fake[] = {
    { .interface = &far_interface },
    { .interface = &worker_interface, .local = &fake_worker },
};

typedef struct caller {
    chainsi_callee *worker;
} caller;

static void *caller_create(chains_ctx *ctx, void *const dependencies[])
{
    caller *self = chains_alloc(ctx, sizeof *self);
    self->worker = dependencies[0];
    return self;
}

static chains_status caller_run(void *self, chains_ctx *ctx, const void *input, void *output,
                                void *stream)
{
    (void)stream;
    worker_output *answer = output;
    void *const outputs[] = { &answer->text, &answer->sum };
    CHAINS_TRY(chainsi_call(((caller *)self)->worker, ctx, input, outputs, NULL));
    return CHAINS_OK;
}

static chains_config caller_config = { .concurrency = 8 };
static chainsi_interface caller_interface;
static chainsi_implementation caller_implementation;

static chainsi_node caller_of(const chainsi_binding *dependencies, size_t count)
{
    caller_interface = worker_interface;
    caller_interface.name = caller_interface.c_name = "caller";
    caller_interface.config = &caller_config;
    caller_implementation = worker_implementation;
    caller_implementation.interface = &caller_interface;
    caller_implementation.create = caller_create;
    caller_implementation.run = caller_run;
    return (chainsi_node){ .implementation = &caller_implementation,
                           .dependencies = dependencies,
                           .dependency_count = count };
}

static chains_status rest(chains_ctx *ctx, const worker_input *input, worker_output *output)
{
    (void)ctx;
    usleep(300); /* long enough for another call to come meanwhile, if it may */
    output->text = input->text;
    return CHAINS_OK;
}

/* Both callers call from many threads; the dependency has one slot, whoever calls. */
static void share_one(const chainsi_binding *binding)
{
    worker_config.concurrency = 1;
    worker_hook = rest;
    chains_ctx *ctx = chains_open(NULL);
    chainsi_node node = caller_of(binding, 1);
    void *shared = chainsi_local_new(binding->local, ctx, NULL);
    assert_non_null(shared);
    void *callers[2];
    for (int i = 0; i < 2; i++) {
        callers[i] = chainsi_local_new(&node, ctx, &shared);
        assert_non_null(callers[i]);
    }
    chains_ctx *all = chains_gather(ctx);
    worker_input input = { .text = "x" };
    void *const outputs[] = { NULL, NULL };
    for (int i = 0; i < 40; i++)
        assert_int_equal(chainsi_call(callers[i % 2], all, &input, outputs, NULL), CHAINS_OK);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    assert_int_equal(atomic_load(&the_worker.calls), 40);
    assert_int_equal(atomic_load(&the_worker.most_running), 1);
    for (int i = 0; i < 2; i++)
        chainsi_local_free(&node, callers[i]);
    chainsi_local_free(binding->local, shared);
    chains_close(ctx);
    worker_config.concurrency = 8;
    worker_hook = NULL;
}

static void two_callers_share_the_slots_of_one(void **state)
{
    (void)state;
    share_one(to_real);
}

/* .concurrency holds for what stands in for a Chainlet: its author needs no lock either. */
static void two_callers_share_the_slots_of_a_fake(void **state)
{
    (void)state;
    share_one(to_fake);
}

static void what_cannot_be_made_leaves_nothing(void **state)
{
    (void)state;
    chains_ctx *ctx = chains_open(NULL);
    chainsi_node node = caller_of(to_far_and_fake, 2);
    void *const dependencies[] = { NULL, NULL };
    assert_null(chainsi_local_new(&node, ctx, dependencies));
    assert_int_equal(chains_last_error(ctx)->status, CHAINS_INVALID_ARGUMENT);
    assert_non_null(strstr(chains_last_error(ctx)->message, "caller_new was given NULL"));
    chainsi_local_free(&node, NULL);
    chains_close(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_come_through_a_descriptor),
        cmocka_unit_test(secrets_that_cannot_be_read_end_the_program),
        cmocka_unit_test(secrets_come_through_a_folder),
        cmocka_unit_test(the_environment_is_copied),
        cmocka_unit_test(assets_are_given_to_who_names_them),
        cmocka_unit_test(a_message_is_one_line),
        cmocka_unit_test(errors_reach_a_terminal_without_what_steers_it),
        cmocka_unit_test(metrics_are_prometheus_text),
        cmocka_unit_test(two_callers_share_the_slots_of_one),
        cmocka_unit_test(two_callers_share_the_slots_of_a_fake),
        cmocka_unit_test(what_cannot_be_made_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
