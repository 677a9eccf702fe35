/* Binary numbers to their shortest decimal text.
 *
 * Doubles and floats take Raffaello Giulietti's algorithm ("The Schubfach way to render doubles",
 * 2021): the ends of the interval that rounds to the number, and the number itself, are multiplied by
 * one 128-bit power of ten; the product's integer part, with a sticky bit for the rest, is enough to
 * pick the shortest decimal inside, the nearest one of those. */
#include <string.h>

#include "schema/number.h"

typedef unsigned __int128 uint128;

static const char digit_pairs[] = "00010203040506070809"
                                  "10111213141516171819"
                                  "20212223242526272829"
                                  "30313233343536373839"
                                  "40414243444546474849"
                                  "50515253545556575859"
                                  "60616263646566676869"
                                  "70717273747576777879"
                                  "80818283848586878889"
                                  "90919293949596979899";

static inline void write_pair(char *out, uint32_t number)
{
    memcpy(out, digit_pairs + (size_t)number * 2, 2);
}

static inline void write_four(char *out, uint32_t number)
{
    write_pair(out, number / 100);
    write_pair(out + 2, number % 100);
}

static inline void write_eight(char *out, uint32_t number)
{
    write_four(out, number / 10000);
    write_four(out + 4, number % 10000);
}

static inline int count_digits(uint64_t number)
{
    static const uint64_t powers[] = { 0,
                                       10,
                                       100,
                                       1000,
                                       10000,
                                       100000,
                                       1000000,
                                       10000000,
                                       100000000,
                                       1000000000,
                                       10000000000,
                                       100000000000,
                                       1000000000000,
                                       10000000000000,
                                       100000000000000,
                                       1000000000000000,
                                       10000000000000000,
                                       100000000000000000,
                                       1000000000000000000,
                                       10000000000000000000u };
    int bits = 64 - __builtin_clzll(number | 1);
    int guess = bits * 1233 >> 12; /* log10(2), rounded down: right or one too low */
    return guess + (number >= powers[guess]);
}

/* Writes exactly count digits. */
static inline void write_digits(char *out, uint64_t number, int count)
{
    while (count >= 8) {
        count -= 8;
        write_eight(out + count, (uint32_t)(number % 100000000));
        number /= 100000000;
    }
    uint32_t rest = (uint32_t)number;
    if (count >= 4) {
        count -= 4;
        write_four(out + count, rest % 10000);
        rest /= 10000;
    }
    if (count >= 2) {
        count -= 2;
        write_pair(out + count, rest % 100);
        rest /= 100;
    }
    if (count)
        *out = (char)('0' + rest);
}

char *chainsi_write_uint64(char *out, uint64_t number)
{
    if (number < 10) {
        *out = (char)('0' + number);
        return out + 1;
    }
    int count = count_digits(number);
    write_digits(out, number, count);
    return out + count;
}

char *chainsi_write_int64(char *out, int64_t number)
{
    uint64_t magnitude = (uint64_t)number;
    if (number < 0) {
        *out++ = '-';
        magnitude = 0 - magnitude;
    }
    return chainsi_write_uint64(out, magnitude);
}

/* floor(log2(10^e)), and floor(log10(2^e)) or floor(log10(3/4 * 2^e)), for all e in question. */
static inline int log2_of_power_of_ten(int e)
{
    return e * 1741647 >> 19;
}

static inline int log10_of_power_of_two(int e, bool three_quarters)
{
    return (e * 1262611 - (three_quarters ? 524031 : 0)) >> 22;
}

/* The upper 64 bits of power * factor / 2^64, the lowest bit set if anything was cut off ("round to
 * odd"). */
static inline uint64_t scale(chainsi_power power, uint64_t factor)
{
    uint64_t low = (uint64_t)((uint128)power.low * factor >> 64);
    uint128 product = (uint128)power.high * factor + low;
    return (uint64_t)(product >> 64) | ((uint64_t)product > 1);
}

/* The shortest decimal digits * 10^exponent for significand * 2^power. lower_is_closer: the next
 * smaller number is only half as far away as the next larger one. */
static inline uint64_t shorten(uint64_t significand, int power, bool lower_is_closer, int *exponent)
{
    const bool even = !(significand & 1);
    const int k = log10_of_power_of_two(power, lower_is_closer);
    const int shift = power + log2_of_power_of_ten(-k) + 1;
    chainsi_power ten = chainsi_power_of_ten(-k);
    if (!chainsi_power_is_exact(-k)) { /* the method wants it rounded up */
        ten.low++;
        ten.high += ten.low == 0;
    }
    const uint64_t value = significand << 2;
    uint64_t lower = scale(ten, (value - 2 + lower_is_closer) << shift) + !even;
    uint64_t middle = scale(ten, value << shift);
    uint64_t upper = scale(ten, (value + 2) << shift) - !even;

    uint64_t whole = middle >> 2;
    if (whole >= 10) {
        uint64_t tens = whole / 10;
        bool down_fits = lower <= 40 * tens;
        bool up_fits = 40 * tens + 40 <= upper;
        if (down_fits != up_fits) {
            *exponent = k + 1;
            return tens + up_fits;
        }
    }
    *exponent = k;
    bool down_fits = lower <= 4 * whole;
    bool up_fits = 4 * whole + 4 <= upper;
    if (down_fits != up_fits)
        return whole + up_fits;
    uint64_t half = 4 * whole + 2;
    return whole + (middle > half || (middle == half && (whole & 1)));
}

/* Lays out digits * 10^exponent: plain from 0.0001 to below 10^16, else with an exponent. */
static char *lay_out(char *out, uint64_t digits, int exponent)
{
    if (digits % 10 == 0) {
        if (digits % 100000000 == 0) {
            digits /= 100000000;
            exponent += 8;
        }
        while (digits % 10 == 0) {
            digits /= 10;
            exponent++;
        }
    }
    const int count = count_digits(digits);
    const int point = count + exponent; /* the value is 0.DIGITS * 10^point */
    if (point > 16 || point < -3) {
        /* The digits go one place to the right, then the first one moves before the point. */
        write_digits(out + 1, digits, count);
        out[0] = out[1];
        if (count > 1) {
            out[1] = '.';
            out += count + 1;
        } else {
            out++;
        }
        *out++ = 'e';
        return chainsi_write_int64(out, point - 1);
    }
    if (point <= 0) {
        memcpy(out, "0.000", 5);
        out += 2 - point;
        write_digits(out, digits, count);
        return out + count;
    }
    if (point >= count) {
        write_digits(out, digits, count);
        memset(out + count, '0', (size_t)(point - count));
        memcpy(out + point, ".0", 2);
        return out + point + 2;
    }
    write_digits(out + 1, digits, count);
    for (int i = 0; i < point; i++)
        out[i] = out[i + 1];
    out[point] = '.';
    return out + count + 1;
}

char *chainsi_write_double(char *out, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int biased = (int)(bits >> 52 & 0x7ff);
    if (bits >> 63)
        *out++ = '-';
    if (!biased && !fraction) {
        memcpy(out, "0.0", 3);
        return out + 3;
    }
    uint64_t significand = biased ? fraction | UINT64_C(1) << 52 : fraction;
    int power = (biased ? biased : 1) - 1075, exponent = 0;
    uint64_t digits;
    if (power <= 0 && power > -53 && !(significand & ((UINT64_C(1) << -power) - 1)))
        digits = significand >> -power; /* an integer below 2^53 is its own shortest form */
    else
        digits = shorten(significand, power, !fraction && biased > 1, &exponent);
    return lay_out(out, digits, exponent);
}

char *chainsi_write_float(char *out, float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    uint32_t fraction = bits & ((1u << 23) - 1);
    int biased = (int)(bits >> 23 & 0xff);
    if (bits >> 31)
        *out++ = '-';
    if (!biased && !fraction) {
        memcpy(out, "0.0", 3);
        return out + 3;
    }
    uint64_t significand = biased ? fraction | 1u << 23 : fraction;
    int power = (biased ? biased : 1) - 150, exponent = 0;
    uint64_t digits;
    if (power <= 0 && power > -24 && !(significand & ((UINT64_C(1) << -power) - 1)))
        digits = significand >> -power;
    else
        digits = shorten(significand, power, !fraction && biased > 1, &exponent);
    return lay_out(out, digits, exponent);
}
