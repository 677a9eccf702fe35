#include <library_that_is_not_here.hpp>
extern "C" {
#include "speech.h"
}

static speech *make(chains_ctx *ctx)
{
    return speech_new(ctx);
}
