#pragma once
#include <chains.h>

/** The callee, in the same header and source as its caller. */
CHAINLET(room);
room *room_new(chains_ctx *ctx);
/** Measures a room. */
chains_status room_run_remote(room *self, chains_ctx *ctx, int32_t side CHAINS_RANGE(0, 100),
                              int32_t *area);
void room_free(room *self);

/** The caller. */
CHAINLET(house, .entrypoint = true);
house *house_new(chains_ctx *ctx, room *only);
/** Measures a house. */
chains_status house_run_remote(house *self, chains_ctx *ctx, int32_t side, int32_t *area);
void house_free(house *self);
