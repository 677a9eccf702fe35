"""Requests: what is carried out, what is asked again, and what is said when it fails."""
import json
import os
import socket
import subprocess
import threading
import unittest

from cluster_testing import CLIENT, CONFIGMAPS, ClusterTest
from fake_api import status


class RequestTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.api = self.new_api()
        self.path = self.config(cluster={"server": self.api.url}, user={"token": "abc"})
        self.body = self.file("body", {"metadata": {"name": "x"}})

    def fault(self, *answers):
        """The next requests get these; what is None is as usual. Each: (code, body) or (code, body, headers)."""
        left = list(answers)

        def act(handler):
            answer = left.pop(0) if left else None
            if answer:
                handler.reply(*answer)
            return bool(answer)
        self.api.faults = [act]
        self.api.requests.clear()

    def say(self, answer, line=f"GET 0 {CONFIGMAPS}/x"):
        self.fault(answer)
        return self.ask(self.path, line)

    def methods(self):
        return [one[0] for one in self.api.requests]

    def test_an_objects_life(self):
        answers = self.asks(self.path, f"POST 0 {CONFIGMAPS} application/json {self.body}", f"GET 0 {CONFIGMAPS}/x", f"DELETE 0 {CONFIGMAPS}/x",
                            f"GET 0 {CONFIGMAPS}/x")
        self.assertEqual([(one["status"], one["http"], one["reason"]) for one in answers],
                         [("OK", 201, ""), ("OK", 200, ""), ("OK", 200, ""), ("NOT_FOUND", 404, "NotFound")])
        self.assertEqual(json.loads(answers[1]["body"])["metadata"]["name"], "x")
        self.assertEqual(answers[3]["why"], "there is no configmap 'x' in namespace 'default'")
        self.assertEqual({headers["User-Agent"] for _, _, headers in self.api.requests}, {"chains"})

    def test_sentences(self):
        pods = "/api/v1/namespaces/team/pods"
        cases = [
            (status(403, "Forbidden", 'deployments.apps "x" is forbidden: User "system:serviceaccount:team:chainsd" cannot patch resource '
                                      '"deployments/scale" in API group "apps" in the namespace "team"'),
             "PATCH 0 /apis/apps/v1/namespaces/team/deployments/x/scale application/merge-patch+json " + self.body, "PERMISSION_DENIED",
             "system:serviceaccount:team:chainsd may not patch deployments/scale in namespace 'team' (deployment 'x' in namespace 'team'): "
             'a Role bound to it must allow {apiGroups: ["apps"], resources: ["deployments/scale"], verbs: ["patch"]}'),
            (status(403, "Forbidden", 'nodes is forbidden: User "me" cannot list resource "nodes" in API group "" at the cluster scope'),
             "GET 0 /api/v1/nodes", "PERMISSION_DENIED",
             'me may not list nodes: a ClusterRole bound to it must allow {apiGroups: [""], resources: ["nodes"], verbs: ["list"]}'),
            (status(403, "Forbidden", 'pods "x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=5, limited: pods=5', name="x"),
             f"POST 0 {pods} application/json {self.body}", "RESOURCE_EXHAUSTED",
             "the quota 'small' forbids pod 'x' in namespace 'team': requested: pods=1, used: pods=5, limited: pods=5; "
             "raise it (kubectl describe quota), or ask for less"),
            (status(403, "Forbidden", "a webhook says no"), f"GET 0 {pods}", "PERMISSION_DENIED", "pods in namespace 'team' is forbidden: a webhook says no"),
            (status(404, "NotFound", 'namespaces "team" not found', name="team", kind="namespaces"), f"POST 0 {pods} application/json {self.body}",
             "NOT_FOUND", "there is no namespace 'team': kubectl create namespace team"),
            ((404, b"404 page not found\n"), "GET 0 /apis/x.dev/v9/things", "NOT_FOUND",
             f"{self.api.url} doesn't know /apis/x.dev/v9/things: its Kubernetes has no such kind of objects, or its address is another's"),
            (status(409, "AlreadyExists", "it exists", name="x"), f"POST 0 {pods} application/json {self.body}", "ALREADY_EXISTS",
             "there is a pod 'x' in namespace 'team' already"),
            (status(409, "Conflict", "apply your changes to the latest version"), f"PUT 0 {pods}/x application/json {self.body}", "ABORTED",
             "pod 'x' in namespace 'team' was changed by somebody else meanwhile: apply your changes to the latest version"),
            (status(422, "Invalid", "spec.replicas: Invalid value: -1"), f"PUT 0 {pods}/x application/json {self.body}", "INVALID_ARGUMENT",
             "the API server refuses pod 'x' in namespace 'team' (422): spec.replicas: Invalid value: -1"),
            (status(401, "Unauthorized", "Unauthorized"), f"GET 0 {pods}", "UNAUTHENTICATED",
             f"{self.api.url} doesn't accept the credentials of user 'u' (context 'here' of {self.path}): they have ended, or are another "
             "cluster's; log in again"),
            (status(429, "TooManyRequests", "try later"), f"GET 0 {pods}", "RESOURCE_EXHAUSTED",
             f"the API server {self.api.url} lets pods in namespace 'team' wait: try later"),
            ((502, b"<html>\nbad\x1b gateway"), f"GET 0 {pods}", "UNAVAILABLE",
             f"the API server {self.api.url} can't do pods in namespace 'team' now (502): <html>\\nbad\\x1b gateway"),
            ((302, b"", [("Location", "/login")]), f"GET 0 {pods}", "INVALID_ARGUMENT",
             f"{self.api.url} sends elsewhere (302) where an API server would answer: see the server of context 'here' of {self.path}"),
        ]
        for answer, line, code, why in cases:
            got = self.say(answer, line)
            self.assertEqual((got["status"], got["why"]), (code, why))

    def test_names_of_one_object(self):
        for many, one in (("leases", "lease"), ("ingresses", "ingress"), ("networkpolicies", "networkpolicy"), ("endpoints", "endpoints"), ("pods", "pod")):
            got = self.say(status(404, "NotFound", "no"), f"GET 0 /apis/x/v1/namespaces/team/{many}/y")
            self.assertEqual(got["why"], f"there is no {one} 'y' in namespace 'team'")

    def test_what_a_peer_says_has_bounds(self):
        long = "x" * 100000
        for answer in (status(403, long, long), status(404, "NotFound", long, name=long, kind="namespaces"), (400, long.encode()),
                       status(403, "Forbidden", f'User "{long}" cannot {long} resource "{long}" in API group "{long}" in the namespace "{long}"'),
                       status(403, "Forbidden", f"exceeded quota: {long}, {long}"), (500, b""), (400, b"{"), (400, b"[1]"), (404, b'{"kind":"Status"}')):
            got = self.say(answer, "GET 0 /api/v1/namespaces/default/configmaps/" + "y" * 5000)
            self.assertNotEqual(got["status"], "OK")
            self.assertTrue(0 < len(got["why"]) < 1024)

    def test_paths_of_any_form(self):
        for path in ("/", "/api", "/apis/apps", "/api/v1/namespaces", "/api/v1/namespaces/x", "/version?x=/y", "/api/v1//", "/apis/a/b/namespaces/"):
            self.assertEqual(self.say((404, b"no"), f"GET 0 {path}")["status"], "NOT_FOUND")

    # What is asked again.
    def test_reading_and_applying_are_asked_again(self):
        broken = (500, {"kind": "Status", "message": "etcdserver: leader changed"})
        for line in (f"GET 60 {CONFIGMAPS}", f"PATCH 60 {CONFIGMAPS}/x application/apply-patch+yaml {self.body}"):
            self.fault(broken, (503, b""), (504, b""), (429, b""))
            self.assertEqual(self.ask(self.path, line)["status"], "OK")
            self.assertEqual(len(self.api.requests), 5)
        self.fault(broken)
        self.assertEqual(self.ask(self.path)["status"], "UNAVAILABLE")
        self.assertEqual(len(self.api.requests), 1)

    def test_what_may_have_been_carried_out_is_not_asked_again(self):
        for method, path in (("POST", CONFIGMAPS), ("PUT", CONFIGMAPS + "/x"), ("PATCH", CONFIGMAPS + "/x"), ("DELETE", CONFIGMAPS + "/x")):
            line = f"{method} 60 {path}" + (f" application/merge-patch+json {self.body}" if method != "DELETE" else "")
            for answer in ((500, b""), (503, b"")):
                self.fault(answer)
                self.assertEqual(self.ask(self.path, line)["status"], "UNAVAILABLE")
                self.assertEqual(self.methods(), [method])
            self.fault((503, b"", [("Retry-After", "1")]), (429, b""), (409, b""))
            self.assertEqual(self.ask(self.path, line)["status"], "ABORTED")
            self.assertEqual(self.methods(), [method] * 3)

    def test_a_connection_that_breaks(self):
        """After the request was read: what reads is asked again, what makes isn't."""
        def cut(handler):
            if len(self.api.requests) > 1:
                return False
            handler.close_connection = True
            handler.request.shutdown(socket.SHUT_RDWR)
            return True
        for line, code, count in ((f"GET 60 {CONFIGMAPS}", "OK", 2), (f"POST 60 {CONFIGMAPS} application/json {self.body}", "UNAVAILABLE", 1)):
            self.api.requests.clear()
            self.api.faults = [cut]
            answer = self.ask(self.path, line)
            self.assertEqual((answer["status"], len(self.api.requests)), (code, count))
        self.assertIn("the connection to the API server", answer["why"])

    def test_an_answer_that_breaks_off(self):
        def cut(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            handler.wfile.write(b'{"kind"')
            handler.close_connection = True
            return True
        self.api.faults = [cut]
        answer = self.ask(self.path)
        self.assertEqual((answer["status"], answer["body"]), ("UNAVAILABLE", ""))

    def test_a_kept_connection_that_ended_costs_nothing(self):
        """The API server was restarted between two requests."""
        with subprocess.Popen([CLIENT, "--kubeconfig", self.path, "ask"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.env) as client:
            for line in (f"GET 0 {CONFIGMAPS}", f"POST 0 {CONFIGMAPS} application/json {self.body}", f"DELETE 0 {CONFIGMAPS}/x"):
                client.stdin.write(line + "\n")
                client.stdin.flush()
                self.assertEqual(json.loads(client.stdout.readline())["status"], "OK", line)
                self.api.stop()
                self.api.start()
            client.stdin.close()

    def test_nobody_there(self):
        self.api.stop()
        answer = self.ask(self.path)
        self.assert_said(answer, "UNAVAILABLE", f"the API server {self.api.url} isn't reached", "see that the cluster runs", "context 'here' of")
        self.assertEqual(answer["http"], 0)
        self.api.start()
        absent = self.config("absent", cluster={"server": "https://chains.invalid"})
        self.assert_said(self.ask(absent), "UNAVAILABLE", "the host of https://chains.invalid", "isn't known")

    def test_an_api_server_that_comes_back(self):
        """It is away when it is asked; what wasn't sent is sent once it is there, whatever it is."""
        for line in (f"POST 60 {CONFIGMAPS} application/json {self.body}", f"PATCH 60 {CONFIGMAPS}/x application/apply-patch+yaml {self.body}"):
            self.api.stop()
            timer = threading.Timer(0.3, self.api.start)
            timer.start()
            self.assertEqual(self.ask(self.path, line)["status"], "OK")
            timer.join()

    def test_patience_has_an_end(self):
        self.api.stop()
        self.assertEqual(self.ask(self.path, f"GET 0.3 {CONFIGMAPS}")["status"], "UNAVAILABLE")
        self.api.start()
        self.api.faults = [lambda handler: handler.reply(429, b"", [("Retry-After", "3600")]) or True]
        self.assertEqual(self.ask(self.path, f"GET 0.3 {CONFIGMAPS}")["status"], "RESOURCE_EXHAUSTED")

    def test_a_proxy(self):
        """By plain HTTP a proxy is asked for the whole URL."""
        config = self.config("proxied", cluster={"server": "http://chains.invalid:80", "proxy-url": self.api.url})
        seen = []
        self.api.faults = [lambda handler: seen.append(handler.path) or handler.reply(200, {}) or True]
        self.assertEqual(self.ask(config)["status"], "OK")
        self.assertEqual(seen, [f"http://chains.invalid{CONFIGMAPS}"])
        absent = self.config("absent", cluster={"server": "http://chains.invalid", "proxy-url": "http://proxy.invalid"})
        self.assert_said(self.ask(absent), "UNAVAILABLE", "the proxy to http://chains.invalid isn't known")

    def test_large_bodies(self):
        large = {"metadata": {"name": "large"}, "data": {"a": "x" * (4 << 20)}}
        answers = self.asks(self.path, f"POST 0 {CONFIGMAPS} application/json {self.file('large', large)}", f"GET 0 {CONFIGMAPS}/large")
        self.assertEqual(json.loads(answers[1]["body"])["data"], large["data"])

    def test_without_libcurl(self):
        """It says so. The loader looks for libraries here first."""
        with open(os.path.join(self.folder, "libcurl.so.4"), "wb") as file:
            file.write(b"no library")
        answer = self.ask(self.path, env={"LD_LIBRARY_PATH": self.folder})
        self.assert_said(answer, "FAILED_PRECONDITION", "libcurl can't be loaded", "install libcurl4")


unittest.main(verbosity=2)
