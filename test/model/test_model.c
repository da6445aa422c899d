/* SPDX-License-Identifier: MIT */
/*
 * test_model.c - random operations against a sorted array. ctest: timeout=300
 *
 *     model_test_model                       the sample that every test run makes
 *     SEED=1 N=10000 OPS=60000 BOUND=60 model_test_model --campaign     N scripts or BOUND seconds
 *     model_test_model --replay FILE         a script left behind by a failure
 *     model_test_model --write SEED          what the sample or a campaign runs for this seed
 *
 * Four seeds in a row have the same operations, under other options. Scripts that once failed, or
 * show a trap, are kept in regressions/ and run for ever.
 */
#include "model/model.h"
#include "world/sanitizer.h"
#include "world/test.h"

#include <dirent.h>
#include <unistd.h>

#define SAMPLE_SEEDS TEST_SAMPLE(48, 24, 8)
#define SAMPLE_OPS   250
#define DENSE_OPS    4000 /* enough for scripts that go fast */
#define VARIANTS     4
#define SHRINK_TRIES 600

static uint64_t operations_done, option_sets_done;

/* Leaves the shrunken script in a file and says what went wrong and how to see it again. */
static void tell(model_script *script, model_result *result)
{
    char path[128];
    uint64_t seed = script->seed;
    size_t count = script->count;
    (void)fprintf(stderr, "seed %llu fails: %s", (unsigned long long)seed, result->report);
    model_shrink(script, result, SHRINK_TRIES);
    (void)snprintf(path, sizeof path, "model-%llu.txt", (unsigned long long)seed);
    FILE *out = fopen(path, "w");
    if (out == NULL)
        out = stderr;
    (void)fprintf(out, "# seed %llu, %zu operations of %zu\n", (unsigned long long)seed,
                  script->count, count);
    model_script_print(script, out);
    if (out != stderr)
        (void)fclose(out);
    (void)fprintf(stderr, "shrunk to %zu operations: %s", script->count, result->report);
    (void)fprintf(stderr, "rerun: model_test_model --replay %s\n", path);
}

static void script_of(uint64_t seed, size_t operations, model_script *ret_script)
{
    model_generate(seed - seed % VARIANTS, operations, ret_script);
    if (seed % VARIANTS != 0)
        model_vary(seed, ret_script);
    ret_script->seed = seed;
}

static bool run_seed(uint64_t seed, size_t operations)
{
    model_script script;
    model_result result;
    script_of(seed, operations, &script);
    bool ok = model_try(&script, false, &result);
    operations_done += result.operations;
    option_sets_done += result.option_sets;
    if (!ok)
        tell(&script, &result);
    model_script_done(&script);
    return ok;
}

TEST(fixed_seeds_agree_with_the_sorted_array)
{
    uint64_t runs = test_number("N", SAMPLE_SEEDS);
    for (uint64_t seed = 1; seed <= runs; seed++)
        assert_true(run_seed(seed, seed % 8 == 0 ? DENSE_OPS : SAMPLE_OPS));
    print_message("%llu operations under %llu option sets\n", (unsigned long long)operations_done,
                  (unsigned long long)option_sets_done);
}

static bool replay_file(const char *path, bool quiet, model_result *ret_result)
{
    model_script script;
    FILE *in = fopen(path, "r");
    *ret_result = (model_result){.report = "no script\n"};
    bool ok = in != NULL && model_script_parse(in, &script);
    if (in != NULL)
        (void)fclose(in);
    if (!ok)
        return false;
    ok = model_try(&script, quiet, ret_result);
    model_script_done(&script);
    return ok;
}

TEST(kept_scripts_agree)
{
    const char *src = getenv("PEAT_SRC_DIR");
    char dir[512], path[1024];
    unsigned files = 0;
    if (src == NULL)
        skip();
    (void)snprintf(dir, sizeof dir, "%s/test/model/regressions", src);
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        model_result result;
        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (!replay_file(path, false, &result))
            fail_msg("%s: %s", path, result.report);
        files++;
    }
    (void)closedir(d);
    assert_true(files > 0);
}

TEST(a_fresh_seed_agrees_with_the_sorted_array)
{
    uint64_t seed = test_seed(test_fresh_seed());
    print_message("seed %llu\n", (unsigned long long)seed);
    assert_true(run_seed(seed, SAMPLE_OPS));
}

/* The text of a script is the whole of it. */
TEST(a_script_survives_printing_and_parsing)
{
    model_script script, again;
    char *text = NULL, *text_again = NULL;
    size_t size = 0, size_again = 0;
    model_generate(5, 2000, &script);
    FILE *out = open_memstream(&text, &size);
    model_script_print(&script, out);
    assert_int_equal(fclose(out), 0);
    FILE *in = fmemopen(text, size, "r");
    assert_true(model_script_parse(in, &again));
    assert_int_equal(fclose(in), 0);
    out = open_memstream(&text_again, &size_again);
    model_script_print(&again, out);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(again.count, script.count);
    assert_string_equal(text_again, text);
    model_script_done(&script);
    model_script_done(&again);
    free(text);
    free(text_again);
}

/* A check that cannot fail is a defect: an oracle that forgets deletes must be found out. */
TEST(a_planted_lie_is_found_and_shrunk)
{
    model_script script;
    model_result result;
    model_generate(4, SAMPLE_OPS, &script);
    model_lie_kind = MODEL_put;
    assert_false(model_try(&script, true, &result));
    model_shrink(&script, &result, SHRINK_TRIES);
    model_lie_kind = -1;
    assert_true(script.count <= 4);
    assert_non_null(strstr(result.report, "expected"));
    assert_true(model_try(&script, true, &result));
    model_script_done(&script);
}

/* --- by hand --- */

TEST_CAMPAIGN
{
    uint64_t first = test_seed(test_fresh_seed()), runs = test_number("N", 1000000), i = 0;
    uint64_t end_ns = test_end_ns(60);
    size_t operations = test_number("OPS", 60000);
    unsigned failed = 0;
    for (; i < runs && failed < 5 && test_now_ns() < end_ns; i++) {
        failed += !run_seed(first + i, operations);
        if (i % 100 == 99) {
            print_message("%llu scripts, %llu operations\n", (unsigned long long)i + 1,
                          (unsigned long long)operations_done);
            (void)fflush(stdout);
        }
    }
    print_message("seeds %llu to %llu, OPS=%zu\n", (unsigned long long)first,
                  (unsigned long long)(first + i - 1), operations);
    print_message("%llu trials, %u violations; %llu operations, %llu option sets\n",
                  (unsigned long long)i, failed, (unsigned long long)operations_done,
                  (unsigned long long)option_sets_done);
    return failed != 0;
}

static int replay(const char *path)
{
    model_result result;
    bool ok = replay_file(path, false, &result);
    print_message("%s: %s\n", path, ok ? "all answers agree" : result.report);
    return !ok;
}

static int write_script(const char *seed)
{
    model_script script;
    script_of(strtoull(seed, NULL, 10), test_number("OPS", SAMPLE_OPS), &script);
    model_script_print(&script, stdout);
    model_script_done(&script);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--replay") == 0)
        return replay(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--write") == 0)
        return write_script(argv[2]);
    return test_main(argc, argv);
}
