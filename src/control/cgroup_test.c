/* What of limits needs no cgroups: quotas, sizes, judgements, refusals and the notes of them. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/cgroup.h"
#include "control/folder_test_support.h"
#include "control/home.h"

static void turns_cores_into_quotas(void **state)
{
    (void)state;
    static const struct {
        double cpu;
        int64_t quota_us, period_us;
    } cases[] = {
        { 1, 100000, 100000 },
        { 0.2, 20000, 100000 },
        { 2.5, 250000, 100000 },
        { 0.01, 1000, 100000 },
        /* Below the smallest quota, the period is longer; and at the end both give out. */
        { 0.009, 9000, 1000000 },
        { 0.001, 1000, 1000000 },
        { 0.0001, 1000, 1000000 },
        { 1e300, INT64_C(1) << 40, 100000 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t quota_us, period_us;
        chainsi_cpu_quota(cases[i].cpu, &quota_us, &period_us);
        assert_int_equal(quota_us, cases[i].quota_us);
        assert_int_equal(period_us, cases[i].period_us);
    }
}

static void describes_bytes(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        { 0, "0 B" },
        { 1023, "1023 B" },
        { 1024, "1 KiB" },
        { UINT64_C(512) << 20, "512 MiB" },
        { UINT64_C(3) << 29, "1.5 GiB" },
        { 4000000000, "3.7 GiB" },
        { UINT64_MAX, "16 EiB" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[CHAINSI_BYTES_TEXT];
        chainsi_describe_bytes(cases[i].bytes, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void tells_a_limit_from_another_end(void **state)
{
    (void)state;
    enum { KILLED = SIGKILL, SEGFAULT = SIGSEGV, EXIT_1 = 1 << 8 };
    static const struct {
        int wait_status;
        uint64_t limit;
        chainsi_memory_events events;
        chainsi_cgroup_end end;
    } cases[] = {
        { KILLED, 1 << 20, { 1, 1 }, CHAINSI_ENDED_BY_LIMIT },
        { KILLED, 1 << 20, { 3, 40 }, CHAINSI_ENDED_BY_LIMIT },
        /* Somebody's kill -9, also after the limit made the kernel look for room. */
        { KILLED, 1 << 20, { 0, 0 }, CHAINSI_ENDED_OTHERWISE },
        { KILLED, 1 << 20, { 0, 7 }, CHAINSI_ENDED_OTHERWISE },
        /* Memory ran out, but not this group's. */
        { KILLED, 1 << 20, { 1, 0 }, CHAINSI_ENDED_BY_MACHINE },
        { KILLED, 0, { 1, 0 }, CHAINSI_ENDED_BY_MACHINE },
        { KILLED, 0, { 1, 5 }, CHAINSI_ENDED_BY_MACHINE },
        /* One that it had started was killed, and it ended by itself. */
        { EXIT_1, 1 << 20, { 1, 1 }, CHAINSI_ENDED_OTHERWISE },
        { SEGFAULT, 1 << 20, { 1, 1 }, CHAINSI_ENDED_OTHERWISE },
        { 0, 1 << 20, { 0, 0 }, CHAINSI_ENDED_OTHERWISE },
        /* The machine doesn't tell. */
        { KILLED, 1 << 20, { -1, -1 }, CHAINSI_ENDED_OTHERWISE },
        { KILLED, 1 << 20, { 1, -1 }, CHAINSI_ENDED_BY_MACHINE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_cgroup_limits limits = { .memory_bytes = cases[i].limit };
        if (chainsi_cgroup_judge(cases[i].wait_status, &limits, &cases[i].events) != cases[i].end)
            fail_msg("case %zu", i);
    }
    char text[64];
    assert_int_equal(chainsi_cgroup_explain_end(NULL, KILLED, text, sizeof text),
                     CHAINSI_ENDED_OTHERWISE);
    assert_string_equal(text, "killed by signal 9 (Killed)");
}

static chainsi_cgroup_layout layout_of(chainsi_cgroup_place cpu, chainsi_cgroup_place memory,
                                       chainsi_cgroup_place unified)
{
    return (chainsi_cgroup_layout){ .places = { [CHAINSI_CGROUP_CPU] = cpu,
                                                [CHAINSI_CGROUP_MEMORY] = memory,
                                                [CHAINSI_CGROUP_UNIFIED] = unified } };
}

static void refuses_with_a_reason(void **state)
{
    (void)state;
    chainsi_cgroup_place absent = { 0 };
    chainsi_cgroup_place closed = { CHAINSI_CGROUP_READ_ONLY, "/sys/fs/cgroup" };
    chainsi_cgroup_place outside = { CHAINSI_CGROUP_OUTSIDE, "/sys/fs/cgroup/memory" };
    chainsi_cgroup_place gone = { CHAINSI_CGROUP_REACHED, "/there-is-no-such-folder" };
    const struct {
        chainsi_cgroup_layout layout;
        const char *no_cpu, *no_memory;
    } cases[] = {
        { layout_of(absent, absent, absent), "no cgroup tree with the controller cpu is mounted",
          "no cgroup tree with the controller memory is mounted" },
        { layout_of(absent, absent, closed),
          "/sys/fs/cgroup is mounted read-only, as in most containers",
          "/sys/fs/cgroup is mounted read-only, as in most containers" },
        { layout_of(closed, outside, absent),
          "/sys/fs/cgroup is mounted read-only, as in most containers",
          "the cgroup that the daemon is in isn't part of what is mounted at "
          "/sys/fs/cgroup/memory" },
        { layout_of(gone, closed, absent),
          "no group can be made in /there-is-no-such-folder: No such file or directory",
          "/sys/fs/cgroup is mounted read-only, as in most containers" },
        { layout_of(absent, absent, gone),
          "the cgroup /there-is-no-such-folder doesn't have the controller cpu: the one above "
          "doesn't hand it down (with systemd, that is Delegate= of the units above, such as "
          "user@.service)",
          "the cgroup /there-is-no-such-folder doesn't have the controller memory: the one above "
          "doesn't hand it down (with systemd, that is Delegate= of the units above, such as "
          "user@.service)" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_cgroups *cgroups = chainsi_cgroups_open(&cases[i].layout, folder);
        assert_string_equal(chainsi_cgroups_no_cpu(cgroups), cases[i].no_cpu);
        assert_string_equal(chainsi_cgroups_no_memory(cgroups), cases[i].no_memory);
        assert_true(chainsi_cgroups_clear(cgroups, NULL, NULL));

        /* A group without any tree is there all the same, and does nothing. */
        char why[256];
        chainsi_cgroup_limits limits = { .cpu = 1, .memory_bytes = 1 << 20 };
        chainsi_cgroup *group = chainsi_cgroup_make(cgroups, "x", &limits, why, sizeof why);
        assert_non_null(group);
        int fds[CHAINSI_CGROUPS_MOST_TREES];
        size_t count = chainsi_cgroup_entries(group, fds);
        assert_int_equal(count, 0);
        assert_int_equal(chainsi_cgroup_enter(fds, count), 0);
        chainsi_cgroup_usage usage;
        chainsi_cgroup_read_usage(group, &usage);
        assert_int_equal(usage.memory_bytes, -1);
        assert_int_equal(usage.cpu_ns, -1);
        assert_int_equal(chainsi_cgroup_explain_end(group, 3 << 8, why, sizeof why),
                         CHAINSI_ENDED_OTHERWISE);
        assert_string_equal(why, "exit status 3");
        assert_true(chainsi_cgroup_remove(group));
        chainsi_cgroups_close(cgroups);
    }
}

static void notes_what_is_not_enforced(void **state)
{
    (void)state;
    chainsi_cgroups both = { .no_cpu = "it is Sunday", .no_memory = "it is Sunday" };
    chainsi_cgroups each = { .no_cpu = "it is Sunday", .no_memory = "it rains" };
    chainsi_cgroups one = { .no_memory = "it rains" }, none = { 0 };
    char note[128] = "";
    assert_true(chainsi_cgroups_note(&both, "phi", true, true, note, sizeof note));
    assert_string_equal(note, "phi: .cpu and .memory aren't enforced: it is Sunday");
    assert_true(chainsi_cgroups_note(&each, "phi", true, true, note, sizeof note));
    assert_string_equal(note, "phi: .cpu isn't enforced: it is Sunday; nor is .memory: it rains");
    assert_true(chainsi_cgroups_note(&each, "phi", true, false, note, sizeof note));
    assert_string_equal(note, "phi: .cpu isn't enforced: it is Sunday");
    assert_true(chainsi_cgroups_note(&one, "phi", true, true, note, sizeof note));
    assert_string_equal(note, "phi: .memory isn't enforced: it rains");
    assert_false(chainsi_cgroups_note(&one, "phi", true, false, note, sizeof note));
    assert_false(chainsi_cgroups_note(&both, "phi", false, false, note, sizeof note));
    assert_false(chainsi_cgroups_note(&none, "phi", true, true, note, sizeof note));
}

/* The record names folders to be emptied: those that aren't of this home, or aren't cgroups, are
 * left alone. */
static void believes_no_record(void **state)
{
    (void)state;
    chainsi_cgroup_layout layout = { 0 };
    chainsi_cgroups *cgroups = chainsi_cgroups_open(&layout, folder);
    char *ours = chainsi_path("%s/%s", folder, cgroups->name);
    char *kept = chainsi_path("%s/replica-x", ours);
    assert_true(chainsi_make_folders(kept));
    char *lines = chainsi_path("%s\n\n/\nno path\n%s/..\n", ours, ours);
    assert_true(chainsi_write_file(cgroups->record, lines, strlen(lines)));
    assert_true(chainsi_cgroups_clear(cgroups, NULL, NULL));
    struct stat info;
    assert_int_equal(stat(kept, &info), 0);
    assert_int_not_equal(stat(cgroups->record, &info), 0);
    free(lines);
    free(kept);
    free(ours);
    chainsi_cgroups_close(cgroups);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_cores_into_quotas),
        cmocka_unit_test(describes_bytes),
        cmocka_unit_test(tells_a_limit_from_another_end),
        cmocka_unit_test_setup_teardown(refuses_with_a_reason, make_folder, remove_folder),
        cmocka_unit_test(notes_what_is_not_enforced),
        cmocka_unit_test_setup_teardown(believes_no_record, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
