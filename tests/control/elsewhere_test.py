"""The verbs with a daemon that CHAINS_URL names: another home, as on another machine, and CHAINS_TOKEN."""
import os
import re
import ssl
import unittest

from daemon_testing import DaemonTest, service
from tls_test import make_certificate


class Elsewhere(DaemonTest):
    def setUp(self):
        super().setUp()
        self.far = self.home.file("far")

    def ask(self, url, token, *words, **more):
        return self.home.chains(*words, env={"CHAINS_HOME": self.far, "CHAINS_URL": url, "CHAINS_TOKEN": token, **more})

    def good(self, *words):
        done = self.ask(self.url, self.token, *words)
        self.assertEqual(done.returncode, 0, f"{words}: {done.stderr}")
        return done.stdout

    def serve(self, **options):
        self.daemon = self.start(**options)
        self.daemon.deployed("x", service("entry"))
        self.url = self.home.address()
        with open(self.daemon.home_file("token"), encoding="utf-8") as file:
            self.token = file.read().strip()

    def test_verbs_are_as_at_home(self):
        self.serve()
        self.assertIn(f"daemon at {self.url}\n", self.good("status"))
        self.assertIn('"mark"', self.good("call", "x", "--input", "{}"))
        self.assertIn("ready to serve", self.good("logs", "x"))
        self.assertEqual(self.good("open", "x", "--print"), f"{self.url}/#token={self.token}&/chains/x/production\n")
        self.assertIn("is set", self.good("secret", "set", "a", "--file", self.home.file("said")))
        self.daemon.deployed("x", service("entry", WORD="other"))
        version = re.search(r"(?m)^(v0*1\S*)", self.good("versions", "x")).group(1)
        self.good("promote", "x", version)
        self.good("rollback", "x")
        self.good("delete", "x")
        self.assertIn("nothing is deployed", self.good("status"))
        self.assertFalse(os.path.exists(self.far))

    def test_a_key_may_what_it_may(self):
        self.serve()
        key = re.search(r"chains_\w+", self.good("key", "create", "--scope", "call")).group(0)
        done = self.ask(self.url, key, "call", "x", "--input", "{}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("scope 'admin'", self.ask(self.url, key, "delete", "x").stderr)
        for token in ("", "0" * 32):
            done = self.ask(self.url, token, "call", "x", "--input", "{}")
            self.assertEqual(done.returncode, 1)
            self.assertIn("UNAUTHENTICATED", done.stderr)
            self.assertIn("CHAINS_TOKEN", done.stderr)

    def test_with_tls_its_certificate_counts(self):
        certificate, key = make_certificate(self.home.path, "own")
        self.serve(flags=["--tls-cert", certificate, "--tls-key", key], tls=ssl.create_default_context(cafile=certificate))
        self.url = self.url.replace("127.0.0.1", "localhost")
        done = self.ask(self.url, self.token, "status", SSL_CERT_FILE=certificate)
        self.assertEqual(done.returncode, 0, done.stderr)
        other, _ = make_certificate(self.home.path, "other")
        done = self.ask(self.url, self.token, "status", SSL_CERT_FILE=other)
        self.assertEqual(done.returncode, 1)
        self.assertIn("certificate", done.stderr)
        self.assertIn("hint: SSL_CERT_FILE names", done.stderr)

    def test_addresses_and_tokens_that_are_none(self):
        for url, said in (("127.0.0.1:8600", "CHAINS_URL is"), ('http://a"b', "CHAINS_URL is"), ("unix:/x", "CHAINS_URL is"),
                          ("http://" + "a" * 300, "CHAINS_URL is"), ("http://127.0.0.1:1/", "http://127.0.0.1:1 does not answer")):
            for words in (["status"], ["call", "x"], ["logs", "x"], ["logs", "x", "--follow"], ["key", "create", "--scope", "call"], ["open"]):
                done = self.ask(url, "", *words)
                self.assertEqual((done.returncode, done.stdout), (1, ""), (url, words))
                self.assertIn(said, done.stderr)
        done = self.ask("http://127.0.0.1:1", "a\r\nX: y", "status")
        self.assertEqual(done.returncode, 1)
        self.assertIn("CHAINS_TOKEN is no token", done.stderr)
        self.assertFalse(os.path.exists(self.far))

    def test_programs_of_this_machine_are_not_for_another(self):
        chain = self.home.file("hello")
        self.home.good("init", chain)
        done = self.ask("http://127.0.0.1:1", "", "deploy", chain)
        self.assertEqual(done.returncode, 1)
        self.assertIn("CHAINS_URL names a daemon elsewhere", done.stderr)
        self.assertIn("--target kubernetes", done.stderr)


if __name__ == "__main__":
    unittest.main()
