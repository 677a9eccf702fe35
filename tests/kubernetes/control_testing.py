"""What tests of the controller share: chainsd --kubernetes, with a cluster whose pods are processes of this computer."""
import http.client
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cluster"))

from chains_testing import BUILD, Home, wait_until
from process_cluster import ProcessCluster

LIMIT_S = 90
CHAINSD = os.path.join(BUILD, "chainsd")


def edit(path, before, after):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert before in text, f"{path}: no {before}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(before, after))


class ControllerTest(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.close)
        self.cluster = ProcessCluster(self.home.path)
        self.addCleanup(self.cluster.close)
        self.daemon = None
        self.more = {}
        self.addCleanup(self.stop)
        self.start()

    def start(self):
        with open(self.home.file("chainsd.log"), "a", encoding="utf-8") as log:
            self.daemon = subprocess.Popen([CHAINSD, "--kubernetes", "--port", "0", "--health-port", "0"], stdin=subprocess.DEVNULL,
                                           stdout=log, stderr=log, env={**self.home.env, "KUBECONFIG": self.cluster.config, "CHAINS_POD_PATIENCE_S": "1", **self.more})
        address = os.path.join(self.home.env["CHAINS_HOME"], "address")
        wait_until(lambda: self.daemon.poll() is not None or os.path.exists(address), "the controller to serve", LIMIT_S)
        self.assertIsNone(self.daemon.poll(), self.said())

    def stop(self):
        if self.daemon.poll() is None:
            self.daemon.terminate()
        self.daemon.wait(timeout=LIMIT_S)

    def said(self):
        with open(self.home.file("chainsd.log"), encoding="utf-8") as file:
            return file.read()

    def build(self, folder, version):
        """The programs of a version, which later changes of the folder leave alone."""
        for service in json.loads(self.home.good("build", folder, "--json")):
            program = self.home.file(f"{version}-{service['name']}")
            subprocess.run(["cp", service["binary"], program], check=True)
            self.cluster.programs[version, service["name"]] = program

    def manifests(self, folder, version, *words):
        return json.loads(self.home.good("manifests", folder, "--version", version, "--tls", "off", "--json", *words))["items"]

    def deploy(self, version="v1", *words, folder=None, until="running"):
        folder = folder or self.folder
        self.build(folder, version)
        self.cluster.apply(self.manifests(folder, version, *words))
        if until:
            wait_until(lambda: self.cluster.state(f"hello-{version}") == until, f"{version} to be {until}", LIMIT_S)

    @property
    def folder(self):
        path = self.home.file("hello")
        return path if os.path.exists(path) else self.home.copy("examples/hello")

    def connect(self):
        host, port = self.home.address().split("//")[1].split(":")
        return http.client.HTTPConnection(host, int(port), timeout=LIMIT_S)

    def call(self, words=("moon",), path="/chains/hello/production/run_remote"):
        connection = self.connect()
        try:
            connection.request("POST", path, json.dumps({"words": list(words)}), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def status(self):
        return self.home.status()[0]

    def scale(self, chainlet, *words):
        self.home.good("scale", "hello", chainlet, *words)

    def lose_state(self):
        for name in os.listdir(self.home.env["CHAINS_HOME"]):
            subprocess.run(["rm", "-rf", os.path.join(self.home.env["CHAINS_HOME"], name)], check=True)

    def config_map(self, version):
        return next(one for one in self.manifests(self.folder, version) if one["kind"] == "ConfigMap")

    def two_versions(self):
        """v2 answers, v1 stands by without pods."""
        self.deploy()
        edit(os.path.join(self.folder, "hello_writer.c"), '"Hello"', '"Howdy"')
        self.deploy("v2")
        wait_until(lambda: self.cluster.state("hello-v1") == "standing-by", "the old one to stand by", LIMIT_S)
        wait_until(lambda: not self.cluster.pods_of("hello-v1-hello-writer"), "the old one to go", LIMIT_S)


def why_not():
    if os.getuid() != 0:
        return "mount namespaces need root"
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else None


def main(tests):
    """Runs them, or says which ones it skips, and why."""
    lacking = why_not()
    if lacking:
        print(f"skipped, as {lacking}:", *unittest.defaultTestLoader.getTestCaseNames(tests), sep="\n    ")
        sys.exit(77)
    unittest.main(verbosity=2)
