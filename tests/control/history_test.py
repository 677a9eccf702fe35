"""What happened to processes and to their number, as the state keeps it: whatever ends them, and whatever ends the daemon."""
import json
import os
import signal
import unittest

from chains_testing import wait_until
from daemon_testing import DaemonTest, scaling, service

QUICK = {"window_s": 0.2, "scale_down_delay_s": 0, "scale_to_zero_delay_s": 0}


class HistoryTest(DaemonTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start()

    def replicas(self, chainlet="entry", environment="production", query=""):
        """The newest first."""
        path = f"/api/v1/chains/x/environments/{environment}/chainlets/{chainlet}/replicas{query}"
        answer = self.daemon.ask("GET", path)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def until(self, look, what):
        return wait_until(lambda: look(self.replicas()), what)

    def ended(self, ending, **more):
        """Waits for the newest that ended, and looks at it."""
        found = self.until(lambda replicas: next((r for r in replicas if r["ended_at"]), None), "an end")
        self.assertEqual(found["ending"], ending, found)
        self.assertLessEqual(found["started_at"], found["ended_at"])
        for name, value in more.items():
            self.assertEqual(found[name], value, found)
        return found

    def stone(self, name="stone"):
        path = self.home.file(name)
        with open(path, "w", encoding="utf-8"):
            pass
        return path


class Replicas(HistoryTest):
    def test_from_start_to_drained_end(self):
        self.daemon.deployed("x", service("entry"))
        pid = self.daemon.pids("x")[0]
        first = self.until(lambda r: r and r[0]["ready_at"] and r, "it to be ready")[0]
        self.assertEqual((first["pid"], first["ended_at"], first["ending"], first["chainlet"], first["environment"]),
                         (pid, None, None, "entry", "production"))
        self.assertEqual(first["version"], self.daemon.chain("x")["version_id"])
        self.assertLessEqual(first["started_at"], first["ready_at"])
        self.daemon.deployed("x", service("entry"))
        gone = self.ended("drained", pid=pid, exit_status=0, signal=None, how="exit status 0")
        self.assertEqual((gone["id"], gone["ready_at"]), (first["id"], first["ready_at"]))
        self.assertEqual([r["version"] for r in self.replicas()], [self.daemon.chain("x")["version_id"], first["version"]])

    def test_killed_and_exited(self):
        self.daemon.deployed("x", service("entry"))
        pid = self.daemon.pids("x")[0]
        os.kill(pid, signal.SIGKILL)
        self.ended("killed", pid=pid, exit_status=None, signal=9)
        self.daemon.deploy("x", service("entry", STAND_IN_FAIL="no luck"))
        wait_until(lambda: self.daemon.chain("x")["deployment"]["state"] == "failed", "the failure")
        found = self.until(lambda r: [x for x in r if x["ending"] == "exited"] or None, "an exit")
        self.assertEqual((found[0]["exit_status"], found[0]["ready_at"]), (3, None))

    def test_stubborn_late_and_stalled(self):
        self.daemon.deployed("x", service("entry", STAND_IN_STUBBORN=1, drain_timeout_s=0.1))
        self.daemon.deployed("x", service("entry"))
        self.assertIn(".drain_timeout_s", self.ended("overdue", signal=9)["how"])
        self.daemon.deploy("x", service("entry", STAND_IN_NEVER_READY=1, start_timeout_s=0.1))
        wait_until(lambda: self.daemon.chain("x")["deployment"]["state"] == "failed", "the failure")
        late = self.until(lambda r: next((x for x in r if x["ending"] == "late"), None), "one that was late")
        self.assertEqual((late["ready_at"], late["how"]), (None, "not ready after 0.1 s (.start_timeout_s)"))
        stone = self.home.file("stone")
        self.daemon.deployed("x", service("entry", STAND_IN_STALLED_IF=stone, progress_timeout_s=1))
        self.stone()
        found = self.until(lambda r: next((x for x in r if x["ending"] == "stalled"), None), "one that stalled")
        self.assertEqual(found["signal"], 9)
        self.assertIn("stalled", found["how"])

    def test_what_could_not_be_started(self):
        path = self.home.file("no_program")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\x7fno program")
        os.chmod(path, 0o755)
        self.daemon.deploy("x", service("entry", binary=path))
        wait_until(lambda: self.daemon.chain("x")["deployment"]["state"] == "failed", "the failure")
        found = self.until(lambda r: len(r) == 3 and r, "three attempts")
        self.assertEqual({(r["ending"], r["pid"]) for r in found}, {("not_started", 0)})
        self.assertIn("cannot be run", found[0]["how"])

    def test_brains_go_on_with_it(self):
        self.daemon.deployed("x", service("entry"))
        first = self.until(lambda r: r and r[0]["ready_at"] and r, "it to be ready")
        self.daemon.kill_brain()
        wait_until(lambda: self.daemon.chain("x")["chainlets"][0]["state"] == "ready", "it to be picked up")
        self.assertEqual(self.replicas(), first)
        # What dies while no brain is there has an end all the same.
        self.daemon.begin_outage()
        os.kill(first[0]["pid"], signal.SIGKILL)
        self.daemon.end_outage()
        found = self.until(lambda r: len(r) == 2 and r[0]["ready_at"] and r, "another one")
        self.assertEqual((found[1]["id"], found[1]["ending"], found[1]["signal"]), (first[0]["id"], "killed", 9))
        # With the keeper goes whoever could say how.
        self.daemon.kill_keeper()
        found = self.until(lambda r: len(r) == 3 and r[0]["ready_at"] and r, "one of the next keeper")
        self.assertEqual(found[1]["ending"], "lost")
        self.assertEqual([r["ended_at"] is None for r in found], [True, False, False])
        os.kill(self.daemon.keeper(), signal.SIGTERM)
        wait_until(lambda: not os.path.exists(self.daemon.home_file("address")), "the daemon to end")

    def test_an_orderly_end_is_kept(self):
        self.daemon.deployed("x", service("entry"))
        self.assertEqual(self.daemon.stop(), 0)
        self.daemon = self.start()
        found = self.until(lambda r: len(r) == 2 and r, "the next one")
        self.assertEqual(found[1]["ending"], "drained")

    def test_pages_environments_and_what_is_not_there(self):
        for environment in ("production", "staging"):
            self.daemon.deployed("x", service("entry"), environment=environment)
        for _ in range(3):
            self.daemon.deployed("x", service("entry"))
        self.until(lambda r: len(r) == 4 and sum(x["ended_at"] is not None for x in r) == 3, "three to have ended")
        every = self.replicas()
        seen, before = [], ""
        while page := self.replicas(query=f"?limit=3{before}"):
            seen += page
            before = f"&before={seen[-1]['id']}"
        self.assertEqual(seen, every)
        self.assertEqual(len(self.replicas(environment="staging")), 1)
        self.assertEqual(self.daemon.ask("GET", "/api/v1/chains/x/chainlets/entry/replicas").json(), every)
        self.assertEqual(self.replicas("none"), [])
        self.assertEqual(self.daemon.ask("GET", "/api/v1/chains/y/chainlets/entry/replicas").status, 404)
        self.assertEqual(self.daemon.ask("DELETE", "/api/v1/chains/x/chainlets/entry/replicas").status, 405)

    def test_the_verb(self):
        self.daemon.deployed("x", service("entry"))
        os.kill(self.daemon.pids("x")[0], signal.SIGKILL)
        self.ended("killed")
        said = self.home.good("status", "x", "entry")
        self.assertRegex(said, r"\bkilled +killed by signal 9")
        self.assertEqual(json.loads(self.home.good("status", "x", "entry", "--json"))[-1]["signal"], 9)
        self.assertIn("entry", self.home.good("status", "x"))
        self.assertEqual([c["name"] for c in json.loads(self.home.good("status", "x", "--json"))], ["x"])
        one = json.loads(self.home.good("status", "x", "--environment", "production", "--json"))
        self.assertEqual(one["environment"], "production")
        for words, number in ((["x", "none"], 1), (["y"], 1), (["x", "--environment", "none"], 1),
                              (["x", "entry", "--environment", "none"], 1), (["a/b"], 2), (["x", "entry", "more"], 2),
                              (["--environment", "production"], 2)):
            done = self.home.chains("status", *words)
            self.assertEqual((done.returncode, done.stdout), (number, ""), words)


class Scaled(HistoryTest):
    def events(self, query=""):
        answer = self.daemon.ask("GET", f"/api/v1/chains/x/events?kind=scaled{query}")
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def at_zero(self):
        wait_until(lambda: self.daemon.chain("x")["chainlets"][0]["state"] == "at_zero", "it to be at zero")

    def test_changes_are_events(self):
        self.daemon.deployed("x", service("entry", "other", scaling=scaling(**QUICK)), service("other"))
        self.at_zero()
        self.assertEqual(self.daemon.call("x").status, 200)
        self.at_zero()
        found = wait_until(lambda: len(e := self.events()) >= 3 and e, "three changes")
        said = [(e["chainlet"], e["details"]["from"], e["details"]["to"], e["details"]["reason"]) for e in found]
        self.assertEqual(said[::-1][:3], [("entry", 1, 0, "idle"), ("entry", 0, 1, "woken"), ("entry", 1, 0, "idle")])
        self.assertEqual(found[0]["details"]["environment"], "production")
        self.assertEqual(found[0]["details"]["version"], self.daemon.chain("x")["version_id"])
        self.assertIn("no call for 0 s: 0 replicas, down from 1", found[0]["message"])
        # Nothing is written while nothing changes.
        self.daemon.kill_brain()
        self.at_zero()
        self.assertEqual(self.events(), found)
        self.assertEqual(self.events("&chainlet=other"), [])
        self.assertEqual(self.events(f"&before={found[0]['id']}&limit=1"), found[1:2])

    def test_many_at_once(self):
        services = [service(f"c{i}", scaling=scaling(max_replicas=2)) for i in range(40)]
        self.daemon.deployed("x", *services)
        for i in range(40):
            answer = self.daemon.change("PUT", f"/api/v1/chains/x/chainlets/c{i}/scaling", {"min_replicas": 2})
            self.assertEqual(answer.status, 200, answer.body)
        found = wait_until(lambda: len(e := self.events("&limit=1000")) == 40 and e, "all changes")
        self.assertEqual({e["chainlet"] for e in found}, {f"c{i}" for i in range(40)})
        self.assertEqual({(e["details"]["from"], e["details"]["to"], e["details"]["reason"]) for e in found},
                         {(1, 2, "bounds")})

    def test_the_verb(self):
        self.daemon.deployed("x", service("entry", scaling=scaling(**QUICK)))
        self.at_zero()
        wait_until(self.events, "the change")
        said = self.home.good("logs", "x", "--events").splitlines()
        self.assertEqual(sorted(line.split()[1] for line in said), ["deployed", "promoted", "scaled"])
        self.assertRegex("\n".join(said), r"scaled +entry: no call for 0 s")
        self.assertEqual(len(self.home.good("logs", "x", "entry", "--events").splitlines()), 1)
        self.assertEqual(len(json.loads(self.home.good("logs", "x", "--events", "--json", "--tail", "1"))), 1)
        self.assertEqual(self.home.good("logs", "none", "--events"), "")
        for words in (["x", "--events", "-f"], ["x", "--events", "--tail", "0"],
                      ["x", "--events", "--tail", "1001"], ["--events"]):
            self.assertEqual(self.home.chains("logs", *words).returncode, 2, words)


if __name__ == "__main__":
    unittest.main(verbosity=2)
