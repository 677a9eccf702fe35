"""What the tests of chainsd share: a daemon of a home of its own, and requests to it as any client makes them."""
import http.client
import json
import os
import signal
import subprocess
import unittest
from urllib.parse import urlsplit

from chains_testing import BUILD, Home, is_alive, wait_until

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


class Daemon:
    """chainsd on any port; started, asked and ended."""

    def __init__(self, home, port=0, wait=True):
        self.home = home
        with open(home.file("said"), "a", encoding="utf-8") as said:
            self.process = subprocess.Popen([CHAINSD, "--port", str(port)], env=home.env,
                                            stdout=subprocess.DEVNULL, stderr=said)
        if wait:
            wait_until(self.find_address, "the daemon's address")
            self.address = urlsplit(home.address()).netloc

    def find_address(self):
        if self.process.poll() is not None:
            with open(self.home.file("said"), encoding="utf-8") as said:
                raise AssertionError(f"the daemon ended with {self.process.returncode}: {said.read()}")
        return os.path.exists(self.home_file("address"))

    def home_file(self, *names):
        return os.path.join(self.home.env["CHAINS_HOME"], *names)

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def change(self, method, path, body=None):
        with open(self.home_file("token"), encoding="utf-8") as token:
            headers = {"Authorization": "Bearer " + token.read().strip()}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        return self.ask(method, path, body, headers)

    def call(self, chain, text="", headers=None, chainlet=None):
        inside = f"/chainlets/{chainlet}" if chainlet else ""
        return self.ask("POST", f"/chains/{chain}/production{inside}/run_remote", text, headers)

    def deploy(self, chain, *services):
        """Begins a deployment of stand-ins; gives its version."""
        answer = self.change("POST", "/api/v1/chains", {
            "chain": chain, "entrypoint": services[0]["name"], "services": list(services)})
        assert answer.status == 202, answer.body
        return answer.json()["version"]

    def chain(self, name):
        answer = self.ask("GET", f"/api/v1/chains/{name}")
        assert answer.status == 200, answer.body
        return answer.json()

    def deployed(self, chain, *services):
        """Deploys and waits until that version answers."""
        version = self.deploy(chain, *services)

        def look():
            deployment = self.chain(chain)["deployment"]
            assert deployment["state"] != "failed", deployment
            return deployment["state"] == "ready" and deployment["version"] == version
        wait_until(look, f"version {version} of {chain}")
        return version

    def pids(self, chain):
        return [replica["pid"] for chainlet in self.chain(chain)["chainlets"]
                for replica in chainlet["replicas"]]

    def logs(self, chain, query=""):
        return self.ask("GET", f"/api/v1/chains/{chain}/logs{query}").body.decode()

    def stop(self, number=signal.SIGTERM):
        """Ends the daemon; gives its exit status."""
        self.process.send_signal(number)
        status = self.process.wait(60)
        if number == signal.SIGKILL:
            os.unlink(self.home_file("address"))  # so that the next one's isn't mistaken for it
        return status


def service(name, *dependencies, binary=STAND_IN, **more):
    """One service of a deployment; keywords in capitals are its environment."""
    env = [{"name": key, "value": str(value)} for key, value in more.items() if key.isupper()]
    options = {key: value for key, value in more.items() if not key.isupper()}
    return {"name": name, "c_name": name.replace("-", "_"), "binary": binary,
            "dependencies": list(dependencies), "env": env, **options}


def pause(pid):
    """Stops a process where it is, and returns when it stands still."""
    os.kill(pid, signal.SIGSTOP)

    def stopped():
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/stat", encoding="utf-8") as file:
                if file.read().rsplit(")", 1)[1].split()[0] != "T":
                    return False
        return True
    wait_until(stopped, f"process {pid} to stand still")


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

    def assert_ended(self, pids):
        for pid in pids:
            wait_until(lambda pid=pid: not is_alive(pid), f"process {pid} to end")
