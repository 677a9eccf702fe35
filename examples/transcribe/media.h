/* Sound out of a media file on a web server, as 16 kHz mono, with ffmpeg's libraries. */
#pragma once
#include <chains.h>

enum { MEDIA_SAMPLES_PER_S = 16000 };

typedef struct media_file media_file;

/* Prepares the libraries. Call once from each Chainlet's _new; more often does no harm. */
void media_prepare(void);

/* Opens the file and reads its header. *opened is the caller's, to be closed by media_close before
 * ctx ends; all that is done with it is cancelled with ctx. Blocks.
 *   size   what the file's size must be, or -1 for any
 * Fails as range_source_open does, and with INVALID_ARGUMENT for what is no media, has no sound, or
 * doesn't tell how long it is. */
chains_status media_open(chains_ctx *ctx, const char *url, int64_t size, media_file **opened);
/* NULL is ignored. */
void media_close(media_file *media);

/* Bytes in all. */
int64_t media_size(const media_file *media);
/* Seconds, from the header; estimated in formats that don't tell exactly. Above 0. */
double media_duration_s(const media_file *media);

/* Decodes from_s to to_s, in seconds from the start, into *samples, which lives as long as the ctx
 * of media_open. INFINITY as to_s: up to the end. Gives fewer samples where the file ends earlier,
 * and the same ones for the same arguments, whoever asks. Downloads no more than what is between,
 * and a little before it where a decoder must warm up. Blocks. Fails as reading does, with
 * DATA_LOSS for what can't be decoded, and with INVALID_ARGUMENT for more than
 * MEDIA_MAX_READ_S seconds. */
chains_status media_read(media_file *media, double from_s, double to_s, chains_int16_list *samples);
enum { MEDIA_MAX_READ_S = 4 * 3600 };
