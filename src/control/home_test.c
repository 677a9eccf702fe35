/* CHAINS_HOME: where it is, its lock, and files that are replaced whole. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/folder_test_support.h"
#include "control/home.h"

static void finds_the_folder(void **state)
{
    (void)state;
    char why[256];
    setenv("CHAINS_HOME", "/somewhere/", 1);
    char *home = chainsi_home_find(why, sizeof why);
    assert_string_equal(home, "/somewhere");
    free(home);
    unsetenv("CHAINS_HOME");
    setenv("XDG_DATA_HOME", "/data", 1);
    home = chainsi_home_find(why, sizeof why);
    assert_string_equal(home, "/data/chains");
    free(home);
    unsetenv("XDG_DATA_HOME");
    setenv("HOME", "/home/someone", 1);
    home = chainsi_home_find(why, sizeof why);
    assert_string_equal(home, "/home/someone/.local/share/chains");
    free(home);
    unsetenv("HOME");
    assert_null(chainsi_home_find(why, sizeof why));
    assert_non_null(strstr(why, "CHAINS_HOME"));
}

static void locks_once(void **state)
{
    (void)state;
    char why[256];
    assert_int_equal(chainsi_home_owner(folder), 0);
    int first = chainsi_home_lock(folder, why, sizeof why);
    assert_true(first >= 0);
    assert_int_equal(chainsi_home_owner(folder), getpid());
    assert_int_equal(chainsi_home_lock(folder, why, sizeof why), -1);
    assert_non_null(strstr(why, "another chainsd"));
    close(first);
    assert_int_equal(chainsi_home_owner(folder), 0);
    int second = chainsi_home_lock(folder, why, sizeof why);
    assert_true(second >= 0);
    close(second);
}

static void goes_on_with_a_lock(void **state)
{
    (void)state;
    char why[256] = "";
    int lock = chainsi_home_lock(folder, why, sizeof why);
    assert_true(lock >= 0);
    int copy = dup(lock);
    close(lock); /* as if the process that took it had ended */
    assert_int_equal(chainsi_home_lock(folder, why, sizeof why), -1);
    assert_true(chainsi_home_keep_lock(folder, copy, why, sizeof why));
    assert_int_equal(chainsi_home_owner(folder), getpid());

    char *path = chainsi_path("%s/pid", folder);
    int second = open(path, O_RDWR | O_CLOEXEC), other = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_false(chainsi_home_keep_lock(folder, second, why, sizeof why));
    assert_string_not_equal(why, "");
    assert_false(chainsi_home_keep_lock(folder, other, why, sizeof why));
    assert_false(chainsi_home_keep_lock(folder, -1, why, sizeof why));
    close(copy);
    close(second);
    close(other);
    free(path);
}

static void keeps_address_and_token(void **state)
{
    (void)state;
    char url[64];
    assert_false(chainsi_home_read_address(folder, url, sizeof url));
    assert_true(chainsi_home_write_address(folder, "http://127.0.0.1:4711"));
    assert_true(chainsi_home_read_address(folder, url, sizeof url));
    assert_string_equal(url, "http://127.0.0.1:4711");
    chainsi_home_forget_address(folder);
    assert_false(chainsi_home_read_address(folder, url, sizeof url));

    char token[CHAINSI_TOKEN_SIZE + 1], again[CHAINSI_TOKEN_SIZE + 1];
    assert_false(chainsi_home_token(folder, false, token));
    assert_true(chainsi_home_token(folder, true, token));
    assert_int_equal(strlen(token), CHAINSI_TOKEN_SIZE);
    assert_true(chainsi_home_token(folder, true, again));
    assert_string_equal(token, again);
    char *path = chainsi_path("%s/token", folder);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    free(path);
}

static void makes_and_removes_trees(void **state)
{
    (void)state;
    char *deep = chainsi_path("%s/a/b/c", folder);
    char *top = chainsi_path("%s/a", folder);
    char *file = chainsi_path("%s/a/b/file", folder);
    char *link = chainsi_path("%s/a/link", folder);
    assert_true(chainsi_make_folders(deep));
    assert_true(chainsi_make_folders(deep));
    assert_true(chainsi_write_file(file, "text", 4));
    char *inside = chainsi_path("%s/file/below", top);
    char *outside = chainsi_path("%s/kept", folder);
    assert_true(chainsi_make_folders(outside));
    assert_int_equal(symlink(outside, link), 0);
    assert_true(chainsi_remove_tree(top));
    assert_true(chainsi_remove_tree(top));
    struct stat info;
    assert_int_equal(stat(outside, &info), 0);
    assert_int_not_equal(stat(top, &info), 0);
    assert_true(chainsi_write_file(top, "x", 1));
    assert_false(chainsi_make_folders(deep));
    free(outside);
    free(inside);
    free(link);
    free(file);
    free(top);
    free(deep);
}

static void reads_within_a_limit(void **state)
{
    (void)state;
    char *path = chainsi_path("%s/limited", folder);
    assert_true(chainsi_write_file(path, "12345", 5));
    size_t size = 0;
    char *data = chainsi_read_file(path, 5, &size);
    assert_string_equal(data, "12345");
    assert_int_equal(size, 5);
    free(data);
    assert_null(chainsi_read_file(path, 4, &size));
    free(path);
}

static void replaces_files(void **state)
{
    (void)state;
    char *from = chainsi_path("%s/from", folder);
    char *to = chainsi_path("%s/to", folder);
    size_t size = 0;
    assert_false(chainsi_replace_file(from, to));
    assert_true(chainsi_write_file(to, "old", 3));
    assert_true(chainsi_write_file(from, "new", 3));
    assert_true(chainsi_replace_file(from, to));
    char *data = chainsi_read_file(to, 3, &size);
    assert_string_equal(data, "new");
    free(data);
    assert_null(chainsi_read_file(from, 3, &size));
    free(to);
    free(from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_folder),
        cmocka_unit_test_setup_teardown(locks_once, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(goes_on_with_a_lock, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(keeps_address_and_token, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(makes_and_removes_trees, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(reads_within_a_limit, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(replaces_files, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
