#pragma once
#include "phi_llm.h"

/** Writes one poem a word. */
CHAINLET(poem_generator, .entrypoint = true);
CHAINS_DEPENDS(poem_generator, phi_llm, .retries = 3, .timeout_ms = 20000);

poem_generator *poem_generator_new(chains_ctx *ctx, phi_llm *llm);
/** Asks for all poems at once and waits for them.
 *  @param words what the poems are about
 *  @param poems one a word, in their order */
chains_status poem_generator_run_remote(poem_generator *self, chains_ctx *ctx,
                                        chains_string_list words, chains_string_list *poems);
void poem_generator_free(poem_generator *self);
