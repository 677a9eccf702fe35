#pragma once
#include <chains.h>

CHAINLET(speech, .cpu = -1, .concurrency = -4, .max_queue = -2, .start_timeout_s = 0.0 / 0.0,
         .autoscaling = { .target_utilization = 1.5, .window_s = 0.5, .max_replicas = -1 },
         .batch = { .max_size = -2 }, .drain_timeout_s = 1e400);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx);
void speech_free(speech *self);
