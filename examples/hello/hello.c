#include "hello.h"

struct hello {
    hello_writer *writer;
};

hello *hello_new(chains_ctx *ctx, hello_writer *writer)
{
    hello *self = chains_alloc(ctx, sizeof *self);
    self->writer = writer;
    return self;
}

chains_status hello_run_remote(hello *self, chains_ctx *ctx, chains_string_list words,
                               chains_string_list *lines)
{
    *lines = chains_string_list_new(ctx, words.count);

    /* A call is a plain function call. With a gather's ctx it is started and not waited for, so
     * that all of them run at once; chains_wait waits and returns the first failure. */
    chains_ctx *all = chains_gather(ctx);
    for (size_t i = 0; i < words.count; i++)
        CHAINS_TRY(hello_writer_run_remote(self->writer, all, words.items[i], &lines->items[i]));
    return chains_wait(all);
}

void hello_free(hello *self)
{
    (void)self;
}
