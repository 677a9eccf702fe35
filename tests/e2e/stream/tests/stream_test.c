/* The chain in one process, with the real talker. */
#include "../stream.h"

#include <string.h>

typedef struct ear {
    int words;
    bool good;
} ear;

static chains_status hear(talker_words *stream, talker_word word)
{
    ear *it = stream->user;
    it->good = it->good && word.index == it->words && !strcmp(word.text, "word");
    it->words++;
    return CHAINS_OK;
}

int main(void)
{
    chains_ctx *ctx = chains_open(NULL);
    talker *its_talker = talker_new(ctx);
    stream *self = stream_new(ctx, its_talker);
    ear it = { .good = true };
    talker_words words = { hear, &it };
    int said = 0;
    bool good = stream_run_remote(self, ctx, 5, 0, -1, TROUBLE_FAIL, false, -1, false, &said,
                                  &words) == CHAINS_OK &&
                said == 5 && it.words == 5 && it.good;
    good = good && stream_run_remote(self, ctx, 5, 0, -1, TROUBLE_FAIL, false, -1, false, &said,
                                     NULL) == CHAINS_OK;
    good = good && stream_run_remote(self, ctx, 5, 0, 3, TROUBLE_FAIL, false, -1, false, &said,
                                     &words) == CHAINS_DATA_LOSS;
    good = good && it.words == 8;
    stream_free(self);
    talker_free(its_talker);
    chains_close(ctx);
    return good ? 0 : 1;
}
