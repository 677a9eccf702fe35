#!/usr/bin/env python3
"""Minutes of calls through a deployed chain of three Chainlets while its replicas, its callers, the daemon's brain, its keeper, both, and
its courier are killed, stopped for a while, and started again, at random.

    make chaos [CHAOS_SECONDS=180] [CHAOS_SEED=1]

The seed decides what happens when, and to which one. Calls go through the front door, to the entrypoint's own socket as calls of other
Chainlets do, and into the queue of asynchronous requests. Each has to end as promised:

  - An answer is the right one, or a declared status.
  - A call between Chainlets fails for no death of a replica or a brain: those that the entrypoint makes have .retries, and those to the
    entrypoint's socket don't notice a brain's death. They fail where the very process that runs them is killed, and when the keeper is
    killed or the daemon ends, which takes all.
  - A call through the front door is cut where the brain, the keeper or both are killed under its connection, and is answered with
    UNAVAILABLE where the entrypoint's process is killed, or all are; both are counted apart, and nothing else may cut it or fail it. A process that is
    stopped holds it up.
  - Nobody is refused a connection but while brain and keeper are both gone, or the keeper of an entrypoint's socket.
  - A request that was accepted succeeds, and its webhook is told so.

Anything else is lost. Prints what happened and what became of the calls; exit status 1 if anything was lost, or something is left behind.
"""
import collections
import http.client
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import threading
import time

from calls import make_plan, right_answer
from chains_testing import BUILD, Home, children, command_of, is_alive, wait_until
from chaos_caller import CALL_LIMIT_S
from webhook_receiver import Receiver

SECONDS = float(os.environ.get("CHAOS_SECONDS", "180"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
CALLERS = 4  # processes
MOST_WAITING = 1000  # calls of a Chainlet: more than there ever are
REPLICAS = {"soak": 4, "part": 8, "crumb": 12}  # so many that none dies eight times without a stable minute in between
# How often what happens, and to whom. "end": the daemon is told to end, and started again.
WEIGHTS = {("replica", "kill"): 36, ("replica", "stop"): 14, ("brain", "kill"): 14, ("brain", "stop"): 6, ("keeper", "kill"): 5,
           ("keeper", "stop"): 6, ("both", "kill"): 4, ("daemon", "end"): 3, ("caller", "kill"): 6, ("caller", "stop"): 6,
           ("courier", "kill"): 8, ("courier", "stop"): 4}


def plan_events(seed, seconds):
    """[(at, whom, what, which, for how long)], in order."""
    rng = random.Random(seed)
    everyone = [(name, i) for name, count in REPLICAS.items() for i in range(count)]
    events, at, turn = [], 0.5, []
    while at < seconds:
        whom, what = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        which = rng.randrange(CALLERS)
        if whom == "replica":
            turn = turn or rng.sample(everyone, len(everyone))  # each in its turn
            which = turn.pop()
        events.append((at, whom, what, which, rng.uniform(0.1, 1.5)))
        at += rng.uniform(0.3, 2)
    return events


class Windows:
    """When something was allowed to go wrong, and for whom."""

    def __init__(self):
        self.lock = threading.Lock()
        self.windows = []  # [kind, from, to]; to None: it is open

    def open(self, kind):
        with self.lock:
            self.windows.append([kind, time.monotonic(), None])
            return self.windows[-1]

    def close(self, window):
        with self.lock:
            window[2] = window[2] or time.monotonic()

    def during(self, begin, end):
        """What kinds there were in that time."""
        with self.lock:
            return sorted({kind for kind, since, until in self.windows if since <= end and (until is None or until >= begin)})

    def covers(self, kinds, begin, end):
        return not set(kinds).isdisjoint(self.during(begin, end))


class Ledger:
    """What became of the calls."""
    OUTSIDE, INSIDE, LATER, TOLD = "through the front door", "to the entrypoint's socket", "asynchronous requests", "their webhooks"

    def __init__(self, windows):
        self.windows = windows
        self.lock = threading.Lock()
        self.made, self.counts = collections.Counter(), collections.Counter()
        self.statuses, self.inner, self.wrong = collections.Counter(), 0, []
        self.open = {}  # number: (kind, began)

    def begin(self, number, kind, began):
        with self.lock:
            self.made[kind] += 1
            self.open[number] = kind, began

    def lose(self, kind, why):
        self.counts[kind, "lost"] += 1
        if len(self.wrong) < 20:
            self.wrong.append(f"{kind}: {why}")

    def end(self, number, what, why, connected, ended, inner):
        with self.lock:
            kind, began = self.open.pop(number)
            if what == "good":
                self.counts[kind, "answered"] += 1
                self.inner += inner
            elif what == "cut" and self.windows.covers(self.who_cuts(kind), min(connected, began), ended):
                self.counts[kind, "cut"] += 1
            elif what == "refused" and self.windows.covers(self.who_refuses(kind), began, ended):
                self.counts[kind, "refused"] += 1
            elif what == "UNAVAILABLE" and self.windows.covers(self.who_fails(why), began, ended):
                self.counts[kind, "failed"] += 1
                self.statuses[what] += 1
            else:
                during = ", ".join(self.windows.during(began, ended)) or "nothing"
                self.lose(kind, f"{what}: {why}; it took {ended - began:.2f} s, during which there was: {during}")

    def who_cuts(self, kind):
        return ("soak" if kind == self.INSIDE else "brain", "keeper", "both", "daemon")

    def who_refuses(self, kind):
        """The front door stays open when one of the two is killed, the Chainlets' sockets when it isn't the keeper."""
        return ("both", "daemon") + (("keeper",) if kind == self.INSIDE else ())

    def who_fails(self, why):
        """Whose deaths are a reason for that. All replicas die with the keeper, one after the other."""
        return ("keeper", "both", "daemon") + (("soak",) if why.startswith("'soak' did not answer") else ())

    def leave(self, numbers):
        """Their caller was killed."""
        with self.lock:
            for number in numbers:
                if number in self.open:
                    self.counts[self.open.pop(number)[0], "left"] += 1


class CallerProcess:
    """A process that calls, and a thread that reads what it says."""

    def __init__(self, chaos, name):
        self.chaos, self.numbers = chaos, set()
        self.process = subprocess.Popen([sys.executable, "-B", os.path.join(os.path.dirname(__file__), "chaos_caller.py"), name,
                                         f"{SEED}.{name}", chaos.address, chaos.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        ledger = self.chaos.ledger
        for line in self.process.stdout:
            if not line.endswith(b"\n"):
                break
            said = json.loads(line)
            number = said["call"]
            if "began" in said:
                self.numbers.add(number)
                ledger.begin(number, ledger.INSIDE if said["inside"] else ledger.OUTSIDE, said["began"])
            else:
                self.numbers.discard(number)
                ledger.end(number, said["what"], said["why"], said["connected"], said["ended"], said["inner"])

    def kill(self):
        self.process.kill()
        self.thread.join()
        self.process.wait()
        self.chaos.ledger.leave(self.numbers)
        self.close()

    def finish(self):
        """Has it end its calls; false if it doesn't."""
        self.process.stdin.close()
        self.thread.join(CALL_LIMIT_S + 30)
        ended = not self.thread.is_alive()
        if not ended:
            self.process.kill()
            self.thread.join()
        self.process.wait()
        self.process.stdout.close()
        return ended

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()


class Requests:
    """Hands requests over, ten a second, and looks at the end whether each that was accepted has succeeded, and was told of."""

    def __init__(self, chaos):
        self.chaos, self.accepted, self.receiver = chaos, {}, Receiver()
        self.thread = threading.Thread(target=self.run)

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.chaos.address, timeout=CALL_LIMIT_S)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def run(self):
        rng = random.Random(f"{SEED}.requests")
        while not self.chaos.stop.wait(0.1):
            plan = dict(make_plan(rng), fail=-1)
            began = time.monotonic()
            try:
                status, answer = self.ask("POST", "/chains/soak/production/async_run_remote", json.dumps({"input": plan, "webhook": self.receiver.url}))
            except (OSError, http.client.HTTPException) as error:
                if not self.chaos.windows.covers(("brain", "keeper", "both", "daemon"), began, time.monotonic()):
                    self.chaos.ledger.lose(Ledger.LATER, f"handing over: {error!r}")
                continue
            if status == 202:
                self.chaos.ledger.made[Ledger.LATER] += 1
                self.accepted[answer["request_id"]] = right_answer(plan)
            elif not self.chaos.windows.covers(("daemon",), began, time.monotonic()):
                self.chaos.ledger.lose(Ledger.LATER, f"handing over: {answer}")

    def check(self):
        ledger = self.chaos.ledger
        for number, right in self.accepted.items():
            def ended(number=number):
                answer = self.ask("GET", f"/requests/{number}")[1]
                return answer if answer.get("status") not in ("QUEUED", "RUNNING") else None
            try:
                request = wait_until(ended, f"request {number}", 120)
            except AssertionError as why:
                ledger.lose(ledger.LATER, str(why))
                continue
            if request.get("status") == "SUCCEEDED" and request["result"] == right:
                ledger.counts[ledger.LATER, "answered"] += 1
            else:
                ledger.lose(ledger.LATER, f"{request} instead of {right}"[:1000])
            self.check_told(number, right)

    def check_told(self, number, right):
        ledger = self.chaos.ledger
        ledger.made[ledger.TOLD] += 1
        try:
            wait_until(lambda: number in self.receiver.told, f"the webhook of request {number}", 120)
        except AssertionError as why:
            ledger.lose(ledger.TOLD, str(why))
            return
        told = [json.loads(body) for _, body in self.receiver.told[number]]
        if all(request["status"] == "SUCCEEDED" and request["result"] == right for request in told):
            ledger.counts[ledger.TOLD, "answered"] += 1
        else:
            ledger.lose(ledger.TOLD, f"{told} instead of {right}"[:1000])


class Chaos:
    def __init__(self, home):
        self.home = home
        self.stop = threading.Event()
        self.windows, self.happened = Windows(), collections.Counter()
        self.ledger = Ledger(self.windows)
        self.address = home.address().removeprefix("http://")
        self.path = os.path.join(home.env["CHAINS_HOME"], "run", "soak", "production", "1", "soak.calls")
        self.daemons, self.held = [], []  # processes that were started; (until, pid, window) of what is stopped
        self.outages = []  # how long the front door took to answer after the brain was killed, seconds
        self.callers = [CallerProcess(self, f"{i}.0") for i in range(CALLERS)]
        self.requests = Requests(self)

    # What there is.

    def keeper(self):
        try:
            pid = self.home.daemon_pid()
        except (OSError, ValueError):
            return None
        return pid if is_alive(pid) and b"chainsd" in command_of(pid) else None

    def brain(self):
        keeper = self.keeper()
        return keeper and next((pid for pid in children(keeper) if b"--brain" in command_of(pid)), None)

    def courier(self):
        brain = self.brain()
        return brain and next((pid for pid in children(brain) if b"--courier" in command_of(pid)), None)

    def replicas(self, name):
        keeper = self.keeper()
        return sorted(pid for pid in children(keeper) if os.path.basename(command_of(pid).split(b"\0")[0]) == name.encode()) \
            if keeper else []

    def serves(self):
        connection = http.client.HTTPConnection(self.address, timeout=1)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    # What happens.

    def until(self, condition, what, limit_s=60):
        """Waits, and goes on with what was stopped meanwhile."""
        def look():
            self.let_go()
            return condition()
        return wait_until(look, what, limit_s)

    def kill(self, pid):
        os.kill(pid, signal.SIGKILL)
        self.until(lambda: not is_alive(pid), f"process {pid} to end")

    def hold(self, pid, for_s):
        os.kill(pid, signal.SIGSTOP)
        self.held.append((time.monotonic() + for_s, pid))

    def let_go(self, pid=None):
        """Lets go on what was stopped for long enough, or this one, or, with 0, all."""
        now = time.monotonic()
        for held in list(self.held):
            if held[1] == pid or pid == 0 or held[0] <= now:
                self.held.remove(held)
                try:
                    os.kill(held[1], signal.SIGCONT)
                except ProcessLookupError:
                    pass

    def start(self):
        """Starts the daemon, and returns when it serves."""
        def look():
            if not self.daemons or self.daemons[-1].poll() is not None:  # another one may still hold the lock
                with open(self.home.file("said"), "a", encoding="utf-8") as said:
                    self.daemons.append(subprocess.Popen([os.path.join(BUILD, "chainsd"), "--port", self.address.split(":")[1]],
                                                         env=self.home.env, stdout=subprocess.DEVNULL, stderr=said))
            return self.keeper() and self.serves()
        self.until(look, "the daemon to serve again")

    def happen(self, whom, what, which, for_s):
        """False if there is nobody to whom it could happen."""
        if whom == "caller":
            return self.trouble_caller(what, which, for_s)
        found = self.replicas(which[0]) if whom == "replica" else []
        pid = found[which[1]] if whom == "replica" and which[1] < len(found) else None
        keeper, brain = self.keeper(), self.brain()
        if whom == "courier":
            pid = self.courier()
        if not keeper or not brain or (whom in ("replica", "courier") and not pid):
            return False
        if what == "stop":
            self.hold({"brain": brain, "keeper": keeper}.get(whom, pid), for_s)
            return True
        window = self.windows.open(which[0] if whom == "replica" else whom)
        if whom in ("replica", "brain", "courier"):
            self.kill(pid or brain)
            self.windows.close(window)
            if whom == "brain" and not self.held:
                began = time.monotonic()
                self.until(self.serves, "another brain to serve")
                self.outages.append(time.monotonic() - began)
        else:
            {"keeper": self.kill_keeper, "both": self.kill_both, "daemon": self.end_daemon}[whom](keeper, brain)
        self.windows.close(window)
        return True

    def trouble_caller(self, what, which, for_s):
        old = self.callers[which]
        if what == "stop":
            self.hold(old.process.pid, for_s)
            return True
        self.let_go(old.process.pid)
        old.kill()
        self.callers[which] = CallerProcess(self, f"{which}.{sum(self.happened.values())}")
        return True

    def kill_keeper(self, keeper, brain):
        self.let_go(brain)  # which is to take its place
        self.kill(keeper)
        self.until(lambda: self.keeper() not in (None, keeper) and self.brain() and self.serves(), "another keeper to serve")

    def kill_both(self, keeper, brain):
        os.kill(keeper, signal.SIGSTOP)  # so that it starts no other
        self.kill(brain)
        self.kill(keeper)
        self.start()

    def end_daemon(self, keeper, _):
        self.let_go(0)
        os.kill(keeper, signal.SIGTERM)
        self.until(lambda: not is_alive(keeper), "the daemon to end", 90)
        self.start()

    def run(self):
        self.requests.thread.start()
        begin, told = time.monotonic(), 0
        for at, whom, what, which, for_s in plan_events(SEED, SECONDS):
            while time.monotonic() < begin + at:
                self.let_go()
                time.sleep(min(0.02, max(0, begin + at - time.monotonic())))
            try:
                if self.happen(whom, what, which, for_s):
                    self.happened[which[0] if whom == "replica" else whom, what] += 1
            except ProcessLookupError:
                pass  # it has ended by itself, with what was killed before
            if at >= told + 10:
                told = at
                print(f"{at:.0f} s: {sum(self.ledger.made.values())} calls, {sum(self.happened.values())} events, "
                      f"{sum(n for (_, how), n in self.ledger.counts.items() if how == 'lost')} lost", flush=True)
        while time.monotonic() < begin + SECONDS:
            self.let_go()
            time.sleep(0.02)
        self.let_go(0)

    def finish(self):
        """Ends the load; gives what is wrong then."""
        failures = []
        self.stop.set()
        self.requests.thread.join()
        for caller in self.callers:
            if not caller.finish():
                failures.append("a caller did not end")
        wait_until(self.all_ready, "all replicas to be ready again", 90)
        self.requests.check()
        wait_until(self.nobody_calls, "no call to be in flight", 30)
        if self.ledger.open:
            failures.append(f"{len(self.ledger.open)} calls without an end")
        return failures

    def chainlets(self):
        return self.home.status()[0]["chainlets"]

    def all_ready(self):
        return all(chainlet["ready"] == REPLICAS[chainlet["name"]] == len(chainlet["replicas"]) for chainlet in self.chainlets())

    def nobody_calls(self):
        return all(chainlet["in_flight"] == chainlet["waiting"] == 0 for chainlet in self.chainlets())


def print_table(chaos):
    ledger, happened = chaos.ledger, chaos.happened
    print(f"\nchaos: {SECONDS:.0f} s, seed {SEED}\n")
    print(f"{'what happened':32}{'killed':>9}{'stopped':>9}{'ended':>9}")
    for whom in (*REPLICAS, "brain", "keeper", "both", "courier", "daemon", "caller"):
        name = f"replicas of {whom}" if whom in REPLICAS else {"both": "brain and keeper", "caller": "callers"}.get(whom, whom)
        print(f"{name:32}" + "".join(f"{happened[whom, what]:9}" for what in ("kill", "stop", "end")))
    columns = ("answered", "failed", "cut", "refused", "left", "lost")
    print(f"\n{'calls':32}{'made':>9}" + "".join(f"{column:>9}" for column in columns))
    for kind in (ledger.OUTSIDE, ledger.INSIDE, ledger.LATER, ledger.TOLD):
        print(f"{kind:32}{ledger.made[kind]:9}" + "".join(f"{ledger.counts[kind, column]:9}" for column in columns))
    print(f"those that were answered made {ledger.inner} calls of part and crumb, with .retries: one that failed would have failed them")
    statuses = ", ".join(f"{name} {count}" for name, count in ledger.statuses.items()) or "none"
    print(f"failed by status: {statuses} (the entrypoint's process, or the daemon, was killed or ended)")
    if chaos.outages:
        print(f"after a brain's death the front door answered within {max(chaos.outages) * 1000:.0f} ms, and most often within "
              f"{statistics.median(chaos.outages) * 1000:.0f} ms")
    print("cut: the process that had the connection was killed; refused: nobody was there to take it, until it was started again; "
          "left: the caller was killed\n")


def copy_chain(home):
    """A copy of the chain, with as many replicas as it takes here, and room for all calls to wait when they are gone."""
    folder = home.copy("tests/soak/chain")
    for name, count in REPLICAS.items():
        path = os.path.join(folder, name + ".h")
        with open(path, encoding="utf-8") as file:
            text, changed = re.subn(r"\.min_replicas = \d+ \}", f".min_replicas = {count} }}, .max_queue = {MOST_WAITING}", file.read())
        assert changed == 1, path
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    return folder


def show_daemon(home):
    """What is to be known of a daemon that isn't as it should be."""
    print(home.chains("status").stdout, *(home.chains("logs", chain["name"], "--events").stdout for chain in home.status()))
    for path in (home.file("said"), os.path.join(home.env["CHAINS_HOME"], "chainsd.log")):
        if os.path.exists(path):
            with open(path, encoding="utf-8") as said:
                print(f"{path}:\n{said.read()[-20000:]}")


def main():
    home = Home()
    failures, pids = [], []
    try:
        home.good("deploy", copy_chain(home), "--port", "0")
        chaos = Chaos(home)
        wait_until(chaos.all_ready, "all replicas to be ready", 60)
        try:
            chaos.run()
            failures += chaos.finish()
        except AssertionError:
            show_daemon(home)
            raise
        finally:
            chaos.stop.set()
            chaos.let_go(0)
            for caller in chaos.callers:
                caller.process.kill()
            chaos.requests.receiver.close()
        pids = [pid for name in REPLICAS for pid in chaos.replicas(name)] + [chaos.keeper(), chaos.brain(), chaos.courier()]
        print_table(chaos)
        failures += chaos.ledger.wrong
    finally:
        home.close()
    failures += [f"process {pid} is left" for pid in pids if pid and is_alive(pid)]
    for failure in failures:
        print(f"FAIL: {failure}")
    print("chaos: " + ("failed" if failures else "passed"))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
