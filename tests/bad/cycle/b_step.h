#pragma once
#include <chains.h>

typedef struct c_step c_step;

CHAINLET(b_step);

b_step *b_step_new(chains_ctx *ctx, c_step *c_step_);
chains_status b_step_run_remote(b_step *self, chains_ctx *ctx);
void b_step_free(b_step *self);
