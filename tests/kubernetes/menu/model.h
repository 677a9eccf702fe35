#pragma once
#include <chains.h>

/** A model on two GPUs, with files. */
CHAINLET(model, .cpu = 1.5, .memory = "4Gi", .gpu = "A100:2", .secrets = { "hf_token" },
         .assets = { { .url = "https://models.example.com/base.bin?$(x)$$",
                       .sha256 = "60ED5BC3DD14EEA856493D334349B405782DDCAF0028D4B5DF4088345FBA2EFE",
                       .path = "en/base.bin" } },
         .autoscaling = { .min_replicas = 2, .max_replicas = 4 }, .start_timeout_s = 900,
         .drain_timeout_s = 90.5);
model *model_new(chains_ctx *ctx);
chains_status model_run_remote(model *self, chains_ctx *ctx, const char *ask, const char **answer);
void model_free(model *self);
