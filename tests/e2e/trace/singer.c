#include "singer.h"

struct singer {
    int unused;
};

singer *singer_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, sizeof(singer));
}

chains_status singer_run_remote(singer *self, chains_ctx *ctx, int lines, singer_lines *song)
{
    (void)self;
    for (int i = 0; i < lines; i++)
        CHAINS_TRY(song->emit(song, chains_printf(ctx, "line %d", i)));
    return CHAINS_OK;
}

void singer_free(singer *self)
{
    (void)self;
}
