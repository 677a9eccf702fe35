#include "../reader.h"

#include <assert.h>
#include <string.h>

int main(void)
{
    chains_ctx *ctx = chains_open(NULL);
    inner *asked = inner_new(ctx);
    assert(asked);
    reader *self = reader_new(ctx, asked);
    const char *word, *other;
    assert(reader_run_remote(self, ctx, "word.txt", &word, &other) == CHAINS_OK);
    assert(!strcmp(word, "here") && !strcmp(other, "inside"));
    reader_free(self);
    inner_free(asked);
    chains_close(ctx);
    return 0;
}
