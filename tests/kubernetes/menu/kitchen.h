#pragma once
#include "elsewhere.h"
#include "model.h"
#include "tokens.h"

/** Its name is no name of an object. */
CHAINLET(kitchen, .name = "Kitchen-of_the__house", .cpu = 0.25,
         .env = {
             { "OMP_NUM_THREADS", "3" }, { "PRICE", "$(HOME) costs $5\nyes" }, { "EMPTY", "" } });
CHAINS_DEPENDS(kitchen, model, .near = true);
CHAINS_DEPENDS(kitchen, tokens, .colocate = true);
kitchen *kitchen_new(chains_ctx *ctx, model *model, tokens *tokens, elsewhere *elsewhere);
chains_status kitchen_run_remote(kitchen *self, chains_ctx *ctx, const char *order,
                                 const char **dish);
void kitchen_free(kitchen *self);
