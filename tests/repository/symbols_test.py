#!/usr/bin/env python3
"""symbols_test.py LIBCHAINS_A [MORE_ARCHIVES...]: what the libraries define for the linker.

Every global symbol is chains_* (public) or chainsi_* (ours), so that nothing clashes with what an author links. The public
ones are exactly the functions that chains.h declares.
"""
import re
import sys

import common


def defined_symbols(archives):
    symbols = {}
    for line in common.output_of(["nm", "-A", "-g", "--defined-only", *archives]).splitlines():
        where, _, name = line.rpartition(" ")
        if not where:
            continue  # nm puts a line with the archive's name before its members
        name = re.sub(r"^__odr_asan(_gen_)?\.?", "", name)
        symbols.setdefault(name, where.split(":")[1])
    return symbols


def declared_functions():
    """From clang's text form of the syntax tree: a line a declaration."""
    tree = common.output_of(["clang", "-fsyntax-only", "-fno-color-diagnostics", "-x", "c", "-Iinclude", "-Xclang", "-ast-dump",
                             "include/chains.h"])
    return {match.group(1) for match in re.finditer(r"^\|-FunctionDecl .* (chains_\w+) '[^']*'( extern)?$", tree, re.MULTILINE)}


def main():
    symbols = defined_symbols(sys.argv[1:])
    declared = declared_functions()
    findings = [f"{name} in {where}: a name without our prefix"
                for name, where in sorted(symbols.items()) if not name.startswith(("chains_", "chainsi_"))]
    public = {name for name in symbols if name.startswith("chains_")}
    findings += [f"{name} in {symbols[name]}: chains.h does not declare it" for name in sorted(public - declared)]
    findings += [f"{name}: declared in chains.h, defined nowhere" for name in sorted(declared - public)]
    common.finish(findings, len(symbols) if declared else 0, "symbols")


main()
