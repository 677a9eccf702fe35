"""What tests of the client share: a folder, a fake API server, kubeconfigs, and the client's program."""
import base64
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from fake_api import FakeApi

CLIENT = os.environ["CHAINS_CLUSTER_CLIENT"]
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
LIMIT_S = 120


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def base64_of(path):
    return base64.b64encode(read(path)).decode()


class Authority:
    """A CA of its own, in a folder."""

    def __init__(self, folder, name="ca"):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.certificate, self.key = (os.path.join(folder, f"{name}.{ending}") for ending in ("crt", "key"))
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-keyout", self.key, "-out", self.certificate)

    def sign(self, name, names="DNS:localhost,IP:127.0.0.1", ended=False):
        """The paths of a certificate and its key. ended: in 2020."""
        certificate, key, request, extensions, index = (
            os.path.join(self.folder, f"{name}.{ending}") for ending in ("crt", "key", "csr", "conf", "index"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        with open(index, "w", encoding="ascii"):
            pass
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"[ca]\ndefault_ca=own\n[own]\ndatabase={index}\nnew_certs_dir={self.folder}\nrand_serial=yes\ndefault_md=sha256\n"
                       f"policy=any\nx509_extensions=more\n[any]\ncommonName=supplied\n[more]\nsubjectAltName={names}\n")
        days = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"] if ended else ["-days", "2"]
        openssl("ca", "-batch", "-config", extensions, "-cert", self.certificate, "-keyfile", self.key, "-in", request, "-out", certificate,
                *days, "-notext")
        return certificate, key


class ClusterTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="chains-cluster-")
        self.addCleanup(shutil.rmtree, self.folder)
        # Nothing of this machine's own.
        self.env = {name: value for name, value in os.environ.items()
                    if name not in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "HTTPS_PROXY", "https_proxy", "http_proxy", "NO_PROXY", "no_proxy")}
        self.env["HOME"] = self.folder
        self.apis = []
        self.addCleanup(self.end_apis)

    def end_apis(self):
        for api in self.apis:
            api.stop()

    def new_api(self, tls=None):
        self.apis.append(FakeApi(tls))
        return self.apis[-1]

    def file(self, name, text=""):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text if isinstance(text, str) else json.dumps(text))
        return path

    def config(self, name="config", cluster=None, user=None, context=None, **more):
        """The path of a kubeconfig with one of each."""
        return self.file(name, {
            "apiVersion": "v1", "kind": "Config", "current-context": "here", "clusters": [{"name": "c", "cluster": cluster or {}}],
            "users": [{"name": "u", "user": user or {}}], "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", **(context or {})}}],
            **more})

    def run_client(self, *words, text="", env=None):
        return subprocess.run([CLIENT, *words], input=text, text=True, capture_output=True, check=False, timeout=LIMIT_S,
                              env={**self.env, **(env or {})})

    def show(self, *words, env=None):
        done = self.run_client(*words, "show", env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def refused(self, *words, env=None):
        """What is said where no cluster can be opened."""
        done = self.run_client(*words, "show", env=env)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        return done.stderr.strip()

    def asks(self, config, *lines, verb="ask", env=None):
        done = self.run_client("--kubeconfig", config, verb, text="\n".join(lines) + "\n", env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(answers), len(lines))
        return answers

    def ask(self, config, line="GET 0 /api/v1/namespaces/default/configmaps", **options):
        return self.asks(config, line, **options)[0]

    def assert_said(self, answer, code, *words):
        self.assertEqual(answer["status"], code, answer)
        for word in words:
            self.assertIn(word, answer["why"])
