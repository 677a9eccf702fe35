"""How many replicas there are: calls bring them, idleness takes them away, and none of that loses a call."""
import json
import os
import random
import signal
import socket
import threading
import time
import unittest

from chains_testing import children, command_of, is_alive, wait_until
from daemon_testing import DaemonTest, call_socket, scaling, service

# Windows and delays so short that a test needn't wait: the policy itself is tested with a clock of its own.
QUICK = {"window_s": 0.2, "scale_down_delay_s": 0, "scale_to_zero_delay_s": 0}


def switches(pid):
    """How often a process has waited for something so far: each is a wake-up to come."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="utf-8") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))
    return total


CALLERS, CYCLES = 64, 200


def call_started(path, text):
    """Calls as Chainlets do: what certainly wasn't started (it was closed unread) is sent again."""
    while True:
        try:
            return call_socket(path, text)
        except (ConnectionResetError, BrokenPipeError):
            pass


class ScalingTest(DaemonTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start()
        self.threads = []
        self.stone = self.home.file("stone")
        self.addCleanup(self.release)

    def chainlet(self, name="entry", chain="x"):
        return next(c for c in self.daemon.chain(chain)["chainlets"] if c["name"] == name)

    def ready(self, count, name="entry", chain="x"):
        """Waits until there are just so many, all ready."""
        def look():
            found = self.chainlet(name, chain)
            return found if found["ready"] == found["wanted"] == len(found["replicas"]) == count else None
        return wait_until(look, f"{count} of {name} to be ready")

    def at_zero(self, name="entry", chain="x"):
        def look():
            found = self.chainlet(name, chain)
            return found if found["state"] == "at_zero" and not found["replicas"] else None
        return wait_until(look, f"{name} to be at zero")

    def put_stone(self):
        with open(self.stone, "w", encoding="utf-8"):
            pass

    def release(self):
        """Has the calls that stay answered, and joins all threads."""
        if os.path.exists(self.stone):
            os.unlink(self.stone)
        for thread in self.threads:
            thread.join(200)
            self.assertFalse(thread.is_alive())
        self.threads = []

    def call_many(self, count, text="", path=None):
        """That many calls at once, to the front door or to a socket; gives the list that their answers come into."""
        answers = []

        def work():
            answer = call_started(path, text) if path else self.daemon.call("x", text)
            answers.append((answer.status, answer.body))
        started = [threading.Thread(target=work) for _ in range(count)]
        for thread in started:
            thread.start()
        self.threads += started
        return answers

    def assert_all(self, answers, count, body=None):
        self.release()
        self.assertEqual([answer for answer in answers if answer[0] != 200 or body not in (None, answer[1])], [])
        self.assertEqual(len(answers), count)


class UpAndDown(ScalingTest):
    def test_calls_bring_replicas_and_their_end_takes_them_away(self):
        self.put_stone()
        self.daemon.deployed("x", service("entry", STAND_IN_SLOTS=1, STAND_IN_WAIT_WHILE=self.stone,
                                          scaling=scaling(min_replicas=1, max_replicas=6, target_utilization=1, **QUICK)))
        self.ready(1)
        answers = self.call_many(12, "stay")
        self.ready(6)
        wait_until(lambda: (c := self.chainlet())["in_flight"] == c["waiting"] == 6, "six to run, and six to wait")
        self.assertRegex(self.daemon.said(), r"x/entry: a burst: .*: \d replicas, up from 1\b")
        self.assert_all(answers, 12, b'"stayed"')
        self.ready(1)
        self.assertRegex(self.daemon.said(), r"x/entry: no more than .*: 1 replica, down from \d\b")

    def test_never_more_than_may_be(self):
        self.put_stone()
        self.daemon.deployed("x", service("entry", STAND_IN_SLOTS=1, STAND_IN_WAIT_WHILE=self.stone,
                                          scaling=scaling(min_replicas=2, max_replicas=3, **QUICK)))
        self.ready(2)
        answers = self.call_many(20, "stay")
        self.ready(3)
        wait_until(lambda: self.chainlet()["waiting"] == 17, "the others to wait")
        self.assert_all(answers, 20, b'"stayed"')
        self.ready(2)

    def test_one_without_calls_goes_first(self):
        self.put_stone()
        self.daemon.deployed("x", service("entry", STAND_IN_SLOTS=2, STAND_IN_WAIT_WHILE=self.stone,
                                          scaling=scaling(min_replicas=4, max_replicas=4)))
        replicas = self.ready(4)["replicas"]
        answers = self.call_many(1, "stay")
        wait_until(lambda: self.chainlet()["in_flight"] == 1, "a call to run")
        self.scale(min_replicas=1, max_replicas=1)
        left = self.ready(1)["replicas"][0]["pid"]
        self.assertFalse(answers)
        self.assert_all(answers, 1, b'"stayed"')
        again = json.loads(self.daemon.call("x", "report").body)["pid"]
        self.assertEqual(again, left)
        self.assert_ended([r["pid"] for r in replicas if r["pid"] != left])

    def test_what_runs_is_answered_by_those_that_go(self):
        self.put_stone()
        self.daemon.deployed("x", service("entry", STAND_IN_SLOTS=1, STAND_IN_WAIT_WHILE=self.stone,
                                          scaling=scaling(min_replicas=4, max_replicas=4)))
        self.ready(4)
        answers = self.call_many(4, "stay")
        wait_until(lambda: self.chainlet()["in_flight"] == 4, "four calls to run")
        self.scale(min_replicas=1, max_replicas=1)
        draining = wait_until(lambda: (r := self.chainlet()["replicas"]) and
                              [x["state"] for x in r].count("draining") == 3 and r, "three to drain")
        self.assertEqual(len(draining), 4)
        # There may be others beside those that go.
        self.scale(min_replicas=2, max_replicas=2)
        wait_until(lambda: self.chainlet()["ready"] == 2, "another one")
        self.assertEqual(self.daemon.call("x").status, 200)
        self.assertFalse(answers)
        self.assert_all(answers, 4, b'"stayed"')
        self.ready(2)

    def test_what_dies_is_replaced_by_as_many(self):
        self.daemon.deployed("x", service("entry", scaling=scaling(min_replicas=3, max_replicas=5)))
        pids = [r["pid"] for r in self.ready(3)["replicas"]]
        for pid in pids[:2]:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: sum(r["restarts"] for r in self.chainlet()["replicas"]) == 2, "two restarts")
        self.assertIn(pids[2], [r["pid"] for r in self.ready(3)["replicas"]])

    def test_fifty_come_and_go(self):
        self.daemon.deployed("x", service("entry", STAND_IN_SLOTS=1, scaling=scaling(min_replicas=1, max_replicas=50)))
        self.scale(min_replicas=50, max_replicas=50)
        pids = [r["pid"] for r in self.ready(50)["replicas"]]
        self.assertEqual(len(set(pids)), 50)
        self.assert_all(self.call_many(100), 100)
        self.scale(min_replicas=0, max_replicas=50, scale_to_zero_delay_s=0)
        self.at_zero()
        self.assert_ended(pids)
        sockets = os.listdir(os.path.dirname(self.daemon.socket("x", "entry")))
        self.assertEqual([name for name in sockets if "probes" in name], [])

    def scale(self, **options):
        answer = self.daemon.change("PUT", "/api/v1/chains/x/chainlets/entry/scaling", options)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()


class Overrides(ScalingTest):
    """What `chains scale` says holds for an environment until it is reset."""

    def ask(self, method, environment="production", chainlet="entry", **options):
        return self.daemon.change(method, f"/api/v1/chains/x/environments/{environment}/chainlets/{chainlet}/scaling",
                                  options or None)

    def scaled(self, *words, **more):
        answer = self.ask(*words, **more)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def bounds(self, environment="production"):
        scaling = self.daemon.chain("x", environment)["chainlets"][0]["scaling"]
        return scaling["min_replicas"], scaling["max_replicas"]

    def test_it_outlives_brains_daemons_and_versions(self):
        self.daemon.deployed("x", service("entry", scaling=scaling(max_replicas=4)))
        said = self.scaled("PUT", min_replicas=2)
        self.assertEqual((said["min_replicas"], said["max_replicas"], said["override"]["min_replicas"]), (2, 4, 2))
        self.assertIsNone(said["override"]["max_replicas"])
        self.ready(2)
        self.daemon.kill_brain()
        wait_until(lambda: self.scaled("GET") == said, "the same to be said")
        self.ready(2)
        self.daemon.stop()
        self.daemon = self.start()
        self.assertEqual(self.scaled("GET"), said)
        self.ready(2)
        self.daemon.deployed("x", service("entry", scaling=scaling(max_replicas=9)))
        self.assertEqual(self.bounds(), (2, 9))  # of the new one what wasn't said
        self.assertEqual(self.chainlet()["override"], said["override"])
        self.ready(2)
        # A version that wants fewer at most than was asked for at least has to bear them.
        self.daemon.deployed("x", service("entry", scaling=scaling(max_replicas=1)))
        self.assertEqual(self.bounds(), (2, 2))
        self.ready(2)
        self.assertIsNone(self.scaled("DELETE")["override"])
        self.assertEqual(self.bounds(), (0, 1))
        self.daemon.kill_brain()
        wait_until(lambda: self.bounds() == (0, 1), "the version's own")
        kinds = [kind for kind, _ in self.daemon.events("x") if kind.startswith("scale_")]
        self.assertEqual(kinds, ["scale_set", "scale_reset"])

    def test_each_environment_has_its_own(self):
        for environment in ("production", "staging"):
            self.daemon.deployed("x", service("entry", scaling=scaling(max_replicas=4)), environment=environment)
        self.scaled("PUT", environment="staging", max_replicas=2)
        self.assertEqual((self.bounds(), self.bounds("staging")), ((0, 4), (0, 2)))
        # With its environment it goes.
        self.assertEqual(self.daemon.change("DELETE", "/api/v1/chains/x/environments/staging").status, 200)
        self.daemon.deployed("x", service("entry", scaling=scaling(max_replicas=4)), environment="staging")
        self.assertEqual(self.bounds("staging"), (0, 4))

    def test_a_version_that_is_tried_is_scaled_so_too(self):
        self.daemon.deployed("x", service("entry", scaling=scaling(max_replicas=4)))
        canary = {"percent": 50, "minutes": 60}
        self.daemon.deployed("x", service("entry", scaling=scaling(max_replicas=5)), canary=canary)
        self.scaled("PUT", min_replicas=3)
        tried = self.daemon.chain("x")["deployment"]["chainlets"][0]["scaling"]
        self.assertEqual((tried["min_replicas"], tried["max_replicas"], self.bounds()), (3, 5, (3, 4)))

    def test_bad_ones(self):
        self.daemon.deployed("x", service("entry"))
        for options, words in (({"max_replicas": 0}, "max_replicas"), ({"min_replicas": 2}, "min_replicas"),
                               ({"window_s": -1}, "window_s"), ({"max_replicas": "x"}, "max_replicas"),
                               ({"target_utilization": 2}, "target_utilization")):
            answer = self.ask("PUT", **options)
            self.assertEqual((answer.status, answer.error()["status"]), (400, "INVALID_ARGUMENT"), options)
            self.assertIn(words, answer.error()["message"])
        self.assertEqual(self.ask("PUT", environment="none", max_replicas=2).status, 404)
        self.assertEqual(self.ask("PUT", chainlet="none", max_replicas=2).status, 404)
        self.assertEqual(self.ask("POST", max_replicas=2).status, 405)
        self.assertEqual(self.daemon.ask("PUT", "/api/v1/chains/x/chainlets/entry/scaling", "{}").status, 401)
        self.assertIsNone(self.chainlet()["override"])
        self.assertIsNone(self.scaled("DELETE")["override"])  # nothing to be reset


class Zero(ScalingTest):
    def test_the_last_one_goes_and_a_call_brings_it_back(self):
        self.daemon.deployed("x", service("entry", scaling=scaling(**QUICK)))
        self.at_zero()
        self.assertEqual(self.daemon.chain("x")["state"], "ready")
        self.assertIn("x/entry: no call for 0 s: 0 replicas, down from 1", self.daemon.said())
        self.assertEqual(self.daemon.call("x").status, 200)
        self.assertRegex(self.daemon.said(), "x/entry: 1 call and no replica, .*: 1 replica, up from 0")
        self.at_zero()
        described = self.daemon.ask("GET", "/chains/x/production/openapi.json")
        self.assertEqual((described.status, described.json()), (200, {"openapi": "3.1.0"}))

    def test_what_it_is_like_is_known_without_waking_it(self):
        self.daemon.deployed("x", service("entry", scaling=scaling(scale_to_zero_delay_s=0.5, window_s=0.5)))
        document = self.daemon.home_file("chains", "x", "1", "openapi.entry")
        wait_until(lambda: os.path.exists(document), "its document to be kept")
        self.at_zero()
        for path in ("/chains/x/production/openapi.json", "/chains/x/production/chainlets/entry/openapi.json",
                     "/chains/x/versions/1/openapi.json"):
            described = self.daemon.ask("GET", path)
            self.assertEqual((described.status, described.json()), (200, {"openapi": "3.1.0"}))
        self.assertEqual(self.chainlet()["state"], "at_zero")
        self.assertEqual(self.daemon.chain("x")["chainlets"][0]["wanted"], 0)
        self.assertNotIn("up from 0", self.daemon.said())

    def test_no_call_is_lost_at_the_edge(self):
        # Calls of 64 callers come just when the last replica goes: before, while it drains, and after.
        self.daemon.deployed("x", service("entry", STAND_IN_SLOTS=4, max_queue=200, scaling=scaling(**QUICK)))
        path, barrier, wrong = self.daemon.socket("x", "entry"), threading.Barrier(CALLERS), []
        chance = random.Random(7)
        pauses = [chance.uniform(0, 0.06) for _ in range(CYCLES)]

        def work(number):
            own = random.Random(number)
            for pause in pauses:
                barrier.wait(60)
                time.sleep(pause + own.uniform(0, 0.01))  # it is chance that brings calls to the edge
                answer = call_started(path, "x") if number % 2 else self.daemon.call("x", "x")
                if answer.status != 200:
                    wrong.append((answer.status, answer.body))
        self.threads = [threading.Thread(target=work, args=(number,)) for number in range(CALLERS)]
        for thread in self.threads:
            thread.start()
        self.release()
        self.assertEqual(wrong, [])
        self.at_zero()
        self.assertGreater(self.daemon.said().count("0 replicas, down from"), CYCLES // 10)

    def test_all_that_the_entrypoint_calls_is_woken_with_it(self):
        self.put_stone()
        names = ["a", "b", "c", "d", "e"]
        services = [service(name, *names[i + 1:i + 2], STAND_IN_START_WHILE=self.stone, scaling=scaling(**QUICK))
                    for i, name in enumerate(names)]
        os.unlink(self.stone)
        self.daemon.deployed("x", *services, service("apart", scaling=scaling(**QUICK)))
        for name in names + ["apart"]:
            self.at_zero(name)
        self.put_stone()
        answers = self.call_many(1, "call CHAINS_B_URL")
        # None of them can have been called: the first isn't ready.
        for name in names:
            wait_until(lambda name=name: self.chainlet(name)["state"] == "starting", f"{name} to start")
        self.assertEqual(self.chainlet("apart")["state"], "at_zero")
        self.assertEqual(self.daemon.chain("x")["state"], "ready")
        self.assertIn("x/e: a Chainlet that calls it is woken: 1 replica, up from 0", self.daemon.said())
        self.assert_all(answers, 1)
        for name in names:
            self.at_zero(name)

    def test_one_that_does_not_start_when_it_is_woken(self):
        self.daemon.deployed("x", service("entry", STAND_IN_FAIL_IF=self.stone, scaling=scaling(**QUICK)))
        self.at_zero()
        self.put_stone()
        answer = self.daemon.call("x")  # waits until it has failed
        self.assertEqual((answer.status, answer.error()["status"]), (503, "UNAVAILABLE"))
        self.assertIn("exit status 3", answer.error()["message"])
        self.assertEqual(self.daemon.call("x").status, 503)
        self.assertEqual(self.chainlet()["state"], "failed")

    def test_one_that_dies_while_it_is_woken_is_started_again(self):
        self.daemon.deployed("x", service("entry", STAND_IN_FAIL_IF=self.stone, scaling=scaling(**QUICK)))
        self.at_zero()
        self.put_stone()
        answers = self.call_many(1)
        wait_until(lambda: "not while there is" in self.daemon.logs("x"), "it to die")
        self.assert_all(answers, 1)

    def test_an_old_version_at_zero_is_woken_by_its_last_calls(self):
        self.put_stone()
        entry = service("entry", "other", STAND_IN_WAIT_WHILE=self.stone)
        self.daemon.deployed("x", entry, service("other", STAND_IN_MARK="old", scaling=scaling(**QUICK)))
        self.at_zero("other")
        answers = self.call_many(1, "call CHAINS_OTHER_URL after")
        wait_until(lambda: "held up" in self.daemon.logs("x"), "the call to run")
        self.daemon.deployed("x", entry, service("other", STAND_IN_MARK="new"))
        self.assert_all(answers, 1)
        self.assertEqual(json.loads(answers[0][1])["environment"]["STAND_IN_MARK"], "old")

    def test_deleted_and_ended_at_zero(self):
        for chain in ("x", "y"):
            self.daemon.deployed(chain, service("entry", scaling=scaling(**QUICK)))
            self.at_zero(chain=chain)
        self.assertEqual(self.daemon.change("DELETE", "/api/v1/chains/y").status, 200)
        self.assertEqual(self.daemon.stop(), 0)
        self.daemon = self.start()
        self.assertEqual(self.daemon.call("x").status, 200)


class Brains(ScalingTest):
    """The brain is killed in the midst of it."""

    def test_a_call_waits_at_zero(self):
        self.daemon.deployed("x", service("entry", "other", scaling=scaling(**QUICK)),
                             service("other", scaling=scaling(**QUICK)))
        self.at_zero("entry")
        self.at_zero("other")
        path = self.daemon.socket("x", "entry")
        for _ in range(5):
            self.daemon.begin_outage()
            with socket.socket(socket.AF_UNIX) as waiting:
                waiting.connect(path)
                waiting.sendall(b"POST /run_remote HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
                self.daemon.end_outage()
                waiting.settimeout(60)
                self.assertTrue(waiting.recv(100).startswith(b"HTTP/1.1 200"))
            self.at_zero("entry")
            self.at_zero("other")
        self.assertEqual(self.daemon.call("x", "call CHAINS_OTHER_URL").status, 200)

    def test_nothing_begins_that_is_at_zero(self):
        self.daemon.deployed("x", service("entry", scaling=scaling(**QUICK)))
        self.at_zero()
        woken = self.daemon.said().count("up from 0")
        self.daemon.kill_brain()
        self.assertEqual(self.at_zero()["wanted"], 0)
        self.assertEqual(self.daemon.said().count("up from 0"), woken)

    def test_replicas_come_and_go_meanwhile(self):
        self.put_stone()
        self.daemon.deployed("x", service("entry", STAND_IN_SLOTS=1, STAND_IN_WAIT_WHILE=self.stone, max_queue=200,
                                          scaling=scaling(max_replicas=8, target_utilization=1, **QUICK)))
        path = self.daemon.socket("x", "entry")
        for _ in range(5):
            self.put_stone()
            answers = self.call_many(8, "stay", path)
            wait_until(lambda: self.chainlet()["wanted"] > 1, "more to be wanted")
            self.daemon.kill_brain()
            os.unlink(self.stone)
            wait_until(lambda: len(answers) == 8, "all answers")
            wait_until(lambda: self.chainlet()["wanted"] < 8, "fewer to be wanted")
            self.daemon.kill_brain()
            self.assert_all(answers, 8, b'"stayed"')
            self.at_zero()
        brain = self.daemon.brain()
        self.assertEqual([pid for pid in children(self.daemon.keeper()) if pid != brain and
                          b"entry" in command_of(pid) and is_alive(pid)], [])


@unittest.skipIf("thread" in os.environ.get("CHAINS_TEST_SANITIZE", ""), "ThreadSanitizer has a thread of its own that wakes")
class Idle(ScalingTest):
    """What the daemon costs when nothing happens."""

    def wakeups(self):
        """Of both processes in three seconds."""
        pids = (self.daemon.keeper(), self.daemon.brain())
        before = sum(map(switches, pids))
        time.sleep(3)  # a rate is what is tested
        return sum(map(switches, pids)) - before

    def test_nothing_at_all_at_zero(self):
        self.daemon.deployed("x", service("entry", "other", scaling=scaling(**QUICK)), service("other", scaling=scaling(**QUICK)))
        self.at_zero("entry")
        self.at_zero("other")
        # Once what has happened is kept, which is done behind.
        wait_until(lambda: self.wakeups() == 0, "a daemon that sleeps")

    def test_two_a_second_at_most_with_replicas(self):
        for chain in ("x", "y", "z"):
            self.daemon.deployed(chain, service("entry", "other"), service("other", scaling=scaling(max_replicas=9)))
        wait_until(lambda: self.wakeups() <= 6, "a daemon that rests")


if __name__ == "__main__":
    unittest.main(verbosity=2)
