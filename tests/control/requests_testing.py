"""What tests of asynchronous requests share: who receives webhooks, and a daemon that is handed requests."""
import hashlib
import hmac
import http.server
import json
import os
import threading
import time

from chains_testing import wait_until
from daemon_testing import DaemonTest, service

ENDS = {"SUCCEEDED", "FAILED", "EXPIRED", "CANCELLED"}


class Receiver(http.server.ThreadingHTTPServer):
    """Receives webhooks; notes each by the id of its request."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Hook)
        self.told = {}  # id: [(headers, body)]
        self.lock = threading.Lock()
        self.refuse = lambda headers: 0  # an HTTP status instead of 204
        self.url = f"http://127.0.0.1:{self.server_port}/told"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self.thread.start()

    def count(self):
        with self.lock:
            return len(self.told)

    def close(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


class Hook(http.server.BaseHTTPRequestHandler):
    """One webhook."""

    def do_POST(self):  # pylint: disable=invalid-name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.refuse(self.headers)
        with self.server.lock:
            self.server.told.setdefault(self.headers["X-Request-Id"], []).append((self.headers, body))
        self.send_response(status or 204)
        self.end_headers()

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


class RequestsTest(DaemonTest):
    """A daemon with a chain `a` of one slot."""

    def begin(self, **options):
        daemon = self.start(**options)
        daemon.deployed("a", service("a", STAND_IN_SLOTS=1))  # what runs holds the others up
        return daemon

    def receiver(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        return receiver

    def hand_over(self, daemon, text, headers=None, chain="a", **options):
        """Hands a request over; gives its id."""
        answer = daemon.ask("POST", f"/chains/{chain}/production/async_run_remote",
                            json.dumps({"input": text, **options}), headers)
        self.assertEqual(answer.status, 202, answer.body)
        return answer.json()["request_id"]

    def look(self, daemon, number):
        answer = daemon.ask("GET", f"/requests/{number}")
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def ended(self, daemon, number):
        def look():
            request = self.look(daemon, number)
            return request["status"] in ENDS and request
        return wait_until(look, f"the end of request {number}")

    def running(self, daemon, number):
        wait_until(lambda: self.look(daemon, number)["status"] == "RUNNING", f"request {number} to run")
        wait_until(lambda: "waiting" in daemon.logs("a"), "the call to be there")

    def key(self, daemon):
        path = daemon.home_file("webhook.key")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(path, "rb") as file:
            return file.read()

    def verify(self, key, headers, body):
        stamp, signature = headers["X-Chains-Signature"].split(",")
        self.assertRegex(stamp, r"^t=\d+$")
        self.assertLess(abs(time.time() - int(stamp[2:])), 300)
        digest = hmac.new(key, stamp[2:].encode() + b"." + body, hashlib.sha256).hexdigest()
        self.assertEqual(signature, "v1=" + digest)
