#pragma once
#include "media_chunk.h"

/** Turns a recording on the web into text. */
CHAINLET(transcribe, .entrypoint = true, .concurrency = 8,
         .sources = { "range_source.c", "media.c" },
         .image = {
             .pkg_config = { "libavformat", "libavcodec", "libavutil", "libswresample", "libcurl" },
             .apt = { "libavformat-dev", "libavcodec-dev", "libavutil-dev", "libswresample-dev",
                      "libcurl4-openssl-dev" } });
CHAINS_DEPENDS(transcribe, media_chunk, .retries = 2, .concurrency_limit = 16);

transcribe *transcribe_new(chains_ctx *ctx, media_chunk *chunks);
/** Divides a recording into parts, has them transcribed at once, and joins what was said.
 *  @param media_url             where the recording is, http or https, on a server that serves
 *                               ranges of it: WAV, FLAC, MP3, Ogg, MP4, AAC, Matroska and others
 *  @param chunk_s               how long a part should be, about
 *  @param utterance_s           how long a stretch recognised in one go should be, about
 *  @param search_s              how far from where it would be cut a pause is looked for
 *  @param segments              what was said, in order
 *  @param input_duration_s      how long the recording is
 *  @param processing_duration_s how long this took
 *  @param speedup               the first divided by the second */
chains_status transcribe_run_remote(transcribe *self, chains_ctx *ctx,
                                    const char *media_url CHAINS_LENGTH(1, 8000),
                                    double chunk_s CHAINS_RANGE(5, 600) CHAINS_DEFAULT(60),
                                    double utterance_s CHAINS_RANGE(2, 30) CHAINS_DEFAULT(10),
                                    double search_s CHAINS_RANGE(0, 10) CHAINS_DEFAULT(4),
                                    segment_list *segments, double *input_duration_s,
                                    double *processing_duration_s, double *speedup);
void transcribe_free(transcribe *self);
