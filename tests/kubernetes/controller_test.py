"""What `chains controller` prints, how it waits, and what it refuses. Kubernetes' own schemas are asked in schema_test.py."""
import subprocess
import unittest

import yaml
from chains_testing import CHAINS, Home
from fake_api import status
from fake_cluster import DEPLOYMENTS, PODS, FakeCluster, waiting_pod
from manifests_printed import CONTROLLER_OPTIONS, controller, controller_objects


def of_kind(kind, *words):
    return [each for each in controller_objects(*words) if each["kind"] == kind]


def pod(*words):
    return of_kind("Deployment", *words)[0]["spec"]["template"]


def container(*words):
    return pod(*words)["spec"]["containers"][0]


def volumes(*words):
    return {each["name"]: each for each in pod(*words)["spec"]["volumes"]}


class Printed(unittest.TestCase):
    def test_yaml_says_what_json_says(self):
        for words in CONTROLLER_OPTIONS:
            text = controller(*words)
            self.assertEqual(list(yaml.safe_load_all(text)), controller_objects(*words))
            self.assertEqual(text, controller(*words))
            self.assertIn("create secret generic chainsd-token", text)

    def test_all_are_in_one_namespace(self):
        for given, name in (([], "default"), (["--namespace", "team-a"], "team-a")):
            for each in controller_objects(*given):
                self.assertEqual(each["metadata"]["namespace"], name)
            self.assertEqual(of_kind("RoleBinding", *given)[0]["subjects"], [{"kind": "ServiceAccount", "name": "chainsd", "namespace": name}])
        self.assertEqual([each["metadata"]["name"] for each in of_kind("Namespace", "--namespace", "a", "--create-namespace")], ["a"])

    def test_it_may_do_what_it_has_to(self):
        """No Secret can be listed, nothing made but Secrets and Leases, and nothing outside of the namespace."""
        rules = {(resource, verb) for rule in of_kind("Role")[0]["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
        self.assertLessEqual({("configmaps", "watch"), ("configmaps", "patch"), ("configmaps", "delete"), ("pods", "watch"), ("pods/log", "get"),
                              ("deployments", "watch"), ("deployments/scale", "patch"), ("secrets", "get"), ("leases", "patch")}, rules)
        self.assertFalse({("secrets", verb) for verb in ("list", "watch", "delete", "*")} & rules)
        self.assertEqual({resource for resource, verb in rules if verb == "create"}, {"secrets", "leases"})
        self.assertFalse([each for each in controller_objects() if each["kind"].startswith("Cluster")])

    def test_nobody_reaches_it_unless_that_is_said(self):
        self.assertIn("--host=127.0.0.1", container()["args"])
        self.assertEqual(of_kind("NetworkPolicy")[0]["spec"]["ingress"], [])
        for words in (["--allow-insecure-network"], ["--tls-secret", "door"]):
            self.assertIn("--host=0.0.0.0", container(*words)["args"])
            ports = [port for rule in of_kind("NetworkPolicy", *words)[0]["spec"]["ingress"] for port in rule["ports"]]
            self.assertEqual([port["port"] for port in ports], [8600])
        self.assertIn("--allow-insecure-network", container("--allow-insecure-network")["args"])
        with_tls = container("--tls-secret", "door", "--allow-host", "a.example")
        self.assertLessEqual({"--tls-cert=/run/chains/tls/tls.crt", "--tls-key=/run/chains/tls/tls.key", "--allow-host=a.example"}, set(with_tls["args"]))
        self.assertNotIn("--allow-insecure-network", with_tls["args"])
        self.assertEqual(volumes("--tls-secret", "door")["tls"]["secret"]["secretName"], "door")
        self.assertEqual(of_kind("Service", "--tls-secret", "door")[0]["spec"]["ports"][0]["appProtocol"], "https")

    def test_where_its_state_is(self):
        self.assertEqual(of_kind("PersistentVolumeClaim")[0]["spec"]["resources"]["requests"]["storage"], "1Gi")
        self.assertNotIn("storageClassName", of_kind("PersistentVolumeClaim")[0]["spec"])
        self.assertEqual(of_kind("PersistentVolumeClaim", "--storage-class", "fast")[0]["spec"]["storageClassName"], "fast")
        self.assertEqual(volumes()["home"]["persistentVolumeClaim"]["claimName"], "chainsd")
        self.assertEqual(of_kind("Deployment")[0]["spec"]["strategy"], {"type": "Recreate"})
        for words in (["--ephemeral"], ["--state", "database", "--replicas", "2"]):
            self.assertEqual(of_kind("PersistentVolumeClaim", *words), [])
            self.assertEqual(volumes(*words)["home"]["emptyDir"], {})
            # Of two only the leader is ready: one that waits for the new ones to be ready would wait for ever.
            self.assertEqual(of_kind("Deployment", *words)[0]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], "100%")
        state = {each["name"]: each["value"] for each in container("--state", "database")["env"] if "value" in each}["CHAINS_STATE_FILE"]
        self.assertEqual(state, "/run/chains/state/url")  # a file, as variables are more easily seen
        self.assertEqual(volumes("--state", "database")["state"]["secret"]["secretName"], "database")
        self.assertEqual(of_kind("Deployment", "--state", "database", "--replicas", "2")[0]["spec"]["replicas"], 2)

    def test_its_pods(self):
        self.assertEqual(pod()["metadata"]["labels"]["chains.dev/front-door"], "true")
        spec = pod()["spec"]
        self.assertTrue(spec["securityContext"]["runAsNonRoot"])
        self.assertEqual(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault")
        context = container()["securityContext"]
        self.assertEqual((context["allowPrivilegeEscalation"], context["readOnlyRootFilesystem"], context["capabilities"]["drop"]), (False, True, ["ALL"]))
        self.assertEqual(container()["readinessProbe"]["httpGet"], {"path": "/readyz", "port": "health"})
        mounts = {each["mountPath"]: each for each in container()["volumeMounts"]}
        self.assertEqual(mounts["/var/lib/chains/token"]["subPath"], "token")
        self.assertEqual(volumes()["token"]["secret"]["secretName"], "chainsd-token")
        # Those that take turns at one state have all their keys from there.
        shared = container("--state", "database", "--replicas", "2")
        mounts = {each["mountPath"]: each["name"] for each in shared["volumeMounts"]}
        self.assertEqual((mounts["/run/chains/keys"], "/var/lib/chains/token" in mounts), ("token", False))
        self.assertIn({"name": "CHAINS_KEYS_DIR", "value": "/run/chains/keys"}, shared["env"])
        matched = of_kind("Deployment")[0]["spec"]["selector"]["matchLabels"]
        self.assertLessEqual(matched.items(), pod()["metadata"]["labels"].items())
        self.assertEqual(of_kind("Service")[0]["spec"]["selector"], matched)
        self.assertEqual(of_kind("ServiceAccount", "--pull-secret", "r")[0]["imagePullSecrets"], [{"name": "r"}])

    def test_images(self):
        self.assertEqual(container()["image"], "registry.example.com/chains/chainsd:1")
        done = subprocess.run([CHAINS, "controller", "--print", "--registry", "http://r.example:5000/me", "--tag", "v7"],
                              capture_output=True, text=True, check=True)
        self.assertIn("image: r.example:5000/me/chains/chainsd:v7\n", done.stdout.replace('"', ""))


class Installed(unittest.TestCase):
    """Into a cluster that pretends, where a pod of an earlier one has crashed five times."""

    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.close)
        self.cluster = FakeCluster(self.home.path)
        self.addCleanup(self.cluster.close)
        self.crash(5)

    def crash(self, times):
        """Its pod, and what the cluster makes of it when it is applied."""
        self.cluster.pod_status = {"chainsd": waiting_pod("CrashLoopBackOff", "", times, {"exitCode": 1})}
        self.cluster.api.put(f"{PODS}/chainsd-pod", {"metadata": {"labels": {"app.kubernetes.io/name": "chainsd"}}, "status": self.cluster.pod_status["chainsd"]})

    def install(self, on_look):
        """on_look is called when its Deployment has been looked at twice: by then its pod has been judged once."""
        looks = [0]

        def count(handler):
            if handler.command == "GET" and handler.place == f"{DEPLOYMENTS}/chainsd":
                looks[0] += 1
                if looks[0] == 2:
                    on_look()
            return False
        self.cluster.api.faults.insert(0, count)
        return self.home.chains("controller", "--image", "r.example/chainsd:2", "--ephemeral", "--kubeconfig", self.cluster.kubeconfig)

    def come_up(self):
        path = f"{DEPLOYMENTS}/chainsd"
        known = self.cluster.objects()[path]
        self.cluster.api.put(path, {**known, "status": {**known["status"], "readyReplicas": 1}})

    def test_what_was_before_is_no_failure(self):
        done = self.install(self.come_up)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("pod chainsd-pod: it ends with exit status 1 once it is started (6 starts)", done.stderr)
        self.assertIn("chainsd runs in the namespace default", done.stdout)

    def test_a_namespace_that_is_not_there(self):
        self.cluster.refuse = {("PATCH", "/serviceaccounts/"): status(404, "NotFound", 'namespaces "default" not found', name="default", kind="namespaces")}
        done = self.install(self.come_up)
        self.assertEqual(done.returncode, 1)
        self.assertIn("hint: or have it made by --namespace default --create-namespace", done.stderr)

    def test_what_happens_then_is(self):
        self.cluster.logs = {"true": "no database\n"}
        done = self.install(lambda: self.crash(7))
        self.assertEqual(done.returncode, 1)
        self.assertIn("(8 starts)", done.stderr)
        self.assertIn("the last lines of its log:\nno database\n", done.stderr)


class Refused(unittest.TestCase):
    def test_words_that_can_not_be_meant(self):
        image = ["--image", "a"]
        for words, said in (([], "--registry"), ([*image, "--registry", "b"], "--registry"), (["--image", "a b"], "--image is"), (["--image", ""], "--image"),
                            ([*image, "--replicas", "2"], "need --state"), ([*image, "--replicas", "0"], "--replicas"),
                            ([*image, "--replicas", "6", "--state", "s"], "--replicas"), ([*image, "--state", "s", "--ephemeral"], "say one"),
                            ([*image, "--storage", "1GB"], "--storage"), ([*image, "--storage", "0"], "--storage"), ([*image, "--storage", "-1Gi"], "--storage"),
                            ([*image, "--storage-class", "a", "--ephemeral"], "--storage-class"), ([*image, "--state", "S"], "--state"),
                            ([*image, "--allow-host", "a..b"], "--allow-host"), ([*image, "--namespace", "A_b"], "--namespace"),
                            ([*image, "--tls-secret", "a", "--allow-insecure-network"], "say one"), ([*image, "--tls-secret", "a", "--ephemeral"], "API keys"), ([*image, "--tag", "x"], "--tag"),
                            (["--registry", "r", "--tag", "a b"], "--tag"), (["--registry", "r", "--compression", "xz"], "it is zstd or gzip"),
                            ([*image, "--compression", "gzip"], "--compression is for --registry"), ([*image, "--with-state"], "--delete"), ([*image, "--json"], "--print"),
                            (["--delete", *image], "--delete"), ([*image, "--timeout", "-1"], "--timeout"), ([*image, "more"], "too many")):
            done = subprocess.run([CHAINS, "controller", *words], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertIn(said, done.stderr.splitlines()[0], words)


if __name__ == "__main__":
    unittest.main()
