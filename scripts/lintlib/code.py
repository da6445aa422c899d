# SPDX-License-Identifier: MIT
"""Checks that read C source: format, floors, calls, sizes, marks."""
import os
import re
import shutil
import statistics
import subprocess
from concurrent.futures import ThreadPoolExecutor

from .tree import Problem, functions, line_of

FLOOR = {"base": 0, "env": 0, "entry": 1, "log": 2, "table": 2, "mem": 2, "cache": 2,
         "version": 3, "compact": 4, "state": 4.5, "read": 5, "write": 5, "work": 5, "copy": 5.2, "queue": 5.2, "db": 5.5,
         "repair": 5.7, "api": 6}
# Floor 0 is one floor; the folders of floor 2 are strangers to one another, and those of floor 5.
FRIENDS = {("base", "env"), ("env", "base")}
PUBLIC_HEADERS = ("peat.h", "peat_admin.h", "peat_env.h", "peat_key.h", "peat_queue.h")
OUTSIDE = ("tools", "bench", "examples", "bindings")
# Experiments measure one floor against an alternative, so they look inside as tests do.
INSIDE = "bench/experiments/"

FILE_LINES_MAX, FUNCTION_LINES_MAX, FUNCTION_MEDIAN_MAX = 900, 100, 12
ASSERTIONS_MIN = 10  # in a thousand lines of code

OS_FILES = re.compile(r"src/env/env_(posix|uring)\w*\.[ch]$")
SYNC_FILES = re.compile(r"src/base/sync\w*\.[ch]$")
OS_CALLS = """
    malloc calloc realloc reallocarray free aligned_alloc posix_memalign memalign strdup strndup
    asprintf vasprintf getline alloca mmap munmap mremap madvise mlock munlock mprotect msync brk
    open openat creat close read pread readv preadv write pwrite writev pwritev lseek fsync
    fdatasync sync_file_range sync syncfs fallocate posix_fallocate ftruncate truncate posix_fadvise
    readahead stat fstat lstat fstatat statx access faccessat mkdir mkdirat rmdir unlink unlinkat
    rename renameat link linkat symlink readlink realpath opendir fdopendir readdir closedir flock
    fcntl ioctl dup dup2 pipe socket poll select epoll_wait eventfd fork execve waitpid kill
    fopen fdopen fclose fread fwrite fflush fseek fgets fputs fputc putc printf fprintf vfprintf
    vprintf puts putchar perror getenv setenv
    time clock gettimeofday clock_gettime nanosleep clock_nanosleep usleep sleep
    rand srand random getrandom getentropy getpid gettid getuid sysconf sched_yield
    sched_getcpu syscall pthread_create pthread_join pthread_detach exit _exit atexit signal
    sigaction
""".split()
OS_HEADERS = re.compile(
    r"^[ \t]*#\s*include\s*<(unistd|fcntl|dirent|sched|signal|poll|malloc|time|sys/[\w/]+|linux/[\w/]+"
    r"|liburing)\.?h?>", re.M)
DESCRIPTOR_FILE = "src/env/env_posix_open.c"
_NEW_DESCRIPTOR = re.compile(
    r"(?<![\w.>])((?:open|openat|openat2|creat|dup|dup2|dup3|pipe|pipe2|socket|socketpair|accept4?|eventfd|"
    r"epoll_create1?|memfd_create|timerfd_create|signalfd|inotify_init1?|userfaultfd|pidfd_open|"
    r"opendir|fopen|freopen|tmpfile|mkstemp|mkostemp|popen|shm_open|syscall)(?=\s*\()|F_DUPFD(?:_CLOEXEC)?\b)")
_OS_CALL = re.compile(r"(?<![\w.>])(" + "|".join(OS_CALLS) + r")\s*\(")
_THREADS = re.compile(r"(?<!\w)(pthread_\w+|mtx_\w+|cnd_\w+|thrd_\w+)|<(?:pthread|threads)\.h>")

# Spelled in pieces so that this file passes its own check.
MARKS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r")\b")


WIDTH = 100


def check_format(tree):
    """clang-format agrees with every C file"""
    tool = shutil.which("clang-format") or shutil.which("clang-format-14")
    if not tool:
        return [Problem(".clang-format", 1, "clang-format is not installed",
                        "run scripts/install-deps.sh lint")]
    files = tree.c_files()

    def run(chunk):
        return subprocess.run([tool, "--dry-run", "--ferror-limit=1", "-style=file"] + chunk,
                              cwd=tree.root, capture_output=True, text=True).stderr

    with ThreadPoolExecutor(2) as pool:
        output = "".join(pool.map(run, [files[i:i + 8] for i in range(0, len(files), 8)]))
    return [Problem(path, line, "not formatted as .clang-format says", f"clang-format -i {path}")
            for path, line in re.findall(r"^(\S+?):(\d+):\d+: (?:warning|error)", output, re.M)]


def check_width(tree):
    """no line above 100 columns in a C file: clang-format leaves comments as they are"""
    return [Problem(path, number, f"{len(line)} columns", f"break it at {WIDTH}")
            for path in tree.c_files()
            for number, line in enumerate(tree.text(path).split("\n"), 1) if len(line) > WIDTH]


def includes(tree, path):
    """(line, name) of each quoted include; commented-out ones do not count."""
    code = tree.code(path)
    for m in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*"([^"]*)"', tree.text(path), re.M):
        if "include" in code[m.start():m.end()]:
            yield line_of(code, m.start()), m.group(1)


def check_floors(tree):
    """a file includes its own and lower floors only; tools, bench and examples only include/"""
    problems = []
    for path in tree.c_files("src"):
        parts = path.split("/")
        own = parts[1] if len(parts) > 2 else ""
        if own not in FLOOR:
            problems.append(Problem(path, 1, f"'{own}' is not a floor",
                                    "move it to one of " + " ".join(FLOOR)))
            continue
        for line, name in includes(tree, path):
            other = name.split("/")[0]
            if name in PUBLIC_HEADERS or other == own or (own, other) in FRIENDS:
                continue
            if other not in FLOOR or "/" not in name:
                problems.append(Problem(path, line, f'"{name}" names no floor',
                                        'include as "floor/file.h"'))
            elif FLOOR[other] >= FLOOR[own]:
                problems.append(Problem(
                    path, line, f"{own} (floor {FLOOR[own]}) includes {name} (floor {FLOOR[other]})",
                    "turn the dependency round or pass a callback"))
    for path in tree.c_files(*OUTSIDE):
        if path.startswith(INSIDE):
            continue
        for line, name in includes(tree, path):
            here = os.path.join(os.path.dirname(path), name)
            inside = os.path.normpath(here).split("/")[0] == path.split("/")[0]
            if name not in PUBLIC_HEADERS and not (inside and os.path.isfile(tree.full(here))):
                problems.append(Problem(path, line, f'"{name}" is not public',
                                        "use " + ", ".join(PUBLIC_HEADERS) + " only"))
    for path in tree.c_files("include"):
        for line, name in includes(tree, path):
            if name not in PUBLIC_HEADERS:
                problems.append(Problem(path, line, f'a public header includes "{name}"',
                                        "public headers stand alone"))
    return problems


def check_calls(tree):
    """only src/env/env_posix*.c calls the system or the allocator, only src/base/sync.* pthread"""
    problems = []
    for path in tree.c_files("src"):
        code = tree.code(path)
        if OS_FILES.search(path):
            continue
        sync = SYNC_FILES.search(path)
        for m in _OS_CALL.finditer(code):
            if sync and m.group(1) == "clock_gettime":
                continue  # a wait with a time-out needs pthread's own clock
            before = code[:m.start()].rstrip(" *")
            # A member declaration or a static function of that name is not a call of the system's.
            if re.search(r"(static|inline|\w_rc|void|int|bool)$", before):
                continue
            problems.append(Problem(path, line_of(code, m.start()),
                                    f"calls {m.group(1)}()", "go through pt_env (env/env.h)"))
        for m in OS_HEADERS.finditer(code):
            if sync and m.group(1) == "time":
                continue
            problems.append(Problem(path, line_of(code, m.start()),
                                    f"includes a system header: {m.group(0).strip()}",
                                    "go through pt_env (env/env.h)"))
        if sync:
            continue
        for m in _THREADS.finditer(code):
            problems.append(Problem(path, line_of(code, m.start()), f"uses {m.group(0)}",
                                    "use base/sync.h"))
    return problems


def check_descriptors(tree):
    """only src/env/env_posix_open.c makes a descriptor: there it is kept above the standard ones"""
    problems = []
    for path in tree.c_files("src"):
        if path == DESCRIPTOR_FILE:
            continue
        code = tree.code(path)
        for m in _NEW_DESCRIPTOR.finditer(code):
            problems.append(Problem(path, line_of(code, m.start()), f"makes a descriptor: {m.group(1)}",
                                    "use pt_posix_open_at, or add a call to env_posix_open.c"))
    return problems


def check_file_size(tree):
    """no file above 900 lines"""
    sized = tree.c_files() + [p for p in tree.paths if p.endswith((".py", ".sh"))]
    return [Problem(path, lines, f"{lines} lines, the limit is {FILE_LINES_MAX}", "split it by idea")
            for path in sized if (lines := tree.text(path).count("\n")) > FILE_LINES_MAX]


def check_function_size(tree):
    """no function above 100 lines; in src/ the median is at most 12"""
    problems, lengths = [], []
    for path in tree.c_files():
        for name, line, length in functions(tree.code(path)):
            if path.startswith("src/"):
                # The measure is the body; the brace lines and the signature are the format's.
                lengths.append(length - 3)
            if length > FUNCTION_LINES_MAX:
                problems.append(Problem(path, line, f"{name} has {length} lines, the limit is "
                                        f"{FUNCTION_LINES_MAX}", "split it into named steps"))
    if lengths and statistics.median(lengths) > FUNCTION_MEDIAN_MAX:
        problems.append(Problem("src", 0, f"the median function has {statistics.median(lengths)} "
                                f"lines, the limit is {FUNCTION_MEDIAN_MAX}", "split the longest"))
    return problems


_ASSERTION = re.compile(r"^(?!#[ \t]*define).*?\b(?:PT_ASSERT|PT_DCHECK|_Static_assert)\(", re.M)


def sizes(tree):
    """(room, lines of code, lines, assertions) of each folder of src; blank lines, comments and lone
    braces are no lines of code. The lines are printed and not limited: nobody is to save on an
    assertion or a sentence."""
    rooms = {}
    for path in tree.c_files("src"):
        row = rooms.setdefault(path.split("/")[1], [0, 0, 0])
        row[0] += sum(1 for line in tree.code(path).split("\n") if line.strip(" \t{};"))
        row[1] += tree.text(path).count("\n")
        row[2] += len(_ASSERTION.findall(tree.code(path)))
    return [(room, *counts) for room, counts in sorted(rooms.items())]


def check_assertions(tree):
    """at least 10 assertions in a thousand lines of code of src/"""
    lines, count = (sum(row[i] for row in sizes(tree)) for i in (1, 3))
    return [Problem("src", 0, f"{count} assertions in {lines} lines of code",
                    "assert what the code relies on")] if count * 1000 < lines * ASSERTIONS_MIN else []


def check_licence(tree):
    """every C file opens with its SPDX line"""
    return [Problem(path, 1, "no licence line",
                    "open the file with /* SPDX-License-Identifier: MIT */")
            for path in tree.c_files()
            if not re.match(r"/\* SPDX-License-Identifier: MIT( \*/)?\n", tree.text(path))]


def check_marks(tree):
    """no unfinished-work marks in any file"""
    problems = []
    for path in tree.text_files():
        text = tree.text(path)
        for m in MARKS.finditer(text):
            problems.append(Problem(path, line_of(text, m.start()), f"leaves a mark: {m.group(0)}",
                                    "finish it, or describe the limit in words"))
    return problems


CHECKS = [check_format, check_width, check_floors, check_calls, check_descriptors, check_file_size, check_function_size,
          check_assertions, check_licence, check_marks]
