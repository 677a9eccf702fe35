"""Where everything of a test cluster is: its folder, its addresses, its machines.

A *machine* is a set of namespaces with processes of its own on this computer: `control` (etcd, API server, controller
manager, scheduler, registry, DNS, metrics API) and the nodes `node1`, `node2`, … (containerd, kubelet, kube-proxy). They meet
on one bridge:

    10.N.0.1        this computer, on the bridge chk-N       10.N.0.10    control: API :6443, registry :5000, DNS :53
    10.N.0.11, …    node1, …                                 10.N.65.0/24, …  the pods of node1, …
    10.N.128.0/20   Services, reached from here by way of control

N is the first that nothing on this computer uses.
"""
import json
import os

CONTROL = "control"
DOMAIN = "cluster.local"


class Layout:
    """A cluster's folder, once made."""

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        with open(self.file("cluster.json"), encoding="utf-8") as file:
            self.state = json.load(file)
        self.binaries = self.state["binaries"]
        self.network = self.state["network"]
        self.bridge = f"chk-{self.network}"
        self.nodes = [f"node{number}" for number in range(1, self.state["nodes"] + 1)]
        self.machines = [CONTROL, *self.nodes]
        self.gateway = self.address(1)
        self.control = self.address(10)
        self.api = f"https://{self.control}:6443"
        self.registry = f"{self.control}:5000"
        self.pods = f"10.{self.network}.64.0/18"
        self.services = f"10.{self.network}.128.0/20"

    @staticmethod
    def make(folder, network, nodes, binaries):
        """Writes what the others read."""
        with open(os.path.join(folder, "cluster.json"), "w", encoding="utf-8") as file:
            json.dump({"network": network, "nodes": nodes, "binaries": binaries}, file)
        return Layout(folder)

    def file(self, *names):
        return os.path.join(self.folder, *names)

    def binary(self, name):
        return os.path.join(self.binaries, name)

    def address(self, last):
        return f"10.{self.network}.0.{last}"

    def address_of(self, machine):
        return self.control if machine == CONTROL else self.address(10 + self.number(machine))

    def pods_of(self, node):
        return f"10.{self.network}.{64 + self.number(node)}.0/24"

    def link_of(self, machine):
        """This computer's end of the machine's wire; a name of an interface has 15 characters at most."""
        return f"{self.bridge}-{'c' if machine == CONTROL else self.number(machine)}"

    @property
    def cgroup(self):
        return f"chains-kubernetes-{self.network}"

    def cgroup_of(self, node):
        return f"/{self.cgroup}/{node}"

    @staticmethod
    def number(node):
        return int(node.removeprefix("node"))
