/* Finding the trees of cgroups: v2, v1, hybrids, containers, none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/cgroup_layout.h"
#include "control/kernel_file.h"

typedef struct layout_case {
    const char *name;
    const char *cgroup, *mountinfo;
    chainsi_cgroup_place places[CHAINSI_CGROUP_TREES]; /* cpu, memory, cpuacct, unified */
} layout_case;

/* clang-format off */
#define REACHED(path)   { CHAINSI_CGROUP_REACHED, (path) }
#define READ_ONLY(path) { CHAINSI_CGROUP_READ_ONLY, (path) }
#define OUTSIDE(path)   { CHAINSI_CGROUP_OUTSIDE, (path) }
#define ABSENT          { CHAINSI_CGROUP_ABSENT, NULL }
/* clang-format on */

static const char v1_groups[] = "12:pids:/user.slice\n"
                                "5:memory:/user.slice/session-2.scope\n"
                                "4:cpu,cpuacct:/user.slice\n"
                                "1:name=systemd:/user.slice/session-2.scope\n"
                                "0::/user.slice/session-2.scope\n";

static const layout_case cases[] = {
    { "v2, a user's session",
      "0::/user.slice/user-1000.slice/session-3.scope\n",
      "22 28 0:20 / /proc rw,nosuid - proc proc rw\n"
      "29 22 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:9 - cgroup2 cgroup2 "
      "rw,nsdelegate,memory_recursiveprot\n",
      { ABSENT, ABSENT, ABSENT,
        REACHED("/sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope") } },
    { "v2, the root of a cgroup namespace",
      "0::/\n",
      "29 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
      { ABSENT, ABSENT, ABSENT, REACHED("/sys/fs/cgroup") } },
    { "v2, a container with a read-only tree",
      "0::/\n",
      "29 22 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n",
      { ABSENT, ABSENT, ABSENT, READ_ONLY("/sys/fs/cgroup") } },
    { "v2, a superblock that is read-only",
      "0::/a\n",
      "29 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup ro\n",
      { ABSENT, ABSENT, ABSENT, READ_ONLY("/sys/fs/cgroup/a") } },
    { "v2, a container without a namespace",
      "0::/docker/0123/worker\n",
      "29 22 0:26 /docker/0123 /sys/fs/cgroup rw master:4 shared:2 - cgroup2 cgroup rw\n",
      { ABSENT, ABSENT, ABSENT, REACHED("/sys/fs/cgroup/worker") } },
    { "v2, the group itself is what is mounted",
      "0::/docker/0123\n",
      "29 22 0:26 /docker/0123 /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
      { ABSENT, ABSENT, ABSENT, REACHED("/sys/fs/cgroup") } },
    { "v2, another's group is mounted, with a like name",
      "0::/docker/01234\n",
      "29 22 0:26 /docker/0123 /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
      { ABSENT, ABSENT, ABSENT, OUTSIDE("/sys/fs/cgroup") } },
    { "v2, a group above the namespace's root",
      "0::/../sibling\n",
      "29 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
      { ABSENT, ABSENT, ABSENT, OUTSIDE("/sys/fs/cgroup") } },
    { "v2, a group whose name begins with two dots",
      "0::/..a\n",
      "29 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
      { ABSENT, ABSENT, ABSENT, REACHED("/sys/fs/cgroup/..a") } },
    { "v2, mounted twice: the writable one counts",
      "0::/a\n",
      "29 22 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
      "30 22 0:26 / /mnt/my\\040groups rw - cgroup2 cgroup rw\n"
      "31 22 0:26 / /elsewhere ro - cgroup2 cgroup rw\n",
      { ABSENT, ABSENT, ABSENT, REACHED("/mnt/my groups/a") } },
    { "v1 with a tree for names alone",
      v1_groups,
      "31 22 0:27 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
      "32 31 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
      "33 31 0:29 / /sys/fs/cgroup/memory rw shared:15 - cgroup cgroup rw,memory\n"
      "34 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:16 - cgroup cgroup rw,cpu,cpuacct\n"
      "35 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n",
      { REACHED("/sys/fs/cgroup/cpu,cpuacct/user.slice"),
        REACHED("/sys/fs/cgroup/memory/user.slice/session-2.scope"),
        REACHED("/sys/fs/cgroup/cpu,cpuacct/user.slice"), ABSENT } },
    { "a hybrid: controllers in v1, and a v2 tree",
      "4:memory:/process/21\n3:cpuset:/\n2:cpuacct:/\n1:cpu:/\n0::/\n",
      "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
      "33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct\n"
      "34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
      "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
      { REACHED("/sys/fs/cgroup/cpu"), REACHED("/sys/fs/cgroup/memory/process/21"),
        REACHED("/sys/fs/cgroup/cpuacct"), REACHED("/sys/fs/cgroup/unified") } },
    { "v1, a container: read-only, mounted from within",
      "4:memory:/docker/77/\n3:cpu,cpuacct:/docker/77\n",
      "40 31 0:29 /docker/77 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct\n"
      "41 31 0:30 /docker/77 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
      { READ_ONLY("/sys/fs/cgroup/cpu"), READ_ONLY("/sys/fs/cgroup/memory"),
        READ_ONLY("/sys/fs/cgroup/cpu"), ABSENT } },
    { "controllers that are mounted nowhere",
      "4:memory:/\n3:cpu:/\n0::/\n",
      "22 28 0:20 / /proc rw - proc proc rw\n",
      { ABSENT, ABSENT, ABSENT, ABSENT } },
    { "nothing", "", "", { ABSENT, ABSENT, ABSENT, ABSENT } },
    { "nonsense",
      "0\n:\n0:\nx:memory\n0::/a",
      "- cgroup2\n1 2 3 / /m rw\n1 2 3 / /m rw - cgroup2\n",
      { ABSENT, ABSENT, ABSENT, ABSENT } },
};

static void finds_each_tree(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const layout_case *one = &cases[i];
        chainsi_cgroup_layout layout;
        chainsi_cgroup_layout_parse(one->cgroup, one->mountinfo, &layout);
        for (size_t tree = 0; tree < CHAINSI_CGROUP_TREES; tree++) {
            const chainsi_cgroup_place *found = &layout.places[tree], *is = &one->places[tree];
            bool same = found->reach == is->reach && !found->path == !is->path &&
                        (!is->path || !strcmp(found->path, is->path));
            if (!same)
                fail_msg("%s: tree %zu: reach %d, path %s", one->name, tree, (int)found->reach,
                         found->path ? found->path : "none");
        }
        chainsi_cgroup_layout_done(&layout);
    }
}

/* Whatever a line is cut to, nothing is read behind it and nothing is made up. */
static void takes_texts_cut_anywhere(void **state)
{
    (void)state;
    static const char mounts[] = "41 31 0:38 /a\\040 /sys\\04 rw - cgroup2 cgroup2 rw\n"
                                 "33 31 0:29 / /m\\ rw shared:15 - cgroup cgroup rw,memory\n";
    for (size_t size = 0; size <= sizeof mounts - 1; size++) {
        for (size_t cgroup_size = 0; cgroup_size <= sizeof v1_groups - 1; cgroup_size++) {
            char cut_mounts[sizeof mounts] = { 0 }, cut_groups[sizeof v1_groups] = { 0 };
            memcpy(cut_mounts, mounts, size);
            memcpy(cut_groups, v1_groups, cgroup_size);
            chainsi_cgroup_layout layout;
            chainsi_cgroup_layout_parse(cut_groups, cut_mounts, &layout);
            assert_int_equal(layout.places[CHAINSI_CGROUP_CPU].reach, CHAINSI_CGROUP_ABSENT);
            for (size_t tree = 0; tree < CHAINSI_CGROUP_TREES; tree++)
                assert_int_equal(!layout.places[tree].path,
                                 layout.places[tree].reach == CHAINSI_CGROUP_ABSENT);
            chainsi_cgroup_layout_done(&layout);
        }
    }
}

static void reads_this_process(void **state)
{
    (void)state;
    chainsi_cgroup_layout layout;
    chainsi_cgroup_layout_read(&layout);
    for (size_t tree = 0; tree < CHAINSI_CGROUP_TREES; tree++) {
        const chainsi_cgroup_place *place = &layout.places[tree];
        if (place->reach < CHAINSI_CGROUP_READ_ONLY)
            continue;
        /* This very process is listed in the group that was found. */
        char *text = chainsi_kernel_file_read(place->path, "cgroup.procs");
        assert_non_null(text);
        char own[32];
        snprintf(own, sizeof own, "%d\n", (int)getpid());
        const char *at = strstr(text, own);
        while (at && at != text && at[-1] != '\n')
            at = strstr(at + 1, own);
        assert_non_null(at);
        free(text);
    }
    chainsi_cgroup_layout_done(&layout);
    assert_null(chainsi_kernel_file_read("/proc/self", "there-is-no-such-file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_each_tree),
        cmocka_unit_test(takes_texts_cut_anywhere),
        cmocka_unit_test(reads_this_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
