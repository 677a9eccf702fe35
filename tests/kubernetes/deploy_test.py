"""`chains deploy --target kubernetes` and what undoes it, against a cluster that pretends: what is applied in which order, and what is said
when something goes wrong."""
import base64
import json
import os
import unittest

from chains_testing import Home
from fake_api import status
from fake_cluster import (AUTOSCALERS, CONFIGMAPS, DEPLOYMENTS, LEASE, METRICS, PODS, SECRETS, FakeCluster, unplaced_pod, waiting_pod)
from image_registry import ImageRegistry
from versions import change

KEEPER_SECRET = f"{SECRETS}/keeper-secrets"
IMAGES = {"hello": "r.example/hello/hello:1", "hello_writer": "r.example/hello/hello_writer:1"}
FORBIDDEN = status(403, "Forbidden", 'deployments.apps "x" is forbidden: User "me" cannot patch resource "deployments" in API group "apps" in '
                                     'the namespace "default"')


class DeployTest(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.close)
        self.cluster = FakeCluster(self.home.path)
        self.addCleanup(self.cluster.close)
        self.chain = self.home.copy("examples/hello")
        self.images = self.home.file("images.json")
        self.name_images(IMAGES)

    def name_images(self, images):
        with open(self.images, "w", encoding="utf-8") as file:
            json.dump(images, file)

    def run_verb(self, verb, *words):
        return self.home.chains(verb, *words, "--target", "kubernetes", "--kubeconfig", self.cluster.kubeconfig)

    def deploy(self, *words, chain=None):
        return self.run_verb("deploy", chain or self.chain, "--images", self.images, "--patience", "0", *words)

    def good(self, *words):
        done = self.deploy(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def failed(self, *words, left=0, chain=None):
        """What is said of a deployment that fails; left: objects that are there then."""
        done = self.deploy(*words, chain=chain)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertEqual(len(self.cluster.objects()), left, done.stderr)
        return done.stderr

    def version(self):
        [config] = self.cluster.objects("ConfigMap").values()
        return config["data"]["version"]


class Deploying(DeployTest):
    def test_from_sources_to_pods_and_back(self):
        registry = ImageRegistry()
        self.addCleanup(registry.close)
        words = [self.chain, "--registry", registry.host + "/team", "--compression", "gzip"]
        done = self.run_verb("deploy", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("ready  hello_writer\n", done.stderr)
        self.assertIn("There is no controller in namespace 'default'", done.stdout)
        # The version first, then what it owns, of callees before callers.
        self.assertEqual([path.split("/")[-2] for path in self.cluster.applied],
                         ["configmaps"] + ["serviceaccounts", "networkpolicies", "services", "deployments", "poddisruptionbudgets"] * 2)
        [config] = self.cluster.objects("ConfigMap").values()
        deploy = json.loads(config["data"]["deploy.json"])
        self.assertEqual((deploy["chain"], deploy["services"][0]["name"], deploy["services"][0]["binary"]), ("hello", "hello_writer", ""))
        self.assertTrue(deploy["source_digest"] and deploy["created_by"])
        deployments = self.cluster.objects("Deployment")
        self.assertEqual(len(deployments), 2)
        for path, each in self.cluster.objects().items():
            if "ConfigMap" not in (each.get("kind"), ) and "/pods/" not in path:
                self.assertEqual([owner["uid"] for owner in each["metadata"]["ownerReferences"]], [config["metadata"]["uid"]], path)
        for each in deployments.values():
            image = each["spec"]["template"]["spec"]["containers"][0]["image"]
            repository, digest = image.removeprefix(registry.host + "/").split("@")
            self.assertIn((repository, digest), registry.manifests)
            self.assertEqual({layer["mediaType"].rpartition("+")[2] for layer in registry.manifest(repository, digest)["layers"]}, {"gzip"})
            self.assertNotIn("replicas", each["spec"])

        # The same once more changes nothing.
        before = self.cluster.objects()
        done = self.run_verb("deploy", *words, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        said = json.loads(done.stdout)
        self.assertEqual((said["chain"], said["version"], said["unchanged"], said["controller"]), ("hello", config["data"]["version"], True, False))
        self.assertEqual(self.cluster.objects(), before)
        self.assertIn("is there already", self.run_verb("deploy", *words).stdout)
        self.assertIn("is there already, and isn't tried again (--canary)", self.run_verb("deploy", *words, "--canary", "10").stdout)

        # What somebody has scaled to none is there, but doesn't run.
        place, idle = next(iter(deployments.items()))
        self.cluster.api.put(place, {**idle, "spec": {**idle["spec"], "replicas": 0}, "status": {"observedGeneration": 1}})
        self.assertIn(f"scale deployment/{idle['metadata']['name']} --replicas=1", self.run_verb("deploy", *words).stdout)
        self.cluster.api.put(place, idle)

        [shown] = json.loads(self.run_verb("status", "--json").stdout)
        self.assertEqual((shown["chain"], shown["version"], [(each["name"], each["ready"], each["wanted"]) for each in shown["chainlets"]]),
                         ("hello", config["data"]["version"], [("hello", 1, 1), ("hello_writer", 1, 1)]))
        self.assertIn("hello 1/1, hello_writer 1/1", self.run_verb("status", "hello").stdout)
        done = self.run_verb("delete", "hello")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.cluster.objects(), {})
        done = self.run_verb("delete", "hello")
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no chain 'hello' in namespace 'default'", done.stderr)
        self.assertIn("nothing is deployed", self.run_verb("status").stdout)

    def test_manifests_agree_with_images(self):
        """What `chains image` pushed is where `chains manifests` looks for it."""
        registry = ImageRegistry()
        self.addCleanup(registry.close)
        where = ["--name", "Greeter", "--registry", f"http://{registry.host}/team"]
        made = json.loads(self.home.good("image", self.chain, *where, "--json"))
        for tag, images in ((["--tag", "v7"], None), ([], self.home.file("made.json"))):
            words = ["--images", images] if images else ["--version", "v7"]
            if images:
                with open(images, "w", encoding="utf-8") as file:
                    json.dump(made, file)
            else:
                self.home.good("image", self.chain, *where, *tag)
            listed = json.loads(self.home.good("manifests", self.chain, *where, *words, "--json"))
            for each in listed["items"]:
                if each["kind"] == "Deployment":
                    place = each["spec"]["template"]["spec"]["containers"][0]["image"].removeprefix(registry.host + "/")
                    repository, reference = place.split("@") if images else place.rsplit(":", 1)
                    self.assertIn((repository, reference), registry.manifests)

    def test_pods_of_a_chainlet(self):
        self.cluster.pod_status = {"hello_writer": waiting_pod("CrashLoopBackOff", "back-off", 2, {"exitCode": 7})}
        self.deploy("--version", "v1", "--keep")
        shown, = json.loads(self.run_verb("status", "hello", "hello_writer", "--json").stdout)
        self.assertEqual((shown["pod"], shown["node"], shown["version"], shown["state"], shown["restarts"], shown["why"]),
                         ("hello-v1-hello-writer-pod", None, "v1", "starting", 2, "CrashLoopBackOff: back-off"))
        path = f"{PODS}/hello-v1-hello-pod"
        self.cluster.api.put(path, {**self.cluster.objects()[path], "spec": {"nodeName": "node2"}})
        head, line = self.run_verb("status", "hello", "hello").stdout.splitlines()
        self.assertEqual(head.split(), ["POD", "NODE", "VERSION", "STATE", "RESTARTS", "SINCE"])
        self.assertEqual(line.split()[:5], ["hello-v1-hello-pod", "node2", "v1", "ready", "0"])
        self.cluster.api.remove(path)
        self.assertEqual(self.run_verb("status", "hello", "hello").stdout, "hello has no pod now\n")
        for words in (["hello", "nobody"], ["hello", "hello", "--environment", "staging"], ["nobody", "hello"]):
            done = self.run_verb("status", *words)
            self.assertEqual((done.returncode, done.stdout), (1, ""), words)
            self.assertIn(f"has no Chainlet '{words[1]}' in environment", done.stderr)

    def test_what_was_changed_by_hand(self):
        self.good()
        version = self.version()
        self.cluster.edited.add(f"{DEPLOYMENTS}/hello-{version}-hello")
        [service] = [path for path in self.cluster.objects("Service") if path.endswith("-hello-writer")]
        self.cluster.api.remove(service)
        done = self.good()
        self.assertIn(f'note: Deployment hello-{version}-hello had been changed by hand (conflict with "kubectl-edit" using apps/v1: .spec.template)',
                      done.stderr)
        self.assertIn(f"note: Service hello-{version}-hello-writer was missing", done.stderr)
        self.assertIn(service, self.cluster.objects())

    def test_namespace(self):
        done = self.good("--namespace", "team", "--create-namespace")
        self.assertEqual(self.cluster.applied[0], "/api/v1/namespaces/team", "what is in it comes after it")
        self.assertIn("hello.team:8080/run_remote", done.stdout)
        places = [path for path in self.cluster.objects() if "/namespaces/team/" in path]
        self.assertEqual(len(places), 11)
        self.assertIn("is there already", self.good("--namespace", "team").stdout, "it is no part of a version")

    def test_to_knative(self):
        done = self.good("--autoscaler", "knative", "--version", "v1")
        self.assertEqual([path.split("/")[-2] for path in self.cluster.applied],
                         ["configmaps"] + ["serviceaccounts", "services", "poddisruptionbudgets"] * 2)
        for each in self.cluster.objects("Service").values():
            self.assertEqual((each["apiVersion"], each["spec"]["template"]["spec"]["serviceAccountName"]),
                             ("serving.knative.dev/v1", each["metadata"]["name"]))
        self.assertIn("hello-v1-hello.default.svc.cluster.local/run_remote    # from pods in the cluster\n", done.stdout)
        self.assertNotIn("controller", done.stdout)
        self.assertIn("is there already", self.good("--autoscaler", "knative", "--version", "v1", "--namespace", "default").stdout)
        self.cluster.api.put(LEASE, {"kind": "Lease"})  # a controller has nothing to do with it
        self.assertIn("hello-v2-hello.default.svc.cluster.local/run_remote", self.good("--autoscaler", "knative", "--version", "v2").stdout)
        self.cluster.api.remove(LEASE)
        self.assertEqual(self.run_verb("delete", "hello").returncode, 0)
        self.assertEqual(self.cluster.objects(), {})

    def test_what_several_changed_is_told_on_one_line(self):
        self.good()
        path = f"{DEPLOYMENTS}/hello-{self.version()}-hello"

        def refuse(handler):
            if handler.command != "PATCH" or handler.place != path or "dryRun" in handler.query or "force=true" in handler.path:
                return False
            handler.reply(409, {"kind": "Status", "code": 409, "reason": "Conflict", "message":
                                'Apply failed with 3 conflicts: conflicts with "kubectl-label" using apps/v1:\n- .metadata.labels.a\n- .metadata.labels.b\n'
                                'conflicts with "kubectl-patch" using apps/v1:\n- .spec.template'})
            return True
        self.cluster.api.faults.insert(0, refuse)
        self.assertIn('had been changed by hand (conflicts with "kubectl-label" using apps/v1: .metadata.labels.a, .metadata.labels.b; '
                      'conflicts with "kubectl-patch" using apps/v1: .spec.template); it is as version', self.good().stderr)

    def test_images_are_all_named(self):
        """Nothing is pushed for those that aren't, so that their pods would wait for an image that nobody has made."""
        digest = "sha256:" + "7" * 64
        for images, words, said in (({"hello": IMAGES["hello"]}, ["--registry", "r.example"], "--images names none for hello_writer, and builds none"),
                                    ({}, ["--version", "v1"], "--images names none for hello_writer, hello, and builds none"),
                                    ({**IMAGES, "hello": digest}, [], "--images says a digest alone for hello, and not where that is")):
            self.name_images(images)
            done = self.deploy(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
            self.assertIn(said, done.stderr)
            self.assertIn("hint: ", done.stderr)
            self.assertEqual((self.cluster.objects(), self.cluster.applied), ({}, []), "it is asked first")
        self.good("--registry", "r.example")

    def test_another_version_of_that_name(self):
        self.good("--version", "v1")
        before = self.cluster.objects()
        self.name_images({**IMAGES, "hello": "r.example/hello/hello:2"})
        said = self.failed("--version", "v1", left=len(before))
        self.assertIn("version v1 of hello is there already, and is another one", said)
        self.assertEqual(self.cluster.objects(), before)
        self.assertIn("Also there: v1", self.good("--version", "v2").stdout)
        self.assertEqual(self.run_verb("delete", "hello", "--version", "v1").returncode, 0)
        self.assertEqual({each["data"]["version"] for each in self.cluster.objects("ConfigMap").values()}, {"v2"})

    def test_secrets_come_first(self):
        keeper = self.home.copy("tests/kubernetes/keeper")
        self.name_images({"keeper": "r.example/keeper:1"})
        said = self.failed(chain=keeper)
        self.assertIn("there is no Secret 'keeper-secrets' in namespace 'default' with 'token'", said)
        self.assertIn("hint: chains secret set token --chain keeper --target kubernetes --namespace default < FILE", said)
        self.cluster.api.put(KEEPER_SECRET, {"kind": "Secret", "data": {"other": "eA=="}})
        self.assertIn("the Secret 'keeper-secrets' in namespace 'default' lacks 'token'", self.failed(chain=keeper, left=1))
        self.cluster.api.put(KEEPER_SECRET, {"kind": "Secret", "data": {"token": "eA=="}})
        self.assertEqual(self.deploy(chain=keeper).returncode, 0)
        self.assertEqual(self.run_verb("delete", "keeper").returncode, 0)
        self.assertEqual(self.cluster.objects(), {}, "the Secret goes with the chain")

    def test_setting_secrets(self):
        value = self.home.file("value")
        with open(value, "wb") as file:
            file.write(b"s3cret\n\n")
        words = ["--chain", "keeper", "--file", value]
        for name in ("token", "other"):
            done = self.run_verb("secret", "set", name, *words)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        secret = self.cluster.objects()[KEEPER_SECRET]
        self.assertEqual({key: base64.b64decode(each) for key, each in secret["data"].items()}, {"token": b"s3cret\n\n", "other": b"s3cret\n\n"})
        self.assertEqual(secret["metadata"]["labels"]["chains.dev/chain"], "keeper")
        self.assertEqual(json.loads(self.run_verb("secret", "list", "--chain", "keeper", "--json").stdout), ["other", "token"])
        self.assertEqual(self.run_verb("secret", "delete", "other", "--chain", "keeper").returncode, 0)
        self.assertEqual(self.run_verb("secret", "list", "--chain", "keeper").stdout, "token\n")
        done = self.run_verb("secret", "delete", "other", "--chain", "keeper")
        self.assertEqual(done.returncode, 1)
        self.assertIn("has no 'other'", done.stderr)
        self.assertEqual(self.run_verb("secret", "set", "token").returncode, 2, "of which chain?")


class Autoscaled(DeployTest):
    """--autoscaler hpa: what Kubernetes' own autoscaler can't do is told."""
    NONE, SILENT = "has no metrics API", "doesn't answer"

    def setUp(self):
        super().setUp()
        change(os.path.join(self.chain, "hello_writer.h"), ("CHAINLET(hello_writer);", "CHAINLET(hello_writer, .cpu = 1, .autoscaling = { .max_replicas = 3 });"))

    def scaler(self, kind="ScalingActive", **condition):
        """The autoscaler says so; its path."""
        [path] = [path for path in self.cluster.objects("HorizontalPodAutoscaler") if path.startswith(AUTOSCALERS)]
        known = self.cluster.objects()[path]
        self.cluster.api.put(path, {**known, "status": {"conditions": [{"type": kind, **condition}]}})
        return path

    def unscaled(self):
        [shown] = json.loads(self.run_verb("status", "--json").stdout)
        return {each["name"]: each["unscaled"] for each in shown["chainlets"]}

    def test_without_a_metrics_api(self):
        self.assertIn(self.NONE, self.good("--autoscaler", "hpa").stderr)
        self.assertIn("metrics-server", self.good("--autoscaler", "hpa", "--json").stderr)
        self.assertEqual(self.unscaled(), {"hello": None, "hello_writer": None})  # nothing is known yet
        self.scaler(status="False", reason="FailedGetResourceMetric", message="no such thing\x1b[2J")
        done = self.run_verb("status")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"hello v\S+: hello_writer isn't scaled for now: FailedGetResourceMetric: no such thing[^\x1b]*\n")
        self.assertIn(self.NONE, done.stderr)
        self.assertEqual(self.unscaled(), {"hello": None, "hello_writer": "FailedGetResourceMetric: no such thing\x1b[2J"})
        self.scaler("AbleToScale", status="False", reason="FailedGetScale", message="gone")
        self.assertEqual(self.unscaled()["hello_writer"], "FailedGetScale: gone")

    def test_a_metrics_api_that_does_not_answer(self):
        self.cluster.refuse["GET", METRICS] = status(503, "ServiceUnavailable", "the server is currently unable to handle the request")
        self.assertIn(self.SILENT, self.good("--autoscaler", "hpa").stderr)

    def test_all_is_well(self):
        self.cluster.refuse["GET", METRICS] = (200, {"kind": "APIResourceList"})
        self.assertNotIn("metrics", self.good("--autoscaler", "hpa").stderr)
        self.scaler("AbleToScale", status="True", reason="ReadyForNewScale")
        self.assertNotIn("scaled", self.run_verb("status").stdout)
        for condition in ({"status": "True", "reason": "ValidMetricFound"}, {"status": "False", "reason": "ScalingDisabled"}):
            self.scaler(**condition)
            done = self.run_verb("status")
            self.assertNotIn("scaled", done.stdout + done.stderr)

    def test_who_may_not_read_them_is_told_the_rest(self):
        self.good("--autoscaler", "hpa")
        path = self.scaler(status="False", reason="FailedGetResourceMetric", message="none")
        self.cluster.refuse["GET", path.rsplit("/", 1)[0]] = FORBIDDEN
        done = self.run_verb("status")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("hello 1/1, hello_writer 1/1", done.stdout)

    def test_others_need_none(self):
        self.assertNotIn("metrics", self.good().stderr)
        change(os.path.join(self.chain, "hello_writer.h"), (".max_replicas = 3", ".max_replicas = 1"))
        self.assertNotIn("metrics", self.good("--autoscaler", "hpa").stderr)


class Reasons(DeployTest):
    """Why pods don't come; what was applied goes again."""

    def test_reasons(self):
        pull = ('Failed to pull image "r.example/x:1": rpc error: code = NotFound desc = failed to pull and unpack image "r.example/x:1": '
                'failed to resolve reference "r.example/x:1": r.example/x:1: ')
        for now, warning, expected in (
                (waiting_pod("ImagePullBackOff", "Back-off pulling image"), ("Failed", pull + "not found"),
                 ["pod hello-", "the image r.example/x:1 can't be pulled: not found\n", "chains image --registry"]),
                (waiting_pod("ErrImagePull", "401 Unauthorized"), None, ["can't be pulled: 401 Unauthorized", "--pull-secret"]),
                (waiting_pod("ErrImagePull", "failed to register layer: ApplyLayer exit status 1 stdout:  stderr: archive/tar: invalid tar header"), None,
                 ["can't be pulled: failed to register layer", "--compression gzip"]),
                (waiting_pod("ErrImagePull", "no processor for media-type: application/vnd.oci.image.layer.v1.tar+zstd"), None, ["--compression gzip"]),
                (waiting_pod("ErrImagePull", "dial tcp: no such host"), None, ["the nodes have to reach the registry"]),
                (waiting_pod("ErrImageNeverPull"), None, ["isn't on its node", "bring it onto the nodes"]),
                (waiting_pod("InvalidImageName", "no"), None, ["can't be the name of an image", "--registry HOST"]),
                (waiting_pod("CreateContainerConfigError", 'secret "hello-secrets" not found'), None,
                 ['secret "hello-secrets" not found', "kubectl create secret generic hello-secrets -n default"]),
                (waiting_pod("RunContainerError", "exec format error"), None, ["it can't be started: exec format error", "kind of processor"]),
                (waiting_pod("ContainerCreating"), ("FailedMount", 'MountVolume.SetUp failed for volume "tls" : secret "hello-x-tls" not found'),
                 ['secret "hello-x-tls" not found', "chains controller", "--tls off"]),
                (unplaced_pod("0/2 nodes are available: 2 Insufficient nvidia.com/gpu."), None, ["no node takes it: 0/2 nodes", "no node has a GPU free"]),
                (unplaced_pod("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity."), None, ["kubectl label node NODE chains.dev/gpu=KIND"]),
                (unplaced_pod("0/2 nodes are available: 2 Insufficient cpu."), None, ["ask for less in .cpu"]),
                (waiting_pod("CrashLoopBackOff", "", 2, {"exitCode": 137, "reason": "OOMKilled"}), None, ["more memory than it may", "say more in .memory"]),
                (waiting_pod("CrashLoopBackOff", "", 2, {"exitCode": 0, "signal": 11}), None, ["ended by signal 11 (3 starts)"])):
            with self.subTest(expected[0]):
                self.cluster.pod_status = {"hello_writer": now}
                self.cluster.warnings = {"hello_writer": [warning]} if warning else {}
                said = self.failed()
                for text in ["hello_writer: pod hello-v0-", *expected, "is removed again (--keep"]:
                    self.assertIn(text, said)

    def test_what_is_over(self):
        """A volume that wasn't there at first is, once the container's image is fetched."""
        self.cluster.pod_status = {"hello": waiting_pod("ContainerCreating")}
        self.cluster.warnings = {"hello": [("FailedMount", 'MountVolume.SetUp failed for volume "tls" : secret "x-tls" not found'), ("Pulling", "")]}
        self.assertIn("1 of 2 Chainlets are ready after 1 s", self.failed("--timeout", "1"))

    def test_reasons_as_json(self):
        """The last line of what is said has why it failed, whatever else is told meanwhile."""
        def error(*words):
            done = self.deploy("--json", *words)
            self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
            said = json.loads(done.stderr.splitlines()[-1])["error"]
            self.assertNotIn(said["message"], "\n".join(done.stderr.splitlines()[:-1]), "it is told once")
            return said
        self.cluster.pod_status = {"hello": waiting_pod("InvalidImageName", "no")}
        said = error()
        self.assertRegex(said["message"], "^hello: pod hello-v0-[^ ]*: r.example/x:1 can't be the name of an image: no$")
        self.assertEqual((said["status"], said["hint"]), ("FAILED_PRECONDITION", "say --registry HOST[:PORT][/PATH]"))
        self.cluster.pod_status = {"hello": waiting_pod("ContainerCreating")}
        self.assertEqual(error("--timeout", "1")["status"], "DEADLINE_EXCEEDED")
        self.cluster.refuse = {("PATCH", "/deployments/"): FORBIDDEN}
        said = error()
        self.assertEqual(said["status"], "PERMISSION_DENIED")
        self.assertIn("may not patch deployments", said["message"])
        self.cluster.refuse = {}
        self.cluster.api.stop()
        self.assertEqual(error()["status"], "UNAVAILABLE")
        self.cluster.api.start()

    def test_crash_with_its_log(self):
        self.cluster.pod_status = {"hello": waiting_pod("CrashLoopBackOff", "", 2, {"exitCode": 7})}
        self.cluster.logs = {"true": "no licence\x1b[31m server\n"}
        said = self.failed()
        self.assertIn("it ends with exit status 7 once it is started (3 starts)", said)
        self.assertIn("the last lines of its log:\nno licence", said)

    def test_what_isnt_allowed(self):
        quota = "pods \"x\" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2"
        self.cluster.conditions = {"hello": [{"type": "ReplicaFailure", "status": "True", "message": quota}]}
        said = self.failed()
        for text in ("hello: deployment hello-v0-", quota, "kubectl describe quota -n default"):
            self.assertIn(text, said)
        self.cluster.conditions = {"hello": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}
        self.assertIn("it wasn't ready in time (.start_timeout_s)", self.failed())

    def test_time_is_over(self):
        self.cluster.pod_status = {"hello": waiting_pod("ContainerCreating")}
        said = self.failed("--timeout", "1")
        self.assertIn("1 of 2 Chainlets are ready after 1 s", said)
        self.assertIn("kubectl get pods -n default -l chains.dev/version=v0-", said)

    def test_keep(self):
        self.cluster.pod_status = {"hello": waiting_pod("ErrImageNeverPull")}
        done = self.deploy("--keep")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"what there is of version {self.version()} stays: `chains delete hello --version", done.stderr)
        self.assertEqual(len(self.cluster.objects("Deployment")), 2)

    def test_refusals(self):
        for method, part, answer, said in (
                ("PATCH", "/deployments/", FORBIDDEN, 'may not patch deployments in namespace \'default\''),
                ("PATCH", "/configmaps/", status(404, "NotFound", 'namespaces "default" not found', name="default", kind="namespaces"),
                 "there is no namespace 'default': kubectl create namespace default\n  hint: or have it made by --namespace default --create-namespace"),
                ("GET", "/version", status(401, "Unauthorized", "Unauthorized"), "doesn't accept the credentials"),
                ("GET", "/version", (200, {"major": "1", "minor": "19"}), "it takes 1.20 or later"),
                ("GET", "/version", (200, {"hello": "there"}), "doesn't answer as a Kubernetes API server does")):
            with self.subTest(said):
                self.cluster.refuse = {(method, part): answer}
                self.assertIn(said, self.failed())
                self.assertEqual(self.cluster.applied, [], "it was asked before")

    def test_nobody_there(self):
        self.cluster.api.stop()
        said = self.failed()
        self.assertIn(f"the API server {self.cluster.api.url} isn't reached", said)
        self.cluster.api.start()
        self.good()

    def test_away_in_the_middle(self):
        """It is waited for while it is away: here for two requests from when pods are looked at first."""
        left = [2]

        def go_away(handler):
            if "/pods" not in handler.path or not left[0]:
                return False
            left[0] -= 1
            handler.close_connection = True
            return True
        self.cluster.api.faults.insert(0, go_away)
        done = self.good()
        self.assertIn("; it is asked again", done.stderr)
        self.assertIn("the API server answers again", done.stderr)

    def test_usage(self):
        for words, said in ((["--target", "nomad"], "kubernetes or local"), (["--registry", "x"], "--registry is for --target kubernetes"),
                            (["--context", "x"], "--context is for --target kubernetes"), (["--keep"], "--keep is for --target kubernetes"),
                            (["--target", "kubernetes"], "needs --registry"),
                            (["--target", "kubernetes", "--registry", "x", "--fake", "f.c"], "--fake is for this machine"),
                            (["--target", "kubernetes", "--registry", "x", "--port", "1"], "--port is for this machine"),
                            (["--target", "kubernetes", "--registry", "x", "--timeout", "-1"], "take seconds"),
                            (["--target", "kubernetes", "--registry", "x", "--patience", "86401"], "--patience takes at most 86400 seconds"),
                            (["--compression", "gzip"], "--compression is for --target kubernetes"),
                            (["--target", "kubernetes", "--registry", "x", "--compression", "lz4"], "it is zstd or gzip"),
                            (["--target", "kubernetes", "--images", "x", "--compression", "gzip"], "not of --images")):
            done = self.home.chains("deploy", self.chain, *words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(said, done.stderr)
        for words in (["delete", "hello", "--namespace", "x"], ["status", "--context", "x"], ["status", "hello", "--watch", "--target", "kubernetes"]):
            self.assertEqual(self.home.chains(*words).returncode, 2, words)


class Controlled(DeployTest):
    """With a controller its word counts."""

    def setUp(self):
        super().setUp()
        self.cluster.api.put(LEASE, {"kind": "Lease"})

    def config(self):
        [config] = self.cluster.objects("ConfigMap").values()
        return config

    def test_its_word_is_waited_for(self):
        self.cluster.pod_status = {"hello": waiting_pod("ContainerCreating")}
        self.cluster.states = [("deploying", ""), ("deploying", ""), ("running", "")]
        done = self.good("--canary", "10", "--canary-minutes", "3")
        self.assertIn("kubectl -n default port-forward svc/chainsd 8600 &\n", done.stdout)
        self.assertIn("chains call hello --input '{", done.stdout)
        self.assertNotIn("no controller", done.stdout)
        deploy = json.loads(self.config()["data"]["deploy.json"])
        self.assertEqual((deploy["canary"]["percent"], deploy["canary"]["minutes"], deploy["patience_s"]), (10, 3, 0))
        self.assertEqual(self.config()["data"]["tls"], "on")

    def test_failure(self):
        """What it says why, with what pods say; the one before goes on, and the next try begins anew."""
        self.cluster.states = [("running", "")]
        self.good("--version", "v1")
        before = self.cluster.objects()
        self.name_images({**IMAGES, "hello": "r.example/hello/hello:2"})
        self.cluster.pod_status = {"hello_writer": waiting_pod("ImagePullBackOff", "not found")}
        self.cluster.states = [("deploying", ""), ("failed", "hello_writer isn't ready after 600 s")]
        said = self.failed("--version", "v2", "--patience", "60", left=len(before))
        for text in ("hello_writer isn't ready after 600 s: pod hello-v2-hello-writer-pod: the image", "version v1 goes on answering calls"):
            self.assertIn(text, said)
        self.assertEqual(self.cluster.objects(), before)

    def test_again_after_failure(self):
        self.cluster.states = [("failed", "no")]
        self.assertEqual(self.deploy("--keep").returncode, 1)
        first = self.config()["metadata"]["uid"]
        self.cluster.api.put(f"{CONFIGMAPS}/{self.config()['metadata']['name']}", {**self.config(), "metadata": {**self.config()["metadata"], "mark": first}})
        self.cluster.states = []
        path = f"{CONFIGMAPS}/{self.config()['metadata']['name']}"

        def run(handler):
            if handler.command == "PATCH" and handler.place == path and "dryRun" not in handler.query:
                self.cluster.states = [("running", "")]
            return False
        self.cluster.api.faults.insert(0, run)
        done = self.good()
        self.assertIn("failed before; it is tried again", done.stderr)
        self.assertNotIn("mark", self.config()["metadata"], "it is a new one")

    def test_one_that_stands_by_is_asked_back(self):
        self.cluster.states = [("running", "")]
        self.good()
        path = f"{CONFIGMAPS}/{self.config()['metadata']['name']}"
        self.cluster.api.put(path, {**self.config(), "metadata": {**self.config()["metadata"],
                                                                 "annotations": {"chains.dev/state": "standing-by", "chains.dev/handled": ""}}})
        looks = [0]

        def answer(handler):
            if handler.command == "GET" and handler.place == path:
                looks[0] += 1
                if looks[0] == 3:  # until then it stands by, which isn't about what was asked for
                    self.cluster.states = [("running", "")]
            return False
        self.cluster.api.faults.insert(0, answer)
        done = self.good()
        self.assertIn("is deployed to production", done.stdout)
        annotations = self.config()["metadata"]["annotations"]
        self.assertTrue(annotations["chains.dev/requested"])
        self.assertEqual(annotations["chains.dev/handled"], annotations["chains.dev/requested"])

    def test_one_that_answers_stays(self):
        self.cluster.states = [("running", "")]
        self.good("--version", "v1")
        before = self.cluster.objects()
        done = self.run_verb("delete", "hello", "--version", "v1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("version v1 answers calls of hello in production", done.stderr)
        self.assertEqual(self.cluster.objects(), before)
        self.assertEqual(self.run_verb("delete", "hello", "--environment", "production").returncode, 0)
        self.assertEqual(list(self.cluster.objects()), [LEASE])

    def test_one_that_is_gone_has_no_word(self):
        self.cluster.states = [("running", "")]
        self.good("--version", "v1", "--tls", "off")
        self.cluster.api.remove(LEASE)
        done = self.good("--version", "v1", "--tls", "off")
        self.assertIn("There is no controller in namespace 'default'", done.stdout)
        self.assertNotIn("port-forward", done.stdout)

    def test_a_quota_that_was_too_small(self):
        self.cluster.states = [("failed", "hello: it does not start: exceeded quota: few")]
        said = self.failed(left=1)
        self.assertIn("exceeded quota: few\n  hint: `kubectl describe quota -n default`", said)
        self.assertNotIn("ready  ", said, "what has no pods any more isn't ready")

    def test_nothing_comes(self):
        said = self.failed("--timeout", "1", left=1)
        self.assertIn("2 of 2 Chainlets are ready after 1 s (--timeout), but chainsd doesn't say that version", said)


if __name__ == "__main__":
    unittest.main()
