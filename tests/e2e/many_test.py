"""Many Chainlets with many replicas on one machine: they start, answer, go to zero, come back, and leave nothing.

1,000 processes of 40 Chainlets, which are written here and form a tree. CHAINS_TEST_MANY is another number of Chainlets, with fewer
replicas each: `make many` has 200, most of whose time is that of compilers. A sanitizer's processes are too large for so many.
Times and memory are printed, and nothing is asserted of them.
"""
import concurrent.futures
import http.client
import json
import os
import time
import unittest
from urllib.parse import urlsplit

from chains_testing import HomeTest, children, wait_until

SANITIZED = bool(os.environ.get("CHAINS_TEST_SANITIZE"))
CHAINLETS = int(os.environ.get("CHAINS_TEST_MANY") or (20 if SANITIZED else 40))
REPLICAS = max((100 if SANITIZED else 1000) // CHAINLETS, 1)
TOTAL = CHAINLETS * REPLICAS
LIMIT_S = 1200  # on a slow machine

# What all of them do.
SHARED = """#pragma once
#include <chains.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

/* Waits in a folder for as many as count, one process each. */
static inline chains_status meet(chains_ctx *ctx, const char *folder, int count)
{
    close(open(chains_printf(ctx, "%s/%d", folder, (int)getpid()), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    for (int there = 0; there < count; usleep(500)) {
        if (chains_cancelled(ctx))
            return chains_fail(ctx, CHAINS_CANCELLED, "%d of %d came", there, count);
        there = -2; /* "." and ".." */
        DIR *entries = opendir(folder);
        while (entries && readdir(entries))
            there++;
        if (entries)
            closedir(entries);
    }
    return CHAINS_OK;
}
"""

HEADER = """#pragma once
#include "shared.h"
{includes}
/** One of many. */
CHAINLET({name}, .concurrency = 1,{entrypoint} .autoscaling = {{ .min_replicas = {replicas}, .max_replicas = {replicas} }});

{name} *{name}_new(chains_ctx *ctx{dependencies});
/** Meets others of its kind, or counts itself and all below it.
 *  @param folder  where it meets them; "": it counts
 *  @param others  how many it meets, itself among them
 *  @param pid     its process
 *  @param counted how many Chainlets there are from it downwards */
chains_status {name}_run_remote({name} *self, chains_ctx *ctx, const char *folder CHAINS_DEFAULT(""),
                                int others CHAINS_DEFAULT(1), int *pid, int *counted);
void {name}_free({name} *self);
"""

SOURCE = """#include "{name}.h"

struct {name} {{
    int unused;
{members}}};

{name} *{name}_new(chains_ctx *ctx{dependencies})
{{
    {name} *self = chains_alloc(ctx, sizeof *self);
{keeps}    return self;
}}

chains_status {name}_run_remote({name} *self, chains_ctx *ctx, const char *folder, int others, int *pid, int *counted)
{{
    *pid = getpid();
    *counted = 1;
    if (*folder)
        return meet(ctx, folder, others);
    chains_ctx *all = chains_gather(ctx);
    int pids[2], counts[2] = {{ 0 }};
    (void)self, (void)pids;
{calls}    CHAINS_TRY(chains_wait(all));
    *counted += counts[0] + counts[1];
    return CHAINS_OK;
}}

void {name}_free({name} *self)
{{
    (void)self;
}}
"""


def write_tree(folder, prefix, length, replicas):
    """Chainlets of which each depends on two others, but for the last ones."""
    def write(name, text):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    os.makedirs(folder)
    write("shared.h", SHARED)
    for number in range(length):
        below = [f"{prefix}{n}" for n in (2 * number + 1, 2 * number + 2) if n < length]
        parts = {
            "name": f"{prefix}{number}", "replicas": replicas, "entrypoint": "" if number else " .entrypoint = true,",
            "includes": "".join(f'#include "{name}.h"\n' for name in below),
            "dependencies": "".join(f", {name} *its_{name}" for name in below),
            "members": "".join(f"    {name} *its_{name};\n" for name in below),
            "keeps": "".join(f"    self->its_{name} = its_{name};\n" for name in below),
            "calls": "".join(f'    CHAINS_TRY({name}_run_remote(self->its_{name}, all, "", 1, &pids[{i}], &counts[{i}]));\n'
                             for i, name in enumerate(below)),
        }
        write(parts["name"] + ".h", HEADER.format(**parts))
        write(parts["name"] + ".c", SOURCE.format(**parts))


def shared_out_kib(pid):
    """Its memory, of shared pages its share."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def report(what, value):
    print(f"{what:52} {value}", flush=True)


class Timed:
    """Says how long what is done within takes."""

    def __init__(self, what):
        self.what = what

    def __enter__(self):
        self.began = time.monotonic()

    def __exit__(self, *_):
        report(self.what, f"{time.monotonic() - self.began:.2f} s")


class Many(HomeTest):
    def ask(self, method, path, body=None):
        place = urlsplit(self.home.address())
        with open(os.path.join(self.home.env["CHAINS_HOME"], "token"), encoding="utf-8") as token:
            headers = {"Authorization": "Bearer " + token.read().strip(), "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        self.assertEqual(answer.status, 200, text)
        return json.loads(text)

    def chainlets(self):
        return self.ask("GET", "/api/v1/chains/part0")["chainlets"]

    def pids(self):
        """Its processes that are ready, by Chainlet."""
        pids = {chainlet["name"]: {replica["pid"] for replica in chainlet["replicas"] if replica["state"] == "ready"}
                for chainlet in self.chainlets()}
        self.assertNotIn(0, set().union(*pids.values()), "a process that is ready is known")
        return pids

    def assert_all_below_answer(self):
        self.assertEqual(self.ask("POST", "/chains/part0/production/run_remote", {})["counted"], CHAINLETS)

    def meet(self, name):
        """Calls all replicas of a Chainlet, none of which answers before all have been called; gives their processes."""
        folder = self.home.file(f"meeting-{name}")
        os.mkdir(folder)
        with concurrent.futures.ThreadPoolExecutor(REPLICAS) as pool:
            answers = pool.map(lambda _: self.ask("POST", f"/chains/part0/production/chainlets/{name}/run_remote",
                                                  {"folder": folder, "others": REPLICAS}), range(REPLICAS))
            return {answer["pid"] for answer in answers}

    def used(self):
        """What may not grow: processes, descriptors of the daemon's two, files of the home, shared memory with names."""
        keeper, brain = self.home.daemon_pid(), self.home.brain_pid()
        home = self.home.env["CHAINS_HOME"]
        files = sorted(os.path.join(folder, name)[len(home):] for folder, folders, names in os.walk(home)
                       for name in folders + names)
        with open("/proc/net/unix", encoding="utf-8") as table:
            sockets = sorted(line.split()[7] for line in table if home in line)
        return {"processes": len(children(keeper)), "sockets": sockets, "files": files,
                "keeper": len(os.listdir(f"/proc/{keeper}/fd")), "brain": len(os.listdir(f"/proc/{brain}/fd")),
                "shared memory": sorted(name for name in os.listdir("/dev/shm") if "chains" in name)}

    def start(self):
        """Gives the processes by Chainlet."""
        folder = self.home.file("many")
        write_tree(folder, "part", CHAINLETS, REPLICAS)
        with Timed(f"{CHAINLETS} Chainlets built within"):
            self.home.good("build", folder, limit_s=LIMIT_S)
        with Timed(f"{TOTAL} replicas deployed and ready within"):
            self.home.good("deploy", folder, limit_s=LIMIT_S)
            wait_until(lambda: sum(map(len, self.pids().values())) == TOTAL, "all to be ready", LIMIT_S)
        pids = self.pids()
        self.assertEqual([len(found) for found in pids.values()], [REPLICAS] * CHAINLETS)
        self.assertEqual(len(set().union(*pids.values())), TOTAL)
        return pids

    def answer(self, pids):
        with Timed(f"a call that passes through all {CHAINLETS} Chainlets"):
            self.assert_all_below_answer()
        took = []
        for name, expected in pids.items():
            began = time.monotonic()
            self.assertEqual(self.meet(name), expected, name)
            took.append((time.monotonic() - began) * 1000)
        took.sort()
        report(f"all {REPLICAS} replicas of a Chainlet called at once",
               f"median {took[len(took) // 2]:.1f} ms, longest {took[-1]:.1f} ms")

    def weigh(self, pids):
        memory = sum(shared_out_kib(pid) for found in pids.values() for pid in found)
        report("memory of a replica, shared pages shared out", f"{memory / TOTAL / 1024:.2f} MiB; all: {memory >> 10} MiB")
        memory = shared_out_kib(self.home.daemon_pid()) + shared_out_kib(self.home.brain_pid())
        report("memory of the daemon's two processes", f"{memory / 1024:.1f} MiB")

    def rest_and_wake(self, names):
        with Timed("all at zero within"):
            for name in names:
                self.ask("PUT", f"/api/v1/chains/part0/chainlets/{name}/scaling",
                         {"min_replicas": 0, "scale_to_zero_delay_s": 0, "window_s": 1})
            wait_until(lambda: all(c["state"] == "at_zero" and not c["replicas"] for c in self.chainlets()),
                       "all to be at zero", LIMIT_S)
        with Timed(f"a call that wakes all {CHAINLETS}, and its answer"):
            self.assert_all_below_answer()

    def end(self, before):
        def gone():
            now = self.used()
            now["brain"] = min(now["brain"], before["brain"])  # it may have closed a connection
            return now == before
        with Timed("deleted, and nothing left, within"):
            self.home.good("delete", "part0")
            try:
                wait_until(gone, "all to be as before")
            except AssertionError:
                self.assertEqual(self.used(), before)  # which says what isn't
                raise

    def test_they_start_answer_and_end(self):
        write_tree(self.home.file("one"), "only", 1, 1)
        self.home.good("deploy", self.home.file("one"), "--port", "0")
        self.home.good("call", "only0")
        before = self.used()
        pids = self.start()
        self.answer(pids)
        self.weigh(pids)
        self.rest_and_wake(pids)
        self.end(before)
        self.assertEqual([chain["name"] for chain in self.home.status()], ["only0"])
        self.home.good("call", "only0")


if __name__ == "__main__":
    unittest.main(verbosity=2)
