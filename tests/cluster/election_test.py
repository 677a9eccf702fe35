"""Several `chainsd --kubernetes` and one Lease: one leads, whatever happens to it, to the others and to the API server."""
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import unittest

from chains_testing import Home, children, is_alive, wait_until
from cluster_testing import ClusterTest

CHAINSD = os.path.join(os.environ["CHAINS_BUILD_DIR"], "chainsd")
LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/chainsd"
TIMES = "6000:5000:200"  # lease, deadline, renew: milliseconds


class Elector:
    def __init__(self, test, config, name, words=(), times=TIMES):
        self.home = Home()
        test.addCleanup(self.home.close)
        self.said = []
        env = {**self.home.env, "KUBECONFIG": config, "POD_NAME": name, "CHAINS_LEASE_TIMES": times}
        for one in ("KUBERNETES_SERVICE_HOST", "http_proxy", "HTTPS_PROXY"):
            env.pop(one, None)
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen([CHAINSD, "--kubernetes", "--port", "0", "--health-port", "0", *words], env=env,
                                        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        test.addCleanup(self.close)

    def read(self):
        for line in self.process.stderr:
            self.said.append(line.rstrip("\n"))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.end()

    def end(self):
        """Waits; gives the exit status."""
        code = self.process.wait(60)
        self.reader.join()  # the child's end of the pipe is closed as well: all are gone
        self.process.stderr.close()
        return code

    def has_said(self, words):
        return next((line for line in list(self.said) if words in line), None)

    def wait_for(self, words, limit_s=60):
        return wait_until(lambda: self.has_said(words), f"'{words}' in {self.said}", limit_s)

    def probe(self, path="/readyz", method="GET"):
        port = int(self.wait_for("probes are answered at").rsplit(":", 1)[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request(method, path)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def leads(self):
        return self.probe() == (200, "leads\n")

    def wait_to_lead(self):
        wait_until(self.leads, f"it leads: {self.said}", 60)

    def family(self):
        """The daemon's processes: keeper and brain."""
        keeper = children(self.process.pid)
        return [*keeper, *(pid for one in keeper for pid in children(one))]


class ElectionTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.api = self.new_api()
        self.path = self.config(cluster={"server": self.api.url})

    def elector(self, name, *words, **options):
        return Elector(self, self.path, name, words, **options)

    def two(self):
        """Who leads, and who stands by."""
        first = self.elector("first")
        first.wait_to_lead()
        second = self.elector("second")
        second.wait_for("stands by: first_")
        return first, second

    def lease(self):
        return self.api.objects[LEASE]["spec"]

    def holder(self):
        return self.lease()["holderIdentity"].split("_")[0]

    def assert_gone(self, family):
        self.assertEqual(len(family), 2)
        wait_until(lambda: not any(is_alive(pid) for pid in family), "the daemon's processes to be gone")

    def test_one_leads_and_hands_over(self):
        first, second = self.two()
        self.assertEqual(self.holder(), "first")
        self.assertEqual(self.lease()["leaseDurationSeconds"], 6)
        self.assertEqual(second.probe()[0], 503)
        self.assertTrue(second.probe()[1].startswith("stands by: first_"))
        self.assertEqual((second.probe("/healthz"), second.probe("/livez")), ((200, "ok\n"),) * 2)
        self.assertEqual(second.family(), [])
        first.process.terminate()
        self.assertEqual(first.end(), 0)
        second.wait_to_lead()
        self.assertEqual((self.holder(), self.lease()["leaseTransitions"]), ("second", 1))
        # It was given up, not waited for: in between nobody had it.
        holders = [obj["spec"]["holderIdentity"].split("_")[0] for _, _, _, obj in self.api.events]
        self.assertEqual([name for at, name in enumerate(holders) if not at or holders[at - 1] != name], ["first", "", "second"])
        second.process.send_signal(signal.SIGINT)
        self.assertEqual(second.end(), 0)
        self.assertEqual(self.holder(), "")

    def test_a_killed_leader_takes_its_daemon_along(self):
        first, second = self.two()
        family = first.family()
        first.process.kill()
        self.assert_gone(family)
        second.wait_to_lead()
        self.assertEqual(self.holder(), "second")

    def test_the_api_server_is_away(self):
        first, second = self.two()
        family = first.family()
        self.api.stop()
        first.wait_for("leads no more: the Lease couldn't be renewed in time; what ran is killed")
        self.assert_gone(family)
        for one in (first, second):
            wait_until(lambda: "the Lease can't be asked for: the API server" in one.probe()[1], "what is wrong")  # pylint: disable=cell-var-from-loop
            self.assertEqual(one.probe("/healthz")[0], 200)
        self.api.start()
        wait_until(lambda: [first.leads(), second.leads()].count(True) == 1, "one of them to lead", 60)

    def test_an_api_server_that_hangs(self):
        first = self.elector("first")
        first.wait_to_lead()
        family, held = first.family(), threading.Event()
        self.addCleanup(held.set)
        self.api.faults.append(lambda handler: held.wait(60))
        first.wait_for("leads no more")
        self.assert_gone(family)
        self.api.faults.clear()
        held.set()
        first.wait_to_lead()
        # It ends while it is held again.
        held.clear()
        self.api.faults.append(lambda handler: held.wait(60))
        self.assertEqual(len(first.family()), 2)
        first.process.terminate()
        self.assertEqual(first.end(), 0)

    def test_a_lease_that_is_taken_away(self):
        first = self.elector("first")
        first.wait_to_lead()
        family = first.family()
        self.api.put(LEASE, {"metadata": {}, "spec": {"holderIdentity": "other", "leaseDurationSeconds": 3600, "renewTime": "now"}})
        first.wait_for("leads no more: the Lease is another's; what ran is killed")
        self.assert_gone(family)
        wait_until(lambda: first.probe() == (503, "stands by: other leads\n"), "it to stand by")

    def test_a_lease_that_is_deleted(self):
        first, second = self.two()
        uid = self.api.objects[LEASE]["metadata"]["uid"]
        self.api.remove(LEASE)
        wait_until(lambda: self.api.objects.get(LEASE, {"metadata": {"uid": uid}})["metadata"]["uid"] != uid, "it to be there again")
        self.assertEqual(self.holder(), "first")
        self.assertTrue(first.leads())
        self.assertEqual(second.family(), [])
        self.assertFalse(first.has_said("leads no more"))

    def test_clocks_do_not_count(self):
        """What the record says of the time of day is in the future or the past; only whether it changes counts."""
        for renewed, duration, takes in (("1970-01-01T00:00:00.000000Z", 3600, False), ("2999-01-01T00:00:00.000000Z", 1, True)):
            self.api.put(LEASE, {"metadata": {}, "spec": {"holderIdentity": "other", "leaseDurationSeconds": duration, "renewTime": renewed}})
            seen = len(self.api.requests)
            one = self.elector("one")
            if takes:
                one.wait_to_lead()
            else:
                wait_until(lambda: len(self.api.requests) > seen + 8, "it to look several times")  # pylint: disable=cell-var-from-loop
                self.assertEqual(one.probe(), (503, "stands by: other leads\n"))
                self.assertEqual({method for method, _, _ in self.api.requests}, {"GET"})
            one.process.terminate()
            self.assertEqual(one.end(), 0)

    def test_a_leader_that_was_asleep(self):
        """Stopped for longer than the lease: when it goes on, another one leads."""
        first, second = self.two()
        family = first.family()
        first.process.send_signal(signal.SIGSTOP)
        second.wait_to_lead()
        first.process.send_signal(signal.SIGCONT)
        first.wait_for("leads no more")
        self.assert_gone(family)
        wait_until(lambda: first.probe()[1].startswith("stands by: second_"), "it to stand by")
        self.assertTrue(second.leads())

    def test_a_daemon_that_ends(self):
        first, second = self.two()
        keeper, brain = first.family()
        os.kill(brain, signal.SIGKILL)  # it is the keeper's to start another one
        wait_until(lambda: [pid for pid in first.family() if pid not in (keeper, brain)], "another brain")
        first.wait_to_lead()
        family = first.family()
        self.assertEqual(family[0], keeper)
        os.kill(keeper, signal.SIGKILL)
        self.assertEqual(first.end(), 1)
        self.assert_gone(family)
        self.assertTrue(first.has_said("the daemon ended: killed by signal 9 (Killed); giving the Lease up"))
        second.wait_to_lead()
        self.assertEqual(self.lease()["leaseTransitions"], 1)

    def test_a_daemon_that_can_not_begin(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            first = self.elector("first", "--port", str(taken.getsockname()[1]))
            self.assertEqual(first.end(), 1)
        self.assertTrue(first.has_said("is in use by another program"))
        self.assertEqual(self.holder(), "")
        second = self.elector("second", "--host", "nonsense")
        self.assertEqual(second.end(), 2)
        self.assertEqual(self.holder(), "")

    def test_who_may_not(self):
        self.api.faults.append(lambda handler: handler.reply(403, {
            "kind": "Status", "reason": "Forbidden", "message": 'leases.coordination.k8s.io "chainsd" is forbidden: User "u" cannot get resource "leases" '
            'in API group "coordination.k8s.io" in the namespace "default"'}) or True)
        first = self.elector("first")
        first.wait_for('must allow {apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get"]}')
        self.assertIn("stands by, and the Lease can't be asked for: u may not get leases", first.probe()[1])
        self.api.faults.clear()
        first.wait_to_lead()
        self.assertTrue(first.has_said("can be asked for again"))

    def test_leases_of_other_names(self):
        first, second = self.elector("first", "--lease", "one"), self.elector("second", "--lease=two.x")
        first.wait_to_lead()
        second.wait_to_lead()
        self.assertEqual({path.rsplit("/", 1)[1] for path in self.api.objects}, {"one", "two.x"})

    def test_probes_of_any_kind(self):
        first = self.elector("first")
        first.wait_to_lead()
        self.assertEqual([first.probe("/nothing")[0], first.probe("/healthz", "POST")[0], first.probe("/readyz", "HEAD"), first.probe("/readyz?verbose")[0]],
                         [404, 405, (200, ""), 200])
        port = int(first.has_said("probes are answered at").rsplit(":", 1)[1])
        for text in (b"", b"\r\n\r\n", b"GET", b"\x16\x03\x01\n\n", b"GET / HTTP/1.1\r\n" + b"a" * 20000):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                connection.sendall(text)
                if len(text) < 10000:
                    connection.shutdown(socket.SHUT_WR)
                try:
                    connection.recv(1000)
                except ConnectionResetError:
                    pass
        slow = socket.create_connection(("127.0.0.1", port))  # says nothing
        self.assertEqual(first.probe("/healthz")[0], 200)
        slow.close()

    def test_words_that_can_not_be_meant(self):
        def said(*words, config=self.path):
            done = subprocess.run([CHAINSD, *words], env={**self.env, "KUBECONFIG": config}, capture_output=True, text=True, check=False, timeout=60)
            return done.returncode, done.stderr
        self.assertEqual(said("--lease", "x"), (2, "chainsd: --lease and --health-port go with --kubernetes\n"))
        self.assertEqual(said("--health-port", "1"), (2, "chainsd: --lease and --health-port go with --kubernetes\n"))
        for name in ("", "A", "-a", "a/b", "x" * 254):
            self.assertEqual(said("--kubernetes", "--lease", name)[0], 2)
        self.assertEqual(said("--kubernetes", "--health-port", "65536")[0], 2)
        code, text = said("--kubernetes", config=os.path.join(self.folder, "absent"))
        self.assertEqual(code, 1)
        self.assertIn("no cluster is known", text)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            code, text = said("--kubernetes", "--health-port", str(taken.getsockname()[1]))
        self.assertEqual(code, 1)
        self.assertIn("choose another port with --health-port", text)


unittest.main(verbosity=2)
