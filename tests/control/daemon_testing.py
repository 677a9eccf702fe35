"""What the tests of chainsd share: a daemon of a home of its own, and requests to it as any client makes them."""
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import unittest
from urllib.parse import urlsplit

from chains_testing import BUILD, Home, UnixConnection, is_alive, pause, wait_until
from json_schema import faults, path_of, response_of

CHAINSD = os.path.join(BUILD, "chainsd")
STAND_IN = os.environ["CHAINS_STAND_IN"]


class Answer:
    """An HTTP answer, read whole."""

    def __init__(self, answer):
        self.status = answer.status
        self.headers = answer.headers
        self.body = answer.read()

    def json(self):
        return json.loads(self.body)

    def error(self):
        return self.json()["error"]


def call_socket(path, text=""):
    """Calls a Chainlet as another Chainlet does, past the front door."""
    connection = UnixConnection(path)
    try:
        connection.request("POST", "/run_remote", text)
        return Answer(connection.getresponse())
    finally:
        connection.close()


class Daemon:
    """chainsd on any port; started, asked and ended. What it answers itself is checked against its OpenAPI document."""
    document = None  # of the first one that was started here

    def __init__(self, home, port=0, wait=True, flags=(), tls=None, **options):
        self.home = home
        self.tls = tls  # an ssl.SSLContext where it speaks TLS
        with open(home.file("said"), "a", encoding="utf-8") as said:
            self.process = subprocess.Popen([CHAINSD, "--port", str(port), *flags], env=home.env,
                                            stdout=subprocess.DEVNULL, stderr=said, **options)
        if wait:
            wait_until(self.find_address, "the daemon's address")
            self.address = urlsplit(home.address()).netloc
            if not Daemon.document:
                Daemon.document = self.ask("GET", "/api/v1/openapi.json").json()

    def find_address(self):
        if self.process.poll() is not None:
            with open(self.home.file("said"), encoding="utf-8") as said:
                raise AssertionError(f"the daemon ended with {self.process.returncode}: {said.read()}")
        return os.path.exists(self.home_file("address"))

    def home_file(self, *names):
        return os.path.join(self.home.env["CHAINS_HOME"], *names)

    def connection(self):
        if self.tls:
            return http.client.HTTPSConnection(self.address, timeout=60, context=self.tls)
        return http.client.HTTPConnection(self.address, timeout=60)

    def dial(self):
        """A connection for bytes as they are."""
        place = urlsplit(f"//{self.address}")
        plain = socket.create_connection((place.hostname, place.port), timeout=60)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.tls.wrap_socket(plain, server_hostname="localhost") if self.tls else plain

    def ask(self, method, path, body=None, headers=None):
        connection = self.connection()
        try:
            connection.request(method, path, body, headers or {})
            answer = Answer(connection.getresponse())
        finally:
            connection.close()
        self.check(method, path, answer)
        return answer

    @staticmethod
    def check(method, path, answer):
        """An answer in JSON must be as the document says, but for those that come from Chainlets."""
        template = path_of(Daemon.document, path) if Daemon.document else None
        if not answer.body or not template or template.startswith("/chains/"):
            return
        operation = Daemon.document["paths"][template].get(method.lower())
        content = response_of(Daemon.document, operation, answer.status)["content"] if operation else {}
        if answer.headers["Content-Type"] == "application/json" in content:
            wrong = list(faults(Daemon.document, content["application/json"]["schema"], answer.json()))
            assert not wrong, f"{method} {path}: {wrong} in {answer.body}"

    def change(self, method, path, body=None):
        with open(self.home_file("token"), encoding="utf-8") as token:
            headers = {"Authorization": "Bearer " + token.read().strip()}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        return self.ask(method, path, body, headers)

    def call(self, chain, text="", headers=None, chainlet=None, environment="production", version=None):
        where = f"versions/{version}" if version else environment
        inside = f"/chainlets/{chainlet}" if chainlet else ""
        return self.ask("POST", f"/chains/{chain}/{where}{inside}/run_remote", text, headers)

    def begin(self, chain, *services, **more):
        """Asks for a deployment of stand-ins; gives the answer."""
        return self.change("POST", "/api/v1/chains", {
            "chain": chain, "entrypoint": services[0]["name"], "services": list(services), **more})

    def deploy(self, chain, *services, **more):
        """Begins a deployment of stand-ins; gives its version."""
        answer = self.begin(chain, *services, **more)
        assert answer.status == 202, answer.body
        return answer.json()["version"]

    def chain(self, name, environment="production"):
        answer = self.ask("GET", f"/api/v1/chains/{name}/environments/{environment}")
        assert answer.status == 200, answer.body
        chain = answer.json()
        for chainlet in chain["chainlets"] + ((chain["deployment"] or {}).get("chainlets") or []):
            for replica in chainlet["replicas"]:
                assert replica["pid"] or replica["state"] != "ready", replica
        return chain

    def deployed(self, chain, *services, **more):
        """Deploys and waits until that version answers, or is tried."""
        version = self.deploy(chain, *services, **more)

        def look():
            deployment = self.chain(chain, more.get("environment", "production"))["deployment"]
            assert deployment["state"] != "failed", deployment
            return deployment["state"] in ("ready", "trying") and deployment["version"] == version
        wait_until(look, f"version {version} of {chain}")
        return version

    def change_environment(self, chain, verb, environment="production", **body):
        """Promotes or rolls back; gives the answer."""
        return self.change("POST", f"/api/v1/chains/{chain}/environments/{environment}/{verb}", body or None)

    def versions(self, chain):
        """Its versions by number."""
        answer = self.ask("GET", f"/api/v1/chains/{chain}/versions")
        assert answer.status == 200, answer.body
        return {version["number"]: version for version in answer.json()}

    def events(self, chain):
        """What happened to it, kinds and messages, the oldest first."""
        answer = self.ask("GET", f"/api/v1/chains/{chain}/events?limit=1000")
        assert answer.status == 200, answer.body
        return [(event["kind"], event["message"]) for event in reversed(answer.json())]

    def pids(self, chain):
        return [replica["pid"] for chainlet in self.chain(chain)["chainlets"]
                for replica in chainlet["replicas"]]

    def logs(self, chain, query=""):
        return self.ask("GET", f"/api/v1/chains/{chain}/logs{query}").body.decode()

    def stop(self, number=signal.SIGTERM):
        """Ends the daemon; gives its exit status."""
        self.process.send_signal(number)
        return self.process.wait(60)

    def said(self):
        with open(self.home.file("said"), encoding="utf-8") as said:
            return said.read()

    def socket(self, chain, name, version=1, environment="production"):
        """The path of a Chainlet's socket of calls."""
        return self.home_file("run", chain, environment, str(version), name + ".calls")

    def keeper(self):
        return self.home.daemon_pid()

    def brain(self):
        """The process number of the keeper's brain; None: there is none at the moment."""
        return self.home.brain_pid()

    def kill_brain(self):
        """Kills the brain, and returns when another one is there."""
        before = wait_until(self.brain, "a brain")
        os.kill(before, signal.SIGKILL)
        return wait_until(lambda: self.brain() not in (None, before) and self.brain(), "another brain")

    def begin_outage(self):
        """Kills the brain, and stops the keeper so that no other is started."""
        pause(self.keeper())
        brain = self.brain()
        os.kill(brain, signal.SIGKILL)
        wait_until(lambda: not is_alive(brain), "the brain to end")

    def end_outage(self):
        os.kill(self.keeper(), signal.SIGCONT)

    def kill_keeper(self):
        """Kills the keeper, and returns when the brain has taken its place and has started another brain."""
        before = self.keeper()
        os.kill(before, signal.SIGKILL)
        if before == self.process.pid:
            self.process.wait(60)
        wait_until(lambda: self.keeper() != before, "another keeper")
        return wait_until(self.brain, "its brain")

    def kill_both(self):
        keeper = self.keeper()
        self.begin_outage()
        os.kill(keeper, signal.SIGKILL)
        self.process.wait(60)
        os.unlink(self.home_file("address"))  # so that the next one's isn't mistaken for it


def service(name, *dependencies, binary=STAND_IN, **more):
    """One service of a deployment; keywords in capitals are its environment."""
    env = [{"name": key, "value": str(value)} for key, value in more.items() if key.isupper()]
    options = {key: value for key, value in more.items() if not key.isupper()}
    return {"name": name, "c_name": name.replace("-", "_"), "binary": binary,
            "dependencies": list(dependencies), "env": env, **options}


def scaling(**more):
    """How a service is scaled: as one that says nothing, but for what is given."""
    return {"min_replicas": 0, "max_replicas": 1, "concurrency_target": 1, "target_utilization": 0.7, "window_s": 60,
            "scale_down_delay_s": 300, "scale_to_zero_delay_s": 900, **more}


def waiting(path):
    """Connections to a Unix socket that nobody has accepted."""
    with open("/proc/net/unix", encoding="utf-8") as table:
        return sum(1 for line in table if line.rstrip().endswith(path) and line.split()[5] == "02")


def is_busy(pid):
    """Whether a stand-in runs a call that sleeps: it gives the thread that name."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm", encoding="utf-8") as name:
            if name.read() == "busy\n":
                return True
    return False


def read_answer(client):
    """One answer with a Content-Length, from a connection for bytes: its status, head and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = client.recv(65536)
        assert part, f"the connection ended after {data!r}"
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    size = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
    while len(body) < size:
        part = client.recv(65536)
        assert part, "the connection ended within the body"
        body += part
    return int(head.split()[1]), head, body


class DaemonTest(unittest.TestCase):
    """Each test has a home, and a daemon that leaves no process behind."""

    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.close)
        self.daemons = []
        self.addCleanup(self.stop_daemons)

    def start(self, **options):
        daemon = Daemon(self.home, **options)
        self.daemons.append(daemon)
        return daemon

    def stop_daemons(self):
        for daemon in self.daemons:
            if daemon.process.poll() is None:
                self.assertEqual(daemon.stop(), 0)

    def refused(self, answer, status, name, words):
        self.assertEqual((answer.status, answer.error()["status"]), (status, name), answer.body)
        self.assertIn(words, answer.error()["message"])

    def in_thread(self, work):
        """Asks for something whose answer may be cut off; gives the thread."""
        def ask():
            with contextlib.suppress(OSError, http.client.HTTPException):
                work()
        thread = threading.Thread(target=ask)
        thread.start()
        self.addCleanup(thread.join, 60)
        return thread

    def assert_ended(self, pids):
        for pid in pids:
            wait_until(lambda pid=pid: not is_alive(pid), f"process {pid} to end")
