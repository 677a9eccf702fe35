"""`chains simulate`, as a user types it: inside a chain's folder and without one."""
import json
import os
import subprocess
import unittest
import xml.etree.ElementTree

from chains_testing import CHAINS, HomeTest

STEP = ("simulate", "--load", "step:1,100@60,1@10m", "--max-replicas", "200", "--for", "20m")


class WithoutAChain(HomeTest):
    def simulate(self, *words):
        return json.loads(self.home.good("simulate", "--json", *words))

    def test_table_and_summary(self):
        out = self.home.good(*STEP, "--changes", "--rows", "10", "--cpu", "2", "--memory-gib", "4", "--gpus", "1")
        lines = out.splitlines()
        heading = next(i for i, line in enumerate(lines) if line.split()[:2] == ["UNTIL", "CALLS/S"])
        self.assertEqual(lines[heading + 10].split()[0], "0:20:00")
        self.assertEqual(lines[heading + 11], "")
        for text in ("a burst: ", "up from", "no more than", "down from", "calls     ", "waiting   ", "replicas  ",
                     "replica-hours, ", " core-hours, ", " GiB-hours, ", " GPU-hours"):
            self.assertIn(text, out)
        self.assertNotIn("a burst: ", self.home.good(*STEP))

    def test_json_adds_up(self):
        data = self.simulate(*STEP[1:], "--cpu", "2", "--memory-gib", "4", "--gpus", "0.5", "--rows", "12")
        self.assertEqual(sorted(data), ["chainlet", "changes", "load", "options", "rows", "summary"])
        self.assertIsNone(data["chainlet"])
        self.assertEqual(data["load"], "step:1,100@60,1@10m")
        summary, rows, options = data["summary"], data["rows"], data["options"]
        self.assertEqual(len(rows), 12)
        self.assertEqual(sum(row["calls"] for row in rows), summary["calls"])
        self.assertEqual(sum(row["refused"] for row in rows), summary["refused"])
        self.assertEqual([row["from_s"] for row in rows[1:]], [row["to_s"] for row in rows[:-1]])
        self.assertAlmostEqual(rows[-1]["to_s"], 1200)
        self.assertAlmostEqual(summary["calls"] / (9 * 60 * 100 + 660), 1, delta=0.02)
        hours = sum((row["ready"] + row["starting"] + row["draining"]) * (row["to_s"] - row["from_s"])
                    for row in rows) / 3600
        self.assertAlmostEqual(hours, summary["replica_hours"], places=6)
        self.assertAlmostEqual(summary["core_hours"], 2 * hours, places=6)
        self.assertAlmostEqual(summary["gib_hours"], 4 * hours, places=6)
        self.assertAlmostEqual(summary["gpu_hours"], hours / 2, places=6)
        self.assertEqual(len(data["changes"]), summary["changes"])
        self.assertEqual(data["changes"][0]["reason"], "woken")
        self.assertIn("burst", [change["reason"] for change in data["changes"]])
        for one, other in zip(data["changes"], data["changes"][1:]):
            self.assertEqual(one["replicas"], other["before"])
        self.assertLessEqual(summary["wait_p50_s"], summary["wait_p99_s"])
        self.assertLessEqual(summary["wait_p99_s"], summary["wait_max_s"])
        self.assertEqual((options["min_replicas"], options["max_replicas"], options["window_s"]), (0, 200, 60))
        self.assertEqual((options["target_utilization"], options["concurrency_target"]), (0.7, 1))

    def test_the_same_seed_gives_the_same(self):
        first = self.home.good(*STEP, "--json")
        self.assertEqual(self.home.good(*STEP, "--json"), first)
        self.assertEqual(self.home.good(*STEP, "--json", "--seed", "1"), first)
        self.assertNotEqual(self.home.good(*STEP, "--json", "--seed", "2"), first)

    def test_options_are_heard(self):
        words = ("--load", "20", "--service-time", "500ms", "--constant", "--cold-start", "2m", "--for", "1h",
                 "--noise", "0.1", "--every", "2s", "--replicas", "3", "--concurrency", "4", "--max-queue", "7",
                 "--min-replicas", "2", "--max-replicas", "9", "--concurrency-target", "3",
                 "--target-utilization", "0.5", "--window", "30", "--scale-down-delay", "0",
                 "--scale-to-zero-delay", "1h", "--seed", "5")
        wanted = {"service_s": 0.5, "service_times": "constant", "cold_start_s": 120, "duration_s": 3600, "noise": 0.1,
                  "decide_s": 2, "replicas": 3, "concurrency": 4, "max_queue": 7, "min_replicas": 2, "max_replicas": 9,
                  "concurrency_target": 3, "target_utilization": 0.5, "window_s": 30, "scale_down_delay_s": 0,
                  "scale_to_zero_delay_s": 3600, "seed": 5, "tick_s": 0.025}
        self.assertEqual(self.simulate(*words)["options"], wanted)

    def test_a_picture(self):
        file = self.home.file("step.svg")
        self.home.good(*STEP, "--svg", file)
        root = xml.etree.ElementTree.parse(file).getroot()
        self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
        self.assertIn("step:1,100@60,1@10m", root.get("aria-label"))
        done = self.home.chains(*STEP, "--svg", self.home.file("nowhere/step.svg"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("nowhere/step.svg", done.stderr)

    def test_a_trace(self):
        file = self.home.file("trace.csv")
        with open(file, "w", encoding="utf-8") as out:
            out.write("time_s,calls_per_s\n0,10\n600,0\n")
        summary = self.simulate("--load", f"trace:{file}+burst:50@900", "--max-replicas", "50")["summary"]
        self.assertAlmostEqual(summary["calls"] / 6050, 1, delta=0.05)

    def test_wrong_usage(self):
        load = ("--load", "5")
        for words, text in (((), "a load is needed"),
                            (("--load", "step:1,2"), "expected @"),
                            (("--load", "trace:/nowhere.csv"), "No such file"),
                            ((*load, "--min-replicas", "5", "--max-replicas", "2"), "above the greatest"),
                            ((*load, "--max-replicas", "0"), "--max-replicas"),
                            ((*load, "--max-replicas", "100001"), "--max-replicas"),
                            ((*load, "--min-replicas", "-1"), "--min-replicas"),
                            ((*load, "--target-utilization", "1.5"), "--target-utilization"),
                            ((*load, "--target-utilization", "nan"), "--target-utilization"),
                            ((*load, "--concurrency", "0"), "--concurrency"),
                            ((*load, "--noise", "2"), "--noise"),
                            ((*load, "--cpu", "-1"), "--cpu"),
                            ((*load, "--max-queue", "0"), "--max-queue"),
                            ((*load, "--window", "soon"), "takes a time"),
                            ((*load, "--window", "0"), "--window"),
                            ((*load, "--service-time", "0"), "--service-time"),
                            ((*load, "--service-time", "2d"), "--service-time"),
                            ((*load, "--every", "0"), "--every"),
                            ((*load, "--service-time", "1ms", "--for", "30d"), "too much"),
                            ((*load, "--rows", "7"), "divisor of 240"),
                            ((*load, "--lod", "5"), "did you mean '--load'"),
                            ((*load, self.home.file("no-folder")), "no-folder"),
                            ((*load, "--chainlet", "x"), "no Chainlet here"),
                            ((*load, "-", "--chainlet", "x"), "no chain")):
            done = self.home.chains("simulate", *words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertIn(text, done.stderr, words)

    def test_help(self):
        out = self.home.good("simulate", "--help")
        self.assertIn("Example:", out)
        example = out.split("Example:\n")[1].split()
        self.assertEqual(example[0], "chains")
        self.home.good(*example[1:])


class InAChain(HomeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.chain = cls.home.copy("examples/poem")

    def options(self, *words, **options):
        return json.loads(self.home.good("simulate", "--json", "--load", "1", *words, **options))

    def test_options_are_the_chainlets(self):
        data = self.options(self.chain, "--chainlet", "phi_llm")
        self.assertEqual(data["chainlet"], "phi_llm")
        self.assertEqual(data["options"]["max_replicas"], 4)
        summary = data["summary"]
        self.assertGreater(summary["replica_hours"], 0)
        self.assertAlmostEqual(summary["core_hours"], 2 * summary["replica_hours"])
        self.assertAlmostEqual(summary["gib_hours"], 4 * summary["replica_hours"])
        self.assertEqual(self.options(self.chain)["chainlet"], "poem_generator")
        data = self.options(self.chain, "--chainlet", "phi_llm", "--max-replicas", "9", "--cpu", "3")
        self.assertEqual(data["options"]["max_replicas"], 9)
        self.assertAlmostEqual(data["summary"]["core_hours"], 3 * data["summary"]["replica_hours"])

    def test_here(self):
        done = subprocess.run([CHAINS, "simulate", "--load", "1"], cwd=self.chain, env=self.home.env, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True)
        self.assertIn("poem_generator under 1", done.stdout)
        self.assertFalse(os.path.exists(os.path.join(self.chain, ".chains")))
        self.assertIsNone(self.options("-")["chainlet"])

    def test_what_is_not_there(self):
        done = self.home.chains("simulate", self.chain, "--load", "1", "--chainlet", "poet")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no Chainlet 'poet'", done.stderr)
        broken = self.home.copy("examples/poem", "broken")
        with open(os.path.join(broken, "phi_llm.h"), "a", encoding="utf-8") as out:
            out.write("CHAINLET(odd, .cpu = -1);\n")
        done = self.home.chains("simulate", broken, "--load", "1")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("phi_llm.h", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
