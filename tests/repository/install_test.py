#!/usr/bin/env python3
"""install_test.py BUILD: what is installed works without the source and the build, and may be moved.

Installs into a folder, renames that folder, and there begins a chain, runs it and tests it; and builds a program by hand with what
pkg-config says.
"""
import os
import subprocess
import sys
import tempfile

import common

PROGRAM = """#include "hello_writer.h"
#include <stdio.h>

int main(void)
{
    chains_ctx *ctx = chains_open(NULL);
    printf("%s\\n", chains_environment(ctx));
    chains_close(ctx);
    return 0;
}
"""


def main():
    findings = []
    steps = 0

    def step(command, expected, folder, **environment):
        nonlocal steps
        steps += 1
        done = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0 or expected not in done.stdout:
            findings.append(f"{' '.join(command)}: status {done.returncode}, expected '{expected}' in:\n{done.stdout}")
        return done.stdout

    with tempfile.TemporaryDirectory(prefix="chains-install-") as folder:
        step(["cmake", "--install", sys.argv[1], "--prefix", os.path.join(folder, "first")], "chains.h", folder)
        prefix = os.path.join(folder, "moved")
        os.rename(os.path.join(folder, "first"), prefix)
        for name in ("bin/chains", "bin/chainsd", "include/chains.h", "lib/libchains.a", "lib/pkgconfig/chains.pc",
                     "lib/systemd/system/chainsd.service"):
            if not os.path.exists(os.path.join(prefix, name)):
                findings.append(f"{name} is not installed")
        chains = os.path.join(prefix, "bin", "chains")
        step([chains, "init", "hello"], "hello", folder)
        chain = os.path.join(folder, "hello")
        step([chains, "run", "--input", '{"words": ["moon"]}'], "moon", chain)
        step([chains, "test"], "1 passed, 0 failed", chain)

        with open(os.path.join(chain, "tests", "by_hand.txt"), "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        flags = step(["pkg-config", "--cflags", "--libs", "chains"], "-lchains", folder,
                     PKG_CONFIG_PATH=os.path.join(prefix, "lib", "pkgconfig")).split()
        step(["gcc", "-I.", "-x", "c", "tests/by_hand.txt", "-x", "none", *flags, "-o", "by_hand"], "", chain)
        step([os.path.join(chain, "by_hand")], "local", chain)
    common.finish(findings, steps, "steps")


main()
