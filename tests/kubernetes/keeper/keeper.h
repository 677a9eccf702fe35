#pragma once
#include <chains.h>

/** Tells what it was given. */
CHAINLET(keeper, .entrypoint = true, .secrets = { "token" },
         .assets = { { .url = "https://models.example.com/base.txt",
                       .sha256 = "60ed5bc3dd14eea856493d334349b405782ddcaf0028d4b5df4088345fba2efe",
                       .path = "en/base.txt" } },
         .env = { { "WHERE", "$HOME" } });
keeper *keeper_new(chains_ctx *ctx);
chains_status keeper_run_remote(keeper *self, chains_ctx *ctx, const char **all);
void keeper_free(keeper *self);
