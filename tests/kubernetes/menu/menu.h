#pragma once
#include "kitchen.h"

/** The entrypoint. */
CHAINLET(menu, .entrypoint = true, .gpu = "any");
menu *menu_new(chains_ctx *ctx, kitchen *kitchen, model *model);
chains_status menu_run_remote(menu *self, chains_ctx *ctx, const char *order, const char **dish);
void menu_free(menu *self);
