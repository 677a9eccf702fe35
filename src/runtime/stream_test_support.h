/* A Chainlet with a stream for tests, with hand-written tables. */
#ifndef CHAINSI_RUNTIME_STREAM_TEST_SUPPORT_H
#define CHAINSI_RUNTIME_STREAM_TEST_SUPPORT_H

#include "runtime/call_test_support.h"

typedef struct word {
    const char *text;
    int32_t index;
} word;

/* What the author of the talker sees. */
typedef struct words words;
struct words {
    chains_status (*emit)(struct words *stream, word item);
    void *user;
};

typedef struct talker_input {
    int32_t count;   /* words */
    int32_t size;    /* of each, bytes; 0: "word <index>" */
    int32_t fail_at; /* this one is a failure with status fail_status; below 0: none */
    int32_t fail_status;
    int32_t pause_at; /* before this one talker_pause is called; below 0: never */
    bool deaf;        /* emits on, whatever emit returns */
} talker_input;

typedef struct talker_output {
    int32_t said;
} talker_output;

static atomic_int talker_calls, talker_emitted, talker_refused;
static atomic_int talker_last_emit; /* status */
static atomic_bool talker_was_cancelled;
static void (*talker_pause)(chains_ctx *ctx);

static const chainsi_limits word_limits = { .has_length = true,
                                            .min_length = 1,
                                            .max_length = 2 << 20 };
static const chainsi_field word_fields[] = {
    { CHAINSI_FIELD(word, text, &chainsi_type_string), .limits = &word_limits },
    { CHAINSI_FIELD(word, index, &chainsi_type_int32) },
};
static const chainsi_type word_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(word),
    .fields = word_fields,
    .field_count = 2,
};
static const chainsi_field talker_input_fields[] = {
    { CHAINSI_FIELD(talker_input, count, &chainsi_type_int32) },
    { CHAINSI_FIELD(talker_input, size, &chainsi_type_int32), .default_value = &(int32_t){ 0 } },
    { CHAINSI_FIELD(talker_input, fail_at, &chainsi_type_int32),
      .default_value = &(int32_t){ -1 } },
    { CHAINSI_FIELD(talker_input, fail_status, &chainsi_type_int32),
      .default_value = &(int32_t){ CHAINS_DATA_LOSS } },
    { CHAINSI_FIELD(talker_input, pause_at, &chainsi_type_int32),
      .default_value = &(int32_t){ -1 } },
    { CHAINSI_FIELD(talker_input, deaf, &chainsi_type_bool), .default_value = &(bool){ false } },
};
static const chainsi_type talker_input_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(talker_input),
    .fields = talker_input_fields,
    .field_count = 6,
};
static const chainsi_field talker_output_fields[] = {
    { CHAINSI_FIELD(talker_output, said, &chainsi_type_int32) },
};
static const chainsi_type talker_output_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(talker_output),
    .fields = talker_output_fields,
    .field_count = 1,
};
static const chains_config talker_config = { .concurrency = 8 };
static const chainsi_interface talker_interface = {
    .name = "talker",
    .c_name = "talker",
    .file = "talker.h",
    .line = 5,
    .fingerprint = 0xfedcba9876543210,
    .input = &talker_input_type,
    .output = &talker_output_type,
    .stream_name = "words",
    .stream_item = &word_type,
    .config = &talker_config,
};

static void *talker_create(chains_ctx *ctx, void *const dependencies[])
{
    (void)ctx, (void)dependencies;
    return &talker_calls;
}

static chains_status talk(chains_ctx *ctx, const talker_input *input, int32_t *said, words *out)
{
    atomic_fetch_add(&talker_calls, 1);
    for (int32_t i = 0; i < input->count; i++) {
        if (i == input->pause_at)
            talker_pause(ctx);
        if (i == input->fail_at)
            return chains_fail(ctx, (chains_status)input->fail_status, "failed at word %d", i);
        word item = { .index = i };
        if (input->size) {
            char *text = chains_alloc(ctx, (size_t)input->size + 1);
            memset(text, 'x', (size_t)input->size);
            item.text = text;
        } else {
            item.text = chains_printf(ctx, "word %d", i);
        }
        chains_status status = out->emit(out, item);
        atomic_store(&talker_last_emit, status);
        if (status != CHAINS_OK) {
            atomic_store(&talker_was_cancelled, chains_cancelled(ctx));
            atomic_fetch_add(&talker_refused, 1); /* the last: tests wait for it */
            if (!input->deaf)
                return status;
        }
        atomic_fetch_add(&talker_emitted, 1);
    }
    *said = input->count;
    return CHAINS_OK;
}

/* As generated glue does it. */
static chains_status emit_word(words *stream, word item)
{
    return chainsi_emit(stream->user, &item);
}

static chains_status talker_run(void *self, chains_ctx *ctx, const void *input, void *output,
                                void *stream)
{
    (void)self;
    words items = { .emit = emit_word, .user = stream };
    return talk(ctx, input, &((talker_output *)output)->said, &items);
}

static void talker_destroy(void *self)
{
    (void)self;
}

static const chainsi_implementation talker_implementation = {
    .interface = &talker_interface,
    .create = talker_create,
    .run = talker_run,
    .destroy = talker_destroy,
};
static const chainsi_node talker_node = { .implementation = &talker_implementation };

CHAINS_UNUSED_ static int open_talker(void **state)
{
    fixture_node = &talker_node;
    atomic_store(&talker_calls, 0);
    atomic_store(&talker_emitted, 0);
    atomic_store(&talker_refused, 0);
    atomic_store(&talker_last_emit, CHAINS_OK);
    atomic_store(&talker_was_cancelled, false);
    talker_pause = NULL;
    return open_fixture(state);
}

/* As the generated stub does it. */
CHAINS_UNUSED_ static chains_status deliver_word(chainsi_stream *stream, const void *item)
{
    words *to = stream->user;
    return to->emit(to, *(const word *)item);
}

CHAINS_UNUSED_ static chains_status call_talker(fixture *made, chains_ctx *ctx,
                                                const talker_input *input, int32_t *said, words *to)
{
    void *const outputs[] = { said };
    const chainsi_stream stream = { .deliver = deliver_word, .user = to };
    return make_call(made->callee, ctx, input, outputs, to ? &stream : NULL);
}

/* Polls until condition(user), 10 s at most. */
CHAINS_UNUSED_ static bool comes_true(bool (*condition)(void *user), void *user)
{
    for (int i = 0; i < 10000; i++) {
        if (condition(user))
            return true;
        usleep(1000);
    }
    return false;
}

#endif
