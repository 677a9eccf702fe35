"""Assets as an author has them: the chain of tests/e2e/assets, deployed from a site, and run with a folder."""
import json
import os
import pty
import re
import subprocess
import unittest

from asset_site import AssetSite, digest
from chains_testing import CHAINS, Home

FILES = {"/word": b"a word" + b"\n" * 3_000_000, "/inner": b"within"}


class Assets(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.close)
        self.site = AssetSite()
        self.addCleanup(self.site.close)
        self.site.files = dict(FILES)
        self.folder = self.home.copy("tests/e2e/assets")
        for name in ("inner.h", "reader.h"):
            self.edit(name, "SITE", self.site.url.removeprefix("http://"))
            self.edit(name, "DIGEST_OF_WORD", digest(FILES["/word"]).upper())
            self.edit(name, "DIGEST_OF_INNER", digest(FILES["/inner"]))

    def edit(self, name, old, new):
        path = os.path.join(self.folder, name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))

    def test_deployed(self):
        done = self.home.chains("deploy", self.folder, "--port", "0")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("fetched  2 assets, 2.9 MiB\n", done.stderr)
        self.assertEqual(json.loads(self.home.good("call", "reader")), {"word": "a word\n", "other": "within"})
        other = self.home.chains("call", "reader", "--input", '{"name": "texts/inner.txt"}')
        self.assertIn("reader doesn't name the asset 'texts/inner.txt'", other.stderr)
        # Again: nothing is fetched, and nothing told of it.
        again = self.home.chains("deploy", self.folder)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertNotIn("fetch", again.stderr)
        self.assertEqual(len(self.site.requests), 2)
        # What comes isn't what was named.
        self.edit("inner.h", digest(FILES["/inner"]), digest(b"else"))
        wrong = self.home.chains("deploy", self.folder)
        self.assertEqual(wrong.returncode, 1)
        self.assertIn(f"expected sha256 {digest(b'else')}, got {digest(FILES['/inner'])}", wrong.stderr)
        self.assertRegex(wrong.stderr, "version v0002-.* goes on answering calls")
        self.assertEqual(json.loads(self.home.good("call", "reader"))["other"], "within")

    def test_watched_on_a_terminal(self):
        self.site.hold(100_000)
        controller, terminal = pty.openpty()
        with subprocess.Popen([CHAINS, "deploy", self.folder, "--port", "0"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=terminal, env=dict(self.home.env, TERM="xterm", LC_ALL="C.UTF-8"), cwd=self.home.path) as deploy:
            os.close(terminal)
            seen = b""
            while len(re.findall("\rfetching  [^\r]*1 of 2 assets".encode(), seen)) < 3:
                seen += os.read(controller, 65536)
            status = self.home.good("status")
            self.assertRegex(status, r"v0001-\w+ is fetching 1 of 2 assets, \d+\.\d of 2\.9 MiB")
            self.site.release()
            while True:
                try:
                    part = os.read(controller, 65536)
                except OSError:
                    break
                if not part:
                    break
                seen += part
        os.close(controller)
        self.assertEqual(deploy.returncode, 0, seen)
        text = seen.decode()
        # A bar is renewed while they are fetched, and one after that until all are ready, which is gone then.
        self.assertRegex(text, r"\rfetched  2 assets, 2\.9 MiB\x1b\[K\r\n(\rstarting  [^\r]*\x1b\[K)+\r\x1b\[K$")
        self.assertRegex(text, r"\rfetching  [█░]+  1 of 2 assets, \d\.\d of 2\.9 MiB")
        self.assertNotIn("\n", text[text.index("fetching"):text.rindex("fetching")])

    def test_two_in_one_process_that_clash(self):
        self.edit("inner.h", "word.txt", "word.txt/x")
        refused = self.home.chains("deploy", self.folder, "--port", "0")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("'reader': the paths word.txt/x and word.txt of two assets clash", refused.stderr)

    def test_run_and_test_with_a_folder(self):
        absent = self.home.chains("run", self.folder)
        self.assertEqual(absent.returncode, 1)
        self.assertIn("the asset 'texts/inner.txt' is absent", absent.stderr)
        files = self.home.file("files")
        os.makedirs(os.path.join(files, "texts"))
        for name, text in (("word.txt", "here"), ("texts/inner.txt", "inside")):
            with open(os.path.join(files, name), "w", encoding="utf-8") as file:
                file.write(text)
        answer = self.home.good("run", self.folder, "--assets", "files")
        self.assertEqual(json.loads(answer), {"word": "here", "other": "inside"})
        self.assertIn("1 passed, 0 failed", self.home.good("test", self.folder, "--assets", "files"))
        self.assertIn("0 passed, 1 failed", self.home.chains("test", self.folder).stdout)
        for verb in ("run", "test"):
            wrong = self.home.chains(verb, self.folder, "--assets", "files/word.txt")
            self.assertEqual(wrong.returncode, 2)
            self.assertIn("'--assets' takes a folder, not 'files/word.txt'", wrong.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
