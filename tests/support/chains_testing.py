"""What tests of whole programs share: a folder and a CHAINS_HOME of their own, and the programs of the build.

Waiting is always for a condition, with a bound; nothing sleeps to wait.
"""
import glob
import http.client
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

SOURCE = os.environ["CHAINS_SOURCE_DIR"]
BUILD = os.environ["CHAINS_BUILD_DIR"]
CHAINS = os.path.join(BUILD, "chains")
LIMIT_S = 120  # for one command; a sanitizer's build of a chain is slow


def wait_until(condition, what, limit_s=30):
    """Calls condition until it gives something true, and returns that."""
    end = time.monotonic() + limit_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(0.01)


class Home:
    """A folder of one test's own, with its CHAINS_HOME and copies of chains to build."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="chains-test-")
        self.env = dict(os.environ, CHAINS_HOME=os.path.join(self.path, "home"), NO_COLOR="1")
        for name in ("CHAINS_STRICT", "CHAINS_URL", "CHAINS_TOKEN"):
            self.env.pop(name, None)
        if "address" in os.environ.get("CHAINS_TEST_SANITIZE", ""):
            # Others take the place of a brain that dies, so that nobody notices: see close.
            given = self.env.get("ASAN_OPTIONS")
            self.env["ASAN_OPTIONS"] = (f"{given}:" if given else "") + f"log_exe_name=1:log_path={self.file('report')}"

    def file(self, name):
        return os.path.join(self.path, name)

    def copy(self, folder, name=None):
        """A copy of a folder of the repository, to be built in."""
        target = self.file(name or os.path.basename(folder))
        shutil.copytree(os.path.join(SOURCE, folder), target,
                        ignore=shutil.ignore_patterns(".chains", "compile_commands.json"))
        return target

    def chains(self, *words, env=None, limit_s=LIMIT_S, **options):
        """Runs `chains words...` to its end; gives the CompletedProcess with texts."""
        return subprocess.run([CHAINS, *words], env=dict(self.env, **(env or {})), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=limit_s,
                              check=False, cwd=self.path, **options)

    def good(self, *words, **options):
        """The same, which has to succeed; gives its stdout."""
        done = self.chains(*words, **options)
        assert done.returncode == 0, f"chains {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def address(self):
        with open(os.path.join(self.env["CHAINS_HOME"], "address"), encoding="utf-8") as file:
            return file.read().strip()

    def status(self):
        return json.loads(self.good("status", "--json"))

    def daemon_pid(self):
        with open(os.path.join(self.env["CHAINS_HOME"], "pid"), encoding="utf-8") as file:
            return int(file.read())

    def brain_pid(self):
        """The daemon's other process; None: there is none at the moment."""
        return next((pid for pid in children(self.daemon_pid()) if b"--brain" in command_of(pid)), None)

    def courier_pid(self):
        """What carries its transfers; None: nothing has been sent for a while."""
        brain = self.brain_pid()
        return brain and next((pid for pid in children(brain) if b"--courier" in command_of(pid)), None)

    def close(self):
        """Ends the daemon, and with it all that it started; fails if a sanitizer has found something in it."""
        try:
            pid = self.daemon_pid()
        except (OSError, ValueError):
            pid = None
        if pid:
            try:
                os.kill(pid, signal.SIGTERM)
                wait_until(lambda: not is_alive(pid), f"the daemon {pid} to end")
            except ProcessLookupError:
                pass
        reports = self.sanitizer_reports()
        shutil.rmtree(self.path, ignore_errors=True)
        assert not reports, "\n".join(reports)

    def sanitizer_reports(self):
        """What the address sanitizer has to say of the programs; Chainlets may be wrong on purpose."""
        reports = []
        for path in glob.glob(self.file("report.chains.*")) + glob.glob(self.file("report.chainsd.*")):
            with open(path, encoding="utf-8", errors="replace") as file:
                reports.append(file.read())
        return reports


def is_alive(pid):
    """True while a process runs; a zombie doesn't, once its last thread has ended and with it what it held."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            ended = file.read().rsplit(")", 1)[1].split()[0] in "ZX"
        return not ended or len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


def children(pid):
    """Its child processes, zombies not among them."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8") as file:
                state, parent = file.read().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue  # it has ended meanwhile
        if int(parent) == pid and state not in "ZX":
            found.append(int(entry))
    return found


def command_of(pid):
    """Its command line; empty once it has ended."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


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


class UnixConnection(http.client.HTTPConnection):
    """HTTP to a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Collector(http.server.BaseHTTPRequestHandler):
    """What OTLP is exported to: take(body) is a subclass's."""

    def do_POST(self):  # pylint: disable=invalid-name
        self.keys.add((self.path, self.headers["Content-Type"], self.headers["X-Key"]))
        self.take(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


class HomeTest(unittest.TestCase):
    """A test case with a home for all its tests."""

    @classmethod
    def setUpClass(cls):
        cls.home = Home()

    @classmethod
    def tearDownClass(cls):
        cls.home.close()
