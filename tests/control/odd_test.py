"""Services whose answers are odd: what a client gets then is an error or the whole answer, never something short that looks whole."""
import http.client
import json
import os
import socket
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
        for kind in ("cut", "cut_chunked", "bad_chunk", "cut_json", "cut_compressed", "cut_sized"):
            with self.assertRaises((http.client.IncompleteRead, ConnectionError), msg=kind):
                self.answer(kind)

    def test_streams_that_break_off_end_with_an_error(self):
        for kind, before, said in (("cut_events", b'data: {\n\nevent: error\ndata: ', "ended while it answered"),
                                   ("bad_events", b'event: error\ndata: ', "no HTTP"),
                                   ("cut_lines", b'{}\n{"item\n{"error":', "ended while it answered")):
            answer = self.answer(kind)
            self.assertEqual((answer.status, answer.body[:len(before)]), (200, before))
            error, end = json.JSONDecoder().raw_decode(answer.body[len(before):].decode())
            self.assertEqual(answer.body[len(before):].decode()[end:], "}\n" if kind == "cut_lines" else "\n\n")
            self.assertEqual((error["status"], error["trace"], error["request_id"]),
                             ("UNAVAILABLE", [], answer.headers["X-Request-Id"]))
            self.assertIn(f"the stream of '{kind}' broke off: ", error["message"])
            self.assertIn(said, error["message"])

    def test_a_stream_that_outlives_its_drain_says_so(self):
        def deploy():
            self.daemon.deployed("events", service("entry", binary=ODD, ODD="events", GO_ON=self.home.file("never"),
                                                   STUBBORN=1, drain_timeout_s=0.1))
        deploy()
        connection = http.client.HTTPConnection(self.daemon.address, timeout=60)
        self.addCleanup(connection.close)
        connection.request("POST", "/chains/events/production/run_remote", "{}")
        answer = connection.getresponse()
        self.assertEqual(answer.read1(), b'{"n":1}')
        deploy()
        rest, before = answer.read(), b"\n\nevent: error\ndata: "
        self.assertEqual(rest[:len(before)], before)
        error = json.loads(rest[len(before):])
        self.assertEqual((error["status"], error["message"]), (
            "UNAVAILABLE", "the stream of 'events' broke off: the process ended while it answered: "
            "it had been told to end, and waits .drain_timeout_s for calls"))

    def call_of_1_0(self, chain):
        """All that a client of HTTP/1.0 gets, whose bodies have no chunks: up to the end of the connection."""
        host, port = self.daemon.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(b"POST /chains/%s/production/run_remote HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}" % chain.encode())
            got = b""
            while part := connection.recv(65536):
                got += part
        return got

    def test_an_old_client_is_told_of_the_end_of_its_stream(self):
        for kind, before, end in (("cut_lines", b'{}\n{"item\n{"error":', b"}\n"),
                                  ("cut_events", b"data: {\n\nevent: error\ndata: ", b"\n\n")):
            self.daemon.deployed(kind, service("entry", binary=ODD, ODD=kind))
            head, _, body = self.call_of_1_0(kind).partition(b"\r\n\r\n")
            self.assertNotIn(b"chunked", head)
            self.assertEqual((body[:len(before)], body[-len(end):]), (before, end))
            self.assertEqual(json.loads(body[len(before):-len(end)])["status"], "UNAVAILABLE")

    def test_an_old_client_sees_other_answers_cut(self):
        self.daemon.deployed("cut_json", service("entry", binary=ODD, ODD="cut_json"))
        self.assertTrue(self.call_of_1_0("cut_json").endswith(b'\r\n\r\n{}\n{"i'))

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
