"""A client that leaves ends a tree of calls, three levels deep: the chain of tests/e2e/tree."""
import http.client
import json
import os
import struct
import time
import unittest
from urllib.parse import urlsplit

from chains_testing import HomeTest, wait_until

BRANCHES = 50 if os.environ.get("CHAINS_TEST_SANITIZE") else 500
LIMIT_S = 30  # no measure: how long this test is patient


class Tree(HomeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home.good("deploy", cls.home.copy("tests/e2e/tree"), "--port", "0")

    def count(self, what, size):
        """What was noted so far; the Chainlets of both tests note in the same files."""
        try:
            return os.path.getsize(self.home.file("notes." + what)) // size
        except FileNotFoundError:
            return 0

    def ended(self, who, before, count):
        """When the calls of a Chainlet were cancelled, once so many more than before have been, in nanoseconds."""
        wait_until(lambda: self.count(who + ".ended", 8) >= before + count, f"{count} calls of {who} to end", LIMIT_S)
        with open(self.home.file(f"notes.{who}.ended"), "rb") as file:
            return [moment for moment, in struct.iter_unpack("q", file.read())][before:]

    def call(self, branches, told):
        connection = http.client.HTTPConnection(urlsplit(self.home.address()).netloc, timeout=60)
        self.addCleanup(connection.close)
        connection.request("POST", "/chains/tree/production/run_remote", json.dumps(
            {"notes": self.home.file("notes"), "branches": branches, "told": told}))
        return connection

    def check(self, told):
        counts = {"tree": 1, "branch": BRANCHES, "leaf": BRANCHES}
        before = {who: self.count(who + ".ended", 8) for who in counts}
        begun = self.count("leaf.begun", 1) + BRANCHES
        connection = self.call(BRANCHES, told)
        wait_until(lambda: self.count("leaf.begun", 1) == begun, "all leaves to run", 60)
        left_ns = time.monotonic_ns()
        connection.close()
        for who, count in counts.items():
            moments = sorted(self.ended(who, before[who], count))
            self.assertEqual(len(moments), count)
            print(f"{who}: cancelled after {(moments[len(moments) // 2] - left_ns) / 1e6:.1f} ms (median), "
                  f"{(moments[-1] - left_ns) / 1e6:.1f} ms (the last)")
        self.assertEqual(self.count("leaf.begun", 1), begun)
        # All slots are free again.
        self.assertEqual(self.call(0, told).getresponse().status, 200)

    def test_none_survives_that_asks(self):
        self.check(told=False)

    def test_none_survives_that_is_told(self):
        self.check(told=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
