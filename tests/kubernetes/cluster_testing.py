"""What tests on the cluster share: the cluster, its objects as JSON, calls from outside it."""
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile

import build
import machines
from chains_testing import BUILD, Home, wait_until
from layout import Layout
from oci import Registry, libraries

HERE = os.path.dirname(os.path.abspath(__file__))
CLUSTER = os.path.join(HERE, "cluster")
TOOLS = ["unshare", "ip", "iptables", "openssl", "containerd", "runc", "etcd", "docker-registry"]
PORT = 8080
LIMIT_S = 300  # for what the cluster does; a node that went is missed after 25 s


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

    def kubectl(self, *words, text=None):
        done = subprocess.run([self.layout.binary("kubectl"), f"--kubeconfig={self.layout.file('kubeconfig')}", *words],
                              input=text, text=True, capture_output=True, timeout=LIMIT_S, check=False)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout

    def apply(self, *objects):
        for one in objects:
            self.kubectl("apply", "--filename=-", text=json.dumps(one))

    def get(self, *words):
        return json.loads(self.kubectl("get", *words, "--output=json"))

    def left_behind(self):
        """What a cluster that has ended left on this computer."""
        links = [line.split(":")[1].strip() for line in machines.run("ip", "-o", "link").splitlines() if self.layout.bridge in line]
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            mounts = [line for line in file if self.folder in line]
        return links + mounts + machines.cgroup_folders(self.layout) + processes_with(self.folder) + \
            [self.folder] * os.path.exists(self.folder)


def processes_with(text):
    """The command lines of processes that name a folder."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        if text in command:
            found.append(command)
    return found


def build_images(registry):
    """{Chainlet: image}, of the services of the chain here, pushed."""
    home = Home()
    try:
        folder = home.copy(os.path.relpath(os.path.join(HERE, "chain"), os.environ["CHAINS_SOURCE_DIR"]))
        images = {}
        for service in json.loads(home.good("build", folder, "--json")):
            program = service["binary"] if os.path.isabs(service["binary"]) else home.file(service["binary"])
            files = {path: path for path in libraries(program)}
            images[service["name"]] = Registry(registry).push(
                service["name"], "1", {"/service": program, **files}, ["/service", "--listen", f"http://0.0.0.0:{PORT}"])
        return images
    finally:
        home.close()


def deployment(name, image, replicas=1, env=None, spread="ScheduleAnyway"):
    labels = {"app": name}
    probe = {"httpGet": {"path": "/readyz", "port": PORT}, "periodSeconds": 1}
    pod = {"containers": [{
        "name": "service", "image": image, "ports": [{"containerPort": PORT}],
        "env": [{"name": key, "value": value} for key, value in (env or {}).items()],
        "readinessProbe": probe, "livenessProbe": {**probe, "httpGet": {"path": "/healthz", "port": PORT}, "failureThreshold": 30},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {"readOnlyRootFilesystem": True, "runAsNonRoot": True, "allowPrivilegeEscalation": False}}],
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": spread,
                                       "labelSelector": {"matchLabels": labels}}],
        "automountServiceAccountToken": False, "enableServiceLinks": False}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels}, "spec": pod}}}


def service(name, headless=False):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"port": PORT}], **({"clusterIP": "None"} if headless else {})}}


def call(address, name, pause_ms=0, limit_s=60):
    """What the Chainlet at an address answers; OSError where nobody does."""
    connection = http.client.HTTPConnection(address, PORT, timeout=limit_s)
    try:
        connection.request("POST", "/run_remote", json.dumps({"name": name, "pause_ms": pause_ms}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read().decode()
    except http.client.HTTPException as why:
        raise OSError(str(why)) from why
    finally:
        connection.close()
    if answer.status != 200:
        raise OSError(f"{answer.status} {said}")
    return json.loads(said)


__all__ = ["BUILD", "LIMIT_S", "Cluster", "build_images", "call", "deployment", "service", "wait_until", "why_not"]
