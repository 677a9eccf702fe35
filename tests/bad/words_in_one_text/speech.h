#pragma once
#include <chains.h>

CHAINLET(speech, .image.pkg_config = { "sqlite3 zlib" }, .image.apt = { "libsqlite3-dev zlib1g-dev" },
         .cflags = { "-O2 -DA=1", "-DB=\"a b\"" }, .libs = { "-lm -lz" });
speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx, const char *text);
void speech_free(speech *self);
