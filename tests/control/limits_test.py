"""Where the front door listens, whom it answers, and how much it takes."""
import os
import resource
import socket
import subprocess
import threading
import unittest

from chains_testing import wait_until
from daemon_testing import CHAINSD, DaemonTest, read_answer, service
from tls_test import make_certificate

RUN = "/chains/x/production/run_remote"
MIB = 1024 * 1024


class Places(DaemonTest):
    """Where it listens."""

    def refused(self, *flags):
        done = subprocess.run([CHAINSD, "--port", "0", *flags], env=self.home.env, capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertFalse(os.path.exists(os.path.join(self.home.env["CHAINS_HOME"], "address")))
        return done.returncode, done.stderr

    def test_beyond_loopback_only_if_told_so_in_words(self):
        certificate, key = make_certificate(self.home.path, "own")
        for host in ("0.0.0.0", "::", "192.0.2.1"):
            status, text = self.refused("--host", host)
            self.assertEqual(status, 2, text)
            for word in (host, "--tls-cert and --tls-key", "API key", "--allow-insecure-network"):
                self.assertIn(word, text)
            status, text = self.refused("--host", host, "--tls-cert", certificate, "--tls-key", key)
            self.assertEqual(status, 2, text)
            self.assertNotIn("--tls-cert", text)
            self.assertIn("API key", text)
        done = self.home.chains("serve", "--host", "0.0.0.0", "--port", "0")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--allow-insecure-network", done.stderr)

    def test_every_address(self):
        daemon = self.start(flags=["--host", "0.0.0.0", "--allow-insecure-network"])
        self.assertTrue(self.home.address().startswith("http://127.0.0.1:"))
        self.assertEqual(daemon.ask("GET", "/healthz").status, 200)
        self.assertEqual(self.home.chains("status").returncode, 0)

    def test_ipv6(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError as error:
            self.skipTest(f"no IPv6 here: {error}")
        for host in ("::1", "::"):
            daemon = self.start(flags=["--host", host, "--allow-insecure-network"])
            self.assertTrue(self.home.address().startswith("http://[::1]:"))
            daemon.deployed("x", service("entry"))
            self.assertEqual(daemon.call("x").status, 200)
            self.assertIn('"mark"', self.home.good("call", "x", "--input", "{}"))
            self.assertIn("ready to serve", self.home.good("logs", "x"))
            self.assertEqual(daemon.stop(), 0)

    def test_what_is_no_address(self):
        for host in ("chains.example", "", "1.2.3", "::1::"):
            status, text = self.refused("--host", host)
            self.assertEqual(status, 2, host)
            self.assertIn("--host takes an IP address", text)
        daemon = self.start(flags=["--host", "localhost"])
        self.assertEqual(daemon.ask("GET", "/healthz").status, 200)

    def test_flags(self):
        for flags in (["--port", "70000"], ["--port", "x"], ["--max-connections", "0"], ["--unknown"], ["--host"],
                      ["--max-connections-per-client=-1"], ["--hostname", "x"]):
            self.assertEqual(self.refused(*flags)[0], 2, flags)


class Sites(DaemonTest):
    """Whom it answers."""

    def test_hosts_and_origins(self):
        daemon = self.start(flags=["--allow-host", "chains.example"])
        daemon.deployed("x", service("entry"))
        port = daemon.address.split(":")[1]
        for method, path, headers, status in (
                ("GET", "/healthz", {"Host": "chains.example"}, 200),
                ("GET", "/healthz", {"Host": f"localhost:{port}"}, 200),
                ("GET", "/healthz", {"Host": "evil.example"}, 403),
                ("GET", "/api/v1/chains/x/logs", {"Host": f"evil.example:{port}"}, 403),
                ("POST", RUN, {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}, 200),
                ("POST", RUN, {"Host": f"localhost:{port}", "Origin": "http://evil.example"}, 403),
                ("POST", RUN, {"Origin": "null"}, 403),
                ("POST", RUN, {"Sec-Fetch-Site": "cross-site"}, 403),
                ("POST", RUN, {"Sec-Fetch-Site": "same-origin"}, 200),
                ("GET", "/", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
                ("GET", "/", {"Host": "evil.example"}, 403),
                ("DELETE", "/api/v1/chains/x", {"Origin": "http://evil.example"}, 403)):
            answer = daemon.ask(method, path, headers=headers)
            self.assertEqual(answer.status, status, (method, headers))
            if status == 403:
                self.assertEqual(answer.error()["status"], "PERMISSION_DENIED")
                self.assertGreater(len(answer.error()["message"]), 30)


class Sizes(DaemonTest):
    """How much it takes."""

    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def assert_grew_less(self, daemon, before, most):
        """Of a sanitizer's build memory tells nothing: what was freed stays, to be watched."""
        if not os.environ.get("CHAINS_TEST_SANITIZE"):
            self.assertLess(self.resident(daemon) - before, most)

    @staticmethod
    def resident(daemon):
        with open(f"/proc/{daemon.brain()}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon:"))

    def test_heads_at_the_limit_and_one_past_it(self):
        daemon = self.start()

        def ask(text):
            with daemon.dial() as client:
                client.sendall(text)
                return read_answer(client)[0]
        start = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
        self.assertEqual(ask(start + b"A: b\r\n" * 63 + b"\r\n"), 200)
        self.assertEqual(ask(start + b"A: b\r\n" * 64 + b"\r\n"), 431)
        room = 64 * 1024 - len(start) - len(b"A: \r\n\r\n")
        self.assertEqual(ask(start + b"A: " + b"b" * room + b"\r\n\r\n"), 200)
        self.assertEqual(ask(start + b"A: " + b"b" * (room + 1) + b"\r\n\r\n"), 431)
        line = 8 * 1024 - len("GET /healthz? HTTP/1.1")
        self.assertEqual(ask(b"GET /healthz?" + b"a" * line + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"), 200)
        self.assertEqual(ask(b"GET /healthz?" + b"a" * (line + 1) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"), 414)
        self.assertEqual(len(daemon.ask("GET", "/healthz", headers={"X-Request-Id": "i" * 128}).headers["X-Request-Id"]), 128)
        self.assertEqual(len(daemon.ask("GET", "/healthz", headers={"X-Request-Id": "i" * 129}).headers["X-Request-Id"]), 32)

    def test_a_hundred_slow_uploads_hold_little_memory(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", max_body=64 * MIB))
        before = self.resident(daemon)
        size, sent = 16 * MIB, 12 * MIB
        head = f"POST {RUN} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode()
        clients = [daemon.dial() for _ in range(100)]
        part = b"x" * (256 * 1024)
        for client in clients:
            client.sendall(head)
        for _ in range(sent // len(part)):
            for client in clients:
                client.sendall(part)
        self.assertEqual(daemon.ask("GET", "/healthz").status, 200)
        self.assert_grew_less(daemon, before, 32 * MIB)
        for client in clients[1:]:
            client.close()
        clients[0].sendall(b"x" * (size - sent))
        self.assertIn(b'"size":%d' % size, read_answer(clients[0])[2])
        clients[0].close()
        self.assertEqual(daemon.call("x").status, 200)

    def test_pipelining_is_bounded(self):
        daemon = self.start()
        daemon.deployed("x", service("entry"))
        before = self.resident(daemon)
        one = b"POST " + RUN.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000
        count = 5000
        with daemon.dial() as client:
            feeder = threading.Thread(target=client.sendall, args=(one * count,))
            feeder.start()
            answers = b""
            seen = 0
            while seen < count:
                answers += client.recv(1 << 20)
                seen += answers.count(b'"size":1000')
                answers = answers[answers.rfind(b'"size":1000') + 11:] if b'"size":1000' in answers else answers
            feeder.join()
        self.assert_grew_less(daemon, before, 4 * MIB)

    def test_a_process_without_descriptors(self):
        daemon = self.start()
        daemon.deployed("x", service("entry"))
        with daemon.dial() as kept:
            kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual(read_answer(kept)[0], 200)
            pid = daemon.brain()
            used = 1 + max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
            before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, before[1]))
            free = used - len(os.listdir(f"/proc/{pid}/fd"))
            clients = [daemon.dial() for _ in range(free + 20)]
            ended = 0
            for client in clients[free:]:
                try:
                    ended += client.recv(100) == b""
                except ConnectionError:
                    ended += 1
            self.assertEqual(ended, 20)
            kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual(read_answer(kept)[0], 200)
            for client in clients:
                client.close()
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        wait_until(lambda: daemon.call("x").status == 200, "calls to go on")

    def test_connections_of_one_client_and_of_all(self):
        for flag, status in (("--max-connections-per-client", 429), ("--max-connections", 503)):
            daemon = self.start(flags=[flag, "3"])
            clients = [daemon.dial() for _ in range(4)]
            self.assertEqual(read_answer(clients[3])[0], status)
            clients[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual(read_answer(clients[0])[0], 200)
            for client in clients:
                client.close()
            wait_until(lambda: daemon.ask("GET", "/healthz").status == 200, "a place to be free")
            self.assertEqual(daemon.stop(), 0)

    def test_a_thousand_connections(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", max_queue=2000))
        clients = [daemon.dial() for _ in range(1000)]
        for client in clients:
            client.sendall(b"POST " + RUN.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab")
        for client in clients:
            self.assertEqual(read_answer(client)[0], 200)
        for client in clients:
            client.close()

    def test_what_there_is(self):
        daemon = self.start()
        daemon.deployed("first", service("entry", "other"), service("other"))
        daemon.deployed("second", service("entry"))
        for method, path, words in (("POST", "/chains/none/production/run_remote", ("first, second",)),
                                    ("GET", "/api/v1/chains/none", ("first, second",)),
                                    ("POST", "/chains/first/staging/run_remote", ("production",)),
                                    ("POST", "/chains/first/production/chainlets/none/run_remote", ("entry, other",)),
                                    ("GET", "/nothing", ("run_remote", "/api/v1/chains", "/healthz"))):
            answer = daemon.ask(method, path)
            self.assertEqual(answer.status, 404)
            for word in words:
                self.assertIn(word, answer.error()["message"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
