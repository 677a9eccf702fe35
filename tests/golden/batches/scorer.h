#pragma once
#include <chains.h>

/** A hint. */
typedef struct {
    int weight;
} scorer_hint;
CHAINS_LIST(scorer_hint, scorer_hints);

/** Scores texts, several at once. */
CHAINLET(scorer, .concurrency = 32, .batch = { .max_size = 32, .max_wait_us = 500 });

scorer *scorer_new(chains_ctx *ctx);
chains_status scorer_run_remote(scorer *self, chains_ctx *ctx, const char *const text,
                                const scorer_hint *hint CHAINS_OPTIONAL, scorer_hints hints,
                                long long count CHAINS_RANGE(0, 9), const char **label,
                                double *score);
chains_status scorer_run_batch(scorer *self, chains_ctx *const calls[], size_t size,
                               const char *const text[], const scorer_hint *const hint[],
                               const scorer_hints hints[], const long long count[],
                               const char *label[], double score[]);
void scorer_free(scorer *self);
