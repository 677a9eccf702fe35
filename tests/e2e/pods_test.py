"""Chainlets that call each other over TCP as pods do, by the programs of tests/e2e/faults: what they tell a controller."""
import json
import os
import signal
import socket
import struct
import subprocess
import threading
import unittest
import urllib.error
import urllib.request

from chains_testing import wait_until
from services import ServicesTest, UnixConnection


class Pods(ServicesTest):
    def start(self, program, env, **options):
        return super().start(program, dict(env, CHAINS_PROBES_LISTEN="http://127.0.0.1:0"), **options)

    def start_front(self, url, **env):
        return self.start_front_with({"CHAINS_BACK_URL": url, **env})

    def call_beside(self, front, *arguments):
        """The same on a thread; what it returns gives the answer."""
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.call(front, *arguments)))
        thread.start()

        def answer():
            thread.join(120)
            return answers[0]
        return answer

    @staticmethod
    def demand(service):
        with urllib.request.urlopen(service.probes + "/demand", timeout=60) as answer:
            assert answer.headers["Content-Type"] == "application/json"
            return json.load(answer)

    @staticmethod
    def spans(service, after=0):
        """Records of GET /spans, and the number to ask with next."""
        with urllib.request.urlopen(f"{service.probes}/spans?after={after}", timeout=60) as answer:
            assert answer.headers["Content-Type"] == "application/vnd.chains.spans"
            body, following = answer.read(), int(answer.headers["X-Chains-Next"])
        magic, version, size, count, left, lost, offset_ns, _ = struct.unpack_from("<8sIIIIQqQ", body)
        assert (magic, version, size, left, lost) == (b"ChSpans\0", 1, 632, 0, 0) and offset_ns > 0
        records, at = [], 48
        for _ in range(count):
            size = struct.unpack_from("<I", body, at)[0]
            records.append(body[at + 8:at + 8 + size])
            at += 8 + (size + 7) // 8 * 8
        assert at == len(body)
        return records, following

    def test_demand(self):
        back = self.start("back", {})
        port = back.address()[1]
        front = self.start_front(f"http://localhost:{port}")
        self.assertEqual(self.demand(back), {"running": 0, "waiting": 0, "slots": 2, "calls": 0, "waits": {}})
        self.assertEqual(self.demand(front), {"running": 0, "waiting": 0, "slots": 4, "calls": 0, "waits": {"back": 0}})
        self.assertEqual(self.call(front, 3)[0], 200)
        self.assertEqual(self.demand(back), {"running": 0, "waiting": 0, "slots": 2, "calls": 3, "waits": {}})
        answer = self.call_beside(front, 1, 3600_000)
        others = [self.call_beside(front, 1, 3600_000)]
        wait_until(lambda: self.demand(back)["running"] == 2, "both slots to be taken")
        others.append(self.call_beside(front, 1, 3600_000))
        wait_until(lambda: self.demand(front)["waits"]["back"] == 1, "a call to wait for a slot")
        self.assertEqual(self.demand(front), {"running": 3, "waiting": 0, "slots": 4, "calls": 4, "waits": {"back": 1}})
        wait_until(lambda: self.demand(back)["waiting"] == 1, "its want to stand there")
        back.end(signal.SIGKILL)
        for each in [answer, *others]:
            self.assertEqual(each()[1]["error"]["status"], "UNAVAILABLE")

    def test_spans(self):
        back = self.start("back", {})
        front = self.start_front(f"http://localhost:{back.address()[1]}")
        self.assertEqual(self.spans(front)[0], [])
        self.assertEqual(self.call(front)[0], 200)
        made, following = self.spans(front)
        self.assertEqual(len(made), 2)  # what it was asked, and what it asked back
        served = self.spans(back)[0]
        self.assertEqual(len(served), 1)
        self.assertEqual({record[:16] for record in made + served}, {served[0][:16]})  # of one trace
        self.assertIn(b"back\0", served[0])
        self.assertEqual(self.spans(front, following), ([], following))
        self.assertEqual(self.call(front)[0], 200)
        self.assertEqual(len(self.spans(front, following)[0]), 2)
        # Of a process that was started in its place all is new.
        front.end()
        other = self.start_front(f"http://localhost:{back.address()[1]}")
        self.assertEqual(self.call(other)[0], 200)
        self.assertEqual(len(self.spans(other, following)[0]), 2)

    @staticmethod
    def reserve():
        """A port that nobody listens on, but this test can have a service listen."""
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", 0))
            return taken.getsockname()[1]

    def test_calls_wait_for_a_pod(self):
        port = self.reserve()
        url = f"http://localhost:{port}"
        hasty = self.start_front(url)
        self.assertEqual(self.call(hasty)[1]["error"]["status"], "UNAVAILABLE")
        front = self.start_front(url, CHAINS_AT_ZERO="wait")
        answers = [self.call_beside(front) for _ in range(3)]
        wait_until(lambda: self.demand(front)["waits"]["back"] == 3, "the calls to wait")
        back = self.start("back", {}, listen=f"http://127.0.0.1:{port}")
        for answer in answers:
            self.assertEqual(answer(), (200, [back.process.pid]))
        # It goes to zero, and comes back.
        back.end()
        answer = self.call_beside(front)
        wait_until(lambda: self.demand(front)["waits"]["back"] == 1, "the call to wait")
        back = self.start("back", {}, listen=f"http://127.0.0.1:{port}")
        self.assertEqual(answer(), (200, [back.process.pid]))

    def test_calls_that_wait_in_vain(self):
        front = self.start_front("http://nobody.invalid:80", CHAINS_AT_ZERO="wait")
        connection = UnixConnection(front.unix)
        connection.request("POST", "/run_remote", json.dumps({"count": 1, "work_ms": 0}),
                           {"Content-Type": "application/json", "X-Chains-Timeout-Ms": "300"})
        error = json.loads(connection.getresponse().read())["error"]
        connection.close()
        self.assertEqual(error["status"], "DEADLINE_EXCEEDED")
        self.assertIn("back was not there in time: cannot find the host 'nobody.invalid'", error["message"])

    def test_variables_that_say_nothing(self):
        for name, value, expected in (("CHAINS_AT_ZERO", "pause", "wait or fail"), ("CHAINS_BALANCE", "me", "caller or proxy")):
            done = subprocess.run([os.path.join(self.bin, "front"), "--listen", "http://127.0.0.1:0"], capture_output=True, text=True,
                                  env=dict(self.home.env, **{name: value}), timeout=60, check=False)
            self.assertEqual((done.returncode, done.stderr), (2, f"chains: {name} is '{value}': expected {expected}\n"))

    def test_near(self):
        folder = self.home.file("near_back")
        near = self.start("back", {"CHAINS_NEAR_LISTEN": folder})
        nowhere = f"http://localhost:{self.reserve()}"
        front = self.start_front(nowhere, CHAINS_BACK_NEAR=folder)
        for _ in range(5):  # nobody else is there to answer
            self.assertEqual(self.call(front), (200, [near.process.pid]))
        # What finds no slot there goes over TCP, to whoever has one.
        far = self.start("back", {})
        front = self.start_front(f"http://localhost:{far.address()[1]}", CHAINS_BACK_NEAR=folder)
        self.assertEqual(self.call(front), (200, [near.process.pid]))
        answers = [self.call_beside(front, 1, 3600_000) for _ in range(2)]
        wait_until(lambda: self.demand(near)["running"] == 2, "both slots to be taken")
        self.assertEqual(self.call(front), (200, [far.process.pid]))
        # A replica that is killed takes what it runs with it, nothing else.
        near.end(signal.SIGKILL)
        for answer in answers:
            self.assertEqual(answer()[1]["error"]["status"], "UNAVAILABLE")
        for _ in range(5):
            self.assertEqual(self.call(front), (200, [far.process.pid]))
        self.assertEqual(len(os.listdir(folder)), 2)
        other = self.start("back", {"CHAINS_NEAR_LISTEN": folder})
        self.assertEqual(len(os.listdir(folder)), 2)
        wait_until(lambda: self.call(front)[1] == [other.process.pid], "the new one to be called")
        # One that drains answers what it runs.
        answer = self.call_beside(front, 1, 500)
        wait_until(lambda: self.demand(other)["running"] == 1, "the call to run")
        other.end()
        self.assertEqual(answer(), (200, [other.process.pid]))
        self.assertEqual(self.call(front), (200, [far.process.pid]))
        self.assertEqual(os.listdir(folder), [])

    def test_near_under_load(self):
        """Calls from near and by TCP want the same slots while replicas come and go: none fails."""
        folder = self.home.file("near_load")
        ports = [self.reserve() for _ in range(2)]
        url = ",".join(f"http://127.0.0.1:{port}" for port in ports)

        def start(port):
            return self.start("back", {"CHAINS_NEAR_LISTEN": folder}, listen=f"http://127.0.0.1:{port}")
        backs = [start(port) for port in ports]
        fronts = [self.start_front(url, CHAINS_BACK_NEAR=folder), self.start_front(url)]
        over, wrong, done = threading.Event(), [], []

        def work(front):
            while not over.is_set():
                status, body = self.call(front, 4, 1)
                done.append(status)
                if status != 200:
                    wrong.append(body)
        threads = [threading.Thread(target=work, args=(front,)) for front in fronts * 2]
        for thread in threads:
            thread.start()
        for i in range(4):
            until = len(done) + 100
            wait_until(lambda enough=until: len(done) >= enough, "100 calls", 120)
            backs[i % 2].end()
            backs[i % 2] = start(ports[i % 2])
        over.set()
        for thread in threads:
            thread.join(120)
        self.assertEqual(wrong, [])

    def test_near_where_it_cannot_be(self):
        back = self.start("back", {"CHAINS_NEAR_LISTEN": "/nowhere/near"})
        self.assertIn("callers on this node come by TCP (CHAINS_NEAR_LISTEN): /nowhere/near: No such file", back.said())
        front = self.start_front(f"http://localhost:{back.address()[1]}", CHAINS_BACK_NEAR="/nowhere/near")
        self.assertEqual(self.call(front), (200, [back.process.pid]))

    def test_who_asks_wrongly(self):
        back = self.start("back", {})
        for url, method, status in ((back.url + "/demand", "GET", 404), (back.url + "/spans", "GET", 404),
                                    (back.probes + "/demand", "POST", 405), (back.probes + "/spans?after=", "GET", 400),
                                    (back.probes + "/spans?after=-1", "GET", 400), (back.probes + "/spans?b=1", "GET", 400),
                                    (back.probes + "/spans?after=99999999999999999999", "GET", 400),
                                    (back.probes + "/spanse", "GET", 404)):
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=60)
            self.assertEqual(refused.exception.code, status, url)
            refused.exception.close()


if __name__ == "__main__":
    unittest.main()
