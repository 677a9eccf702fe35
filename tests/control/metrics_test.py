"""The daemon's /metrics: what it counts itself, who may see what, and processes that don't answer."""
import os
import signal
import unittest

from chains_testing import wait_until
from daemon_testing import DaemonTest, pause, service


class MetricsTest(DaemonTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start()

    def lines(self, headers=None):
        answer = self.daemon.ask("GET", "/metrics", None, headers)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.body.decode().splitlines()

    def number(self, beginning):
        found = [line for line in self.lines() if line.startswith(beginning)]
        return float(found[0].split()[-1]) if found else None

    def test_calls_and_those_that_are_cancelled(self):
        self.daemon.deployed("x", service("entry"))
        of = 'chains_front_calls_total{chain="x",environment="production",status='
        self.assertEqual(self.daemon.call("x").status, 200)
        self.assertEqual(self.number(of + '"OK"'), 1)
        client = self.daemon.dial()
        client.sendall(b"POST /chains/x/production/run_remote HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nwait")
        wait_until(lambda: "waiting" in self.daemon.logs("x"), "the call to run")
        # The call, and who asks.
        self.assertEqual(self.number("chainsd_requests_in_flight"), 2)
        client.close()
        wait_until(lambda: self.number(of + '"CANCELLED"') == 1, "the call to be counted as cancelled")
        self.assertEqual(self.daemon.call("x", version="1").status, 200)
        self.assertEqual(self.number(of.replace("production", "versions") + '"OK"'), 1)
        # What a client makes up is nobody's.
        self.assertEqual(self.daemon.call("x", environment="made_up").status, 404)
        self.assertFalse([line for line in self.lines() if "made_up" in line])

    def test_ends_and_what_goes_with_its_chain(self):
        self.daemon.deployed("x", service("entry"))
        of = 'chain="x",environment="production",chainlet="entry"'
        self.assertEqual(self.number(f'chains_start_seconds_count{{{of},phase="ready"'), 1)
        os.kill(self.daemon.pids("x")[0], signal.SIGKILL)
        wait_until(lambda: self.number(f'chains_replica_ends_total{{{of},ending="killed"') == 1, "its end")
        wait_until(lambda: self.number(f'chains_start_seconds_count{{{of},phase="ready"') == 2, "another start")
        self.assertEqual(self.daemon.change("DELETE", "/api/v1/chains/x").status, 200)
        wait_until(lambda: not [line for line in self.lines() if 'chain="x"' in line], "its numbers to go")

    def test_who_does_not_answer_is_left_out(self):
        self.daemon.deployed("x", service("entry"))
        pid = self.daemon.pids("x")[0]
        pause(pid)
        self.assertIsNotNone(self.number('chains_replicas{chain="x"'))
        # Whoever asks may leave meanwhile.
        client = self.daemon.dial()
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: self.number("chainsd_requests_in_flight") >= 1, "it to be asked")
        client.close()
        os.kill(pid, signal.SIGCONT)
        self.assertIsNotNone(self.number('chains_replicas{chain="x"'))

    def test_who_may_see_what(self):
        for chain in ("x", "y"):
            self.daemon.deployed(chain, service("entry"))
        everybody = self.lines()
        key = self.daemon.change("POST", "/api/v1/keys", {"scope": "call", "chain": "x"}).json()["key"]
        self.assertEqual(self.daemon.ask("GET", "/metrics").status, 401)
        mine = self.lines({"Authorization": "Bearer " + key})
        self.assertTrue(any('chain="y"' in line for line in everybody))
        self.assertTrue(any('chain="x"' in line for line in mine))
        self.assertFalse(any('chain="y"' in line for line in mine))
        self.assertEqual(self.daemon.change("POST", "/metrics").status, 405)


if __name__ == "__main__":
    unittest.main(verbosity=2)
