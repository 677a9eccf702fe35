"""Chains on the cluster by `chains deploy --target kubernetes`, where no controller runs: what it says when it can't be.

kubernetes_test.py brings the cluster and runs these.
"""
import json
import os
import subprocess
import threading

import cluster_test
from chains_testing import CHAINS, wait_until
from cluster_testing import LIMIT_S, Load, address_of, call
from versions import KINDS, change, deploy, registry_of, target_of


class Deployed(cluster_test.ClusterTest):
    def deploy(self, folder, *options):
        version = deploy(self.cluster, self.home, folder, *options)
        self.addCleanup(version.delete)
        return version

    def refused(self, folder, *options, registry=None, target=None):
        """What a deployment says that fails, and leaves nothing."""
        before = self.objects()
        done = self.home.chains("deploy", folder, *(target or target_of(self.cluster)), "--registry", registry or registry_of(self.cluster),
                                "--patience", "3", *options, limit_s=LIMIT_S)
        self.assertEqual(1, done.returncode, done.stdout + done.stderr)
        wait_until(lambda: self.objects() <= before, "all that was applied to be gone", LIMIT_S)
        return done.stderr

    def objects(self):
        return set(self.cluster.kubectl("get", KINDS, "--selector=chains.dev/chain", "--all-namespaces", "--output=name").split())

    def test_poem(self):
        folder = self.small_poem()
        version = self.deploy(folder)
        self.check_poem(call(address_of(version.pod("poem_generator")), words=["moon", "sun"]))
        again = deploy(self.cluster, self.home, folder)
        self.assertEqual((version.version, set(version.pods("phi_llm"))), (again.version, set(again.pods("phi_llm"))))
        self.home.good("delete", version.chain, *target_of(self.cluster), limit_s=LIMIT_S)
        wait_until(lambda: not version.left(), "nothing to be left", LIMIT_S)

    def test_transcribe(self):
        version = self.deploy(self.home.copy("examples/transcribe"))
        self.check_transcribe(lambda **given: call(address_of(version.pod("transcribe")), **given))

    def test_the_running_version_is_left_alone(self):
        """Whatever becomes of the next one."""
        folder = self.home.copy("tests/kubernetes/chain", "left")
        version = self.deploy(folder, "--name", "left")
        relay = address_of(version.pod("relay"))
        with Load(lambda: call(relay, name="load")) as load:
            self.refuse_images(folder)
            self.refuse_quota(folder)
            self.refuse_gpu(folder)
            self.refuse_crashes(folder)
            load.more(20)
        self.assertEqual((set(version.pods("worker")), []), (load.names(), load.failures))

    def refuse_images(self, folder):
        path = self.home.file("nowhere.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({name: f"{self.cluster.layout.registry}/nowhere@sha256:{'0' * 64}" for name in ("relay", "worker")}, file)
        said = self.refused(folder, "--name", "left", "--images", path)
        self.assertRegex(said, r"pod left-\S+: .*(ErrImagePull|ImagePullBackOff|pull)")
        self.assertIn("is removed again", said)

    def refuse_quota(self, folder):
        self.cluster.kubectl("create", "namespace", "narrow")
        self.addCleanup(self.cluster.kubectl, "delete", "namespace", "narrow")
        self.cluster.kubectl("create", "quota", "narrow", "--hard=pods=0", "--namespace=narrow")
        said = self.refused(folder, "--name", "left", "--namespace", "narrow")
        self.assertRegex(said, r"left-\S+: .*exceeded quota")

    def refuse_gpu(self, folder):
        there = self.home.copy("tests/kubernetes/chain", "gpu")
        change(os.path.join(there, "worker.h"), (".concurrency = 4", '.concurrency = 4, .gpu = "A100"'))
        said = self.refused(there, "--name", "left")
        self.assertRegex(said, r"pod left-\S+-worker-\S+: no node takes it")
        self.assertIn("chains.dev/gpu=KIND", said)

    def refuse_crashes(self, folder):
        there = self.home.copy("tests/kubernetes/chain", "crashing")
        change(os.path.join(there, "worker.c"), ("return chains_alloc(ctx, 1);", 'chains_fail(ctx, CHAINS_NOT_FOUND, "no model here"); return NULL;'))
        said = self.refused(there, "--name", "left")
        self.assertRegex(said, r"pod left-\S+: ")
        self.assertIn("no model here", said)

    def test_what_is_not_there(self):
        folder = self.home.copy("tests/kubernetes/chain", "absent")
        self.assertIn("127.0.0.1:1", self.refused(folder, registry="http://127.0.0.1:1"))
        with open(self.cluster.kubeconfig, encoding="utf-8") as file:
            config = json.load(file)
        path = self.home.file("kubeconfig")
        for change_it, said in ((lambda: config["users"][0].update(user={"token": "wrong"}), "doesn't accept the credentials of user 'admin'"),
                                (lambda: config["clusters"][0]["cluster"].update(server="https://127.0.0.1:1"), "127.0.0.1:1")):
            change_it()
            with open(path, "w", encoding="utf-8") as file:
                json.dump(config, file)
            self.assertIn(said, self.refused(folder, target=["--target", "kubernetes", "--kubeconfig", path]))

    def test_the_api_server_goes_away_meanwhile(self):
        folder = self.home.copy("tests/kubernetes/chain", "interrupted")
        change(os.path.join(folder, "worker.c"), ("return chains_alloc(ctx, 1);", "sleep(10); return chains_alloc(ctx, 1);"))
        process = subprocess.Popen([CHAINS, "deploy", folder, "--name", "interrupted", *target_of(self.cluster), "--registry",
                                    registry_of(self.cluster), "--json"], env=self.home.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = []
        reader = threading.Thread(target=lambda: said.extend(process.communicate()))
        reader.start()
        selector = "--selector=chains.dev/chain=interrupted"
        started = wait_until(lambda: reader.is_alive() is False or [pod for pod in self.cluster.get("pods", selector)["items"]
                                                                    if pod["status"]["phase"] == "Running"], "a pod to run", LIMIT_S)
        self.assertTrue(started is not True, said)
        self.cluster.stop("control")
        self.cluster.start("control")
        reader.join()
        self.assertEqual(0, process.returncode, said)
        self.cluster.kubectl("delete", "configmap", selector)
