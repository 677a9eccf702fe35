/* What tests of the nouns in the state share: a database with the whole schema, without a store around
 * it, and checks that show its sentences. */
#ifndef CHAINSI_CONTROL_STORE_ROWS_TEST_SUPPORT_H
#define CHAINSI_CONTROL_STORE_ROWS_TEST_SUPPORT_H

#include "store_test_support.h"

static chainsi_database *database; /* that may be changed */

static inline int open_database(void **state)
{
    if (make_store(state) != 0)
        return -1;
    chainsi_store_close(store);
    store = NULL;
    char *path = chainsi_path("%s/state.db", home);
    const char *url = state_url();
    database = chainsi_database_open(url ? url : path, CHAINSI_DATABASE_WRITE, why, sizeof why);
    free(path);
    if (url)
        return database ? 0 : -1;
    return database && chainsi_database_run(database, "PRAGMA foreign_keys = ON;"
                                                      "PRAGMA synchronous = OFF") == CHAINS_OK
               ? 0
               : -1;
}

static inline int close_database(void **state)
{
    chainsi_database_close(database);
    database = NULL;
    return remove_home(state);
}

#define OK(...)                                                                                    \
    do {                                                                                           \
        if ((__VA_ARGS__) != CHAINS_OK)                                                            \
            fail_msg("%s: %s", #__VA_ARGS__, chainsi_database_why(database));                      \
    } while (0)
#define FAILS(status, sentence, ...)                                                               \
    do {                                                                                           \
        assert_int_equal(__VA_ARGS__, status);                                                     \
        assert_string_equal(chainsi_database_why(database), sentence);                             \
    } while (0)

#endif
