#pragma once
#include "nook.h"

/** A service that is deployed elsewhere. */
CHAINLET_EXTERNAL(afar, .url = "https://afar.example");
/** Says something. */
chains_status afar_run_remote(afar *self, chains_ctx *ctx, const char *text, const char **said);

/** Has boxes round it that are no processes. */
CHAINLET(corner, .entrypoint = true);
CHAINS_DEPENDS(corner, nook, .colocate = true);

corner *corner_new(chains_ctx *ctx, nook *nook, afar *afar);
/** @param number beyond what a double can hold, too
 *  @param label  is shown as it is
 *  @param same   the number
 *  @param labels the label, twice */
chains_status corner_run_remote(corner *self, chains_ctx *ctx, uint64_t number,
                                const char *label CHAINS_DEFAULT("one"), uint64_t *same,
                                const char **labels);
void corner_free(corner *self);
