#include "shared.hpp"

extern "C" {
#include "left.h"
}

struct left {
    std::map<std::string, int> seen;
};

left *left_new(chains_ctx *)
{
    return new left;
}

chains_status left_run_remote(left *self, chains_ctx *, int32_t count, int32_t *put,
                              int32_t *calls_so_far)
{
    pile<std::string> things;
    self->seen["left"]++;
    calls += count;
    if (count < 0)
        throw refused("left takes no negative count");
    *put = fill(things, std::string("left"), count);
    *calls_so_far = calls * 100 + pile<std::string>::puts();
    return CHAINS_OK;
}

void left_free(left *self)
{
    delete self;
}
