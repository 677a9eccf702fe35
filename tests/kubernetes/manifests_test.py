"""What `chains manifests` prints: what the API server says beyond its schemas, and where what headers say has gone."""
import json
import os
import re
import subprocess
import tempfile
import unittest

from chains_testing import HomeTest
from manifests_printed import BATCH, CHAINS_TRIED, MENU, OPTIONS, manifests, objects

try:
    import yaml
except ImportError:
    yaml = None

DIGEST = "sha256:" + "0123456789abcdef" * 4
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
LABEL = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")


def of_kind(items, kind):
    return {each["metadata"]["labels"]["chains.dev/chainlet"]: each for each in items if each["kind"] == kind}


def pod_of(deployment):
    return deployment["spec"]["template"]["spec"]


def matches(selector, labels):
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def every(tree, key):
    """Every value of that key, anywhere."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name == key:
                yield value
            yield from every(value, key)
    elif isinstance(tree, list):
        for each in tree:
            yield from every(each, key)


class Rules(unittest.TestCase):
    """What the API server says beyond its schema."""

    def each_set(self):
        for chain in CHAINS_TRIED:
            for options in OPTIONS:
                yield objects(chain, *options)

    def test_names(self):
        for items in self.each_set():
            names = [(each["kind"], each["metadata"]["name"]) for each in items]
            self.assertEqual(len(names), len(set(names)))
            for _, name in names:
                self.assertTrue(NAME.fullmatch(name) and len(name) <= 63, name)

    def test_labels(self):
        for items in self.each_set():
            for found in [*every(items, "labels"), *every(items, "matchLabels")]:
                for key, value in found.items():
                    self.assertTrue(LABEL.fullmatch(value) and len(value) <= 63, f"{key}: {value}")
                    self.assertRegex(key, r"^[a-z.]+/[a-z.-]+$")

    def test_quantities(self):
        for items in self.each_set():
            for found in [*every(items, "requests"), *every(items, "limits")]:
                for key, value in found.items():
                    self.assertTrue(QUANTITY.fullmatch(value), f"{key}: {value}")

    def test_selectors(self):
        """Services, budgets and Deployments select the pods of one Deployment, their own."""
        for items in self.each_set():
            templates = {name: each["spec"]["template"]["metadata"]["labels"] for name, each in of_kind(items, "Deployment").items()}
            for kind, selector_of in (("Deployment", lambda spec: spec["selector"]["matchLabels"]),
                                      ("PodDisruptionBudget", lambda spec: spec["selector"]["matchLabels"]),
                                      ("NetworkPolicy", lambda spec: spec["podSelector"]["matchLabels"]),
                                      ("Service", lambda spec: spec["selector"])):
                found = of_kind(items, kind)
                self.assertEqual(set(found), set(templates))
                for name, each in found.items():
                    selected = [other for other, labels in templates.items() if matches(selector_of(each["spec"]), labels)]
                    self.assertEqual(selected, [name], kind)

    def test_pods(self):
        for items in self.each_set():
            accounts = of_kind(items, "ServiceAccount")
            services = {each["metadata"]["name"] for each in items if each["kind"] == "Service"}
            for name, deployment in of_kind(items, "Deployment").items():
                pod = pod_of(deployment)
                self.assertEqual(pod["serviceAccountName"], accounts[name]["metadata"]["name"])
                self.assertEqual((pod["automountServiceAccountToken"], accounts[name]["automountServiceAccountToken"]),
                                 (False, False))
                volumes = [each["name"] for each in pod["volumes"]]
                self.assertEqual(len(volumes), len(set(volumes)))
                for container in pod["containers"] + pod.get("initContainers", []):
                    for mount in container["volumeMounts"]:
                        self.assertIn(mount["name"], volumes)
                    names = [each["name"] for each in container["env"]]
                    self.assertEqual(len(names), len(set(names)), "the API server merges variables by their names")
                    for each in container["env"]:
                        host = re.match(r"https?://([^:]*):8080$", each.get("value", ""))
                        if host and each["name"].endswith("_URL"):
                            self.assertIn(host.group(1), services)

    def test_restricted(self):
        """The "restricted" standard of pod security."""
        for items in self.each_set():
            for deployment in of_kind(items, "Deployment").values():
                pod = pod_of(deployment)
                self.assertTrue(pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"])
                self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
                for container in pod["containers"] + pod.get("initContainers", []):
                    context = container["securityContext"]
                    self.assertEqual((context["allowPrivilegeEscalation"], context["capabilities"], context["readOnlyRootFilesystem"]),
                                     (False, {"drop": ["ALL"]}, True))
                for volume in pod["volumes"]:
                    self.assertTrue(set(volume) - {"name"} <= {"emptyDir", "secret", "persistentVolumeClaim"})


class Content(unittest.TestCase):
    """What headers say, and where it has gone."""

    @classmethod
    def setUpClass(cls):
        cls.items = objects(MENU, "--registry", "r.example/me", "--version", "v7")
        cls.deployments = of_kind(cls.items, "Deployment")

    def variables(self, name):
        return {each["name"]: each["value"] for each in pod_of(self.deployments[name])["containers"][0]["env"]}

    def test_which(self):
        self.assertEqual(list(self.deployments), ["model", "Kitchen-of_the__house", "menu"], "callees first")
        [version] = [each for each in self.items if each["kind"] == "ConfigMap"]
        services = json.loads(version["data"]["services.json"])
        self.assertEqual([(each["name"], each["calls"], each["inside"]) for each in services],
                         [("model", [], []), ("Kitchen-of_the__house", ["elsewhere", "model"], ["tokens"]),
                          ("menu", ["model", "Kitchen-of_the__house"], [])])

    def test_resources_and_devices(self):
        pod = pod_of(self.deployments["model"])
        self.assertEqual(pod["containers"][0]["resources"],
                         {"requests": {"cpu": "1500m", "memory": "4Gi"},
                          "limits": {"cpu": "1500m", "memory": "4Gi", "nvidia.com/gpu": "2"}})
        terms = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        self.assertEqual([(each["key"], each["values"]) for term in terms for each in term["matchExpressions"]],
                         [("chains.dev/gpu", ["A100"]), ("nvidia.com/gpu.product", ["A100", "NVIDIA-A100"])])
        anywhere = pod_of(self.deployments["menu"])
        self.assertEqual(anywhere["containers"][0]["resources"]["limits"], {"nvidia.com/gpu": "1"})
        self.assertNotIn("affinity", anywhere)
        self.assertEqual([each["key"] for each in anywhere["tolerations"]], ["nvidia.com/gpu"])

    def test_life(self):
        spec = self.deployments["model"]["spec"]
        pod = pod_of(self.deployments["model"])
        self.assertEqual(pod_of(self.deployments["menu"])["terminationGracePeriodSeconds"], 3 + 30 + 2)
        self.assertEqual(pod["terminationGracePeriodSeconds"], 3 + 91 + 2)
        probes = pod["containers"][0]
        self.assertEqual([probes[each]["httpGet"] for each in ("startupProbe", "livenessProbe", "readinessProbe")],
                         [{"path": path, "port": 8081} for path in ("/readyz", "/livez", "/readyz")])
        start = probes["startupProbe"]
        self.assertGreaterEqual(start["periodSeconds"] * start["failureThreshold"], 900)
        self.assertGreater(spec["progressDeadlineSeconds"], 900)

    def test_who_has_started_is_soon_known_to_be_ready(self):
        """Before 1.22 the readiness probe goes by its own clock, so that this one's period is what a first call waits."""
        for minor, probe in ((20, (1, 5)), (21, (1, 5)), (22, (5, 2)), (30, (5, 2))):
            items = objects(MENU, "--kubernetes", f"1.{minor}")
            for each in of_kind(items, "Deployment").values():
                ready = pod_of(each)["containers"][0]["readinessProbe"]
                self.assertEqual((ready["periodSeconds"], ready["failureThreshold"]), probe)

    def test_waiting_before_the_end_needs_a_cluster_that_can(self):
        for minor, waits in ((29, False), (30, True)):
            items = objects(MENU, "--kubernetes", f"1.{minor}")
            self.assertEqual(any("lifecycle" in pod_of(each)["containers"][0] for each in of_kind(items, "Deployment").values()), waits)

    def test_replicas(self):
        """Where somebody in the cluster says how many there are, an apply mustn't."""
        for options, expected in (([], [None, None, None]), (["--autoscaler", "none"], [2, 1, 1])):
            deployments = of_kind(objects(MENU, *options), "Deployment")
            self.assertEqual([each["spec"].get("replicas") for each in deployments.values()], expected)

    def test_autoscaler(self):
        """Only where there may be more than it begins with; the Deployment then says no number."""
        for minor, api in ((22, "autoscaling/v2beta2"), (23, "autoscaling/v2")):
            items = objects(MENU, "--autoscaler", "hpa", "--kubernetes", f"1.{minor}")
            scalers = of_kind(items, "HorizontalPodAutoscaler")
            self.assertEqual([(name, each["apiVersion"]) for name, each in scalers.items()], [("model", api)])
            deployments = of_kind(items, "Deployment")
            spec = scalers["model"]["spec"]
            self.assertEqual(spec["scaleTargetRef"],
                             {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployments["model"]["metadata"]["name"]})
            self.assertEqual((spec["minReplicas"], spec["maxReplicas"]), (2, 4))
            self.assertEqual(spec["metrics"][0]["resource"],
                             {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}})
            self.assertEqual({name: each["spec"].get("replicas") for name, each in deployments.items()},
                             {"model": None, "Kitchen-of_the__house": 1, "menu": 1})

    def test_near(self):
        pod = pod_of(self.deployments["model"])
        [near] = pod["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        self.assertEqual(near["podAffinityTerm"]["labelSelector"]["matchLabels"]["chains.dev/chainlet"], "Kitchen-of_the__house")
        over = {name: [each["topologyKey"] for each in pod_of(deployment)["topologySpreadConstraints"]]
                for name, deployment in self.deployments.items()}
        self.assertEqual(over["model"], ["topology.kubernetes.io/zone"])
        self.assertEqual(over["menu"], ["kubernetes.io/hostname", "topology.kubernetes.io/zone"])

    def test_near_through_a_folder_of_the_node(self):
        pods = {name: pod_of(each) for name, each in of_kind(objects(MENU, "--near-claim", "near"), "Deployment").items()}
        told = {name: {each["name"]: each["value"] for each in pod["containers"][0]["env"] if "NEAR" in each["name"]}
                for name, pod in pods.items()}
        folder = told["model"]["CHAINS_NEAR_LISTEN"]
        self.assertRegex(folder, r"^/run/chains/near/menu-v.*-model$")
        self.assertEqual(told, {"model": {"CHAINS_NEAR_LISTEN": folder}, "menu": {},
                                "Kitchen-of_the__house": {"CHAINS_MODEL_NEAR": folder}})
        for name, pod in pods.items():
            mounts = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "near"]
            volumes = [each for each in pod["volumes"] if each["name"] == "near"]
            self.assertEqual(mounts, [{"name": "near", "mountPath": "/run/chains/near", "subPath": "menu"}] if told[name] else [])
            self.assertEqual(volumes, [{"name": "near", "persistentVolumeClaim": {"claimName": "near"}}] if told[name] else [])
        self.assertFalse(any("NEAR" in name for name in self.variables("model")))

    def test_variables(self):
        self.assertEqual(self.variables("Kitchen-of_the__house"),
                         {"OMP_NUM_THREADS": "3", "PRICE": "$$(HOME) costs $$5\nyes", "EMPTY": "", "CHAINS_CHAIN": "menu",
                          "CHAINS_ENVIRONMENT": "production", "CHAINS_SECRETS_DIR": "/run/chains/secrets",
                          "CHAINS_PROBES_LISTEN": "http://0.0.0.0:8081", "CHAINS_TLS_CERT": "/run/chains/tls/tls.crt",
                          "CHAINS_TLS_KEY": "/run/chains/tls/tls.key", "CHAINS_TLS_CA": "/run/chains/tls/ca.crt",
                          "CHAINS_AT_ZERO": "wait", "CHAINS_MODEL_URL": "https://menu-v7-model:8080"})
        self.assertEqual(self.variables("model")["OMP_NUM_THREADS"], "2")
        self.assertRegex(self.variables("menu")["CHAINS_KITCHEN_URL"], r"^https://menu-v7-kitchen-of-the-house--[0-9a-f]{16}:8080$")

    def test_certificates(self):
        """Each has its own, which is for the name of its Service; without them nothing is left of them."""
        for name, deployment in self.deployments.items():
            pod, service = pod_of(deployment), of_kind(self.items, "Service")[name]
            [volume] = [each["secret"] for each in pod["volumes"] if each["name"] == "tls"]
            self.assertEqual(volume, {"secretName": service["metadata"]["name"] + "-tls", "defaultMode": 0o440})
            self.assertIn({"name": "tls", "mountPath": "/run/chains/tls", "readOnly": True}, pod["containers"][0]["volumeMounts"])
            self.assertEqual((pod["containers"][0]["args"], service["spec"]["ports"][0]["appProtocol"]),
                             (["--listen", "https://0.0.0.0:8080"], "https"))
        for options in (["--tls", "off"], ["--autoscaler", "none"], ["--autoscaler", "hpa"]):
            text = manifests(MENU, *options)
            self.assertNotIn("CHAINS_TLS", text)
            self.assertNotIn("/run/chains/tls", text)
            self.assertIn("http://0.0.0.0:8080", text)
        self.assertIn("/run/chains/tls", manifests(MENU, "--autoscaler", "none", "--tls", "on"))

    def test_calls_wait_for_pods_where_somebody_starts_them(self):
        self.assertEqual([options for options in ([], ["--autoscaler", "none"], ["--autoscaler", "hpa"])
                          if "CHAINS_AT_ZERO" in manifests(MENU, *options)], [[]])

    def test_secrets(self):
        """Each pod has those that it names, and no value stands anywhere."""
        named = {}
        for name, deployment in self.deployments.items():
            for volume in pod_of(deployment)["volumes"]:
                if volume["name"] == "secrets":
                    self.assertEqual(volume["secret"]["secretName"], "menu-secrets")
                    named[name] = [each["key"] for each in volume["secret"]["items"]]
        self.assertEqual(named, {"model": ["hf_token"], "Kitchen-of_the__house": ["licence", "hf_token", "elsewhere_key"]})
        self.assertFalse([each for each in self.items if each["kind"] == "Secret"])

    def test_who_may_call(self):
        policies = of_kind(self.items, "NetworkPolicy")

        def callers(name):
            """Who may come to which ports."""
            return [([each["podSelector"]["matchLabels"].get("chains.dev/chainlet", "the front door") for each in rule["from"]],
                     [(each["protocol"], each["port"]) for each in rule["ports"]]) for rule in policies[name]["spec"]["ingress"]]
        calls, door = [("TCP", 8080)], (["the front door"], [("TCP", 8080), ("TCP", 8081)])
        self.assertEqual({name: callers(name) for name in policies},
                         {"model": [(["Kitchen-of_the__house", "menu"], calls), door], "Kitchen-of_the__house": [(["menu"], calls), door],
                          "menu": [door]})
        self.assertEqual([each["spec"]["policyTypes"] for each in policies.values()], [["Ingress"]] * 3)
        for each in of_kind(objects(MENU, "--front-door-namespace", "doors"), "NetworkPolicy").values():
            [door] = each["spec"]["ingress"][-1]["from"]
            self.assertEqual((door["podSelector"], door["namespaceSelector"]),
                             ({"matchLabels": {"chains.dev/front-door": "true"}}, {"matchLabels": {"kubernetes.io/metadata.name": "doors"}}))

    def test_images(self):
        def images(*words):
            return {name: pod_of(each)["containers"][0]["image"] for name, each in of_kind(objects(MENU, *words), "Deployment").items()}
        self.assertEqual(images("--registry", "r.example/me/", "--version", "v7")["menu"], "r.example/me/menu/menu:v7")
        self.assertEqual(images("--version", "v7", "--name", "other")["menu"], "other/menu:v7")
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"menu": DIGEST, "model": "quay.example/model:3"}, file)
            file.flush()
            found = images("--registry", "r.example", "--images", file.name, "--version", "v7")
        self.assertEqual((found["menu"], found["model"]), (f"r.example/menu/menu@{DIGEST}", "quay.example/model:3"))
        self.assertRegex(found["Kitchen-of_the__house"], r"^r\.example/menu/kitchen-of-the-house--[0-9a-f]{16}:v7$")

    def test_images_that_were_pushed(self):
        """Their tags may become other images': what they were is taken."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump([{"name": "menu", "digest": DIGEST, "reference": "r.example:5000/team/menu:v1", "size": 7},
                       {"name": "model", "digest": DIGEST, "reference": None}], file)
            file.flush()
            found = {name: pod_of(each)["containers"][0]["image"]
                     for name, each in of_kind(objects(MENU, "--images", file.name), "Deployment").items()}
        self.assertEqual((found["menu"], found["model"]), (f"r.example:5000/team/menu@{DIGEST}", f"menu/model@{DIGEST}"))

    def test_owners(self):
        items = objects(MENU, "--owner-uid", "1-2-3")
        [version] = [each["metadata"]["name"] for each in items if each["kind"] == "ConfigMap"]
        for each in items:
            owners = [(owner["kind"], owner["name"], owner["uid"]) for owner in each["metadata"].get("ownerReferences", [])]
            self.assertEqual(owners, [] if each["kind"] == "ConfigMap" else [("ConfigMap", version, "1-2-3")])

    def test_the_version_follows_what_is_printed(self):
        def version(*words):
            [config] = [each for each in objects(MENU, *words) if each["kind"] == "ConfigMap"]
            return config["metadata"]["labels"]["chains.dev/version"]
        self.assertRegex(version(), r"^v0-[0-9a-f]{6}$")
        self.assertEqual(manifests(MENU), manifests.__wrapped__(MENU), "the same input, the same bytes")
        self.assertNotEqual(version(), version("--registry", "r.example"))
        self.assertEqual(version(), version("--owner-uid", "1-2-3"), "who owns it has its name")
        self.assertEqual(version("--namespace", "a"), version("--namespace", "a", "--create-namespace"), "once it is there, it is")

    def test_what_is_deployed(self):
        """As a daemon on one machine is told it, but for programs, and for who deploys from where: that is no part of a version."""
        config = objects(MENU, "--name", "other", "--environment", "staging", "--autoscaler", "hpa", "--version", "v7")[0]
        self.assertEqual({key: value for key, value in config["data"].items() if not key.endswith(".json") and key != "digest"},
                         {"chain": "other", "version": "v7", "environment": "staging", "entrypoint": "menu", "autoscaler": "hpa", "tls": "off"})
        digest = self.items[0]["data"]["digest"]
        again = objects(MENU, "--registry", "r.example/me", "--version", "v8")[0]["data"]["digest"]
        self.assertEqual((len(digest), digest), (16, again), "whatever it is called")
        self.assertNotEqual(digest, config["data"]["digest"])
        self.assertEqual([each["metadata"]["name"] for each in self.items if each["metadata"]["labels"].get("chains.dev/kind") == "version"],
                         ["menu-v7"])
        deploy = json.loads(config["data"]["deploy.json"])
        self.assertEqual((deploy["chain"], deploy["environment"], deploy["entrypoint"], deploy["created_by"], deploy["canary"]["percent"]),
                         ("other", "staging", "menu", None, 0))
        model, kitchen, menu = deploy["services"]
        self.assertEqual([each["name"] for each in (model, kitchen, menu)], ["model", "Kitchen-of_the__house", "menu"])
        self.assertEqual({each["binary"] for each in deploy["services"]}, {""})
        self.assertEqual((model["scaling"]["min_replicas"], model["scaling"]["max_replicas"], model["gpu"], model["memory"], model["start_timeout_s"]),
                         (2, 4, "A100:2", 4 << 30, 900))
        self.assertEqual((kitchen["dependencies"], kitchen["inside"], kitchen["secrets"]),
                         (["model"], ["tokens"], ["licence", "hf_token", "elsewhere_key"]))
        self.assertIn({"name": "PRICE", "value": "$(HOME) costs $5\nyes"}, kitchen["env"])
        self.assertIn({"caller": "Kitchen-of_the__house", "callee": "tokens", "colocated": True}, deploy["links"])


class Knative(unittest.TestCase):
    """Its Services in the place of Deployments, with what it takes of pods."""

    @classmethod
    def setUpClass(cls):
        cls.items = objects(MENU, "--autoscaler", "knative", "--namespace", "team-a", "--version", "v7")
        cls.services = of_kind(cls.items, "Service")

    def test_which(self):
        self.assertEqual({each["kind"] for each in self.items}, {"ConfigMap", "ServiceAccount", "Service", "PodDisruptionBudget"})
        self.assertEqual({each["apiVersion"] for each in self.services.values()}, {"serving.knative.dev/v1"})
        self.assertEqual(list(self.services), ["model", "Kitchen-of_the__house", "menu"])
        self.assertEqual({each["metadata"]["labels"]["networking.knative.dev/visibility"] for each in self.services.values()}, {"cluster-local"})

    def test_scaling(self):
        template = self.services["model"]["spec"]["template"]
        self.assertEqual(template["metadata"]["annotations"], {
            "autoscaling.knative.dev/min-scale": "2", "autoscaling.knative.dev/max-scale": "4",
            "autoscaling.knative.dev/target-utilization-percentage": "70", "autoscaling.knative.dev/window": "60s",
            "autoscaling.knative.dev/scale-down-delay": "300s", "autoscaling.knative.dev/scale-to-zero-pod-retention-period": "900s",
            "serving.knative.dev/progress-deadline": "900s"})
        self.assertEqual((template["spec"]["containerConcurrency"], template["spec"]["timeoutSeconds"]), (1, 600))
        self.assertEqual(self.services["menu"]["spec"]["template"]["metadata"]["annotations"]["autoscaling.knative.dev/min-scale"], "0")

    def test_pods(self):
        """No field that it refuses, with its usual settings and those that docs/kubernetes.md names."""
        takes = {"serviceAccountName", "automountServiceAccountToken", "enableServiceLinks", "containers", "volumes", "containerConcurrency",
                 "timeoutSeconds", "affinity", "tolerations", "initContainers"}
        for name, each in self.services.items():
            pod = each["spec"]["template"]["spec"]
            self.assertLessEqual(set(pod), takes)
            [container] = pod["containers"]
            self.assertEqual([(port["name"], port["containerPort"]) for port in container["ports"]], [("http1", 8080)])
            self.assertNotIn("lifecycle", container)
            self.assertEqual((container["securityContext"]["runAsNonRoot"], container["securityContext"]["runAsUser"]), (True, 65532))
            self.assertEqual({volume["secret"]["defaultMode"] for volume in pod["volumes"] if "secret" in volume} - {0o444}, set(),
                             "there is no group for files")
            self.assertEqual("affinity" in pod, name == "model", "its GPU alone says where it runs")
            env = {each["name"] for each in container["env"]}
            self.assertFalse(env & {"PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"}, "it sets them by itself")
            self.assertLessEqual(set(container), {"name", "image", "args", "env", "ports", "resources", "startupProbe", "livenessProbe",
                                                  "readinessProbe", "securityContext", "volumeMounts"})
            self.assertEqual({each["name"] for each in container["volumeMounts"]}, {each["name"] for each in pod["volumes"]},
                             "a volume that its container hasn't is refused")
            for mount in container["volumeMounts"]:
                [volume] = [each for each in pod["volumes"] if each["name"] == mount["name"]]
                self.assertTrue(mount.get("readOnly") or "emptyDir" in volume)
        env = {each["name"]: each["value"] for each in self.services["menu"]["spec"]["template"]["spec"]["containers"][0]["env"]}
        self.assertEqual((env["CHAINS_MODEL_URL"], env["CHAINS_BALANCE"]), ("http://menu-v7-model.team-a.svc.cluster.local", "proxy"))


    def test_batches(self):
        """A pod is given calls for a whole batch, and others are started for those that it can't run at once."""
        [service] = [each for each in objects(BATCH, "--autoscaler", "knative", "--namespace", "team-a")
                     if each["apiVersion"] == "serving.knative.dev/v1" and each["metadata"]["labels"]["chains.dev/chainlet"] == "clerk"]
        template = service["spec"]["template"]
        self.assertEqual((template["spec"]["containerConcurrency"], template["metadata"]["annotations"]["autoscaling.knative.dev/target"]),
                         (64, "1"))


class Assets(unittest.TestCase):
    """The step that fetches assets, run as a pod would run it."""

    def test_step(self):
        step = pod_of(of_kind(objects(MENU), "Deployment")["model"])["initContainers"][0]
        self.assertEqual(step["args"], ["60ed5bc3dd14eea856493d334349b405782ddcaf0028d4b5df4088345fba2efe",
                                        "https://models.example.com/base.bin?$$(x)$$$$", "en/base.bin"])
        self.assertNotRegex(step["command"][2], r"\$[($][^#]", "Kubernetes would read it")

    def run_step(self, folder, digest, url, path):
        """The script with the folders of a pod below another one."""
        step = pod_of(of_kind(objects(MENU), "Deployment")["model"])["initContainers"][0]
        script = step["command"][2].replace("/run/chains", folder).replace("'=http,https'", "'=http,https,file'")
        return subprocess.run(["/bin/sh", "-euc", script, "assets", digest, url, path], capture_output=True, text=True, check=False,
                              env=dict(os.environ, POD_NAME="pod-1"))

    def test_fetching(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("cache", "assets"):
                os.mkdir(os.path.join(folder, name))
            source = os.path.join(folder, "source file")
            with open(source, "w", encoding="utf-8") as file:
                file.write("a model\n")
            digest = "e9e7573b18c6a9a3d6f5f8b8a6a33c8b" * 2
            refused = self.run_step(folder, digest, "file://" + source.replace(" ", "%20"), "en/base.bin")
            self.assertEqual(refused.returncode, 1)
            self.assertIn("en/base.bin is not what its .sha256 says", refused.stderr)
            self.assertEqual(os.listdir(os.path.join(folder, "cache")), [])
            digest = subprocess.run(["sha256sum", source], capture_output=True, text=True, check=True).stdout.split()[0]
            for _ in range(2):  # the second time it is there
                done = self.run_step(folder, digest, "file://" + source.replace(" ", "%20"), "en/base.bin")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                if os.path.exists(source):
                    os.remove(source)
            with open(os.path.join(folder, "assets", "en", "base.bin"), encoding="utf-8") as file:
                self.assertEqual(file.read(), "a model\n")
            self.assertEqual(os.listdir(os.path.join(folder, "cache")), [digest])


class Yaml(unittest.TestCase):
    @unittest.skipIf(yaml is None, "python3-yaml is not installed")
    def test_yaml_says_what_json_says(self):
        for chain in CHAINS_TRIED:
            for options in OPTIONS:
                self.assertEqual(list(yaml.safe_load_all(manifests(chain, *options))), objects(chain, *options))


class Refusals(HomeTest):
    def refused(self, *words):
        done = self.home.chains("manifests", *words)
        self.assertEqual((done.returncode, done.stdout), (2, ""), words)
        return done.stderr

    def change(self, name, old, new):
        """The menu with another text in one of its headers."""
        chain = self.home.copy("tests/kubernetes/menu", "with_" + name.removesuffix(".h"))
        path = os.path.join(chain, name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertIn(old, text)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))
        return chain

    def test_usage(self):
        for words, said in ((["--kubernetes", "1.19"], "from 1.20 on"), (["--kubernetes", "30"], "such as 1.30"),
                            (["--namespace", "Team"], "lower-case"), (["--name", "a b"], "--name is 'a b'"),
                            (["--version", "-x"], "--version is '-x'"), (["--create-namespace"], "needs --namespace"),
                            (["--autoscaler", "vpa"], "chains, hpa, knative or none"),
                            (["--tls", "yes"], "on or off"), (["--autoscaler", "knative", "--tls", "on"], "its proxies"),
                            (["--autoscaler", "knative"], "say --namespace"),
                            (["--images", "/nowhere"], "No such file"), (["--registy", "x"], "--registry")):
            self.assertIn(said, self.refused(MENU, *words))

    def test_images_of_nobody(self):
        path = self.home.file("images.json")
        for text, said in (('{"tokens": "r.example/tokens:1"}', "an image is given for tokens, which needs none"),
                           ('{"menu": "sha256:1"}', "menu: 'sha256:1' is no digest"), ("7", "expected an object"), ("[{}]", "[0].name: expected a string")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            self.assertIn(said, self.refused(MENU, "--images", path))

    def test_what_is_aimed_at_leaves_room_to_see_more(self):
        """Pods can't use more than .cpu, and a HorizontalPodAutoscaler doesn't act on a tenth."""
        chain = self.home.copy("tests/kubernetes/menu", "full")
        path = os.path.join(chain, "model.h")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for share, percent in ((0.001 + 0.01, 1), (0.85, 85), (0.86, 85), (1, 85)):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace(".max_replicas = 4", f".max_replicas = 4, .target_utilization = {share}"))
            items = json.loads(self.home.good("manifests", chain, "--autoscaler", "hpa", "--json"))["items"]
            [metric] = of_kind(items, "HorizontalPodAutoscaler")["model"]["spec"]["metrics"]
            self.assertEqual(metric["resource"]["target"]["averageUtilization"], percent)

    def test_scaling_by_nothing(self):
        chain = self.change("model.h", ".cpu = 1.5, ", "")
        self.assertIn("model has no .cpu", self.refused(chain, "--autoscaler", "hpa"))
        self.home.good("manifests", chain)

    def test_variables_of_knative(self):
        chain = self.change("kitchen.h", '"EMPTY"', '"PORT"')
        self.assertIn("Kitchen-of_the__house has the variable PORT in its .env, which Knative sets by itself",
                      self.refused(chain, "--autoscaler", "knative", "--namespace", "team-a"))
        self.home.good("manifests", chain)

    def test_what_no_cluster_has(self):
        chain = self.home.copy("tests/kubernetes/menu")
        for name, old, new, said in (("model.h", "https://models.example.com", "file:///models", 'model.h:5:10: error: the asset "en/base.bin" is at file:///models'),
                                     ("elsewhere.h", "https://models.example.com", "unix:/run/x", "elsewhere is at unix:/run/x"),
                                     ("tokens.h", ".secrets", '.gpu = "H100", .secrets', None)):
            path = os.path.join(chain, name)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace(old, new))
            if said:
                self.assertIn(said, self.refused(chain))
            else:
                path = os.path.join(chain, "kitchen.h")
                with open(path, encoding="utf-8") as file:
                    kitchen = file.read()
                with open(path, "w", encoding="utf-8") as file:
                    file.write(kitchen.replace(".cpu = 0.25", '.gpu = "L4"'))
                self.assertIn("ask for GPUs of different kinds", self.refused(chain))
            with open(os.path.join(chain, name), "w", encoding="utf-8") as file:
                file.write(text)


if __name__ == "__main__":
    unittest.main()
