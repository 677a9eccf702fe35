"""The courier with the real daemon: it comes with the first transfer and leaves, and whatever is killed, nothing is lost by it."""
import glob
import os
import signal
import threading
import unittest

from asset_site import AssetSite, content
from chains_testing import is_alive, wait_until
from daemon_testing import service
from requests_testing import RequestsTest

MIB = 1024 * 1024
LARGE = content(17 * MIB, 2)  # enough for two ranges


class CourierTest(RequestsTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.begin()

    def courier(self, other_than=None):
        """Its process number, as soon as there is one."""
        return wait_until(lambda: (pid := self.home.courier_pid()) != other_than and pid, "a courier")

    def held_receiver(self):
        """One that answers nothing until it is released; a list that tells what came, and the function that releases."""
        receiver, came, released = self.receiver(), [], threading.Event()

        def refuse(headers):
            came.append(headers)
            released.wait()
            return 0
        receiver.refuse = refuse
        self.addCleanup(released.set)
        return receiver, came, released.set


class Comes(CourierTest):
    def libraries(self, pid):
        with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
            return maps.read()

    def test_with_the_first_transfer_and_leaves(self):
        receiver = self.receiver()
        self.assertIsNone(self.home.courier_pid())
        for times in (1, 2):
            self.hand_over(self.daemon, "echo x", webhook=receiver.url)
            wait_until(lambda times=times: receiver.count() == times, "the webhook")
            courier = self.courier()
            self.assertIn("libcurl", self.libraries(courier))
            wait_until(lambda pid=courier: not is_alive(pid), "it to leave")
        for pid in (self.daemon.keeper(), self.daemon.brain()):
            self.assertNotIn("libcurl", self.libraries(pid))

    def test_without_what_is_the_daemons(self):
        receiver, came, release = self.held_receiver()
        self.hand_over(self.daemon, "echo x", webhook=receiver.url)
        wait_until(lambda: came, "the webhook")
        held = [os.readlink(path) for path in glob.glob(f"/proc/{self.courier()}/fd/*")]
        home = self.home.env["CHAINS_HOME"]
        self.assertEqual([path for path in held if path.startswith(home)], [])
        # The line to the brain, the connection to the receiver, and libuv's and libcurl's own between their threads.
        self.assertLess(len(held), 24, held)
        release()
        wait_until(receiver.count, "it to be told")


class Dies(CourierTest):
    def test_with_a_webhook_under_way(self):
        receiver, came, release = self.held_receiver()
        number = self.hand_over(self.daemon, "echo x", webhook=receiver.url)
        wait_until(lambda: came, "the webhook")
        first = self.courier()
        os.kill(first, signal.SIGKILL)
        release()
        request = wait_until(lambda: (request := self.look(self.daemon, number))["webhook_status"] == "DELIVERED" and request, "it to be told")
        self.assertGreater(request["webhook_attempts"], 1)
        self.assertFalse(is_alive(first))

    def test_with_a_download_under_way(self):
        site = AssetSite()
        self.addCleanup(site.close)
        site.files = {"/large": LARGE}
        site.hold(MIB)
        version = self.daemon.deploy("x", service("entry", assets=[site.asset("/large")]))
        noted = os.path.join(self.home.env["CHAINS_HOME"], "assets", "partial", "*.json")
        wait_until(lambda: glob.glob(noted), "some bytes to be noted")
        first = self.courier()
        os.kill(first, signal.SIGKILL)
        self.courier(other_than=first)
        site.release()
        wait_until(lambda: self.daemon.chain("x")["deployment"]["state"] == "ready", "the deployment")
        self.assertEqual(self.daemon.chain("x")["deployment"]["version"], version)
        folder = self.daemon.call("x", "report").json()["environment"]["CHAINS_ASSETS_DIR"]
        with open(os.path.join(folder, "large"), "rb") as file:
            self.assertEqual(file.read(), LARGE)

    def test_with_the_brain(self):
        receiver, _, release = self.held_receiver()
        number = self.hand_over(self.daemon, "echo x", webhook=receiver.url)
        courier = None
        for kill in (self.daemon.kill_brain, self.daemon.kill_keeper):
            courier = self.courier(other_than=courier)
            kill()
            wait_until(lambda pid=courier: not is_alive(pid), "it to end")
        release()
        wait_until(lambda: self.look(self.daemon, number)["webhook_status"] == "DELIVERED", "it to be told")


if __name__ == "__main__":
    unittest.main(verbosity=2)
