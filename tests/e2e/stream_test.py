"""Streams end to end: the chain of tests/e2e/stream, whose entrypoint hands its stream on."""
import concurrent.futures
import http.client
import json
import os
import signal
import socket
import unittest
import urllib.parse

from chains_testing import HomeTest, wait_until

EVENTS, LINES = "text/event-stream", "application/x-ndjson"
SAID_3 = ('{"item":{"text":"word","index":0}}\n{"item":{"text":"word","index":1}}\n'
          '{"item":{"text":"word","index":2}}\n{"result":{"said":3}}\n')


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


class Stream(HomeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.home.copy("tests/e2e/stream")
        cls.change("stream.h", ".concurrency = 4,", ".concurrency = 4, .drain_timeout_s = 1,")
        cls.home.good("deploy", cls.folder, "--port", "0")

    @classmethod
    def change(cls, name, old, new):
        path = os.path.join(cls.folder, name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        assert old in text, text
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))

    def chains_input(self, verb, target, arguments, *options):
        return self.home.chains(verb, target, "--input", json.dumps(arguments), *options)

    def call(self, arguments, *options):
        return self.chains_input("call", "stream", arguments, *options)

    def ask(self, arguments, accept, **headers):
        """A connection on which the call was made, with its response."""
        address = urllib.parse.urlsplit(self.home.address())
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        self.addCleanup(connection.close)
        connection.request("POST", "/chains/stream/production/run_remote", json.dumps(arguments),
                           {"Content-Type": "application/json", "Accept": accept, **headers})
        return connection, connection.getresponse()

    def pid(self, chainlet, before=None):
        """Its process, another one than before: waits for it."""
        def look():
            replica = next(one for one in self.home.status()[0]["chainlets"] if one["name"] == chainlet)["replicas"][0]
            return replica["state"] == "ready" and replica["pid"] != before and replica["pid"]
        return wait_until(look, f"a process of {chainlet}")

    def test_deployed_and_local_are_the_same(self):
        gathered = ('{"words":[{"text":"word","index":0},{"text":"word","index":1},'
                    '{"text":"word","index":2}],"said":3}\n')
        for verb, target in (("call", "stream"), ("run", self.folder)):
            for options in ((), ("--strict",)) if verb == "run" else ((),):
                done = self.chains_input(verb, target, {"count": 3}, *options)
                self.assertEqual((done.stdout, done.stderr), (gathered, ""))
                done = self.chains_input(verb, target, {"count": 3}, "--stream", *options)
                self.assertEqual((done.stdout, done.stderr), (SAID_3, ""))

    def test_its_own_test_passes(self):
        self.assertIn("1 passed, 0 failed", self.home.good("test", self.folder))

    def test_events(self):
        _, response = self.ask({"count": 2, "between": True}, "text/event-stream")
        self.assertEqual(response.getheader("Content-Type"), "text/event-stream")
        self.assertEqual(response.read().decode(),
                         'event: item\ndata: {"text":"word","index":1000}\n\n'
                         'event: item\ndata: {"text":"word","index":1001}\n\n'
                         'event: result\ndata: {"said":2}\n\n')

    def test_the_form_that_the_client_prefers(self):
        for accept, expected in (("TEXT/EVENT-STREAM", "text/event-stream"),
                                 ("text/event-stream;q=0, */*", "application/json"),
                                 ("text/event-stream;q=0.3, application/x-ndjson;q=0.4", "application/x-ndjson"),
                                 ("text/*", "text/event-stream"), ("image/png", "application/json")):
            _, response = self.ask({"count": 1}, accept)
            response.read()
            self.assertEqual((accept, response.getheader("Content-Type")), (accept, expected))

    def test_an_error_in_mid_stream_has_its_whole_way(self):
        for verb, target in (("call", "stream"), ("run", self.folder)):
            done = self.chains_input(verb, target, {"count": 3, "trouble_at": 1}, "--stream", "--json")
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stdout, '{"item":{"text":"word","index":0}}\n')
            error = json.loads(done.stderr)["error"]
            self.assertEqual((error["status"], error["message"]),
                             ("DATA_LOSS", "lost the thread at 1"))
            self.assertEqual([hop["chainlet"] for hop in error["trace"]], ["stream", "talker"])
        _, response = self.ask({"count": 3, "trouble_at": 0}, "text/event-stream")
        self.assertEqual(response.status, 500)
        self.assertEqual(json.loads(response.read())["error"]["status"], "DATA_LOSS")

    def test_a_talker_that_dies_is_an_error(self):
        done = self.call({"count": 3, "trouble_at": 2, "trouble": "die"}, "--stream", "--json")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout.count('{"item"'), 2)
        self.assertNotIn("result", done.stdout)
        error = json.loads(done.stderr)["error"]
        self.assertEqual((error["status"], error["message"]), (
            "UNAVAILABLE", "talker was ended by signal 9 (SIGKILL) while it may have been running the call"))
        # Nothing was retried, so one replica died, and another takes its place.
        self.assertEqual(self.call({"count": 3}, "--stream").stdout, SAID_3)

    def broken_off(self, accept, break_it=None, arguments=None, **headers):
        """The error that ends a stream, which was broken off when its first item had come."""
        _, response = self.ask({"count": 1000000000, **(arguments or {})}, accept, **headers)
        parted, opening, closing = ((b"\n\n", b"event: error\ndata: ", b"") if accept == EVENTS else
                                    (b"\n", b'{"error":', b"}"))
        got = response.readline()
        if break_it:
            break_it()
        got += response.read()  # it comes to its end: nothing is missing
        self.assertTrue(got.endswith(parted), got[-300:])
        *items, last = got[:-len(parted)].split(parted)
        self.assertRegex(items[0], rb'"index":(100)?0}')
        self.assertNotIn(b"result", got)
        self.assertTrue(last.startswith(opening) and last.endswith(closing), last)
        error = json.loads(last[len(opening):len(last) - len(closing)])
        self.assertEqual((set(error), error["request_id"]), ({"status", "message", "path", "trace", "request_id"},
                                                             response.getheader("X-Request-Id")))
        if arguments:
            self.assertEqual(len(items), arguments["trouble_at"])
        return error["status"], error["message"]

    def test_memory_that_runs_out_in_mid_stream(self):
        if any("enforced" in note for chainlet in self.home.status()[0]["chainlets"] for note in chainlet["notes"]):
            self.skipTest("no limits of memory here")
        trouble = {"trouble": "eat", "trouble_at": 2}
        for accept in (EVENTS, LINES):
            for more, message in (({}, "talker exceeded its memory limit (.memory)"),
                                  ({"between": True}, "talker exceeded its memory limit (.memory)"),
                                  ({"here": True}, "the stream of 'stream' broke off: ")):
                status, said = self.broken_off(accept, None, {**trouble, **more})
                self.assertEqual(status, "RESOURCE_EXHAUSTED", said)
                self.assertIn(message, said)
                self.assertIn("exceeded its memory limit (.memory)", said)
        self.assertEqual(self.call({"count": 3}, "--stream").stdout, SAID_3)

    def test_a_deadline_in_mid_stream(self):
        below = "the request's deadline passed before talker answered"
        own = "the stream of 'stream' did not end within 2000 ms (X-Chains-Timeout-Ms)"
        kinds = (({"trouble": "wait"}, below), ({"trouble": "stay"}, below),
                 ({"trouble": "wait", "here": True}, below), ({"trouble": "stay", "here": True}, own))
        for accept in (EVENTS, LINES):
            self.assertEqual(self.call({"count": 3}, "--stream").stdout, SAID_3)
            with concurrent.futures.ThreadPoolExecutor(len(kinds)) as pool:
                ended = [pool.submit(self.broken_off, accept, None, {**trouble, "trouble_at": 2},
                                     **{"X-Chains-Timeout-Ms": "2000"}) for trouble, _ in kinds]
            for (trouble, message), got in zip(kinds, ended):
                self.assertEqual(got.result(), ("DEADLINE_EXCEEDED", message), trouble)
            for chainlet in ("stream", "talker"):  # they stay
                os.kill(self.pid(chainlet), signal.SIGKILL)

    def test_an_entrypoint_that_is_killed_ends_its_stream_with_an_error(self):
        for accept in (EVENTS, LINES):
            pid = self.pid("stream")
            self.assertEqual(self.broken_off(accept, lambda pid=pid: os.kill(pid, signal.SIGKILL)),
                             ("UNAVAILABLE", "the stream of 'stream' broke off: the process ended while it answered: "
                              "it was ended by signal 9 (SIGKILL)"))
            self.pid("stream", pid)
        self.assertEqual(self.call({"count": 3}, "--stream").stdout, SAID_3)

    def test_an_update_whose_drain_is_over_ends_its_streams_with_an_error(self):
        def update():
            self.change("stream.c", '#include "stream.h"', '#include "stream.h"\n\nconst int stream_is_new = 1;')
            self.home.good("deploy", self.folder)
            wait_until(lambda: "calls were still running after 1 s" in self.home.good("logs", "stream", "stream"),
                       "the drain to be over")
            wait_until(lambda: "overdue" in self.home.good("status", "stream", "stream"), "its end to be kept")
        status, message = self.broken_off("text/event-stream", update)
        # Who reads only afterwards hears no reason: the loss is found when the rest has been read.
        self.assertEqual(status, "UNAVAILABLE")
        self.assertIn("the stream of 'stream' broke off: the process ended while it answered", message)
        self.assertEqual(self.call({"count": 3}, "--stream").stdout, SAID_3)

    def test_an_emit_that_fails_ends_the_talker(self):
        for verb, target in (("call", "stream"), ("run", self.folder)):
            done = self.chains_input(verb, target, {"count": 1000000000, "between": True, "stop_at": 2},
                                     "--stream", "--json")
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stdout.count('{"item"'), 2)
            error = json.loads(done.stderr.splitlines()[-1])["error"]  # behind what the talker logs
            self.assertEqual((error["status"], error["message"]),
                             ("OUT_OF_RANGE", "no word 2, please"))

    def test_a_client_that_leaves_ends_the_whole_tree(self):
        before = self.home.good("logs", "stream", "talker").count("nobody listens any more: CANCELLED")
        connection, response = self.ask({"count": 1000000000}, "application/x-ndjson")
        self.assertEqual(response.readline(), b'{"item":{"text":"word","index":0}}\n')
        connection.sock.shutdown(socket.SHUT_RDWR)
        response.close()
        connection.close()
        wait_until(lambda: self.home.good("logs", "stream", "talker").count(
            "nobody listens any more: CANCELLED") > before, "the talker to notice")
        self.assertEqual(self.call({"count": 3}, "--stream").stdout, SAID_3)

    @unittest.skipIf(os.environ.get("CHAINS_TEST_SANITIZE"), "sanitizers keep what was freed")
    def test_a_slow_reader_holds_memory_down(self):
        count, size = 1500, 200000  # 300 MB
        pids = [self.home.brain_pid(), self.pid("stream"), self.pid("talker")]
        _, response = self.ask({"count": count, "size": size}, "application/x-ndjson")
        response.readline()
        before = None

        def stands_still():
            nonlocal before
            last, before = before, [resident_kib(pid) for pid in pids]
            return last == before
        wait_until(stands_still, "memory to settle")
        self.assertLess(max(before), 24 * 1024, before)
        for index in range(1, count):
            line = response.readline()
            if index % 100 == 0:
                self.assertIn(b'"index":%d}' % index, line[-30:])
        self.assertEqual(response.readline(), b'{"result":{"said":%d}}\n' % count)
        self.assertLess(max(resident_kib(pid) for pid in pids), 24 * 1024)


if __name__ == "__main__":
    unittest.main(verbosity=2)
