#pragma once
#include <chains.h>

CHAINLET(speech, .min_replicas = 2, .autoscaling = { .min_replica = 1 }, .zzzzzz = 3);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx);
void speech_free(speech *self);
