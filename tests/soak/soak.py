#!/usr/bin/env python3
"""Minutes of calls through a deployed chain of three Chainlets while its replicas are killed and stopped at random, and for the first third the
daemon's brain as well.

Every call must end in the right answer or in a declared status, within its time; memory and descriptors of all processes must stay
flat; nothing may be left behind. Prints what happened, and exits with 1 if anything of this is not so.

    make soak [SOAK_SECONDS=180] [SOAK_SEED=1]
"""
import collections
import http.client
import json
import os
import random
import signal
import socket
import sys
import threading
import time

from calls import judge, make_plan
from chains_testing import Home, is_alive, wait_until

SECONDS = float(os.environ.get("SOAK_SECONDS", "180"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
CLIENTS = 12
CALL_LIMIT_S = 60  # for one call; far above what any takes, also on a busy machine
# What a call may end in here: its own failure, a replica that died under it, too much at once, its deadline.
EXPECTED = {"good", "UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"}


class Soak:
    def __init__(self, home):
        self.home = home
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.outcomes = collections.Counter()
        self.wrong = []
        self.slowest_s = 0.0
        self.killed = self.stopped = self.brains = 0
        self.address = home.address().removeprefix("http://")

    def note(self, outcome, began, wrong=None):
        with self.lock:
            self.outcomes[outcome] += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            if wrong and len(self.wrong) < 20:
                self.wrong.append(wrong)

    def judge(self, plan, status, body):
        """None if the answer is one that the call may have, else what is wrong with it."""
        what, why = judge(plan, status, body)
        return None if what in EXPECTED else f"{what}: {why}"

    def client(self, seed):
        rng = random.Random(seed)
        connection = None
        brains = 0  # that had been killed when the connection was made
        while not self.stop.is_set():
            plan = make_plan(rng)
            body = json.dumps(plan)
            headers = {"Content-Type": "application/json"}
            if rng.random() < 0.1:
                headers["X-Chains-Timeout-Ms"] = str(rng.choice([1, 5, 30, 1000]))
            began = time.monotonic()
            try:
                if connection is None:
                    brains = self.brains
                    connection = http.client.HTTPConnection(self.address, timeout=CALL_LIMIT_S)
                connection.request("POST", "/chains/soak/production/run_remote", body, headers)
                if rng.random() < 0.05:  # a caller that leaves
                    connection.close()
                    connection = None
                    self.note("left", began)
                    continue
                response = connection.getresponse()
                text = response.read()
                self.note(f"HTTP {response.status}", began, self.judge(plan, response.status, text))
            except (OSError, http.client.HTTPException, ValueError, KeyError) as why:
                if self.brains != brains and isinstance(why, (OSError, http.client.HTTPException)):
                    self.note("cut", began)
                else:
                    self.note("broken", began, f"{type(why).__name__}: {why} for a call of {len(body)} bytes")
                connection = None

    def replicas(self):
        return [replica["pid"] for chain in self.home.status() for chainlet in chain["chainlets"]
                for replica in chainlet["replicas"] if replica["pid"] and replica["state"] == "ready"]

    def kill_brain(self):
        """All calls through the front door are cut, and nothing else happens."""
        brain = wait_until(self.home.brain_pid, "a brain")
        self.brains += 1  # before anybody can notice
        os.kill(brain, signal.SIGKILL)
        wait_until(lambda: self.home.brain_pid() not in (None, brain), "another brain")

    def trouble(self, seed):
        rng = random.Random(seed)
        brains_until = time.monotonic() + SECONDS / 3  # a young brain would hide what an old one loses
        # Not so often that a Chainlet counts as failed: eight deaths of a process without a stable minute between them.
        while not self.stop.wait(rng.uniform(0.5, 4)):
            if time.monotonic() < brains_until and rng.random() < 0.6:
                self.kill_brain()
            pids = self.replicas()
            if not pids:
                continue
            pid = rng.choice(pids)
            try:
                if rng.random() < 0.7:
                    os.kill(pid, signal.SIGKILL)
                    self.killed += 1
                else:
                    os.kill(pid, signal.SIGSTOP)
                    self.stop.wait(rng.uniform(0.05, 0.5))
                    os.kill(pid, signal.SIGCONT)
                    self.stopped += 1
            except ProcessLookupError:
                pass


def usage(pid):
    """Resident KiB and descriptors of a process."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        resident = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    return resident, len(os.listdir(f"/proc/{pid}/fd"))


def all_ready(home):
    chain = home.status()[0]
    return all(replica["state"] == "ready" for chainlet in chain["chainlets"] for replica in chainlet["replicas"])


def sample(home, soak):
    """Resident KiB and descriptors: of the daemon, and the most of any replica. None if a process ends meanwhile."""
    found = []
    try:
        for pid in soak.replicas():
            try:
                found.append(usage(pid))
            except (OSError, StopIteration):
                pass  # it has just been killed
        keeper, brain = usage(home.daemon_pid()), usage(home.brain_pid())
    except (OSError, StopIteration, AssertionError):
        return None
    return (keeper[0] + brain[0], keeper[1] + brain[1], max((r for r, _ in found), default=0),
            max((d for _, d in found), default=0))


def check_flat(samples):
    """What has grown from the second third of the time to the last: buffers may grow to what the largest calls need, but not on and on."""
    third = len(samples) // 3
    failures = []
    for i, (what, slack) in enumerate((("resident KiB of the daemon", 4096), ("descriptors of the daemon", 32),
                                       ("resident KiB of a replica", 16384), ("descriptors of a replica", 64))):
        earlier = max(s[i] for s in samples[third:2 * third] if s)
        later = max(s[i] for s in samples[2 * third:] if s)
        print(f"{what}: at most {earlier} in the second third, {later} in the last")
        if later > earlier * 1.25 + slack:
            failures.append(f"{what} are not flat")
    return failures


def main():
    home = Home()
    failures = []
    try:
        home.good("deploy", home.copy("tests/soak/chain"), "--port", "0")
        soak = Soak(home)
        threads = [threading.Thread(target=soak.client, args=(SEED * 1000 + i,)) for i in range(CLIENTS)]
        threads.append(threading.Thread(target=soak.trouble, args=(SEED,)))
        for thread in threads:
            thread.start()
        end = time.monotonic() + SECONDS
        samples = []
        while time.monotonic() < end:
            soak.stop.wait(min(SECONDS / 30, max(0, end - time.monotonic())))
            samples.append(sample(home, soak))
            if len(samples) % 5 == 0:
                print(f"{sum(soak.outcomes.values())} calls, {soak.killed} killed, {soak.stopped} stopped, "
                      f"{soak.brains} brains killed", flush=True)
        soak.stop.set()
        for thread in threads:
            thread.join(CALL_LIMIT_S + 30)
            if thread.is_alive():
                failures.append("a call did not end")
        wait_until(lambda: all_ready(home), "all replicas to be ready again", 90)
        print(f"outcomes: {dict(soak.outcomes)}; slowest {soak.slowest_s:.2f} s")
        failures += soak.wrong
        if soak.outcomes["HTTP 200"] < sum(soak.outcomes.values()) / 2:
            failures.append("too few calls succeeded")
        if soak.killed < SECONDS / 8:
            failures.append("hardly any replica was killed")
        failures += check_flat(samples)
        pids = soak.replicas() + [home.daemon_pid()]
    finally:
        home.close()
    failures += [f"process {pid} is left" for pid in pids if is_alive(pid)]
    for failure in failures:
        print(f"FAIL: {failure}")
    print("soak: " + ("failed" if failures else "passed"))
    return 1 if failures else 0


if __name__ == "__main__":
    socket.setdefaulttimeout(CALL_LIMIT_S)
    sys.exit(main())
