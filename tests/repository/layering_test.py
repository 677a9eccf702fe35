#!/usr/bin/env python3
"""The includes go the way of the map in ARCHITECTURE.md, and what is public is one header.

A file of src/ names others by their folder, #include "folder/file.h", or by the bare name of a file beside it. The only
public header is include/chains.h: it includes nothing of ours, and the examples include nothing else of ours.
"""
import os
import re

import common

# Each folder of src/, and the others that it may use.
ALLOWED = {
    "base": [],
    "schema": ["base"],
    "rpc": ["base", "schema"],
    "runtime": ["base", "schema", "rpc"],
    "compiler": ["base", "schema"],
    "kubernetes": ["base", "schema", "compiler"],
    "cluster": ["base", "schema"],
    "control": ["base", "schema", "rpc", "runtime", "cluster"],
    "image": ["base", "schema", "control"],
    "cli": ["base", "schema", "rpc", "runtime", "compiler", "kubernetes", "cluster", "control", "image"],
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)


def includes(path):
    text = common.read(path)
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group(1), match.group(2)


def made_by_build(folder):
    """Headers that the folder's build writes: its CMakeLists.txt names them."""
    return re.findall(r"\w+\.h\b", common.read(f"src/{folder}/CMakeLists.txt"))


def check_source(path):
    folder = path.split(os.sep)[1]
    if folder not in ALLOWED:
        yield f"{path}: src/{folder} is no folder of the map: add it to ARCHITECTURE.md and to this test"
        return
    for line, quote, name in includes(path):
        first = name.split("/")[0]
        if ".." in name.split("/"):
            yield f"{path}:{line}: '{name}': say the folder instead of .."
        elif first in ALLOWED and "/" in name:
            if quote == "<":
                yield f"{path}:{line}: <{name}> is ours: include it in quotes"
            if first != folder and first not in ALLOWED[folder]:
                yield f"{path}:{line}: src/{folder} may not use src/{first}: arrows point up the map only"
            if not os.path.exists(os.path.join(common.SOURCE, "src", name)):
                yield f"{path}:{line}: src/{name} does not exist"
        elif quote == '"' and name != "chains.h":
            beside = os.path.join(common.SOURCE, os.path.dirname(path), name)
            if not os.path.exists(beside) and name not in made_by_build(folder):
                yield f"{path}:{line}: '{name}' is not beside this file: say its folder"


def main():
    endings = (".c", ".h", ".cc")
    sources = common.source_files("src", *endings)
    findings = [finding for path in sources for finding in check_source(path)]

    public = common.source_files("include", "")
    if public != ["include/chains.h"]:
        findings.append(f"include/ holds {public}: only chains.h is public")
    for line, quote, name in includes("include/chains.h"):
        if quote == '"' or not name.startswith("std"):
            findings.append(f"include/chains.h:{line}: {name}: the public header needs C's own headers only")

    examples = common.source_files("examples", *endings)
    for path in examples:
        for line, _, name in includes(path):
            if name.split("/")[0] in ALLOWED or os.path.basename(name) == "glue.h":
                findings.append(f"{path}:{line}: {name} is not public: examples use chains.h alone")
    common.finish(findings, len(sources) + len(examples), "files")


main()
