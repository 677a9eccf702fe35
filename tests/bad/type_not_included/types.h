#pragma once
#include <chains.h>

typedef struct rate {
    int value;
} rate;
