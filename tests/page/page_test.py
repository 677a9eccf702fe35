"""The status page in a browser: Debian's Chromium walks through it (walks.mjs), with real chains behind a real daemon."""
import os
import shutil
import struct
import subprocess
import sys
import unittest

from chains_testing import BUILD, SOURCE, HomeTest

HERE = os.path.dirname(os.path.abspath(__file__))
RECORDING = "/usr/share/pocketsphinx/test/data/goforward.raw"
WALK_LIMIT_S = 240


def wave(samples):
    """A WAV file of 16 kHz mono samples of 16 bits."""
    return (b"RIFF" + struct.pack("<I", 36 + len(samples)) + b"WAVEfmt "
            + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
            + b"data" + struct.pack("<I", len(samples)) + samples)


def missing():
    """Why this can't run here; None: it can."""
    with open(os.path.join(BUILD, "src/control/page.done"), encoding="utf-8") as file:
        if file.read().strip() != "full":
            return "chainsd has the plain page"
    return None if shutil.which("chromium") else "there is no chromium"


class Page(HomeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(cls.home.close)  # also where what follows fails
        recordings = cls.home.file("recordings")
        os.mkdir(recordings)
        with open(RECORDING, "rb") as file, open(os.path.join(recordings, "goforward.wav"), "wb") as out:
            out.write(wave(file.read()))
        demo = os.path.join(SOURCE, "examples/transcribe/demo")
        program = cls.home.file("media_server")
        subprocess.run([os.environ.get("CC", "cc"), "-std=gnu17", "-pthread", "-o", program,
                        os.path.join(demo, "media_server.c"), os.path.join(demo, "media_server_main.c")], check=True)
        cls.server = subprocess.Popen([program, recordings], stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.end_server)
        cls.media = cls.server.stdout.readline().strip()
        for folder in ("tests/page/corner", "tests/page/studio", "tests/e2e/trace", "tests/e2e/stream", "examples/transcribe"):
            cls.home.good("deploy", cls.home.copy(folder), "--port", "0")
        with open(cls.home.file("studio/studio.c"), "a", encoding="utf-8") as file:
            file.write("/* A second version. */\nstatic const char second[] __attribute__((used)) = \"second\";\n")
        cls.home.good("deploy", cls.home.file("studio"))

    @classmethod
    def end_server(cls):
        cls.server.terminate()
        cls.server.wait()
        cls.server.stdout.close()

    def walk(self, name):
        with open(os.path.join(self.home.env["CHAINS_HOME"], "token"), encoding="utf-8") as file:
            token = file.read().strip()
        env = dict(self.home.env, CHAINS_URL=self.home.address(), CHAINS_TOKEN=token, CHAINS_MEDIA=self.media,
                   CHAINS_PAGE_MODULES=os.path.join(BUILD, "page"), CHAINS_CHROMIUM=shutil.which("chromium"),
                   CHAINS_PAGE_SHOTS=os.path.join(BUILD, "page-shots"), HOME=self.home.path)
        done = subprocess.run(["node", os.path.join(HERE, "walks.mjs"), name], env=env, text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=WALK_LIMIT_S, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_actions(self):
        self.walk("actions")

    def test_cancel(self):
        self.walk("cancel")

    def test_chainlets(self):
        self.walk("chainlets")

    def test_chains(self):
        self.walk("chains")

    def test_corner(self):
        self.walk("corner")

    def test_dark(self):
        self.walk("dark")

    def test_digits(self):
        self.walk("digits")

    def test_events(self):
        self.walk("events")

    def test_form(self):
        self.walk("form")

    def test_graph(self):
        self.walk("graph")

    def test_hostile(self):
        self.walk("hostile")

    def test_json(self):
        self.walk("json")

    def test_keyboard(self):
        self.walk("keyboard")

    def test_logs(self):
        self.walk("logs")

    def test_long_stream(self):
        self.walk("long_stream")

    def test_phone(self):
        self.walk("phone")

    def test_requests(self):
        self.walk("requests")

    def test_retries(self):
        self.walk("retries")

    def test_stream(self):
        self.walk("stream")

    def test_traces(self):
        self.walk("traces")

    def test_transcribe(self):
        self.walk("transcribe")

    def test_zy_restart(self):
        self.walk("restart")

    def test_zz_keys(self):
        self.walk("keys")


if __name__ == "__main__":
    reason = missing()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
