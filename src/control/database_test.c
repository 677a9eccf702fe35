/* Connections, statements and rows: every kind of field there and back, first failures, and what a
 * failure means. */
#include "store_test_support.h"

#include "control/database.h"
#include "control/fields.h"
#include "control/handle.h"
#include "control/home.h"

typedef enum colour { RED = 3, GREEN = 7 } colour;

typedef struct item {
    int64_t whole;
    int32_t small;
    bool flag;
    double number;
    const char *text;
    const char *maybe;
    colour hue;
    chains_bytes bytes;
    chains_bytes maybe_bytes;
    chains_json json;
    chains_string_list list;
    const int32_t *some;
} item;

typedef struct items {
    item *items;
    size_t count;
} items;

static const chainsi_enumerator colours[] = { { "red", RED, NULL }, { "green", GREEN, NULL } };
static const chainsi_type colour_type = CHAINSI_ENUM_OF(colour, colours);
static const chainsi_type strings_type = CHAINSI_LIST_OF(chains_string_list, &chainsi_type_string);
static const chainsi_type some_type = CHAINSI_POINTER_TO(&chainsi_type_int32);
static const chainsi_field fields[] = {
    CHAINSI_FIELD_INTEGER(item, whole),
    CHAINSI_FIELD_OF(item, small, &chainsi_type_int32),
    CHAINSI_FIELD_OF(item, flag, &chainsi_type_bool),
    CHAINSI_FIELD_NUMBER(item, number),
    CHAINSI_FIELD_TEXT(item, text),
    CHAINSI_FIELD_NULLABLE(item, maybe),
    CHAINSI_FIELD_OF(item, hue, &colour_type),
    CHAINSI_FIELD_OF(item, bytes, &chainsi_type_bytes),
    CHAINSI_FIELD_OPTIONAL(item, maybe_bytes, &chainsi_type_bytes),
    CHAINSI_FIELD_OPTIONAL(item, json, &chainsi_type_json),
    CHAINSI_FIELD_OF(item, list, &strings_type),
    CHAINSI_FIELD_OPTIONAL(item, some, &some_type),
};
static const chainsi_type item_type = CHAINSI_STRUCT_OF(item, fields);
static const chainsi_type items_type = CHAINSI_LIST_OF(items, &item_type);

static const char *const folder = home;
static char *path;
static chainsi_database *database;

#define ITEMS(integer, number, bytes)                                                              \
    "CREATE TABLE items (whole " integer " PRIMARY KEY, small " integer                            \
    " CHECK (small <> 13), flag " integer ", number " number ", text TEXT, maybe TEXT, hue TEXT, " \
    "bytes " bytes ", maybe_bytes " bytes ", json TEXT, list TEXT, \"some\" " integer              \
    ", nobodys TEXT)"

static int open_database(void **state)
{
    if (make_home(state) != 0)
        return -1;
    path = chainsi_path("%s/x.db", folder);
    database = chainsi_database_open(state_url() ? state_url() : path, CHAINSI_DATABASE_MAKE, why,
                                     sizeof why);
    return database && chainsi_database_run(
                           database, state_url()
                                         ? ITEMS("BIGINT", "DOUBLE PRECISION", "BYTEA")
                                         : ITEMS("INTEGER", "REAL", "BLOB") " STRICT") == CHAINS_OK
               ? 0
               : -1;
}

static int close_database(void **state)
{
    chainsi_database_close(database);
    database = NULL;
    free(path);
    return remove_home(state);
}

static chains_status put(const item *value)
{
    chainsi_statement insert = chainsi_statement_begin(
        database,
        "INSERT INTO items (whole, small, flag, number, text, maybe, hue, bytes, "
        "maybe_bytes, json, list, \"some\") VALUES (:whole, :small, :flag, :number, :text, "
        ":maybe, :hue, :bytes, :maybe_bytes, :json, :list, :some)");
    chainsi_statement_struct(&insert, &item_type, value);
    return chainsi_statement_run(&insert);
}

static chains_status find(int64_t whole, item *value)
{
    chainsi_statement select =
        chainsi_statement_begin(database, "SELECT * FROM items WHERE whole = :whole");
    chainsi_statement_integer(&select, ":whole", whole);
    return chainsi_statement_read_one(&select, &item_type, &arena, value);
}

static void keeps_every_kind(void **state)
{
    (void)state;
    const char *strings[] = { "a", "\"b\"" };
    const int32_t minus = -5;
    const item full = {
        .whole = INT64_MIN,
        .small = INT32_MIN,
        .flag = true,
        .number = 0.1,
        .text = "\xc3\xa9\n",
        .maybe = "",
        .hue = GREEN,
        .bytes = { "a\0b", 3 },
        .maybe_bytes = { "", 0 },
        .json = { "{\"x\":[1,2]}", 11 },
        .list = { strings, 2 },
        .some = &minus,
    };
    const item least = { .whole = INT64_MAX, .text = "", .hue = RED };
    assert_int_equal(put(&full), CHAINS_OK);
    assert_int_equal(put(&least), CHAINS_OK);
    item read;
    assert_int_equal(find(INT64_MIN, &read), CHAINS_OK);
    assert_true(read.whole == INT64_MIN && read.small == INT32_MIN && read.flag);
    assert_true(read.number == 0.1);
    assert_string_equal(read.text, "\xc3\xa9\n");
    assert_string_equal(read.maybe, "");
    assert_int_equal(read.hue, GREEN);
    assert_int_equal(read.bytes.size, 3);
    assert_memory_equal(read.bytes.data, "a\0b", 3);
    assert_non_null(read.maybe_bytes.data);
    assert_int_equal(read.maybe_bytes.size, 0);
    assert_string_equal(read.json.text, "{\"x\":[1,2]}");
    assert_int_equal(read.list.count, 2);
    assert_string_equal(read.list.items[1], "\"b\"");
    assert_int_equal(*read.some, -5);

    assert_int_equal(find(INT64_MAX, &read), CHAINS_OK);
    assert_true(read.whole == INT64_MAX && !read.small && !read.flag && read.number == 0);
    assert_null(read.maybe);
    assert_int_equal(read.bytes.size, 0);
    assert_null(read.maybe_bytes.data);
    assert_null(read.json.text);
    assert_int_equal(read.list.count, 0);
    assert_null(read.some);
    assert_int_equal(find(0, &read), CHAINS_NOT_FOUND);
    assert_true(read.whole == INT64_MAX); /* untouched */
}

static void lists_in_order_with_the_same_statement_again(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++)
        assert_int_equal(put(&(item){ .whole = i, .text = "x", .hue = RED }), CHAINS_OK);
    for (int round = 0; round < 2; round++) {
        items list = { NULL, 77 };
        chainsi_statement select =
            chainsi_statement_begin(database, "SELECT * FROM items ORDER BY whole DESC");
        chainsi_statement_read_all(&select, &items_type, &arena, &list);
        assert_int_equal(chainsi_statement_end(&select), CHAINS_OK);
        assert_int_equal(list.count, 300);
        assert_int_equal(list.items[0].whole, 299);
        assert_int_equal(list.items[299].whole, 0);
    }
    assert_int_equal(
        chainsi_database_run(database, "UPDATE items SET hue = 'blue' WHERE whole = 7"), CHAINS_OK);
    items list = { NULL, 77 };
    chainsi_statement select = chainsi_statement_begin(database, "SELECT * FROM items");
    chainsi_statement_read_all(&select, &items_type, &arena, &list);
    assert_int_equal(chainsi_statement_end(&select), CHAINS_DATA_LOSS);
    assert_int_equal(list.count, 77);
    assert_string_equal(chainsi_database_why(database), "what is kept as hue is damaged: blue");
}

static void refuses_null_where_a_text_is_required(void **state)
{
    (void)state;
    item read;
    assert_int_equal(put(&(item){ .whole = 1, .hue = RED }), CHAINS_OK);
    assert_int_equal(find(1, &read), CHAINS_DATA_LOSS);
    assert_string_equal(chainsi_database_why(database),
                        "what is kept as text is damaged: it is NULL");
}

static void keeps_the_first_failure(void **state)
{
    (void)state;
    chainsi_statement wrong =
        chainsi_statement_begin(database, "SELECT x FROM nowhere WHERE y = :any AND z = :other");
    chainsi_statement_text(&wrong, ":any", "x");
    chainsi_statement_integer(&wrong, ":other", 1);
    assert_false(chainsi_statement_next(&wrong));
    item read = { .whole = 5 };
    assert_int_equal(chainsi_statement_read_one(&wrong, &item_type, &arena, &read),
                     CHAINS_INTERNAL);
    assert_int_equal(read.whole, 5);
    assert_string_equal(chainsi_database_why(database), on_server()
                                                            ? "relation \"nowhere\" does not exist"
                                                            : "no such table: nowhere");
}

static void tells_broken_rules_apart(void **state)
{
    (void)state;
    item value = { .whole = 1, .text = "x", .hue = RED };
    assert_int_equal(put(&value), CHAINS_OK);
    assert_int_equal(put(&value), CHAINS_ALREADY_EXISTS);
    value = (item){ .whole = 2, .small = 13, .text = "x", .hue = RED };
    assert_int_equal(put(&value), CHAINS_FAILED_PRECONDITION);
    value.small = 12;
    assert_int_equal(put(&value), CHAINS_OK); /* the statement is good for more */
    chainsi_statement change =
        chainsi_statement_begin(database, "UPDATE items SET small = 1 WHERE whole = :whole");
    chainsi_statement_integer(&change, ":whole", 2);
    assert_int_equal(chainsi_statement_change(&change), CHAINS_OK);
    change = chainsi_statement_begin(database, "DELETE FROM items WHERE text = 'y'");
    assert_int_equal(chainsi_statement_change(&change), CHAINS_NOT_FOUND);
}

static void says_what_it_cannot_open(void **state)
{
    (void)state;
    OF_FILES_ALONE();
    char *missing = chainsi_path("%s/no/such.db", folder);
    const chainsi_database_mode modes[] = { CHAINSI_DATABASE_READ, CHAINSI_DATABASE_WRITE,
                                            CHAINSI_DATABASE_MAKE };
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_null(chainsi_database_open(missing, modes[i], why, sizeof why));
        assert_non_null(strstr(why, missing));
    }
    free(missing);
    /* Text is no database, which the first question finds. */
    char *text = chainsi_path("%s/text", folder);
    char *lines = chainsi_path("%01000d", 7);
    assert_true(chainsi_write_file(text, lines, 1000));
    chainsi_database *other = chainsi_database_open(text, CHAINSI_DATABASE_READ, why, sizeof why);
    assert_non_null(other);
    int64_t number;
    assert_int_equal(chainsi_database_ask(other, "SELECT count(*) FROM sqlite_schema", &number),
                     CHAINS_DATA_LOSS);
    assert_non_null(strstr(chainsi_database_why(other), "is damaged (file is not a database)"));
    chainsi_database_close(other);
    free(lines);
    free(text);
}

/* Whatever SQLite's own limit is: all its files are where they are said to be. */
static void opens_paths_of_any_length(void **state)
{
    (void)state;
    OF_FILES_ALONE();
    for (int depth = 1; depth < 60; depth += 6) {
        char *deep = chainsi_copy_text(folder);
        for (int i = 0; i < depth; i++) {
            char *deeper = chainsi_path("%s/%060d", deep, i);
            free(deep);
            deep = deeper;
        }
        char *file = chainsi_path("%s/y.db", deep), *log = chainsi_path("%s-wal", file);
        assert_true(chainsi_make_folders(deep));
        chainsi_database *writer =
            chainsi_database_open(file, CHAINSI_DATABASE_MAKE, why, sizeof why);
        assert_non_null(writer);
        assert_string_equal(chainsi_database_path(writer), file);
        assert_int_equal(chainsi_database_run(writer, "PRAGMA journal_mode = WAL;"
                                                      "CREATE TABLE t (a INTEGER) STRICT;"
                                                      "INSERT INTO t VALUES (1), (2)"),
                         CHAINS_OK);
        chainsi_database *reader =
            chainsi_database_open(file, CHAINSI_DATABASE_READ, why, sizeof why);
        assert_non_null(reader);
        int64_t count = 0;
        assert_int_equal(chainsi_database_ask(reader, "SELECT count(*) FROM t", &count), CHAINS_OK);
        assert_int_equal(count, 2);
        assert_int_equal(access(log, F_OK), 0);
        chainsi_database_close(writer);
        assert_int_equal(chainsi_database_ask(reader, "SELECT sum(a) FROM t", &count), CHAINS_OK);
        assert_int_equal(count, 3);
        chainsi_database_close(reader);
        free(log);
        free(file);
        free(deep);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_every_kind, open_database, close_database),
        cmocka_unit_test_setup_teardown(lists_in_order_with_the_same_statement_again, open_database,
                                        close_database),
        cmocka_unit_test_setup_teardown(refuses_null_where_a_text_is_required, open_database,
                                        close_database),
        cmocka_unit_test_setup_teardown(keeps_the_first_failure, open_database, close_database),
        cmocka_unit_test_setup_teardown(tells_broken_rules_apart, open_database, close_database),
        cmocka_unit_test_setup_teardown(says_what_it_cannot_open, open_database, close_database),
        cmocka_unit_test_setup_teardown(opens_paths_of_any_length, open_database, close_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
