#include "shared.hpp"

extern "C" {
#include "right.h"
}

struct right {
    std::map<std::string, int> seen;
};

right *right_new(chains_ctx *)
{
    return new right;
}

chains_status right_run_remote(right *self, chains_ctx *, int32_t count, int32_t *put,
                               int32_t *calls_so_far)
{
    pile<std::string> things;
    self->seen["right"]++;
    calls += count;
    if (count < 0)
        throw refused("right takes no negative count");
    *put = fill(things, std::string("right"), count);
    *calls_so_far = calls * 100 + pile<std::string>::puts();
    return CHAINS_OK;
}

void right_free(right *self)
{
    delete self;
}
