"""What tests on the cluster share: the cluster, its objects as JSON, what they do to it, and what it leaves behind."""
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

import build
import machines
from chains_testing import wait_until
from layout import Layout

HERE = os.path.dirname(os.path.abspath(__file__))
CLUSTER = os.path.join(HERE, "cluster")
TOOLS = ["unshare", "ip", "iptables", "openssl", "containerd", "runc", "etcd", "docker-registry"]
PORT = 8080
LIMIT_S = 300  # for what the cluster does; a node that went is missed after 25 s
KUBERNETES = "1.20"


def why_not():
    """What this machine lacks for a cluster; None: nothing."""
    if os.getuid() != 0:
        return "namespaces need root"
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        return "there is no " + ", no ".join(missing)
    if not os.path.exists("/usr/lib/cni/ptp"):
        return "there is no /usr/lib/cni/ptp"
    tried = subprocess.run(["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--mount-proc",
                            "sh", "-ec", "ip link add name tried type veth; iptables -t nat -S"],
                           capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"no namespaces with interfaces and iptables: {tried.stderr.strip()}"
    if not build.find() and not (shutil.which("go") and shutil.which("apt-get") and shutil.which("dpkg-source")):
        return "Kubernetes isn't in the cache, and go, apt-get and dpkg-source, which it is built with, aren't here"
    return None


class Cluster:
    """A cluster in a temporary folder."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="chains-kubernetes-")
        self.run("up", self.folder)
        self.layout = Layout(self.folder)

    def run(self, *words):
        subprocess.run([sys.executable, "-B", CLUSTER, *words], check=True, stdout=subprocess.DEVNULL)

    def stop(self, machine):
        self.run("stop", self.folder, machine)

    def start(self, machine):
        self.run("start", self.folder, machine)

    def close(self):
        self.run("down", self.folder)

    @property
    def kubeconfig(self):
        return self.layout.file("kubeconfig")

    def kubectl(self, *words, text=None):
        done = subprocess.run([self.layout.binary("kubectl"), f"--kubeconfig={self.kubeconfig}", *words],
                              input=text, text=True, capture_output=True, timeout=LIMIT_S, check=False)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout

    def apply(self, text):
        self.kubectl("apply", "--server-side", "--filename=-", text=text)

    def get(self, *words):
        return json.loads(self.kubectl("get", *words, "--output=json"))

    def try_get(self, *words):
        """None: not now."""
        try:
            return self.get(*words)
        except AssertionError:
            return None

    def ready_nodes(self):
        return [node["metadata"]["name"] for node in self.get("nodes")["items"] if is_so(node, "Ready")]

    def ready_pods(self, selector):
        """{name: pod} of those that would be sent calls; {} also while nobody can tell."""
        found = self.try_get("pods", f"--selector={selector}") or {"items": []}
        return {pod["metadata"]["name"]: pod for pod in found["items"]
                if "deletionTimestamp" not in pod["metadata"] and is_so(pod, "Ready")}

    def wait_for_pods(self, selector, count):
        """Exactly so many are ready, and there are no others, not even such as end."""
        def are_there():
            pods = self.try_get("pods", f"--selector={selector}")
            return pods if pods and len(pods["items"]) == count and all(
                is_so(pod, "Ready") and "deletionTimestamp" not in pod["metadata"] for pod in pods["items"]) else None
        try:
            found = wait_until(are_there, f"{count} ready pods of {selector}", LIMIT_S)
        except AssertionError as why:
            raise AssertionError(f"{why}\n{self.kubectl('describe', 'pods', f'--selector={selector}')}") from why
        return {pod["metadata"]["name"]: pod for pod in found["items"]}

    def kill(self, pod):
        """Its processes but for the sandbox's, as the kernel does where memory runs out."""
        for status in pod["status"]["containerStatuses"]:
            container = status["containerID"].split("://")[1]
            killed = [pid for pid in processes() if container in read(f"/proc/{pid}/cgroup")]
            assert killed, f"{container} has no process"
            for pid in killed:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def left_behind(self):
        """What a cluster that has ended left on this computer."""
        links = [line.split(":")[1].strip() for line in machines.run("ip", "-o", "link").splitlines() if self.layout.bridge in line]
        network = f" 10.{self.layout.network}."
        routes = [line for line in machines.run("ip", "-4", "route", "show", "table", "all").splitlines() if network in " " + line]
        mounts = [line for line in read("/proc/self/mountinfo").splitlines() if self.folder in line]
        running = [command for command in (read(f"/proc/{pid}/cmdline").replace("\0", " ") for pid in processes())
                   if self.folder in command]
        return links + routes + mounts + machines.cgroup_folders(self.layout) + running + [self.folder] * os.path.exists(self.folder)


def is_so(of, kind):
    """A condition of an object's status."""
    return any(one["type"] == kind and one["status"] == "True" for one in of["status"].get("conditions", []))


def processes():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def read(path):
    """Empty where it has gone meanwhile."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def address_of(pod):
    return pod["status"]["podIP"]


def call(address, limit_s=60, context=None, **given):
    """What the Chainlet at an address answers; OSError where nobody does, or it is a failure. context: of TLS."""
    connection = http.client.HTTPSConnection(address, PORT, timeout=limit_s, context=context) if context \
        else http.client.HTTPConnection(address, PORT, timeout=limit_s)
    return call_by(connection, "/run_remote", given)


def call_by(connection, path, given):
    """The same of a connection, which is closed, and a path."""
    try:
        connection.request("POST", path, json.dumps(given), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read().decode()
        # The answer is whole. Without TIME_WAIT: callers that go on for minutes would run out of ports.
        if connection.sock:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except http.client.HTTPException as why:
        raise OSError(str(why)) from why
    finally:
        connection.close()
    if answer.status != 200:
        raise OSError(f"{answer.status} {said}")
    return json.loads(said)


class Load:
    """Callers that call one after the other, while `with` lasts. call: gives an answer, or raises OSError."""

    def __init__(self, what, callers=4):
        self.what = what
        self.lock = threading.Lock()
        self.answers = {}  # answer: how many
        self.failures = []
        self.turn = 0
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.go_on) for _ in range(callers)]

    def go_on(self):
        while not self.over.is_set():
            turn, answer, failure = self.turn, None, None
            try:
                answer = self.what()
            except OSError as why:
                failure = str(why)
            with self.lock:
                if failure:
                    self.failures.append(failure)
                elif turn == self.turn:
                    self.answers[answer] = self.answers.get(answer, 0) + 1

    def count(self):
        with self.lock:
            return sum(self.answers.values())

    def more(self, count):
        """Returns when so many more were answered."""
        wanted = self.count() + count
        wait_until(lambda: self.count() >= wanted, f"{count} more calls to be answered", LIMIT_S)

    def since(self):
        """Forgets answers, also of calls that have begun already; returns with the first others."""
        with self.lock:
            self.turn += 1
            self.answers.clear()
        self.more(2 * len(self.threads))

    def names(self):
        with self.lock:
            return set(self.answers)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
