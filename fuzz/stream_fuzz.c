/* The calling side's reading of streams, from a peer that sends whatever it likes. The first byte is
 * the size of the pieces, which must make no difference; the second says what the peer is (a Chainlet,
 * events, lines), and whether the body ends by its own framing. What a Chainlet says is taken for items
 * in frames as well, each behind a byte with its size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/splitter.h"
#include "runtime/error.h"
#include "runtime/inlet.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { MOST_PART = 300 };

/* ------------------------------------------------------------------------------------------------
 * parts */

/* All parts one behind the other, as text; and how it ended. */
static char split(chainsi_splitter_kind kind, const char *data, size_t size, size_t piece,
                  chainsi_buffer *out)
{
    chainsi_splitter splitter;
    chainsi_splitter_init(&splitter, kind, MOST_PART);
    chainsi_split_end end = CHAINSI_SPLIT_MORE;
    chainsi_split_part part;
    for (size_t at = 0; at < size && end == CHAINSI_SPLIT_MORE; at += piece) {
        size_t fresh = size - at < piece ? size - at : piece;
        char *bytes = malloc(fresh);
        REQUIRE(bytes);
        memcpy(bytes, data + at, fresh);
        chainsi_splitter_add(&splitter, bytes, fresh);
        while ((end = chainsi_splitter_next(&splitter, &part)) == CHAINSI_SPLIT_PART) {
            REQUIRE(part.size <= MOST_PART && strlen(part.name) < CHAINSI_SPLITTER_NAME);
            chainsi_buffer_printf(out, "%s %zu:", part.name, part.size);
            chainsi_buffer_add(out, part.data, part.size);
            memset(part.data, '#', part.size);
        }
        REQUIRE(splitter.kept.size <= MOST_PART + 16 && splitter.text.size <= MOST_PART);
        free(bytes);
    }
    if (end == CHAINSI_SPLIT_MORE &&
        (end = chainsi_splitter_finish(&splitter, &part)) == CHAINSI_SPLIT_PART)
        chainsi_buffer_add(out, part.data, part.size);
    chainsi_splitter_done(&splitter);
    return end == CHAINSI_SPLIT_REFUSED ? '!' : '.';
}

static void fuzz_splitter(chainsi_splitter_kind kind, const char *data, size_t size, size_t piece)
{
    chainsi_buffer whole = { 0 }, pieces = { 0 };
    char whole_end = split(kind, data, size, size ? size : 1, &whole);
    char pieces_end = split(kind, data, size, piece, &pieces);
    /* What is refused as too large may be refused a part earlier where more of it is seen at once. */
    if (whole_end == '.') {
        REQUIRE(pieces_end == '.' && whole.size == pieces.size);
        REQUIRE(!whole.size || !memcmp(whole.data, pieces.data, whole.size));
    }
    chainsi_buffer_done(&whole);
    chainsi_buffer_done(&pieces);
}

/* ------------------------------------------------------------------------------------------------
 * items */

typedef struct item {
    const char *text;
    chains_double_list numbers;
} item;

typedef struct output {
    int32_t count;
} output;

static const chainsi_type numbers_type = { .kind = CHAINSI_LIST,
                                           .size = sizeof(chains_double_list),
                                           .item = &chainsi_type_double };
static const chainsi_limits text_limits = { .has_length = true, .min_length = 0, .max_length = 20 };
static const chainsi_field item_fields[] = {
    { CHAINSI_FIELD(item, text, &chainsi_type_string), .limits = &text_limits },
    { CHAINSI_FIELD(item, numbers, &numbers_type), .default_value = &(chains_double_list){ 0 } },
};
static const chainsi_type item_type = {
    .kind = CHAINSI_STRUCT, .size = sizeof(item), .fields = item_fields, .field_count = 2
};
static const chainsi_field output_fields[] = {
    { CHAINSI_FIELD(output, count, &chainsi_type_int32), .default_value = &(int32_t){ 7 } },
};
static const chainsi_type output_type = {
    .kind = CHAINSI_STRUCT, .size = sizeof(output), .fields = output_fields, .field_count = 1
};
static const chainsi_type input_type = { .kind = CHAINSI_STRUCT, .size = 1 };
static const chains_config config;
static const chains_external_config external;

typedef struct heard {
    size_t items, bytes;
    double sum;
} heard;

static chains_status hear(chainsi_stream *stream, const void *value)
{
    const item *it = value;
    heard *all = stream->user;
    size_t size = strlen(it->text);
    REQUIRE(size <= 20 * 4);
    all->items++;
    all->bytes += size;
    for (size_t i = 0; i < it->numbers.count; i++)
        all->sum += it->numbers.items[i] == it->numbers.items[i] ? 1 : 0;
    return all->items == 50 ? CHAINS_ABORTED : CHAINS_OK;
}

static chains_status read_stream(chains_ctx *root, const chainsi_interface *interface,
                                 const char *type, bool delimited, const char *data, size_t size,
                                 size_t piece, heard *all)
{
    chains_ctx ctx;
    chainsi_context_init_child(&ctx, root, true);
    chainsi_intake intake;
    chainsi_intake_init(&intake, interface, &(chainsi_stream){ .deliver = hear, .user = all }, 0);
    intake.ctx = &ctx;
    output made = { .count = -1 };
    chainsi_inlet inlet;
    chainsi_inlet_init(&inlet, &intake, &made);
    static chainsi_http_response head;
    head.status = 200;
    head.head.chunked = delimited;
    head.head.content_length = -1;
    head.head.header_count = 1;
    head.head.headers[0] = (chainsi_http_header){ { "Content-Type", 12 }, { type, strlen(type) } };
    REQUIRE(inlet.sink.begin(inlet.sink.user, &head));
    bool wanted = true;
    for (size_t at = 0; at < size && wanted; at += piece) {
        size_t fresh = size - at < piece ? size - at : piece;
        char *bytes = malloc(fresh);
        REQUIRE(bytes);
        memcpy(bytes, data + at, fresh);
        wanted = inlet.sink.take(inlet.sink.user, bytes, fresh);
        free(bytes);
    }
    chains_status status = CHAINS_OK;
    bool lost;
    bool settled = chainsi_inlet_settle(
        &inlet, wanted ? CHAINSI_EXCHANGE_ANSWERED : CHAINSI_EXCHANGE_INTERRUPTED, &status, &lost);
    REQUIRE(settled);
    REQUIRE(status == CHAINS_OK || (ctx.failed && ctx.error.status == status));
    REQUIRE(status != CHAINS_OK || made.count != -1 || all->items < 50);
    chainsi_inlet_done(&inlet);
    chainsi_context_done(&ctx);
    return status;
}

static void fuzz_inlet(const chainsi_interface *interface, const char *type, bool delimited,
                       const char *data, size_t size, size_t piece)
{
    static chains_ctx *root;
    if (!root)
        root = chains_open(NULL);
    heard whole = { 0 }, pieces = { 0 };
    chains_status first =
        read_stream(root, interface, type, delimited, data, size, size ? size : 1, &whole);
    chains_status second =
        read_stream(root, interface, type, delimited, data, size, piece, &pieces);
    REQUIRE(first == second && whole.items == pieces.items && whole.bytes == pieces.bytes &&
            whole.sum == pieces.sum);
}

static void fuzz_items(const chainsi_interface *interface, const char *data, size_t size)
{
    static chains_ctx *root;
    if (!root)
        root = chains_open(NULL);
    chains_ctx ctx;
    chainsi_context_init_child(&ctx, root, true);
    heard all = { 0 };
    chainsi_intake intake;
    chainsi_intake_init(&intake, interface, &(chainsi_stream){ .deliver = hear, .user = &all }, 0);
    intake.ctx = &ctx;
    output made = { .count = -1 };
    chainsi_inlet inlet;
    chainsi_inlet_init(&inlet, &intake, &made);
    bool wanted = true;
    while (size && wanted) {
        size_t fresh = (uint8_t)*data++;
        size--;
        if (fresh > size)
            fresh = size;
        char *bytes = malloc(fresh ? fresh : 1);
        REQUIRE(bytes);
        memcpy(bytes, data, fresh);
        wanted = inlet.frame_sink.take(inlet.frame_sink.user, bytes, fresh, NULL, 0);
        free(bytes);
        data += fresh;
        size -= fresh;
    }
    chains_status status = CHAINS_OK;
    bool lost = false;
    bool settled = chainsi_inlet_settle(
        &inlet, wanted ? CHAINSI_EXCHANGE_MAYBE_STARTED : CHAINSI_EXCHANGE_INTERRUPTED, &status,
        &lost);
    REQUIRE(settled == !wanted && !lost && made.count == -1);
    REQUIRE(!settled || (status != CHAINS_OK && ctx.failed && ctx.error.status == status));
    chainsi_inlet_done(&inlet);
    chainsi_context_done(&ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const chainsi_interface chainlet = { .name = "it",
                                                .c_name = "it",
                                                .file = "it.h",
                                                .input = &input_type,
                                                .output = &output_type,
                                                .stream_name = "items",
                                                .stream_item = &item_type,
                                                .config = &config };
    static const chainsi_interface foreign = { .name = "it",
                                               .c_name = "it",
                                               .file = "it.h",
                                               .input = &input_type,
                                               .output = &output_type,
                                               .stream_name = "items",
                                               .stream_item = &item_type,
                                               .external = &external };
    static const char *const types[] = { "application/x-chains-stream", "application/x-ndjson",
                                         "text/event-stream; charset=utf-8" };
    if (size < 2)
        return 0;
    size_t piece = data[0] ? data[0] : 1;
    int kind = data[1] % 3;
    const char *body = (const char *)data + 2;
    fuzz_splitter((chainsi_splitter_kind)kind, body, size - 2, piece);
    fuzz_inlet(kind ? &foreign : &chainlet, types[kind], data[1] & 0x80, body, size - 2, piece);
    if (!kind)
        fuzz_items(&chainlet, body, size - 2);
    return 0;
}
