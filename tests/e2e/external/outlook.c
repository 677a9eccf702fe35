#include "outlook.h"

struct outlook {
    weather *forecast;
};

outlook *outlook_new(chains_ctx *ctx, weather *forecast)
{
    outlook *self = chains_alloc(ctx, sizeof *self);
    self->forecast = forecast;
    return self;
}

chains_status outlook_run_remote(outlook *self, chains_ctx *ctx, const char *city,
                                 const char **text)
{
    weather_now now;
    CHAINS_TRY(weather_run_remote(self->forecast, ctx, city, &now));
    *text = chains_printf(ctx, "%s in %s, %.1f degrees", now.sky, city, now.celsius);
    return CHAINS_OK;
}

void outlook_free(outlook *self)
{
    (void)self;
}
