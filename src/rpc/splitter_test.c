/* Bodies cut into parts, however they come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rpc/splitter.h"

typedef struct body_case {
    chainsi_splitter_kind kind;
    const char *text;
    size_t size;
    const char *parts; /* "name=data|" each; "!" where it is refused */
} body_case;
#define CASE(kind, text, parts)                                                                    \
    {                                                                                              \
        CHAINSI_SPLIT_##kind, text, sizeof(text) - 1, parts                                        \
    }

enum { MOST = 40 };

static const body_case cases[] = {
    CASE(FRAMES, "", ""),
    CASE(FRAMES, "\0\0\0\3abc\0\0\0\0\0\0\0\1d", "=abc|=|=d|"),
    CASE(FRAMES, "\0\0\0\3ab", "!"),
    CASE(FRAMES, "\0\0", "!"),
    CASE(FRAMES, "\0\0\0\1a\0\0", "=a|!"),
    CASE(FRAMES, "\0\0\0\50aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd",
         "=aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd|"),
    CASE(FRAMES, "\0\0\0\51aaaaaaaaaabbbbbbbbbbccccccccccdddddddddde", "!"),
    CASE(FRAMES, "\377\377\377\377", "!"),
    CASE(LINES, "{\"a\":1}\n\n \t\n{\"b\":2}\r\n", "={\"a\":1}|={\"b\":2}|"),
    CASE(LINES, "one\ntwo", "=one|=two|"),
    CASE(LINES, "one\n  ", "=one|"),
    CASE(LINES, "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd\n",
         "=aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd|"),
    CASE(LINES, "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddde\n", "!"),
    CASE(LINES, "ok\naaaaaaaaaabbbbbbbbbbccccccccccdddddddddde", "=ok|!"),
    CASE(EVENTS, "event: item\ndata: {}\n\n", "item={}|"),
    CASE(EVENTS, "data:a\ndata: b\ndata\n\ndata:  c\r\n\r\n", "=a\nb\n|= c|"),
    CASE(EVENTS,
         "\xef\xbb\xbf"
         "data: a\n\n",
         "=a|"),
    CASE(EVENTS, ": a comment\n\nid: 7\nretry: 10\nevent: x\n\ndata: a\n\n", "=a|"),
    CASE(EVENTS, "event: x\ndata: a\n\ndata: b\n\n", "x=a|=b|"),
    CASE(EVENTS, "data: a\n\ndata: cut off\n", "=a|"),
    CASE(EVENTS, "data:\n\n", "=|"),
    CASE(EVENTS, "data: aaaaaaaaaabbbbbbbbbbcccccccccc\ndata: ddddddddd\n\n",
         "=aaaaaaaaaabbbbbbbbbbcccccccccc\nddddddddd|"),
    CASE(EVENTS, "data: aaaaaaaaaabbbbbbbbbbcccccccccc\ndata: dddddddddd\n\n", "!"),
    CASE(EVENTS, "data: aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeee", "!"),
    CASE(EVENTS, "event: 1234567890123456789012345678901234567\ndata: a\n\n",
         "1234567890123456789012345678901234567=a|"),
};

static void note(chainsi_buffer *out, const chainsi_split_part *part)
{
    chainsi_buffer_add_text(out, part->name);
    chainsi_buffer_add_byte(out, '=');
    chainsi_buffer_add(out, part->data, part->size);
    chainsi_buffer_add_byte(out, '|');
    memset(part->data, '#', part->size); /* it may be written to */
}

/* Adds the body `step` bytes at a time. */
static void split(const body_case *it, size_t step, chainsi_buffer *out)
{
    chainsi_splitter splitter;
    chainsi_splitter_init(&splitter, it->kind, MOST);
    chainsi_split_end end = CHAINSI_SPLIT_MORE;
    chainsi_split_part part;
    for (size_t at = 0; at < it->size && end == CHAINSI_SPLIT_MORE; at += step) {
        size_t size = it->size - at < step ? it->size - at : step;
        char *bytes = malloc(size); /* what is read beyond it is noticed */
        memcpy(bytes, it->text + at, size);
        chainsi_splitter_add(&splitter, bytes, size);
        while ((end = chainsi_splitter_next(&splitter, &part)) == CHAINSI_SPLIT_PART)
            note(out, &part);
        free(bytes);
    }
    if (end == CHAINSI_SPLIT_MORE &&
        (end = chainsi_splitter_finish(&splitter, &part)) == CHAINSI_SPLIT_PART)
        note(out, &part);
    if (end == CHAINSI_SPLIT_REFUSED)
        chainsi_buffer_add_byte(out, '!');
    chainsi_buffer_add_byte(out, 0);
    chainsi_splitter_done(&splitter);
}

static void bodies_are_cut_the_same_however_they_come(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t step = 1; step <= cases[i].size + 1; step++) {
            chainsi_buffer out = { 0 };
            split(&cases[i], step, &out);
            assert_string_equal((char *)out.data, cases[i].parts);
            chainsi_buffer_done(&out);
        }
    }
}

static void a_long_name_is_cut(void **state)
{
    (void)state;
    char text[256];
    int size = snprintf(text, sizeof text, "event: %0100d\ndata: a\n\n", 0);
    chainsi_splitter splitter;
    chainsi_splitter_init(&splitter, CHAINSI_SPLIT_EVENTS, 1000);
    chainsi_splitter_add(&splitter, text, (size_t)size);
    chainsi_split_part part;
    assert_int_equal(chainsi_splitter_next(&splitter, &part), CHAINSI_SPLIT_PART);
    assert_int_equal(strlen(part.name), CHAINSI_SPLITTER_NAME - 1);
    chainsi_splitter_done(&splitter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_cut_the_same_however_they_come),
        cmocka_unit_test(a_long_name_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
