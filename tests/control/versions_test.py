"""Versions and environments: which version answers which calls, while they change and after any death of the brain."""
import contextlib
import http.client
import json
import os
import signal
import sqlite3
import threading
import time
import unittest

from chains_testing import children, is_alive, wait_until
from daemon_testing import DaemonTest, call_socket, service

CALL = "/chains/x/production/run_remote"


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


class VersionsTest(DaemonTest):
    def entry(self, mark, **more):
        return service("entry", STAND_IN_MARK=mark, **more)

    def mark(self, daemon, **where):
        answer = daemon.call("x", "mark", **where)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()["mark"]

    def good(self, answer):
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def programs(self, daemon):
        return sorted(os.listdir(daemon.home_file("chains", "x")), key=int)

    def state(self, daemon, sql):
        """What the state says, read as people do."""
        with contextlib.closing(sqlite3.connect(f"file:{daemon.home_file('state.db')}?mode=ro", uri=True)) as state:
            return state.execute(sql).fetchall()


class Load:
    """Calls without pause, half of the clients on connections that they keep, half on new ones."""

    def __init__(self, daemon, clients=8, text="mark", path=CALL):
        self.daemon, self.text, self.path = daemon, text, path
        self.answers, self.stop = [], threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(i % 2 == 0,)) for i in range(clients)]

    def work(self, keeps):
        connection = None
        while not self.stop.is_set():
            connection = connection or http.client.HTTPConnection(self.daemon.address, timeout=60)
            try:
                connection.request("POST", self.path, self.text)
                answer = connection.getresponse()
                self.answers.append((answer.status, answer.read()))
            except (OSError, http.client.HTTPException) as error:
                self.answers.append((0, repr(error)))
                connection.close()
                connection = None
                continue
            if not keeps:
                connection.close()
                connection = None
        if connection:
            connection.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)

    def go_on(self, calls=20):
        """Waits for so many more answers."""
        seen = len(self.answers)
        wait_until(lambda: len(self.answers) >= seen + calls, "calls to go on")

    def bad(self):
        return [answer for answer in self.answers if answer[0] != 200]


class Versions(VersionsTest):
    def test_twenty_updates_under_load_lose_no_call(self):
        daemon = self.start()
        two = [service("entry", "other", STAND_IN_SLOTS=2, STAND_IN_MARK=0), service("other")]
        daemon.deployed("x", *two)
        with Load(daemon) as fast, Load(daemon, 2, "sleep 5") as slow:
            for mark in range(1, 21):
                two[0] = service("entry", "other", STAND_IN_SLOTS=2, STAND_IN_MARK=mark)
                daemon.deployed("x", *two)
                fast.go_on()
                slow.go_on(2)
        self.assertEqual((fast.bad(), slow.bad()), ([], []))
        self.assertEqual({json.loads(body)["mark"] for _, body in fast.answers}, {str(i) for i in range(21)})
        print(f"{len(fast.answers) + len(slow.answers)} calls in 20 updates, none failed")

    def test_names_and_lists(self):
        daemon = self.start()
        digest = "9f3c1a" + "0" * 58
        daemon.deployed("x", self.entry("one"), source_digest=digest, interface="00112233445566aa", created_by="ada")
        answer = daemon.begin("x", self.entry("two"), source_digest=digest)
        accepted = answer.json()
        self.assertEqual((accepted["environment"], accepted["version"]), ("production", 2))
        self.assertEqual(accepted["version_id"], "v0002-9f3c1a")
        wait_until(lambda: daemon.chain("x")["version"] == 2, "the second version")
        one, two = daemon.versions("x")[1], daemon.versions("x")[2]
        self.assertEqual((one["id"], one["created_by"], one["interface"], one["source_digest"]),
                         ("v0001-9f3c1a", "ada", "00112233445566aa", digest))
        self.assertEqual((one["environments"], two["environments"]), ([], ["production"]))
        self.assertEqual((one["state"], one["kept"], two["state"], two["kept"]), ("ready", True) * 2)
        chain = daemon.chain("x")
        self.assertEqual((chain["version_id"], chain["previous_version_id"]), ("v0002-9f3c1a", "v0001-9f3c1a"))
        self.assertEqual([kind for kind, _ in daemon.events("x")], ["deployed", "promoted"] * 2)

    def test_environments_side_by_side(self):
        daemon = self.start()
        daemon.deployed("x", self.entry("live"))
        daemon.deployed("x", self.entry("new"), environment="staging")
        self.assertEqual(self.mark(daemon), "live")
        self.assertEqual(self.mark(daemon, environment="staging"), "new")
        report = daemon.call("x", "report", environment="staging").json()
        self.assertEqual(report["environment"]["CHAINS_ENVIRONMENT"], "staging")
        listed = daemon.ask("GET", "/api/v1/chains/x/environments").json()
        self.assertEqual([(c["environment"], c["version"]) for c in listed], [("production", 1), ("staging", 2)])
        self.refused(daemon.call("x", environment="none"), 404, "NOT_FOUND", "it has: production, staging")
        # Promoted, it runs in production as well, with processes of that environment.
        self.good(daemon.change_environment("x", "promote", version="v2"))
        self.assertEqual(self.mark(daemon), "new")
        promoted = daemon.call("x", "report").json()
        self.assertEqual(promoted["environment"]["CHAINS_ENVIRONMENT"], "production")
        self.assertNotEqual(promoted["pid"], report["pid"])
        self.assertEqual(daemon.versions("x")[2]["environments"], ["production", "staging"])
        pids = daemon.pids("x")
        self.good(daemon.change("DELETE", "/api/v1/chains/x/environments/staging"))
        self.assert_ended([report["pid"]])
        self.assertEqual(daemon.call("x", environment="staging").status, 404)
        self.assertEqual(os.listdir(daemon.home_file("run", "x")), ["production"])
        self.assertEqual(daemon.pids("x"), pids)
        self.refused(daemon.change("DELETE", "/api/v1/chains/x/environments/staging"), 404, "NOT_FOUND", "staging")

    def test_calls_by_version(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", "other", STAND_IN_MARK="one"), service("other", STAND_IN_MARK="in"))
        daemon.deployed("x", self.entry("two"), environment="staging")
        for name in ("1", "v1", "v0001", daemon.versions("x")[1]["id"]):
            self.assertEqual(self.mark(daemon, version=name), "one", name)
        self.assertEqual(self.mark(daemon, version="1", chainlet="other"), "in")
        self.assertEqual(self.mark(daemon, version="2"), "two")
        self.assertEqual(daemon.ask("GET", "/chains/x/versions/2/openapi.json").json(), {"openapi": "3.1.0"})
        daemon.deployed("x", self.entry("three"))
        self.refused(daemon.call("x", version="1"), 400, "FAILED_PRECONDITION", "chains promote x 1 --environment")
        for name in ("7", "x", "v", "", "1x"):
            self.assertEqual(daemon.ask("POST", f"/chains/x/versions/{name}/run_remote").status, 404, name)
        self.assertEqual(daemon.ask("POST", "/chains/x/versions/run_remote").status, 404)

    def test_rollback_there_and_back(self):
        daemon = self.start()
        daemon.deployed("x", self.entry("one"))
        self.refused(daemon.change_environment("x", "rollback"), 400, "FAILED_PRECONDITION", "no previous version")
        daemon.deployed("x", self.entry("two"))
        with Load(daemon) as load:
            for mark in ("one", "two", "one"):
                chain = self.good(daemon.change_environment("x", "rollback"))
                self.assertEqual(chain["deployment"]["state"], "ready")
                self.assertEqual(self.mark(daemon), mark)
                load.go_on()
        self.assertEqual(load.bad(), [])
        self.assertEqual([kind for kind, _ in daemon.events("x")][-2:], ["rolling_back", "rolled_back"])

    def test_rollback_while_the_old_one_still_ends(self):
        daemon = self.start()
        stone = self.home.file("stone")
        with open(stone, "w", encoding="utf-8"):
            pass
        daemon.deployed("x", self.entry("one", STAND_IN_WAIT_WHILE=stone))
        thread = self.in_thread(lambda: daemon.call("x", "call NONE after"))
        wait_until(lambda: "held up" in daemon.logs("x"), "the call to run")
        old = daemon.pids("x")
        daemon.deployed("x", self.entry("two"))
        self.good(daemon.change_environment("x", "rollback"))
        self.assertEqual(self.mark(daemon), "one")
        self.assertTrue(is_alive(old[0]))
        self.assertNotEqual(daemon.pids("x"), old)
        daemon.kill_brain()  # which finds both
        self.assertEqual(self.mark(daemon), "one")
        os.unlink(stone)
        thread.join(60)
        self.assert_ended(old)
        wait_until(lambda: len(children(daemon.keeper())) == 2, "only the brain and one replica to be left")

    def test_what_cannot_be_promoted(self):
        daemon = self.start()
        daemon.deployed("x", self.entry("one"))
        version = daemon.deploy("x", service("entry", STAND_IN_FAIL="broken"))
        wait_until(lambda: daemon.chain("x")["deployment"]["state"] == "failed", "it to fail")
        self.refused(daemon.change_environment("x", "promote", version=str(version)), 400, "FAILED_PRECONDITION",
                     "has failed: entry: it does not start")
        self.refused(daemon.change_environment("x", "promote", version="9"), 404, "NOT_FOUND", "no version '9'")
        self.refused(daemon.change_environment("x", "promote", environment="versions", version="1"), 400,
                     "INVALID_ARGUMENT", "a part of paths")
        self.refused(daemon.change_environment("y", "promote", version="1"), 404, "NOT_FOUND", "no chain 'y'")
        self.assertEqual(daemon.ask("GET", "/api/v1/chains/x/environments/new").status, 404)
        failed = daemon.versions("x")[version]
        self.assertEqual((failed["state"], failed["kept"]), ("failed", False))
        self.assertIn("it does not start", failed["message"])
        self.assertEqual(self.mark(daemon), "one")
        wait_until(lambda: self.programs(daemon) == ["1"], "its programs to go")

    def test_the_latest_word_counts(self):
        daemon = self.start()
        daemon.deployed("x", self.entry("one"))
        daemon.deployed("x", self.entry("two"))
        stuck = daemon.deploy("x", service("entry", STAND_IN_NEVER_READY=1))
        self.good(daemon.change_environment("x", "promote", version="1"))
        self.assertEqual(self.mark(daemon), "one")
        self.assertEqual(daemon.versions("x")[stuck]["state"], "failed")
        daemon.deploy("x", service("entry", STAND_IN_NEVER_READY=1))
        self.good(daemon.change_environment("x", "rollback"))  # of what is starting
        self.assertEqual(self.mark(daemon), "one")
        daemon.deploy("x", service("entry", STAND_IN_NEVER_READY=1), environment="new")
        self.refused(daemon.change_environment("x", "rollback", "new"), 400, "FAILED_PRECONDITION", "first version")
        self.good(daemon.change("DELETE", "/api/v1/chains/x/environments/new"))
        self.assertEqual(daemon.chain("x")["deployment"]["state"], "ready")
        wait_until(lambda: len(children(daemon.keeper())) == 2, "what was given up to end")

    def test_two_promoting_at_once(self):
        daemon = self.start()
        for mark in ("1", "2", "3"):
            daemon.deployed("x", self.entry(mark))
        for _ in range(5):
            answers, start = {}, threading.Barrier(2)

            def promote(version):
                start.wait()
                answers[version] = daemon.change_environment("x", "promote", version=version)
            threads = [threading.Thread(target=promote, args=(version,)) for version in ("1", "2")]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            won = [version for version, answer in answers.items() if answer.status == 200]
            self.assertTrue(won, answers)
            for answer in answers.values():
                if answer.status != 200:
                    self.refused(answer, 409, "ABORTED", "another change of 'production' has taken its place")
            self.assertIn(self.mark(daemon), won)
            self.assertEqual(str(daemon.chain("x")["version"]), self.mark(daemon))
            self.good(daemon.change_environment("x", "promote", version="3"))

    def test_kept_versions_are_bounded(self):
        daemon = self.start()
        daemon.deployed("x", self.entry("1"))
        daemon.deployed("x", self.entry("2"), environment="old")
        for mark in range(3, 14):
            daemon.deployed("x", self.entry(mark))
        # Ten of them, and what an environment has.
        wait_until(lambda: self.programs(daemon) == ["2"] + [str(i) for i in range(4, 14)], "old programs to go")
        self.refused(daemon.change_environment("x", "promote", version="1"), 400, "FAILED_PRECONDITION",
                     "no longer kept")
        self.good(daemon.change_environment("x", "promote", version="2"))
        self.refused(daemon.change("DELETE", "/api/v1/chains/x/versions/2"), 400, "FAILED_PRECONDITION",
                     "refers to version")
        self.good(daemon.change("DELETE", "/api/v1/chains/x/versions/v7"))
        self.assertNotIn(7, daemon.versions("x"))
        self.assertNotIn("7", self.programs(daemon))
        self.assertEqual(daemon.stop(), 0)
        again = self.start()
        self.assertEqual((self.mark(again), self.mark(again, environment="old")), ("2", "2"))
        self.assertEqual(self.programs(again), ["2"] + [str(i) for i in range(4, 14) if i != 7])

    def test_deleting_leaves_events(self):
        daemon = self.start()
        daemon.deployed("x", self.entry("one"))
        daemon.deployed("x", self.entry("two"), environment="staging")
        daemon.deploy("x", service("entry", STAND_IN_NEVER_READY=1), environment="third")
        self.good(daemon.change("DELETE", "/api/v1/chains/x"))
        self.assertEqual(len(children(daemon.keeper())), 1)
        for kind in ("chains", "run", "logs"):
            self.assertFalse(os.path.exists(daemon.home_file(kind, "x")))
        for table in ("chains", "versions", "environments", "transitions"):
            self.assertEqual(self.state(daemon, f"SELECT * FROM {table}"), [], table)
        self.assertEqual(daemon.events("x")[-1], ("deleted", "'x' is deleted"))
        daemon.deployed("x", self.entry("anew"))
        self.assertEqual(daemon.chain("x")["version"], 1)

    def test_many_deployments_leave_nothing_behind(self):
        """So many as CHAINS_TEST_DEPLOYS says; `make chaos` makes 1,000."""
        daemon = self.start()
        count = int(os.environ.get("CHAINS_TEST_DEPLOYS", "50"))
        first = max(count // 4, 12)  # until as many versions are kept as ever will be

        def settled():
            return len(children(daemon.keeper())) == 2 and os.listdir(daemon.home_file("run", "x", "production"))

        def deploy(numbers):
            for number in numbers:
                daemon.deployed("x", self.entry(number))
            wait_until(lambda: settled() == [str(number)], "old versions to end")
            wait_until(lambda: len(self.programs(daemon)) == 10, "old programs to go")
            return used()

        def used():
            pids = daemon.keeper(), daemon.brain()
            return ([len(os.listdir(f"/proc/{pid}/fd")) for pid in pids], [resident_kib(pid) for pid in pids],
                    sum(len(names) for _, _, names in os.walk(daemon.home.env["CHAINS_HOME"])))
        before = deploy(range(1, first + 1))
        after = deploy(range(first + 1, count + 1))
        print(f"{first} and {count} deployments: descriptors {before[0]}, {after[0]}; KiB {before[1]}, {after[1]}; "
              f"files {before[2]}, {after[2]}; state {os.path.getsize(daemon.home_file('state.db')) >> 10} KiB")
        wait_until(lambda: used()[0][0] == before[0][0], "the keeper's descriptors to be as before")
        wait_until(lambda: used()[0][1] <= before[0][1] + 1, "the brain's connections to close")
        self.assertEqual(after[2], before[2])
        self.assertLessEqual(len(daemon.versions("x")), 200)
        if not os.environ.get("CHAINS_TEST_SANITIZE"):  # which keeps what was freed
            for then, now in zip(before[1], after[1]):
                self.assertLess(now, then + 4096)


class Canaries(VersionsTest):
    # However slow a machine makes some calls, that is no reason to roll back: what is slow has a test of its own.
    CANARY = {"percent": 25, "minutes": 0.02, "max_error_rate_increase": 0.05, "max_p99_ratio": 1000}

    def kinds(self, daemon):
        return [kind for kind, _ in daemon.events("x")]

    def test_a_good_one_is_promoted(self):
        daemon = self.start()
        daemon.deployed("x", self.entry("old"))
        with Load(daemon) as load:
            daemon.deployed("x", self.entry("new"), canary=self.CANARY)
            wait_until(lambda: daemon.chain("x")["version"] == 2, "it to be promoted")
            load.go_on()
        self.assertEqual(load.bad(), [])
        self.assertEqual(self.kinds(daemon)[-2:], ["canary_began", "promoted"])
        self.assertIn("p99", daemon.events("x")[-1][1])

    def test_its_share_is_exact(self):
        daemon = self.start()
        daemon.deployed("x", self.entry("old"))
        daemon.deployed("x", self.entry("new"), canary=dict(self.CANARY, minutes=60))
        marks = [self.mark(daemon) for _ in range(40)]
        self.assertEqual(marks, (["old"] * 3 + ["new"]) * 10)
        self.assertEqual({self.mark(daemon, chainlet="entry") for _ in range(8)}, {"old"})
        self.assertEqual(self.mark(daemon, version="2"), "new")
        chain = daemon.chain("x")
        self.assertEqual((chain["version"], chain["deployment"]["state"]), (1, "trying"))
        canary = chain["canary"]
        self.assertEqual((canary["old_version"]["calls"], canary["new_version"]["calls"]), (30, 10))
        daemon.kill_brain()
        self.assertEqual(daemon.chain("x")["canary"]["percent"], 25)
        self.good(daemon.change_environment("x", "promote", version="2"))
        self.assertEqual({self.mark(daemon) for _ in range(8)}, {"new"})
        self.assertEqual(daemon.chain("x")["canary"], None)

    def test_a_bad_one_is_rolled_back(self):
        daemon = self.start()
        daemon.deployed("x", self.entry("old"))
        with Load(daemon, 4) as load:
            daemon.deployed("x", self.entry("new", STAND_IN_STATUS=500), canary=dict(self.CANARY, minutes=0.2))
            wait_until(lambda: "canary_rolled_back" in self.kinds(daemon), "it to be rolled back")
            wait_until(lambda: daemon.chain("x")["canary"] is None, "the end of that")
            load.go_on()
            seen = len(load.answers)
            load.go_on()
        self.assertEqual([answer for answer in load.answers[seen:] if answer[0] != 200], [])
        self.assertTrue(load.bad())
        self.assertIn("calls failed", daemon.events("x")[-1][1])
        self.assertEqual((daemon.chain("x")["version"], self.mark(daemon)), (1, "old"))
        self.assertEqual(daemon.versions("x")[2]["state"], "ready")
        self.assertIn("as a canary it was given up in 'production': ", daemon.versions("x")[2]["message"])
        wait_until(lambda: len(children(daemon.keeper())) == 2, "it to end")

    def test_a_slow_one_is_rolled_back(self):
        daemon = self.start()
        daemon.deployed("x", self.entry("old", STAND_IN_SLOTS=8))
        with Load(daemon) as load:
            daemon.deployed("x", self.entry("new", STAND_IN_SLOTS=8, STAND_IN_DELAY_MS=100),
                            canary=dict(self.CANARY, percent=50, minutes=1, max_p99_ratio=2))
            wait_until(lambda: "canary_rolled_back" in self.kinds(daemon), "it to be rolled back", 60)
        self.assertEqual(load.bad(), [])
        self.assertIn("its p99 is", daemon.events("x")[-1][1])
        self.assertEqual(daemon.chain("x")["version"], 1)

    def test_by_hand(self):
        daemon = self.start()
        daemon.deployed("x", self.entry("old"))
        daemon.deployed("x", self.entry("new"), canary=dict(self.CANARY, minutes=60))
        self.good(daemon.change_environment("x", "rollback"))
        self.assertEqual({self.mark(daemon) for _ in range(8)}, {"old"})
        self.assertEqual(self.kinds(daemon)[-2:], ["canary_ended", "rolled_back"])
        # It was ready: it can be tried again, and another deployment takes its place.
        chain = self.good(daemon.change_environment("x", "promote", version="2", canary={"percent": 50, "minutes": 60}))
        self.assertEqual((chain["version"], chain["canary"]["percent"]), (1, 50))
        self.assertEqual({self.mark(daemon) for _ in range(8)}, {"old", "new"})
        daemon.deployed("x", self.entry("newest"))
        self.assertEqual({self.mark(daemon) for _ in range(8)}, {"newest"})
        self.assertEqual(daemon.chain("x")["canary"], None)

    def test_one_that_dies_is_rolled_back_without_calls(self):
        daemon = self.start()
        stone = self.home.file("stone")
        daemon.deployed("x", self.entry("old"))
        daemon.deployed("x", self.entry("new", STAND_IN_FAIL_IF=stone), canary=dict(self.CANARY, minutes=1))
        with open(stone, "w", encoding="utf-8"):
            pass
        os.kill(daemon.chain("x")["deployment"]["chainlets"][0]["replicas"][0]["pid"], signal.SIGKILL)
        wait_until(lambda: "canary_rolled_back" in self.kinds(daemon), "it to be rolled back", 60)
        self.assertIn("its Chainlet 'entry' has failed: exit status 3", daemon.events("x")[-1][1])
        self.assertEqual(self.mark(daemon), "old")

    def test_the_first_version_is_not_tried(self):
        daemon = self.start()
        daemon.deployed("x", self.entry("first"), canary=dict(self.CANARY, minutes=60))
        self.assertEqual((self.mark(daemon), daemon.chain("x")["canary"]), ("first", None))


class Deaths(VersionsTest):
    """The brain is killed between any two steps; another one goes on from what was durable."""

    def kill_when(self, daemon, condition):
        """Kills the brain as soon as the condition holds, and returns when another one is there."""
        end = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), end, "the step never came")
        daemon.kill_brain()

    def answering(self, daemon):
        """The number of the version that answers: soon the same wherever one looks."""
        def look():
            row = self.state(daemon, "SELECT number FROM environments JOIN versions ON id = version "
                             "WHERE name = 'production'")[0][0]
            return row if row == daemon.chain("x")["version"] == int(self.mark(daemon)) else None
        return wait_until(look, "the state, the API and calls to agree")

    def steps(self, daemon, old, new):
        """What can be seen of the steps from one version to the other, in their order."""
        said = len(daemon.said())
        last = self.state(daemon, "SELECT max(id) FROM events")[0][0]

        def says(words):
            return lambda: words in daemon.said()[said:]

        def row(sql):
            return lambda: self.state(daemon, sql) != []
        return {
            "nothing yet": lambda: True,
            "accepted": row(f"SELECT 1 FROM events WHERE id > {last}"),
            "starting": says(f"x version {new}: copying -> starting"),
            "ready": says(f"x version {new}: starting -> running"),
            "switched": row("SELECT 1 FROM environments JOIN versions ON id = version "
                            f"WHERE name = 'production' AND number = {new}"),
            "switched in memory": says("x production: starting -> settled"),
            "the old one stops": says(f"x version {old}: running -> stopping"),
            "the old one has stopped": says(f"x version {old}: stopping -> stopped"),
        }

    def check_steps(self, daemon, change, old, new, back):
        """Kills at each step of `change`, which leads from one version to the other; `back` undoes it."""
        for step in self.steps(daemon, old(), new()):
            before, after = old(), new()
            condition = self.steps(daemon, before, after)[step]
            asking = self.in_thread(change)
            self.kill_when(daemon, condition)
            asking.join(60)  # else the next brain may accept what has only been sent, at any time
            self.assertFalse(asking.is_alive(), step)
            seen = self.answering(daemon)
            self.assertIn(seen, (before, after), step)
            if step != "nothing yet":
                wait_until(lambda after=after: self.answering(daemon) == after, f"what was accepted ({step})")
            wait_until(lambda: not self.state(daemon, "SELECT 1 FROM transitions"), "the end of the change")
            wait_until(lambda: len(children(daemon.keeper())) == 2, f"one replica to be left ({step})")
            wait_until(lambda: len(os.listdir(daemon.home_file("run", "x", "production"))) == 1, "its sockets alone")
            back()
            wait_until(lambda: len(children(daemon.keeper())) == 2, "one replica to be left")

    def test_promoting(self):
        daemon = self.start()
        daemon.deployed("x", self.entry("1"))
        daemon.deployed("x", self.entry("2"))
        self.check_steps(daemon, lambda: daemon.change_environment("x", "promote", version="1"), lambda: 2, lambda: 1,
                         lambda: self.good(daemon.change_environment("x", "promote", version="2")))

    def test_rolling_back(self):
        daemon = self.start()
        daemon.deployed("x", self.entry("1"))
        daemon.deployed("x", self.entry("2"))
        self.check_steps(daemon, lambda: daemon.change_environment("x", "rollback"), lambda: 2, lambda: 1,
                         lambda: self.good(daemon.change_environment("x", "promote", version="2")))

    def test_deploying(self):
        daemon = self.start()
        daemon.deployed("x", self.entry("1"))
        last = [1]

        def deploy():
            daemon.begin("x", self.entry(str(last[0] + 1)))

        def note():
            last[0] = max(daemon.versions("x"))
            self.assertEqual(self.answering(daemon), last[0])
        self.check_steps(daemon, deploy, lambda: last[0], lambda: last[0] + 1, note)

    def test_a_canary(self):
        daemon = self.start()
        daemon.deployed("x", self.entry("1"))
        canary = dict(Canaries.CANARY, minutes=0.01)

        def happened(kind, times):
            return lambda: self.state(daemon, f"SELECT count(*) FROM events WHERE kind = '{kind}'")[0][0] == times
        self.in_thread(lambda: daemon.begin("x", self.entry("2"), canary=canary))
        self.kill_when(daemon, happened("canary_began", 1))
        wait_until(lambda: daemon.chain("x")["version"] == 2, "it to be promoted")
        self.assertEqual(self.answering(daemon), 2)
        # A bad one: whether it is killed before or after the verdict is durable, the old one answers in the end.
        with Load(daemon, 2):
            self.in_thread(lambda: daemon.begin("x", self.entry("3", STAND_IN_STATUS=500), canary=dict(canary, minutes=1)))
            self.kill_when(daemon, happened("canary_began", 2))
            self.kill_when(daemon, happened("canary_rolled_back", 1))
        self.assertEqual(self.answering(daemon), 2)
        wait_until(lambda: len(children(daemon.keeper())) == 2, "the bad one to end")

    def test_rolling_back_to_one_that_still_ends(self):
        daemon = self.start()
        stone = self.home.file("stone")
        with open(stone, "w", encoding="utf-8"):
            pass
        daemon.deployed("x", self.entry("1", STAND_IN_WAIT_WHILE=stone))
        self.in_thread(lambda: daemon.call("x", "call NONE after"))
        wait_until(lambda: "held up" in daemon.logs("x"), "the call to run")
        old = daemon.pids("x")
        path = daemon.socket("x", "entry")
        answers = []
        thread = threading.Thread(target=lambda: answers.append(call_socket(path, "call NONE after").status))
        thread.start()
        wait_until(lambda: daemon.logs("x").count("held up") == 2, "a call that no brain knows of")
        daemon.deployed("x", self.entry("2"))
        steps = self.steps(daemon, 2, 1)
        self.in_thread(lambda: daemon.change_environment("x", "rollback"))
        self.kill_when(daemon, steps["accepted"])
        wait_until(lambda: self.answering(daemon) == 1, "what was accepted")
        self.assertTrue(is_alive(old[0]))
        self.assertNotEqual(daemon.pids("x"), old)
        os.unlink(stone)
        thread.join(60)
        self.assertEqual(answers, [500])  # there is nothing to call at NONE, and it was not cut
        self.assert_ended(old)
        wait_until(lambda: len(children(daemon.keeper())) == 2, "one replica to be left")

    def test_both_processes(self):
        daemon = self.start()
        stone = self.home.file("stone")
        with open(stone, "w", encoding="utf-8"):
            pass
        daemon.deployed("x", self.entry("1"))
        daemon.deploy("x", self.entry("2", STAND_IN_UNREADY_IF=stone))
        wait_until(lambda: "x version 2: copying -> starting" in daemon.said(), "it to be started")
        daemon.kill_both()
        again = self.start()
        self.assertEqual(self.mark(again), "1")
        os.unlink(stone)
        wait_until(lambda: self.answering(again) == 2, "what was accepted")

    def test_a_state_that_is_slow(self):
        daemon = self.start()
        daemon.deployed("x", self.entry("1"))
        state = sqlite3.connect(daemon.home_file("state.db"), timeout=60, isolation_level=None)
        self.addCleanup(state.close)
        # What can't be written at once is written later: whoever asked waits, and calls go on.
        state.execute("BEGIN IMMEDIATE")
        answers = []
        self.in_thread(lambda: answers.append(daemon.begin("x", self.entry("2")).status))
        self.assertEqual([self.mark(daemon) for _ in range(20)], ["1"] * 20)
        self.assertEqual(answers, [])
        state.execute("ROLLBACK")
        wait_until(lambda: self.answering(daemon) == 2, "the second version")
        self.assertEqual(answers, [202])

    def test_the_end_while_a_step_waits_for_the_disk(self):
        daemon = self.start()
        stone = self.home.file("stone")
        with open(stone, "w", encoding="utf-8"):
            pass
        daemon.deploy("x", self.entry("1", STAND_IN_START_WHILE=stone))
        state = sqlite3.connect(daemon.home_file("state.db"), timeout=60, isolation_level=None)
        self.addCleanup(state.close)
        state.execute("BEGIN IMMEDIATE")
        os.unlink(stone)
        wait_until(lambda: "x version 1: starting -> running" in daemon.said(), "the step that lets it answer")
        daemon.process.send_signal(signal.SIGTERM)
        # The step is made when what it is about has gone.
        wait_until(lambda: not os.path.exists(daemon.home_file("run", "x", "production", "1")), "the version to have ended")
        state.execute("ROLLBACK")
        self.assertEqual(daemon.process.wait(60), 0)
        self.assertEqual(self.state(daemon, "SELECT number FROM environments JOIN versions ON id = version"), [(1,)])
        self.assertEqual(self.answering(self.start()), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
