#!/usr/bin/env python3
"""Every declaration of chains.h that an author may use has a doc comment.

Functions, types, their fields and callbacks by clang's syntax tree; macros by the text above them. What ends in an
underscore is not the authors'. What a macro of the header itself declares is described with the macro. An enumerator may
speak for itself; its enum may not.
"""
import json
import re

import common

HEADER = "include/chains.h"
KINDS = {"FunctionDecl", "RecordDecl", "EnumDecl", "TypedefDecl", "FieldDecl"}
MACRO = re.compile(r"^#define[ \t]+(CHAIN[A-Z_]*|chains_[a-z_]*)", re.MULTILINE)


def own_declarations(node, place, found):
    """All declarations of KINDS written out in HEADER. clang names a file only when it changes; place carries the last one.

    The walk goes on into every node, because what it skips may be where the file changes.
    """
    location = node.get("loc", {})
    for part in (location, location.get("spellingLoc", {}), location.get("expansionLoc", {})):
        place["file"] = part.get("file", place["file"])
        place["line"] = part.get("line", place["line"])
    written_here = "expansionLoc" not in location and place["file"].endswith(HEADER)
    if written_here and node.get("kind") in KINDS and not node.get("isImplicit"):
        found.append((node, place["line"]))
    for part in (node.get("range", {}).get("begin", {}), node.get("range", {}).get("end", {})):
        for inner in (part, part.get("spellingLoc", {}), part.get("expansionLoc", {})):
            place["file"] = inner.get("file", place["file"])
            place["line"] = inner.get("line", place["line"])
    for inner in node.get("inner", []):
        own_declarations(inner, place, found)


def documented(node):
    return any(inner.get("kind") == "FullComment" for inner in node.get("inner", []))


def main():
    # A struct may be declared before it is described; its typedef carries the words.
    tree = json.loads(common.output_of(["clang", "-fsyntax-only", "-x", "c", "-std=gnu11", "-Iinclude",
                                        "-Xclang", "-ast-dump=json", HEADER]))
    found = []
    own_declarations(tree, {"file": "", "line": 0}, found)
    described = {node["name"] for node, _ in found if documented(node) and "name" in node and node["kind"] != "FieldDecl"}
    findings = []
    for node, line in found:
        name = node.get("name", "")
        if not name or name.endswith("_") or documented(node):
            continue
        if node["kind"] != "FieldDecl" and name in described:
            continue
        findings.append(f"{HEADER}:{line}: {node['kind']} {name} has no doc comment")

    text = common.read(HEADER)
    macros = 0
    before_line = ""
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        match = MACRO.match(line)
        if match and not match.group(1).endswith(("_", "_H")):
            macros += 1
            if not before_line.rstrip().endswith("*/"):
                findings.append(f"{HEADER}:{number}: macro {match.group(1)} has no doc comment")
        before_line = line
    if len(found) < 50 or macros < 10:
        findings.append(f"only {len(found)} declarations and {macros} macros found: this test does not see the header")
    common.finish(findings, len(found) + macros, "declarations")


main()
