"""Chainlets that call each other over TCP with TLS on both sides: the programs of tests/e2e/faults by themselves, as in pods, with certificates
made here. Who may call whom, what a caller is told otherwise, and that nothing is lost while certificates and replicas change."""
import os
import signal
import socket
import ssl
import subprocess
import threading
import unittest
import urllib.request

from chains_testing import wait_until
from services import ServicesTest


class Between(ServicesTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority("ours")
        cls.authority("theirs")
        cls.certificate("good", "ours", "DNS:localhost,DNS:back,IP:127.0.0.1")
        cls.certificate("next", "theirs", "DNS:localhost,DNS:back,IP:127.0.0.1")
        cls.certificate("other_name", "ours", "DNS:other.example")
        cls.certificate("expired", "ours", "DNS:localhost,IP:127.0.0.1", "-not_before", "20200101000000Z",
                        "-not_after", "20200102000000Z")

    @classmethod
    def openssl(cls, *words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=cls.home.path)

    @classmethod
    def authority(cls, name):
        cls.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}")

    @classmethod
    def certificate(cls, name, authority, names, *dates):
        cls.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
                    "-out", f"{name}.csr", "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}")
        if not dates:
            with open(cls.home.file(f"{name}.ext"), "w", encoding="utf-8") as file:
                file.write(f"subjectAltName={names}\n")
            cls.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
                        "-CAcreateserial", "-days", "2", "-out", f"{name}.pem", "-extfile", f"{name}.ext")
            return
        # Only `openssl ca` signs for a time that is over.
        with open(cls.home.file("ca.conf"), "w", encoding="utf-8") as file:
            file.write("[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\n"
                       "default_md=sha256\npolicy=any\ncopy_extensions=copy\n[any]\ncommonName=supplied\n")
        with open(cls.home.file("index.txt"), "w", encoding="utf-8"):
            pass
        cls.openssl("ca", "-batch", "-config", "ca.conf", "-cert", f"{authority}.pem", "-keyfile", f"{authority}.key",
                    "-in", f"{name}.csr", "-out", f"{name}.pem", "-notext", "-startdate", dates[1], "-enddate", dates[3])

    def identity(self, name="good", trusted="ours"):
        return {"CHAINS_TLS_CERT": self.home.file(f"{name}.pem"), "CHAINS_TLS_KEY": self.home.file(f"{name}.key"),
                "CHAINS_TLS_CA": self.home.file(f"{trusted}.pem")}

    def start_back(self, **env):
        return self.start("back", {**self.identity(), "CHAINS_PROBES_LISTEN": "http://127.0.0.1:0", **env})

    def start_front(self, url, **env):
        return self.start_front_with({**self.identity(), "CHAINS_BACK_URL": url, **env})

    def expect(self, url, status, *texts, **env):
        front = self.start_front(url, **env)
        for _ in range(2):
            body = self.call(front)[1]
            self.assertIsInstance(body, dict, body)
            self.assertEqual(body["error"]["status"], status, body)
            for text in texts:
                self.assertIn(text, body["error"]["message"])
        front.end()

    def test_calls(self):
        back = self.start_back()
        port = back.address()[1]
        for url, env in [(f"https://localhost:{port}", {}), (f"https://127.0.0.1:{port}", {}),
                         (f"https://127.0.0.1:{port}", {"CHAINS_TLS_NAME": "back"})]:
            front = self.start_front(url, **env)
            for count in (1, 2, 40):  # of more than its two slots
                status, body = self.call(front, count)
                self.assertEqual((status, body), (200, [back.process.pid] * count))
            front.end()

    def test_what_is_wrong_with_the_service(self):
        back = self.start_back()
        url = f"https://localhost:{back.address()[1]}"
        self.expect(url, "UNAVAILABLE", "127.0.0.1", "not trusted", "self-signed certificate in certificate chain",
                    **self.identity("good", "theirs"))
        self.expect(url, "UNAVAILABLE", "127.0.0.1", "has not the name 'nobody'", CHAINS_TLS_NAME="nobody")
        for name, text in (("other_name", "has not the name 'localhost'"), ("expired", "certificate has expired")):
            service = self.start_back(**self.identity(name))
            self.expect(f"https://localhost:{service.address()[1]}", "UNAVAILABLE", "127.0.0.1", text)

    def test_what_is_wrong_with_the_caller(self):
        back = self.start_back()
        for host in ("localhost", "127.0.0.1"):  # as one of several replicas, and as the one
            url = f"https://{host}:{back.address()[1]}"
            self.expect(url, "PERMISSION_DENIED", "refused this program's certificate", **self.identity("next", "ours"))
            self.expect(url, "PERMISSION_DENIED", "certificate has expired", **self.identity("expired"))
            self.expect(url, "PERMISSION_DENIED", "it was shown none", CHAINS_TLS_CERT="", CHAINS_TLS_KEY="",
                        CHAINS_TLS_CA="", SSL_CERT_FILE=self.home.file("ours.pem"))

    def test_who_has_no_certificate_gets_the_probes(self):
        back = self.start_back()
        for path, text in (("/healthz", b"alive"), ("/readyz", b"ready"), ("/metrics", b"chains_")):
            with urllib.request.urlopen(back.probes + path, timeout=60) as answer:
                self.assertIn(text, answer.read())
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(back.probes + "/run_remote", data=b"{}", timeout=60)
        self.assertEqual(refused.exception.code, 404)
        refused.exception.close()

    def test_who_speaks_something_else(self):
        back = self.start_back()
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(back.url.replace("https", "http") + "/healthz", timeout=60)
        self.assertEqual((refused.exception.code, refused.exception.read()), (400, b"this port speaks TLS (https://)"))
        refused.exception.close()
        for garbage in (b"\0" * 4000, b"\x16\x03\x01\x02\x00\x01" + b"\xff" * 600, b"x", b""):
            with socket.create_connection(back.address(), 60) as connection:
                connection.sendall(garbage)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.load_verify_locations(self.home.file("ours.pem"))
        old.load_cert_chain(self.home.file("good.pem"), self.home.file("good.key"))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_connection(back.address(), 60) as connection, self.assertRaises(ssl.SSLError):
            old.wrap_socket(connection, server_hostname="localhost")
        front = self.start_front(f"https://localhost:{back.address()[1]}")
        self.assertEqual(self.call(front)[0], 200)
        with urllib.request.urlopen(back.probes + "/metrics", timeout=60) as answer:
            counts = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[0] != "#")
        self.assertEqual(counts['chains_tls_handshakes_total{chainlet="back"}'], "1")
        self.assertGreaterEqual(int(counts['chains_tls_refused_total{chainlet="back"}']), 5)

    def test_slow_handshakes_take_no_slot(self):
        back = self.start_back()
        slow = [socket.create_connection(back.address(), 60) for _ in range(40)]
        for connection in slow[::2]:
            connection.sendall(b"\x16\x03\x01")
        front = self.start_front(f"https://localhost:{back.address()[1]}")
        self.assertEqual(self.call(front, 20)[0], 200)
        for connection in slow:  # until they are closed there
            try:
                while connection.recv(4096):
                    pass
            except ConnectionError:
                pass
            connection.close()

    def test_what_cannot_start(self):
        env = dict(self.home.env, **self.identity())
        for change, listen, text in (
                ({"CHAINS_TLS_KEY": ""}, "http://127.0.0.1:0", "CHAINS_TLS_KEY is not set"),
                ({"CHAINS_TLS_KEY": "/none.key"}, "http://127.0.0.1:0", "/none.key: "),
                ({"CHAINS_TLS_KEY": self.home.file("next.key")}, "http://127.0.0.1:0", "next.key: key values mismatch"),
                ({"CHAINS_TLS_CA": self.home.file("good.key")}, "http://127.0.0.1:0", "good.key: "),
                ({"CHAINS_TLS_CERT": "", "CHAINS_TLS_KEY": "", "CHAINS_TLS_CA": ""}, "https://127.0.0.1:0",
                 "https is served here only with"),
                ({"CHAINS_PROBES_LISTEN": "nonsense"}, "http://127.0.0.1:0", "'nonsense'")):
            done = subprocess.run([os.path.join(self.bin, "back"), "--listen", listen], env=dict(env, **change),
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(text, done.stderr)

    def load(self, front, during):
        """Calls without a pause while during() goes on; gives what failed."""
        over, wrong, done = threading.Event(), [], []

        def work():
            while not over.is_set():
                status, body = self.call(front, 4, 1)
                done.append(1)
                if status != 200:
                    wrong.append(body)
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()

        def calls(count):
            until = len(done) + count
            wait_until(lambda: len(done) >= until, f"{count} calls", 60)
        try:
            during(calls)
        finally:
            over.set()
            for thread in threads:
                thread.join(60)
        return wrong

    def shown(self, service):
        """The certificate that it shows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(service.address(), 60) as connection:
            with context.wrap_socket(connection) as session:
                return ssl.DER_cert_to_PEM_cert(session.getpeercert(True))

    def test_certificates_change_under_load(self):
        """As a Secret's volume does it: a link to another folder, and the old authority beside the new one meanwhile."""
        def read(name):
            with open(self.home.file(name), encoding="utf-8") as file:
                return file.read()
        folder = self.home.file("volume")
        os.mkdir(folder)

        def swap(number, name, trusted):
            version = os.path.join(folder, f"..{number}")
            os.mkdir(version)
            for target, text in (("tls.crt", read(f"{name}.pem")), ("tls.key", read(f"{name}.key")), ("ca.crt", trusted)):
                with open(os.path.join(version, target), "w", encoding="utf-8") as file:
                    file.write(text)
            os.symlink(f"..{number}", os.path.join(folder, "..next"))
            os.rename(os.path.join(folder, "..next"), os.path.join(folder, "..data"))
        both = read("ours.pem") + read("theirs.pem")
        env = {"CHAINS_TLS_CERT": f"{folder}/..data/tls.crt", "CHAINS_TLS_KEY": f"{folder}/..data/tls.key",
               "CHAINS_TLS_CA": f"{folder}/..data/ca.crt"}
        swap(1, "good", read("ours.pem"))
        backs = [self.start_back(**env) for _ in range(2)]
        front = self.start_front(",".join(back.url for back in backs), **env)

        def change(calls):
            calls(20)
            swap(2, "good", both)
            calls(20)
            wait_until(lambda: all(self.shown(back) == read("good.pem") for back in backs), "the old certificate")
            swap(3, "next", both)
            wait_until(lambda: all(self.shown(back) == read("next.pem") for back in backs), "the new certificate")
            calls(20)
            # One that starts now has the new one from the start.
            late = self.start_front(",".join(back.url for back in backs), **self.identity("next", "theirs"))
            self.assertEqual(self.call(late, 8)[0], 200)
            swap(4, "expired", "nonsense")  # what is of no use is left alone
            wait_until(lambda: self.shown(backs[0]) and "was not read again" in backs[0].said(), "the warning")
            self.assertEqual(self.shown(backs[0]), read("next.pem"))
            calls(20)
        self.assertEqual(self.load(front, change), [])

    def test_replicas_come_and_go_under_load(self):
        backs = [self.start_back() for _ in range(3)]
        front = self.start_front(",".join(back.url for back in backs))

        def leave(calls):
            calls(30)
            backs[0].end()
            calls(30)
        self.assertEqual(self.load(front, leave), [])

        def die(calls):
            backs[1].end(signal.SIGKILL)
            calls(30)
        for body in self.load(front, die):  # only what it was running
            self.assertEqual(body["error"]["status"], "UNAVAILABLE", body)
            self.assertIn("lost while it may have been running", body["error"]["message"])
        self.assertEqual(self.load(front, lambda calls: calls(30)), [])
        self.assertEqual(set(self.call(front, 8)[1]), {backs[2].process.pid})


if __name__ == "__main__":
    unittest.main()
