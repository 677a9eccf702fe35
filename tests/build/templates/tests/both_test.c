/* A real C++ Chainlet beside a fake of the other. */
#include "both.h"

chains_status left_run_remote(left *self, chains_ctx *ctx, int32_t count, int32_t *put,
                              int32_t *calls)
{
    (void)self, (void)ctx;
    *put = *calls = -count;
    return CHAINS_OK;
}

int main(void)
{
    chains_ctx *ctx = chains_open(NULL);
    right *r = right_new(ctx);
    both *chain = both_new(ctx, left_new(ctx), r);
    chains_int32_list answers = { 0 };
    bool good = both_run_remote(chain, ctx, 7, &answers) == CHAINS_OK && answers.count == 4 &&
                answers.items[0] == -2 && answers.items[2] == -3 && answers.items[3] == 703;
    good = good && both_run_remote(chain, ctx, -1, &answers) == CHAINS_INTERNAL;
    both_free(chain);
    right_free(r);
    chains_close(ctx);
    return good ? 0 : 1;
}
