"""A cluster whose nodes are this computer: the fake API server, and what makes pods of Deployments. A pod is a real process of the
Chainlet's program with a loopback address of its own; names of Services are in a /etc/hosts that these processes have to themselves."""
import copy
import datetime
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import threading
import time

from fake_api import FakeApi, status

NAMESPACE = "/namespaces/default/"
DEPLOYMENTS = "/apis/apps/v1" + NAMESPACE + "deployments"
CONFIGMAPS = "/api/v1" + NAMESPACE + "configmaps"
PODS = "/api/v1" + NAMESPACE + "pods"
PROBES = 8081
TICK_S = 0.05


def merge(target, patch):
    """RFC 7386."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            target[key] = merge(dict(target.get(key) or {}), value)
        else:
            target[key] = value
    return target


def take_block():
    """Loopback addresses that no other stand has, "127.20.10" for all that begin so: a port of their last one is taken for as
    long as the socket is open."""
    first = os.getpid()
    for number in range(200 * 240):
        at = (first + number) % (200 * 240)
        block = f"127.{at % 200 + 20}.{at // 200 + 10}"
        holder = socket.socket()
        try:
            holder.bind((f"{block}.254", PROBES))
        except OSError:
            holder.close()
            continue
        return block, holder
    raise AssertionError("there is no block of loopback addresses left")


class Pod:
    def __init__(self, cluster, deployment, number, address):
        self.cluster = cluster
        self.deployment = deployment
        self.name = f"{deployment}-5d8f-{number}"
        self.path = f"{PODS}/{self.name}"
        self.address = address
        self.process = None
        self.ready = False
        self.restarts = 0
        self.ended = None  # exit status of the process before
        self.leaving = False
        self.problem = None  # (reason, message) that keeps it from being started
        self.written = []  # (time in ns, line) of what the process has written
        self.log = os.path.join(cluster.folder, f"{self.name}.log")
        self.log_at = self.lines_before = 0  # read so far; those of processes before this one

    def status(self):
        running = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        ended = {"terminated": {"exitCode": self.ended if self.ended >= 0 else 128 - self.ended,
                                "reason": "OOMKilled" if self.ended == -signal.SIGKILL else "Error"}} if self.ended is not None else {}
        if self.problem:
            state = {"waiting": {"reason": self.problem[0], "message": self.problem[1]}}
        elif self.process:
            state = running
        else:
            state = {"waiting": {"reason": "CrashLoopBackOff"}}
        return {"phase": "Running" if self.process else "Pending", "podIP": self.address,
                "conditions": [{"type": "Ready", "status": "True" if self.ready else "False"}],
                "containerStatuses": [{"restartCount": self.restarts, "ready": self.ready, "state": state, "lastState": ended}]}

    def object(self, labels):
        meta = {"name": self.name, "labels": {**labels, "pod-template-hash": "5d8f"}, "creationTimestamp": "2026-01-01T00:00:00Z",
                "ownerReferences": [{"kind": "ReplicaSet", "name": f"{self.deployment}-5d8f"}]}
        if self.leaving:
            meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        return {"metadata": meta, "spec": {"nodeName": "here"}, "status": self.status()}

    def read_log(self):
        with open(self.log, "ab+") as file:
            file.seek(self.log_at)
            new = file.read()
        new = new[:new.rfind(b"\n") + 1]
        self.log_at += len(new)
        for line in new.splitlines():
            last = self.written[-1][0] if self.written else 0
            self.written.append((max(time.time_ns(), last + 1), line))

    def answer_log(self, query):
        """As the kubelet does: of the process that runs, or the one before; since a second, or so many from the end."""
        self.read_log()
        before = query.get("previous") == "true"
        lines = self.written[:self.lines_before] if before else self.written[self.lines_before:]
        if "sinceTime" in query:
            since = datetime.datetime.fromisoformat(query["sinceTime"].replace("Z", "+00:00")).timestamp()
            lines = [line for line in lines if line[0] >= int(since) * 10 ** 9]
        lines = lines[-int(query.get("tailLines", len(lines))):] if lines else []
        stamped = [time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at // 10 ** 9)).encode() + b".%09dZ " % (at % 10 ** 9) + line
                   for at, line in lines]
        return b"".join(line + b"\n" for line in stamped)

    def is_ready(self):
        connection = http.client.HTTPConnection(self.address, PROBES, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


class ProcessCluster:
    """programs: the path of each Chainlet's program by version and name, `{("v1", "hello"): path}`."""
    def __init__(self, folder):
        self.api = FakeApi()
        self.api.faults.append(self.answer)
        self.folder = folder
        self.programs = {}
        self.problems = {}  # of the pods of a Deployment that are made from now on: (reason, message)
        self.pods = {}  # by path
        self.numbers = itertools.count(1)
        self.block, self.holder = take_block()
        self.hosts = os.path.join(folder, "hosts")
        self.stopping = False
        self.config = os.path.join(folder, "kubeconfig")
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "here",
                       "clusters": [{"name": "c", "cluster": {"server": self.api.url}}], "users": [{"name": "u", "user": {}}],
                       "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}]}, file)
        self.write_hosts()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    # Requests that the fake API server doesn't know.
    def answer(self, handler):
        if handler.command == "GET" and handler.place.endswith("/log"):
            return self.answer_log(handler)
        if handler.command != "PATCH" or handler.headers["Content-Type"] != "application/merge-patch+json":
            return False
        path = handler.place[:-len("/scale")] if handler.place.endswith("/scale") else handler.place
        with self.api.changed:
            known = self.api.objects.get(path)
            if not known:
                return False
            changed = merge(copy.deepcopy(known), json.loads(handler.body))
            if changed != known:
                self.api.note("MODIFIED", path, changed)
                self.api.objects[path] = changed
        handler.reply(200, changed)
        return True

    def answer_log(self, handler):
        with self.api.changed:
            pod = self.pods.get(handler.place[:-len("/log")])
            if pod and not pod.problem:
                handler.reply(200, pod.answer_log(handler.query))
            elif pod:
                handler.reply(*status(400, "BadRequest", "container is waiting to start"))
        return bool(pod)

    # What there is.
    def apply(self, objects):
        """Those that this cluster knows what to do with, as an administrator would."""
        for one in objects:
            if one["kind"] == "ConfigMap":
                self.api.put(f"{CONFIGMAPS}/{one['metadata']['name']}", one)
            elif one["kind"] == "Deployment":
                one["spec"].setdefault("replicas", 1)
                self.api.put(f"{DEPLOYMENTS}/{one['metadata']['name']}", one)

    def renew(self, config_map):
        """Deletes a ConfigMap and makes it again, so that nothing comes in between."""
        path = f"{CONFIGMAPS}/{config_map['metadata']['name']}"
        with self.api.changed:
            before = self.api.objects[path]["metadata"]["uid"]
            self.api.remove(path)
            self.api.put(path, {**config_map, "metadata": {**config_map["metadata"], "uid": before + "-again"}})

    def annotate(self, version, **annotations):
        path = f"{CONFIGMAPS}/{version}"
        with self.api.changed:
            known = copy.deepcopy(self.api.objects[path])
            known["metadata"].setdefault("annotations", {}).update({f"chains.dev/{name}": text for name, text in annotations.items()})
            self.api.put(path, known)

    def get(self, path):
        with self.api.changed:
            return copy.deepcopy(self.api.objects.get(path))

    def annotations(self, version):
        known = self.get(f"{CONFIGMAPS}/{version}") or {"metadata": {}}
        return known["metadata"].get("annotations") or {}

    def state(self, version):
        return self.annotations(version).get("chains.dev/state")

    def replicas(self, deployment):
        known = self.get(f"{DEPLOYMENTS}/{deployment}")
        return known and known["spec"]["replicas"]

    def pods_of(self, deployment):
        with self.api.changed:
            return [pod for pod in self.pods.values() if pod.deployment == deployment]

    # What makes and ends pods.
    def run(self):
        while True:
            with self.api.changed:
                if self.stopping and not self.pods:
                    return
                self.collect_garbage()
                self.match_replicas()
                looked_at = list(self.pods.values())
            for pod in looked_at:
                self.look_after(pod)
            with self.api.changed:
                self.api.changed.wait(TICK_S)

    def collect_garbage(self):
        """What a ConfigMap owned goes with it."""
        def version_of(one):
            labels = one["metadata"].get("labels") or {}
            return labels.get("chains.dev/chain"), labels.get("chains.dev/version")
        versions = {version_of(one) for path, one in self.api.objects.items() if path.startswith(CONFIGMAPS)}
        for path, one in list(self.api.objects.items()):
            if path.startswith(DEPLOYMENTS) and version_of(one) not in versions:
                self.api.note("DELETED", path, self.api.objects.pop(path))

    def match_replicas(self):
        for path, one in list(self.api.objects.items()):
            if path.startswith(DEPLOYMENTS):
                refused = any(each["type"] == "ReplicaFailure" for each in one.get("status", {}).get("conditions", []))
                self.match(path.rsplit("/", 1)[1], 0 if refused else one["spec"]["replicas"], one)
        for pod in self.pods.values():
            if f"{DEPLOYMENTS}/{pod.deployment}" not in self.api.objects:
                self.end(pod)

    def match(self, name, wanted, deployment):
        there = [pod for pod in self.pods.values() if pod.deployment == name and not pod.leaving]
        for pod in there[wanted:]:
            self.end(pod)
        for _ in range(0 if self.stopping else wanted - len(there)):
            number = next(self.numbers)
            pod = Pod(self, name, number, f"{self.block}.{number}")
            pod.problem = self.problems.get(name)
            self.pods[pod.path] = pod
            self.start(pod, deployment)
            self.tell(pod)

    def labels(self, pod):
        known = self.api.objects.get(f"{DEPLOYMENTS}/{pod.deployment}")
        before = self.api.objects.get(pod.path)
        return known["metadata"]["labels"] if known else before["metadata"]["labels"] if before else {}

    def start(self, pod, deployment):
        if pod.problem:
            return
        labels = deployment["metadata"]["labels"]
        program = self.programs[labels["chains.dev/version"], labels["chains.dev/chainlet"]]
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        env = {one["name"]: one["value"] for one in container["env"]}
        env["CHAINS_PROBES_LISTEN"] = f"http://{pod.address}:{PROBES}"
        inside = f'mount --bind "{self.hosts}" /etc/hosts && exec "$@"'
        pod.read_log()
        pod.lines_before = len(pod.written)
        with open(pod.log, "a", encoding="utf-8") as log:
            pod.process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-ec", inside, "sh", program, "--listen", f"http://{pod.address}:8080"],
                env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def end(self, pod):
        if pod.leaving:
            return
        pod.leaving = True
        self.tell(pod)
        if pod.process:
            pod.process.send_signal(signal.SIGTERM)

    def tell(self, pod):
        obj = pod.object(self.labels(pod))
        known = self.api.objects.get(pod.path)
        obj["metadata"]["uid"] = f"uid-{pod.name}"
        self.api.note("MODIFIED" if known else "ADDED", pod.path, obj)
        self.api.objects[pod.path] = obj
        self.write_hosts()

    def look_after(self, pod):
        ready = bool(pod.process) and not pod.leaving and pod.is_ready()
        ended = pod.process.poll() if pod.process else None
        with self.api.changed:
            pod.read_log()
            if pod.leaving and (ended is not None or not pod.process):
                del self.pods[pod.path]
                self.api.note("DELETED", pod.path, self.api.objects.pop(pod.path))
                self.write_hosts()
            elif ended is not None:
                pod.ended, pod.process, pod.ready = ended, None, False
                self.tell(pod)
            elif not pod.process and not pod.problem:
                pod.restarts += 1
                self.start(pod, self.api.objects[f"{DEPLOYMENTS}/{pod.deployment}"])
                self.tell(pod)
            elif ready != pod.ready:
                pod.ready = ready
                self.tell(pod)

    def write_hosts(self):
        """In place: that very file is what pods see."""
        lines = ["127.0.0.1 localhost"] + [f"{pod.address} {pod.deployment}" for pod in self.pods.values() if pod.ready and not pod.leaving]
        data = ("\n".join(lines) + "\n").encode()
        with open(self.hosts, "r+b" if os.path.exists(self.hosts) else "wb") as file:
            file.write(data)
            file.truncate()

    def close(self):
        with self.api.changed:
            self.stopping = True
            for pod in self.pods.values():
                self.end(pod)
        self.thread.join()
        self.holder.close()
        self.api.stop()
