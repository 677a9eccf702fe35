/* Batches in this process and in a service: what runs together, and how each call ends. */
#include "runtime/batch_test_support.h"

static void slots_are_concurrency_times_size(void **state)
{
    (void)state;
    static const struct {
        int concurrency, max_size, slots;
    } cases[] = {
        { 0, 0, 1 },
        { 3, 0, 3 },
        { 3, 1, 3 },
        { 0, 8, 8 },
        { 4, 8, 32 },
        { 32, 32, 1024 },
        { 33, 32, 1024 },
        { 1, 1024, 1024 },
        { 1, 1025, 1024 },
        { 1024, 2, 1024 },
        { 2000, 2, 2000 },
        { 2147483647, 2147483647, 2147483647 },
        { 2, 2147483647, 1024 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        doubler_config = (chains_config){ .concurrency = cases[i].concurrency,
                                          .batch.max_size = cases[i].max_size };
        assert_int_equal(chainsi_batch_slots(&doubler_implementation), cases[i].slots);
    }
    chainsi_implementation without = doubler_implementation;
    without.run_batch = NULL;
    doubler_config = (chains_config){ .concurrency = 3, .batch.max_size = 8 };
    assert_int_equal(chainsi_batch_slots(&without), 3);
}

static void a_lone_call_waits_for_nobody(void **state)
{
    (void)state;
    enum { WAIT_S = 10 };
    fixture *made = open_program(1, 8, WAIT_S * 1000000);
    for (int i = 0; i < 3; i++) {
        caller one;
        int64_t began = chainsi_now_ns();
        start(made, &one, (doubler_input){ .number = i }, 0);
        join(&one);
        assert_true(chainsi_now_ns() - began < WAIT_S * 1000 * CHAINSI_NS_PER_MS);
        assert_doubled(&one);
        forget(&one);
    }
    assert_int_equal(atomic_load(&alone), 3); /* by run_remote */
    assert_int_equal(atomic_load(&together), 0);
    close_program(made);
}

static void calls_collect_while_the_slot_is_taken(void **state)
{
    (void)state;
    fixture *made = open_program(1, 8, 0);
    enum { COUNT = 7 };
    caller first, rest[COUNT];
    doubler_input inputs[COUNT];
    for (int i = 0; i < COUNT; i++)
        inputs[i] = (doubler_input){ .number = i };
    start_behind(made, &first, rest, inputs, COUNT);
    release(&first, rest, COUNT);
    assert_doubled(&first);
    assert_int_equal(first.output.together, 1);
    for (int i = 0; i < COUNT; i++) {
        assert_doubled(&rest[i]);
        assert_int_equal(rest[i].output.together, COUNT);
        forget(&rest[i]);
    }
    forget(&first);
    assert_int_equal(atomic_load(&most_running), 1);
    chainsi_buffer text = { 0 };
    chainsi_batch_write_metrics(collector(made), "doubler", &text);
    chainsi_buffer_add_byte(&text, 0);
    const char *metrics = (const char *)text.data;
    assert_non_null(strstr(metrics, "chains_batch_size_bucket{chainlet=\"doubler\",le=\"1\"} 1\n"));
    assert_non_null(strstr(metrics, "chains_batch_size_bucket{chainlet=\"doubler\",le=\"4\"} 1\n"));
    assert_non_null(strstr(metrics, "chains_batch_size_bucket{chainlet=\"doubler\",le=\"8\"} 2\n"));
    assert_non_null(strstr(metrics, "chains_batch_size_sum{chainlet=\"doubler\"} 8\n"));
    assert_non_null(strstr(metrics, "chains_batch_size_count{chainlet=\"doubler\"} 2\n"));
    assert_non_null(strstr(metrics, "chains_batch_waiting{chainlet=\"doubler\"} 0\n"));
    chainsi_buffer_done(&text);
    close_program(made);
}

/* In this process alone, where more calls wait than a replica would admit. */
static void a_batch_is_no_larger_than_its_limit(void **state)
{
    (void)state;
    fixture *made = open_program(1, 4, 0);
    enum { COUNT = 10 };
    caller first, rest[COUNT];
    doubler_input inputs[COUNT];
    for (int i = 0; i < COUNT; i++)
        inputs[i] = (doubler_input){ .number = i };
    start_behind(made, &first, rest, inputs, COUNT);
    release(&first, rest, COUNT);
    forget(&first);
    for (int i = 0; i < COUNT; i++) {
        assert_doubled(&rest[i]);
        assert_int_equal(rest[i].output.together, i < 8 ? 4 : 2); /* in the order of coming */
        forget(&rest[i]);
    }
    close_program(made);
}

static void each_call_fails_by_itself(void **state)
{
    (void)state;
    fixture *made = open_program(1, 8, 0);
    enum { COUNT = 4 };
    const doubler_input inputs[COUNT] = {
        { .number = 1 },
        { .number = 2, .fail = CHAINS_NOT_FOUND },
        { .number = 3 },
        { .number = 4, .fail = CHAINS_INVALID_ARGUMENT },
    };
    caller first, rest[COUNT];
    start_behind(made, &first, rest, inputs, COUNT);
    release(&first, rest, COUNT);
    assert_doubled(&first);
    assert_doubled(&rest[0]);
    assert_doubled(&rest[2]);
    assert_int_equal(rest[1].status, CHAINS_NOT_FOUND);
    assert_int_equal(rest[3].status, CHAINS_INVALID_ARGUMENT);
    assert_int_equal(rest[1].output.doubled, -1); /* untouched */
    const chains_error *error = chains_last_error(&rest[1].ctx);
    assert_string_equal(error->message, "2 failed");
    const chains_trace_entry *hop = &error->trace[error->trace_count - 1];
    assert_string_equal(hop->chainlet, "doubler");
    assert_string_equal(hop->function, "double_one");
    forget(&first);
    for (int i = 0; i < COUNT; i++)
        forget(&rest[i]);
    close_program(made);
}

static void a_returned_failure_is_of_all_not_yet_failed(void **state)
{
    (void)state;
    fixture *made = open_program(1, 8, 0);
    enum { COUNT = 3 };
    const doubler_input inputs[COUNT] = {
        { .number = 1, .fail = CHAINS_NOT_FOUND },
        { .number = 2, .fail_all = CHAINS_UNAVAILABLE },
        { .number = 3 },
    };
    caller first, rest[COUNT];
    start_behind(made, &first, rest, inputs, COUNT);
    release(&first, rest, COUNT);
    assert_int_equal(rest[0].status, CHAINS_NOT_FOUND);
    assert_string_equal(chains_last_error(&rest[0].ctx)->message, "1 failed");
    for (int i = 1; i < COUNT; i++) {
        assert_int_equal(rest[i].status, CHAINS_UNAVAILABLE);
        const chains_error *error = chains_last_error(&rest[i].ctx);
        assert_string_equal(error->message, "2 failed all");
        assert_string_equal(error->trace[error->trace_count - 1].function, "doubler_run_batch");
        assert_int_equal(rest[i].output.doubled, -1);
    }
    forget(&first);
    for (int i = 0; i < COUNT; i++)
        forget(&rest[i]);
    close_program(made);
}

static void a_failure_without_a_word_names_the_batch(void **state)
{
    (void)state;
    fixture *made = open_program(1, 8, 0);
    enum { COUNT = 2 };
    const doubler_input inputs[COUNT] = { { .number = 1 },
                                          { .number = 2, .fail_all = CHAINS_ABORTED } };
    caller first, rest[COUNT];
    start_behind(made, &first, rest, inputs, COUNT);
    release(&first, rest, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(rest[i].status, CHAINS_ABORTED);
        assert_string_equal(chains_last_error(&rest[i].ctx)->message,
                            "doubler_run_batch returned ABORTED without chains_fail");
        forget(&rest[i]);
    }
    forget(&first);
    close_program(made);
}

static void limits_are_those_of_each_call(void **state)
{
    (void)state;
    fixture *made = open_program(1, 8, 0);
    caller first, good, bad;
    const doubler_input input = { .number = 1000 };
    start_behind(made, &first, &good, &input, 1);
    start(made, &bad, (doubler_input){ .number = 1001 }, 0);
    join(&bad); /* without waiting for the slot */
    assert_int_equal(bad.status, CHAINS_INVALID_ARGUMENT);
    assert_string_equal(chains_last_error(&bad.ctx)->path, "number");
    release(&first, &good, 1);
    assert_doubled(&good);
    forget(&first), forget(&good), forget(&bad);
    close_program(made);
}

static void what_waits_too_long_is_not_begun(void **state)
{
    (void)state;
    fixture *made = open_program(1, 8, 0);
    caller first, late, left, good;
    const doubler_input input = { .number = 1 };
    start_behind(made, &first, &good, &input, 1);
    start(made, &late, (doubler_input){ .number = 2 }, 30);
    start(made, &left, (doubler_input){ .number = 3 }, 0);
    join(&late); /* while the slot is taken */
    assert_int_equal(late.status, CHAINS_DEADLINE_EXCEEDED);
    WAIT_UNTIL(chainsi_batch_waiting(collector(made)) == 2);
    chainsi_context_cancel(&left.ctx);
    join(&left);
    assert_int_equal(left.status, CHAINS_CANCELLED);
    WAIT_UNTIL(chainsi_batch_waiting(collector(made)) == 1);
    release(&first, &good, 1);
    assert_doubled(&good);
    assert_int_equal(good.output.together, 1);
    assert_int_equal(atomic_load(&alone), 2);
    assert_int_equal(atomic_load(&together), 0);
    forget(&first), forget(&late), forget(&left), forget(&good);
    close_program(made);
}

static void who_leaves_in_the_midst_is_told_alone(void **state)
{
    (void)state;
    fixture *made = open_program(1, 8, 0);
    caller first, rest[2];
    const doubler_input inputs[] = { { .number = 1, .until_cancelled = true }, { .number = 2 } };
    start_behind(made, &first, rest, inputs, 2);
    atomic_store(&held, false);
    join(&first);
    WAIT_UNTIL(atomic_load(&together) == 1);
    chainsi_context_cancel(&rest[0].ctx);
    join(&rest[0]);
    join(&rest[1]);
    assert_int_equal(rest[0].status, CHAINS_CANCELLED);
    assert_doubled(&rest[1]);
    forget(&first), forget(&rest[0]), forget(&rest[1]);
    close_program(made);
}

static void those_in_flight_are_waited_for(void **state)
{
    (void)state;
    fixture *made = open_program(1, 8, 1000 * 1000 * 1000);
    caller rest[3];
    chainsi_batch_enter(collector(made), 1); /* somebody is on the way */
    for (int i = 0; i < 3; i++) {
        start(made, &rest[i], (doubler_input){ .number = i }, 0);
        WAIT_UNTIL(chainsi_batch_waiting(collector(made)) == (size_t)i + 1);
    }
    assert_int_equal(atomic_load(&together) + atomic_load(&alone), 0);
    chainsi_batch_leave(collector(made), 1); /* and goes elsewhere */
    for (int i = 0; i < 3; i++) {
        join(&rest[i]);
        assert_doubled(&rest[i]);
        assert_int_equal(rest[i].output.together, 3);
        forget(&rest[i]);
    }
    close_program(made);
}

static void a_full_batch_waits_for_nobody(void **state)
{
    (void)state;
    fixture *made = open_program(2, 3, 1000 * 1000 * 1000);
    caller rest[3];
    chainsi_batch_enter(collector(made), 1);
    for (int i = 0; i < 3; i++)
        start(made, &rest[i], (doubler_input){ .number = i }, 0);
    for (int i = 0; i < 3; i++) {
        join(&rest[i]);
        assert_doubled(&rest[i]);
        assert_int_equal(rest[i].output.together, 3);
        forget(&rest[i]);
    }
    chainsi_batch_leave(collector(made), 1);
    close_program(made);
}

static void patience_ends_the_wait(void **state)
{
    (void)state;
    fixture *made = open_program(1, 8, 1000);
    caller one;
    chainsi_batch_enter(collector(made), 1);
    start(made, &one, (doubler_input){ .number = 1 }, 0);
    join(&one);
    assert_doubled(&one);
    forget(&one);
    chainsi_batch_leave(collector(made), 1);
    close_program(made);
}

/* A deadline is not spent on waiting for others. The short one makes it quick; where the machine stood
 * still until that had passed, the long one shows the same. */
static void a_deadline_shortens_the_wait(void **state)
{
    (void)state;
    fixture *made = open_program(1, 8, 1000 * 1000 * 1000);
    caller patient, of_long, of_short;
    chainsi_batch_enter(collector(made), 1);
    start(made, &patient, (doubler_input){ .number = 1 }, 0);
    WAIT_UNTIL(chainsi_batch_waiting(collector(made)) == 1);
    start(made, &of_long, (doubler_input){ .number = 2 }, 60000);
    WAIT_UNTIL(chainsi_batch_waiting(collector(made)) == 2);
    start(made, &of_short, (doubler_input){ .number = 3 }, 1000);
    join(&of_short);
    if (of_short.status == CHAINS_OK)
        assert_doubled(&of_short);
    else
        assert_int_equal(of_short.status, CHAINS_DEADLINE_EXCEEDED);
    join(&of_long);
    assert_doubled(&of_long); /* else nothing ends the patient one's wait */
    join(&patient);
    assert_doubled(&patient);
    assert_int_equal(patient.output.together, of_long.output.together);
    forget(&patient), forget(&of_long), forget(&of_short);
    chainsi_batch_leave(collector(made), 1);
    close_program(made);
}

static void a_leader_that_leaves_passes_its_slot_on(void **state)
{
    (void)state;
    fixture *made = open_program(1, 8, 1000 * 1000 * 1000);
    caller leader, next;
    chainsi_batch_enter(collector(made), 1);
    start(made, &leader, (doubler_input){ .number = 1 }, 0);
    WAIT_UNTIL(chainsi_batch_waiting(collector(made)) == 1);
    start(made, &next, (doubler_input){ .number = 2 }, 0);
    WAIT_UNTIL(chainsi_batch_waiting(collector(made)) == 2);
    chainsi_context_cancel(&leader.ctx);
    join(&leader);
    assert_int_equal(leader.status, CHAINS_CANCELLED);
    WAIT_UNTIL(chainsi_batch_waiting(collector(made)) == 1);
    chainsi_batch_leave(collector(made), 1);
    join(&next);
    assert_doubled(&next);
    assert_int_equal(atomic_load(&alone), 1);
    forget(&leader), forget(&next);
    close_program(made);
}

static void concurrency_is_the_number_of_batches(void **state)
{
    (void)state;
    fixture *made = open_program(2, 4, 0);
    atomic_store(&held, true);
    caller all[8];
    for (int i = 0; i < 8; i++)
        start(made, &all[i], (doubler_input){ .number = i }, 0);
    WAIT_UNTIL(atomic_load(&hold_count) == 2 && chainsi_batch_waiting(collector(made)) == 6);
    atomic_store(&held, false);
    for (int i = 0; i < 8; i++) {
        join(&all[i]);
        assert_doubled(&all[i]);
        forget(&all[i]);
    }
    assert_int_equal(atomic_load(&most_running), 2);
    close_program(made);
}

/* Starts count calls with a gather, which is returned. */
static chains_ctx *start_together(chainsi_callee *callee, chains_ctx *ctx, doubler_output *outputs,
                                  int count)
{
    chains_ctx *all = chains_gather(ctx);
    for (int i = 0; i < count; i++) {
        const doubler_input input = { .number = i };
        void *const places[] = { &outputs[i].doubled, &outputs[i].text, &outputs[i].together };
        assert_int_equal(chainsi_call(callee, all, &input, places, NULL), CHAINS_OK);
    }
    return all;
}

/* Calls that were started count as in flight before they begin, so none of them runs alone, however
 * quickly it would be done. */
static void calls_of_a_gather_run_together(void **state)
{
    (void)state;
    enum { COUNT = 8, ROUNDS = 20 };
    fixture *made = open_program(1, COUNT, 1000 * 1000 * 1000);
    doubler_output outputs[COUNT];
    for (int round = 0; round < ROUNDS; round++) {
        chainsi_batch_enter(collector(made), 1); /* until the last of them was started */
        chains_ctx *all = start_together(made->callee, made->ctx, outputs, COUNT);
        chainsi_batch_leave(collector(made), 1);
        assert_int_equal(chains_wait(all), CHAINS_OK);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(outputs[i].doubled, 2 * i);
            assert_int_equal(outputs[i].together, COUNT);
        }
    }
    assert_int_equal(atomic_load(&alone), 0);
    assert_int_equal(atomic_load(&sizes[COUNT]), ROUNDS);
    close_program(made);
}

/* The same of calls that came in one write and wait to be taken. (A machine that stands still while they are started
 * may have them leave in several.) */
static void calls_that_were_read_together_run_together(void **state)
{
    (void)state;
    enum { COUNT = 8, ROUNDS = 50 };
    fixture *made = open_program(1, COUNT, 1000 * 1000 * 1000);
    doubler_output outputs[COUNT];
    for (int round = 0; round < ROUNDS && !atomic_load(&sizes[COUNT]); round++) {
        chains_ctx *all = start_together(made->callee, made->ctx, outputs, COUNT);
        assert_int_equal(chains_wait(all), CHAINS_OK);
    }
    assert_int_equal(atomic_load(&sizes[COUNT]), 1);
    close_program(made);
}

static uint64_t count_running(fixture *made)
{
    chainsi_server_counters counters;
    chainsi_server_read_counters(atomic_load(&made->service.server), &counters);
    return counters.in_flight;
}

static int connect_by_hand(fixture *made)
{
    char why[256];
    chainsi_address address;
    assert_true(chainsi_address_parse(made->address, &address, why, sizeof why));
    int fd = chainsi_address_connect(&address, CHAINSI_NEVER, NULL, why, sizeof why);
    chainsi_address_done(&address);
    assert_true(fd >= 0);
    return fd;
}

/* Whatever takes a slot that a call has left has left in its turn, and nobody waits for it then. */
static void a_probe_among_calls_is_forgotten(void **state)
{
    (void)state;
    enum { COUNT = 8 };
    fixture *made = open_program(1, COUNT, 1000 * 1000 * 1000);
    caller all[COUNT], one;
    atomic_store(&held, true);
    for (int i = 0; i < COUNT; i++)
        start(made, &all[i], (doubler_input){ .number = i }, 0);
    WAIT_UNTIL(count_running(made) == COUNT);
    int fd = connect_by_hand(made);
    const char request[] = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    atomic_store(&held, false);
    char answer[256] = "";
    assert_true(recv(fd, answer, sizeof answer - 1, MSG_WAITALL) > 0);
    assert_non_null(strstr(answer, "alive"));
    close(fd);
    for (int i = 0; i < COUNT; i++) {
        join(&all[i]);
        assert_doubled(&all[i]);
        forget(&all[i]);
    }
    start(made, &one, (doubler_input){ .number = 2 }, 0);
    join(&one);
    assert_doubled(&one);
    forget(&one);
    close_program(made);
}

static void start_at(fixture *made, chainsi_callee *callee, caller *self, doubler_input input)
{
    *self = (caller){ .made = made, .callee = callee, .input = input };
    chainsi_context_init_child(&self->ctx, made->all, true);
    assert_int_equal(pthread_create(&self->thread, NULL, make_call, self), 0);
}

/* What may not come isn't waited for: calls beyond the caller's limit, and those that were cancelled. */
static void started_calls_that_cannot_come_are_not_waited_for(void **state)
{
    (void)state;
    enum { COUNT = 9, LIMIT = 3 };
    fixture *made = open_program(1, 8, 1000 * 1000 * 1000);
    const chains_depends_config options = { .concurrency_limit = LIMIT };
    chainsi_callee *limited =
        chainsi_callee_new(made->ctx, &doubler_interface, &options, made->instance, NULL);
    doubler_output outputs[COUNT];
    chains_ctx *all = start_together(limited, made->ctx, outputs, COUNT);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    for (int i = 0; i < COUNT; i++)
        assert_in_range(outputs[i].together, 1, LIMIT);
    /* Beside calls that aren't started. */
    for (int round = 0; round < 200; round++) {
        caller beside[LIMIT];
        for (int i = 0; i < LIMIT; i++)
            start_at(made, limited, &beside[i], (doubler_input){ .number = i });
        all = start_together(limited, made->ctx, outputs, COUNT);
        assert_int_equal(chains_wait(all), CHAINS_OK);
        for (int i = 0; i < LIMIT; i++) {
            join(&beside[i]);
            assert_doubled(&beside[i]);
            forget(&beside[i]);
        }
    }
    all = chains_gather(made->ctx);
    chainsi_context_cancel(all);
    const doubler_input input = { .number = 1 };
    void *const places[] = { NULL, NULL, NULL };
    assert_int_equal(chainsi_call(limited, all, &input, places, NULL), CHAINS_OK);
    assert_int_equal(chains_wait(all), CHAINS_CANCELLED);
    caller one;
    start(made, &one, (doubler_input){ .number = 2 }, 0);
    join(&one);
    assert_doubled(&one);
    forget(&one);
    chainsi_callee_done(limited);
    close_program(made);
}

/* Many callers, some with deadlines that are too short, some that leave, some told to fail. */
typedef struct stress {
    fixture *made;
    unsigned seed;
    atomic_int *answered;
} stress;

static void *make_many_calls(void *user)
{
    stress *it = user;
    enum { CALLS = 60 };
    for (int i = 0; i < CALLS; i++) {
        unsigned dice = (it->seed = it->seed * 1103515245u + 12345u) >> 16;
        caller one = { .made = it->made,
                       .input = { .number = (int)(dice % 1000),
                                  .fail = dice % 7 == 0 ? CHAINS_NOT_FOUND : 0,
                                  .fail_all = dice % 31 == 0 ? CHAINS_UNAVAILABLE : 0 } };
        chainsi_context_init_child(&one.ctx, it->made->ctx, true);
        if (dice % 5 == 0)
            one.ctx.deadline_ns = chainsi_now_ns() + (int64_t)(dice % 100) * 20000;
        if (dice % 11 == 0)
            chainsi_context_cancel(&one.ctx);
        make_call(&one);
        if (one.status == CHAINS_OK)
            assert_doubled(&one);
        else
            assert_true(one.status == CHAINS_NOT_FOUND || one.status == CHAINS_UNAVAILABLE ||
                        one.status == CHAINS_DEADLINE_EXCEEDED || one.status == CHAINS_CANCELLED);
        if (one.input.fail && !one.input.fail_all)
            assert_int_not_equal(one.status, CHAINS_OK);
        atomic_fetch_add(it->answered, 1);
        forget(&one);
    }
    return (void *)(uintptr_t)CALLS;
}

static void every_call_ends(void **state)
{
    (void)state;
    static const int waits_us[] = { 0, 300, 1000 * 1000 * 1000 };
    for (int wait = 0; wait < 3; wait++) {
        fixture *made = open_program(2, 5, waits_us[wait]);
        enum { THREADS = 16 };
        pthread_t threads[THREADS];
        stress all[THREADS];
        atomic_int answered = 0;
        int expected = 0;
        for (unsigned i = 0; i < THREADS; i++) {
            all[i] = (stress){ made, i * 7919 + 1, &answered };
            assert_int_equal(pthread_create(&threads[i], NULL, make_many_calls, &all[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            void *calls;
            pthread_join(threads[i], &calls);
            expected += (int)(uintptr_t)calls;
        }
        assert_int_equal(atomic_load(&answered), expected);
        assert_true(atomic_load(&most_running) <= 2);
        assert_int_equal(chainsi_batch_waiting(collector(made)), 0);
        close_program(made);
    }
}

static int in_this_process(void **state)
{
    (void)state;
    is_remote = is_strict = has_board = false;
    return 0;
}

static int strictly(void **state)
{
    (void)state;
    is_remote = has_board = false;
    is_strict = true;
    return 0;
}

static int over_a_socket(void **state)
{
    (void)state;
    is_remote = true;
    is_strict = has_board = false;
    return 0;
}

static int over_a_board(void **state)
{
    (void)state;
    is_remote = has_board = true;
    is_strict = false;
    return 0;
}

#define EVERYWHERE(test)                                                                           \
    { #test " in this process", test, in_this_process, NULL, NULL },                               \
        { #test " strictly", test, strictly, NULL, NULL },                                         \
    {                                                                                              \
#test " over a socket", test, over_a_socket, NULL, NULL                                    \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_concurrency_times_size),
        cmocka_unit_test_setup(a_batch_is_no_larger_than_its_limit, in_this_process),
        EVERYWHERE(a_lone_call_waits_for_nobody),
        EVERYWHERE(calls_collect_while_the_slot_is_taken),
        EVERYWHERE(each_call_fails_by_itself),
        EVERYWHERE(a_returned_failure_is_of_all_not_yet_failed),
        EVERYWHERE(a_failure_without_a_word_names_the_batch),
        EVERYWHERE(limits_are_those_of_each_call),
        EVERYWHERE(what_waits_too_long_is_not_begun),
        EVERYWHERE(who_leaves_in_the_midst_is_told_alone),
        EVERYWHERE(those_in_flight_are_waited_for),
        EVERYWHERE(a_full_batch_waits_for_nobody),
        EVERYWHERE(patience_ends_the_wait),
        EVERYWHERE(a_deadline_shortens_the_wait),
        EVERYWHERE(a_leader_that_leaves_passes_its_slot_on),
        EVERYWHERE(concurrency_is_the_number_of_batches),
        cmocka_unit_test_setup(calls_of_a_gather_run_together, in_this_process),
        cmocka_unit_test_setup(calls_of_a_gather_run_together, strictly),
        cmocka_unit_test_setup(calls_that_were_read_together_run_together, over_a_board),
        cmocka_unit_test_setup(a_probe_among_calls_is_forgotten, over_a_socket),
        cmocka_unit_test_setup(started_calls_that_cannot_come_are_not_waited_for, in_this_process),
        EVERYWHERE(every_call_ends),
        cmocka_unit_test_setup(every_call_ends, over_a_board),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
