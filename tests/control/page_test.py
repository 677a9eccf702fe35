"""The status page's files as clients get them: forms, what may be kept, and what browsers are told."""
import gzip
import os
import re
import subprocess
import sys
import tempfile
import unittest

from chains_testing import BUILD, SOURCE
from daemon_testing import DaemonTest

BUILD_PAGE = os.path.join(SOURCE, "cmake", "build_page")
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src blob:; "
          "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")


class Files(DaemonTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start()

    def page(self, **headers):
        answer = self.daemon.ask("GET", "/", headers={name.replace("_", "-"): value for name, value in headers.items()})
        self.assertEqual(answer.status, 200, answer.body)
        return answer

    def test_the_page(self):
        page = self.page()
        self.assertIn(b"<title>Chains</title>", page.body)
        self.assertEqual(page.headers["Content-Type"], "text/html; charset=utf-8")
        self.assertEqual(page.headers["Cache-Control"], "no-cache")
        self.assertEqual(page.headers["Content-Security-Policy"], POLICY)
        self.assertEqual(page.headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(page.headers["Referrer-Policy"], "no-referrer")
        self.assertEqual(page.headers["Cross-Origin-Opener-Policy"], "same-origin")
        self.assertEqual(page.headers["Vary"], "Accept-Encoding")
        self.assertNotIn("Content-Encoding", page.headers)
        self.assertEqual(self.daemon.ask("GET", "/?x=1").body, page.body)

    def test_zipped_for_who_takes_it(self):
        plain, zipped = self.page(), self.page(Accept_Encoding="br, gzip;q=0.5")
        self.assertEqual(zipped.headers["Content-Encoding"], "gzip")
        self.assertLess(len(zipped.body), len(plain.body))
        self.assertEqual(gzip.decompress(zipped.body), plain.body)
        self.assertNotEqual(zipped.headers["ETag"], plain.headers["ETag"])
        self.assertEqual(self.page(Accept_Encoding="gzip;q=0").body, plain.body)

    def test_what_is_known_does_not_come_again(self):
        page = self.page()
        connection = self.daemon.connection()
        for tags, status in ((page.headers["ETag"], 304), ('"other", W/' + page.headers["ETag"], 304), ("*", 304),
                             ('"other"', 200)):
            connection.request("GET", "/", headers={"If-None-Match": tags})
            answer = connection.getresponse()
            self.assertEqual((answer.status, answer.read()), (status, page.body if status == 200 else b""))
            self.assertEqual(answer.headers["ETag"], page.headers["ETag"])
        connection.close()

    def test_head_and_other_methods(self):
        page, head = self.page(), self.daemon.ask("HEAD", "/")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.headers["Content-Length"], str(len(page.body)))
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            answer = self.daemon.ask(method, "/")
            self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD"))

    def test_what_belongs_to_it(self):
        """Each file that the page names is there, to be kept for good."""
        names = re.findall(rb'(?:src|href)="(/[^"]*)"', self.page().body)
        files = [name.decode() for name in names if name.startswith(b"/page/")]
        full = os.path.isdir(os.path.join(BUILD, "web"))
        self.assertEqual(bool(files), full, names)
        for name in files:
            answer = self.daemon.ask("GET", name)
            self.assertEqual((answer.status, answer.headers["Cache-Control"]),
                             (200, "public, max-age=31536000, immutable"))
            with open(os.path.join(BUILD, "web", name[1:]), "rb") as file:
                self.assertEqual(answer.body, file.read())

    def test_no_such_file(self):
        for path in ("/page", "/page/", "/page/none.js", "/page/../page/x", "/page/%2e%2e%2findex.html", "/page/a/b",
                     "/index.html", "//"):
            self.assertEqual(self.daemon.ask("GET", path).status, 404, path)

    def test_it_takes_no_key(self):
        made = self.daemon.change("POST", "/api/v1/keys", {"scope": "call"})
        self.assertEqual(made.status, 201, made.body)
        self.assertEqual(self.daemon.ask("GET", "/api/v1/chains").status, 401)
        self.page()
        self.page(Authorization="Bearer wrong")


class Building(unittest.TestCase):
    """cmake/build_page where there is nothing to build with, or where npm fails."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.web = self.file("web")
        os.mkdir(self.web)
        self.write("web/package.json", "{}")
        self.write("web/package-lock.json", "{}")
        self.write("plain.html", "<p>the plain one")
        self.tools = ["--node", self.script("node", "echo v18.0.0"), "--npm", self.script("npm", "echo no network; exit 1")]

    def file(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text):
        with open(self.file(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.file(name)

    def script(self, name, text):
        path = self.write(name, f"#!/bin/sh\n{text}\n")
        os.chmod(path, 0o755)
        return path

    def build(self, *tools):
        done = subprocess.run(
            [sys.executable, "-B", BUILD_PAGE, "--source", self.web, "--work", self.file("work"), "--out", self.file("out"),
             "--table", self.file("table.c"), "--plain", self.file("plain.html"), "--done", self.file("done"), *tools],
            capture_output=True, text=True)
        with open(self.file("table.c"), encoding="utf-8") as table:
            return done.returncode, done.stderr, table.read()

    def assert_plain(self, result, reason):
        status, said, table = result
        self.assertEqual(status, 0, said)
        self.assertIn("chainsd gets the plain one", said)
        self.assertIn(reason, said)
        self.assertEqual(table.count("text/html"), 1)
        self.assertIn(",".join(str(byte) for byte in b"<p>the plain"), table)

    def test_without_node(self):
        self.assert_plain(self.build(), "node and npm")
        self.assertTrue(os.path.exists(self.file("done")))

    def test_without_the_sources(self):
        os.unlink(self.file("web/package.json"))
        self.assert_plain(self.build(*self.tools), "sources are not there")

    def test_an_old_node(self):
        self.script("node", "echo v16.20.0")
        self.assert_plain(self.build(*self.tools), "v16.20.0")

    def test_npm_fails_and_is_tried_again(self):
        self.write("done", "full\n")
        self.assert_plain(self.build(*self.tools), "no network")
        self.assertFalse(os.path.exists(self.file("done")))

    def test_a_page_that_is_wrong_fails_the_build(self):
        self.script("npm", "mkdir -p node_modules")
        self.script("node", 'case $1 in --version) echo v20.1.0;; *) echo "main.ts:1: wrong"; exit 1;; esac')
        self.write("table.c", "")
        status, said, table = self.build(*self.tools)
        self.assertEqual((status, table), (1, ""))
        self.assertIn("main.ts:1: wrong", said)

    def test_modules_are_installed_once_for_a_lock(self):
        self.script("npm", f"mkdir -p node_modules; echo ran >> {self.file('ran')}")
        self.script("node", f"""case $1 in --version) echo v20.1.0; exit;; esac
            mkdir -p {self.file('out')}/page; echo '<script src="/page/a.js">' > {self.file('out')}/index.html
            echo 'x()' > {self.file('out')}/page/a.js""")
        for lock, runs in (("{}", 1), ("{}", 1), ('{"a": 1}', 2)):
            self.write("web/package-lock.json", lock)
            status, said, table = self.build(*self.tools)
            self.assertEqual((status, said), (0, ""))
            self.assertIn('{ "page/a.js", "text/javascript; charset=utf-8"', table)
            with open(self.file("ran"), encoding="utf-8") as ran:
                self.assertEqual(len(ran.readlines()), runs)
        self.assertEqual(sorted(os.listdir(self.web)), ["package-lock.json", "package.json"])


if __name__ == "__main__":
    unittest.main()
