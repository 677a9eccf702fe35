"""The front door by TLS: calls, certificates good and bad, and clients that behave badly."""
import hashlib
import http.client
import os
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import unittest

from chains_testing import wait_until
from daemon_testing import CHAINSD, DaemonTest, read_answer, service

ODD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "odd_service.py")
RUN = "/chains/x/production/run_remote"


def make_certificate(folder, name, names="DNS:localhost,IP:127.0.0.1"):
    """A certificate that is its own authority; gives the paths of certificate and key."""
    certificate, key = os.path.join(folder, f"{name}.pem"), os.path.join(folder, f"{name}.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=chains test",
                    "-addext", f"subjectAltName={names}"], check=True, capture_output=True)
    return certificate, key


def make_expired(folder, name):
    """The same, but of the year 2020."""
    _, key = make_certificate(folder, name)
    request, certificate, index = (os.path.join(folder, f"{name}.{ending}") for ending in ("request", "pem", "index"))
    with open(index, "w", encoding="ascii"):
        pass
    config = os.path.join(folder, f"{name}.conf")
    with open(config, "w", encoding="ascii") as file:
        file.write(f"[ca]\ndefault_ca=own\n[own]\ndatabase={index}\nnew_certs_dir={folder}\nrand_serial=yes\ndefault_md=sha256\n"
                   "policy=any\n[any]\ncommonName=supplied\n")
    subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=chains test", "-out", request], check=True,
                   capture_output=True)
    subprocess.run(["openssl", "ca", "-batch", "-selfsign", "-config", config, "-keyfile", key, "-in", request, "-out", certificate,
                    "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-notext"], check=True, capture_output=True)
    return certificate, key


def digest_of(path):
    with open(path, encoding="ascii") as file:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).hexdigest()


class TlsTest(DaemonTest):
    def setUp(self):
        super().setUp()
        self.certificate, self.key = make_certificate(self.home.path, "own")

    def flags(self):
        return ["--tls-cert", self.certificate, "--tls-key", self.key]

    def start_tls(self, **options):
        return self.start(flags=[*self.flags(), *options.pop("flags", [])],
                          tls=ssl.create_default_context(cafile=self.certificate), **options)


class Calls(TlsTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start_tls()
        self.daemon.deployed("x", service("entry", STAND_IN_SLOTS=4, max_queue=2000))

    def test_the_certificate_is_noted_until_the_daemon_ends(self):
        noted = self.daemon.home_file("certificate")
        with open(noted, encoding="ascii") as file:
            self.assertEqual(file.read().strip(), digest_of(self.certificate))
        self.assertEqual(self.daemon.stop(), 0)
        self.assertFalse(os.path.exists(noted))

    def test_calls_and_large_bodies(self):
        self.assertTrue(self.home.address().startswith("https://127.0.0.1:"))
        self.assertEqual(self.daemon.chain("x")["url"], self.home.address() + RUN)
        size = 20 * 1024 * 1024
        self.assertEqual(self.daemon.call("x", b"y" * size).json()["size"], size)
        self.assertEqual(self.daemon.call("x", f"big {size}").body, b"x" * size)
        connection = self.daemon.connection()
        connection.connect()
        first = connection.sock
        for _ in range(50):
            connection.request("POST", RUN, "")
            self.assertEqual(connection.getresponse().read(), b'{"mark":"","size":0}')
            self.assertIs(connection.sock, first)
        connection.close()

    def test_a_request_in_pieces_and_pipelined(self):
        with self.daemon.dial() as client:
            for byte in b"POST " + RUN.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc":
                client.sendall(bytes([byte]))
            self.assertIn(b'"size":3', read_answer(client)[2])
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200)
            answer = b""
            while answer.count(b'"status":"ok"') < 200:
                answer += client.recv(65536)

    def test_a_client_that_leaves_ends_the_call(self):
        client = self.daemon.dial()
        client.sendall(b"POST " + RUN.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nwait")
        wait_until(lambda: "waiting" in self.daemon.logs("x"), "the call to run")
        client.close()
        wait_until(lambda: "the caller has left" in self.daemon.logs("x"), "the service to notice")

    def test_a_goodbye_ends_the_call(self):
        client = self.daemon.dial()
        client.sendall(b"POST " + RUN.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nwait")
        wait_until(lambda: "waiting" in self.daemon.logs("x"), "the call to run")
        client.unwrap().close()
        wait_until(lambda: "the caller has left" in self.daemon.logs("x"), "the service to notice")

    def test_a_stream_comes_as_it_is_made(self):
        connection = self.daemon.connection()
        connection.request("GET", "/api/v1/chains/x/logs?tail=0&follow=1")
        answer = connection.getresponse()
        self.daemon.call("x", "die")
        self.assertIn(b"killed by signal 9", answer.readline())
        self.assertIn(b"ready to serve", answer.readline())
        connection.close()

    def test_events_of_a_chain_come_as_they_are_made(self):
        go_on = self.home.file("go_on")
        self.daemon.deployed("events", service("entry", binary=ODD, ODD="events", GO_ON=go_on))
        connection = self.daemon.connection()
        connection.request("POST", "/chains/events/production/run_remote", "")
        answer = connection.getresponse()
        self.assertEqual(answer.headers["Content-Type"], "text/event-stream")
        self.assertEqual(answer.read(7), b'{"n":1}')
        with open(go_on, "w", encoding="ascii"):
            pass
        self.assertEqual(answer.read(), b'{"n":2}')
        connection.close()

    def test_answers_end_with_a_goodbye(self):
        with self.daemon.dial() as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            self.assertEqual(read_answer(client)[0], 200)
            self.assertEqual(client.recv(100), b"")  # Python's ssl raises where an end comes without one

    def test_plain_http_is_told_where_to_go(self):
        connection = http.client.HTTPConnection(self.daemon.address, timeout=60)
        connection.request("POST", RUN, b"x" * 100000)
        answer = connection.getresponse()
        self.assertEqual(answer.status, 400)
        self.assertIn(b"https://", answer.read())
        connection.close()
        self.assertEqual(self.daemon.ask("GET", "/healthz").status, 200)

    def test_garbage(self):
        host, port = self.daemon.address.split(":")
        hello = self.hello()
        for text in (b"\x16\x03\x01\xff\xff" + b"\0" * 70000, b"\x16\x03\x01\x00\x05hello", hello[:20] + b"\xff" * 200,
                     hello + b"\x17\x03\x03\x40\x00" + os.urandom(16384), hello + b"\x15\x03\x03\x00\x02\x02\x28"):
            with socket.create_connection((host, int(port)), timeout=60) as client:
                try:
                    client.sendall(text)
                    while client.recv(65536):
                        pass
                except ConnectionError:
                    pass
        self.assertEqual(self.daemon.ask("GET", "/healthz").status, 200)

    @staticmethod
    def hello():
        """The first bytes of a client of TLS."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return outgoing.read()

    def test_hands_that_are_never_shaken_block_nobody(self):
        host, port = self.daemon.address.split(":")
        clients = [socket.create_connection((host, int(port))) for _ in range(100)]
        for client in clients[:50]:
            client.sendall(self.hello()[:100])
        self.assertEqual(self.daemon.call("x").status, 200)
        for client in clients:
            client.close()

    def test_versions_and_protocols(self):
        def offer(**limits):
            context = ssl.create_default_context(cafile=self.certificate)
            protocols = limits.pop("protocols", None)
            for name, value in limits.items():
                setattr(context, name, value)
            if protocols:
                context.set_alpn_protocols(protocols)
            host, port = self.daemon.address.split(":")
            with socket.create_connection((host, int(port)), timeout=60) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as client:
                    return client.version(), client.selected_alpn_protocol(), client.cipher()[0]
        self.assertEqual(offer()[0], "TLSv1.3")
        version, _, cipher = offer(maximum_version=ssl.TLSVersion.TLSv1_2)
        self.assertEqual(version, "TLSv1.2")
        self.assertRegex(cipher, "^ECDHE-.*(GCM|CHACHA20)")
        with self.assertRaises(ssl.SSLError):
            offer(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
        self.assertEqual(offer(protocols=["h2", "http/1.1"])[1], "http/1.1")
        with self.assertRaises(ssl.SSLError):
            offer(protocols=["h2"])

    def test_sessions_are_resumed(self):
        host, port = self.daemon.address.split(":")
        session, resumed = None, []
        for _ in range(3):
            with socket.create_connection((host, int(port)), timeout=60) as plain:
                with self.daemon.tls.wrap_socket(plain, server_hostname="localhost", session=session) as client:
                    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    self.assertEqual(read_answer(client)[0], 200)
                    session = client.session
                    resumed.append(client.session_reused)
        self.assertEqual(resumed, [False, True, True])

    def test_a_thousand_connections(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        clients = [self.daemon.dial() for _ in range(1000)]
        for client in clients:
            client.sendall(b"POST " + RUN.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab")
        for client in clients:
            status, _, body = read_answer(client)
            self.assertEqual((status, body), (200, b'{"mark":"","size":2}'))
        for client in clients:
            client.close()
        self.assertEqual(self.daemon.ask("GET", "/healthz").status, 200)


class Certificates(TlsTest):
    def test_the_command_line_trusts_that_very_certificate(self):
        daemon = self.start_tls()
        daemon.deployed("x", service("entry"))
        with open(daemon.home_file("certificate"), encoding="ascii") as file:
            noted = file.read().strip()
        self.assertEqual(noted, digest_of(self.certificate))
        self.assertIn("https://", self.home.good("status"))
        self.assertEqual(self.home.status()[0]["name"], "x")
        self.assertIn("ready to serve", self.home.good("logs", "x"))
        self.assertIn('"mark"', self.home.good("call", "x", "--input", "{}"))
        with open(daemon.home_file("certificate"), "w", encoding="ascii") as file:
            file.write("0" * 64 + "\n")
        done = self.home.chains("status")
        self.assertEqual(done.returncode, 1)
        self.assertIn("certificate", done.stderr)
        os.unlink(daemon.home_file("certificate"))
        self.assertEqual(self.home.chains("status").returncode, 1)

    def test_a_daemon_without_tls_leaves_no_certificate(self):
        daemon = self.start_tls()
        self.assertEqual(daemon.stop(), 0)
        daemon = self.start()
        self.assertFalse(os.path.exists(daemon.home_file("certificate")))

    def test_reading_again_drops_nobody(self):
        daemon = self.start_tls()
        daemon.deployed("x", service("entry"))
        old = daemon.dial()
        old.sendall(b"POST " + RUN.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nsleep 300")
        new_certificate, new_key = make_certificate(self.home.path, "next")
        shutil.copy(new_certificate, self.certificate)
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "stays as it was" in daemon.said(), "the mismatch to be said")
        self.assertIn("is not the key of", daemon.said())
        self.assertEqual(daemon.ask("GET", "/healthz").status, 200)  # by the old one
        shutil.copy(new_key, self.key)
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "were read again" in daemon.said(), "the new certificate to be read")
        with self.assertRaises(ssl.SSLError):
            daemon.ask("GET", "/healthz")
        daemon.tls = ssl.create_default_context(cafile=new_certificate)
        self.assertEqual(daemon.ask("GET", "/healthz").status, 200)
        self.assertEqual(read_answer(old)[2], b'"slept"')
        old.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertEqual(read_answer(old)[0], 200)
        old.close()
        self.assertEqual(self.home.chains("status").returncode, 0)

    def test_whoever_takes_over_speaks_tls(self):
        daemon = self.start_tls(flags=["--allow-host", "chains.example"])
        daemon.deployed("x", service("entry"))
        for end in (daemon.kill_brain, daemon.kill_keeper, daemon.kill_brain):
            end()
            wait_until(lambda: self.home.chains("status").returncode == 0, "the next one to serve")
            self.assertTrue(self.home.address().startswith("https://"))
            self.assertEqual(daemon.ask("GET", "/healthz", headers={"Host": "chains.example"}).status, 200)
            self.assertEqual(daemon.ask("GET", "/healthz", headers={"Host": "evil.example"}).status, 403)
            self.assertEqual(daemon.call("x").status, 200)
        os.kill(daemon.keeper(), signal.SIGHUP)
        wait_until(lambda: "were read again" in daemon.said(), "the certificate to be read again")

    def refused(self, *flags):
        done = subprocess.run([CHAINSD, "--port", "0", *flags], env=self.home.env, capture_output=True, text=True,
                              timeout=60, check=False)
        return done.returncode, done.stderr

    def test_bad_files(self):
        _, other_key = make_certificate(self.home.path, "other")
        secret = self.home.file("secret.key")
        subprocess.run(["openssl", "ec", "-in", self.key, "-aes128", "-passout", "pass:x", "-out", secret], check=True,
                       capture_output=True)
        nonsense = self.home.file("nonsense")
        with open(nonsense, "w", encoding="ascii") as file:
            file.write("-----BEGIN NONSENSE-----\n")
        for certificate, key, said in ((self.certificate, other_key, "is not the key of the certificate"),
                                       (self.certificate, "/nowhere", "/nowhere cannot be read"),
                                       ("/nowhere", self.key, "/nowhere cannot be read"),
                                       (nonsense, self.key, "is no certificate"),
                                       (self.certificate, nonsense, "is no private key"),
                                       (self.certificate, self.certificate, "is no private key"),
                                       (self.certificate, secret, "has a passphrase")):
            status, text = self.refused("--tls-cert", certificate, "--tls-key", key)
            self.assertEqual(status, 1, text)
            self.assertIn(said, text)
        for flags in (["--tls-cert", self.certificate], ["--tls-key", self.key]):
            status, text = self.refused(*flags)
            self.assertEqual(status, 2)
            self.assertIn("--tls-cert and --tls-key go together", text)

    def test_an_expired_certificate_is_a_warning(self):
        self.certificate, self.key = make_expired(self.home.path, "old")
        daemon = self.start_tls()
        self.assertIn("expired on", daemon.said())
        self.assertEqual(self.home.chains("status").returncode, 0)

    def test_the_names_of_the_certificate_are_ours(self):
        self.certificate, self.key = make_certificate(self.home.path, "named", "DNS:localhost,DNS:chains.example,DNS:*.wild.example,IP:127.0.0.1")
        daemon = self.start_tls()
        for host, status in (("chains.example", 200), ("a.wild.example:8600", 200), ("other.example", 403)):
            self.assertEqual(daemon.ask("GET", "/healthz", headers={"Host": host}).status, status, host)


if __name__ == "__main__":
    unittest.main(verbosity=2)
