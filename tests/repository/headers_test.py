#!/usr/bin/env python3
"""The public header and every header of the examples compile alone and clean, in every C and C++ we promise.

Each is included by itself (C++ inside extern "C", as authors are told to) by gcc and by clang.
"""
import concurrent.futures
import os
import subprocess

import common

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror", "-fsyntax-only"]
COMPILERS = [("c", ["gcc", "clang"], ["c11", "gnu11", "gnu17"]),
             ("c++", ["g++", "clang++"], ["c++11", "c++14", "c++17", "c++20"])]


def compile_alone(case):
    header, language, compiler, standard = case
    include = f'#include "{os.path.join(common.SOURCE, header)}"\n'
    if language == "c++":
        include = 'extern "C" {\n' + include + "}\n"
    # A use after the include: an empty translation unit is a pedantic warning of its own, and what a header leaves open shows.
    text = include + "int chains_headers_test_end_;\n"
    command = [compiler, f"-std={standard}", *WARNINGS, f"-I{common.SOURCE}/include",
               f"-I{os.path.dirname(os.path.join(common.SOURCE, header))}", "-x", language, "-"]
    done = subprocess.run(command, input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return None if done.returncode == 0 else f"{header} as {standard} by {compiler}:\n{done.stdout}"


def main():
    headers = ["include/chains.h", "tests/repository/usage.h"] + common.source_files("examples", ".h")
    cases = [(header, language, compiler, standard) for header in headers for language, compilers, standards in COMPILERS
             for compiler in compilers for standard in standards]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        findings = [finding for finding in pool.map(compile_alone, cases) if finding]
    common.finish(findings, len(cases), "compilations")


main()
