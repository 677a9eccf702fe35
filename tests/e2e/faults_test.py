"""Replicas that stop, die and come back under calls that have neither retries nor timeouts: the chain of tests/e2e/faults."""
import concurrent.futures
import json
import os
import signal
import unittest
import urllib.error
import urllib.request

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


class Crashed(HomeTest):
    """What a process ran when it died is known, whatever ended it."""

    def setUp(self):
        self.home.good("deploy", self.home.copy("tests/e2e/faults"), "--port", "0")

    def back(self):
        return next(c for c in self.home.status()[0]["chainlets"] if c["name"] == "back")

    def begin(self, request_id, count):
        """A call that makes so many calls of back, none of which ends while the test runs."""
        url = self.home.status()[0]["url"]
        request = urllib.request.Request(
            url, json.dumps({"count": count, "work_ms": 600000}).encode(),
            {"Content-Type": "application/json", "X-Request-Id": request_id})

        def call():
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(request, timeout=120)
            caught.exception.close()
            return caught.exception.code
        return call

    def events(self, kind):
        shown = self.home.good("logs", self.home.status()[0]["name"], "back", "--events", "--json")
        return [event for event in json.loads(shown) if event["kind"] == kind]

    def test_the_requests_of_a_process_that_died_are_named(self):
        wait_until(lambda: self.back()["ready"] == 3, "three replicas of back")
        pids = [replica["pid"] for replica in self.back()["replicas"]]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(self.begin("id-of-this-call", 6))
            chain = self.home.status()[0]["name"]
            # Two slots each: all of them run two.
            wait_until(lambda: self.home.good("logs", chain, "back").count("works for long") == 6, "six calls to run")
            for pid, number in zip(pids, (signal.SIGABRT, signal.SIGKILL, signal.SIGKILL)):  # sanitizers take SIGSEGV
                os.kill(pid, number)
            self.assertEqual(answer.result(), 503)
        events = wait_until(lambda: len(self.events("crashed")) == 3 and self.events("crashed"), "three events")
        for event in events:
            self.assertIn("; it ran the requests id-of-this-call, id-of-this-call", event["message"])
            self.assertEqual((event["details"]["requests"], event["details"]["request_count"]), (["id-of-this-call"] * 2, 2))
        self.assertEqual({(event["details"]["pid"], event["details"]["signal"]) for event in events},
                         set(zip(pids, (6, 9, 9))))
        ran = "; it ran the requests id-of-this-call, id-of-this-call"
        self.assertEqual(self.home.good("logs", chain, "back").count(ran + "; starting it again"), 3)
        self.assertEqual(self.home.good("status", chain, "back").count(ran), 3)
        self.assertIn(ran, self.home.good("status", chain))
        # What died without a request is said to have run none.
        wait_until(lambda: self.back()["ready"] == 3, "three replicas of back")
        os.kill(self.back()["replicas"][0]["pid"], signal.SIGKILL)
        events = wait_until(lambda: len(self.events("crashed")) == 4 and self.events("crashed"), "another event")
        self.assertEqual((events[0]["message"], events[0]["details"]["requests"]),
                         ("back in production: killed by signal 9 (Killed)", []))


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
        chain = home.status()[0]["name"]
        shown = home.good("logs", chain, "back", "--events", "--json", "--tail", "1000")
        failed = [event for event in json.loads(shown) if event["kind"] == "failed"]
        self.assertEqual(len(failed), 3, failed)  # one a replica
        self.assertIn("died too often and is given up for now: killed by signal 9", failed[0]["message"])
        self.assertIn("starting it again", failed[0]["details"]["log"])
        self.assertIn("the last lines of its log:", home.good("status", chain))


if __name__ == "__main__":
    unittest.main()
