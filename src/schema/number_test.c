/* Reading and writing numbers, against the C library's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/number.h"

static uint64_t random_state = 88172645463325252;

static uint64_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * 0x2545f4914f6cdd1d;
}

static double read_double(const char *text)
{
    chainsi_decimal decimal;
    if (!chainsi_decimal_read(text, text + strlen(text), &decimal) || *decimal.end)
        fail_msg("not read: %s", text);
    return chainsi_decimal_to_double(&decimal);
}

static float read_float(const char *text)
{
    chainsi_decimal decimal;
    if (!chainsi_decimal_read(text, text + strlen(text), &decimal) || *decimal.end)
        fail_msg("not read: %s", text);
    return chainsi_decimal_to_float(&decimal);
}

static const char *write_double(double number)
{
    static char text[CHAINSI_NUMBER_SIZE + 1];
    *chainsi_write_double(text, number) = 0;
    return text;
}

static const char *write_float(float number)
{
    static char text[CHAINSI_NUMBER_SIZE + 1];
    *chainsi_write_float(text, number) = 0;
    return text;
}

/* Reads as strtod does, as a double and as a float. */
static void check_reading(const char *text)
{
    double number = read_double(text), expected = strtod(text, NULL);
    if (memcmp(&number, &expected, sizeof number) != 0)
        fail_msg("%s read as %a, not %a", text, number, expected);
    float narrow = read_float(text), expected_narrow = strtof(text, NULL);
    if (memcmp(&narrow, &expected_narrow, sizeof narrow) != 0)
        fail_msg("%s read as the float %a, not %a", text, (double)narrow, (double)expected_narrow);
}

/* How many digits a text has without zeros at either end. */
static int count_digits(const char *text)
{
    int count = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (*text == '0' && !count))
            continue;
        count++;
        zeros = *text == '0' ? zeros + 1 : 0;
    }
    return count - zeros;
}

/* What is written reads back, in ours and in C's way, and no shorter text does. */
static void check_writing(double number)
{
    const char *text = write_double(number);
    double back = strtod(text, NULL), own = read_double(text);
    if (memcmp(&back, &number, sizeof back) != 0 || memcmp(&own, &number, sizeof own) != 0)
        fail_msg("%a written as %s", number, text);
    char shorter[40];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(shorter, sizeof shorter, "%.*e", precision - 1, number);
        if (strtod(shorter, NULL) != number)
            continue;
        if (count_digits(text) > count_digits(shorter))
            fail_msg("%s is shorter than %s", shorter, text);
        break;
    }
}

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        { 0, "0.0" },
        { -0.0, "-0.0" },
        { 1, "1.0" },
        { -1, "-1.0" },
        { 0.1, "0.1" },
        { 0.3, "0.3" },
        { 0.1 + 0.2, "0.30000000000000004" },
        { 100, "100.0" },
        { 123.456, "123.456" },
        { 1e15, "1000000000000000.0" },
        { 1234567890123456, "1234567890123456.0" },
        { 1e16, "1e16" },
        { 1.5e16, "1.5e16" },
        { 1e21, "1e21" },
        { 1e22, "1e22" },
        { 1e23, "1e23" },
        { 1e300, "1e300" },
        { 0.001, "0.001" },
        { 0.0001, "0.0001" },
        { 0.00012345, "0.00012345" },
        { 0.00001, "1e-5" },
        { 1.5e-7, "1.5e-7" },
        { 5e-324, "5e-324" },
        { 2.2250738585072014e-308, "2.2250738585072014e-308" },
        { 2.225073858507201e-308, "2.225073858507201e-308" },
        { 1.7976931348623157e308, "1.7976931348623157e308" },
        { 9007199254740991, "9007199254740991.0" },
        { 9007199254740992, "9007199254740992.0" },
        { 9007199254740994, "9007199254740994.0" },
        { 9.5367431640625e-7, "9.5367431640625e-7" },
        { 4.35, "4.35" },
        { 2.98023223876953125e-8, "2.9802322387695312e-8" },
        { 3.141592653589793, "3.141592653589793" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(write_double(cases[i].number), cases[i].text);
        check_writing(cases[i].number);
    }
    assert_string_equal(write_float(0.1f), "0.1");
    assert_string_equal(write_float(16777216), "16777216.0");
    assert_string_equal(write_float(3.4028235e38f), "3.4028235e38");
    assert_string_equal(write_float(1e-45f), "1e-45");
    assert_string_equal(write_float(1.1754944e-38f), "1.1754944e-38");
}

static void test_integers(void **state)
{
    (void)state;
    char text[CHAINSI_NUMBER_SIZE + 1], expected[CHAINSI_NUMBER_SIZE + 1];
    uint64_t power = 1;
    for (int i = 0; i < 20; i++, power *= 10)
        for (int difference = -1; difference <= 1; difference++) {
            uint64_t number = power + (uint64_t)(int64_t)difference;
            *chainsi_write_uint64(text, number) = 0;
            snprintf(expected, sizeof expected, "%llu", (unsigned long long)number);
            assert_string_equal(text, expected);
            *chainsi_write_int64(text, (int64_t)(0 - number)) = 0;
            snprintf(expected, sizeof expected, "%lld", (long long)(0 - number));
            assert_string_equal(text, expected);
        }
    *chainsi_write_int64(text, INT64_MIN) = 0;
    assert_string_equal(text, "-9223372036854775808");
    *chainsi_write_uint64(text, UINT64_MAX) = 0;
    assert_string_equal(text, "18446744073709551615");
}

static void test_integral(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        chainsi_integral kind;
        uint64_t magnitude;
    } cases[] = {
        { "0", CHAINSI_INTEGRAL, 0 },
        { "-0", CHAINSI_INTEGRAL, 0 },
        { "0e99999999999999999999", CHAINSI_INTEGRAL, 0 },
        { "0.000", CHAINSI_INTEGRAL, 0 },
        { "0.00000000000000000000000000", CHAINSI_INTEGRAL, 0 },
        { "1e3", CHAINSI_INTEGRAL, 1000 },
        { "5.0", CHAINSI_INTEGRAL, 5 },
        { "-12.50e1", CHAINSI_INTEGRAL, 125 },
        { "0.5", CHAINSI_FRACTIONAL, 0 },
        { "1e-1", CHAINSI_FRACTIONAL, 0 },
        { "10e-1", CHAINSI_INTEGRAL, 1 },
        { "1e-99999999999999999999", CHAINSI_FRACTIONAL, 0 },
        { "18446744073709551615", CHAINSI_INTEGRAL, UINT64_MAX },
        { "18446744073709551615.000", CHAINSI_INTEGRAL, UINT64_MAX },
        { "18446744073709551615.0001", CHAINSI_FRACTIONAL, 0 },
        { "18446744073709551616", CHAINSI_INTEGRAL_LARGE, 0 },
        { "99999999999999999999", CHAINSI_INTEGRAL_LARGE, 0 },
        { "1844674407370955161500000e-5", CHAINSI_INTEGRAL, UINT64_MAX },
        { "1844674407370955161510000e-5", CHAINSI_FRACTIONAL, 0 },
        { "0.18446744073709551615e20", CHAINSI_INTEGRAL, UINT64_MAX },
        { "0.0000000000000000000000000000018446744073709551615e49", CHAINSI_INTEGRAL, UINT64_MAX },
        { "1e19", CHAINSI_INTEGRAL, 10000000000000000000u },
        { "1e20", CHAINSI_INTEGRAL_LARGE, 0 },
        { "1e99999999999999999999", CHAINSI_INTEGRAL_LARGE, 0 },
        { "100000000000000000000e-20", CHAINSI_INTEGRAL, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_decimal decimal;
        uint64_t magnitude = 0;
        const char *text = cases[i].text;
        assert_true(chainsi_decimal_read(text, text + strlen(text), &decimal));
        chainsi_integral kind = chainsi_decimal_to_integer(&decimal, &magnitude);
        if (kind != cases[i].kind)
            fail_msg("%s is %d", text, (int)kind);
        if (kind == CHAINSI_INTEGRAL && magnitude != cases[i].magnitude)
            fail_msg("%s is %llu", text, (unsigned long long)magnitude);
    }
}

static void test_hard_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "2.2250738585072011e-308",
        "2.2250738585072012e-308",
        "9007199254740993",
        "9007199254740992.99999999999999999999999",
        "9007199254740993.00000000000000000000000000000001",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126",
        "0.500000000000000166533453693773481063544750213623046875",
        "3.518437208883201171875e13",
        "62.5364939768271845828",
        "8.10109172351e-10",
        "1.50000000000000011102230246251565",
        "30078505129381147446200",
        "1777820000000000000001",
        "0.3932922657273",
        "6.9294956446009195e15",
        "8.5e-323",
        "1.1754943508222875e-38",
        "7.0064923216240853546186479164495806564013097093825788587853e-46",
        "7.0064923216240853546186479164495806564013097093825788587854e-46",
        "3.4028235677973366e38",
        "3.4028235677973367e38",
        "16777217",
        "16777216.999999999999999999999",
        "16777217.000000000000000000001",
        "1e-45",
        "1e38",
        "1e39",
        "1e23",
        "8.98846567431158e307",
        "123456789012345678901234567890e-40",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_reading(texts[i]);
    /* The middle between two doubles with all of its 767 digits, and just above and below. */
    char tie[900];
    snprintf(tie, sizeof tie, "%.766Le", 0x1.00000000000018p-1022L);
    check_reading(tie);
    char *exponent = strchr(tie, 'e'), above[900];
    snprintf(above, sizeof above, "%.*s%s%s", (int)(exponent - tie), tie, "0000000001", exponent);
    check_reading(above);
    exponent[-1] = '0';
    check_reading(tie);
}

static void test_random_doubles(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++) {
        uint64_t bits = draw();
        double number;
        memcpy(&number, &bits, sizeof number);
        if (isfinite(number))
            check_writing(number);
        check_writing((double)(int64_t)(draw() >> 11) * 0x1p-53);
        check_writing((double)(draw() % 10000000) / 1000);
        check_writing(ldexp(1, (int)(draw() % 2098) - 1074));
        uint32_t narrow_bits = (uint32_t)draw();
        float narrow;
        memcpy(&narrow, &narrow_bits, sizeof narrow);
        if (isfinite(narrow)) {
            const char *text = write_float(narrow);
            float back = strtof(text, NULL), own = read_float(text);
            assert_memory_equal(&back, &narrow, sizeof back);
            assert_memory_equal(&own, &narrow, sizeof own);
        }
    }
}

static void test_random_texts(void **state)
{
    (void)state;
    char text[1000];
    for (int i = 0; i < 10000; i++) {
        int size = 0, digits = 1 + (int)(draw() % (i % 50 ? 30 : 850));
        int point = (int)(draw() % (unsigned)(digits + 1));
        if (draw() & 1)
            text[size++] = '-';
        if (!point)
            size += sprintf(text + size, "0.");
        for (int j = 0; j < digits; j++) {
            if (j && j == point)
                text[size++] = '.';
            text[size++] = (char)(j == 0 && point ? '1' + draw() % 9 : '0' + draw() % 10);
        }
        if (draw() & 1)
            size += sprintf(text + size, "e%d", (int)(draw() % 700) - 350);
        text[size] = 0;
        check_reading(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),          cmocka_unit_test(test_integers),
        cmocka_unit_test(test_integral),       cmocka_unit_test(test_hard_texts),
        cmocka_unit_test(test_random_doubles), cmocka_unit_test(test_random_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
