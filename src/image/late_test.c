/* Notes of libraries that are opened late: those of this program, and bytes that nobody should have written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/late_library.h"
#include "image/elf.h"

CHAINSI_LATE_LIBRARY(note_one, "moon", "Walks", "suggested", "libmoon.so.1");
CHAINSI_LATE_NOTE(note_more, "[{\"soname\":[\"liba.so.2\",\"liba.so.1\"],\"more\":7},{\"feature\":"
                             "\"sea\",\"priority\":\"required\",\"soname\":[\"libsea.so\"]}]");

static const chainsi_late *find(const chainsi_lates *lates, const char *name)
{
    for (size_t i = 0; i < lates->count; i++)
        if (!strcmp(lates->items[i].soname.items[0], name))
            return &lates->items[i];
    fail_msg("there is no %s", name);
    return NULL;
}

static void those_of_this_program_are_read(void **state)
{
    (void)state;
    chainsi_arena arena = { 0 };
    chainsi_elf elf;
    assert_int_equal(chainsi_elf_read("/proc/self/exe", &arena, &elf), CHAINSI_ELF_OK);
    const chainsi_late *moon = find(&elf.lates, "libmoon.so.1");
    assert_string_equal(moon->feature, "moon");
    assert_string_equal(moon->priority, "suggested");
    assert_int_equal(moon->soname.count, 1);
    const chainsi_late *a = find(&elf.lates, "liba.so.2");
    assert_null(a->feature);
    assert_null(a->priority);
    assert_string_equal(a->soname.items[1], "liba.so.1");
    assert_string_equal(find(&elf.lates, "libsea.so")->priority, "required");
    chainsi_arena_done(&arena);
}

/* Every cut and every damaged size of good notes, in memory of just that size. */
static void damaged_ones_are_passed_over(void **state)
{
    (void)state;
    static const uint32_t sizes[] = { 0, 1, 3, 5, 200, 0x7fffffff, 0xfffffffc, 0xffffffff };
    const size_t size = sizeof note_one;
    for (size_t cut = 0; cut <= size; cut++) {
        chainsi_arena arena = { 0 };
        chainsi_lates lates = { 0 };
        uint8_t *copy = malloc(cut + 1);
        assert_non_null(copy);
        memcpy(copy, &note_one, cut);
        chainsi_lates_read(copy, cut, 4, &arena, &lates);
        assert_true(lates.count == (cut == size) || cut + 3 >= size);
        free(copy);
        chainsi_arena_done(&arena);
    }
    for (size_t field = 0; field < 3; field++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            chainsi_arena arena = { 0 };
            chainsi_lates lates = { 0 };
            uint8_t *copy = malloc(size);
            assert_non_null(copy);
            memcpy(copy, &note_one, size);
            memcpy(copy + field * sizeof(uint32_t), &sizes[i], sizeof(uint32_t));
            chainsi_lates_read(copy, size, i % 2 ? 4 : 8, &arena, &lates);
            assert_int_equal(lates.count, 0);
            free(copy);
            chainsi_arena_done(&arena);
        }
    }
}

static void what_is_no_list_of_libraries_is_passed_over(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "{}", "[{}]", "[{\"soname\":\"a\"}]",
                                         "[{\"soname\":[7]}]" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct {
            uint32_t owner_size, text_size, type;
            char owner[4], text[64];
        } note = { 4, 64, CHAINSI_LATE_NOTE_TYPE, "FDO", "" };
        chainsi_arena arena = { 0 };
        chainsi_lates lates = { 0 };
        memcpy(note.text, texts[i], strlen(texts[i]));
        chainsi_lates_read((const uint8_t *)&note, sizeof note, 4, &arena, &lates);
        assert_int_equal(lates.count, 0);
        chainsi_arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_of_this_program_are_read),
        cmocka_unit_test(damaged_ones_are_passed_over),
        cmocka_unit_test(what_is_no_list_of_libraries_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
