/* What a server tells of calls that it has read and that wait for its handler. */
#include "rpc/frames_test_support.h"

#include "rpc/grants.h"

static atomic_int expected, began, announced;

static void note_read(void *user, int count)
{
    (void)user;
    atomic_fetch_add(&expected, count);
}

/* "wait" waits for the gate, and anything else until all that is expected is here. */
static void handle_meeting(void *user, chainsi_server_request *request,
                           chainsi_server_response *response)
{
    fixture *it = user;
    (void)response;
    atomic_fetch_add(request->announced ? &announced : &expected, 1);
    atomic_fetch_add(&began, 1);
    if (!strcmp(request->body, "wait")) {
        while (sem_wait(&it->gate)) {
        }
        return;
    }
    AWAIT(atomic_load(&began) >= atomic_load(&expected));
}

static chainsi_server_options meeting(void)
{
    atomic_store(&expected, 0);
    atomic_store(&began, 0);
    atomic_store(&announced, 0);
    return (chainsi_server_options){ .handler = handle_meeting, .on_read = note_read };
}

/* Calls of one write meet, however short the calls before them were. */
static void test_calls_of_one_write(void **state)
{
    (void)state;
    enum { COUNT = 8, ROUNDS = 50 };
    boarded its;
    start_boarded(&its, COUNT, meeting());
    int fd = dial_direct(&its);
    greet(fd);
    char text[4096], body[32];
    for (int round = 0; round < ROUNDS; round++) {
        size_t size = 0;
        for (uint32_t i = 0; i < COUNT; i++) {
            chainsi_claim claim = claim_slot(&its);
            size += write_call(text + size, i, 0, &claim, "meet");
        }
        assert_int_equal(send(fd, text, size, 0), size);
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(hear_frame(fd, body, sizeof body).head.kind, CHAINSI_FRAME_ANSWER);
        assert_int_equal(atomic_load(&expected), (round + 1) * COUNT);
    }
    /* One that comes alone isn't told of: it begins at once. */
    call(fd, 0, CHAINSI_FRAME_SOLE, NULL, "meet");
    expect_answer(fd, 0, "");
    assert_int_equal(atomic_load(&began), ROUNDS * COUNT + 1);
    close(fd);
    stop_boarded(&its);
}

/* What is not begun after all isn't expected any more. */
static void test_calls_sent_back(void **state)
{
    (void)state;
    boarded its;
    start_boarded(&its, 1, meeting());
    int fd = dial_direct(&its);
    greet(fd);
    char text[1024];
    chainsi_claim claim = claim_slot(&its);
    size_t size = write_call(text, 0, 0, &claim, "wait");
    size += write_call(text + size, 1, 0, NULL, "x");
    size += write_call(text + size, 2, 0, NULL, "x");
    assert_int_equal(send(fd, text, size, 0), size);
    expect_not_started(fd, 1);
    expect_not_started(fd, 2);
    AWAIT(atomic_load(&began) == 1);
    assert_int_equal(atomic_load(&expected), 1);
    sem_post(&its.it.gate);
    expect_answer(fd, 0, "");
    close(fd);
    stop_boarded(&its);
    assert_int_equal(atomic_load(&expected), 1);
}

/* Requests that were read wholly and wait for a slot; one of their callers leaves. */
static void test_waiting_requests(void **state)
{
    (void)state;
    fixture it;
    chainsi_server_options options = meeting();
    options.slots = 1;
    options.eager = true;
    start(&it, true, options);
    int running = dial(&it), leaving = dial(&it), staying = dial(&it);
    post(running, "/x", "wait");
    AWAIT(atomic_load(&began) == 1);
    assert_int_equal(atomic_load(&expected), 1);
    post(leaving, "/x", "y");
    AWAIT(atomic_load(&expected) == 2);
    post(staying, "/x", "z");
    AWAIT(atomic_load(&expected) == 3);
    struct linger reset = { .l_onoff = 1 };
    setsockopt(leaving, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(leaving);
    sem_post(&it.gate);
    expect(running, 200, "");
    expect(staying, 200, ""); /* it met all that were expected: nobody else */
    assert_int_equal(atomic_load(&expected), 2);
    assert_int_equal(atomic_load(&began), 2);
    close(running);
    close(staying);
    stop(&it);
}

/* Whose slot goes on to what waits in the queue tells of that before it has ended itself. (Unless a thread has not
 * yet looked at the queue by then.) */
static void test_next_in_queue(void **state)
{
    (void)state;
    enum { MOST_ROUNDS = 1000 };
    fixture it;
    chainsi_server_options options = meeting();
    options.slots = 1;
    options.frames = true;
    start(&it, false, options);
    int rounds = 0;
    while (rounds < MOST_ROUNDS && !atomic_load(&announced)) {
        const int before = atomic_load(&began);
        int running = dial(&it);
        post(running, "/x", "wait");
        AWAIT(atomic_load(&began) == before + 1);
        int waiting = dial(&it);
        post(waiting, "/x", "y");
        sem_post(&it.gate);
        expect(running, 200, "");
        expect(waiting, 200, "");
        close(running);
        close(waiting);
        rounds++;
    }
    assert_int_equal(atomic_load(&announced), 1);
    assert_int_equal(atomic_load(&began), 2 * rounds);
    stop(&it);
    assert_int_equal(atomic_load(&expected), 2 * rounds);
}

/* A slot that goes on to a connection whose call is to come: whoever has it then isn't expected by its thread. */
static void test_a_slot_that_is_granted(void **state)
{
    (void)state;
    fixture it;
    chainsi_server_options options = meeting();
    options.slots = 1;
    options.eager = true;
    start(&it, true, options);
    int running = dial(&it), wanting = dial(&it);
    post(running, "/x", "wait");
    AWAIT(atomic_load(&began) == 1);
    post(wanting, CHAINSI_GRANTS_PATH, "");
    AWAIT(counters_of(&it).waiting == 1);
    sem_post(&it.gate);
    expect(running, 200, "");
    expect(wanting, 200, "");
    assert_int_equal(atomic_load(&expected), 1);
    post(wanting, "/x", "y"); /* it met all that were expected: nobody else */
    expect(wanting, 200, "");
    assert_int_equal(atomic_load(&expected), 2);
    close(running);
    close(wanting);
    stop(&it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_calls_of_one_write),     TEST(test_calls_sent_back),
        TEST(test_waiting_requests),       TEST(test_next_in_queue),
        TEST(test_a_slot_that_is_granted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
