#include <chrono>
#include <cstring>
#include <stdexcept>
#include <thread>

extern "C" {
#include "clerk.h"
}

struct clerk {
    int unused;
};

clerk *clerk_new(chains_ctx *)
{
    return new clerk();
}

/* What a batch costs, however large it is. */
static void think(const char *about)
{
    if (strncmp(about, "quick", 5) != 0)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

static chains_status answer(chains_ctx *ctx, const char *text, size_t count, const char **reply,
                            uint32_t *together)
{
    if (!strcmp(text, "throw"))
        throw std::runtime_error("thrown");
    if (!strcmp(text, "missing"))
        return chains_fail(ctx, CHAINS_NOT_FOUND, "nothing is called %s", text);
    *reply = chains_printf(ctx, "<%s>", text);
    *together = static_cast<uint32_t>(count);
    return CHAINS_OK;
}

chains_status clerk_run_remote(clerk *, chains_ctx *ctx, const char *text, const char **reply,
                               uint32_t *together)
{
    think(text);
    return answer(ctx, text, 1, reply, together);
}

chains_status clerk_run_batch(clerk *, chains_ctx *const calls[], size_t count,
                              const char *const text[], const char *reply[], uint32_t together[])
{
    think(text[0]);
    for (size_t i = 0; i < count; i++)
        answer(calls[i], text[i], count, &reply[i], &together[i]); /* each may fail alone */
    return CHAINS_OK;
}

void clerk_free(clerk *self)
{
    delete self;
}
