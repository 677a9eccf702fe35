/* The store, what Chainlets see of it, and what is noted of partial files. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/relative.h"
#include "control/asset_links.h"
#include "control/asset_ranges.h"
#include "control/asset_store.h"
#include "control/folder_test_support.h"
#include "control/home.h"

#define DIGEST_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define DIGEST_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static void check_content(const char *path, const char *expected)
{
    size_t size = 0;
    char *data = chainsi_read_file(path, 4096, &size);
    assert_non_null(data);
    assert_string_equal(data, expected);
    free(data);
}

/* Stores a text, under a digest that needn't be its own. */
static void store(const char *digest, const char *text)
{
    assert_true(chainsi_asset_store_make(folder, digest));
    char *partial = chainsi_asset_partial_path(folder, digest);
    assert_true(chainsi_write_file(partial, text, strlen(text)));
    int fd = open(partial, O_RDWR | O_CLOEXEC);
    assert_true(chainsi_asset_store_keep(folder, digest, fd));
    close(fd);
    free(partial);
}

static void digests_are_read(void **state)
{
    (void)state;
    char digest[CHAINSI_DIGEST_DIGITS + 1] = "kept";
    assert_false(chainsi_digest_read("", digest));
    assert_false(chainsi_digest_read(DIGEST_A "a", digest));
    assert_false(chainsi_digest_read(&DIGEST_A[1], digest));
    assert_false(chainsi_digest_read(
        "../aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", digest));
    assert_string_equal(digest, "kept");
    assert_true(chainsi_digest_read(
        "0123456789ABCDEFabcdef0123456789aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", digest));
    assert_string_equal(digest, "0123456789abcdefabcdef0123456789aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

static void a_stored_file_is_found(void **state)
{
    (void)state;
    assert_false(chainsi_asset_store_find(folder, DIGEST_A));
    store(DIGEST_A, "one");
    assert_true(chainsi_asset_store_find(folder, DIGEST_A));
    assert_false(chainsi_asset_store_find(folder, DIGEST_B));
    char *path = chainsi_asset_store_path(folder, DIGEST_A);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0444);
    check_content(path, "one");
    /* A folder or a link in its place is no file. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_false(chainsi_asset_store_find(folder, DIGEST_A));
    free(path);
}

static void set_age(const char *path, int64_t age_s)
{
    struct timespec times[2] = { { .tv_sec = time(NULL) - age_s },
                                 { .tv_sec = time(NULL) - age_s } };
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void what_nobody_wants_is_collected(void **state)
{
    (void)state;
    const char *const digests[] = { DIGEST_A, DIGEST_B, DIGEST_C };
    for (size_t i = 0; i < 3; i++) {
        store(digests[i], "content");
        char *path = chainsi_asset_store_path(folder, digests[i]);
        set_age(path, 1000);
        free(path);
    }
    char *partial = chainsi_asset_partial_path(folder, DIGEST_A);
    assert_true(chainsi_write_file(partial, "part", 4));
    set_age(partial, 1000);

    /* A is old and unwanted, B is wanted, C has just been asked for. */
    const char *const keep[] = {
        "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
    };
    assert_true(chainsi_asset_store_find(folder, DIGEST_C));
    assert_true(chainsi_asset_store_collect(folder, keep, 1, time(NULL) - 500) > 0);
    char *a = chainsi_asset_store_path(folder, DIGEST_A);
    char *b = chainsi_asset_store_path(folder, DIGEST_B);
    char *c = chainsi_asset_store_path(folder, DIGEST_C);
    assert_int_equal(access(a, F_OK), -1);
    assert_int_equal(access(partial, F_OK), -1);
    assert_int_equal(access(b, F_OK), 0);
    assert_int_equal(access(c, F_OK), 0);
    /* An empty folder is none to fail for. */
    assert_int_equal(chainsi_asset_store_collect("/nonexistent", NULL, 0, time(NULL)), 0);
    free(a);
    free(b);
    free(c);
    free(partial);
}

static void a_chainlet_sees_its_paths(void **state)
{
    (void)state;
    char why[256] = "";
    const chainsi_asset assets[] = {
        { .sha256 = DIGEST_A, .path = "model.bin" },
        { .sha256 = DIGEST_B, .path = "voices/en/one" },
        { .sha256 = DIGEST_A, .path = "voices/.same" },
        { .sha256 = DIGEST_B, .path = "..odd name.. -rf *" },
    };
    char *view = chainsi_path("%s/view", folder);
    store(DIGEST_A, "one");
    /* One is missing: nothing changes. */
    assert_false(chainsi_asset_links_make(folder, view, assets, 4, why, sizeof why));
    assert_non_null(strstr(why, "voices/en/one"));
    assert_int_equal(access(view, F_OK), -1);

    store(DIGEST_B, "two");
    for (int again = 0; again < 2; again++) {
        assert_true(chainsi_asset_links_make(folder, view, assets, 4, why, sizeof why));
        char *stray = chainsi_path("%s/stray", view);
        assert_int_equal(access(stray, F_OK), -1);
        assert_true(chainsi_write_file(stray, "", 0));
        free(stray);
        for (size_t i = 0; i < 4; i++) {
            char *path = chainsi_path("%s/%s", view, assets[i].path);
            check_content(path, assets[i].sha256[0] == 'a' ? "one" : "two");
            free(path);
        }
    }
    /* What the store lets go of stays for who has it. */
    chainsi_asset_store_collect(folder, NULL, 0, INT64_MAX);
    assert_false(chainsi_asset_store_find(folder, DIGEST_A));
    char *path = chainsi_path("%s/model.bin", view);
    check_content(path, "one");
    free(path);
    assert_true(chainsi_asset_links_make(folder, view, NULL, 0, why, sizeof why));
    free(view);
}

static void hostile_paths_are_refused(void **state)
{
    (void)state;
    char long_name[CHAINSI_RELATIVE_MOST_NAME + 2], long_path[CHAINSI_RELATIVE_MOST + 2];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    for (size_t i = 0; i < sizeof long_path - 1; i++)
        long_path[i] = i % 2 ? '/' : 'x';
    long_path[sizeof long_path - 1] = 0;
    const char *const paths[] = {
        "",      NULL,   "/etc/passwd", "..", "../x", "a/../x", "a/..",    ".",       "./a",
        "a/./b", "a//b", "a/",          "//", "a\nb", "\x7f",   long_name, long_path,
    };
    char why[256] = "";
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const chainsi_asset asset = { .sha256 = DIGEST_A, .path = paths[i] };
        assert_false(chainsi_asset_links_check(&asset, 1, why, sizeof why));
    }
    /* At the limits. */
    long_name[CHAINSI_RELATIVE_MOST_NAME] = 0;
    long_path[CHAINSI_RELATIVE_MOST - 1] = 0;
    const chainsi_asset good[] = { { .sha256 = DIGEST_A, .path = long_name },
                                   { .sha256 = DIGEST_A, .path = long_path } };
    assert_true(chainsi_asset_links_check(good, 2, why, sizeof why));
    const chainsi_asset none = { .sha256 = "aa", .path = "a" };
    assert_false(chainsi_asset_links_check(&none, 1, why, sizeof why));
    assert_non_null(strstr(why, "digest"));
}

static void paths_that_clash_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *one, *other;
        bool good;
    } cases[] = {
        { "a", "a", false }, { "a", "a/b", false },   { "a/b/c", "a/b", false },
        { "a", "ab", true }, { "a/b", "a/c", true },  { "ab/c", "a/c", true },
        { "a", "A", true },  { "a/b", "a/bc", true },
    };
    char why[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const chainsi_asset assets[] = { { .sha256 = DIGEST_A, .path = cases[i].one },
                                         { .sha256 = DIGEST_A, .path = cases[i].other } };
        assert_int_equal(chainsi_asset_links_check(assets, 2, why, sizeof why), cases[i].good);
    }
}

static void sizes_are_cut_into_ranges(void **state)
{
    (void)state;
    static const struct {
        int64_t size, least;
        size_t count;
    } cases[] = {
        { 0, 8, 1 },  { 1, 8, 1 },  { 15, 8, 1 }, { 16, 8, 2 },   { 17, 8, 2 },
        { 31, 8, 3 }, { 32, 8, 4 }, { 39, 8, 4 }, { 1000, 8, 4 }, { INT64_MAX, 1, 4 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_asset_range ranges[CHAINSI_ASSET_MOST_RANGES];
        size_t count = chainsi_asset_ranges_cut(ranges, cases[i].size, cases[i].least);
        assert_int_equal(count, cases[i].count);
        int64_t at = 0;
        for (size_t k = 0; k < count; k++) {
            assert_int_equal(ranges[k].start, at);
            assert_int_equal(ranges[k].done, 0);
            at = ranges[k].end;
        }
        assert_int_equal(at, cases[i].size);
    }
}

static void notes_come_back(void **state)
{
    (void)state;
    chainsi_asset_range ranges[2] = { { 0, 10, 10 }, { 10, 25, 3 } };
    const chainsi_asset_state written = { "https://h/f", "\"v\"", 25, { ranges, 2 } };
    chainsi_buffer text = { 0 };
    chainsi_arena arena = { 0 };
    chainsi_asset_state read;
    assert_true(chainsi_asset_state_write(&written, &text));
    assert_true(chainsi_asset_state_read((char *)text.data, text.size, &arena, &read));
    assert_string_equal(read.url, written.url);
    assert_string_equal(read.validator, written.validator);
    assert_int_equal(read.size, 25);
    assert_int_equal(read.ranges.count, 2);
    assert_memory_equal(read.ranges.items, ranges, sizeof ranges);
    chainsi_arena_done(&arena);
    chainsi_buffer_done(&text);
}

static void notes_without_sense_are_refused(void **state)
{
    (void)state;
#define NOTE(validator_, size_, ranges_)                                                           \
    "{\"url\":\"u\",\"validator\":\"" validator_ "\",\"size\":" size_ ",\"ranges\":[" ranges_ "]}"
#define RANGE(start_, end_, done_) "{\"start\":" start_ ",\"end\":" end_ ",\"done\":" done_ "}"
    static const char *const texts[] = {
        "",
        "[]",
        NOTE("", "10", RANGE("0", "10", "0")),
        NOTE("v", "10", ""),
        NOTE("v", "11", RANGE("0", "10", "0")),
        NOTE("v", "10", RANGE("1", "10", "0")),
        NOTE("v", "10", RANGE("0", "10", "11")),
        NOTE("v", "10", RANGE("0", "10", "-1")),
        NOTE("v", "-1", RANGE("0", "-1", "0")),
        NOTE("v", "10", RANGE("0", "5", "0") "," RANGE("6", "10", "0")),
        NOTE("v", "10", RANGE("0", "6", "0") "," RANGE("5", "10", "0")),
        NOTE("v", "4",
             RANGE("0", "0", "0") "," RANGE("0", "1", "0") "," RANGE("1", "2", "0") "," RANGE(
                 "2", "3", "0") "," RANGE("3", "4", "0")),
    };
#undef NOTE
#undef RANGE
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        chainsi_arena arena = { 0 };
        chainsi_asset_state state_read = { .size = 77 };
        assert_false(chainsi_asset_state_read(texts[i], strlen(texts[i]), &arena, &state_read));
        assert_int_equal(state_read.size, 77);
        chainsi_arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_read),
        cmocka_unit_test_setup_teardown(a_stored_file_is_found, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_nobody_wants_is_collected, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_chainlet_sees_its_paths, make_folder, remove_folder),
        cmocka_unit_test(hostile_paths_are_refused),
        cmocka_unit_test(paths_that_clash_are_refused),
        cmocka_unit_test(sizes_are_cut_into_ranges),
        cmocka_unit_test(notes_come_back),
        cmocka_unit_test(notes_without_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
