"""The daemon's two processes: either may be killed at any moment, and what waits or runs between Chainlets doesn't notice."""
import fcntl
import http.client
import os
import re
import signal
import subprocess
import threading
import unittest

from chains_testing import children, is_alive, wait_until
from daemon_testing import CHAINSD, DaemonTest, call_socket, is_busy, pause, scaling, service, waiting


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class KeeperTest(DaemonTest):
    def ready(self, daemon, chain):
        """Waits until all replicas of the active version are ready; gives them."""
        def look():
            found = [r for c in daemon.chain(chain)["chainlets"] for r in c["replicas"]]
            return found if all(r["state"] == "ready" for r in found) else None
        return wait_until(look, f"{chain} to be ready")

    def refused(self):
        """Another daemon of the same home doesn't begin."""
        done = subprocess.run([CHAINSD, "--port", "0"], env=self.home.env, text=True,
                              capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("another chainsd", done.stderr)

    def in_threads(self, count, work):
        threads = [threading.Thread(target=work) for _ in range(count)]
        for thread in threads:
            thread.start()
        self.addCleanup(lambda: [thread.join(60) for thread in threads])
        return threads

    def running_call(self, path, pid):
        """A call that runs for a while in a replica: its thread, and the list that its answer will be in."""
        answers = []
        thread = self.in_threads(1, lambda: answers.append(call_socket(path, "sleep 500").body))[0]
        wait_until(lambda: is_busy(pid), "the call to run")
        return thread, answers


class Brain(KeeperTest):
    def test_calls_between_chainlets_do_not_notice(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", "other", STAND_IN_SLOTS=4), service("other", scaling=scaling(min_replicas=2, max_replicas=2)))
        pids, keeper, path = daemon.pids("x"), daemon.keeper(), daemon.socket("x", "entry")
        answers, stop = [], threading.Event()

        def work():
            while not stop.is_set():
                answer = call_socket(path, "call CHAINS_OTHER_URL")
                answers.append((answer.status, b'"pid"' in answer.body))
        threads = self.in_threads(4, work)
        try:
            for _ in range(10):
                daemon.kill_brain()
                seen = len(answers)
                wait_until(lambda seen=seen: len(answers) > seen + 20, "calls to go on")
        finally:
            stop.set()
        for thread in threads:
            thread.join(60)
        self.assertEqual([answer for answer in answers if answer != (200, True)], [])
        self.assertEqual([r["restarts"] for r in self.ready(daemon, "x")], [0, 0, 0])
        self.assertEqual((daemon.pids("x"), daemon.keeper()), (pids, keeper))
        self.assertEqual(daemon.call("x", "call CHAINS_OTHER_URL").status, 200)

    def test_a_replica_that_ends_in_the_outage_is_accounted_for(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", STAND_IN_SLOTS=1))
        pid, path = daemon.pids("x")[0], daemon.socket("x", "entry")
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(daemon.call("x").status, 200)
        pid = self.ready(daemon, "x")[0]["pid"]
        pause(pid)
        answers = []
        threads = self.in_threads(8, lambda: answers.append(call_socket(path).status))
        wait_until(lambda: waiting(path) >= 8, "8 calls in the queue")
        daemon.begin_outage()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(pid), "the replica to end")
        daemon.end_outage()
        for thread in threads:
            thread.join(60)
        self.assertEqual(answers, [200] * 8)
        replica = self.ready(daemon, "x")[0]
        self.assertEqual((replica["restarts"], replica["last_end"]), (2, "killed by signal 9 (Killed)"))
        self.assertEqual(daemon.logs("x").count("killed by signal 9 (Killed); starting it again"), 2)

    def test_what_a_replica_says_in_the_outage_is_logged(self):
        daemon = self.start()
        daemon.deployed("x", service("entry"))
        path = daemon.socket("x", "entry")
        daemon.begin_outage()
        for _ in range(3):
            self.assertEqual(call_socket(path, "call NONE after").status, 500)  # says something first
        daemon.end_outage()
        wait_until(lambda: daemon.logs("x").count("held up") == 3, "what it said")
        self.assertEqual(self.ready(daemon, "x")[0]["restarts"], 0)

    def test_the_front_door_stays_open(self):
        daemon = self.start()
        daemon.deployed("x", service("entry"))
        cut = []

        def work():
            try:
                cut.append(daemon.call("x", "wait"))
            except (OSError, http.client.HTTPException) as error:
                cut.append(error)
        thread = self.in_threads(1, work)[0]
        wait_until(lambda: "waiting" in daemon.logs("x"), "the call to run")
        daemon.begin_outage()
        thread.join(60)
        self.assertIsInstance(cut[0], (OSError, http.client.HTTPException))
        late = http.client.HTTPConnection(daemon.address, timeout=60)
        late.request("POST", "/chains/x/production/run_remote", "report")
        daemon.end_outage()
        self.assertEqual(late.getresponse().status, 200)
        late.close()
        wait_until(lambda: "the caller has left" in daemon.logs("x"), "the cut call to be cancelled")

    def test_a_deployment_goes_on(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", STAND_IN_MARK="first"))
        stone = self.home.file("stone")
        with open(stone, "w", encoding="utf-8"):
            pass
        daemon.deploy("x", service("entry", STAND_IN_MARK="second", STAND_IN_UNREADY_IF=stone))

        def starting():
            replica = daemon.chain("x")["deployment"]["chainlets"][0]["replicas"]
            return replica and replica[0]["pid"]
        pid = wait_until(starting, "the second version's process")
        daemon.kill_brain()
        self.assertEqual(daemon.call("x").json()["mark"], "first")
        self.assertEqual(wait_until(starting, "the process to be picked up"), pid)
        deployment = daemon.chain("x")["deployment"]
        self.assertEqual((deployment["version"], deployment["state"]), (2, "starting"))
        os.unlink(stone)
        wait_until(lambda: daemon.chain("x")["version"] == 2, "the second version")
        self.assertEqual(daemon.call("x").json()["mark"], "second")
        self.assertEqual(daemon.pids("x"), [pid])

    def test_what_was_accepted_is_deployed(self):
        daemon = self.start()
        for mark in range(1, 11):
            version = daemon.deploy("x", service("entry", "other", STAND_IN_MARK=mark), service("other"))
            daemon.kill_brain()

            def look(version=version):
                deployment = daemon.chain("x")["deployment"]
                self.assertNotEqual(deployment["state"], "failed", deployment)
                return deployment["state"] == "ready" and deployment["version"] == version
            wait_until(look, f"version {version}")
            self.assertEqual(daemon.call("x").json()["mark"], str(mark))
        wait_until(lambda: os.listdir(daemon.home_file("run", "x", "production")) == [str(version)], "old versions to go")
        self.assertEqual(len(children(daemon.keeper())), 3)

    def test_at_every_step_of_a_deployment(self):
        daemon = self.start()
        services = [service("entry", "other"), service("other")]
        daemon.deployed("x", *services)
        for step in ("copying -> starting", "stopped -> starting", "starting -> ready", "starting -> running",
                     "running -> stopping", "ready -> draining", "draining -> stopped", "stopping -> stopped"):
            before = daemon.said().count(step)
            version = daemon.deploy("x", *services)
            wait_until(lambda: daemon.said().count(step) > before, step)
            daemon.kill_brain()
            wait_until(lambda: daemon.chain("x")["version"] == version, f"version {version}, killed at {step}")
            self.assertEqual(daemon.call("x", "call CHAINS_OTHER_URL").status, 200)
            wait_until(lambda: os.listdir(daemon.home_file("run", "x", "production")) == [str(version)], f"{step}: old sockets to go")
            wait_until(lambda: len(children(daemon.keeper())) == 3, f"{step}: old processes to go")
        self.assertNotIn("belongs to nothing", daemon.said())

    def test_an_old_version_still_ends_from_the_entrypoint_inwards(self):
        daemon = self.start()
        stone = self.home.file("stone")
        old = [service("entry", "other", STAND_IN_WAIT_WHILE=stone, STAND_IN_SLOTS=2), service("other")]
        with open(stone, "w", encoding="utf-8"):
            pass
        daemon.deployed("x", *old)
        pids, path = daemon.pids("x"), daemon.socket("x", "entry")
        answers = []
        thread = self.in_threads(1, lambda: answers.append(call_socket(path, "call CHAINS_OTHER_URL after")))[0]
        wait_until(lambda: "held up" in daemon.logs("x"), "the call to run")
        daemon.deployed("x", service("entry", "other"), service("other"))
        wait_until(lambda: "x version 1: running -> stopping" in daemon.said(), "the old version to be stopped")
        daemon.kill_brain()
        self.ready(daemon, "x")
        self.assertEqual([is_alive(pid) for pid in pids], [True, True])
        os.unlink(stone)
        thread.join(60)
        self.assertEqual((answers[0].status, b'"pid"' in answers[0].body), (200, True), answers[0].body)
        self.assert_ended(pids)
        wait_until(lambda: os.listdir(daemon.home_file("run", "x", "production")) == ["2"], "the old sockets to go")

    def test_deleting_goes_on(self):
        daemon = self.start()
        daemon.deployed("x", service("entry"))
        pids = daemon.pids("x")
        running, answers = self.running_call(daemon.socket("x", "entry"), pids[0])

        def delete():
            try:
                answers.append(daemon.change("DELETE", "/api/v1/chains/x").status)
            except (OSError, http.client.HTTPException):
                pass  # cut; or the brain was killed after it
        self.in_threads(1, delete)
        wait_until(lambda: "ready -> draining" in daemon.said(), "the deletion to begin")
        daemon.kill_brain()
        running.join(60)
        self.assertIn(b'"slept"', answers)
        self.assert_ended(pids)
        for kind in ("chains", "run", "logs"):
            wait_until(lambda kind=kind: not os.path.exists(daemon.home_file(kind, "x")), f"{kind}/x to go")
        self.assertEqual(daemon.ask("GET", "/api/v1/chains").json(), [])

    def test_what_has_failed_stays_failed(self):
        daemon = self.start()
        stone = self.home.file("stone")
        daemon.deployed("x", service("entry", STAND_IN_FAIL_IF=stone))
        with open(stone, "w", encoding="utf-8"):
            pass
        os.kill(daemon.pids("x")[0], signal.SIGKILL)
        wait_until(lambda: daemon.chain("x")["state"] == "failed", "it to fail")
        restarts = daemon.chain("x")["chainlets"][0]["replicas"][0]["restarts"]
        daemon.kill_brain()
        replica = daemon.chain("x")["chainlets"][0]["replicas"][0]
        self.assertEqual((replica["state"], replica["restarts"]), ("failed", restarts))
        self.assertIn("exit status 3", daemon.call("x").error()["message"])

    def test_a_stalled_replica_is_still_noticed(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", progress_timeout_s=1))
        pid = daemon.pids("x")[0]
        pause(pid)
        daemon.kill_brain()
        self.assert_ended([pid])
        self.assertIn("stalled", self.ready(daemon, "x")[0]["last_end"])

    def test_many_deaths_leak_nothing(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", "other"), service("other", scaling=scaling(min_replicas=2, max_replicas=2)))
        daemon.kill_brain()
        pids, path = [r["pid"] for r in self.ready(daemon, "x")], daemon.socket("x", "entry")
        keeper, brain = descriptors(daemon.keeper()), descriptors(daemon.brain())
        for _ in range(50):
            daemon.kill_brain()
            self.assertEqual(call_socket(path, "call CHAINS_OTHER_URL").status, 200)
            call_socket(path, "sleep 150")  # one that dies at once again and again has to wait
        self.assertEqual([r["pid"] for r in self.ready(daemon, "x")], pids)
        wait_until(lambda: descriptors(daemon.keeper()) == keeper, "the keeper's descriptors to be as before")
        wait_until(lambda: descriptors(daemon.brain()) <= brain + 1, "the brain's connections to close")

    def test_one_that_cannot_begin_is_tried_again_with_patience(self):
        daemon = self.start()
        daemon.deployed("x", service("entry"))
        path, token = daemon.socket("x", "entry"), daemon.home_file("token")
        os.rename(token, token + ".away")
        os.kill(daemon.brain(), signal.SIGKILL)
        wait_until(lambda: daemon.said().count("; starting another one in ") >= 4, "some attempts")
        said = daemon.said()
        self.assertIn("/token: No such file or directory", said)
        delays = [int(line.rsplit(" ", 2)[1]) for line in said.splitlines() if "; starting another one in " in line]
        self.assertEqual(delays[:4], [10, 20, 40, 80])
        self.assertEqual(call_socket(path).status, 200)
        self.refused()
        os.rename(token + ".away", token)
        self.assertEqual(daemon.call("x").status, 200)
        self.assertEqual(self.ready(daemon, "x")[0]["restarts"], 0)

    def test_ending_without_a_brain_that_can_begin(self):
        daemon = self.start()
        daemon.deployed("x", service("entry"))
        pids = daemon.pids("x")
        os.unlink(daemon.home_file("token"))
        os.kill(daemon.brain(), signal.SIGKILL)
        wait_until(lambda: "; starting another one in " in daemon.said(), "an attempt")
        self.assertEqual(daemon.stop(), 1)
        self.assert_ended(pids)
        self.assertIn("killing what is left", daemon.said())


class Ending(KeeperTest):
    def test_in_the_outage_it_is_orderly_as_well(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", "other"), service("other"))
        pids = daemon.pids("x")
        daemon.begin_outage()
        thread, answers = self.running_call(daemon.socket("x", "entry"), pids[0])
        daemon.process.send_signal(signal.SIGTERM)
        daemon.end_outage()
        self.assertEqual(daemon.process.wait(60), 0)
        thread.join(60)
        self.assertEqual(answers, [b'"slept"'])
        self.assert_ended(pids)
        self.assertEqual(self.start().call("x").status, 200)

    def test_a_brain_killed_meanwhile_is_replaced(self):
        daemon = self.start()
        stone = self.home.file("stone")
        with open(stone, "w", encoding="utf-8"):
            pass
        daemon.deployed("x", service("entry", STAND_IN_WAIT_WHILE=stone))
        path = daemon.socket("x", "entry")
        answers = []
        thread = self.in_threads(1, lambda: answers.append(call_socket(path, "call NONE after").status))[0]
        wait_until(lambda: "held up" in daemon.logs("x"), "the call to run")
        daemon.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "ready -> draining" in daemon.said(), "the replica to be stopped")
        daemon.kill_brain()
        wait_until(lambda: "stopped -> draining" in daemon.said(), "it to be picked up")
        os.unlink(stone)
        self.assertEqual(daemon.process.wait(60), 0)
        thread.join(60)
        self.assertEqual(answers, [500])  # its answer: it calls nobody
        self.assertNotIn("killed", daemon.said().split("stopping", 1)[1].replace("killed by signal 9", ""))

    def test_a_terminals_signal_goes_to_both(self):
        daemon = self.start(process_group=0)
        daemon.deployed("x", service("entry"))
        pids = daemon.pids("x")
        thread, answers = self.running_call(daemon.socket("x", "entry"), pids[0])
        os.killpg(daemon.process.pid, signal.SIGINT)
        self.assertEqual(daemon.process.wait(60), 0)
        thread.join(60)
        self.assertEqual(answers, [b'"slept"'])
        self.assert_ended(pids)
        self.assertNotIn("the brain ended", daemon.said())

    def test_the_second_signal_does_not_wait(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", STAND_IN_STUBBORN=1))
        pids = daemon.pids("x")
        daemon.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "ready -> draining" in daemon.said(), "the stop to begin")
        self.assertEqual(daemon.stop(), 0)
        self.assert_ended(pids)


class Keeper(KeeperTest):
    def test_the_brain_takes_its_place(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", "other"), service("other", scaling=scaling(min_replicas=2, max_replicas=2)))
        for _ in range(3):
            pids, brain, url = daemon.pids("x"), daemon.brain(), self.home.address()
            daemon.kill_keeper()
            self.assertEqual(daemon.keeper(), brain)
            self.assert_ended(pids)
            answer = daemon.call("x", "call CHAINS_OTHER_URL")
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual((self.home.address(), daemon.chain("x")["version"]), (url, 1))
            self.assertEqual(len(self.ready(daemon, "x")), 3)
            self.assertEqual(len(children(daemon.keeper())), 4)
            self.assertEqual(daemon.ask("GET", "/healthz").json()["pid"], daemon.keeper())
            self.refused()
        pids = daemon.pids("x")
        os.kill(daemon.keeper(), signal.SIGTERM)
        self.assert_ended([daemon.keeper()] + pids)
        self.assertFalse(os.path.exists(daemon.home_file("address")))
        self.assertIn("chainsd has stopped", daemon.said())

    def test_what_replicas_started_does_not_stay(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", STAND_IN_CHILD=1))
        child = wait_until(lambda: children(daemon.pids("x")[0]), "its child")
        daemon.kill_keeper()
        self.assert_ended(child)
        child = wait_until(lambda: daemon.pids("x")[0] and children(daemon.pids("x")[0]), "the next one's child")
        os.kill(daemon.pids("x")[0], signal.SIGKILL)
        self.assert_ended(child)

    def escaped(self, daemon, before=()):
        """The process that a replica has started last, twice forked and in a session of its own; none of those before."""
        def look():
            found = [int(pid) for pid in re.findall(r"escaped: (\d+)", daemon.logs("x"))]
            return found[-1] if found and found[-1] not in before else None
        pid = wait_until(look, "a process to escape")
        self.addCleanup(lambda: is_alive(pid) and os.kill(pid, signal.SIGKILL))
        return pid

    def test_what_has_left_its_replica_ends_with_it(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", STAND_IN_ESCAPE=2))
        first = self.escaped(daemon)
        self.assertIn(first, children(daemon.keeper()))
        os.kill(daemon.pids("x")[0], signal.SIGKILL)
        self.assert_ended([first])
        second = self.escaped(daemon, [first])
        daemon.kill_brain()
        self.ready(daemon, "x")
        self.assertTrue(is_alive(second))
        daemon.kill_keeper()
        self.assert_ended([second])
        third = self.escaped(daemon, [first, second])
        daemon.kill_both()
        daemon = self.start()
        self.assert_ended([third])
        fourth = self.escaped(daemon, [first, second, third])
        self.ready(daemon, "x")
        self.assertEqual(daemon.change("DELETE", "/api/v1/chains/x").status, 200)
        self.assert_ended([fourth])

    def test_what_has_left_its_replica_ends_with_the_daemon(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", STAND_IN_ESCAPE=2))
        escaped = self.escaped(daemon)
        self.assertEqual(daemon.stop(), 0)
        self.assertFalse(is_alive(escaped))

    def test_both(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", "other"), service("other", scaling=scaling(min_replicas=2, max_replicas=2)))
        pids = daemon.pids("x")
        daemon.kill_both()
        self.assert_ended(pids)
        again = self.start()
        answer = again.call("x", "report")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertNotIn(answer.json()["pid"], pids)
        self.assertEqual(again.chain("x")["version"], 1)

    def test_what_a_killed_daemon_was_just_starting_does_not_keep_the_next_one_away(self):
        daemon = self.start()
        daemon.kill_both()
        # A child of its that hasn't come to its exec has the lock, for a moment.
        with open(daemon.home_file("pid"), "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            again = self.start(wait=False)

            def waits():
                with open(f"/proc/{again.process.pid}/stat", encoding="utf-8") as stat:
                    return stat.read().rsplit(")", 1)[1].split()[0] in "SZ"
            wait_until(waits, "it to wait")
        wait_until(again.find_address, "the daemon's address")

    def test_no_second_daemon_at_any_moment(self):
        daemon = self.start()
        self.refused()
        daemon.begin_outage()
        self.refused()  # the keeper alone
        daemon.end_outage()
        brain = wait_until(daemon.brain, "a brain")
        wait_until(lambda: daemon.ask("GET", "/healthz").status == 200, "it to serve")
        pause(brain)
        os.kill(daemon.keeper(), signal.SIGKILL)
        daemon.process.wait(60)
        self.refused()  # the brain alone
        os.kill(brain, signal.SIGCONT)
        wait_until(lambda: daemon.keeper() == brain, "the brain to become the keeper")
        stop = threading.Event()
        outcomes = []

        def attempt():
            while not stop.is_set():
                outcomes.append(subprocess.run([CHAINSD, "--port", "0"], env=self.home.env, timeout=60, check=False,
                                               stderr=subprocess.DEVNULL).returncode)
        threads = self.in_threads(2, attempt)
        try:
            for _ in range(5):
                daemon.kill_brain()
                wait_until(lambda: daemon.ask("GET", "/healthz").status == 200, "it to serve")
                daemon.kill_keeper()
                wait_until(lambda: daemon.ask("GET", "/healthz").status == 200, "it to serve")
        finally:
            stop.set()
        for thread in threads:
            thread.join(60)
        self.assertEqual(set(outcomes), {1})


if __name__ == "__main__":
    unittest.main(verbosity=2)
