/* Stands in for a language model: it writes from templates, so that the example needs no weights
 * and the same conversation always gets the same answer. */
#include "phi_llm.h"

#include <string.h>

/* Each verse has one %s, its subject. The first is "the most likely answer". */
static const char *const verses[] = {
    "The %s was here before the day began,\nand stays to hear us out, as no one can.",
    "Who asked the %s to wait for us tonight?\nIt only smiled, and left a little light.",
    "I tried to put the %s into a line;\nit slipped away, and said: you can't have mine.",
};
enum { VERSE_COUNT = sizeof verses / sizeof *verses };

struct phi_llm {
    const char *const *verses; /* What a real model would load here and keep. */
};

phi_llm *phi_llm_new(chains_ctx *ctx)
{
    phi_llm *self = chains_alloc(ctx, sizeof *self);
    self->verses = verses;
    return self;
}

/* What a request is about: "moon" in "A poem about moon, please."; all of it if it isn't so. */
static const char *find_subject(chains_ctx *ctx, const char *request)
{
    const char *about = strstr(request, "about ");
    if (!about)
        return request;
    about += strlen("about ");
    return chains_printf(ctx, "%.*s", (int)strcspn(about, ",.!?"), about);
}

chains_status phi_llm_run_remote(phi_llm *self, chains_ctx *ctx, phi_messages messages,
                                 float temperature, const char **reply)
{
    if (messages.count == 0)
        return chains_fail(ctx, CHAINS_INVALID_ARGUMENT, "a conversation needs at least one turn");
    phi_message last = messages.items[messages.count - 1];
    if (last.role != PHI_USER)
        return chains_fail(ctx, CHAINS_INVALID_ARGUMENT,
                           "the last turn is the assistant's own: there is nothing to answer");

    /* A warmer model strays further from its first idea, and it doesn't repeat itself. */
    size_t said = 0;
    for (size_t i = 0; i < messages.count; i++)
        said += messages.items[i].role == PHI_ASSISTANT;
    size_t choice = ((size_t)(temperature + 0.5F) + said) % VERSE_COUNT;

    const char *verse = self->verses[choice];
    const char *gap = strstr(verse, "%s");
    *reply = chains_printf(ctx, "%.*s%s%s", (int)(gap - verse), verse,
                           find_subject(ctx, last.content), gap + strlen("%s"));
    return CHAINS_OK;
}

void phi_llm_free(phi_llm *self)
{
    (void)self;
}
