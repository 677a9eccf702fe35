#include "fan_entry.h"

#include <string.h>

struct fan_entry {
    echo_worker *worker;
};

fan_entry *fan_entry_new(chains_ctx *ctx, echo_worker *worker)
{
    fan_entry *self = chains_alloc(ctx, sizeof *self);
    self->worker = worker;
    return self;
}

chains_status fan_entry_run_remote(fan_entry *self, chains_ctx *ctx, const char *text,
                                   int32_t count, int32_t *matched)
{
    chains_string_list replies = chains_string_list_new(ctx, (size_t)count);
    chains_ctx *all = chains_gather(ctx);
    for (size_t i = 0; i < replies.count; i++)
        CHAINS_TRY(echo_worker_run_remote(self->worker, all, text, &replies.items[i]));
    CHAINS_TRY(chains_wait(all));
    *matched = 0;
    for (size_t i = 0; i < replies.count; i++)
        *matched += strcmp(replies.items[i], text) == 0;
    return CHAINS_OK;
}

void fan_entry_free(fan_entry *self)
{
    (void)self;
}
