"""Chains on the cluster by hand: `chains image`, `chains manifests | kubectl apply`, and what becomes of calls then.

kubernetes_test.py brings the cluster and runs these.
"""
import os
import ssl
import threading

import cluster_test
from certificates import Authority
from chains_testing import wait_until
from cluster_testing import LIMIT_S, Load, address_of, call
from versions import apply, change


class Applied(cluster_test.ClusterTest):
    shared = None  # a version of the chain here, without retries, which several tests use one after the other

    @classmethod
    def tearDownClass(cls):
        if cls.shared:
            cls.shared.delete()
            Applied.shared = None
        super().tearDownClass()

    def share(self, workers):
        """With so many workers."""
        if not self.shared:
            folder = self.home.copy("tests/kubernetes/chain", "shared")
            Applied.shared = apply(self.cluster, self.home, folder, "--name", "shared", "--version", "v1", "--tls", "off").wait()
        self.shared.scale("worker", workers)
        return self.shared

    def relay(self, name, *options, depends=""):
        """The chain here, whose relay calls workers; depends: how."""
        folder = self.home.copy("tests/kubernetes/chain", self.id().rsplit(".", 1)[-1])
        if depends:
            change(os.path.join(folder, "relay.h"), ("relay *relay_new", f"CHAINS_DEPENDS(relay, worker, {depends});\nrelay *relay_new"))
        return self.apply(folder, "--name", name, *options)

    def apply(self, folder, *options):
        version = apply(self.cluster, self.home, folder, "--tls", "off", *options)
        self.addCleanup(version.delete)
        return version.wait()

    def through(self, version):
        """A call of the relay as it is now."""
        address = address_of(version.pod("relay"))
        return lambda **given: call(address, **{"name": "load", "pause_ms": 20, **given})

    def test_poem(self):
        version = self.apply(self.small_poem())
        self.check_poem(call(address_of(version.pod("poem_generator")), words=["moon", "sun"]))
        version.delete()
        self.assertEqual([], self.cluster.kubectl("get", "pods", f"--selector={version.selector}", "--output=name").split())

    def test_transcribe(self):
        version = self.apply(self.home.copy("examples/transcribe"))
        self.check_transcribe(lambda **given: call(address_of(version.pod("transcribe")), **given))

    def test_all_pods_of_a_chainlet_are_called(self):
        version = self.share(1)
        with Load(self.through(version), callers=8) as load:
            pods = version.scale("worker", 3)
            wait_until(lambda: load.names() == set(pods), "an answer of every pod", LIMIT_S)
            left = set(version.scale("worker", 1))
            load.since()
            self.assertEqual(left, load.names())
        self.assertEqual([], load.failures)

    def test_an_update_of_one_version_loses_no_call(self):
        version = self.share(2)
        before = set(version.pods("worker", 2))
        with Load(self.through(version)) as load:
            self.cluster.kubectl("rollout", "restart", f"deployment/{version.names['worker']}")

            def renewed():
                pods = set(self.cluster.ready_pods(version.selector_of("worker")))
                return len(pods) == 2 and not pods & before
            wait_until(renewed, "two other pods", LIMIT_S)
            version.pods("worker", 2)
            load.since()
            self.assertFalse(load.names() & before)
        self.assertEqual([], load.failures)

    def test_versions_stand_side_by_side(self):
        old = self.share(1)
        with Load(self.through(old)) as load:
            new = self.relay("shared", "--version", "v2")
            (of_old,), (of_new,) = old.pods("worker"), new.pods("worker")
            self.assertEqual(of_new, self.through(new)())
            self.assertEqual({of_old}, load.names())
            new.delete()
            load.more(20)
            self.assertEqual({of_old}, load.names())
            self.assertEqual([of_old], list(old.pods("worker")))
        self.assertEqual([], load.failures)

    def test_a_deleted_pod_first_ends_its_calls(self):
        version = self.share(1)
        (name,) = version.pods("worker")
        said = []
        ask = self.through(version)
        caller = threading.Thread(target=lambda: said.append(ask(name="in flight", pause_ms=5000)))
        caller.start()
        wait_until(lambda: "runs in flight" in self.cluster.kubectl("logs", name), "the call to run", LIMIT_S)
        self.cluster.kubectl("delete", "pod", name, "--wait=false")
        caller.join()
        self.assertEqual([name], said)
        version.pods("worker")
        self.assertNotEqual(name, wait_until(lambda: answer_of(ask), "another pod's answer", LIMIT_S))

    def killed(self, depends):
        """What a call says whose pod is killed, and that pod; others go on meanwhile. depends: on the worker."""
        version = self.relay("killed", depends=depends)
        pods = version.scale("worker", 2)
        ask = self.through(version)
        said = []

        def in_flight():
            try:
                said.append(ask(name="in flight", pause_ms=3000))
            except OSError as why:
                said.append(str(why))
        caller = threading.Thread(target=in_flight)
        caller.start()
        name = wait_until(lambda: next((name for name in pods if "runs in flight" in self.cluster.kubectl("logs", name)), None),
                          "the call to run", LIMIT_S)
        with Load(ask) as load:
            load.more(20)
            self.cluster.kill(pods[name])
            caller.join()
            load.more(20)
        wait_until(lambda: self.restarts(name) == 1 and version.pods("worker", 2), "it to be started again", LIMIT_S)
        return name, said[0], load, ask

    def restarts(self, name):
        return sum(each["restartCount"] for each in self.cluster.get("pod", name)["status"]["containerStatuses"])

    def test_calls_of_a_killed_pod_fail_without_retries(self):
        _, said, load, ask = self.killed(".retries = 0")
        self.assertRegex(said, r"^503 .*UNAVAILABLE")
        for failure in load.failures:  # those that ran there, too
            self.assertRegex(failure, r"^503 .*UNAVAILABLE")
        self.assertLessEqual(len(load.failures), 4)
        ask()

    def test_calls_of_a_killed_pod_move_with_retries(self):
        name, said, load, _ = self.killed(".retries = 3")
        self.assertNotEqual(name, said)
        self.assertIn(said, load.names())
        self.assertEqual([], load.failures)

    def test_calls_go_on_without_the_api_server(self):
        version = self.share(1)
        (name,) = version.pods("worker")
        with Load(self.through(version)) as load:
            self.cluster.stop("control")
            self.addCleanup(self.cluster.start, "control")
            load.more(100)
            self.cluster.start("control")
            self.assertEqual([name], list(version.pods("worker")))
            load.more(20)
        self.assertEqual(({name}, []), (load.names(), load.failures))

    def test_calls_move_from_a_stopped_node(self):
        version = self.relay("moved", depends=".retries = 3")
        relay = version.pod("relay")
        kept = relay["spec"]["nodeName"]
        (stopped,) = {"node1", "node2"} - {kept}
        version.on_both_nodes("worker", lambda: version.scale("worker", 2))
        before = version.scale("worker", 4)
        with Load(self.through(version), callers=8) as load:
            wait_until(lambda: load.names() == set(before), "an answer of every pod", LIMIT_S)
            self.cluster.stop(stopped)
            self.addCleanup(wait_until, lambda: len(self.cluster.ready_nodes()) == 2, "the node to be ready again", LIMIT_S)
            self.addCleanup(self.cluster.start, stopped)

            def moved():
                pods = self.cluster.ready_pods(version.selector_of("worker"))
                return pods if len(pods) == 4 and all(pod["spec"]["nodeName"] == kept for pod in pods.values()) else None
            pods = wait_until(moved, f"four pods on {kept}", LIMIT_S)
            load.since()
            wait_until(lambda: load.names() == set(pods), "an answer of every pod", LIMIT_S)
        self.assertEqual([], load.failures)

    def test_policies(self):
        """Who may call whom, as a network that enforces policies would have it; this one's doesn't."""
        first, second = self.share(1), self.relay("shared", "--version", "v2")
        pods = {(version.version, chainlet): version.pod(chainlet) for version in (first, second) for chainlet in version.names}
        policies = [each["spec"] for each in self.cluster.get("networkpolicies", "--selector=chains.dev/chain=shared")["items"]]
        labels = {who: pod["metadata"]["labels"] for who, pod in pods.items()}
        labels["front door"], labels["others"] = {"chains.dev/front-door": "true"}, {"app": "others"}
        doors = {("front door", callee) for callee in pods}
        for port, expected in ((8080, doors | {((version, "relay"), (version, "worker")) for version in ("v1", "v2")}), (8081, doors)):
            self.assertEqual(expected, {(caller, callee) for callee in pods for caller in labels if caller != callee
                                        and may_call(policies, labels[caller], labels[callee], port)})

    def test_by_tls(self):
        """With an authority of one's own, as the controller would have one."""
        folder = self.home.copy("tests/kubernetes/chain", "secured")
        version = apply(self.cluster, self.home, folder, "--name", "secured", "--tls", "on")
        self.addCleanup(version.delete)
        authority = Authority(self.home.file("authority"))
        authority.make()
        for name in [*version.names.values(), "caller"]:
            authority.sign(name, name, addresses=[f"DNS:{name}"])
            if name != "caller":
                self.cluster.kubectl("create", "secret", "generic", f"{name}-tls", f"--from-file=tls.crt={authority.certificate(name)}",
                                     f"--from-file=tls.key={authority.key(name)}", f"--from-file=ca.crt={authority.certificate('ca')}")
                self.addCleanup(self.cluster.kubectl, "delete", f"secret/{name}-tls")
        version.wait()
        address = address_of(version.pod("relay"))
        context = ssl.create_default_context(cafile=authority.certificate("ca"))
        context.check_hostname = False  # it is called by its pod's address
        context.load_cert_chain(authority.certificate("caller"), authority.key("caller"))
        self.assertEqual(list(version.pods("worker")), [call(address, context=context, name="by TLS")])
        with self.assertRaisesRegex(OSError, "^400 .*TLS"):
            call(address, name="without")
        nobody = ssl.create_default_context(cafile=authority.certificate("ca"))
        nobody.check_hostname = False
        with self.assertRaises(OSError):
            call(address, context=nobody, name="without a certificate")


def answer_of(ask):
    """None: it has none for now."""
    try:
        return ask()
    except OSError:
        return None


def is_selected(selector, labels):
    assert set(selector) <= {"matchLabels"}, selector
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def may_call(policies, caller, callee, port):
    """Pods in one namespace."""
    about = [policy for policy in policies if is_selected(policy["podSelector"], callee) and "Ingress" in policy["policyTypes"]]
    rules = [rule for policy in about for rule in policy.get("ingress", [])]
    return not about or any({"protocol": "TCP", "port": port} in rule["ports"] and
                            any(is_selected(peer["podSelector"], caller) for peer in rule["from"]) for rule in rules)
