#include "stream.h"

struct stream {
    talker *talker;
};

stream *stream_new(chains_ctx *ctx, talker *talker)
{
    stream *self = chains_alloc(ctx, sizeof *self);
    self->talker = talker;
    return self;
}

/* Who listens to the talker. */
typedef struct listener {
    chains_ctx *ctx;
    talker_words *words;
    int stop_at, trouble_at;
    trouble_kind trouble;
} listener;

static chains_status pass_on(talker_words *stream, talker_word word)
{
    listener *it = stream->user;
    if (word.index == it->trouble_at)
        return have_trouble(it->ctx, it->trouble, word.index);
    if (word.index == it->stop_at)
        return chains_fail(it->ctx, CHAINS_OUT_OF_RANGE, "no word %d, please", word.index);
    word.index += 1000;
    return it->words->emit(it->words, word);
}

chains_status stream_run_remote(stream *self, chains_ctx *ctx, int count, int size, int trouble_at,
                                trouble_kind trouble, bool here, int stop_at, bool between,
                                int *said, talker_words *words)
{
    listener it = { ctx, words, stop_at, here ? trouble_at : -1, trouble };
    talker_words heard = { pass_on, &it };
    CHAINS_TRY(talker_run_remote(self->talker, ctx, count, size, here ? -1 : trouble_at, trouble,
                                 said, between || here ? &heard : words));
    return CHAINS_OK;
}

void stream_free(stream *self)
{
    (void)self;
}
