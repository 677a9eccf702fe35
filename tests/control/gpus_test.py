"""GPUs given to processes: a daemon that finds a library which plays NVML (fake_nvml.c)."""
import os
import shutil
import unittest

from chains_testing import wait_until
from daemon_testing import STAND_IN, DaemonTest, scaling, service

FAKE_NVML = os.environ["CHAINS_FAKE_NVML"]
TWO = "NVIDIA A10G,NVIDIA A10G"


class Gpus(DaemonTest):
    def start_with(self, gpus):
        self.home.env.update(LD_LIBRARY_PATH=FAKE_NVML, FAKE_GPUS=gpus)
        self.home.env.pop("CUDA_VISIBLE_DEVICES", None)
        self.daemon = self.start()

    def seen(self, chain, chainlet=None):
        """What a process finds in CUDA_VISIBLE_DEVICES."""
        answer = self.daemon.call(chain, "report", chainlet=chainlet)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()["environment"]["CUDA_VISIBLE_DEVICES"]

    def refused(self, chain, *services):
        """Deploys what must be refused; gives the message."""
        answer = self.daemon.begin(chain, *services)
        self.assertEqual((answer.status, answer.error()["status"]), (400, "FAILED_PRECONDITION"), answer.body)
        return answer.error()["message"]

    def replicas(self, chain):
        return self.daemon.chain(chain)["chainlets"][0]["replicas"]

    def test_a_process_sees_its_own_and_no_others(self):
        self.start_with("NVIDIA T4," + TWO)
        self.daemon.deployed("poem", service("entry", "model", "other"), service("model", gpu="A10G"),
                             service("other", gpu="t4:1"))
        self.assertEqual(self.seen("poem"), "")
        self.assertEqual(self.seen("poem", "model"), "GPU-1")
        self.assertEqual(self.seen("poem", "other"), "GPU-0")
        self.daemon.deployed("more", service("entry", gpu="any"))
        self.assertEqual(self.seen("more"), "GPU-2")

    def test_what_is_not_there_is_refused_before_anything_is_made(self):
        self.start_with("NVIDIA T4")
        message = self.refused("poem", service("entry", gpu="A10G"))
        self.assertIn("entry needs a GPU of the kind A10G, and here there is NVIDIA T4", message)
        self.assertIn("`chains deploy --fake FILE.c`", message)
        self.assertIn("`--target kubernetes`, is not there yet", message)
        self.assertIn("2 GPUs", self.refused("poem", service("entry", gpu="T4:2")))
        self.assertEqual(self.daemon.ask("GET", "/api/v1/chains").json(), [])
        answer = self.daemon.begin("poem", service("entry", gpu="T4:none"))
        self.assertEqual((answer.status, answer.error()["status"]), (400, "INVALID_ARGUMENT"))

    def test_a_machine_without_any(self):
        self.start_with("")
        self.assertIn("and there is none here (the NVIDIA driver has no device)",
                      self.refused("poem", service("entry", gpu="any")))
        self.daemon.deployed("poem", service("entry"))
        self.assertEqual(self.seen("poem"), "")

    def test_an_update_needs_them_beside_the_old_version(self):
        self.start_with("NVIDIA A10G")
        self.daemon.deployed("poem", service("entry", gpu="A10G"))
        message = self.refused("poem", service("entry", gpu="A10G"))
        self.assertIn("too few are free: poem/production/1/entry/0 has NVIDIA A10G (number 0)", message)
        self.assertIn("`chains delete poem --environment production` ends", message)
        # Who is another chain can't be told that.
        message = self.refused("other", service("entry", gpu="any"))
        self.assertIn("poem/production/1/entry/0 has", message)
        self.assertNotIn("chains delete", message)
        self.assertEqual(self.seen("poem"), "GPU-0")
        self.assertEqual(self.daemon.change("DELETE", "/api/v1/chains/poem").status, 200)
        self.daemon.deployed("other", service("entry", gpu="any"))
        self.assertEqual(self.seen("other"), "GPU-0")

    def swap(self, chain, gpu):
        """Has another program take the place of a Chainlet's in development; gives what became of that."""
        program = self.home.file("program")
        shutil.copy(STAND_IN, program)
        with open(program, "ab") as file:
            file.write(b"another")
        answer = self.daemon.change("POST", f"/api/v1/chains/{chain}/environments/development/swap", {
            "chain": chain, "entrypoint": "entry", "services": [service("entry", binary=program, gpu=gpu)]})
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def test_a_swap_needs_them_beside_the_old_program(self):
        self.start_with(TWO)
        for chain in ("one", "two"):
            self.daemon.deployed(chain, service("entry", gpu="any"), environment="development", swappable=True)
        said = self.swap("one", "any")
        self.assertEqual((said["state"], said["chainlet"]), ("failed", "entry"))
        self.assertIn("too few are free", said["message"])
        self.assertEqual(self.daemon.call("one", "mark", environment="development").status, 200)
        self.assertEqual(self.daemon.change("DELETE", "/api/v1/chains/two").status, 200)
        self.assertEqual(self.swap("one", "any")["state"], "swapped")
        self.assertEqual(self.daemon.call("one", "mark", environment="development").status, 200)

    def test_an_update_with_enough_takes_others(self):
        self.start_with(TWO)
        self.daemon.deployed("poem", service("entry", gpu="A10G"))
        self.assertEqual(self.seen("poem"), "GPU-0")
        self.daemon.deployed("poem", service("entry", gpu="A10G"))
        self.assertEqual(self.seen("poem"), "GPU-1")
        wait_until(lambda: self.daemon.begin("poem", service("entry", gpu="A10G")).status == 202,
                   "the old version's GPU to be free")

    def test_a_new_brain_knows_who_has_which(self):
        self.start_with(TWO)
        self.daemon.deployed("poem", service("entry", gpu="A10G"))
        pid = self.replicas("poem")[0]["pid"]
        self.daemon.kill_brain()
        wait_until(lambda: self.replicas("poem")[0]["state"] == "ready", "the replica to be picked up")
        self.assertEqual((self.seen("poem"), self.replicas("poem")[0]["pid"]), ("GPU-0", pid))
        self.assertEqual(self.replicas("poem")[0]["gpus"], ["number 0"])  # nobody has looked again yet
        self.daemon.deployed("other", service("entry", gpu="A10G"))
        self.assertEqual(self.seen("other"), "GPU-1")
        self.assertEqual(self.replicas("poem")[0]["gpus"], ["NVIDIA A10G (number 0)"])
        self.assertIn(f"{pid} has NVIDIA A10G (number 0)", self.home.good("status"))
        self.assertIn("poem/production/1/entry/0 has NVIDIA A10G (number 0), other/production/1/entry/0 has",
                      self.refused("third", service("entry", gpu="A10G")))

    def test_what_dies_gets_one_again(self):
        self.start_with("NVIDIA A10G")
        self.daemon.deployed("poem", service("entry", gpu="A10G"))
        self.daemon.call("poem", "die")
        wait_until(lambda: self.replicas("poem")[0]["restarts"] == 1 and
                   self.replicas("poem")[0]["state"] == "ready", "another process")
        self.assertEqual(self.seen("poem"), "GPU-0")

    def test_after_both_were_killed_all_are_free(self):
        self.start_with("NVIDIA A10G")
        self.daemon.deployed("poem", service("entry", gpu="A10G"))
        self.daemon.kill_both()
        self.daemon = self.start()
        wait_until(lambda: self.replicas("poem") and self.replicas("poem")[0]["state"] == "ready",
                   "the chain to run again")
        self.assertEqual(self.seen("poem"), "GPU-0")

    def test_more_replicas_than_devices(self):
        self.start_with(TWO)
        self.daemon.deployed("poem", service("entry", gpu="A10G", scaling=scaling(min_replicas=1, max_replicas=3)))
        answer = self.daemon.change("PUT", "/api/v1/chains/poem/chainlets/entry/scaling",
                                    scaling(min_replicas=3, max_replicas=3))
        self.assertEqual(answer.status, 200, answer.body)

        def look():
            replicas = self.replicas("poem")
            return len(replicas) == 3 and replicas[1]["state"] == "ready" and replicas[2]["last_end"]
        why = wait_until(look, "the third to be refused")
        self.assertIn("cannot be run: poem/production/1/entry/2 needs a GPU of the kind A10G, and too few are free: "
                      "poem/production/1/entry/0 has NVIDIA A10G (number 0), poem/production/1/entry/1 has", why)
        self.assertEqual(self.replicas("poem")[0]["restarts"], 0)
        self.assertEqual(self.daemon.call("poem", "echo on").body, b'"on"')
        # One that goes leaves its device to the one that waits.
        pids = {replica["pid"] for replica in self.replicas("poem")[:2]}
        self.assertEqual(len(pids), 2)
        wait_until(lambda: "cannot be run" in self.home.good("status"), "the reason to be shown")

    def test_a_chain_on_a_machine_without_one(self):
        self.start_with("NVIDIA T4")
        folder = self.home.copy("tests/control/device")
        refused = self.home.chains("deploy", folder)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("needs a GPU of the kind A10G, and here there is NVIDIA T4", refused.stderr)
        self.assertIn("`chains deploy --fake FILE.c`", refused.stderr)
        self.assertFalse(os.path.exists(os.path.join(folder, ".chains", "bin")), "it was built")
        self.home.good("deploy", folder, "--fake", os.path.join(folder, "fake_device.c"))
        self.assertEqual(self.home.good("call", "desk", "--input", "{}"), '"fake"\n')

    def test_a_chain_on_a_machine_with_one(self):
        self.start_with("NVIDIA T4,NVIDIA A10G")
        self.home.good("deploy", self.home.copy("tests/control/device"))
        self.assertEqual(self.home.good("call", "desk", "--input", "{}"), '"GPU-1"\n')

    def test_what_is_only_checked(self):
        self.start_with("NVIDIA A10G")
        for services, status in ((service("entry", gpu="A10G"), 200), (service("entry", gpu="T4"), 400)):
            answer = self.daemon.change("POST", "/api/v1/chains?only_check=1", {
                "chain": "poem", "entrypoint": "entry", "services": [services]})
            self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(self.daemon.ask("GET", "/api/v1/chains").json(), [])

    def test_nobody_looks_for_what_nobody_asks(self):
        self.start_with(TWO)
        self.daemon.deployed("poem", service("entry"))
        with open(f"/proc/{self.daemon.brain()}/maps", encoding="utf-8") as maps:
            self.assertNotIn("nvidia-ml", maps.read())


if __name__ == "__main__":
    unittest.main(verbosity=2)
