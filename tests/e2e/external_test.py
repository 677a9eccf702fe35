"""Services deployed elsewhere, over http and https: the chain of tests/e2e/external, and a server of the test's own."""
import http.server
import json
import ssl
import subprocess
import threading
import unittest

from chains_testing import HomeTest


class Weather(http.server.BaseHTTPRequestHandler):
    """Answers for Berlin, refuses without the key, and is not well otherwise."""

    protocol_version = "HTTP/1.1"
    seen = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Weather.seen.append((self.path, dict(self.headers), body))
        if self.headers["Authorization"] != "Bearer s3cret":
            self.answer(401, b'{"detail": "who are you?"}')
        elif body["city"] == "Berlin":
            self.answer(200, json.dumps({"celsius": 7.25, "summary": "rain", "more": [1]}).encode())
        else:
            self.answer(404, f"no weather station in {body['city']}".encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class External(HomeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.chain = cls.home.copy("tests/e2e/external")
        cls.certificate = cls.home.file("certificate.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-keyout", cls.home.file("key.pem"), "-out", cls.certificate,
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                       check=True, capture_output=True)
        cls.plain = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Weather)
        cls.secure = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Weather)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cls.certificate, cls.home.file("key.pem"))
        cls.secure.socket = context.wrap_socket(cls.secure.socket, server_side=True)
        for server in (cls.plain, cls.secure):
            threading.Thread(target=server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        for server in (cls.plain, cls.secure):
            server.shutdown()
            server.server_close()
        super().tearDownClass()

    def run_chain(self, url, *words, city="Berlin", env=None):
        env = dict(env or {}, CHAINS_WEATHER_URL=url)
        return self.home.chains("run", self.chain, "--input", json.dumps({"city": city}), *words,
                                env=env)

    def http_url(self):
        return f"http://127.0.0.1:{self.plain.server_address[1]}"

    def https_url(self):
        return f"https://localhost:{self.secure.server_address[1]}"

    def test_http(self):
        Weather.seen.clear()
        done = self.run_chain(self.http_url(), "--secret", "weather_key=s3cret")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads(done.stdout), "rain in Berlin, 7.2 degrees")
        path, headers, body = Weather.seen[0]
        self.assertEqual((path, body), ("/v1/forecast", {"city": "Berlin"}))
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertRegex(headers["traceparent"], "^00-[0-9a-f]{32}-[0-9a-f]{16}-00$")

    def test_https(self):
        done = self.run_chain(self.https_url(), "--secret", "weather_key=s3cret",
                              env={"SSL_CERT_FILE": self.certificate})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads(done.stdout), "rain in Berlin, 7.2 degrees")

    def test_a_certificate_that_nobody_vouches_for_is_refused(self):
        done = self.run_chain(self.https_url(), "--secret", "weather_key=s3cret")
        self.assertEqual(done.returncode, 1)
        self.assertIn("UNAVAILABLE", done.stderr)
        self.assertIn("certificate", done.stderr)

    def test_a_foreign_error_is_quoted(self):
        done = self.run_chain(self.http_url(), "--secret", "weather_key=s3cret", city="Nowhere")
        self.assertEqual(done.returncode, 1)
        self.assertIn("NOT_FOUND", done.stderr)
        self.assertIn("no weather station in Nowhere", done.stderr)

    def test_a_wrong_key_and_none(self):
        done = self.run_chain(self.http_url(), "--secret", "weather_key=wrong")
        self.assertIn("UNAUTHENTICATED", done.stderr)
        done = self.run_chain(self.http_url())
        self.assertIn("FAILED_PRECONDITION", done.stderr)
        self.assertIn("weather_key", done.stderr)
        self.assertNotIn("s3cret", done.stderr + done.stdout)

    def test_nobody_there(self):
        done = self.run_chain("http://127.0.0.1:1", "--secret", "weather_key=s3cret")
        self.assertEqual(done.returncode, 1)
        self.assertIn("UNAVAILABLE", done.stderr)
        self.assertIn("127.0.0.1:1", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
