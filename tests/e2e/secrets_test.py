"""Secrets of a deployed chain as its author reads them: the chain of tests/e2e/secrets, a Chainlet with another one in its process."""
import json
import os
import unittest

from chains_testing import Home, wait_until

WORD, INNER = "open sesame", "a \"quoted\"\nword of two lines, ü"


class Secrets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.folder = cls.home.copy("tests/e2e/secrets")

    @classmethod
    def tearDownClass(cls):
        cls.home.close()

    def set(self, name, value, *options):
        path = self.home.file("value")
        with open(path, "w", encoding="utf-8") as file:
            file.write(value)
        self.home.good("secret", "set", name, "--file", path, *options)
        os.unlink(path)

    def call(self, **arguments):
        return json.loads(self.home.good("call", "teller", "--input", json.dumps(arguments)))

    def test_secrets(self):
        refused = self.home.chains("deploy", self.folder, "--port", "0")
        self.assertEqual(refused.returncode, 1)
        for name in ("word", "inner_word"):
            self.assertIn(f"teller: the secret '{name}' is not set; set it with `chains secret set {name}`", refused.stderr)
        self.set("word", WORD)
        refused = self.home.chains("deploy", self.folder)
        self.assertIn("`chains secret set inner_word`", refused.stderr)
        self.assertNotIn("'word'", refused.stderr)
        self.set("inner_word", "of all chains")
        self.set("inner_word", INNER, "--chain", "teller")
        self.home.good("deploy", self.folder)

        self.assertEqual(self.call(inner=INNER), {"value": WORD, "same": True})
        self.assertEqual(self.call(inner="of all chains"), {"value": WORD, "same": False})
        # Each reads what it names itself, and no more, though both are in one process.
        other = self.home.chains("call", "teller", "--input", '{"name": "inner_word"}')
        self.assertEqual(other.returncode, 1)
        self.assertIn("teller doesn't name the secret 'inner_word'", other.stderr)

        logs = self.home.good("logs", "teller")
        self.assertEqual(logs.count("it begins with [redacted:word]"), 3)
        self.assertIn("the secret is [redacted:word]", logs)
        self.assertNotIn(WORD, logs)
        for replica in self.home.status()[0]["chainlets"][0]["replicas"]:
            for file in ("environ", "cmdline"):
                with open(f"/proc/{replica['pid']}/{file}", "rb") as text:
                    found = text.read()
                self.assertNotIn(WORD.encode(), found)
                self.assertNotIn("quoted".encode(), found)
            # The descriptor is closed when it has been read: what the Chainlet starts doesn't get it.
            descriptors = os.listdir(f"/proc/{replica['pid']}/fd")
            links = [os.readlink(f"/proc/{replica['pid']}/fd/{fd}") for fd in descriptors]
            self.assertFalse([link for link in links if "secrets" in link])

        # What failed says so in its trace, and doesn't tell the secret either.
        self.assertEqual(self.home.chains("call", "teller", "--input", json.dumps({"name": WORD})).returncode, 1)

        def look():
            told = self.home.good("trace", "--state", "failed", "--json")
            return told if "name the secret" in told else None
        told = wait_until(look, "the trace")
        self.assertIn("doesn't name the secret '[redacted:word]'", told)
        self.assertNotIn(WORD, told)

        # A new value is for processes that start from now on.
        self.set("word", "another")
        self.assertEqual(self.call()["value"], WORD)
        self.home.good("deploy", self.folder)
        self.assertEqual(self.call()["value"], "another")


if __name__ == "__main__":
    unittest.main(verbosity=2)
