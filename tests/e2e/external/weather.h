#pragma once
#include <chains.h>

/** What it is like somewhere. */
typedef struct {
    double celsius;                         /**< The temperature. */
    const char *sky CHAINS_NAME("summary"); /**< A word on the sky. */
} weather_now;

/** A service that others run. */
CHAINLET_EXTERNAL(weather, .url = "http://127.0.0.1:1", .path = "/v1/forecast", .auth = "Bearer",
                  .secret = "weather_key");
/** @param city  where
 *  @param now   what it is like there */
chains_status weather_run_remote(weather *self, chains_ctx *ctx, const char *city,
                                 weather_now *now);
