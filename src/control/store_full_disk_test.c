/* The store on a file system that is really full: a small one of this process's own. Exits with 77 where
 * the system gives no such thing. */
#include "store_test_support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "control/store_history.h"

enum { SKIPPED = 77, LARGE = 20000 };

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return written;
}

/* A view of the file systems of our own, as who may mount something in it. */
static bool leave_the_others(void)
{
    char users[64], groups[64];
    snprintf(users, sizeof users, "0 %u 1", (unsigned)getuid());
    snprintf(groups, sizeof groups, "0 %u 1", (unsigned)getgid());
    bool left =
        unshare(CLONE_NEWNS) == 0 ||
        (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_text("/proc/self/setgroups", "deny") &&
         write_text("/proc/self/uid_map", users) && write_text("/proc/self/gid_map", groups));
    /* What is mounted from now on is seen by nobody else. */
    return left && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static int make_small_home(void **state)
{
    return make_home(state) == 0 && mount("none", home, "tmpfs", 0, "size=2m,mode=700") == 0 ? 0
                                                                                             : -1;
}

static int remove_small_home(void **state)
{
    close_store();
    return umount(home) == 0 ? remove_home(state) : -1;
}

static chains_status add_event(chainsi_database *database, void *message)
{
    return chainsi_stored_event_add(database,
                                    &(chainsi_stored_event){ .kind = "test", .message = message });
}

static int64_t count_events(void)
{
    return ask("SELECT count(*) FROM events");
}

/* Takes all the room that is left. */
static void fill(void)
{
    char *path = chainsi_path("%s/filler", home);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    static const char block[4096] = { 1 };
    while (write(fd, block, sizeof block) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    close(fd);
    free(path);
}

static void make_room(void)
{
    char *path = chainsi_path("%s/filler", home);
    assert_int_equal(unlink(path), 0);
    free(path);
}

static char large[LARGE];

/* Adds events until there is no room. */
static int64_t add_until_full(void)
{
    int64_t added = 0;
    while (change(add_event, large) == CHAINS_OK)
        added++;
    assert_non_null(strstr(why, "there is no room left for"));
    return added;
}

static chains_status backup_status;

static void on_backup(chainsi_write *write, chains_status status, const char *reason)
{
    (void)write;
    backup_status = status;
    snprintf(why, sizeof why, "%s", reason);
}

static void back_up(void)
{
    chainsi_store_back_up(store, on_backup, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void refuses_and_goes_on(void **state)
{
    (void)state;
    open_store();
    for (int i = 0; i < 5; i++)
        assert_int_equal(change(add_event, large), CHAINS_OK);
    back_up();
    assert_int_equal(backup_status, CHAINS_OK);
    fill();
    int64_t count = 5 + add_until_full(); /* what the log has room for */
    assert_int_equal(count_events(), count);
    back_up();
    assert_int_equal(backup_status, CHAINS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(why, "state.backup.db.new"));
    make_room();
    assert_int_equal(change(add_event, large), CHAINS_OK);
    back_up();
    assert_int_equal(backup_status, CHAINS_OK);
    close_store();
    open_store();
    assert_int_equal(count_events(), count + 1);
}

static void starts_on_a_full_disk(void **state)
{
    (void)state;
    open_store();
    assert_int_equal(change(add_event, large), CHAINS_OK);
    close_store();
    fill();
    open_store();
    assert_int_equal(count_events(), 1);
    int64_t count = 1 + add_until_full();
    close_store();
    open_store();
    assert_int_equal(count_events(), count);
    make_room();
    assert_int_equal(change(add_event, large), CHAINS_OK);
}

static void starts_after_a_kill_on_a_full_disk(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        open_store();
        for (int i = 0; i < 3; i++)
            if (change(add_event, large) != CHAINS_OK)
                _exit(1);
        fill();
        _exit(0); /* as a kill: nothing is closed */
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    open_store();
    assert_int_equal(count_events(), 3);
    make_room();
    assert_int_equal(change(add_event, large), CHAINS_OK);
}

static void begins_nothing_without_room(void **state)
{
    (void)state;
    fill();
    assert_int_equal(try_open(), CHAINS_RESOURCE_EXHAUSTED);
    make_room();
    open_store();
    assert_int_equal(change(add_event, large), CHAINS_OK);
}

int main(void)
{
    if (!leave_the_others())
        return SKIPPED;
    memset(large, 'x', sizeof large - 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refuses_and_goes_on, make_small_home, remove_small_home),
        cmocka_unit_test_setup_teardown(starts_on_a_full_disk, make_small_home, remove_small_home),
        cmocka_unit_test_setup_teardown(starts_after_a_kill_on_a_full_disk, make_small_home,
                                        remove_small_home),
        cmocka_unit_test_setup_teardown(begins_nothing_without_room, make_small_home,
                                        remove_small_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
