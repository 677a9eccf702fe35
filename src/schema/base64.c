/* Base64, four characters at a time. */
#include "schema/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { KNOWN = 0x40 };

/* The value of a character with KNOWN added; 0 if it has none. */
static const uint8_t values[256] = {
    ['A'] = KNOWN + 0,  ['B'] = KNOWN + 1,  ['C'] = KNOWN + 2,  ['D'] = KNOWN + 3,
    ['E'] = KNOWN + 4,  ['F'] = KNOWN + 5,  ['G'] = KNOWN + 6,  ['H'] = KNOWN + 7,
    ['I'] = KNOWN + 8,  ['J'] = KNOWN + 9,  ['K'] = KNOWN + 10, ['L'] = KNOWN + 11,
    ['M'] = KNOWN + 12, ['N'] = KNOWN + 13, ['O'] = KNOWN + 14, ['P'] = KNOWN + 15,
    ['Q'] = KNOWN + 16, ['R'] = KNOWN + 17, ['S'] = KNOWN + 18, ['T'] = KNOWN + 19,
    ['U'] = KNOWN + 20, ['V'] = KNOWN + 21, ['W'] = KNOWN + 22, ['X'] = KNOWN + 23,
    ['Y'] = KNOWN + 24, ['Z'] = KNOWN + 25, ['a'] = KNOWN + 26, ['b'] = KNOWN + 27,
    ['c'] = KNOWN + 28, ['d'] = KNOWN + 29, ['e'] = KNOWN + 30, ['f'] = KNOWN + 31,
    ['g'] = KNOWN + 32, ['h'] = KNOWN + 33, ['i'] = KNOWN + 34, ['j'] = KNOWN + 35,
    ['k'] = KNOWN + 36, ['l'] = KNOWN + 37, ['m'] = KNOWN + 38, ['n'] = KNOWN + 39,
    ['o'] = KNOWN + 40, ['p'] = KNOWN + 41, ['q'] = KNOWN + 42, ['r'] = KNOWN + 43,
    ['s'] = KNOWN + 44, ['t'] = KNOWN + 45, ['u'] = KNOWN + 46, ['v'] = KNOWN + 47,
    ['w'] = KNOWN + 48, ['x'] = KNOWN + 49, ['y'] = KNOWN + 50, ['z'] = KNOWN + 51,
    ['0'] = KNOWN + 52, ['1'] = KNOWN + 53, ['2'] = KNOWN + 54, ['3'] = KNOWN + 55,
    ['4'] = KNOWN + 56, ['5'] = KNOWN + 57, ['6'] = KNOWN + 58, ['7'] = KNOWN + 59,
    ['8'] = KNOWN + 60, ['9'] = KNOWN + 61, ['+'] = KNOWN + 62, ['/'] = KNOWN + 63,
};

void chainsi_base64_write(char *out, const void *data, size_t size)
{
    const uint8_t *at = data;
    for (; size >= 3; size -= 3, at += 3, out += 4) {
        uint32_t bits = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
        out[0] = alphabet[bits >> 18];
        out[1] = alphabet[bits >> 12 & 63];
        out[2] = alphabet[bits >> 6 & 63];
        out[3] = alphabet[bits & 63];
    }
    if (size) {
        uint32_t bits = (uint32_t)at[0] << 16 | (size == 2 ? (uint32_t)at[1] << 8 : 0);
        out[0] = alphabet[bits >> 18];
        out[1] = alphabet[bits >> 12 & 63];
        out[2] = size == 2 ? alphabet[bits >> 6 & 63] : '=';
        out[3] = '=';
    }
}

/* The first of size characters that has no value; size if all have. */
static size_t find_fault(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!values[(uint8_t)text[i]])
            return i;
    return size;
}

size_t chainsi_base64_read(uint8_t *out, const char *text, size_t size, size_t *out_size)
{
    uint8_t *start = out;
    size_t at = 0;
    for (; size - at > 4; at += 4, out += 3) {
        uint32_t a = values[(uint8_t)text[at]], b = values[(uint8_t)text[at + 1]],
                 c = values[(uint8_t)text[at + 2]], d = values[(uint8_t)text[at + 3]];
        if (!(a & b & c & d & KNOWN))
            return at + find_fault(text + at, 4);
        uint32_t bits = (a & 63) << 18 | (b & 63) << 12 | (c & 63) << 6 | (d & 63);
        out[0] = (uint8_t)(bits >> 16);
        out[1] = (uint8_t)(bits >> 8);
        out[2] = (uint8_t)bits;
    }
    size_t left = size - at;
    if (left) {
        size_t padding = 0;
        if (left == 4)
            padding = text[at + 3] != '=' ? 0 : text[at + 2] != '=' ? 1 : 2;
        size_t fault = find_fault(text + at, left - padding);
        if (fault < left - padding)
            return at + fault;
        if (left < 4)
            return size + 1;
        uint32_t bits = 0;
        for (size_t i = 0; i < 4 - padding; i++)
            bits |= (values[(uint8_t)text[at + i]] & 63u) << (18 - 6 * i);
        if (bits & ((1u << (8 * padding)) - 1))
            return at + 3 - padding;
        for (size_t i = 0; i < 3 - padding; i++)
            *out++ = (uint8_t)(bits >> (16 - 8 * i));
    }
    *out_size = (size_t)(out - start);
    return size;
}
