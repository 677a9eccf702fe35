/* Files as editors save them, in real folders. What inotify knows it knows at once, so nothing is waited for. */
#include "cli/file_watch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/home.h"

static char root[64]; /* the working folder while a test runs */
static chainsi_file_watch watch;

static void put(const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("text", file);
    assert_int_equal(fclose(file), 0);
}

static int begin(void **state)
{
    (void)state;
    char why[512];
    snprintf(root, sizeof root, "/tmp/chains-watch-XXXXXX");
    if (!mkdtemp(root) || chdir(root) != 0)
        return -1;
    put("a.h");
    put("a.c");
    if (mkdir("nlp", 0700) || mkdir("build", 0700) || mkdir("tests", 0700))
        return -1;
    put("tests/fake.c");
    return chainsi_file_watch_init(&watch, ".", why, sizeof why) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    chainsi_file_watch_done(&watch);
    return chdir("/") == 0 && chainsi_remove_tree(root) ? 0 : -1;
}

static int compare(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* That these have changed since the last look, and nothing else. */
static void expect(const char *names)
{
    char seen[1024] = "";
    bool any = chainsi_file_watch_look(&watch);
    assert_int_equal(any, *names != 0);
    if (any)
        qsort(watch.changed.items, watch.changed.count, sizeof(char *), compare);
    for (size_t i = 0; i < watch.changed.count; i++)
        snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s%s", i ? " " : "",
                 watch.changed.items[i]);
    assert_string_equal(seen, names);
    chainsi_file_watch_forget(&watch);
}

static void test_ways_of_saving(void **state)
{
    (void)state;
    expect("");
    put("a.c"); /* truncated and written */
    put("a.c");
    expect("a.c");
    put("a.c~"); /* written beside, and renamed over it */
    assert_int_equal(rename("a.c~", "a.c"), 0);
    expect("a.c");
    put(".a.c.swp");
    assert_int_equal(rename("a.c", "a.c~"), 0); /* the old one moved away, a new one made */
    put("a.c");
    assert_int_equal(unlink("a.c~"), 0);
    expect("a.c");
    assert_int_equal(unlink("a.c"), 0);
    expect("a.c");
    assert_int_equal(symlink("a.h", "a.c"), 0);
    expect("a.c");
    put("b.hpp"); /* a burst */
    put("b.cu");
    put("a.h");
    expect("a.h b.cu b.hpp");
}

static void test_what_does_not_count(void **state)
{
    (void)state;
    put("compile_commands.json");
    put("notes.txt");
    put("#a.c#");
    put(".hidden.c");
    put("build/a.c");
    put("tests/fake.c");
    assert_int_equal(mkdir(".chains", 0700), 0);
    put(".chains/a.c");
    int fd = open("a.c", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    close(fd);
    expect("");
}

static void test_folders_come_and_go(void **state)
{
    (void)state;
    put("nlp/b.c");
    expect("nlp/b.c");
    assert_int_equal(mkdir("new", 0700), 0);
    put("new/c.h"); /* before anybody watches there */
    assert_int_equal(mkdir("new/deep", 0700), 0);
    put("new/deep/d.c");
    expect("new/c.h new/deep/d.c");
    put("new/deep/d.c");
    expect("new/deep/d.c");
    assert_int_equal(rename("new", "newer"), 0);
    expect("new/ newer/");
    put("newer/deep/d.c");
    expect("newer/deep/d.c");
    assert_true(chainsi_remove_tree("newer"));
    assert_true(chainsi_file_watch_look(&watch));
    chainsi_file_watch_forget(&watch);
    assert_int_equal(mkdir("newer", 0700), 0);
    put("newer/e.c");
    expect("newer/e.c");
    assert_false(watch.gone);
}

static void test_single_files_elsewhere(void **state)
{
    (void)state;
    char expected[128];
    chainsi_file_watch_add(&watch, "tests/fake.c");
    chainsi_file_watch_add(&watch, "tests/fake.c");
    chainsi_file_watch_add(&watch, "a.c");
    chainsi_file_watch_add(&watch, "nowhere/x.c");
    put("tests/other.c");
    expect("");
    put("tests/fake.c");
    snprintf(expected, sizeof expected, "%s/tests/fake.c", root);
    expect(expected);
    put("a.c");
    expect("a.c");
    put("nlp/b.c"); /* the rest goes on */
    expect("nlp/b.c");
}

static void test_the_folder_itself(void **state)
{
    (void)state;
    char why[512];
    chainsi_file_watch other;
    assert_false(chainsi_file_watch_init(&other, "nowhere", why, sizeof why));
    assert_string_equal(why, "nowhere: No such file or directory");
    chainsi_file_watch_done(&other);
    assert_false(chainsi_file_watch_init(&other, "a.c", why, sizeof why));
    assert_string_equal(why, "a.c can't be watched: Not a directory");
    chainsi_file_watch_done(&other);
    char away[80];
    snprintf(away, sizeof away, "%s.away", root);
    assert_int_equal(rename(root, away), 0);
    chainsi_file_watch_look(&watch);
    assert_true(watch.gone);
    assert_int_equal(rename(away, root), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ways_of_saving, begin, end),
        cmocka_unit_test_setup_teardown(test_what_does_not_count, begin, end),
        cmocka_unit_test_setup_teardown(test_folders_come_and_go, begin, end),
        cmocka_unit_test_setup_teardown(test_single_files_elsewhere, begin, end),
        cmocka_unit_test_setup_teardown(test_the_folder_itself, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
