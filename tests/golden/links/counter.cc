#include <atomic>
#include <stdexcept>

extern "C" {
#include "counter.h"
}

struct counter {
    std::atomic<uint64_t> calls{ 0 };
};

counter *counter_new(chains_ctx *)
{
    return new counter;
}

chains_status counter_run_remote(counter *self, chains_ctx *, uint64_t *calls)
{
    *calls = ++self->calls;
    if (*calls > 1000)
        throw std::overflow_error("counted too far");
    return CHAINS_OK;
}

void counter_free(counter *self)
{
    delete self;
}

chains_status counter_healthy(counter *, chains_ctx *)
{
    return CHAINS_OK;
}
