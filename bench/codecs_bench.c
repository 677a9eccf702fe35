/* The codecs beside simdjson, jansson, cJSON and msgpack-c: a document of 1 MiB of objects (text,
 * integers, booleans, doubles of 17 digits), 1,536 doubles, and a small message.
 *
 *   codecs_bench [ROUNDS [OPERATION [CONTENDER]]]      default 200, and all; for profiles
 *
 * Ours decode into typed structs and validate; the others build their trees, and encode from trees,
 * but msgpack-c, which packs straight from the structs, and simdjson on demand, which fills structs
 * ("typed") or hands out every value unseen ("on demand"; codecs_simdjson.cpp says how). Parsers, trees to encode from and buffers are kept from one
 * operation to the next wherever a library lets them be. All contenders take turns in every round, so
 * that a noisy machine disturbs them alike: compare within one run. Decoding in place wants a fresh
 * copy of the input each time, which is made outside of the measured time. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef BENCH_JANSSON
#include <jansson.h>
#endif
#ifdef BENCH_CJSON
#include <cjson/cJSON.h>
#endif
#ifdef BENCH_MSGPACK
#include <msgpack.h>
#endif

#include "base/clock.h"
#include "bench.h"
#include "codecs_document.h"
#include "codecs_simdjson.h"
#include "schema/json.h"
#include "schema/msgpack.h"

enum {
    DOCUMENT_SIZE = 1024 * 1024,
    DOUBLES = 1536,
    DOUBLES_REPEATS = 30,
    MESSAGE_REPEATS = 1000,
    WARM_UP = 5,
};

static const chainsi_field place_fields[] = {
    { CHAINSI_FIELD(place, id, &chainsi_type_int64) },
    { CHAINSI_FIELD(place, name, &chainsi_type_string) },
    { CHAINSI_FIELD(place, city, &chainsi_type_string) },
    { CHAINSI_FIELD(place, text, &chainsi_type_string) },
    { CHAINSI_FIELD(place, visits, &chainsi_type_int32) },
    { CHAINSI_FIELD(place, open, &chainsi_type_bool) },
    { CHAINSI_FIELD(place, latitude, &chainsi_type_double) },
    { CHAINSI_FIELD(place, longitude, &chainsi_type_double) },
    { CHAINSI_FIELD(place, score, &chainsi_type_double) },
};
static const chainsi_type place_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(place),
    .name = "place",
    .fields = place_fields,
    .field_count = sizeof place_fields / sizeof *place_fields,
};
static const chainsi_type places_type = {
    .kind = CHAINSI_LIST,
    .size = sizeof(places),
    .item = &place_type,
};
static const chainsi_field document_fields[] = {
    { CHAINSI_FIELD(document, title, &chainsi_type_string) },
    { CHAINSI_FIELD(document, items, &places_type) },
};
static const chainsi_type document_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(document),
    .name = "document",
    .fields = document_fields,
    .field_count = 2,
};
static const chainsi_type doubles_type = {
    .kind = CHAINSI_LIST,
    .size = sizeof(chains_double_list),
    .item = &chainsi_type_double,
};
static const chainsi_field message_fields[] = {
    { CHAINSI_FIELD(message, text, &chainsi_type_string) },
    { CHAINSI_FIELD(message, number, &chainsi_type_int64) },
    { CHAINSI_FIELD(message, weight, &chainsi_type_double) },
};
static const chainsi_type message_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(message),
    .name = "message",
    .fields = message_fields,
    .field_count = sizeof message_fields / sizeof *message_fields,
};

/* One of the inputs, in all the forms that contenders start from. */
struct input {
    const char *name;
    const chainsi_type *type;
    codecs_shape shape;
    const void *value;
    size_t repeats; /* operations a sample */
    chainsi_buffer json, msgpack;
    char *copies; /* repeats copies of one of them, for decoding in place */
#ifdef BENCH_JANSSON
    json_t *jansson;
#endif
#ifdef BENCH_CJSON
    cJSON *cjson;
#endif
#ifdef BENCH_SIMDJSON
    codecs_simdjson *simdjson;
#endif
};

static chainsi_arena arena;
static chainsi_buffer out;
static _Alignas(16) uint8_t decoded[64];

static void require(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "codecs_bench: %s\n", what);
        exit(1);
    }
}

/* --------------------------------------------------------------------------------------------
 * contenders: one operation each */

static void our_json_decode(struct input *input, size_t i)
{
    (void)i;
    chainsi_arena_reset(&arena);
    require(chainsi_json_decode(input->type, (const char *)input->json.data, input->json.size,
                                &arena, decoded, NULL) == CHAINS_OK,
            "JSON isn't decoded");
}

static void our_json_decode_in_place(struct input *input, size_t i)
{
    chainsi_arena_reset(&arena);
    require(chainsi_json_decode_in_place(input->type, input->copies + i * input->json.size,
                                         input->json.size, &arena, decoded, NULL) == CHAINS_OK,
            "JSON isn't decoded in place");
}

static void our_json_encode(struct input *input, size_t i)
{
    (void)i;
    out.size = 0;
    require(chainsi_json_encode(input->type, input->value, &out, NULL) == CHAINS_OK,
            "JSON isn't encoded");
}

static void our_msgpack_decode(struct input *input, size_t i)
{
    (void)i;
    chainsi_arena_reset(&arena);
    require(chainsi_msgpack_decode(input->type, input->msgpack.data, input->msgpack.size, &arena,
                                   decoded, NULL) == CHAINS_OK,
            "MessagePack isn't decoded");
}

static void our_msgpack_decode_in_place(struct input *input, size_t i)
{
    chainsi_arena_reset(&arena);
    require(chainsi_msgpack_decode_in_place(input->type, input->copies + i * input->msgpack.size,
                                            input->msgpack.size, &arena, decoded,
                                            NULL) == CHAINS_OK,
            "MessagePack isn't decoded in place");
}

static void our_msgpack_encode(struct input *input, size_t i)
{
    (void)i;
    out.size = 0;
    require(chainsi_msgpack_encode(input->type, input->value, &out, NULL) == CHAINS_OK,
            "MessagePack isn't encoded");
}

#ifdef BENCH_JANSSON
static void jansson_decode(struct input *input, size_t i)
{
    (void)i;
    json_t *tree = json_loadb((const char *)input->json.data, input->json.size, 0, NULL);
    require(tree != NULL, "jansson doesn't decode");
    json_decref(tree);
}

static void jansson_encode(struct input *input, size_t i)
{
    (void)i;
    char *text = json_dumps(input->jansson, JSON_COMPACT);
    require(text != NULL, "jansson doesn't encode");
    free(text);
}
#endif

#ifdef BENCH_CJSON
static void cjson_decode(struct input *input, size_t i)
{
    (void)i;
    cJSON *tree = cJSON_ParseWithLength((const char *)input->json.data, input->json.size);
    require(tree != NULL, "cJSON doesn't decode");
    cJSON_Delete(tree);
}

static void cjson_encode(struct input *input, size_t i)
{
    (void)i;
    char *text = cJSON_PrintUnformatted(input->cjson);
    require(text != NULL, "cJSON doesn't encode");
    cJSON_free(text);
}
#endif

#ifdef BENCH_SIMDJSON
static void simdjson_dom(struct input *input, size_t i)
{
    (void)i;
    require(codecs_simdjson_dom(input->simdjson), "simdjson doesn't decode");
}

static void simdjson_visit(struct input *input, size_t i)
{
    (void)i;
    require(codecs_simdjson_visit(input->simdjson), "simdjson doesn't visit");
}

static void simdjson_typed(struct input *input, size_t i)
{
    (void)i;
    require(codecs_simdjson_typed(input->simdjson), "simdjson doesn't fill structs");
}

static void simdjson_encode(struct input *input, size_t i)
{
    (void)i;
    require(codecs_simdjson_encode(input->simdjson) >= input->json.size / 2,
            "simdjson doesn't encode");
}
#endif

#ifdef BENCH_MSGPACK
static void msgpackc_decode(struct input *input, size_t i)
{
    (void)i;
    msgpack_unpacked result;
    msgpack_unpacked_init(&result);
    require(msgpack_unpack_next(&result, (const char *)input->msgpack.data, input->msgpack.size,
                                NULL) == MSGPACK_UNPACK_SUCCESS,
            "msgpack-c doesn't decode");
    msgpack_unpacked_destroy(&result);
}

static void pack_text(msgpack_packer *packer, const char *text)
{
    size_t size = strlen(text);
    msgpack_pack_str(packer, size);
    msgpack_pack_str_body(packer, text, size);
}

static msgpack_sbuffer packed;

static void msgpackc_encode(struct input *input, size_t i)
{
    (void)i;
    msgpack_packer packer;
    msgpack_sbuffer_clear(&packed);
    msgpack_packer_init(&packer, &packed, msgpack_sbuffer_write);
    if (input->type == &doubles_type) {
        const chains_double_list *list = input->value;
        msgpack_pack_array(&packer, list->count);
        for (size_t j = 0; j < list->count; j++)
            msgpack_pack_double(&packer, list->items[j]);
        return;
    }
    if (input->type == &message_type) {
        const message *small = input->value;
        msgpack_pack_map(&packer, 3);
        pack_text(&packer, "text");
        pack_text(&packer, small->text);
        pack_text(&packer, "number");
        msgpack_pack_int64(&packer, small->number);
        pack_text(&packer, "weight");
        msgpack_pack_double(&packer, small->weight);
        return;
    }
    const document *value = input->value;
    msgpack_pack_map(&packer, 2);
    pack_text(&packer, "title");
    pack_text(&packer, value->title);
    pack_text(&packer, "items");
    msgpack_pack_array(&packer, value->items.count);
    for (size_t j = 0; j < value->items.count; j++) {
        const place *item = &value->items.items[j];
        msgpack_pack_map(&packer, 9);
        pack_text(&packer, "id");
        msgpack_pack_int64(&packer, item->id);
        pack_text(&packer, "name");
        pack_text(&packer, item->name);
        pack_text(&packer, "city");
        pack_text(&packer, item->city);
        pack_text(&packer, "text");
        pack_text(&packer, item->text);
        pack_text(&packer, "visits");
        msgpack_pack_int32(&packer, item->visits);
        pack_text(&packer, "open");
        if (item->open)
            msgpack_pack_true(&packer);
        else
            msgpack_pack_false(&packer);
        pack_text(&packer, "latitude");
        msgpack_pack_double(&packer, item->latitude);
        pack_text(&packer, "longitude");
        msgpack_pack_double(&packer, item->longitude);
        pack_text(&packer, "score");
        msgpack_pack_double(&packer, item->score);
    }
}
#endif

enum operation { JSON_DECODE, JSON_ENCODE, MSGPACK_DECODE, MSGPACK_ENCODE, OPERATIONS };
static const char *const operation_names[] = { "JSON decode", "JSON encode", "MessagePack decode",
                                               "MessagePack encode" };

struct contender {
    const char *name;
    enum operation operation;
    bool ours, in_place;
    void (*run)(struct input *input, size_t i); /* NULL: absent on this machine */
};

#ifndef BENCH_JANSSON
#define jansson_decode NULL
#define jansson_encode NULL
#endif
#ifndef BENCH_SIMDJSON
#define simdjson_dom    NULL
#define simdjson_visit  NULL
#define simdjson_typed  NULL
#define simdjson_encode NULL
#endif
#ifndef BENCH_CJSON
#define cjson_decode NULL
#define cjson_encode NULL
#endif
#ifndef BENCH_MSGPACK
#define msgpackc_decode NULL
#define msgpackc_encode NULL
#endif

static const struct contender contenders[] = {
    { "jansson", JSON_DECODE, false, false, jansson_decode },
    { "cJSON", JSON_DECODE, false, false, cjson_decode },
    { "simdjson DOM", JSON_DECODE, false, false, simdjson_dom },
    { "simdjson on demand", JSON_DECODE, false, false, simdjson_visit },
    { "simdjson typed", JSON_DECODE, false, false, simdjson_typed },
    { "chains", JSON_DECODE, true, false, our_json_decode },
    { "chains in place", JSON_DECODE, true, true, our_json_decode_in_place },
    { "jansson", JSON_ENCODE, false, false, jansson_encode },
    { "cJSON", JSON_ENCODE, false, false, cjson_encode },
    { "simdjson", JSON_ENCODE, false, false, simdjson_encode },
    { "chains", JSON_ENCODE, true, false, our_json_encode },
    { "msgpack-c", MSGPACK_DECODE, false, false, msgpackc_decode },
    { "chains", MSGPACK_DECODE, true, false, our_msgpack_decode },
    { "chains in place", MSGPACK_DECODE, true, true, our_msgpack_decode_in_place },
    { "msgpack-c", MSGPACK_ENCODE, false, false, msgpackc_encode },
    { "chains", MSGPACK_ENCODE, true, false, our_msgpack_encode },
};
enum { CONTENDERS = sizeof contenders / sizeof *contenders };

/* --------------------------------------------------------------------------------------------
 * inputs */

static uint64_t random_state = 20240229;

static uint64_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* From 0 to below 1, with 16 or 17 digits. */
static double draw_double(void)
{
    return (double)(draw() >> 11) * 0x1p-53;
}

static const char *draw_words(chainsi_arena *memory, int count)
{
    static const char *const words[] = { "harbour", "old",   "north",   "market", "the",  "bridge",
                                         "garden",  "upper", "station", "of",     "quay", "lane" };
    char *text = chainsi_arena_copy(memory, "", 0);
    for (int i = 0; i < count; i++)
        text = chainsi_arena_printf(memory, "%s%s%s", text, i ? " " : "",
                                    words[draw() % (sizeof words / sizeof *words)]);
    return text;
}

static const document *make_document(chainsi_arena *memory)
{
    document *made = chainsi_arena_alloc(memory, sizeof *made);
    chainsi_buffer measured = { 0 };
    made->title = "Places";
    made->items.items = chainsi_arena_array(memory, 20000, sizeof(place));
    while (measured.size < DOCUMENT_SIZE) {
        place *item = &made->items.items[made->items.count++];
        *item = (place){
            .id = (int64_t)(draw() >> 24),
            .name = draw_words(memory, 2),
            .city = draw_words(memory, 1),
            .text = draw_words(memory, 6),
            .visits = (int32_t)(draw() % 100000),
            .open = draw() & 1,
            .latitude = draw_double() * 180 - 90,
            .longitude = draw_double() * 360 - 180,
            .score = draw_double(),
        };
        chainsi_json_encode(&place_type, item, &measured, NULL);
        measured.size++; /* the comma */
    }
    chainsi_buffer_done(&measured);
    return made;
}

static const chains_double_list *make_doubles(chainsi_arena *memory)
{
    chains_double_list *made = chainsi_arena_alloc(memory, sizeof *made);
    made->items = chainsi_arena_array(memory, DOUBLES, sizeof(double));
    made->count = DOUBLES;
    for (size_t i = 0; i < DOUBLES; i++)
        made->items[i] = draw_double() * 2 - 1;
    return made;
}

static void prepare(struct input *input)
{
    require(chainsi_json_encode(input->type, input->value, &input->json, NULL) == CHAINS_OK &&
                chainsi_msgpack_encode(input->type, input->value, &input->msgpack, NULL) ==
                    CHAINS_OK,
            "the input isn't encoded");
    size_t largest =
        input->json.size > input->msgpack.size ? input->json.size : input->msgpack.size;
    input->copies = malloc(largest * input->repeats);
    require(input->copies != NULL, "out of memory");
#ifdef BENCH_JANSSON
    input->jansson = json_loadb((const char *)input->json.data, input->json.size, 0, NULL);
#endif
#ifdef BENCH_SIMDJSON
    input->simdjson =
        codecs_simdjson_new((const char *)input->json.data, input->json.size, input->shape);
    require(input->simdjson != NULL, "simdjson doesn't take the input");
#endif
#ifdef BENCH_CJSON
    input->cjson = cJSON_ParseWithLength((const char *)input->json.data, input->json.size);
#endif
}

static void release(struct input *input)
{
#ifdef BENCH_JANSSON
    json_decref(input->jansson);
#endif
#ifdef BENCH_SIMDJSON
    codecs_simdjson_free(input->simdjson);
#endif
#ifdef BENCH_CJSON
    cJSON_Delete(input->cjson);
#endif
    chainsi_buffer_done(&input->json);
    chainsi_buffer_done(&input->msgpack);
    free(input->copies);
}

/* --------------------------------------------------------------------------------------------
 * measuring */

static void fill_copies(const struct contender *contender, struct input *input)
{
    if (contender->in_place) {
        const chainsi_buffer *source =
            contender->operation == JSON_DECODE ? &input->json : &input->msgpack;
        for (size_t i = 0; i < input->repeats; i++)
            memcpy(input->copies + i * source->size, source->data, source->size);
    }
}

static double measure(const struct contender *contender, struct input *input)
{
    /* Once unmeasured, so that nobody pays for the heap and the caches that another left behind. */
    fill_copies(contender, input);
    contender->run(input, 0);
    fill_copies(contender, input);
    int64_t start = chainsi_now_ns();
    for (size_t i = 0; i < input->repeats; i++)
        contender->run(input, i);
    return (double)(chainsi_now_ns() - start) / 1e3 / (double)input->repeats;
}

/* NULL: all. */
static const char *wanted_operation, *wanted_contender;

static bool is_wanted(const struct contender *contender)
{
    return (!wanted_operation ||
            strcmp(operation_names[contender->operation], wanted_operation) == 0) &&
           (!wanted_contender || strcmp(contender->name, wanted_contender) == 0);
}

static void run(struct input *input, size_t rounds)
{
    double *samples = malloc(rounds * CONTENDERS * sizeof *samples), medians[CONTENDERS] = { 0 };
    require(samples != NULL, "out of memory");
    for (size_t round = 0; round < rounds + WARM_UP; round++)
        for (size_t c = 0; c < CONTENDERS; c++) {
            if (!contenders[c].run || !is_wanted(&contenders[c]))
                continue;
            double sample = measure(&contenders[c], input);
            if (round >= WARM_UP)
                samples[c * rounds + round - WARM_UP] = sample;
        }
    printf("%s: %zu bytes of JSON, %zu of MessagePack, %zu rounds\n", input->name, input->json.size,
           input->msgpack.size, rounds);
    printf("  %-20s %-18s %11s %11s %8s  %s\n", "", "", "median us", "p99 us", "MB/s",
           "times as fast as");
    for (size_t c = 0; c < CONTENDERS; c++) {
        const struct contender *contender = &contenders[c];
        if (!is_wanted(contender))
            continue;
        if (!contender->run) {
            printf("  %-20s %-18s (not on this machine)\n", operation_names[contender->operation],
                   contender->name);
            continue;
        }
        double *mine = samples + c * rounds;
        qsort(mine, rounds, sizeof *mine, compare_figures);
        medians[c] = mine[rounds / 2];
        size_t bytes =
            contender->operation < MSGPACK_DECODE ? input->json.size : input->msgpack.size;
        printf("  %-20s %-18s %11.3f %11.3f %8.0f ", operation_names[contender->operation],
               contender->name, medians[c], mine[rounds * 99 / 100], (double)bytes / medians[c]);
        for (size_t other = 0; contender->ours && other < c; other++)
            if (contenders[other].operation == contender->operation && !contenders[other].ours &&
                contenders[other].run && is_wanted(&contenders[other]))
                printf(" %s %.2f", contenders[other].name, medians[other] / medians[c]);
        printf("\n");
    }
    free(samples);
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;
    require(rounds > 0, "usage: codecs_bench [ROUNDS [OPERATION [CONTENDER]]]");
    wanted_operation = argc > 2 ? argv[2] : NULL;
    wanted_contender = argc > 3 ? argv[3] : NULL;
    chainsi_arena memory = { 0 };
#ifdef BENCH_MSGPACK
    msgpack_sbuffer_init(&packed);
#endif
    const message small = {
        .text = "The quick brown fox jumps over the lazy dog, and over the fence.",
        .number = 1234567,
        .weight = 0.12345678901234567,
    };
    struct input inputs[] = {
        { .name = "objects",
          .type = &document_type,
          .shape = CODECS_DOCUMENT,
          .value = make_document(&memory),
          .repeats = 1 },
        { .name = "1,536 doubles",
          .type = &doubles_type,
          .shape = CODECS_DOUBLES,
          .value = make_doubles(&memory),
          .repeats = DOUBLES_REPEATS },
        { .name = "a small message",
          .type = &message_type,
          .shape = CODECS_MESSAGE,
          .value = &small,
          .repeats = MESSAGE_REPEATS },
    };
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        prepare(&inputs[i]);
        run(&inputs[i], rounds);
        our_json_decode(&inputs[i], 0);
        printf("  %zu bytes in arena blocks after decoding JSON, for %zu bytes of text\n",
               chainsi_arena_footprint(&arena), inputs[i].json.size);
        release(&inputs[i]);
    }
#ifdef BENCH_MSGPACK
    msgpack_sbuffer_destroy(&packed);
#endif
    chainsi_buffer_done(&out);
    chainsi_arena_done(&arena);
    chainsi_arena_done(&memory);
    return 0;
}
