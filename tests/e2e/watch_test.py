"""`chains watch` as people use it: files are saved in a folder, and what runs in development changes."""
import http.client
import json
import os
import signal
import subprocess
import threading
import unittest
from urllib.parse import urlsplit

from chains_testing import CHAINS, Home, is_alive, wait_until

HEADER = """#pragma once
#include <chains.h>
CHAINLET(word%(options)s);
word *word_new(chains_ctx *ctx);
chains_status word_run_remote(word *self, chains_ctx *ctx, %(input)s, const char **reply);
void word_free(word *self);
"""
SOURCE = """#include "word.h"
#include <stdlib.h>
struct word { int unused; };
word *word_new(chains_ctx *ctx)
{
    %(new)s
    return chains_alloc(ctx, sizeof(word));
}
chains_status word_run_remote(word *self, chains_ctx *ctx, %(input)s, const char **reply)
{
    (void)self;
    *reply = chains_printf(ctx, "%(text)s");
    return CHAINS_OK;
}
void word_free(word *self) { (void)self; }
"""
ENTRY_HEADER = """#pragma once
#include "word.h"
CHAINLET(entry, .entrypoint = true);
entry *entry_new(chains_ctx *ctx, word *word);
chains_status entry_run_remote(entry *self, chains_ctx *ctx, int32_t number, const char **reply);
void entry_free(entry *self);
"""
ENTRY = """#include "entry.h"
struct entry { word *word; };
entry *entry_new(chains_ctx *ctx, word *word)
{
    entry *self = chains_alloc(ctx, sizeof *self);
    self->word = word;
    return self;
}
chains_status entry_run_remote(entry *self, chains_ctx *ctx, int32_t number, const char **reply)
{
    CHAINS_TRY(ctx, word_run_remote(self->word, ctx, number, reply));
    return CHAINS_OK;
}
void entry_free(entry *self) { (void)self; }
"""
INT = {"input": "int32_t number", "options": "", "new": "", "text": "one"}


class Load:
    """Calls without pause, of which none may fail."""

    def __init__(self, watch, clients=4):
        self.watch, self.replies, self.bad, self.stop = watch, [], [], threading.Event()
        self.threads = [threading.Thread(target=self.work) for _ in range(clients)]

    def work(self):
        connection = http.client.HTTPConnection(self.watch.address(), timeout=60)
        while not self.stop.is_set():
            try:
                connection.request("POST", "/chains/entry/development/run_remote", '{"number": 1}',
                                   {"Content-Type": "application/json"})
                answer = connection.getresponse()
                body = answer.read()
                (self.replies if answer.status == 200 else self.bad).append(body)
            except (OSError, http.client.HTTPException) as error:
                self.bad.append(repr(error))
                connection.close()
        connection.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        wait_until(lambda: self.replies, "the first answer")
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)


class Watch(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.close)
        self.folder = self.home.file("chain")
        os.mkdir(self.folder)
        self.save("word.h", HEADER % INT)
        self.save("word.c", SOURCE % INT)
        self.save("entry.h", ENTRY_HEADER)
        self.save("entry.c", ENTRY)
        self.events, self.seen, self.process, self.reader = [], 0, None, None

    def save(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def save_by_rename(self, name, text):
        self.save(name + ".new", text)
        os.rename(os.path.join(self.folder, name + ".new"), os.path.join(self.folder, name))

    def begin(self, *words):
        with open(self.home.file("said"), "a", encoding="utf-8") as said:
            self.process = subprocess.Popen([CHAINS, "watch", self.folder, "--port", "0", *words],
                                            env=self.home.env, stdout=subprocess.PIPE, stderr=said, text=True)

    def start(self, *words):
        self.begin("--json", *words)
        self.reader = threading.Thread(target=self.read, args=(self.process,))
        self.reader.start()
        self.addCleanup(self.reader.join, 60)
        self.addCleanup(self.end)

    def read(self, process):
        with process.stdout:
            for line in process.stdout:
                self.events.append(json.loads(line))

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def next(self, *kinds):
        """The next thing that happens beside files that change, which must be one of these."""
        def look():
            assert self.reader.is_alive() or self.seen < len(self.events), self.said()
            while self.seen < len(self.events):
                event = self.events[self.seen]
                self.seen += 1
                if event["event"] not in ("changed", "said"):
                    return event
            return None
        event = wait_until(look, f"one of {kinds}", 120)
        self.assertIn(event["event"], kinds, (event, self.said()))
        return event

    def heard(self):
        """What compilers and others have said before what happened last."""
        return "".join(event["message"] for event in self.events[:self.seen] if event["event"] == "said")

    def until(self, kind):
        """What happens next of that kind. Files that are saved one after the other may be one change, or several."""
        while True:
            event = self.next(kind, "swapped", "unchanged", "not_built")
            if event["event"] == kind:
                return event

    def watching(self, *words):
        self.start(*words)
        self.assertIsNotNone(self.next("deployed")["version_id"])
        self.next("watching")

    def said(self):
        with open(self.home.file("said"), encoding="utf-8") as said:
            return said.read()

    def address(self):
        return urlsplit(self.home.address()).netloc

    def call(self, text='{"number": 1}'):
        return json.loads(self.home.good("call", "entry", "--environment", "development", "--input", text))

    def pids(self):
        """Of the processes that take calls, by Chainlet."""
        chain = json.loads(self.home.good("status", "--json"))
        self.assertEqual([c["environment"] for c in chain], ["development"])
        return {c["name"]: [r["pid"] for r in c["replicas"] if r["state"] == "ready"] for c in chain[0]["chainlets"]}

    def test_saving_swaps_what_changed(self):
        self.watching()
        self.assertEqual(self.call(), "one")
        before = self.pids()
        with Load(self) as load:
            for save, text in ((self.save, "two"), (self.save_by_rename, "three"), (self.save, "four")):
                save("word.c", SOURCE % dict(INT, text=text))
                event = self.next("swapped")
                self.assertEqual(event["chainlets"], ["word"])
                self.assertEqual(self.call(), text)
        self.assertEqual(load.bad, [])
        self.assertEqual({json.loads(body) for body in load.replies}, {"one", "two", "three", "four"})
        after = self.pids()
        self.assertEqual(after["entry"], before["entry"])
        self.assertNotEqual(after["word"], before["word"])
        self.assertEqual([e["files"] for e in self.events if e["event"] == "changed"], [["word.c"]] * 3)
        # Both at once, as with a change of branches.
        self.save_by_rename("word.c", SOURCE % dict(INT, text="five"))
        self.save_by_rename("entry.c", ENTRY + "int more;\n")
        swapped = set()
        while swapped != {"word", "entry"}:
            swapped |= set(self.until("swapped")["chainlets"])
        self.assertEqual(self.call(), "five")

    def test_what_does_not_compile_or_start(self):
        self.watching()
        before = self.pids()
        with Load(self) as load:
            self.save("word.c", SOURCE % dict(INT, text="two", new="broken"))
            self.next("not_built")
            self.assertRegex(self.heard(), r"word\.c:6:\d+: error: .*broken")
            self.save("word.c", SOURCE % dict(INT, text="two", new="exit(3);"))
            event = self.next("failed")
            self.assertEqual(event["chainlet"], "word")
            self.assertIn("it does not start: exit status 3", event["message"])
            self.save("word.h", (HEADER % INT).replace("const char **reply", "const char *reply[2]"))
            self.next("not_built")
            self.assertIn("word.h:5", self.heard())
            self.assertEqual((self.call(), self.pids()), ("one", before))
            self.save("word.h", HEADER % INT)
            self.next("failed")
            self.save("word.c", SOURCE % dict(INT, text="three"))
            self.assertEqual(self.next("swapped")["chainlets"], ["word"])
            self.assertEqual(self.call(), "three")
        self.assertEqual(load.bad, [])
        self.assertEqual(self.said(), "")

    def test_one_that_hangs_gives_way_to_the_next(self):
        self.watching()
        self.save("word.c", SOURCE % dict(INT, text="two", new="for (volatile int on = 1; on;) {}"))
        wait_until(lambda: any(len(c["replicas"]) == 2 for c in self.home.status()[0]["chainlets"]), "the new process")
        self.save("word.c", SOURCE % dict(INT, text="three"))
        self.assertEqual(self.next("swapped")["chainlets"], ["word"])
        self.assertEqual(self.call(), "three")

    def test_interfaces_options_and_new_files_take_a_deployment(self):
        self.watching()
        before = self.pids()
        long = {"input": "int64_t number"}
        with Load(self) as load:
            self.save("word.c", SOURCE % dict(INT, text="two", **long))
            self.next("not_built")
            self.save("word.h", HEADER % dict(INT, **long))
            event = self.next("deployed")
            self.assertIn("'word' has another interface", event["message"])
            self.assertEqual(self.call(), "two")
            self.save("word.h", HEADER % dict(INT, options=", .concurrency = 2", **long))
            self.assertIn("other options", self.next("deployed")["message"])
            # A Chainlet in a folder that wasn't there.
            os.mkdir(os.path.join(self.folder, "deep"))
            self.save("deep/tail.h", (HEADER % INT).replace("word", "tail"))
            self.save("deep/tail.c", (SOURCE % dict(INT, text="tail")).replace("word", "tail"))
            self.save("entry.h", ENTRY_HEADER.replace("word", "tail"))
            self.save("entry.c", ENTRY.replace("word", "tail"))
            self.assertEqual(self.until("deployed")["message"], "'tail' is new")
            self.assertEqual(self.call(), "tail")
        self.assertEqual(load.bad, [])
        self.assertNotEqual(self.pids()["entry"], before["entry"])

    def test_ending_and_going_on(self):
        self.watching("--name", "entry")
        before = self.pids()
        self.assertEqual(self.end(), 0)
        self.assertEqual(self.next("ended")["version_id"], self.events[0]["version_id"])
        self.assertEqual(self.call(), "one")
        self.save("word.c", SOURCE % dict(INT, text="two"))
        self.start()
        self.assertEqual(self.next("swapped")["chainlets"], ["word"])
        self.next("watching")
        self.assertEqual((self.call(), self.pids()["entry"]), ("two", before["entry"]))
        # The daemon may go, too.
        pid = self.home.daemon_pid()
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not is_alive(pid), "the daemon to end")
        self.save("word.c", SOURCE % dict(INT, text="three"))
        self.next("swapped")
        self.assertEqual(self.call(), "three")

    def test_a_fake(self):
        fake = self.home.file("fake.c")

        def write(text):
            with open(fake, "w", encoding="utf-8") as file:
                file.write(SOURCE % dict(INT, text=text))
        write("fake")
        self.watching("--fake", fake)
        self.assertEqual(self.call(), "fake")
        write("another")
        self.assertEqual(self.next("swapped")["chainlets"], ["word"])
        self.assertEqual(self.call(), "another")

    def test_lines_for_people(self):
        self.begin()
        self.addCleanup(self.end)
        with self.process.stdout as lines:
            self.assertRegex(lines.readline(), r"^entry version v0001-\w+ is deployed to development:$")
            self.assertRegex(lines.readline(), r"^  http://.*/chains/entry/development/run_remote$")
            self.assertEqual(lines.readline(), "See it:\n")
            self.assertRegex(lines.readline(), r"^  chains open entry --environment development +# or http://\S+/ in a browser$")
            self.assertEqual(lines.readline(), "Try it:\n")
            self.assertIn("chains call entry --environment development", lines.readline())
            self.assertRegex(lines.readline(), r"^\d\d:\d\d:\d\d watching .*chain; Ctrl-C ends it$")
            self.save("word.c", SOURCE % dict(INT, text="two"))
            self.assertRegex(lines.readline(), r"^\S+ changed: word\.c$")
            self.assertRegex(lines.readline(), r"^\S+ swapped word: built in [\d.]+ s, answers [\d.]+ s after the change$")
            self.save("word.c", SOURCE % dict(INT, text="two", new="broken"))
            self.assertRegex(lines.readline(), r"^\S+ changed: word\.c$")
            self.assertRegex(lines.readline(), r"^\S+ not built: v0001-\w+ goes on answering$")
            self.save("word.c", SOURCE % dict(INT, text="two"))
            lines.readline()
            self.assertRegex(lines.readline(), r"^\S+ nothing to swap: v0001-\w+ runs these very programs \(built in .*\)$")
            self.assertEqual(self.end(), 0)
            self.assertRegex(lines.readline(), r"^\S+ no longer watching: v0001-\w+ goes on answering$")

    def test_bad_words(self):
        for words, part in ((["nowhere"], "nowhere: No such file"), (["--environment", "production"], "production"),
                            (["--environment", "a b"], "'a b' is no name"), (["--port", "-2"], "--port"),
                            ([self.folder, "x"], "")):
            done = self.home.chains("watch", *words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertIn(part, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
