"""Secrets of the daemon: kept sealed, handed to whom names them, told to nobody else; and what is wrong with them."""
import json
import os
import pty
import select
import signal
import subprocess
import termios
import unittest

from chains_testing import CHAINS, command_of, wait_until
from daemon_testing import DaemonTest, scaling, service

VALUE = "hunter2 – très secret"


class SecretsTest(DaemonTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start()

    def put(self, name, value=VALUE):
        return self.daemon.change("PUT", "/api/v1/secrets/" + name, {"value": value})

    def set(self, name, value=VALUE):
        answer = self.put(name, value)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertNotIn(value, answer.body.decode())
        return answer.json()["used_by"]

    def names(self):
        return [secret["name"] for secret in self.daemon.change("GET", "/api/v1/secrets").json()]

    def refused(self, answer, status, name, text):
        self.assertEqual((answer.status, answer.error()["status"]), (status, name), answer.body)
        self.assertIn(text, answer.error()["message"])

    def handed(self, chain="x", chainlet=None):
        return self.daemon.call(chain, "secrets", chainlet=chainlet).json()

    def log(self, chain="x", chainlet="entry"):
        with open(self.daemon.home_file("logs", chain, chainlet + ".log"), encoding="utf-8") as file:
            return file.read()

    def say(self, text, chain="x"):
        self.assertEqual(self.daemon.call(chain, f"say {text}".encode()).status, 200)

    def files_with(self, text):
        """The files below the test's folder that have the text, the sockets' folder left out."""
        found = []
        for folder, _, files in os.walk(self.home.path):
            for name in files:
                path = os.path.join(folder, name)
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        if text.encode() in file.read():
                            found.append(path)
        return found


class HandedOver(SecretsTest):
    def test_each_gets_what_it_names(self):
        self.set("one")
        self.set("two", "another value")
        self.set("x/two", "the value of x")
        self.daemon.deployed("x", service("entry", "other", "none", secrets=["one", "two"]), service("other", secrets=["two"]),
                             service("none"))
        self.daemon.deployed("y", service("entry", secrets=["two"], scaling=scaling(min_replicas=2, max_replicas=2)))
        self.assertEqual(self.handed(), {"one": VALUE, "two": "the value of x"})
        self.assertEqual(self.handed(chainlet="other"), {"two": "the value of x"})
        self.assertIsNone(self.handed(chainlet="none"))
        self.assertEqual(self.handed("y"), {"two": "another value"})
        environment = self.daemon.call("x", "report", chainlet="none").json()["environment"]
        self.assertNotIn("CHAINS_SECRETS_FD", environment)

    def test_nobody_else_can_read_them(self):
        self.set("one")
        self.daemon.deployed("x", service("entry", secrets=["one"]))
        self.say(f"it is {VALUE}!")
        wait_until(lambda: "it is" in self.log(), "the line")
        self.assertIn("it is [redacted:one]!", self.log())
        self.assertIn("it is [redacted:one]!", self.daemon.logs("x"))
        pid = self.daemon.pids("x")[0]
        for process in (pid, self.daemon.keeper(), self.daemon.brain()):
            with open(f"/proc/{process}/environ", "rb") as file:
                self.assertNotIn(VALUE.encode(), file.read())
            self.assertNotIn(VALUE.encode(), command_of(process))
        # The file is as it was handed over, whoever has it.
        with open(f"/proc/{pid}/fd/5", "r+b", buffering=0) as file:
            self.assertIn(b"hunter2", file.read())
            with self.assertRaises(PermissionError):
                file.write(b"x")
            with self.assertRaises(PermissionError):
                file.truncate(0)
        self.assertEqual(os.stat(self.daemon.home_file("secret.key")).st_mode & 0o777, 0o600)
        self.daemon.stop()
        self.assertEqual(self.files_with("hunter2"), [])

    def test_a_new_value_is_for_the_next_start(self):
        self.set("one")
        self.daemon.deployed("x", service("entry", secrets=["one"]))
        self.assertEqual(self.set("one", "changed value"), ["x/entry"])
        self.assertEqual(self.handed(), {"one": VALUE})
        self.daemon.call("x", "die")
        wait_until(lambda: self.handed() == {"one": "changed value"}, "the new value")
        # Both are kept out of logs.
        self.say(f"{VALUE}, changed value.")
        wait_until(lambda: "[redacted:one], [redacted:one]." in self.log(), "the line")

    def test_another_brain_keeps_out_of_logs_what_the_first_one_handed_out(self):
        self.set("one")
        self.daemon.deployed("x", service("entry", secrets=["one"]))
        pids = self.daemon.pids("x")
        self.set("one", "changed value")
        self.daemon.kill_brain()
        self.say(f"still {VALUE}.")
        wait_until(lambda: "still" in self.log(), "the line")
        self.assertIn("still [redacted:one].", self.log())
        self.assertEqual(self.daemon.pids("x"), pids)
        self.assertEqual(self.handed(), {"one": VALUE})

    def test_they_outlive_the_daemon(self):
        self.set("one")
        self.daemon.deployed("x", service("entry", secrets=["one"]))
        for end in (lambda: self.daemon.stop(), self.daemon.kill_both):
            end()
            self.daemon = self.start()
            wait_until(lambda: self.daemon.call("x").status == 200, "the chain to answer")
            self.assertEqual(self.handed(), {"one": VALUE})


class Refusals(SecretsTest):
    def test_what_is_not_set_is_not_deployed(self):
        body = {"chain": "x", "entrypoint": "entry", "services": [service("entry", secrets=["one", "two"])]}
        self.set("one")
        self.refused(self.daemon.change("POST", "/api/v1/chains", body), 400, "FAILED_PRECONDITION",
                     "entry: the secret 'two' is not set; set it with `chains secret set two`")
        self.set("y/two")
        self.refused(self.daemon.change("POST", "/api/v1/chains", body), 400, "FAILED_PRECONDITION", "'two' is not set")
        self.assertEqual(self.daemon.ask("GET", "/api/v1/chains").json(), [])
        self.set("x/two")
        self.assertEqual(self.daemon.change("POST", "/api/v1/chains", body).status, 202)
        for bad in (["a/b"], [""], ["é"], ["one", "one"], [f"s{i}" for i in range(257)]):
            body["services"] = [service("entry", secrets=bad)]
            self.refused(self.daemon.change("POST", "/api/v1/chains", body), 400, "INVALID_ARGUMENT", "services[0].secrets[")

    def test_a_version_whose_secrets_are_gone_is_not_started_again(self):
        for name in ("one", "two"):
            self.set(name)
        self.daemon.deployed("x", service("entry", secrets=["one", "two"]))
        self.daemon.deployed("x", service("entry"))
        for name in ("one", "two"):  # once nothing has them any more
            wait_until(lambda name=name: self.daemon.change("DELETE", f"/api/v1/secrets/{name}").status == 200, "its end")
        pids, events = self.daemon.pids("x"), self.daemon.events("x")
        for verb, body in (("rollback", {}), ("promote", {"version": "v1"})):
            answer = self.daemon.change_environment("x", verb, **body)
            for name in ("one", "two"):
                self.refused(answer, 400, "FAILED_PRECONDITION", f"entry: the secret '{name}' is not set")
        self.refused(self.daemon.change_environment("x", "promote", environment="staging", version="v1"), 400,
                     "FAILED_PRECONDITION", "'two' is not set")
        self.assertEqual((self.daemon.pids("x"), self.daemon.events("x")), (pids, events))
        for name in ("one", "two"):
            self.set(name)
        self.assertEqual(self.daemon.change_environment("x", "rollback").status, 200)
        self.assertEqual(self.handed(), {"one": VALUE, "two": VALUE})

    def test_what_is_in_use_stays(self):
        self.set("one")
        self.daemon.deployed("x", service("entry", secrets=["one"]))
        self.refused(self.daemon.change("DELETE", "/api/v1/secrets/one"), 400, "FAILED_PRECONDITION", "in use by x/entry")
        # From now on it is the chain's own that its processes get.
        self.assertEqual(self.set("x/one"), ["x/entry"])
        self.assertEqual(self.set("one"), [])
        self.refused(self.daemon.change("DELETE", "/api/v1/secrets/x/one"), 400, "FAILED_PRECONDITION", "in use by x/entry")
        self.assertEqual(self.daemon.change("DELETE", "/api/v1/secrets/one").status, 200)
        self.assertEqual(self.daemon.change("DELETE", "/api/v1/chains/x").status, 200)
        self.assertEqual(self.daemon.change("DELETE", "/api/v1/secrets/x/one").status, 200)
        for name in ("one", "x/one"):
            self.refused(self.daemon.change("DELETE", "/api/v1/secrets/" + name), 404, "NOT_FOUND", name)
        self.assertEqual(self.names(), [])

    def test_without_the_key_what_runs_goes_on(self):
        self.set("one")
        self.daemon.deployed("x", service("entry", secrets=["one"]))
        key = self.daemon.home_file("secret.key")
        os.rename(key, key + ".away")
        self.daemon.kill_brain()
        self.assertEqual(self.handed(), {"one": VALUE})
        self.refused(self.put("two"), 400, "FAILED_PRECONDITION", "secret.key")
        self.daemon.call("x", "die")
        # What is started again waits for it, and says so.
        wait_until(lambda: "secret.key" in (self.daemon.chain("x")["chainlets"][0]["replicas"][0]["last_end"] or ""), "the reason")
        os.rename(key + ".away", key)
        os.chmod(key, 0o644)
        self.refused(self.put("two"), 400, "FAILED_PRECONDITION", "chmod 600")
        os.chmod(key, 0o600)
        wait_until(lambda: self.daemon.call("x").status == 200, "the chain to answer again")
        self.set("two")

    def test_what_is_no_secret(self):
        for value in ("", "x" * 65537):
            self.refused(self.put("one", value), 400, "INVALID_ARGUMENT", "")
        for body in ({}, {"value": None}, {"value": 7}, {"value": ["x"]}, [], "x"):
            self.refused(self.daemon.change("PUT", "/api/v1/secrets/one", body), 400, "INVALID_ARGUMENT", "")
        headers = {"Authorization": self.token(), "Content-Type": "application/json"}
        for raw in (b'{"value": "a\\u0000b"}', b'{"value": "\xff"}', b'{"value": "\\ud800"}', b'{"value": "x', b""):
            answer = self.daemon.ask("PUT", "/api/v1/secrets/one", raw, headers)
            self.refused(answer, 400, "INVALID_ARGUMENT", "")
        for name in ("%C3%A9", "a.b", "_a", "a%20b", "a" * 64, "%2e%2e", "x/a.b", "-/a", "a%2Fb", "one%0a", "..%2Fx/one"):
            self.refused(self.put(name), 400, "INVALID_ARGUMENT", "letters, digits")
        for method, path, status in (("GET", "/api/v1/secrets/one", 405), ("POST", "/api/v1/secrets", 405),
                                     ("POST", "/api/v1/secrets/one", 405), ("PUT", "/api/v1/secrets/a/b/c", 404)):
            self.assertEqual(self.daemon.change(method, path).status, status, path)
        self.assertEqual(self.names(), [])
        self.set("a" * 63, "x" * 65536)

    def token(self):
        with open(self.daemon.home_file("token"), encoding="utf-8") as file:
            return "Bearer " + file.read().strip()

    def test_who_may(self):
        self.refused(self.daemon.ask("GET", "/api/v1/secrets"), 401, "UNAUTHENTICATED", "token")
        keys = {name: self.daemon.change("POST", "/api/v1/keys", body).json()["key"]
                for name, body in {"deploy": {"scope": "deploy"}, "admin": {"scope": "admin"},
                                   "of x": {"scope": "admin", "chain": "x"}}.items()}
        for name, path, status in (("deploy", "one", 403), ("admin", "one", 200), ("admin", "x/one", 200),
                                   ("of x", "one", 403), ("of x", "y/one", 403), ("of x", "x/one", 200)):
            headers = {"Authorization": "Bearer " + keys[name], "Content-Type": "application/json"}
            answer = self.daemon.ask("PUT", "/api/v1/secrets/" + path, '{"value": "abc"}', headers)
            self.assertEqual(answer.status, status, (name, path))
        self.assertEqual(self.names(), ["one", "x/one"])


class CommandLine(SecretsTest):
    def run_with(self, value, *words):
        return subprocess.run([CHAINS, "secret", *words], env=self.home.env, input=value, capture_output=True,
                              timeout=60, check=False)

    def test_values_from_stdin_and_files(self):
        self.daemon.deployed("x", service("entry"))
        for given, kept in ((b"abcd\n", "abcd"), (b"abcd\r\n", "abcd"), (b"abcd", "abcd"), (b"ab\ncd\n\n", "ab\ncd\n"),
                            ("zwölf".encode(), "zwölf")):
            done = self.run_with(given, "set", "one")
            self.assertEqual((done.returncode, done.stdout.splitlines()[0], done.stderr), (0, b"one is set", b""))
            self.daemon.deployed("x", service("entry", secrets=["one"]))
            self.assertEqual(self.handed(), {"one": kept})
        with open(self.home.file("value"), "wb") as file:
            file.write(b"-----BEGIN KEY-----\nabc\n")
        done = self.home.good("secret", "set", "one", "--file", self.home.file("value"), "--chain", "x")
        self.assertIn("x/one is set\n  x/entry gets it when its processes start next", done)
        self.daemon.deployed("x", service("entry", secrets=["one"]))
        self.assertEqual(self.handed(), {"one": "-----BEGIN KEY-----\nabc\n"})
        self.assertRegex(self.home.good("secret", "list"), r"one +20\S+Z\nx/one +20\S+Z\n$")
        self.assertEqual([secret["name"] for secret in json.loads(self.home.good("secret", "list", "--json"))], ["one", "x/one"])
        in_use = self.home.chains("secret", "delete", "one", "--chain", "x")
        self.assertEqual(in_use.returncode, 1)
        self.assertIn("in use by x/entry", in_use.stderr)
        self.home.good("delete", "x")
        self.assertEqual(self.home.good("secret", "delete", "one", "--chain", "x"), "x/one is deleted\n")

    def test_values_that_cannot_be(self):
        for value, said in ((b"", "empty"), (b"\n", "empty"), (b"a\x00b", "UTF-8"), (b"\xff\xfe", "UTF-8"), (b"x" * 70000, "64 KiB")):
            done = self.run_with(value, "set", "one")
            self.assertEqual(done.returncode, 1)
            self.assertIn(said, done.stderr.decode())
        missing = self.home.chains("secret", "set", "one", "--file", self.home.file("none"))
        self.assertEqual(missing.returncode, 1)
        self.assertIn("No such file", missing.stderr)
        folder = self.home.chains("secret", "set", "one", "--file", self.home.path)
        self.assertEqual(folder.returncode, 1)
        self.assertEqual(self.names(), [])

    def test_usage(self):
        for words in ((), ("set",), ("set", "one", "value"), ("set", "a/b"), ("set", "one", "--value", "x"), ("list", "x"),
                      ("delete",), ("set", "one", "--chain", "../x"), ("show", "one")):
            done = self.home.chains("secret", *words)
            self.assertEqual(done.returncode, 2, words)
        self.assertEqual(self.names(), [])

    def test_a_value_that_is_typed_is_not_shown(self):
        shown, child_end = pty.openpty()
        child = subprocess.Popen([CHAINS, "secret", "set", "one"], env=self.home.env, stdin=child_end, stdout=child_end,
                                 stderr=child_end)
        try:
            said = self.read_until(shown, b"(it isn't shown): ")
            wait_until(lambda: not self.echoes(child_end), "the terminal to show nothing")
            os.write(shown, b"typed secret\n")
            said += self.read_until(shown, b"one is set")
            self.assertEqual(child.wait(60), 0)
            self.assertNotIn(b"typed", said)
            self.assertTrue(self.echoes(child_end))

            # What a terminal would cut off isn't taken for all of it.
            child = subprocess.Popen([CHAINS, "secret", "set", "two"], env=self.home.env, stdin=child_end, stdout=child_end,
                                     stderr=child_end)
            self.read_until(shown, b"(it isn't shown): ")
            wait_until(lambda: not self.echoes(child_end), "the terminal to show nothing")
            os.write(shown, b"x" * 4095 + b"\n")
            self.read_until(shown, b"no more than 4095 bytes")
            self.assertEqual(child.wait(60), 1)
            self.assertTrue(self.echoes(child_end))

            # The terminal shows what is typed again, also after Ctrl-C.
            child = subprocess.Popen([CHAINS, "secret", "set", "one"], env=self.home.env, stdin=child_end, stdout=child_end,
                                     stderr=child_end)
            self.read_until(shown, b"(it isn't shown): ")
            wait_until(lambda: not self.echoes(child_end), "the terminal to show nothing")
            child.send_signal(signal.SIGINT)
            self.assertEqual(child.wait(60), -signal.SIGINT)
            self.assertTrue(self.echoes(child_end))
        finally:
            child.kill()
            child.wait(60)
            os.close(shown)
            os.close(child_end)
        self.daemon.deployed("x", service("entry", secrets=["one"]))
        self.assertEqual(self.handed(), {"one": "typed secret"})

    @staticmethod
    def echoes(terminal):
        return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)

    @staticmethod
    def read_until(terminal, text):
        said = b""
        while text not in said:
            assert select.select([terminal], [], [], 60)[0], said
            said += os.read(terminal, 4096)
        return said


if __name__ == "__main__":
    unittest.main(verbosity=2)
