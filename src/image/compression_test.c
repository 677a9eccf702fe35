/* What is compressed is read again, whatever its size; the same bytes come of the same input; and how hard it is tried. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "image/compression.h"

enum { ROOM = 1 << 20 };

static const chainsi_compression all[] = { CHAINSI_COMPRESSION_ZSTD, CHAINSI_COMPRESSION_GZIP };
enum { ALL = sizeof all / sizeof *all };

static bool collect(const void *data, size_t size, void *user)
{
    chainsi_buffer_add(user, data, size);
    return true;
}

/* Handed over in pieces of so many bytes. */
static void compress(chainsi_compression compression, const uint8_t *data, size_t size,
                     size_t piece, chainsi_buffer *out)
{
    chainsi_compressor *made = chainsi_compressor_new(
        compression, chainsi_compression_level(compression, size, false), collect, out);
    for (size_t at = 0; at < size; at += piece)
        assert_true(chainsi_compressor_add(made, data + at, piece < size - at ? piece : size - at));
    assert_true(chainsi_compressor_end(made));
    chainsi_compressor_free(made);
}

/* Reads a file of those bytes into out, so many at a time; -1: it is damaged. */
static int64_t decompress(const void *data, size_t size, size_t piece, uint8_t *out)
{
    char path[] = "/tmp/chains-compression-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
    chainsi_decompressor *opened = chainsi_decompressor_open(path);
    assert_non_null(opened);
    unlink(path);
    int64_t done = 0, got;
    do {
        got = chainsi_decompressor_read(opened, out + done, piece);
        done += got > 0 ? got : 0;
    } while (got == (int64_t)piece);
    chainsi_decompressor_close(opened);
    return got < 0 ? -1 : done;
}

/* Neither all the same nor without any order. */
static uint8_t *make_text(size_t size)
{
    uint8_t *text = malloc(size + 1);
    uint32_t state = 1;
    assert_non_null(text);
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        text[i] = i % 3 ? (uint8_t)(i / 1000) : (uint8_t)(state >> 24);
    }
    return text;
}

static void test_reads_what_it_wrote(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 511, 512, 128 * 1024, 128 * 1024 + 1, 700000 };
    uint8_t *text = make_text(ROOM), *back = malloc(2 * ROOM);
    assert_non_null(back);
    for (size_t i = 0; i < ALL; i++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            chainsi_buffer out = { 0 };
            compress(all[i], text, sizes[k], ROOM, &out);
            assert_int_equal(decompress(out.data, out.size, 512, back), sizes[k]);
            assert_memory_equal(back, text, sizes[k]);
            assert_int_equal(decompress(out.data, out.size, ROOM, back), sizes[k]);
            chainsi_buffer_done(&out);
        }
    /* What isn't compressed is read as it is, also if it is shorter than what tells a kind. */
    assert_int_equal(decompress("abc", 3, ROOM, back), 3);
    assert_memory_equal(back, "abc", 3);
    free(text);
    free(back);
}

static void test_same_bytes_of_same_input(void **state)
{
    (void)state;
    uint8_t *text = make_text(ROOM);
    for (size_t i = 0; i < ALL; i++) {
        chainsi_buffer whole = { 0 }, pieces = { 0 };
        compress(all[i], text, ROOM, ROOM, &whole);
        compress(all[i], text, ROOM, 1000, &pieces);
        assert_int_equal(whole.size, pieces.size);
        assert_memory_equal(whole.data, pieces.data, whole.size);
        assert_true(whole.size < ROOM);
        chainsi_buffer_done(&whole);
        chainsi_buffer_done(&pieces);
    }
    free(text);
}

/* Frames in a row, and one that is there to be skipped. */
static void test_reads_several_frames(void **state)
{
    (void)state;
    static const char skipped[] = "\x50\x2a\x4d\x18\x03\x00\x00\x00xyz";
    uint8_t back[64];
    for (size_t i = 0; i < ALL; i++) {
        chainsi_buffer out = { 0 };
        if (all[i] == CHAINSI_COMPRESSION_ZSTD)
            chainsi_buffer_add(&out, skipped, sizeof skipped - 1);
        compress(all[i], (const uint8_t *)"moon ", 5, 64, &out);
        compress(all[i], (const uint8_t *)"and sun", 7, 64, &out);
        if (all[i] == CHAINSI_COMPRESSION_ZSTD)
            chainsi_buffer_add(&out, skipped, sizeof skipped - 1);
        for (size_t piece = 1; piece <= 32; piece++) {
            assert_int_equal(decompress(out.data, out.size, piece, back), 12);
            assert_memory_equal(back, "moon and sun", 12);
        }
        chainsi_buffer_done(&out);
    }
}

static void test_damaged_ones(void **state)
{
    (void)state;
    uint8_t *text = make_text(ROOM), *back = malloc(2 * ROOM);
    assert_non_null(back);
    chainsi_buffer out = { 0 };
    compress(CHAINSI_COMPRESSION_ZSTD, text, 200000, ROOM, &out);
    for (size_t cut = 4; cut < out.size; cut += out.size / 20)
        assert_int_equal(decompress(out.data, cut, 512, back), -1);
    assert_int_equal(decompress(out.data, out.size - 1, 512, back), -1);
    /* Beyond a frame's end comes another frame, or nothing. */
    chainsi_buffer_add(&out, "beyond", 6);
    assert_int_equal(decompress(out.data, out.size, ROOM, back), -1);
    /* A window of 2^28 bytes, which is more than is given to anyone. */
    assert_int_equal(decompress("\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00", 9, 512, back), -1);
    assert_int_equal(decompress("\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00", 9, 512, back), 0);
    chainsi_buffer_done(&out);
    errno = 0;
    assert_null(chainsi_decompressor_open("/nowhere/at/all"));
    assert_int_equal(errno, ENOENT);
    free(text);
    free(back);
}

static bool refuse(const void *data, size_t size, void *user)
{
    (void)data;
    (void)size;
    ++*(int *)user;
    return false;
}

static void test_no_room(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL; i++) {
        int calls = 0;
        chainsi_compressor *made = chainsi_compressor_new(all[i], 1, refuse, &calls);
        const bool added = chainsi_compressor_add(made, "moon", 4);
        assert_false(added && chainsi_compressor_end(made));
        assert_int_equal(calls, 1);
        chainsi_compressor_free(made);
    }
    chainsi_compressor_free(NULL);
    chainsi_decompressor_close(NULL);
}

static void test_words_and_levels(void **state)
{
    (void)state;
    chainsi_compression read = CHAINSI_COMPRESSION_GZIP;
    assert_true(chainsi_compression_read("zstd", &read));
    assert_int_equal(read, CHAINSI_COMPRESSION_ZSTD);
    assert_false(chainsi_compression_read("zst", &read));
    assert_int_equal(read, CHAINSI_COMPRESSION_ZSTD);
    assert_true(chainsi_compression_read("gzip", &read));
    assert_int_equal(read, CHAINSI_COMPRESSION_GZIP);

    const uint64_t often = 2 << 20, seldom = 32 << 20;
    assert_int_equal(chainsi_compression_level(CHAINSI_COMPRESSION_ZSTD, often, true), 18);
    assert_int_equal(chainsi_compression_level(CHAINSI_COMPRESSION_ZSTD, often + 1, true), 9);
    assert_int_equal(chainsi_compression_level(CHAINSI_COMPRESSION_ZSTD, seldom, false), 18);
    assert_int_equal(chainsi_compression_level(CHAINSI_COMPRESSION_ZSTD, seldom + 1, false), 9);
    assert_int_equal(chainsi_compression_level(CHAINSI_COMPRESSION_GZIP, 1, false), 6);
    assert_int_equal(chainsi_compression_level(CHAINSI_COMPRESSION_GZIP, seldom + 1, true), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_it_wrote),
        cmocka_unit_test(test_same_bytes_of_same_input),
        cmocka_unit_test(test_reads_several_frames),
        cmocka_unit_test(test_damaged_ones),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_words_and_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
