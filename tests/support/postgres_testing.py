"""A PostgreSQL server of a test's own: in a temporary folder, on a Unix socket there, as a user without rights.

    postgres_testing.py start FILE    one for many tests: writes its folder into FILE; 77: there is no PostgreSQL
    postgres_testing.py stop FILE     ends it

It ends with the process that had it started, too, whatever ended that.
"""
import contextlib
import glob
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

NOBODY = "nobody"  # initdb refuses root


def programs():
    """The folder of the newest server's programs; None: there is none."""
    def version(folder):
        return [int(digits) for digits in re.findall(r"\d+", folder)]
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=version)
    if found:
        return found[-1]
    initdb = shutil.which("initdb")
    return os.path.dirname(os.path.realpath(initdb)) if initdb else None


def as_nobody():
    return {"user": NOBODY, "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


class Server:
    """Made, started, killed and started again; close() leaves nothing."""

    def __init__(self, settings=()):
        self.folder = tempfile.mkdtemp(prefix="chains-postgres-")
        self.data = os.path.join(self.folder, "data")
        if os.geteuid() == 0:
            shutil.chown(self.folder, NOBODY, "nogroup")
        self.run("initdb", "-D", self.data, "-U", "chains", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                 "--no-sync", "--no-instructions")
        self.settings = ["listen_addresses=", f"unix_socket_directories={self.folder}", "shared_buffers=16MB",
                         "max_connections=100", *(settings or ["fsync=off"])]
        self.process = None
        self.start()

    def run(self, program, *words):
        done = subprocess.run([os.path.join(programs(), program), *words], cwd=self.folder, text=True,
                              capture_output=True, check=False, **as_nobody())
        if done.returncode != 0:
            raise AssertionError(f"{program}: {done.stdout}{done.stderr}")
        return done.stdout

    def url(self, database="postgres"):
        return f"postgresql://chains@/{database}?host={self.folder}"

    def sql(self, text, database="postgres"):
        """What psql says, without headings."""
        return self.run("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-c", text)

    def start(self):
        words = [word for setting in self.settings for word in ("-c", setting)]
        with open(os.path.join(self.folder, "said"), "a", encoding="utf-8") as said:
            self.process = subprocess.Popen([os.path.join(programs(), "postgres"), "-D", self.data, *words],
                                            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                            start_new_session=True, **as_nobody())
        end = time.monotonic() + 60
        while subprocess.run([os.path.join(programs(), "pg_isready"), "-q", "-h", self.folder], check=False,
                             **as_nobody()).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > end:
                with open(os.path.join(self.folder, "said"), encoding="utf-8") as said:
                    raise AssertionError(f"PostgreSQL does not start: {said.read()}")
            time.sleep(0.05)

    def kill(self):
        """As if its machine had lost its power, but for what the kernel has in memory."""
        own = {self.process.pid}
        for stat in glob.glob("/proc/[0-9]*/stat"):
            with contextlib.suppress(OSError), open(stat, encoding="utf-8") as file:
                pid, _, parent = re.match(r"(\d+) \((.*)\) . (\d+)", file.read(), re.S).groups()
                if int(parent) == self.process.pid:
                    own.add(int(pid))
        for pid in own:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        while any(os.path.exists(f"/proc/{pid}") for pid in own):  # with which its shared memory goes
            time.sleep(0.01)

    def stop(self, how=signal.SIGINT):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait()

    def close(self):
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)


def guard(path, parent):
    """Keeps a server until it is told to end it, or whoever had it started has ended."""
    watched = os.pidfd_open(parent)
    told, tell = os.pipe()
    signal.signal(signal.SIGTERM, lambda number, frame: os.write(tell, b"x"))
    server = Server()
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(f"{server.folder}\n{os.getpid()}\n")
    os.rename(path + ".new", path)
    select.select([watched, told], [], [])
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    server.close()


def start(path):
    if not programs():
        print("there is no PostgreSQL here")
        return 77
    stop(path)
    parent = os.getppid()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        try:
            guard(path, parent)
        finally:
            os._exit(0)
    while not os.path.exists(path):
        if os.waitpid(pid, os.WNOHANG)[0]:
            print("PostgreSQL could not be started")
            return 1
        time.sleep(0.05)
    return 0


def stop(path):
    try:
        with open(path, encoding="utf-8") as file:
            folder, pid = file.read().split()
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
            own = os.path.basename(__file__) in file.read()
    except FileNotFoundError:
        return 0
    if own:
        os.kill(int(pid), signal.SIGTERM)
        while os.path.exists(folder):
            time.sleep(0.05)
    return 0


if __name__ == "__main__":
    sys.exit({"start": start, "stop": stop}[sys.argv[1]](sys.argv[2]))
