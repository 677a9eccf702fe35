/* .concurrency_limit where nothing is said of it: how many calls of one caller are in flight at once,
 * and in which order the others follow. */
#include "runtime/call_test_support.h"

enum { LIMIT = 300, BEYOND = 10, PATIENCE_S = 60 };

static int open_with_slots(void **state, int slots)
{
    fixture_node = &worker_node;
    fixture_slots = worker_config.concurrency = slots;
    return open_fixture(state);
}

static int open_wide(void **state)
{
    return open_with_slots(state, LIMIT + 2 * BEYOND);
}

static int open_narrow(void **state)
{
    return open_with_slots(state, 1);
}

static void await_running(int count)
{
    for (int i = 0; i < PATIENCE_S * 1000 && atomic_load(&the_worker.running) < count; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&the_worker.running), count);
}

/* There are slots for all of a gather's calls, but only so many come; the others wait in the caller. */
static void three_hundred_are_in_flight(void **state)
{
    fixture *made = *state;
    worker_input held = { .text = "held", .wait_for_release = true }, quick = { .text = "quick" };
    int64_t sums[LIMIT + BEYOND];
    chains_ctx *all = chains_gather(made->ctx);
    for (int i = 0; i < LIMIT + BEYOND; i++) {
        int32_t number = i;
        held.numbers = (chains_int32_list){ &number, 1 };
        assert_int_equal(call_worker(made, all, &held, NULL, &sums[i]), CHAINS_OK);
    }
    await_running(LIMIT);
    /* The limit is this caller's: another's calls go past those that wait, of which none has gone. */
    chainsi_callee *other = made->instance ? chainsi_callee_new(made->ctx, &worker_interface, NULL,
                                                                made->instance, NULL)
                                           : new_remote_callee(made, &worker_interface);
    for (int i = 0; i < BEYOND; i++) {
        const char *text = NULL;
        assert_int_equal(
            chainsi_call(other, made->ctx, &quick, (void *[]){ (void *)&text, NULL }, NULL),
            CHAINS_OK);
        assert_string_equal(text, "<quick>");
        await_running(LIMIT);
    }
    chainsi_callee_done(other);
    atomic_store(&worker_released, true);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    for (int i = 0; i < LIMIT + BEYOND; i++)
        assert_int_equal(sums[i], i);
    assert_int_equal(atomic_load(&the_worker.calls), LIMIT + 2 * BEYOND);
    assert_in_range(atomic_load(&the_worker.most_running), LIMIT, LIMIT + 1); /* with the other's */
}

/* The how many-th call it is. */
static chains_status tell_turn(chains_ctx *ctx, const worker_input *input, worker_output *output)
{
    (void)input;
    output->text = chains_strdup(ctx, "");
    output->sum = atomic_load(&the_worker.calls);
    return CHAINS_OK;
}

/* How many that were started after call i began before it. */
static int count_overtaking(const int64_t *turns, int count, int i)
{
    int overtaking = 0;
    for (int later = i + 1; later < count; later++)
        overtaking += turns[later] < turns[i];
    return overtaking;
}

/* What waits in the caller leaves it in the order of starting. A call that has left may be overtaken on its way by
 * a few, but never by as many as could be in flight. */
static void one_slot_begins_them_in_the_order_of_starting(void **state)
{
    enum { COUNT = 4 * LIMIT };
    fixture *made = *state;
    worker_hook = tell_turn;
    worker_input input = { .text = "x" };
    int64_t turns[COUNT];
    int most = 0;
    chains_ctx *all = chains_gather(made->ctx);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(call_worker(made, all, &input, NULL, &turns[i]), CHAINS_OK);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    assert_int_equal(atomic_load(&the_worker.most_running), 1);
    for (int i = 0; i < COUNT; i++) {
        int overtaking = count_overtaking(turns, COUNT, i);
        if (overtaking > most)
            most = overtaking;
    }
    assert_in_range(most, 0, LIMIT);
}

int main(void)
{
    static const rule of_many_slots[] = { RULE_ONCE(three_hundred_are_in_flight) };
    static const rule of_one_slot[] = {
        RULE_ONCE_EXCEPT(one_slot_begins_them_in_the_order_of_starting,
                         ~(unsigned)AT(DISTANCE_BOARD),
                         "the order is that of threads, or of connections, as they come"),
    };
    return check_rules(of_many_slots, 1, open_wide, close_fixture) +
           check_rules(of_one_slot, 1, open_narrow, close_fixture);
}
