"""Calls that arrive together run as one: the chain of tests/e2e/batch, in one process and deployed."""
import concurrent.futures
import json
import time
import unittest
import urllib.request

from chains_testing import HomeTest, wait_until

CALLERS = 64
WAIT_S = 10  # .max_wait_us of clerk


class Batch(HomeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.home.copy("tests/e2e/batch")
        cls.home.good("deploy", cls.folder, "--port", "0")

    def ask(self, *texts, gather=False):
        request = urllib.request.Request(
            self.home.address() + "/chains/crowd/production/run_remote",
            data=json.dumps({"texts": texts, "gather": gather}).encode(), headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def test_in_one_process(self):
        self.home.good("test", self.folder)

    def test_a_lone_call_waits_for_nobody(self):
        began = time.monotonic()
        self.assertEqual(self.ask("moon"), [{"status": "OK", "reply": "<moon>", "message": None, "together": 1}])
        self.assertLess(time.monotonic() - began, WAIT_S)

    def test_sixty_four_callers(self):
        self.ask("first")

        def round_of_calls():
            texts = ["missing" if i == 17 else f"text {i}" for i in range(CALLERS)]
            with concurrent.futures.ThreadPoolExecutor(CALLERS) as threads:
                answers = [answer for [answer] in threads.map(self.ask, texts)]
            for i, (text, answer) in enumerate(zip(texts, answers)):
                if i == 17:
                    self.assertEqual(answer["status"], "NOT_FOUND")
                    self.assertEqual(answer["message"], "nothing is called missing")
                else:
                    self.assertEqual((answer["status"], answer.get("reply")), ("OK", f"<{text}>"))
            return max(answer["together"] for answer in answers)

        most = wait_until(lambda: max(round_of_calls(), 1) - 1, "two calls in one batch")
        self.assertLess(most, CALLERS)

    def test_one_caller_of_many(self):
        texts = [f"text {i}" for i in range(CALLERS)]

        def round_of_calls():
            answers = self.ask(*texts)
            self.assertEqual([answer["reply"] for answer in answers], [f"<{text}>" for text in texts])
            return max(answer["together"] for answer in answers) - 1

        wait_until(round_of_calls, "two calls in one batch")

    def test_one_gather(self):
        """However short the calls: those that wait in the callee belong together."""
        texts = [f"quick {i}" for i in range(CALLERS)]

        def round_of_calls():
            answers = self.ask(*texts, gather=True)
            self.assertEqual([answer["reply"] for answer in answers], [f"<{text}>" for text in texts])
            batches = round(sum(1 / answer["together"] for answer in answers))
            return batches <= 4

        wait_until(round_of_calls, "64 calls in four batches at most")


if __name__ == "__main__":
    unittest.main(verbosity=2)
