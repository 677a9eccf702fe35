"""What is told of calls: the chain of tests/e2e/trace, in four processes and the daemon's."""
import http.server
import json
import os
import signal
import threading
import unittest
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from chains_testing import Collector, HomeTest, wait_until

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
OTHER_ID = "1af7651916cd43dd8448eb211c80319c"
CLIENT_SPAN = "b7ad6b7169203331"


class Backend(Collector):
    """What spans are exported to; keeps them by their traces."""
    spans, services, keys = {}, {}, set()

    def take(self, body):
        for group in body["resourceSpans"]:
            attributes = {one["key"]: one["value"]["stringValue"] for one in group["resource"]["attributes"]}
            for span in group["scopeSpans"][0]["spans"]:
                self.services[span["spanId"]] = (attributes["service.namespace"], attributes["service.name"])
                self.spans.setdefault(span["traceId"], []).append(span)


class Trace(HomeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.backend = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
        threading.Thread(target=cls.backend.serve_forever, daemon=True).start()
        cls.home.env.update(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{cls.backend.server_port}",
                            OTEL_EXPORTER_OTLP_HEADERS="X-Key=a%20key", OTEL_SERVICE_NAME="door", OTEL_METRICS_EXPORTER="none")
        cls.home.good("deploy", cls.home.copy("tests/e2e/trace"), "--port", "0")

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.backend.shutdown()
        cls.backend.server_close()

    def get(self, path):
        with urlopen(self.home.address() + path, timeout=60) as answer:
            return json.load(answer)

    def call(self, request_id, traceparent=None, **arguments):
        headers = {"Content-Type": "application/json", "X-Request-Id": request_id}
        if traceparent:
            headers["traceparent"] = traceparent
        with urlopen(Request(self.home.address() + "/chains/guide/production/run_remote",
                             json.dumps(arguments).encode(), headers), timeout=60) as answer:
            return json.load(answer)

    def traces(self, query):
        return self.get("/api/v1/traces?" + query)["traces"]

    def tree(self, request_id, spans):
        """The trace of a request, once that many spans of it are there."""
        def look():
            found = self.traces("request_id=" + request_id)
            return found and found[0]["state"] != "partial" and found[0]["spans"] >= spans
        wait_until(look, f"{spans} spans of {request_id}")
        tree = self.get("/api/v1/traces/" + request_id)
        self.assertEqual(len(tree["spans"]), spans)
        self.assertEqual(self.get("/api/v1/traces/" + tree["trace"]["trace_id"]), tree)
        return tree

    def shape(self, tree):
        return [(span["depth"], span["kind"], span["chainlet"], span["callee"], span["status"])
                for span in tree["spans"]]

    def assert_whole(self, tree, tops=0):
        """Every parent is there (but a client's: tops), stands before its child, and lies around it."""
        seen = {}
        for span in tree["spans"]:
            self.assertEqual(span["orphan"], tops > 0 and not seen)
            self.assertNotIn(span["span_id"], seen)
            seen[span["span_id"]] = span
            parent = seen.get(span["parent_id"])
            if span["depth"]:
                self.assertEqual(parent["depth"], span["depth"] - 1)
                made_ms = span["start_ms"] - (span["queue_ms"] or 0 if span["kind"] == "served" else 0)
                self.assertGreaterEqual(made_ms, parent["start_ms"] - 1e-6, (span, parent))

    def test_fan_out_retry_and_stream(self):
        self.assertEqual(self.call("carried", bags=2, stumble=True, lines=3), 3)
        tree = self.tree("carried", 15)
        self.assert_whole(tree)
        shape = self.shape(tree)
        self.assertEqual(shape[:3], [(0, "front", "", "guide", "OK"), (1, "served", "guide", None, "OK"),
                                     (2, "made", "guide", "porter", "OK")])
        retried = [(3, "served", "porter", None, "OK"), (4, "made", "porter", "hand", "OK"),
                   (5, "attempt", "porter", "hand", "UNAVAILABLE"), (6, "served", "hand", None, "UNAVAILABLE"),
                   (5, "attempt", "porter", "hand", "OK"), (6, "served", "hand", None, "OK")]
        at = shape.index(retried[2]) - 2
        self.assertEqual(shape[at:at + 6], retried)
        self.assertEqual([tree["spans"][at + i]["attempt"] for i in (1, 2, 4)], [2, 1, 2])
        self.assertEqual(shape[-2:], [(2, "made", "guide", "singer", "OK"), (3, "served", "singer", None, "OK")])
        for span in tree["spans"][-2:]:
            self.assertEqual(span["items"], 3)
            self.assertIsNotNone(span["first_item_ms"])
        self.assertEqual(len({span["pid"] for span in tree["spans"]}), 5)
        for span in tree["spans"]:
            if span["kind"] == "served" and span["status"] == "OK":
                for phase in ("queue_ms", "decode_ms", "run_ms", "encode_ms"):
                    self.assertIsNotNone(span[phase], span)
        self.assertEqual(tree["trace"]["state"], "ok")
        self.assertEqual(tree["trace"]["chainlets"], ["guide", "hand", "porter", "singer"])

    def test_where_a_failure_was_raised(self):
        done = self.home.chains("call", "guide", "--json", "--input", '{"bags": 1, "drop": true}')
        failed = json.loads(done.stderr)["error"]
        tree = self.tree(failed["request_id"], 6)
        self.assert_whole(tree)
        trace = tree["trace"]
        self.assertEqual((trace["state"], trace["status"], trace["message"], trace["raised_by"], trace["file"]),
                         ("failed", "FAILED_PRECONDITION", "dropped bag 0", "hand", "hand.c"))
        self.assertEqual(trace["line"], failed["trace"][-1]["line"])
        places = {}  # of each Chainlet that of its outermost hop
        for hop in failed["trace"]:
            places.setdefault(hop["chainlet"], f"{hop['function']} {hop['file']}:{hop['line']}")
        left = {span["chainlet"]: span["left_at"] for span in tree["spans"] if span["kind"] == "served"}
        self.assertEqual(set(left), {"guide", "porter", "hand"})
        self.assertEqual(left, {name: places[name] for name in left})
        self.assertIn(trace, self.traces("state=FAILED_PRECONDITION"))
        self.assertIn(trace, self.traces("state=failed&chainlet=hand&chain=guide"))
        self.assertNotIn(trace, self.traces("state=ok"))

    def test_a_client_decides_whether_it_is_recorded(self):
        self.call("silent", f"00-{TRACE_ID}-{CLIENT_SPAN}-00", bags=1)
        self.call("told", f"00-{TRACE_ID}-{CLIENT_SPAN}-01", bags=0)
        tree = self.tree("told", 2)
        self.assertEqual(tree["trace"]["trace_id"], TRACE_ID)
        self.assertEqual((tree["spans"][0]["parent_id"], tree["spans"][0]["orphan"]), (CLIENT_SPAN, True))
        self.assertEqual(self.traces("request_id=silent"), [])

    def test_a_failure_is_told_of_in_any_case(self):
        with self.assertRaises(HTTPError):
            self.call("unasked", f"00-{OTHER_ID}-{CLIENT_SPAN}-00", bags=1, drop=True)
        # Of each process what it served, and nothing of calls that were made.
        tree = self.tree("unasked", 4)
        self.assertEqual(tree["trace"]["trace_id"], OTHER_ID)
        self.assert_whole(tree, tops=1)
        self.assertEqual([(span["kind"], span["chainlet"]) for span in tree["spans"]],
                         [("front", ""), ("served", "guide"), ("served", "porter"), ("served", "hand")])

    def test_a_new_brain_finds_them(self):
        self.call("before", bags=1)
        tree = self.tree("before", 6)
        trace_id = tree["trace"]["trace_id"]
        wait_until(lambda: len(Backend.spans.get(trace_id, [])) == 6, "the spans")
        brain = self.home.brain_pid()
        os.kill(brain, signal.SIGKILL)
        wait_until(lambda: self.home.brain_pid() not in (None, brain), "another brain")
        found = self.get("/api/v1/traces/before")
        # The front door's own span was the brain's; the rest is there, and isn't exported again.
        self.assertEqual([span["span_id"] for span in found["spans"]], [span["span_id"] for span in tree["spans"][1:]])
        self.assertEqual(found["trace"]["state"], "partial")
        self.call("after", bags=1)
        after = self.tree("after", 6)["trace"]["trace_id"]
        wait_until(lambda: len(Backend.spans.get(after, [])) == 6, "the spans of the other brain")
        self.assertEqual(len(Backend.spans[trace_id]), 6)
        self.assertEqual(self.get("/api/v1/traces")["lost"], 0)

    def test_spans_are_exported(self):
        self.call("exported", bags=1)
        tree = self.tree("exported", 6)
        trace_id = tree["trace"]["trace_id"]
        spans = wait_until(lambda: len(Backend.spans.get(trace_id, [])) == 6 and Backend.spans[trace_id], "the spans")
        self.assertEqual(Backend.keys, {("/v1/traces", "application/json", "a key")})
        self.assertEqual({span["spanId"]: span["parentSpanId"] for span in spans},
                         {span["span_id"]: span["parent_id"] or "" for span in tree["spans"]})
        self.assertEqual({Backend.services[span["spanId"]] for span in spans},
                         {("guide", name) for name in ("door", "guide", "porter", "hand")})
        for span in spans:
            self.assertLessEqual(int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]))
        wait_until(lambda: self.get("/api/v1/traces")["exported"] >= 6, "the exporter to know")
        self.assertEqual(self.get("/api/v1/traces")["not_exported"], 0)

    def test_the_verb(self):
        self.home.chains("call", "guide", "--json", "--input", '{"bags": 1, "drop": true}')
        wait_until(lambda: self.traces("state=failed&limit=1"), "a failed call")
        trace = self.traces("state=failed&limit=1")[0]
        listed = self.home.good("trace", "--state", "failed", "--chain", "guide").splitlines()
        self.assertTrue(listed[0].startswith("STARTED"))
        self.assertIn(trace["trace_id"], listed[1])
        tree = self.tree(trace["request_id"], 6)
        self.assertEqual(json.loads(self.home.good("trace", "--json", trace["trace_id"])), tree)
        drawn = self.home.good("trace", trace["request_id"])
        self.assertIn("guide/guide  FAILED_PRECONDITION  ", drawn)
        self.assertIn("    -> hand ", drawn)
        self.assertIn("FAILED_PRECONDITION: dropped bag 0 (hand, hand.c:", drawn)
        self.assertTrue(drawn.isascii())
        nobody = self.home.chains("trace", "no such request")
        self.assertEqual(nobody.returncode, 1)
        self.assertIn("no trace of 'no such request'", nobody.stderr)

    def test_pages(self):
        for i in range(5):
            self.call(f"page-{i}", bags=0)
            self.tree(f"page-{i}", 2)
        pages, query = [], "limit=2&chain=guide"
        while True:
            page = self.get("/api/v1/traces?" + query)
            pages += [trace["number"] for trace in page["traces"]]
            if page["next"] is None:
                break
            self.assertEqual(len(page["traces"]), 2)
            query = f"limit=2&chain=guide&before={page['next']}"
        self.assertEqual(pages, sorted(set(pages), reverse=True))
        self.assertGreaterEqual(len(pages), 5)
        self.assertEqual(self.traces("chain=nobody"), [])
        self.assertEqual(self.traces("min_ms=100000"), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
