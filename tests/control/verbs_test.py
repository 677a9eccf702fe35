"""The verbs that talk to chainsd, as a user types them, with the hello example."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import unittest

from chains_testing import CHAINS, HomeTest, is_alive, wait_until

INPUT = '{"words": ["moon"]}'


class WithoutDaemon(HomeTest):
    def test_each_says_that_none_runs(self):
        for words in (["status"], ["status", "--json"], ["call", "hello", "--input", INPUT],
                      ["logs", "hello"], ["delete", "hello"], ["versions", "hello"],
                      ["promote", "hello", "v1"], ["rollback", "hello"], ["trace"], ["open"]):
            done = self.home.chains(*words)
            self.assertEqual((done.returncode, done.stdout), (1, ""), words)
            self.assertIn("no daemon runs", done.stderr)
            self.assertIn("chains deploy", done.stderr)

    def test_a_port_in_use(self):
        chain = self.home.file("hello")
        self.home.good("init", chain)
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = str(other.getsockname()[1])
            for words in (["deploy", chain, "--port", port], ["serve", "--port", port]):
                done = self.home.chains(*words)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(f"port {port} is in use", done.stderr)
                self.assertIn("--port", done.stderr)
        self.assertEqual(self.home.chains("status").returncode, 1)

    def test_serving_in_the_foreground(self):
        with subprocess.Popen([CHAINS, "serve", "--port", "0"], env=self.home.env,
                              stderr=subprocess.PIPE, text=True) as process:
            line = process.stderr.readline()
            self.assertRegex(line, r"chainsd serves .* on http://127\.0\.0\.1:\d+")
            self.assertEqual(self.home.daemon_pid(), process.pid)
            self.assertIn("nothing is deployed", self.home.good("status"))
            self.assertEqual(self.home.good("status", "--json").strip(), "[]")
            process.send_signal(signal.SIGINT)
            process.stderr.read()
            self.assertEqual(process.wait(60), 0)
        self.assertEqual(self.home.chains("status").returncode, 1)


class WithDaemon(HomeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.chain = cls.home.file("hello")
        cls.home.good("init", cls.chain)
        cls.out = cls.home.good("deploy", cls.chain, "--port", "0")

    def replicas(self):
        return {c["name"]: c["replicas"][0] for c in self.home.status()[0]["chainlets"]}

    def test_deploying_says_where_and_what_next(self):
        url = f"{self.home.address()}/chains/hello/production/run_remote"
        self.assertIn(url, self.out)
        self.assertIn("chains call hello", self.out)
        self.assertRegex(self.out, rf"(?m)^  chains open hello +# or {self.home.address()}/ in a browser$")

    def test_opening_the_page(self):
        """xdg-open gets a file that only its user may read, and no token among its arguments."""
        folder = self.home.file("bin")
        os.mkdir(folder)
        opener, opened = os.path.join(folder, "xdg-open"), self.home.file("opened")
        with open(opener, "w", encoding="utf-8") as script:
            script.write('#!/bin/sh\nprintf "%s\\n" "$@" > "$OPENED"\nexit $OPENER_STATUS\n')
        os.chmod(opener, 0o755)
        env = {"PATH": folder + os.pathsep + os.environ["PATH"], "OPENED": opened, "OPENER_STATUS": "0",
               "DISPLAY": "", "WAYLAND_DISPLAY": ""}
        with open(os.path.join(self.home.env["CHAINS_HOME"], "token"), encoding="utf-8") as file:
            url = f"{self.home.address()}/#token={file.read().strip()}"
        self.assertEqual(self.home.good("open", env=env), url + "\n")
        self.assertEqual(self.home.good("open", "--print", env=dict(env, DISPLAY=":9")), url + "\n")
        self.assertFalse(os.path.exists(opened))
        there = f"{url}&/chains/hello/production"
        self.assertEqual(self.home.good("open", "hello", env=dict(env, WAYLAND_DISPLAY="wayland-9")), there + "\n")
        with open(opened, encoding="utf-8") as file:
            path = file.read().strip()
        self.assertEqual(path, os.path.join(self.home.env["CHAINS_HOME"], "open.html"))
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(path, encoding="utf-8") as file:
            self.assertIn(f'content="0; url={there}"', file.read())
        done = self.home.chains("open", env=dict(env, DISPLAY=":9", OPENER_STATUS="3"))
        self.assertEqual((done.returncode, done.stdout), (0, url + "\n"))
        self.assertIn("could not start a browser", done.stderr)

    def test_opening_what_is_not_there(self):
        for words, status, said in ((["none"], 1, "there is no chain 'none'"),
                                    (["hello", "--environment", "x"], 1, "no environment 'x'"),
                                    (["a b"], 2, "no name"), (["hello", "more"], 2, "too many")):
            done = self.home.chains("open", *words)
            self.assertEqual((done.returncode, done.stdout), (status, ""), words)
            self.assertIn(said, done.stderr)

    def test_status(self):
        out = self.home.good("status")
        replica = self.replicas()["hello"]
        self.assertRegex(out, rf"(?m)^  hello +ready +1/1 +0 +0 +\d+ .* {replica['pid']}$")
        chain = self.home.status()[0]
        self.assertEqual((chain["name"], chain["state"]), ("hello", "ready"))
        self.assertTrue(is_alive(replica["pid"]))

    def test_call(self):
        done = self.home.chains("call", "hello", "--input", INPUT)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        json.loads(done.stdout)
        with open(self.home.file("input"), "w", encoding="utf-8") as file:
            file.write(INPUT)
        self.assertEqual(self.home.good("call", "hello", "--input", "@" + self.home.file("input")), done.stdout)
        piped = subprocess.run([CHAINS, "call", "hello", "--input", "-"], env=self.home.env, input=INPUT,
                               text=True, capture_output=True, timeout=60, check=True)
        self.assertEqual(piped.stdout, done.stdout)

    def test_failures_of_calls(self):
        for words, said in ((["hello", "--input", "{"], "INVALID_ARGUMENT"),
                            (["other", "--input", INPUT], "deployed: hello")):
            done = self.home.chains("call", *words)
            self.assertEqual((done.returncode, done.stdout), (1, ""), words)
            self.assertIn(said, done.stderr)
            done = self.home.chains("call", *words, "--json")
            self.assertEqual((done.returncode, done.stdout), (1, ""), words)
            self.assertIn("message", json.loads(done.stderr)["error"])
        for words in ([], ["hello", "again"], ["a/b"], ["hello", "--timeout", "-1"], ["hello", "--input", "@none"]):
            self.assertEqual(self.home.chains("call", *words).returncode, 2, words)

    def test_scale(self):
        def scaled():
            return next(c for c in self.home.status()[0]["chainlets"] if c["name"] == "hello_writer")["ready"]
        own = json.loads(self.home.good("scale", "hello", "hello_writer", "--json"))
        said = self.home.good("scale", "hello", "hello_writer", "--min", "2", "--max", "3", "--window", "30")
        self.assertIn("hello_writer of hello: 2 to 3 replicas", said)
        wait_until(lambda: scaled() == 2, "two of them")
        shown = json.loads(self.home.good("scale", "hello", "hello_writer", "--json"))
        override = shown.pop("override")
        self.assertEqual((override["min_replicas"], override["max_replicas"], override["window_s"]), (2, 3, 30.0))
        self.assertIsNone(override["concurrency_target"])
        self.assertEqual(dict(shown, override=None), dict(own, min_replicas=2, max_replicas=3, window_s=30.0))
        self.assertIn("until --reset: --min 2 --max 3 --window 30", self.home.good("scale", "hello", "hello_writer"))
        self.assertIn("scaled by `chains scale`", self.home.good("status"))
        # What isn't said any more is as it was deployed.
        shown = json.loads(self.home.good("scale", "hello", "hello_writer", "--max", "2", "--json"))
        self.assertEqual(dict(shown, override=None), dict(own, max_replicas=2))
        self.assertEqual(json.loads(self.home.good("scale", "hello", "hello_writer", "--reset", "--json")), own)
        wait_until(lambda: scaled() == own["max_replicas"], "as many as before")
        self.assertNotIn("scaled by `chains scale`", self.home.good("status"))

    def test_failures_of_scale(self):
        for words, said in ((["hello", "hello", "--min", "5", "--max", "2"], "min_replicas is 5, and must be 0 to max"),
                            (["hello", "hello", "--max", "0"], "max_replicas is 0"),
                            (["hello", "hello", "--target-utilization", "1.5"], "target_utilization is 1.5"),
                            (["hello", "hello", "--window", "-1"], "window_s is -1"),
                            (["hello", "hello", "--scale-down-delay", "-1"], "scale_down_delay_s is -1, and must be 0"),
                            (["hello", "hello", "--scale-to-zero-delay", "2e9"], "scale_to_zero_delay_s is 2e+09"),
                            (["hello", "none", "--max", "2"], "there is no Chainlet 'none'"),
                            (["hello", "hello", "--max", "2", "--environment", "e"], "no environment 'e'"),
                            (["none", "hello", "--max", "2"], "there is no chain 'none'")):
            done = self.home.chains("scale", *words)
            self.assertEqual((done.returncode, done.stdout), (1, ""), words)
            self.assertIn(said, done.stderr)
            self.assertIn("message", json.loads(self.home.chains("scale", *words, "--json").stderr)["error"])
        for words in ([], ["hello"], ["hello", "hello", "x"], ["hello", "a/b", "--reset"], ["hello", "x y"],
                      ["hello", "hello", "--min", "1.5"], ["hello", "hello", "--max", "-1"],
                      ["hello", "hello", "--max", "1", "--reset"], ["hello", "hello", "--window", "inf"]):
            self.assertEqual(self.home.chains("scale", *words).returncode, 2, words)
        for number in ("inf", "nan", "x"):
            self.assertIn(f"'--window' takes a number, not '{number}'",
                          self.home.chains("scale", "hello", "hello", "--window", number).stderr)
        self.assertIn("Example:", self.home.good("scale", "--help"))

    def test_a_killed_process_comes_back(self):
        pid = self.replicas()["hello"]["pid"]
        os.kill(pid, signal.SIGKILL)
        self.home.good("call", "hello", "--input", INPUT)
        self.assertNotEqual(self.replicas()["hello"]["pid"], pid)
        self.assertIn("killed by signal 9", self.home.good("logs", "hello"))
        self.assertIn("killed by signal 9", self.home.good("logs", "hello", "hello"))

    def test_following_logs(self):
        with subprocess.Popen([CHAINS, "logs", "hello", "-f", "--tail", "0"], env=self.home.env,
                              stdout=subprocess.PIPE, text=True) as process:
            # It can't be seen from outside when it has begun to follow, so something happens until it tells.
            def happen():
                os.kill(self.replicas()["hello"]["pid"], signal.SIGKILL)
                wait_until(lambda: self.replicas()["hello"]["state"] == "ready", "the new process")
                return os.path.exists(self.home.file("seen"))
            lines = []

            def read():
                lines.append(process.stdout.readline())
                with open(self.home.file("seen"), "w", encoding="utf-8"):
                    pass
            reader = threading.Thread(target=read)
            reader.start()
            wait_until(happen, "a line")
            reader.join()
            self.assertRegex(lines[0], r"^\S+ production v\S+ hello/0 ERROR   chainsd: killed by signal 9")
            process.terminate()

    def test_what_is_not_there(self):
        for words in (["logs", "other"], ["logs", "hello", "other"], ["delete", "other"]):
            done = self.home.chains(*words)
            self.assertEqual((done.returncode, done.stdout), (1, ""), words)
            self.assertIn("NOT_FOUND", done.stderr)

    def test_a_deployment_that_fails_shows_the_log(self):
        broken = self.home.copy("examples/hello", "broken")
        path = os.path.join(broken, "hello.c")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        text, count = re.subn(r"(hello_new\([^{]*\{)", r'\1 return (chains_fail(ctx, CHAINS_NOT_FOUND, "no model here"), NULL);', text)
        self.assertEqual(count, 1)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = self.home.chains("deploy", broken)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("no model here", done.stderr)
        self.assertIn("exit status 1", done.stderr)
        self.assertIn("goes on answering", done.stderr)
        self.home.good("call", "hello", "--input", INPUT)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("no model here", "no weights here"))
        done = self.home.chains("deploy", broken)
        self.assertIn("no weights here", done.stderr)
        self.assertNotIn("no model here", done.stderr)
        done = self.home.chains("deploy", broken, "--name", "broken", "--json")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertNotIn("goes on", done.stderr)
        error = json.loads(done.stderr.splitlines()[-1])["error"]
        self.assertEqual((error["status"], error["hint"]), ("FAILED_PRECONDITION", None))
        self.assertRegex(error["message"], "^hello: .*exit status 1")
        self.assertNotIn("chains deploy:", done.stderr)
        with open(path, "a", encoding="utf-8") as file:
            file.write("this is no C\n")
        done = self.home.chains("deploy", broken, "--json")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("lines before say why", json.loads(done.stderr.splitlines()[-1])["error"]["message"])
        self.home.good("delete", "broken")

    def test_output_that_can_not_be_written(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([CHAINS, "status"], env=self.home.env, stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("can't write its output", done.stderr)

    def test_a_relative_home(self):
        env = dict(self.home.env, CHAINS_HOME="relative")
        folder = self.home.file("")
        subprocess.run([CHAINS, "deploy", self.chain, "--port", "0"], env=env, cwd=folder,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=True)
        with open(self.home.file("relative/pid"), encoding="utf-8") as file:
            pid = int(file.read())
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not is_alive(pid), "its daemon to end")

    def test_versions_and_environments(self):
        env = {"CHAINS_HOME": self.home.file("versions")}

        def chains(*words):
            return self.home.good(*words, env=env)

        def refused(status, words, *line):
            done = self.home.chains(*line, env=env)
            self.assertEqual((done.returncode, done.stdout), (status, ""), line)
            self.assertIn(words, done.stderr, line)
        try:
            out = chains("deploy", self.chain, "--port", "0")
            first = re.search(r"hello version (v0001-[0-9a-f]{6}) is deployed to production", out)[1]
            self.assertIn(f"{first} ", chains("status"))
            again = chains("deploy", self.chain, "--environment", "staging")
            self.assertIn(first.replace("v0001", "v0002"), again)  # of the same sources
            self.assertIn("chains call hello --environment staging", again)
            changed = self.home.file("changed")
            shutil.copytree(self.chain, changed, ignore=shutil.ignore_patterns(".chains"))
            with open(os.path.join(changed, "hello.h"), "a", encoding="utf-8") as file:
                file.write("/* changed */\n")
            out = chains("deploy", changed, "--canary", "50", "--canary-minutes", "60", "--max-p99-ratio", "2")
            self.assertRegex(out, r"version v0003-[0-9a-f]{6} gets 50 % of the calls in production until ")
            self.assertNotIn(first[6:], out.splitlines()[0])
            self.assertRegex(chains("status"), r"v0003-[0-9a-f]{6} is tried on 50 % of the calls until ")
            versions = json.loads(chains("versions", "hello", "--json"))
            self.assertEqual([(v["number"], v["environments"]) for v in versions],
                             [(3, []), (2, ["staging"]), (1, ["production"])])
            self.assertEqual({len(v["source_digest"]) for v in versions}, {64})
            self.assertTrue(all(v["created_by"] and v["interface"] for v in versions))
            self.assertRegex(chains("versions", "hello"), rf"(?m)^{first} +ready .* production$")
            answer = self.home.good("call", "hello", "--input", INPUT)
            for line in (["--environment", "staging"], ["--version", "2"], ["--version", "v0003"], []):
                self.assertEqual(chains("call", "hello", "--input", INPUT, *line), answer)
            self.assertIn("version v0003-", chains("promote", "hello", "v3"))
            self.assertIn(f"version {first} answers the calls of hello in production", chains("rollback", "hello"))
            new = json.loads(chains("promote", "hello", "3", "--environment", "new", "--json"))
            self.assertEqual((new["environment"], new["version"]), ("new", 3))
            refused(1, "refers to version", "delete", "hello", "--version", "3")
            self.assertEqual(chains("delete", "hello", "--environment", "staging"), "staging of hello is deleted\n")
            self.assertEqual(chains("delete", "hello", "--version", "v2"), "v2 of hello is deleted\n")
            refused(1, "NOT_FOUND", "promote", "hello", "v2")
            refused(1, "NOT_FOUND", "rollback", "hello", "--environment", "staging")
            refused(1, "FAILED_PRECONDITION", "rollback", "hello", "--environment", "new")
            refused(1, "NOT_FOUND", "versions", "other")
            for line in (["versions"], ["promote", "hello"], ["promote", "a/b", "v1"], ["rollback"], ["rollback", "a b"],
                         ["promote", "hello", "v1", "--canary", "100"],
                         ["promote", "hello", "v1", "--canary", "1", "--canary-minutes", "0"],
                         ["delete", "hello", "--version", "1", "--environment", "new"],
                         ["delete", "hello", "--version", ""],
                         ["call", "hello", "--version", "1", "--environment", "new"],
                         ["deploy", self.chain, "--environment", "a/b"], ["deploy", self.chain, "--canary", "-1"]):
                refused(2, "", *line)
        finally:
            with open(self.home.file("versions/pid"), encoding="utf-8") as file:
                pid = int(file.read())
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not is_alive(pid), "its daemon to end")

    def test_a_deploy_that_is_interrupted(self):
        """It is the waiting that ends: what was asked for goes on, and that is said."""
        chain = self.home.copy("examples/hello", "interrupted")
        stone = self.home.file("stone")
        with open(os.path.join(chain, "hello_writer.c"), "r+", encoding="utf-8") as file:
            text = file.read()
            patched = text.replace("hello_writer *hello_writer_new(chains_ctx *ctx)\n{\n",
                                   "#include <unistd.h>\nhello_writer *hello_writer_new(chains_ctx *ctx)\n{\n"
                                   f'    while (access("{stone}", F_OK) == 0)\n        usleep(1000);\n')
            self.assertNotEqual(patched, text)
            file.seek(0)
            file.write(patched)
        with open(stone, "w", encoding="utf-8"):
            pass
        with subprocess.Popen([CHAINS, "deploy", chain, "--name", "slow", "--port", "0"], env=self.home.env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as deploying:
            self.addCleanup(self.home.chains, "delete", "slow")
            for line in deploying.stderr:
                if line == "ready  hello\n":  # and the other isn't
                    break
            deploying.send_signal(signal.SIGINT)
            said = deploying.stderr.read()
        self.assertEqual(deploying.returncode, -signal.SIGINT)
        self.assertRegex(said, r"version v0001-\w+ of 'slow' goes on becoming ready, and answers in production then")
        self.assertIn("`chains status slow` shows it", said)
        os.unlink(stone)
        wait_until(lambda: self.home.chains("call", "slow", "--input", INPUT).returncode == 0, "it to answer")

    def test_a_deploy_that_is_killed(self):
        """Whatever it had begun, the next one has what was asked for answer."""
        chain = self.home.copy("examples/hello", "killed")
        env = {"CHAINS_HOME": self.home.file("killed-home")}
        log = os.path.join(env["CHAINS_HOME"], "chainsd.log")

        def said(text):
            try:
                with open(log, encoding="utf-8") as file:
                    return text in file.read()
            except OSError:
                return False

        def made(ending):
            return any(name.endswith(ending) for _, _, names in os.walk(os.path.join(chain, ".chains")) for name in names)
        try:
            for step, reached in (("nothing", lambda: True), ("generated", lambda: made("build.ninja")),
                                  ("compiled", lambda: made(".o")), ("a daemon", lambda: os.path.exists(log)),
                                  ("accepted", lambda: said("version 1: "))):
                deploying = subprocess.Popen([CHAINS, "deploy", chain, "--port", "0", "--name", "x"], env=dict(self.home.env, **env),
                                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                wait_until(lambda reached=reached: reached() or deploying.poll() is not None, step)
                deploying.kill()
                deploying.wait()
            self.home.good("deploy", chain, "--port", "0", "--name", "x", env=env)
            self.home.good("call", "x", "--input", INPUT, env=env)
            status = json.loads(self.home.good("status", "--json", env=env))
            self.assertEqual([(c["name"], c["state"], c["deployment"]["state"]) for c in status], [("x", "ready", "ready")])
        finally:
            with open(os.path.join(env["CHAINS_HOME"], "pid"), encoding="utf-8") as file:
                pid = int(file.read())
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not is_alive(pid), "its daemon to end")

    def test_two_at_once_start_one_daemon(self):
        env = {"CHAINS_HOME": self.home.file("second")}
        both = [subprocess.Popen([CHAINS, "deploy", self.chain, "--port", "0", "--name", name],
                                 env=dict(self.home.env, **env), text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                for name in ("one", "two")]
        try:
            for process in both:
                out = process.communicate(timeout=120)[0]
                self.assertEqual(process.returncode, 0, out)
            chains = json.loads(self.home.good("status", "--json", env=env))
            self.assertEqual([chain["name"] for chain in chains], ["one", "two"])
        finally:
            with open(self.home.file("second/pid"), encoding="utf-8") as file:
                pid = int(file.read())
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not is_alive(pid), "the second daemon to end")


if __name__ == "__main__":
    unittest.main(verbosity=2)
