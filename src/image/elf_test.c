/* A real program, and the same one damaged in every way that its headers can be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <elf.h>

#include "image/elf.h"

static uint8_t *load(const char *path, size_t *size)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t room = (size_t)64 << 20;
    uint8_t *data = malloc(room);
    assert_non_null(data);
    *size = fread(data, 1, room, file);
    fclose(file);
    return data;
}

static chainsi_elf_status read_bytes(const uint8_t *data, size_t size, chainsi_elf *elf,
                                     chainsi_arena *arena)
{
    char path[] = "/tmp/chains-elf-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    close(fd);
    chainsi_elf_status status = chainsi_elf_read(path, arena, elf);
    unlink(path);
    return status;
}

static void test_reads_itself(void **state)
{
    (void)state;
    chainsi_arena arena = { 0 };
    chainsi_elf elf;
    assert_int_equal(chainsi_elf_read("/proc/self/exe", &arena, &elf), CHAINSI_ELF_OK);
    assert_non_null(elf.interpreter);
    assert_int_equal(*elf.interpreter, '/');
    bool has_libc = false;
    for (size_t i = 0; i < elf.needed_count; i++)
        has_libc = has_libc || !strncmp(elf.needed[i], "libc.so", 7);
    assert_true(has_libc);
    chainsi_arena_done(&arena);
}

static void test_others_are_told_apart(void **state)
{
    (void)state;
    chainsi_arena arena = { 0 };
    chainsi_elf elf;
    assert_int_equal(chainsi_elf_read("/nonexistent/x", &arena, &elf), CHAINSI_ELF_UNREADABLE);
    assert_int_equal(chainsi_elf_read("/tmp", &arena, &elf), CHAINSI_ELF_OTHER);
    assert_int_equal(read_bytes((const uint8_t *)"#!/bin/sh\n", 10, &elf, &arena),
                     CHAINSI_ELF_OTHER);
    assert_int_equal(read_bytes((const uint8_t *)"", 0, &elf, &arena), CHAINSI_ELF_OTHER);
    chainsi_arena_done(&arena);
}

/* The headers' fields one by one, with values that lead out of the file; no answer is wrong but a crash. */
static void test_damaged_ones(void **state)
{
    (void)state;
    static const uint64_t values[] = { 0, 1, UINT64_MAX, UINT64_MAX / 2, UINT64_C(1) << 40 };
    size_t size;
    uint8_t *data = load("/proc/self/exe", &size);
    Elf64_Ehdr header;
    memcpy(&header, data, sizeof header);
    size_t end = header.e_phoff + (size_t)header.e_phnum * sizeof(Elf64_Phdr);
    size_t kept = size < end + 4096 ? size : end + 4096;
    for (size_t at = sizeof header.e_ident; at + 8 <= end; at += 8) {
        chainsi_arena arena = { 0 };
        chainsi_elf elf;
        uint8_t before[8];
        memcpy(before, data + at, 8);
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            memcpy(data + at, &values[i], 8);
            (void)read_bytes(data, kept, &elf, &arena);
        }
        memcpy(data + at, before, 8);
        chainsi_arena_done(&arena);
    }
    free(data);
}

static void test_cut_ones(void **state)
{
    (void)state;
    size_t size;
    uint8_t *data = load("/proc/self/exe", &size);
    chainsi_arena arena = { 0 };
    chainsi_elf elf;
    for (size_t cut = 0; cut < 1024; cut += 7)
        assert_int_not_equal(read_bytes(data, cut, &elf, &arena), CHAINSI_ELF_OK);
    chainsi_arena_done(&arena);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_itself),
        cmocka_unit_test(test_others_are_told_apart),
        cmocka_unit_test(test_damaged_ones),
        cmocka_unit_test(test_cut_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
