#pragma once
#include "porter.h"
#include "singer.h"

/** Has bags carried, all at once, and then a song sung. */
CHAINLET(guide, .entrypoint = true, .concurrency = 4);

guide *guide_new(chains_ctx *ctx, porter *porter, singer *singer);
/** @param bags    how many are carried
 *  @param stumble the first of them is dropped once, and picked up again
 *  @param drop    the last of them is dropped for good
 *  @param lines   of the song; 0: none is sung
 *  @param heard   how many lines were heard */
chains_status guide_run_remote(guide *self, chains_ctx *ctx, int bags,
                               bool stumble CHAINS_DEFAULT(false), bool drop CHAINS_DEFAULT(false),
                               int lines CHAINS_DEFAULT(0), int *heard);
void guide_free(guide *self);
