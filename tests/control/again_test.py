"""A daemon that was killed is started again, as it was, by whoever needs it; one that was told to end is not."""
import os
import signal
import socket
import stat
import subprocess
import unittest

from chains_testing import CHAINS, command_of, is_alive, wait_until
from daemon_testing import DaemonTest, pause, service
from tls_test import make_certificate

AGAIN = "chainsd was killed; started again at "


class Again(DaemonTest):
    def kill_both(self):
        """Kills keeper and brain, whoever has started them, with no time for either to take notice."""
        keeper, brain = self.home.daemon_pid(), wait_until(self.home.brain_pid, "a brain")
        pause(keeper)
        os.kill(brain, signal.SIGKILL)
        wait_until(lambda: not is_alive(brain), "the brain to end")
        os.kill(keeper, signal.SIGKILL)
        wait_until(lambda: not is_alive(keeper), "the keeper to end")

    def good(self, *words):
        """Runs chains, which has to succeed; gives what it says besides its answer."""
        done = self.home.chains(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def fails(self, text, *words):
        done = self.home.chains(*words)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertIn(text, done.stderr)

    def start_other(self, **options):
        """Starts one by hand, in the place of one that was killed."""
        os.unlink(os.path.join(self.home.env["CHAINS_HOME"], "address"))  # so that the next one's isn't mistaken for it
        return self.start(**options)

    def words(self):
        """What the daemon was started with."""
        return command_of(self.home.daemon_pid()).decode().split("\0")[1:-1]

    def note(self):
        return os.path.join(self.home.env["CHAINS_HOME"], "started")

    def test_a_call_starts_it_where_it_was(self):
        daemon = self.start()
        daemon.deployed("x", service("entry"))
        address, pids = self.home.address(), daemon.pids("x")
        self.assertEqual(stat.S_IMODE(os.stat(self.note()).st_mode), 0o600)
        self.kill_both()
        self.assert_ended(pids)
        self.assertEqual(self.good("call", "x", "--input", '"report"'), f"{AGAIN}{address}\n")
        self.assertEqual(self.good("call", "x", "--input", '"report"'), "")
        port = address.rsplit(":", 1)[1]
        for _ in range(2):
            self.kill_both()
            self.assertEqual(self.good("status"), f"{AGAIN}{address}\n")
            self.assertEqual(self.words(), ["--port", port])

    def test_it_holds_nothing_of_whoever_started_it(self):
        """A lock or a pipe of a script that happens to start it is the script's alone."""
        self.start()
        self.kill_both()
        theirs, ours = os.pipe()
        self.addCleanup(os.close, theirs)
        os.set_blocking(theirs, False)
        done = self.home.chains("status", pass_fds=(ours,))
        os.close(ours)
        self.assertIn(AGAIN, done.stderr)
        self.assertEqual(os.read(theirs, 1), b"")

    def test_after_other_deaths(self):
        daemon = self.start()
        address = self.home.address()
        daemon.kill_brain()
        daemon.kill_keeper()
        self.assertEqual(self.good("status"), "")
        self.kill_both()
        self.assertEqual(self.good("status"), f"{AGAIN}{address}\n")

    def test_what_it_was_told_is_kept(self):
        make_certificate(self.home.path, "own")
        daemon = self.start(cwd=self.home.path, flags=[
            "--keep-results=0.5", "--host", "127.0.0.2", "--tls-cert", "own.pem", "--tls-key=own.key", "--allow-host", "a.example",
            "--max-connections", "77", "--allow-host=b.example"])
        address = self.home.address()
        self.assertTrue(address.startswith("https://127.0.0.2:"), address)
        said = ["--keep-results=0.5", "--host", "127.0.0.2", "--allow-host", "a.example", "--max-connections", "77",
                "--allow-host=b.example", "--port", daemon.address.rsplit(":", 1)[1],
                "--tls-cert", self.home.file("own.pem"), "--tls-key", self.home.file("own.key")]
        for _ in range(2):
            self.kill_both()
            self.assertEqual(self.good("status"), f"{AGAIN}{address}\n")
            self.assertEqual(self.words(), said)

    def test_many_at_once_start_one(self):
        self.start()
        address = self.home.address()
        for _ in range(5):
            self.kill_both()
            asking = [subprocess.Popen([CHAINS, "status", "--json"], env=self.home.env, text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(5)]
            said = ""
            for process in asking:
                out, errors = process.communicate(timeout=60)
                self.assertEqual((process.returncode, out), (0, "[]\n"), errors)
                said += errors
            self.assertEqual(said, f"{AGAIN}{address}\n")

    def test_one_that_was_told_to_end_stays_ended(self):
        daemon = self.start()
        self.assertEqual(daemon.stop(), 0)
        self.assertFalse(os.path.exists(self.note()))
        self.fails("no daemon runs", "status")
        self.start()
        self.kill_both()
        self.good("status")
        again = self.home.daemon_pid()
        os.kill(again, signal.SIGTERM)
        wait_until(lambda: not is_alive(again), "the daemon to end")
        self.fails("no daemon runs", "status")

    def test_one_that_is_killed_while_it_ends_stays_ended(self):
        daemon = self.start()
        daemon.deployed("x", service("entry"))
        self.in_thread(lambda: daemon.call("x", "sleep 60000"))
        wait_until(lambda: daemon.chain("x")["chainlets"][0]["in_flight"] == 1, "the call to run")
        os.kill(daemon.keeper(), signal.SIGTERM)
        wait_until(lambda: not os.path.exists(self.note()), "the end to begin")
        self.kill_both()
        self.fails("no daemon runs", "status")

    def test_its_port_is_taken(self):
        daemon = self.start(flags=["--keep-results", "2"])
        address, port = self.home.address(), int(daemon.address.rsplit(":", 1)[1])
        chain = self.home.file("hello")
        self.home.good("init", chain)
        self.kill_both()
        with socket.create_server(("127.0.0.1", port)):
            for _ in range(2):
                self.fails(f"port {port} is in use", "status")
        self.assertEqual(self.good("status"), f"{AGAIN}{address}\n")
        self.kill_both()
        with socket.create_server(("127.0.0.1", port)):
            said = self.good("deploy", chain, "--port", "0")
            self.assertIn(f"{AGAIN}{self.home.address()}\n", said)
            self.assertNotEqual(self.home.address(), address)
            self.assertEqual(self.words(), ["--keep-results", "2", "--port", str(port), "--port", "0"])

    def test_who_serves_says_how(self):
        self.start(flags=["--keep-results", "2"])
        self.kill_both()
        other = self.start_other(flags=["--keep-results", "3"])
        address = self.home.address()
        self.kill_both()
        self.assertEqual(self.good("status"), f"{AGAIN}{address}\n")
        self.assertEqual(self.words(), ["--keep-results", "3", "--port", other.address.rsplit(":", 1)[1]])

    def test_a_service_manager_starts_its_own(self):
        self.start()
        for name, value in (("NOTIFY_SOCKET", self.home.file("notify")), ("INVOCATION_ID", "1")):
            self.kill_both()
            self.home.env[name] = value
            self.start_other()
            del self.home.env[name]
            self.kill_both()
            keeper = self.home.daemon_pid()
            for words in (["status"], ["key", "list"], ["key", "create", "--scope", "call"]):
                self.fails("a service manager had started it", *words)
            self.assertEqual(self.home.daemon_pid(), keeper)
            self.start_other()
        # It was another process of which the manager said that: a terminal, and what was started there.
        self.kill_both()
        self.home.env.update(INVOCATION_ID="1", SYSTEMD_EXEC_PID="1")
        self.start_other()
        address = self.home.address()
        self.kill_both()
        self.assertEqual(self.good("status"), f"{AGAIN}{address}\n")

    def test_a_note_that_nobody_can_read(self):
        self.start()
        self.kill_both()
        for text in (b"", b"own", b"\0", b"other\0--port\0001\0"):
            with open(self.note(), "wb") as file:
                file.write(text)
            self.fails("no daemon runs", "status")
        with open(self.note(), "wb") as file:
            file.write(b"own\0--prot\0001\0")
        self.fails("Usage: chainsd", "status")


if __name__ == "__main__":
    unittest.main(verbosity=2)
