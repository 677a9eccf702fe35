"""Chainlets that exceed their memory: their callers get RESOURCE_EXHAUSTED, however they called: the chain of
tests/e2e/appetite. Skipped where the machine doesn't let the daemon limit memory."""
import concurrent.futures
import json
import os
import unittest

from chains_testing import HomeTest, wait_until

CALLERS = 10  # at once: from eight on, calls share a connection


class Appetite(HomeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.home.copy("tests/e2e/appetite")
        cls.home.good("deploy", cls.folder, "--port", "0")
        for note in cls.chainlet("eater")["notes"]:
            if "enforced" in note:
                cls.home.close()
                raise unittest.SkipTest(note)

    def setUp(self):
        self.gate = self.home.file("gate")
        wait_until(lambda: self.chainlet("eater")["ready"] == 1 and self.chainlet("taster")["ready"] == 1,
                   "both to be ready")

    @classmethod
    def chainlet(cls, name):
        return next(c for c in cls.home.status()[0]["chainlets"] if c["name"] == name)

    def call(self, **arguments):
        return self.home.chains("call", "appetite", "--json", "--input", json.dumps(arguments))

    def assert_exhausted(self, done, who="eater"):
        self.assertEqual(done.returncode, 1, done.stdout)
        error = json.loads(done.stderr)["error"]
        self.assertEqual(error["status"], "RESOURCE_EXHAUSTED", error)
        self.assertIn(f"{who} exceeded its memory limit (.memory)", error["message"])
        return error

    def open_gate(self):
        os.unlink(self.gate)

    def close_gate(self):
        with open(self.gate, "w", encoding="utf-8"):
            pass
        self.addCleanup(lambda: os.path.exists(self.gate) and self.open_gate())

    def test_what_fits(self):
        self.assertEqual(self.call(mib=16).stdout, '"well"\n')

    def test_one_call(self):
        error = self.assert_exhausted(self.call(mib=512))
        self.assertIn("appetite.c", json.dumps(error["trace"]))
        wait_until(lambda: self.chainlet("eater")["ready"] == 1, "another process")
        self.assertIn("killed: exceeded its memory limit of 256 MiB", self.home.good("status"))

    def test_a_gather(self):
        self.assert_exhausted(self.call(mib=128, count=8))

    def test_callers_whose_calls_did_nothing(self):
        self.close_gate()
        with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
            calls = [pool.submit(self.call, mib=1, gate=self.gate) for _ in range(CALLERS)]
            wait_until(lambda: self.chainlet("eater")["in_flight"] == CALLERS, "all calls to run")
            self.assert_exhausted(self.call(mib=512))
            for call in calls:
                self.assert_exhausted(call.result(60))

    def test_a_call_from_the_queue(self):
        self.close_gate()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            first = pool.submit(self.call, mib=1, gate=self.gate, one=True)
            wait_until(lambda: self.chainlet("taster")["in_flight"] == 1, "the first call to run")
            second = pool.submit(self.call, mib=512, one=True)
            wait_until(lambda: self.chainlet("taster")["waiting"] == 1, "the second to wait")
            self.open_gate()
            self.assertEqual(first.result(60).stdout, '"well"\n')
            self.assert_exhausted(second.result(60), "taster")


if __name__ == "__main__":
    unittest.main(verbosity=2)
