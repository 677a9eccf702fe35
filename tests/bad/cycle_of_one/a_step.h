#pragma once
#include <chains.h>

CHAINLET(a_step);

a_step *a_step_new(chains_ctx *ctx, a_step *next);
chains_status a_step_run_remote(a_step *self, chains_ctx *ctx);
void a_step_free(a_step *self);
