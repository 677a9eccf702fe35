#pragma once
#include <chains.h>

CHAINLET_EXTERNAL(voice, .urls = "https://voice.example");

chains_status voice_run_remote(voice *self, chains_ctx *ctx, const char *text, const char **reply);
