"""The daemon on a file system that is really full: a small one of this test's own. Exits with 77 where the system gives no such thing."""
import os
import subprocess
import sys
import unittest

from chains_testing import wait_until
from daemon_testing import service
from requests_testing import RequestsTest

OURS = "CHAINS_TEST_OWN_MOUNTS"  # set in the process that may mount
LARGE = 20000


class FullDisk(RequestsTest):
    def setUp(self):
        super().setUp()
        self.small = self.home.env["CHAINS_HOME"]
        os.makedirs(self.small)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m,mode=700", "none", self.small], check=True)
        self.addCleanup(self.unmount)
        self.filler = os.path.join(self.small, "filler")

    def unmount(self):
        self.stop_daemons()
        subprocess.run(["umount", self.small], check=True)

    def fill(self):
        """Takes all the room that is left."""
        with open(self.filler, "ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass

    def make_room(self):
        os.unlink(self.filler)

    def entry(self, mark):
        return service("entry", STAND_IN_MARK=mark)

    def mark(self, daemon):
        return daemon.call("x", "mark").json()["mark"]

    def refuse_deployments(self, daemon):
        """Deploys until even its record finds no room; each says why, and changes nothing. Gives how many were begun."""
        for count in range(1, 200):
            answer = daemon.begin("x", service("entry", STAND_IN_MARK="new", STAND_IN_PADDING="x" * LARGE))
            if answer.status != 202:
                self.refused(answer)
                return count
            version = answer.json()["version"]

            def failed(version=version):
                deployment = daemon.chain("x")["deployment"]
                return deployment["version"] == version and deployment["state"] == "failed" and deployment["message"]
            self.assertIn("No space left on device", wait_until(failed, f"version {version} to fail"))
        raise AssertionError("it never finds no room")

    def refused(self, answer):
        self.assertEqual((answer.status, answer.error()["status"]), (429, "RESOURCE_EXHAUSTED"), answer.body)
        self.assertIn("there is no room left", answer.error()["message"])

    def test_what_runs_goes_on(self):
        daemon = self.start()
        daemon.deployed("x", self.entry("old"))
        self.fill()
        self.refuse_deployments(daemon)
        self.assertEqual(self.mark(daemon), "old")
        self.refused(daemon.ask("POST", "/chains/x/production/async_run_remote", '{"input": "' + "x" * LARGE + '"}'))
        # Whoever dies is started again, the brain as well.
        daemon.kill_brain()
        self.assertEqual(self.mark(daemon), "old")
        self.refuse_deployments(daemon)
        os.kill(daemon.pids("x")[0], 9)
        self.assertEqual(self.mark(daemon), "old")
        self.make_room()
        daemon.deployed("x", self.entry("new"))
        self.assertEqual(self.mark(daemon), "new")

    def test_what_was_accepted_is_run_when_there_is_room(self):
        daemon = self.start()
        daemon.deployed("a", service("a", STAND_IN_SLOTS=1))
        first = self.hand_over(daemon, "wait")
        self.running(daemon, first)
        numbers = [self.hand_over(daemon, f"echo {i}") for i in range(5)]
        self.fill()
        daemon.kill_both()
        os.unlink(daemon.home_file("filler"))  # a daemon that begins needs some
        self.fill_but(1 << 20)
        again = self.start()
        self.make_room()
        again.ask("DELETE", f"/requests/{first}")
        self.assertEqual([self.ended(again, number)["result"] for number in numbers], [str(i) for i in range(5)])

    def fill_but(self, size):
        self.fill()
        with open(self.filler, "r+b") as file:
            file.truncate(os.path.getsize(self.filler) - size)


def main():
    if os.environ.get(OURS):
        unittest.main(verbosity=2)
    words = [sys.executable, "-B", *sys.argv]
    for own in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
        if subprocess.run([*own, "mount", "-t", "tmpfs", "none", "/mnt"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            sys.exit(subprocess.run([*own, *words], env=dict(os.environ, **{OURS: "1"}), check=False).returncode)
    print("this system lets nobody mount anything")
    sys.exit(77)


if __name__ == "__main__":
    main()
