"""Replicas whose calls stand still are replaced: the chain of tests/e2e/stall."""
import json
import os
import signal
import threading
import unittest

from chains_testing import HomeTest, is_alive, wait_until


class Stall(HomeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home.good("deploy", cls.home.copy("tests/e2e/stall"), "--port", "0")

    def replica(self, name):
        return next(chainlet["replicas"][0] for chainlet in self.home.status()[0]["chainlets"]
                    if chainlet["name"] == name)

    def replaced(self, before):
        """The model's replica once it runs in another process."""
        def look():
            now = self.replica("model")
            return now["state"] == "ready" and now["pid"] != before["pid"] and now
        return wait_until(look, "another replica")

    def assert_replaced(self, before, why):
        after = self.replaced(before)
        self.assertEqual(after["restarts"], before["restarts"] + 1)
        self.assertTrue(after["last_end"].startswith("stalled: " + why), after["last_end"])
        self.assertFalse(is_alive(before["pid"]))
        self.assertIn("stalled: " + why, self.home.good("status"))
        self.assertIn("replacing it", self.home.good("logs", "stall", "model"))
        # Whoever waited for it was not blamed.
        self.assertEqual(self.replica("stall")["restarts"], 0)
        self.assertEqual(self.home.good("call", "stall", "--input", "{}"), '"well"\n')

    def test_calls_that_hang(self):
        before = self.replica("model")
        ended = []
        thread = threading.Thread(target=lambda: ended.append(
            self.home.chains("call", "stall", "--json", "--input", '{"hang": true}')))
        thread.start()
        self.assert_replaced(before, "1 call runs, and nothing has ended for")
        thread.join(60)
        self.assertEqual(json.loads(ended[0].stderr)["error"]["status"], "UNAVAILABLE")

    def test_a_stopped_process(self):
        before = self.replica("model")
        os.kill(before["pid"], signal.SIGSTOP)
        self.assert_replaced(before, "its probes have not been answered for")


if __name__ == "__main__":
    unittest.main(verbosity=2)
