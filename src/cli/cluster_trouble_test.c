/* What is wrong with a version, from what the API server says: which of several reasons counts, and what isn't one. That each
 * reason has its words tests/kubernetes/deploy_test.py looks at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cluster_trouble.h"

#define LABELS(name_) "\"labels\":{\"chains.dev/chainlet\":\"" name_ "\"}"
#define POD(pod_, name_, status_)                                                                  \
    "{\"metadata\":{\"name\":\"" pod_ "\"," LABELS(name_) "},\"status\":{" status_ "}}"
#define WAITS(reason_)                                                                             \
    "\"phase\":\"Pending\",\"containerStatuses\":[{\"name\":\"chainlet\",\"image\":\"i\","         \
    "\"ready\":false,\"state\":{\"waiting\":{\"reason\":\"" reason_ "\",\"message\":\"m\"}}}]"
#define READY "\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]"

static chainsi_arena arena;

static chainsi_view_list read_list(const char *items)
{
    chainsi_view_list list;
    chainsi_buffer json = { 0 };
    chainsi_buffer_printf(&json, "{\"items\":[%s]}", items);
    assert_true(chainsi_view_read_list(&json, &arena, &list));
    chainsi_buffer_done(&json);
    return list;
}

static chainsi_troubles find(const char *deployments, const char *pods)
{
    const chainsi_view_list all = read_list(deployments), some = read_list(pods);
    const chainsi_cluster_scene scene = {
        .name_space = "ns",
        .secret = "c-secrets",
        .deployments = &all,
        .pods = &some,
    };
    return chainsi_troubles_find(&scene, &arena);
}

static void finds_nothing_where_all_is_well(void **state)
{
    (void)state;
    assert_true(find("", "").count == 0);
    assert_true(find("{\"metadata\":{}}", POD("p", "a", READY)).count == 0);
    /* It is only beginning. */
    assert_true(find("", POD("p", "a", WAITS("ContainerCreating"))).count == 0);
    assert_true(find("", "{\"metadata\":{\"name\":\"p\"}}").count == 0);
    /* It is going. */
    assert_true(
        find("", "{\"metadata\":{\"name\":\"p\",\"deletionTimestamp\":\"x\"},\"status\":{" WAITS(
                     "ErrImagePull") "}}")
            .count == 0);
}

#define CRASHES(pod_, uid_, restarts_)                                                             \
    "{\"metadata\":{\"name\":\"" pod_ "\",\"uid\":\"" uid_ "\"," LABELS(                           \
        "a") "},\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"chainlet\","  \
             "\"ready\":false,\"restartCount\":" restarts_ ",\"state\":{\"waiting\":{\"reason\":"  \
             "\"CrashLoopBackOff\"}},\"lastState\":{\"terminated\":{\"exitCode\":1}}}]}}"

static bool is_certain(const char *before, const char *pods)
{
    const chainsi_view_list none = { 0 }, known = read_list(before), some = read_list(pods);
    const chainsi_cluster_scene scene = {
        .name_space = "ns",
        .secret = "s",
        .deployments = &none,
        .pods = &some,
        .before = &known,
    };
    const chainsi_troubles found = chainsi_troubles_find(&scene, &arena);
    assert_int_equal(found.count, 1);
    return found.items[0].certain;
}

static void judges_by_what_happened_since(void **state)
{
    (void)state;
    assert_true(is_certain("", CRASHES("p", "1", "2")));
    assert_false(is_certain("", CRASHES("p", "1", "1")));
    assert_false(is_certain(CRASHES("p", "1", "7"), CRASHES("p", "1", "7")));
    assert_false(is_certain(CRASHES("p", "1", "7"), CRASHES("p", "1", "8")));
    assert_true(is_certain(CRASHES("p", "1", "7"), CRASHES("p", "1", "9")));
    /* A new one of that name, as of a StatefulSet, has a past of its own. */
    assert_true(is_certain(CRASHES("p", "1", "7"), CRASHES("p", "2", "2")));
    /* One that is to go says what was wrong with it; a new one what is. */
    assert_false(is_certain("{\"metadata\":{\"name\":\"p\",\"uid\":\"1\"}}",
                            "{\"metadata\":{\"name\":\"p\",\"uid\":\"1\"},\"status\":{" WAITS(
                                "InvalidImageName") "}}"));
    assert_true(is_certain("{\"metadata\":{\"name\":\"p\",\"uid\":\"1\"}}",
                           "{\"metadata\":{\"name\":\"q\",\"uid\":\"2\"},\"status\":{" WAITS(
                               "InvalidImageName") "}}"));
}

static void passes_over_what_is_said_of_before(void **state)
{
    (void)state;
#define LATE(observed_)                                                                            \
    "{\"metadata\":{\"name\":\"d\",\"generation\":2},\"status\":{"                                 \
    "\"observedGeneration\":" observed_                                                            \
    ",\"conditions\":[{\"type\":\"Progressing\",\"status\":\"False\",\"reason\":"                  \
    "\"ProgressDeadlineExceeded\"}]}}"
    assert_int_equal(find(LATE("1"), "").count, 0);
    assert_int_equal(find(LATE("2"), "").count, 1);
}

static void tells_one_of_each_chainlet(void **state)
{
    (void)state;
    const chainsi_troubles found =
        find("", POD("p1", "a", WAITS("ErrImagePull")) "," POD(
                     "p2", "a", WAITS("ErrImagePull")) "," POD("p3", "b", WAITS("ErrImagePull")));
    assert_true(found.count == 2);
    assert_true(!strcmp(found.items[0].object, "pod p1") &&
                !strcmp(found.items[1].object, "pod p3"));
    assert_true(!found.items[0].certain);
}

static void tells_what_is_certain_first(void **state)
{
    (void)state;
    const chainsi_troubles found =
        find("", POD("p1", "a", WAITS("ErrImagePull")) "," POD(
                     "p2", "b", WAITS("InvalidImageName")) "," POD("p3", "a",
                                                                   WAITS("ErrImageNeverPull")));
    assert_true(found.count == 2 && found.items[0].certain && found.items[1].certain);
    assert_true(!strcmp(found.items[0].object, "pod p3") &&
                !strcmp(found.items[1].object, "pod p2"));
}

static void pods_know_better_than_deployments(void **state)
{
    (void)state;
    static const char refused[] = "{\"metadata\":{\"name\":\"d\"," LABELS(
        "a") "},\"status\":{\"conditions\":[{\"type\":\"ReplicaFailure\",\"status\":\"True\","
             "\"message\":\"exceeded quota\"}]}}";
    const chainsi_troubles found = find(refused, POD("p", "a", WAITS("ErrImagePull")));
    assert_true(found.count == 1 && !strcmp(found.items[0].object, "pod p"));
    const chainsi_troubles alone = find(refused, "");
    assert_true(alone.count == 1 && !strcmp(alone.items[0].object, "deployment d"));
}

static void one_crash_may_be_none(void **state)
{
    (void)state;
    static const char *const crashes[] = { "1", "2" };
    for (size_t i = 0; i < 2; i++) {
        const char *pod = chainsi_arena_printf(
            &arena,
            "{\"metadata\":{\"name\":\"p\"," LABELS(
                "a") "},\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"c\","
                     "\"restartCount\":%s,\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}}"
                     ","
                     "\"lastState\":{\"terminated\":{\"exitCode\":3}}}]}}",
            crashes[i]);
        const chainsi_troubles found = find("", pod);
        assert_true(found.count == 1 && found.items[0].certain == (i == 1) && found.items[0].again);
        assert_true(!strcmp(found.items[0].pod, "p") && !strcmp(found.items[0].container, "c"));
    }
}

/* What stands before an API server may leave out anything. */
static void what_has_no_name_is_looked_at(void **state)
{
    (void)state;
    const chainsi_view_list none = read_list("");
    const chainsi_view_list pods =
        read_list("{\"metadata\":{},\"status\":{" WAITS("ErrImagePull") "}}");
    chainsi_view_event event = { "Failed", "Failed to pull image", "Pod", "p" };
    const chainsi_view_events events = { &event, 1 };
    const chainsi_cluster_scene scene = {
        .name_space = "ns",
        .secret = "s",
        .deployments = &none,
        .pods = &pods,
        .events = &events,
    };
    const chainsi_troubles found = chainsi_troubles_find(&scene, &arena);
    assert_true(found.count == 1 && !strcmp(found.items[0].object, "pod "));
    /* Its log can't be asked for. */
    const chainsi_troubles crashed =
        find("", "{\"metadata\":{\"name\":\"p\"},\"status\":{\"containerStatuses\":[{\"state\":{"
                 "\"waiting\":{\"reason\":\"CrashLoopBackOff\"}}}]}}");
    assert_true(crashed.count == 1 && !crashed.items[0].pod);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_by_what_happened_since),
        cmocka_unit_test(passes_over_what_is_said_of_before),
        cmocka_unit_test(finds_nothing_where_all_is_well),
        cmocka_unit_test(tells_one_of_each_chainlet),
        cmocka_unit_test(tells_what_is_certain_first),
        cmocka_unit_test(pods_know_better_than_deployments),
        cmocka_unit_test(one_crash_may_be_none),
        cmocka_unit_test(what_has_no_name_is_looked_at),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    chainsi_arena_done(&arena);
    return failed;
}
