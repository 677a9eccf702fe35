"""The document of the API, /api/v1/openapi.json: that it is valid, that all of it is there and answers as it says."""
import json
import re
import unittest
import urllib.error
import urllib.request

from chains_testing import HomeTest, wait_until
from json_schema import document_faults, faults, response_of

SCOPES = ["call", "deploy", "admin"]
INPUT = {"words": ["moon"]}


class Answer:
    """Of one that goes on for ever, its first event."""

    def __init__(self, answer):
        self.status, self.headers = answer.status, answer.headers
        endless = self.headers["Content-Type"] == "text/event-stream"
        self.body = b"".join(iter(answer.readline, b"\n")) if endless else answer.read()

    def json(self):
        return json.loads(self.body)


class Document(HomeTest):
    """Against a chain that is deployed twice, was called, failed, and has all that may be listed."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        chain = cls.home.file("hello")
        cls.home.good("init", chain)
        cls.home.good("deploy", chain, "--port", "0")
        cls.home.good("deploy", chain)
        cls.home.good("deploy", chain, "--environment", "staging")
        with open(cls.home.env["CHAINS_HOME"] + "/token", encoding="utf-8") as token:
            cls.token = token.read().strip()
        cls.document = cls.ask("GET", "/api/v1/openapi.json").json()

    @classmethod
    def ask(cls, method, path, body=None, key=None):
        headers = {"Authorization": f"Bearer {key or cls.token}"} if key != "" else {}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(cls.home.address() + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(answer)
        except urllib.error.HTTPError as answer:
            with answer:
                return Answer(answer)

    def operations(self):
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                yield method.upper(), path, operation

    def valid(self, method, template, answer):
        """The answer is what the document says of it; gives its value."""
        operation = self.document["paths"][template][method.lower()]
        content = response_of(self.document, operation, answer.status)["content"]
        media = answer.headers["Content-Type"]
        self.assertIn(media, content, (template, answer.body))
        if media != "application/json":
            return answer.body.decode()
        wrong = list(faults(self.document, content[media]["schema"], answer.json()))
        self.assertEqual(wrong, [], (template, answer.body))
        return answer.json()

    def good(self, method, template, body=None, query="", key=None, **names):
        answer = self.ask(method, template.format(**names) + query, body, key)
        self.assertLess(answer.status, 300, (method, template, names, answer.body))
        return self.valid(method, template, answer)

    def test_it_is_valid(self):
        self.assertEqual(list(document_faults(self.document)), [])
        self.assertGreater(sum(1 for _ in self.operations()), 40)

    def test_each_operation_answers(self):
        """With names of things that aren't there each says so, as the document says; what takes a body says that it has none."""
        names = dict(chain="none", environment="none", version="v9", chainlet="none", id="none", name="none")
        for method, path, operation in self.operations():
            answer = self.ask(method, path.format(**names))
            self.assertNotEqual(answer.status, 405, path)
            self.assertNotIn(b"there is nothing at", answer.body, path)
            self.valid(method, path, answer)
            self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff", path)
            if answer.headers["Content-Type"] == "application/json":
                self.assertEqual(answer.headers["Cache-Control"], "no-store", path)
            if "requestBody" in operation and "{" not in path:
                self.assertEqual(answer.status, 415, path)

    def test_what_is_not_in_it_is_not_offered(self):
        names = dict(chain="none", environment="none", version="v9", chainlet="none", id="none", name="none")
        for path, item in self.document["paths"].items():
            there = {method.upper() for method in item}
            for method in {"GET", "POST", "PUT", "DELETE"} - there:
                answer = self.ask(method, path.format(**names))
                self.assertEqual(answer.status, 405, (method, path))
                self.assertEqual(set(answer.headers["Allow"].split(", ")) - {"HEAD"}, there, path)

    def test_scopes_are_as_it_says(self):
        """With names of nothing: who may is told that, who may not is refused."""
        made = self.good("POST", "/api/v1/keys", {"scope": "admin"})
        keys = {scope: self.good("POST", "/api/v1/keys", {"scope": scope})["key"] for scope in SCOPES}
        keys["one chain's"] = self.good("POST", "/api/v1/keys", {"scope": "admin", "chain": "other"})["key"]
        names = dict(chain="none", environment="none", version="v9", chainlet="none", id="none", name="none")
        for method, path, operation in self.operations():
            said = re.search(r"one of scope (\w+)( for all chains)?,", operation["description"])
            self.assertEqual(said is None, operation.get("security") == [], path)
            for key, value in [*keys.items(), ("", "")]:
                status = self.ask(method, path.format(**names), key=value).status
                if said is None:
                    expected = status not in (401, 403)
                elif key == "":
                    expected = status == 401
                elif key == "one chain's":
                    expected = (status == 403) == bool(said[2] or "{chain}" in path or path == "/requests")
                elif SCOPES.index(key) >= SCOPES.index(said[1]):
                    expected = status not in (401, 403) or path == "/requests"  # of all chains: an admin's
                else:
                    expected = status == 403
                self.assertTrue(expected, (method, path, key, status, operation["description"]))
        self.good("DELETE", "/api/v1/keys/{id}", id=made["id"])

    def test_what_is_there(self):
        hello = dict(chain="hello", environment="production", chainlet="hello_writer", version="v1")
        called = "/chains/{chain}/{environment}"
        for place in (called, called + "/chainlets/{chainlet}"):
            self.good("POST", place + "/run_remote", INPUT if "chainlets" not in place else {"word": "moon"}, **hello)
            described = self.good("GET", place + "/openapi.json", **hello)
            self.assertEqual(list(document_faults(described)), [])
        failed = self.ask("POST", "/chains/hello/production/run_remote", {"words": 1})
        self.assertEqual(failed.status, 400)
        self.valid("POST", called + "/run_remote", failed)

        request = self.good("POST", called + "/async_run_remote", {"input": INPUT}, **hello)["request_id"]
        wait_until(lambda: self.good("GET", "/requests/{id}", id=request)["status"] == "SUCCEEDED", "the request to end")
        self.assertEqual([each["request_id"] for each in self.good("GET", "/requests")], [request])
        self.valid("DELETE", "/requests/{id}", self.ask("DELETE", f"/requests/{request}"))

        api = "/api/v1/chains/{chain}"
        environment = api + "/environments/{environment}"
        self.assertEqual(len(self.good("GET", "/api/v1/chains")), 2)
        for path in (api, api + "/environments", environment, api + "/versions", api + "/events", api + "/chainlets/{chainlet}/scaling",
                     environment + "/chainlets/{chainlet}/scaling"):
            self.assertTrue(self.good("GET", path, **hello), path)
        for path in (api + "/logs", api + "/chainlets/{chainlet}/logs"):
            self.good("GET", path, **hello)
        for path in (api, environment):
            wait_until(lambda path=path: self.good("GET", path + "/chainlets/{chainlet}/replicas", **hello), "replicas")
        self.good("PUT", environment + "/chainlets/{chainlet}/scaling", {"max_replicas": 2}, **hello)
        overridden = self.good("GET", environment, **hello)["chainlets"]
        self.assertEqual([each["override"]["max_replicas"] for each in overridden if each["override"]], [2])
        self.good("DELETE", environment + "/chainlets/{chainlet}/scaling", **hello)
        self.assertTrue(self.good("GET", "/api/v1/events", query="?limit=5"))

        traces = wait_until(lambda: self.good("GET", "/api/v1/traces", query="?state=ok&limit=1")["traces"], "a trace")
        self.assertTrue(self.good("GET", "/api/v1/traces/{id}", id=traces[0]["trace_id"])["spans"])
        self.assertTrue(wait_until(lambda: self.good("GET", "/api/v1/traces", query="?state=failed")["traces"], "a failure"))
        self.assertIn("chains_", self.good("GET", "/metrics"))
        self.good("GET", "/healthz")

        self.good("PUT", "/api/v1/secrets/{name}", {"value": "x"}, name="one")
        self.good("PUT", "/api/v1/secrets/{chain}/{name}", {"value": "x"}, name="one", chain="hello")
        self.assertEqual(len(self.good("GET", "/api/v1/secrets")), 2)
        self.good("DELETE", "/api/v1/secrets/{name}", name="one")
        self.good("DELETE", "/api/v1/secrets/{chain}/{name}", name="one", chain="hello")

        staging = dict(hello, environment="staging")
        self.good("POST", environment + "/promote", {"version": "v1"}, **staging)
        self.good("POST", environment + "/rollback", **staging)
        self.good("DELETE", environment, **staging)
        self.good("DELETE", api + "/versions/{version}", **dict(hello, version="v3"))

    def test_what_is_told_as_it_changes(self):
        """Events have what the paths of the same name answer."""
        types = {"chains": "/api/v1/chains", "graph": "/api/v1/chains/{chain}/environments/{environment}/graph"}
        request = urllib.request.Request(self.home.address() + "/api/v1/live?chain=hello",
                                         headers={"Authorization": "Bearer " + self.token})
        with urllib.request.urlopen(request, timeout=60) as answer:
            while types:
                event, data = (answer.readline().decode().split(": ", 1)[1] for _ in range(2))
                answer.readline()
                path = types.pop(event.strip(), None)
                if path:
                    schema = self.document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
                    self.assertEqual(list(faults(self.document, schema, json.loads(data))), [], event)


class Session(HomeTest):
    """What /api/v1/session says is what holds."""

    def test_session(self):
        chain = self.home.file("hello")
        self.home.good("init", chain)
        self.home.good("deploy", chain, "--port", "0")
        with open(self.home.env["CHAINS_HOME"] + "/token", encoding="utf-8") as file:
            token = file.read().strip()

        def session(key=""):
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            with urllib.request.urlopen(urllib.request.Request(self.home.address() + "/api/v1/session", headers=headers),
                                        timeout=60) as answer:
                return json.load(answer)
        home, version = self.home.env["CHAINS_HOME"], self.home.good("--version").split()[1]
        nobody = {"scopes": ["call"], "may_read_logs": True, "key_id": None, "chain": None, "keys_wanted": False,
                  "home": home, "version": version}
        owner = dict(nobody, scopes=SCOPES)
        self.assertEqual(session(), nobody)
        self.assertEqual(session("wrong"), nobody)
        self.assertEqual(session(token), owner)
        made = [json.loads(self.home.good("key", "create", "--json", "--scope", scope)) for scope in SCOPES]
        stranger = dict(nobody, scopes=[], may_read_logs=False, keys_wanted=True, home=None)
        self.assertEqual(session(), stranger)
        self.assertEqual(session("wrong"), stranger)
        self.assertEqual(session(token), dict(owner, keys_wanted=True))
        for count, key in enumerate(made, 1):
            self.assertEqual(session(key["key"]), dict(owner, keys_wanted=True, key_id=key["id"], scopes=SCOPES[:count],
                                                       may_read_logs=count > 1))
        one = json.loads(self.home.good("key", "create", "--json", "--scope", "call", "--chain", "hello"))
        self.assertEqual(session(one["key"])["chain"], "hello")


if __name__ == "__main__":
    unittest.main()
