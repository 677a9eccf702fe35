/* Decimal text to binary numbers.
 *
 * Almost all numbers take the way of Eisel and Lemire ("Number parsing at a gigabyte per second",
 * 2021): the first 19 digits times a 128-bit power of ten, which decides the rounding unless the
 * product lies too near to a tie. What it can't decide, and numbers whose further digits matter, are
 * divided out exactly in long integers. */
#include "schema/number.h"

#include <math.h>
#include <string.h>

#include "powers_of_ten.h"

typedef unsigned __int128 uint128;

enum {
    MAX_DIGITS = 19,            /* that always fit in 64 bits */
    MAX_EXACT_DIGITS = 800,     /* no tie has more than 767; what follows only matters as "not 0" */
    MAX_EXPONENT = 1000 * 1000, /* beyond it, the size of an exponent no longer matters */
};

/* What a binary format of IEEE 754 looks like. */
typedef struct binary_format {
    int fraction_bits;
    int bias;
    int infinite_exponent;
    int least_tie, greatest_tie;     /* powers of ten at which the product may be a tie exactly */
    int least_power, greatest_power; /* below: 0; above: infinite; whatever the digits */
} binary_format;

static const binary_format double_format = { 52, 1023, 0x7ff, -4, 23, -342, 308 };
static const binary_format float_format = { 23, 127, 0xff, -17, 10, -65, 38 };

chainsi_power chainsi_power_of_ten(int power)
{
    const uint64_t *bits = powers_of_ten[power - FIRST_POWER];
    return (chainsi_power){ bits[0], bits[1] };
}

/* --------------------------------------------------------------------------------------------
 * text to decimal */

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* True if the eight bytes at text are digits, and then *value is what they say (little-endian). */
static inline bool read_eight(const char *text, uint64_t *value)
{
    uint64_t bytes;
    memcpy(&bytes, text, 8);
    if (chainsi_find_no_digit(bytes))
        return false;
    *value = chainsi_sum_eight(bytes - 0x3030303030303030u);
    return true;
}

static inline const char *read_digits(const char *at, const char *end, uint64_t *digits)
{
    uint64_t sum = *digits, eight;
    while (end - at >= 8 && read_eight(at, &eight)) {
        sum = sum * 100000000 + eight;
        at += 8;
    }
    while (at < end && is_digit(*at))
        sum = sum * 10 + (uint64_t)(*at++ - '0');
    *digits = sum;
    return at;
}

/* Takes the first 19 significant digits anew, where the sum may have wrapped. `written` is the
 * exponent that follows the digits. */
static void truncate_digits(chainsi_decimal *decimal, const char *digits_end, int64_t written)
{
    const char *first = decimal->start + decimal->negative;
    const char *point = memchr(first, '.', (size_t)(digits_end - first));
    if (!point)
        point = digits_end;
    while (first < digits_end && (*first == '0' || *first == '.'))
        first++;
    /* The value is 0.FIRST... * 10^place. */
    int64_t place = first < point ? point - first : point + 1 - first;
    uint64_t sum = 0;
    int count = 0;
    bool truncated = false;
    for (const char *at = first; at < digits_end; at++) {
        if (*at == '.')
            continue;
        if (count < MAX_DIGITS) {
            sum = sum * 10 + (uint64_t)(*at - '0');
            count++;
        } else if (*at != '0') {
            truncated = true;
            break;
        }
    }
    decimal->digits = sum;
    decimal->exponent = place - count + written;
    decimal->truncated = truncated;
}

bool chainsi_decimal_read(const char *text, const char *end, chainsi_decimal *decimal)
{
    const char *at = text;
    uint64_t digits = 0;
    decimal->start = text;
    decimal->negative = at < end && *at == '-';
    decimal->truncated = false;
    decimal->plain = true;
    at += decimal->negative;
    const char *integer = at;
    if (at < end && *at == '0')
        at++;
    else
        at = read_digits(at, end, &digits);
    decimal->end = at;
    if (at == integer)
        return false;
    int64_t exponent = 0, written = 0;
    int64_t count = at - integer;
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        at = read_digits(at, end, &digits);
        decimal->plain = false;
        decimal->end = at;
        if (at == fraction)
            return false;
        exponent = fraction - at;
        count += at - fraction;
    }
    const char *digits_end = at;
    if (at < end && (*at == 'e' || *at == 'E')) {
        decimal->plain = false;
        bool negative = false;
        if (++at < end && (*at == '-' || *at == '+'))
            negative = *at++ == '-';
        const char *first = at;
        for (; at < end && is_digit(*at); at++)
            if (written < MAX_EXPONENT * INT64_C(1000000))
                written = written * 10 + (*at - '0');
        decimal->end = at;
        if (at == first)
            return false;
        written = negative ? -written : written;
    }
    decimal->end = at;
    decimal->digits = digits;
    decimal->exponent = exponent + written;
    if (__builtin_expect(count > MAX_DIGITS, 0))
        truncate_digits(decimal, digits_end, written);
    return true;
}

/* --------------------------------------------------------------------------------------------
 * the exact way */

enum { LIMBS = 96 };

/* A natural number, least significant limb first; limbs from `count` on don't count. 96 limbs hold
 * 801 digits times 10^324 * 2^64, or 10^1142 * 2^64. */
typedef struct natural {
    uint64_t limbs[LIMBS];
    int count;
} natural;

static void multiply_add(natural *number, uint64_t by, uint64_t add)
{
    uint64_t carry = add;
    for (int i = 0; i < number->count; i++) {
        uint128 product = (uint128)number->limbs[i] * by + carry;
        number->limbs[i] = (uint64_t)product;
        carry = (uint64_t)(product >> 64);
    }
    if (carry)
        number->limbs[number->count++] = carry;
}

static void multiply_by_power_of_ten(natural *number, int64_t power)
{
    for (; power >= 19; power -= 19)
        multiply_add(number, UINT64_C(10000000000000000000), 0);
    for (; power > 0; power--)
        multiply_add(number, 10, 0);
}

static int bit_length(const natural *number)
{
    return number->count * 64 - __builtin_clzll(number->limbs[number->count - 1]);
}

static void shift_left(natural *number, int bits)
{
    int limbs = bits / 64;
    bits %= 64;
    if (limbs) {
        memmove(number->limbs + limbs, number->limbs, (size_t)number->count * sizeof(uint64_t));
        memset(number->limbs, 0, (size_t)limbs * sizeof(uint64_t));
        number->count += limbs;
    }
    if (bits)
        multiply_add(number, UINT64_C(1) << bits, 0);
}

static int compare(const natural *a, const natural *b)
{
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    for (int i = a->count - 1; i >= 0; i--)
        if (a->limbs[i] != b->limbs[i])
            return a->limbs[i] < b->limbs[i] ? -1 : 1;
    return 0;
}

static void subtract(natural *from, const natural *what)
{
    uint64_t borrow = 0;
    for (int i = 0; i < from->count; i++) {
        uint64_t other = i < what->count ? what->limbs[i] : 0;
        uint128 difference = (uint128)from->limbs[i] - other - borrow;
        from->limbs[i] = (uint64_t)difference;
        borrow = (uint64_t)(difference >> 64) & 1;
    }
    while (from->count && !from->limbs[from->count - 1])
        from->count--;
}

/* Rounds significand * 2^exponent (the highest bit of significand set, rest: something follows it) to
 * the format's bits. */
static uint64_t round_to_format(uint64_t significand, int exponent, bool rest,
                                const binary_format *format)
{
    int biased = exponent + 63 + format->bias;
    int drop = 63 - format->fraction_bits;
    if (biased <= 0) {
        drop += 1 - biased;
        biased = 0;
    }
    if (drop > 64)
        return 0;
    uint64_t kept = drop == 64 ? 0 : significand >> drop;
    uint64_t dropped = drop == 64 ? significand : significand & ((UINT64_C(1) << drop) - 1);
    uint64_t half = UINT64_C(1) << (drop - 1);
    if (dropped > half || (dropped == half && (rest || (kept & 1))))
        kept++;
    /* A carry out of the fraction, or of a subnormal, adds to the exponent by itself. */
    uint64_t bits = biased ? ((uint64_t)(biased - 1) << format->fraction_bits) + kept : kept;
    uint64_t infinite = (uint64_t)format->infinite_exponent << format->fraction_bits;
    return bits > infinite ? infinite : bits;
}

/* The bits of the nearest number, by dividing the decimal out. The number isn't 0. */
static uint64_t convert_exactly(const chainsi_decimal *decimal, const binary_format *format)
{
    natural number = { .count = 0 }, divisor = { .limbs = { 1 }, .count = 1 };
    int64_t exponent = decimal->exponent;
    int given = 0;
    if (!decimal->truncated) {
        number.limbs[0] = decimal->digits;
        number.count = 1;
    } else {
        /* decimal->exponent belongs to 19 digits; each one more lowers it. */
        bool more = false;
        for (const char *at = decimal->start + decimal->negative; at < decimal->end; at++) {
            if (*at == '.')
                continue;
            if (!is_digit(*at))
                break;
            if (!given && *at == '0')
                continue;
            if (given < MAX_EXACT_DIGITS)
                multiply_add(&number, 10, (uint64_t)(*at - '0'));
            else if (*at != '0')
                more = true;
            given++;
        }
        int used = given < MAX_EXACT_DIGITS ? given : MAX_EXACT_DIGITS;
        exponent -= used - MAX_DIGITS;
        if (more) {
            multiply_add(&number, 10, 1);
            exponent--;
        }
    }
    if (exponent > format->greatest_power)
        return (uint64_t)format->infinite_exponent << format->fraction_bits;
    if (exponent < format->least_power - MAX_EXACT_DIGITS)
        return 0;
    if (exponent >= 0)
        multiply_by_power_of_ten(&number, exponent);
    else
        multiply_by_power_of_ten(&divisor, -exponent);

    /* Scale so that the quotient lies in [1, 2), then take 64 bits of it one by one. */
    int scale = bit_length(&number) - bit_length(&divisor);
    if (scale > 0)
        shift_left(&divisor, scale);
    else
        shift_left(&number, -scale);
    if (compare(&number, &divisor) < 0) {
        multiply_add(&number, 2, 0);
        scale--;
    }
    uint64_t significand = 0;
    for (int i = 0; i < 64; i++) {
        significand <<= 1;
        if (number.count && compare(&number, &divisor) >= 0) {
            subtract(&number, &divisor);
            significand |= 1;
        }
        multiply_add(&number, 2, 0);
    }
    return round_to_format(significand, scale - 63, number.count > 0, format);
}

/* --------------------------------------------------------------------------------------------
 * the fast way */

/* digits * 10^power rounded to the format's bits, for digits above 0. False if it can't tell. */
static inline bool convert_fast(uint64_t digits, int64_t power, const binary_format *format,
                                uint64_t *bits)
{
    if (power < format->least_power) {
        *bits = 0;
        return true;
    }
    if (power > format->greatest_power) {
        *bits = (uint64_t)format->infinite_exponent << format->fraction_bits;
        return true;
    }
    const int q = (int)power;
    const int shift = __builtin_clzll(digits);
    const uint64_t *ten = powers_of_ten[q - FIRST_POWER];
    digits <<= shift;
    uint128 product = (uint128)digits * ten[0];
    const uint64_t mask = UINT64_MAX >> (format->fraction_bits + 3);
    if (((uint64_t)(product >> 64) & mask) == mask) {
        /* Small negative powers are taken rounded up, so that ties come out as such. */
        uint64_t low = ten[1] + (q < 0 && q >= -27);
        product += (uint64_t)((uint128)digits * low >> 64);
    }
    uint64_t low = (uint64_t)product, high = (uint64_t)(product >> 64);
    if (low == UINT64_MAX && (q < -27 || q > 55))
        return false;
    const int upper = (int)(high >> 63);
    uint64_t significand = high >> (upper + 64 - format->fraction_bits - 3);
    /* 217706 / 65536 is log2(10) closely enough for all powers here. */
    int exponent = (217706 * q >> 16) + 63 + upper - shift + format->bias;
    if (exponent <= 0) {
        if (1 - exponent >= 64) {
            *bits = 0;
            return true;
        }
        significand >>= 1 - exponent;
        significand += significand & 1;
        *bits = significand >> 1; /* a carry makes the smallest normal number by itself */
        return true;
    }
    if (low <= 1 && q >= format->least_tie && q <= format->greatest_tie && (significand & 3) == 1 &&
        significand << (upper + 64 - format->fraction_bits - 3) == high)
        significand &= ~UINT64_C(1);
    significand = (significand + (significand & 1)) >> 1;
    if (significand >= UINT64_C(2) << format->fraction_bits) {
        significand >>= 1;
        exponent++;
    }
    if (exponent >= format->infinite_exponent) {
        *bits = (uint64_t)format->infinite_exponent << format->fraction_bits;
        return true;
    }
    significand &= ~(UINT64_C(1) << format->fraction_bits);
    *bits = (uint64_t)exponent << format->fraction_bits | significand;
    return true;
}

static inline uint64_t convert(const chainsi_decimal *decimal, const binary_format *format)
{
    uint64_t bits = 0, next;
    if (decimal->digits == 0)
        return 0; /* truncated ones start with a digit that isn't 0 */
    if (!convert_fast(decimal->digits, decimal->exponent, format, &bits))
        return convert_exactly(decimal, format);
    if (decimal->truncated) {
        if (!convert_fast(decimal->digits + 1, decimal->exponent, format, &next) || next != bits)
            return convert_exactly(decimal, format);
    }
    return bits;
}

const char *chainsi_read_double(const char *text, const char *end, double *number)
{
    static const uint64_t tens[] = {
        UINT64_C(1),         UINT64_C(10),         UINT64_C(100),         UINT64_C(1000),
        UINT64_C(10000),     UINT64_C(100000),     UINT64_C(1000000),     UINT64_C(10000000),
        UINT64_C(100000000), UINT64_C(1000000000), UINT64_C(10000000000), UINT64_C(100000000000),
    };
    enum {
        MOST_MORE = sizeof tens / sizeof *tens - 1
    }; /* digits behind the first eight of a fraction */
    const uint64_t zeros = 0x3030303030303030u;
    if (end - text < CHAINSI_DOUBLE_AHEAD)
        return NULL;
    const bool negative = *text == '-';
    const char *at = text + negative;
    uint64_t bytes, bits = 0;
    memcpy(&bytes, at, 8);
    uint64_t no_digit = chainsi_find_no_digit(bytes);
    if (!no_digit)
        return NULL;
    const unsigned whole = (unsigned)__builtin_ctzll(no_digit) / 8;
    if (!whole || (*at == '0' && whole > 1))
        return NULL;
    uint64_t digits = chainsi_sum_eight((bytes - zeros) << (64 - 8 * whole));
    at += whole;
    const char *fraction = at;
    if (*at == '.') {
        fraction = ++at;
        memcpy(&bytes, at, 8);
        no_digit = chainsi_find_no_digit(bytes);
        if (no_digit) {
            const unsigned count = (unsigned)__builtin_ctzll(no_digit) / 8;
            if (!count)
                return NULL;
            digits = digits * tens[count] + chainsi_sum_eight((bytes - zeros) << (64 - 8 * count));
            at += count;
        } else {
            digits = digits * 100000000 + chainsi_sum_eight(bytes - zeros);
            at += 8;
            uint64_t more = 0;
            const unsigned count = chainsi_read_sixteen(at, &more);
            if (count > MOST_MORE || whole + 8 + count > MAX_DIGITS)
                return NULL;
            if (count)
                digits = digits * tens[count] + more;
            at += count;
        }
    }
    const int64_t exponent = fraction - at;
    if (exponent > 0 ||
        exponent < -MAX_DIGITS) /* lets the compiler drop what is for other powers */
        __builtin_unreachable();
    if ((*at | 0x20) == 'e' || (digits && !convert_fast(digits, exponent, &double_format, &bits)))
        return NULL;
    bits |= (uint64_t)negative << 63;
    memcpy(number, &bits, sizeof bits);
    return at;
}

double chainsi_decimal_to_double(const chainsi_decimal *decimal)
{
    uint64_t bits = convert(decimal, &double_format) | (uint64_t)decimal->negative << 63;
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

float chainsi_decimal_to_float(const chainsi_decimal *decimal)
{
    uint32_t bits = (uint32_t)convert(decimal, &float_format) | (uint32_t)decimal->negative << 31;
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

chainsi_integral chainsi_decimal_to_integer(const chainsi_decimal *decimal, uint64_t *magnitude)
{
    uint64_t value = 0;
    if (decimal->digits == 0) {
        *magnitude = 0;
        return CHAINSI_INTEGRAL;
    }
    if (!decimal->truncated) {
        value = decimal->digits;
        int64_t exponent = decimal->exponent;
        for (; exponent < 0; exponent++) {
            if (value % 10)
                return CHAINSI_FRACTIONAL;
            value /= 10;
        }
        for (; exponent > 0; exponent--)
            if (__builtin_mul_overflow(value, (uint64_t)10, &value))
                return CHAINSI_INTEGRAL_LARGE;
        *magnitude = value;
        return CHAINSI_INTEGRAL;
    }
    /* More than 19 significant digits: digit by digit, up to where the point falls. The exponent
     * belongs to the first 19, so that the integer has 19 + exponent digits. */
    int64_t whole = MAX_DIGITS + decimal->exponent, seen = 0;
    bool large = false, fractional = false;
    for (const char *at = decimal->start + decimal->negative; at < decimal->end; at++) {
        if (*at == '.')
            continue;
        if (!is_digit(*at))
            break;
        if (!seen && *at == '0')
            continue;
        uint64_t digit = (uint64_t)(*at - '0');
        if (seen++ >= whole)
            fractional |= digit != 0;
        else
            large |= __builtin_mul_overflow(value, (uint64_t)10, &value) ||
                     __builtin_add_overflow(value, digit, &value);
    }
    if (fractional)
        return CHAINSI_FRACTIONAL;
    for (; seen < whole && !large; seen++)
        large = __builtin_mul_overflow(value, (uint64_t)10, &value);
    *magnitude = value;
    return large ? CHAINSI_INTEGRAL_LARGE : CHAINSI_INTEGRAL;
}
