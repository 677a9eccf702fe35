/* What is read of pods, Deployments and versions: texts as API servers send them, in what matters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "control/pod_record.h"

#define POD(rest_)                                                                                 \
    "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"hello-v1-hello-5d8-x\",\"uid\":\"u-1\","           \
    "\"creationTimestamp\":\"2026-11-29T04:00:00Z\",\"labels\":{\"pod-template-hash\":\"5d8\"},"   \
    "\"ownerReferences\":[{\"kind\":\"ReplicaSet\",\"name\":\"hello-v1-hello-5d8\"}]" rest_

static chainsi_arena arena;

static chainsi_pod read_pod(const char *json)
{
    chainsi_pod pod;
    char why[256] = "";
    if (!chainsi_pod_read(json, strlen(json), &arena, &pod, why, sizeof why))
        fail_msg("%s", why);
    return pod;
}

static int end(void **state)
{
    (void)state;
    chainsi_arena_done(&arena);
    return 0;
}

static void reads_one_that_is_ready(void **state)
{
    (void)state;
    chainsi_pod pod = read_pod(
        POD("},\"spec\":{\"nodeName\":\"node1\"},\"status\":{\"phase\":\"Running\",\"podIP\":"
            "\"10.0.0.7\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}],"
            "\"containerStatuses\":[{\"restartCount\":2,\"state\":{\"running\":{\"startedAt\":"
            "\"2026-11-29T04:00:02Z\"}},\"lastState\":{\"terminated\":{\"exitCode\":137,"
            "\"reason\":\"OOMKilled\"}}}]}}"));
    assert_int_equal(pod.phase, CHAINSI_POD_READY);
    assert_string_equal(pod.object, "hello-v1-hello");
    assert_string_equal(pod.ip, "10.0.0.7");
    assert_string_equal(pod.node, "node1");
    assert_string_equal(pod.started_at, "2026-11-29T04:00:02Z");
    assert_int_equal(pod.restarts, 2);
    assert_true(pod.out_of_memory);
    assert_string_equal(pod.why, "");
}

static void reads_why_one_waits(void **state)
{
    (void)state;
    chainsi_pod pod = read_pod(
        POD("},\"status\":{\"phase\":\"Pending\",\"containerStatuses\":[{\"state\":{\"waiting\":{"
            "\"reason\":\"ImagePullBackOff\",\"message\":\"Back-off pulling image x\"}}}]}}"));
    assert_int_equal(pod.phase, CHAINSI_POD_WAITING);
    assert_true(pod.hopeless && pod.may_pass);
    assert_string_equal(pod.why, "ImagePullBackOff: Back-off pulling image x");

    pod = read_pod(POD("},\"status\":{\"phase\":\"Pending\",\"conditions\":[{\"type\":"
                       "\"PodScheduled\",\"status\":\"False\",\"reason\":\"Unschedulable\","
                       "\"message\":\"0/2 nodes are available\"}]}}"));
    assert_int_equal(pod.phase, CHAINSI_POD_WAITING);
    assert_false(pod.hopeless); /* a node may come */
    assert_string_equal(pod.why, "Unschedulable: 0/2 nodes are available");

    /* A pull that failed once may go well the next time. */
    pod = read_pod(POD("},\"status\":{\"containerStatuses\":[{\"state\":{\"waiting\":{\"reason\":"
                       "\"ErrImagePull\"}}}]}}"));
    assert_false(pod.hopeless);
}

static void reads_how_one_ended(void **state)
{
    (void)state;
    static const struct {
        const char *terminated, *text;
    } cases[] = {
        { "\"exitCode\":1", "exit status 1" },
        { "\"exitCode\":139", "killed by signal 11 (Segmentation fault)" },
        { "\"exitCode\":0,\"signal\":9", "killed by signal 9 (Killed)" },
        { "\"exitCode\":2,\"message\":\"no model\"", "exit status 2: no model" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[2048];
        snprintf(json, sizeof json,
                 POD("},\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{\"restartCount\":"
                     "3,\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}},\"lastState\":{"
                     "\"terminated\":{%s}}}]}}"),
                 cases[i].terminated);
        chainsi_pod pod = read_pod(json);
        assert_string_equal(pod.last_end, cases[i].text);
        assert_true(pod.crashing);
        assert_int_equal(pod.phase, CHAINSI_POD_WAITING);
    }
}

static void reads_that_one_goes(void **state)
{
    (void)state;
    chainsi_pod pod = read_pod(
        POD(",\"deletionTimestamp\":\"2026-11-29T04:10:00Z\"},\"status\":{\"phase\":\"Running\","
            "\"podIP\":\"10.0.0.7\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}"));
    assert_int_equal(pod.phase, CHAINSI_POD_LEAVING);
    pod = read_pod(POD("},\"status\":{\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":"
                       "\"The node was low on memory\"}}"));
    assert_int_equal(pod.phase, CHAINSI_POD_ENDED);
    assert_string_equal(pod.why, "Evicted: The node was low on memory");
}

static void passes_over_pods_of_others(void **state)
{
    (void)state;
    static const char *const others[] = {
        "{\"metadata\":{\"name\":\"a\"}}",
        "{\"metadata\":{\"name\":\"a\",\"labels\":{\"pod-template-hash\":\"5d8\"},"
        "\"ownerReferences\":[{\"kind\":\"ReplicaSet\",\"name\":\"b\"}]}}",
        "{\"metadata\":{\"name\":\"a\",\"labels\":{\"pod-template-hash\":\"5d8\"},"
        "\"ownerReferences\":[{\"kind\":\"ReplicaSet\",\"name\":\"-5d8\"}]}}",
        "{\"metadata\":{\"name\":\"a\",\"labels\":{\"pod-template-hash\":\"5d8\"},"
        "\"ownerReferences\":[{\"kind\":\"Job\",\"name\":\"b-5d8\"}]}}",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_string_equal(read_pod(others[i]).object, "");
}

static void reads_deployments(void **state)
{
    (void)state;
    static const char json[] =
        "{\"metadata\":{\"name\":\"d\",\"labels\":{\"chains.dev/chain\":\"hello\"}},\"spec\":{"
        "\"replicas\":3},\"status\":{\"conditions\":[{\"type\":\"ReplicaFailure\",\"status\":"
        "\"True\",\"reason\":\"FailedCreate\",\"message\":\"exceeded quota: small\"}]}}";
    static const char plain[] = "{\"metadata\":{\"name\":\"d\"},\"spec\":{}}";
    chainsi_pod_deployment deployment;
    char why[256];
    assert_true(
        chainsi_pod_deployment_read(json, sizeof json - 1, &arena, &deployment, why, sizeof why));
    assert_int_equal(deployment.replicas, 3);
    assert_string_equal(deployment.chain, "hello");
    assert_string_equal(deployment.why, "FailedCreate: exceeded quota: small");
    assert_true(
        chainsi_pod_deployment_read(plain, sizeof plain - 1, &arena, &deployment, why, sizeof why));
    assert_int_equal(deployment.replicas, 1); /* as Kubernetes has it */
    assert_string_equal(deployment.why, "");
}

static void reads_versions(void **state)
{
    (void)state;
    static const char json[] =
        "{\"metadata\":{\"name\":\"hello-v1\",\"uid\":\"u\",\"annotations\":{\"chains.dev/state\":"
        "\"running\",\"chains.dev/requested\":\"2\"}},\"data\":{\"chain\":\"hello\",\"version\":"
        "\"v1\",\"deploy.json\":\"{}\"}}";
    static const char other[] = "{\"metadata\":{\"name\":\"x\"},\"data\":{\"chain\":\"hello\"}}";
    chainsi_pod_version version;
    char why[256];
    assert_true(chainsi_pod_version_read(json, sizeof json - 1, &arena, &version, why, sizeof why));
    assert_string_equal(version.state, "running");
    assert_string_equal(version.requested, "2");
    assert_string_equal(version.handled, "");
    assert_string_equal(version.deploy, "{}");
    assert_false(version.leaving);
    assert_true(
        chainsi_pod_version_read(other, sizeof other - 1, &arena, &version, why, sizeof why));
    assert_string_equal(version.chain, "hello");
    assert_string_equal(version.version, ""); /* somebody has taken it out */
    assert_false(chainsi_pod_version_read("{", 1, &arena, &version, why, sizeof why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_one_that_is_ready),
        cmocka_unit_test(reads_why_one_waits),
        cmocka_unit_test(reads_how_one_ended),
        cmocka_unit_test(reads_that_one_goes),
        cmocka_unit_test(passes_over_pods_of_others),
        cmocka_unit_test(reads_deployments),
        cmocka_unit_test(reads_versions),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
