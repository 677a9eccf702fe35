"""A chain at work, as those see it who look: the graph, points of the last hour, and events as they come."""
import json
import threading
import time
import unittest
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from chains_testing import HomeTest, wait_until

PRODUCTION = "/api/v1/chains/guide/environments/production"
BAGS = 2


class Load:
    """Calls one after the other, as long as it lives; notes when each was answered."""

    def __init__(self, address, **arguments):
        self.url, self.arguments = address + "/chains/guide/production/run_remote", arguments
        self.good, self.bad, self.stopping = [], [], threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopping.wait(0.02):
            request = Request(self.url, json.dumps(self.arguments).encode(), {"Content-Type": "application/json"})
            try:
                with urlopen(request, timeout=60) as answer:
                    answer.read()
                self.good.append(time.monotonic())
            except HTTPError:
                self.bad.append(time.monotonic())

    def stop(self):
        self.stopping.set()
        self.thread.join()


class Live(HomeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home.good("deploy", cls.home.copy("tests/e2e/trace"), "--port", "0")
        cls.address = cls.home.address()

    def get(self, path):
        with urlopen(self.address + path, timeout=60) as answer:
            return json.load(answer)

    def graph(self):
        graph = self.get(PRODUCTION + "/graph")
        self.assertEqual((graph["chain"], graph["environment"], graph["window_s"]), ("guide", "production", 10))
        boxes = {box["name"]: box for box in graph["chainlets"]}
        edges = {(edge["caller"], edge["callee"]): edge for edge in graph["edges"]}
        self.assertEqual(set(boxes), {"guide", "porter", "hand", "singer"})
        self.assertEqual(set(edges), {("guide", "porter"), ("guide", "singer"), ("porter", "hand")})
        return graph["clients"], boxes, edges

    def load(self, **arguments):
        load = Load(self.address, **arguments)
        self.addCleanup(load.stop)
        return load

    def rest(self):
        """Waits until nothing of earlier calls is in the window."""
        def look():
            clients, boxes, edges = self.graph()
            return not any(one["calls_per_s"] for one in (clients, *boxes.values(), *edges.values()))
        wait_until(look, "nothing to be called any more", 60)

    def test_rates_are_those_that_the_client_counts(self):
        self.rest()
        load = self.load(bags=BAGS, lines=1)

        def agree():
            clients, boxes, edges = self.graph()
            now = time.monotonic()
            counted = len([at for at in load.good if at > now - 10]) / 10
            factors = ((clients, 1), (boxes["guide"], 1), (boxes["porter"], BAGS), (boxes["hand"], BAGS),
                       (edges["guide", "singer"], 1), (edges["guide", "porter"], BAGS), (edges["porter", "hand"], BAGS))
            return counted and all(abs(one["calls_per_s"] / factor / counted - 1) < 0.2 for one, factor in factors)
        wait_until(lambda: load.good and load.good[-1] - load.good[0] > 10 and agree(), "the rates to agree", 90)
        clients, boxes, edges = self.graph()
        for one in (clients, *boxes.values(), *edges.values()):
            self.assertEqual(one["errors_per_s"], 0)
            self.assertGreater(one["p50_ms"], 0)
            self.assertGreaterEqual(one["p99_ms"], one["p50_ms"])
        for edge in edges.values():
            self.assertEqual((edge["retries_per_s"], edge["colocated"]), (0, False))
        for box in boxes.values():
            self.assertEqual((box["state"], box["slots"], box["colocated_in"], box["external"]),
                             ("ready", box["ready"] * box["concurrency"], None, False))
        load.stop()
        self.rest()

    def test_errors_and_retries(self):
        load = self.load(bags=1, drop=True)

        def fail():
            clients, boxes, edges = self.graph()
            return all(one["errors_per_s"] > 0 for one in (clients, *boxes.values(), *edges.values())
                       if one["calls_per_s"] and one is not boxes["singer"] and one is not edges["guide", "singer"])
        wait_until(lambda: load.bad and self.graph()[0]["calls_per_s"] and fail(), "errors to be seen")
        load.stop()
        load = self.load(bags=1, stumble=True)
        wait_until(lambda: self.graph()[2]["porter", "hand"]["retries_per_s"] > 0, "retries to be seen")
        load.stop()
        # What a dropped bag costs is none of the singer's errors.
        self.assertEqual(self.graph()[1]["singer"]["errors_per_s"], 0)

    def test_points_of_the_last_hour(self):
        path = PRODUCTION + "/chainlets/hand/metrics"
        load = self.load(bags=1, stumble=True)
        wait_until(lambda: any(self.get(path)["calls_per_s"][i] for i in (-1, -2)), "points of calls")
        load.stop()
        points = self.get(path)
        self.assertEqual(points["step_s"], 5)
        columns = ("in_flight", "waiting", "ready", "wanted", "calls_per_s", "errors_per_s", "p50_ms", "p99_ms",
                   "queue_p99_ms", "cold_starts")
        self.assertEqual(set(points), {"step_s", "at", *columns})
        self.assertEqual({len(points[name]) for name in ("at", *columns)}, {720})
        self.assertEqual(points["at"], list(range(points["at"][0], points["at"][0] + 3600, 5)))
        called = [i for i in range(720) if points["calls_per_s"][i]]
        for i in called:
            self.assertEqual((points["ready"][i], points["wanted"][i]), (1, 1))
            self.assertGreater(points["p99_ms"][i], 0)
        self.assertEqual(sum(number or 0 for number in points["cold_starts"]), 1)  # with the deployment
        self.assertIsNone(points["calls_per_s"][0])  # before there was anything
        self.assertEqual(len(self.get(path + "?minutes=2")["at"]), 24)
        self.assertEqual(self.get("/api/v1/chains/guide/chainlets/hand/metrics?minutes=1")["step_s"], 5)

    def test_what_a_chainlet_was_deployed_as(self):
        hand = self.get(PRODUCTION + "/chainlets/porter")
        self.assertEqual((hand["name"], hand["c_name"], hand["override"]), ("porter", "porter", None))
        self.assertEqual((hand["config"]["concurrency"], hand["config"]["dependencies"]), (4, ["hand"]))
        self.assertNotIn("env", hand["config"])
        for path in ("/chainlets/none", "/chainlets/none/metrics"):
            with self.assertRaises(HTTPError) as refused:
                self.get(PRODUCTION + path)
            self.assertEqual(refused.exception.code, 404)
            refused.exception.close()

    def test_events_as_they_come(self):
        with urlopen(self.address + "/api/v1/live?chain=guide&environment=production", timeout=60) as stream:
            self.assertEqual(stream.headers["Content-Type"], "text/event-stream")

            latest = {}

            def until(name, holds=lambda data: True):
                """The next event of that name of which that holds; what came before it, by name."""
                before = []
                while True:
                    line = stream.readline().decode().rstrip("\n")
                    if not line.startswith("event: "):
                        continue
                    data = latest[line] = json.loads(stream.readline().decode().removeprefix("data: "))
                    if line == "event: " + name and holds(data):
                        return data, before
                    before.append(line.removeprefix("event: "))
            chains, before = until("chains")
            self.assertEqual((chains[0]["name"], before), ("guide", []))
            newest, before = until("traces")
            self.assertEqual(before, [])
            graph, before = until("graph")
            self.assertEqual((graph["chain"], before), ("guide", []))
            load = self.load(bags=1)
            until("traces", lambda traces: traces["newest"] > newest["newest"])
            until("graph", lambda graph: graph["clients"]["calls_per_s"] > 0)
            load.stop()
            self.home.good("scale", "guide", "singer", "--max", "3", "--min", "2")
            happened, _ = until("happened")
            self.assertEqual((happened["kind"], happened["chainlet"]), ("scale_set", "singer"))
            following, _ = until("happened")
            self.assertEqual((following["kind"], following["id"]), ("scaled", happened["id"] + 1))

            def shows_two(chainlets):
                return any(c["ready"] == 2 for c in chainlets if c["name"] == "singer")
            if not shows_two(latest["event: chains"][0]["chainlets"]):
                until("chains", lambda chains: shows_two(chains[0]["chainlets"]))
            if not shows_two(latest["event: graph"]["chainlets"]):
                until("graph", lambda graph: shows_two(graph["chainlets"]))
            self.home.good("scale", "guide", "singer", "--reset")

    def test_what_is_asked_wrongly(self):
        for path, status in (("/api/v1/live?chain=none", 404), ("/api/v1/live?environment=production", 400),
                             ("/api/v1/chains/guide/environments/none/graph", 404),
                             ("/api/v1/chains/none/environments/production/graph", 404)):
            with self.assertRaises(HTTPError) as refused:
                self.get(path)
            self.assertEqual(refused.exception.code, status, path)
            refused.exception.close()


if __name__ == "__main__":
    unittest.main()
