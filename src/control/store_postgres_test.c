/* What is PostgreSQL's alone: the schema beside that of SQLite, connections that break, a COMMIT whose answer is
 * lost, two who want to write. A proxy of the test's own stands between where something is to get lost. */
#include "store_test_support.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"
#include "control/handle.h"
#include "control/migrations.h"
#include "control/store_history.h"

/* The proxy: one connection at a time is passed on, byte by byte as it comes. */

typedef enum proxy_deed {
    PASS_ON,
    CUT_BEFORE_COMMIT, /* the server never hears of it */
    CUT_AFTER_COMMIT,  /* its answer is lost */
    CUT_WITHIN,        /* the connection ends with the first INSERT */
    REFUSE,            /* nobody answers */
} proxy_deed;

static struct {
    char folder[64], path[128];
    int listener, wake[2];
    pthread_t thread;
    _Atomic int deed;       /* proxy_deed; the one that cuts is done once, and then `afterwards` */
    _Atomic int afterwards; /* proxy_deed */
    _Atomic int cuts;
} proxy;

static int dial_server(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%.80s/.s.PGSQL.5432", server_folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        abort();
    return fd;
}

static bool holds(const char *data, size_t size, const char *text)
{
    return memmem(data, size, text, strlen(text)) != NULL;
}

static bool send_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* Passes on what a client says. False: that is the end. */
static bool pass_to_server(int client, int server, bool *losing)
{
    char data[65536];
    ssize_t size = recv(client, data, sizeof data, 0);
    if (size <= 0)
        return false;
    int deed = proxy.deed;
    bool commits = holds(data, (size_t)size, "COMMIT");
    if ((deed == CUT_BEFORE_COMMIT && commits) ||
        (deed == CUT_WITHIN && holds(data, (size_t)size, "INSERT INTO events")))
        return false;
    *losing = deed == CUT_AFTER_COMMIT && commits;
    return send_all(server, data, (size_t)size);
}

static bool pass_to_client(int client, int server, bool losing)
{
    char data[65536];
    ssize_t size = recv(server, data, sizeof data, 0);
    return size > 0 && !losing && send_all(client, data, (size_t)size);
}

typedef struct pair {
    int client, server;
    bool losing;
} pair;

static void *run_proxy(void *user)
{
    (void)user;
    enum { MOST = 8 };
    pair pairs[MOST];
    size_t count = 0;
    for (;;) {
        struct pollfd watched[2 + 2 * MOST] = { { proxy.wake[0], POLLIN, 0 },
                                                { proxy.listener, POLLIN, 0 } };
        for (size_t i = 0; i < count; i++) {
            watched[2 + 2 * i] = (struct pollfd){ pairs[i].client, POLLIN, 0 };
            watched[3 + 2 * i] = (struct pollfd){ pairs[i].server, POLLIN, 0 };
        }
        poll(watched, 2 + 2 * (nfds_t)count, -1);
        for (size_t i = count; i-- > 0;) {
            pair *p = &pairs[i];
            bool good = true, waited = p->losing;
            if (watched[2 + 2 * i].revents)
                good = pass_to_server(p->client, p->server, &p->losing);
            if (good && watched[3 + 2 * i].revents)
                good = pass_to_client(p->client, p->server, p->losing);
            if (good)
                continue;
            if (proxy.deed != PASS_ON && proxy.deed != REFUSE && (waited || !p->losing)) {
                proxy.deed = proxy.afterwards;
                proxy.cuts++;
            }
            close(p->client);
            close(p->server);
            *p = pairs[--count];
        }
        if (watched[1].revents) {
            int client = accept4(proxy.listener, NULL, NULL, SOCK_CLOEXEC);
            if (proxy.deed == REFUSE || count == MOST)
                close(client);
            else
                pairs[count++] = (pair){ client, dial_server(), false };
        }
        if (watched[0].revents)
            break;
    }
    for (size_t i = 0; i < count; i++) {
        close(pairs[i].client);
        close(pairs[i].server);
    }
    return NULL;
}

static void start_proxy(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(proxy.folder, sizeof proxy.folder, "/tmp/chains-proxy-XXXXXX");
    assert_non_null(mkdtemp(proxy.folder));
    snprintf(proxy.path, sizeof proxy.path, "%s/.s.PGSQL.5432", proxy.folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%.100s", proxy.path);
    proxy.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(proxy.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(proxy.listener, 16), 0);
    assert_int_equal(pipe(proxy.wake), 0);
    proxy.deed = proxy.afterwards = PASS_ON;
    proxy.cuts = 0;
    assert_int_equal(pthread_create(&proxy.thread, NULL, run_proxy, NULL), 0);
    snprintf(database_url, sizeof database_url, "postgresql://chains@/%s?host=%s", database_name,
             proxy.folder);
}

static void stop_proxy(void)
{
    assert_int_equal(write(proxy.wake[1], "x", 1), 1);
    pthread_join(proxy.thread, NULL);
    close(proxy.wake[0]);
    close(proxy.wake[1]);
    close(proxy.listener);
    assert_true(chainsi_remove_tree(proxy.folder));
}

static int make_proxied(void **state)
{
    if (make_home(state) != 0)
        return -1;
    start_proxy();
    open_store();
    return 0;
}

static int remove_proxied(void **state)
{
    close_store();
    stop_proxy();
    return remove_home(state);
}

static int make_one(void **state)
{
    return make_store(state);
}

/* Changes. */

static chains_status add_event(chainsi_database *database, void *message)
{
    return chainsi_stored_event_add(database,
                                    &(chainsi_stored_event){ .kind = "test", .message = message });
}

/* Past the proxy. */
static int64_t count_events(void)
{
    char url[256];
    int64_t count = -1;
    snprintf(url, sizeof url, "postgresql://chains@/%s?host=%s", database_name, server_folder);
    chainsi_database *direct = chainsi_database_open(url, CHAINSI_DATABASE_READ, why, sizeof why);
    assert_non_null(direct);
    assert_int_equal(chainsi_database_ask(direct, "SELECT count(*) FROM events", &count),
                     CHAINS_OK);
    chainsi_database_close(direct);
    return count;
}

/* Past the proxy, for what another process does. */
static void change_directly(const char *sql)
{
    char url[256];
    snprintf(url, sizeof url, "postgresql://chains@/%s?host=%s", database_name, server_folder);
    chainsi_database *direct = chainsi_database_open(url, CHAINSI_DATABASE_WRITE, why, sizeof why);
    assert_non_null(direct);
    if (chainsi_database_run(direct, sql) != CHAINS_OK)
        fail_msg("%s: %s", sql, chainsi_database_why(direct));
    chainsi_database_close(direct);
}

/* Ends all connections to the database but the asking one, as a server that is restarted does. */
static void break_connections(void)
{
    change_directly("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                    "current_database() AND pid <> pg_backend_pid()");
}

static void a_commit_that_never_arrived_is_made_again(void **state)
{
    (void)state;
    proxy.deed = CUT_BEFORE_COMMIT;
    assert_int_equal(change(add_event, "one"), CHAINS_OK);
    assert_int_equal(proxy.cuts, 1);
    assert_int_equal(count_events(), 1);
}

static void a_commit_whose_answer_got_lost_is_found_out_about(void **state)
{
    (void)state;
    assert_int_equal(change(add_event, "before"), CHAINS_OK);
    proxy.deed = CUT_AFTER_COMMIT;
    assert_int_equal(change(add_event, "one"), CHAINS_OK);
    assert_int_equal(proxy.cuts, 1);
    assert_int_equal(count_events(), 2);
    assert_int_equal(change(add_event, "after"), CHAINS_OK);
    assert_int_equal(count_events(), 3);
}

static void a_transaction_that_broke_is_made_again(void **state)
{
    (void)state;
    proxy.deed = CUT_WITHIN;
    assert_int_equal(change(add_event, "one"), CHAINS_OK);
    assert_int_equal(proxy.cuts, 1);
    assert_int_equal(count_events(), 1);
}

/* While the server is away, too: nobody says that it was made, or makes it twice. */
static void what_cannot_be_found_out_is_said(void **state)
{
    (void)state;
    proxy.afterwards = REFUSE;
    proxy.deed = CUT_AFTER_COMMIT;
    assert_int_equal(change(add_event, "one"), CHAINS_UNAVAILABLE);
    assert_non_null(strstr(why, "whether it was can't be told until it is back"));
    assert_int_equal(count_events(), 1);
    assert_int_equal(change(add_event, "two"), CHAINS_UNAVAILABLE);
    /* When it is back, this process knows too little to go on. */
    proxy.deed = PASS_ON;
    while (change(add_event, "three") == CHAINS_UNAVAILABLE && !strstr(why, "nobody could be told"))
        ;
    assert_non_null(strstr(why, "a change was kept of which nobody could be told"));
    assert_int_equal(count_events(), 1);
}

static void what_never_arrived_is_no_hindrance(void **state)
{
    (void)state;
    proxy.afterwards = REFUSE;
    proxy.deed = CUT_BEFORE_COMMIT;
    assert_int_equal(change(add_event, "one"), CHAINS_UNAVAILABLE);
    proxy.deed = PASS_ON;
    while (change(add_event, "two") != CHAINS_OK)
        ;
    assert_int_equal(count_events(), 1);
}

static void goes_on_after_a_restart(void **state)
{
    (void)state;
    assert_int_equal(change(add_event, "one"), CHAINS_OK);
    assert_int_equal(ask("SELECT count(*) FROM events"), 1);
    break_connections();
    assert_int_equal(ask("SELECT count(*) FROM events"), 1);
    assert_int_equal(change(add_event, "two"), CHAINS_OK);
    assert_int_equal(ask("SELECT count(*) FROM events"), 2);
    /* What was prepared is so again. */
    break_connections();
    assert_int_equal(chainsi_stored_event_newest(chainsi_store_reader(store)), 2);
    break_connections();
    assert_int_equal(chainsi_stored_event_newest(chainsi_store_reader(store)), 2);
}

/* Two. */

static void has_one_writer(void **state)
{
    (void)state;
    chains_status status;
    char other_home[] = "/tmp/chains-other-XXXXXX";
    assert_non_null(mkdtemp(other_home));
    assert_null(chainsi_store_open(other_home, state_url(), NULL, &status, why, sizeof why));
    assert_int_equal(status, CHAINS_UNAVAILABLE);
    assert_non_null(strstr(why, "another chainsd has the state in postgresql://"));
    assert_non_null(strstr(why, ", connected from its own machine since "));
    close_store();
    chainsi_store *other =
        chainsi_store_open(other_home, state_url(), NULL, &status, why, sizeof why);
    if (!other)
        fail_msg("%s", why);
    chainsi_store_close(other);
    assert_true(chainsi_remove_tree(other_home));
}

static int overtaken;

static void on_overtaken(void *user, const char *reason)
{
    assert_ptr_equal(user, &overtaken);
    assert_true(reason[0]);
    overtaken++;
}

static chainsi_write *hand_over(void)
{
    chainsi_write *write = chainsi_write_new(0);
    write->run = add_event;
    write->arguments = "from the loop";
    chainsi_store_write(store, write);
    return write;
}

/* Somebody else wrote while this one wasn't connected, or even without asking for the lock. */
static void knows_that_it_is_overtaken(void **state)
{
    (void)state;
    overtaken = 0;
    chainsi_store_on_overtaken(store, on_overtaken, &overtaken);
    assert_int_equal(change(add_event, "one"), CHAINS_OK);
    change_directly("UPDATE chainsd SET mark = 'of another'");
    assert_int_equal(change(add_event, "two"), CHAINS_UNAVAILABLE);
    assert_non_null(strstr(why, "another chainsd has changed the state meanwhile"));
    hand_over();
    hand_over();
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(overtaken, 1);
    assert_int_equal(count_events(), 1);
    close_store();
    open_store();
    assert_int_equal(change(add_event, "two"), CHAINS_OK);
}

static void knows_that_another_has_its_place(void **state)
{
    (void)state;
    chains_status status;
    char other_home[] = "/tmp/chains-other-XXXXXX";
    assert_non_null(mkdtemp(other_home));
    assert_int_equal(change(add_event, "one"), CHAINS_OK);
    break_connections();
    chainsi_store *other =
        chainsi_store_open(other_home, state_url(), NULL, &status, why, sizeof why);
    if (!other)
        fail_msg("%s", why);
    assert_int_equal(change(add_event, "two"), CHAINS_UNAVAILABLE);
    assert_non_null(strstr(why, "another chainsd has become the one that writes"));
    chainsi_store_close(other);
    assert_true(chainsi_remove_tree(other_home));
    assert_int_equal(change(add_event, "two"), CHAINS_UNAVAILABLE);
}

/* Schemas. */

/* A line for each column: its table, name, whether it may be NULL, its part of the key, its kind. */
static char *describe(chainsi_database *database, const char *sql)
{
    chainsi_buffer out = { 0 };
    chainsi_statement list = chainsi_statement_begin(database, sql);
    while (chainsi_statement_next(&list)) {
        chainsi_buffer_add_text(&out, chainsi_statement_column_text(&list, 0, &arena));
        chainsi_buffer_add_byte(&out, '\n');
    }
    if (chainsi_statement_end(&list) != CHAINS_OK)
        fail_msg("%s", chainsi_database_why(database));
    chainsi_buffer_add_byte(&out, 0);
    return (char *)out.data;
}

static const char columns_of_file[] =
    "SELECT line FROM (SELECT t.name || '.' || c.name || ' ' || lower(c.type) || CASE WHEN "
    "c.\"notnull\" OR c.pk THEN ' not null' ELSE '' END || CASE WHEN c.pk THEN ' key' ELSE '' END "
    "|| coalesce(' default ' || c.dflt_value, '') AS line FROM sqlite_schema AS t JOIN "
    "pragma_table_info(t.name) AS c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%') ORDER "
    "BY line";
static const char columns_of_server[] =
    "SELECT line FROM (SELECT c.relname || '.' || a.attname || ' ' || CASE "
    "format_type(a.atttypid, NULL) WHEN 'bigint' THEN 'integer' WHEN 'double precision' THEN "
    "'real' WHEN 'bytea' THEN 'blob' ELSE format_type(a.atttypid, NULL) END || CASE WHEN "
    "a.attnotnull THEN ' not null' ELSE '' END || CASE WHEN EXISTS (SELECT 1 FROM pg_index AS i "
    "WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey)) THEN ' key' ELSE "
    "'' END || coalesce(' default ' || replace(pg_get_expr(d.adbin, d.adrelid), '::text', ''), "
    "'') AS line FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid LEFT JOIN "
    "pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE c.relkind = 'r' AND "
    "c.relnamespace = 'public'::regnamespace AND c.relname <> 'chainsd' AND a.attnum > 0 AND NOT "
    "a.attisdropped) AS lines ORDER BY line COLLATE \"C\"";
static const char indices_of_file[] =
    "SELECT name FROM sqlite_schema WHERE type IN ('index', 'trigger') AND name NOT LIKE "
    "'sqlite_%' ORDER BY name";
static const char indices_of_server[] =
    "SELECT name FROM (SELECT i.relname AS name FROM pg_class AS i JOIN pg_index AS x ON "
    "x.indexrelid = i.oid WHERE i.relnamespace = 'public'::regnamespace AND NOT EXISTS (SELECT 1 "
    "FROM pg_constraint AS c WHERE c.conindid = i.oid) UNION SELECT tgname FROM pg_trigger WHERE "
    "NOT tgisinternal) AS names ORDER BY name COLLATE \"C\"";
static const char references_of_file[] =
    "SELECT line FROM (SELECT t.name || ' -> ' || f.\"table\" || ' ' || lower(f.on_delete) || ' ' "
    "|| count(*) AS line FROM sqlite_schema AS t JOIN pragma_foreign_key_list(t.name) AS f WHERE "
    "t.type = 'table' AND f.seq = 0 GROUP BY t.name, f.\"table\", f.on_delete) ORDER BY line";
static const char references_of_server[] =
    "SELECT line FROM (SELECT c.conrelid::regclass || ' -> ' || c.confrelid::regclass || ' ' || "
    "CASE c.confdeltype WHEN 'c' THEN 'cascade' ELSE 'no action' END || ' ' || count(*) AS line "
    "FROM pg_constraint AS c WHERE c.contype = 'f' AND c.conparentid = 0 GROUP BY c.conrelid, "
    "c.confrelid, c.confdeltype) AS lines ORDER BY line COLLATE \"C\"";

/* Texts that sort by a language's rules would be in another order than a file's. */
static const char sorted_otherwise[] =
    "SELECT count(*) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN "
    "pg_collation AS o ON o.oid = a.attcollation WHERE c.relkind = 'r' AND c.relname <> 'chainsd' "
    "AND c.relnamespace = 'public'::regnamespace AND o.collname <> 'C'";

static void has_the_schema_of_a_file(void **state)
{
    (void)state;
    chains_status status;
    char file_home[] = "/tmp/chains-other-XXXXXX";
    assert_non_null(mkdtemp(file_home));
    chainsi_store *file = chainsi_store_open(file_home, NULL, NULL, &status, why, sizeof why);
    assert_non_null(file);
    const char *const both[][2] = { { columns_of_file, columns_of_server },
                                    { indices_of_file, indices_of_server },
                                    { references_of_file, references_of_server } };
    for (size_t i = 0; i < sizeof both / sizeof *both; i++) {
        char *of_file = describe(chainsi_store_reader(file), both[i][0]);
        char *of_server = describe(chainsi_store_reader(store), both[i][1]);
        assert_true(strlen(of_file) > 100);
        assert_string_equal(of_file, of_server);
        free(of_file);
        free(of_server);
    }
    assert_int_equal(ask(sorted_otherwise), 0);
    assert_int_equal(ask("SELECT steps FROM chainsd"), CHAINSI_MIGRATIONS);
    chainsi_store_close(file);
    assert_true(chainsi_remove_tree(file_home));
}

static void refuses_what_is_newer_or_not_its_own(void **state)
{
    (void)state;
    close_store();
    change_directly("UPDATE chainsd SET steps = 1000");
    assert_int_equal(try_open(), CHAINS_FAILED_PRECONDITION);
    assert_non_null(strstr(why, "a newer chainsd has written"));
    change_directly("DROP TABLE chainsd");
    assert_int_equal(try_open(), CHAINS_FAILED_PRECONDITION);
    assert_non_null(strstr(why, "give it one, or a schema, of its own"));
}

/* Two schemas of one database are two states. */
static void may_be_in_a_schema_of_its_own(void **state)
{
    (void)state;
    chains_status status;
    char url[512], other_home[] = "/tmp/chains-other-XXXXXX";
    assert_non_null(mkdtemp(other_home));
    snprintf(url, sizeof url, "%s&options=-csearch_path%%3Dapart", database_url);
    assert_null(chainsi_store_open(other_home, url, NULL, &status, why, sizeof why));
    assert_int_equal(status, CHAINS_UNAVAILABLE);
    assert_non_null(strstr(why, "has no schema for its user"));
    change_directly("CREATE SCHEMA apart");
    chainsi_store *other = chainsi_store_open(other_home, url, NULL, &status, why, sizeof why);
    if (!other)
        fail_msg("%s", why);
    assert_int_equal(chainsi_store_write_now(other, add_event, "apart", why, sizeof why),
                     CHAINS_OK);
    assert_int_equal(ask("SELECT count(*) FROM events"), 0);
    chainsi_store_close(other);
    assert_true(chainsi_remove_tree(other_home));
}

static void takes_steps_whole(void **state)
{
    (void)state;
    const char *const steps[] = {
        "CREATE TABLE a (x BIGINT); INSERT INTO a VALUES (1), (2)",
        "ALTER TABLE a ADD COLUMN y BIGINT NOT NULL DEFAULT 0; UPDATE a SET y = x * 10",
        "CREATE TABLE b (x BIGINT); INSERT INTO b SELECT x FROM a; INSERT INTO c VALUES (1)",
    };
    chainsi_database *database =
        chainsi_database_open(database_url, CHAINSI_DATABASE_WRITE, why, sizeof why);
    int64_t number = 0;
    assert_non_null(database);
    assert_int_equal(chainsi_migrate(database, steps, 1), CHAINS_OK);
    assert_int_equal(chainsi_migrate(database, steps, 3), CHAINS_INTERNAL);
    assert_string_equal(chainsi_database_why(database), "relation \"c\" does not exist");
    assert_int_equal(chainsi_database_ask(database, "SELECT steps FROM chainsd", &number),
                     CHAINS_OK);
    assert_int_equal(number, 2);
    assert_int_equal(chainsi_database_ask(database, "SELECT sum(y) FROM a", &number), CHAINS_OK);
    assert_int_equal(number, 30);
    assert_int_equal(chainsi_database_ask(
                         database, "SELECT count(*) FROM pg_class WHERE relname = 'b'", &number),
                     CHAINS_OK);
    assert_int_equal(number, 0);
    chainsi_database_close(database);
}

/* Values. */

/* A file takes any bytes as text; here each that isn't one is U+FFFD. */
static void repairs_what_is_no_text(void **state)
{
    (void)state;
    chainsi_stored_events events;
    assert_int_equal(change(add_event, "a\xff\xfe b\xc3\xa9"), CHAINS_OK);
    assert_int_equal(chainsi_stored_event_list(chainsi_store_reader(store),
                                               &(chainsi_event_filter){ .limit = 10 }, &arena,
                                               &events),
                     CHAINS_OK);
    assert_string_equal(events.items[0].message, "a\xef\xbf\xbd\xef\xbf\xbd b\xc3\xa9");
}

/* Bad addresses. */

static void never_says_a_password(void **state)
{
    (void)state;
    const char *const urls[] = {
        "postgresql://chains:s3cret%zz@127.0.0.1/x",
        "postgresql://chains:s3cret@127.0.0.1:1/x",
        "postgresql://chains:s3cret@127.0.0.1:99999/x",
        "postgresql://chains:s3cret@[::1/x",
        "postgresql://chains:s3cret@/x?host=/nowhere",
        "postgresql://chains:s3cret@/x?no_such_option=1",
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        chains_status status;
        assert_null(chainsi_store_open(home, urls[i], NULL, &status, why, sizeof why));
        assert_int_equal(status, CHAINS_UNAVAILABLE);
        assert_non_null(strstr(why, "postgresql://"));
        assert_null(strstr(why, "s3cret"));
    }
}

int main(void)
{
    if (!on_server())
        return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_commit_that_never_arrived_is_made_again, make_proxied,
                                        remove_proxied),
        cmocka_unit_test_setup_teardown(a_commit_whose_answer_got_lost_is_found_out_about,
                                        make_proxied, remove_proxied),
        cmocka_unit_test_setup_teardown(a_transaction_that_broke_is_made_again, make_proxied,
                                        remove_proxied),
        cmocka_unit_test_setup_teardown(what_cannot_be_found_out_is_said, make_proxied,
                                        remove_proxied),
        cmocka_unit_test_setup_teardown(what_never_arrived_is_no_hindrance, make_proxied,
                                        remove_proxied),
        cmocka_unit_test_setup_teardown(goes_on_after_a_restart, make_one, remove_home),
        cmocka_unit_test_setup_teardown(has_one_writer, make_one, remove_home),
        cmocka_unit_test_setup_teardown(knows_that_it_is_overtaken, make_one, remove_home),
        cmocka_unit_test_setup_teardown(knows_that_another_has_its_place, make_one, remove_home),
        cmocka_unit_test_setup_teardown(has_the_schema_of_a_file, make_one, remove_home),
        cmocka_unit_test_setup_teardown(refuses_what_is_newer_or_not_its_own, make_one,
                                        remove_home),
        cmocka_unit_test_setup_teardown(may_be_in_a_schema_of_its_own, make_one, remove_home),
        cmocka_unit_test_setup_teardown(takes_steps_whole, make_home, remove_home),
        cmocka_unit_test_setup_teardown(repairs_what_is_no_text, make_one, remove_home),
        cmocka_unit_test_setup_teardown(never_says_a_password, make_home, remove_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
