#!/usr/bin/env python3
"""cmake/run_tests counts what CTest reports: a test whose program is missing has failed, a skipped one is in neither number."""
import importlib.machinery
import importlib.util
import os
import subprocess
import tempfile

import common

TESTS = """
add_test(passes "true")
add_test(fails "false")
add_test(absent "/nowhere/at/all")
add_test(skips "sh" "-c" "exit 77")
set_tests_properties(skips PROPERTIES SKIP_RETURN_CODE 77)
add_test(disabled "false")
set_tests_properties(disabled PROPERTIES DISABLED 1)
"""


def counted(runner, folder, *arguments):
    report = os.path.join(folder, "report.xml")
    done = subprocess.run(["ctest", "--test-dir", folder, "--output-junit", report, *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return runner.count(report, done.returncode, "dev")


def main():
    loader = importlib.machinery.SourceFileLoader("run_tests", os.path.join(common.SOURCE, "cmake", "run_tests"))
    runner = importlib.util.module_from_spec(importlib.util.spec_from_loader("run_tests", loader))
    loader.exec_module(runner)
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "CTestTestfile.cmake"), "w", encoding="utf-8") as file:
            file.write(TESTS)
        cases = [
            ((), (1, ["dev: absent", "dev: fails"], ["dev: disabled", "dev: skips"])),
            (("-R", "passes"), (1, [], [])),
            (("-R", "skips"), (0, ["dev: no test ran"], ["dev: skips"])),
            (("-R", "none of them"), (0, ["dev: no test ran"], [])),
        ]
        findings = []
        for arguments, expected in cases:
            passed, failed, skipped = counted(runner, folder, *arguments)
            found = (passed, sorted(failed), sorted(skipped))
            if found != expected:
                findings.append(f"ctest {arguments}: expected {expected}, found {found}")
    common.finish(findings, len(cases), "reports")


main()
