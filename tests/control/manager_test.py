"""What a service manager hears of the daemon: a socket that plays systemd's part."""
import os
import signal
import socket
import unittest

from chains_testing import wait_until
from daemon_testing import DaemonTest, service

WATCHDOG_US = 400000


class Manager(DaemonTest):
    def setUp(self):
        super().setUp()
        self.path = self.home.file("notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.addCleanup(self.socket.close)
        self.heard = []

    def begin(self, **environment):
        self.home.env.update(NOTIFY_SOCKET=self.path, **environment)
        return self.start()

    def listen(self, until, what):
        """Until a line like that has been heard."""
        self.socket.settimeout(30)
        while not any(until(line) for line in self.heard):
            try:
                self.heard += self.socket.recv(4096).decode().split("\n")
            except TimeoutError:
                self.fail(f"not heard: {what}; heard: {self.heard}")

    def forget(self):
        """All that has been sent so far."""
        self.socket.setblocking(False)
        try:
            while True:
                self.socket.recv(4096)
        except BlockingIOError:
            pass
        self.heard.clear()

    def test_ready_and_stopping(self):
        daemon = self.begin()
        self.listen(lambda line: line == "READY=1", "READY=1")
        self.assertIn(f"MAINPID={daemon.process.pid}", self.heard)
        daemon.process.send_signal(signal.SIGTERM)
        self.listen(lambda line: line == "STOPPING=1", "STOPPING=1")
        self.assertEqual(daemon.process.wait(60), 0)
        self.assertNotIn("WATCHDOG=1", self.heard)

    def test_the_watchdog_hears_of_a_brain_that_works(self):
        daemon = self.begin(WATCHDOG_USEC=str(WATCHDOG_US))
        for _ in range(3):
            self.listen(lambda line: line == "WATCHDOG=1", "WATCHDOG=1")
            self.heard.clear()
        brain = daemon.brain()
        os.kill(brain, signal.SIGSTOP)
        try:
            self.forget()
            self.socket.settimeout(4 * WATCHDOG_US / 1e6)
            # What was on its way may come still.
            late = 0
            while True:
                try:
                    self.assertIn("WATCHDOG=1", self.socket.recv(4096).decode())
                    late += 1
                    self.assertLess(late, 3, "the watchdog is told, though the brain stands still")
                except TimeoutError:
                    break
        finally:
            os.kill(brain, signal.SIGCONT)
        self.listen(lambda line: line == "WATCHDOG=1", "WATCHDOG=1 again")

    def test_who_takes_the_keepers_place_says_so(self):
        daemon = self.begin()
        self.listen(lambda line: line == "READY=1", "READY=1")
        brain = daemon.brain()
        self.heard.clear()
        os.kill(daemon.process.pid, signal.SIGKILL)
        daemon.process.wait(60)
        self.listen(lambda line: line == f"MAINPID={brain}", "the new keeper")
        os.kill(brain, signal.SIGTERM)
        wait_until(lambda: not os.path.exists(f"/proc/{brain}"), "the daemon to end")

    def test_replicas_do_not_speak_for_the_daemon(self):
        daemon = self.begin(WATCHDOG_USEC=str(WATCHDOG_US))
        daemon.deployed("x", service("entry"))
        environment = daemon.call("x", "report").json()["environment"]
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM"):
            self.assertNotIn(name, environment)


if __name__ == "__main__":
    unittest.main(verbosity=2)
