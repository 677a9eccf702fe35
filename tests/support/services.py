"""Programs of a chain that serve by themselves, as in pods."""
import http.client
import json
import os
import signal
import socket
import subprocess
import urllib.request

from chains_testing import HomeTest, wait_until


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the socket at a path."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class Service:
    """A program of the chain that serves; its addresses are what it says."""

    def __init__(self, path, env, log, listen="http://127.0.0.1:0"):
        self.log = log
        with open(log, "w", encoding="utf-8") as said:
            self.process = subprocess.Popen([path, "--listen", listen], env=env, stdout=subprocess.PIPE, stderr=said,
                                            text=True)
        self.unix = listen[5:] if listen.startswith("unix:") else None
        self.url = None if self.unix else self.process.stdout.readline().strip()
        self.probes = self.process.stdout.readline().split()[1] if env.get("CHAINS_PROBES_LISTEN") else None
        wait_until(self.is_there, f"{path} to listen")

    def is_there(self):
        assert self.process.poll() is None, self.said()
        try:
            if self.probes:
                with urllib.request.urlopen(self.probes + "/readyz", timeout=60) as answer:
                    return answer.status == 200
            if self.unix:
                with socket.socket(socket.AF_UNIX) as there:
                    there.connect(self.unix)
            return True
        except OSError:
            return False

    def address(self):
        host, port = self.url.split("//")[1].rsplit(":", 1)
        return host, int(port)

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.communicate(timeout=60)

    def said(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()


class ServicesTest(HomeTest):
    """Programs of tests/e2e/faults, which end with each test."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        chain = cls.home.copy("tests/e2e/faults")
        cls.home.good("build", chain)
        cls.bin = os.path.join(chain, ".chains", "bin")

    def setUp(self):
        self.running = []
        self.addCleanup(self.end_all)

    def end_all(self):
        for service in self.running:
            if service.process.poll() is None:
                service.end(signal.SIGKILL)
            service.process.stdout.close()

    def start(self, program, env, **options):
        log = self.home.file(f"{self.id()}.{len(self.running)}.log")
        service = Service(os.path.join(self.bin, program), dict(self.home.env, **env), log, **options)
        self.running.append(service)
        return service

    def start_front_with(self, env):
        """On a socket: its callers are no pods."""
        return self.start("front", env, listen=f"unix:{self.home.file(f'front{len(self.running)}.sock')}")

    @staticmethod
    def call(front, count=1, work_ms=0):
        connection = UnixConnection(front.unix)
        connection.request("POST", "/run_remote", json.dumps({"count": count, "work_ms": work_ms}),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = json.loads(answer.read())
        connection.close()
        return answer.status, body
