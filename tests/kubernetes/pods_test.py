"""Programs as pods would run them: with the arguments, variables and folders that the manifests say, and asked and ended as
the kubelet would. What is left out is the cluster: each listens on a port of its own, and names of Services are this machine."""
import http.client
import json
import os
import re
import signal
import subprocess
import unittest

from chains_testing import HomeTest, wait_until
from manifests_printed import objects


class Pod:
    """One process of a Deployment. addresses: URLs of the Services that there are, by their names."""

    def __init__(self, deployment, binary, addresses, folders):
        self.spec = deployment["spec"]["template"]["spec"]
        [self.container] = self.spec["containers"]
        env = {}
        for each in self.container["env"]:
            value = each["value"].replace("$$", "$")
            named = re.fullmatch(r"http://([^:/]+):8080", value)
            value = addresses[named.group(1)] if named else value.replace("0.0.0.0:8081", "127.0.0.1:0")
            env[each["name"]] = folders.get(value, value)
        args = [each.replace("0.0.0.0:8080", "127.0.0.1:0") for each in self.container["args"]]
        self.process = subprocess.Popen([binary, *args], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        self.probes = self.process.stdout.readline().strip().removeprefix("probes ")

    def ask(self, method, path, body=None, address=None):
        connection = http.client.HTTPConnection((address or self.address).removeprefix("http://"), timeout=60)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def probe(self, name):
        return self.ask("GET", self.container[name]["httpGet"]["path"], address=self.probes)[0]

    def end(self):
        """As the kubelet does, which then kills it; its exit status and what it wrote."""
        self.process.send_signal(signal.SIGTERM)
        try:
            _, said = self.process.communicate(timeout=self.spec["terminationGracePeriodSeconds"])
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        return self.process.returncode, said


class Pods(HomeTest):
    def setUp(self):
        self.pods = []

    def tearDown(self):
        for pod in self.pods:
            if pod.process.poll() is None:
                pod.process.kill()
                pod.process.communicate()

    def start(self, folder, folders=None):
        """Every Deployment of a chain, callees first, as pods by the Chainlets' names."""
        self.home.good("build", folder)
        addresses, pods = {}, {}
        for each in objects(folder, "--tls", "off"):
            if each["kind"] != "Deployment":
                continue
            name = each["metadata"]["labels"]["chains.dev/chainlet"]
            pod = Pod(each, os.path.join(folder, ".chains", "bin", name), addresses, folders or {})
            self.pods.append(pod)
            addresses[each["metadata"]["name"]] = pod.address
            pods[name] = pod
        for name, pod in pods.items():
            wait_until(lambda pod=pod: pod.probe("startupProbe") == 200, f"{name} to start")
            wait_until(lambda pod=pod: pod.probe("readinessProbe") == 200, f"{name} to be ready")
        return pods

    def test_poem(self):
        pods = self.start(self.home.copy("examples/poem"))
        status, answer = pods["poem_generator"].ask("POST", "/run_remote", '{"words": ["moon", "sun"]}')
        self.assertEqual(status, 200, answer)
        self.assertEqual([word in poem for word, poem in zip(("moon", "sun"), json.loads(answer))], [True, True])
        self.assertEqual({name: pod.probe("livenessProbe") for name, pod in pods.items()}, {"phi_llm": 200, "poem_generator": 200})
        self.assertEqual({name: pod.end() for name, pod in pods.items()}, {"phi_llm": (0, ""), "poem_generator": (0, "")})

    def test_secrets_and_assets(self):
        """They are where the volumes are mounted, and what isn't mounted fails to start with its reason."""
        folder = self.home.copy("tests/kubernetes/keeper")
        secrets, assets = self.home.file("secrets"), self.home.file("assets")
        os.makedirs(os.path.join(assets, "en"))
        os.makedirs(secrets)
        for path, text in ((os.path.join(secrets, "token"), "s3cret\n"), (os.path.join(assets, "en", "base.txt"), "a model")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        folders = {"/run/chains/secrets": secrets, "/run/chains/assets": assets}
        pods = self.start(folder, folders)
        self.assertEqual(pods["keeper"].ask("POST", "/run_remote", "{}"), (200, '"s3cret\\n a model production $HOME"'))
        self.assertEqual(pods["keeper"].end(), (0, ""))
        os.remove(os.path.join(secrets, "token"))
        [deployment] = [each for each in objects(folder, "--tls", "off") if each["kind"] == "Deployment"]
        pod = Pod(deployment, os.path.join(folder, ".chains", "bin", "keeper"), {}, folders)
        self.pods.append(pod)
        _, said = pod.process.communicate(timeout=60)
        self.assertEqual(pod.process.returncode, 1)
        self.assertIn("the secret 'token' is not set", said)


if __name__ == "__main__":
    unittest.main()
