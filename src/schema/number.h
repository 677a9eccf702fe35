/* Numbers as decimal text: reading exactly, writing shortest.
 *
 * The grammar is JSON's. Nothing here depends on the locale or allocates. */
#ifndef CHAINSI_SCHEMA_NUMBER_H
#define CHAINSI_SCHEMA_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A number as it was read: (-1)^negative * digits * 10^exponent, of which digits holds the first 19
 * significant ones. */
typedef struct chainsi_decimal {
    uint64_t digits;
    int64_t exponent;
    bool negative;
    bool truncated;    /* there are more digits: the text must be looked at for the exact value */
    bool plain;        /* neither a fraction nor an exponent was written */
    const char *start; /* of the text */
    const char *end;   /* behind it, or where the grammar breaks */
} chainsi_decimal;

/* Reads the number at text, no further than end. False if the grammar is broken; then
 * decimal->end is where. */
bool chainsi_decimal_read(const char *text, const char *end, chainsi_decimal *decimal);

/* The nearest double or float, ties to even; an infinity if it is too large. */
double chainsi_decimal_to_double(const chainsi_decimal *decimal);
float chainsi_decimal_to_float(const chainsi_decimal *decimal);

/* The quick way for what most doubles look like: up to seven digits before the point, up to 19 in all,
 * no exponent, CHAINSI_DOUBLE_AHEAD bytes from text to end. Returns the place behind it; NULL for all
 * others, which may be numbers or not, with *number as it was. */
enum { CHAINSI_DOUBLE_AHEAD = 34 };
const char *chainsi_read_double(const char *text, const char *end, double *number);

/* Not 0 if any of eight bytes in memory's order is no digit, and then its lowest bit lies in the first
 * of those. */
static inline uint64_t chainsi_find_no_digit(uint64_t bytes)
{
    const uint64_t halves = 0xf0f0f0f0f0f0f0f0u;
    return ((bytes & halves) | ((bytes + 0x0606060606060606u) & halves) >> 4) ^ 0x3333333333333333u;
}

/* What eight digits say, each a byte of 0 to 9, in memory's order. */
static inline uint64_t chainsi_sum_eight(uint64_t bytes)
{
    bytes = bytes * 10 + (bytes >> 8);
    uint64_t even = (bytes & 0x000000ff000000ffu) * 0x000f424000000064u;
    uint64_t odd = (bytes >> 16 & 0x000000ff000000ffu) * 0x0000271000000001u;
    return (even + odd) >> 32;
}

/* Reads 16 bytes. Returns how many digits they begin with, and what these say if they are 1 to 15. How
 * many is anyone's guess, so that there is no branch over it. */
static inline unsigned chainsi_read_sixteen(const char *text, uint64_t *value)
{
    const uint64_t zeros = 0x3030303030303030u;
    uint64_t low, high;
    memcpy(&low, text, 8);
    memcpy(&high, text + 8, 8);
    const uint64_t low_end = chainsi_find_no_digit(low), high_end = chainsi_find_no_digit(high);
    if (__builtin_expect(!(low_end | high_end), 0))
        return 16;
    const unsigned behind = 64 + (unsigned)__builtin_ctzll(high_end | UINT64_C(1) << 63);
    const unsigned before = (unsigned)__builtin_ctzll(low_end | UINT64_C(1) << 63);
    const unsigned count = (low_end ? before : behind) / 8;
    /* The digits move to the end, behind zeros. */
    unsigned __int128 both = (unsigned __int128)(high - zeros) << 64 | (low - zeros);
    both <<= (128 - 8 * count) & 127;
    *value =
        chainsi_sum_eight((uint64_t)both) * 100000000 + chainsi_sum_eight((uint64_t)(both >> 64));
    return count;
}

/* How a decimal relates to 64-bit integers. */
typedef enum chainsi_integral {
    CHAINSI_INTEGRAL,       /* an integer, and *magnitude is its absolute value */
    CHAINSI_INTEGRAL_LARGE, /* an integer (or too large to tell) whose magnitude is beyond 64 bits */
    CHAINSI_FRACTIONAL      /* not an integer */
} chainsi_integral;

chainsi_integral chainsi_decimal_to_integer(const chainsi_decimal *decimal, uint64_t *magnitude);

enum { CHAINSI_NUMBER_SIZE = 32 }; /* room that the writers need */

/* Write the number at out, which has CHAINSI_NUMBER_SIZE bytes, and return the end; no NUL. Doubles
 * and floats must be finite and get the fewest digits that read back as the same number of that type,
 * the nearest of those, with a fraction or an exponent. */
char *chainsi_write_double(char *out, double number);
char *chainsi_write_float(char *out, float number);
char *chainsi_write_uint64(char *out, uint64_t number);
char *chainsi_write_int64(char *out, int64_t number);

/* The first 128 bits of 10^power, cut off, for powers from -342 to 324. */
typedef struct chainsi_power {
    uint64_t high, low;
} chainsi_power;
chainsi_power chainsi_power_of_ten(int power);
/* True if the 128 bits are all there are. */
static inline bool chainsi_power_is_exact(int power)
{
    return power >= 0 && power <= 55;
}

#endif
