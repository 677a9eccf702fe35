"""Asynchronous requests with the real daemon: what is accepted is run and told of, whatever is killed."""
import concurrent.futures
import fcntl
import http.client
import json
import os
import random
import signal
import subprocess
import threading
import unittest

from chains_testing import CHAINS, SOURCE, wait_until
from daemon_testing import service
from requests_testing import RequestsTest


class Kills(RequestsTest):
    COUNT, CHAINS = 1000, "abcd"

    def setUp(self):
        super().setUp()
        self.over = threading.Event()

    def kill_meanwhile(self, accepted):
        """Kills replicas, the courier, and the daemon in every way, sixteen times while requests are accepted."""
        for i in range(16):
            wait_until(lambda i=i: len(accepted) > 30 + 60 * i, "more requests", 120)
            daemon = self.daemons[-1]
            pids = [pid for name in self.CHAINS for pid in self.try_pids(name)]
            if i in (3, 11):
                daemon.kill_brain()
            elif i == 7:
                daemon.kill_both()
                self.assert_ended(pids)
                wait_until(lambda d=daemon: self.is_unlocked(d), "what was just being started to end, too")
                self.start()
            elif i == 15:
                daemon.kill_keeper()
            elif i % 4 == 1:
                self.kill(wait_until(daemon.home.courier_pid, "a courier"))
            else:
                for pid in pids:
                    self.kill(pid)

    def is_unlocked(self, daemon):
        with open(daemon.home_file("pid"), "r+b") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
            return True

    def kill(self, pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def try_pids(self, name):
        try:
            return [pid for pid in self.daemons[-1].pids(name) if pid]
        except OSError:
            return []

    def hand_over_many(self, inputs, url, accepted):
        """Hands inputs over, each until it is accepted; one whose answer was lost is handed over again."""
        for text in inputs:
            body = json.dumps({"input": text, "webhook": url})
            path = f"/chains/{random.choice(self.CHAINS)}/production/async_run_remote"
            while not self.over.is_set():
                try:
                    answer = self.daemons[-1].ask("POST", path, body)
                except (OSError, http.client.HTTPException):
                    continue
                if answer.status == 202:
                    accepted[answer.json()["request_id"]] = text
                    break

    def test_what_was_accepted_survives(self):
        receiver = self.receiver()
        receiver.refuse = lambda headers: 503 if random.random() < 0.1 else 0
        daemon = self.start()
        for name in self.CHAINS:
            daemon.deployed(name, service(name))
        key = self.key(daemon)
        accepted = {}
        self.addCleanup(self.over.set)
        texts = [f"echo {i}" for i in range(self.COUNT)]
        threads = [threading.Thread(target=self.hand_over_many,
                                    args=(texts[i::4], receiver.url, accepted)) for i in range(4)]
        for thread in threads:
            thread.start()
        self.kill_meanwhile(accepted)
        for thread in threads:
            thread.join()
        self.assertEqual(len(accepted), self.COUNT)
        daemon = self.daemons[-1]
        wait_until(lambda: all(number in receiver.told for number in accepted),
                   "every request to be told of", 120)
        wait_until(lambda: not daemon.change("GET", "/requests?status=QUEUED&limit=1").json() and
                   not daemon.change("GET", "/requests?status=RUNNING&limit=1").json(), "all to have ended")
        for number, text in accepted.items():
            for headers, body in receiver.told[number]:
                self.verify(key, headers, body)
                request = json.loads(body)
                self.assertEqual((request["request_id"], request["status"], request["result"]),
                                 (number, "SUCCEEDED", text[len("echo "):]))


class Order(RequestsTest):
    def test_priorities(self):
        daemon = self.begin()
        first = self.hand_over(daemon, "wait")
        self.running(daemon, first)
        numbers = [self.hand_over(daemon, "sleep 5", priority=priority) for priority in (5, 0, 9, 5, 1)]
        self.assertEqual({self.look(daemon, number)["status"] for number in numbers}, {"QUEUED"})
        self.assertEqual(daemon.ask("DELETE", f"/requests/{first}").json()["status"], "CANCELLED")
        started = [self.ended(daemon, number)["started_at"] for number in numbers]
        self.assertEqual(sorted(range(5), key=lambda i: (started[i], i)), [1, 4, 0, 3, 2])

    def test_expiry(self):
        daemon = self.begin()
        first = self.hand_over(daemon, "wait")
        self.running(daemon, first)
        hasty = self.hand_over(daemon, "echo x", max_time_in_queue_s=0.2)
        patient = self.hand_over(daemon, "echo y", max_time_in_queue_s=600)
        request = self.ended(daemon, hasty)
        self.assertEqual((request["status"], request["attempts"], request["error"]["status"]),
                         ("EXPIRED", 0, "DEADLINE_EXCEEDED"))
        daemon.ask("DELETE", f"/requests/{first}")
        self.assertEqual(self.ended(daemon, patient)["result"], "y")

    def test_cancelling(self):
        daemon = self.begin()
        receiver = self.receiver()
        first = self.hand_over(daemon, "wait", webhook=receiver.url)
        self.running(daemon, first)
        second = self.hand_over(daemon, "echo x")
        request = daemon.ask("DELETE", f"/requests/{second}").json()
        self.assertEqual((request["status"], request["attempts"]), ("CANCELLED", 0))
        request = daemon.ask("DELETE", f"/requests/{first}").json()
        self.assertEqual((request["status"], request["attempts"]), ("CANCELLED", 1))
        wait_until(lambda: "the caller has left" in daemon.logs("a"), "the callee to be told")
        wait_until(receiver.count, "the webhook")
        self.assertEqual(json.loads(receiver.told[first][0][1])["status"], "CANCELLED")
        again = daemon.ask("DELETE", f"/requests/{first}")
        self.assertEqual((again.status, again.error()["status"]), (400, "FAILED_PRECONDITION"))
        self.assertEqual(self.ended(daemon, self.hand_over(daemon, "echo z"))["result"], "z")
        self.assertEqual(self.look(daemon, second)["status"], "CANCELLED")


class Failures(RequestsTest):
    def test_retries(self):
        daemon = self.begin()
        path = self.home.file("broken")
        with open(path, "w", encoding="utf-8"):
            pass
        number = self.hand_over(daemon, f"fail {path}", retries=9)
        request = wait_until(lambda: (request := self.look(daemon, number))["error"] and request,
                             "a first failure")
        self.assertEqual((request["status"], request["error"]["status"]), ("QUEUED", "UNAVAILABLE"))
        self.assertEqual(self.ended(daemon, self.hand_over(daemon, f"fail {path}"))["status"], "FAILED")
        os.unlink(path)
        request = self.ended(daemon, number)
        self.assertEqual((request["status"], request["error"]), ("SUCCEEDED", None))
        self.assertGreater(request["attempts"], 1)

    def test_a_killed_replica(self):
        daemon = self.begin()
        number = self.hand_over(daemon, "wait")
        self.running(daemon, number)
        before = daemon.pids("a")[0]
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: self.look(daemon, number)["losses"] == 1, "the loss to be noticed")
        wait_until(lambda: self.look(daemon, number)["status"] == "RUNNING", "another attempt")
        self.assertEqual(daemon.ask("DELETE", f"/requests/{number}").status, 200)

    def test_an_attempt_takes_too_long(self):
        daemon = self.begin()
        number = self.hand_over(daemon, "wait", {"X-Chains-Timeout-Ms": "100"})
        request = self.ended(daemon, number)
        self.assertEqual((request["status"], request["error"]["status"]), ("FAILED", "DEADLINE_EXCEEDED"))

    def test_a_deleted_chain(self):
        daemon = self.start()
        daemon.deployed("a", service("a", drain_timeout_s=0.1))
        first = self.hand_over(daemon, "wait")
        self.running(daemon, first)
        second = self.hand_over(daemon, "echo x")
        self.assertEqual(daemon.change("DELETE", "/api/v1/chains/a").status, 200)
        for number in first, second:
            self.assertEqual(daemon.ask("GET", f"/requests/{number}").status, 404)

    def test_environments_and_versions(self):
        daemon = self.begin()
        version = daemon.chain("a")["version"]
        for where in "production", f"versions/{version}":
            answer = daemon.ask("POST", f"/chains/a/{where}/async_run_remote", '{"input": "echo x"}')
            self.assertEqual(answer.status, 202, answer.body)
            request = self.ended(daemon, answer.json()["request_id"])
            self.assertEqual((request["result"], request["environment"]), ("x", where.split("/")[0]))
        self.assertEqual(
            daemon.ask("POST", "/chains/a/versions/v99/async_run_remote", "{}").error()["status"],
            "FAILED_PRECONDITION")

    def test_an_orderly_end_keeps_what_waits(self):
        daemon = self.begin()
        first = self.hand_over(daemon, "sleep 300")
        numbers = [self.hand_over(daemon, f"echo {i}") for i in range(5)]
        wait_until(lambda: self.look(daemon, first)["status"] == "RUNNING", "the first to run")
        self.assertEqual(daemon.stop(), 0)
        daemon = self.start()
        self.assertEqual(self.look(daemon, first)["losses"], 0)  # it was answered before the end
        for i, number in enumerate(numbers):
            self.assertEqual(self.ended(daemon, number)["result"], str(i))

    def test_results_go_when_they_were_kept_long_enough(self):
        daemon = self.begin()
        number = self.hand_over(daemon, "echo x")
        self.ended(daemon, number)
        daemon.stop()
        daemon = self.start(flags=["--keep-results", "1"])
        self.assertEqual(self.look(daemon, number)["result"], "x")
        daemon.stop()
        daemon = self.start(flags=["--keep-results=0"])
        wait_until(lambda: daemon.ask("GET", f"/requests/{number}").status == 404, "the purge")


class Canaries(RequestsTest):
    """A version that is tried gets its share of them, too."""

    def marks(self, daemon, count):
        numbers = [self.hand_over(daemon, "mark") for _ in range(count)]
        return [self.ended(daemon, number)["result"]["mark"] for number in numbers]

    def test_its_share(self):
        daemon = self.start()
        daemon.deployed("a", service("a", STAND_IN_MARK="old"))
        daemon.deployed("a", service("a", STAND_IN_MARK="new"), canary={"percent": 25, "minutes": 60})
        marks = self.marks(daemon, 40)
        self.assertEqual((marks.count("new"), marks.count("old")), (10, 30))
        canary = daemon.chain("a")["canary"]
        self.assertEqual((canary["new_version"]["calls"], canary["old_version"]["calls"]), (10, 30))
        # Calls of the front door count with them.
        self.assertEqual(daemon.call("a", "mark").status, 200)
        sides = daemon.chain("a")["canary"]
        self.assertEqual(sides["new_version"]["calls"] + sides["old_version"]["calls"], 41)
        # One Chainlet's own, and those of a version, go where they say.
        for where in "production/chainlets/a", "versions/1":
            for _ in range(8):
                answer = daemon.ask("POST", f"/chains/a/{where}/async_run_remote", '{"input": "mark"}')
                self.assertEqual(self.ended(daemon, answer.json()["request_id"])["result"]["mark"], "old")
        self.assertEqual(daemon.chain("a")["canary"], sides)

    def test_its_failures_end_it(self):
        daemon = self.start()
        daemon.deployed("a", service("a", STAND_IN_MARK="old", STAND_IN_SLOTS=8))
        daemon.deployed("a", service("a", STAND_IN_STATUS=503, STAND_IN_SLOTS=8), canary={"percent": 50, "minutes": 60})
        numbers = [self.hand_over(daemon, "mark", retries=20) for _ in range(60)]
        wait_until(lambda: daemon.chain("a")["canary"] is None, "the new version to be given up")
        self.assertIn("calls failed", daemon.events("a")[-1][1])
        for number in numbers:
            self.assertEqual(self.ended(daemon, number)["status"], "SUCCEEDED")


class Keys(RequestsTest):
    def test_whose_request_it_is(self):
        daemon = self.begin()
        first = self.hand_over(daemon, "echo x")
        self.assertIsNone(self.ended(daemon, first)["key"])
        key = daemon.change("POST", "/api/v1/keys", {"scope": "call"}).json()
        said = {"Authorization": "Bearer " + key["key"]}
        second = self.hand_over(daemon, "echo y", said)
        request = wait_until(lambda: (r := daemon.ask("GET", f"/requests/{second}", None, said).json())["ended_at"] and r,
                             "its end")
        self.assertEqual((request["key"], request["result"]), (key["id"], "y"))
        self.assertNotIn(key["key"], json.dumps(request))
        self.assertIn(f"key       {key['id']}", self.home.good("requests", second))
        listed = daemon.change("GET", "/requests").json()
        self.assertEqual([r["key"] for r in listed], [key["id"], None])
        with_token = json.loads(self.home.good("call", "a", "--async", "--input", '"echo z"', "--json"))["request_id"]
        self.assertIsNone(json.loads(self.home.good("requests", with_token, "--json"))["key"])


class Webhooks(RequestsTest):
    def test_openssl_verifies(self):
        daemon = self.begin()
        receiver = self.receiver()
        number = self.hand_over(daemon, "echo x", webhook=receiver.url)
        wait_until(receiver.count, "the webhook")
        headers, body = receiver.told[number][0]
        stamp, signature = headers["X-Chains-Signature"].split(",")
        with open(self.home.file("body"), "wb") as file:
            file.write(body)
        command = "{ printf '%s.' \"$TIME\"; cat body; } | " \
            "openssl dgst -sha256 -hmac \"$(cat \"$CHAINS_HOME/webhook.key\")\""
        with open(os.path.join(SOURCE, "docs", "daemon.md"), encoding="utf-8") as docs:
            self.assertIn(command, docs.read())
        said = subprocess.run(["sh", "-c", command], env=dict(self.home.env, TIME=stamp[2:]), cwd=self.home.path,
                              check=True, capture_output=True, text=True).stdout
        self.assertEqual(said.split()[-1], signature[3:])

    def test_a_receiver_that_comes_late(self):
        daemon = self.begin()
        receiver = self.receiver()
        refused = []
        receiver.refuse = lambda headers: refused.append(headers) or (500 if len(refused) < 3 else 0)
        number = self.hand_over(daemon, "echo x", webhook=receiver.url)
        request = wait_until(lambda: (request := self.look(daemon, number))["webhook_status"] == "DELIVERED"
                             and request, "the webhook")
        self.assertEqual((request["webhook_attempts"], request["webhook_error"]), (3, None))
        self.assertEqual({headers["X-Request-Id"] for headers, _ in receiver.told[number]}, {number})


class SentAgain(RequestsTest):
    MINE = {"X-Request-Id": "mine"}

    def test_it_is_the_same_request(self):
        daemon = self.begin()
        first = self.hand_over(daemon, "wait", self.MINE)
        self.running(daemon, first)
        second = self.hand_over(daemon, "report", {"X-Request-Id": "yours"})
        for _ in range(2):
            self.assertEqual(self.hand_over(daemon, "wait", self.MINE), first)
            self.assertEqual(self.hand_over(daemon, "report", {"X-Request-Id": "yours"}), second)
            daemon.kill_both()
            daemon = self.start()
        daemon.ask("DELETE", f"/requests/{first}")
        self.assertEqual(self.ended(daemon, second)["status"], "SUCCEEDED")
        self.assertEqual(self.hand_over(daemon, "wait", self.MINE), first)
        self.assertEqual(len(daemon.change("GET", "/requests").json()), 2)

    def test_many_at_once(self):
        daemon = self.begin()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            numbers = list(pool.map(lambda _: self.hand_over(daemon, "report", self.MINE), range(16)))
        self.assertEqual(len(set(numbers)), 1)

    def test_something_else_is_refused(self):
        daemon = self.begin()
        first = self.hand_over(daemon, "report", self.MINE)
        body, path = json.dumps({"input": "report"}), "/chains/a/production/async_run_remote"
        for where, sent, more in ((path, json.dumps({"input": "other"}), {}), (path, body + " ", {}),
                                  (path, body, {"X-Chains-Timeout-Ms": "60000"}),
                                  ("/chains/a/production/chainlets/a/async_run_remote", body, {}),
                                  ("/chains/a/versions/1/async_run_remote", body, {})):
            answer = daemon.ask("POST", where, sent, {**self.MINE, **more})
            self.assertEqual((answer.status, answer.error()["status"]), (409, "ALREADY_EXISTS"), answer.body)
            self.assertIn(first, answer.error()["message"])
        # Ids that aren't taken as such are none.
        for headers in ({}, {"X-Request-Id": "x" * 1000}):
            numbers = {self.hand_over(daemon, "report", headers) for _ in range(2)}
            self.assertEqual(len(numbers), 2)


class Hostile(RequestsTest):
    def test_bodies(self):
        daemon = self.begin()
        path = "/chains/a/production/async_run_remote"
        cases = {
            "": "", "{": "", "[]": "", "7": "", '"x"': "", '{"input": }': "", '{"input": {"a": 1}': "",
            '{"priority": -1}': "priority", '{"priority": 1001}': "priority", '{"priority": 0.5}': "priority",
            '{"retries": -1}': "retries", '{"retries": 101}': "retries", '{"retries": "1"}': "retries",
            '{"max_time_in_queue_s": -1}': "max_time_in_queue_s",
            '{"max_time_in_queue_s": 1e999}': "max_time_in_queue_s",
            '{"webhook": 7}': "webhook", '{"webhook": ""}': "webhook", '{"webhook": "x"}': "webhook",
            '{"webhook": "ftp://x/"}': "webhook", '{"webhook": "file:///etc/passwd"}': "webhook",
            '{"webhook": "http://x/\\r\\nHost: y"}': "webhook",
            '{"webhook": "http://' + "x" * 3000 + '"}': "webhook",
            '{"input": 1, "input": 2}': "input", '{"input": ' + "[" * 10000 + "]" * 10000 + "}": "",
        }
        for body, part in cases.items():
            answer = daemon.ask("POST", path, body)
            self.assertEqual((answer.status, answer.error()["status"]), (400, "INVALID_ARGUMENT"), body[:80])
            self.assertIn(part, answer.error()["message"])
        answer = daemon.ask("POST", path, "{}", {"X-Chains-Timeout-Ms": "soon"})
        self.assertEqual(answer.status, 400)
        self.assertEqual(daemon.change("GET", "/requests").json(), [])

    def test_too_large(self):
        daemon = self.start()
        daemon.deployed("a", service("a", max_body=100000))
        path = "/chains/a/production/async_run_remote"
        answer = daemon.ask("POST", path, json.dumps({"input": "x" * 200000}))
        self.assertEqual(answer.status, 413)
        number = self.hand_over(daemon, "x" * 90000)
        self.assertEqual(self.ended(daemon, number)["result"]["size"], 90002)
        self.assertEqual(self.ended(daemon, self.hand_over(daemon, "big 100000"))["error"]["status"], "INTERNAL")

    def test_what_is_not_there(self):
        daemon = self.begin()
        for method in "GET", "DELETE":
            for number in "x", "0" * 32, "%2e%2e", "a'b", "x" * 5000:
                answer = daemon.ask(method, f"/requests/{number}")
                self.assertEqual((answer.status, answer.error()["status"]), (404, "NOT_FOUND"), number[:40])
        self.assertEqual(daemon.ask("GET", "/requests/x/y").status, 404)
        self.assertEqual(daemon.ask("POST", "/requests/x").status, 405)
        self.assertEqual(daemon.change("POST", "/requests").status, 405)
        self.assertEqual(daemon.ask("GET", "/chains/a/production/async_run_remote").status, 405)
        self.assertEqual(daemon.ask("POST", "/chains/b/production/async_run_remote", "{}").status, 404)
        self.assertEqual(daemon.ask("POST", "/chains/a/staging/async_run_remote", "{}").status, 404)
        self.assertEqual(
            daemon.ask("POST", "/chains/a/production/chainlets/b/async_run_remote", "{}").status, 404)
        self.assertEqual(daemon.ask("GET", "/requests").status, 401)  # a list tells ids

    def test_a_damaged_state(self):
        daemon = self.begin()
        self.assertEqual(daemon.stop(), 0)
        with open(daemon.home_file("state.db"), "r+b") as state:
            state.write(b"x" * 4096)
        daemon = self.start(wait=False)
        self.assertEqual(daemon.process.wait(60), 1)  # before anything runs
        with open(self.home.file("said"), encoding="utf-8") as said:
            self.assertIn("state.db is damaged", said.read())

    def test_pages(self):
        daemon = self.start()
        for name in "a", "b":
            daemon.deployed(name, service(name))
        numbers = [self.hand_over(daemon, f"echo {i}", chain="ab"[i % 2]) for i in range(25)]
        for number in numbers:
            self.ended(daemon, number)

        def pages(query):
            seen, before = [], ""
            while page := daemon.change("GET", f"/requests?limit=4{query}{before}").json():
                seen += [request["request_id"] for request in page]
                before = f"&before={seen[-1]}"
                self.assertTrue(all(request["result"] is None for request in page))
            return seen
        self.assertEqual(pages(""), numbers[::-1])
        self.assertEqual(pages("&chain=b"), numbers[1::2][::-1])
        self.assertEqual(pages("&status=SUCCEEDED&chain=a"), numbers[::2][::-1])
        self.assertEqual(pages("&status=FAILED"), [])
        for query in "status=x", "limit=0", "limit=1001", "limit=x", "limit=":
            self.assertEqual(daemon.change("GET", f"/requests?{query}").status, 400, query)
        self.assertEqual(daemon.change("GET", "/requests?before=x").status, 404)


class Verbs(RequestsTest):
    def test_from_call_to_result(self):
        self.begin()
        number = self.home.good("call", "a", "--async", "--input", '"echo x"', "--priority", "3").strip()
        self.assertRegex(number, "^[0-9a-f]{32}$")
        shown = self.home.good("requests", number, "--watch")
        self.assertIn("SUCCEEDED", shown)
        self.assertIn('"x"', shown)
        request = json.loads(self.home.good("requests", number, "--json"))
        self.assertEqual((request["result"], request["priority"]), ("x", 3))
        self.assertIn(number, self.home.good("requests", "--status", "SUCCEEDED", "--chain", "a"))
        self.assertEqual(json.loads(self.home.good("requests", "--json", "--status", "FAILED")), [])
        answer = json.loads(self.home.good("call", "a", "--async", "--input", '"wait"', "--json"))
        cancelled = self.home.good("requests", "--cancel", answer["request_id"])
        self.assertIn("CANCELLED", cancelled)
        self.assertEqual(self.home.chains("requests", answer["request_id"], "--watch").returncode, 1)

    def test_usage(self):
        for words in (["call", "a", "--webhook", "http://x"], ["call", "a", "--async", "--stream"],
                      ["call", "a", "--async", "--priority", "1001"], ["call", "a", "--retries", "1"],
                      ["requests", "--watch"], ["requests", "--cancel"], ["requests", "a/b"],
                      ["requests", "--limit", "0"], ["requests", "x", "--status", "QUEUED"]):
            done = self.home.chains(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
        done = subprocess.run([CHAINS, "serve", "--keep-results", "soon"], env=self.home.env,
                              capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--keep-results", done.stderr)


if __name__ == "__main__":
    unittest.main()
