/* Batches in one process, strictly. */
#include <stdio.h>
#include <string.h>

#include "crowd.h"

enum { COUNT = 12, ROUNDS = 1000 };

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static chains_string_list fill(chains_ctx *ctx, const char *odd)
{
    chains_string_list texts = chains_string_list_new(ctx, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        texts.items[i] = chains_printf(ctx, "%zu", i);
    texts.items[COUNT - 1] = odd;
    return texts;
}

/* Asks until some were answered together, which happens as soon as two come while another is being
 * answered. */
static int check_failing_alone(crowd *all, chains_ctx *ctx)
{
    uint32_t most = 0;
    for (int round = 0; round < ROUNDS && most < 2; round++) {
        crowd_answers answers;
        REQUIRE(crowd_run_remote(all, ctx, fill(ctx, "missing"), false, &answers) == CHAINS_OK);
        for (size_t i = 0; i + 1 < COUNT; i++) {
            const crowd_answer *answer = &answers.items[i];
            REQUIRE(!strcmp(answer->status, "OK"));
            REQUIRE(!strcmp(answer->reply, chains_printf(ctx, "<%zu>", i)));
            if (answer->together > most)
                most = answer->together;
        }
        REQUIRE(!strcmp(answers.items[COUNT - 1].status, "NOT_FOUND"));
        REQUIRE(!strcmp(answers.items[COUNT - 1].message, "nothing is called missing"));
    }
    REQUIRE(most >= 2 && most <= COUNT);
    return 0;
}

/* An exception fails all of its batch, and nobody else. */
static int check_exception(crowd *all, chains_ctx *ctx)
{
    size_t others = 0;
    for (int round = 0; round < ROUNDS && !others; round++) {
        crowd_answers answers;
        REQUIRE(crowd_run_remote(all, ctx, fill(ctx, "throw"), false, &answers) == CHAINS_OK);
        for (size_t i = 0; i < COUNT; i++) {
            const crowd_answer *answer = &answers.items[i];
            if (!strcmp(answer->status, "OK"))
                continue;
            REQUIRE(!strcmp(answer->status, "INTERNAL"));
            REQUIRE(!strcmp(answer->message, "exception: thrown"));
            others += i + 1 < COUNT;
        }
        REQUIRE(strcmp(answers.items[COUNT - 1].status, "OK") != 0);
    }
    REQUIRE(others);
    return 0;
}

int main(void)
{
    chains_ctx *ctx = chains_open(NULL);
    clerk *answering = clerk_new(ctx);
    crowd *all = crowd_new(ctx, answering);
    int failed = check_failing_alone(all, ctx) || check_exception(all, ctx);
    crowd_free(all);
    clerk_free(answering);
    chains_close(ctx);
    return failed;
}
