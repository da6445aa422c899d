/* SPDX-License-Identifier: MIT */
/* run_tests.c - the tests of a program, which have told their names. */
#include "world/settings.h"
#include "world/test.h"

#define TESTS_MAX 64

static struct {
    struct CMUnitTest test[TESTS_MAX];
    size_t count;
    int (*campaign)(void);
} all;

void test_add(const char *name, CMUnitTestFunction run, CMFixtureFunction begin,
              CMFixtureFunction end)
{
    if (all.count == TESTS_MAX)
        abort();
    all.test[all.count++] = (struct CMUnitTest){
        .name = name, .test_func = run, .setup_func = begin, .teardown_func = end};
}

void test_add_campaign(int (*run)(void))
{
    all.campaign = run;
}

int test_run_all(void)
{
    return _cmocka_run_group_tests("tests", all.test, all.count, NULL, NULL);
}

int test_main(int argc, char **argv)
{
    if (all.campaign != NULL && test_is_campaign(argc, argv))
        return all.campaign();
    return test_run_all();
}
