#include "calls.h"

#include <pthread.h>
#include <stdlib.h>

#include "load.h"

static const calls *methods;
static void *self;

static void *open_caller(load_kind kind)
{
    (void)kind;
    return NULL;
}

static void close_caller(void *caller)
{
    (void)caller;
}

static void expect_ok(chains_ctx *ctx, chains_status status)
{
    if (status != CHAINS_OK) {
        const chains_error *error = chains_last_error(ctx);
        load_fail("%s", error ? error->message : "the call failed");
    }
}

static void call(void *caller, const load_job *job, const payload *what)
{
    (void)caller;
    chains_ctx *ctx = chains_open(NULL);
    const char *reply = NULL;
    chains_bytes sample = { 0 };
    chains_double_list values = { (double *)(uintptr_t)what->doubles, PAYLOAD_DOUBLES };
    double sum = 0;
    int32_t matched = 0;
    switch (job->kind) {
    case LOAD_HOP:
        expect_ok(ctx, methods->hop(self, ctx, what->small, &reply));
        load_expect_text(what->small, reply, strlen(reply));
        break;
    case LOAD_ECHO:
        expect_ok(ctx, methods->echo(self, ctx, what->echo, &reply));
        load_expect_text(what->echo, reply, strlen(reply));
        break;
    case LOAD_BYTES:
        expect_ok(ctx, methods->bytes(self, ctx, (chains_bytes){ what->blob, sizeof what->blob },
                                      &sample));
        if (!payload_is_sample(what, sample.data, sample.size))
            load_fail("wrong sample");
        break;
    case LOAD_DOUBLES:
        expect_ok(ctx, methods->numbers(self, ctx, values, &sum));
        if (!payload_is_sum(what, sum))
            load_fail("wrong sum");
        break;
    case LOAD_FAN:
        expect_ok(ctx, methods->fan(self, ctx, what->small, job->width, &matched));
        if (matched != job->width)
            load_fail("%d of %d answers", matched, job->width);
        break;
    default:
        expect_ok(ctx, methods->echo(self, ctx, what->small, &reply));
        load_expect_text(what->small, reply, strlen(reply));
    }
    chains_close(ctx);
}

static void *read_commands(void *user)
{
    (void)user;
    static const load_peer peer = { .open = open_caller, .close = close_caller, .call = call };
    _Exit(load_main(&peer));
}

bool calls_start(chains_ctx *ctx, const calls *with, void *of)
{
    methods = with;
    self = of;
    pthread_t thread;
    if (pthread_create(&thread, NULL, read_commands, NULL) != 0) {
        chains_fail(ctx, CHAINS_RESOURCE_EXHAUSTED, "a thread can't be started");
        return false;
    }
    pthread_detach(thread);
    return true;
}
