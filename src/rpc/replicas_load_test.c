/* Many calls to replicas of unequal speed. How long a call waited while a slot was free is told, not asserted: a machine
 * may stand still. Asserted is what the balance is for: all calls are answered, each replica takes its share, and none is
 * waited for that is busy for good. */
#include "rpc/replicas_test_support.h"

#include "rpc/balance_test_support.h"

enum {
    SERVERS = 5,
    CALLERS = 8,
    CALLS = 60, /* of each caller */
};

static const int naps_us[SERVERS] = { 300, 1000, 2000, 4000, 8000 };
static const int slots[SERVERS] = { 1, 2, 1, 1, 2 };

typedef struct load {
    group it;
    atomic_uint taken[SERVERS]; /* a bit for each slot */
    _Atomic int64_t asked_ns[CALLERS * CALLS];
    atomic_int next_call;
} load;
static load the;

static uint32_t number_slot(int server, int slot)
{
    return (uint32_t)(server * CHAINSI_BOARD_SLOTS + slot);
}

/* A slot of the server, which has one for whoever asks. */
static int take_slot(int server)
{
    unsigned taken = atomic_load(&the.taken[server]);
    while (!atomic_compare_exchange_weak(&the.taken[server], &taken, taken | (taken + 1))) {
    }
    int slot = __builtin_ctz(~taken);
    assert_true(slot < slots[server]);
    return slot;
}

/* The body is the call's number. */
static void take_a_nap(void *user, chainsi_server_request *request,
                       chainsi_server_response *response)
{
    fixture *server = user;
    int at = (int)(server - the.it.servers), call, slot = take_slot(at);
    int64_t now_ns = chainsi_now_ns();
    (void)response;
    assert_int_equal(request->body_size, sizeof call);
    memcpy(&call, request->body, sizeof call);
    balance_note(number_slot(at, slot), false, now_ns);
    balance_note_call(
        (balance_call){ .asked_ns = atomic_load(&the.asked_ns[call]), .got_ns = now_ns });
    atomic_fetch_add(&server->handled, 1);
    nanosleep(&(struct timespec){ .tv_nsec = naps_us[at] * 1000L }, NULL);
    balance_note(number_slot(at, slot), true, chainsi_now_ns());
    atomic_fetch_and(&the.taken[at], ~(1U << slot));
}

static void *call_and_call(void *user)
{
    size_t answered = 0;
    (void)user;
    for (int i = 0; i < CALLS; i++) {
        int number = atomic_fetch_add(&the.next_call, 1);
        chainsi_arena arena = { 0 };
        chainsi_client_response response;
        chainsi_client_request request = { .method = "POST",
                                           .path = "/nap",
                                           .body = &number,
                                           .body_size = sizeof number,
                                           .deadline_ns = CHAINSI_NEVER };
        char why[256];
        atomic_store(&the.asked_ns[number], chainsi_now_ns());
        answered += chainsi_replicas_exchange(the.it.set, &request, false, &arena, &response, why,
                                              sizeof why) == CHAINSI_EXCHANGE_ANSWERED &&
                    response.status == 200;
        chainsi_arena_done(&arena);
    }
    return (void *)answered;
}

/* Makes all calls; blocked: of the servers, the one whose only slot is taken for good; -1: none. */
static void run_load(int blocked)
{
    memset(&the, 0, sizeof the);
    assert_true(balance_open());
    int fd = -1;
    for (int i = 0; i < SERVERS; i++) {
        add_server(&the.it, (chainsi_server_options){
                                .slots = slots[i], .handler = i == blocked ? NULL : take_a_nap });
        for (int slot = 0; i != blocked && slot < slots[i]; slot++)
            balance_note(number_slot(i, slot), true, chainsi_now_ns());
    }
    open_set(&the.it, (chainsi_replicas_options){ 0 });
    if (blocked >= 0) {
        fd = dial(&the.it.servers[blocked]);
        post(fd, "/wait", "");
        AWAIT(atomic_load(&the.it.servers[blocked].running) == 1);
    }
    pthread_t threads[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_and_call, NULL), 0);
    for (int i = 0; i < CALLERS; i++) {
        void *answered;
        pthread_join(threads[i], &answered);
        assert_int_equal((size_t)answered, CALLS);
    }
    int all = 0;
    for (int i = 0; i < SERVERS; i++) {
        int handled = atomic_load(&the.it.servers[i].handled);
        print_message("%d slots of %d us: %d calls\n", slots[i], naps_us[i], handled);
        all += i == blocked ? 0 : handled;
        assert_true(handled > 0);
    }
    assert_int_equal(all, CALLERS * CALLS);
    balance_tell();
    balance_close();
    if (blocked >= 0) {
        assert_int_equal(atomic_load(&the.it.servers[blocked].handled), 1);
        open_gate(&the.it.servers[blocked]);
        expect(fd, 200, "");
        close(fd);
    }
    stop_group(&the.it);
}

static void test_unequal_replicas(void **state)
{
    (void)state;
    run_load(-1);
}

static void test_the_fastest_is_busy_for_good(void **state)
{
    (void)state;
    run_load(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unequal_replicas),
        TEST(test_the_fastest_is_busy_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
