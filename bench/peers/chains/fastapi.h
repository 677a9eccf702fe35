/* The services of FastAPI, as a Chainlet calls them. Bytes are base64 text in JSON. */
#pragma once
#include <chains.h>

CHAINLET_EXTERNAL(fastapi_hop, .url = "unix:/none", .path = "/echo");
chains_status fastapi_hop_run_remote(fastapi_hop *self, chains_ctx *ctx, const char *text,
                                     const char **reply);

CHAINLET_EXTERNAL(fastapi_echo, .url = "unix:/none", .path = "/echo");
chains_status fastapi_echo_run_remote(fastapi_echo *self, chains_ctx *ctx, const char *text,
                                      const char **reply);

CHAINLET_EXTERNAL(fastapi_bytes, .url = "unix:/none", .path = "/bytes");
chains_status fastapi_bytes_run_remote(fastapi_bytes *self, chains_ctx *ctx, chains_bytes data,
                                       chains_bytes *sample);

CHAINLET_EXTERNAL(fastapi_numbers, .url = "unix:/none", .path = "/numbers");
chains_status fastapi_numbers_run_remote(fastapi_numbers *self, chains_ctx *ctx,
                                         chains_double_list values, double *sum);

CHAINLET_EXTERNAL(fastapi_fan, .url = "unix:/none", .path = "/fan");
chains_status fastapi_fan_run_remote(fastapi_fan *self, chains_ctx *ctx, const char *text,
                                     int32_t count, int32_t *matched);
