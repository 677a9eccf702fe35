"""How calls between deployed services fail and recover: the chain of tests/e2e/proof."""
import concurrent.futures
import json
import os
import unittest

from chains_testing import SOURCE, HomeTest, wait_until


def line_of(file, text):
    """The number of the line of a source that holds text."""
    with open(os.path.join(SOURCE, "tests/e2e/proof", file), encoding="utf-8") as source:
        for number, line in enumerate(source, 1):
            if text in line:
                return number
    raise AssertionError(f"{file} has no line with {text}")


class Proof(HomeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home.good("deploy", cls.home.copy("tests/e2e/proof"), "--port", "0")

    def call(self, mode, marker=""):
        return self.home.chains("call", "proof", "--json", "--input",
                                json.dumps({"mode": mode, "marker": marker}))

    def error(self, done):
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertEqual(done.stdout, "")
        return json.loads(done.stderr)["error"]

    def test_a_trace_names_every_level(self):
        error = self.error(self.call("trace"))
        self.assertEqual(error["status"], "NOT_FOUND")
        self.assertEqual(error["message"], "there is no thing")
        self.assertTrue(error["request_id"])
        way = [(hop["chainlet"], hop["function"], os.path.basename(hop["file"]), hop["line"],
                hop["message"]) for hop in error["trace"]]
        self.assertEqual(way, [
            ("proof", "call_three_levels", "proof.c", line_of("proof.c", "CHAINS_TRY(middle_run_remote(self->between, ctx, \"missing\""), ""),
            ("middle", "middle_run_remote", "middle.c", line_of("middle.c", "CHAINS_TRY(bottom_run_remote"), ""),
            ("bottom", "look_for", "bottom.c", line_of("bottom.c", "return chains_fail("), "there is no thing"),
        ])

    def test_a_trace_is_readable_without_json(self):
        done = self.home.chains("call", "proof", "--input", '{"mode": "trace"}')
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        lines = done.stderr.splitlines()
        self.assertIn("NOT_FOUND", lines[0])
        self.assertIn("there is no thing", lines[0])
        for place in ("proof.c:", "middle.c:", "bottom.c:"):
            self.assertTrue(any(place in line for line in lines[1:]), done.stderr)

    def test_a_dependency_that_fails_once_is_retried(self):
        done = self.call("retry")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((json.loads(done.stdout), done.stderr), ("call 2", ""))

    def test_a_timeout_names_the_chainlet_and_the_limit_and_cancels(self):
        noted = self.home.file("cancelled")
        error = self.error(self.call("timeout", noted))
        self.assertEqual(error["status"], "DEADLINE_EXCEEDED")
        self.assertIn("slow", error["message"])
        self.assertIn("250 ms", error["message"])
        wait_until(lambda: os.path.exists(noted), "slow to notice that nobody waits")

    def test_a_replica_that_dies_under_a_call_is_unavailable(self):
        error = self.error(self.call("crash", self.home.file("crash-1")))
        self.assertEqual(error["status"], "UNAVAILABLE")
        self.assertIn("bottom", error["message"])
        # It is restarted, and the next call is answered.
        done = self.call("crash", self.home.file("crash-1"))
        self.assertEqual(json.loads(done.stdout), "survived", done.stderr)

    def test_retries_outlive_a_replica(self):
        done = self.call("survive", self.home.file("crash-2"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout), "survived")

    def test_sixty_four_calls_at_once(self):
        marker = self.home.file("crash-3")
        open(marker, "w", encoding="utf-8").close()
        with concurrent.futures.ThreadPoolExecutor(64) as threads:
            answers = list(threads.map(lambda _: self.call("survive", marker), range(64)))
        self.assertEqual([answer.stdout for answer in answers if answer.returncode == 0],
                         ['"survived"\n'] * 64, [a.stderr for a in answers if a.returncode])

    def test_bad_arguments_name_their_path(self):
        done = self.home.chains("call", "proof", "--json", "--input", '{"mode": "dance"}')
        error = self.error(done)
        self.assertEqual((error["status"], error["path"]), ("INVALID_ARGUMENT", "mode"))
        self.assertIn("dance", error["message"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
