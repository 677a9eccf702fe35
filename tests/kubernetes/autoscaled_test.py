"""Chains on the cluster that Kubernetes scales: `chains deploy --autoscaler hpa`, with and without what it measures by.

kubernetes_test.py brings the cluster and runs these.
"""
import json

import cluster_test
import metrics
from chains_testing import wait_until
from cluster_testing import LIMIT_S, Load, address_of, call
from versions import deploy, registry_of, target_of

HPA = ["--autoscaler", "hpa"]


class Autoscaled(cluster_test.ClusterTest):
    def deploy(self, folder):
        version = deploy(self.cluster, self.home, folder, "--name", "busy", *HPA)
        self.addCleanup(version.delete)
        return version

    def owners_of_replicas(self, version, chainlet):
        """Who said how many pods there are to be, and would take that back."""
        fields = self.cluster.get("deployment", version.names[chainlet])["metadata"]["managedFields"]
        return {each["manager"] for each in fields if "f:replicas" in each["fieldsV1"].get("f:spec", {})}

    def test_by_cpu_up_and_down(self):
        folder = self.busy_chain("busy")
        version = self.deploy(folder)
        relay = address_of(version.pod("relay"))
        with Load(lambda: call(relay, name="load", pause_ms=20)) as load:
            pods = version.pods("worker", 2)
            load.since()
            wait_until(lambda: load.names() == set(pods), "an answer of both pods", LIMIT_S)
            self.assertEqual(("True", "ValidMetricFound"), self.autoscaler(version, "worker"))
            self.assertEqual(version.version, deploy(self.cluster, self.home, folder, "--name", "busy", *HPA).version)
            self.assertEqual(pods.keys(), version.pods("worker", 2).keys())  # it says no number
            self.assertNotIn("chains", self.owners_of_replicas(version, "worker"))
            load.more(8)
        self.assertEqual([], load.failures)
        version.pods("worker", 1)
        self.home.good("delete", "busy", *target_of(self.cluster), limit_s=LIMIT_S)
        self.assertEqual([], version.left())

    def has_metrics(self):
        try:
            return self.cluster.kubectl("get", "--raw", f"/apis/{metrics.GROUP}/{metrics.VERSION}")
        except AssertionError:
            return ""

    def give_metrics(self):
        self.cluster.kubectl("apply", "--filename=-", text=json.dumps(metrics.objects(self.cluster.layout)))
        wait_until(self.has_metrics, "the metrics API to answer", LIMIT_S)

    def test_without_a_metrics_api(self):
        self.addCleanup(self.give_metrics)
        self.cluster.kubectl("delete", f"apiservice/{metrics.VERSION}.{metrics.GROUP}")
        wait_until(lambda: not self.has_metrics(), "it to be gone", LIMIT_S)
        done = self.home.chains("deploy", self.busy_chain("unmeasured"), "--name", "busy", *HPA, *target_of(self.cluster),
                                "--registry", registry_of(self.cluster), limit_s=LIMIT_S)
        self.addCleanup(self.home.good, "delete", "busy", *target_of(self.cluster), limit_s=LIMIT_S)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("the cluster has no metrics API", done.stderr)

        def status():
            shown = self.home.chains("status", "busy", *target_of(self.cluster))
            self.assertEqual(0, shown.returncode, shown.stderr)
            return shown if "worker isn't scaled for now: FailedGetResourceMetric" in shown.stdout else None
        self.assertIn("install metrics-server", wait_until(status, "what is wrong to be told", LIMIT_S).stderr)
