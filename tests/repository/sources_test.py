#!/usr/bin/env python3
"""Files of src/ are not too long and carry no left-over marks."""
import re

import common

MOST_LINES = 800
MARKS = re.compile(r"\b(TODO|FIXME|XXX)\b")


def check(path):
    text = common.read(path)
    lines = text.count("\n")
    if lines > MOST_LINES:
        yield f"{path}: {lines} lines, more than {MOST_LINES}: look for the second noun"
    for number, line in enumerate(text.split("\n"), 1):
        if MARKS.search(line):
            yield f"{path}:{number}: a mark that something is to be done: do it, or say what is so and why"


def main():
    sources = common.source_files("src", ".c", ".h", ".cc") + common.source_files("include", ".h")
    common.finish([finding for path in sources for finding in check(path)], len(sources), "files")


main()
