"""The status page's sources without a browser: their types, and the functions that are pure."""
import os
import subprocess
import sys
import unittest

SOURCE, BUILD = os.environ["CHAINS_SOURCE_DIR"], os.environ["CHAINS_BUILD_DIR"]
PAGE = os.path.join(BUILD, "page")
LIMIT_S = 240


class Web(unittest.TestCase):
    def run_node(self, *words):
        done = subprocess.run(["node", *words], text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=LIMIT_S,
                              check=False, env=dict(os.environ, CHAINS_PAGE_MODULES=PAGE))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_types(self):
        self.run_node(os.path.join(PAGE, "node_modules/typescript/bin/tsc"), "--noEmit", "-p", PAGE)

    def test_functions(self):
        self.run_node("--test", os.path.join(os.path.dirname(os.path.abspath(__file__)), "functions.mjs"))


if __name__ == "__main__":
    with open(os.path.join(BUILD, "src/control/page.done"), encoding="utf-8") as file:
        if file.read().strip() != "full":
            print("skipped: chainsd has the plain page")
            sys.exit(77)
    unittest.main()
