/* pocketsphinx, whole utterances at a time.
 *
 * An utterance is handed over in one piece (full_utt): the decoder then normalises the loudness of
 * each band over all of it. Fed bit by bit it starts from an average and adapts, so that what the
 * first calls of a fresh replica hear would be worse than what later ones do. Each utterance is
 * also a stream of its own: within one the decoder keeps its notion of the noise, and of the
 * silence that it dropped, which would shift the times of the next. So an answer depends on the
 * samples alone. */
#include "speech.h"

#include <pocketsphinx.h>
#include <sphinxbase/err.h>
#include <string.h>

#define MODEL_FOLDER "/usr/share/pocketsphinx/model/en-us/"

enum {
    SAMPLES_PER_S = 16000,
    FRAMES_PER_S = 100,
    /* Fewer than this hold no word, and the decoder wants some frames to look around in. */
    MIN_SAMPLES = SAMPLES_PER_S / 5,
};

struct speech {
    ps_decoder_t *decoder; /* owned; keeps its configuration alive */
};

speech *speech_new(chains_ctx *ctx)
{
    err_set_logfp(NULL); /* it is talkative, and what matters comes back as a status */
    cmd_ln_t *config =
        cmd_ln_init(NULL, ps_args(), TRUE, "-hmm", MODEL_FOLDER "en-us", "-dict",
                    MODEL_FOLDER "cmudict-en-us.dict", "-lm", MODEL_FOLDER "en-us.lm.bin", NULL);
    ps_decoder_t *decoder = config ? ps_init(config) : NULL;
    cmd_ln_free_r(config); /* the decoder holds a reference of its own */
    if (!decoder) {
        chains_fail(ctx, CHAINS_FAILED_PRECONDITION,
                    "the speech model in " MODEL_FOLDER
                    " can't be loaded; the package pocketsphinx-en-us has it");
        return NULL;
    }
    speech *self = chains_alloc(ctx, sizeof *self);
    self->decoder = decoder;
    return self;
}

/* The samples as numbers of this machine, aligned: bytes that came over a wire may lie anywhere. */
static int16_t *read_samples(chains_ctx *ctx, chains_bytes bytes)
{
    const uint8_t *from = bytes.data;
    size_t count = bytes.size / 2;
    int16_t *samples = chains_alloc(ctx, count * sizeof *samples);
    for (size_t i = 0; i < count; i++)
        samples[i] = (int16_t)(uint16_t)(from[2 * i] | from[2 * i + 1] << 8);
    return samples;
}

/* The pauses and noises in a segmentation: "<s>", "<sil>", "[NOISE]". */
static bool is_word(const char *word)
{
    return word && word[0] != '<' && word[0] != '[' && word[0] != '+';
}

static void find_span(ps_decoder_t *decoder, double *start_s, double *end_s)
{
    int first = -1, end = 0;
    for (ps_seg_t *at = ps_seg_iter(decoder); at; at = ps_seg_next(at)) {
        if (!is_word(ps_seg_word(at)))
            continue;
        int from, to;
        ps_seg_frames(at, &from, &to);
        if (first < 0)
            first = from;
        end = to + 1;
    }
    *start_s = first < 0 ? 0 : (double)first / FRAMES_PER_S;
    *end_s = (double)end / FRAMES_PER_S;
}

chains_status speech_run_remote(speech *self, chains_ctx *ctx, chains_bytes samples,
                                const char **text, double *start_s, double *end_s)
{
    if (samples.size % 2)
        return chains_fail(ctx, CHAINS_INVALID_ARGUMENT,
                           "%zu bytes are no whole number of 16 bit samples", samples.size);
    *text = "";
    *start_s = *end_s = 0;
    size_t count = samples.size / 2;
    if (count < MIN_SAMPLES)
        return CHAINS_OK;
    if (chains_cancelled(ctx))
        return chains_fail(ctx, CHAINS_CANCELLED, "nobody waits for this utterance any more");

    if (ps_start_stream(self->decoder) < 0 || ps_start_utt(self->decoder) < 0)
        return chains_fail(ctx, CHAINS_INTERNAL, "the decoder doesn't begin an utterance");
    int frames = ps_process_raw(self->decoder, read_samples(ctx, samples), count, FALSE, TRUE);
    if (ps_end_utt(self->decoder) < 0 || frames < 0)
        return chains_fail(ctx, CHAINS_INTERNAL, "the decoder failed on %zu samples", count);

    const char *heard = ps_get_hyp(self->decoder, NULL);
    if (heard && *heard) {
        *text = chains_strdup(ctx, heard);
        find_span(self->decoder, start_s, end_s);
    }
    return CHAINS_OK;
}

void speech_free(speech *self)
{
    ps_free(self->decoder);
}
