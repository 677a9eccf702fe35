#include "studio.h"

#include <string.h>

struct studio {
    painter *painter;
};

studio *studio_new(chains_ctx *ctx, painter *painter)
{
    studio *self = chains_alloc(ctx, sizeof *self);
    self->painter = painter;
    return self;
}

enum { RATE = 8000, SAMPLES = RATE / 10, HEADER = 44 };

/* 8 bits a sample, as RIFF's WAVE has it; a tone of 400 Hz. */
static chains_bytes make_sound(chains_ctx *ctx)
{
    static const unsigned char header[HEADER] = { 'R',
                                                  'I',
                                                  'F',
                                                  'F',
                                                  (36 + SAMPLES) % 256,
                                                  (36 + SAMPLES) / 256,
                                                  0,
                                                  0,
                                                  'W',
                                                  'A',
                                                  'V',
                                                  'E',
                                                  'f',
                                                  'm',
                                                  't',
                                                  ' ',
                                                  16,
                                                  0,
                                                  0,
                                                  0,
                                                  1,
                                                  0,
                                                  1,
                                                  0,
                                                  RATE % 256,
                                                  RATE / 256,
                                                  0,
                                                  0,
                                                  RATE % 256,
                                                  RATE / 256,
                                                  0,
                                                  0,
                                                  1,
                                                  0,
                                                  8,
                                                  0,
                                                  'd',
                                                  'a',
                                                  't',
                                                  'a',
                                                  SAMPLES % 256,
                                                  SAMPLES / 256,
                                                  0,
                                                  0 };
    unsigned char *sound = chains_alloc(ctx, HEADER + SAMPLES);
    memcpy(sound, header, HEADER);
    for (int i = 0; i < SAMPLES; i++)
        sound[HEADER + i] = i % 20 < 10 ? 100 : 156;
    return (chains_bytes){ sound, HEADER + SAMPLES };
}

chains_status studio_run_remote(studio *self, chains_ctx *ctx, studio_authors authors,
                                studio_quality quality, bool sign, studio_weights weights,
                                chains_json extra, chains_bytes photo, const char *refusal,
                                const char **caption, chains_bytes *picture, chains_bytes *sound,
                                chains_bytes *returned)
{
    CHAINS_TRY(painter_run_remote(self->painter, ctx, refusal, picture));
    const char *names = "";
    for (size_t i = 0; sign && i < authors.count; i++)
        names = chains_printf(ctx, "%s%s%s (%d)", names, i ? ", " : "", authors.items[i].name,
                              authors.items[i].year);
    double sum = 0;
    for (size_t i = 0; i < weights.count; i++)
        sum += weights.items[i].value;
    *caption =
        chains_printf(ctx, "%s %s %g %.*s", quality == STUDIO_FINISHED ? "finished" : "draft",
                      names, sum, (int)extra.size, extra.text);
    *sound = make_sound(ctx);
    *returned = photo;
    return CHAINS_OK;
}

void studio_free(studio *self)
{
    (void)self;
}
