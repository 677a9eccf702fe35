/* Archives as others make them: what is kept, what is removed, and what would lead out of the folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "image/compression.h"
#include "image/tar.h"
#include "image/unpack.h"

typedef struct work_places {
    char folder[64], root[96], archive[96], outside[96];
} work_places;

static void begin(work_places *places)
{
    strcpy(places->folder, "/tmp/chains-unpack-XXXXXX");
    assert_non_null(mkdtemp(places->folder));
    snprintf(places->root, sizeof places->root, "%s/root", places->folder);
    snprintf(places->archive, sizeof places->archive, "%s/layer", places->folder);
    snprintf(places->outside, sizeof places->outside, "%s/outside", places->folder);
    assert_int_equal(mkdir(places->root, 0755), 0);
    assert_int_equal(mkdir(places->outside, 0755), 0);
}

static void end(const work_places *places)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", places->folder);
    assert_int_equal(system(command), 0);
}

static void add(chainsi_buffer *out, chainsi_entry_kind kind, const char *path, const char *text)
{
    chainsi_entry entry = {
        .path = path, .kind = kind, .mode = 0644, .text = text, .text_size = strlen(text)
    };
    size_t size = kind == CHAINSI_ENTRY_FILE ? entry.text_size : 0;
    chainsi_tar_header(out, &entry, size);
    chainsi_buffer_add(out, text, size);
    size_t padding = chainsi_tar_padding(size);
    memset(chainsi_buffer_reserve(out, padding + 1), 0, padding);
    out->size += padding;
}

static bool unpack(const work_places *places, chainsi_buffer *archive, chainsi_problem *problem)
{
    FILE *file = fopen(places->archive, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(archive->data, 1, archive->size, file), archive->size);
    fclose(file);
    chainsi_buffer_done(archive);
    return chainsi_unpack_layer(places->archive, places->root, problem);
}

static bool is_there(const char *folder, const char *path)
{
    char whole[8192];
    struct stat about;
    snprintf(whole, sizeof whole, "%s/%s", folder, path);
    return lstat(whole, &about) == 0;
}

static void test_keeps_libraries(void **state)
{
    (void)state;
    work_places places;
    chainsi_buffer archive = { 0 };
    chainsi_problem problem;
    char deep[600];
    begin(&places);
    memset(deep, 'd', sizeof deep);
    deep[100] = deep[250] = deep[400] = '/';
    strcpy(deep + 500, "/x.so");
    add(&archive, CHAINSI_ENTRY_FOLDER, "usr", "");
    add(&archive, CHAINSI_ENTRY_FILE, "usr/lib/libx.so.1", "library");
    add(&archive, CHAINSI_ENTRY_FILE, "usr/bin/tool", "a program, which isn't looked at");
    add(&archive, CHAINSI_ENTRY_LINK, "lib", "usr/lib");
    add(&archive, CHAINSI_ENTRY_FILE, "lib/liby.so", "through the link");
    add(&archive, CHAINSI_ENTRY_FILE, "var/lib/dpkg/status", "Package: x\n");
    add(&archive, CHAINSI_ENTRY_FILE, deep, "a long name");
    assert_true(unpack(&places, &archive, &problem));
    assert_true(is_there(places.root, "usr/lib/libx.so.1"));
    assert_true(is_there(places.root, "usr/lib/liby.so"));
    assert_true(is_there(places.root, "var/lib/dpkg/status"));
    assert_true(is_there(places.root, deep));
    assert_false(is_there(places.root, "usr/bin/tool"));

    /* The next layer takes one away. */
    add(&archive, CHAINSI_ENTRY_FILE, "usr/lib/.wh.libx.so.1", "");
    assert_true(unpack(&places, &archive, &problem));
    assert_false(is_there(places.root, "usr/lib/libx.so.1"));
    assert_true(is_there(places.root, "usr/lib/liby.so"));
    end(&places);
}

static void test_stays_inside(void **state)
{
    (void)state;
    work_places places;
    chainsi_buffer archive = { 0 };
    chainsi_problem problem;
    begin(&places);
    add(&archive, CHAINSI_ENTRY_FILE, "../outside/a.so", "up");
    add(&archive, CHAINSI_ENTRY_FILE, "usr/../../outside/b.so", "up again");
    add(&archive, CHAINSI_ENTRY_LINK, "way", places.outside);
    add(&archive, CHAINSI_ENTRY_FILE, "way/c.so", "by an absolute link");
    add(&archive, CHAINSI_ENTRY_LINK, "other", "../outside");
    add(&archive, CHAINSI_ENTRY_FILE, "other/d.so", "by a relative link");
    add(&archive, CHAINSI_ENTRY_LINK, "e.so", "../outside/e.so");
    add(&archive, CHAINSI_ENTRY_FILE, "e.so", "instead of a link");
    unpack(&places, &archive, &problem);
    for (char name[] = "a.so"; *name <= 'e'; (*name)++)
        assert_false(is_there(places.outside, name));
    end(&places);
}

static void test_damaged_ones(void **state)
{
    (void)state;
    work_places places;
    chainsi_buffer whole = { 0 };
    chainsi_problem problem = { 0 };
    begin(&places);
    add(&whole, CHAINSI_ENTRY_FILE, "usr/lib/libx.so.1", "library");
    /* Cut anywhere but between members it is refused. */
    for (size_t cut = 1; cut < whole.size; cut += 97) {
        chainsi_buffer archive = { 0 };
        chainsi_buffer_add(&archive, whole.data, cut);
        assert_false(unpack(&places, &archive, &problem));
        assert_non_null(strstr(problem.message, "is no tar archive that can be read"));
    }
    /* A size that is a letter, and one that is beyond all. */
    for (size_t i = 0; i < 2; i++) {
        chainsi_buffer archive = { 0 };
        chainsi_buffer_add(&archive, whole.data, whole.size);
        memset(archive.data + 124, i ? 0xff : 'z', 12);
        assert_false(unpack(&places, &archive, &problem));
    }
    chainsi_buffer_done(&whole);
    end(&places);
}

static bool add_compressed(const void *data, size_t size, void *user)
{
    chainsi_buffer_add(user, data, size);
    return true;
}

static void compress(chainsi_compression compression, const void *data, size_t size,
                     chainsi_buffer *out)
{
    chainsi_compressor *made = chainsi_compressor_new(
        compression, chainsi_compression_level(compression, size, false), add_compressed, out);
    assert_true(chainsi_compressor_add(made, data, size));
    assert_true(chainsi_compressor_end(made));
    chainsi_compressor_free(made);
}

static void test_compressed_ones(void **state)
{
    (void)state;
    for (chainsi_compression each = CHAINSI_COMPRESSION_ZSTD; each <= CHAINSI_COMPRESSION_GZIP;
         each++) {
        work_places places;
        chainsi_buffer plain = { 0 }, archive = { 0 };
        chainsi_problem problem = { 0 };
        begin(&places);
        add(&plain, CHAINSI_ENTRY_FILE, "usr/bin/tool", "a program, which isn't looked at");
        add(&plain, CHAINSI_ENTRY_FILE, "usr/lib/libx.so.1", "library");
        compress(each, plain.data, plain.size, &archive);
        assert_true(archive.size < plain.size);
        const size_t whole = archive.size;
        assert_true(unpack(&places, &archive, &problem));
        assert_true(is_there(places.root, "usr/lib/libx.so.1"));
        /* Cut in its middle it is refused. */
        compress(each, plain.data, plain.size, &archive);
        archive.size = whole / 2;
        assert_false(unpack(&places, &archive, &problem));
        assert_non_null(strstr(problem.message, "is no tar archive that can be read"));
        /* What it says it holds is no archive. */
        compress(each, "no archive", 10, &archive);
        assert_false(unpack(&places, &archive, &problem));
        chainsi_buffer_done(&plain);
        end(&places);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_libraries),
        cmocka_unit_test(test_stays_inside),
        cmocka_unit_test(test_damaged_ones),
        cmocka_unit_test(test_compressed_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
