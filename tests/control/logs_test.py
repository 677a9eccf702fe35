"""Logs: whose each line is, what is filtered, followed, read without a daemon, and told to the journal."""
import glob
import http.client
import json
import os
import pty
import re
import shutil
import socket
import struct
import subprocess
import threading
import unittest

from chains_testing import CHAINS, wait_until
from daemon_testing import DaemonTest, scaling, service

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
LINE = re.compile(rf"({TIME}) (\S+) (v\d{{4}}-\w+) (\w+)/(\d+) (-|DEBUG|INFO|WARNING|ERROR) +(.*)")
TWO = scaling(min_replicas=2, max_replicas=2)


class LogsTest(DaemonTest):
    """A chain of two Chainlets in two environments, the entrypoint of one of them with two replicas."""

    def setUp(self):
        super().setUp()
        self.daemon = self.start()
        self.daemon.deployed("x", service("entry", "other", scaling=TWO), service("other"))
        self.daemon.deployed("x", service("entry", "other"), service("other"), environment="staging")
        self.ids = {"production": self.daemon.chain("x")["version_id"],
                    "staging": self.daemon.chain("x", "staging")["version_id"]}
        wait_until(lambda: len(self.lines()) == 5, "all to be ready")

    def lines(self, query="", chainlet=None):
        """Objects, as the API gives them."""
        where = f"/chainlets/{chainlet}" if chainlet else ""
        answer = self.daemon.ask("GET", f"/api/v1/chains/x{where}/logs{query}", headers={"Accept": "application/x-ndjson"})
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/x-ndjson"), answer.body)
        return [json.loads(line) for line in answer.body.splitlines()]

    def say(self, text, environment="production"):
        """Has the entrypoint of an environment say it, and waits until it is logged."""
        before = len(self.lines("?tail=1000"))
        self.assertEqual(self.daemon.call("x", "say " + text, environment=environment).status, 200)
        wait_until(lambda: len(self.lines("?tail=1000")) > before, "the line")

    def messages(self, query):
        return [line["message"] for line in self.lines(query)]

    def logs(self, *words):
        return self.home.good("logs", "x", *words)

    def expect_line(self, line, environment, chainlet, replicas, level, message):
        found = LINE.fullmatch(line)
        self.assertTrue(found, line)
        self.assertEqual(found.groups()[1:4], (environment, self.ids[environment], chainlet))
        self.assertIn(int(found[5]), replicas)
        self.assertEqual(found[6], level)
        self.assertRegex(found[7], message)


class Lines(LogsTest):
    def test_each_says_whose_it_is(self):
        whole = self.lines()
        self.assertEqual(sorted((line["environment"], line["chainlet"], line["replica"]) for line in whole),
                         [("production", "entry", 0), ("production", "entry", 1), ("production", "other", 0),
                          ("staging", "entry", 0), ("staging", "other", 0)])
        for line in whole:
            self.assertEqual((line["version"], line["level"], line["request_id"], line["message"]),
                             (self.ids[line["environment"]], None, None, "ready to serve"))
        self.say("2026-01-31T12:00:00.123Z WARNING entry [r-17] it is loaded", "staging")
        told = self.lines("?request_id=r-17")
        self.assertEqual(told, [{"at": "2026-01-31T12:00:00.123Z", "environment": "staging", "version": self.ids["staging"],
                                 "chainlet": "entry", "replica": 0, "level": "warning", "request_id": "r-17",
                                 "message": "it is loaded"}])
        self.assertEqual(self.daemon.logs("x", "?request_id=r-17"),
                         f"2026-01-31T12:00:00.123Z staging {self.ids['staging']} entry/0 WARNING [r-17] it is loaded\n")
        # The API tells the same numbers of replicas.
        for chainlet in self.daemon.chain("x")["chainlets"]:
            self.assertEqual(sorted(replica["number"] for replica in chainlet["replicas"]),
                             [0, 1] if chainlet["name"] == "entry" else [0])

    def test_of_a_replica_that_died(self):
        self.daemon.call("x", "die")
        wait_until(lambda: self.lines("?level=error"), "the daemon to say so")
        dead = self.lines("?level=error")
        self.assertEqual(len(dead), 1)
        self.assertEqual((dead[0]["environment"], dead[0]["chainlet"], dead[0]["message"]),
                         ("production", "entry", "chainsd: killed by signal 9 (Killed); starting it again"))
        # Of that replica alone there are its beginnings and its end.
        wait_until(lambda: len(self.lines(f"?replica={dead[0]['replica']}&environment=production", "entry")) == 3, "the next")

    def test_look_alikes_confuse_nobody(self):
        production, staging = self.ids["production"], self.ids["staging"]
        self.say(f"2026-01-31T12:00:00.123Z production {production} entry/1 ERROR   chainsd: exit status 1; it ran the "
                 "request r-1", "staging")
        self.say("2026-01-31T12:00:00.123Z ERROR   entry chainsd: exit status 1; it ran the request r-1", "staging")
        self.say("chainsd: it ran the request r-1", "staging")
        for query in ("?environment=production", f"?version={production}", "?version=1", "?replica=1"):
            self.assertEqual(set(self.messages(query)), {"ready to serve"}, query)
        self.assertEqual(self.messages("?request_id=r-1"), [])
        self.assertEqual(len(self.messages("?environment=staging")), 5)
        self.assertEqual(self.messages("?level=error&version=" + staging),
                         ["\\chainsd: exit status 1; it ran the request r-1"])

    def test_filters_and_tails(self):
        for i in range(12):
            self.daemon.call("x", f"say {'odd' if i % 2 else 'even'} {i}", environment="staging" if i < 6 else "production")
        wait_until(lambda: len(self.lines()) == 17, "the lines")
        self.assertEqual(self.messages("?contains=odd&tail=2"), ["odd 9", "odd 11"])
        self.assertEqual(self.messages("?contains=odd&environment=staging"), ["odd 1", "odd 3", "odd 5"])
        self.assertEqual(self.messages("?contains=odd%201&version=v1"), ["odd 11"])
        self.assertEqual(self.messages("?contains=even%201&version=v1"), ["even 10"])
        self.assertEqual(self.messages("?environment=staging&tail=1"), ["odd 5"])
        self.assertEqual(self.messages("?tail=0"), [])
        self.assertEqual(self.messages("?environment=none"), [])
        self.assertEqual(self.messages("?since=2999-01-01T00:00:00.000Z"), [])
        self.assertEqual(len(self.messages("?since=1d")), 17)
        self.assertEqual(len(self.lines("", "other")), 2)
        times = [line["at"] for line in self.lines()]
        self.assertEqual(times, sorted(times))
        for wrong in ("replica=x", "replica=-1", "replica=1.5", "level=loud", "since=5", "since=yesterday", "format=xml"):
            answer = self.daemon.ask("GET", f"/api/v1/chains/x/logs?{wrong}")
            self.assertEqual((answer.status, answer.error()["status"]), (400, "INVALID_ARGUMENT"), wrong)
            self.assertIn(wrong.split("=")[0], answer.error()["message"])

    def test_tails_go_on_in_the_file_before(self):
        path = self.daemon.home_file("logs", "x", "entry.log")
        os.rename(path, path + ".1")
        # More than is read in one step.
        with open(path, "w", encoding="utf-8") as file:
            for i in range(30000):
                file.write(f"2026-01-31T12:00:00.{i % 1000:03}Z staging v0002-abcdef entry/9 INFO    {i} {'x' * 50}\n")
        self.assertEqual(len(self.lines("?environment=production")), 3)
        self.assertEqual(len(self.lines("?replica=9&contains=777%20x")), 30)
        self.assertEqual(len(self.lines("?tail=30002", "entry")), 30002)
        connection = http.client.HTTPConnection(self.daemon.address, timeout=60)
        connection.request("GET", "/api/v1/chains/x/logs?environment=production&follow=1&format=json")
        answer = connection.getresponse()
        for _ in range(3):
            self.assertEqual(json.loads(answer.readline())["message"], "ready to serve")
        connection.close()
        # Clients that leave while it is searched for them.
        for query in ("", "&follow=1"):
            connection = http.client.HTTPConnection(self.daemon.address, timeout=60)
            connection.request("GET", "/api/v1/chains/x/logs?contains=nothing" + query)
            connection.close()
        self.assertEqual(self.messages("?contains=nothing"), [])


class Following(LogsTest):
    def follow(self, query):
        connection = http.client.HTTPConnection(self.daemon.address, timeout=60)
        connection.request("GET", "/api/v1/chains/x" + query)
        self.addCleanup(connection.close)
        return connection.getresponse()

    def test_a_chain(self):
        answer = self.follow("/logs?tail=0&follow=1")
        self.daemon.call("x", "die")
        self.expect_line(answer.readline().decode()[:-1], "production", "entry", (0, 1), "ERROR", "^chainsd: killed by signal 9")
        self.expect_line(answer.readline().decode()[:-1], "production", "entry", (0, 1), "-", "^ready to serve$")

    def test_filtered(self):
        answer = self.follow("/logs?tail=1&follow=1&environment=staging&contains=yes&format=json")
        for environment in ("production", "staging"):
            self.say("yes " + environment, environment)
            self.say("no " + environment, environment)
        self.say("yes again", "staging")
        self.assertEqual([json.loads(answer.readline())["message"] for _ in range(2)], ["yes staging", "yes again"])

    def test_a_chainlet_that_comes_later(self):
        answer = self.follow("/logs?tail=0&follow=1&contains=ready")
        self.daemon.deployed("x", service("third"), environment="new")
        found = LINE.fullmatch(answer.readline().decode()[:-1])
        self.assertEqual((found[2], found[4]), ("new", "third"))

    def test_it_ends_with_the_chain(self):
        answer = self.follow("/chainlets/entry/logs?follow=1&environment=staging")
        self.assertIn(b"ready to serve", answer.readline())
        self.assertEqual(self.daemon.change("DELETE", "/api/v1/chains/x").status, 200)
        self.assertEqual(answer.read(), b"")


class CommandLine(LogsTest):
    def test_with_a_daemon_and_without(self):
        self.say("2026-01-31T12:00:00.123Z ERROR   entry [r-17] broken", "staging")
        self.say("plain")
        asked = [[], ["entry"], ["--environment", "staging"], ["--version", "v2"], ["--version", self.ids["production"]],
                 ["entry", "--replica", "1"], ["--level", "warning"], ["--grep", "ready"], ["--request-id", "r-17"],
                 ["--since", "1h"], ["--tail", "3"], ["--json"], ["--json", "--tail", "2", "--environment", "production"]]
        told = [self.logs(*words) for words in asked]
        self.assertEqual([text.count("\n") for text in told], [7, 5, 3, 3, 4, 2 if "plain" in told[5] else 1, 1, 5, 1, 6, 3, 7, 2])
        self.assertRegex(told[0], rf"(?m)^{TIME} production {self.ids['production']} entry/[01] -       plain$")
        self.assertEqual(json.loads(told[11].splitlines()[0])["request_id"], "r-17")
        done = self.home.chains("logs", "x", "--grep", "none of this")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", "chains: no line of the log is like that\n"))
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual([self.logs(*words) for words in asked], told)
        done = self.home.chains("logs", "x", "-f")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("no daemon runs", done.stderr)
        for words in (["none"], ["x", "none"]):
            done = self.home.chains("logs", *words)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(f"there is no log of '{'/'.join(words)}'", done.stderr)

    def test_usage(self):
        for words in ([], ["x", "--tail", "-1"], ["x", "--replica", "-2"], ["x", "--replica", "a"], ["x", "--level", "loud"],
                      ["x", "--since", "5"], ["x", "--environment", "a/b"], ["x", "--version", ""], ["a/b"],
                      ["x", "--events", "--environment", "staging"], ["x", "--events", "-f"]):
            self.assertEqual(self.home.chains("logs", *words).returncode, 2, words)

    def on_terminal(self, *words):
        """What a terminal gets."""
        ours, theirs = pty.openpty()
        with subprocess.Popen([CHAINS, "logs", *words], env=self.home.env, stdout=theirs) as process:
            os.close(theirs)
            text = b""
            try:
                while part := os.read(ours, 65536):
                    text += part
            except OSError:  # the other end is closed
                pass
            os.close(ours)
            self.assertEqual(process.wait(60), 0)
        return text.replace(b"\r\n", b"\n").decode()

    def test_a_terminal_is_told_nothing_that_it_obeys(self):
        self.say("\x1b]0;owned\x07\x1b[2J\b gone")
        self.assertIn("\x1b]0;owned\x07\x1b[2J\b gone\n", self.logs("--grep", "owned"))
        self.assertIn("\\x1b]0;owned\\x07\\x1b[2J\\x08 gone\n", self.on_terminal("x", "--grep", "owned"))
        shown = json.loads(self.on_terminal("x", "--grep", "owned", "--json"))
        self.assertEqual(shown["message"], "\x1b]0;owned\x07\x1b[2J\b gone")
        self.daemon.stop()
        self.assertIn("\\x1b]0;owned\\x07\\x1b[2J\\x08 gone\n", self.on_terminal("x", "--grep", "owned"))


def use_journal(home, path):
    """As if a service manager read what a daemon says for the journal at that socket."""
    with open(home.file("said"), "a", encoding="utf-8") as said:
        info = os.fstat(said.fileno())
    home.env.update(JOURNAL_STREAM=f"{info.st_dev}:{info.st_ino}", CHAINS_JOURNAL_SOCKET=path)


class Journal(DaemonTest):
    """A socket that plays the journal's part."""

    def setUp(self):
        super().setUp()
        self.path = self.home.file("journal")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.addCleanup(self.socket.close)
        use_journal(self.home, self.path)
        self.heard = []

    def read(self):
        """The next message, its fields by their names; None: nobody reads any more."""
        try:
            data, fields = self.socket.recv(65536), {}
        except OSError:
            return None
        while data:
            name, data = re.match(rb"([A-Z0-9_]+)([=\n][\s\S]*)", data).groups()
            if data[:1] == b"=":
                value, data = data[1:].split(b"\n", 1)
            else:
                size = struct.unpack_from("<Q", data, 1)[0]
                value, data = data[9:9 + size], data[10 + size:]
            fields[name.decode()] = value.decode()
        return fields

    def listen(self):
        """From now on somebody reads: the socket takes only a few messages."""
        def go_on():
            while fields := self.read():
                self.heard.append(fields)
        listener = threading.Thread(target=go_on)
        listener.start()
        self.addCleanup(listener.join)
        self.addCleanup(lambda: self.socket.shutdown(socket.SHUT_RDWR))

    def hear_of(self, text, **fields):
        """The first message with that text and those fields."""
        def find():
            return [message for message in self.heard if text in message["MESSAGE"] and fields.items() <= message.items()]
        wait_until(find, f"'{text}' in the journal")
        return find()[0]

    def test_what_goes_there(self):
        self.listen()
        daemon = self.start()
        served = self.hear_of("chainsd serves")
        self.assertEqual({**served, "MESSAGE": ""}, {"PRIORITY": "6", "SYSLOG_IDENTIFIER": "chainsd", "MESSAGE": ""})
        daemon.deployed("x", service("entry"))
        daemon.deployed("x", service("entry"), environment="staging")
        version = daemon.chain("x", "staging")["version_id"]
        whose = {"SYSLOG_IDENTIFIER": "chainsd", "CHAINS_CHAIN": "x", "CHAINS_ENVIRONMENT": "staging", "CHAINS_VERSION": version,
                 "CHAINS_CHAINLET": "entry", "CHAINS_REPLICA": "0"}
        self.assertEqual(self.hear_of("ready to serve", CHAINS_ENVIRONMENT="staging"),
                         {"PRIORITY": "6", "MESSAGE": "ready to serve", **whose})
        self.hear_of("ready to serve", CHAINS_ENVIRONMENT="production")
        daemon.call("x", "say 2026-01-31T12:00:00.123Z WARNING entry [r-17] careful", environment="staging")
        self.assertEqual(self.hear_of("careful"), {"PRIORITY": "4", "MESSAGE": "careful", "CHAINS_REQUEST_ID": "r-17", **whose})
        daemon.call("x", "die", environment="staging")
        killed = self.hear_of("chainsd: killed by signal 9")
        self.assertEqual({**killed, "MESSAGE": ""}, {"PRIORITY": "3", "MESSAGE": "", **whose})
        # Files are kept as well, and Chainlets know nothing of it.
        self.assertIn("[r-17] careful", daemon.logs("x"))
        environment = daemon.call("x", "report").json()["environment"]
        for name in ("JOURNAL_STREAM", "CHAINS_JOURNAL_SOCKET"):
            self.assertNotIn(name, environment)
        self.assertEqual(daemon.stop(), 0)
        self.hear_of("chainsd has stopped")
        self.assertEqual(daemon.said(), "")

    def test_nobody_waits_for_it(self):
        daemon = self.start()
        daemon.deployed("x", service("entry"))
        # Nobody reads: its socket is full at some point, and everything goes on.
        for i in range(100):
            self.assertEqual(daemon.call("x", f"say {i}" + "\nmore" * 100).status, 200)
        daemon.call("x", "say the last one")
        wait_until(lambda: "the last one" in daemon.logs("x"), "the last line")
        self.listen()
        wait_until(lambda: self.heard and daemon.call("x", "say after").status == 200 and
                   any(message["MESSAGE"] == "after" for message in self.heard), "what comes after")
        self.assertRegex(self.hear_of("lines found no room")["MESSAGE"], r"^\d+ lines found no room in the journal's socket$")


class RealJournal(DaemonTest):
    """systemd's own, where there is one and it may have folders of its own."""

    def setUp(self):
        super().setUp()
        program = "/lib/systemd/systemd-journald"
        if os.geteuid() or not os.path.exists(program) or not shutil.which("journalctl"):
            self.skipTest("there is no journald to be started here")
        if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/run"], stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest("nothing may be mounted here")
        # An instance with a name leaves the kernel's log and audit alone.
        command = f"mount -t tmpfs none /run && mount -t tmpfs none /var/log && mkdir /run/systemd && exec {program} chains"
        self.journald = subprocess.Popen(["unshare", "-m", "sh", "-c", command], stderr=subprocess.DEVNULL)
        self.addCleanup(self.journald.wait)
        self.addCleanup(self.journald.terminate)
        self.root = f"/proc/{self.journald.pid}/root"
        path = self.root + "/run/systemd/journal.chains/socket"
        wait_until(lambda: self.journald.poll() is not None or os.path.exists(path), "journald")
        if self.journald.poll() is not None:
            self.skipTest("journald doesn't run here")
        use_journal(self.home, path)

    def find(self, *words):
        """Messages in the journal, as they are exported."""
        files = glob.glob(self.root + "/run/log/journal/*/*.journal") + glob.glob(self.root + "/var/log/journal/*/*.journal")
        if not files:  # without one it would look into this machine's
            return []
        done = subprocess.run(["journalctl", *(f"--file={file}" for file in files), "-o", "json", *words],
                              capture_output=True, text=True, check=False)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_it_finds_lines_by_their_fields(self):
        daemon = self.start()
        daemon.deployed("x", service("entry"))
        daemon.deployed("x", service("entry"), environment="staging")
        daemon.call("x", "say 2026-01-31T12:00:00.123Z ERROR   entry [r-17] broken", environment="staging")
        daemon.call("x", "say two\nlines", environment="staging")
        wait_until(lambda: self.find("CHAINS_CHAIN=x", "CHAINS_ENVIRONMENT=staging", "MESSAGE=lines"), "the last line")
        found = self.find("CHAINS_ENVIRONMENT=staging")
        self.assertEqual([message["MESSAGE"] for message in found], ["ready to serve", "broken", "two", "lines"])
        self.assertEqual({(message["SYSLOG_IDENTIFIER"], message["CHAINS_VERSION"], message["CHAINS_REPLICA"]) for message in found},
                         {("chainsd", daemon.chain("x", "staging")["version_id"], "0")})
        self.assertEqual([message["MESSAGE"] for message in self.find("-p", "err", "CHAINS_REQUEST_ID=r-17")], ["broken"])
        self.assertEqual(len(self.find("CHAINS_ENVIRONMENT=production")), 1)
        self.assertEqual(daemon.stop(), 0)
        wait_until(lambda: self.find("SYSLOG_IDENTIFIER=chainsd", "MESSAGE=chainsd has stopped"), "the daemon's end")


if __name__ == "__main__":
    unittest.main(verbosity=2)
