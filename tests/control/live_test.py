"""Who may see what of the live view, what a deployment says of its graph, and the end of answers that don't end."""
import http.client
import json
import socket
import unittest

from chains_testing import wait_until
from daemon_testing import DaemonTest, service


class Stream:
    """GET /api/v1/live, read event by event."""

    def __init__(self, daemon, query="", headers=None):
        self.connection = daemon.connection()
        self.connection.request("GET", "/api/v1/live" + query, headers=headers or {})
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.read()

    def next(self):
        while True:
            line = self.answer.readline().decode()
            if not line:
                return None, None
            if line.startswith("event: "):
                return line[7:-1], json.loads(self.answer.readline().decode()[6:])

    def until(self, name, holds=lambda data: True):
        while True:
            event, data = self.next()
            assert event, "the stream has ended"
            if event == name and holds(data):
                return data

    def has_ended(self):
        """Reads one more event, if there is one."""
        try:
            return not self.next()[0]
        except (http.client.HTTPException, OSError):
            return True

    def close(self):
        self.connection.close()


class LiveTest(DaemonTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start()

    def stream(self, query="", headers=None):
        stream = Stream(self.daemon, query, headers)
        self.addCleanup(stream.close)
        return stream

    def graph(self, chain):
        answer = self.daemon.ask("GET", f"/api/v1/chains/{chain}/environments/production/graph")
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def test_a_graph_of_what_is_linked_together(self):
        self.daemon.deployed("x", service("entry", dependencies=["other"], inside=["inner"]), service("other"),
                             links=[{"caller": "entry", "callee": "inner", "colocated": True},
                                    {"caller": "inner", "callee": "other"}, {"caller": "inner", "callee": "far"}])
        graph = self.graph("x")
        boxes = {box["name"]: box for box in graph["chainlets"]}
        self.assertEqual(list(boxes), ["entry", "other", "inner", "far"])
        self.assertEqual([(e["caller"], e["callee"], e["colocated"]) for e in graph["edges"]],
                         [("entry", "inner", True), ("inner", "other", False), ("inner", "far", False)])
        self.assertEqual([e["calls_per_s"] for e in graph["edges"]], [None, 0, 0])
        self.assertEqual((boxes["inner"]["colocated_in"], boxes["inner"]["state"], boxes["inner"]["calls_per_s"]),
                         ("entry", "ready", None))
        self.assertEqual((boxes["far"]["external"], boxes["far"]["state"]), (True, "external"))
        self.assertEqual([name for name, box in boxes.items() if box["entrypoint"]], ["entry"])
        # Another brain knows as much.
        self.daemon.stop()
        self.daemon = self.start()
        wait_until(lambda: {box["state"] for box in self.graph("x")["chainlets"]} == {"ready", "external"},
                   "all to be ready again")
        again = self.graph("x")
        self.assertEqual([box["name"] for box in again["chainlets"]], list(boxes))
        self.assertEqual([(e["caller"], e["callee"]) for e in again["edges"]],
                         [(e["caller"], e["callee"]) for e in graph["edges"]])

    def test_a_graph_of_what_says_nothing_of_links(self):
        self.daemon.deployed("x", service("entry", dependencies=["other"]), service("other"))
        graph = self.graph("x")
        self.assertEqual([(e["caller"], e["callee"], e["calls_per_s"]) for e in graph["edges"]], [("entry", "other", 0)])

    def test_a_chain_comes_and_goes(self):
        stream = self.stream()
        self.assertEqual(stream.next(), ("chains", []))
        self.assertEqual(stream.next(), ("traces", {"newest": 0}))
        self.daemon.deployed("x", service("entry"))
        self.assertEqual(stream.until("chains", lambda chains: chains and chains[0]["state"] == "ready")[0]["name"], "x")
        self.assertEqual(self.daemon.change("DELETE", "/api/v1/chains/x").status, 200)
        stream.until("chains", lambda chains: not chains)
        self.daemon.deployed("y", service("entry"))
        self.assertEqual(stream.until("happened", lambda event: event["kind"] == "deployed")["chain"], "y")

    def test_who_may_see_what(self):
        for chain in ("x", "y"):
            self.daemon.deployed(chain, service("entry"))
        keys = [self.daemon.change("POST", "/api/v1/keys", body).json() for body in
                ({"scope": "call", "chain": "x"}, {"scope": "deploy"})]
        mine, all_of_them = ({"Authorization": "Bearer " + key["key"]} for key in keys)
        self.assertEqual(self.daemon.ask("GET", "/api/v1/live").status, 401)
        self.assertEqual(self.daemon.ask("GET", "/api/v1/live?chain=y", None, mine).status, 403)
        self.assertEqual(self.daemon.ask("GET", "/api/v1/chains/y/environments/production/graph", None, mine).status, 403)
        self.assertEqual(self.daemon.ask("POST", "/api/v1/live", None, mine).status, 405)
        one, both = self.stream("?chain=x", mine), self.stream("", all_of_them)
        self.assertEqual([chain["name"] for chain in one.next()[1]], ["x"])
        self.assertEqual(one.next()[1]["chain"], "x")
        self.assertEqual([chain["name"] for chain in both.until("chains")], ["x", "y"])
        # Who may not see traces isn't told that there are some, nor whose key is for one chain of another's.
        deploy_x, deploy_y = (self.daemon.change("POST", "/api/v1/keys", {"scope": "deploy", "chain": chain}).json()
                              for chain in ("x", "y"))
        x, y = (self.stream("", {"Authorization": "Bearer " + key["key"]}) for key in (deploy_x, deploy_y))
        self.assertEqual((x.until("traces"), y.until("traces")), ({"newest": 0}, {"newest": 0}))
        trace = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}
        self.daemon.call("x", headers={**all_of_them, **trace})
        number = both.until("traces", lambda traces: traces["newest"] > 0)
        self.assertEqual(x.until("traces"), number)
        # Of the events of both, one key's alone; what the other sees next is the chain.
        self.daemon.deploy("x", service("entry"))
        both.until("happened", lambda event: event["chain"] == "x")
        self.daemon.deploy("y", service("entry"))
        for stream, hidden in ((one, ("happened", "traces")), (y, ("traces",))):
            event, data = stream.next()
            while event != "chains" or data[0]["version"] != 2:
                self.assertNotIn(event, hidden)
                event, data = stream.next()
        # A key that is revoked sees no more.
        self.assertEqual(self.daemon.change("DELETE", f"/api/v1/keys/{keys[0]['id']}").status, 200)
        while not one.has_ended():
            pass

    def test_all_ends_with_the_daemon(self):
        self.daemon.deployed("x", service("entry"))
        streams = [self.stream("?chain=x") for _ in range(3)]
        for stream in streams:
            stream.until("graph")
        leaving = self.daemon.dial()
        leaving.sendall(b"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        leaving.recv(1)
        leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        leaving.close()
        self.daemon.stop()
        for stream in streams:
            while stream.next()[0]:
                pass
        self.assertNotIn("something was left open", self.daemon.said())


if __name__ == "__main__":
    unittest.main(verbosity=2)
