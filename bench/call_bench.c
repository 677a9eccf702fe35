/* One call between two processes over a Unix socket, beside a bare C socket ping-pong of the same
 * bytes; and how much memory idle connections hold.
 *
 *   call_bench [ROUNDS [CALLS]]      default 20 rounds of 1000 calls
 *
 * The same bytes: a relay that copies and counts stands between caller and service for a few calls
 * first, so that the floor sends and receives what the project really put on the wire. Rounds of
 * both are interleaved, so that a noisy machine disturbs them alike; take the ratio from here, not
 * the microseconds. The service is call_service, found beside this program, started as a supervisor
 * starts one: on inherited listening sockets. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"
#include "call_processes.h"
#include "rpc/board.h"
#include "rpc/frame.h"
#include "runtime/callee.h"

enum {
    WARM_UP = 500,
    COUNTED = 4,          /* calls through the relay; the last one is counted */
    MOST_BYTES = 1 << 20, /* of a message of the floor */
};

static const char text_of_64[] = "0123456789012345678901234567890123456789012345678901234567890123";

/* ------------------------------------------------------------------------------------------------
 * processes */

/* A process that has one connection to the address of that name, and answers there what comes. cpu: where it runs;
 * -1: anywhere. */
static pid_t start_peer(const char *name, size_t in, size_t out, int cpu,
                        void (*answer)(int fd, char *data, size_t in, size_t out))
{
    int listener = listen_at(name);
    pid_t child = fork();
    if (child < 0)
        give_up("fork");
    if (child > 0) {
        close(listener);
        return child;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (cpu >= 0)
        pin(cpu);
    answer(accept(listener, NULL, NULL), calloc(1, MOST_BYTES), in, out);
    _exit(0);
}

static void answer_each(int fd, char *data, size_t in, size_t out)
{
    while (read_all(fd, data, in))
        write_all(fd, data, out);
}

static void answer_all(int fd, char *data, size_t in, size_t out)
{
    size_t have = 0;
    for (ssize_t got; (got = read(fd, data + have, MOST_BYTES - have)) > 0;) {
        have += (size_t)got;
        size_t count = have / in;
        have %= in;
        write_all(fd, data, count * out);
    }
}

/* Answers `in` bytes with `out` bytes: the least that a call can be. */
static pid_t start_floor(size_t in, size_t out, int cpu)
{
    return start_peer("floor", in, out, cpu, answer_each);
}

/* The same, but whatever has come is answered in one write. */
static pid_t start_batch_floor(size_t in, size_t out, int cpu)
{
    return start_peer("batch", in, out, cpu, answer_all);
}

/* ------------------------------------------------------------------------------------------------
 * the relay */

typedef struct counting_relay {
    int listener;
    size_t in, out; /* bytes so far, from the caller and to it */
} counting_relay;

static void *run_relay(void *user)
{
    counting_relay *self = user;
    int caller = accept(self->listener, NULL, NULL), service = connect_to("calls");
    struct pollfd ends[2] = { { caller, POLLIN, 0 }, { service, POLLIN, 0 } };
    char data[65536];
    for (;;) {
        if (poll(ends, 2, -1) < 0)
            give_up("poll");
        for (int i = 0; i < 2; i++) {
            if (!ends[i].revents)
                continue;
            ssize_t size = read(ends[i].fd, data, sizeof data);
            if (size <= 0) {
                close(caller);
                close(service);
                return NULL;
            }
            /* Counted before it goes on, so that whoever has the answer sees all of it. */
            __atomic_fetch_add(i == 0 ? &self->in : &self->out, (size_t)size, __ATOMIC_SEQ_CST);
            write_all(ends[1 - i].fd, data, (size_t)size);
        }
    }
}

/* ------------------------------------------------------------------------------------------------
 * calls */

static chainsi_callee *callee_at(chains_ctx *ctx, const char *name)
{
    char address[128], why[256];
    snprintf(address, sizeof address, "unix:%.40s/%s", folder, name);
    chainsi_remote *remote = chainsi_remote_new(&echo_interface, address, why, sizeof why);
    if (!remote) {
        fprintf(stderr, "call_bench: %s\n", why);
        exit(1);
    }
    if (!strcmp(name, "calls")) /* the board leads past the relay */
        chainsi_remote_use_board(remote, board_fd);
    return chainsi_callee_new(ctx, &echo_interface, &chainsi_depends_unset, NULL, remote);
}

/* One call, with a ctx of its own as a request has. Gives its nanoseconds. */
static int64_t call_once(chainsi_callee *callee)
{
    chains_ctx *ctx = chains_open(NULL);
    const char *reply = NULL;
    echo_input input = { text_of_64 };
    int64_t start = chainsi_now_ns();
    chains_status status = chainsi_call(callee, ctx, &input, (void *[]){ &reply }, NULL);
    int64_t took = chainsi_now_ns() - start;
    if (status != CHAINS_OK || strcmp(reply, text_of_64) != 0) {
        const chains_error *error = chains_last_error(ctx);
        fprintf(stderr, "call_bench: the call failed: %s\n",
                error ? error->message : "wrong answer");
        exit(1);
    }
    chains_close(ctx);
    return took;
}

/* ------------------------------------------------------------------------------------------------
 * a caller that does no more than it must
 *
 * Claims a slot and sends and reads a frame whose bytes were made beforehand: what a call costs on the
 * serving side alone. */

typedef struct bare_caller {
    chainsi_board *board;
    int fd;
    char message[256], answer[256];
    size_t size, answer_size;
    uint64_t incarnation;
} bare_caller;

static void connect_directly(bare_caller *self)
{
    struct sockaddr_un address;
    socklen_t size = chainsi_board_address(self->incarnation, &address);
    self->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (self->fd < 0 || connect(self->fd, (struct sockaddr *)&address, size) < 0)
        give_up("the service's own socket");
    write_all(self->fd, CHAINSI_FRAME_PREFACE, CHAINSI_FRAME_PREFACE_SIZE);
}

static void bare_connect(bare_caller *self)
{
    *self = (bare_caller){ .board = chainsi_board_open(board_fd), .fd = -1 };
    chainsi_claim claim;
    while (!chainsi_board_claim(self->board, 0, 0, &claim))
        poll(NULL, 0, 1);
    chainsi_board_withdraw(self->board, &claim);
    self->incarnation = claim.incarnation;
    connect_directly(self);
    static const char head[] = "\x81\xa4text\xd9\x40";
    chainsi_frame frame = { .head = { .kind = CHAINSI_FRAME_CALL,
                                      .flags = CHAINSI_FRAME_SOLE | CHAINSI_FRAME_KEEPS,
                                      .body_size = sizeof head - 1 + 64 },
                            .call = { .deadline_ns = CHAINSI_NEVER,
                                      .interface = echo_interface.fingerprint,
                                      .request_id_size = 32 },
                            .request_id = text_of_64 };
    self->size = chainsi_frame_write(&frame, self->message);
    memcpy(self->message + self->size, head, sizeof head - 1);
    self->size += sizeof head - 1;
    memcpy(self->message + self->size, text_of_64, 64);
    self->size += 64;
    self->answer_size = sizeof frame.head + sizeof frame.answer + 66;
}

static int64_t bare_call(bare_caller *self)
{
    int64_t start = chainsi_now_ns();
    chainsi_claim claim;
    while (!chainsi_board_claim(self->board, self->incarnation, 0, &claim))
        sched_yield(); /* after a call by HTTP, which frees its slot behind its answer */
    chainsi_frame_call *call =
        (chainsi_frame_call *)(void *)(self->message + sizeof(chainsi_frame_head));
    call->claim = claim.word;
    call->slot = claim.slot;
    write_all(self->fd, self->message, self->size);
    read_all(self->fd, self->answer, self->answer_size);
    int64_t took = chainsi_now_ns() - start;
    chainsi_frame_head head;
    memcpy(&head, self->answer, sizeof head);
    if (head.kind != CHAINSI_FRAME_ANSWER || head.status || head.body_size != 66) {
        fprintf(stderr, "call_bench: the service answered with frame %d, status %d, %zu bytes\n",
                head.kind, head.status, (size_t)head.body_size);
        exit(1);
    }
    return took;
}

enum { BATCH = 16 };

/* Several calls in one write, whose answers are read together. */
static int64_t bare_batch(bare_caller *self)
{
    static char messages[BATCH * sizeof self->message], answers[BATCH * sizeof self->answer];
    int64_t start = chainsi_now_ns();
    chainsi_claim claims[BATCH];
    size_t claimed = 0, size = 0;
    while (claimed < BATCH)
        claimed += chainsi_board_claim_many(self->board, self->incarnation, 0, claims + claimed,
                                            BATCH - claimed);
    for (uint32_t i = 0; i < BATCH; i++) {
        memcpy(messages + size, self->message, self->size);
        chainsi_frame_head *head = (chainsi_frame_head *)(void *)(messages + size);
        head->flags = CHAINSI_FRAME_KEEPS;
        head->id = i;
        chainsi_frame_call call;
        memcpy(&call, head + 1, sizeof call);
        call.claim = claims[i].word;
        call.slot = claims[i].slot;
        memcpy(head + 1, &call, sizeof call);
        size += self->size;
    }
    write_all(self->fd, messages, size);
    if (!read_all(self->fd, answers, BATCH * self->answer_size))
        give_up("the service ended");
    return chainsi_now_ns() - start;
}

static void bare_done(bare_caller *self)
{
    close(self->fd);
    chainsi_board_close(self->board);
}

/* Bytes of one request and one answer on a connection that is in use already. */
static void count_bytes(size_t *in, size_t *out)
{
    pid_t service = start_service(-1);
    counting_relay relay = { .listener = listen_at("relay") };
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_relay, &relay) != 0)
        give_up("pthread_create");
    chains_ctx *ctx = chains_open(NULL);
    chainsi_callee *callee = callee_at(ctx, "relay");
    for (int i = 0; i < COUNTED; i++) {
        size_t in_before = relay.in, out_before = relay.out;
        call_once(callee);
        *in = relay.in - in_before;
        *out = relay.out - out_before;
    }
    chainsi_callee_done(callee);
    pthread_join(thread, NULL);
    close(relay.listener);
    chains_close(ctx);
    stop(service);
}

static void compare_with_floor(const char *title, int service_cpu, int rounds, int calls, size_t in,
                               size_t out)
{
    pin(0);
    pid_t floor_process = start_floor(in, out, service_cpu);
    pid_t service = start_service(service_cpu);
    int floor_fd = connect_to("floor");
    chains_ctx *ctx = chains_open(NULL);
    chainsi_callee *callee = callee_at(ctx, "calls");
    char *data = calloc(1, MOST_BYTES);
    size_t count = (size_t)rounds * (size_t)calls;
    int64_t *floor_ns = calloc(count, sizeof *floor_ns), *call_ns = calloc(count, sizeof *call_ns),
            *bare_ns = calloc(count, sizeof *bare_ns);
    bare_caller bare;
    bare_connect(&bare);
    if (!data || !floor_ns || !call_ns || !bare_ns)
        give_up("calloc");

    int64_t floor_cpu_ns = 0, call_cpu_ns = 0;
    for (int round = -1; round < rounds; round++) {
        int now = round < 0 ? WARM_UP : calls; /* the first round warms up and is not kept */
        size_t at = round < 0 ? 0 : (size_t)round * (size_t)calls;
        int64_t floor_began_ns = cpu_ns(floor_process);
        for (int i = 0; i < now; i++) {
            int64_t start = chainsi_now_ns();
            write_all(floor_fd, data, in);
            if (!read_all(floor_fd, data, out))
                give_up("the floor's process ended");
            int64_t took = chainsi_now_ns() - start;
            if (round >= 0)
                floor_ns[at + (size_t)i] = took;
        }
        int64_t call_began_ns = cpu_ns(service);
        if (round >= 0)
            floor_cpu_ns += cpu_ns(floor_process) - floor_began_ns;
        for (int i = 0; i < now; i++) {
            int64_t took = call_once(callee);
            if (round >= 0)
                call_ns[at + (size_t)i] = took;
        }
        if (round >= 0)
            call_cpu_ns += cpu_ns(service) - call_began_ns;
        for (int i = 0; i < now; i++) {
            int64_t took = bare_call(&bare);
            if (round >= 0)
                bare_ns[at + (size_t)i] = took;
        }
    }
    summary floor = summarize(floor_ns, count), call = summarize(call_ns, count),
            served = summarize(bare_ns, count);
    printf("%-34s median %7.1f us   p99 %7.1f us\n", "bare socket", floor.median, floor.p99);
    printf("%-34s median %7.1f us   p99 %7.1f us   ratio %.2f (at most 1.25)   %s\n", "one call",
           call.median, call.p99, call.median / floor.median, title);
    printf("%-34s        %7.1f us   floor %5.1f us   ratio %.2f (at most 1.3)\n",
           "  CPU of both processes", (double)call_cpu_ns / 1e3 / (double)count,
           (double)floor_cpu_ns / 1e3 / (double)count, (double)call_cpu_ns / (double)floor_cpu_ns);
    printf("%-34s median %7.1f us   p99 %7.1f us   ratio %.2f\n", "  of that, its serving side",
           served.median, served.p99, served.median / floor.median);

    chainsi_callee_done(callee);
    chains_close(ctx);
    bare_done(&bare);
    close(floor_fd);
    free(data);
    free(bare_ns);
    free(floor_ns);
    free(call_ns);
    stop(service);
    stop(floor_process);
}

/* ------------------------------------------------------------------------------------------------
 * several at once, and doing nothing */

/* Several small calls at once, beside as many messages that a bare socket takes and answers in one write each way. */
static void compare_batches(const char *title, int service_cpu, int rounds, int calls, size_t in,
                            size_t out)
{
    pin(0);
    setenv("BENCH_SLOTS", "16", 1);
    pid_t floor_process = start_batch_floor(in, out, service_cpu),
          service = start_service(service_cpu);
    unsetenv("BENCH_SLOTS");
    int floor_fd = connect_to("batch");
    bare_caller bare;
    bare_connect(&bare);
    char *data = calloc(1, MOST_BYTES);
    size_t count = 0;
    int64_t *floor_ns = calloc((size_t)rounds * (size_t)calls, sizeof *floor_ns),
            *call_ns = calloc((size_t)rounds * (size_t)calls, sizeof *call_ns);
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < calls; i++) {
            int64_t start = chainsi_now_ns();
            write_all(floor_fd, data, BATCH * in);
            read_all(floor_fd, data, BATCH * out);
            floor_ns[count + (size_t)i] = chainsi_now_ns() - start;
        }
        for (int i = 0; i < calls; i++)
            call_ns[count++] = bare_batch(&bare);
    }
    summary floor = summarize(floor_ns, count), served = summarize(call_ns, count);
    printf("%-34s median %7.1f us   p99 %7.1f us\n", "16 messages in one write", floor.median,
           floor.p99);
    printf("%-34s median %7.1f us   p99 %7.1f us   ratio %.2f   %s\n",
           "16 calls, their serving side", served.median, served.p99, served.median / floor.median,
           title);
    bare_done(&bare);
    close(floor_fd);
    free(data);
    free(floor_ns);
    free(call_ns);
    stop(service);
    stop(floor_process);
}

/* What many connections that do nothing cost: each has made one call. */
static void measure_idle(int rounds, int calls, size_t in, size_t out)
{
    enum { IDLE = 10000 };
    pin(0);
    pid_t floor_process = start_floor(in, out, 0), service = start_service(0);
    int floor_fd = connect_to("floor");
    bare_caller bare;
    bare_connect(&bare);
    bare_call(&bare);
    char *data = calloc(1, MOST_BYTES);
    int64_t *floor_ns = calloc((size_t)rounds * (size_t)calls, sizeof *floor_ns),
            *call_ns = calloc((size_t)rounds * (size_t)calls, sizeof *call_ns);
    static bare_caller idle[IDLE];
    double ratios[2];
    long resident[2];
    int connected = 0;
    for (int with_idle = 0; with_idle < 2; with_idle++) {
        while (with_idle && connected < IDLE) {
            idle[connected] = bare;
            connect_directly(&idle[connected]);
            bare_call(&idle[connected++]);
        }
        size_t count = 0;
        for (int round = 0; round < rounds; round++) {
            for (int i = 0; i < calls; i++) {
                int64_t start = chainsi_now_ns();
                write_all(floor_fd, data, in);
                read_all(floor_fd, data, out);
                floor_ns[count + (size_t)i] = chainsi_now_ns() - start;
            }
            for (int i = 0; i < calls; i++)
                call_ns[count++] = bare_call(&bare);
        }
        ratios[with_idle] = summarize(call_ns, count).median / summarize(floor_ns, count).median;
        resident[with_idle] = resident_kib(service);
    }
    printf("%d idle connections%*s %.1f MiB resident (at most 100), %.1f without; a call %.2f "
           "times the floor, %.2f without\n",
           IDLE, 10, "", (double)resident[1] / 1024, (double)resident[0] / 1024, ratios[1],
           ratios[0]);
    for (int i = 0; i < connected; i++)
        close(idle[i].fd);
    bare_done(&bare);
    close(floor_fd);
    free(data);
    free(floor_ns);
    free(call_ns);
    stop(service);
    stop(floor_process);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 20, calls = argc > 2 ? atoi(argv[2]) : 1000;
    if (argc > 3 || rounds < 1 || calls < 1) {
        fprintf(stderr, "usage: call_bench [ROUNDS [CALLS]]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    prepare();
    size_t in = 0, out = 0;
    count_bytes(&in, &out);
    printf("%d rounds of %d calls, a text of 64 bytes each way; on the wire %zu bytes there, %zu "
           "back\n",
           rounds, calls, in, out);
    if (in == 0 || out == 0 || in > MOST_BYTES || out > MOST_BYTES) {
        fprintf(stderr, "call_bench: the relay saw no call\n");
        return 1;
    }
    compare_with_floor("both on one CPU", 0, rounds, calls, in, out);
    if (CPU_COUNT(&all_cpus) > 1)
        compare_with_floor("on two CPUs", 1, rounds, calls, in, out);
    compare_batches("both on one CPU", 0, rounds, calls / 4 + 1, in, out);
    if (CPU_COUNT(&all_cpus) > 1)
        compare_batches("on two CPUs", 1, rounds, calls / 4 + 1, in, out);
    measure_idle(rounds, calls, in, out);

    clean_up((const char *const[]){ "calls", "probes", "relay", "floor", "batch", NULL });
    return 0;
}
