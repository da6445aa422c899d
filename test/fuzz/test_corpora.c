/* SPDX-License-Identifier: MIT */
/*
 * test_corpora.c - every target over its corpus and its seeds. ctest: timeout=300 label=single
 *
 *     fuzz_test_corpora                        all of it
 *     fuzz_test_corpora --run NAME FILE...     single inputs, as a fuzzer leaves them behind
 *     fuzz_test_corpora --unpack NAME DIR      seeds and corpus as files, for a fuzzer to begin
 * with fuzz_test_corpora --pack NAME FILE...    the corpus of the tree out of files, as far as they
 * fit
 */
#include "fuzz/pack.h"
#include "world/test.h"

#include <dirent.h>

static void corpus_path(const char *name, char ret_path[512])
{
    const char *root = getenv("PEAT_SRC_DIR");
    (void)snprintf(ret_path, 512, "%s/test/fuzz/corpus/%s.bin", root != NULL ? root : ".", name);
}

typedef struct tally {
    size_t inputs[FUZZ_TARGETS], accepted[FUZZ_TARGETS], decoded[FUZZ_TARGETS];
} tally;

static size_t place_of(const fuzz_target *target)
{
    size_t i = 0;
    while (fuzz_targets[i] != target)
        i++;
    return i;
}

/* Each with and without its checksums put right, and cut at some places. */
static void run_seed(void *ctx, const fuzz_target *target, const void *data, size_t size)
{
    tally *t = ctx;
    size_t n = target->run(data, size), i = place_of(target);
    t->inputs[i]++;
    t->accepted[i] += n != 0;
    t->decoded[i] += n;
    for (size_t cut = 1; cut < 4; cut++)
        (void)target->run(data, size * cut / 4);
}

/* A seed is valid as it is: what stands behind the checksums is reached, and a repair that changed
 * anything in a whole file would be seen in the pairs. */
TEST(every_seed_is_accepted)
{
    tally t = {0};
    fuzz_make_seeds(run_seed, &t);
    for (size_t i = 0; i < FUZZ_TARGETS; i++) {
        print_message("%-10s %4zu seeds, %4zu accepted, %6zu things decoded\n",
                      fuzz_targets[i]->name, t.inputs[i], t.accepted[i], t.decoded[i]);
        assert_true(t.inputs[i] > 0);
        assert_int_equal(t.accepted[i], t.inputs[i]);
    }
}

/* The same bytes, damaged behind a checksum: without a repair the checksum must say so. */
static void damage_seed(void *ctx, const fuzz_target *target, const void *data, size_t size)
{
    tally *t = ctx;
    const uint8_t *p = data;
    if (target != &fuzz_stream || (p[0] & FUZZ_REPAIR))
        return;
    uint8_t *copy = fuzz_copy(p, size);
    copy[size / 2] ^= 0x10;
    t->inputs[0]++;
    t->accepted[0] += target->run(copy, size) != 0;
    copy[0] |= FUZZ_REPAIR;
    t->accepted[1] += target->run(copy, size) != 0;
    free(copy);
}

TEST(damage_is_refused_until_its_checksum_is_repaired)
{
    tally t = {0};
    fuzz_make_seeds(damage_seed, &t);
    assert_true(t.inputs[0] > 0);
    assert_int_equal(t.accepted[0], 0);
    assert_true(t.accepted[1] > 0);
}

static void repair_one(uint8_t *file, size_t size, const char *letter)
{
    uint64_t chain;
    fuzz_log_chain none = {0};
    if (*letter == 't')
        fuzz_repair_table(file, size);
    else if (*letter == 's')
        fuzz_repair_stream(file, size);
    else
        (void)fuzz_repair_manifest(file, size, pt_get_u64(file + 24), pt_get_u64(file + 32),
                                   &chain);
    fuzz_log_chain_done(&none);
}

/* What the repairs write is what the store writes. */
static void compare_repair(void *ctx, const fuzz_target *target, const void *data, size_t size)
{
    const uint8_t *p = data;
    size_t skip = target == &fuzz_manifest ? 1 + 2 + 128 + 1 : 1;
    const char *letter = target == &fuzz_table      ? "t"
                         : target == &fuzz_stream   ? "s"
                         : target == &fuzz_manifest ? "m"
                                                    : NULL;
    if (letter == NULL || (p[0] & FUZZ_REPAIR))
        return;
    if (target == &fuzz_manifest && (p[0] & FUZZ_NAMES))
        skip += FUZZ_NAMES_BYTES;
    uint8_t *copy = fuzz_copy(p + skip, size - skip);
    repair_one(copy, size - skip, letter);
    assert_memory_equal(copy, p + skip, size - skip);
    free(copy);
    ++*(size_t *)ctx;
}

TEST(a_repair_leaves_whole_files_alone)
{
    size_t compared = 0;
    fuzz_make_seeds(compare_repair, &compared);
    assert_true(compared >= 10);
}

TEST(every_corpus_runs)
{
    for (size_t i = 0; i < FUZZ_TARGETS; i++) {
        char path[512];
        size_t size = 0, inputs = 0, accepted = 0;
        pt_slice input;
        corpus_path(fuzz_targets[i]->name, path);
        uint8_t *pack = pack_read_file(path, &size);
        assert_non_null(pack);
        assert_true(size <= PACK_BYTES_MAX);
        pt_cursor c = pt_cursor_of(pack, size);
        while (pack_next(&c, &input)) {
            accepted += fuzz_targets[i]->run(input.data, input.size) != 0;
            inputs++;
        }
        assert_true(pt_cursor_ok(&c));
        assert_true(inputs > 0 && accepted > 0);
        print_message("%-10s %4zu inputs, %4zu accepted, %zu bytes\n", fuzz_targets[i]->name,
                      inputs, accepted, size);
        free(pack);
    }
}

/* Inputs that broke a rule once, or did when a check was taken out: TARGET-... in broken/. */
TEST(what_broke_once_holds)
{
    char path[1024];
    const char *root = getenv("PEAT_SRC_DIR");
    size_t inputs = 0;
    (void)snprintf(path, sizeof path, "%s/test/fuzz/broken", root != NULL ? root : ".");
    DIR *dir = opendir(path);
    assert_non_null(dir);
    size_t end = strlen(path);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char name[32] = "";
        size_t size = 0;
        (void)sscanf(entry->d_name, "%31[a-z]-", name);
        const fuzz_target *target = fuzz_find(name);
        if (target == NULL)
            continue;
        (void)snprintf(path + end, sizeof path - end, "/%s", entry->d_name);
        uint8_t *data = pack_read_file(path, &size);
        assert_non_null(data);
        (void)target->run(data, size);
        free(data);
        inputs++;
    }
    (void)closedir(dir);
    assert_true(inputs >= 5);
}

/* --- by hand --- */

typedef struct unpacking {
    const fuzz_target *target;
    const char *dir;
    unsigned count;
} unpacking;

static void unpack_one(void *ctx, const fuzz_target *target, const void *data, size_t size)
{
    unpacking *u = ctx;
    char path[600];
    if (target != u->target)
        return;
    (void)snprintf(path, sizeof path, "%s/seed-%04u", u->dir, u->count++);
    FILE *out = fopen(path, "wb");
    FUZZ_REQUIRE(out != NULL && fwrite(data, 1, size, out) == size && fclose(out) == 0,
                 "the directory can be written to");
}

static int unpack(const fuzz_target *target, const char *dir)
{
    unpacking u = {.target = target, .dir = dir};
    char path[512];
    size_t size = 0;
    pt_slice input;
    fuzz_make_seeds(unpack_one, &u);
    corpus_path(target->name, path);
    uint8_t *pack = pack_read_file(path, &size);
    pt_cursor c = pt_cursor_of(pack, pack != NULL ? size : 0);
    while (pack_next(&c, &input))
        unpack_one(&u, target, input.data, input.size);
    free(pack);
    return 0;
}

static int pack(const fuzz_target *target, int count, char **paths)
{
    char path[512];
    size_t total = 0, kept = 0;
    corpus_path(target->name, path);
    FILE *out = fopen(path, "wb");
    if (out == NULL)
        return 1;
    for (int i = 0; i < count; i++) {
        size_t size = 0;
        uint8_t *data = pack_read_file(paths[i], &size);
        if (data != NULL && total + size + 4 <= PACK_BYTES_MAX) {
            pack_add(out, data, size);
            total += size + 4;
            kept++;
        }
        free(data);
    }
    print_message("%s: %zu of %d inputs, %zu bytes\n", path, kept, count, total);
    return fclose(out) != 0;
}

static int run_files(const fuzz_target *target, int count, char **paths)
{
    for (int i = 0; i < count; i++) {
        size_t size = 0;
        uint8_t *data = pack_read_file(paths[i], &size);
        if (data == NULL)
            return 1;
        print_message("%s: %zu things\n", paths[i], target->run(data, size));
        free(data);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const fuzz_target *target = argc > 3 ? fuzz_find(argv[2]) : NULL;
    if (target != NULL && strcmp(argv[1], "--unpack") == 0)
        return unpack(target, argv[3]);
    if (target != NULL && strcmp(argv[1], "--pack") == 0)
        return pack(target, argc - 3, argv + 3);
    if (target != NULL && strcmp(argv[1], "--run") == 0)
        return run_files(target, argc - 3, argv + 3);
    return test_run_all();
}
