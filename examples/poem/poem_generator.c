#include "poem_generator.h"

struct poem_generator {
    phi_llm *llm;
};

poem_generator *poem_generator_new(chains_ctx *ctx, phi_llm *llm)
{
    poem_generator *self = chains_alloc(ctx, sizeof *self);
    self->llm = llm;
    return self;
}

chains_status poem_generator_run_remote(poem_generator *self, chains_ctx *ctx,
                                        chains_string_list words, chains_string_list *poems)
{
    *poems = chains_string_list_new(ctx, words.count);
    chains_ctx *all = chains_gather(ctx); /* calls made with it are started, not waited for */
    for (size_t i = 0; i < words.count; i++) {
        phi_message ask = { .content =
                                chains_printf(ctx, "A poem about %s, please.", words.items[i]) };
        CHAINS_TRY(
            phi_llm_run_remote(self->llm, all, (phi_messages){ &ask, 1 }, 0, &poems->items[i]));
    }
    return chains_wait(all); /* all have finished; the first failure is returned */
}

void poem_generator_free(poem_generator *self)
{
    (void)self;
}
