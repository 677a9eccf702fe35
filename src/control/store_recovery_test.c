/* What the store outlives: kill -9, damage, a full disk, other versions of its schema, and what a
 * backup is worth. */
#include "store_test_support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "control/backup.h"
#include "control/migrations.h"
#include "control/store_chains.h"
#include "control/store_history.h"

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", home, name);
    return path;
}

static chains_status add_event(chainsi_database *database, void *message)
{
    return chainsi_stored_event_add(database,
                                    &(chainsi_stored_event){ .kind = "test", .message = message });
}

static void add_events(int count)
{
    char message[16];
    for (int i = 0; i < count; i++) {
        snprintf(message, sizeof message, "%d", i);
        assert_int_equal(change(add_event, message), CHAINS_OK);
    }
}

static int64_t count_events(void)
{
    return ask("SELECT count(*) FROM events");
}

/* kill -9. */

enum { ROUNDS = 20, MOST_ACKNOWLEDGED = 300 };

typedef struct numbered_event {
    int number;
} numbered_event;

static chains_status add_number(chainsi_database *database, void *arguments)
{
    const numbered_event *event = arguments;
    char message[16];
    snprintf(message, sizeof message, "%d", event->number);
    return add_event(database, message);
}

static int next_number, acknowledged_fd;

static void write_on(void);

/* Tells which number is kept, and adds more: of these many wait at any time. */
static void on_kept(chainsi_write *write_, chains_status status, const char *reason)
{
    const numbered_event *event = write_->arguments;
    (void)reason;
    if (status != CHAINS_OK ||
        write(acknowledged_fd, &event->number, sizeof event->number) != sizeof event->number)
        _exit(1);
    write_on();
}

static void write_on(void)
{
    chainsi_write *more = chainsi_write_new(sizeof(numbered_event));
    ((numbered_event *)more->arguments)->number = next_number++;
    more->run = add_number;
    more->on_end = on_kept;
    chainsi_store_write(store, more);
}

/* Makes one backup after the other. */
static void back_up_again(chainsi_write *write_, chains_status status, const char *reason)
{
    (void)write_;
    (void)reason;
    if (status != CHAINS_OK)
        _exit(4);
    chainsi_store_back_up(store, back_up_again, NULL);
}

static _Noreturn void write_until_killed(int first)
{
    next_number = first;
    uv_loop_init(&loop);
    chains_status status;
    store = chainsi_store_open(home, state_url(), &loop, &status, why, sizeof why);
    if (!store)
        _exit(2);
    for (int i = 0; i < 20; i++)
        write_on();
    if (!state_url())
        chainsi_store_back_up(store, back_up_again, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    _exit(3);
}

/* Runs a writer until it has acknowledged so many, kills it, and gives how many it had acknowledged:
 * those still in the pipe count. */
static int run_and_kill(int first, int most)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(pipes[0]);
        acknowledged_fd = pipes[1];
        write_until_killed(first);
    }
    close(pipes[1]);
    int number, count = 0;
    while (read(pipes[0], &number, sizeof number) == sizeof number) {
        assert_int_equal(number, first + count);
        if (++count == most)
            kill(child, SIGKILL);
    }
    close(pipes[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return count;
}

/* A backup is whole at any moment; false if there is none yet. */
static bool check_backup(void)
{
    if (access(path_of("state.backup.db"), F_OK) != 0)
        return false;
    chainsi_database *database =
        chainsi_database_open(path_of("state.backup.db"), CHAINSI_DATABASE_READ, why, sizeof why);
    assert_non_null(database);
    assert_int_equal(chainsi_database_check(database), CHAINS_OK);
    chainsi_database_close(database);
    return true;
}

static void keeps_what_was_acknowledged(void **state)
{
    (void)state;
    unsigned seed = 1;
    int first = 0, backups = 0;
    for (int round = 0; round < ROUNDS || (!backups && !state_url()); round++) {
        int most = 1 + rand_r(&seed) % MOST_ACKNOWLEDGED;
        int acknowledged = first + run_and_kill(first, most);
        open_store();
        int64_t kept = count_events();
        assert_true(kept >= acknowledged);
        assert_int_equal(ask("SELECT count(DISTINCT message) FROM events"), kept);
        assert_int_equal(ask("SELECT max(CAST(message AS INTEGER)) FROM events"), kept - 1);
        close_store();
        first = (int)kept;
        backups += check_backup();
    }
}

/* Other programs. */

static void opens_once(void **state)
{
    (void)state;
    chains_status status;
    chainsi_store *first = store;
    assert_null(chainsi_store_open(home, state_url(), NULL, &status, why, sizeof why));
    assert_int_equal(status, CHAINS_UNAVAILABLE);
    assert_non_null(strstr(why, "another process has"));
    pid_t child = fork();
    if (child == 0)
        _exit(chainsi_store_open(home, state_url(), NULL, &status, why, sizeof why) != NULL);
    int end;
    assert_int_equal(waitpid(child, &end, 0), child);
    assert_int_equal(end, 0);
    store = first;
    assert_int_equal(count_events(), 0);
}

/* A start on a full disk needs them: there may be no room to make them then. */
static void leaves_its_log_in_place(void **state)
{
    (void)state;
    OF_FILES_ALONE();
    add_events(1);
    close_store();
    struct stat info;
    assert_int_equal(stat(path_of("state.db-wal"), &info), 0);
    assert_int_equal(info.st_size, 0);
    assert_int_equal(stat(path_of("state.db-shm"), &info), 0);
    assert_true(info.st_size > 0);
    open_store();
    assert_int_equal(count_events(), 1);
}

static void makes_private_files(void **state)
{
    (void)state;
    OF_FILES_ALONE();
    add_events(1);
    const char *names[] = { "state.db", "state.db-wal", "state.db-shm", "state.lock" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct stat info;
        assert_int_equal(stat(path_of(names[i]), &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
    }
}

static void needs_its_folder(void **state)
{
    (void)state;
    assert_true(chainsi_remove_tree(home));
    assert_int_equal(try_open(), CHAINS_UNAVAILABLE);
    assert_non_null(strstr(why, "No such file"));
    assert_int_equal(mkdir(home, 0700), 0);
}

/* Damage. */

/* A state with some content, and a backup of it, closed. */
static void make_state_and_backup(void)
{
    open_store();
    add_events(200);
    close_store();
    chainsi_database *database =
        chainsi_database_open(path_of("state.db"), CHAINSI_DATABASE_READ, why, sizeof why);
    assert_non_null(database);
    assert_int_equal(chainsi_backup_make(database, home), CHAINS_OK);
    chainsi_database_close(database);
}

static void overwrite(const char *name, off_t at, size_t size)
{
    int fd = open(path_of(name), O_WRONLY);
    assert_true(fd >= 0);
    char noise[4096];
    memset(noise, 0xa5, sizeof noise);
    assert_int_equal(pwrite(fd, noise, size, at), size);
    close(fd);
}

/* The command that the message ends with. */
static void follow_advice(void)
{
    const char *command = strstr(why, "run: ");
    assert_non_null(command);
    assert_int_equal(system(command + 5), 0);
}

static void says_what_is_damaged_and_takes_up_the_backup(void **state)
{
    (void)state;
    OF_FILES_ALONE();
    make_state_and_backup();
    struct stat info;
    assert_int_equal(stat(path_of("state.db"), &info), 0);
    size_t size = 0;
    char *good = chainsi_read_file(path_of("state.db"), 1 << 24, &size);
    assert_non_null(good);
    const struct {
        off_t at;
        size_t size;
    } holes[] = {
        { 0, 16 },                  /* the magic number */
        { 16, 84 },                 /* the header */
        { 60, 4 },                  /* the schema's number */
        { 100, 8 },                 /* the head of the schema's tree */
        { 4096, 4096 },             /* a page */
        { 2 * 4096, 8 },            /* the head of a page */
        { info.st_size - 4096, 8 }, /* of the last page */
        { 0, 4096 },                /* the first page */
    };
    for (size_t i = 0; i < sizeof holes / sizeof *holes; i++) {
        overwrite("state.db", holes[i].at, holes[i].size);
        chains_status status = try_open();
        if (status != CHAINS_DATA_LOSS)
            fail_msg("hole %zu at %lld: %s", i, (long long)holes[i].at, chains_status_name(status));
        assert_non_null(strstr(why, "/state.db is damaged"));
        assert_non_null(strstr(why, "/state.backup.db, of 20"));
        assert_true(chainsi_write_file(path_of("state.db"), good, size));
    }
    open_store();
    assert_int_equal(count_events(), 200);
    close_store();

    overwrite("state.db", 0, 4096);
    assert_int_equal(try_open(), CHAINS_DATA_LOSS);
    follow_advice();
    open_store();
    assert_int_equal(count_events(), 200);
    assert_int_equal(access(path_of("damaged/state.db"), F_OK), 0);
    free(good);
}

/* Wherever bytes are wrong: it is refused, or it can be used, and what can't be read is said. */
static void outlives_noise_anywhere(void **state)
{
    (void)state;
    OF_FILES_ALONE();
    make_state_and_backup();
    size_t size = 0;
    char *good = chainsi_read_file(path_of("state.db"), 1 << 24, &size);
    unsigned seed = 3, refused = 0;
    for (size_t at = 0; at < size; at += 1 + (size_t)rand_r(&seed) % 1500) {
        overwrite("state.db", (off_t)at, at + 12 < size ? 12 : size - at);
        chains_status status = try_open();
        assert_true(status == CHAINS_OK || status == CHAINS_DATA_LOSS ||
                    status == CHAINS_FAILED_PRECONDITION);
        refused += status != CHAINS_OK;
        if (status == CHAINS_OK) {
            chainsi_stored_events events;
            status = chainsi_stored_event_list(chainsi_store_reader(store),
                                               &(chainsi_event_filter){ .limit = 1000 }, &arena,
                                               &events);
            assert_true(status == CHAINS_OK || status == CHAINS_DATA_LOSS);
            status = change(add_event, "more");
            assert_true(status == CHAINS_OK || status == CHAINS_DATA_LOSS);
        }
        close_store();
        assert_true(chainsi_write_file(path_of("state.db"), good, size));
        chainsi_arena_reset(&arena);
    }
    assert_true(refused > 5);
    free(good);
    open_store();
    assert_int_equal(count_events(), 200);
}

static void never_begins_anew_by_itself(void **state)
{
    (void)state;
    OF_FILES_ALONE();
    make_state_and_backup();
    const off_t sizes[] = { 0, 1, 100, 4096, 3 * 4096, 4 * 4096 + 1 };
    size_t size = 0;
    char *good = chainsi_read_file(path_of("state.db"), 1 << 24, &size);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_true((size_t)sizes[i] < size);
        assert_int_equal(truncate(path_of("state.db"), sizes[i]), 0);
        assert_int_equal(try_open(), CHAINS_DATA_LOSS);
        assert_true(chainsi_write_file(path_of("state.db"), good, size));
    }
    free(good);
    assert_int_equal(unlink(path_of("state.db")), 0);
    assert_int_equal(try_open(), CHAINS_DATA_LOSS);
    assert_non_null(strstr(why, "state.db is missing; the last good backup is"));
    follow_advice();
    open_store();
    assert_int_equal(count_events(), 200);
}

static void says_that_there_is_no_backup(void **state)
{
    (void)state;
    OF_FILES_ALONE();
    open_store();
    close_store();
    overwrite("state.db", 0, 100);
    assert_int_equal(try_open(), CHAINS_DATA_LOSS);
    assert_non_null(strstr(why, "there is no backup of it"));
    follow_advice();
    open_store();
    assert_int_equal(count_events(), 0);
    assert_int_equal(access(path_of("damaged/state.db"), F_OK), 0);
}

/* Backups. */

static chains_status backup_status;
static int backup_count;

static void on_backup(chainsi_write *write, chains_status status, const char *reason)
{
    (void)write;
    snprintf(why, sizeof why, "%s", reason);
    backup_status = status;
    backup_count++;
}

static void back_up(void)
{
    backup_count = 0;
    chainsi_store_back_up(store, on_backup, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(backup_count, 1);
}

/* The number of events in a backup. */
static int64_t count_in(const char *name)
{
    chainsi_database *database =
        chainsi_database_open(path_of(name), CHAINSI_DATABASE_READ, why, sizeof why);
    assert_non_null(database);
    int64_t count = -1;
    assert_int_equal(chainsi_database_ask(database, "SELECT count(*) FROM events", &count),
                     CHAINS_OK);
    chainsi_database_close(database);
    return count;
}

static void backs_up_while_it_changes(void **state)
{
    (void)state;
    OF_FILES_ALONE();
    add_events(10);
    back_up();
    assert_int_equal(backup_status, CHAINS_OK);
    assert_int_equal(count_in("state.backup.db"), 10);
    assert_int_not_equal(access(path_of("state.backup.db.1"), F_OK), 0);
    add_events(5);
    back_up();
    assert_int_equal(count_in("state.backup.db"), 15);
    assert_int_equal(count_in("state.backup.db.1"), 10);
    add_events(1);
    back_up();
    assert_int_equal(count_in("state.backup.db"), 16);
    assert_int_equal(count_in("state.backup.db.1"), 15);
    struct stat info;
    assert_int_equal(stat(path_of("state.backup.db"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);

    /* One at a time; both ends are told. */
    backup_count = 0;
    chainsi_store_back_up(store, on_backup, NULL);
    chainsi_store_back_up(store, on_backup, NULL);
    add_events(20);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(backup_count, 2);
    int64_t count = count_in("state.backup.db");
    assert_true(count >= 16 && count <= 36);
    const char *left_over[] = { "state.backup.db.new", "state.backup.db.1.new",
                                "state.backup.db-wal", "state.backup.db.new-journal" };
    for (size_t i = 0; i < sizeof left_over / sizeof *left_over; i++)
        assert_int_not_equal(access(path_of(left_over[i]), F_OK), 0);
}

static void keeps_backups_when_one_fails(void **state)
{
    (void)state;
    OF_FILES_ALONE();
    add_events(3);
    back_up();
    /* A folder is in the way. */
    assert_int_equal(mkdir(path_of("state.backup.db.new"), 0700), 0);
    back_up();
    assert_int_equal(backup_status, CHAINS_UNAVAILABLE);
    assert_non_null(strstr(why, "state.backup.db.new"));
    assert_int_equal(count_in("state.backup.db"), 3);
    assert_int_equal(rmdir(path_of("state.backup.db.new")), 0);
    back_up();
    assert_int_equal(backup_status, CHAINS_OK);
}

static void tells_of_a_backup_when_it_closes(void **state)
{
    (void)state;
    OF_FILES_ALONE();
    add_events(100);
    backup_count = 0;
    chainsi_store_back_up(store, on_backup, NULL);
    close_store();
    assert_int_equal(backup_count, 1);
    assert_true(backup_status == CHAINS_OK || backup_status == CHAINS_CANCELLED);
}

/* A full disk. */

static void goes_on_when_there_is_room_again(void **state)
{
    (void)state;
    OF_FILES_ALONE();
    add_events(10);
    int64_t pages = ask("PRAGMA page_count");
    char limit[64], large[32 * 1024];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = 0;
    snprintf(limit, sizeof limit, "PRAGMA max_page_count = %lld", (long long)pages + 2);
    assert_int_equal(change(run_sql, limit), CHAINS_OK);
    assert_int_equal(change(add_event, large), CHAINS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(why, "there is no room left for"));
    assert_non_null(strstr(why, "state.db (database or disk is full)"));
    assert_int_equal(count_events(), 10);
    assert_int_equal(change(add_event, "small"), CHAINS_OK); /* in what room there is */
    assert_int_equal(change(run_sql, "PRAGMA max_page_count = 1000000"), CHAINS_OK);
    assert_int_equal(change(add_event, large), CHAINS_OK);
    assert_int_equal(count_events(), 12);
    close_store();
    open_store(); /* which checks the file */
    assert_int_equal(count_events(), 12);
}

static int full_ends, full_failures;

static void on_full_end(chainsi_write *write, chains_status status, const char *reason)
{
    (void)write;
    (void)reason;
    full_ends++;
    full_failures += status == CHAINS_RESOURCE_EXHAUSTED;
    assert_true(status == CHAINS_OK || status == CHAINS_RESOURCE_EXHAUSTED);
}

/* Of a group in which one finds no room, the others are kept. */
static void fails_only_what_finds_no_room(void **state)
{
    (void)state;
    OF_FILES_ALONE();
    char limit[64];
    snprintf(limit, sizeof limit, "PRAGMA max_page_count = %lld",
             (long long)ask("PRAGMA page_count") + 2);
    assert_int_equal(change(run_sql, limit), CHAINS_OK);
    full_ends = full_failures = 0;
    for (int i = 0; i < 20; i++) {
        size_t size = i % 10 == 5 ? 32 * 1024 : 2;
        chainsi_write *write = chainsi_write_new(size);
        memset(write->arguments, 'x', size - 1);
        write->run = add_event;
        write->on_end = on_full_end;
        chainsi_store_write(store, write);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(full_ends, 20);
    assert_int_equal(full_failures, 2);
    assert_int_equal(count_events(), 18);
}

/* A file system that takes no more bytes, as a process meets it: nothing grows beyond a limit. */
static int fill_up(void)
{
    chains_status status;
    chainsi_store *opened = chainsi_store_open(home, state_url(), NULL, &status, why, sizeof why);
    if (!opened)
        return 1;
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 512 * 1024;
    setrlimit(RLIMIT_FSIZE, &limit);
    char large[16 * 1024];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = 0;
    int kept = 0;
    while ((status = chainsi_store_write_now(opened, add_event, large, why, sizeof why)) ==
           CHAINS_OK)
        kept++;
    if (status != CHAINS_RESOURCE_EXHAUSTED || !strstr(why, "there is no room left"))
        return 2;
    limit.rlim_cur = before;
    setrlimit(RLIMIT_FSIZE, &limit);
    if (chainsi_store_write_now(opened, add_event, large, why, sizeof why) != CHAINS_OK)
        return 3;
    int64_t count = 0;
    if (chainsi_database_ask(chainsi_store_reader(opened), "SELECT count(*) FROM events", &count) !=
            CHAINS_OK ||
        count != kept + 1 || kept == 0)
        return 4;
    chainsi_store_close(opened);
    opened = chainsi_store_open(home, state_url(), NULL, &status, why, sizeof why);
    chainsi_store_close(opened);
    return opened ? 0 : 5;
}

static void outlives_a_full_disk(void **state)
{
    (void)state;
    OF_FILES_ALONE();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(fill_up());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Schemas. */

/* A database that has taken the first `count` steps, open. */
static chainsi_database *make_old_state(int count)
{
    chainsi_database *database =
        chainsi_database_open(path_of("state.db"), CHAINSI_DATABASE_MAKE, why, sizeof why);
    assert_non_null(database);
    assert_int_equal(chainsi_migrate(database, chainsi_migrations, count), CHAINS_OK);
    return database;
}

static void brings_old_states_up_to_date(void **state)
{
    (void)state;
    OF_FILES_ALONE();
    chainsi_database *database = make_old_state(1);
    char message[] = "from before";
    assert_int_equal(add_event(database, message), CHAINS_OK);
    assert_int_equal(chainsi_stored_chain_put(database, "hello", "hello"), CHAINS_OK);
    chainsi_database_close(database);
    open_store();
    assert_int_equal(ask("PRAGMA user_version"), CHAINSI_MIGRATIONS);
    assert_int_equal(count_events(), 1);
    assert_int_equal(ask("SELECT count(*) FROM chains WHERE name = 'hello'"), 1);
    assert_int_equal(ask("SELECT count(*) FROM requests"), 0);
    /* And it was kept as it had been. */
    assert_int_equal(count_in("state.backup.db"), 1);
    database =
        chainsi_database_open(path_of("state.backup.db"), CHAINSI_DATABASE_READ, why, sizeof why);
    int64_t version = 0;
    assert_int_equal(chainsi_database_ask(database, "PRAGMA user_version", &version), CHAINS_OK);
    assert_int_equal(version, 1);
    chainsi_database_close(database);
}

static void refuses_what_is_newer_or_not_its_own(void **state)
{
    (void)state;
    OF_FILES_ALONE();
    chainsi_database *database = make_old_state(CHAINSI_MIGRATIONS);
    assert_int_equal(chainsi_database_run(database, "PRAGMA user_version = 1000"), CHAINS_OK);
    chainsi_database_close(database);
    assert_int_equal(try_open(), CHAINS_FAILED_PRECONDITION);
    assert_non_null(strstr(why, "a newer chainsd has written"));
    assert_non_null(strstr(why, "1000"));
    assert_int_equal(unlink(path_of("state.db")), 0);
    database = chainsi_database_open(path_of("state.db"), CHAINSI_DATABASE_MAKE, why, sizeof why);
    assert_int_equal(chainsi_database_run(database, "CREATE TABLE x (y)"), CHAINS_OK);
    chainsi_database_close(database);
    assert_int_equal(try_open(), CHAINS_FAILED_PRECONDITION);
    assert_non_null(strstr(why, "not one of chainsd's"));
}

/* Of steps that fail, those before them stay, and nothing of themselves. */
static void takes_steps_whole(void **state)
{
    (void)state;
    OF_FILES_ALONE();
    const char *const steps[] = {
        "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1), (2)",
        "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 0; UPDATE a SET y = x * 10",
        "CREATE TABLE b (x); INSERT INTO b SELECT x FROM a; INSERT INTO c VALUES (1)",
    };
    chainsi_database *database =
        chainsi_database_open(path_of("steps.db"), CHAINSI_DATABASE_MAKE, why, sizeof why);
    assert_int_equal(chainsi_migrate(database, steps, 1), CHAINS_OK);
    assert_int_equal(chainsi_migrate(database, steps, 3), CHAINS_INTERNAL);
    assert_string_equal(chainsi_database_why(database), "no such table: c");
    int64_t number = 0;
    assert_int_equal(chainsi_database_ask(database, "PRAGMA user_version", &number), CHAINS_OK);
    assert_int_equal(number, 2);
    assert_int_equal(chainsi_database_ask(database, "SELECT sum(y) FROM a", &number), CHAINS_OK);
    assert_int_equal(number, 30);
    assert_int_equal(chainsi_database_ask(
                         database, "SELECT count(*) FROM sqlite_schema WHERE name = 'b'", &number),
                     CHAINS_OK);
    assert_int_equal(number, 0);
    assert_int_equal(chainsi_migrate(database, steps, 2), CHAINS_OK);
    chainsi_database_close(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_what_was_acknowledged, make_home, remove_home),
        cmocka_unit_test_setup_teardown(opens_once, make_store, remove_home),
        cmocka_unit_test_setup_teardown(leaves_its_log_in_place, make_store, remove_home),
        cmocka_unit_test_setup_teardown(makes_private_files, make_store, remove_home),
        cmocka_unit_test_setup_teardown(needs_its_folder, make_home, remove_home),
        cmocka_unit_test_setup_teardown(says_what_is_damaged_and_takes_up_the_backup, make_home,
                                        remove_home),
        cmocka_unit_test_setup_teardown(outlives_noise_anywhere, make_home, remove_home),
        cmocka_unit_test_setup_teardown(never_begins_anew_by_itself, make_home, remove_home),
        cmocka_unit_test_setup_teardown(says_that_there_is_no_backup, make_home, remove_home),
        cmocka_unit_test_setup_teardown(backs_up_while_it_changes, make_store, remove_home),
        cmocka_unit_test_setup_teardown(keeps_backups_when_one_fails, make_store, remove_home),
        cmocka_unit_test_setup_teardown(tells_of_a_backup_when_it_closes, make_store, remove_home),
        cmocka_unit_test_setup_teardown(goes_on_when_there_is_room_again, make_store, remove_home),
        cmocka_unit_test_setup_teardown(fails_only_what_finds_no_room, make_store, remove_home),
        cmocka_unit_test_setup_teardown(outlives_a_full_disk, make_home, remove_home),
        cmocka_unit_test_setup_teardown(brings_old_states_up_to_date, make_home, remove_home),
        cmocka_unit_test_setup_teardown(refuses_what_is_newer_or_not_its_own, make_home,
                                        remove_home),
        cmocka_unit_test_setup_teardown(takes_steps_whole, make_home, remove_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
