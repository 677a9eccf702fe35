#pragma once
#include "talker.h"

/** Hands its stream on, or listens to the talker itself. */
CHAINLET(stream, .entrypoint = true, .concurrency = 4, .memory = "256Mi",
         .autoscaling = { .min_replicas = 1 });
CHAINS_DEPENDS(stream, talker, .retries = 2);

stream *stream_new(chains_ctx *ctx, talker *talker);
/** Has words said.
 *  @param count      how many
 *  @param size       of each, in bytes; 0: as long as it takes
 *  @param trouble_at the word in whose place the talker has trouble; below 0: none
 *  @param trouble    what it is
 *  @param here       it isn't the talker that has trouble, but this one, which listens
 *  @param stop_at    emit refuses this one; below 0: it takes all
 *  @param between    this one hears every word and passes it on; else the talker is handed the stream
 *  @param said       how many were said
 *  @param words      the words */
chains_status stream_run_remote(stream *self, chains_ctx *ctx, int count,
                                int size CHAINS_DEFAULT(0), int trouble_at CHAINS_DEFAULT(-1),
                                trouble_kind trouble CHAINS_DEFAULT(TROUBLE_FAIL),
                                bool here CHAINS_DEFAULT(false), int stop_at CHAINS_DEFAULT(-1),
                                bool between CHAINS_DEFAULT(false), int *said, talker_words *words);
void stream_free(stream *self);
