/* The poem generator with a fake model: what it asks, that answers keep their order, and that a
 * failure of the model is the caller's failure. phi_llm.c isn't part of this program: this file's
 * phi_llm_run_remote is linked in its place. */
#include "poem_generator.h"

#include <stdio.h>
#include <string.h>

static int failures;

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition);               \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

chains_status phi_llm_run_remote(phi_llm *self, chains_ctx *ctx, phi_messages messages,
                                 float temperature, const char **reply)
{
    (void)self;
    if (strstr(messages.items[0].content, "nothing"))
        return chains_fail(ctx, CHAINS_INVALID_ARGUMENT, "nothing rhymes with nothing");
    *reply = chains_printf(ctx, "%zu turn, %s, %.1f: %s", messages.count,
                           messages.items[0].role == PHI_USER ? "user" : "assistant",
                           (double)temperature, messages.items[0].content);
    return CHAINS_OK;
}

static void test_order(poem_generator *poems, chains_ctx *ctx)
{
    const char *words[] = { "moon", "sun", "rain" };
    chains_string_list written = { 0 };
    EXPECT(poem_generator_run_remote(poems, ctx, (chains_string_list){ words, 3 }, &written) ==
           CHAINS_OK);
    EXPECT(written.count == 3);
    for (size_t i = 0; i < written.count; i++) {
        const char *expected =
            chains_printf(ctx, "1 turn, user, 0.0: A poem about %s, please.", words[i]);
        EXPECT(strcmp(written.items[i], expected) == 0);
    }
}

static void test_no_words(poem_generator *poems, chains_ctx *ctx)
{
    chains_string_list written = { 0 };
    EXPECT(poem_generator_run_remote(poems, ctx, (chains_string_list){ 0 }, &written) == CHAINS_OK);
    EXPECT(written.count == 0);
}

static void test_failure(poem_generator *poems, chains_ctx *ctx)
{
    const char *words[] = { "moon", "nothing" };
    chains_string_list written = { 0 };
    EXPECT(poem_generator_run_remote(poems, ctx, (chains_string_list){ words, 2 }, &written) ==
           CHAINS_INVALID_ARGUMENT);
    const chains_error *error = chains_last_error(ctx);
    EXPECT(error && strstr(error->message, "nothing rhymes"));
}

int main(void)
{
    chains_ctx *ctx = chains_open(NULL);
    poem_generator *poems = poem_generator_new(ctx, phi_llm_new(ctx));
    test_order(poems, ctx);
    test_no_words(poems, ctx);
    test_failure(poems, ctx);
    poem_generator_free(poems);
    chains_close(ctx);
    return failures > 0;
}
