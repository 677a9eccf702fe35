#pragma once
#include <chains.h>

CHAINLET_EXTERNAL(voice, .url = "https://voice.example");

chains_status voice_run_remote(voice *self, chains_ctx *ctx);
