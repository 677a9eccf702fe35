#include "speech.h"

struct speech {
    int turns;
};

speech *speech_new(chains_ctx *)
{
    return new speech();
}

chains_status speech_run_remote(speech *, chains_ctx *)
{
    return CHAINS_OK;
}

void speech_free(speech *self)
{
    delete self;
}
