#pragma once
#include <chains.h>

CHAINLET(speech, .assets = { { .url = "https://h/a.bin", .path = "a.bin" },
                     { .url = "https://h/b.bin", .path = "b.bin", .sha256 = "abc" },
                     { .url = "ftp://h/c.bin", .path = "../c.bin",
                       .sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" },
                     { .url = "https://h/d.bin" } });

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx);
void speech_free(speech *self);
