/* Tests that leave no descriptor open: TEST(function) counts before and after. */
#ifndef CHAINSI_RPC_DESCRIPTORS_TEST_SUPPORT_H
#define CHAINSI_RPC_DESCRIPTORS_TEST_SUPPORT_H

#include <dirent.h>

static int count_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder))
        count++;
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
