#include <chains.h>

CHAINLET(voice, .concurrency = 2);
voice *voice_new(chains_ctx *ctx);
chains_status voice_run_remote(voice *self, chains_ctx *ctx, const char *text);
void voice_free(voice *self);
