#pragma once
#include "trouble.h"

/** One word. */
typedef struct {
    const char *text CHAINS_LENGTH(1, 2000000); /**< The word. */
    int index;                                  /**< Its number, from 0. */
} talker_word;
CHAINS_STREAM(talker_word, talker_words);

/** Says words. */
CHAINLET(talker, .concurrency = 4, .memory = "256Mi", .autoscaling = { .min_replicas = 1 });

talker *talker_new(chains_ctx *ctx);
/** Says words.
 *  @param count      how many
 *  @param size       of each, in bytes; 0: as long as it takes
 *  @param trouble_at the word in whose place there is trouble; below 0: none
 *  @param trouble    what it is
 *  @param said       how many were said
 *  @param words      the words */
chains_status talker_run_remote(talker *self, chains_ctx *ctx, int count,
                                int size CHAINS_DEFAULT(0) CHAINS_RANGE(0, 2000000),
                                int trouble_at CHAINS_DEFAULT(-1),
                                trouble_kind trouble CHAINS_DEFAULT(TROUBLE_FAIL), int *said,
                                talker_words *words);
void talker_free(talker *self);
