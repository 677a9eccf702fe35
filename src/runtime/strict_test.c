/* Strict local calls: what would break in deployment breaks here. */
#include <signal.h>
#include <sys/wait.h>

#include "runtime/call_test_support.h"

static chains_status write_to_input(chains_ctx *ctx, const worker_input *input,
                                    worker_output *output)
{
    (void)ctx;
    ((char *)(uintptr_t)input->text)[0] = '!';
    output->text = input->text;
    return CHAINS_OK;
}

static void writing_to_inputs_ends_the_program_with_a_word(void **state)
{
    fixture *made = *state;
    worker_hook = write_to_input;
    char text[] = "mine";
    worker_input input = { .text = text };
    int said[2];
    assert_int_equal(pipe(said), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(said[1], STDERR_FILENO);
        signal(SIGSEGV, SIG_DFL); /* not the test runner's */
        call_worker(made, made->ctx, &input, NULL, NULL);
        _exit(0);
    }
    close(said[1]);
    char message[8192];
    size_t size = 0;
    ssize_t got;
    while ((got = read(said[0], message + size, sizeof message - 1 - size)) > 0)
        size += (size_t)got;
    message[size] = 0;
    close(said[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_non_null(strstr(message, "worker_run_remote wrote to its inputs"));
    assert_string_equal(text, "mine");
}

static chains_status write_beyond(chains_ctx *ctx, const worker_input *input, worker_output *output)
{
    (void)ctx;
    output->text = input->text;
    /* As a method does that takes its output for an array. */
    volatile int64_t *sums = &output->sum;
    sums[1] = 1;
    return CHAINS_OK;
}

static void writing_outside_the_outputs_is_found(void **state)
{
    fixture *made = *state;
    worker_hook = write_beyond;
    const char *text = "before";
    worker_input input = { .text = "x" };
    assert_int_equal(call_worker(made, made->ctx, &input, &text, NULL), CHAINS_INTERNAL);
    assert_string_equal(text, "before");
    assert_non_null(strstr(chains_last_error(made->ctx)->message, "wrote outside its outputs"));
}

static chains_status hand_out_its_input(chains_ctx *ctx, const worker_input *input,
                                        worker_output *output)
{
    (void)ctx;
    output->text = input->text;
    return CHAINS_OK;
}

static void outputs_may_point_into_inputs(void **state)
{
    fixture *made = *state;
    worker_hook = hand_out_its_input;
    char text[] = "borrowed";
    const char *answer = NULL;
    worker_input input = { .text = text };
    assert_int_equal(call_worker(made, made->ctx, &input, &answer, NULL), CHAINS_OK);
    memset(text, '!', sizeof text - 1);
    assert_string_equal(answer, "borrowed");
}

enum {
    AT_ONCE = 290
}; /* more than the guards that a fault can be told of, within the limits of threads */

static void many_strict_calls_at_once(void **state)
{
    fixture *made = *state;
    chainsi_slots_done(&made->instance->slots);
    chainsi_slots_init(&made->instance->slots, AT_ONCE);
    static const char *texts[AT_ONCE];
    chains_ctx *all = chains_gather(made->ctx);
    worker_input input = { .text = "x", .wait_for_release = true };
    for (int i = 0; i < AT_ONCE; i++)
        assert_int_equal(call_worker(made, all, &input, &texts[i], NULL), CHAINS_OK);
    while (atomic_load(&the_worker.running) < AT_ONCE)
        usleep(1000);
    atomic_store(&worker_released, true);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    for (int i = 0; i < AT_ONCE; i++)
        assert_string_equal(texts[i], "<x>");
}

static const char *stashed;

static chains_status use_memory_of_the_last_call(chains_ctx *ctx, const worker_input *input,
                                                 worker_output *output)
{
    output->text = input->text;
    if (stashed)
        output->sum = stashed[0];
    stashed = chains_strdup(ctx, "gone after this call");
    return CHAINS_OK;
}

static void memory_of_a_call_ends_with_it(void **state)
{
#if defined(__SANITIZE_ADDRESS__)
    fixture *made = *state;
    worker_hook = use_memory_of_the_last_call;
    worker_input input = { .text = "x" };
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        call_worker(made, made->ctx, &input, NULL, NULL);
        call_worker(made, made->ctx, &input, NULL, NULL);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0); /* heap-use-after-free */
#else
    (void)state;
    (void)use_memory_of_the_last_call;
    skip(); /* only the address sanitizer can see it */
#endif
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        TEST(writing_to_inputs_ends_the_program_with_a_word),
        TEST(writing_outside_the_outputs_is_found),
        TEST(outputs_may_point_into_inputs),
        TEST(many_strict_calls_at_once),
        TEST(memory_of_a_call_ends_with_it),
    };
    fixture_at = DISTANCE_STRICT;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
