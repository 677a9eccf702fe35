#pragma once
#include <chains.h>

CHAINLET(speech, .cpu = 2;

speech *speech_new(chains_ctx *ctx);
