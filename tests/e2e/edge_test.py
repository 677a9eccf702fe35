"""Chainlets that scale to zero under their callers in the chain, which come by the board, by its queue, alone and in gathers: the chain of tests/e2e/faults."""
import http.client
import json
import random
import threading
import time
import unittest
from urllib.parse import urlsplit

from chains_testing import HomeTest, wait_until

CALLERS, CYCLES = 64, 60


class Edge(HomeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home.good("deploy", cls.home.copy("tests/e2e/faults"), "--port", "0")
        cls.home.good("scale", "front", "back", "--min", "0", "--max", "3", "--window", "0.2",
                      "--scale-down-delay", "0", "--scale-to-zero-delay", "0")

    def back(self):
        return next(c for c in self.home.status()[0]["chainlets"] if c["name"] == "back")

    def call(self, count):
        connection = http.client.HTTPConnection(urlsplit(self.home.address()).netloc, timeout=60)
        connection.request("POST", "/chains/front/production/run_remote", json.dumps({"count": count, "work_ms": 0}))
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    def test_no_call_is_lost(self):
        barrier, wrong = threading.Barrier(CALLERS), []
        chance = random.Random(11)
        pauses = [chance.uniform(0, 0.06) for _ in range(CYCLES)]

        def work(number):
            own = random.Random(number)
            for pause in pauses:
                barrier.wait(60)
                time.sleep(pause + own.uniform(0, 0.01))  # it is chance that brings calls to the edge
                count = own.choice((1, 1, 1, 2, 9))
                status, body = self.call(count)
                if status != 200 or len(json.loads(body)) != count:
                    wrong.append((status, body))
        threads = [threading.Thread(target=work, args=(number,)) for number in range(CALLERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(200)
        self.assertEqual(wrong, [])
        wait_until(lambda: self.back()["state"] == "at_zero", "back to be at zero")
        self.assertEqual(len(json.loads(self.call(3)[1])), 3)


if __name__ == "__main__":
    unittest.main()
