/* SPDX-License-Identifier: MIT */
/*
 * test_model.c - random operations against a sorted array. ctest: timeout=300
 *
 *     model_test_model                       the sample that every test run makes
 *     SEED=1 N=10000 OPS=500 model_test_model --campaign
 *     model_test_model --replay FILE         a script left behind by a failure
 *     model_test_model --write SEED          what the sample or a campaign runs for this seed
 */
#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define SAMPLE_OPS   250
#define SHRINK_TRIES 600

static uint64_t operations_done;

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

static bool run_seed(uint64_t seed, size_t operations)
{
    model_script script;
    model_result result;
    model_generate(seed, operations, &script);
    bool ok = model_try(&script, false, &result);
    operations_done += result.operations;
    if (!ok)
        tell(&script, &result);
    model_script_done(&script);
    return ok;
}

static void fixed_seeds_agree_with_the_sorted_array(void **state)
{
    (void)state;
    uint64_t runs = model_number("N", 48);
    for (uint64_t seed = 1; seed <= runs; seed++)
        assert_true(run_seed(seed, SAMPLE_OPS));
    print_message("%llu operations under %llu option sets\n", (unsigned long long)operations_done,
                  (unsigned long long)runs);
}

static void a_fresh_seed_agrees_with_the_sorted_array(void **state)
{
    (void)state;
    uint64_t seed = model_seed(model_fresh_seed());
    print_message("seed %llu\n", (unsigned long long)seed);
    assert_true(run_seed(seed, SAMPLE_OPS));
}

/* The text of a script is the whole of it. */
static void a_script_survives_printing_and_parsing(void **state)
{
    (void)state;
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
static void a_planted_lie_is_found_and_shrunk(void **state)
{
    (void)state;
    model_script script;
    model_result result;
    model_generate(3, SAMPLE_OPS, &script);
    model_lie_kind = MODEL_put;
    assert_false(model_try(&script, true, &result));
    model_shrink(&script, &result, SHRINK_TRIES);
    model_lie_kind = -1;
    assert_true(script.count <= 4);
    assert_non_null(strstr(result.report, "expected"));
    assert_true(model_try(&script, true, &result));
    model_script_done(&script);
}

/* --- by hand
 * -------------------------------------------------------------------------------------- */

static int campaign(void)
{
    uint64_t first = model_seed(model_fresh_seed()), runs = model_number("N", 1000);
    size_t operations = model_number("OPS", 400);
    unsigned failed = 0;
    for (uint64_t i = 0; i < runs && failed < 5; i++) {
        failed += !run_seed(first + i, operations);
        if (i % 100 == 99)
            print_message("%llu runs, %llu operations\n", (unsigned long long)i + 1,
                          (unsigned long long)operations_done);
    }
    print_message("seeds from %llu, %llu runs of %zu: %llu operations, %u failed\n",
                  (unsigned long long)first, (unsigned long long)runs, operations,
                  (unsigned long long)operations_done, failed);
    return failed != 0;
}

static int replay(const char *path)
{
    model_script script;
    uint64_t operations = 0;
    FILE *in = fopen(path, "r");
    if (in == NULL || !model_script_parse(in, &script)) {
        (void)fprintf(stderr, "%s: no script\n", path);
        return 2;
    }
    (void)fclose(in);
    model_run(&script, stderr, &operations);
    print_message("%llu operations agree\n", (unsigned long long)operations);
    model_script_done(&script);
    return 0;
}

static int write_script(const char *seed)
{
    model_script script;
    model_generate(strtoull(seed, NULL, 10), model_number("OPS", SAMPLE_OPS), &script);
    model_script_print(&script, stdout);
    model_script_done(&script);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_survives_printing_and_parsing),
        cmocka_unit_test(a_planted_lie_is_found_and_shrunk),
        cmocka_unit_test(fixed_seeds_agree_with_the_sorted_array),
        cmocka_unit_test(a_fresh_seed_agrees_with_the_sorted_array),
    };
    if (argc == 2 && strcmp(argv[1], "--campaign") == 0)
        return campaign();
    if (argc == 3 && strcmp(argv[1], "--replay") == 0)
        return replay(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--write") == 0)
        return write_script(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
