/* A service of share_bench: share_service look|pass [OPTIONS]. */
#include <string.h>

#include "share_service.h"

static char instance;

static void *create_look(chains_ctx *ctx, void *const dependencies[])
{
    (void)ctx, (void)dependencies;
    return &instance;
}

static chains_status look(void *self, chains_ctx *ctx, const void *input, void *output,
                          void *stream)
{
    (void)self, (void)ctx, (void)stream;
    const look_input *given = input;
    ((look_output *)output)->sum = sum_of_pages(given->data.data, given->data.size);
    return CHAINS_OK;
}

static void *create_pass(chains_ctx *ctx, void *const dependencies[])
{
    (void)ctx;
    return dependencies[0];
}

static chains_status pass(void *self, chains_ctx *ctx, const void *input, void *output,
                          void *stream)
{
    (void)stream;
    return chainsi_call(self, ctx, input, (void *[]){ &((look_output *)output)->sum }, NULL);
}

static void destroy(void *self)
{
    (void)self;
}

int main(int argc, char **argv)
{
    static const chainsi_implementation looks = {
        .interface = &look_interface,
        .create = create_look,
        .run = look,
        .destroy = destroy,
    };
    static const chainsi_implementation passes = {
        .interface = &look_interface,
        .create = create_pass,
        .run = pass,
        .destroy = destroy,
    };
    static const chainsi_binding to_look = { .interface = &look_interface };
    static const chainsi_node look_node = { .implementation = &looks };
    static const chainsi_node pass_node = {
        .implementation = &passes,
        .dependencies = &to_look,
        .dependency_count = 1,
    };
    if (argc < 2)
        return 2;
    const chainsi_node *node = strcmp(argv[1], "pass") == 0 ? &pass_node : &look_node;
    argv[1] = argv[0];
    return chainsi_serve_main(node, argc - 1, argv + 1);
}
