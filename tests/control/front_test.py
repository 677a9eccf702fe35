"""The front door: calls, what is refused, limits, and clients that behave badly."""
import http.client
import json
import os
import re
import signal
import socket
import threading
import unittest

from chains_testing import wait_until
from daemon_testing import DaemonTest, pause, service

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Calls(DaemonTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start()

    def headers_there(self, headers=None):
        found = self.daemon.call("x", "report", headers)
        self.assertEqual(found.status, 200, found.body)
        return {name.lower(): value for name, value in found.json()["headers"].items()}, found

    def test_identity_goes_along(self):
        self.daemon.deployed("x", service("entry"))
        there, answer = self.headers_there({
            "X-Request-Id": "mine-1", "traceparent": TRACE, "X-Chains-Timeout-Ms": "5000", "X-Other": "kept",
            "Connection": "keep-alive, X-Hop", "X-Hop": "dropped", "TE": "trailers"})
        self.assertEqual(there["x-request-id"], "mine-1")
        self.assertEqual(answer.headers["X-Request-Id"], "mine-1")
        # The front door's own span takes the place of the client's, in the same trace.
        self.assertEqual(there["traceparent"][:36], TRACE[:36])
        self.assertNotEqual(there["traceparent"][36:52], TRACE[36:52])
        self.assertEqual(there["traceparent"][52:], "-01")
        self.assertTrue(0 < int(there["x-chains-timeout-ms"]) <= 5000)
        self.assertEqual(there["x-other"], "kept")
        for name in ("x-hop", "te"):
            self.assertNotIn(name, there)

    def test_identity_is_made(self):
        self.daemon.deployed("x", service("entry"))
        there, answer = self.headers_there({"traceparent": "00-nonsense", "X-Request-Id": "a b"})
        self.assertRegex(there["x-request-id"], r"^[0-9a-f]{32}$")
        self.assertEqual(answer.headers["X-Request-Id"], there["x-request-id"])
        self.assertRegex(there["traceparent"], r"^00-[0-9a-f]{32}-[0-9a-f]{16}-01$")
        again, _ = self.headers_there()
        self.assertNotEqual(again["x-request-id"], there["x-request-id"])

    def test_one_chainlet_and_the_documents(self):
        self.daemon.deployed("x", service("entry", "other", STAND_IN_MARK="e"), service("other", STAND_IN_MARK="o"))
        self.assertEqual(self.daemon.call("x").json()["mark"], "e")
        self.assertEqual(self.daemon.call("x", chainlet="other").json()["mark"], "o")
        for path in ("/chains/x/production/openapi.json", "/chains/x/production/chainlets/other/openapi.json",
                     "/chains/%78/production/openapi.json"):
            self.assertEqual(self.daemon.ask("GET", path).json(), {"openapi": "3.1.0"})

    def test_large_bodies_both_ways(self):
        self.daemon.deployed("x", service("entry"))
        size = 20 * 1024 * 1024
        self.assertEqual(self.daemon.call("x", b"y" * size).json()["size"], size)
        answer = self.daemon.call("x", f"big {size}")
        self.assertEqual(len(answer.body), size)
        connection = http.client.HTTPConnection(self.daemon.address, timeout=60)
        connection.request("POST", "/chains/x/production/run_remote",
                           iter([b"a" * 1000] * 50), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        self.assertEqual(json.loads(connection.getresponse().read())["size"], 50000)
        connection.close()

    def test_bodies_have_a_limit(self):
        self.daemon.deployed("x", service("entry", max_body=1000))
        self.assertEqual(self.daemon.call("x", b"y" * 1000).status, 200)
        for body in (b"y" * 1001, b"y" * 3000000):
            answer = self.daemon.call("x", body)
            self.assertEqual((answer.status, answer.error()["status"]), (413, "RESOURCE_EXHAUSTED"))
        connection = http.client.HTTPConnection(self.daemon.address, timeout=60)
        connection.request("POST", "/chains/x/production/run_remote", iter([b"a" * 1001]),
                           {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        self.assertEqual(connection.getresponse().status, 413)
        connection.close()

    def test_sixty_four_calls_at_once(self):
        self.daemon.deployed("x", service("entry", STAND_IN_SLOTS=4))
        answers, start = [], threading.Barrier(64)

        def work():
            start.wait()
            answers.append(self.daemon.call("x", "sleep 10").body)
        threads = [threading.Thread(target=work) for _ in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        self.assertEqual(answers, [b'"slept"'] * 64)

    def test_a_client_that_leaves_ends_the_call(self):
        self.daemon.deployed("x", service("entry"))
        host, port = self.daemon.address.split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b"POST /chains/x/production/run_remote HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nwait")
            wait_until(lambda: "waiting" in self.daemon.logs("x"), "the call to run")
        wait_until(lambda: "the caller has left" in self.daemon.logs("x"), "the service to notice")

    def test_time_runs_out(self):
        self.daemon.deployed("x", service("entry"))
        pid = self.daemon.pids("x")[0]
        pause(pid)
        try:
            answer = self.daemon.call("x", "", {"X-Chains-Timeout-Ms": "50"})
        finally:
            os.kill(pid, signal.SIGCONT)
        self.assertEqual((answer.status, answer.error()["status"]), (504, "DEADLINE_EXCEEDED"))
        self.assertIn("did not begin the call within 50 ms", answer.error()["message"])
        answer = self.daemon.call("x", "wait", {"X-Chains-Timeout-Ms": "50"})
        self.assertEqual((answer.status, answer.error()["status"]), (504, "DEADLINE_EXCEEDED"))
        self.assertIn("did not answer within 50 ms", answer.error()["message"])
        self.assertEqual(self.daemon.call("x", "", {"X-Chains-Timeout-Ms": "soon"}).status, 400)

    def test_a_connection_is_kept(self):
        self.daemon.deployed("x", service("entry"))
        connection = http.client.HTTPConnection(self.daemon.address, timeout=60)
        connection.connect()
        first = connection.sock
        for _ in range(100):
            connection.request("POST", "/chains/x/production/run_remote", "")
            self.assertEqual(connection.getresponse().read(), b'{"mark":"","size":0}')
            self.assertIs(connection.sock, first)
        connection.close()

    def test_pipelined_requests_are_answered_in_order(self):
        self.daemon.deployed("x", service("entry"))
        one = b"POST /chains/x/production/run_remote HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
        text = b"".join(one % (n, b"z" * n) for n in range(20))
        answer = self.raw(text + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self.assertEqual([int(size) for size in re.findall(rb'"size":(\d+)', answer)], list(range(20)))
        self.assertIn(b'"status":"ok"', answer)

    def raw(self, data, step=None):
        """Sends bytes as they are, and reads until the daemon closes."""
        host, port = self.daemon.address.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(data), step or len(data)):
                client.sendall(data[at:at + (step or len(data))])
            answer = b""
            while part := client.recv(65536):
                answer += part
            return answer

    def test_a_request_in_pieces(self):
        self.daemon.deployed("x", service("entry"))
        text = (b"POST /chains/x/production/run_remote HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n")
        for step in (1, 3, 7):
            self.assertIn(b'"size":8', self.raw(text, step))

    def test_garbage(self):
        for text, status in ((b"nonsense\r\n\r\n", 400),
                             (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
                             (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
                             (b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
                             (b"GET /healthz HTTP/1.1\nHost: x\n\n", 400),
                             (b"GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
                             (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
                             (b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
                             (b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
                             (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
                             (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 70 + b"\r\n", 431),
                             (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nA: " + b"b" * 70000 + b"\r\n\r\n", 431)):
            answer = self.raw(text)
            head, _, body = answer.partition(b"\r\n\r\n")
            self.assertTrue(head.startswith(b"HTTP/1.1 %d " % status), (text[:60], answer[:100]))
            self.assertIn(b"Connection: close", head)
            self.assertIn("message", json.loads(body)["error"])
        self.assertEqual(self.daemon.ask("GET", "/healthz").status, 200)

    def test_a_client_that_says_nothing_blocks_nobody(self):
        host, port = self.daemon.address.split(":")
        idle = [socket.create_connection((host, int(port))) for _ in range(50)]
        half = socket.create_connection((host, int(port)))
        half.sendall(b"POST /chains/x/production/run_remote HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc")
        self.assertEqual(self.daemon.ask("GET", "/healthz").status, 200)
        for client in (*idle, half):
            client.close()

    def test_expecting_to_be_told_to_go_on(self):
        self.daemon.deployed("x", service("entry"))
        host, port = self.daemon.address.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as client:
            client.sendall(b"POST /chains/x/production/run_remote HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                           b"Content-Length: 3\r\n\r\n")
            self.assertEqual(client.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
            client.sendall(b"abc")
            answer = client.recv(65536)
            while b'"size":3' not in answer:
                answer += client.recv(65536)


class Refusals(DaemonTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start()

    def refused(self, method, path, status, name, body=None, headers=None):
        answer = self.daemon.ask(method, path, body, headers)
        self.assertEqual((answer.status, answer.error()["status"]), (status, name), path)
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        self.assertEqual(answer.error()["request_id"], answer.headers["X-Request-Id"])
        return answer

    def test_unknown_paths_say_what_there_is(self):
        answer = self.refused("POST", "/chains/x/production/run_remote", 404, "NOT_FOUND")
        self.assertIn("nothing is deployed", answer.error()["message"])
        self.daemon.deployed("first", service("entry", "other"), service("other"))
        self.daemon.deployed("second", service("entry"))
        answer = self.refused("POST", "/chains/x/production/run_remote", 404, "NOT_FOUND")
        self.assertIn("first, second", answer.error()["message"])
        answer = self.refused("POST", "/chains/first/production/chainlets/x/run_remote", 404, "NOT_FOUND")
        self.assertIn("entry, other", answer.error()["message"])
        answer = self.refused("POST", "/chains/first/staging/run_remote", 404, "NOT_FOUND")
        self.assertIn("production", answer.error()["message"])
        for path in ("/x", "/chains", "/chains/first", "/chains/first/production",
                     "/chains/first/production/other", "/chains/%zz/production/run_remote", "//", "/api",
                     "/chains/first/production/run_remote/", "/a/b/c/d/e/f/g/h/i/j",
                     "/chains/%00/production/run_remote", "/../etc/passwd"):
            self.refused("GET", path, 404, "NOT_FOUND")
        for path in ("/api/v1", "/api/v1/x", "/api/v1/chains/x", "/api/v1/chains/first/x",
                     "/api/v1/chains/x/logs", "/api/v1/chains/first/chainlets/x/logs"):
            self.refused("GET", path, 404, "NOT_FOUND")

    def test_other_methods_say_which_there_are(self):
        self.daemon.deployed("x", service("entry"))
        for method, path, allowed in (("GET", "/chains/x/production/run_remote", "POST"),
                                      ("DELETE", "/chains/x/production/run_remote", "POST"),
                                      ("POST", "/chains/x/production/openapi.json", "GET"),
                                      ("POST", "/healthz", "GET, HEAD"),
                                      ("PUT", "/api/v1/chains", "GET, HEAD, POST"),
                                      ("POST", "/api/v1/chains/x", "GET, HEAD, DELETE"),
                                      ("DELETE", "/api/v1/chains/x/logs", "GET")):
            answer = self.refused(method, path, 405, "UNIMPLEMENTED")
            self.assertEqual(answer.headers["Allow"], allowed)

    def test_deploying_needs_the_token_and_json(self):
        body = json.dumps({"chain": "x", "entrypoint": "entry", "services": [service("entry")]})
        kind = {"Content-Type": "application/json"}
        for headers in ({}, kind, {**kind, "Authorization": "Bearer " + "0" * 32}, {**kind, "Authorization": "x"}):
            self.refused("POST", "/api/v1/chains", 401, "UNAUTHENTICATED", body, headers)
        self.refused("DELETE", "/api/v1/chains/x", 401, "UNAUTHENTICATED")
        with open(self.daemon.home_file("token"), encoding="utf-8") as token:
            proof = {"Authorization": "Bearer " + token.read()}
        self.refused("POST", "/api/v1/chains", 415, "INVALID_ARGUMENT", body, {**proof, "Content-Type": "text/plain"})
        self.refused("POST", "/api/v1/chains", 415, "INVALID_ARGUMENT", body, proof)
        self.refused("POST", "/api/v1/chains", 413, "RESOURCE_EXHAUSTED", b" " * 5000000, {**proof, **kind})
        for bad, said in (("", "expected"), ("{", "expected"), ("[]", "object"), ('{"chain": "x"}', "entrypoint"),
                          ('{"chain": "../x", "entrypoint": "e", "services": []}', "no name"),
                          ('{"chain": "x", "entrypoint": "e", "services": []}', "services")):
            answer = self.refused("POST", "/api/v1/chains", 400, "INVALID_ARGUMENT", bad, {**proof, **kind})
            self.assertIn(said, answer.error()["message"])
        self.assertEqual(self.daemon.ask("GET", "/api/v1/chains").json(), [])

    def test_head(self):
        answer = self.daemon.ask("HEAD", "/healthz")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertGreater(int(answer.headers["Content-Length"]), 10)


if __name__ == "__main__":
    unittest.main(verbosity=2)
