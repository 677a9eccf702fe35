#!/usr/bin/env python3
"""Calls that wait in a cluster's front door: their ends. The cluster's pods are processes of this computer."""
import http.client
import json
import os
import threading

from control_testing import LIMIT_S, ControllerTest, edit, main
from chains_testing import wait_until

ENTRY = "hello-v1-hello"


class FrontDoor(ControllerTest):
    def connect(self):
        host, port = self.home.address().split("//")[1].split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=LIMIT_S)
        self.addCleanup(connection.close)
        return connection

    def ask(self, **headers):
        """A call whose answer is still to be read."""
        connection = self.connect()
        connection.request("POST", "/chains/hello/production/run_remote", json.dumps({"words": ["moon"]}),
                           {"Content-Type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}})
        return connection

    def hear(self, connection):
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def waiting(self):
        return next(chainlet["waiting"] for chainlet in self.status()["chainlets"] if chainlet["name"] == "hello")

    def deploy_without_pods(self, *options):
        """It runs, is at zero, and its entrypoint's pods don't come any more."""
        if options:
            edit(os.path.join(self.folder, "hello.h"), *options)
        self.deploy()
        self.cluster.problems[ENTRY] = ("ContainerCreating", "")
        self.scale("hello", "--scale-to-zero-delay", "0.5")
        wait_until(lambda: not self.cluster.pods_of(ENTRY), "no pods", LIMIT_S)

    def test_a_deadline_is_met(self):
        self.deploy_without_pods()
        status, answer = self.hear(self.ask(X_Chains_Timeout_Ms="300"))
        self.assertEqual((status, answer["error"]["status"]), (504, "DEADLINE_EXCEEDED"))
        self.assertIn("did not begin the call within 300 ms", answer["error"]["message"])
        wait_until(lambda: self.waiting() == 0, "it to leave the queue", LIMIT_S)

    def test_a_client_that_leaves_takes_its_call_along(self):
        self.deploy_without_pods()
        calls = [self.ask() for _ in range(3)]
        wait_until(lambda: self.waiting() == 3, "three calls to wait", LIMIT_S)
        calls[1].close()
        wait_until(lambda: self.waiting() == 2, "two", LIMIT_S)
        wait_until(lambda: self.cluster.pods_of(ENTRY), "a pod to be wished for", LIMIT_S)
        with self.cluster.api.changed:
            self.cluster.problems.clear()
            for pod in self.cluster.pods_of(ENTRY):
                pod.problem = None
        for call in (calls[0], calls[2]):
            self.assertEqual(self.hear(call), (200, ["Hello, moon!"]))

    def test_a_full_queue_is_told(self):
        with open(os.path.join(self.folder, "hello.h"), encoding="utf-8") as file:
            text = file.read()
        options = next(line for line in text.splitlines() if ".entrypoint" in line)
        self.deploy_without_pods(options, options.replace(".entrypoint", ".max_queue = 2, .entrypoint"))
        calls = [self.ask() for _ in range(2)]
        wait_until(lambda: self.waiting() == 2, "two calls to wait", LIMIT_S)
        status, answer = self.hear(self.ask())
        self.assertEqual((status, answer["error"]["status"]), (429, "RESOURCE_EXHAUSTED"))
        self.assertIn("the queue of 'hello' is full", answer["error"]["message"])
        for call in calls:
            call.close()
        wait_until(lambda: self.waiting() == 0, "none to wait", LIMIT_S)

    def test_calls_that_wait_go_to_the_next_version(self):
        self.deploy_without_pods()
        heard = []
        calls = [threading.Thread(target=lambda: heard.append(self.hear(self.ask()))) for _ in range(5)]
        for call in calls:
            call.start()
        wait_until(lambda: self.waiting() == 5, "five calls to wait", LIMIT_S)
        edit(os.path.join(self.folder, "hello_writer.c"), '"Hello"', '"Howdy"')
        self.deploy("v2")
        for call in calls:
            call.join()
        self.assertEqual(heard, [(200, ["Howdy, moon!"])] * 5)


if __name__ == "__main__":
    main(FrontDoor)
