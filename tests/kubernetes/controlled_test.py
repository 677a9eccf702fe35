"""Chains on the cluster with controllers of it, by `chains controller`: front door, scaling, updates, canaries, what dies, deletion.

kubernetes_test.py brings the cluster and runs these.
"""
import atexit
import base64
import http.client
import os

import cluster_test
import postgres_testing
from chains_testing import wait_until
from cluster_testing import LIMIT_S, Load, call_by
from versions import KINDS, change, deploy, registry_of, target_of

STATE = "chainsd-state"


class Controlled(cluster_test.ClusterTest):
    """Two controllers, of which one leads, with their state in PostgreSQL; one, with none to keep, where there is no PostgreSQL."""
    postgres = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(cls.home.close)  # also where what follows fails
        state = ["--ephemeral"]
        if postgres_testing.programs():
            cls.start_postgres()
            state = ["--state", STATE, "--replicas", "2"]
        cls.home.good("controller", "--kubeconfig", cls.cluster.kubeconfig, "--registry", registry_of(cls.cluster),
                      "--allow-insecure-network", *state, limit_s=LIMIT_S)
        cls.address = f"{cls.cluster.get('service', 'chainsd')['spec']['clusterIP']}:8600"
        token = cls.cluster.get("secret", "chainsd-token")["data"]["token"]
        cls.home.env.update(CHAINS_URL=f"http://{cls.address}", CHAINS_TOKEN=base64.b64decode(token).decode())

    @classmethod
    def tearDownClass(cls):
        cls.home.good("controller", "--kubeconfig", cls.cluster.kubeconfig, "--delete", "--with-state", limit_s=LIMIT_S)

    @classmethod
    def start_postgres(cls):
        """Where pods reach it."""
        gateway = cls.cluster.layout.gateway
        cls.postgres = postgres_testing.Server([f"listen_addresses={gateway}", "fsync=off"])
        cls.addClassCleanup(cls.postgres.close)
        atexit.register(cls.postgres.close)  # also where the tests are interrupted
        with open(os.path.join(cls.postgres.data, "pg_hba.conf"), "a", encoding="utf-8") as file:
            file.write("host all chains samenet trust\nhost all chains 10.0.0.0/8 trust\n")
        cls.postgres.stop()
        cls.postgres.start()
        cls.cluster.kubectl("create", "secret", "generic", STATE, f"--from-literal=url=postgresql://chains@{gateway}/postgres")
        cls.addClassCleanup(cls.cluster.kubectl, "delete", f"secret/{STATE}")

    def leader(self):
        """The pod that leads; None: none does for now."""
        pods = self.cluster.ready_pods("app.kubernetes.io/name=chainsd")
        return next(iter(pods.values()), None)

    def deploy(self, folder, name, *options):
        version = deploy(self.cluster, self.home, folder, "--name", name, *options)
        self.addCleanup(self.home.chains, "delete", name, limit_s=LIMIT_S)
        return version

    def relay(self, name, depends=""):
        """A copy of the chain here."""
        folder = self.home.copy("tests/kubernetes/chain", name)
        change(os.path.join(folder, "worker.h"), (".concurrency = 4", ".concurrency = 4, .autoscaling = { .min_replicas = 1, .max_replicas = 3, "
                                                  ".window_s = 10, .scale_down_delay_s = 5 }"))
        change(os.path.join(folder, "relay.h"), (".concurrency = 16", ".concurrency = 16, .autoscaling = { .min_replicas = 1, .max_replicas = 3 }"))
        if depends:
            change(os.path.join(folder, "relay.h"), ("relay *relay_new", f"CHAINS_DEPENDS(relay, worker, {depends});\nrelay *relay_new"))
        return folder

    @staticmethod
    def renew(folder):
        """Its next version says so."""
        change(os.path.join(folder, "worker.c"), ('chains_printf(ctx, "%s", host)', 'chains_printf(ctx, "new %s", host)'))

    def door(self, chain, /, **given):
        """What the chain answers through the front door; OSError: a failure."""
        return call_by(http.client.HTTPConnection(self.address, timeout=LIMIT_S), f"/chains/{chain}/production/run_remote", given)

    def load(self, name, pause_ms=20, callers=4):
        return Load(lambda: self.door(name, name="load", pause_ms=pause_ms), callers)

    def state(self, version):
        return self.cluster.get("configmap", version.config)["metadata"].get("annotations", {}).get("chains.dev/state")

    def pod_names(self, version, chainlet=None):
        selector = version.selector_of(chainlet) if chainlet else version.selector
        return {pod["metadata"]["name"] for pod in self.cluster.get("pods", f"--selector={selector}")["items"]}

    def test_poem(self):
        self.deploy(self.small_poem(), "poem")
        self.check_poem(self.door("poem", words=["moon", "sun"]))

    def test_transcribe(self):
        self.deploy(self.home.copy("examples/transcribe"), "transcribe")
        self.check_transcribe(lambda **given: self.door("transcribe", **given))

    def test_scales_up_under_load_and_to_zero_and_wakes(self):
        version = self.deploy(self.relay("scales"), "scales")
        with self.load("scales", pause_ms=500, callers=12) as load:
            pods = version.pods("worker", 3)
            load.since()
            wait_until(lambda: load.names() == set(pods), "an answer of every pod", LIMIT_S)
        self.assertEqual([], load.failures)
        for chainlet in ("relay", "worker"):
            self.home.good("scale", "scales", chainlet, "--min", "0", "--scale-down-delay", "0", "--scale-to-zero-delay", "1")
        wait_until(lambda: not self.pod_names(version), "no pods", LIMIT_S)
        with self.load("scales", callers=2) as load:
            load.more(4)
        self.assertEqual([], load.failures)

    def test_kubernetes_scales_what_the_controller_leaves_to_it(self):
        folder = self.busy_chain("busy")
        old = self.deploy(folder, "busy", "--autoscaler", "hpa")
        with self.load("busy") as load:
            pods = old.pods("worker", 2)
            load.since()
            wait_until(lambda: load.names() == set(pods), "an answer of both pods", LIMIT_S)
            self.renew(folder)
            new = self.deploy(folder, "busy", "--autoscaler", "hpa")
            load.since()
            self.assertEqual({"new"}, {name.split()[0] for name in load.names()})
            wait_until(lambda: self.state(old) == "standing-by" and not self.pod_names(old), "the old version to stand by", LIMIT_S)
            new.pods("worker", 2)
            wait_until(lambda: self.autoscaler(old, "worker") == ("False", "ScalingDisabled"), "none to be scaled", LIMIT_S)
            self.home.good("rollback", "busy", limit_s=LIMIT_S)
            load.since()
            self.assertLessEqual(load.names(), self.pod_names(old, "worker"))
            old.pods("worker", 2)
        self.assertEqual([], load.failures)
        old.pods("worker", 1)
        self.assertEqual(("True", "ValidMetricFound"), self.autoscaler(old, "worker"))

    def test_an_update_and_a_rollback_lose_no_call(self):
        folder = self.relay("updates")
        old = self.deploy(folder, "updates")
        with self.load("updates") as load:
            load.more(20)
            self.renew(folder)
            new = self.deploy(folder, "updates")
            load.since()
            self.assertEqual({"new"}, {name.split()[0] for name in load.names()})
            wait_until(lambda: self.state(old) == "standing-by" and not self.pod_names(old), "the old version to stand by", LIMIT_S)
            self.home.good("rollback", "updates", limit_s=LIMIT_S)
            load.since()
            self.assertEqual(self.pod_names(old, "worker"), load.names())
            wait_until(lambda: self.state(new) == "standing-by", "the new version to stand by", LIMIT_S)
        self.assertEqual([], load.failures)

    def test_a_canary_is_tried_and_promoted(self):
        folder = self.relay("canary")
        self.deploy(folder, "canary")
        with self.load("canary") as load:
            self.renew(folder)
            new = self.deploy(folder, "canary", "--canary", "50", "--canary-minutes", "60")
            self.assertEqual("trying", self.state(new))
            load.since()
            wait_until(lambda: {name.startswith("new ") for name in load.names()} == {True, False}, "answers of both versions", LIMIT_S)
            self.home.good("promote", "canary", new.version, limit_s=LIMIT_S)
            load.since()
            self.assertEqual({"new"}, {name.split()[0] for name in load.names()})
        self.assertEqual([], load.failures)

    def test_a_version_that_does_not_start_leaves_the_old_one(self):
        folder = self.relay("broken")
        old = self.deploy(folder, "broken")
        with self.load("broken") as load:
            change(os.path.join(folder, "worker.c"), ("return chains_alloc(ctx, 1);", 'chains_fail(ctx, CHAINS_NOT_FOUND, "no model here"); return NULL;'))
            done = self.home.chains("deploy", folder, *target_of(self.cluster), "--registry", registry_of(self.cluster),
                                    "--name", "broken", "--patience", "3", limit_s=LIMIT_S)
            self.assertEqual(1, done.returncode, done.stderr)
            self.assertIn("no model here", done.stderr)
            load.since()
        self.assertLessEqual(load.names(), self.pod_names(old, "worker"))
        self.assertEqual(("running", []), (self.state(old), load.failures))

    def test_an_entrypoint_that_is_killed_loses_what_it_ran(self):
        version = self.deploy(self.relay("killed"), "killed")
        self.home.good("scale", "killed", "relay", "--min", "2")
        pods = version.pods("relay", 2)
        name, pod = next(iter(pods.items()))
        with self.load("killed") as load:
            load.more(20)
            self.cluster.kill(pod)
            load.more(50)

            def started_again():
                return self.cluster.get("pod", name)["status"]["containerStatuses"][0]["restartCount"] == 1
            wait_until(started_again, "it to be started again", LIMIT_S)
            version.pods("relay", 2)
        for failure in load.failures:
            self.assertRegex(failure, "^503 .*UNAVAILABLE")
        self.assertLessEqual(len(load.failures), len(load.threads))

    def test_calls_move_from_a_stopped_node(self):
        version = self.deploy(self.relay("moves", depends=".retries = 3"), "moves")
        for chainlet in ("relay", "worker"):
            version.on_both_nodes(chainlet, lambda chainlet=chainlet: self.home.good("scale", "moves", chainlet, "--min", "2", "--max", "2"))
        with self.load("moves") as load:
            load.more(20)
            kept = self.leader()["spec"]["nodeName"]  # or all calls would fail until the second one leads
            (stopped,) = {"node1", "node2"} - {kept}
            self.cluster.stop(stopped)
            self.addCleanup(wait_until, lambda: len(self.cluster.ready_nodes()) == 2, "the node to be ready again", LIMIT_S)
            self.addCleanup(self.cluster.start, stopped)

            def moved():
                for chainlet in ("relay", "worker"):
                    pods = self.cluster.ready_pods(version.selector_of(chainlet))
                    if len(pods) != 2 or any(pod["spec"]["nodeName"] == stopped for pod in pods.values()):
                        return None
                return self.cluster.ready_pods(version.selector_of("worker"))
            pods = wait_until(moved, f"all pods on {kept}", LIMIT_S)
            load.since()
            wait_until(lambda: load.names() == set(pods), "an answer of every pod", LIMIT_S)
        for failure in load.failures:  # those that the entrypoint there ran
            self.assertRegex(failure, "^503 .*UNAVAILABLE")
        self.assertLessEqual(len(load.failures), len(load.threads))

    def test_the_second_controller_takes_over(self):
        if not self.postgres:
            self.skipTest("there is no PostgreSQL: one controller, and no state that outlives it")
        folder = self.relay("kept")
        version = self.deploy(folder, "kept")
        pods, first = self.pod_names(version), self.leader()
        self.cluster.kubectl("delete", "pod", first["metadata"]["name"], "--grace-period=0", "--force", "--wait=false")
        self.cluster.kill(first)
        wait_until(lambda: (self.leader() or first)["metadata"]["name"] != first["metadata"]["name"], "another leader", LIMIT_S)
        self.assertIn(wait_until(lambda: self.answer("kept"), "its front door to answer", LIMIT_S), self.pod_names(version, "worker"))
        self.assertEqual(pods, self.pod_names(version))
        self.renew(folder)
        self.deploy(folder, "kept")
        self.assertRegex(self.door("kept", name="again"), "^new ")

    def answer(self, name):
        """None: there is none for now."""
        try:
            return self.door(name, name="again")
        except OSError:
            return None

    def test_delete_leaves_nothing(self):
        folder = self.relay("deleted")
        self.deploy(folder, "deleted")
        self.renew(folder)
        self.deploy(folder, "deleted")
        self.door("deleted", name="there")
        self.home.good("delete", "deleted", limit_s=LIMIT_S)

        def left():
            return self.cluster.kubectl("get", KINDS, "--selector=chains.dev/chain=deleted", "--output=name").split()
        wait_until(lambda: not left(), "nothing to be left", LIMIT_S)
        with self.assertRaisesRegex(OSError, "^404 "):
            self.door("deleted", name="gone")


