"""An HTTP server with files to fetch, which can be slow, forgetful, and wrong."""
import hashlib
import http.server
import random
import threading

PART = 64 * 1024


def content(size, seed=1):
    """Bytes that no other seed gives."""
    return random.Random(seed).randbytes(size)


def digest(data):
    return hashlib.sha256(data).hexdigest()


class AssetSite:
    """Serves `files` by their paths ("/model") on a port of its own, from threads of this process."""

    def __init__(self, host="127.0.0.1"):
        self.files = {}
        self.ranges = True       # it does ranges, and gives ETags
        self.cut_after = []      # so many bytes, and the connection ends; an entry an answer
        self.trickle_after = None  # so many bytes of an answer, and the rest drips until release()
        self.requests = []       # (path, first byte asked for; None: all of it)
        self.answering = 0
        self.lock = threading.Lock()
        self.released = threading.Event()
        self.server = http.server.ThreadingHTTPServer((host, 0), self.make_handler())
        self.server.daemon_threads = True
        self.url = f"http://{host}:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def close(self):
        self.release()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def release(self):
        """Whatever drips flows."""
        self.trickle_after = None
        self.released.set()

    def hold(self, after):
        self.trickle_after = after
        self.released.clear()

    def asset(self, path, name=None, sha256=None):
        """How a Chainlet names a file of the site."""
        return {"url": self.url + path, "sha256": sha256 or digest(self.files[path]), "path": name or path[1:]}

    def starts(self, path):
        """Where the requests for a file began."""
        with self.lock:
            return [start for asked, start in self.requests if asked == path]

    def make_handler(self):
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format, *args):  # pylint: disable=redefined-builtin
                pass

            def do_GET(self):
                with site.lock:
                    site.answering += 1
                try:
                    site.answer(self)
                except OSError:
                    self.close_connection = True
                finally:
                    with site.lock:
                        site.answering -= 1
        return Handler

    def answer(self, handler):
        data = self.files.get(handler.path)
        asked = handler.headers.get("Range") if self.ranges else None
        start, end = 0, len(data or b"")
        if asked:
            first, last = asked.removeprefix("bytes=").split("-")
            start, end = int(first), min(int(last) + 1, end) if last else end
        with self.lock:
            self.requests.append((handler.path, start if asked else None))
            cut = self.cut_after.pop(0) if self.cut_after else None
        if data is None:
            handler.send_error(404)
            return
        handler.send_response(206 if asked else 200)
        if asked:
            handler.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        if self.ranges:
            handler.send_header("ETag", f'"{digest(data)}"')
        handler.send_header("Content-Length", str(end - start))
        handler.end_headers()
        self.send_body(handler, data[start:end], cut)

    def send_body(self, handler, body, cut):
        at = 0
        while at < len(body):
            size = PART
            if self.trickle_after is not None and at >= self.trickle_after and not self.released.wait(0.02):
                size = 1024
            if cut is not None:
                size = min(size, cut - at)
            if not size:
                handler.close_connection = True
                return
            handler.wfile.write(body[at:at + size])
            at += size
