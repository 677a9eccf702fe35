/* Which pod a call goes to, and what becomes of it: balance, bounds, the queue, pods that come and go. */
#include <signal.h>

#include "control/upstream_set_test_support.h"

static void calls_go_where_the_fewest_are(void **state)
{
    (void)state;
    pods *of = start_pods(3, 2, 10);
    for (int i = 0; i < 6; i++)
        ask(of, "/wait");
    RUN_UNTIL(of, running_at(of, 0) == 2 && running_at(of, 1) == 2 && running_at(of, 2) == 2);
    expect_load(of, 6, 0);
    assert_int_equal(of->waits, 0);
    let_go(of, 1);
    RUN_UNTIL(of, of->ended == 1);
    call *next = ask(of, "/wait");
    RUN_UNTIL(of, running_at(of, 1) == 2);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 2; j++)
            let_go(of, i);
    RUN_UNTIL(of, of->ended == 7);
    for (int i = 0; i < 7; i++)
        expect_answer(&of->calls[i]);
    assert_true(next->ended);
    assert_int_equal(chainsi_upstream_read_load(of->set).begun, 7);
    stop_pods(of);
}

static void pods_with_as_few_calls_come_in_turn(void **state)
{
    (void)state;
    pods *of = start_pods(3, 2, 10);
    for (int i = 0; i < 9; i++) {
        const call *it = ask(of, "/");
        RUN_UNTIL(of, it->ended);
        expect_answer(it);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(handled_at(of, i), 3);
        assert_int_equal(counters_of(&of->servers[i]).accepted, 1); /* kept */
    }
    stop_pods(of);
}

static void what_has_no_room_waits_in_order(void **state)
{
    (void)state;
    pods *of = start_pods(1, 1, 3);
    call *first = ask(of, "/wait");
    call *waiting[3];
    for (int i = 0; i < 3; i++)
        waiting[i] = ask(of, "/");
    call *refused = ask(of, "/");
    expect_load(of, 1, 3);
    assert_true(chainsi_upstream_is_unread(waiting[0]->call));
    assert_int_equal(of->ended, 0); /* nothing is told before the loop runs */
    assert_int_equal(of->waits, 0);
    RUN_UNTIL(of, refused->ended);
    assert_int_equal(refused->end, CHAINSI_UPSTREAM_QUEUE_FULL);
    RUN_UNTIL(of, of->waits == 1);
    RUN_UNTIL(of, running_at(of, 0) == 1);
    assert_false(first->ended);
    let_go(of, 0);
    RUN_UNTIL(of, of->ended == 5);
    for (int i = 0; i < 3; i++) {
        expect_answer(waiting[i]);
        assert_int_equal(waiting[i]->number, 3 + i);
    }
    stop_pods(of);
}

static void what_was_cancelled_leaves_the_queue(void **state)
{
    (void)state;
    pods *of = start_pods(1, 1, 2);
    ask(of, "/hang-up");
    call *second = ask(of, "/"), *third = ask(of, "/");
    RUN_UNTIL(of, running_at(of, 0) == 1);
    chainsi_upstream_cancel(second->call);
    expect_load(of, 1, 1);
    const call *fourth = ask(of, "/");
    expect_load(of, 1, 2);
    /* One that runs: the pod learns, and its place is another's. */
    chainsi_upstream_cancel(of->calls[0].call);
    RUN_UNTIL(of, of->ended == 2);
    expect_answer(third);
    expect_answer(fourth);
    assert_int_equal(atomic_load(&of->servers[0].gone), 1);
    assert_false(second->ended);
    stop_pods(of);
}

/* From none to one, as of a Chainlet that is woken. */
static void calls_wait_for_a_pod(void **state)
{
    (void)state;
    pods *of = start_pods(0, 2, 10);
    for (int i = 0; i < 5; i++)
        ask(of, "/");
    expect_load(of, 0, 5);
    RUN_UNTIL(of, of->waits == 1);
    assert_int_equal(chainsi_upstream_read_load(of->set).begun, 0);
    add_pod(of, (chainsi_server_options){ .slots = 2 });
    use_pods(of, 1);
    expect_load(of, 2, 3);
    RUN_UNTIL(of, of->ended == 5);
    for (int i = 0; i < 5; i++)
        expect_answer(&of->calls[i]);
    assert_true(atomic_load(&of->servers[0].most_running) <= 2);
    stop_pods(of);
}

static void a_pod_that_is_gone_answers_what_it_has(void **state)
{
    (void)state;
    pods *of = start_pods(2, 1, 10);
    const call *idle = ask(of, "/"), *runs = ask(of, "/wait");
    RUN_UNTIL(of, idle->ended && running_at(of, 1) + running_at(of, 0) == 1);
    int busy = running_at(of, 1) ? 1 : 0;
    use_pods(of, 1u << !busy);
    const call *next = ask(of, "/");
    RUN_UNTIL(of, next->ended);
    expect_answer(next);
    assert_int_equal(handled_at(of, !busy), 2);
    use_pods(of, 0); /* what is kept is closed */
    RUN_UNTIL(of, counters_of(&of->servers[!busy]).connections == 0);
    let_go(of, busy);
    RUN_UNTIL(of, runs->ended);
    expect_answer(runs);
    RUN_UNTIL(of, counters_of(&of->servers[busy]).connections == 0);
    /* One that comes again begins anew. */
    use_pods(of, 3);
    next = ask(of, "/");
    RUN_UNTIL(of, next->ended);
    expect_answer(next);
    stop_pods(of);
}

/* 500 calls at a time, while pods come, go, and end. */

enum { CALLERS = 500, ROUNDS = 6 };

typedef struct coming_and_going {
    pods *of;
    int rounds, answered;
    unsigned turn;
    pthread_t drains;
    bool drained;
} coming_and_going;

static coming_and_going changes;

static void ask_again(call *it)
{
    static const char head[] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n";
    expect_answer(it);
    changes.answered++;
    if (changes.answered + CALLERS > CALLERS * ROUNDS)
        return;
    it->ended = false;
    it->call =
        chainsi_upstream_start(it->of->set, head, sizeof head - 1, "{}", 2, false, &seeing, it);
}

static void *drain_first(void *user)
{
    coming_and_going *it = user;
    chainsi_server_drain(it->of->servers[0].server, CHAINSI_NEVER);
    return NULL;
}

static void change_pods(uv_timer_t *timer)
{
    coming_and_going *it = timer->data;
    static const unsigned sets[] = { 1, 3, 7, 15, 14, 10, 0, 9, 8, 12, 14, 6 };
    unsigned which = sets[it->turn++ % 12];
    if (it->answered > CALLERS * ROUNDS / 2) {
        which &= ~1u; /* the first one is gone, and ends only then, as pods do */
        if (!it->drained) {
            it->drained = true;
            chainsi_upstream_set_endpoints(it->of->set, NULL, 0);
            assert_int_equal(pthread_create(&it->drains, NULL, drain_first, it), 0);
        }
    }
    use_pods(it->of, which);
}

static void no_call_is_lost_while_pods_come_and_go(void **state)
{
    (void)state;
    pods *of = start_pods(4, 4, CALLERS);
    changes = (coming_and_going){ .of = of };
    uv_timer_t *timer = chainsi_timer_new(&of->loop, &changes);
    use_pods(of, 0);
    for (int i = 0; i < CALLERS; i++)
        ask(of, "/")->on_end = ask_again;
    expect_load(of, 0, CALLERS);
    uv_timer_start(timer, change_pods, 0, 1);
    RUN_UNTIL(of, changes.answered == CALLERS * ROUNDS);
    chainsi_handle_close(timer);
    expect_load(of, 0, 0);
    int handled = 0;
    assert_true(changes.drained);
    pthread_join(changes.drains, NULL);
    for (int i = 0; i < 4; i++) {
        handled += handled_at(of, i);
        assert_true(atomic_load(&of->servers[i].most_running) <= 4);
    }
    assert_int_equal(handled, CALLERS * ROUNDS); /* each of them ran once */
    assert_int_equal(chainsi_upstream_read_load(of->set).begun, CALLERS * ROUNDS);
    stop_pods(of);
}

/* Pods that others fill. */

static void what_others_fill_is_passed_by(void **state)
{
    (void)state;
    pods *of = start_pods(2, 1, 10);
    int fd = dial(&of->servers[0]);
    post(fd, "/wait", "");
    RUN_UNTIL(of, running_at(of, 0) == 1);
    for (int i = 0; i < 4; i++) {
        const call *it = ask(of, "/");
        RUN_UNTIL(of, it->ended);
        expect_answer(it);
    }
    assert_int_equal(handled_at(of, 1), 4);
    let_go(of, 0);
    expect(fd, 200, "");
    close(fd);
    stop_pods(of);
}

static void where_others_fill_all_it_waits_in_one(void **state)
{
    (void)state;
    pods *of = start_pods(2, 1, 10);
    int fds[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = dial(&of->servers[i]);
        post(fds[i], "/wait", "");
        RUN_UNTIL(of, running_at(of, i) == 1);
    }
    call *first = ask(of, "/"), *second = ask(of, "/");
    RUN_UNTIL(of, counters_of(&of->servers[0]).waiting == 1 &&
                      counters_of(&of->servers[1]).waiting == 1);
    expect_load(of, 2, 0);
    for (int i = 0; i < 2; i++) {
        let_go(of, i);
        expect(fds[i], 200, "");
        close(fds[i]);
    }
    RUN_UNTIL(of, first->ended && second->ended);
    expect_answer(first);
    expect_answer(second);
    assert_int_equal(handled_at(of, 0), 2);
    assert_int_equal(handled_at(of, 1), 2);
    stop_pods(of);
}

static void a_full_queue_of_all_pods_is_told(void **state)
{
    (void)state;
    pods *of = start_pods(0, 1, 10);
    int fds[2];
    add_pod(of, (chainsi_server_options){ .slots = 1, .max_waiting = 1 });
    use_pods(of, 1);
    for (int i = 0; i < 2; i++) {
        fds[i] = dial(&of->servers[0]);
        post(fds[i], "/wait", "");
    }
    RUN_UNTIL(of, running_at(of, 0) == 1 && counters_of(&of->servers[0]).waiting == 1);
    const call *it = ask(of, "/");
    RUN_UNTIL(of, it->ended);
    assert_int_equal(it->end, CHAINSI_UPSTREAM_QUEUE_FULL);
    assert_int_equal(it->status, 0); /* the pod's word is none of the answer */
    for (int i = 0; i < 2; i++)
        let_go(of, 0);
    for (int i = 0; i < 2; i++) {
        expect(fds[i], 200, "");
        close(fds[i]);
    }
    stop_pods(of);
}

/* Ends. */

static void what_waits_can_be_sent_away(void **state)
{
    (void)state;
    pods *of = start_pods(1, 1, 10);
    const call *runs = ask(of, "/wait"), *waits = ask(of, "/");
    RUN_UNTIL(of, running_at(of, 0) == 1);
    chainsi_upstream_send_away(of->set);
    const call *late = ask(of, "/");
    assert_int_equal(of->ended, 0);
    RUN_UNTIL(of, of->ended == 2);
    assert_int_equal(waits->end, CHAINSI_UPSTREAM_NOT_STARTED);
    assert_int_equal(late->end, CHAINSI_UPSTREAM_NOT_STARTED);
    let_go(of, 0);
    RUN_UNTIL(of, runs->ended);
    expect_answer(runs);
    assert_int_equal(handled_at(of, 0), 1);
    stop_pods(of);
}

static void calls_outlive_the_set(void **state)
{
    (void)state;
    pods *of = start_pods(1, 1, 10);
    const call *runs = ask(of, "/wait"), *waits = ask(of, "/");
    RUN_UNTIL(of, running_at(of, 0) == 1);
    chainsi_upstream_free(of->set);
    of->set = NULL;
    RUN_UNTIL(of, waits->ended);
    assert_int_equal(waits->end, CHAINSI_UPSTREAM_NOT_STARTED);
    let_go(of, 0);
    RUN_UNTIL(of, runs->ended);
    expect_answer(runs);
    stop_pods(of);
}

/* One endpoint by itself. */
static void an_address_takes_all_at_once(void **state)
{
    (void)state;
    pods *of = start_pods(1, 1, 10);
    chainsi_upstream *set = of->set;
    of->set = chainsi_upstream_new_address(&of->loop, "127.0.0.1", port_of(&of->servers[0]));
    const call *runs = ask(of, "/wait");
    RUN_UNTIL(of, running_at(of, 0) == 1);
    const call *waits = ask(of, "/"),
               *refusing = ask_with(of, "/", "X-Chains-Busy: refuse\r\n", "", 0);
    expect_load(of, 3, 0);
    RUN_UNTIL(of, refusing->ended && counters_of(&of->servers[0]).waiting == 1);
    let_go(of, 0);
    RUN_UNTIL(of, of->ended == 3);
    expect_answer(runs);
    expect_answer(waits);
    assert_int_equal(refusing->end, CHAINSI_UPSTREAM_ANSWERED);
    assert_int_equal(refusing->status, 503); /* whatever it says is handed out */
    chainsi_upstream_free(of->set);
    of->set = chainsi_upstream_new_address(&of->loop, "nowhere", 1);
    const call *none = ask(of, "/");
    RUN_UNTIL(of, none->ended);
    assert_int_equal(none->end, CHAINSI_UPSTREAM_NOT_STARTED);
    chainsi_upstream_free(of->set);
    of->set = set;
    stop_pods(of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_go_where_the_fewest_are),
        TEST(pods_with_as_few_calls_come_in_turn),
        TEST(what_has_no_room_waits_in_order),
        TEST(what_was_cancelled_leaves_the_queue),
        TEST(calls_wait_for_a_pod),
        TEST(a_pod_that_is_gone_answers_what_it_has),
        TEST(no_call_is_lost_while_pods_come_and_go),
        TEST(what_others_fill_is_passed_by),
        TEST(where_others_fill_all_it_waits_in_one),
        TEST(a_full_queue_of_all_pods_is_told),
        TEST(what_waits_can_be_sent_away),
        TEST(calls_outlive_the_set),
        TEST(an_address_takes_all_at_once),
    };
    return cmocka_run_group_tests(tests, open_first_loop, NULL);
}
