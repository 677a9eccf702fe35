#include "crowd.h"

struct crowd {
    clerk *clerk;
};

typedef struct question {
    crowd *self;
    const char *text;
    crowd_answer *answer;
} question;

crowd *crowd_new(chains_ctx *ctx, clerk *clerk_)
{
    crowd *self = chains_alloc(ctx, sizeof *self);
    self->clerk = clerk_;
    return self;
}

static chains_status ask(chains_ctx *ctx, void *user, size_t i)
{
    const question *asked = (const question *)user + i;
    crowd_answer *answer = asked->answer;
    chains_status status =
        clerk_run_remote(asked->self->clerk, ctx, asked->text, &answer->reply, &answer->together);
    answer->status = chains_status_name(status);
    if (status != CHAINS_OK)
        answer->message = chains_last_error(ctx)->message;
    return CHAINS_OK;
}

static chains_status ask_together(crowd *self, chains_ctx *ctx, chains_string_list texts,
                                  crowd_answers *answers)
{
    chains_ctx *all = chains_gather_all(ctx);
    for (size_t i = 0; i < texts.count; i++)
        CHAINS_TRY(clerk_run_remote(self->clerk, all, texts.items[i], &answers->items[i].reply,
                                    &answers->items[i].together));
    (void)chains_wait(all); /* each has a status of its own */
    for (size_t i = 0; i < texts.count; i++)
        answers->items[i].status = chains_status_name(chains_result(all, i));
    return CHAINS_OK;
}

chains_status crowd_run_remote(crowd *self, chains_ctx *ctx, chains_string_list texts, bool gather,
                               crowd_answers *answers)
{
    *answers = crowd_answers_new(ctx, texts.count);
    if (gather)
        return ask_together(self, ctx, texts, answers);
    question *questions = chains_alloc(ctx, texts.count * sizeof *questions);
    for (size_t i = 0; i < texts.count; i++)
        questions[i] = (question){ self, texts.items[i], &answers->items[i] };
    return chains_each(ctx, texts.count, ask, questions);
}

void crowd_free(crowd *self)
{
    (void)self;
}
