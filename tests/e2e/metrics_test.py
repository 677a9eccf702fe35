"""What is counted of calls: the chain of tests/e2e/trace at the daemon's /metrics, and as it is exported."""
import collections
import http.server
import json
import re
import threading
import unittest
from urllib.request import Request, urlopen

from chains_testing import Collector, HomeTest, wait_until

LINE = re.compile(r'([a-z_]+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')


class Backend(Collector):
    """What metrics are exported to; keeps the latest of each process."""
    resources, keys = {}, set()

    def take(self, body):
        for group in body["resourceMetrics"]:
            resource = {one["key"]: one["value"]["stringValue"] for one in group["resource"]["attributes"]}
            metrics = {one["name"]: one for one in group["scopeMetrics"][0]["metrics"]}
            self.resources[resource["service.name"], resource["service.instance.id"]] = (resource, metrics)


class Metrics(HomeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.backend = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
        threading.Thread(target=cls.backend.serve_forever, daemon=True).start()
        cls.home.env.update(OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=f"http://127.0.0.1:{cls.backend.server_port}/v1/metrics",
                            OTEL_EXPORTER_OTLP_METRICS_HEADERS="X-Key=a%20key", OTEL_METRIC_EXPORT_INTERVAL="50",
                            OTEL_SERVICE_NAME="door")
        cls.home.good("deploy", cls.home.copy("tests/e2e/trace"), "--port", "0")

    def setUp(self):
        for i in range(100):  # of which some are timed
            self.call(bags=2, stumble=i == 0, lines=3)

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.backend.shutdown()
        cls.backend.server_close()

    def call(self, **arguments):
        request = Request(self.home.address() + "/chains/guide/production/run_remote", json.dumps(arguments).encode(),
                          {"Content-Type": "application/json"})
        with urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def read(self):
        """The text's types and samples: {name: [(labels, number)]}."""
        with urlopen(self.home.address() + "/metrics", timeout=60) as answer:
            self.assertEqual(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
            text = answer.read().decode()
        types, samples = {}, collections.defaultdict(list)
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name, kind = line.split()[2:]
                self.assertNotIn(name, types)  # a family comes once
                types[name] = kind
            elif not line.startswith("#"):
                name, labels, number = LINE.match(line).groups()
                self.assertIn(re.sub("_(bucket|sum|count)$", "", name) if name not in types else name, types)
                samples[name].append((dict(LABEL.findall(labels or "")), float(number)))
        return types, samples

    def total(self, samples, name, **labels):
        found = [number for own, number in samples[name] if labels.items() <= own.items()]
        self.assertTrue(found, (name, labels, samples[name]))
        return sum(found)

    def test_all_is_there(self):
        types, samples = self.read()
        for chainlet in ("guide", "porter", "hand", "singer"):
            of = {"chain": "guide", "environment": "production", "chainlet": chainlet}
            self.assertGreaterEqual(self.total(samples, "chains_calls_total", status="OK", **of), 20)
            self.assertEqual(self.total(samples, "chains_in_flight", **of), 0)
            self.assertEqual(self.total(samples, "chains_waiting", **of), 0)
            for phase in ("queue", "decode", "run", "encode"):
                self.assertGreaterEqual(self.total(samples, f"chains_{phase}_seconds_count", **of), 1)
                self.assertEqual(types[f"chains_{phase}_seconds"], "histogram")
            for way in ("socket", "copied", "shared"):
                self.assertGreaterEqual(self.total(samples, "chains_body_bytes_total", way=way, **of), 0)
            for phase in ("spawn", "ready"):
                self.assertGreaterEqual(self.total(samples, "chains_start_seconds_count", phase=phase, **of), 1)
                self.assertGreater(self.total(samples, "chains_start_seconds_sum", phase=phase, **of), 0)
            self.assertGreater(self.total(samples, "chains_new_seconds", **of), 0)
            self.assertGreaterEqual(self.total(samples, "chains_replicas", state="ready", **of), 1)
            self.assertGreaterEqual(self.total(samples, "chains_replicas_wanted", **of), 1)
            self.assertEqual(self.total(samples, "chains_chainlet_waiting", **of), 0)
        # The graph: who calls whom, how often, with what success, and how long it takes.
        edges = {(own["chainlet"], own["callee"]) for own, _ in samples["chains_dependency_calls_total"]}
        self.assertEqual(edges, {("guide", "porter"), ("guide", "singer"), ("porter", "hand")})
        self.assertGreaterEqual(self.total(samples, "chains_dependency_calls_total", chainlet="porter", callee="hand",
                                           status="OK"), 40)
        self.assertGreaterEqual(self.total(samples, "chains_dependency_seconds_count", chainlet="porter"), 1)
        self.assertGreaterEqual(self.total(samples, "chains_dependency_retries_total", chainlet="porter"), 1)
        self.assertGreaterEqual(self.total(samples, "chains_calls_total", chainlet="hand", status="UNAVAILABLE"), 1)
        front = {"chain": "guide", "environment": "production"}
        calls = self.total(samples, "chains_front_calls_total", status="OK", **front)
        self.assertGreaterEqual(calls, 20)
        self.assertEqual(self.total(samples, "chains_front_seconds_count", **front), calls)
        # Each process says which it is.
        status = json.loads(self.home.good("status", "--json"))[0]
        pids = {str(r["pid"]) for c in status["chainlets"] for r in c["replicas"]}
        self.assertEqual({own["replica"] for own, _ in samples["chains_ready"]}, pids)
        self.assertEqual({own["version"] for own, _ in samples["chains_ready"]}, {status["version_id"]})

    def test_what_is_exported(self):
        resources = self.backend.RequestHandlerClass.resources
        wait_until(lambda: {name for name, _ in resources} >= {"guide", "porter", "hand", "singer", "door"},
                   "metrics of all processes")
        # Of calls that have all ended, the next round has what /metrics has.
        _, samples = self.read()
        expected = self.total(samples, "chains_calls_total", chainlet="hand", status="OK")

        def hands():
            return [(r, m) for (name, _), (r, m) in resources.items() if name == "hand" and "chains_calls_total" in m]

        def points(metric, kind, **attributes):
            found = []
            for point in metric[kind]["dataPoints"]:
                own = {one["key"]: one["value"]["stringValue"] for one in point["attributes"]}
                if attributes.items() <= own.items():
                    found.append(point)
            return found
        wait_until(lambda: sum(p["asDouble"] for _, m in hands()
                               for p in points(m["chains_calls_total"], "sum", status="OK")) == expected, "all calls")
        resource, metrics = hands()[0]
        self.assertEqual((resource["service.namespace"], resource["deployment.environment.name"]), ("guide", "production"))
        self.assertRegex(resource["service.version"], "^v0001")
        calls = metrics["chains_calls_total"]["sum"]
        self.assertEqual((calls["aggregationTemporality"], calls["isMonotonic"]), (2, True))
        self.assertIn("gauge", metrics["chains_in_flight"])
        run = metrics["chains_run_seconds"]
        self.assertEqual((run["unit"], run["histogram"]["aggregationTemporality"]), ("s", 2))
        point = run["histogram"]["dataPoints"][0]
        self.assertEqual(len(point["bucketCounts"]), len(point["explicitBounds"]) + 1)
        self.assertEqual(sum(map(int, point["bucketCounts"])), int(point["count"]))
        self.assertEqual(point["explicitBounds"], sorted(point["explicitBounds"]))
        self.assertLess(int(point["startTimeUnixNano"]), int(point["timeUnixNano"]))
        door = next(m for (name, _), (_, m) in resources.items() if name == "door")
        self.assertIn("chains_front_seconds", door)
        keys = self.backend.RequestHandlerClass.keys
        self.assertEqual(keys, {("/v1/metrics", "application/json", "a key")})


if __name__ == "__main__":
    unittest.main()
