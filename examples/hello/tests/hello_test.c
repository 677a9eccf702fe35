/* A test is a program: it passes when its exit status is 0. What it defines itself replaces the
 * Chainlet of that name, so hello_writer.c isn't part of it and its libraries need not be here. */
#include "hello.h"

#include <stdio.h>
#include <string.h>

chains_status hello_writer_run_remote(hello_writer *self, chains_ctx *ctx, const char *word,
                                      const char **line)
{
    (void)self;
    *line = chains_printf(ctx, "<%s>", word);
    return CHAINS_OK;
}

int main(void)
{
    chains_ctx *ctx = chains_open(NULL);
    hello *chain = hello_new(ctx, hello_writer_new(ctx));

    const char *words[] = { "moon", "sun" };
    chains_string_list lines = { 0 };
    chains_status status = hello_run_remote(chain, ctx, (chains_string_list){ words, 2 }, &lines);
    bool passed = status == CHAINS_OK && lines.count == 2 &&
                  strcmp(lines.items[0], "<moon>") == 0 && strcmp(lines.items[1], "<sun>") == 0;
    if (!passed)
        fprintf(stderr, "expected <moon> and <sun>; got %s and %zu lines\n",
                chains_status_name(status), lines.count);

    hello_free(chain);
    chains_close(ctx);
    return passed ? 0 : 1;
}
