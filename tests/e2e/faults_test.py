"""Replicas that stop, die and come back under calls that have neither retries nor timeouts: the chain of tests/e2e/faults."""
import concurrent.futures
import contextlib
import json
import os
import signal
import unittest
import urllib.error
import urllib.request

from chains_testing import Home, HomeTest, UnixConnection, is_alive, pause, wait_until


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


class Crashed(unittest.TestCase):
    """What a process ran when it died is known, whatever ended it, and whoever of the daemon was there."""

    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.close)
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

    def begin_past_the_front_door(self, request_id, count):
        """The same, which goes on when the front door doesn't."""
        status = self.home.status()[0]
        connection = UnixConnection(os.path.join(self.home.env["CHAINS_HOME"], "run", status["name"], "production",
                                                 str(status["version"]), "front.calls"))

        def call():
            connection.request("POST", "/run_remote", json.dumps({"count": count, "work_ms": 600000}),
                               {"Content-Type": "application/json", "X-Request-Id": request_id})
            with contextlib.closing(connection):
                return connection.getresponse().status
        return call

    def events(self, kind):
        shown = self.home.good("logs", self.home.status()[0]["name"], "back", "--events", "--json")
        return [event for event in json.loads(shown) if event["kind"] == kind]

    def end_three(self, call, request_id, kill_all):
        """Has a call run twice in each of three processes, ends them in its midst, and looks at what is known of them."""
        wait_until(lambda: self.back()["ready"] == 3, "three replicas of back")
        pids = [replica["pid"] for replica in self.back()["replicas"]]
        signals = (signal.SIGABRT, signal.SIGKILL, signal.SIGKILL)  # sanitizers take SIGSEGV
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(call)
            chain = self.home.status()[0]["name"]
            # Two slots each: all of them run two.
            wait_until(lambda: self.home.good("logs", chain, "back").count("works for long") == 6, "six calls to run")
            kill_all(pids, signals)
            self.assertEqual(answer.result(), 503)
        events = wait_until(lambda: len(self.events("crashed")) == 3 and self.events("crashed"), "three events")
        ran = f"; it ran the requests {request_id}, {request_id}"
        for event in events:
            self.assertIn(ran, event["message"])
            self.assertEqual((event["details"]["requests"], event["details"]["request_count"]), ([request_id] * 2, 2))
        self.assertEqual({(event["details"]["pid"], event["details"]["signal"]) for event in events},
                         set(zip(pids, (6, 9, 9))))
        self.assertEqual(self.home.good("logs", chain, "back").count(ran + "; starting it again"), 3)

        def ended():
            history = json.loads(self.home.good("status", chain, "back", "--json"))
            return [one for one in history if one["ended_at"]]
        wait_until(lambda: len(ended()) == 3, "their ends in the history")
        self.assertEqual({(one["pid"], one["ending"], one["signal"]) for one in ended()},
                         {(pid, "killed", int(number)) for pid, number in zip(pids, signals)})
        self.assertEqual(self.home.good("status", chain, "back").count(ran), 3)
        self.assertIn(ran, self.home.good("status", chain))
        wait_until(lambda: self.back()["ready"] == 3, "three replicas of back")

    def test_the_requests_of_a_process_that_died_are_named(self):
        def kill_all(pids, signals):
            for pid, number in zip(pids, signals):
                os.kill(pid, number)
        self.end_three(self.begin("id-of-this-call", 6), "id-of-this-call", kill_all)
        # What died without a request is said to have run none.
        os.kill(self.back()["replicas"][0]["pid"], signal.SIGKILL)
        events = wait_until(lambda: len(self.events("crashed")) == 4 and self.events("crashed"), "another event")
        self.assertEqual((events[0]["message"], events[0]["details"]["requests"]),
                         ("back in production: killed by signal 9 (Killed)", []))

    def test_and_if_no_brain_saw_it(self):
        """The keeper alone was there, and keeps for the next brain how they ended."""
        def kill_all(pids, signals):
            brain = self.home.brain_pid()
            pause(brain)
            for pid, number in zip(pids, signals):
                os.kill(pid, number)
            for pid in pids:
                wait_until(lambda pid=pid: not os.path.exists(f"/proc/{pid}"), "the keeper to take note")
            os.kill(brain, signal.SIGKILL)
        self.end_three(self.begin_past_the_front_door("id-without-brain", 6), "id-without-brain", kill_all)

    def test_and_if_nobody_saw_it(self):
        """There was no brain, and the keeper stood still."""
        def kill_all(pids, signals):
            keeper, brain = self.home.daemon_pid(), self.home.brain_pid()
            pause(keeper)
            os.kill(brain, signal.SIGKILL)
            for pid, number in zip(pids, signals):
                os.kill(pid, number)
            for pid in (brain, *pids):
                wait_until(lambda pid=pid: not is_alive(pid), "it to end")
            os.kill(keeper, signal.SIGCONT)
        self.end_three(self.begin_past_the_front_door("id-without-any", 6), "id-without-any", kill_all)


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
