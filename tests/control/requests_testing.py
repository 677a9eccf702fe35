"""What tests of asynchronous requests share: a daemon that is handed requests."""
import hashlib
import hmac
import json
import os
import time

from chains_testing import wait_until
from daemon_testing import DaemonTest, service
from webhook_receiver import Receiver

ENDS = {"SUCCEEDED", "FAILED", "EXPIRED", "CANCELLED"}


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
