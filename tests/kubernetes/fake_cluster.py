"""A cluster that pretends: the fake API server with what Kubernetes does to a version's objects. Deployments get the pods that a test
wants them to have, server-side apply finds conflicts, an owner that goes takes what it owns along."""
import json
import os
import re

from fake_api import COLLECTION, FakeApi, status

NAMESPACE = "default"
CONFIGMAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
EVENTS = f"/api/v1/namespaces/{NAMESPACE}/events"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
AUTOSCALERS = f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers"
METRICS = "/apis/metrics.k8s.io/v1beta1"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/chainsd"


def merge(before, change):
    """As a merge patch does."""
    if not isinstance(change, dict):
        return change
    merged = dict(before) if isinstance(before, dict) else {}
    for key, value in change.items():
        merged[key] = merge(merged.get(key), value)
        if value is None:
            del merged[key]
    return merged


def ready_pod():
    return {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "True"}]}


def waiting_pod(reason, message="", restarts=0, ended=None):
    """A pod whose container doesn't run."""
    container = {"name": "chainlet", "image": "r.example/x:1", "ready": False, "restartCount": restarts,
                 "state": {"waiting": {"reason": reason, "message": message}}, "lastState": {"terminated": ended} if ended else {}}
    return {"phase": "Pending" if not restarts else "Running", "conditions": [{"type": "PodScheduled", "status": "True"},
                                                                            {"type": "Ready", "status": "False"}],
            "containerStatuses": [container]}


def unplaced_pod(message):
    return {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}


class FakeCluster:
    """pod_status: by a Chainlet's name what its pod's status is; conditions: likewise of its Deployment; warnings: (reason, message) of
    its pod. edited: paths that somebody else has changed. refuse: {(method, part of the path): (code, Status)}."""

    def __init__(self, folder):
        self.api = FakeApi()
        self.api.faults.append(self.act)
        self.pod_status, self.conditions, self.warnings, self.logs = {}, {}, {}, {}
        self.edited, self.refuse = set(), {}
        self.states = []   # what a controller says, one word for each time that a version is looked at: (state, message)
        self.applied = []  # paths, in order
        self.kubeconfig = os.path.join(folder, "kubeconfig")
        with open(self.kubeconfig, "w", encoding="utf-8") as file:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "fake",
                       "clusters": [{"name": "fake", "cluster": {"server": self.api.url}}], "users": [{"name": "me", "user": {"token": "t"}}],
                       "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "me"}}]}, file)

    def close(self):
        self.api.stop()

    def objects(self, kind=None):
        with self.api.changed:
            return {path: obj for path, obj in self.api.objects.items() if kind is None or obj.get("kind") == kind}

    # What is done instead of the plain API server, with the handler of a request; True: that was the answer.
    def act(self, handler):
        for (method, part), (code, body) in self.refuse.items():
            if handler.command == method and part in handler.path:
                handler.reply(code, body)
                return True
        if handler.place == "/version":
            handler.reply(200, {"major": "1", "minor": "30", "gitVersion": "v1.30.0"})
        elif handler.place.endswith("/log"):
            handler.reply(200, self.logs.get(handler.query.get("previous", "false"), "").encode())
        elif handler.command == "GET" and COLLECTION.match(handler.place):
            self.list(handler)
        elif handler.command == "GET" and handler.place.startswith(CONFIGMAPS) and self.states:
            self.say_state(handler.place)
            return False
        elif handler.command == "PATCH" and handler.headers["Content-Type"] == "application/apply-patch+yaml":
            self.apply(handler)
        elif handler.command == "PATCH":
            self.merge(handler)
        elif handler.command == "DELETE":
            self.collect(handler.place)
            return False
        else:
            return False
        return True

    def list(self, handler):
        wanted = [re.fullmatch(r"([^=]+?)(?:=(.*))?", word).groups() for word in handler.query.get("labelSelector", "").split(",") if word]
        with self.api.changed:
            found = [obj for path, obj in sorted(self.api.objects.items()) if path.rsplit("/", 1)[0] == handler.place]
        found = [obj for obj in found if all(key in obj["metadata"].get("labels", {}) and value in (None, obj["metadata"]["labels"][key])
                                             for key, value in wanted)]
        handler.reply(200, {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": found})

    def say_state(self, place):
        with self.api.changed:
            if place not in self.api.objects:
                return
            annotations = self.api.objects[place]["metadata"].setdefault("annotations", {})
        state, message = self.states.pop(0)
        annotations.update({"chains.dev/state": state, "chains.dev/message": message, "chains.dev/handled": annotations.get("chains.dev/requested", "")})

    def merge(self, handler):
        with self.api.changed:
            absent = handler.place not in self.api.objects
        if absent:
            handler.reply(*handler.absent())
            return
        with self.api.changed:
            changed = merge(self.api.objects[handler.place], json.loads(handler.body))
        self.api.put(handler.place, changed)
        handler.reply(200, changed)

    def apply(self, handler):
        obj = json.loads(handler.body)
        place, dry = handler.place, handler.query.get("dryRun") == "All"
        with self.api.changed:
            before = self.api.objects.get(place)
        if place in self.edited and handler.query["force"] == "false":
            handler.reply(*status(409, "Conflict", 'Apply failed with 1 conflict: conflict with "kubectl-edit" using apps/v1: .spec.template'))
            return
        changed = merge(before or {}, obj)
        knative = obj["apiVersion"] == "serving.knative.dev/v1"
        if knative and dry and not self.has_account(place, obj):
            handler.reply(*status(400, "BadRequest", 'admission webhook "validation.webhook.serving.knative.dev" denied the request: validation callback '
                                                     'failed: dry run failed with pods "dry-run-validation" is forbidden: error looking up service account'))
            return
        if changed != before and not dry:
            changed["metadata"]["generation"] = 1
            self.api.put(place, changed)
            self.edited.discard(place)
            if obj["kind"] == "Deployment":
                self.settle(place, changed)
            if knative:
                self.api.put(place, {**changed, "status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}})
        if not dry:
            self.applied.append(place)
        with self.api.changed:
            handler.reply(200 if before else 201, changed if dry else self.api.objects[place])

    def has_account(self, place, service):
        """Whether pods of Knative's could be made: it tries one where its Service is tried."""
        account = service["spec"]["template"]["spec"].get("serviceAccountName", "default")
        namespace = place.split("/namespaces/")[1].split("/")[0]
        with self.api.changed:
            return account == "default" or f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}" in self.api.objects

    def settle(self, place, deployment):
        """Its pod, and what it says of it."""
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        chainlet = labels.get("chains.dev/chainlet", "chainsd")
        now = self.pod_status.get(chainlet, ready_pod())
        ready = int(any(one["type"] == "Ready" and one["status"] == "True" for one in now["conditions"]))
        name = deployment["metadata"]["name"] + "-pod"
        conditions = self.conditions.get(chainlet, [])
        ready = 0 if conditions else ready
        self.api.put(place, {**deployment, "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": ready,
                                                      "conditions": conditions}})
        owned = {"ownerReferences": deployment["metadata"].get("ownerReferences", [])}
        if not conditions:
            self.api.put(f"{PODS}/{name}", {"metadata": {"labels": labels, **owned}, "status": now})
        for number, (reason, message) in enumerate(self.warnings.get(chainlet, [])):
            self.api.put(f"{EVENTS}/{name}.{number}", {"metadata": owned, "type": "Warning", "reason": reason, "message": message,
                                                       "involvedObject": {"kind": "Pod", "name": name}})

    def collect(self, place):
        """What it owns goes with it."""
        with self.api.changed:
            gone = self.api.objects.get(place)
            owned = [path for path, obj in self.api.objects.items() if gone and
                     any(owner["uid"] == gone["metadata"]["uid"] for owner in obj["metadata"].get("ownerReferences", []))]
            name = place.rsplit("/", 1)[1] + "-pod"
            owned += [path for path in self.api.objects if path == f"{PODS}/{name}" and path not in owned]
        for path in owned:
            self.api.remove(path)
