/* How long calls wait although a slot is free: the measure of balance.
 *
 *   balance_bench [CALLS]        default 6000 calls a case
 *
 * Twelve replicas of one service, each a process with one slot whose calls take 1 to 50 ms, and three
 * caller processes. Saturated: 8 calls in flight from each caller; partial load: 2 from each. All is the real
 * path: services that serve_main runs, callees as deployed callers have them. First on one machine, by the board; then
 * over TCP on loopback, by the list of the replicas' addresses.
 *
 * A slot is free from the moment that its word on the board says so until it is claimed or taken; a call
 * waits from the moment that it is made until a slot was claimed for it, or taken by the replica that ran
 * it. These moments are noted around the board's functions (rpc/slots_test_support.h), in memory that all
 * processes share. Over TCP a slot is free while the replica holds it for nobody, and a call waits until it runs: longer
 * than until a slot was kept for it. For each call: the longest unbroken time of its wait during which any slot was
 * free. Printed: median, p99 and maximum over all calls, and the longest ones above 1 ms each. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"
#include "rpc/address.h"
#include "rpc/board.h"
#include "rpc/places.h"
#include "rpc/slots_test_support.h"
#include "runtime/callee.h"
#include "runtime/glue.h"
#include "runtime/graph.h"
#include "runtime/handed.h"

enum {
    REPLICAS = 12,
    CALLERS = 3,
    MOST_IN_FLIGHT = 8, /* of one caller */
    MOST_TOLD = 3,      /* of the longest waits */
};

static const int naps_ms[REPLICAS] = { 1, 2, 3, 5, 8, 10, 15, 20, 25, 30, 40, 50 };

typedef struct shared {
    atomic_uint replica_count; /* hands out numbers */
    atomic_uint ready;
    atomic_bool go;
} shared;
static shared *all;
static bool over_tcp;
static int own_number; /* of a replica */

/* ------------------------------------------------------------------------------------------------
 * around the places, over TCP: the board's slots are noted by themselves */

static void note_place(bool freed)
{
    balance_note((uint32_t)own_number, freed, chainsi_now_ns());
}

int __real_chainsi_places_take(chainsi_places *);
int __wrap_chainsi_places_take(chainsi_places *);
void __real_chainsi_places_free(chainsi_places *, int, int64_t);
void __wrap_chainsi_places_free(chainsi_places *, int, int64_t);

int __wrap_chainsi_places_take(chainsi_places *places)
{
    int place = __real_chainsi_places_take(places);
    if (over_tcp && place != CHAINSI_NO_PLACE)
        note_place(false);
    return place;
}

void __wrap_chainsi_places_free(chainsi_places *places, int place, int64_t run_ns)
{
    if (over_tcp && place != CHAINSI_NO_PLACE)
        note_place(true);
    __real_chainsi_places_free(places, place, run_ns);
}

/* ------------------------------------------------------------------------------------------------
 * the service */

typedef struct nap_output {
    int32_t replica;
    int64_t taken_ns; /* 0: it was claimed by the caller, or passed on by the call before */
    int64_t began_ns;
} nap_output;
static const chainsi_field nap_fields[] = {
    { CHAINSI_FIELD(nap_output, replica, &chainsi_type_int32) },
    { CHAINSI_FIELD(nap_output, taken_ns, &chainsi_type_int64) },
    { CHAINSI_FIELD(nap_output, began_ns, &chainsi_type_int64) },
};
static const chainsi_type nap_input_type = { .kind = CHAINSI_STRUCT, .size = 1 };
static const chainsi_type nap_output_type = {
    .kind = CHAINSI_STRUCT, .size = sizeof(nap_output), .fields = nap_fields, .field_count = 3
};
static const chains_config nap_config = { .abi_ = 1 };
static const chainsi_interface nap_interface = {
    .name = "nap",
    .c_name = "nap",
    .file = "nap.h",
    .line = 1,
    .fingerprint = 0x6e6170,
    .input = &nap_input_type,
    .output = &nap_output_type,
    .config = &nap_config,
};

static void *create(chains_ctx *ctx, void *const dependencies[])
{
    (void)ctx, (void)dependencies;
    own_number = (int)atomic_fetch_add(&all->replica_count, 1) % REPLICAS;
    if (over_tcp)
        note_place(true);
    return &own_number;
}

static void nap(int ms)
{
    nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000L }, NULL);
}

static chains_status run(void *self, chains_ctx *ctx, const void *input, void *output, void *stream)
{
    (void)self, (void)ctx, (void)input, (void)stream;
    *(nap_output *)output = (nap_output){ own_number, taken_ns, chainsi_now_ns() };
    taken_ns = 0;
    nap(naps_ms[own_number]);
    return CHAINS_OK;
}

static void destroy(void *self)
{
    (void)self;
}

static const chainsi_implementation implementation = {
    .interface = &nap_interface, .create = create, .run = run, .destroy = destroy
};

/* ------------------------------------------------------------------------------------------------
 * processes */

static char folder[] = "/tmp/chains-bench-XXXXXX", socket_path[64];
static char addresses[1024]; /* as CHAINS_NAP_URL has them */

/* board: -1 over TCP. */
static pid_t start_replica(int listener, int board)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    hand_over((int[]){ listener, board }, board < 0 ? 1 : 2, "calls:board");
    static const chainsi_node node = { .implementation = &implementation };
    exit(chainsi_serve_main(&node, 1, (char *[]){ (char *)"nap", NULL }));
}

typedef struct lane {
    chainsi_callee *callee;
    int calls;
} lane;

static void *run_lane(void *user)
{
    lane *self = user;
    while (!atomic_load(&all->go))
        nap(1);
    for (int i = 0; i < self->calls; i++) {
        chains_ctx *ctx = chains_open(NULL);
        nap_output output = { -1, 0, 0 };
        taken_ns = 0;
        int64_t asked_ns = chainsi_now_ns();
        chains_status status =
            chainsi_call(self->callee, ctx, "",
                         (void *[]){ &output.replica, &output.taken_ns, &output.began_ns }, NULL);
        if (status != CHAINS_OK) {
            const chains_error *error = chains_last_error(ctx);
            fprintf(stderr, "balance_bench: a call failed: %s\n",
                    error ? error->message : chains_status_name(status));
            exit(1);
        }
        int64_t got_ns = output.taken_ns ? output.taken_ns : taken_ns;
        balance_note_call((balance_call){ .asked_ns = asked_ns,
                                          .got_ns = got_ns ? got_ns : output.began_ns,
                                          .replica = output.replica });
        chains_close(ctx);
    }
    return NULL;
}

static pid_t start_caller(int board, int in_flight, int calls)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (board >= 0) {
        hand_over((int[]){ board }, 1, "board.nap");
        chainsi_handed_take();
    }
    setenv("CHAINS_NAP_URL", addresses, 1);
    chains_ctx *ctx = chains_open(NULL);
    chainsi_binding binding = { .interface = &nap_interface };
    chainsi_callee *callee = chainsi_graph_remote(ctx, &binding);
    if (!callee)
        give_up("no callee");
    pthread_t threads[MOST_IN_FLIGHT];
    lane each = { callee, calls / in_flight };
    for (int i = 0; i < in_flight; i++)
        if (pthread_create(&threads[i], NULL, run_lane, &each) != 0)
            give_up("pthread_create");
    atomic_fetch_add(&all->ready, 1);
    for (int i = 0; i < in_flight; i++)
        pthread_join(threads[i], NULL);
    chainsi_callee_done(callee);
    chains_close(ctx);
    exit(0);
}

static void await(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (status != 0) {
        fprintf(stderr, "balance_bench: a process ended with %d\n", status);
        exit(1);
    }
}

/* ------------------------------------------------------------------------------------------------
 * judging */

static void judge(const char *title, int64_t took_ns)
{
    balance_figures found;
    if (!balance_judge(&found))
        give_up("too many events, fewer calls please");
    unsigned shares[REPLICAS] = { 0 };
    const balance_call *calls = balance->calls;
    for (unsigned i = 0; i < found.count; i++)
        shares[calls[i].replica]++;
    for (unsigned i = found.count - MOST_TOLD; i < found.count; i++)
        if (calls[i].gap_ns > CHAINSI_NS_PER_MS)
            printf("  a call waited %.2f ms with a slot free, %.2f ms in all, and ran on the "
                   "replica of %d ms\n",
                   (double)calls[i].gap_ns / 1e6,
                   (double)(calls[i].got_ns - calls[i].asked_ns) / 1e6, naps_ms[calls[i].replica]);
    printf("%-12s %u calls, %.0f a second; waited with a slot free: median %.1f us, p99 %.1f us, "
           "most %.1f us\n"
           "             calls by replica (1 to 50 ms):",
           title, found.count, found.count / ((double)took_ns / 1e9), (double)found.median_ns / 1e3,
           (double)found.p99_ns / 1e3, (double)found.most_ns / 1e3);
    for (int i = 0; i < REPLICAS; i++)
        printf(" %u", shares[i]);
    printf("\n");
}

/* A listening socket at an address, whose own comes back in it. */
static int listen_at(char *text, size_t size)
{
    char why[256];
    chainsi_address address;
    if (!chainsi_address_parse(text, &address, why, sizeof why))
        give_up(why);
    int listener = chainsi_address_listen(&address, 1024, why, sizeof why);
    if (listener < 0)
        give_up(why);
    chainsi_address_done(&address);
    chainsi_address_of(listener, text, size);
    return listener;
}

/* Starts the replicas: on one socket with a board, or each on a port of its own. */
static void start_replicas(pid_t replicas[], int board_fd)
{
    int listener = -1;
    addresses[0] = 0;
    for (int i = 0; i < REPLICAS; i++) {
        char address[80] = "http://127.0.0.1:0";
        if (!over_tcp)
            snprintf(address, sizeof address, "unix:%s", socket_path);
        if (listener < 0) {
            listener = listen_at(address, sizeof address);
            snprintf(addresses + strlen(addresses), sizeof addresses - strlen(addresses), "%s%s",
                     *addresses ? "," : "", address);
        }
        replicas[i] = start_replica(listener, board_fd);
        if (over_tcp || i == REPLICAS - 1) {
            close(listener);
            listener = -1;
        }
    }
}

static void measure(const char *title, int in_flight, int calls)
{
    memset(all, 0, sizeof *all);
    if (!balance_open())
        give_up("memory");
    int board_fd = over_tcp ? -1 : chainsi_board_create(0);
    chainsi_board *board = over_tcp ? NULL : chainsi_board_open(board_fd);
    if (!over_tcp && !board)
        give_up("the board");
    pid_t replicas[REPLICAS], callers[CALLERS];
    start_replicas(replicas, board_fd);
    for (int i = 0; i < CALLERS; i++)
        callers[i] = start_caller(board_fd, in_flight, calls / CALLERS);
    while ((board && chainsi_board_slots(board, NULL) < REPLICAS) ||
           atomic_load(&all->replica_count) < REPLICAS || atomic_load(&all->ready) < CALLERS)
        nap(1);
    int64_t began_ns = chainsi_now_ns();
    atomic_store(&all->go, true);
    for (int i = 0; i < CALLERS; i++)
        await(callers[i]);
    judge(title, chainsi_now_ns() - began_ns);
    for (int i = 0; i < REPLICAS; i++) {
        kill(replicas[i], SIGTERM);
        await(replicas[i]);
    }
    if (board) {
        chainsi_board_close(board);
        close(board_fd);
        unlink(socket_path);
    }
    balance_close();
}

int main(int argc, char **argv)
{
    int calls = argc > 1 ? atoi(argv[1]) : 6000;
    if (argc > 2 || calls < CALLERS * MOST_IN_FLIGHT || calls > BALANCE_MOST / 4) {
        fprintf(stderr, "usage: balance_bench [CALLS]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || !mkdtemp(folder))
        give_up("memory, or a folder");
    snprintf(socket_path, sizeof socket_path, "%s/nap", folder);
    for (int tcp = 0; tcp < 2; tcp++) {
        over_tcp = tcp;
        printf("%s:\n", tcp ? "over TCP" : "on one machine");
        measure("saturated", 8, calls);
        measure("partial load", 2, calls);
    }
    rmdir(folder);
    return 0;
}
