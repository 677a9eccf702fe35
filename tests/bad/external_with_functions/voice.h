#pragma once
#include <chains.h>

CHAINLET_EXTERNAL(voice, .url = "https://voice.example");

voice *voice_new(chains_ctx *ctx);
chains_status voice_run_remote(voice *self, chains_ctx *ctx);
void voice_free(voice *self);
