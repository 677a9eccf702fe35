/* Symbols of objects: a real one, and files that are cut short or no objects at all. */
#include "compiler/object.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/chains-object-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int prepare(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    char command[512];
    snprintf(
        command, sizeof command,
        "printf '%%s\\n' 'void wanted(int); int data = 1; static void own(void) { wanted(data); }' "
        "'void defined(void) { own(); }' 'void mangled(int) __asm__(\"_Z7mangledi\");' "
        "'void mangled(int x) { wanted(x); }' > %s/a.c && cc -c %s/a.c -o %s/a.o",
        folder, folder, folder);
    return system(command);
}

static int clean(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static void test_symbols_of_an_object(void **state)
{
    (void)state;
    chainsi_arena arena = { 0 };
    chainsi_symbols symbols;
    assert_true(chainsi_symbols_read(&symbols, path_of("a.o"), &arena));
    assert_true(chainsi_symbols_define(&symbols, "defined"));
    assert_true(chainsi_symbols_define(&symbols, "data"));
    assert_false(chainsi_symbols_define(&symbols, "own")); /* static */
    assert_false(chainsi_symbols_define(&symbols, "wanted"));
    assert_true(chainsi_symbols_want(&symbols, "wanted"));
    assert_false(chainsi_symbols_want(&symbols, "defined"));
    assert_true(chainsi_symbols_mangle(&symbols, "mangled"));
    assert_false(chainsi_symbols_mangle(&symbols, "mangle"));
    assert_false(chainsi_symbols_mangle(&symbols, "defined"));
    chainsi_arena_done(&arena);
}

static void test_every_cut_is_refused_or_read(void **state)
{
    (void)state;
    FILE *file = fopen(path_of("a.o"), "rb");
    assert_non_null(file);
    static char whole[65536];
    size_t size = fread(whole, 1, sizeof whole, file);
    fclose(file);
    assert_in_range(size, 100, sizeof whole - 1);
    chainsi_arena arena = { 0 };
    for (size_t cut = 0; cut < size; cut += 7) {
        file = fopen(path_of("cut.o"), "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(whole, 1, cut, file), cut);
        fclose(file);
        chainsi_symbols symbols;
        /* The section headers stand at the end: without them nothing can be read. */
        assert_false(chainsi_symbols_read(&symbols, path_of("cut.o"), &arena));
    }
    chainsi_arena_done(&arena);
}

static void test_what_is_no_object(void **state)
{
    (void)state;
    chainsi_arena arena = { 0 };
    chainsi_symbols symbols;
    assert_false(chainsi_symbols_read(&symbols, path_of("a.c"), &arena));
    assert_false(chainsi_symbols_read(&symbols, path_of("nowhere"), &arena));
    assert_int_equal(symbols.count, 0);
    chainsi_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_symbols_of_an_object),
        cmocka_unit_test(test_every_cut_is_refused_or_read),
        cmocka_unit_test(test_what_is_no_object),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
