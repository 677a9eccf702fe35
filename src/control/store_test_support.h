/* What tests of the store share: a home of their own for each test, and a store on a loop. */
#ifndef CHAINSI_CONTROL_STORE_TEST_SUPPORT_H
#define CHAINSI_CONTROL_STORE_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/home.h"
#include "control/store.h"

static char home[64];
static uv_loop_t loop;
static chainsi_store *store;
static chainsi_arena arena;
static char why[2048];

static inline int make_home(void **state)
{
    (void)state;
    snprintf(home, sizeof home, "/tmp/chains-store-XXXXXX");
    return mkdtemp(home) && uv_loop_init(&loop) == 0 ? 0 : -1;
}

static inline void close_store(void)
{
    chainsi_store_close(store);
    store = NULL;
    uv_run(&loop, UV_RUN_DEFAULT);
}

static inline int remove_home(void **state)
{
    (void)state;
    close_store();
    chainsi_arena_done(&arena);
    return uv_loop_close(&loop) == 0 && chainsi_remove_tree(home) ? 0 : -1;
}

/* Opens it, giving the status. */
static inline chains_status try_open(void)
{
    chains_status status = CHAINS_UNKNOWN;
    store = chainsi_store_open(home, &loop, &status, why, sizeof why);
    assert_int_equal(store != NULL, status == CHAINS_OK);
    return status;
}

static inline void open_store(void)
{
    if (try_open() != CHAINS_OK)
        fail_msg("%s", why);
}

static inline int make_store(void **state)
{
    if (make_home(state) != 0)
        return -1;
    open_store();
    return 0;
}

/* A change by whatever sql does. */
static inline chains_status run_sql(chainsi_database *database, void *sql)
{
    return chainsi_database_run(database, sql);
}

/* Makes a change, waiting for its end. */
static inline chains_status change(chainsi_change run, void *arguments)
{
    why[0] = 0;
    return chainsi_store_write_now(store, run, arguments, why, sizeof why);
}

/* What the reader says to a question that has a number as its answer. */
static inline int64_t ask(const char *sql)
{
    int64_t number = -1;
    chainsi_database *reader = chainsi_store_reader(store);
    if (chainsi_database_ask(reader, sql, &number) != CHAINS_OK)
        fail_msg("%s: %s", sql, chainsi_database_why(reader));
    return number;
}

#endif
