/* Prints powers_of_ten.h: the first 128 bits of every power of ten that reading and writing doubles
 * needs, cut off (not rounded), with the highest bit set. Exact: long integers throughout. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { FIRST = -342, LAST = 324, LIMBS = 32 };

/* A natural number below 2^1024, least significant limb first. */
typedef struct natural {
    uint32_t limbs[LIMBS];
} natural;

static void multiply(natural *number, uint32_t by)
{
    uint64_t carry = 0;
    for (int i = 0; i < LIMBS; i++) {
        carry += (uint64_t)number->limbs[i] * by;
        number->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static int bit_length(const natural *number)
{
    for (int i = LIMBS - 1; i >= 0; i--)
        if (number->limbs[i])
            return i * 32 + 32 - __builtin_clz(number->limbs[i]);
    return 0;
}

static int bit(const natural *number, int i)
{
    return i >= 0 && (number->limbs[i / 32] >> (i % 32) & 1);
}

static int compare(const natural *a, const natural *b)
{
    for (int i = LIMBS - 1; i >= 0; i--)
        if (a->limbs[i] != b->limbs[i])
            return a->limbs[i] < b->limbs[i] ? -1 : 1;
    return 0;
}

static void subtract(natural *from, const natural *what)
{
    uint64_t borrow = 0;
    for (int i = 0; i < LIMBS; i++) {
        uint64_t difference = (uint64_t)from->limbs[i] - what->limbs[i] - borrow;
        from->limbs[i] = (uint32_t)difference;
        borrow = difference >> 63;
    }
}

/* The first 128 bits of 5^power, into high and low. */
static void leading_bits(int power, uint64_t *high, uint64_t *low)
{
    natural five = { { 1 } };
    for (int i = 0; i < power; i++)
        multiply(&five, 5);
    int length = bit_length(&five);
    for (int i = 1; i <= 128; i++) {
        *high = *high << 1 | *low >> 63;
        *low = *low << 1 | (uint64_t)bit(&five, length - i);
    }
}

/* The first 128 bits of 1 / 5^power for a power above 0, by long division of a power of two. */
static void leading_bits_of_inverse(int power, uint64_t *high, uint64_t *low)
{
    natural five = { { 1 } }, rest = { { 0 } };
    for (int i = 0; i < power; i++)
        multiply(&five, 5);
    int top = bit_length(&five) - 1;
    rest.limbs[top / 32] = 1u << (top % 32);
    for (int i = 0; i < 128; i++) {
        multiply(&rest, 2);
        *high = *high << 1 | *low >> 63;
        *low <<= 1;
        if (compare(&rest, &five) >= 0) {
            subtract(&rest, &five);
            *low |= 1;
        }
    }
}

int main(void)
{
    printf(
        "/* Written by powers_main.c. The first 128 bits of 10^%d to 10^%d, high half first. */\n"
        "enum { FIRST_POWER = %d, LAST_POWER = %d };\n"
        "static const uint64_t powers_of_ten[][2] = {\n",
        FIRST, LAST, FIRST, LAST);
    for (int power = FIRST; power <= LAST; power++) {
        uint64_t high = 0, low = 0;
        if (power < 0)
            leading_bits_of_inverse(-power, &high, &low);
        else
            leading_bits(power, &high, &low);
        printf("    { 0x%016" PRIx64 ", 0x%016" PRIx64 " },\n", high, low);
    }
    printf("};\n");
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
