"""The poem chain, as a newcomer meets it: checked, run, tested, deployed, called, deleted."""
import json
import os
import shlex
import subprocess
import unittest
import urllib.request

from chains_testing import BUILD, HomeTest

INPUT = '{"words": ["moon", "sun"]}'


class Poem(HomeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.chain = cls.home.copy("examples/poem")

    def check_poems(self, text):
        poems = json.loads(text)
        self.assertEqual(len(poems), 2)
        self.assertIn("moon", poems[0])
        self.assertIn("sun", poems[1])

    def test_check_and_graph(self):
        self.home.good("check", self.chain)
        graph = self.home.good("graph", self.chain)
        self.assertIn("poem_generator", graph)
        self.assertIn("phi_llm", graph)

    def test_run(self):
        for words in ([], ["--strict"]):
            done = self.home.chains("run", self.chain, "--input", INPUT, *words)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.check_poems(done.stdout)

    @unittest.skipIf("thread" in os.environ.get("CHAINS_TEST_SANITIZE", ""),
                     "the thread sanitizer's library can't be part of an address-sanitized program")
    def test_run_sanitized(self):
        done = self.home.chains("run", self.chain, "--input", INPUT, "--sanitize")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.check_poems(done.stdout)

    def test_a_run_that_crashes_says_so(self):
        fake = self.home.file("fake.c")
        with open(fake, "w", encoding="utf-8") as file:
            file.write("""#include "phi_llm.h"
#include <stdlib.h>
chains_status phi_llm_run_remote(phi_llm *self, chains_ctx *ctx, phi_messages messages,
                                 float temperature, const char **reply)
{
    (void)self, (void)ctx, (void)messages, (void)temperature, (void)reply;
    abort();
}
""")
        done = self.home.chains("run", self.chain, "--input", INPUT, "--fake", fake)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("signal 6", done.stderr)
        self.assertIn("--sanitize", done.stderr)

    def test_test(self):
        out = self.home.good("test", self.chain)
        self.assertRegex(out.splitlines()[-1], r"^[1-9]\d* passed, 0 failed$")

    def test_deploy_call_delete(self):
        out = self.home.good("deploy", self.chain, "--port", "0")
        self.assertIn("/chains/poem_generator/production/run_remote", out)
        # What it suggests can be run as it stands.
        words = shlex.split(out.splitlines()[-1])
        self.assertEqual(words[:4], ["chains", "call", "poem_generator", "--input"])
        self.assertEqual(len(json.loads(self.home.good(*words[1:]))), 1)
        done = self.home.chains("call", "poem_generator", "--input", INPUT)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.check_poems(done.stdout)
        url = f"{self.home.address()}/chains/poem_generator/production"
        request = urllib.request.Request(url + "/run_remote", INPUT.encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            self.check_poems(answer.read())
        with urllib.request.urlopen(url + "/openapi.json", timeout=30) as answer:
            document = json.load(answer)
        self.assertEqual(document, json.loads(self.home.good("openapi", self.chain)))
        self.assertEqual(document["openapi"][:3], "3.1")
        self.home.good("delete", "poem_generator")
        done = self.home.chains("call", "poem_generator", "--input", INPUT)
        self.assertEqual(done.returncode, 1)
        self.assertIn("poem_generator", done.stderr)

    def test_by_hand(self):
        main = self.home.file("main.c")
        with open(main, "w", encoding="utf-8") as file:
            file.write('''#include "poem_generator.h"
#include <stdio.h>
int main(void)
{
    chains_ctx *ctx = chains_open(NULL);
    phi_llm *llm = phi_llm_new(ctx);
    poem_generator *poems = poem_generator_new(ctx, llm);
    const char *words[] = { "moon", "sun" };
    chains_string_list answer;
    if (poem_generator_run_remote(poems, ctx, (chains_string_list){ words, 2 }, &answer))
        return 1;
    printf("%zu\\n%s\\n", answer.count, answer.items[1]);
    poem_generator_free(poems);
    phi_llm_free(llm);
    chains_close(ctx);
    return 0;
}
''')
        env = dict(os.environ, PKG_CONFIG_PATH=BUILD)
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "chains"], env=env, check=True,
                               capture_output=True, text=True).stdout.split()
        sanitizers = os.environ.get("CHAINS_TEST_SANITIZE")
        extra = [f"-fsanitize={sanitizers}"] if sanitizers else []
        program = self.home.file("by-hand")
        subprocess.run(["cc", "-o", program, main, f"{self.chain}/phi_llm.c",
                        f"{self.chain}/poem_generator.c", f"-I{self.chain}", *flags, *extra],
                       check=True)
        out = subprocess.run([program], check=True, capture_output=True, text=True).stdout
        self.assertEqual(out.splitlines()[0], "2")
        self.assertIn("sun", out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
