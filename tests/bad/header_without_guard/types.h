#include <chains.h>

typedef struct rate {
    int value;
} rate;
CHAINS_LIST(rate, rates);
