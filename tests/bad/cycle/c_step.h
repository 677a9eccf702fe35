#pragma once
#include <chains.h>

typedef struct a_step a_step;

CHAINLET(c_step);

c_step *c_step_new(chains_ctx *ctx, a_step *a_step_);
chains_status c_step_run_remote(c_step *self, chains_ctx *ctx);
void c_step_free(c_step *self);
