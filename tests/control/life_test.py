"""The daemon's life and that of its processes: starting, dying, coming back, ending."""
import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import unittest

from chains_testing import children, is_alive, wait_until
from daemon_testing import CHAINSD, STAND_IN, DaemonTest, is_busy, pause, scaling, service, waiting


class Life(DaemonTest):
    def test_what_a_process_is_handed(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", "other", MODE="quick", LISTEN_FDS="9"), service("other"))
        found = daemon.call("x", "report").json()
        self.assertEqual(found["sockets"][:5], [False, False, False, True, True])
        self.assertEqual(found["descriptors"], 9)
        environment = found["environment"]
        self.assertEqual(environment["LISTEN_FDS"], "6")
        self.assertEqual(environment["LISTEN_FDNAMES"], "calls:probes:board:spans:running:board.other")
        self.assertEqual(environment["LISTEN_PID"], str(found["pid"]))
        self.assertEqual(environment["CHAINS_ENVIRONMENT"], "production")
        self.assertEqual(environment["MODE"], "quick")
        self.assertTrue(environment["CHAINS_OTHER_URL"].startswith("unix:/"))
        other = daemon.call("x", "call CHAINS_OTHER_URL").json()
        self.assertNotEqual(other["pid"], found["pid"])
        self.assertNotIn("CHAINS_OTHER_URL", other["environment"])

    def test_a_killed_replica_comes_back(self):
        daemon = self.start()
        daemon.deployed("x", service("entry"))
        pid = daemon.call("x", "report").json()["pid"]
        os.kill(pid, signal.SIGKILL)
        after = daemon.call("x", "report")
        self.assertEqual(after.status, 200, after.body)
        self.assertNotEqual(after.json()["pid"], pid)
        replica = wait_until(lambda: next((r for r in daemon.chain("x")["chainlets"][0]["replicas"]
                                           if r["state"] == "ready"), None), "the new replica")
        self.assertEqual(replica["restarts"], 1)
        self.assertEqual(replica["last_end"], "killed by signal 9 (Killed)")

    def test_what_is_ready_is_known_by_its_number(self):
        """A process says that it is ready by another way than the keeper says which one it is."""
        daemon = self.start()
        services = [service(f"s{n}", scaling=scaling(min_replicas=5, max_replicas=5)) for n in range(4)]
        for _ in range(5):
            version = daemon.deploy("x", *services)

            def look(version=version):
                for _ in range(200):  # as often as can be: daemon.chain() looks whether all are known
                    chain = daemon.chain("x")
                    if chain["version"] == version:
                        return True
                return False
            wait_until(look, f"version {version}")
        self.assertNotIn(0, daemon.pids("x"))

    def test_a_replica_that_says_it_is_stalled_is_replaced(self):
        daemon = self.start()
        stone = self.home.file("stone")
        # So long that it isn't replaced for its silence: the next one, too, would find the stone, and never begin.
        daemon.deployed("x", service("entry", progress_timeout_s=60, STAND_IN_STALLED_IF=stone))
        first = daemon.pids("x")[0]
        self.assertEqual(daemon.call("x").status, 200)
        with open(stone, "w", encoding="utf-8"):
            pass
        wait_until(lambda: "stalled: as told; replacing it" in daemon.logs("x"), "the daemon to notice")
        os.unlink(stone)

        def another():
            replica = daemon.chain("x")["chainlets"][0]["replicas"][0]
            return replica["state"] == "ready" and replica["pid"] != first and replica
        self.assertEqual(wait_until(another, "another")["last_end"], "stalled: as told")
        self.assert_ended([first])
        self.assertEqual(daemon.call("x").status, 200)

    def test_unready_is_not_stalled_and_not_all_are_watched(self):
        daemon = self.start()
        stone = self.home.file("stone")
        daemon.deployed("x", service("unhealthy", progress_timeout_s=60, STAND_IN_UNREADY_IF=stone))
        daemon.deployed("y", service("unwatched", STAND_IN_STALLED_IF=stone))
        daemon.deployed("z", service("watched", progress_timeout_s=60, STAND_IN_STALLED_IF=stone))
        before = daemon.pids("x") + daemon.pids("y")
        with open(stone, "w", encoding="utf-8"):
            pass
        wait_until(lambda: "stalled: as told" in daemon.logs("z"), "the third to be replaced")
        # Asked again: what the first answer led to is over.
        wait_until(lambda: daemon.logs("x").count("unready as told") > 1, "the first to be asked twice")
        self.assertEqual(daemon.pids("x") + daemon.pids("y"), before)

    def test_a_call_in_a_dying_replica_is_unavailable(self):
        daemon = self.start()
        daemon.deployed("x", service("entry"))
        answer = daemon.call("x", "die")
        self.assertEqual((answer.status, answer.error()["status"]), (503, "UNAVAILABLE"))
        self.assertIn("entry", daemon.chain("x")["entrypoint"])
        self.assertEqual(daemon.call("x").status, 200)

    def test_calls_that_wait_outlive_a_replica(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", STAND_IN_SLOTS=1))
        pid = daemon.pids("x")[0]
        pause(pid)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(daemon.call("x").status))
                   for _ in range(8)]
        for thread in threads:
            thread.start()
        path = daemon.socket("x", "entry")
        wait_until(lambda: waiting(path) >= 8, "8 calls in the queue")
        os.kill(pid, signal.SIGKILL)
        for thread in threads:
            thread.join(60)
        self.assertEqual(answers, [200] * 8)

    def test_as_many_calls_wait_as_may(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", max_queue=3, STAND_IN_SLOTS=1))
        pid = daemon.pids("x")[0]
        pause(pid)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(daemon.call("x").status))
                   for _ in range(3)]
        for thread in threads:
            thread.start()
        path = daemon.socket("x", "entry")
        wait_until(lambda: waiting(path) == 3, "3 calls in the queue")
        refused = daemon.call("x")
        self.assertEqual((refused.status, refused.error()["status"]), (429, "RESOURCE_EXHAUSTED"))
        self.assertEqual(refused.headers["Retry-After"], "1")
        os.kill(pid, signal.SIGCONT)
        for thread in threads:
            thread.join(60)
        self.assertEqual(answers, [200] * 3)
        self.assertEqual(daemon.call("x").status, 200)

    def test_callers_of_a_failed_chainlet_are_told(self):
        daemon = self.start()
        stone = self.home.file("stone")
        daemon.deployed("x", service("entry", "other"), service("other", STAND_IN_FAIL_IF=stone))
        with open(stone, "w", encoding="utf-8"):
            pass
        os.kill(next(c["replicas"][0]["pid"] for c in daemon.chain("x")["chainlets"] if c["name"] == "other"),
                signal.SIGKILL)
        answer = daemon.call("x", "call CHAINS_OTHER_URL")  # waits in the queue until it has failed
        self.assertIn("'other' has failed: exit status 3", answer.error()["message"])
        self.assertEqual(daemon.chain("x")["state"], "failed")
        direct = daemon.call("x", chainlet="other")
        self.assertEqual((direct.status, direct.error()["status"]), (503, "UNAVAILABLE"))
        self.assertEqual(daemon.call("x").status, 200)
        daemon.deployed("x", service("entry", "other"), service("other"))
        self.assertIn("pid", daemon.call("x", "call CHAINS_OTHER_URL").json())

    def test_stopping_leaves_no_child_and_answers_what_runs(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", "other"), service("other"))
        pids = daemon.pids("x")
        self.assertEqual(len([pid for pid in pids if is_alive(pid)]), 2)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(daemon.call("x", "sleep 500").body))
        thread.start()
        entry = next(c for c in daemon.chain("x")["chainlets"] if c["name"] == "entry")
        wait_until(lambda: is_busy(entry["replicas"][0]["pid"]), "the call to run")
        self.assertEqual(daemon.stop(), 0)
        thread.join(60)
        self.assertEqual(answers, [b'"slept"'])
        for pid in pids:
            self.assertFalse(is_alive(pid))
        self.assertFalse(os.path.exists(daemon.home_file("address")))

    def test_what_was_deployed_survives_a_stop(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", STAND_IN_MARK="kept"))
        deployed_at = daemon.chain("x")["deployed_at"]
        self.assertEqual(daemon.stop(), 0)
        again = self.start()
        self.assertEqual(again.call("x").json()["mark"], "kept")
        self.assertEqual(again.chain("x")["deployed_at"], deployed_at)

    def test_a_port_in_use_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            done = subprocess.run([CHAINSD, "--port", str(port)], env=self.home.env, text=True,
                                  capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"port {port} is in use", done.stderr)
        self.assertIn("--port", done.stderr)

    def test_one_home_has_one_daemon(self):
        daemon = self.start()
        done = subprocess.run([CHAINSD, "--port", "0"], env=self.home.env, text=True,
                              capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"process {daemon.process.pid}", done.stderr)
        self.assertEqual(daemon.ask("GET", "/healthz").json()["status"], "ok")

    def test_a_home_with_a_long_path(self):
        self.home.env["CHAINS_HOME"] = os.path.join(self.home.path, *["long" * 20] * 12)
        self.assertGreater(len(self.home.env["CHAINS_HOME"]), 900)
        daemon = self.start()
        daemon.deployed("x", service("entry", "other"), service("other"))
        self.assertEqual(daemon.call("x").status, 200)
        self.assertIn("pid", daemon.call("x", "call CHAINS_OTHER_URL").json())

    def test_usage(self):
        for words, status in ((["--help"], 0), (["--port"], 2), (["--port", "x"], 2),
                              (["--port", "65536"], 2), (["--wrong"], 2)):
            done = subprocess.run([CHAINSD, *words], env=self.home.env, text=True,
                                  capture_output=True, timeout=60, check=False)
            self.assertEqual(done.returncode, status, words)

    def test_a_damaged_state_is_refused_with_what_to_do(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", STAND_IN_MARK="kept"))
        daemon.stop()
        second = self.start()  # its backup has the chain, once it is made

        def backed_up():
            with contextlib.closing(sqlite3.connect(f"file:{daemon.home_file('state.backup.db')}?mode=ro",
                                                    uri=True)) as backup:
                return backup.execute("SELECT count(*) FROM environments").fetchone()[0]
        wait_until(backed_up, "a backup with the chain")
        second.stop()
        state = daemon.home_file("state.db")
        with open(state, "r+b") as file:
            file.write(b"no database at all")
        done = subprocess.run([CHAINSD, "--port", "0"], env=self.home.env, text=True,
                              capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("state.db is damaged", done.stderr)
        advice = next(line for line in done.stderr.splitlines() if "state.backup.db" in line)
        command = advice[advice.index("cd "):]
        subprocess.run(command, shell=True, check=True, timeout=60)
        # Programs of a chain that the backup doesn't know are not those of a new one with its name.
        os.makedirs(daemon.home_file("chains", "y", "1"))
        shutil.copy("/bin/true", daemon.home_file("chains", "y", "1", "entry"))
        again = self.start()
        self.assertEqual(again.call("x").json()["mark"], "kept")
        again.deployed("y", service("entry", STAND_IN_MARK="new"))
        self.assertEqual(again.call("y").json()["mark"], "new")

    def test_what_an_earlier_daemon_kept_is_taken_over(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", "other", STAND_IN_MARK="kept"), service("other"))
        daemon.stop()
        for name in ("state.db", "state.db-wal", "state.db-shm", "state.backup.db"):
            if os.path.exists(daemon.home_file(name)):
                os.unlink(daemon.home_file(name))
        os.rename(daemon.home_file("chains", "x", "1"), daemon.home_file("chains", "x", "7"))
        services = [service("entry", "other", STAND_IN_MARK="kept"), service("other")]
        for one in services:
            one["binary"] = daemon.home_file("chains", "x", "7", one["c_name"])
        state = daemon.home_file("chains", "x", "state.json")
        deployed_at = "2026-01-02T03:04:05.678Z"
        with open(state, "w", encoding="utf-8") as file:
            json.dump({"version": 7, "deployed_at": deployed_at,
                       "deploy": {"chain": "x", "entrypoint": "entry", "services": services}}, file)
        broken = daemon.home_file("chains", "y", "state.json")
        os.makedirs(os.path.dirname(broken))
        with open(broken, "w", encoding="utf-8") as file:
            file.write('{"version": 1')
        again = self.start()
        self.assertEqual(again.call("x").json()["mark"], "kept")
        chain = again.chain("x")
        self.assertEqual((chain["version"], chain["deployed_at"]), (7, deployed_at))
        self.assertEqual(os.path.exists(state), False)
        self.assertEqual(os.path.exists(broken), True)
        self.assertIn("state.json is damaged", again.said())
        self.assertEqual(again.deployed("x", service("entry")), 8)
        self.assertEqual(again.change_environment("x", "rollback").status, 200)
        self.assertEqual(again.call("x").json()["mark"], "kept")


class Deployments(DaemonTest):
    def failed(self, daemon, chain, version):
        def look():
            deployment = daemon.chain(chain)["deployment"]
            return deployment if deployment["version"] == version and deployment["state"] == "failed" else None
        return wait_until(look, f"version {version} of {chain} to fail")

    def test_the_first_one_fails(self):
        daemon = self.start()
        version = daemon.deploy("x", service("entry", "bad"), service("bad", STAND_IN_FAIL="no model"))
        deployment = self.failed(daemon, "x", version)
        self.assertEqual(deployment["chainlet"], "bad")
        self.assertIn("exit status 3", deployment["message"])
        self.assertEqual(daemon.chain("x")["state"], "failed")
        answer = daemon.call("x")
        self.assertEqual((answer.status, answer.error()["status"]), (503, "UNAVAILABLE"))
        self.assertIn("exit status 3", answer.error()["message"])
        logs = daemon.logs("x")
        self.assertEqual(logs.count("no model"), 3)
        self.assertRegex(logs, r"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z production v0001-\w+ bad/0 -       no model$")
        states = {c["name"]: c["state"] for c in deployment["chainlets"]}
        self.assertEqual(states["bad"], "failed")
        daemon.deployed("x", service("entry"))
        self.assertEqual(daemon.call("x").status, 200)

    def test_a_failed_one_can_be_deleted(self):
        daemon = self.start()
        for name, services in (("caller", [service("entry", "other", STAND_IN_FAIL="x"), service("other")]),
                               ("callee", [service("entry", "other"), service("other", STAND_IN_FAIL="x")]),
                               ("all", [service("entry", "other", STAND_IN_FAIL="x"),
                                        service("other", STAND_IN_FAIL="x")])):
            self.failed(daemon, name, daemon.deploy(name, *services))
            self.assertEqual(daemon.change("DELETE", f"/api/v1/chains/{name}").status, 200)
        self.failed(daemon, "left", daemon.deploy("left", service("entry", STAND_IN_FAIL="x")))
        daemon.deploy("starting", service("entry", STAND_IN_NEVER_READY=1))

    def test_a_later_one_fails_and_the_first_goes_on(self):
        daemon = self.start()
        first = daemon.deployed("x", service("entry", STAND_IN_MARK="first"))
        second = daemon.deploy("x", service("entry", STAND_IN_FAIL="broken"))
        self.failed(daemon, "x", second)
        chain = daemon.chain("x")
        self.assertEqual((chain["version"], chain["state"]), (first, "ready"))
        self.assertEqual(daemon.call("x").json()["mark"], "first")
        wait_until(lambda: len([r for c in daemon.chain("x")["deployment"]["chainlets"]
                                for r in c["replicas"] if r["pid"]]) == 0, "its processes to end")
        daemon.stop()
        again = self.start()
        self.assertEqual(again.call("x").json()["mark"], "first")

    def test_one_that_is_never_ready_fails(self):
        daemon = self.start()
        version = daemon.deploy("x", service("entry", STAND_IN_NEVER_READY=1, start_timeout_s=0.2))
        deployment = self.failed(daemon, "x", version)
        self.assertIn("not ready after 0.2 s (.start_timeout_s)", deployment["message"])
        self.assertIn("not ready after 0.2 s", daemon.logs("x"))

    def test_a_later_one_that_is_never_ready_leaves_the_first(self):
        daemon = self.start()
        first = daemon.deployed("x", service("entry", "other", STAND_IN_MARK="first"), service("other"))
        pids = daemon.pids("x")
        version = daemon.deploy("x", service("entry", "other"), service("other", STAND_IN_NEVER_READY=1, start_timeout_s=0.2))
        deployment = self.failed(daemon, "x", version)
        self.assertEqual((deployment["chainlet"], daemon.chain("x")["version"]), ("other", first))
        self.assertIn("not ready after 0.2 s", daemon.logs("x"))
        self.assertEqual((daemon.call("x").json()["mark"], daemon.pids("x")), ("first", pids))
        wait_until(lambda: len(children(daemon.keeper())) == 1 + len(pids), "what was given up to end")

    def test_a_program_that_is_not_there(self):
        daemon = self.start()
        deployment = self.failed(daemon, "x", daemon.deploy("x", service("entry", binary="/nowhere/x")))
        self.assertIn("cannot copy its program", deployment["message"])
        text = self.home.file("text")
        with open(text, "w", encoding="utf-8") as file:
            file.write("no program\n")
        deployment = self.failed(daemon, "x", daemon.deploy("x", service("entry", binary=text)))
        self.assertIn("cannot be run: Permission denied", deployment["message"])

    def test_a_new_one_takes_the_place_of_one_that_starts(self):
        daemon = self.start()
        daemon.deploy("x", service("entry", STAND_IN_NEVER_READY=1))
        daemon.deployed("x", service("entry", STAND_IN_MARK="second"))
        self.assertEqual(daemon.call("x").json()["mark"], "second")

    def test_the_program_may_change_while_it_runs(self):
        daemon = self.start()
        program = self.home.file("program")
        with open(STAND_IN, "rb") as source, open(program, "wb") as target:
            target.write(source.read())
        os.chmod(program, 0o755)
        daemon.deployed("x", service("entry", binary=program))
        os.unlink(program)
        os.kill(daemon.pids("x")[0], signal.SIGKILL)
        self.assertEqual(daemon.call("x").status, 200)

    def test_replacing_under_load_loses_nothing(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", STAND_IN_SLOTS=2, STAND_IN_MARK="0"))
        answers, stop = [], threading.Event()

        def work(text):
            while not stop.is_set():
                answer = daemon.call("x", text)
                answers.append((answer.status, answer.body))
        threads = [threading.Thread(target=work, args=("sleep 3" if i % 2 else "mark",))
                   for i in range(8)]
        for thread in threads:
            thread.start()
        try:
            for mark in range(1, 6):
                pids = daemon.pids("x")
                daemon.deployed("x", service("entry", STAND_IN_SLOTS=2, STAND_IN_MARK=mark))
                seen = len(answers)
                wait_until(lambda seen=seen: len(answers) > seen + 20, "calls to go on")
                self.assert_ended(pids)
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)
        bad = [answer for answer in answers if answer[0] != 200]
        self.assertEqual(bad, [])
        marks = {json.loads(body)["mark"] for _, body in answers if b"mark" in body}
        self.assertIn("0", marks)
        self.assertIn("5", marks)
        wait_until(lambda: os.listdir(daemon.home_file("run", "x", "production")) == ["6"], "old sockets to go")

    def test_one_that_does_not_end_is_killed(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", STAND_IN_STUBBORN=1, drain_timeout_s=0.1))
        pids = daemon.pids("x")
        self.assertEqual(daemon.change("DELETE", "/api/v1/chains/x").status, 200)
        for pid in pids:
            self.assertFalse(is_alive(pid))

    def test_deleting_leaves_nothing(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", "other"), service("other"))
        pids = daemon.pids("x")
        answer = daemon.change("DELETE", "/api/v1/chains/x")
        self.assertEqual((answer.status, answer.json()["chain"]), (200, "x"))
        for pid in pids:
            self.assertFalse(is_alive(pid))
        self.assertEqual(daemon.call("x").status, 404)
        self.assertEqual(daemon.change("DELETE", "/api/v1/chains/x").status, 404)
        for kind in ("chains", "run", "logs"):
            self.assertFalse(os.path.exists(daemon.home_file(kind, "x")))
        self.assertEqual(daemon.ask("GET", "/api/v1/chains").json(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
