"""A registry of images over HTTP: what pushing and pulling use of OCI's distribution specification, with its checks."""
import base64
import hashlib
import http.server
import json
import re
import threading
import urllib.parse

UPLOADS = re.compile(r"^/v2/(.+)/blobs/uploads/([0-9]*)$")
BLOB = re.compile(r"^/v2/(.+)/blobs/(sha256:[0-9a-f]{64})$")
MANIFEST = re.compile(r"^/v2/(.+)/manifests/([^/]+)$")


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class ImageRegistry:
    """Listens on a port of its own, from threads of this process.

    login: None, or (how, "user:password"), how being "Basic" or "Bearer". refuse: {(method, part of the path): status}.
    """

    def __init__(self, login=None):
        self.login = login
        self.refuse = {}
        self.damage = False      # blobs are given with a changed byte
        self.blobs = {}          # digest: bytes
        self.has = set()         # (repository, digest)
        self.manifests = {}      # (repository, tag or digest): (type, bytes)
        self.requests = []       # (method, path)
        self.mounted = []
        self.lock = threading.Lock()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.make_handler())
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def close(self):
        if not self.thread.is_alive():
            return
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def manifest(self, repository, reference):
        return json.loads(self.manifests[repository, reference][1])

    def count(self, method, part):
        with self.lock:
            return sum(1 for asked, path in self.requests if asked == method and part in path)

    def make_handler(self):
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def reply(self, status, body=b"", **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def fail(self, status, code, message):
                body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
                self.reply(status, body, Content_Type="application/json")

            def allowed(self, path):
                if not registry.login:
                    return True
                how, pair = registry.login
                basic = "Basic " + base64.b64encode(pair.encode()).decode()
                given = self.headers.get("Authorization", "")
                if path == "/token":
                    if given != basic:
                        self.fail(401, "UNAUTHORIZED", "wrong user or password")
                    else:
                        scope = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)["scope"][0]
                        self.reply(200, json.dumps({"token": scope}).encode())
                    return False
                writes = self.command in ("POST", "PUT")
                repository = re.match(r"^/v2/(.+?)/(blobs|manifests)/", path)
                scope = f"repository:{repository.group(1) if repository else ''}:{'pull,push' if writes else 'pull'}"
                if how == "Basic" and given == basic:
                    return True
                # A right to push is one to pull.
                if how == "Bearer" and given.startswith("Bearer " + scope.replace(":pull,push", ":pull")) and \
                        (not writes or given.endswith("push")):
                    return True
                self.send_response(401)
                self.send_header("WWW-Authenticate", f'Basic realm="here"' if how == "Basic" else
                                 f'Bearer realm="http://{registry.host}/token",service="here",scope="{scope}"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return False

            def handle_one(self):
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size)
                url = urllib.parse.urlparse(self.path)
                query = dict(urllib.parse.parse_qsl(url.query))
                with registry.lock:
                    registry.requests.append((self.command, self.path))
                    if not self.allowed(url.path):
                        return
                    for (method, part), status in registry.refuse.items():
                        if method == self.command and part in url.path:
                            self.fail(status, "DENIED", "not today")
                            return
                    self.answer(url.path, query, body)

            def answer(self, path, query, body):
                upload, blob, manifest = UPLOADS.match(path), BLOB.match(path), MANIFEST.match(path)
                if upload and self.command == "POST":
                    repository = upload.group(1)
                    if (query.get("from"), query.get("mount")) in registry.has:
                        registry.has.add((repository, query["mount"]))
                        registry.mounted.append(query["mount"])
                        self.reply(201, Location=f"/v2/{repository}/blobs/{query['mount']}")
                    else:
                        self.reply(202, Location=f"/v2/{repository}/blobs/uploads/7?state=x")
                elif upload and self.command == "PUT":
                    if query.get("state") != "x" or digest(body) != query["digest"]:
                        self.fail(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
                        return
                    registry.blobs[query["digest"]] = body
                    registry.has.add((upload.group(1), query["digest"]))
                    self.reply(201, Docker_Content_Digest=query["digest"])
                elif blob:
                    if (blob.group(1), blob.group(2)) not in registry.has:
                        self.fail(404, "BLOB_UNKNOWN", "blob unknown to registry")
                        return
                    data = registry.blobs[blob.group(2)]
                    if registry.damage:
                        data = data[:-1] + bytes([data[-1] ^ 1])
                    self.reply(200, data)
                elif manifest and self.command == "PUT":
                    self.put_manifest(manifest.group(1), manifest.group(2), body)
                elif manifest:
                    found = registry.manifests.get((manifest.group(1), manifest.group(2)))
                    if found:
                        self.reply(200, found[1], Content_Type=found[0], Docker_Content_Digest=digest(found[1]))
                    else:
                        self.fail(404, "MANIFEST_UNKNOWN", "manifest unknown")
                elif path == "/v2/":
                    self.reply(200)
                else:
                    self.fail(404, "UNKNOWN", "no such path")

            def put_manifest(self, repository, reference, body):
                document = json.loads(body)
                needed = [each["digest"] for each in document.get("layers", [])]
                needed += [document["config"]["digest"]] if "config" in document else []
                missing = [each for each in needed if (repository, each) not in registry.has]
                if missing or (reference.startswith("sha256:") and reference != digest(body)):
                    self.fail(400, "MANIFEST_INVALID", f"missing: {missing}")
                    return
                kind = self.headers["Content-Type"]
                registry.manifests[repository, reference] = registry.manifests[repository, digest(body)] = (kind, body)
                self.reply(201, Docker_Content_Digest=digest(body))

            do_GET = do_HEAD = do_POST = do_PUT = handle_one

        return Handler
