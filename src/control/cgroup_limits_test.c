/* Limits that the kernel enforces, on real processes. Where the machine allows none, the program exits
 * with 77, and says why. The home is a folder in the build, the same each time: so a run that was
 * killed is cleared by the next one. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "control/cgroup.h"
#include "control/home.h"

#define HOME CHAINS_BINARY_DIR "/cgroup_limits_test.home"

enum { MIB = 1 << 20, WAIT_MS = 60 * 1000, NOBODY = 65534 };

static chainsi_cgroup_layout layout;
static chainsi_cgroups *cgroups;

/* Asks again until it is true; false when that takes too long. */
static bool comes_true(bool (*is_true)(void *), void *user)
{
    int64_t end_ns = chainsi_now_ns() + WAIT_MS * CHAINSI_NS_PER_MS;
    while (!is_true(user)) {
        if (chainsi_now_ns() > end_ns)
            return false;
        nanosleep(&(struct timespec){ .tv_nsec = CHAINSI_NS_PER_MS }, NULL);
    }
    return true;
}

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

/* Touches so many bytes, whatever the sanitizers think of memory. */
static void use_memory(size_t bytes)
{
    volatile char *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        _exit(99);
    for (size_t at = 0; at < bytes; at += 4096)
        memory[at] = 1;
}

/* Runs a function in a process of the group. It ends with the test, at the latest. */
static pid_t run_in(const chainsi_cgroup *group, void (*function)(int fd), int fd)
{
    int fds[CHAINSI_CGROUPS_MOST_TREES];
    size_t count = chainsi_cgroup_entries(group, fds);
    assert_true(count > 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (chainsi_cgroup_enter(fds, count) != 0)
        _exit(98);
    function(fd);
    _exit(0);
}

static int wait_for(pid_t pid)
{
    int status;
    pid_t ended;
    do {
        ended = waitpid(pid, &status, 0);
    } while (ended < 0 && errno == EINTR);
    assert_int_equal(ended, pid);
    return status;
}

static chainsi_cgroup *make(const char *name, chainsi_cgroup_limits limits)
{
    char why[512] = "";
    chainsi_cgroup *group = chainsi_cgroup_make(cgroups, name, &limits, why, sizeof why);
    if (!group)
        fail_msg("%s", why);
    return group;
}

static void need_memory(void)
{
    if (chainsi_cgroups_no_memory(cgroups)) {
        print_message("%s\n", chainsi_cgroups_no_memory(cgroups));
        skip();
    }
}

static bool is_removed(void *user)
{
    return chainsi_cgroup_remove(user);
}

static unsigned version_of(unsigned use)
{
    for (size_t i = 0; i < cgroups->tree_count; i++)
        if (cgroups->trees[i].uses & use)
            return (unsigned)cgroups->trees[i].version;
    return 0;
}

static void go_beyond(int fd)
{
    (void)fd;
    use_memory(256 * MIB);
}

static void kills_what_exceeds_its_memory(void **state)
{
    (void)state;
    need_memory();
    chainsi_cgroup *group = make("memory", (chainsi_cgroup_limits){ .memory_bytes = 64 * MIB });
    int status = wait_for(run_in(group, go_beyond, -1));
    char text[128];
    chainsi_cgroup_end end = chainsi_cgroup_explain_end(group, status, text, sizeof text);
    print_message("%s\n", text);
    assert_int_equal(end, CHAINSI_ENDED_BY_LIMIT);
    static const char said[] = "killed: exceeded its memory limit of 64 MiB";
    assert_memory_equal(text, said, sizeof said - 1);
    chainsi_cgroup_usage usage;
    chainsi_cgroup_read_usage(group, &usage);
    assert_true(usage.memory_peak_bytes == -1 ||
                (usage.memory_peak_bytes > 60 * MIB && usage.memory_peak_bytes <= 64 * MIB));
    assert_true(comes_true(is_removed, group));
}

static void stay_within(int fd)
{
    use_memory(32 * MIB);
    char byte = 1;
    if (write(fd, &byte, 1) == 1)
        pause();
}

static void tells_another_kill_from_it(void **state)
{
    (void)state;
    need_memory();
    chainsi_cgroup *group = make("other", (chainsi_cgroup_limits){ .memory_bytes = 128 * MIB });
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = run_in(group, stay_within, ends[1]);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    chainsi_cgroup_usage usage;
    chainsi_cgroup_read_usage(group, &usage);
    assert_true(usage.memory_bytes >= 32 * MIB);
    assert_true(usage.memory_bytes <= 128 * MIB);
    chainsi_cgroup_kill(group);
    int status = wait_for(pid);
    char text[128];
    assert_int_equal(chainsi_cgroup_explain_end(group, status, text, sizeof text),
                     CHAINSI_ENDED_OTHERWISE);
    assert_string_equal(text, "killed by signal 9 (Killed)");
    assert_true(comes_true(is_removed, group));
    close(ends[0]);
    close(ends[1]);
}

static void have_a_helper_go_beyond(int fd)
{
    (void)fd;
    pid_t pid = fork();
    if (pid == 0) {
        use_memory(256 * MIB);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    _exit(WIFSIGNALED(status) ? 7 : 0);
}

static void reports_a_killed_helper(void **state)
{
    (void)state;
    need_memory();
    chainsi_cgroup *group = make("helper", (chainsi_cgroup_limits){ .memory_bytes = 64 * MIB });
    int status = wait_for(run_in(group, have_a_helper_go_beyond, -1));
    char text[256];
    chainsi_cgroup_end end = chainsi_cgroup_explain_end(group, status, text, sizeof text);
    if (version_of(CHAINSI_CGROUP_LIMITS_MEMORY) == 2) { /* there the whole group goes */
        assert_int_equal(end, CHAINSI_ENDED_BY_LIMIT);
    } else {
        static const char said[] = "exit status 7; before, a process that it had started was "
                                   "killed: exceeded its memory limit of 64 MiB";
        assert_int_equal(end, CHAINSI_ENDED_OTHERWISE);
        assert_memory_equal(text, said, sizeof said - 1);
    }
    assert_true(comes_true(is_removed, group));
}

static void burn(int fd)
{
    (void)fd;
    for (volatile uint64_t i = 0;; i++)
        ;
}

static bool is_throttled_often(void *user)
{
    chainsi_cgroup_usage usage;
    chainsi_cgroup_read_usage(user, &usage);
    return usage.throttled_periods >= 5;
}

static void gives_a_share_of_the_cpu(void **state)
{
    (void)state;
    if (chainsi_cgroups_no_cpu(cgroups)) {
        print_message("%s\n", chainsi_cgroups_no_cpu(cgroups));
        skip();
    }
    chainsi_cgroup *group = make("cpu", (chainsi_cgroup_limits){ .cpu = 0.2 });
    pid_t pid = run_in(group, burn, -1);
    bool throttled = comes_true(is_throttled_often, group);
    kill(pid, SIGKILL);
    wait_for(pid);
    chainsi_cgroup_usage usage;
    chainsi_cgroup_read_usage(group, &usage);
    print_message("%.1f ms of CPU time in %ld periods, throttled in %ld of them for %.1f ms\n",
                  (double)usage.cpu_ns / 1e6, (long)usage.periods, (long)usage.throttled_periods,
                  (double)usage.throttled_ns / 1e6);
    assert_true(throttled);
    assert_true(usage.throttled_ns > 0);
    assert_true(usage.throttled_periods <= usage.periods);
    if (usage.cpu_ns >= 0) {
        /* Whole periods' shares, by the kernel's own count: 20 ms for each in which it was held
         * back (but for the first, perhaps, and a slice lent to another CPU), and in no period much
         * more. */
        int64_t share_ns = 20 * CHAINSI_NS_PER_MS;
        assert_true(usage.cpu_ns >= (usage.throttled_periods - 1) * share_ns / 2);
        assert_true(usage.cpu_ns <= (usage.periods + 2) * share_ns * 2);
    }
    assert_true(comes_true(is_removed, group));
}

static void wait_here(int fd)
{
    char byte = 1;
    prctl(PR_SET_PDEATHSIG, 0); /* this is what outlives a daemon */
    if (write(fd, &byte, 1) == 1)
        pause();
}

/* The widest limits and the narrowest are numbers that the kernel takes. */
static void takes_every_limit(void **state)
{
    (void)state;
    static const chainsi_cgroup_limits all[] = { { 1e300, UINT64_MAX },
                                                 { 1e-9, 1 },
                                                 { 0.0099, 1 << 20 } };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        chainsi_cgroup *group = make("every", all[i]);
        assert_true(comes_true(is_removed, group));
    }
}

static void leave_another_behind(int fd)
{
    pid_t pid = fork();
    if (pid == 0) {
        char byte = 1;
        if (write(fd, &byte, 1) == 1)
            pause();
    }
}

/* A process that outlives the one that started it is ended with the group. */
static void ends_what_is_left(void **state)
{
    (void)state;
    chainsi_cgroup *group = make("left", (chainsi_cgroup_limits){ 0 });
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = run_in(group, leave_another_behind, ends[1]);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(wait_for(pid), 0);
    close(ends[1]);
    assert_true(comes_true(is_removed, group));
    assert_int_equal(read(ends[0], &byte, 1), 0); /* it has ended */
    close(ends[0]);
}

static bool is_made_again(void *user)
{
    char why[512];
    chainsi_cgroup **group = user;
    *group = chainsi_cgroup_make(cgroups, "again", &(chainsi_cgroup_limits){ 0 }, why, sizeof why);
    return *group != NULL;
}

/* The group of a name is a new one each time: what was forgotten in the last one is ended first. */
static void takes_the_place_of_the_last(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    chainsi_cgroup *group = make("again", (chainsi_cgroup_limits){ 0 });
    pid_t pid = run_in(group, wait_here, ends[1]);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    chainsi_cgroup_forget(group);
    assert_true(comes_true(is_made_again, &group));
    assert_int_equal(wait_for(pid), SIGKILL);
    assert_true(comes_true(is_removed, group));
    close(ends[0]);
    close(ends[1]);
}

static void is_adopted(void **state)
{
    (void)state;
    chainsi_cgroup_limits limits = { .memory_bytes = cgroups->no_memory ? 0 : 64 * MIB };
    assert_null(chainsi_cgroup_adopt(cgroups, "adopted", &limits));
    chainsi_cgroup_forget(make("adopted", limits));
    chainsi_cgroup *group = chainsi_cgroup_adopt(cgroups, "adopted", &limits);
    assert_non_null(group);
    if (!cgroups->no_memory) {
        char text[128];
        int status = wait_for(run_in(group, go_beyond, -1));
        assert_int_equal(chainsi_cgroup_explain_end(group, status, text, sizeof text),
                         CHAINSI_ENDED_BY_LIMIT);
    }
    assert_true(comes_true(is_removed, group));
    assert_null(chainsi_cgroup_adopt(cgroups, "adopted", &limits));
}

static bool is_kept(const char *name, void *user)
{
    return !strcmp(name, user);
}

/* A daemon that is killed leaves groups with processes in them; the next one ends them, but for what
 * it takes over. */
static void clears_what_a_killed_daemon_left(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t daemon = fork();
    assert_true(daemon >= 0);
    if (daemon == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run_in(make("mine", (chainsi_cgroup_limits){ 0 }), wait_here, ends[1]);
        run_in(make("yours", (chainsi_cgroup_limits){ 0 }), wait_here, ends[1]);
        pause();
    }
    char bytes[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(read(ends[0], bytes + i, 1), 1);
    kill(daemon, SIGKILL);
    wait_for(daemon);
    chainsi_cgroups *next = chainsi_cgroups_open(&layout, HOME);
    assert_true(chainsi_cgroups_clear(next, is_kept, "mine"));
    assert_null(chainsi_cgroup_adopt(next, "yours", &(chainsi_cgroup_limits){ 0 }));
    chainsi_cgroup *mine = chainsi_cgroup_adopt(next, "mine", &(chainsi_cgroup_limits){ 0 });
    assert_non_null(mine);
    chainsi_cgroup_forget(mine);
    /* With groups in it, closing leaves the folder and the record of it. */
    chainsi_cgroups_close(next);
    assert_true(exists(cgroups->record));
    assert_true(exists(cgroups->trees[0].folder));
    assert_true(chainsi_cgroups_clear(cgroups, NULL, NULL));
    assert_null(chainsi_cgroup_adopt(cgroups, "mine", &(chainsi_cgroup_limits){ 0 }));
    close(ends[1]);
    assert_int_equal(read(ends[0], bytes, 1), 0); /* both have ended */
    close(ends[0]);
}

/* Started in another group, a daemon still finds what the one before left. */
static void clears_what_is_elsewhere(void **state)
{
    (void)state;
    const chainsi_cgroup_place *place = &layout.places[CHAINSI_CGROUP_MEMORY];
    if (place->reach != CHAINSI_CGROUP_REACHED)
        place = &layout.places[CHAINSI_CGROUP_CPU];
    if (place->reach != CHAINSI_CGROUP_REACHED)
        skip(); /* in a v2 tree, a group above another's folder can't be made by a process in it */
    chainsi_cgroup_layout other = { 0 };
    chainsi_cgroup_tree tree = (chainsi_cgroup_tree)(place - layout.places);
    char *elsewhere = chainsi_path("%s/elsewhere-%s", place->path, cgroups->name);
    assert_true(mkdir(elsewhere, 0755) == 0 || errno == EEXIST);
    other.places[tree] = (chainsi_cgroup_place){ CHAINSI_CGROUP_REACHED, elsewhere };
    chainsi_cgroups *before = chainsi_cgroups_open(&other, HOME);
    char why[512];
    chainsi_cgroup *group =
        chainsi_cgroup_make(before, "far", &(chainsi_cgroup_limits){ 0 }, why, sizeof why);
    assert_non_null(group);
    char *folder = chainsi_path("%s/%s", elsewhere, before->name);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = run_in(group, wait_here, ends[1]);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    chainsi_cgroup_forget(group);
    chainsi_cgroups_close(before);
    assert_true(exists(folder));

    chainsi_cgroups *after = chainsi_cgroups_open(&layout, HOME);
    assert_true(chainsi_cgroups_clear(after, NULL, NULL));
    assert_int_equal(wait_for(pid), SIGKILL);
    close(ends[0]);
    close(ends[1]);
    assert_false(exists(folder));
    chainsi_cgroups_close(after);
    assert_int_equal(rmdir(elsewhere), 0);
    free(folder);
    free(elsewhere);
    /* Closing removed the folders that are this test's, too. */
    chainsi_cgroups_close(cgroups);
    cgroups = chainsi_cgroups_open(&layout, HOME);
}

/* A user who may not make groups gets a reason, and all the rest works. */
static void is_refused_without_the_right(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
            _exit(97);
        chainsi_cgroups *refused = chainsi_cgroups_open(&layout, "/somebody's/home");
        const char *no_cpu = chainsi_cgroups_no_cpu(refused);
        const char *no_memory = chainsi_cgroups_no_memory(refused);
        bool right =
            (cgroups->no_cpu || (no_cpu && strstr(no_cpu, "Permission denied"))) &&
            (cgroups->no_memory || (no_memory && strstr(no_memory, "Permission denied"))) &&
            !refused->tree_count && chainsi_cgroups_clear(refused, NULL, NULL);
        chainsi_cgroups_close(refused);
        _exit(right ? 0 : 1);
    }
    assert_int_equal(wait_for(pid), 0);
}

static int open_all(void **state)
{
    (void)state;
    if (!chainsi_make_folders(HOME))
        return -1;
    cgroups = chainsi_cgroups_open(&layout, HOME);
    return chainsi_cgroups_clear(cgroups, NULL, NULL) ? 0 : -1;
}

/* Nothing stays behind: neither group nor folder nor record. */
static int close_all(void **state)
{
    (void)state;
    if (!cgroups)
        return -1;
    bool empty = chainsi_cgroups_clear(cgroups, NULL, NULL);
    char *folders[CHAINSI_CGROUPS_MOST_TREES] = { NULL };
    for (size_t i = 0; i < cgroups->tree_count; i++)
        folders[i] = strdup(cgroups->trees[i].folder);
    chainsi_cgroups_close(cgroups);
    for (size_t i = 0; i < CHAINSI_CGROUPS_MOST_TREES; i++) {
        empty = empty && (!folders[i] || !exists(folders[i]));
        free(folders[i]);
    }
    empty = empty && !exists(HOME "/cgroups");
    return chainsi_remove_tree(HOME) && empty ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kills_what_exceeds_its_memory),
        cmocka_unit_test(tells_another_kill_from_it),
        cmocka_unit_test(reports_a_killed_helper),
        cmocka_unit_test(gives_a_share_of_the_cpu),
        cmocka_unit_test(takes_every_limit),
        cmocka_unit_test(ends_what_is_left),
        cmocka_unit_test(takes_the_place_of_the_last),
        cmocka_unit_test(is_adopted),
        cmocka_unit_test(clears_what_a_killed_daemon_left),
        cmocka_unit_test(clears_what_is_elsewhere),
        cmocka_unit_test(is_refused_without_the_right),
    };
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    chainsi_cgroup_layout_read(&layout);
    void *state = NULL;
    if (open_all(&state) == 0 && !cgroups->tree_count) {
        char note[2048];
        chainsi_cgroups_note(cgroups, "SKIP", true, true, note, sizeof note);
        puts(note);
        close_all(&state);
        chainsi_cgroup_layout_done(&layout);
        return 77;
    }
    chainsi_cgroups_close(cgroups);
    int failed = cmocka_run_group_tests(tests, open_all, close_all);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    chainsi_cgroup_layout_done(&layout);
    return failed;
}
