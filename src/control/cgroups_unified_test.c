/* The daemon's folder in a real v2 tree, with any controller that the tree has: on a hybrid machine
 * that may be one that limits nothing here. Each test runs in a process, in a group that is made for
 * it. Where no such group can be made, the program exits with 77, and says why. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "control/cgroups.h"
#include "control/home.h"
#include "control/kernel_file.h"

enum { WAIT_MS = 60 * 1000, NOBODY = 65534 };

static char controller[64]; /* the one that is used */
static char *group;         /* that the test's process is in */

/* In a test's process, where cmocka isn't. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not %s\n", __FILE__, __LINE__, #condition);                    \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static bool file_has(const char *folder, const char *file, const char *word)
{
    char *text = chainsi_kernel_file_read(folder, file);
    bool has = false;
    for (char *rest = text, *part; text && (part = strsep(&rest, " \n"));)
        has = has || !strcmp(part, word);
    free(text);
    return has;
}

static bool is_member(const char *folder, pid_t pid)
{
    char text[32];
    snprintf(text, sizeof text, "%d", (int)pid);
    return file_has(folder, "cgroup.procs", text);
}

static char *open_in(const char *path, const char *const *names, char **whys)
{
    chainsi_cgroup_place place = { CHAINSI_CGROUP_REACHED, (char *)path };
    return chainsi_cgroups_open_unified(&place, "chains-x", names, whys);
}

static void move_down_alone(void)
{
    const char *const names[] = { controller, NULL };
    char *whys[1];
    char *leaf = chainsi_path("%s/chainsd", group);
    char *expected = chainsi_path("%s/chains-x", group);
    char *folder = open_in(group, names, whys);
    CHECK(folder && !strcmp(folder, expected));
    CHECK(!whys[0]);
    CHECK(!is_member(group, getpid()));
    CHECK(is_member(leaf, getpid()));
    CHECK(file_has(folder, "cgroup.subtree_control", controller));
    /* The next one is started where this one has moved to, and finds the same folder. */
    char *again = open_in(leaf, names, whys);
    CHECK(again && !strcmp(again, expected));
    CHECK(is_member(leaf, getpid()));
    free(again);
    free(folder);
    free(expected);
    free(leaf);
}

static void use_what_there_is(void)
{
    const char *const names[] = { "there_is_none", controller, NULL };
    char *whys[2];
    char *folder = open_in(group, names, whys);
    CHECK(folder);
    CHECK(whys[0] && strstr(whys[0], "doesn't have the controller there_is_none"));
    CHECK(!whys[1]);
    free(whys[0]);
    free(folder);
}

static void leave_others_alone(void)
{
    const char *const names[] = { controller, NULL };
    char *whys[1];
    int ends[2], started[2];
    CHECK(pipe(ends) == 0 && pipe2(started, O_CLOEXEC) == 0);
    pid_t other = fork();
    CHECK(other >= 0);
    if (other == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[0], STDIN_FILENO);
        close(ends[1]);
        execlp("cat", "cat", NULL);
        _exit(1);
    }
    /* It runs another program as soon as exec has closed its end. */
    char byte;
    close(started[1]);
    CHECK(read(started[0], &byte, 1) == 0);
    char *leaf = chainsi_path("%s/chainsd", group);
    CHECK(!open_in(group, names, whys));
    CHECK(whys[0] && strstr(whys[0], "other processes are in the daemon's cgroup"));
    CHECK(strstr(whys[0], "Delegate=yes"));
    free(whys[0]);
    CHECK(is_member(group, getpid()) && is_member(group, other));
    CHECK(access(leaf, F_OK) != 0);
    free(leaf);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
}

static void do_without_the_right(void)
{
    const char *const names[] = { controller, NULL };
    char *whys[1];
    CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    CHECK(!open_in(group, names, whys));
    CHECK(whys[0] && strstr(whys[0], "Permission denied"));
    free(whys[0]);
    CHECK(is_member(group, getpid()));
}

/* A group that was given to the user: what a service manager does. */
static void use_what_is_delegated(void)
{
    static const char *const files[] = { ".", "cgroup.procs", "cgroup.subtree_control" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = chainsi_path("%s/%s", group, files[i]);
        CHECK(chown(path, NOBODY, NOBODY) == 0);
        free(path);
    }
    CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    /* What /proc tells of a process that has changed its user is root's. */
    CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
    move_down_alone();
}

/* Its processes have been killed, or have ended. */
static bool remove_group(void)
{
    int64_t end_ns = chainsi_now_ns() + WAIT_MS * CHAINSI_NS_PER_MS;
    while (!chainsi_cgroup_remove_folder(group) && chainsi_now_ns() < end_ns)
        nanosleep(&(struct timespec){ .tv_nsec = CHAINSI_NS_PER_MS }, NULL);
    return access(group, F_OK) != 0;
}

/* Runs the test in a process in a group of its own, and removes that. */
static void run(void (*test)(void))
{
    assert_int_equal(mkdir(group, 0755), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        CHECK(chainsi_kernel_file_write(group, "cgroup.procs", "0") == 0);
        test();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(remove_group());
    assert_int_equal(status, 0);
}

static void moves_down_alone(void **state)
{
    (void)state;
    run(move_down_alone);
}

static void uses_what_there_is(void **state)
{
    (void)state;
    run(use_what_there_is);
}

static void leaves_others_alone(void **state)
{
    (void)state;
    run(leave_others_alone);
}

static void does_without_the_right(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    run(do_without_the_right);
}

static void uses_what_is_delegated(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    run(use_what_is_delegated);
}

/* Picks a controller, and sees that the groups below own have it. handed_down: by this function. */
static bool prepare(const char *own, bool *handed_down)
{
    char *text = chainsi_kernel_file_read(own, "cgroup.controllers");
    snprintf(controller, sizeof controller, "%.*s", text ? (int)strcspn(text, " \n") : 0,
             text ? text : "");
    free(text);
    *handed_down = false;
    if (!controller[0] || file_has(own, "cgroup.subtree_control", controller))
        return controller[0] != 0;
    char plus[sizeof controller + 1];
    snprintf(plus, sizeof plus, "+%s", controller);
    *handed_down = chainsi_kernel_file_write(own, "cgroup.subtree_control", plus) == 0;
    return *handed_down;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_down_alone),       cmocka_unit_test(uses_what_there_is),
        cmocka_unit_test(leaves_others_alone),    cmocka_unit_test(does_without_the_right),
        cmocka_unit_test(uses_what_is_delegated),
    };
    chainsi_cgroup_layout layout;
    chainsi_cgroup_layout_read(&layout);
    const chainsi_cgroup_place *place = &layout.places[CHAINSI_CGROUP_UNIFIED];
    bool handed_down = false;
    int result = 77;
    if (place->reach != CHAINSI_CGROUP_REACHED || access(place->path, W_OK) != 0) {
        printf("SKIP: there is no v2 tree that may be written to\n");
    } else if (!prepare(place->path, &handed_down)) {
        printf("SKIP: %s can't hand a controller down\n", place->path);
    } else {
        /* The same for each run in this build, so that one that was killed is cleared. */
        struct stat info = { 0 };
        stat(CHAINS_BINARY_DIR, &info);
        group = chainsi_path("%s/chains-test-%lx", place->path, (unsigned long)info.st_ino);
        chainsi_cgroup_kill_all(group, 2);
        remove_group();
        result = cmocka_run_group_tests(tests, NULL, NULL);
        free(group);
    }
    if (handed_down) {
        char minus[sizeof controller + 1];
        snprintf(minus, sizeof minus, "-%s", controller);
        chainsi_kernel_file_write(place->path, "cgroup.subtree_control", minus);
    }
    chainsi_cgroup_layout_done(&layout);
    return result;
}
