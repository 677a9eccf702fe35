#include "talker.h"

#include <string.h>

struct talker {
    int unused;
};

talker *talker_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, sizeof(talker));
}

chains_status talker_run_remote(talker *self, chains_ctx *ctx, int count, int size, int trouble_at,
                                trouble_kind trouble, int *said, talker_words *words)
{
    (void)self;
    char *large = chains_alloc(ctx, (size_t)size + 1);
    memset(large, 'x', (size_t)size);
    for (int i = 0; i < count; i++) {
        if (i == trouble_at)
            return have_trouble(ctx, trouble, i);
        talker_word word = { .text = size ? large : "word", .index = i };
        chains_status status = words->emit(words, word);
        if (status != CHAINS_OK)
            chains_log(ctx, CHAINS_INFO, "nobody listens any more: %s after %d words, %s",
                       chains_status_name(status), i,
                       chains_cancelled(ctx) ? "cancelled" : "not cancelled");
        CHAINS_TRY(status);
    }
    *said = count;
    return CHAINS_OK;
}

void talker_free(talker *self)
{
    (void)self;
}
