"""Other programs in the place of those that run: only what differs is replaced, nothing is lost, whatever dies."""
import contextlib
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import unittest

from chains_testing import children, is_alive, wait_until
from daemon_testing import STAND_IN, DaemonTest, call_socket, service
from versions_test import Load

CALL = "/chains/x/development/run_remote"


class Swaps(DaemonTest):
    """A chain of two in `development`; each has a program of its own, which is replaced by another file."""

    def program(self, name, mark=""):
        """A program that does what the stand-in does, and is another file for each mark."""
        path = self.home.file(f"{name}.program")
        shutil.copy(STAND_IN, path + ".new")
        with open(path + ".new", "ab") as file:
            file.write(mark.encode())
        os.replace(path + ".new", path)
        return path

    def services(self, entry="", other="", **more):
        return [service("entry", "other", binary=self.program("entry", entry), **more),
                service("other", binary=self.program("other", other), **more)]

    def begin(self, **more):
        daemon = self.start()
        daemon.deployed("x", *self.services(**more), environment="development", swappable=True)
        return daemon

    def swap(self, daemon, *services, environment="development", **more):
        return daemon.change("POST", f"/api/v1/chains/x/environments/{environment}/swap", {
            "chain": "x", "entrypoint": services[0]["name"], "services": list(services), **more})

    def swapped(self, daemon, *services):
        """Swaps, and gives the names of those that were."""
        answer = self.swap(daemon, *services)
        self.assertEqual(answer.status, 200, answer.body)
        said = answer.json()
        self.assertEqual(said["state"], "swapped" if said["chainlets"] else "unchanged", said)
        return said["chainlets"]

    def pid(self, daemon, name):
        """The one process of a Chainlet that takes calls."""
        chainlets = {c["name"]: c for c in daemon.chain("x", "development")["chainlets"]}
        pids = [r["pid"] for r in chainlets[name]["replicas"] if r["state"] not in ("draining", "stopped")]
        self.assertEqual(len(pids), 1, chainlets[name])
        return pids[0]

    def await_ready(self, daemon):
        """Waits for a process of each to take calls, as far as a new brain knows."""
        wait_until(lambda: all(c["state"] == "ready" for c in daemon.chain("x", "development")["chainlets"]),
                   "all of it to be ready")

    def programs(self, daemon, version=1):
        names = os.listdir(daemon.home_file("chains", "x", str(version)))
        return sorted(name for name in names if not name.startswith("openapi."))

    def runs(self, pid):
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))

    def good(self, daemon):
        answer = daemon.call("x", "mark", environment="development")
        self.assertEqual(answer.status, 200, answer.body)

    def settled(self, daemon, count=3):
        wait_until(lambda: len(children(daemon.keeper())) == count, "only the brain and what runs to be left")

    def stored(self, daemon):
        """The programs that the state says version 1 has."""
        with contextlib.closing(sqlite3.connect(f"file:{daemon.home_file('state.db')}?mode=ro", uri=True)) as state:
            (deploy,), = state.execute("SELECT deploy FROM versions WHERE number = 1").fetchall()
        return {s["name"]: s.get("program") or s["c_name"] for s in json.loads(deploy)["services"]}

    def test_only_what_differs_under_load(self):
        daemon = self.begin(STAND_IN_SLOTS=2)
        entry = self.pid(daemon, "entry")
        with Load(daemon, path=CALL) as fast, Load(daemon, 2, "call CHAINS_OTHER_URL", path=CALL) as through:
            for number in range(1, 11):
                before = self.pid(daemon, "other")
                self.assertEqual(self.swapped(daemon, *self.services(other=str(number), STAND_IN_SLOTS=2)), ["other"])
                self.assertNotEqual(self.pid(daemon, "other"), before)
                self.assertEqual(self.runs(self.pid(daemon, "other")), f"other.{number}")
                fast.go_on()
                through.go_on(4)
        self.assertEqual((fast.bad(), through.bad()), ([], []))
        self.assertEqual(self.pid(daemon, "entry"), entry)
        self.settled(daemon)
        self.assertEqual(self.programs(daemon), ["entry", "other", "other.10"])
        self.assertEqual(daemon.chain("x", "development")["version"], 1)
        kinds = [kind for kind, _ in daemon.events("x")]
        self.assertEqual(kinds, ["deployed", "promoted"] + ["swapped"] * 10)
        self.assertIn("has other programs: other", daemon.events("x")[-1][1])

    def test_what_is_answered_is_new_at_once(self):
        daemon = self.begin()
        for number in range(20):
            self.assertEqual(self.swapped(daemon, *self.services(entry=str(number))), ["entry"])
            report = daemon.call("x", "report", environment="development").json()
            self.assertEqual(self.runs(report["pid"]), f"entry.{number + 1}")

    def test_all_and_nothing(self):
        daemon = self.begin()
        before = [self.pid(daemon, name) for name in ("entry", "other")]
        self.assertEqual(self.swapped(daemon, *self.services()), [])
        self.assertEqual([self.pid(daemon, name) for name in ("entry", "other")], before)
        self.assertEqual(self.swapped(daemon, *self.services("a", "b")), ["entry", "other"])
        self.good(daemon)
        self.assert_ended(before)

    def test_a_running_call_ends_where_it_began(self):
        stone = self.home.file("stone")
        with open(stone, "w", encoding="utf-8"):
            pass
        daemon = self.begin(STAND_IN_WAIT_WHILE=stone)
        answers = []
        thread = self.in_thread(lambda: answers.append(daemon.call("x", "stay", environment="development").status))
        wait_until(lambda: "held up" in daemon.logs("x"), "the call to run")
        before = self.pid(daemon, "entry")
        self.assertEqual(self.swapped(daemon, *self.services("a", STAND_IN_WAIT_WHILE=stone)), ["entry"])
        self.good(daemon)
        self.assertTrue(is_alive(before))
        # Again, beside the first that still drains.
        self.assertEqual(self.swapped(daemon, *self.services("b", STAND_IN_WAIT_WHILE=stone)), ["entry"])
        self.assertTrue(is_alive(before))
        os.unlink(stone)
        thread.join(60)
        self.assertEqual(answers, [200])
        self.assert_ended([before])
        self.settled(daemon)

    def test_what_takes_a_deployment(self):
        daemon = self.begin()
        before = [self.pid(daemon, name) for name in ("entry", "other")]
        entry, other = self.services("a")
        code = "FAILED_PRECONDITION"
        self.refused(self.swap(daemon, dict(entry, concurrency=2), other), 400, code, "'entry' calls other Chainlets")
        self.refused(self.swap(daemon, dict(entry, dependencies=[]), other), 400, code, "'entry' calls other Chainlets")
        self.refused(self.swap(daemon, entry, dict(other, interface="00")), 400, code, "'other' has another interface")
        self.refused(self.swap(daemon, dict(entry, dependencies=[])), 400, code, "1 services, not 2")
        self.refused(self.swap(daemon, other, entry), 400, code, "another Chainlet is the entrypoint")
        self.refused(self.swap(daemon, dict(entry, dependencies=["new"]), dict(other, name="new")), 400, code, "'entry'")
        self.refused(self.swap(daemon, entry, other, environment="production"), 404, "NOT_FOUND", "no environment")
        daemon.deployed("x", entry, other)
        self.refused(self.swap(daemon, entry, other, environment="production"), 400, "INVALID_ARGUMENT", "deploy it")
        self.refused(daemon.change("POST", "/api/v1/chains/y/environments/development/swap", {}), 404, "NOT_FOUND",
                     "no chain 'y'")
        self.refused(self.swap(daemon, dict(entry, binary="entry"), other), 400, "INVALID_ARGUMENT", "absolute path")
        answer = daemon.change("POST", "/api/v1/chains/x/environments/development/swap", {
            "chain": "z", "entrypoint": "entry", "services": [entry, other]})
        self.refused(answer, 400, "INVALID_ARGUMENT", "services of 'z', not of 'x'")
        self.assertEqual(daemon.change("GET", "/api/v1/chains/x/environments/development/swap").status, 405)
        self.assertEqual([self.pid(daemon, name) for name in ("entry", "other")], before)

    def test_a_version_of_two_environments_stays_as_it_is(self):
        daemon = self.begin()
        self.assertEqual(self.swapped(daemon, *self.services("a")), ["entry"])
        self.assertEqual(daemon.change_environment("x", "promote", version="1").status, 200)
        pids = daemon.pids("x")
        self.assertIn("entry.1", [self.runs(pid) for pid in pids])
        self.refused(self.swap(daemon, *self.services("b")), 400, "FAILED_PRECONDITION", "one of 'production' as well")
        self.assertEqual(daemon.pids("x"), pids)
        # One that is deployed is another version, which can be swapped again.
        daemon.deployed("x", *self.services("b"), environment="development", swappable=True)
        self.assertEqual(self.swapped(daemon, *self.services("c")), ["entry"])
        self.assertEqual((self.programs(daemon), self.programs(daemon, 2)),
                         (["entry", "entry.1", "other"], ["entry", "entry.1", "other"]))

    def test_a_version_that_was_deployed_to_stay(self):
        daemon = self.begin()
        daemon.deployed("x", *self.services("a"), environment="development")
        self.refused(self.swap(daemon, *self.services("b")), 400, "FAILED_PRECONDITION", "not deployed to be swapped")
        self.assertEqual(daemon.change_environment("x", "rollback", "development").status, 200)
        self.assertEqual(self.swapped(daemon, *self.services("b")), ["entry"])

    def test_one_that_does_not_start(self):
        trap = self.home.file("trap")
        daemon = self.begin(STAND_IN_FAIL_IF=trap)
        before = self.pid(daemon, "entry")
        with open(trap, "w", encoding="utf-8"):
            pass
        with Load(daemon, 2, path=CALL) as load:
            for number in range(3):
                answer = self.swap(daemon, *self.services(str(number), STAND_IN_FAIL_IF=trap)).json()
                self.assertEqual((answer["state"], answer["chainlet"]), ("failed", "entry"), answer)
                self.assertIn("it does not start: exit status 3", answer["message"])
                load.go_on()
            self.assertIn("not while there is", daemon.logs("x"))
            self.assertEqual((self.pid(daemon, "entry"), self.stored(daemon)["entry"]), (before, "entry"))
            self.assertEqual(self.programs(daemon), ["entry", "other"])
            os.unlink(trap)
            self.assertEqual(self.swapped(daemon, *self.services("3", STAND_IN_FAIL_IF=trap)), ["entry"])
            load.go_on()
        self.assertEqual(load.bad(), [])
        entry, other = self.services("4", STAND_IN_FAIL_IF=trap)
        answer = self.swap(daemon, dict(entry, binary=self.home.file("nothing")), other).json()
        self.assertEqual((answer["state"], answer["chainlet"]), ("failed", "entry"))
        self.assertIn("cannot copy its program", answer["message"])
        self.assert_ended([before])

    def test_one_that_has_failed_is_mended(self):
        daemon = self.begin()

        def failed():
            daemon.call("x", "die", environment="development")
            return daemon.chain("x", "development")["state"] == "failed"
        wait_until(failed, "it to have died too often")
        self.assertEqual(daemon.call("x", "mark", environment="development").status, 503)
        self.assertEqual(self.swapped(daemon, *self.services("mended")), ["entry"])
        for _ in range(3):
            self.good(daemon)
        self.assertEqual(daemon.chain("x", "development")["state"], "ready")
        self.settled(daemon)

    def hang(self, **more):
        """A daemon, and a swap of both whose new processes don't become ready; gives it with the file that holds
        them up and the services."""
        stone = self.home.file("stone")
        daemon = self.begin(STAND_IN_START_WHILE=stone, **more)
        with open(stone, "w", encoding="utf-8"):
            pass
        return daemon, stone, self.services("a", "b", STAND_IN_START_WHILE=stone, **more)

    def starting(self, daemon):
        wait_until(lambda: len(children(daemon.keeper())) == 5, "the new processes to start")

    def begin_swap(self, daemon, *services):
        """Asks for a swap by a connection that can leave."""
        with open(daemon.home_file("token"), encoding="utf-8") as token:
            key = token.read().strip()
        client = daemon.dial()
        body = json.dumps({"chain": "x", "entrypoint": "entry", "services": services}).encode()
        client.sendall(b"POST /api/v1/chains/x/environments/development/swap HTTP/1.1\r\nHost: localhost\r\n"
                       b"Content-Type: application/json\r\nAuthorization: Bearer " + key.encode() +
                       b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        return client

    def test_a_client_that_leaves_takes_it_back(self):
        daemon, stone, services = self.hang()
        before = [self.pid_of_ready(daemon, name) for name in ("entry", "other")]
        client = self.begin_swap(daemon, *services)
        self.starting(daemon)
        self.refused(self.swap(daemon, *services), 409, "ABORTED", "being swapped already")
        client.close()
        self.settled(daemon)
        self.assertEqual([self.pid_of_ready(daemon, name) for name in ("entry", "other")], before)
        os.unlink(stone)
        self.assertEqual(self.swapped(daemon, *services), ["entry", "other"])

    def test_what_was_taken_back_is_copied_over_nothing(self):
        """A copy that goes on after its swap was taken back has a place of its own."""
        daemon = self.begin()
        slow = self.home.file("slow")
        os.mkfifo(slow)  # its reader waits until somebody writes
        entry, other = self.services("b")
        client = self.begin_swap(daemon, dict(entry, binary=slow), other)
        # What can't be swapped is told apart once there is something under way.
        wait_until(lambda: self.swap(daemon, dict(entry, concurrency=2), other).status == 409, "the swap to have begun")
        client.close()
        wait_until(lambda: self.swap(daemon, entry, other).status == 200, "the next one, once that was taken back")
        program = self.runs(self.pid(daemon, "entry"))
        with open(slow, "wb"):
            # The version ends when nothing of it is being copied any more.
            daemon.deployed("x", *self.services("c"), environment="development")
            sockets = os.path.dirname(daemon.socket("x", "entry", environment="development", version=1))
            wait_until(lambda: not os.path.exists(sockets), "version 1 to have ended")
        with open(daemon.home_file("chains", "x", "1", program), "rb") as copy, open(STAND_IN, "rb") as original:
            self.assertEqual(copy.read(), original.read() + b"b")
        self.assertEqual(daemon.change_environment("x", "rollback", "development").status, 200)
        self.good(daemon)

    def pid_of_ready(self, daemon, name):
        chainlets = {c["name"]: c for c in daemon.chain("x", "development")["chainlets"]}
        return next(r["pid"] for r in chainlets[name]["replicas"] if r["state"] == "ready")

    def test_a_deployment_takes_its_place(self):
        daemon, stone, services = self.hang()
        answers = []
        thread = self.in_thread(lambda: answers.append(self.swap(daemon, *services)))
        self.starting(daemon)
        os.unlink(stone)
        # Whichever is first: it is swapped and then deployed, or given up.
        daemon.deployed("x", *self.services("c", STAND_IN_SLOTS=3), environment="development")
        thread.join(60)
        self.assertIn(answers[0].status, (200, 409), answers[0].body)
        self.assertEqual(daemon.chain("x", "development")["version"], 2)
        self.settled(daemon)
        self.good(daemon)

    def test_deleting_and_stopping_end_it(self):
        daemon, _, services = self.hang()
        answers = []
        thread = self.in_thread(lambda: answers.append(self.swap(daemon, *services)))
        self.starting(daemon)
        self.assertEqual(daemon.change("DELETE", "/api/v1/chains/x/environments/development").status, 200)
        thread.join(60)
        self.refused(answers[0], 409, "ABORTED", "given up")
        self.settled(daemon, 1)

    def test_a_brain_killed_before_they_are_ready(self):
        daemon, stone, services = self.hang()
        before = [self.pid_of_ready(daemon, name) for name in ("entry", "other")]
        self.in_thread(lambda: self.swap(daemon, *services))
        self.starting(daemon)
        daemon.kill_brain()
        self.settled(daemon)
        self.await_ready(daemon)
        self.assertEqual([self.pid(daemon, name) for name in ("entry", "other")], before)
        self.assertEqual(self.programs(daemon), ["entry", "other"])
        self.good(daemon)
        os.unlink(stone)
        self.assertEqual(self.swapped(daemon, *services), ["entry", "other"])

    def test_a_brain_killed_while_the_old_one_drains(self):
        stone = self.home.file("stone")
        with open(stone, "w", encoding="utf-8"):
            pass
        daemon = self.begin(STAND_IN_WAIT_WHILE=stone)
        before, answers = self.pid(daemon, "entry"), []
        path = daemon.socket("x", "entry", environment="development")
        thread = self.in_thread(lambda: answers.append(call_socket(path, "stay").status))
        wait_until(lambda: "held up" in daemon.logs("x"), "the call to run")
        self.assertEqual(self.swapped(daemon, *self.services("a", STAND_IN_WAIT_WHILE=stone)), ["entry"])
        after = self.pid(daemon, "entry")
        daemon.kill_brain()
        self.await_ready(daemon)
        self.assertEqual(self.pid(daemon, "entry"), after)
        self.assertTrue(is_alive(before))
        self.assertEqual(self.swapped(daemon, *self.services("b", STAND_IN_WAIT_WHILE=stone)), ["entry"])
        os.unlink(stone)
        thread.join(60)
        self.assertEqual(answers, [200])
        self.assert_ended([before, after])

    def test_a_brain_killed_at_any_moment(self):
        daemon = self.begin()
        for number in range(12):
            services = self.services(str(number), str(number))
            thread = self.in_thread(lambda services=services: self.swap(daemon, *services))
            thread.join(number * 0.004)  # the later the further it has come
            daemon.kill_brain()
            thread.join(60)
            self.await_ready(daemon)
            self.settled(daemon)
            stored = self.stored(daemon)
            self.assertEqual({name: self.runs(self.pid(daemon, name)) for name in stored}, stored)
            self.assertEqual(stored["entry"].partition(".")[2], stored["other"].partition(".")[2])
            self.assertEqual(self.programs(daemon), sorted({"entry", "other", *stored.values()}))
            self.good(daemon)
        self.assertEqual(self.swapped(daemon, *self.services("last", "last")), ["entry", "other"])

    def test_assets_stay(self):
        path = self.home.file("words.txt")
        with open(path, "wb") as file:
            file.write(b"moon sun")
        more = {"assets": [{"url": "file://" + path, "sha256": hashlib.sha256(b"moon sun").hexdigest(), "path": "words"}]}
        daemon = self.begin(**more)
        os.unlink(path)
        for number in range(3):
            self.assertEqual(self.swapped(daemon, *self.services(str(number), **more)), ["entry"])
            report = daemon.call("x", "report", environment="development").json()
            with open(os.path.join(report["environment"]["CHAINS_ASSETS_DIR"], "words"), encoding="utf-8") as file:
                self.assertEqual(file.read(), "moon sun")
        daemon.kill_brain()
        self.await_ready(daemon)
        self.assertEqual(self.runs(self.pid(daemon, "entry")), "entry.3")

    def test_both_killed(self):
        daemon = self.begin()
        self.assertEqual(self.swapped(daemon, *self.services("a")), ["entry"])
        daemon.kill_both()
        again = self.start()
        self.await_ready(again)
        self.assertEqual((self.runs(self.pid(again, "entry")), self.runs(self.pid(again, "other"))),
                         ("entry.1", "other"))
        self.good(again)
        os.kill(self.pid(again, "entry"), signal.SIGKILL)
        wait_until(lambda: again.call("x", "mark", environment="development").status == 200, "another process")
        self.await_ready(again)
        self.assertEqual(self.runs(self.pid(again, "entry")), "entry.1")
        self.assertEqual(self.swapped(again, *self.services("b")), ["entry"])
        self.assertEqual(self.runs(self.pid(again, "entry")), "entry.2")


if __name__ == "__main__":
    unittest.main(verbosity=2)
