#pragma once
#include <chains.h>

typedef struct b_step b_step;

CHAINLET(a_step);

a_step *a_step_new(chains_ctx *ctx, b_step *b_step_);
chains_status a_step_run_remote(a_step *self, chains_ctx *ctx);
void a_step_free(a_step *self);
