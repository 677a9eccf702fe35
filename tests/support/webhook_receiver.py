"""Who receives webhooks."""
import http.server
import threading


class Receiver(http.server.ThreadingHTTPServer):
    """Receives webhooks; notes each by the id of its request."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Hook)
        self.told = {}  # id: [(headers, body)]
        self.lock = threading.Lock()
        self.refuse = lambda headers: 0  # an HTTP status instead of 204
        self.url = f"http://127.0.0.1:{self.server_port}/told"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self.thread.start()

    def count(self):
        with self.lock:
            return len(self.told)

    def close(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


class Hook(http.server.BaseHTTPRequestHandler):
    """One webhook."""

    def do_POST(self):  # pylint: disable=invalid-name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.refuse(self.headers)
        with self.server.lock:
            self.server.told.setdefault(self.headers["X-Request-Id"], []).append((self.headers, body))
        self.send_response(status or 204)
        self.end_headers()

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass
