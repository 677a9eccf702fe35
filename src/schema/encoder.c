#include "schema/encoder.h"

#include "schema/json_scan.h"
#include "schema/limits.h"
#include "schema/utf8.h"

uint8_t *chainsi_encoder_grow(chainsi_encoder *encoder, uint8_t *at, size_t size)
{
    chainsi_buffer *out = encoder->out;
    out->size = (size_t)(at - out->data);
    at = chainsi_buffer_reserve(out, size);
    encoder->end = out->data + out->capacity;
    return at;
}

bool chainsi_encoder_enter(chainsi_encoder *encoder, unsigned depth)
{
    return depth < CHAINSI_MAX_DEPTH ||
           chainsi_report_fail(&encoder->report, 0,
                               "expected at most %d nested arrays and objects, found one more",
                               CHAINSI_MAX_DEPTH);
}

bool chainsi_encoder_check_items(chainsi_encoder *encoder, const chainsi_items *items)
{
    if (items->count && !items->items)
        return chainsi_report_fail(&encoder->report, 0, "expected %zu items, found NULL",
                                   items->count);
    if (items->count > CHAINSI_MAX_ITEMS)
        return chainsi_report_fail(&encoder->report, 0, "expected at most %zu items, found %zu",
                                   CHAINSI_MAX_ITEMS, items->count);
    return true;
}

bool chainsi_encoder_check_keys(chainsi_encoder *encoder, const chainsi_type *type,
                                const chainsi_items *map)
{
    for (size_t i = 0; i < map->count; i++) {
        if (*(const chainsi_text *)(map->items + i * type->entry_size))
            continue;
        chainsi_report_fail(&encoder->report, 0, "expected a key, found NULL");
        chainsi_report_index(&encoder->report, i);
        return false;
    }
    size_t repeated = chainsi_find_repeated_key(map->items, map->count, type->entry_size);
    if (repeated == map->count)
        return true;
    const char *key = *(const chainsi_text *)(map->items + repeated * type->entry_size);
    char excerpt[CHAINSI_EXCERPT_SIZE];
    chainsi_report_fail(&encoder->report, 0, "expected every key once, found %s again",
                        chainsi_excerpt(excerpt, key, strlen(key)));
    chainsi_report_key(&encoder->report, key);
    return false;
}

bool chainsi_encoder_check_text(chainsi_encoder *encoder, const char *text, size_t size)
{
    size_t valid = chainsi_utf8_valid(text, size);
    return valid == size ||
           chainsi_report_fail(&encoder->report, 0,
                               "expected a string in valid UTF-8, found the byte 0x%02x at %zu",
                               (uint8_t)text[valid], valid);
}

bool chainsi_encoder_check_bytes(chainsi_encoder *encoder, const chains_bytes *bytes)
{
    return !bytes->size || bytes->data ||
           chainsi_report_fail(&encoder->report, 0, "expected bytes, found NULL");
}

bool chainsi_encoder_check_json(chainsi_encoder *encoder, const chains_json *json, unsigned depth,
                                chains_json *trimmed)
{
    if (!json->text)
        return chainsi_report_fail(&encoder->report, 0, "expected JSON, found NULL");
    chainsi_json_reader reader = { .text = json->text, .end = json->text + json->size };
    chainsi_report_init(&reader.report, encoder->report.error);
    const char *start = chainsi_json_skip_space(json->text, reader.end);
    const char *end = chainsi_json_skip(&reader, start, depth);
    if (!end || !chainsi_json_at_end(&reader, end)) {
        chainsi_codec_error inner = *encoder->report.error;
        return chainsi_report_fail(&encoder->report, 0, "in JSON at byte %zu: %s", inner.offset,
                                   inner.message);
    }
    *trimmed = (chains_json){ start, (size_t)(end - start) };
    return true;
}

const chainsi_enumerator *chainsi_encoder_find_value(chainsi_encoder *encoder,
                                                     const chainsi_type *type, const void *value)
{
    const chainsi_enumerator *found = chainsi_find_value(type, value);
    if (found)
        return found;
    int64_t number = 0;
    char expected[CHAINSI_EXPECTED_SIZE];
    memcpy(&number, value, type->size);
    if (type->size == 4)
        number = (int32_t)number;
    chainsi_report_fail(&encoder->report, 0, "expected the value of %s, found the number %lld",
                        chainsi_expected(expected, type), (long long)number);
    return NULL;
}

void chainsi_encoder_refuse_null(chainsi_encoder *encoder, const chainsi_type *type)
{
    char expected[CHAINSI_EXPECTED_SIZE];
    chainsi_report_fail(&encoder->report, 0, "expected %s, found NULL",
                        chainsi_expected(expected, type));
}
