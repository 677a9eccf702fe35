"""The certificates that a controller keeps in a cluster, against an API server that knows Secrets alone."""
import base64
import contextlib
import copy
import http.server
import json
import os
import queue
import re
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

from chains_testing import wait_until

PROGRAM = os.environ["CHAINS_CERTIFICATES"]
SECRETS = "/api/v1/namespaces/prod/secrets"
DAY = 86400
HOUR = 3600


class Refusal(Exception):
    def __init__(self, status, reason, message):
        super().__init__(message)
        self.status, self.reason = status, reason


class Api:
    """Secrets as an API server keeps them: with versions, and conflicts of those who didn't read the last one."""

    def __init__(self):
        self.secrets = {}
        self.lock = threading.Lock()
        self.forbidden = set()  # verbs
        self.ailing = set()  # Secrets that nothing can be said of
        self.version = 0
        self.writes = 0
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size)) if size else None
                try:
                    with api.lock:
                        status, found = 200, api.handle(self.command, self.path.partition("?")[0], body, self.headers)
                except Refusal as refusal:
                    status = refusal.status
                    found = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": str(refusal), "reason": refusal.reason, "code": status}
                data = json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                with contextlib.suppress(ConnectionError):  # of a program that ends
                    self.end_headers()
                    self.wfile.write(data)

            do_GET = do_POST = do_PATCH = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def handle(self, method, path, body, headers):
        verb = {"GET": "get", "POST": "create", "PATCH": "patch"}[method]
        if path.rpartition("/")[2] in self.ailing:
            raise Refusal(500, "InternalError", "etcdserver: leader changed")
        if verb in self.forbidden:
            raise Refusal(403, "Forbidden", f'secrets is forbidden: User "chainsd" cannot {verb} resource "secrets" in API group "" in the namespace "prod"')
        if method == "POST":
            assert path == SECRETS, path
            name = body["metadata"]["name"]
            if name in self.secrets:
                raise Refusal(409, "AlreadyExists", f'secrets "{name}" already exists')
            return self.keep(name, body)
        folder, _, name = path.rpartition("/")
        assert folder == SECRETS, path
        if name not in self.secrets:
            raise Refusal(404, "NotFound", f'secrets "{name}" not found')
        if method == "GET":
            return self.secrets[name]
        assert headers["Content-Type"] == "application/merge-patch+json"
        if body["metadata"]["resourceVersion"] != self.secrets[name]["metadata"]["resourceVersion"]:
            raise Refusal(409, "Conflict", f'the object "{name}" has been modified')
        assert "type" not in body
        return self.keep(name, merge(copy.deepcopy(self.secrets[name]), body))

    def keep(self, name, secret):
        assert None not in secret["data"].values(), secret["data"]
        self.version += 1
        self.writes += 1
        secret["metadata"]["resourceVersion"] = str(self.version)
        self.secrets[name] = secret
        return secret

    def change(self, name, **entries):
        """What somebody does by hand; None takes away."""
        with self.lock:
            secret = copy.deepcopy(self.secrets[name])
            for key, text in entries.items():
                secret["data"][key.replace("_", ".")] = text and base64.b64encode(text.encode()).decode()
            secret["data"] = {key: text for key, text in secret["data"].items() if text is not None}
            self.keep(name, secret)

    def delete(self, name):
        with self.lock:
            return self.secrets.pop(name)

    def text(self, name, key):
        with self.lock:
            found = self.secrets.get(name, {"data": {}})["data"].get(key)
        return found and base64.b64decode(found).decode()


def merge(old, patch):
    for key, value in patch.items():
        if value is None:
            old.pop(key, None)
        elif isinstance(value, dict):
            old[key] = merge(old.get(key) or {}, value)
        else:
            old[key] = value
    return old


class Keeping(unittest.TestCase):
    def setUp(self):
        self.api = Api()
        self.addCleanup(self.api.close)
        self.folder = tempfile.mkdtemp(prefix="chains-certificates-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.kubeconfig = self.file("kubeconfig")
        with open(self.kubeconfig, "w", encoding="utf-8") as file:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "c",
                       "clusters": [{"name": "k", "cluster": {"server": f"http://127.0.0.1:{self.api.server.server_port}"}}],
                       "users": [{"name": "u", "user": {"token": "t"}}],
                       "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "prod"}}]}, file)
        self.program = None
        self.began_s = self.now_s = int(time.time())
        self.addCleanup(self.stop)

    def file(self, name):
        return os.path.join(self.folder, name)

    def start(self, *words):
        self.identities = queue.Queue()
        with open(self.file("said"), "w", encoding="utf-8") as said:
            self.program = subprocess.Popen([PROGRAM, "0.05", *(str(word) for word in words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=said, text=True, env=dict(os.environ, KUBECONFIG=self.kubeconfig))
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        text = ""
        for line in self.program.stdout:
            text += line
            if line == "end\n":
                self.identities.put(text)
                text = ""

    def stop(self):
        if self.program:
            self.program.stdin.close()
            self.assertEqual(self.program.wait(60), 0)
            self.reader.join()
            self.program.stdout.close()
            self.program = None

    def say(self, line):
        self.program.stdin.write(line + "\n")
        self.program.stdin.flush()

    def set_clock(self, later_s):
        self.now_s = self.began_s + later_s
        self.say(f"at {self.now_s}")

    def said(self):
        with open(self.file("said"), encoding="utf-8") as file:
            return file.read()

    def wait(self, condition, what):
        try:
            return wait_until(lambda: self.program.poll() is None and condition(), what)
        except AssertionError as why:
            raise AssertionError(f"{why}; said: {self.said()}") from why

    def identity(self):
        """The next that the front door is told: its certificate and key, and whom it trusts, as files."""
        text = self.identities.get(timeout=60)
        parts = re.findall(r"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----\n", text, re.DOTALL)
        self.assertIn("PRIVATE KEY", parts[1])
        return parts[0], "".join(parts[2:])

    def verify(self, certificate, authorities, name=None):
        for file, text in (("leaf", certificate), ("ca", authorities)):
            with open(self.file(file), "w", encoding="utf-8") as out:
                out.write(text)
        words = ["-attime", str(self.now_s), *(["-verify_hostname", name] if name else [])]
        return subprocess.run(["openssl", "verify", "-x509_strict", *words, "-CAfile", self.file("ca"), self.file("leaf")],
                              capture_output=True, text=True, check=False).returncode == 0

    def leaf(self, name="poem-v1-phi"):
        return self.api.text(f"{name}-tls", "tls.crt")

    def has(self, *names):
        return all(self.api.text(f"{name}-tls", "tls.crt") for name in names)

    def test_what_lacks_is_made(self):
        self.start()
        self.say("add poem poem-v1 uid-1 poem-v1-phi poem-v1-gen")
        self.wait(lambda: self.has("poem-v1-phi", "poem-v1-gen"), "certificates")
        bundle = self.api.text("poem-ca", "ca.crt")
        for name in ("poem-v1-phi", "poem-v1-gen"):
            secret = self.api.secrets[f"{name}-tls"]
            self.assertEqual(secret["type"], "kubernetes.io/tls")
            self.assertEqual(secret["metadata"]["ownerReferences"],
                             [{"apiVersion": "v1", "kind": "ConfigMap", "name": "poem-v1", "uid": "uid-1"}])
            self.assertEqual(secret["metadata"]["labels"]["chains.dev/kind"], "certificate")
            self.assertEqual(self.api.text(f"{name}-tls", "ca.crt"), bundle)
            for host in (name, f"{name}.prod", f"{name}.prod.svc", f"{name}.prod.svc.cluster.local"):
                self.assertTrue(self.verify(self.leaf(name), bundle, host), host)
            self.assertFalse(self.verify(self.leaf(name), bundle, "other"))
        self.assertNotIn("ca.key", self.api.secrets["poem-v1-phi-tls"]["data"])
        certificate, authorities = self.identity()
        self.assertEqual(authorities, bundle)
        self.assertTrue(self.verify(certificate, bundle, "chainsd"))
        # Another version has the same authority, which has both as owners; another chain has one of its own.
        self.say("add poem poem-v2 uid-2 poem-v2-phi")
        self.say("add other other-v1 uid-3 other-v1-phi")
        self.wait(lambda: self.has("poem-v2-phi", "other-v1-phi"), "the other certificates")
        self.assertEqual([owner["uid"] for owner in self.api.secrets["poem-ca"]["metadata"]["ownerReferences"]], ["uid-1", "uid-2"])
        self.assertTrue(self.verify(self.leaf("poem-v2-phi"), bundle))
        self.assertFalse(self.verify(self.leaf("other-v1-phi"), bundle))

    def test_another_controller_goes_on_with_what_there_is(self):
        self.start()
        self.say("add poem poem-v1 uid-1 poem-v1-phi")
        self.wait(lambda: self.has("poem-v1-phi"), "a certificate")
        before = self.leaf(), self.api.text("poem-ca", "ca.crt")
        self.stop()
        writes = self.api.writes
        self.start()
        self.say("add poem poem-v1 uid-1 poem-v1-phi")
        self.assertEqual(self.identity()[1], before[1])
        self.assertEqual((self.leaf(), self.api.text("poem-ca", "ca.crt"), self.api.writes), (*before, writes))

    def test_what_somebody_deletes_or_changes_is_mended(self):
        self.start()
        self.say("add poem poem-v1 uid-1 poem-v1-phi poem-v1-gen")
        self.wait(lambda: self.has("poem-v1-phi", "poem-v1-gen"), "certificates")
        authority, bundle = self.api.secrets["poem-ca"]["data"], self.api.text("poem-ca", "ca.crt")
        self.api.delete("poem-v1-phi-tls")
        self.wait(lambda: self.has("poem-v1-phi"), "the deleted one again")
        self.assertTrue(self.verify(self.leaf(), bundle))
        for change in ({"tls_key": None}, {"tls_crt": "nothing"}, {"ca_crt": "nothing"}, {"tls_crt": self.leaf("poem-v1-gen")}):
            self.api.change("poem-v1-phi-tls", **change)
            self.wait(lambda: self.api.text("poem-v1-phi-tls", "ca.crt") == bundle and self.api.text("poem-v1-phi-tls", "tls.key")
                      and self.verify(self.leaf() or "", bundle, "poem-v1-phi"), f"{change} to be mended")
        # The authority is known to the one that runs, and so it is the same one again.
        self.api.delete("poem-ca")
        self.wait(lambda: self.api.text("poem-ca", "ca.key"), "the authority again")
        self.assertEqual(self.api.secrets["poem-ca"]["data"], authority)

    def test_certificates_are_renewed_in_time(self):
        self.start()
        self.say("add poem poem-v1 uid-1 poem-v1-phi")
        self.wait(lambda: self.has("poem-v1-phi"), "a certificate")
        first, bundle, told = self.leaf(), self.api.text("poem-ca", "ca.crt"), self.identity()
        self.set_clock(59 * DAY)
        self.say("add poem poem-v2 uid-2 poem-v2-phi")
        self.wait(lambda: self.has("poem-v2-phi"), "a round later")
        self.assertEqual(self.leaf(), first)
        self.set_clock(61 * DAY)
        self.wait(lambda: self.leaf() != first, "another certificate")
        self.assertEqual(self.api.text("poem-ca", "ca.crt"), bundle)
        self.assertNotEqual(self.identity()[0], told[0])

    def rotate(self, change):
        """Through a whole rotation: each moment's certificates are trusted by those who read theirs last in the step before."""
        self.start()
        self.set_clock(0)
        self.say("add poem poem-v1 uid-1 poem-v1-phi")
        self.wait(lambda: self.has("poem-v1-phi"), "a certificate")
        seen = [self.files()]
        base = change()
        for count, step in ((2, 0), (2, HOUR), (1, 2 * HOUR)):
            self.set_clock(base + step + step // HOUR)
            last = seen[-1]
            self.wait(lambda last=last, count=count: self.files() != last and self.files()[1].count("BEGIN") == count and
                      (self.api.text("poem-ca", "settled") or count == 1), f"step {count} {step}")
            seen.append(self.files())
        return seen

    def files(self):
        return self.leaf(), self.api.text("poem-v1-phi-tls", "ca.crt")

    @staticmethod
    def age():
        return 2500 * DAY

    def take_key(self):
        self.api.change("poem-ca", ca_key=None)
        return 0

    def check_rotation(self, seen):
        self.assertNotEqual(seen[2][0], seen[1][0])  # the new authority issues
        self.assertEqual(seen[3][0], seen[2][0])
        self.assertNotIn(seen[0][1], seen[3][1])
        self.assertIn("a new authority is trusted beside the one that issues", self.said())
        self.assertIn("the new authority issues from now on", self.said())
        self.assertIn("the old authority is trusted no longer", self.said())
        self.assertFalse(self.verify(seen[2][0], seen[0][1]))
        self.assertEqual(sorted(self.api.secrets["poem-ca"]["data"]), ["ca.crt", "ca.key", "issuer.crt"])

    def test_an_old_authority_gives_way(self):
        self.check_rotation(self.rotate(self.age))

    def test_a_key_that_was_taken_out_has_the_authority_replaced(self):
        seen = self.rotate(self.take_key)
        self.assertEqual(seen[1][0], seen[0][0])
        for (leaf, bundle), (next_leaf, next_bundle) in zip(seen, seen[1:]):
            self.assertTrue(self.verify(leaf, next_bundle))
            self.assertTrue(self.verify(next_leaf, bundle))
        self.check_rotation(seen)

    def test_certificates_that_are_renewed_meanwhile_do_not_keep_an_authority(self):
        """As with many of them in a chain one always is: here each is renewed more often than a rotation waits."""
        self.start(2500 * DAY, HOUR // 2)
        self.set_clock(0)
        self.say("add poem poem-v1 uid-1 poem-v1-phi")
        self.wait(lambda: self.has("poem-v1-phi"), "a certificate")
        self.take_key()
        self.wait(lambda: self.api.text("poem-ca", "settled"), "the next one to be trusted")
        for step in range(1, 8):
            before = self.leaf()
            self.set_clock(step * HOUR // 2)
            self.wait(lambda before=before: self.leaf() != before, f"renewal {step}")
        self.wait(lambda: "the old authority is trusted no longer" in self.said(), "the rotation to end")
        self.assertEqual(self.files()[1].count("BEGIN"), 1)

    def lose_authority(self):
        """Its Secret is deleted while no controller runs. What it has issued, and who trusted that."""
        self.start()
        self.say("add poem poem-v1 uid-1 poem-v1-phi")
        self.wait(lambda: self.has("poem-v1-phi"), "a certificate")
        known = self.leaf(), self.api.text("poem-ca", "ca.crt")
        self.stop()
        self.api.delete("poem-ca")
        return known

    def test_an_authority_that_nobody_remembers(self):
        """What it has issued stays trusted until all have others."""
        first, bundle = self.lose_authority()
        self.start()
        self.say("add poem poem-v1 uid-1 poem-v1-phi")
        self.wait(lambda: self.api.text("poem-v1-phi-tls", "ca.crt") != bundle, "another to trust")
        self.assertTrue(self.verify(self.leaf(), bundle))
        self.assertEqual(self.leaf(), first)
        self.assertIn(bundle, self.api.text("poem-v1-phi-tls", "ca.crt"))
        certificate, authorities = self.identity()
        self.assertTrue(self.verify(certificate, authorities))

    def test_an_authority_that_nobody_remembers_while_the_server_ails(self):
        """No other one is made before it is known what the lost one has issued."""
        first, bundle = self.lose_authority()
        self.api.ailing = {"poem-v1-phi-tls"}
        self.start()
        self.say("add poem poem-v1 uid-1 poem-v1-phi")
        self.wait(lambda: "poem-v1-phi-tls" in self.said(), "what can't be asked for")
        self.assertIsNone(self.api.text("poem-ca", "ca.crt"))
        self.api.ailing = set()
        self.say("add poem poem-v2 uid-2 poem-v2-phi")
        self.wait(lambda: self.has("poem-v2-phi"), "a certificate")
        self.assertEqual(self.leaf(), first)
        self.assertTrue(self.verify(first, self.api.text("poem-v2-phi-tls", "ca.crt")))
        self.assertIn(bundle, self.api.text("poem-v2-phi-tls", "ca.crt"))

    def test_an_authority_that_ended_while_no_controller_ran(self):
        self.start()
        self.say("add poem poem-v1 uid-1 poem-v1-phi")
        self.wait(lambda: self.has("poem-v1-phi"), "a certificate")
        first = self.leaf()
        self.stop()
        self.start()
        self.set_clock(3651 * DAY)
        self.say("add poem poem-v1 uid-1 poem-v1-phi")
        self.wait(lambda: self.leaf() != first and self.verify(self.leaf(), self.api.text("poem-ca", "ca.crt")), "a certificate that is good")
        certificate, authorities = self.identity()
        self.assertTrue(self.verify(certificate, self.api.text("poem-v1-phi-tls", "ca.crt")))
        self.assertTrue(self.verify(self.leaf(), authorities))

    def test_what_may_not_be_done_is_said_once(self):
        for verb in ("get", "create"):
            self.api.forbidden = {verb}
            self.start()
            self.say("add poem poem-v1 uid-1 poem-v1-phi")
            self.wait(lambda verb=verb: f'verbs: ["{verb}"]' in self.said(), "the rule that lacks")
            self.say("add poem poem-v2 uid-2 poem-v2-phi")
            self.api.forbidden = set()
            self.say("add poem poem-v3 uid-3 poem-v3-phi")
            self.wait(lambda: self.has("poem-v1-phi", "poem-v2-phi", "poem-v3-phi"), "certificates")
            self.wait(lambda: "all is well again" in self.said(), "the good news")
            self.assertEqual(self.said().count("may not"), 1, self.said())
            self.stop()
            self.api.secrets.clear()

    def test_secrets_of_others_stay(self):
        """Somebody brings certificates of his own; or another uses the name."""
        theirs = {"metadata": {"name": "poem-v1-phi-tls"}, "type": "kubernetes.io/tls", "data": {"tls.crt": "eA=="}}
        with self.api.lock:
            self.api.keep("poem-v1-phi-tls", theirs)
        self.start()
        self.say("add poem poem-v1 uid-1 poem-v1-phi poem-v1-gen")
        self.wait(lambda: self.has("poem-v1-gen"), "the other certificate")
        self.wait(lambda: "poem-v1-phi-tls isn't made by chainsd" in self.said(), "a word about it")
        self.assertEqual(self.api.text("poem-v1-phi-tls", "tls.crt"), "x")

    def test_versions_that_go_and_come(self):
        self.start()
        self.say("add poem poem-v1 uid-1 poem-v1-phi")
        self.wait(lambda: self.has("poem-v1-phi"), "a certificate")
        self.say("remove poem-v1")
        self.say("remove nothing")
        self.say("add x x-v1 uid-9 x-v1-a")
        self.wait(lambda: self.has("x-v1-a"), "a round")
        self.api.delete("poem-v1-phi-tls")
        self.api.delete("poem-ca")
        self.say("add y y-v1 uid-8 y-v1-a")
        self.wait(lambda: self.has("y-v1-a"), "a round")
        self.assertIsNone(self.leaf())
        self.say("add poem poem-v1 uid-11 poem-v1-phi")
        self.wait(lambda: self.has("poem-v1-phi"), "a certificate again")
        self.assertEqual(self.api.secrets["poem-v1-phi-tls"]["metadata"]["ownerReferences"][0]["uid"], "uid-11")


if __name__ == "__main__":
    unittest.main()
