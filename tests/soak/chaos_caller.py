"""A process of tests/soak/chaos.py that calls the chain until its standard input ends, and may be killed or stopped at any moment.

Writes a line of JSON when a call begins and one when it has ended: what became of it, and since when it had its
connection. Times are CLOCK_MONOTONIC, which all processes share.
"""
import http.client
import json
import os
import random
import socket
import sys
import threading
import time

from calls import inner_calls, judge, make_plan

CALL_LIMIT_S = 60  # far above what any call takes, also on a busy machine
PAUSE_S = 0.02  # after a connection that wasn't accepted


class Caller:
    """One thread's calls, one after the other: through the front door, or to the entrypoint's socket as other Chainlets do."""

    def __init__(self, name, seed, address, path, stop):
        self.name, self.rng, self.address, self.path, self.stop = name, random.Random(seed), address, path, stop
        self.connection, self.connected_at, self.count = None, None, 0

    def say(self, **what):
        os.write(1, json.dumps(what).encode() + b"\n")  # whole: it is short

    def connect(self):
        self.connected_at = time.monotonic()
        if self.address:
            self.connection = http.client.HTTPConnection(self.address, timeout=CALL_LIMIT_S)
            self.connection.connect()
            return
        self.connection = http.client.HTTPConnection("localhost", timeout=CALL_LIMIT_S)
        self.connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.connection.sock.settimeout(CALL_LIMIT_S)
        self.connection.sock.connect(self.path)

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def outcome(self, plan):
        """What became of a call, and why."""
        try:
            if not self.connection:
                self.connect()
        except OSError as error:
            self.close()
            return "refused", repr(error)
        try:
            self.connection.request("POST", "/chains/soak/production/run_remote" if self.address else "/run_remote",
                                    json.dumps(plan), {"Content-Type": "application/json"})
            response = self.connection.getresponse()
            what, why = judge(plan, response.status, response.read())
        except TimeoutError:
            self.close()
            return "silent", f"nothing within {CALL_LIMIT_S} s"
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return "cut", repr(error)
        except (ValueError, KeyError) as error:
            self.close()
            return "wrong", repr(error)
        # Half of the callers keep their connections, and nobody keeps one to a Chainlet.
        if not self.address or self.rng.random() < 0.5:
            self.close()
        return what, why

    def run(self):
        while not self.stop.is_set():
            plan, self.count = make_plan(self.rng), self.count + 1
            number = f"{self.name}.{self.count}"
            self.say(call=number, inside=not self.address, began=time.monotonic())
            if not self.connection:
                self.connected_at = time.monotonic()
            what, why = self.outcome(plan)
            self.say(call=number, what=what, why=why[:400], connected=self.connected_at, ended=time.monotonic(),
                     inner=inner_calls(plan))
            if what in ("cut", "refused"):
                self.stop.wait(PAUSE_S)
        self.close()


def main():
    name, seed, address, path = sys.argv[1:]
    stop = threading.Event()
    callers = [Caller(f"{name}.{i}", f"{seed}.{i}", where, path, stop) for i, where in enumerate((address, address, None))]
    threads = [threading.Thread(target=caller.run) for caller in callers]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
