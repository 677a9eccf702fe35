#pragma once
#include <chains.h>

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
static inline int twice(int i)
{
    return 2 * i;
