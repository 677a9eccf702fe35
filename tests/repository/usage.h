/* Every macro of chains.h in use, so that what they expand to is compiled as strictly as the header itself. */
#pragma once
#include <chains.h>

typedef enum { USAGE_LOUD CHAINS_NAME("loud"), USAGE_QUIET CHAINS_NAME("quiet") } usage_mood;

CHAINS_LIST_FORWARD(struct usage_node, usage_nodes);
/** A tree. */
typedef struct usage_node {
    const char *name CHAINS_LENGTH(1, 10) CHAINS_NAME("label");
    double share CHAINS_RANGE(0, 1) CHAINS_DEFAULT(0.5);
    const int32_t *count CHAINS_OPTIONAL;
    const char *format CHAINS_ONE_OF("wav", "mp3") CHAINS_DEFAULT("wav");
    usage_mood mood CHAINS_DEFAULT(USAGE_QUIET);
    usage_nodes children;
} usage_node;
CHAINS_LIST(usage_node, usage_list);
CHAINS_LIST(usage_list, usage_lists);
CHAINS_MAP(double, usage_weights);
CHAINS_MAP(usage_list, usage_groups);
CHAINS_STREAM(const char *, usage_tokens);

/** Only declared. */
CHAINLET_EXTERNAL(usage_external, .url = "http://127.0.0.1:1", .auth = "Bearer", .secret = "token");
chains_status usage_external_run_remote(usage_external *self, chains_ctx *ctx, const char *text,
                                        const char **answer);

/** No options at all. */
CHAINLET(usage_plain);
usage_plain *usage_plain_new(chains_ctx *ctx);
chains_status usage_plain_run_remote(usage_plain *self, chains_ctx *ctx);
void usage_plain_free(usage_plain *self);

/** Options of every kind. */
CHAINLET(usage_full, .entrypoint = true, .cpu = 0.5, .memory = "512Mi", .gpu = "any",
         .concurrency = 4, .sources = { "a.c", "b.c" }, .cflags = { "-O3" }, .libs = { "-lm" },
         .image = { .pkg_config = { "llama" },
                    .apt = { "libllama0" },
                    .base = "debian:12-slim",
                    .files = { "data" } },
         .env = { { "OMP_NUM_THREADS", "1" } }, .secrets = { "token" },
         .assets = { { .url = "https://host/file", .sha256 = "00", .path = "file" } },
         .autoscaling = { .min_replicas = 1, .max_replicas = 4 },
         .batch = { .max_size = 8, .max_wait_us = 500 });
CHAINS_DEPENDS(usage_full, usage_plain);
CHAINS_DEPENDS(usage_full, usage_external, .retries = 3, .timeout_ms = 20000);
usage_full *usage_full_new(chains_ctx *ctx, usage_plain *plain, usage_external *external);
chains_status usage_full_run_remote(usage_full *self, chains_ctx *ctx, usage_list list,
                                    const usage_node *node CHAINS_OPTIONAL, usage_groups groups,
                                    chains_string_list *words, usage_weights *weights,
                                    usage_tokens *tokens);
chains_status usage_full_healthy(usage_full *self, chains_ctx *ctx);
void usage_full_free(usage_full *self);

static inline chains_status usage_of_functions(chains_ctx *ctx, usage_tokens *tokens)
{
    usage_weights weights = usage_weights_new(ctx, 0);
    usage_weights_put(ctx, &weights, "one", 1);
    chains_string_list words = chains_string_list_new(ctx, 0);
    chains_push(ctx, &words, chains_printf(ctx, "%d", 1));
    usage_node node = usage_list_new(ctx, 1).items[0];
    chains_push(ctx, &node.children, node);
    CHAINS_TRY(tokens->emit(tokens, words.items[0]));
    chains_log(ctx, CHAINS_DEBUG, "%zu", words.count);
    if (usage_weights_get(&weights, "two"))
        return chains_fail(ctx, CHAINS_INTERNAL, "two");
    return chains_fail(ctx, CHAINS_NOT_FOUND, "no %s", "two");
}
