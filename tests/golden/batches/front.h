#pragma once
#include "scorer.h"
#include "sink.h"
#include "ticket.h"

CHAINLET(front, .entrypoint = true);

front *front_new(chains_ctx *ctx, scorer *scores, ticket *tickets, sink *ends);
chains_status front_run_remote(front *self, chains_ctx *ctx, const char *text, double *score);
void front_free(front *self);
