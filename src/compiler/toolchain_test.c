/* Words of shells, and which libraries are archives. */
#include "compiler/toolchain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void test_quoting_survives_a_shell(void **state)
{
    (void)state;
    static const char *const texts[] = { "plain-1.c",          "",  "a b",  "it's",
                                         "$HOME `x` \"y\" \\", "*", "größe" };
    chainsi_arena arena = { 0 };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *quoted = chainsi_shell_quote(&arena, texts[i]);
        int status;
        const char *said = chainsi_shell_output(
            &arena, chainsi_arena_printf(&arena, "printf %%s %s", quoted), &status);
        assert_int_equal(status, 0);
        assert_string_equal(said, texts[i]);
        const char *const *words;
        assert_int_equal(chainsi_shell_split(&arena, quoted, &words), 1);
        assert_string_equal(words[0], texts[i]);
    }
    chainsi_arena_done(&arena);
}

static void test_splitting(void **state)
{
    (void)state;
    chainsi_arena arena = { 0 };
    const char *const *words;
    size_t count = chainsi_shell_split(&arena, "  -I/a\\ b \"-DX=\\\"y z\\\"\" -l'c d'e\n", &words);
    assert_int_equal(count, 3);
    assert_string_equal(words[0], "-I/a b");
    assert_string_equal(words[1], "-DX=\"y z\"");
    assert_string_equal(words[2], "-lc de");
    assert_int_equal(chainsi_shell_split(&arena, " \n", &words), 0);
    chainsi_arena_done(&arena);
}

static void test_output_and_status(void **state)
{
    (void)state;
    chainsi_arena arena = { 0 };
    int status = -2;
    assert_string_equal(chainsi_shell_output(&arena, "echo a; echo b >&2; exit 3", &status), "a\n");
    assert_int_equal(status, 3);
    assert_string_equal(chainsi_shell_output(&arena, "echo a; echo b >&2", &status), "a\n");
    assert_int_equal(status, 0);
    chainsi_arena_done(&arena);
}

static void touch(const char *folder, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

static void test_archives_are_told_from_shared_libraries(void **state)
{
    (void)state;
    char folder[] = "/tmp/chains-libraries-XXXXXX";
    assert_non_null(mkdtemp(folder));
    static const char *const files[] = { "libonly.a", "libboth.a", "libboth.so", "libshared.so" };
    for (size_t i = 0; i < 4; i++)
        touch(folder, files[i]);
    chainsi_arena arena = { 0 };
    const char *const dirs[] = { "/nowhere" };
    chainsi_toolchain toolchain = { .library_dirs = dirs, .library_dir_count = 1 };
    chainsi_libraries libraries = { 0 };
    const char *search = chainsi_arena_printf(&arena, "-L%s", folder);
    const char *const words[] = { search,
                                  "-lonly",
                                  "-lboth",
                                  "-lshared",
                                  "-lnowhere",
                                  "own/x.a",
                                  "own/lib.so",
                                  "-lm",
                                  "-l:libboth.a",
                                  "-Wl,-Bstatic",
                                  "-lboth",
                                  "-Wl,-Bdynamic",
                                  "-Wl,--whole-archive",
                                  "own/y.a",
                                  "-Wl,--no-whole-archive" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        chainsi_libraries_add(&libraries, &toolchain, "/nowhere", words[i]);
    chainsi_buffer_add_byte(&libraries.archives, '\0');
    chainsi_buffer_add_byte(&libraries.others, '\0');
    const char *archives =
        chainsi_arena_printf(&arena,
                             " %s/libonly.a own/x.a %s/libboth.a %s/libboth.a "
                             "-Wl,--whole-archive own/y.a -Wl,--no-whole-archive",
                             folder, folder, folder);
    const char *others =
        chainsi_arena_printf(&arena, " -L%s -lboth -lshared -lnowhere own/lib.so -lm", folder);
    assert_string_equal((const char *)libraries.archives.data, archives);
    assert_string_equal((const char *)libraries.others.data, others);
    chainsi_libraries_done(&libraries);
    chainsi_shell_output(&arena, chainsi_arena_printf(&arena, "rm -r %s", folder), NULL);
    chainsi_arena_done(&arena);
}

static void test_a_missing_package_is_named(void **state)
{
    (void)state;
    chainsi_arena arena = { 0 };
    const char *const names[] = { "no-such-package-here", NULL };
    chainsi_packages packages = chainsi_toolchain_packages(names, 2, &arena);
    assert_string_equal(packages.missing, "no-such-package-here");
    const char *const none[] = { NULL };
    packages = chainsi_toolchain_packages(none, 1, &arena);
    assert_null(packages.missing);
    assert_string_equal(packages.libs, "");
    chainsi_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quoting_survives_a_shell),
        cmocka_unit_test(test_splitting),
        cmocka_unit_test(test_output_and_status),
        cmocka_unit_test(test_archives_are_told_from_shared_libraries),
        cmocka_unit_test(test_a_missing_package_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
