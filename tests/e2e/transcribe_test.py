"""The chain that transcribes speech: with its fake, and deployed, hearing a human over HTTP."""
import json
import os
import subprocess
import unittest

from chains_testing import SOURCE, HomeTest
from recordings import RECORDING, wave


class Transcribe(HomeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(cls.home.close)  # also where what follows fails
        cls.chain = cls.home.copy("examples/transcribe")
        folder = cls.home.file("recordings")
        os.mkdir(folder)
        with open(RECORDING, "rb") as file:
            samples = file.read()
        for name, content in (("goforward.wav", wave(samples)),
                              ("five.wav", wave((samples + bytes(16000)) * 5)),
                              ("page.html", b"<html>nothing to hear</html>\n")):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)
        demo = os.path.join(SOURCE, "examples/transcribe/demo")
        program = cls.home.file("media_server")
        subprocess.run([os.environ.get("CC", "cc"), "-std=gnu17", "-pthread", "-o", program,
                        os.path.join(demo, "media_server.c"),
                        os.path.join(demo, "media_server_main.c")], check=True)
        cls.server = subprocess.Popen([program, folder], stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.end_server)
        cls.media = cls.server.stdout.readline().strip()
        cls.home.good("deploy", cls.chain, "--port", "0")

    @classmethod
    def end_server(cls):
        cls.server.terminate()
        cls.server.wait()
        cls.server.stdout.close()

    def call(self, path, **more):
        return self.home.chains("call", "transcribe", "--json", "--input",
                                json.dumps({"media_url": f"{self.media}/{path}", **more}))

    def test_with_fake(self):
        out = self.home.good("test", self.chain)
        self.assertEqual(out.splitlines()[-1], "1 passed, 0 failed")

    def test_hears(self):
        done = self.call("goforward.wav")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        answer = json.loads(done.stdout)
        self.assertEqual([segment["text"] for segment in answer["segments"]],
                         ["go forward ten meters"])
        self.assertAlmostEqual(answer["input_duration_s"], os.path.getsize(RECORDING) / 32000, 3)
        self.assertAlmostEqual(answer["speedup"] * answer["processing_duration_s"],
                               answer["input_duration_s"], 3)
        segment = answer["segments"][0]
        self.assertLess(0, segment["start_s"])
        self.assertLess(segment["start_s"], segment["end_s"])
        self.assertLess(segment["end_s"], answer["input_duration_s"])
        again = json.loads(self.call("goforward.wav").stdout)
        self.assertEqual(again["segments"], answer["segments"])

    def test_parts(self):
        done = self.call("five.wav", chunk_s=5, utterance_s=3, search_s=2)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        answer = json.loads(done.stdout)
        words = " ".join(segment["text"] for segment in answer["segments"]).split()
        self.assertEqual(words.count("forward"), 5)
        self.assertEqual(words.count("meters"), 5)
        starts = [segment["start_s"] for segment in answer["segments"]]
        self.assertEqual(starts, sorted(starts))

    def check_failure(self, path, status, *words, **more):
        done = self.call(path, **more)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        error = json.loads(done.stderr)["error"]
        self.assertEqual(error["status"], status)
        for word in words:
            self.assertIn(word, error["message"])
        self.assertEqual(error["trace"][0]["chainlet"], "transcribe")
        return error

    def test_failures(self):
        self.check_failure("absent.wav", "NOT_FOUND", "404", "absent.wav")
        self.check_failure("no-ranges/goforward.wav", "FAILED_PRECONDITION", "ranges")
        self.check_failure("page.html", "INVALID_ARGUMENT", "no media")
        self.check_failure("status/503", "UNAVAILABLE", "503")
        error = self.check_failure("goforward.wav", "INVALID_ARGUMENT", "chunk_s", chunk_s=1)
        self.assertEqual(error["path"], "chunk_s")

    def test_deadline(self):
        done = self.home.chains("call", "transcribe", "--timeout", "100", "--json", "--input",
                                json.dumps({"media_url": f"{self.media}/five.wav"}))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(json.loads(done.stderr)["error"]["status"], "DEADLINE_EXCEEDED")


if __name__ == "__main__":
    unittest.main()
