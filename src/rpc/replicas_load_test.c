/* Many calls to replicas of unequal speed. How long a call waited while a slot was free is told, not asserted: a machine
 * may stand still. Asserted is what the balance is for: all calls are answered, each replica takes its share, and none is
 * waited for that is busy for good. */
#include "rpc/replicas_test_support.h"

enum {
    SERVERS = 5,
    CALLERS = 8,
    CALLS = 60, /* of each caller */
};

static const int naps_us[SERVERS] = { 300, 1000, 2000, 4000, 8000 };
static const int slots[SERVERS] = { 1, 2, 1, 1, 2 };

/* A slot is taken or free, or a call waits or doesn't, from then on. */
typedef struct event {
    int64_t at_ns;
    int free, waiting; /* added to how many there are */
    int call;          /* that begins to wait, or ends waiting; else -1 */
} event;

typedef struct load {
    group it;
    pthread_mutex_t lock; /* of what follows */
    event events[2 * 2 * CALLERS * CALLS + SERVERS];
    size_t count;
    int begun[SERVERS];
    atomic_int next_call;
} load;
static load the;

static void note(event what)
{
    what.at_ns = chainsi_now_ns();
    pthread_mutex_lock(&the.lock);
    assert_true(the.count < sizeof the.events / sizeof the.events[0]);
    the.events[the.count++] = what;
    pthread_mutex_unlock(&the.lock);
}

/* The body is the call's number. */
static void take_a_nap(void *user, chainsi_server_request *request,
                       chainsi_server_response *response)
{
    fixture *server = user;
    int at = (int)(server - the.it.servers), call;
    (void)response;
    assert_int_equal(request->body_size, sizeof call);
    memcpy(&call, request->body, sizeof call);
    note((event){ .free = -1, .waiting = -1, .call = call });
    atomic_fetch_add(&server->handled, 1);
    nanosleep(&(struct timespec){ .tv_nsec = naps_us[at] * 1000L }, NULL);
    note((event){ .free = 1, .call = -1 });
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
        note((event){ .waiting = 1, .call = number });
        answered += chainsi_replicas_exchange(the.it.set, &request, false, &arena, &response, why,
                                              sizeof why) == CHAINSI_EXCHANGE_ANSWERED &&
                    response.status == 200;
        chainsi_arena_done(&arena);
    }
    return (void *)answered;
}

static int compare(const void *a, const void *b)
{
    int64_t x = ((const event *)a)->at_ns, y = ((const event *)b)->at_ns;
    return (x > y) - (x < y);
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* For each call the longest unbroken time that it waited while a slot was free. */
static void tell_waits(int free)
{
    static int64_t from_ns[CALLERS * CALLS], longest_ns[CALLERS * CALLS];
    bool waits[CALLERS * CALLS] = { false };
    memset(longest_ns, 0, sizeof longest_ns);
    qsort(the.events, the.count, sizeof the.events[0], compare);
    for (size_t i = 0; i < the.count; i++) {
        const event *at = &the.events[i];
        const int before = free;
        free += at->free;
        if (at->call >= 0 && at->waiting > 0) {
            waits[at->call] = true;
            from_ns[at->call] = at->at_ns;
        }
        for (int call = 0; call < CALLERS * CALLS; call++) {
            if (!waits[call])
                continue;
            if (before > 0 && at->at_ns - from_ns[call] > longest_ns[call] &&
                (free <= 0 || at->call == call))
                longest_ns[call] = at->at_ns - from_ns[call];
            if (before <= 0 && free > 0)
                from_ns[call] = at->at_ns;
        }
        if (at->call >= 0 && at->waiting < 0)
            waits[at->call] = false;
    }
    qsort(longest_ns, CALLERS * CALLS, sizeof longest_ns[0], compare_times);
    print_message("waited with a slot free: median %.1f us, p99 %.1f us, most %.1f us\n",
                  (double)longest_ns[CALLERS * CALLS / 2] / 1e3,
                  (double)longest_ns[CALLERS * CALLS * 99 / 100] / 1e3,
                  (double)longest_ns[CALLERS * CALLS - 1] / 1e3);
}

/* Makes all calls; blocked: of the servers, the one whose only slot is taken for good; -1: none. */
static void run_load(int blocked)
{
    the = (load){ .lock = PTHREAD_MUTEX_INITIALIZER };
    int free = 0, fd = -1;
    for (int i = 0; i < SERVERS; i++) {
        add_server(&the.it, (chainsi_server_options){
                                .slots = slots[i], .handler = i == blocked ? NULL : take_a_nap });
        free += i == blocked ? 0 : slots[i];
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
    tell_waits(free);
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
