#pragma once
#include "cook.h"

/** Orders one dish. */
CHAINLET(menu, .entrypoint = true);
menu *menu_new(chains_ctx *ctx, cook *kitchen);
/** Orders. */
chains_status menu_run_remote(menu *self, chains_ctx *ctx, const char *dish CHAINS_DEFAULT("soup"),
                              const char **meal);
void menu_free(menu *self);
