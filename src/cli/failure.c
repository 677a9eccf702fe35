#include "cli/failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/terminal.h"
#include "schema/fields.h"
#include "schema/json.h"

typedef struct failure {
    const char *status, *message, *hint;
} failure;
static const chainsi_field failure_fields[] = {
    CHAINSI_FIELD_TEXT(failure, status),
    CHAINSI_FIELD_TEXT(failure, message),
    CHAINSI_FIELD_NULLABLE(failure, hint),
};
static const chainsi_type failure_type = CHAINSI_STRUCT_OF(failure, failure_fields);

typedef struct body {
    failure error;
} body;
static const chainsi_field body_fields[] = { CHAINSI_FIELD_OF(body, error, &failure_type) };
static const chainsi_type body_type = CHAINSI_STRUCT_OF(body, body_fields);

void chainsi_failure_print(chains_status status, const char *message)
{
    static const char mark[] = "\n  hint: ";
    chainsi_arena arena = { 0 };
    chainsi_buffer clean = { 0 }, text = { 0 };
    chainsi_text_add(&clean, message, strlen(message), CHAINSI_TEXT_LINES); /* UTF-8 by then */
    char *words = chainsi_arena_copy(&arena, clean.data, clean.size);
    char *hint = strstr(words, mark);
    if (hint)
        *hint = '\0';
    const body shown = {
        .error = {
            .status = chains_status_name(status),
            .message = words,
            .hint = hint ? hint + sizeof mark - 1 : NULL,
        },
    };
    if (chainsi_json_encode(&body_type, &shown, &text, NULL) != CHAINS_OK)
        abort();
    chainsi_text_write(stderr, (const char *)text.data, text.size, CHAINSI_TEXT_JSON);
    fputc('\n', stderr);
    chainsi_buffer_done(&clean);
    chainsi_buffer_done(&text);
    chainsi_arena_done(&arena);
}
