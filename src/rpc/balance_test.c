/* No call waits while a slot is free: the checker. Replicas of one machine, with a board, a shared socket and sockets of
 * their own, are called in rounds by more callers than they have slots, of every kind at once, while other callers
 * claim slots and withdraw, and replicas leave and join. A round ends when all its calls have: so whoever was forgotten
 * has nobody behind him whose answer would wake him by chance.
 *
 * The checker looks again and again which calls wait, and whether a slot is free. In how many of its own looks it
 * finds both is bounded for each call: a machine that stands still delays the looks as well. Only a call that is
 * forgotten gets there: it waits for ever. How long calls waited beside a free slot is told, not asserted. */
#include "rpc/server_test_support.h"

#include <sys/un.h>

#include "rpc/link.h"
#include "rpc/slots_test_support.h"

enum {
    MOST_REPLICAS = 4,
    MOST_CALLERS = 48,
    LINKS = 2,
    LOOK_MS = 5,
    MOST_LOOKS = 200,   /* of a call that waits, with a slot free: a second at least */
    CHANGE_CALLS = 100, /* after so many a replica leaves, and another one joins */
    HELD_NS = 20000,    /* claims that were withdrawn sooner count as if they hadn't been */
    HASTE_NS = 300000,  /* how long hasty callers wait */
};

/* How one calls. */
enum kind {
    BY_LINK, /* as Chainlets do: claims, and the queue */
    HASTILY, /* the same, with a deadline that soon passes */
    PLAINLY, /* by HTTP on a kept connection to the shared socket */
    ANEW,    /* by HTTP on a new connection for each call */
    FALSELY, /* claims slots and withdraws */
    KINDS
};

typedef struct scene {
    int slots[MOST_REPLICAS]; /* 0: no such replica */
    int callers[KINDS];
    int rounds, calls; /* of each caller in a round */
} scene;

typedef struct replica {
    chainsi_server *server;
    chainsi_seat seat;
} replica;

typedef struct caller {
    enum kind kind;
    chainsi_link *link;
    pthread_t thread;
    atomic_uint waiting; /* the call that waits, a number; 0: none */
    unsigned seen;       /* the checker's: the one it saw last, */
    int looks;           /* and how often beside a free slot */
} caller;

/* The body of a call. */
typedef struct called {
    int64_t asked_ns;
    unsigned number;
    int caller;
} called;

static struct {
    const scene *now;
    char folder[32], address[64];
    int listen_fd, board_fd;
    chainsi_board *board;
    chainsi_link *links[LINKS];
    replica replicas[MOST_REPLICAS];
    caller callers[MOST_CALLERS];
    int caller_count;
    atomic_uint numbers, answered, late;
    atomic_int callers_left;
    atomic_bool done; /* false claims end, and changes */
    sem_t changes;    /* posted for each */
    pthread_barrier_t round;
} the;

/* ------------------------------------------------------------------------------------------------
 * replicas */

/* When the call that begins now ended waiting: when its slot was claimed, if it came with a claim. */
static int64_t find_start(const chainsi_server_request *request, const replica *at,
                          int64_t asked_ns)
{
    int64_t since_ns = 0;
    if (request->frame && request->frame->call.slot != CHAINSI_FRAME_NO_SLOT)
        since_ns = atomic_load(&claimed_ns[number_slot(at->seat.row, request->frame->call.slot)]);
    return since_ns > asked_ns ? since_ns : chainsi_now_ns();
}

static void work(void *user, chainsi_server_request *request, chainsi_server_response *response)
{
    called call;
    (void)response;
    assert_int_equal(request->body_size, sizeof call);
    memcpy(&call, request->body, sizeof call);
    unsigned number = call.number;
    if (atomic_compare_exchange_strong(&the.callers[call.caller].waiting, &number, 0))
        balance_note_call((balance_call){ .asked_ns = call.asked_ns,
                                          .got_ns = find_start(request, user, call.asked_ns) });
    static const long naps_us[] = { 0, 50, 0, 300 };
    if (naps_us[call.number % 4])
        nanosleep(&(struct timespec){ .tv_nsec = naps_us[call.number % 4] * 1000 }, NULL);
}

static void join(int number)
{
    static atomic_uint incarnations;
    replica *it = &the.replicas[number];
    const uint64_t incarnation =
        (uint64_t)getpid() << 32 | (atomic_fetch_add(&incarnations, 1) + 1);
    char why[256];
    struct sockaddr_un address;
    socklen_t size = chainsi_board_address(incarnation, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_true(
        chainsi_board_join(the.board, (uint32_t)the.now->slots[number], incarnation, &it->seat));
    it->server = chainsi_server_start(&(chainsi_server_options){ .listen_fd = the.listen_fd,
                                                                 .frames = true,
                                                                 .direct = true,
                                                                 .direct_fd = fd,
                                                                 .seat = &it->seat,
                                                                 .slots = the.now->slots[number],
                                                                 .handler = work,
                                                                 .user = it,
                                                                 .shared = true },
                                      why, sizeof why);
    if (!it->server)
        fail_msg("%s", why);
}

static void leave(int number)
{
    assert_true(chainsi_server_drain(the.replicas[number].server, CHAINSI_NEVER));
    chainsi_server_free(the.replicas[number].server);
}

static void *change_replicas(void *user)
{
    (void)user;
    for (int i = 0;; i++) {
        while (sem_wait(&the.changes)) {
        }
        if (atomic_load(&the.done))
            return NULL;
        int number = i % MOST_REPLICAS;
        if (!the.now->slots[number])
            continue;
        leave(number);
        join(number);
    }
}

/* ------------------------------------------------------------------------------------------------
 * callers */

static chainsi_exchange_end call_by_link(caller *self, const called *call, chainsi_arena *arena,
                                         char *why, size_t why_size)
{
    chainsi_link_answer answer;
    const chainsi_link_request request = {
        .request_id = "",
        .body = call,
        .body_size = sizeof *call,
        .deadline_ns = self->kind == HASTILY ? call->asked_ns + HASTE_NS : CHAINSI_NEVER,
    };
    return chainsi_link_exchange(self->link, &request, arena, &answer, why, why_size);
}

static chainsi_exchange_end call_plainly(caller *self, chainsi_client *client, const called *call,
                                         chainsi_arena *arena, char *why, size_t why_size)
{
    chainsi_client_response response;
    const chainsi_client_request request = {
        .method = "POST",
        .path = "/",
        .body = call,
        .body_size = sizeof *call,
        .deadline_ns = CHAINSI_NEVER,
        .fresh = self->kind == ANEW,
    };
    return chainsi_client_exchange(client, &request, arena, &response, why, why_size);
}

static void call_once(caller *self, chainsi_client *client)
{
    const called call = { chainsi_now_ns(), atomic_fetch_add(&the.numbers, 1) + 1,
                          (int)(self - the.callers) };
    chainsi_arena arena = { 0 };
    char why[256];
    chainsi_exchange_end end;
    atomic_store(&self->waiting, call.number);
    /* Certainly not started where a replica leaves: once more. */
    do
        end = client ? call_plainly(self, client, &call, &arena, why, sizeof why)
                     : call_by_link(self, &call, &arena, why, sizeof why);
    while (end == CHAINSI_EXCHANGE_NOT_STARTED);
    atomic_store(&self->waiting, 0);
    chainsi_arena_done(&arena);
    if (end == CHAINSI_EXCHANGE_DEADLINE && self->kind == HASTILY)
        atomic_fetch_add(&the.late, 1);
    else if (end != CHAINSI_EXCHANGE_ANSWERED)
        fail_msg("a call ended with %d: %s", (int)end, why);
    if ((atomic_fetch_add(&the.answered, 1) + 1) % CHANGE_CALLS == 0)
        sem_post(&the.changes);
}

static void *call_in_rounds(void *user)
{
    caller *self = user;
    char why[256];
    chainsi_client *client = NULL;
    if (self->kind == PLAINLY || self->kind == ANEW)
        client = chainsi_client_new(the.address, why, sizeof why);
    for (int round = 0; round < the.now->rounds; round++) {
        pthread_barrier_wait(&the.round);
        for (int i = 0; i < the.now->calls; i++)
            call_once(self, client);
    }
    chainsi_client_free(client);
    atomic_fetch_sub(&the.callers_left, 1);
    return NULL;
}

/* Not noted as what it is: the slots are free again at once, and a log would have nothing else in it. */
static void *claim_falsely(void *user)
{
    (void)user;
    chainsi_claim claims[2];
    while (!atomic_load(&the.done)) {
        size_t count = __real_chainsi_board_claim_many(the.board, 0, 0, claims, 2);
        int64_t from_ns = chainsi_now_ns();
        for (size_t i = 0; i < count; i++)
            __real_chainsi_board_withdraw(the.board, &claims[i]);
        int64_t to_ns = chainsi_now_ns();
        for (size_t i = 0; i < count && to_ns - from_ns > HELD_NS; i++) {
            balance_note(number_slot(claims[i].row, claims[i].slot), false, from_ns);
            if (!atomic_load(&row_left[claims[i].row]))
                balance_note(number_slot(claims[i].row, claims[i].slot), true, to_ns);
        }
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------------
 * the checker */

/* A call was forgotten. Its scene has threads that never end, so no other test can follow. */
static void fail_for_good(const caller *at)
{
    print_error("call %u, of kind %d, was found waiting with a slot free %d times: %u of %u slots "
                "are free now, %u calls were answered\n",
                at->seen, (int)at->kind, MOST_LOOKS, chainsi_board_free_slots(the.board),
                chainsi_board_slots(the.board, NULL), atomic_load(&the.answered));
    unlink(the.address + strlen("unix:"));
    rmdir(the.folder);
    fflush(NULL);
    _exit(1);
}

static void look(void)
{
    if (!chainsi_board_free_slots(the.board))
        return;
    for (int i = 0; i < the.caller_count; i++) {
        caller *at = &the.callers[i];
        unsigned number = atomic_load(&at->waiting);
        if (number != at->seen)
            at->looks = 0;
        at->seen = number;
        if (number && ++at->looks == MOST_LOOKS)
            fail_for_good(at);
    }
}

static void tell(void)
{
    print_message("%u calls, %u of them late; ", atomic_load(&the.answered),
                  atomic_load(&the.late));
    balance_tell();
}

static void open_scene(const scene *now)
{
    char why[256];
    memset(&the, 0, sizeof the);
    the.now = now;
    strcpy(the.folder, "/tmp/chains-balance-XXXXXX");
    assert_non_null(mkdtemp(the.folder));
    snprintf(the.address, sizeof the.address, "unix:%s/s", the.folder);
    chainsi_address address;
    assert_true(chainsi_address_parse(the.address, &address, why, sizeof why));
    the.listen_fd = chainsi_address_listen(&address, CHAINSI_BACKLOG, why, sizeof why);
    assert_true(the.listen_fd >= 0);
    the.board_fd = chainsi_board_create(0);
    the.board = chainsi_board_open(the.board_fd);
    assert_non_null(the.board);
    for (int i = 0; i < LINKS; i++)
        the.links[i] = chainsi_link_new(address.path, the.board_fd);
    chainsi_address_done(&address);
    assert_int_equal(sem_init(&the.changes, 0, 0), 0);
    for (int kind = 0; kind < KINDS; kind++)
        for (int i = 0; i < now->callers[kind]; i++)
            the.callers[the.caller_count++] =
                (caller){ .kind = (enum kind)kind, .link = the.links[i % LINKS] };
    the.callers_left = the.caller_count - now->callers[FALSELY];
    pthread_barrier_init(&the.round, NULL, (unsigned)the.callers_left);
}

static void close_scene(void)
{
    for (int i = 0; i < LINKS; i++)
        chainsi_link_free(the.links[i]);
    chainsi_board_close(the.board);
    close(the.board_fd);
    close(the.listen_fd);
    unlink(the.address + strlen("unix:"));
    rmdir(the.folder);
    sem_destroy(&the.changes);
    pthread_barrier_destroy(&the.round);
}

static void play(const scene *now)
{
    pthread_t changer;
    assert_true(balance_open());
    open_scene(now);
    for (int i = 0; i < MOST_REPLICAS; i++)
        if (now->slots[i])
            join(i);
    for (int i = 0; i < the.caller_count; i++) {
        caller *at = &the.callers[i];
        assert_int_equal(pthread_create(&at->thread, NULL,
                                        at->kind == FALSELY ? claim_falsely : call_in_rounds, at),
                         0);
    }
    assert_int_equal(pthread_create(&changer, NULL, change_replicas, NULL), 0);
    while (atomic_load(&the.callers_left)) {
        look();
        poll(NULL, 0, LOOK_MS);
    }
    atomic_store(&the.done, true);
    sem_post(&the.changes);
    pthread_join(changer, NULL);
    for (int i = 0; i < the.caller_count; i++)
        pthread_join(the.callers[i].thread, NULL);
    for (int i = 0; i < MOST_REPLICAS; i++)
        if (now->slots[i])
            leave(i);
    assert_int_equal(chainsi_board_slots(the.board, NULL), 0);
    tell();
    close_scene();
    balance_close();
}

static void test_one_slot(void **state)
{
    (void)state;
    play(&(scene){ .slots = { 1 },
                   .callers = { [PLAINLY] = 2, [ANEW] = 2, [FALSELY] = 2 },
                   .rounds = 2000,
                   .calls = 1 });
}

static void test_two_replicas(void **state)
{
    (void)state;
    play(&(scene){
        .slots = { 1, 2 },
        .callers = { [BY_LINK] = 4, [HASTILY] = 2, [PLAINLY] = 2, [ANEW] = 2, [FALSELY] = 1 },
        .rounds = 200,
        .calls = 2 });
}

static void test_many(void **state)
{
    (void)state;
    play(&(scene){
        .slots = { 1, 2, 3, 4 },
        .callers = { [BY_LINK] = 20, [HASTILY] = 4, [PLAINLY] = 4, [ANEW] = 4, [FALSELY] = 1 },
        .rounds = 60,
        .calls = 5 });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_slot),
        TEST(test_two_replicas),
        TEST(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
