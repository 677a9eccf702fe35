#!/usr/bin/env python3
"""Services of a chain as pods of a real two-node cluster: called, scaled, killed, drained, moved to another node."""
import sys
import threading
import unittest

from cluster_testing import LIMIT_S, Cluster, build_images, call, deployment, service, wait_until, why_not


def ready_pods(app):
    """{name: pod} of those that would be sent calls."""
    return {pod["metadata"]["name"]: pod for pod in CLUSTER.get("pods", f"--selector=app={app}")["items"]
            if "deletionTimestamp" not in pod["metadata"]
            and any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))}


def wait_for_pods(app, count):
    def are_there():
        pods = ready_pods(app)
        return pods if len(pods) == count else None
    return wait_until(are_there, f"{count} ready pods of {app}", LIMIT_S)


def endpoints(app):
    """The addresses that the Service sends calls to."""
    subsets = CLUSTER.get("endpoints", app).get("subsets") or []
    return {address["ip"] for subset in subsets for address in subset.get("addresses") or []}


def addresses(pods):
    return {pod["status"]["podIP"] for pod in pods.values()}


def answers(address, name):
    """What it answers; None: it doesn't, for now."""
    try:
        return call(address, name, limit_s=10)
    except OSError:
        return None


def cluster_ip(name):
    return CLUSTER.get("service", name)["spec"]["clusterIP"]


class Kubernetes(unittest.TestCase):
    def deploy(self, name, replicas=1, image="worker", headless=False, **options):
        CLUSTER.apply(deployment(name, IMAGES[image], replicas, **options), service(name, headless))
        self.addCleanup(CLUSTER.kubectl, "delete", f"deployment/{name}", f"service/{name}", "--wait=false")
        return wait_for_pods(name, replicas)

    def test_answers_at_its_pod_and_at_its_service(self):
        (name, pod), = self.deploy("plain").items()
        self.assertEqual(name, call(pod["status"]["podIP"], "at the pod"))
        self.assertEqual(name, wait_until(lambda: answers(cluster_ip("plain"), "at the Service"), "the Service to answer", LIMIT_S))

    def test_scales_and_all_answer(self):
        self.deploy("scaled", spread="DoNotSchedule")
        CLUSTER.kubectl("scale", "deployment/scaled", "--replicas=3")
        pods = wait_for_pods("scaled", 3)
        self.assertEqual(set(pods), {call(address, "after scaling") for address in addresses(pods)})
        self.assertEqual({"node1", "node2"}, {pod["spec"]["nodeName"] for pod in pods.values()})
        CLUSTER.kubectl("scale", "deployment/scaled", "--replicas=1")
        wait_for_pods("scaled", 1)

    def test_a_killed_pod_is_replaced(self):
        killed, = self.deploy("killed")
        CLUSTER.kubectl("delete", "pod", killed, "--grace-period=0", "--force", "--wait=false")
        new, = wait_until(lambda: [name for name in ready_pods("killed") if name != killed], "another pod", LIMIT_S)
        self.assertEqual(new, wait_until(lambda: answers(cluster_ip("killed"), "after the kill"), "the Service to answer", LIMIT_S))

    def test_a_deleted_pod_first_ends_its_calls(self):
        (name, pod), = self.deploy("drained").items()
        said = []
        caller = threading.Thread(target=lambda: said.append(call(pod["status"]["podIP"], "in flight", pause_ms=5000)))
        caller.start()
        wait_until(lambda: "runs in flight" in CLUSTER.kubectl("logs", name), "the call to run", LIMIT_S)
        CLUSTER.kubectl("delete", "pod", name, "--wait=false")
        caller.join()
        self.assertEqual([name], said)
        wait_until(lambda: name not in [one["metadata"]["name"] for one in CLUSTER.get("pods")["items"]], "the pod to go", LIMIT_S)

    def test_a_stub_finds_all_pods_of_a_headless_service(self):
        workers = set(self.deploy("worker", 3, headless=True))
        (_, relay), = self.deploy("relay", image="relay",
                                  env={"CHAINS_WORKER_URL": "http://worker.default.svc.cluster.local:8080"}).items()
        seen = set()

        def ask():
            seen.add(call(relay["status"]["podIP"], "through the relay", pause_ms=200))

        def all_seen():
            callers = [threading.Thread(target=ask) for _ in range(8)]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join()
            return seen >= workers
        wait_until(all_seen, "an answer of every worker", LIMIT_S)
        self.assertEqual(workers, seen)

    def test_the_api_server_comes_back(self):
        (name, pod), = self.deploy("kept").items()
        CLUSTER.stop("control")
        self.assertEqual(name, call(pod["status"]["podIP"], "without control"))
        CLUSTER.start("control")
        self.assertIn(name, wait_until(lambda: try_pods("kept"), "the API to answer", LIMIT_S))

    def test_pods_of_a_stopped_node_come_back_on_the_other(self):
        before = self.deploy("moved", 2)
        stopped = next(iter(before.values()))["spec"]["nodeName"]
        CLUSTER.stop(stopped)
        self.addCleanup(wait_until, lambda: len(ready_nodes()) == 2, "the node to be ready again", LIMIT_S)
        self.addCleanup(CLUSTER.start, stopped)
        for pod in before.values():
            if pod["spec"]["nodeName"] != stopped:
                self.assertEqual(pod["metadata"]["name"], call(pod["status"]["podIP"], "on the other node"))

        def moved():
            pods = ready_pods("moved")
            return pods if len(pods) == 2 and stopped not in [pod["spec"]["nodeName"] for pod in pods.values()] else None
        pods = wait_until(moved, f"no pod on {stopped}, two elsewhere", LIMIT_S)
        wait_until(lambda: endpoints("moved") == addresses(pods), "the Service to know", LIMIT_S)
        wait_until(lambda: answers(cluster_ip("moved"), "after the move") in pods, "the Service to answer", LIMIT_S)


def try_pods(app):
    try:
        return ready_pods(app)
    except AssertionError:
        return None


def ready_nodes():
    return [node["metadata"]["name"] for node in CLUSTER.get("nodes")["items"]
            if any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"]["conditions"])]


def main():
    global CLUSTER, IMAGES
    lacking = why_not()
    if lacking:
        names = unittest.defaultTestLoader.getTestCaseNames(Kubernetes)
        print(f"skipped, as {lacking}:", *names, sep="\n    ")
        return 77
    CLUSTER = Cluster()
    try:
        IMAGES = build_images(CLUSTER.layout.registry)
        good = unittest.main(exit=False, verbosity=2).result.wasSuccessful()
    finally:
        CLUSTER.close()
    left = CLUSTER.left_behind()
    print(*left, sep="\n", end="\n" if left else "")
    print("left behind:", len(left))
    return 0 if good and not left else 1


if __name__ == "__main__":
    sys.exit(main())
