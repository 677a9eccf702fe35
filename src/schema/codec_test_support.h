/* What the codecs' tests share: an arena for each test, and copies whose ends the address sanitizer sees. */
#ifndef CHAINSI_SCHEMA_CODEC_TEST_SUPPORT_H
#define CHAINSI_SCHEMA_CODEC_TEST_SUPPORT_H

#include <stdlib.h>
#include <string.h>

#include "schema/json.h"

static chainsi_arena arena;

__attribute__((unused)) static int begin(void **state)
{
    (void)state;
    chainsi_arena_init(&arena);
    return 0;
}

__attribute__((unused)) static int end(void **state)
{
    (void)state;
    chainsi_arena_done(&arena);
    return 0;
}

/* A copy without a NUL and at its exact size, so that asan sees reading beyond it. */
__attribute__((unused)) static char *copy_exactly(const void *data, size_t size)
{
    char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    return copy;
}

__attribute__((unused)) static chains_status decode_json(const chainsi_type *type, const char *text,
                                                         void *value, chainsi_codec_error *error)
{
    size_t size = strlen(text);
    char *exact = copy_exactly(text, size);
    chains_status status = chainsi_json_decode(type, exact, size, &arena, value, error);
    free(exact);
    return status;
}

#endif
