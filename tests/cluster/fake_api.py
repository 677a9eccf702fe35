"""An API server of a Kubernetes cluster, as far as clients notice: objects with versions, lists in pages, watches, conflicts. It
misbehaves as tests want it to: see `faults`."""
import copy
import http.server
import json
import re
import socket
import ssl
import threading
import urllib.parse

COLLECTION = re.compile(r"^(/api/v1|/apis/[^/]+/[^/]+)(/namespaces/[^/]+)?/[a-z]+$")


def status(code, reason, message, **details):
    return code, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": reason, "message": message,
                  "code": code, **({"details": details} if details else {})}


def merged(before, patch):
    """As a merge patch has it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(before) if isinstance(before, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # see FakeApi.stop
    request_queue_size = 128

    def __init__(self, api, port):
        self.api = api
        super().__init__(("127.0.0.1", port), Handler)

    def handle_error(self, request, client_address):
        pass  # clients that are gone, handshakes that fail

    def finish_request(self, request, client_address):
        if self.api.tls:
            request.settimeout(30)
            request = self.api.tls.wrap_socket(request, server_side=True)
        with self.api.changed:
            self.api.connections.append(request)
            self.api.connection_count += 1
        try:
            super().finish_request(request, client_address)
        finally:
            with self.api.changed:
                if request in self.api.connections:
                    self.api.connections.remove(request)
            request.close()


class FakeApi:
    """Listens at once, on a port of its own, which it keeps when it is stopped and started again."""

    def __init__(self, tls=None):
        self.tls = tls  # an ssl.SSLContext; None: plain HTTP
        self.objects = {}
        self.version = 100
        self.oldest = 0  # versions before it are forgotten: 410
        self.events = []  # (version, type, collection, object)
        self.sent = 0  # the last version that a watch has told
        self.changed = threading.Condition()
        self.connections = []
        self.connection_count = 0
        self.requests = []  # (method, path with its query, headers)
        self.faults = []  # called with the handler before it answers; True: that was the answer
        self.port = 0
        self.server = None
        self.thread = None
        self.start()

    def start(self):
        self.server = Server(self, self.port)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def stop(self):
        """Nobody listens any more, and all connections end."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.cut()

    def cut(self):
        """All connections end."""
        with self.changed:
            for connection in self.connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self.connections.clear()
            self.changed.notify_all()

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def count(self, method, part):
        with self.changed:
            return sum(1 for one in self.requests if one[0] == method and part in one[1])

    def watches(self):
        return self.count("GET", "watch=true")

    # What objects there are. With the lock.
    def note(self, kind, path, obj):
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self.events.append((self.version, kind, path.rsplit("/", 1)[0], copy.deepcopy(obj)))
        self.changed.notify_all()

    def put(self, path, obj):
        """As somebody else does it."""
        with self.changed:
            kind = "MODIFIED" if path in self.objects else "ADDED"
            obj = copy.deepcopy(obj)
            obj.setdefault("metadata", {})["name"] = path.rsplit("/", 1)[1]
            obj["metadata"].setdefault("uid", f"uid-{path}")
            self.note(kind, path, obj)
            self.objects[path] = obj

    def remove(self, path):
        with self.changed:
            self.note("DELETED", path, self.objects.pop(path))

    def forget(self):
        """What was before can't be watched from any more."""
        with self.changed:
            self.oldest = self.version
            self.events.clear()

    def mark(self, collection):
        """A bookmark for who watches."""
        with self.changed:
            self.version += 1
            self.events.append((self.version, "BOOKMARK", collection, {"kind": "X", "metadata": {"resourceVersion": str(self.version)}}))
            self.changed.notify_all()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass

    def setup(self):
        super().setup()
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)

    def reply(self, code, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def answer(self):
        api = self.server.api
        size = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(size)
        self.place, _, query = self.path.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query))
        with api.changed:
            api.requests.append((self.command, self.path, dict(self.headers)))
        for fault in list(api.faults):
            if fault(self):
                return
        if self.command == "GET" and self.query.get("watch") == "true":
            self.watch()
        else:
            with api.changed:
                code, body = self.act()
            self.reply(code, body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def absent(self):
        kind, name = self.place.rsplit("/", 2)[1:]
        return status(404, "NotFound", f'{kind} "{name}" not found', name=name, kind=kind)

    def act(self):
        api, place = self.server.api, self.place
        if self.command == "GET":
            if COLLECTION.match(place):
                return self.list()
            return (200, api.objects[place]) if place in api.objects else self.absent()
        if self.command == "DELETE":
            if place not in api.objects:
                return self.absent()
            wanted = (json.loads(self.body or b"{}").get("preconditions") or {}).get("uid")
            if wanted not in (None, api.objects[place]["metadata"].get("uid")):
                return status(409, "Conflict", "Precondition failed: UID in precondition")
            api.note("DELETED", place, api.objects.pop(place))
            return 200, {"kind": "Status", "status": "Success", "metadata": {}}
        obj = json.loads(self.body)
        if self.command == "POST":
            place += "/" + obj["metadata"]["name"]
            if place in api.objects:
                return status(409, "AlreadyExists", "it already exists", name=obj["metadata"]["name"])
        before = api.objects.get(place)
        if self.command == "PUT":
            if not before:
                return self.absent()
            if obj["metadata"].get("resourceVersion") not in (None, before["metadata"]["resourceVersion"]):
                return status(409, "Conflict", "the object has been modified; please apply your changes to the latest version")
        if self.command == "PATCH" and self.headers["Content-Type"] == "application/merge-patch+json":
            if not before:
                return self.absent()
            if obj.get("metadata", {}).get("resourceVersion") not in (None, before["metadata"]["resourceVersion"]):
                return status(409, "Conflict", "the object has been modified; please apply your changes to the latest version")
            obj = merged(before, obj)
        obj["metadata"]["uid"] = (before or {"metadata": {}})["metadata"].get("uid", f"uid-{place}-{api.version}")
        api.note("MODIFIED" if before else "ADDED", place, obj)
        api.objects[place] = obj
        return (200 if before else 201), obj

    def list(self):
        api = self.server.api
        names = sorted(path for path in api.objects if path.rsplit("/", 1)[0] == self.place)
        at = 0
        version = str(api.version)
        if "continue" in self.query:
            version, at = self.query["continue"].split("/")
            at = int(at)
            if int(version) < api.oldest:
                return status(410, "Expired", "The provided continue parameter is too old")
        limit = int(self.query.get("limit", len(names) or 1))
        more = {"continue": f"{version}/{at + limit}"} if at + limit < len(names) else {}
        return 200, {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": version, **more},
                     "items": [api.objects[name] for name in names[at:at + limit]]}

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def watch(self):
        api = self.server.api
        seen = int(self.query["resourceVersion"])
        with api.changed:
            if seen < api.oldest:
                code, body = status(410, "Expired", "too old resource version")
                self.reply(code, body)
                return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.flush()
        while True:
            with api.changed:
                api.changed.wait_for(lambda: self.request not in api.connections or any(one[0] > seen for one in api.events))
                if self.request not in api.connections:
                    return
                fresh = [one for one in api.events if one[0] > seen]
            for version, kind, collection, obj in fresh:
                seen = version
                if collection == self.place:
                    self.chunk(json.dumps({"type": kind, "object": obj}).encode() + b"\n")
                    api.sent = max(api.sent, version)


def server_tls(certificate, key, authority=None):
    """authority: clients may show a certificate, and must have it from there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if authority:
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
