#pragma once
#include <chains.h>

/** Others run it. */
CHAINLET_EXTERNAL(elsewhere, .url = "https://models.example.com", .auth = "Bearer",
                  .secret = "elsewhere_key");
chains_status elsewhere_run_remote(elsewhere *self, chains_ctx *ctx, const char *ask,
                                   const char **answer);
