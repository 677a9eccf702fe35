"""What the tests of the repository share: where things are, and how findings are reported."""
import os
import subprocess
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def source_files(folder, *endings):
    """Paths relative to the repository of the files below folder, hidden and built ones left out."""
    found = []
    for path, folders, names in os.walk(os.path.join(SOURCE, folder)):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "build")
        found += [os.path.relpath(os.path.join(path, name), SOURCE) for name in sorted(names) if name.endswith(endings)]
    return found


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return file.read()


def output_of(command):
    return subprocess.run(command, cwd=SOURCE, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout


def finish(findings, looked_at, what):
    """Prints the findings and ends the test; one that looked at nothing has failed."""
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings in {looked_at} {what}")
    sys.exit(1 if findings or looked_at == 0 else 0)
