#include "poem.h"

struct poem {
    speech *voice;
};

poem *poem_new(chains_ctx *ctx)
{
    poem *self = chains_alloc(ctx, sizeof *self);
    self->voice = speech_new(ctx); /* speech_new in a comment is no call */
    return self;
}
