#pragma once
#include <chains.h>

CHAINLET(class);

class *class_new(chains_ctx *ctx);
chains_status class_run_remote(class *self, chains_ctx *ctx);
void class_free(class *self);
