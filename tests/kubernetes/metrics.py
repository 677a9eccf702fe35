"""The cluster's metrics API: `metrics.py FOLDER`. It is to the test cluster what metrics-server is to others.

Serves metrics.k8s.io/v1beta1 of pods, which HorizontalPodAutoscalers read CPU from: kubelets are asked every few seconds for what
containers have used so far, and a rate is over what was seen of one in about the last WINDOW_S. The API server alone may ask, by its
front proxy's certificate; which pods there are, and what labels they have, it is asked for each time.
"""
import base64
import http.client
import http.server
import json
import ssl
import sys
import threading
import time
import urllib.parse
from collections import deque
from datetime import datetime, timezone

from certificates import Authority, front_proxy_of
from layout import Layout

PORT = 4443
KUBELET_PORT = 10250
PERIOD_S, WINDOW_S, FORGET_S = 2, 6, 60
GROUP, VERSION = "metrics.k8s.io", "v1beta1"
NAME, NAMESPACE = "metrics", "kube-system"  # of the Service that the API server finds it by
ROOT = ["apis", GROUP, VERSION]
RESOURCES = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/{VERSION}", "resources": [
    {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]}]}


def objects(layout):
    """What tells the API server of it."""
    where = {"name": NAME, "namespace": NAMESPACE}
    with open(layout.file("certificates", "ca.crt"), "rb") as file:
        authority = base64.b64encode(file.read()).decode()
    ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": PORT}]
    return {"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Service", "metadata": where, "spec": {"ports": ports}},
        {"apiVersion": "v1", "kind": "Endpoints", "metadata": where, "subsets": [
            {"addresses": [{"ip": layout.control}], "ports": [{"name": "https", "port": PORT, "protocol": "TCP"}]}]},
        {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": f"{VERSION}.{GROUP}"}, "spec": {
            "group": GROUP, "version": VERSION, "groupPriorityMinimum": 100, "versionPriority": 100, "caBundle": authority,
            "service": {**where, "port": 443}}}]}


def read_time(text):
    """Seconds since 1970 of `2026-01-02T03:04:05.123456789Z`."""
    whole, _, rest = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp() + float(f"0.{rest or 0}")


class Asker:
    """Asks the API server and kubelets."""

    def __init__(self, layout):
        self.api = urllib.parse.urlsplit(layout.api).netloc
        authority = Authority(layout.file("certificates"))
        self.context = ssl.create_default_context(cafile=authority.certificate("ca"))
        self.context.load_cert_chain(authority.certificate("metrics"), authority.key("metrics"))

    def get(self, address, path):
        connection = http.client.HTTPSConnection(address, context=self.context, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            said = answer.read()
        except http.client.HTTPException as why:
            raise OSError(f"{address}: {why!r}") from why
        finally:
            connection.close()
        return answer.status, said


class Usage:
    """What containers have used, by their pods' uids."""

    def __init__(self):
        self.lock = threading.Lock()
        self.samples = {}  # (uid, container): (time, seconds of CPU, bytes) of each look, the last ones

    def note(self, summary):
        with self.lock:
            for pod in summary["pods"]:
                for container in pod.get("containers") or []:
                    cpu, memory = container.get("cpu") or {}, container.get("memory") or {}
                    if "usageCoreNanoSeconds" in cpu:
                        self.add((pod["podRef"]["uid"], container["name"]), (
                            read_time(cpu["time"]), cpu["usageCoreNanoSeconds"] / 1e9, memory.get("workingSetBytes", 0)))
            gone = time.time() - FORGET_S
            self.samples = {key: kept for key, kept in self.samples.items() if kept[-1][0] > gone}

    def add(self, key, sample):
        kept = self.samples.setdefault(key, deque())
        if kept and sample[0] <= kept[-1][0]:
            return  # kubelets look less often at what does little
        if kept and sample[1] < kept[-1][1]:
            kept.clear()  # it was started again
        kept.append(sample)
        while len(kept) > 2 and kept[-1][0] - kept[1][0] >= WINDOW_S:
            kept.popleft()

    def of(self, pod):
        """Its PodMetrics; None: nothing can be told of it yet."""
        with self.lock:
            found = {name: list(kept) for (uid, name), kept in self.samples.items() if uid == pod["metadata"]["uid"] and len(kept) > 1}
        names = [container["name"] for container in pod["spec"]["containers"]]
        if any(name not in found for name in names):
            return None
        last, window = min((found[name][-1][0], found[name][-1][0] - found[name][0][0]) for name in names)
        return {
            "kind": "PodMetrics", "apiVersion": f"{GROUP}/{VERSION}",
            "metadata": {key: pod["metadata"].get(key) for key in ("name", "namespace", "labels", "creationTimestamp")},
            "timestamp": datetime.fromtimestamp(last, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), "window": f"{window:.3f}s",
            "containers": [{"name": name, "usage": self.rate(found[name])} for name in names]}

    @staticmethod
    def rate(kept):
        cores = (kept[-1][1] - kept[0][1]) / (kept[-1][0] - kept[0][0])
        return {"cpu": f"{round(cores * 1e9)}n", "memory": f"{kept[-1][2] // 1024}Ki"}


def follow(layout, asker, usage, node):
    while True:
        try:
            status, said = asker.get(f"{layout.address_of(node)}:{KUBELET_PORT}", "/stats/summary?only_cpu_and_memory=true")
            if status == 200:
                usage.note(json.loads(said))
            else:
                print(f"{node}: {status} {said[:200]}", flush=True)
        except OSError:
            pass  # not there for now
        time.sleep(PERIOD_S)


def failure(code, reason, message):
    return code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}


def answer(asker, usage, target):
    """(status, object) of a path."""
    parsed = urllib.parse.urlsplit(target)
    words = parsed.path.strip("/").split("/")
    if words == ROOT:
        return 200, RESOURCES
    namespace = words[4] if words[3:4] == ["namespaces"] else None
    rest = words[5:] if namespace else words[3:]
    if words[:3] != ROOT or rest[:1] != ["pods"] or len(rest) > (2 if namespace else 1):
        return failure(404, "NotFound", f"there is no {parsed.path}")
    path = "/api/v1/" + "/".join(words[3:]) + (f"?{parsed.query}" if parsed.query else "")
    status, said = asker.get(asker.api, path)
    found = json.loads(said)
    if status != 200:
        return status, found
    if len(rest) == 2:
        told = usage.of(found)
        return (200, told) if told else failure(404, "NotFound", f"nothing is known of pod {rest[1]} yet")
    told = [metrics for metrics in (usage.of(pod) for pod in found["items"]) if metrics]
    return 200, {"kind": "PodMetricsList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}, "items": told}


def main():
    layout = Layout(sys.argv[1])
    asker, usage = Asker(layout), Usage()
    for node in layout.nodes:
        threading.Thread(target=follow, args=(layout, asker, usage, node), daemon=True).start()
    authority, front = Authority(layout.file("certificates")), front_proxy_of(layout)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=front.certificate("ca"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(authority.certificate("metrics"), authority.key("metrics"))

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            try:
                status, told = answer(asker, usage, self.path)
            except (OSError, ValueError) as why:
                status, told = failure(503, "ServiceUnavailable", str(why))
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def get_request(self):
            connection, peer = super().get_request()
            # Hands are shaken in the connection's own thread.
            return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), peer

        def handle_error(self, request, client_address):
            pass  # who comes without a certificate, or leaves

    Server((layout.control, PORT), Handler).serve_forever()


if __name__ == "__main__":
    main()
