"""A program on a terminal of its own, and what stands on its screen."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from chains_testing import CHAINS, wait_until

SEQUENCE = re.compile(r"\x1b(?:\[([?\d;]*)([A-Za-z])|\]([^\x07]*)\x07|(.))", re.DOTALL)


class Screen:
    """What a terminal shows of what it was sent. It obeys what `chains` may send, and notes anything else in `odd`."""

    def __init__(self, columns, rows):
        self.odd = []
        self.other = False  # it shows the other screen
        self.resize(columns, rows)

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines = [""] * rows
        self.x = self.y = 0

    def put(self, char):
        if self.x >= self.columns:
            self.x = 0
            self.feed_line()
        line = self.lines[self.y].ljust(self.x)
        self.lines[self.y] = line[:self.x] + char + line[self.x + 1:]
        self.x += 1

    def feed_line(self):
        self.y += 1
        if self.y == self.rows:
            self.y -= 1
            self.lines = self.lines[1:] + [""]

    def obey(self, match):
        words, letter, title, single = match.groups()
        if title is not None or single is not None:
            self.odd.append(match.group())
        elif letter == "K" and not words:
            self.lines[self.y] = self.lines[self.y][:self.x]
        elif letter == "J" and words in ("", "2"):
            below = self.y if words == "" else -1
            self.lines = [line[:self.x] if i == self.y and i == below else line if i < below else ""
                          for i, line in enumerate(self.lines)]
        elif letter == "H" and not words:
            self.x = self.y = 0
        elif letter in "hl" and words in ("?1049", "?25", "?7", "?2026"):
            self.other = letter == "h" if words == "?1049" else self.other
        elif letter != "m":
            self.odd.append(match.group())

    def feed(self, text):
        """Shows text; gives back what is the beginning of a sequence."""
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                match = SEQUENCE.match(text, at)
                if not match:
                    return text[at:]
                self.obey(match)
                at = match.end()
                continue
            if text[at] == "\r":
                self.x = 0
            elif text[at] == "\n":
                self.feed_line()
            elif text[at] == "\t":
                self.x += 8 - self.x % 8
            elif text[at] < " " or "\x7f" <= text[at] < "\xa0":
                self.odd.append(text[at])
            else:
                self.put(text[at])
            at += 1
        return ""

    def text(self):
        return "\n".join(line.rstrip() for line in self.lines).rstrip()


class Terminal:
    """`chains words...` on a terminal. With `with` it has ended in the end."""

    def __init__(self, home, *words, columns=80, rows=24, **env):
        self.fd, side = pty.openpty()
        self.screen = Screen(columns, rows)
        self.sent, self.rest, self.bytes = "", "", b""
        self.set_size(columns, rows)
        self.before = termios.tcgetattr(side)
        environment = {**home.env, "TERM": "xterm", "LC_ALL": "C.UTF-8", **env}
        if "NO_COLOR" not in env:
            environment.pop("NO_COLOR", None)
        self.side = side
        self.process = subprocess.Popen([CHAINS, *words], env=environment, stdin=side, stdout=side, stderr=side,
                                        cwd=home.path, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.fd)
        os.close(self.side)

    def set_size(self, columns, rows):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns, rows):
        """As a terminal does whose window was dragged."""
        self.read()
        self.screen.resize(columns, rows)
        self.set_size(columns, rows)

    def read(self):
        while select.select([self.fd], [], [], 0)[0]:
            self.bytes += os.read(self.fd, 65536)
        whole = len(self.bytes)
        for back in range(1, min(4, whole + 1)):  # a character may come in two reads
            if self.bytes[whole - back] >= 0xc0:
                need = 4 if self.bytes[whole - back] >= 0xf0 else 3 if self.bytes[whole - back] >= 0xe0 else 2
                whole -= back if need > back else 0
                break
        text, self.bytes = self.bytes[:whole].decode(errors="replace"), self.bytes[whole:]
        self.sent += text
        self.rest = self.screen.feed(self.rest + text)
        return self.screen.text()

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, condition, what, limit_s=60):
        """Until what is on the screen meets it; gives the screen's text."""
        def look():
            text = self.read()
            return text if condition(text) else None
        try:
            return wait_until(look, what, limit_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; the screen:\n{self.screen.text()}") from None

    def end(self, limit_s=120):
        """Waits for its end; gives its exit status."""
        end = time.monotonic() + limit_s
        while self.process.poll() is None:
            self.read()
            if time.monotonic() > end:
                raise AssertionError(f"it didn't end; the screen:\n{self.screen.text()}")
            select.select([self.fd], [], [], 0.05)
        self.read()
        return self.process.returncode

    def is_as_before(self):
        """Whether its modes are those that it was given with."""
        return termios.tcgetattr(self.side) == self.before

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
