#include "hello_writer.h"

/* What is kept between calls. Each replica of the service has one. */
struct hello_writer {
    const char *greeting;
};

hello_writer *hello_writer_new(chains_ctx *ctx)
{
    hello_writer *self = chains_alloc(ctx, sizeof *self); /* goes with ctx: nothing to free */
    self->greeting = "Hello";
    return self;
}

chains_status hello_writer_run_remote(hello_writer *self, chains_ctx *ctx, const char *word,
                                      const char **line)
{
    *line = chains_printf(ctx, "%s, %s!", self->greeting, word);
    return CHAINS_OK;
}

void hello_writer_free(hello_writer *self)
{
    (void)self; /* close here what _new opened */
}
