#include "caller.h"

#include "calls.h"

struct caller {
    echo_entry *echo;
    echo_worker *hop;
    bytes_entry *bytes;
    numbers_entry *numbers;
    fan_entry *fan;
};

static chains_status call_echo(void *user, chains_ctx *ctx, const char *text, const char **reply)
{
    caller *self = user;
    return echo_entry_run_remote(self->echo, ctx, text, reply);
}

static chains_status call_hop(void *user, chains_ctx *ctx, const char *text, const char **reply)
{
    caller *self = user;
    return echo_worker_run_remote(self->hop, ctx, text, reply);
}

static chains_status call_bytes(void *user, chains_ctx *ctx, chains_bytes data,
                                chains_bytes *sample)
{
    caller *self = user;
    return bytes_entry_run_remote(self->bytes, ctx, data, sample);
}

static chains_status call_numbers(void *user, chains_ctx *ctx, chains_double_list values,
                                  double *sum)
{
    caller *self = user;
    return numbers_entry_run_remote(self->numbers, ctx, values, sum);
}

static chains_status call_fan(void *user, chains_ctx *ctx, const char *text, int32_t count,
                              int32_t *matched)
{
    caller *self = user;
    return fan_entry_run_remote(self->fan, ctx, text, count, matched);
}

caller *caller_new(chains_ctx *ctx, echo_entry *echo, echo_worker *hop, bytes_entry *bytes,
                   numbers_entry *numbers, fan_entry *fan)
{
    static const calls methods = { call_hop, call_echo, call_bytes, call_numbers, call_fan };
    caller *self = chains_alloc(ctx, sizeof *self);
    *self = (caller){ echo, hop, bytes, numbers, fan };
    return calls_start(ctx, &methods, self) ? self : NULL;
}

chains_status caller_run_remote(caller *self, chains_ctx *ctx, bool *reading)
{
    (void)self, (void)ctx;
    *reading = true;
    return CHAINS_OK;
}

void caller_free(caller *self)
{
    (void)self;
}
