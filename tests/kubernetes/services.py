"""The command lines and settings of what runs on each machine of the cluster."""
import json
import os
import resource
import sys

from certificates import FRONT_PROXY, front_proxy_of
from layout import CONTROL, DOMAIN

HERE = os.path.dirname(os.path.abspath(__file__))
CONTAINERD = "unix:///run/containerd/containerd.sock"


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
    return path


def services_of(layout, machine):
    """{name: command} of a machine; writes the files that they read."""
    return of_control(layout) if machine == CONTROL else of_node(layout, machine)


def of_control(layout):
    def secret(name):
        return layout.file("certificates", name)
    front_proxy = front_proxy_of(layout)
    return {
        # The cluster is thrown away with its folder: no need to wait for a disk.
        "etcd": ["etcd", "--name=control", f"--data-dir={layout.file(CONTROL, 'etcd')}", "--listen-client-urls=http://127.0.0.1:2379",
                 "--advertise-client-urls=http://127.0.0.1:2379", "--listen-peer-urls=http://127.0.0.1:2380",
                 "--heartbeat-interval=500", "--election-timeout=5000", "--logger=zap"],
        "kube-apiserver": [
            layout.binary("kube-apiserver"), "--etcd-servers=http://127.0.0.1:2379", f"--advertise-address={layout.control}",
            "--bind-address=0.0.0.0", "--secure-port=6443", f"--service-cluster-ip-range={layout.services}",
            f"--tls-cert-file={secret('apiserver.crt')}", f"--tls-private-key-file={secret('apiserver.key')}",
            f"--client-ca-file={secret('ca.crt')}", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
            "--anonymous-auth=false", "--allow-privileged=true", "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={secret('accounts.crt')}", f"--service-account-signing-key-file={secret('accounts.key')}",
            f"--kubelet-client-certificate={secret('apiserver-client.crt')}", f"--kubelet-client-key={secret('apiserver-client.key')}",
            f"--kubelet-certificate-authority={secret('ca.crt')}", "--kubelet-preferred-address-types=InternalIP",
            # By which the metrics API knows who asks.
            f"--proxy-client-cert-file={front_proxy.certificate('apiserver')}", f"--proxy-client-key-file={front_proxy.key('apiserver')}",
            f"--requestheader-client-ca-file={front_proxy.certificate('ca')}", f"--requestheader-allowed-names={FRONT_PROXY}",
            "--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            # A pod on a node that has gone is replaced after seconds, not after five minutes.
            "--default-not-ready-toleration-seconds=5", "--default-unreachable-toleration-seconds=5"],
        "kube-controller-manager": [
            layout.binary("kube-controller-manager"), f"--kubeconfig={secret('controller-manager.kubeconfig')}", "--leader-elect=false",
            "--use-service-account-credentials=true", f"--service-account-private-key-file={secret('accounts.key')}",
            f"--root-ca-file={secret('ca.crt')}", "--node-monitor-grace-period=20s", "--node-monitor-period=2s",
            "--horizontal-pod-autoscaler-sync-period=3s"],
        "kube-scheduler": [layout.binary("kube-scheduler"), f"--kubeconfig={secret('scheduler.kubeconfig')}", "--leader-elect=false"],
        "kube-proxy": proxy(layout, CONTROL),
        "registry": ["docker-registry", "serve", write_json(layout.file(CONTROL, "registry.yml"), {
            "version": "0.1", "log": {"level": "warn"}, "http": {"addr": layout.registry},
            "storage": {"filesystem": {"rootdirectory": layout.file("registry")}, "delete": {"enabled": True}}})],
        "dns": [sys.executable, "-B", os.path.join(HERE, "dns.py"), layout.folder],
        "metrics": [sys.executable, "-B", os.path.join(HERE, "metrics.py"), layout.folder],
    }


def of_node(layout, node):
    return {"containerd": ["containerd", f"--config={containerd_settings(layout, node)}"],
            "kubelet": kubelet(layout, node), "kube-proxy": proxy(layout, node)}


def proxy(layout, machine):
    """Also on control, for this computer's calls of Services."""
    return [layout.binary("kube-proxy"), "--config=" + write_json(layout.file(machine, "proxy.json"), {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "iptables",
        "clientConnection": {"kubeconfig": layout.file("certificates", "proxy.kubeconfig")}, "hostnameOverride": machine,
        "bindAddress": layout.address_of(machine), "clusterCIDR": layout.pods, "oomScoreAdj": 0,
        # What would be set here is the whole computer's.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}})]


def containerd_settings(layout, node):
    """containerd with runc; what it keeps is in the cluster's folder, its sockets are in the machine's own /run."""
    network = layout.file(node, "network")
    os.makedirs(network, exist_ok=True)
    # ptp, not bridge: pods of one node reach each other by way of the node, where the Services' rules are.
    write_json(os.path.join(network, "10-pods.conflist"), {
        "cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "ptp", "ipMasq": False, "ipam": {
            "type": "host-local", "subnet": layout.pods_of(node), "routes": [{"dst": "0.0.0.0/0"}]}}]})
    path = layout.file(node, "containerd.toml")
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"""version = 2
root = "{layout.file(node, 'containerd')}"
state = "/run/containerd"
[grpc]
address = "{CONTAINERD.removeprefix('unix://')}"
[{cri}]
sandbox_image = "{layout.registry}/pause:1"
restrict_oom_score_adj = true
[{cri}.containerd]
snapshotter = "native"
[{cri}.cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{network}"
[{cri}.registry.mirrors."{layout.registry}"]
endpoint = ["http://{layout.registry}"]
""")
    return path


def kubelet(layout, node):
    empty = layout.file(node, "resolv.conf")
    with open(empty, "w", encoding="utf-8"):
        pass
    settings = write_json(layout.file(node, "kubelet.json"), {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "tlsCertFile": layout.file("certificates", f"{node}.crt"), "tlsPrivateKeyFile": layout.file("certificates", f"{node}.key"),
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                           "x509": {"clientCAFile": layout.file("certificates", "ca.crt")}},
        "authorization": {"mode": "Webhook"}, "clusterDNS": [layout.control], "clusterDomain": DOMAIN, "resolvConf": empty,
        "cgroupDriver": "cgroupfs", "cgroupRoot": layout.cgroup_of(node), "failSwapOn": False, "oomScoreAdj": 0,
        "maxOpenFiles": resource.getrlimit(resource.RLIMIT_NOFILE)[1], "nodeStatusUpdateFrequency": "4s",
        "nodeLeaseDurationSeconds": 12, "imageGCHighThresholdPercent": 100,
        # How full this computer's disk is shall not decide whether pods run.
        "evictionHard": {"memory.available": "10Mi", "nodefs.available": "0%", "imagefs.available": "0%", "nodefs.inodesFree": "0%"}})
    return [layout.binary("kubelet"), f"--config={settings}", f"--kubeconfig={layout.file('certificates', node + '.kubeconfig')}",
            "--container-runtime=remote", f"--container-runtime-endpoint={CONTAINERD}", f"--root-dir={layout.file(node, 'kubelet')}",
            f"--node-ip={layout.address_of(node)}", f"--hostname-override={node}",
            "--housekeeping-interval=2s"]  # how often it looks at what containers use
