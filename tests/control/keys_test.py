"""API keys at the front door: who may do what, rates, revocation while calls and streams run, and what hostile clients try."""
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import unittest

from chains_testing import wait_until
from daemon_testing import CHAINSD, DaemonTest, service
from odd_test import ODD
from tls_test import make_certificate

FORM = re.compile(r"^chains_([0-9a-f]{12})_[0-9a-f]{64}$")
NONE_LIKE_IT = "chains_0123456789ab_" + "0" * 64


class KeysTest(DaemonTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start()

    def make(self, scope, **more):
        """A new key; gives its text."""
        answer = self.daemon.change("POST", "/api/v1/keys", {"scope": scope, **more})
        self.assertEqual(answer.status, 201, answer.body)
        self.assertRegex(answer.json()["key"], FORM)
        return answer.json()["key"]

    def keys(self):
        answer = self.daemon.change("GET", "/api/v1/keys")
        self.assertEqual(answer.status, 200, answer.body)
        return {key["id"]: key for key in answer.json()}

    def revoke(self, key):
        answer = self.daemon.change("DELETE", "/api/v1/keys/" + identity(key))
        self.assertEqual((answer.status, answer.json()), (200, {"id": identity(key)}))

    def with_key(self, key, method, path, body=None, scheme="Bearer"):
        headers = {"Authorization": f"{scheme} {key}", "Content-Type": "application/json"}
        return self.daemon.ask(method, path, body if body is None or isinstance(body, bytes) else json.dumps(body), headers)

    def call(self, key, chain="x", text="", scheme="Bearer"):
        return self.with_key(key, "POST", f"/chains/{chain}/production/run_remote", text.encode(), scheme)

    def refused(self, answer, status, name, text):
        self.assertEqual((answer.status, answer.error()["status"]), (status, name), answer.body)
        self.assertIn(text, answer.error()["message"])
        return answer


def identity(key):
    return FORM.match(key).group(1)


class Rights(KeysTest):
    def setUp(self):
        super().setUp()
        self.daemon.deployed("x", service("entry", "other"), service("other"))
        self.daemon.deployed("y", service("entry"))

    def test_without_keys_calls_are_open(self):
        self.assertEqual(self.daemon.call("x").status, 200)
        self.assertEqual(self.call(NONE_LIKE_IT).status, 200)
        self.refused(self.daemon.ask("GET", "/api/v1/keys"), 401, "UNAUTHENTICATED", "token")
        self.refused(self.daemon.ask("POST", "/api/v1/keys", '{"scope": "admin"}',
                                     {"Content-Type": "application/json"}), 401, "UNAUTHENTICATED", "token")
        self.assertEqual(self.keys(), {})

    def test_from_the_first_key_on_calls_take_one(self):
        key = self.make("call")
        refused = self.refused(self.daemon.call("x"), 401, "UNAUTHENTICATED", "scope 'call'")
        self.assertEqual(refused.headers["WWW-Authenticate"], "Bearer")
        refused = self.refused(self.call(NONE_LIKE_IT), 401, "UNAUTHENTICATED", "no valid API key")
        self.assertEqual(refused.headers["WWW-Authenticate"], 'Bearer error="invalid_token"')
        for scheme in ("Bearer", "Api-Key", "bearer", "API-KEY", "Bearer  "):
            self.assertEqual(self.call(key, scheme=scheme).status, 200, scheme)
        self.assertEqual(self.with_key(key, "GET", "/chains/x/production/openapi.json").status, 200)
        for method, path in (("GET", "/api/v1/chains"), ("GET", "/api/v1/chains/x"), ("GET", "/chains/x/production/openapi.json"),
                             ("GET", "/chains/none/production/openapi.json"), ("GET", "/chains/x"),
                             ("GET", "/api/v1/chains/x/logs"), ("DELETE", "/api/v1/chains/x")):
            self.refused(self.daemon.ask(method, path), 401, "UNAUTHENTICATED", "scope")
        self.assertEqual(self.daemon.ask("GET", "/healthz").json(), {"status": "ok", "home": None, "pid": 0})
        self.assertEqual(self.with_key(key, "GET", "/healthz").json()["pid"], self.daemon.keeper())

    def test_scopes(self):
        call, deploy, admin = (self.make(scope) for scope in ("call", "deploy", "admin"))
        body = {"chain": "z", "entrypoint": "entry", "services": [service("entry")]}
        for method, path, what, needs in (("GET", "/api/v1/chains", None, "call"),
                                          ("GET", "/api/v1/chains/x", None, "call"),
                                          ("GET", "/api/v1/chains/x/logs", None, "deploy"),
                                          ("POST", "/api/v1/chains", body, "deploy"),
                                          ("POST", "/chains/x/production/chainlets/other/run_remote", {}, "admin"),
                                          ("GET", "/chains/x/production/chainlets/other/openapi.json", None, "call"),
                                          ("GET", "/api/v1/keys", None, "admin"),
                                          ("POST", "/api/v1/keys", {"scope": "call"}, "admin"),
                                          ("DELETE", "/api/v1/chains/y", None, "admin")):
            for key, scope in ((call, "call"), (deploy, "deploy"), (admin, "admin")):
                answer = self.with_key(key, method, path, what)
                order = ("call", "deploy", "admin")
                if order.index(scope) >= order.index(needs):
                    self.assertLess(answer.status, 300, (path, scope, answer.body))
                else:
                    self.refused(answer, 403, "PERMISSION_DENIED",
                                 f"scope '{needs}'; the key {identity(key)} has '{scope}'")
        self.refused(self.with_key(deploy, "DELETE", "/api/v1/chains/x"), 403, "PERMISSION_DENIED", "'admin'")

    def test_a_key_for_one_chain(self):
        mine = self.make("admin", chain="x")
        self.assertEqual(self.call(mine).status, 200)
        for method, path in (("POST", "/chains/y/production/run_remote"), ("POST", "/chains/none/production/run_remote"),
                             ("GET", "/api/v1/chains/y"), ("DELETE", "/api/v1/chains/y"), ("GET", "/api/v1/chains/y/logs"),
                             ("GET", "/api/v1/keys"), ("DELETE", "/api/v1/keys/" + identity(mine))):
            self.refused(self.with_key(mine, method, path), 403, "PERMISSION_DENIED", "for the chain 'x' alone")
        other = {"chain": "y", "entrypoint": "entry", "services": [service("entry")]}
        self.refused(self.with_key(mine, "POST", "/api/v1/chains", other), 403, "PERMISSION_DENIED", "'x' alone")
        self.assertEqual(self.with_key(mine, "POST", "/api/v1/chains", {**other, "chain": "x"}).status, 202)
        shown = self.with_key(mine, "GET", "/api/v1/chains").json()
        self.assertEqual([chain["name"] for chain in shown], ["x"])
        events = self.with_key(mine, "GET", "/api/v1/events").json()
        self.assertEqual({event["chain"] for event in events}, {"x"})
        for event, before in zip(events, events[1:]):
            page = self.with_key(mine, "GET", f"/api/v1/events?limit=1&before={event['id']}").json()
            self.assertEqual(page, [before])
        every = self.make("call")
        self.assertEqual(self.call(every, "y").status, 200)
        self.refused(self.with_key(every, "GET", "/api/v1/traces"), 403, "PERMISSION_DENIED", "'deploy'")
        traces = self.with_key(mine, "GET", "/api/v1/traces").json()["traces"]
        self.assertEqual({trace["chain"] for trace in traces}, {"x"})
        all_traces = self.with_key(self.make("deploy"), "GET", "/api/v1/traces").json()["traces"]
        of_y = next(trace["trace_id"] for trace in all_traces if trace["chain"] == "y")
        self.refused(self.with_key(mine, "GET", "/api/v1/traces/" + of_y), 404, "NOT_FOUND", "no trace of")
        # One trace of calls of both, and a request id that both have.
        ids = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01", "X-Request-Id": "the-same"}
        for chain in ("x", "y"):
            self.daemon.call(chain, headers={"Authorization": "Bearer " + every, **ids})
        for name in ("1" * 32, "the-same"):
            spans = self.with_key(mine, "GET", "/api/v1/traces/" + name).json()["spans"]
            self.assertEqual(len(spans), 1)
        seen = self.with_key(mine, "GET", "/api/v1/traces").json()
        self.assertEqual((seen["kept"], {trace["chain"] for trace in seen["traces"]}), (len(seen["traces"]), {"x"}))
        message = self.refused(self.call(every, "none"), 404, "NOT_FOUND", "x, y").error()["message"]
        self.assertNotIn("chains_", message)

    def test_the_token_is_the_owners(self):
        self.make("call", rate_per_s=0.001)
        with open(self.daemon.home_file("token"), encoding="utf-8") as file:
            token = file.read().strip()
        for scheme in ("Bearer", "Api-Key"):
            self.assertEqual(self.call(token, scheme=scheme).status, 200)
        self.assertEqual(self.with_key(token, "GET", "/api/v1/keys").status, 200)
        self.refused(self.call(token[:-1]), 401, "UNAUTHENTICATED", "no valid API key")
        self.refused(self.call(token + "0"), 401, "UNAUTHENTICATED", "no valid API key")

    def test_what_a_chainlet_sees(self):
        key = self.make("call")
        report = self.call(key, text="report").json()
        self.assertNotIn("authorization", {name.lower() for name in report["headers"]})


class Life(KeysTest):
    def test_keys_outlive_brains_and_daemons(self):
        self.daemon.deployed("x", service("entry"))
        key, gone = self.make("call"), self.make("call")
        self.revoke(gone)
        self.daemon.kill_brain()
        self.assertEqual(self.call(key).status, 200)
        self.refused(self.call(gone), 401, "UNAUTHENTICATED", "revoked")
        self.daemon.stop()
        os.unlink(self.home.file("said"))
        self.daemon = self.start()
        wait_until(lambda: self.call(key).status == 200, "the chain to answer again")
        self.refused(self.call(gone), 401, "UNAUTHENTICATED", "revoked")

    def test_revoking_the_last_key_opens_nothing(self):
        self.daemon.deployed("x", service("entry"))
        self.revoke(self.make("call"))
        self.refused(self.daemon.call("x"), 401, "UNAUTHENTICATED", "scope 'call'")
        self.daemon.kill_brain()
        self.refused(self.daemon.call("x"), 401, "UNAUTHENTICATED", "scope 'call'")

    def test_what_is_told_of_keys(self):
        self.daemon.deployed("x", service("entry"))
        key = self.make("call", rate_per_s=50, chain="x", note="für die Website")
        unused = self.make("admin")
        self.assertEqual(self.call(key).status, 200)
        wait_until(lambda: self.keys()[identity(key)]["last_used_at"], "the use to be noted")
        told = self.keys()
        self.assertEqual({name: told[identity(key)][name] for name in ("scope", "rate_per_s", "chain", "note", "revoked_at")},
                         {"scope": "call", "rate_per_s": 50, "chain": "x", "note": "für die Website", "revoked_at": None})
        self.assertIsNone(told[identity(unused)]["last_used_at"])
        self.assertNotIn("digest", told[identity(key)])
        self.revoke(key)
        self.revoke(key)
        self.assertIsNotNone(self.keys()[identity(key)]["revoked_at"])
        self.refused(self.daemon.change("DELETE", "/api/v1/keys/000000000000"), 404, "NOT_FOUND", "000000000000")

    def test_no_key_is_written_anywhere(self):
        self.daemon.deployed("x", service("entry"))
        key = self.make("call")
        secret = key[-64:]
        self.assertEqual(self.call(key).status, 200)
        self.refused(self.with_key(key, "DELETE", "/api/v1/chains/x"), 403, "PERMISSION_DENIED", identity(key))
        self.revoke(key)
        answer = self.refused(self.call(key), 401, "UNAUTHENTICATED", "revoked")
        self.assertNotIn(secret, str(answer.headers) + answer.body.decode())
        self.daemon.stop()
        found = []
        for folder, _, files in os.walk(self.home.path):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    if secret.encode() in file.read():
                        found.append(name)
        self.assertEqual(found, [])

    def test_a_revoked_key_ends_what_runs(self):
        self.daemon.deployed("x", service("entry"))
        key, other = self.make("deploy"), self.make("call")
        headers = {"Authorization": "Bearer " + key}

        def begin(method, path, text=None, as_key=key):
            connection = http.client.HTTPConnection(self.daemon.address, timeout=60)
            connection.request(method, path, text, {**headers, "Authorization": "Bearer " + as_key})
            return connection
        run = "/chains/x/production/run_remote"
        waits, stays = begin("POST", run, "wait"), begin("POST", run, "sleep 3000", other)
        streams, follows = begin("POST", run, "trickle"), begin("GET", "/api/v1/chains/x/logs?follow=1")
        stream, follower = streams.getresponse(), follows.getresponse()
        self.assertEqual((stream.status, follower.status), (200, 200))
        self.assertEqual(stream.read(7), b'"drop"\n')
        wait_until(lambda: "waiting" in self.log(), "the call to run")

        self.revoke(key)
        # The call that had no answer yet gets one; what has begun is cut short, and not as if it were whole.
        answer = waits.getresponse()
        self.assertEqual(answer.status, 401)
        self.assertIn(f"the key {identity(key)} has been revoked", json.loads(answer.read())["error"]["message"])
        for cut in (stream, follower):
            with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
                cut.read()
        # Both calls have been cancelled in the Chainlet, too, and nobody else's.
        wait_until(lambda: self.log().count("the caller has left") == 2, "the calls to be cancelled")
        self.assertEqual(stays.getresponse().status, 200)
        self.refused(self.call(key), 401, "UNAUTHENTICATED", "revoked")
        self.assertEqual(self.call(other).status, 200)
        for connection in (waits, stays, streams, follows):
            connection.close()

    def test_a_revoked_key_ends_its_streams_with_an_error(self):
        streams = (("stream", b'{"n":1}\n{"error":'), ("events", b'{"n":1}\n\nevent: error\ndata: '))
        for kind, _ in streams:
            self.daemon.deployed(kind, service("entry", binary=ODD, ODD=kind, GO_ON=self.home.file("never")))
        for kind, between in streams:
            key = self.make("call")
            connection = http.client.HTTPConnection(self.daemon.address, timeout=60)
            self.addCleanup(connection.close)
            path, headers = f"/chains/{kind}/production/run_remote", {"Authorization": "Bearer " + key}
            connection.request("POST", path, "{}", headers)
            answer = connection.getresponse()
            got = answer.read1()
            self.revoke(key)
            got += answer.read()
            self.assertEqual(got[:len(between)], between)
            error, _ = json.JSONDecoder().raw_decode(got[len(between):].decode())
            self.assertEqual((error["status"], error["message"]),
                             ("UNAUTHENTICATED", f"the key {identity(key)} has been revoked"))
            # The connection lives on; its key doesn't.
            connection.request("POST", path, "{}", headers)
            self.assertEqual(connection.getresponse().status, 401)

    def log(self):
        with open(self.daemon.home_file("logs", "x", "entry.log"), encoding="utf-8") as file:
            return file.read()

    def test_a_key_that_revokes_itself_is_told_so(self):
        key = self.make("admin")
        answer = self.with_key(key, "DELETE", "/api/v1/keys/" + identity(key))
        self.assertEqual((answer.status, answer.json()), (200, {"id": identity(key)}))
        self.refused(self.with_key(key, "GET", "/api/v1/keys"), 401, "UNAUTHENTICATED", "revoked")

    def test_rates(self):
        self.daemon.deployed("x", service("entry"))
        key, free = self.make("call", rate_per_s=0.01), self.make("call")
        self.assertEqual(self.call(key).status, 200)
        refused = self.refused(self.call(key), 429, "RESOURCE_EXHAUSTED", "0.01 times a second")
        self.assertIn(int(refused.headers["Retry-After"]), range(1, 101))
        # Whatever it asks for counts, and nobody else's.
        self.refused(self.with_key(key, "GET", "/healthz"), 429, "RESOURCE_EXHAUSTED", identity(key))
        for _ in range(20):
            self.assertEqual(self.call(free).status, 200)


class Reach(KeysTest):
    def test_beyond_loopback_with_keys_and_tls(self):
        certificate, private = make_certificate(self.home.path, "own")
        key = self.make("call")
        self.daemon.kill_both()  # what it has written is in the log of the state alone
        words = [CHAINSD, "--port", "0", "--host", "0.0.0.0"]
        done = subprocess.run(words, env=self.home.env, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertNotIn("API key", done.stderr.split(";")[0])
        self.daemon = self.start(flags=["--host", "0.0.0.0", "--tls-cert", certificate, "--tls-key", private],
                                 tls=ssl.create_default_context(cafile=certificate))
        self.refused(self.daemon.ask("GET", "/api/v1/chains"), 401, "UNAUTHENTICATED", "scope 'call'")
        self.assertEqual(self.with_key(key, "GET", "/api/v1/chains").json(), [])
        self.assertIn(identity(key), self.home.good("key", "list"))


class Hostile(KeysTest):
    def test_what_is_no_key(self):
        self.daemon.deployed("x", service("entry"))
        key = self.make("call")
        for text in ("", " ", "Bearer", "Bearer ", "Bearer\t" + key, "Basic " + key, key, "Bearer " + key + "x",
                     "Bearer " + key[:-1], "Bearer " + key.upper(), "Bearer x" + key, f"Bearer {key} {key}", "Bearer " + key * 2,
                     "Bearer chains_" + "f" * 12 + "_" + "f" * 64, "Bearer " + "a" * 60000, "Bearer %s%n%x", "Bearer ' OR 1=1 --",
                     "Bearer chains_" + "é".encode().decode("latin-1") * 6 + "_" + "0" * 64, "Bearer " + "\xff" * 84):
            answer = self.daemon.ask("POST", "/chains/x/production/run_remote", "", {"Authorization": text})
            self.assertEqual(answer.status, 401, text[:100])
        self.assertEqual(self.call(key).status, 200)

    def test_heads_that_are_too_large_or_odd(self):
        key = self.make("call")
        host, port = self.daemon.address.split(":")
        for line, status in ((b"Authorization: Bearer " + b"a" * 70000, 431), (b"Authorization: Bearer a\x00b", 400),
                             (b"Authorization : Bearer " + key.encode(), 400),
                             (b"Authorization: x\r\n" * 70 + b"A: b", 431)):
            with socket.create_connection((host, int(port)), timeout=60) as client:
                client.sendall(b"GET /api/v1/chains HTTP/1.1\r\nHost: localhost\r\n" + line + b"\r\n\r\n")
                self.assertTrue(client.makefile("rb").readline().startswith(b"HTTP/1.1 %d " % status), line[:60])
        # Of two, the first is the one that counts: what stands behind a valid one isn't looked at.
        for first, second, status in ((b"Bearer " + key.encode(), b"Bearer x", 200), (b"Bearer x", b"Bearer " + key.encode(), 401)):
            with socket.create_connection((host, int(port)), timeout=60) as client:
                client.sendall(b"GET /api/v1/chains HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nAuthorization: %s\r\n\r\n" % (first, second))
                self.assertTrue(client.makefile("rb").readline().startswith(b"HTTP/1.1 %d " % status))

    def test_keys_that_are_asked_for_badly(self):
        for body, said in (({}, "scope"), ({"scope": "root"}, "scope"), ({"scope": "call", "rate_per_s": -1}, "rate_per_s"),
                           ({"scope": "call", "rate_per_s": 1e7}, "rate_per_s"), ({"scope": "call", "rate_per_s": "1/s"}, "rate_per_s"),
                           ({"scope": "call", "chain": "../x"}, "chain"), ({"scope": "call", "chain": "*"}, "chain"),
                           ({"scope": "call", "chain": ""}, "chain"), ({"scope": "call", "note": "a\x1b[2Jb"}, "note"),
                           ({"scope": "call", "note": "é" * 101}, "note"), ([], "object"), ("call", "object")):
            answer = self.daemon.change("POST", "/api/v1/keys", body)
            self.refused(answer, 400, "INVALID_ARGUMENT", said)
        self.assertEqual(self.keys(), {})
        self.make("call", note="é" * 100, rate_per_s=1e6)
        for method, path, status in (("PUT", "/api/v1/keys", 405), ("GET", "/api/v1/keys/x", 405), ("DELETE", "/api/v1/keys/", 404),
                                     ("DELETE", "/api/v1/keys/%27--", 404), ("DELETE", "/api/v1/keys/x/y", 404)):
            self.assertEqual(self.daemon.change(method, path).status, status, path)

    def test_many_keys(self):
        self.daemon.deployed("x", service("entry"))
        keys = [self.make("call", note=str(i)) for i in range(300)]
        self.assertEqual(len(self.keys()), 300)
        for key in keys[::2]:
            self.revoke(key)
        for i, key in enumerate(keys):
            self.assertEqual(self.call(key).status, 200 if i % 2 else 401)


class CommandLine(KeysTest):
    def test_keys(self):
        self.daemon.deployed("x", service("entry"))
        made = self.home.chains("key", "create", "--scope", "call", "--rate", "100/s", "--chain", "x", "--note", "web site")
        self.assertEqual(made.returncode, 0, made.stderr)
        key = made.stdout.strip()
        self.assertRegex(key, FORM)
        self.assertIn(f"chains key revoke {identity(key)}", made.stderr)
        self.assertEqual(self.call(key).status, 200)
        listed = self.home.good("key", "list")
        self.assertRegex(listed, rf"{identity(key)} +call +valid +x +100/s .* web site\n")
        # The owner's own commands go on as before.
        self.assertRegex(self.home.good("status"), r"\nx +.*ready")
        self.assertIn("size", self.home.good("call", "x", "--input", "{}"))
        self.assertIn("ready to serve", self.home.good("logs", "x"))
        self.assertIn("is revoked", self.home.good("key", "revoke", identity(key)))
        self.assertRegex(self.home.good("key", "list"), rf"{identity(key)} +call +revoked ")
        self.refused(self.call(key), 401, "UNAUTHENTICATED", "revoked")
        as_json = json.loads(self.home.good("key", "create", "--scope", "admin", "--json"))
        self.assertRegex(as_json["key"], FORM)
        self.assertEqual(len(json.loads(self.home.good("key", "list", "--json"))), 2)
        again = self.home.chains("key", "revoke", "000000000000")
        self.assertEqual(again.returncode, 1)
        self.assertIn("there is no key '000000000000'", again.stderr)

    def test_usage(self):
        for words in ((), ("make",), ("create",), ("create", "--scope", "root"), ("create", "x", "--scope", "call"),
                      ("create", "--scope", "call", "--rate", "5"), ("create", "--scope", "call", "--rate", "0/s"),
                      ("create", "--scope", "call", "--chain", "a/b"), ("revoke",), ("revoke", "../x"), ("list", "x")):
            done = self.home.chains("key", *words)
            self.assertEqual(done.returncode, 2, words)
            self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
