"""Versions of chains on the test cluster, as their users put them there."""
import json
import os

from cluster_testing import KUBERNETES, LIMIT_S, wait_until

# All kinds of objects that a version has.
KINDS = "configmap,deployment,replicaset,pod,service,endpoints,poddisruptionbudget,networkpolicy,serviceaccount,secret,horizontalpodautoscaler"


def change(path, *pairs):
    """Replaces what stands in a file, each of which has to be there."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for old, new in pairs:
        assert old in text, f"{path} has no {old}"
        text = text.replace(old, new)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def apply(cluster, home, folder, *options):
    """By hand: images pushed by `chains image`, objects printed by `chains manifests` and applied by kubectl."""
    images = os.path.join(folder, "images.json")
    with open(images, "w", encoding="utf-8") as file:
        file.write(home.good("image", folder, "--registry", registry_of(cluster), "--json", limit_s=LIMIT_S))
    words = ["manifests", folder, "--images", images, "--kubernetes", KUBERNETES, *options]
    printed = json.loads(home.good(*words, "--json"))["items"]
    labels, name = printed[0]["metadata"]["labels"], printed[0]["metadata"]["name"]
    cluster.apply(home.good(*words))
    cluster.apply(home.good(*words, "--owner-uid", cluster.get("configmap", name)["metadata"]["uid"]))
    return Version(cluster, labels["chains.dev/chain"], labels["chains.dev/version"])


def target_of(cluster):
    return ["--target", "kubernetes", "--kubeconfig", cluster.kubeconfig]


def registry_of(cluster):
    return f"http://{cluster.layout.registry}"


def deploy(cluster, home, folder, *options):
    """By `chains deploy`."""
    said = json.loads(home.good("deploy", folder, *target_of(cluster), "--registry", registry_of(cluster), "--json", *options, limit_s=LIMIT_S))
    return Version(cluster, said["chain"], said["version"])


class Version:
    """One that is on the cluster."""

    def __init__(self, cluster, chain, version):
        self.cluster, self.chain, self.version = cluster, chain, version
        self.selector = f"chains.dev/chain={self.chain},chains.dev/version={self.version}"
        (config,) = cluster.get("configmaps", f"--selector={self.selector}")["items"]
        self.config = config["metadata"]["name"]
        self.names = {each["metadata"]["labels"]["chains.dev/chainlet"]: each["metadata"]["name"]
                      for each in cluster.get("deployments", f"--selector={self.selector}")["items"]}

    def wait(self):
        """Until a pod of each Chainlet is ready."""
        for chainlet in self.names:
            self.pods(chainlet)
        return self

    def selector_of(self, chainlet):
        return f"{self.selector},chains.dev/chainlet={chainlet}"

    def pods(self, chainlet, count=1):
        return self.cluster.wait_for_pods(self.selector_of(chainlet), count)

    def pod(self, chainlet):
        (found,) = self.pods(chainlet).values()
        return found

    def scale(self, chainlet, count):
        """Its pods, once they are so many."""
        self.cluster.kubectl("scale", f"deployment/{self.names[chainlet]}", f"--replicas={count}")
        return self.pods(chainlet, count)

    def on_both_nodes(self, chainlet, scale):
        """Its two pods, one a node; scale: makes them two, where there is one."""
        node = self.pod(chainlet)["spec"]["nodeName"]
        self.cluster.kubectl("cordon", node)
        try:
            scale()
            return self.pods(chainlet, 2)
        finally:
            self.cluster.kubectl("uncordon", node)

    def left(self):
        """What is there of it."""
        return self.cluster.kubectl("get", KINDS, f"--selector={self.selector}", "--output=name").split()

    def delete(self):
        """All of it goes with its ConfigMap; where it has gone already, nothing happens."""
        self.cluster.kubectl("delete", "--ignore-not-found", f"configmap/{self.config}")
        wait_until(lambda: not self.left(), f"nothing to be left of {self.config}", LIMIT_S)
