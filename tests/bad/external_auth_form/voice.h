#pragma once
#include <chains.h>

CHAINLET_EXTERNAL(voice, .url = "https://voice.example", .auth = "Bearer ", .secret = "my key");

chains_status voice_run_remote(voice *self, chains_ctx *ctx, const char *text, const char **reply);
