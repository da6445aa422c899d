#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs ctest on a build folder and ends on the line "N passed, N failed".

Usage: run-tests.py BUILD [ctest arguments]

The numbers are test cases: the cases of a cmocka program, of Python's unittest and of a script
that ends on such a line itself are counted one by one, any other script counts as one case. Exit status 1 when a case failed or none ran.
"""
import os
import re
import subprocess
import sys
import xml.etree.ElementTree


def count_cases(output, ok):
    """Cases passed and failed of one test program."""
    passed = len(re.findall(r"^\[       OK \] ", output, re.M))
    failed = len(set(re.findall(r"^\[  FAILED  \] (?!\d+ test)(\S+)", output, re.M)))
    unit = re.search(r"^Ran (\d+) tests? in ", output, re.M)
    if unit:
        bad = re.search(r"^FAILED \((.*)\)", output, re.M)
        failed = sum(int(n) for n in re.findall(r"(?:failures|errors)=(\d+)", bad.group(1))) if bad else 0
        skipped = re.search(r"skipped=(\d+)", output)
        passed = int(unit.group(1)) - failed - (int(skipped.group(1)) if skipped else 0)
    own = re.findall(r"^(\d+) passed, (\d+) failed$", output, re.M)
    if own:
        passed, failed = int(own[-1][0]), int(own[-1][1])
    if ok:
        return max(passed, 1), 0
    return passed, max(failed, 1)


def main():
    build, arguments = sys.argv[1], sys.argv[2:]
    jobs = os.environ.get("JOBS") or str(min(os.cpu_count() or 2, 8))
    report = os.path.join(os.path.abspath(build), "test-report.xml")
    if os.path.exists(report):
        os.unlink(report)
    command = ["ctest", "--test-dir", build, "-j", jobs, "--output-on-failure", "--no-tests=error",
               "--test-output-size-passed", "4194304", "--test-output-size-failed", "4194304",
               "--output-junit", report] + arguments
    status = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
    passed = failed = 0
    cases = xml.etree.ElementTree.parse(report).getroot() if os.path.exists(report) else []
    for case in cases:
        state = case.get("status")
        why = case.find("skipped")
        if why is not None and why.get("message", "").startswith("SKIP_RETURN_CODE"):
            print(f"skipped by itself: {case.get('name')}")
            continue
        good, bad = count_cases(case.findtext("system-out") or "", state == "run")
        passed, failed = passed + good, failed + bad
        if bad:
            print(f"failed: {case.get('name')} ({bad} case{'s' if bad > 1 else ''}); "
                  f"again with: ctest --test-dir {build} -R '{case.get('name')}' --output-on-failure")
    if status != 0 and failed == 0:
        failed = 1
        print("ctest itself failed, or no test was found")
    sys.stdout.flush()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
