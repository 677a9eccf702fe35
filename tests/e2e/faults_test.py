"""Replicas that stop, die and come back under calls that have neither retries nor timeouts: the chain of tests/e2e/faults."""
import concurrent.futures
import json
import os
import signal
import unittest

from chains_testing import HomeTest, wait_until


class Faults(HomeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home.good("deploy", cls.home.copy("tests/e2e/faults"), "--port", "0")

    def setUp(self):
        wait_until(lambda: len(self.pids()) == 3, "three replicas of back")

    def pids(self):
        """The ready processes of back."""
        back = next(c for c in self.home.status()[0]["chainlets"] if c["name"] == "back")
        return {r["pid"] for r in back["replicas"] if r["state"] == "ready"}

    def call(self, count, work_ms=0):
        done = self.home.chains("call", "front", "--input", json.dumps({"count": count, "work_ms": work_ms}))
        self.assertEqual(done.returncode, 0, done.stderr)
        pids = json.loads(done.stdout)
        self.assertEqual(len(pids), count)
        return pids

    def test_all_replicas_take_part(self):
        # Twelve calls at once for six slots: nobody gets a third one while another has a slot free.
        wait_until(lambda: set(self.call(12, 50)) == self.pids(), "calls on every replica")

    def test_a_stopped_replica_holds_up_nothing_that_it_has_not_begun(self):
        self.call(24)  # connections to all of them
        stopped = sorted(self.pids())[0]
        os.kill(stopped, signal.SIGSTOP)
        try:
            for count in (1, 1, 1, 2, 24, 1, 100, 1):
                self.assertNotIn(stopped, self.call(count))
        finally:
            os.kill(stopped, signal.SIGCONT)
        wait_until(lambda: stopped in self.call(24, 5), "the one that goes on to take part again")

    def test_all_but_one_stopped(self):
        self.call(24)
        *stopped, running = sorted(self.pids())
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            for count in (1, 24, 1):
                self.assertEqual(set(self.call(count)), {running})
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    def test_calls_wait_while_all_replicas_are_dead(self):
        before = self.pids()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for pids in pool.map(self.call, (1, 30, 1, 30)):
                self.assertTrue(before.isdisjoint(pids))

    def test_a_replica_that_comes_back_takes_waiting_calls(self):
        before = self.pids()
        *killed, kept = sorted(before)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        # Far more than one replica can do in the time that the others need to start.
        pids = set(self.call(400, 10))
        self.assertTrue(pids - before, "no new replica took a call")
        self.assertTrue(set(killed).isdisjoint(pids))


class Failed(HomeTest):
    """A Chainlet whose processes die again and again is answered for by the daemon, to its callers in the chain as well."""

    def test_callers_of_a_failed_chainlet_are_told(self):
        home = self.home
        home.good("deploy", home.copy("tests/e2e/faults"), "--port", "0")

        def has_failed():
            back = next(c for c in home.status()[0]["chainlets"] if c["name"] == "back")
            for replica in back["replicas"]:
                if replica["pid"]:
                    try:
                        os.kill(replica["pid"], signal.SIGKILL)
                    except ProcessLookupError:
                        pass
            return all(r["state"] == "failed" for r in back["replicas"])

        wait_until(has_failed, "back to be given up for now", 100)
        for count in (1, 20):
            done = home.chains("call", "front", "--json", "--input", json.dumps({"count": count, "work_ms": 0}))
            self.assertEqual(done.returncode, 1, done.stdout)
            error = json.loads(done.stderr)["error"]
            self.assertEqual(error["status"], "UNAVAILABLE")
            self.assertIn("killed by signal 9", error["message"])


if __name__ == "__main__":
    unittest.main()
