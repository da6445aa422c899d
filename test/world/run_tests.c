/* SPDX-License-Identifier: MIT */
/* run_tests.c - the tests of a program, which have told their names. */
#include "world/test.h"

#define TESTS_MAX 64

static struct {
    struct CMUnitTest test[TESTS_MAX];
    size_t count;
} all;

void test_add(const char *name, CMUnitTestFunction run, CMFixtureFunction begin,
              CMFixtureFunction end)
{
    if (all.count == TESTS_MAX)
        abort();
    all.test[all.count++] = (struct CMUnitTest){
        .name = name, .test_func = run, .setup_func = begin, .teardown_func = end};
}

int test_run_all(void)
{
    return _cmocka_run_group_tests("tests", all.test, all.count, NULL, NULL);
}
