/* A stream between two processes over a Unix socket: how soon its first item is there, beside a plain
 * call; what an item costs, beside a bare process that writes as many bytes an item with one write()
 * each; what a producer holds whose reader has stopped; and what an item of 1 MiB costs, which goes
 * through the socket with CHAINS_SHARE=off.
 *
 *   stream_bench [ROUNDS]      default 20 rounds, interleaved
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"
#include "runtime/callee.h"
#include "runtime/glue.h"

enum {
    CALLS = 300,      /* a round */
    ITEMS = 20000,    /* a round */
    ITEM_BYTES = 33,  /* of a token of 16 bytes on the wire: a frame's head and MessagePack */
    HUGE_ITEMS = 100, /* a round, of HUGE_SIZE bytes */
    HUGE_SIZE = 1 << 20,
    LARGE = 100 * 1000, /* bytes of an item that a stopped reader leaves behind */
    MOST_ROUNDS = 200,
};

static const char token[] = "sixteen bytes ..";
static char folder[] = "/tmp/chains-bench-XXXXXX";

typedef struct talk_input {
    int32_t count, size;
} talk_input;

typedef struct talk_output {
    int32_t said;
} talk_output;

static const chainsi_field input_fields[] = {
    { CHAINSI_FIELD(talk_input, count, &chainsi_type_int32) },
    { CHAINSI_FIELD(talk_input, size, &chainsi_type_int32) },
};
static const chainsi_type input_type = {
    .kind = CHAINSI_STRUCT, .size = sizeof(talk_input), .fields = input_fields, .field_count = 2
};
static const chainsi_field output_fields[] = {
    { CHAINSI_FIELD(talk_output, said, &chainsi_type_int32) },
};
static const chainsi_type output_type = {
    .kind = CHAINSI_STRUCT, .size = sizeof(talk_output), .fields = output_fields, .field_count = 1
};
static const chains_config config = { .abi_ = 1 };
#define INTERFACE(...)                                                                             \
    {                                                                                              \
        .name = "talk", .c_name = "talk", .file = "talk.h", .line = 1, .input = &input_type,       \
        .output = &output_type, .config = &config, __VA_ARGS__                                     \
    }
static const chainsi_interface plain = INTERFACE(.fingerprint = 1);
static const chainsi_interface streaming =
    INTERFACE(.fingerprint = 2, .stream_name = "tokens", .stream_item = &chainsi_type_string);

static void *create(chains_ctx *ctx, void *const dependencies[])
{
    (void)ctx, (void)dependencies;
    return folder;
}

static chains_status talk(void *self, chains_ctx *ctx, const void *input, void *output,
                          void *stream)
{
    (void)self;
    const talk_input *in = input;
    const char *item = token;
    if (in->size) {
        char *text = chains_alloc(ctx, (size_t)in->size + 1);
        memset(text, 'x', (size_t)in->size);
        item = text;
    }
    for (int32_t i = 0; i < in->count; i++)
        CHAINS_TRY(chainsi_emit(stream, &item));
    ((talk_output *)output)->said = in->count;
    return CHAINS_OK;
}

static void destroy(void *self)
{
    (void)self;
}

static pid_t serve(const chainsi_interface *interface, const char *name)
{
    pid_t child = fork();
    if (child)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    static chainsi_implementation implementation;
    implementation = (chainsi_implementation){
        .interface = interface, .create = create, .run = talk, .destroy = destroy
    };
    const chainsi_node node = { .implementation = &implementation };
    char address[128];
    snprintf(address, sizeof address, "unix:%s/%s", folder, name);
    char program[] = "talk", option[] = "--listen";
    char *arguments[] = { program, option, address, NULL };
    if (!freopen("/dev/null", "w", stdout))
        _exit(1);
    _exit(chainsi_serve_main(&node, 3, arguments));
}

static chainsi_callee *reach(chains_ctx *ctx, const chainsi_interface *interface, const char *name)
{
    char address[128], why[256];
    snprintf(address, sizeof address, "unix:%s/%s", folder, name);
    while (access(address + 5, F_OK) < 0)
        usleep(1000);
    chainsi_remote *remote = chainsi_remote_new(interface, address, why, sizeof why);
    if (!remote) {
        fprintf(stderr, "stream_bench: %s\n", why);
        exit(1);
    }
    return chainsi_callee_new(ctx, interface, &chainsi_depends_unset, NULL, remote);
}

/* Who hears items. */
typedef struct ear {
    int64_t first_ns;
    int heard, stop_at;
    pid_t watched;
    long resident_kib, before_kib;
} ear;

static chains_status hear(chainsi_stream *stream, const void *item)
{
    (void)item;
    ear *it = stream->user;
    if (!it->heard++)
        it->first_ns = chainsi_now_ns();
    if (it->watched && it->heard == 1) {
        /* The reader stands still until the producer does. */
        for (long last = -1; last != it->resident_kib;) {
            last = it->resident_kib;
            usleep(100000);
            it->resident_kib = resident_kib(it->watched);
        }
    }
    return it->heard == it->stop_at ? CHAINS_ABORTED : CHAINS_OK;
}

static ear call(chains_ctx *program, chainsi_callee *callee, talk_input input, ear it)
{
    chains_ctx ctx;
    chainsi_context_init_child(&ctx, program, true);
    talk_output out;
    void *const outputs[] = { &out.said };
    const chainsi_stream stream = { .deliver = hear, .user = &it };
    chains_status status = chainsi_call(callee, &ctx, &input, outputs,
                                        callee->interface->stream_name ? &stream : NULL);
    if (status != CHAINS_OK && !it.stop_at) {
        fprintf(stderr, "stream_bench: %s\n", chains_last_error(&ctx)->message);
        exit(1);
    }
    chainsi_context_done(&ctx);
    return it;
}

/* Nanoseconds an item of a bare writer in another process. */
static double run_floor(void)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        give_up("socketpair");
    pid_t child = fork();
    if (child == 0) {
        char item[ITEM_BYTES] = { 0 };
        for (int i = 0; i < ITEMS; i++)
            if (send(ends[1], item, sizeof item, MSG_NOSIGNAL) != sizeof item)
                _exit(1);
        _exit(0);
    }
    close(ends[1]);
    char data[65536];
    ssize_t got;
    int64_t began = 0;
    while ((got = read(ends[0], data, sizeof data)) > 0)
        if (!began)
            began = chainsi_now_ns();
    double each = (double)(chainsi_now_ns() - began) / ITEMS;
    close(ends[0]);
    waitpid(child, NULL, 0);
    return each;
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare_figures);
    return values[count / 2];
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 20;
    if (rounds < 1 || rounds > MOST_ROUNDS)
        rounds = 20;
    if (!mkdtemp(folder))
        give_up(folder);
    pid_t services[] = { serve(&plain, "plain"), serve(&streaming, "streaming") };
    chains_ctx *ctx = chains_open(NULL);
    ctx->process->generated = true;
    chainsi_callee *callees[] = { reach(ctx, &plain, "plain"),
                                  reach(ctx, &streaming, "streaming") };
    static double plain_us[MOST_ROUNDS * CALLS], first_us[MOST_ROUNDS * CALLS];
    static double whole_us[MOST_ROUNDS * CALLS];
    static double item_ns[MOST_ROUNDS], floor_ns[MOST_ROUNDS], huge_us[MOST_ROUNDS];
    int calls = 0;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < CALLS; i++, calls++) {
            int64_t began = chainsi_now_ns();
            call(ctx, callees[0], (talk_input){ 1, 0 }, (ear){ 0 });
            int64_t between = chainsi_now_ns();
            ear heard = call(ctx, callees[1], (talk_input){ 1, 0 }, (ear){ 0 });
            plain_us[calls] = (double)(between - began) / 1e3;
            first_us[calls] = (double)(heard.first_ns - between) / 1e3;
            whole_us[calls] = (double)(chainsi_now_ns() - between) / 1e3;
        }
        floor_ns[round] = run_floor();
        ear heard = call(ctx, callees[1], (talk_input){ ITEMS, 0 }, (ear){ 0 });
        item_ns[round] = (double)(chainsi_now_ns() - heard.first_ns) / ITEMS;
    }
    double call_us = median(plain_us, calls), first = median(first_us, calls);
    printf("a plain call                  %8.1f us\n", call_us);
    printf("first item of a stream        %8.1f us   %.2f of a plain call\n", first,
           first / call_us);
    printf("a stream of one item, whole   %8.1f us\n", median(whole_us, calls));
    double floor = median(floor_ns, rounds), item = median(item_ns, rounds);
    printf("bare write and read an item   %8.0f ns\n", floor);
    printf("an item                       %8.0f ns   %.2f of that\n", item, item / floor);

    long before = resident_kib(services[1]);
    ear stalled = call(ctx, callees[1], (talk_input){ 1000, LARGE },
                       (ear){ .watched = services[1], .stop_at = 900 });
    printf("100 MB to a reader that stands still: the producer holds %ld KiB more (of %ld)\n",
           stalled.resident_kib - before, stalled.resident_kib);
    for (int round = 0; round < rounds; round++) {
        ear heard = call(ctx, callees[1], (talk_input){ HUGE_ITEMS, HUGE_SIZE }, (ear){ 0 });
        huge_us[round] = (double)(chainsi_now_ns() - heard.first_ns) / HUGE_ITEMS / 1e3;
    }
    printf("an item of 1 MiB              %8.1f us\n", median(huge_us, rounds));
    for (int i = 0; i < 2; i++) {
        chainsi_callee_done(callees[i]);
        kill(services[i], SIGKILL);
        waitpid(services[i], NULL, 0);
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, i ? "streaming" : "plain");
        unlink(path);
    }
    chains_close(ctx);
    rmdir(folder);
    return 0;
}
