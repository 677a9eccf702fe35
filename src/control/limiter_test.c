/* Groups by the names of processes, on a machine that allows them; else the program exits with 77 and says why. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/home.h"
#include "control/limiter.h"

static const chainsi_cgroup_limits some = { .cpu = 1, .memory_bytes = 64 << 20 };

typedef struct fixture {
    uv_loop_t loop;
    char *home;
    chainsi_limiter *limiter;
} fixture;

static int open_all(void **state)
{
    fixture *it = calloc(1, sizeof *it);
    char pattern[] = "/tmp/chains-limiter-XXXXXX";
    it->home = strdup(mkdtemp(pattern));
    uv_loop_init(&it->loop);
    it->limiter = chainsi_limiter_new(&it->loop, it->home, NULL);
    *state = it;
    return 0;
}

/* Nothing is left, and the home has no record of anything. */
static int close_all(void **state)
{
    fixture *it = *state;
    chainsi_limiter_free(it->limiter);
    uv_run(&it->loop, UV_RUN_DEFAULT);
    bool clean = uv_loop_close(&it->loop) == 0;
    char *record = chainsi_path("%s/cgroups", it->home);
    clean = clean && access(record, F_OK) != 0;
    free(record);
    clean = chainsi_remove_tree(it->home) && clean;
    free(it->home);
    free(it);
    return clean ? 0 : -1;
}

static chainsi_cgroup *make(fixture *it, const char *process)
{
    char why[512] = "";
    chainsi_cgroup *group = chainsi_limiter_make(it->limiter, process, &some, why, sizeof why);
    if (!group)
        fail_msg("%s", why);
    return group;
}

/* A process in the group that stays until it is killed; it ends with the test at the latest. */
static pid_t run_in(const chainsi_cgroup *group)
{
    int fds[CHAINSI_CGROUPS_MOST_TREES], ready[2];
    size_t count = chainsi_cgroup_entries(group, fds);
    assert_true(count > 0);
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (chainsi_cgroup_enter(fds, count) != 0 || write(ready[1], "", 1) != 1)
            _exit(9);
        for (;;)
            pause();
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void wait_for_kill(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void a_group_is_known_by_its_process(void **state)
{
    fixture *it = *state;
    char long_name[400];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    const char *const names[] = { "poem/production/1/phi/0", "poem/production/1/phi/1", long_name };
    pid_t pids[3];
    chainsi_cgroup *groups[3];
    for (size_t i = 0; i < 3; i++) {
        groups[i] = make(it, names[i]);
        pids[i] = run_in(groups[i]);
    }
    /* Another brain finds it, and leaves it to the one that forgets it. */
    chainsi_cgroup *found = chainsi_limiter_adopt(it->limiter, names[1], &some);
    assert_non_null(found);
    chainsi_cgroup_forget(found);
    assert_null(chainsi_limiter_adopt(it->limiter, "poem/production/1/phi/2", &some));
    for (size_t i = 0; i < 3; i++) {
        chainsi_limiter_remove(it->limiter, names[i], groups[i]);
        wait_for_kill(pids[i]);
    }
}

/* What hasn't ended holds up the next start of that name alone, and goes on its own. */
static void a_group_that_is_still_used_goes_later(void **state)
{
    fixture *it = *state;
    char why[512];
    chainsi_cgroup *group = make(it, "a/b/1/c/0");
    pid_t pid = run_in(group);
    chainsi_limiter_remove(it->limiter, "a/b/1/c/0", group); /* killed, and still our child */
    chainsi_limiter_remove(it->limiter, "a/b/1/c/1", make(it, "a/b/1/c/1"));
    wait_for_kill(pid);
    /* Killed and reaped, it leaves its group within moments. */
    while (!(group = chainsi_limiter_make(it->limiter, "a/b/1/c/0", &some, why, sizeof why)))
        assert_string_equal(why, "what the process before it has started hasn't ended yet");
    pid = run_in(group);
    chainsi_limiter_remove(it->limiter, "a/b/1/c/0", group);
    wait_for_kill(pid);
}

static void what_a_limiter_leaves_is_cleared(void **state)
{
    fixture *it = *state;
    chainsi_cgroup *group = make(it, "a/b/1/c/0");
    pid_t pid = run_in(group);
    chainsi_cgroup_forget(group); /* as if this process had been killed */
    chainsi_limiter_free(it->limiter);
    wait_for_kill(pid);
    it->limiter = chainsi_limiter_new(&it->loop, it->home, NULL);
}

static void notes_are_for_who_asks(void **state)
{
    fixture *it = *state;
    chainsi_arena arena = { 0 };
    const char *notes[2];
    const chainsi_cgroup_limits none = { 0 }, much = { .cpu = 5000 };
    assert_int_equal(chainsi_limiter_note(it->limiter, "phi", &none, &arena, notes), 0);
    size_t count = chainsi_limiter_note(it->limiter, "phi", &much, &arena, notes);
    assert_true(count >= 1);
    assert_non_null(strstr(notes[count - 1], "phi: .cpu = 5000 is more than the"));
    chainsi_arena_done(&arena);
}

/* Whether groups can be made here. */
static bool are_allowed(void)
{
    void *state = NULL;
    char why[512] = "";
    open_all(&state);
    fixture *it = state;
    chainsi_cgroup *group = chainsi_limiter_make(it->limiter, "try/it", &some, why, sizeof why);
    int fds[CHAINSI_CGROUPS_MOST_TREES];
    bool allowed = group && chainsi_cgroup_entries(group, fds) > 0;
    if (!allowed)
        printf("no group can be made here: %s\n", why);
    chainsi_limiter_remove(it->limiter, "try/it", group);
    close_all(&state);
    return allowed;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_group_is_known_by_its_process, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_group_that_is_still_used_goes_later, open_all, close_all),
        cmocka_unit_test_setup_teardown(what_a_limiter_leaves_is_cleared, open_all, close_all),
        cmocka_unit_test_setup_teardown(notes_are_for_who_asks, open_all, close_all),
    };
    return are_allowed() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
