"""Services whose answers are odd: what a client gets then is an error or the whole answer, never something short that looks whole."""
import http.client
import os
import unittest

from daemon_testing import DaemonTest, service

ODD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "odd_service.py")


class Odd(DaemonTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start()

    def answer(self, kind, **more):
        self.daemon.deployed(kind, service("entry", binary=ODD, ODD=kind, **more))
        return self.daemon.call(kind)

    def test_errors(self):
        for kind, said in (("garbage", "no HTTP"), ("endless_head", "no HTTP"),
                           ("nothing", "ended while the call ran")):
            answer = self.answer(kind)
            self.assertEqual((answer.status, answer.error()["status"]), (503, "UNAVAILABLE"), kind)
            self.assertIn(said, answer.error()["message"])

    def test_answers_that_break_off(self):
        for kind in ("cut", "cut_chunked", "bad_chunk"):
            with self.assertRaises((http.client.IncompleteRead, ConnectionError), msg=kind):
                self.answer(kind)

    def test_whole_answers(self):
        for kind, body in (("until_end", b"to the end"), ("interim", b"ok"), ("hops", b"ok"), ("no_content", b"")):
            answer = self.answer(kind)
            self.assertEqual(answer.body, body, kind)
            self.assertEqual(answer.status, 204 if kind == "no_content" else 200)
            self.assertNotIn("X-Secret", answer.headers)
            self.assertNotIn("Keep-Alive", answer.headers)
            self.assertEqual("X-Kept" in answer.headers, kind == "hops")

    def test_streams_are_not_held_back(self):
        go_on = self.home.file("go_on")
        self.daemon.deployed("stream", service("entry", binary=ODD, ODD="stream", GO_ON=go_on))
        connection = http.client.HTTPConnection(self.daemon.address, timeout=60)
        connection.request("POST", "/chains/stream/production/run_remote", "{}")
        answer = connection.getresponse()
        self.assertEqual(answer.headers["Content-Type"], "application/x-ndjson")
        self.assertEqual(answer.read1(), b'{"n":1}')
        with open(go_on, "w", encoding="utf-8"):
            pass
        self.assertEqual(answer.read(), b'{"n":2}')
        connection.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
