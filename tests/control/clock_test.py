"""People set their clock by hours while the daemon runs, or between two brains: nothing that waits, lasts or is kept notices."""
import datetime
import os
import signal
import struct
import threading
import unittest

from chains_testing import is_alive, wait_until
from daemon_testing import call_socket, is_busy, scaling, service
from requests_testing import RequestsTest

AHEAD, BACK = 30, -3  # hours: more than results are kept; before everything that the state knows


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


@unittest.skipIf(os.environ.get("CHAINS_TEST_SANITIZE"), "a sanitizer wants to be the first library")
class ClockTest(RequestsTest):
    def setUp(self):
        super().setUp()
        self.clock = self.home.file("clock")
        self.set_clock(0)
        self.home.env.update(LD_PRELOAD=os.environ["CHAINS_SET_CLOCK"], SET_CLOCK_FILE=self.clock)

    def set_clock(self, hours):
        """To so many hours ahead of the machine's."""
        with open(os.open(self.clock, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0) as file:
            file.write(struct.pack("=q", hours * 3600 * 10**9))

    def has_moved(self, daemon, number, before, hours):
        """Whether the times of a request are told by the clock as it is now."""
        moved = when(self.look(daemon, number)["created_at"]) - when(before)
        return abs(moved - datetime.timedelta(hours=hours)) < datetime.timedelta(seconds=1)


class Requests(ClockTest):
    def wait_over(self, hours, brains):
        """What waits when the clock is set runs as if nothing had happened."""
        daemon = self.begin()
        first = self.hand_over(daemon, "wait")
        self.running(daemon, first)
        numbers = [self.hand_over(daemon, f"echo {i}", max_time_in_queue_s=3600) for i in range(3)]
        before = self.look(daemon, numbers[0])["created_at"]
        self.set_clock(hours)
        if brains:
            daemon.kill_brain()
            self.assertTrue(self.has_moved(daemon, numbers[0], before, hours))
        numbers.append(self.hand_over(daemon, "echo 3", max_time_in_queue_s=3600))
        daemon.ask("DELETE", f"/requests/{first}")
        self.assertEqual([self.ended(daemon, number)["result"] for number in numbers], ["0", "1", "2", "3"])

    def test_what_waits_while_it_is_set_ahead(self):
        self.wait_over(AHEAD, False)

    def test_what_waits_while_it_is_set_back(self):
        self.wait_over(BACK, False)

    def test_what_waits_for_another_brain_ahead(self):
        self.wait_over(AHEAD, True)

    def test_what_waits_for_another_brain_back(self):
        self.wait_over(BACK, True)

    def test_retries_come_in_time(self):
        for hours in (AHEAD, BACK):
            with self.subTest(hours=hours):
                daemon = self.begin()
                path = self.home.file("broken")
                with open(path, "w", encoding="utf-8"):
                    pass
                number = self.hand_over(daemon, f"fail {path}", retries=9)
                wait_until(lambda n=number, d=daemon: self.look(d, n)["error"], "a first failure")
                self.set_clock(hours)
                daemon.kill_brain()
                os.unlink(path)
                self.assertEqual(self.ended(daemon, number)["status"], "SUCCEEDED")
                daemon.stop()

    def test_results_and_webhooks_have_their_day(self):
        daemon = self.begin()
        receiver = self.receiver()
        receiver.refuse = lambda headers: 503
        number = self.hand_over(daemon, "echo x", webhook=receiver.url)
        wait_until(receiver.count, "the webhook")
        kept = self.hand_over(daemon, "echo y")
        before = self.ended(daemon, kept)["created_at"]
        self.set_clock(AHEAD)
        told = len(receiver.told[number])
        wait_until(lambda: len(receiver.told[number]) > told, "the webhook to be told again")
        daemon.kill_brain()  # which purges what was kept long enough
        self.ended(daemon, self.hand_over(daemon, "echo z"))
        self.assertEqual(self.look(daemon, kept)["result"], "y")
        self.assertTrue(self.has_moved(daemon, kept, before, AHEAD))
        receiver.refuse = lambda headers: 0
        wait_until(lambda: self.look(daemon, number)["webhook_status"] == "DELIVERED", "it to be taken")


class Processes(ClockTest):
    def test_calls_limits_and_drains(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", "other", STAND_IN_STUBBORN=1, drain_timeout_s=0.1), service("other"))
        daemon.call("x", "call CHAINS_OTHER_URL")
        for hours in (AHEAD, BACK):
            before, path = daemon.pids("x"), daemon.socket("x", "entry", daemon.chain("x")["version"])
            answers = []
            threads = [threading.Thread(target=lambda: answers.append(daemon.call(
                "x", "sleep 500", {"X-Chains-Timeout-Ms": "60000"}).body)),
                       threading.Thread(target=lambda path=path: answers.append(call_socket(path, "sleep 500").body))]
            for thread in threads:
                thread.start()
            wait_until(lambda pids=before: any(is_busy(pid) for pid in pids), "a call to run")
            self.set_clock(hours)
            for thread in threads:
                thread.join(60)
            self.assertEqual(answers, [b'"slept"'] * 2)
            self.assertEqual(daemon.call("x", "call CHAINS_OTHER_URL").status, 200)
            self.assertEqual(daemon.pids("x"), before)  # nothing was idle for hours
            # What dies is started again, what is old is ended, each after its time.
            os.kill(before[0], signal.SIGKILL)
            self.assertEqual(daemon.call("x").status, 200)
            before = [pid for pid in daemon.pids("x") if pid and is_alive(pid)]
            daemon.deployed("x", service("entry", "other", STAND_IN_STUBBORN=1, drain_timeout_s=0.1), service("other"))
            self.assert_ended(before)
            daemon.kill_brain()

    def test_to_zero_and_back(self):
        daemon = self.start()
        quick = scaling(window_s=0.2, scale_down_delay_s=0, scale_to_zero_delay_s=0)
        daemon.deployed("x", service("entry", scaling=quick))
        for hours in (BACK, AHEAD, 0):
            self.set_clock(hours)
            wait_until(lambda: daemon.chain("x")["chainlets"][0]["state"] == "at_zero", "it to be at zero")
            self.assertEqual(daemon.call("x").status, 200)

    def test_a_canary_has_its_time(self):
        daemon = self.start()
        daemon.deployed("x", service("entry", STAND_IN_MARK="old"))
        canary = {"percent": 50, "minutes": 60, "max_error_rate_increase": 0.05, "max_p99_ratio": 3}
        daemon.deployed("x", service("entry", STAND_IN_MARK="new"), canary=canary)
        before = daemon.chain("x")["canary"]
        for hours in (AHEAD, BACK):
            self.set_clock(hours)
            daemon.kill_brain()
            tried = daemon.chain("x")["canary"]
            for name in ("since", "until"):
                moved = when(tried[name]) - when(before[name])
                self.assertLess(abs(moved - datetime.timedelta(hours=hours)), datetime.timedelta(seconds=1))
        self.assertEqual({daemon.call("x", "mark").json()["mark"] for _ in range(8)}, {"old", "new"})
        self.assertEqual(daemon.change_environment("x", "promote", version="2").status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
