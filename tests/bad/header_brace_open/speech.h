#pragma once
#include <chains.h>

typedef struct {
    int value;

CHAINLET(speech);
