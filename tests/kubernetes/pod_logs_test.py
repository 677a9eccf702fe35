#!/usr/bin/env python3
"""`chains logs` of a chain whose replicas are pods, with a cluster whose pods are processes of this computer."""
import json
import os
import re
import signal
import subprocess

from control_testing import LIMIT_S, ControllerTest, edit, main
from chains_testing import CHAINS, wait_until
from fake_api import status

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\S+) (\S+) (\S+)/(\d+) (\S+) +(?:\[(\S+)\] )?(.*)")


class PodLogs(ControllerTest):
    def setUp(self):
        super().setUp()
        source = os.path.join(self.folder, "hello_writer.c")
        edit(source, "    *line = ", '    if (!strcmp(word, "die"))\n        abort();\n    chains_log(ctx, CHAINS_INFO, "greets %s", word);\n    *line = ')
        edit(source, '#include "hello_writer.h"', '#include "hello_writer.h"\n\n#include <stdlib.h>\n#include <string.h>')

    def lines(self, *words):
        said = [LINE.fullmatch(line) for line in self.home.good("logs", "hello", *words).splitlines()]
        self.assertNotIn(None, said)
        return said

    def messages(self, *words):
        return [line[7] for line in self.lines(*words)]

    def test_lines_are_those_of_pods(self):
        self.deploy()
        self.call(["sun", "moon"])
        found = self.lines("--grep", "greets")
        self.assertEqual(sorted(line[7] for line in found), ["greets moon", "greets sun"])
        for line in found:
            self.assertEqual(line.groups()[:3] + line.groups()[4:5], ("production", "v1", "hello_writer", "INFO"))
            self.assertTrue(line[6])
        self.assertEqual(len(self.lines("--tail", "1")), 1)
        self.assertEqual(len(self.lines("--tail", "1", "--grep", "greets", "hello_writer")), 1)
        self.assertEqual(self.messages("--grep", "greets", "hello"), [])
        self.assertEqual(self.messages("--request-id", found[0][6], "--grep", found[0][7]), [found[0][7]])
        self.assertEqual(self.messages("--environment", "staging"), [])
        self.assertEqual(self.messages("--level", "error"), [])

    def test_of_a_container_that_was_started_again(self):
        self.deploy()
        self.call(["sun"])
        self.call(["die"])
        [pod] = self.cluster.pods_of("hello-v1-hello-writer")
        wait_until(lambda: pod.restarts and pod.ready, "the pod to be started again", LIMIT_S)
        wait_until(lambda: self.call(["moon"])[0] == 200, "it to be called", LIMIT_S)
        wait_until(lambda: self.messages("--grep", "greets") == ["greets sun", "greets moon"], "the lines of both", LIMIT_S)

    def follow(self, *words):
        process = subprocess.Popen([CHAINS, "logs", "hello", "--follow", *words], env=self.home.env, stdout=subprocess.PIPE, text=True)

        def end():
            process.send_signal(signal.SIGTERM)
            process.communicate()
        self.addCleanup(end)
        return lambda: LINE.fullmatch(process.stdout.readline().rstrip("\n"))[7]

    def test_followed(self):
        self.deploy()
        self.call(["sun"])
        following = self.follow("--grep", "greets")
        self.assertEqual(following(), "greets sun")
        for word in ("moon", "mars"):
            self.call([word])
            self.assertEqual(following(), f"greets {word}")
        # Also of pods that come later.
        self.scale("hello_writer", "--min", "2", "--max", "2")
        wait_until(lambda: sum(pod.ready for pod in self.cluster.pods_of("hello-v1-hello-writer")) == 2, "two pods", LIMIT_S)
        words = [f"star{i}" for i in range(8)]
        self.call(words)
        self.assertEqual(sorted(following() for _ in words), [f"greets {word}" for word in words])
        # What was said is said once.
        self.call(["venus"])
        self.assertEqual(following(), "greets venus")

    def test_nothing_but_new_lines(self):
        self.deploy()
        self.call(["sun"])
        following = self.follow("--tail", "0", "--grep", "greets")
        wait_until(lambda: self.cluster.api.count("GET", "/log?"), "pods to be asked", LIMIT_S)
        wait_until(lambda: self.cluster.api.count("GET", "sinceTime"), "pods to be asked again", LIMIT_S)
        self.call(["moon"])
        self.assertEqual(following(), "greets moon")

    def test_a_cluster_that_refuses(self):
        self.deploy()

        def refuse(handler):
            if not handler.place.endswith("/log"):
                return False
            handler.reply(*status(403, "Forbidden", 'pods "x" is forbidden: User "u" cannot get resource "pods/log"'))
            return True
        self.cluster.api.faults.insert(0, refuse)
        done = self.home.chains("logs", "hello")
        self.assertEqual(done.returncode, 1)
        self.assertIn("what pods have written cannot be had", done.stderr)
        self.assertIn("pods/log", done.stderr)

    def test_a_pod_that_was_not_started(self):
        self.cluster.problems["hello-v1-hello"] = ("ContainerCreating", "")
        self.deploy(until=None)
        wait_until(lambda: self.cluster.pods_of("hello-v1-hello"), "its pod", LIMIT_S)
        wait_until(lambda: any(chain["name"] == "hello" for chain in self.home.status()), "the chain", LIMIT_S)
        self.home.good("logs", "hello")


if __name__ == "__main__":
    main(PodLogs)
