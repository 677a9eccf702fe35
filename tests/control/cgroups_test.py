"""Limits of cpu and memory that the kernel enforces on a daemon's processes. Where the machine allows none, the tests that
need them are skipped, and say why."""
import os
import re
import signal
import unittest

from chains_testing import is_alive, wait_until
from daemon_testing import DaemonTest, call_socket, service

MIB = 1 << 20
LIMIT = 256 * MIB  # also what a sanitizer's process stays below


class Limits(DaemonTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start()

    def deployed(self, name="hungry", **more):
        """Deploys one service with a limit; the test is skipped where that isn't enforced."""
        self.daemon.deployed(name, service("entry", **{"memory": LIMIT, **more}))
        for note in self.notes(name):
            if "isn't enforced" in note or "aren't enforced" in note:
                self.skipTest(note)

    def notes(self, name):
        return self.daemon.chain(name)["deployment"]["chainlets"][0]["notes"]

    def replica(self, name="hungry"):
        return self.daemon.chain(name)["chainlets"][0]["replicas"][0]

    def groups(self, name="hungry"):
        """The groups that the process of a chain is in, below which the machine's are mounted somewhere."""
        answer = self.daemon.call(name, "groups")
        self.assertEqual(answer.status, 200, answer.body)
        return [line for line in answer.json().splitlines() if "/replica-" in line]

    def exhaust(self, name="hungry"):
        """A call that takes more memory than there may be; gives the answer."""
        return self.daemon.call(name, "use 512")

    def await_restart(self, restarts, name="hungry"):
        return wait_until(lambda: self.replica(name)["restarts"] >= restarts and
                          self.replica(name)["state"] == "ready" and self.replica(name), "another process")

    def kept_ending(self):
        """How the latest process ended that did, as the history of replicas has it."""
        def look():
            replicas = self.daemon.ask("GET", "/api/v1/chains/hungry/chainlets/entry/replicas").json()
            return next((replica["ending"] for replica in replicas if replica["ended_at"]), None)
        return wait_until(look, "the end to be kept")

    def test_who_exceeds_its_memory_is_killed_and_its_callers_are_told(self):
        self.deployed()
        answer = self.exhaust()
        self.assertEqual((answer.status, answer.error()["status"]), (429, "RESOURCE_EXHAUSTED"), answer.body)
        self.assertIn("exceeded its memory limit", answer.error()["message"])
        how = self.await_restart(1)["last_end"]
        self.assertRegex(how, r"^killed: exceeded its memory limit of 256 MiB \(peak .*\)$")
        self.assertIn(how, self.home.good("status"))
        self.assertIn("exceeded its memory limit", self.daemon.logs("hungry"))
        wait_until(lambda: [event for event in self.daemon.events("hungry") if event[0] == "out_of_memory"],
                   "the event")
        told = [message for kind, message in self.daemon.events("hungry") if kind == "out_of_memory"]
        self.assertEqual(told, [f"entry in production: {how}"])
        self.assertEqual(self.kept_ending(), "memory")
        # What stays below it goes on.
        self.assertEqual(self.daemon.call("hungry", "use 16").body, b'"used"')

    def test_an_asynchronous_request_fails_once(self):
        self.deployed()
        answer = self.daemon.ask("POST", "/chains/hungry/production/async_run_remote", '{"input": "use 512"}',
                                 {"Content-Type": "application/json"})
        self.assertEqual(answer.status, 202, answer.body)
        path = "/requests/" + answer.json()["request_id"]
        wait_until(lambda: self.daemon.ask("GET", path).json()["ended_at"], "the request to end")
        request = self.daemon.ask("GET", path).json()
        self.assertEqual((request["status"], request["attempts"], request["losses"]), ("FAILED", 1, 0))
        self.assertEqual(request["error"]["status"], "RESOURCE_EXHAUSTED")

    def test_another_death_is_no_matter_of_memory(self):
        self.deployed()
        answer = self.daemon.call("hungry", "die")
        self.assertEqual((answer.status, answer.error()["status"]), (503, "UNAVAILABLE"))
        self.assertEqual(self.await_restart(1)["last_end"], "killed by signal 9 (Killed)")
        self.assertNotIn("out_of_memory", [kind for kind, _ in self.daemon.events("hungry")])
        self.assertEqual(self.kept_ending(), "killed")

    def test_each_process_has_a_group_of_its_own(self):
        self.deployed(cpu=0.5)
        before = self.groups()
        self.assertTrue(before)
        for line in before:
            self.assertTrue(line.endswith("/replica-hungry:production:1:entry:0"), line)
        self.daemon.call("hungry", "die")
        self.await_restart(1)
        self.assertEqual(self.groups(), before)

    def test_a_new_brain_goes_on_with_the_groups(self):
        self.deployed()
        before, pid = self.groups(), self.replica()["pid"]
        self.daemon.kill_brain()
        wait_until(lambda: self.replica()["state"] == "ready", "the replica to be picked up")
        self.assertEqual((self.groups(), self.replica()["pid"]), (before, pid))
        self.assertEqual(self.exhaust().error()["status"], "RESOURCE_EXHAUSTED")
        self.assertIn("exceeded its memory limit", self.await_restart(1)["last_end"])

    def test_who_is_killed_while_there_is_no_brain_is_judged_by_the_next(self):
        self.deployed()
        pid = self.replica()["pid"]
        path = self.daemon.socket("hungry", "entry")
        self.daemon.begin_outage()
        with self.assertRaises(OSError):
            call_socket(path, "use 512")
        self.daemon.end_outage()
        self.assertIn("exceeded its memory limit", self.await_restart(1)["last_end"])
        self.assertFalse(is_alive(pid))
        self.assertEqual(self.kept_ending(), "memory")

    def record(self):
        """The folders of the daemon's groups."""
        with open(self.daemon.home_file("cgroups"), encoding="utf-8") as record:
            return record.read().split()

    def test_nothing_is_left(self):
        self.deployed()
        folders = self.record()
        self.assertTrue(folders)
        for folder in folders:
            self.assertIn("replica-hungry:production:1:entry:0", os.listdir(folder))
        self.assertEqual(self.daemon.change("DELETE", "/api/v1/chains/hungry").status, 200)
        for folder in folders:
            self.assertFalse([name for name in os.listdir(folder) if name.startswith("replica-")])
        self.assertEqual(self.daemon.stop(), 0)
        self.assertFalse([folder for folder in folders if os.path.exists(folder)])
        self.assertFalse(os.path.exists(self.daemon.home_file("cgroups")))

    def test_what_a_killed_daemon_has_left_is_ended_by_the_next(self):
        self.deployed(STAND_IN_ESCAPE=1)
        escaped = int(re.search(r"escaped: (\d+)", self.daemon.logs("hungry")).group(1))
        self.assertTrue(is_alive(escaped))
        folders = self.record()
        self.daemon.kill_both()
        self.daemon = self.start()
        self.assert_ended([escaped])
        wait_until(lambda: self.replica()["state"] == "ready", "the chain to run again")
        self.assertEqual(self.record(), folders)
        self.assertEqual(self.exhaust().error()["status"], "RESOURCE_EXHAUSTED")

    def test_a_killed_keeper_leaves_nothing_in_groups(self):
        self.deployed(STAND_IN_ESCAPE=1)
        escaped = int(re.search(r"escaped: (\d+)", self.daemon.logs("hungry")).group(1))
        self.daemon.kill_keeper()
        self.assert_ended([escaped])
        wait_until(lambda: self.replica()["state"] == "ready", "the chain to run again")
        self.assertEqual(self.exhaust().error()["status"], "RESOURCE_EXHAUSTED")

    def test_what_a_process_leaves_in_its_group_goes_with_it(self):
        self.deployed(STAND_IN_ESCAPE=1)
        escaped = int(re.search(r"escaped: (\d+)", self.daemon.logs("hungry")).group(1))
        os.kill(self.replica()["pid"], signal.SIGKILL)
        self.assert_ended([escaped])
        self.await_restart(1)


class Notes(DaemonTest):
    """What can be seen on every machine."""

    def setUp(self):
        super().setUp()
        self.daemon = self.start()

    def test_more_than_there_is(self):
        self.daemon.deployed("large", service("entry", cpu=4000, memory=1 << 60), service("other"))
        chainlets = {each["name"]: each for each in self.daemon.chain("large")["chainlets"]}
        self.assertIn("entry: .cpu = 4000 is more than the", chainlets["entry"]["notes"][-1])
        self.assertIn(".memory of 1 EiB is more than the", chainlets["entry"]["notes"][-1])
        self.assertEqual(chainlets["other"]["notes"], [])
        self.assertIn("note: entry: .cpu = 4000 is more than the", self.home.good("status"))

    def test_how_many_cores_a_process_may_use(self):
        self.daemon.deployed("cores", service("entry", cpu=1.5),)
        self.daemon.deployed("told", service("entry", cpu=1.5, OMP_NUM_THREADS=7))
        self.assertEqual(self.daemon.call("cores", "report").json()["environment"]["OMP_NUM_THREADS"], "2")
        self.assertEqual(self.daemon.call("told", "report").json()["environment"]["OMP_NUM_THREADS"], "7")

    def test_nobody_who_asks_for_nothing_has_a_group(self):
        self.daemon.deployed("modest", service("entry"))
        answer = self.daemon.call("modest", "groups")
        self.assertNotIn("replica-", answer.body.decode())


if __name__ == "__main__":
    unittest.main(verbosity=2)
