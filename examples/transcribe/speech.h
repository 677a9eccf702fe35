#pragma once
#include <chains.h>

/** Turns one utterance into text: pocketsphinx with its US English model.
 *
 *  One decoder a replica, so one call at a time: more calls at once means more replicas. */
CHAINLET(speech, .cpu = 1, .memory = "512Mi", .concurrency = 1, .max_queue = 256,
         .image = { .pkg_config = { "pocketsphinx" },
                    .apt = { "libpocketsphinx-dev", "pocketsphinx-en-us" } });

speech *speech_new(chains_ctx *ctx);
/** Recognises what is said in one utterance, which should begin and end in a pause.
 *  @param samples 16 kHz mono, signed 16 bits, little-endian; a minute at most
 *  @param text    the words in lower case; empty if none was heard
 *  @param start_s where the first word begins, from the first sample on
 *  @param end_s   where the last word ends */
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                chains_bytes samples CHAINS_LENGTH(0, 1920000), const char **text,
                                double *start_s, double *end_s);
void speech_free(speech *self);
