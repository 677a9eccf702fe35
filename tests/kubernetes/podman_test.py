#!/usr/bin/env python3
"""What `chains manifests` prints, run by `podman kube play`, with images of `chains image` out of a registry.

All of it is in namespaces of its own, which this program enters first: what podman starts, mounts and routes ends with them.
Podman knows no Services; what they are for is said to it by the network: each Deployment is played by itself, and has its
Service's name there. It also gives each port of a container one of this computer's, so those are told apart here.
"""
import contextlib
import glob
import http.client
import json
import os
import shutil
import subprocess
import sys
import unittest

from chains_testing import Home, wait_until
from image_registry import ImageRegistry

INSIDE = "CHAINS_TEST_PODMAN_INSIDE"
TOOLS = ["podman", "runc", "conmon", "unshare", "ip", "iptables", "mount"]
FILES = ["/usr/lib/podman/netavark", "/usr/lib/podman/aardvark-dns", "/usr/libexec/podman/catatonit"]
LIMIT_S = 300
PROBES = 10  # that port of a Chainlet, from its other one on
MEMORY = {"phi_llm": 4 << 30, "poem_generator": 0}
SETTINGS = """
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
[network]
network_backend = "netavark"
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
"""


class Podman:
    """Podman with a folder of its own, and a network."""

    def __init__(self, home):
        self.folder = home.file("podman")
        os.mkdir(self.folder)
        settings = os.path.join(self.folder, "containers.conf")
        with open(settings, "w", encoding="utf-8") as file:
            file.write(SETTINGS)
        self.env = dict(os.environ, CONTAINERS_CONF=settings, XDG_RUNTIME_DIR="")
        self.pods = []
        self.words = ["podman", "--storage-driver=vfs"]
        for option in ("root", "runroot", "tmpdir", "network-config-dir"):
            path = os.path.join(self.folder, option)
            os.mkdir(path)
            self.words.append(f"--{option}={path}")

    def run(self, *words):
        return subprocess.run([*self.words, *words], env=self.env, capture_output=True, text=True, timeout=LIMIT_S,
                              stdin=subprocess.DEVNULL, check=False)

    def good(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, f"podman {' '.join(words)}: {done.stderr}"
        return done.stdout

    def why_not(self):
        """Tries a pod, of podman's own; None: it runs."""
        for words in (["network", "create", "chains"], ["pod", "create", "--network=chains", "--memory=64m", "--name=tried"],
                      ["pod", "start", "tried"], ["pod", "rm", "--force", "tried"]):
            done = self.run(*words)
            if done.returncode:
                return f"podman {' '.join(words)}: {done.stderr.strip()}"
            if words[1] == "create" and words[0] == "pod":
                self.pods.append(done.stdout.strip())
        return None

    def play(self, path, service):
        """A file, whose pod is called like its Service."""
        said = self.good("kube", "play", "--tls-verify=false", f"--network=chains:alias={service}", path).splitlines()
        self.pods.append(said[said.index("Pod:") + 1])

    def remove_cgroups(self):
        """Where there is a second tree of them, podman leaves its pods' there, and the one above them everywhere."""
        for parent in glob.glob("/sys/fs/cgroup/*/libpod_parent") + glob.glob("/sys/fs/cgroup/libpod_parent"):
            for path in [os.path.join(parent, pod) for pod in self.pods] + [parent]:
                with contextlib.suppress(OSError):  # it has gone, or another podman has pods there
                    os.rmdir(path)


class Played(unittest.TestCase):
    home = podman = None

    def play(self, items, port):
        """The objects of one Chainlet; gives its container's name."""
        (deployment,) = (each for each in items if each["kind"] == "Deployment")
        (service,) = (each for each in items if each["kind"] == "Service")
        name = service["metadata"]["name"]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        for each in container["ports"]:
            each["hostPort"] = port + PROBES * (each["name"] == "probes")
        path = self.home.file(f"{name}.yaml")
        with open(path, "w", encoding="utf-8") as file:
            for each in items:
                file.write("---\n" + json.dumps(each) + "\n")
        self.addCleanup(self.podman.run, "kube", "down", path)
        self.podman.play(path, name)
        (found,) = (each["Names"][0] for each in json.loads(self.podman.good("ps", "--all", "--format=json"))
                    if each["Names"][0].startswith(f"{deployment['metadata']['name']}-") and not each["IsInfra"])
        return found, path

    def test_poem(self):
        registry = ImageRegistry()
        self.addCleanup(registry.close)
        chain, images = self.home.copy("examples/poem"), self.home.file("images.json")
        with open(images, "w", encoding="utf-8") as file:
            file.write(self.home.good("image", chain, "--registry", registry.host, "--json"))
        printed = json.loads(self.home.good("manifests", chain, "--images", images, "--tls", "off", "--json"))["items"]
        ports, paths = {"phi_llm": 20001, "poem_generator": 20002}, []
        for name, port in ports.items():
            container, path = self.play([each for each in printed if each["metadata"]["labels"].get("chains.dev/chainlet") == name], port)
            paths.append(path)
            (said,) = json.loads(self.podman.good("inspect", container))
            self.assertEqual((True, MEMORY[name], "65532:65532"),
                             (said["HostConfig"]["ReadonlyRootfs"], said["HostConfig"]["Memory"], said["Config"]["User"]))
            self.assertFalse(said["EffectiveCaps"])
        for port in ports.values():
            wait_until(lambda port=port: ask(port + PROBES, "GET", "/readyz")[0] == 200, f"port {port} to be ready", LIMIT_S)
        status, answer = ask(ports["poem_generator"], "POST", "/run_remote", '{"words": ["moon", "sun"]}')
        self.assertEqual(200, status, answer)
        self.assertEqual([True, True], [word in poem for word, poem in zip(("moon", "sun"), json.loads(answer))])
        for path in paths:
            self.podman.good("kube", "down", path)
        self.assertEqual("", self.podman.good("ps", "--all", "--quiet") + self.podman.good("pod", "ps", "--quiet"))


def ask(port, method, path, body=None):
    """(status, text); status 0: nobody there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException) as why:
        return 0, str(why)
    finally:
        connection.close()


def skip(why):
    print(f"skipped: podman can't run pods here: {why}")
    return 77


def inside():
    for words in (["ip", "link", "set", "lo", "up"], ["mount", "--make-rprivate", "/"], ["mount", "-t", "tmpfs", "none", "/run"],
                  ["mount", "-t", "tmpfs", "none", "/dev/shm"]):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            return skip(f"{' '.join(words)}: {done.stderr.strip()}")
    home = Played.home = Home()
    try:
        Played.podman = Podman(home)
        lacking = Played.podman.why_not()
        if lacking:
            return skip(lacking)
        return 0 if unittest.main(exit=False).result.wasSuccessful() else 1
    finally:
        if Played.podman:
            Played.podman.remove_cgroups()
        home.close()


def main():
    if INSIDE in os.environ:
        return inside()
    if os.getuid() != 0:
        return skip("it isn't root")
    missing = [tool for tool in TOOLS if not shutil.which(tool)] + [path for path in FILES if not os.path.exists(path)]
    if missing:
        return skip("there is no " + ", no ".join(missing))
    return subprocess.run(["unshare", "--mount", "--net", "--pid", "--ipc", "--fork", "--mount-proc", "--kill-child=KILL",
                           sys.executable, "-B", *sys.argv], env=dict(os.environ, **{INSIDE: "1"}), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
