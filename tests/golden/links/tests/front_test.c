/* Two fakes, one of an external service; the counter is real. */
#include "front.h"

#include <string.h>

static int stored;

chains_status store_run_remote(store *self, chains_ctx *ctx, const char *text)
{
    (void)self, (void)ctx;
    stored += !strcmp(text, "moon");
    return CHAINS_OK;
}

chains_status translator_run_remote(translator *self, chains_ctx *ctx, const char *text,
                                    const char **translated)
{
    (void)self;
    *translated = chains_printf(ctx, "<%s>", text);
    return CHAINS_OK;
}

int main(void)
{
    chains_ctx *ctx = chains_open(NULL);
    counter *count = counter_new(ctx);
    front *chain = front_new(ctx, store_new(ctx, count), NULL, count);
    const char *translated = NULL;
    uint64_t calls = 0;
    bool good = front_run_remote(chain, ctx, "moon", &translated, &calls) == CHAINS_OK;
    good = good && !strcmp(translated, "<moon>") && calls == 1 && stored == 1;
    front_free(chain);
    counter_free(count);
    chains_close(ctx);
    return good ? 0 : 1;
}
