"""What is shown on a terminal: the chain of tests/e2e/terminal, which says what terminals obey."""
import json
import os
import re
import signal
import subprocess
import unittest

from chains_testing import CHAINS, HomeTest, is_alive, wait_until
from terminal_testing import Terminal

ESCAPE = "\x1b"


class OnATerminal(HomeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.home.copy("tests/e2e/terminal")
        with Terminal(cls.home, "deploy", "terminal", "--port", "0") as terminal:
            cls.status, cls.deployed = terminal.end(), terminal

    def run_on(self, *words, columns=80, rows=200, **env):
        """Runs it to its end; gives the terminal."""
        with Terminal(self.home, *words, columns=columns, rows=rows, **env) as terminal:
            terminal.status = terminal.end()
        self.assertEqual(terminal.screen.odd, [], terminal.sent)
        return terminal

    def call(self, text, fails=False, **options):
        return self.home.chains("call", "loud", "--json", "--input", json.dumps({"text": text, "fails": fails}), **options)

    def failed_request(self):
        """The id of a call that failed, whose trace tells of that."""
        request_id = json.loads(self.call("x", fails=True).stderr)["error"]["request_id"]
        wait_until(lambda: "loudly" in self.home.chains("trace", request_id).stdout, "its trace")
        return request_id

    def test_a_deployment_has_bars(self):
        self.assertEqual(self.status, 0, self.deployed.screen.text())
        self.assertRegex(self.deployed.sent, "\rbuilding  [█░]+  \\d+ of \\d+  compiling")
        # They are gone in the end, and nothing else is obeyed.
        self.assertNotIn("building", self.deployed.screen.text())
        self.assertNotIn("starting", self.deployed.screen.text())
        self.assertIn("loud version v0001", self.deployed.screen.text())
        self.assertEqual(self.deployed.screen.odd, [])
        self.assertFalse(self.deployed.screen.other)

    def test_a_build_without_a_cursor_has_lines(self):
        self.home.copy("tests/e2e/terminal", "dumb")
        plain = self.run_on("build", "dumb", TERM="dumb")
        self.assertEqual(plain.status, 0, plain.sent)
        self.assertNotIn(ESCAPE, plain.sent)
        self.assertIn("compiling", plain.sent)
        self.home.copy("tests/e2e/terminal", "gray")
        gray = self.run_on("build", "gray", columns=40, NO_COLOR="1")
        self.assertIn("\rbuilding", gray.sent)
        self.assertNotRegex(gray.sent, ESCAPE + r"\[[\d;]*m")
        # What is cut to the terminal's width never goes on in another line.
        for line in re.findall("\r(building[^\x1b]*)", gray.sent):
            self.assertLess(len(line), 40)

    def test_watching(self):
        with Terminal(self.home, "status", "--watch", "--every", "0.1") as terminal:
            text = terminal.wait_for(lambda text: re.search(r"loud +ready +1/1", text) and "q ends it" in text, "the table")
            self.assertTrue(terminal.screen.other)
            self.assertRegex(text, r"loud/production  ready  v\d{4}-")
            self.assertIn("CALLS/S", text)
            # One screen is cleared; what follows is written over it.
            terminal.wait_for(lambda _: terminal.sent.count(ESCAPE + "[?2026h") >= 3, "more frames")
            self.assertEqual(terminal.sent.count(ESCAPE + "[2J"), 1)
            self.call("x")
            # In what was sent, as it is gone from the screen a second later.
            rated = re.compile(r"quiet +\x1b\[32mready +\x1b\[0m +1/1 +\d+ +\d+ +(?:[1-9]|0\.[1-9])")
            terminal.wait_for(lambda _: rated.search(terminal.sent), "a rate")
            for columns, rows in ((40, 10), (20, 5), (200, 50), (80, 24)):
                terminal.resize(columns, rows)
                terminal.wait_for(lambda text, columns=columns: "q ends it" in text and max(map(len, text.split("\n"))) < columns,
                                  f"the table in {columns} columns")
            terminal.type("jjGgq")
            self.assertEqual(terminal.end(), 0)
            self.assertFalse(terminal.screen.other)
            self.assertTrue(terminal.is_as_before())
            self.assertTrue(terminal.sent.endswith(ESCAPE + "[?1049l"))
            self.assertEqual(terminal.screen.odd, [])

    def test_watching_ends_by_signals(self):
        for end in (lambda terminal: terminal.type("\x03"), lambda terminal: terminal.interrupt()):
            with Terminal(self.home, "status", "--watch", "loud") as terminal:
                terminal.wait_for(lambda text: "loud" in text, "the table")
                end(terminal)
                self.assertEqual(terminal.end(), 0)
                self.assertTrue(terminal.is_as_before())
                self.assertFalse(terminal.screen.other)
        with Terminal(self.home, "status", "--watch") as terminal:
            terminal.wait_for(lambda text: "loud" in text, "the table")
            terminal.process.terminate()
            self.assertEqual(terminal.end(), -signal.SIGTERM)
            self.assertTrue(terminal.is_as_before())
            self.assertFalse(terminal.screen.other)

    def test_a_long_table_is_scrolled(self):
        with Terminal(self.home, "status", "--watch", rows=5) as terminal:
            terminal.wait_for(lambda text: "0 more above, 1 below" in text, "the first rows")
            self.assertNotIn("  loud  ", terminal.screen.text())
            terminal.type(ESCAPE + "[B")
            terminal.wait_for(lambda text: "1 more above, 0 below" in text and "  loud  " in text, "the last rows")
            terminal.type("q")
            self.assertEqual(terminal.end(), 0)

    def test_a_daemon_that_goes_away_and_comes_back(self):
        with Terminal(self.home, "status", "--watch", "--every", "0.1") as terminal:
            terminal.wait_for(lambda text: "loud" in text, "the table")
            pid = self.home.daemon_pid()
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not is_alive(pid), "the daemon to end")
            text = terminal.wait_for(lambda text: "no daemon answers" in text, "that it is gone")
            self.assertIn("loud/production", text)  # what was known is still there
            self.home.good("deploy", "terminal", "--port", "0")
            terminal.wait_for(lambda text: "no daemon answers" not in text and re.search("loud +ready", text), "another daemon")
            terminal.type("q")
            self.assertEqual(terminal.end(), 0)

    def watch_plainly(self, *words, count):
        """The first lines of what watching says where there is no terminal."""
        with subprocess.Popen([CHAINS, "status", "--watch", "--every", "0.1", *words], env=self.home.env, text=True,
                              stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
            lines = [process.stdout.readline() for _ in range(count)]
            process.send_signal(signal.SIGINT)
            process.stdout.read()
            process.wait(60)
        return lines

    def test_watching_without_a_terminal(self):
        lines = self.watch_plainly(count=6)
        self.assertNotIn(ESCAPE, "".join(lines))
        self.assertRegex(lines[0], r"^\d{4}-\S+Z loud/production v\d+-\w+ ready, \S+ calls/s")
        self.assertRegex(lines[3], r"^\d{4}-\S+Z loud/production v\d+-\w+ ready, \S+ calls/s")
        self.assertRegex(lines[4], r"Z loud/production quiet ready, 1 of 1 ready, 0 in flight, 0 waiting, ")
        for line in self.watch_plainly("--json", count=2):
            self.assertEqual([chain["name"] for chain in json.loads(line)], ["loud"])
        self.assertEqual(self.watch_plainly("nobody", "--json", count=2), ["[]\n", "[]\n"])
        self.assertIn("nothing of that name is deployed", self.watch_plainly("nobody", count=1)[0])

    def test_what_is_said_is_not_obeyed(self):
        request_id = self.failed_request()
        wait_until(lambda: "cleared" in self.home.good("logs", "loud"), "its log")
        self.assertIn(ESCAPE + "[2Jcleared", self.home.good("logs", "loud"))  # as it is, for programs
        logs = self.run_on("logs", "loud")
        self.assertIn(r"\x1b[2Jcleared \x9b31m and \x1b]0;titled\x07", logs.screen.text().replace("\n", ""))
        trace = self.run_on("trace", request_id)
        self.assertRegex(trace.screen.text(), r"FAILED_PRECONDITION: failed .*\[2J loudly")
        for words in (("trace",), ("status",), ("versions", "loud"), ("logs", "loud", "--events"),
                      ("trace", request_id, "--json"), ("call", "loud", "--input", '{"text": "\\u009b2J\\u001b[2J", "fails": true}')):
            self.run_on(*words)
        answer = self.run_on("call", "loud", "--input", '{"text": "\\u009b2J\\u001b[2J\\u202e", "fails": false}', columns=200)
        self.assertIn("\\u009b2J\\u001b[2J\\u202e", answer.screen.text())

    def test_a_waterfall_has_the_terminals_width(self):
        request_id = self.failed_request()
        narrow = self.run_on("trace", request_id, columns=60)
        self.assertNotIn("DECODE", narrow.screen.text())
        for line in narrow.screen.text().split("\n"):
            if "ms" in line and "▒" in line:
                self.assertLessEqual(len(line), 60)
        wide = self.run_on("trace", request_id, columns=200)
        self.assertIn("DECODE", wide.screen.text())
        self.assertIn(ESCAPE + "[31m", wide.sent)
        self.assertNotIn(ESCAPE, self.run_on("trace", request_id, TERM="dumb").sent)
        self.assertNotIn(ESCAPE, self.run_on("trace", request_id, NO_COLOR="1").sent)

    def test_graphs(self):
        drawn = self.run_on("graph", "terminal").screen.text()
        self.assertIn("│    loud    │", drawn)
        self.assertRegex(drawn, "│ +0.5 cores +│")
        self.assertIn("loud → quiet  retries 1, timeout 5000 ms", drawn)
        # Too narrow for a box: a tree.
        self.assertIn("└─ quiet, retries 1", self.run_on("graph", "terminal", columns=12).screen.text().replace("\n", ""))
        deployed = self.run_on("graph", "--deployed", "loud").screen.text()
        self.assertIn("ready, 1 of 1", deployed)
        self.assertIn("loud in production, v", deployed)
        told = json.loads(self.home.good("graph", "--deployed", "loud", "--format", "json"))
        self.assertEqual([(edge["caller"], edge["callee"]) for edge in told["edges"]], [("loud", "quiet")])
        self.assertEqual({one["name"]: (one["state"], one["ready"], one["wanted"]) for one in told["chainlets"]},
                         {"loud": ("ready", 1, 1), "quiet": ("ready", 1, 1)})
        self.assertIn("calls/s", deployed)
        static = json.loads(self.home.good("graph", "terminal", "--json"))
        self.assertEqual([one["cpu"] for one in static["chainlets"] if one["name"] == "loud"], [0.5])
        self.assertTrue(self.home.good("graph", "terminal", "--format", "svg").startswith("<svg xmlns="))
        self.assertIn('"loud" -> "quiet"', self.home.good("graph", "terminal", "--format", "dot"))

    def test_what_is_wrong_with_the_words(self):
        for words, said in ((("graph", "--format", "png"), "takes text, tree, dot, svg or json"),
                            (("graph", "terminal", "--deployed", "loud"), "takes the place of a folder"),
                            (("graph", "terminal", "--environment", "x"), "is for '--deployed'"),
                            (("graph", "--deployed", "../x"), "../x"),
                            (("status", "--every", "1"), "with '--watch'"),
                            (("status", "--watch", "--every", "0.001"), "takes 0.1 to 86400"),
                            (("status", "loud", "quiet", "--watch"), "not the processes of a Chainlet")):
            done = self.home.chains(*words)
            self.assertEqual(done.returncode, 2, (words, done.stderr))
            self.assertIn(said, done.stderr)
        nobody = self.home.chains("graph", "--deployed", "nobody")
        self.assertEqual(nobody.returncode, 1)
        self.assertIn("nobody", nobody.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
