/* What tests of the store share: a home of their own for each test, and a store on a loop. With
 * CHAINS_TEST_POSTGRES, the file in which the server for tests stands (tests/support/postgres_testing.py), each test
 * has a database of its own there instead of state.db. */
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

/* A server's database. */

static char server_folder[128], database_name[64], database_url[256];

/* Whether the state is a server's; without one nothing is tested. */
static inline bool on_server(void)
{
    const char *path = getenv("CHAINS_TEST_POSTGRES");
    FILE *file = path ? fopen(path, "re") : NULL;
    if (path && (!file || fscanf(file, "%127s", server_folder) != 1)) {
        print_message("there is no PostgreSQL\n");
        exit(77);
    }
    if (file)
        fclose(file);
    return path != NULL;
}

/* Asks the server for something else than a state. */
static inline void run_on_server(const char *sql)
{
    char url[256];
    snprintf(url, sizeof url, "postgresql://chains@/postgres?host=%s", server_folder);
    chainsi_database *server = chainsi_database_open(url, CHAINSI_DATABASE_WRITE, why, sizeof why);
    if (!server)
        fail_msg("%s", why);
    if (chainsi_database_run(server, sql) != CHAINS_OK)
        fail_msg("%s: %s", sql, chainsi_database_why(server));
    chainsi_database_close(server);
}

static inline void make_database(void)
{
    static unsigned count;
    char sql[128];
    snprintf(database_name, sizeof database_name, "test_%d_%u", (int)getpid(), ++count);
    snprintf(database_url, sizeof database_url, "postgresql://chains@/%s?host=%s", database_name,
             server_folder);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", database_name);
    run_on_server(sql);
    /* As some servers are set. */
    snprintf(sql, sizeof sql, "ALTER DATABASE %s SET bytea_output = 'escape'", database_name);
    run_on_server(sql);
}

static inline void drop_database(void)
{
    char sql[128];
    snprintf(sql, sizeof sql, "DROP DATABASE %s WITH (FORCE)", database_name);
    run_on_server(sql);
}

/* Of the test's database; NULL: it is state.db. */
static inline const char *state_url(void)
{
    return database_name[0] ? database_url : NULL;
}

/* What is said of the SQLite database alone. */
#define OF_FILES_ALONE()                                                                           \
    do {                                                                                           \
        if (on_server())                                                                           \
            skip();                                                                                \
    } while (0)

static inline int make_home(void **state)
{
    (void)state;
    if (on_server())
        make_database();
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
    if (state_url())
        drop_database();
    return uv_loop_close(&loop) == 0 && chainsi_remove_tree(home) ? 0 : -1;
}

/* Opens it, giving the status. */
static inline chains_status try_open(void)
{
    chains_status status = CHAINS_UNKNOWN;
    store = chainsi_store_open(home, state_url(), &loop, &status, why, sizeof why);
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
