#include "menu.h"

struct menu {
    cook *kitchen;
};

menu *menu_new(chains_ctx *ctx, cook *kitchen)
{
    menu *self = chains_alloc(ctx, sizeof *self);
    self->kitchen = kitchen;
    return self;
}

chains_status menu_run_remote(menu *self, chains_ctx *ctx, const char *dish, const char **meal)
{
    CHAINS_TRY(cook_run_remote(self->kitchen, ctx, dish, meal));
    return CHAINS_OK;
}

void menu_free(menu *self)
{
    (void)self;
}
