#include "fastapi_caller.h"

#include "calls.h"

struct fastapi_caller {
    fastapi_echo *echo;
    fastapi_hop *hop;
    fastapi_bytes *bytes;
    fastapi_numbers *numbers;
    fastapi_fan *fan;
};

static chains_status call_echo(void *user, chains_ctx *ctx, const char *text, const char **reply)
{
    fastapi_caller *self = user;
    return fastapi_echo_run_remote(self->echo, ctx, text, reply);
}

static chains_status call_hop(void *user, chains_ctx *ctx, const char *text, const char **reply)
{
    fastapi_caller *self = user;
    return fastapi_hop_run_remote(self->hop, ctx, text, reply);
}

static chains_status call_bytes(void *user, chains_ctx *ctx, chains_bytes data,
                                chains_bytes *sample)
{
    fastapi_caller *self = user;
    return fastapi_bytes_run_remote(self->bytes, ctx, data, sample);
}

static chains_status call_numbers(void *user, chains_ctx *ctx, chains_double_list values,
                                  double *sum)
{
    fastapi_caller *self = user;
    return fastapi_numbers_run_remote(self->numbers, ctx, values, sum);
}

static chains_status call_fan(void *user, chains_ctx *ctx, const char *text, int32_t count,
                              int32_t *matched)
{
    fastapi_caller *self = user;
    return fastapi_fan_run_remote(self->fan, ctx, text, count, matched);
}

fastapi_caller *fastapi_caller_new(chains_ctx *ctx, fastapi_echo *echo, fastapi_hop *hop,
                                   fastapi_bytes *bytes, fastapi_numbers *numbers, fastapi_fan *fan)
{
    static const calls methods = { call_hop, call_echo, call_bytes, call_numbers, call_fan };
    fastapi_caller *self = chains_alloc(ctx, sizeof *self);
    *self = (fastapi_caller){ echo, hop, bytes, numbers, fan };
    return calls_start(ctx, &methods, self) ? self : NULL;
}

chains_status fastapi_caller_run_remote(fastapi_caller *self, chains_ctx *ctx, bool *reading)
{
    (void)self, (void)ctx;
    *reading = true;
    return CHAINS_OK;
}

void fastapi_caller_free(fastapi_caller *self)
{
    (void)self;
}
