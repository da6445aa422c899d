# SPDX-License-Identifier: MIT
"""What the tests of the headers compile with: from the environment of the test suite, or the usual."""
import os
import shutil

ROOT = os.environ.get("PEAT_SRC_DIR") or \
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIB = os.path.abspath(os.environ.get("PEAT_LIB_DIR") or os.path.join(ROOT, "build"))
CC = os.environ.get("PEAT_CC") or "cc"
SANITIZERS = {"address": "-fsanitize=address,undefined -fno-sanitize-recover=all", "thread": "-fsanitize=thread"}
FLAGS = SANITIZERS.get(os.environ.get("PEAT_SANITIZE"), "")
WARNINGS = "-pedantic -Wall -Wextra -Wconversion -Wshadow -Werror".split()


def languages(cc):
    """(compiler, standard, warnings, language) of each C and C++; C++ with the compiler beside this one."""
    for std in ("c99", "c11", "c2x"):
        yield cc, std, WARNINGS + ["-Wstrict-prototypes"], "c"
    name = os.path.basename(cc)
    cxx = os.path.join(os.path.dirname(cc), {"cc": "c++"}.get(name) or
                       name.replace("clang", "clang++").replace("gcc", "g++"))
    if shutil.which(cxx) and cxx != cc:
        for std in ("c++11", "c++17", "c++20"):
            yield cxx, std, WARNINGS, "c++"
