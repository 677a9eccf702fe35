/* A folder for each test: make_folder and remove_folder are its setup and teardown. For one file of a program. */
#ifndef CHAINSI_CONTROL_FOLDER_TEST_SUPPORT_H
#define CHAINSI_CONTROL_FOLDER_TEST_SUPPORT_H

#include <stdlib.h>
#include <string.h>

#include "control/home.h"

static char *folder;

static int make_folder(void **state)
{
    (void)state;
    char pattern[] = "/tmp/chains-test-XXXXXX";
    folder = strdup(mkdtemp(pattern));
    return folder ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    bool removed = chainsi_remove_tree(folder);
    free(folder);
    return removed ? 0 : -1;
}

#endif
