"""A daemon whose state is in PostgreSQL: what it keeps, and what becomes of it when the server, or it, is killed."""
import concurrent.futures
import json
import os
import shutil
import threading
import unittest

from chains_testing import Home, wait_until
from daemon_testing import CHAINSD, Daemon, service
from postgres_testing import Server, programs
from requests_testing import RequestsTest

if not programs():
    print("there is no PostgreSQL here")
    raise SystemExit(77)


class OnPostgres(RequestsTest):
    server = None

    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def setUp(self):
        super().setUp()
        name = f"test_{id(self)}"
        self.server.sql(f"CREATE DATABASE {name}")
        self.url = self.server.url(name)
        self.home.env["CHAINS_STATE"] = self.url
        self.database = name

    def sql(self, text):
        return self.server.sql(text, self.database).strip()

    def break_connections(self):
        self.server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                        f"'{self.database}' AND pid <> pg_backend_pid()")

    def look(self, daemon, number):
        """While the server is away, what is in it can't be read."""
        return wait_until(lambda: daemon.ask("GET", f"/requests/{number}").status != 503
                          and super(OnPostgres, self).look(daemon, number), "the state to be there again")

    def other_home(self):
        home = Home()
        self.addCleanup(home.close)
        home.env["CHAINS_STATE"] = self.url
        os.makedirs(home.env["CHAINS_HOME"], mode=0o700)
        return home

    def other_daemon(self, home, **options):
        daemon = Daemon(home, **options)
        self.daemons.append(daemon)
        return daemon


class Keeping(OnPostgres):
    def test_nothing_is_lost(self):
        daemon = self.begin()
        self.assertFalse(os.path.exists(daemon.home_file("state.db")))
        done = self.hand_over(daemon, "echo moon")
        self.assertEqual(self.ended(daemon, done)["result"], "moon")
        running = self.hand_over(daemon, "wait")
        self.running(daemon, running)
        waiting = self.hand_over(daemon, "echo later")
        before = daemon.pids("a")
        daemon.kill_brain()
        wait_until(daemon.find_address, "the next brain's address")
        self.assertEqual(daemon.pids("a"), before)
        self.assertEqual(self.look(daemon, done)["result"], "moon")
        self.assertEqual(daemon.change("DELETE", f"/requests/{running}").status, 200)
        self.assertEqual(self.ended(daemon, waiting)["result"], "later")
        daemon.kill_both()
        daemon = self.start()
        self.assertEqual(self.look(daemon, done)["result"], "moon")
        self.assertEqual(self.look(daemon, waiting)["result"], "later")
        wait_until(lambda: daemon.call("a", "echo again").status == 200, "the chain to answer")
        self.assertEqual(list(daemon.versions("a")), [1])
        daemon.deployed("a", service("a"))
        self.assertEqual(list(daemon.versions("a")), [2, 1])
        self.assertEqual(self.sql("SELECT count(*) FROM versions"), "2")

    def test_the_password_stays_with_the_daemon(self):
        daemon = self.begin()
        self.assertNotIn("CHAINS_STATE", daemon.call("a", "report").json()["environment"])

    def test_keys_and_secrets_go_with_the_state_and_its_key(self):
        daemon = self.begin()
        self.assertEqual(daemon.change("PUT", "/api/v1/secrets/moon", {"value": "round"}).status, 200)
        with_secret = service("b", secrets=["moon"])
        daemon.deployed("b", with_secret)
        self.assertEqual(daemon.stop(), 0)
        other = self.other_home()
        shutil.copytree(daemon.home_file("chains"), os.path.join(other.env["CHAINS_HOME"], "chains"))
        moved = self.other_daemon(other)
        self.refused(moved.begin("b", with_secret), 400, "FAILED_PRECONDITION", "secret.key, with which secrets were sealed")
        self.assertEqual(moved.stop(), 0)
        shutil.copy(daemon.home_file("secret.key"), moved.home_file("secret.key"))
        moved = self.other_daemon(other)
        moved.deployed("b", with_secret)
        self.assertIn("round", moved.call("b", "secrets").body.decode())


class Server_(OnPostgres):
    def test_it_is_killed_in_mid_write(self):
        daemon = self.begin()
        taken, stop = [], threading.Event()

        def hand_over(number):
            if stop.is_set():
                return
            answer = daemon.ask("POST", "/chains/a/production/async_run_remote", json.dumps({"input": f"echo {number}"}))
            self.assertIn(answer.status, (202, 503), answer.body)
            if answer.status == 202:
                taken.append((number, answer.json()["request_id"]))

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(hand_over, number) for number in range(2000)]
            for round_ in range(3):
                wait_until(lambda round_=round_: len(taken) > 30 * (round_ + 1), "some to be taken")
                self.server.kill()
                self.server.start()
            wait_until(lambda: len(taken) > 150, "some more to be taken")
            stop.set()
            for one in asked:
                one.result()
        for number, request in taken:
            self.assertEqual(self.ended(daemon, request)["result"], str(number))
        # Nor is any there twice.
        self.assertEqual(self.sql("SELECT count(*) - count(DISTINCT input) FROM (SELECT result AS input FROM "
                                  "request_results) AS r"), "0")

    def test_it_is_away_for_a_while(self):
        daemon = self.begin()
        self.server.stop()
        try:
            self.assertEqual(daemon.call("a", "echo calls go on").status, 200)
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                accepted = pool.submit(self.hand_over, daemon, "echo waited")
                answer = daemon.change("GET", "/requests")
                self.refused(answer, 503, "UNAVAILABLE", "cannot")
                self.server.start()
                self.assertEqual(self.ended(daemon, accepted.result())["result"], "waited")
        finally:
            if self.server.process.poll() is not None:
                self.server.start()

    def test_it_is_away_for_long(self):
        daemon = self.begin()
        self.server.stop()
        try:
            answer = daemon.ask("POST", "/chains/a/production/async_run_remote", json.dumps({"input": "echo x"}))
            self.refused(answer, 503, "UNAVAILABLE", "cannot")
            self.assertEqual(daemon.call("a", "echo calls go on").status, 200)
        finally:
            self.server.start()
        wait_until(lambda: daemon.ask("POST", "/chains/a/production/async_run_remote",
                                      json.dumps({"input": "echo x"})).status == 202, "changes to be kept again")


class Two(OnPostgres):
    def test_the_second_waits_for_its_turn(self):
        daemon = self.begin()
        second = self.other_daemon(self.other_home(), wait=False)
        wait_until(lambda: "another chainsd has the state in postgresql://" in second.said(), "it to say so")
        self.assertIsNone(second.process.poll())
        self.assertEqual(daemon.stop(), 0)
        wait_until(second.find_address, "the second to serve")

    def test_who_lost_its_place_ends(self):
        daemon = self.begin()
        home = self.other_home()
        shutil.copytree(daemon.home_file("chains"), os.path.join(home.env["CHAINS_HOME"], "chains"))
        before = daemon.brain()
        self.break_connections()
        second = self.other_daemon(home)
        self.assertEqual(second.call("a", "echo x").status, 200)
        self.in_thread(lambda: daemon.change("DELETE", "/api/v1/chains/a"))
        wait_until(lambda: "this brain ends: " in daemon.said(), "the first to know")
        wait_until(lambda: daemon.brain() != before, "its brain to end")
        self.assertEqual(second.call("a", "echo x").status, 200)
        daemon.process.kill()  # it would wait for its turn
        daemon.process.wait(60)


class Settings(OnPostgres):
    def said_by(self, **settings):
        env = {key: value for key, value in self.home.env.items() if not key.startswith("CHAINS_STATE")}
        self.home.env = dict(env, **settings)
        daemon = self.start(wait=False)
        self.assertEqual(daemon.process.wait(60), 1)
        return daemon.said()

    def test_a_file_holds_it(self):
        path = self.home.file("state-url")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.url + "\n")
        del self.home.env["CHAINS_STATE"]
        self.home.env["CHAINS_STATE_FILE"] = path
        self.begin()
        self.assertEqual(self.sql("SELECT count(*) FROM versions"), "1")

    def test_bad_ones(self):
        self.assertIn("CHAINS_STATE and CHAINS_STATE_FILE are both set",
                      self.said_by(CHAINS_STATE=self.url, CHAINS_STATE_FILE="/x"))
        self.assertIn("CHAINS_STATE_FILE: cannot read /nowhere: No such file",
                      self.said_by(CHAINS_STATE_FILE="/nowhere"))
        said = self.said_by(CHAINS_STATE="mysql://u:s3cret@h/x")
        self.assertIn("what CHAINS_STATE says is no URL of a PostgreSQL database", said)
        self.assertNotIn("s3cret", said)


if __name__ == "__main__":
    assert CHAINSD
    unittest.main()
