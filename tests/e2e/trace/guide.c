#include "guide.h"

struct guide {
    porter *porter;
    singer *singer;
};

guide *guide_new(chains_ctx *ctx, porter *porter, singer *singer)
{
    guide *self = chains_alloc(ctx, sizeof *self);
    *self = (guide){ porter, singer };
    return self;
}

static chains_status hear(singer_lines *lines, const char *line)
{
    (void)line;
    ++*(int *)lines->user;
    return CHAINS_OK;
}

chains_status guide_run_remote(guide *self, chains_ctx *ctx, int bags, bool stumble, bool drop,
                               int lines, int *heard)
{
    singer_lines listened = { hear, heard };
    int *carried = chains_alloc(ctx, (size_t)bags * sizeof *carried);
    chains_ctx *all = chains_gather(ctx);
    *heard = 0;
    for (int i = 0; i < bags; i++)
        CHAINS_TRY(porter_run_remote(self->porter, all, i, stumble && i == 0, drop && i == bags - 1,
                                     &carried[i]));
    CHAINS_TRY(chains_wait(all));
    return lines ? singer_run_remote(self->singer, ctx, lines, &listened) : CHAINS_OK;
}

void guide_free(guide *self)
{
    (void)self;
}
