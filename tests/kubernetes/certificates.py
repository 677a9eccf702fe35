"""The cluster's certificates and kubeconfigs, made by openssl.

Every component has a certificate of its own, with the name that Kubernetes' built-in roles and NodeRestriction go by.
"""
import base64
import json
import os
import subprocess

DAYS = "30"
FRONT_PROXY = "front-proxy-client"


def openssl(*words):
    done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(words)}: {done.stderr.strip()}")


class Authority:
    """A CA in a folder, with what it has signed beside it."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, mode=0o700, exist_ok=True)

    def certificate(self, name):
        return os.path.join(self.folder, f"{name}.crt")

    def key(self, name):
        return os.path.join(self.folder, f"{name}.key")

    def make(self):
        openssl("req", "-x509", *self.request("ca", "/CN=chains-kubernetes-test"), "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.key("accounts"))
        openssl("ec", "-in", self.key("accounts"), "-pubout", "-out", self.certificate("accounts"))

    def request(self, name, subject):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", DAYS, "-subj", subject,
                "-keyout", self.key(name), "-out", self.certificate(name))

    def sign(self, name, user, group=None, addresses=()):
        """A certificate for a client, and for a server at addresses (`IP:…`, `DNS:…`) where there are any."""
        subject = (f"/O={group}" if group else "") + f"/CN={user}"
        more = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=clientAuth,serverAuth"]
        if addresses:
            more += ["-addext", "subjectAltName=" + ",".join(addresses)]
        openssl("req", "-x509", "-CA", self.certificate("ca"), "-CAkey", self.key("ca"), *self.request(name, subject), *more)

    def kubeconfig(self, path, name, server):
        """A kubeconfig by which the holder of the certificate `name` reaches the server."""
        def inline(of):
            with open(of, "rb") as file:
                return base64.b64encode(file.read()).decode()
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority-data": inline(self.certificate("ca"))}}],
            "users": [{"name": name, "user": {"client-certificate-data": inline(self.certificate(name)),
                                              "client-key-data": inline(self.key(name))}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name, "namespace": "default"}}],
        }
        with open(path, "w", encoding="utf-8", opener=lambda where, flags: os.open(where, flags, 0o600)) as file:
            json.dump(config, file, indent=1)


def front_proxy_of(layout):
    """Another CA, for the API server where it passes on what somebody asked: who has a certificate of it is believed who asks."""
    return Authority(layout.file("certificates", "front-proxy"))


def make_all(layout):
    """The CAs, every component's certificate, and FOLDER/kubeconfig of an administrator."""
    front_proxy = front_proxy_of(layout)
    front_proxy.make()
    front_proxy.sign("apiserver", FRONT_PROXY)
    authority = Authority(layout.file("certificates"))
    authority.make()
    first_service = f"10.{layout.network}.128.1"
    authority.sign("apiserver", "kube-apiserver", addresses=[
        f"IP:{layout.control}", f"IP:{first_service}", "IP:127.0.0.1", "DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc"])
    for name, user, group in [("admin", "admin", "system:masters"), ("apiserver-client", "apiserver-client", "system:masters"),
                              ("controller-manager", "system:kube-controller-manager", None),
                              ("scheduler", "system:kube-scheduler", None), ("proxy", "system:kube-proxy", None),
                              ("dns", "test:dns", None)]:
        authority.sign(name, user, group)
        authority.kubeconfig(layout.file("certificates", f"{name}.kubeconfig"), name, layout.api)
    authority.sign("metrics", "test:metrics", "system:masters", ["DNS:metrics.kube-system.svc"])
    for node in layout.nodes:
        authority.sign(node, f"system:node:{node}", "system:nodes", [f"DNS:{node}", f"IP:{layout.address_of(node)}"])
        authority.kubeconfig(layout.file("certificates", f"{node}.kubeconfig"), node, layout.api)
    authority.kubeconfig(layout.file("kubeconfig"), "admin", layout.api)
