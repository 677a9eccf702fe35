/* Starting processes: what they find, and the groups that they begin in. A v2 tree is used where there is one that may be
 * written; a v1 group is a file that takes a 0. */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/cgroup.h"
#include "control/home.h"
#include "control/process.h"

static const char *const nothing[] = { NULL };

/* What `program` writes, run with these groups; "" and errno in *error if it can't be. */
static void run(const char *program, const char *const *environment, const int *groups,
                size_t group_count, char *said, size_t size, int *error)
{
    int output[2], status;
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    pid_t pid = chainsi_process_run(&(chainsi_process_start){
        .program = program,
        .directory = "/proc/self",
        .environment = environment,
        .output_fd = output[1],
        .group_fds = groups,
        .group_fd_count = group_count,
    });
    *error = pid < 0 ? errno : 0;
    close(output[1]);
    size_t used = 0;
    ssize_t got;
    while (pid > 0 && (got = read(output[0], said + used, size - 1 - used)) > 0)
        used += (size_t)got;
    said[used] = 0;
    close(output[0]);
    if (pid > 0) {
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

static void a_process_finds_its_environment(void **state)
{
    (void)state;
    static const char *const environment[] = { "COLOUR=blue", NULL };
    char said[16384];
    int error;
    run("/usr/bin/env", environment, NULL, 0, said, sizeof said, &error);
    assert_int_equal(error, 0);
    assert_non_null(strstr(said, "COLOUR=blue\n"));
    assert_non_null(strstr(said, "LISTEN_FDS=0\n"));
}

static void what_cannot_be_run_is_told(void **state)
{
    (void)state;
    char said[256];
    int error;
    run("/nowhere", nothing, NULL, 0, said, sizeof said, &error);
    assert_int_equal(error, ENOENT);
    int refusing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    run("/bin/true", nothing, &refusing, 1, said, sizeof said, &error);
    assert_int_equal(error, EBADF);
    close(refusing);
}

static void a_v1_group_is_entered_by_a_file(void **state)
{
    (void)state;
    char said[256], text[2];
    int error, entry = memfd_create("tasks", MFD_CLOEXEC);
    run("/bin/true", nothing, &entry, 1, said, sizeof said, &error);
    assert_int_equal(error, 0);
    assert_int_equal(pread(entry, text, sizeof text, 0), 1);
    assert_int_equal(text[0], '0');
    close(entry);
}

static void a_process_begins_in_its_v2_group(void **state)
{
    (void)state;
    chainsi_cgroup_layout layout;
    chainsi_cgroup_layout_read(&layout);
    const chainsi_cgroup_place *place = &layout.places[CHAINSI_CGROUP_UNIFIED];
    char *folder =
        chainsi_path("%s/chains-process-test-%d", place->path ? place->path : "", (int)getpid());
    bool made = place->reach == CHAINSI_CGROUP_REACHED && mkdir(folder, 0755) == 0;
    chainsi_cgroup_layout_done(&layout);
    if (!made) {
        free(folder);
        print_message("no group can be made in a v2 tree here\n");
        skip();
    }
    char said[8192], *script = chainsi_path("/tmp/chains-process-test-%d", (int)getpid());
    static const char text[] = "#!/bin/cat /proc/self/cgroup\n";
    assert_true(chainsi_write_file(script, text, sizeof text - 1));
    assert_int_equal(chmod(script, 0700), 0);
    int error, entries[2] = { memfd_create("tasks", MFD_CLOEXEC),
                              open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
    run(script, nothing, entries, 2, said, sizeof said, &error);
    assert_int_equal(error, 0);
    assert_non_null(strstr(said, strrchr(folder, '/')));
    assert_int_equal(pread(entries[0], said, 2, 0), 1); /* and in the other one, too */
    /* A group that is gone refuses. */
    assert_int_equal(rmdir(folder), 0);
    run("/bin/true", nothing, entries, 2, said, sizeof said, &error);
    assert_int_not_equal(error, 0);
    close(entries[0]);
    close(entries[1]);
    unlink(script);
    free(script);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_finds_its_environment),
        cmocka_unit_test(what_cannot_be_run_is_told),
        cmocka_unit_test(a_v1_group_is_entered_by_a_file),
        cmocka_unit_test(a_process_begins_in_its_v2_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
