/* Tests that leave no descriptor open: TEST(function) counts before and after. */
#ifndef CHAINSI_RPC_DESCRIPTORS_TEST_SUPPORT_H
#define CHAINSI_RPC_DESCRIPTORS_TEST_SUPPORT_H

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* False: eventfds are not counted. For tests with threads that come as they are needed and stay: each
 * keeps one from when it first waits, whichever test that is in. */
static bool counts_eventfds = true;

static int count_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    for (struct dirent *entry; (entry = readdir(folder));) {
        char target[64] = "";
        if (!counts_eventfds)
            (void)!readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
        count += strcmp(target, "anon_inode:[eventfd]") != 0;
    }
    closedir(folder);
    return count;
}

static int descriptors;

static int note_descriptors(void **state)
{
    (void)state;
    descriptors = count_descriptors();
    return 0;
}

static int compare_descriptors(void **state)
{
    (void)state;
    return count_descriptors() == descriptors ? 0 : -1;
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, note_descriptors, compare_descriptors)

#endif
