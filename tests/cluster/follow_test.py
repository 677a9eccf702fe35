"""Following objects: lists in pages, watches, and whatever ends them."""
import json
import subprocess
import threading
import unittest

from chains_testing import wait_until
from cluster_testing import CLIENT, CONFIGMAPS, ClusterTest
from fake_api import status


class Follower:
    """The client while it follows; what it says, in order."""

    def __init__(self, config, env, path=CONFIGMAPS):
        self.process = subprocess.Popen([CLIENT, "--kubeconfig", config, "follow", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self.said = []
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    def short(self):
        """"+x" for an object, "-x" for one that is gone, "(" and ")" around a list, "!" for trouble, "" for its end."""
        return [f"+{one['object']}" if "object" in one else f"-{one['gone']}" if "gone" in one
                else {"begin": "(", "end": ")"}[one["list"]] if "list" in one else "!" if one["trouble"] else ""
                for one in list(self.said)]

    def wait(self, *expected):
        try:
            wait_until(lambda: self.short() == list(expected), "what was expected")
        except AssertionError:
            raise AssertionError(f"{self.short()}, not {list(expected)}: {self.said}") from None

    def close(self):
        self.process.stdin.close()
        code = self.process.wait(60)
        self.reader.join()
        self.process.stdout.close()
        return code


class FollowTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.api = self.new_api()
        self.path = self.config(cluster={"server": self.api.url})

    def put(self, *names):
        for name in names:
            self.api.put(f"{CONFIGMAPS}/{name}", {"metadata": {"labels": {"color": "red"}}})

    def follow(self, path=CONFIGMAPS):
        follower = Follower(self.path, self.env, path)
        self.addCleanup(lambda: follower.process.poll() is None and follower.close())
        return follower

    def watching(self, count):
        wait_until(lambda: self.api.watches() >= count, f"{count} watches")

    def test_comes_and_goes(self):
        self.put("a", "b")
        follower = self.follow()
        follower.wait("(", "+a", "+b", ")")
        self.put("c", "a")
        self.api.remove(f"{CONFIGMAPS}/b")
        follower.wait("(", "+a", "+b", ")", "+c", "+a", "-b")
        self.assertEqual({one.get("label") for one in follower.said if "object" in one}, {"red"})
        self.assertEqual(follower.close(), 0)

    def test_pages(self):
        names = [f"n{number:04}" for number in range(1203)]
        self.put(*names)
        follower = self.follow(CONFIGMAPS + "?labelSelector=color")
        follower.wait("(", *(f"+{name}" for name in names), ")")
        lists = [path for _, path, _ in self.api.requests if "watch" not in path]
        self.assertEqual(len(lists), 3)
        self.assertTrue(all(path.startswith(CONFIGMAPS + "?labelSelector=color&limit=500") for path in lists))

    def test_a_broken_watch_goes_on_where_it_was(self):
        self.put("a")
        follower = self.follow()
        self.watching(1)
        self.api.cut()
        self.watching(2)
        self.put("b")
        follower.wait("(", "+a", ")", "+b")
        self.api.stop()
        self.api.put(f"{CONFIGMAPS}/c", {})
        wait_until(lambda: follower.short()[-1] == "!", "that nobody is there to be said")
        self.assertIn("isn't reached", follower.said[-1]["trouble"])
        self.api.start()
        follower.wait("(", "+a", ")", "+b", "!", "", "+c")
        self.assertEqual(len([one for one in self.api.requests if "watch" not in one[1]]), 1)

    def test_too_old_begins_anew(self):
        self.put("a", "b")
        follower = self.follow()
        self.watching(1)
        self.api.remove(f"{CONFIGMAPS}/b")
        follower.wait("(", "+a", "+b", ")", "-b")
        self.api.stop()
        self.put("c")
        self.api.forget()
        self.put("d")
        self.api.start()
        wait_until(lambda: [one for one in follower.short() if one not in ("!", "")][-5:] == ["(", "+a", "+c", "+d", ")"], "a new list")

    def test_bookmarks_keep_it_young(self):
        self.put("a")
        follower = self.follow()
        self.watching(1)
        for _ in range(3):
            self.api.put("/api/v1/namespaces/other/configmaps/x", {})
        self.api.mark(CONFIGMAPS)
        mark = self.api.version
        wait_until(lambda: self.api.sent == mark, "the bookmark to be told")
        self.api.cut()
        self.watching(2)
        self.assertIn(f"resourceVersion={mark}", self.api.requests[-1][1])
        self.put("b")
        follower.wait("(", "+a", ")", "+b")

    def test_too_old_in_mid_watch(self):
        """An ERROR in the stream; and a listing whose next page is too old."""
        self.put(*[f"n{number:04}" for number in range(600)])
        aged = []

        def age(handler):
            if "continue" in handler.query and not aged:
                aged.append(1)
                self.api.forget()
                self.put("zz")
                self.api.forget()
            return False
        self.api.faults = [age]
        follower = self.follow()
        first = ["(", *(f"+n{number:04}" for number in range(500))]
        whole = ["(", *(f"+n{number:04}" for number in range(600)), "+zz", ")"]
        follower.wait(*first, *whole)
        self.watching(1)
        with self.api.changed:
            code, body = status(410, "Expired", "too old resource version")
            self.assertEqual(code, 410)
            self.api.version += 1
            self.api.events.append((self.api.version, "ERROR", CONFIGMAPS, body))
            self.api.changed.notify_all()
        follower.wait(*first, *whole, *whole)

    def test_what_is_refused(self):
        self.put("a")
        refuse = [True]

        def act(handler):
            if refuse[0]:
                handler.reply(*status(403, "Forbidden", 'configmaps is forbidden: User "u" cannot list resource "configmaps" in API group "" in the namespace "default"'))
            return refuse[0]
        self.api.faults = [act]
        follower = self.follow()
        follower.wait("(", "!")
        self.assertIn('verbs: ["list"]', follower.said[-1]["trouble"])
        wait_until(lambda: len(self.api.requests) > 2, "it to be tried again")
        refuse[0] = False
        wait_until(lambda: follower.short()[-3:] == ["+a", ")", ""], "what is there")
        # Trouble is told once.
        self.assertEqual(follower.short().count("!"), 1)
        # The watch alone may be refused.
        self.api.faults = [lambda handler: "watch" in handler.query and not handler.reply(*status(403, "Forbidden", "no watching"))]
        self.api.cut()
        wait_until(lambda: follower.short()[-1] == "!", "that it can't be watched")
        self.api.faults = []
        wait_until(lambda: follower.short()[-1] == "", "that it can be again")
        self.put("b")
        wait_until(lambda: follower.short()[-1] == "+b", "what is new")

    def test_nonsense(self):
        self.put("a")
        answers = [(200, b"{"), (200, b"<html>"), (200, {"metadata": {}, "items": []}), (200, [])]
        self.api.faults = [lambda handler: bool(answers) and (handler.reply(*answers.pop(0)) or True)]
        follower = self.follow()
        wait_until(lambda: follower.short()[-3:] == ["+a", ")", ""], "what is there")
        self.assertIn("what is no list", follower.said[1]["trouble"])
        # In the stream.
        for number, text in enumerate((b"{\n", b"[]\n", b'{"type":"ADDED","object":5}\n', b"\xff\n")):
            self.watching(number + 1)
            self.put(f"b{number}")
            wait_until(lambda: f"+b{number}" in follower.short(), "what is new")  # pylint: disable=cell-var-from-loop
            seen = len(self.api.requests)

            def speak(handler, text=text):
                if "watch" not in handler.query:
                    return False
                handler.send_response(200)
                handler.end_headers()
                handler.wfile.write(b"\n" + text)
                handler.close_connection = True
                self.api.faults = []
                return True
            self.api.faults = [speak]
            self.api.cut()
            wait_until(lambda: any("watch" not in path for _, path, _ in self.api.requests[seen:]), "a new list")  # pylint: disable=cell-var-from-loop
        self.assertTrue(any("no event" in one.get("trouble", "") for one in follower.said))

    def test_events_in_pieces(self):
        """Of any size, cut anywhere."""
        large = {"type": "ADDED", "object": {"metadata": {"name": "large", "resourceVersion": "901"}, "data": "\\n" * 1000000}}
        small = {"type": "DELETED", "object": {"metadata": {"name": "small", "resourceVersion": "902"}}}
        stream = json.dumps(large).encode() + b"\r\n\n" + json.dumps(small).encode() + b"\n"

        def speak(handler):
            if "watch" not in handler.query or handler.query["resourceVersion"] == "902":
                return False
            handler.send_response(200)
            handler.end_headers()
            for at in range(0, len(stream), 65521):
                handler.wfile.write(stream[at:at + 65521])
                handler.wfile.flush()
            handler.close_connection = True
            return True
        self.api.faults = [speak]
        follower = self.follow()
        follower.wait("(", ")", "+large", "-small")
        self.watching(2)

    def test_a_large_list(self):
        """64 MiB; each byte is looked at a few times, not once for each byte before it."""
        text = "x" * 16384
        with self.api.changed:
            for number in range(4000):
                path = f"{CONFIGMAPS}/n{number:06}"
                self.api.objects[path] = {"metadata": {"name": f"n{number:06}", "resourceVersion": "1"}, "data": text}
        follower = self.follow()
        wait_until(lambda: follower.said and follower.said[-1] == {"list": "end"}, "the end of the list", 120)
        self.assertEqual(len(follower.said), 4002)
        self.assertEqual(follower.close(), 0)

    def test_stops_at_once_whatever_it_does(self):
        held = threading.Event()
        self.addCleanup(held.set)
        for hold, requests in ((lambda handler: "watch" not in handler.query and held.wait(60), 1), (lambda handler: "watch" in handler.query and held.wait(60), 2),
                               (lambda handler: handler.reply(503, b"", [("Retry-After", "30")]) or True, 1)):
            self.api.faults = [hold]
            seen = len(self.api.requests)
            follower = self.follow()
            wait_until(lambda: len(self.api.requests) >= seen + requests, "a request")  # pylint: disable=cell-var-from-loop
            self.assertEqual(follower.close(), 0)


unittest.main(verbosity=2)
