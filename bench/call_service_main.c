/* The service of call_bench: a process of its own, like a deployed replica with an empty _new. */
#include <stdlib.h>

#include "call_service.h"

static char instance;

static void *create(chains_ctx *ctx, void *const dependencies[])
{
    (void)ctx, (void)dependencies;
    return &instance;
}

static chains_status run(void *self, chains_ctx *ctx, const void *input, void *output, void *stream)
{
    (void)stream;
    (void)self, (void)ctx;
    ((echo_output *)output)->reply = ((const echo_input *)input)->text;
    return CHAINS_OK;
}

static void destroy(void *self)
{
    (void)self;
}

int main(int argc, char **argv)
{
    const char *slots = getenv("BENCH_SLOTS");
    if (slots)
        echo_config.concurrency = atoi(slots);
    static const chainsi_implementation implementation = {
        .interface = &echo_interface,
        .create = create,
        .run = run,
        .destroy = destroy,
    };
    static const chainsi_node node = { .implementation = &implementation };
    return chainsi_serve_main(&node, argc, argv);
}
