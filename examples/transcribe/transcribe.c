#include "transcribe.h"

#include "media.h"

#include <math.h>
#include <time.h>

struct transcribe {
    media_chunk *chunks;
};

transcribe *transcribe_new(chains_ctx *ctx, media_chunk *chunks)
{
    media_prepare();
    transcribe *self = chains_alloc(ctx, sizeof *self);
    self->chunks = chunks;
    return self;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Reads the header only. */
static chains_status describe(chains_ctx *ctx, const char *url, recording *source)
{
    media_file *media;
    CHAINS_TRY(media_open(ctx, url, -1, &media));
    *source = (recording){ url, media_size(media), media_duration_s(media) };
    media_close(media);
    return CHAINS_OK;
}

chains_status transcribe_run_remote(transcribe *self, chains_ctx *ctx, const char *media_url,
                                    double chunk_s, double utterance_s, double search_s,
                                    segment_list *segments, double *input_duration_s,
                                    double *processing_duration_s, double *speedup)
{
    double began_s = now_s();
    recording source;
    CHAINS_TRY(describe(ctx, media_url, &source));

    size_t count = (size_t)fmax(1, round(source.duration_s / chunk_s));
    double length_s = source.duration_s / (double)count;
    /* Less than half a part, so that cuts keep their order. */
    search_s = fmin(search_s, 0.45 * length_s);

    segment_list *parts = chains_alloc(ctx, count * sizeof *parts);
    chains_ctx *calls = chains_gather(ctx);
    for (size_t i = 0; i < count; i++)
        CHAINS_TRY(
            media_chunk_run_remote(self->chunks, calls, source, length_s * (double)i,
                                   i + 1 < count ? length_s * (double)(i + 1) : source.duration_s,
                                   utterance_s, search_s, &parts[i]));
    CHAINS_TRY(chains_wait(calls));

    *segments = segment_list_new(ctx, 0);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < parts[i].count; j++)
            chains_push(ctx, segments, parts[i].items[j]);
    *input_duration_s = source.duration_s;
    *processing_duration_s = now_s() - began_s;
    *speedup = *input_duration_s / fmax(*processing_duration_s, 1e-6);
    return CHAINS_OK;
}

void transcribe_free(transcribe *self)
{
    (void)self;
}
