#pragma once
#include "speech.h"

/** A recording on the web, as its header describes it. */
typedef struct {
    const char *url CHAINS_LENGTH(1, 8000);         /**< Where it is, http or https. */
    int64_t size CHAINS_RANGE(1, 9007199254740991); /**< Bytes in all. */
    double duration_s CHAINS_RANGE(0, 1000000);     /**< How long it is. */
} recording;

/** What was said in one go. */
typedef struct {
    double start_s;   /**< Where its first word begins, from the start of the recording. */
    double end_s;     /**< Where its last word ends. */
    const char *text; /**< The words. */
} segment;
CHAINS_LIST(segment, segment_list);

/** Transcribes one part of a recording, of which it downloads no more than that part. */
CHAINLET(media_chunk, .cpu = 1, .memory = "1Gi", .concurrency = 4, .max_queue = 256,
         .sources = { "range_source.c", "media.c", "quiet.c" },
         .image = {
             .pkg_config = { "libavformat", "libavcodec", "libavutil", "libswresample", "libcurl" },
             .apt = { "libavformat-dev", "libavcodec-dev", "libavutil-dev", "libswresample-dev",
                      "libcurl4-openssl-dev" } });
/* The limit keeps the queue before the decoders short: further utterances wait here. */
CHAINS_DEPENDS(media_chunk, speech, .retries = 2, .concurrency_limit = 16);

media_chunk *media_chunk_new(chains_ctx *ctx, speech *recognizer);
/** Downloads a part, decodes it, divides it at pauses into utterances and recognises them.
 *
 *  Where a boundary lies inside the recording the part is cut at the quietest point near it. The
 *  neighbour finds the same point, so that no word is lost or heard twice.
 *  @param source      the recording
 *  @param start_s     the boundary before the part
 *  @param end_s       the boundary behind it; at or past the recording's duration: up to its end
 *  @param utterance_s how long an utterance should be, about
 *  @param search_s    how far from a boundary the quietest point may be
 *  @param segments    what was said, in order */
chains_status media_chunk_run_remote(media_chunk *self, chains_ctx *ctx, recording source,
                                     double start_s CHAINS_RANGE(0, 1000000),
                                     double end_s CHAINS_RANGE(0, 1000000),
                                     double utterance_s CHAINS_RANGE(2, 30),
                                     double search_s CHAINS_RANGE(0, 10), segment_list *segments);
void media_chunk_free(media_chunk *self);
