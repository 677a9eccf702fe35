/* The codecs' quick ways for what is common must say what their general ways say. The latter take what
 * lies at the end of the data, so each case is decoded there and amid other values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "schema/codec_test_support.h"
#include "schema/msgpack.h"
#include "schema/number.h"

enum { TEXT_SIZES = 140 };

static uint64_t random_state = 2463534242;

static uint64_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * 0x2545f4914f6cdd1d;
}

/* --------------------------------------------------------------------------------------------
 * digits */

static void test_sixteen(void **state)
{
    (void)state;
    for (int round = 0; round < 200000; round++) {
        char text[17] = { 0 };
        unsigned count = (unsigned)(draw() % 17);
        for (unsigned i = 0; i < 16; i++)
            text[i] = (char)('0' + draw() % 10);
        if (count < 16) {
            do
                text[count] = (char)draw();
            while (text[count] >= '0' && text[count] <= '9');
            for (unsigned i = count + 1; i < 16; i++)
                if (draw() % 2)
                    text[i] = (char)draw();
        }
        uint64_t value = 0;
        assert_int_equal(chainsi_read_sixteen(text, &value), count);
        char digits[17] = { 0 };
        memcpy(digits, text, count);
        if (count && count < 16)
            assert_true(value == strtoull(digits, NULL, 10));
    }
}

/* Reads `text`, behind which there is `tail`, and says whether the quick way took it. */
static bool read_quickly(const char *text, const char *tail)
{
    char whole[128];
    int size = snprintf(whole, sizeof whole, "%s%s", text, tail);
    for (; size < (int)strlen(text) + CHAINSI_DOUBLE_AHEAD; size++)
        whole[size] = (char)('0' + size % 10);
    char *exact = copy_exactly(whole, (size_t)size);
    const double untouched = -12345;
    double number = untouched;
    const char *end = chainsi_read_double(exact, exact + size, &number);
    chainsi_decimal decimal;
    if (end) {
        assert_true(chainsi_decimal_read(exact, exact + size, &decimal));
        assert_ptr_equal(end, decimal.end);
        double expected = chainsi_decimal_to_double(&decimal);
        if (memcmp(&number, &expected, sizeof number) != 0)
            fail_msg("%s%s: %a instead of %a", text, tail, number, expected);
    } else {
        assert_true(number == untouched);
    }
    /* The last size that it takes, and one less. */
    assert_null(chainsi_read_double(exact, exact + CHAINSI_DOUBLE_AHEAD - 1, &number));
    free(exact);
    exact = copy_exactly(whole, CHAINSI_DOUBLE_AHEAD);
    chainsi_read_double(exact, exact + CHAINSI_DOUBLE_AHEAD, &number);
    free(exact);
    return end != NULL;
}

static void test_quick_doubles(void **state)
{
    (void)state;
    static const char *const taken[] = {
        "0",
        "-0",
        "7",
        "-7",
        "1234567",
        "0.5",
        "-0.0",
        "12.1234567",
        "12.12345678",
        "12.123456781",
        "12.123456781234567",
        "0.123456789012345678",
        "-1234567.12345678901",
        "9999999.999999999999",
        "0.000000000000000001",
    };
    static const char *const left[] = {
        "",      "-",    "-x",    "01",         "-01.5",
        "00.5",  ".5",   "1.",    "1.x",        "+1",
        "1e5",   "1.5E", "1.5e3", "12345678",   "0.1234567890123456789",
        "x.5",   "--1",  "1..5",  "12345678.5", "1234567.1234567890123",
        "\xff.5"
    };
    static const char *const tails[] = { ",", "]", "}", " ", "\n", "\"", "\xff", "x", "\x3a", "-" };
    for (size_t tail = 0; tail < sizeof tails / sizeof *tails; tail++) {
        for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
            if (!read_quickly(taken[i], tails[tail]))
                fail_msg("%s isn't taken", taken[i]);
        for (size_t i = 0; i < sizeof left / sizeof *left; i++)
            if (read_quickly(left[i], tails[tail]))
                fail_msg("%s is taken", left[i]);
    }
    for (int round = 0; round < 200000; round++) {
        char text[64];
        uint64_t whole = draw() >> (draw() % 64);
        int size = snprintf(text, sizeof text, "%s%llu", draw() % 2 ? "-" : "",
                            (unsigned long long)(draw() % 2 ? whole : whole % 1000));
        if (draw() % 8)
            size += snprintf(text + size, sizeof text - (size_t)size, ".%0*llu", (int)(draw() % 19),
                             (unsigned long long)(draw() >> (draw() % 64)));
        read_quickly(text, tails[draw() % (sizeof tails / sizeof *tails)]);
    }
}

/* --------------------------------------------------------------------------------------------
 * both formats: alone and amid others */

static const chainsi_type int8_list = { .kind = CHAINSI_LIST,
                                        .size = sizeof(chains_int8_list),
                                        .item = &chainsi_type_int8 };
static const chainsi_type int64_list = { .kind = CHAINSI_LIST,
                                         .size = sizeof(chains_int64_list),
                                         .item = &chainsi_type_int64 };
static const chainsi_type uint16_list = { .kind = CHAINSI_LIST,
                                          .size = sizeof(chains_uint16_list),
                                          .item = &chainsi_type_uint16 };
static const chainsi_type uint64_list = { .kind = CHAINSI_LIST,
                                          .size = sizeof(chains_uint64_list),
                                          .item = &chainsi_type_uint64 };
static const chainsi_type double_list = { .kind = CHAINSI_LIST,
                                          .size = sizeof(chains_double_list),
                                          .item = &chainsi_type_double };
static const chainsi_type *const lists[] = { &int8_list, &int64_list, &uint16_list, &uint64_list,
                                             &double_list };
enum { LISTS = sizeof lists / sizeof *lists };

/* Any of the lists. */
typedef struct any_list {
    void *items;
    size_t count;
} any_list;

static void check_same(const char *what, const chainsi_type *type, chains_status alone_status,
                       const any_list *alone, const chainsi_codec_error *alone_error,
                       chains_status amid_status, const any_list *amid,
                       const chainsi_codec_error *amid_error)
{
    if (alone_status != amid_status)
        fail_msg("%s: status %d alone, %d amid", what, alone_status, amid_status);
    if (alone_status != CHAINS_OK) {
        assert_string_equal(alone_error->path, amid_error->path);
        assert_string_equal(alone_error->message, amid_error->message);
        assert_int_equal(alone_error->offset, amid_error->offset);
    } else if (memcmp(alone->items, amid->items, type->item->size) != 0) {
        fail_msg("%s: another number amid others", what);
    }
}

static void test_json_numbers(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "0",
        "-0",
        "7",
        "-128",
        "127",
        "128",
        "-129",
        "65535",
        "65536",
        "007",
        "-07",
        "1.0",
        "1.5",
        "1e2",
        "1E-1",
        "12.50e1",
        "123456789012345",
        "1234567890123456",
        "12345678901234567",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "0.1",
        "-0.0",
        "00.5",
        "12345678.5",
        "1234567.123456789012",
        "1234567.1234567890123",
        "0.30000000000000004",
        "0.1234567890123456789",
        "9007199254740993.0",
        "1.7976931348623157e308",
        "1e309",
        "4.9e-324",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t list = 0; list < LISTS; list++) {
            char alone_text[64], amid_text[192];
            any_list alone, amid;
            chainsi_codec_error alone_error, amid_error;
            snprintf(alone_text, sizeof alone_text, "[%s]", cases[i]);
            snprintf(amid_text, sizeof amid_text, "[%s,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]",
                     cases[i]);
            chains_status alone_status = decode_json(lists[list], alone_text, &alone, &alone_error);
            chains_status amid_status = decode_json(lists[list], amid_text, &amid, &amid_error);
            check_same(cases[i], lists[list], alone_status, &alone, &alone_error, amid_status,
                       &amid, &amid_error);
        }
}

static void test_msgpack_integers(void **state)
{
    (void)state;
    static const uint64_t edges[] = { 0,
                                      1,
                                      0x7f,
                                      0x80,
                                      0xff,
                                      0x7fff,
                                      0x8000,
                                      0xff80,
                                      0xffff,
                                      0x7fffffff,
                                      1u << 31,
                                      0xffffffff,
                                      (uint64_t)INT64_MAX,
                                      (uint64_t)INT64_MIN,
                                      UINT64_MAX };
    for (unsigned first = 0; first < 256; first++) {
        if (first >= 0xcc && first <= 0xd3)
            continue;
        for (size_t list = 0; list < LISTS; list++) { /* as far as they are one byte long */
            const uint8_t alone_data[] = { 0x91, (uint8_t)first };
            const uint8_t amid_data[] = { 0x9a, (uint8_t)first, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
            any_list alone, amid;
            chains_status alone_status =
                chainsi_msgpack_decode(lists[list], alone_data, 2, &arena, &alone, NULL);
            chains_status amid_status = chainsi_msgpack_decode(
                lists[list], amid_data, sizeof amid_data, &arena, &amid, NULL);
            bool integer = first < 0x80 || first >= 0xe0;
            if (integer) {
                assert_int_equal(alone_status, amid_status);
                if (alone_status == CHAINS_OK)
                    assert_memory_equal(alone.items, amid.items, lists[list]->item->size);
            } else {
                assert_int_not_equal(alone_status, CHAINS_OK);
                assert_int_not_equal(amid_status, CHAINS_OK);
            }
        }
    }
    for (unsigned first = 0xcc; first <= 0xd3; first++)
        for (size_t edge = 0; edge < sizeof edges / sizeof *edges; edge++)
            for (size_t list = 0; list < LISTS; list++) {
                uint8_t data[2 + 8 + 9] = { 0x91, (uint8_t)first };
                const unsigned bytes = 1u << (first & 3);
                for (unsigned i = 0; i < bytes; i++)
                    data[2 + i] = (uint8_t)(edges[edge] >> (8 * (bytes - 1 - i)));
                any_list alone, amid;
                chainsi_codec_error alone_error, amid_error;
                char *exact = copy_exactly(data, 2 + bytes);
                chains_status alone_status = chainsi_msgpack_decode(lists[list], exact, 2 + bytes,
                                                                    &arena, &alone, &alone_error);
                free(exact);
                data[0] = 0x9a;
                exact = copy_exactly(data, 2 + bytes + 9);
                chains_status amid_status = chainsi_msgpack_decode(
                    lists[list], exact, 2 + bytes + 9, &arena, &amid, &amid_error);
                free(exact);
                char what[64];
                snprintf(what, sizeof what, "0x%02x of 0x%llx", first,
                         (unsigned long long)edges[edge]);
                check_same(what, lists[list], alone_status, &alone, &alone_error, amid_status,
                           &amid, &amid_error);
            }
}

/* --------------------------------------------------------------------------------------------
 * texts of every length, with every byte of theirs looked at */

static void check_text(const char *text, bool valid)
{
    chainsi_buffer json = { 0 }, msgpack = { 0 };
    const char *read;
    chains_status wanted = valid ? CHAINS_OK : CHAINS_INVALID_ARGUMENT;
    assert_int_equal(chainsi_json_encode(&chainsi_type_string, &text, &json, NULL), wanted);
    assert_int_equal(chainsi_msgpack_encode(&chainsi_type_string, &text, &msgpack, NULL), wanted);
    if (valid) {
        for (int in_place = 0; in_place < 2; in_place++) {
            char *exact = copy_exactly(json.data, json.size);
            assert_int_equal((in_place
                                  ? chainsi_json_decode_in_place(&chainsi_type_string, exact,
                                                                 json.size, &arena, &read, NULL)
                                  : chainsi_json_decode(&chainsi_type_string, exact, json.size,
                                                        &arena, &read, NULL)),
                             CHAINS_OK);
            assert_string_equal(read, text);
            free(exact);
            exact = copy_exactly(msgpack.data, msgpack.size);
            assert_int_equal(
                (in_place ? chainsi_msgpack_decode_in_place(&chainsi_type_string, exact,
                                                            msgpack.size, &arena, &read, NULL)
                          : chainsi_msgpack_decode(&chainsi_type_string, exact, msgpack.size,
                                                   &arena, &read, NULL)),
                CHAINS_OK);
            assert_string_equal(read, text);
            free(exact);
        }
    } else {
        assert_int_equal(json.size, 0);
        assert_int_equal(msgpack.size, 0);
    }
    chainsi_buffer_done(&json);
    chainsi_buffer_done(&msgpack);
}

static void test_texts(void **state)
{
    (void)state;
    for (size_t size = 0; size < TEXT_SIZES; size++) {
        char *text = malloc(size + 1);
        assert_non_null(text);
        for (size_t i = 0; i < size; i++)
            text[i] = (char)('a' + i % 26);
        text[size] = 0;
        check_text(text, true);
        for (size_t i = 0; i < size; i++) {
            const char kept = text[i];
            text[i] = (char)0xff;
            check_text(text, false);
            text[i] = kept;
        }
        if (size >= 2) {
            memcpy(text + size - 2, "\xc3\xa9", 2);
            check_text(text, true);
        }
        free(text);
        chainsi_arena_reset(&arena);
    }
}

/* Structs of every size are zeroed to their ends, and no further. */
static void test_zeroing(void **state)
{
    (void)state;
    for (uint32_t size = 1; size <= 300; size++) {
        const chainsi_field field = { .name = "a",
                                      .name_size = 1,
                                      .type = &chainsi_type_bool,
                                      .default_value = &(bool){ false } };
        const chainsi_type type = {
            .kind = CHAINSI_STRUCT, .size = size, .fields = &field, .field_count = 1
        };
        uint8_t value[304];
        memset(value, 0xaa, sizeof value);
        chainsi_arena_reset(&arena);
        memset(chainsi_arena_alloc_raw(&arena, 2048), 0xbb, 2048);
        chainsi_arena_reset(&arena);
        assert_int_equal(chainsi_msgpack_decode(&type, "\x80", 1, &arena, value, NULL), CHAINS_OK);
        for (uint32_t i = 0; i < sizeof value; i++)
            assert_int_equal(value[i], i < size ? 0 : 0xaa);
        chainsi_arena_reset(&arena);
        memset(chainsi_arena_alloc_raw(&arena, 2048), 0xbb, 2048);
        chainsi_arena_reset(&arena);
        memset(value, 0xaa, sizeof value);
        assert_int_equal(chainsi_json_decode(&type, "{}", 2, &arena, value, NULL), CHAINS_OK);
        for (uint32_t i = 0; i < sizeof value; i++)
            assert_int_equal(value[i], i < size ? 0 : 0xaa);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sixteen),
        cmocka_unit_test(test_quick_doubles),
        cmocka_unit_test_setup_teardown(test_json_numbers, begin, end),
        cmocka_unit_test_setup_teardown(test_msgpack_integers, begin, end),
        cmocka_unit_test_setup_teardown(test_texts, begin, end),
        cmocka_unit_test_setup_teardown(test_zeroing, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
