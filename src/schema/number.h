/* Numbers as decimal text: reading exactly, writing shortest.
 *
 * The grammar is JSON's. Nothing here depends on the locale or allocates. */
#ifndef CHAINSI_SCHEMA_NUMBER_H
#define CHAINSI_SCHEMA_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
