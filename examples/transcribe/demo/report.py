#!/usr/bin/env python3
"""Prints a transcription with its times, and its word errors against what was said.

The answer of the chain is a file of JSON; what was said is read from standard input. Exits with 1
if there are more word errors, in per cent, than --limit."""
import argparse
import json
import re
import sys

SPELLINGS = {"mr": "mister", "mrs": "missus", "harbour": "harbor"}


def words_of(text):
    words = re.findall(r"[a-z']+", text.lower())
    return [SPELLINGS.get(word, word) for word in words]


def count_errors(said, heard):
    """The fewest words to change, leave out or add that make one the other (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            before, row[j] = row[j], min(before + (word != other), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def describe(errors, count):
    return f"{errors} of {count} words wrong, {100 * errors / max(1, count):.1f} %"


def report(options):
    with open(options.answer, encoding="utf-8") as file:
        answer = json.load(file)
    said_text = sys.stdin.read()
    segments = answer["segments"]
    said = words_of(said_text)
    heard = words_of(" ".join(segment["text"] for segment in segments))
    errors = count_errors(said, heard)

    print(f"  {options.name}")
    for segment in segments:
        print(f"    {segment['start_s']:7.2f} to {segment['end_s']:7.2f}  {segment['text']}")
    if errors and len(said) < 40:
        print(f"    was said:           {' '.join(said_text.split())}")
    print(f"    {describe(errors, len(said))}; {answer['input_duration_s']:.1f} s took "
          f"{answer['processing_duration_s']:.1f} s: {answer['speedup']:.1f} times as fast as it was spoken")

    if options.tally:
        with open(options.tally, "a", encoding="utf-8") as file:
            file.write(f"{errors} {len(said)}\n")
    if 100 * errors > options.limit * len(said):
        print(f"    FAILED: no more than {options.limit:g} % are allowed")
        return 1
    return 0


def sum_up(path):
    with open(path, encoding="utf-8") as file:
        lines = [line.split() for line in file]
    print(f"  together: {describe(sum(int(line[0]) for line in lines), sum(int(line[1]) for line in lines))}")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("answer", nargs="?", help="the chain's answer")
    parser.add_argument("--name", help="the recording's name")
    parser.add_argument("--limit", type=float, default=100, help="most word errors in per cent")
    parser.add_argument("--tally", help="a file that a line of errors and words is added to")
    parser.add_argument("--sum", help="prints the sum of a tally, and nothing else")
    options = parser.parse_args()
    return sum_up(options.sum) if options.sum else report(options)


if __name__ == "__main__":
    sys.exit(main())
