/* What comes back for a call with items, cut into its frames however it comes. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "rpc/items.h"

#include "rpc/descriptors_test_support.h"

enum { ID = 7, MOST = 3 << 20 };

static void add_frame(chainsi_buffer *out, chainsi_frame_head head, const char *body)
{
    chainsi_frame frame = { .head = head };
    if (!frame.head.id)
        frame.head.id = ID;
    if (body)
        frame.head.body_size = strlen(body);
    char *at = (char *)chainsi_buffer_reserve(out, CHAINSI_FRAME_MAX_HEAD);
    out->size += chainsi_frame_write(&frame, at);
    if (body)
        chainsi_buffer_add_text(out, body);
}

#define ITEM(...)                                                                                  \
    (chainsi_frame_head)                                                                           \
    {                                                                                              \
        .kind = CHAINSI_FRAME_ITEM, __VA_ARGS__                                                    \
    }
#define ANSWER(...)                                                                                \
    (chainsi_frame_head)                                                                           \
    {                                                                                              \
        .kind = CHAINSI_FRAME_ANSWER, __VA_ARGS__                                                  \
    }

/* As if so many bytes had been read. */
static void feed(chainsi_items *items, const void *data, size_t fresh)
{
    size_t room;
    char *at = chainsi_items_make_room(items, &room);
    assert_true(room >= fresh);
    memcpy(at, data, fresh);
    chainsi_items_add(items, fresh);
}

/* What is taken, as text: "item|" each, "=answer" or "-" (not started) at the end; "!why" where it is
 * refused. */
static const char *cut(const chainsi_buffer *bytes, size_t piece)
{
    static chainsi_buffer text;
    text.size = 0;
    chainsi_items items;
    chainsi_items_init(&items, ID, MOST);
    bool ended = false;
    for (size_t at = 0; at < bytes->size && !ended; at += piece) {
        feed(&items, bytes->data + at, bytes->size - at < piece ? bytes->size - at : piece);
        chainsi_items_part part;
        const char *why = NULL;
        int taken;
        while (!ended && (taken = chainsi_items_next(&items, &part, &why)) != 0) {
            ended = taken < 0 || part.frame.head.kind != CHAINSI_FRAME_ITEM;
            if (taken < 0) {
                chainsi_buffer_printf(&text, "!%s", why);
                break;
            }
            if (ended)
                chainsi_buffer_add_text(
                    &text, part.frame.head.kind == CHAINSI_FRAME_NOT_STARTED ? "-" : "=");
            chainsi_buffer_add(&text, part.body, part.frame.head.body_size);
            memset(part.body, '#', part.frame.head.body_size);
            if (!ended)
                chainsi_buffer_add_text(&text, "|");
        }
    }
    chainsi_items_done(&items);
    chainsi_buffer_add_byte(&text, 0);
    return (char *)text.data;
}

static void expect_cut(chainsi_buffer *bytes, const char *expected)
{
    for (size_t piece = 1; piece <= bytes->size; piece++)
        assert_string_equal(cut(bytes, piece), expected);
    chainsi_buffer_done(bytes);
}

static void test_items_and_their_answer(void **state)
{
    (void)state;
    chainsi_buffer bytes = { 0 };
    add_frame(&bytes, ITEM(0), "one");
    add_frame(&bytes, ITEM(0), "");
    add_frame(&bytes, ITEM(0), "three");
    add_frame(&bytes, ANSWER(.status = 5), "the end");
    expect_cut(&bytes, "one||three|=the end");
    add_frame(&bytes, ANSWER(0), NULL);
    expect_cut(&bytes, "=");
    add_frame(&bytes, (chainsi_frame_head){ .kind = CHAINSI_FRAME_NOT_STARTED }, NULL);
    expect_cut(&bytes, "-");
    add_frame(&bytes, ITEM(0), "cut off here");
    bytes.size -= 2;
    expect_cut(&bytes, "");
}

static void test_what_is_no_answer(void **state)
{
    (void)state;
    chainsi_buffer bytes = { 0 };
    add_frame(&bytes, ITEM(0), "one");
    add_frame(&bytes, ITEM(.id = ID + 1), "two");
    expect_cut(&bytes, "one|!it is for another call");
    add_frame(&bytes, ITEM(0), "one");
    add_frame(&bytes, (chainsi_frame_head){ .kind = CHAINSI_FRAME_NOT_STARTED }, NULL);
    expect_cut(&bytes, "one|!it is no answer to the call");
    add_frame(&bytes, (chainsi_frame_head){ .kind = CHAINSI_FRAME_CANCEL }, NULL);
    expect_cut(&bytes, "!it is no answer to the call");
    add_frame(&bytes, (chainsi_frame_head){ .kind = 77 }, NULL);
    expect_cut(&bytes, "!it is no frame");
    add_frame(&bytes, ITEM(.attachments = 1), "one");
    expect_cut(&bytes, "!descriptors are missing");
    add_frame(&bytes, ITEM(.attachments = CHAINSI_FRAME_MAX_ATTACHMENTS + 1), "one");
    expect_cut(&bytes, "!there are too many descriptors");
    add_frame(&bytes, ITEM(.body_size = MOST + 1), NULL);
    expect_cut(&bytes, "!the body is too large");
}

/* Large ones whole, small ones behind them, and the memory of the large ones given back. */
static void test_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = { 10, 16 * 1024, 3 << 20, 10, 70000, 10, 1 << 20, 0 };
    chainsi_items items;
    chainsi_items_init(&items, ID, MOST);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        chainsi_frame frame = { .head = ITEM(.id = ID, .body_size = sizes[i]) };
        chainsi_buffer bytes = { 0 };
        char *at = (char *)chainsi_buffer_reserve(&bytes, CHAINSI_FRAME_MAX_HEAD + sizes[i]);
        bytes.size = chainsi_frame_write(&frame, at);
        memset(at + bytes.size, 'a' + (int)i, sizes[i]);
        bytes.size += sizes[i];
        chainsi_items_part part;
        const char *why;
        for (size_t sent = 0; sent < bytes.size;) {
            assert_int_equal(chainsi_items_next(&items, &part, &why), 0);
            size_t room, left = bytes.size - sent;
            char *to = chainsi_items_make_room(&items, &room);
            assert_true(room > 0);
            if (room > left)
                room = left;
            memcpy(to, bytes.data + sent, room);
            chainsi_items_add(&items, room);
            sent += room;
        }
        assert_int_equal(chainsi_items_next(&items, &part, &why), 1);
        assert_int_equal(part.frame.head.body_size, sizes[i]);
        assert_memory_equal(part.body, bytes.data + bytes.size - sizes[i], sizes[i]);
        if (sizes[i] == 10)
            assert_true(items.capacity <= 1 << 20);
        chainsi_buffer_done(&bytes);
    }
    assert_int_equal(items.given, sizeof sizes / sizeof *sizes);
    chainsi_items_done(&items);
}

static int a_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* They belong to their frames in the order in which they come; what nobody took is closed. */
static void test_descriptors(void **state)
{
    (void)state;
    chainsi_buffer bytes = { 0 };
    add_frame(&bytes, ITEM(.attachments = 2), "one");
    add_frame(&bytes, ITEM(0), "two");
    add_frame(&bytes, ANSWER(.attachments = 1), "end");
    chainsi_items items;
    chainsi_items_init(&items, ID, MOST);
    int fds[4];
    for (int i = 0; i < 4; i++)
        items.attachments[items.attachment_count++] = fds[i] = a_descriptor();
    feed(&items, bytes.data, bytes.size);
    chainsi_buffer_done(&bytes);
    chainsi_items_part part;
    const char *why;
    assert_int_equal(chainsi_items_next(&items, &part, &why), 1);
    assert_int_equal(part.attachments[0], fds[0]);
    assert_int_equal(part.attachments[1], fds[1]);
    assert_int_equal(chainsi_items_next(&items, &part, &why), 1);
    assert_int_equal(part.frame.head.attachments, 0);
    assert_int_equal(chainsi_items_next(&items, &part, &why), 1);
    assert_int_equal(part.attachments[0], fds[2]);
    assert_int_equal(items.attachment_count, 1);
    chainsi_items_done(&items);
    assert_int_equal(fcntl(fds[3], F_GETFD), -1);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_items_and_their_answer),
        TEST(test_what_is_no_answer),
        TEST(test_sizes),
        TEST(test_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
