/* Spans as records: the numbers, then the texts one after the other, each with a NUL behind it. */
#include "runtime/span.h"

#include <string.h>

#include "base/ring.h"
#include "schema/utf8.h"

typedef struct packed {
    uint64_t trace_high, trace_low, id, parent;
    int64_t began_ns, ended_ns, queue_ns, decode_ns, run_ns, encode_ns, first_item_ns;
    uint64_t items;
    uint32_t process, line;
    uint16_t attempt;
    uint8_t kind, status, streamed, alone, reserved[2];
} packed;

/* The last one came later: a record may end before it. */
enum { TEXTS = 7, FILE_TEXT = 4, LATER_TEXT = 6 };

/* No machine has run for 36 years: times are far from where sums of them would overflow. */
#define LATEST_NS (INT64_C(1) << 60)

static const uint8_t most[TEXTS] = {
    CHAINSI_SPAN_NAME, CHAINSI_SPAN_NAME,    CHAINSI_SPAN_REQUEST_ID, CHAINSI_SPAN_NAME,
    CHAINSI_SPAN_FILE, CHAINSI_SPAN_MESSAGE, CHAINSI_SPAN_PLACE,
};
_Static_assert(sizeof(chainsi_span_record) == CHAINSI_RING_RECORD, "a record of a ring");
_Static_assert(sizeof(packed) == 112, "no padding");

const char *chainsi_span_kind_name(unsigned kind)
{
    static const char *const names[] = {
        [CHAINSI_SPAN_FRONT] = "front",     [CHAINSI_SPAN_SERVED] = "served",
        [CHAINSI_SPAN_MADE] = "made",       [CHAINSI_SPAN_LOCAL] = "local",
        [CHAINSI_SPAN_ATTEMPT] = "attempt", [CHAINSI_SPAN_HEDGE] = "hedge",
    };
    return kind < sizeof names / sizeof *names ? names[kind] : NULL;
}

size_t chainsi_span_pack(const chainsi_span *span, chainsi_span_record *record)
{
    const packed numbers = {
        .trace_high = span->trace_high,
        .trace_low = span->trace_low,
        .id = span->id,
        .parent = span->parent,
        .began_ns = span->began_ns,
        .ended_ns = span->ended_ns,
        .queue_ns = span->queue_ns,
        .decode_ns = span->decode_ns,
        .run_ns = span->run_ns,
        .encode_ns = span->encode_ns,
        .first_item_ns = span->first_item_ns,
        .items = span->items,
        .process = span->process,
        .line = span->line,
        .attempt = span->attempt,
        .kind = span->kind,
        .status = span->status,
        .streamed = span->streamed,
        .alone = span->alone,
    };
    memcpy(record->bytes, &numbers, sizeof numbers);
    const char *const texts[TEXTS] = { span->chainlet,  span->callee, span->request_id,
                                       span->raised_by, span->file,   span->message,
                                       span->left_at };
    char *at = record->bytes + sizeof numbers;
    char *const end = record->bytes + CHAINSI_RING_RECORD;
    for (int i = 0; i < TEXTS; i++) {
        const char *text = texts[i];
        if (!text || !*text) {
            *at++ = 0;
            continue;
        }
        size_t size = strlen(text);
        size_t room = (size_t)(end - at) - (size_t)(TEXTS - i); /* a NUL for each is left */
        size_t kept = size < most[i] ? size : most[i];
        kept = kept < room ? kept : room;
        if (i == FILE_TEXT) { /* of a path its end says more */
            while (kept && kept < size && (text[size - kept] & 0xc0) == 0x80)
                kept--;
            text += size - kept;
        }
        memcpy(at, text, kept);
        at[kept] = 0;
        at += kept + 1;
    }
    memset(at, 0, (size_t)(end - at) < 8 ? (size_t)(end - at) : 8); /* the last word is whole */
    return (size_t)(at - record->bytes);
}

/* What a person sees must be text: from the first byte on that isn't UTF-8 it is cut off, and control
 * characters become blanks. */
static void make_clean(char *text)
{
    size_t size = strlen(text);
    text[chainsi_utf8_valid(text, size)] = 0;
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
}

bool chainsi_span_unpack(chainsi_span *span, chainsi_span_record *record, size_t size)
{
    packed numbers;
    if (size <= sizeof numbers || size > CHAINSI_RING_RECORD || record->bytes[size - 1])
        return false;
    memcpy(&numbers, record->bytes, sizeof numbers);
    if (!chainsi_span_kind_name(numbers.kind) || numbers.status > CHAINS_UNAUTHENTICATED ||
        (!numbers.trace_high && !numbers.trace_low) || !numbers.id || numbers.began_ns < 0 ||
        numbers.ended_ns < numbers.began_ns || numbers.ended_ns > LATEST_NS)
        return false;
    char *texts[TEXTS];
    size_t at = sizeof numbers;
    for (int i = 0; i < TEXTS; i++) {
        if (at >= size && i < LATER_TEXT)
            return false;
        if (at >= size) {
            texts[i] = record->bytes + size - 1; /* that NUL */
            break;
        }
        texts[i] = record->bytes + at;
        at += strlen(texts[i]) + 1; /* the last byte of the record is a NUL */
        make_clean(texts[i]);
    }
    *span = (chainsi_span){
        .trace_high = numbers.trace_high,
        .trace_low = numbers.trace_low,
        .id = numbers.id,
        .parent = numbers.parent,
        .began_ns = numbers.began_ns,
        .ended_ns = numbers.ended_ns,
        .queue_ns = numbers.queue_ns,
        .decode_ns = numbers.decode_ns,
        .run_ns = numbers.run_ns,
        .encode_ns = numbers.encode_ns,
        .first_item_ns = numbers.first_item_ns,
        .items = numbers.items,
        .process = numbers.process,
        .line = numbers.line,
        .attempt = numbers.attempt,
        .kind = numbers.kind,
        .status = numbers.status,
        .streamed = numbers.streamed,
        .alone = numbers.alone,
        .chainlet = texts[0],
        .callee = texts[1],
        .request_id = texts[2],
        .raised_by = texts[3],
        .file = texts[4],
        .message = texts[5],
        .left_at = texts[LATER_TEXT],
    };
    return true;
}
