/* What every peer sends, and what must come back: the same bytes for all of them.
 *
 * A payload is made once for each caller and stamped anew before each call, so that no two calls in
 * a row carry the same bytes and an answer to another call is noticed. Only constants and small
 * functions; services in C and C++ use payload_sample and payload_sum too, so that they do the same
 * work. */
#ifndef BENCH_PEERS_PAYLOAD_H
#define BENCH_PEERS_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    PAYLOAD_SMALL_BYTES = 64,         /* of text, there and back */
    PAYLOAD_ECHO_BYTES = 10 * 1024,   /* of text, there and back */
    PAYLOAD_BLOB_BYTES = 1024 * 1024, /* of bytes, there */
    PAYLOAD_PAGE_BYTES = 4096,
    PAYLOAD_SAMPLE_BYTES = PAYLOAD_BLOB_BYTES / PAYLOAD_PAGE_BYTES, /* back: a byte of each page */
    PAYLOAD_DOUBLES = 1536,                                         /* there; back: their sum */
    PAYLOAD_STAMP_BYTES = 16,
};

typedef struct payload {
    uint64_t serial;
    char small[PAYLOAD_SMALL_BYTES + 1]; /* NUL-terminated */
    char echo[PAYLOAD_ECHO_BYTES + 1];   /* NUL-terminated */
    unsigned char blob[PAYLOAD_BLOB_BYTES];
    double doubles[PAYLOAD_DOUBLES];
} payload;

/* Fills all of it, for a caller with this number. */
static inline void payload_init(payload *self, uint64_t caller)
{
    self->serial = caller << 32;
    for (size_t i = 0; i < PAYLOAD_ECHO_BYTES; i++)
        self->echo[i] = (char)('a' + i % 26);
    self->echo[PAYLOAD_ECHO_BYTES] = '\0';
    memcpy(self->small, self->echo, PAYLOAD_SMALL_BYTES);
    self->small[PAYLOAD_SMALL_BYTES] = '\0';
    for (size_t i = 0; i < PAYLOAD_BLOB_BYTES; i++)
        self->blob[i] = (unsigned char)(i * 7 + caller);
    for (size_t i = 0; i < PAYLOAD_DOUBLES; i++)
        self->doubles[i] = (double)((i * 7919 + caller * 104729) % 1000003) / 1000003.0;
}

static inline void payload_stamp_text(char *text, uint64_t serial)
{
    for (int i = PAYLOAD_STAMP_BYTES - 1; i >= 0; i--, serial >>= 4)
        text[i] = "0123456789abcdef"[serial & 15];
}

/* Makes the bytes of the next call differ from those before. */
static inline void payload_stamp_small(payload *self)
{
    payload_stamp_text(self->small, ++self->serial);
}

static inline void payload_stamp_echo(payload *self)
{
    payload_stamp_text(self->echo, ++self->serial);
}

static inline void payload_stamp_blob(payload *self)
{
    self->serial++;
    for (size_t i = 0; i < PAYLOAD_SAMPLE_BYTES; i++)
        self->blob[i * PAYLOAD_PAGE_BYTES] = (unsigned char)(self->serial + i);
}

static inline void payload_stamp_doubles(payload *self)
{
    self->doubles[self->serial % PAYLOAD_DOUBLES] = (double)(self->serial % 9973) / 9973.0;
    self->serial++;
}

/* What a worker answers to bytes: the first of each page, all of which it has to touch for it.
 * sample: size / PAYLOAD_PAGE_BYTES, rounded up. Gives that number. */
static inline size_t payload_sample(const void *data, size_t size, unsigned char *sample)
{
    const unsigned char *bytes = (const unsigned char *)data;
    size_t count = 0;
    for (size_t at = 0; at < size; at += PAYLOAD_PAGE_BYTES)
        sample[count++] = bytes[at];
    return count;
}

/* What a worker answers to doubles. */
static inline double payload_sum(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum;
}

static inline bool payload_is_sample(const payload *self, const void *data, size_t size)
{
    const unsigned char *sample = (const unsigned char *)data;
    if (size != PAYLOAD_SAMPLE_BYTES)
        return false;
    for (size_t i = 0; i < size; i++)
        if (sample[i] != self->blob[i * PAYLOAD_PAGE_BYTES])
            return false;
    return true;
}

static inline bool payload_is_sum(const payload *self, double sum)
{
    return sum == payload_sum(self->doubles, PAYLOAD_DOUBLES);
}

#endif
