# SPDX-License-Identifier: MIT
"""Every house rule is broken once on purpose: a check that cannot fail is a defect.

ctest: timeout=60
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "scripts"))
from lintlib import build, code, docs, shape  # noqa: E402
from lintlib.tree import Tree, functions  # noqa: E402

HEAD = "/* SPDX-License-Identifier: MIT */\n"
GOOD = HEAD + "int pt_twice(int n);\nint pt_twice(int n)\n{\n    return 2 * n;\n}\n"


class Planted(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="peat-lint-")
        self.addCleanup(self.folder.cleanup)

    def read(self, path):
        with open(path, encoding="utf-8") as f:
            return f.read()

    def write(self, path, text):
        full = os.path.join(self.folder.name, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)

    def findings(self, check, files, build_folder=None):
        for path, text in files.items():
            self.write(path, text)
        folder = os.path.join(self.folder.name, build_folder) if build_folder else None
        return [str(p) for p in check(Tree(self.folder.name, folder))]

    def expect(self, check, good, bad, *parts):
        """The good files pass; with the bad ones added there is one finding that holds all parts."""
        shutil.rmtree(self.folder.name)
        self.assertEqual(self.findings(check, good), [])
        found = self.findings(check, bad)
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    @unittest.skipUnless(shutil.which("clang-format"), "make lint installs clang-format")
    def test_badly_formatted_file_is_found(self):
        style = self.read(os.path.join(ROOT, ".clang-format"))
        self.expect(code.check_format, {".clang-format": style, "src/base/a.c": GOOD},
                    {"src/base/b.c": GOOD.replace("    return", "  return")}, "src/base/b.c:4:")

    def test_wide_comment_is_found(self):
        self.expect(code.check_width, {"src/base/a.c": GOOD + "/* " + "x" * 94 + " */\n"},
                    {"src/base/b.c": GOOD + "/* " + "x" * 95 + " */\n"}, "src/base/b.c:7: 101 columns")

    def test_include_of_a_higher_floor_is_found(self):
        self.expect(code.check_floors,
                    {"src/db/a.c": '#include "log/log.h"\n', "src/base/b.c": '#include "env/env.h"\n',
                     "src/log/c.c": '/*\n#include "db/db.h"\n*/\n#include "peat.h"\n'},
                    {"src/log/d.c": '\n#include "db/db.h"\n'}, "src/log/d.c:2:", "floor 5.5")

    def test_floor_two_folders_are_strangers(self):
        self.expect(code.check_floors, {"src/log/a.c": '#include "log/log.h"\n'},
                    {"src/log/b.c": '#include "table/table.h"\n'}, "src/log/b.c:1:")

    def test_rooms_are_strangers(self):
        self.expect(code.check_floors, {"src/read/a.c": '#include "state/store.h"\n'},
                    {"src/read/b.c": '#include "write/write.h"\n'}, "src/read/b.c:1:")

    def test_include_without_floor_is_found(self):
        self.expect(code.check_floors, {"src/log/a.h": ""}, {"src/log/b.c": '#include "a.h"\n'},
                    "names no floor")

    def test_unknown_floor_is_found(self):
        self.expect(code.check_floors, {}, {"src/misc/b.c": ""}, "'misc' is not a floor")

    def test_tool_that_looks_into_the_library_is_found(self):
        self.expect(code.check_floors,
                    {"tools/peat/a.c": '#include "peat.h"\n#include "a.h"\n', "tools/peat/a.h": ""},
                    {"tools/peat/b.c": '#include "base/base.h"\n'}, "is not public")
        self.expect(code.check_floors, {"src/base/base.h": "",
                                        "bench/experiments/e1.c": '#include "base/base.h"\n'},
                    {"tools/peat/b.c": '#include "../../src/base/base.h"\n'}, "is not public")

    def test_public_header_with_private_include_is_found(self):
        self.expect(code.check_floors, {"include/peat_env.h": '#include "peat.h"\n'},
                    {"include/peat.h": '#include "base/base.h"\n'}, "public headers stand alone")

    def test_system_calls_are_found(self):
        good = {"src/env/env_posix.c": "p = malloc(3);\n",
                "src/log/a.c": 'env->free(p); env.open(d);\n// malloc(1)\ns = "malloc(2)";\n'
                               "my_malloc(3);\nsnprintf(b, 3, s);\n"}
        for call in ("malloc(3)", "free (p)", "open(p)", "printf(s)", "pread(f)", "getenv(s)",
                     "fdatasync(f)", "time(0)"):
            with self.subTest(call):
                self.expect(code.check_calls, good, {"src/log/b.c": f"\nx = {call};\n"},
                            "src/log/b.c:2:", call.split("(")[0].strip())

    def test_system_header_is_found(self):
        for header in ("unistd.h", "sys/mman.h", "time.h", "fcntl.h"):
            with self.subTest(header):
                self.expect(code.check_calls, {"src/log/a.c": "#include <string.h>\n"},
                            {"src/log/b.c": f"\n#include <{header}>\n"}, "src/log/b.c:2:", header)

    def test_pthread_outside_sync_is_found(self):
        self.expect(code.check_calls, {"src/base/sync.h": "pthread_mutex_t m;\n"},
                    {"src/log/b.c": "pthread_mutex_t m;\n"}, "base/sync.h")

    def test_thread_creation_is_found_even_in_sync(self):
        self.expect(code.check_calls, {}, {"src/base/sync.c": "pthread_create(a, b);\n"},
                    "pthread_create")

    def test_descriptors_made_elsewhere_are_found(self):
        good = {"src/env/env_posix_open.c": "fd = openat(d, p, 0);\nfcntl(fd, F_DUPFD_CLOEXEC, 3);\n",
                "src/env/env_posix_dir.c": "s = fdopendir(fd);\npt_posix_open_at(d, p, 0, &fd);\n"
                                           "env->open(d);\n/* open() */\n"}
        for call in ("open(p)", "openat(d, p)", "opendir(p)", "dup (fd)", "fcntl(fd, F_DUPFD, 0)",
                     "eventfd(0, 0)", "socketpair(a, b, c, d)", "fopen(p, m)"):
            with self.subTest(call):
                self.expect(code.check_descriptors, good, {"src/env/env_posix_x.c": f"\nx = {call};\n"},
                            "src/env/env_posix_x.c:2:", "makes a descriptor")

    def test_long_file_is_found(self):
        self.expect(code.check_file_size, {"src/log/a.c": "x\n" * 900},
                    {"src/log/b.c": "x\n" * 901}, "src/log/b.c:901:", "the limit is 900")

    def body(self, lines):
        return "static int f(int n)\n{\n" + "    n++;\n" * lines + "}\n\n"

    def test_long_function_is_found(self):
        good = self.body(5) * 9
        self.expect(code.check_function_size, {"src/log/a.c": good + self.body(97)},
                    {"src/log/b.c": good + self.body(98)}, "src/log/b.c:82:", "f has 101 lines")

    def test_long_median_is_found(self):
        self.expect(code.check_function_size, {"src/log/a.c": self.body(12) * 3},
                    {"src/log/b.c": self.body(13) * 4}, "median function")

    def test_functions_are_measured_from_the_signature(self):
        self.assertEqual(functions("int x;\n\nint\nf(int a,\n  int b)\n{\n    a++;\n}\n"),
                         [("f", 3, 6)])

    def test_sizes_count_code_apart_from_comments(self):
        self.findings(code.check_file_size, {"src/log/a.c": "x\n/* y */\n\n{\n}\n", "src/db/b.c": "x\n" * 3})
        self.assertEqual(code.sizes(Tree(self.folder.name)), [("db", 3, 3, 0), ("log", 1, 5, 0)])

    def test_too_few_assertions_are_found(self):
        few = "    x++;\n" * 300 + '    PT_ASSERT(x, "y");\n' * 2
        self.expect(code.check_assertions,
                    {"src/log/a.c": "    x++;\n" * 100 + '    PT_ASSERT(x, "y");\n_Static_assert(1, "z");\n',
                     "src/log/b.h": "#define PT_DCHECK(x, y) PT_ASSERT(x, y)\n"},
                    {"src/log/c.c": few}, "4 assertions in 405 lines")

    def test_invariants_are_stated_and_quoted(self):
        good = {"doc/invariants.md": "**I1. X.** Upheld by `a.c`: `f`, `g`, `b.h`. Plant 3.\n",
                "src/log/a.c": 'void f(void);\nvoid g(int x);\nPT_ASSERT(x, "I1: y");\n', "src/db/b.h": ""}
        self.expect(docs.check_invariants, good, {"src/db/c.c": '\nPT_ASSERT(x, "I2: y");\n'},
                    "src/db/c.c:2:", "quotes I2")
        self.expect(docs.check_invariants, good,
                    {"doc/invariants.md": good["doc/invariants.md"] + "\n**I3. Y.**\n"}, "no assertion quotes I3")
        self.expect(docs.check_invariants, good,
                    {"doc/invariants.md": good["doc/invariants.md"] + "`a.c`: `f`,\n`h`.\n"}, "h is not in src/")
        self.expect(docs.check_invariants, good,
                    {"doc/invariants.md": good["doc/invariants.md"] + "`d.c`\n"}, "d.c is not in src/")

    def function(self, head, call="0"):
        return f"int {head}\n{{\n    return {call};\n}}\n"

    def test_circle_of_includes_is_found(self):
        self.expect(shape.check_circles,
                    {"src/mem/a.h": '#include "mem/b.h"\n', "src/mem/b.h": '#include "base/c.h"\n',
                     "src/base/c.h": "", "src/mem/a.c": '#include "mem/a.h"\n'},
                    {"src/mem/b.c": '\n#include "mem/a.h"\n'}, "circle",
                    "src/mem/a.h includes mem/b.h", "src/mem/b.c includes mem/a.h")

    def test_circle_of_calls_is_found(self):
        good = {"src/log/a.c": self.function("pt_a(void)", "pt_b()"),
                "src/log/b.c": self.function("pt_b(void)") + "/* pt_a() */\n"
                + self.function("at(x *x)", "x->pt_a() + x->pt_b").replace("int", "static int"),
                "src/log/b.h": "int pt_a(void);\n"}
        self.expect(shape.check_circles, good,
                    {"src/log/b.c": self.function("pt_b(void)", "pt_c()"),
                     "src/log/c.c": self.function("pt_c(void)", "pt_a()")}, "src/log/a.c:3:",
                    "src/log/a.c calls pt_b (src/log/b.c), src/log/b.c calls pt_c (src/log/c.c), "
                    "src/log/c.c calls pt_a (src/log/a.c)")
        self.expect(shape.check_circles, good, {
            "src/log/b.h": "int pt_a(void);\n" + self.function("b(void)", "pt_a()").replace(
                "int", "static inline int")}, "src/log/b.h calls pt_a (src/log/a.c)")

    def test_rooms_header_is_no_half_of_a_file(self):
        files = {"src/log/log.h": "", "src/log/log.c": self.function("pt_log(void)", "pt_b()"),
                 "src/log/b.c": '#include "log/log.h"\n' + self.function("pt_b(void)")}
        self.expect(shape.check_circles, files, {
            "src/log/a.h": "", "src/log/a.c": self.function("pt_a(void)", "pt_d()"),
            "src/log/d.c": '#include "log/a.h"\n' + self.function("pt_d(void)")}, "src/log/a.c:3:")

    def test_circle_of_folders_is_found(self):
        """Of files that know only one another's functions, which no include gives away."""
        self.expect(shape.check_circles,
                    {"src/log/a.c": self.function("pt_log_a(void)", "pt_base_a()"),
                     "src/base/a.c": self.function("pt_base_a(void)"),
                     "src/log/b.c": self.function("pt_log_b(void)"),
                     "src/base/e.c": self.function("pt_base_e(void)", "pt_env_a()"),
                     "src/env/a.c": self.function("pt_env_a(void)", "pt_base_a()")},
                    {"src/base/b.c": self.function("pt_base_b(void)", "pt_log_b()")},
                    "src/base/b.c calls pt_log_b (src/log/b.c)")

    def test_circle_in_a_folder_that_is_left_out_is_not_told(self):
        circle = {"a.c": self.function("pt_a(void)", "pt_b()"),
                  "b.c": self.function("pt_b(void)", "pt_a()")}
        folder = shape.UNMENDED[0] if shape.UNMENDED else None
        if folder is not None:
            self.assertEqual(self.findings(shape.check_circles, {
                f"src/{folder}/{name}": text for name, text in circle.items()}), [])
        self.assertEqual(len(self.findings(shape.check_circles, {
            f"src/log/{name}": text for name, text in circle.items()})), 1)

    def test_foreign_name_is_found(self):
        good = {"src/mem/pools.h": "typedef struct pt_pool { int other; } pt_pool;\n"
                                   "int pt_mem_a(int (*pt_x)(void)) PT_MUST_USE;\n"
                                   "static inline int pt_pools_c(void)\n{\n    return pt_z(1);\n}\n"
                                   "typedef struct pt_away pt_away;\n#define PT_POOL_MAX (7 + f(1))\n"
                                   "struct peat_db { int x; };\n",
                "src/log/away.h": "typedef struct pt_away pt_away;\n"}
        for text in ("int pt_other(int n);", "typedef struct pt_other pt_other;", "int mem_a(void);",
                     "typedef int (*pt_other)(int n, int m);", "typedef enum x { PT_A } pt_mem_x;",
                     "#define PT_OTHER 1", "struct pt_other { int pt_mem; };", "void pt_memory(void);",
                     "static inline void pt_other(int *p)\n{\n    *p = 1;\n}",
                     "peat_rc pt_other(\n    int n) PT_MUST_USE;"):
            with self.subTest(text):
                self.expect(shape.check_prefixes, good, {"src/mem/tub.h": "\n" + text + "\n"},
                            "src/mem/tub.h:2:", "its folder's name")

    def test_words_of_the_lowest_floors_are_known(self):
        self.expect(shape.check_prefixes,
                    {"src/base/base.h": "typedef struct pt_slice { int n; } pt_slice;\n"
                                        "#define TRY(x) x\n#define PT_ASSERT(x) x\n"},
                    {"src/base/hash.h": "int pt_slice_of(void);\n"}, "src/base/hash.h:1:")

    def test_missing_licence_is_found(self):
        self.expect(code.check_licence,
                    {"src/log/a.c": GOOD, "include/peat.h": HEAD.replace(" */", "") + " */\n"},
                    {"src/log/b.c": "int x;\n"}, "src/log/b.c:1:")

    def test_marks_are_found(self):
        for mark in ("TO" + "DO", "FIX" + "ME", "X" + "XX"):
            with self.subTest(mark):
                self.expect(code.check_marks, {"a.md": "mktemp XXXXXX, XXH3, TODOS\n"},
                            {"b.md": f"\n{mark}: later\n"}, "b.md:2:")

    def test_broken_link_is_found(self):
        good = {"doc/a.md": "# One two\n[x](b.md) [y](b.md#the-end) [z](#one-two) "
                            "[w](https://example.org/x) `[v](nowhere.md)`\n",
                "doc/b.md": "## The `end`\n"}
        self.expect(docs.check_links, good, {"doc/c.md": "\n[x](d.md)\n"}, "doc/c.md:2:", "nowhere")
        self.expect(docs.check_links, good, {"doc/c.md": "[x](b.md#start)\n"},
                    "no heading #start")
        self.expect(docs.check_links, good, {"doc/c.md": "[x](../../b.md)\n"},
                    "leaves the repository")

    def test_machine_path_is_found(self):
        home = "/ho" + "me/someone/peat"
        self.expect(docs.check_paths, {"a.md": "/usr/include, /tmp/x, a/home/b, https://x.org/home/x\n"},
                    {"b.md": f"\nsee {home}\n"}, "b.md:2:", home)
        self.expect(docs.check_paths, {}, {"src/log/a.c": '#include "/usr/x.h"\n'},
                    "src/log/a.c:1:")

    def test_call_without_its_codes_is_found(self):
        head = ("#define PEAT_RC_LIST(X) \\\n    X(PEAT_OK, 0, \"done\") \\\n    X(PEAT_IO, -6, \"failed\")\n\n"
                "#define PEAT_SIZE_MAX 3\n\n")
        good = ("/* Writes.\n * Returns PEAT_OK, or PEAT_IO above PEAT_SIZE_MAX. */\n"
                "PEAT_API peat_rc peat_put(int n);\nPEAT_API peat_rc\npeat_delete(int n);\n\n"
                "/* No result. */\nPEAT_API int peat_count(void);\n")
        for bad, wrong in ((good.replace("Returns", "Answers"), "peat_put does not say"),
                           (good.replace("\n * Returns", " Returns"), "peat_put does not say"),
                           (good.replace("PEAT_OK, or ", ""), "peat_put does not say"),
                           (good.replace("or PEAT_IO", "or PEAT_OI"), "PEAT_OI, which is no result code"),
                           (good + "\nPEAT_API peat_rc peat_sync(void);\n", "peat_sync does not say")):
            with self.subTest(bad):
                shutil.rmtree(self.folder.name)
                self.assertEqual(self.findings(docs.check_codes, {"include/peat.h": head + good}), [])
                found = self.findings(docs.check_codes, {"include/peat.h": head + bad})
                self.assertIn(wrong, found[0])
                self.assertIn("include/peat.h:", found[0])

    def test_header_that_needs_another_is_found(self):
        self.expect(build.check_headers,
                    {"src/log/a.h": "#ifndef A_H\n#define A_H\n#include <stddef.h>\n"
                                    "typedef size_t pt_a;\n#endif\n"},
                    {"src/log/b.h": "#ifndef B_H\n#define B_H\ntypedef size_t pt_b;\n#endif\n"},
                    "src/log/b.h:1:", "c11")

    def test_header_without_guard_is_found(self):
        self.expect(build.check_headers, {"src/log/a.c": ""},
                    {"src/log/b.h": "struct b { int x; };\n"}, "src/log/b.h:1:")

    def test_public_header_must_suit_c99_and_cpp(self):
        head, tail = "#ifndef P_H\n#define P_H\n", "#endif\n"
        self.expect(build.check_headers, {"include/peat.h": head + "int peat_x(int class_);\n" + tail},
                    {"include/peat.h": head + "int peat_x(int class);\n" + tail}, "c++")
        self.expect(build.check_headers, {"include/peat.h": head + tail},
                    {"include/peat.h": head + "int peat_x(void) { for (;;) {} }\n"
                     "struct s { union { int a; }; };\n" + tail}, "c99")

    def library(self, text):
        self.write("build/x.c", text)
        folder = os.path.join(self.folder.name, "build")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", f"{folder}/libpeat.so", f"{folder}/x.c"],
                       check=True)

    def test_stray_and_missing_exports_are_found(self):
        header = {"include/peat.h": "PEAT_API int peat_a(int n);\nPEAT_API const char *\n"
                                    "peat_b(void);\n",
                  "include/peat_env.h": '#if 1\n__attribute__((visibility("default")))\n#endif\n'
                                        "/* A call. */\nconst int *peat_c(void);\n"}
        self.library("int peat_a(int n) { return n; }\nconst char *peat_b(void) { return 0; }\n"
                     "int peat_c;\n")
        self.assertEqual(self.findings(build.check_symbols, header, "build"), [])
        self.library("int peat_a(int n) { return n; }\nint pt_b(void) { return 0; }\nint peat_c;\n")
        found = self.findings(build.check_symbols, header, "build")
        self.assertEqual(len(found), 2, found)
        self.assertIn("exports pt_b", found[0])
        self.assertIn("include/peat.h:3: peat_b is declared but not in the library", found[1])

    def test_size_of_the_library_is_read_from_the_build(self):
        self.assertIsNone(build.library_bytes(Tree(self.folder.name)))
        self.library("const char peat_table[600000] = {1};\n")
        size = build.library_bytes(Tree(self.folder.name, os.path.join(self.folder.name, "build")))
        self.assertTrue(600000 < size < 700000, size)

    def test_missing_build_is_a_failure(self):
        for check in (build.check_symbols, build.check_globals):
            self.assertIn("run make first", self.findings(check, {"src/log/a.c": ""}, "build")[0])

    def test_globals_are_found(self):
        def objects(text):
            self.write("src/log/a.c", text)
            out = os.path.join(self.folder.name, "build/CMakeFiles/peat_objects.dir/src/log/a.c.o")
            os.makedirs(os.path.dirname(out), exist_ok=True)
            subprocess.run(["cc", "-fPIC", "-fvisibility=hidden", "-c", "-o", out,
                            os.path.join(self.folder.name, "src/log/a.c")], check=True)
            return self.findings(build.check_globals, {}, "build")

        self.assertEqual(objects('const char *const names[] = {"a"};\nstatic const int t[] = {1};\n'
                                 "int f(int i);\nint f(int i) { return t[i]; }\n"), [])
        for text in ("int counter;", "static int seen = 3; int *g(void) { return &seen; }",
                     "int h(void) { static int calls; return ++calls; }", "_Thread_local int slot;"):
            with self.subTest(text):
                found = objects(text + "\n")
                self.assertEqual(len(found), 1, found)
                self.assertIn("global variable", found[0])

    @unittest.skipUnless(shutil.which("git"), "only a checkout has this trouble")
    def test_a_copy_inside_a_checkout_is_looked_at(self):
        """Git would answer for the checkout, which ignores the copy: nothing would be checked."""
        subprocess.run(["git", "-C", self.folder.name, "init", "-q"], check=True)
        self.write(".gitignore", "/copy/\n")
        self.write("copy/src/log/a.c", "")
        self.assertEqual(Tree(self.folder.name).paths, [".gitignore"])
        self.assertEqual(Tree(os.path.join(self.folder.name, "copy")).paths, ["src/log/a.c"])

    @unittest.skipUnless(shutil.which("groff"), "make lint installs groff")
    def test_man_page_with_a_warning_is_found(self):
        self.write("tools/peat/main.c", "")
        page = '.TH PEAT 1\n.SH NAME\npeat \\- store\n.SH SYNOPSIS\n.B peat\n'
        self.assertIn("no man pages", self.findings(build.check_man, {}, "build")[0])
        self.assertEqual(self.findings(build.check_man, {"build/man/peat.1": page}, "build"), [])
        found = self.findings(build.check_man, {"build/man/peat.1": page + ".nonsense x\n"}, "build")
        self.assertEqual(len(found), 1, found)
        found = self.findings(build.check_man,
                              {"build/man/peat.1": page.replace("SYNOPSIS", "USE")}, "build")
        self.assertIn("no section SYNOPSIS", found[0])


if __name__ == "__main__":
    unittest.main(buffer=True)
