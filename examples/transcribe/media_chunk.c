/* Two neighbours agree on where the boundary between them is cut without speaking to each other:
 * each decodes the same seconds around it, by a read of its own, and takes the quietest point. */
#include "media_chunk.h"

#include "media.h"
#include "quiet.h"

#include <math.h>

struct media_chunk {
    speech *speech;
};

media_chunk *media_chunk_new(chains_ctx *ctx, speech *recognizer)
{
    media_prepare();
    media_chunk *self = chains_alloc(ctx, sizeof *self);
    self->speech = recognizer;
    return self;
}

/* Where the recording is cut near a boundary inside it. */
static chains_status find_cut(media_file *media, double boundary_s, double search_s, double *cut_s)
{
    double from_s = fmax(0, boundary_s - search_s);
    chains_int16_list around;
    CHAINS_TRY(media_read(media, from_s, boundary_s + search_s, &around));
    *cut_s = from_s + (double)quietest_point(around.items, around.count) / MEDIA_SAMPLES_PER_S;
    return CHAINS_OK;
}

/* The samples between the cuts at start_s and end_s, and where they begin. */
static chains_status read_part(media_file *media, double start_s, double end_s, double search_s,
                               chains_int16_list *samples, double *begin_s)
{
    double stop_s = INFINITY;
    *begin_s = 0;
    if (start_s > 0)
        CHAINS_TRY(find_cut(media, start_s, search_s, begin_s));
    if (end_s < media_duration_s(media))
        CHAINS_TRY(find_cut(media, end_s, search_s, &stop_s));
    return media_read(media, *begin_s, stop_s, samples);
}

/* One utterance: where it lies in the part, and what speech says about it. */
typedef struct {
    size_t first, count; /* samples */
    const char *text;
    double start_s, end_s;
} utterance;
CHAINS_LIST(utterance, utterances);

/* Divides samples into utterances of about utterance_s that begin and end in pauses. */
static utterances divide(chains_ctx *ctx, chains_int16_list samples, double utterance_s,
                         double search_s)
{
    double length = utterance_s * MEDIA_SAMPLES_PER_S;
    size_t count = (size_t)fmax(1, round((double)samples.count / length));
    length = (double)samples.count / (double)count;
    /* Less than half, so that cuts keep their order. */
    size_t search = (size_t)fmin(search_s * MEDIA_SAMPLES_PER_S, 0.45 * length);

    utterances found = utterances_new(ctx, count);
    size_t first = 0;
    for (size_t i = 0; i < count; i++) {
        size_t end = samples.count;
        if (i + 1 < count) {
            size_t middle = (size_t)(length * (double)(i + 1));
            end = middle - search + quietest_point(samples.items + middle - search, 2 * search);
        }
        found.items[i].first = first;
        found.items[i].count = end - first;
        first = end;
    }
    return found;
}

chains_status media_chunk_run_remote(media_chunk *self, chains_ctx *ctx, recording source,
                                     double start_s, double end_s, double utterance_s,
                                     double search_s, segment_list *segments)
{
    media_file *media;
    chains_int16_list samples;
    double begin_s;
    CHAINS_TRY(media_open(ctx, source.url, source.size, &media));
    chains_status status = read_part(media, start_s, end_s, search_s, &samples, &begin_s);
    media_close(media); /* before the wait for speech: the connection is of no more use */
    CHAINS_TRY(status);

    utterances all = divide(ctx, samples, utterance_s, search_s);
    chains_ctx *calls = chains_gather(ctx);
    for (size_t i = 0; i < all.count; i++) {
        utterance *at = &all.items[i];
        chains_bytes bytes = { samples.items + at->first, at->count * sizeof *samples.items };
        CHAINS_TRY(
            speech_run_remote(self->speech, calls, bytes, &at->text, &at->start_s, &at->end_s));
    }
    CHAINS_TRY(chains_wait(calls));

    *segments = segment_list_new(ctx, 0);
    for (size_t i = 0; i < all.count; i++) {
        const utterance *at = &all.items[i];
        double origin_s = begin_s + (double)at->first / MEDIA_SAMPLES_PER_S;
        if (*at->text)
            chains_push(ctx, segments,
                        (segment){ origin_s + at->start_s, origin_s + at->end_s, at->text });
    }
    return CHAINS_OK;
}

void media_chunk_free(media_chunk *self)
{
    (void)self;
}
