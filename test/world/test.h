/* SPDX-License-Identifier: MIT */
/*
 * test.h - what a test program is made of, and the headers that nearly every one needs. A test says
 * its name once:
 *
 *     TEST(a_value_is_read_back)
 *     {
 *         assert_ok(peat_put(...));
 *     }
 *
 * The tests of a program run in the order in which they stand in its file. Its main is that of
 * main.c; a program that takes other arguments than --campaign has its own, which ends with
 * test_run_all.
 */
#ifndef TEST_WORLD_TEST_H
#define TEST_WORLD_TEST_H

#include "peat.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Called before main, by what TEST defines. */
void test_add(const char *name, CMUnitTestFunction run, CMFixtureFunction begin,
              CMFixtureFunction end);
void test_add_campaign(int (*run)(void));
/* What main returns: 0, or how many tests failed. */
int test_run_all(void);
/* The tests, or the campaign. */
int test_main(int argc, char **argv);

#define TEST_ADD(name, begin, end)                                                                 \
    __attribute__((constructor)) static void name##_add(void)                                      \
    {                                                                                              \
        test_add(#name, name##_run, begin, end);                                                   \
    }

#define TEST(name)                                                                                 \
    static void name(void);                                                                        \
    static void name##_run(void **state)                                                           \
    {                                                                                              \
        (void)state;                                                                               \
        name();                                                                                    \
    }                                                                                              \
    TEST_ADD(name, NULL, NULL)                                                                     \
    static void name(void)

/* A test of any kind (TEST, or what a fixture defines) that makes one call:
 *     TEST_LINE(TEST, a_flip_is_told, each_world(FLIP)) */
#define TEST_LINE(kind, name, ...)                                                                 \
    kind(name)                                                                                     \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }

/* A test that is given what `begin` has made and `end` takes back. */
#define TEST_WITH(name, parameter, begin, end)                                                     \
    static void name(parameter);                                                                   \
    static void name##_run(void **state)                                                           \
    {                                                                                              \
        name(*state);                                                                              \
    }                                                                                              \
    TEST_ADD(name, begin, end)                                                                     \
    static void name(__attribute__((unused)) parameter)

/* The same for what lies on the stack: begin(&it, ...) before it, end(&it) behind it. */
#define TEST_BETWEEN(name, type, it, begin, end, ...)                                              \
    static void name##_between(type *it);                                                          \
    TEST(name)                                                                                     \
    {                                                                                              \
        type it;                                                                                   \
        begin(&it, __VA_ARGS__);                                                                   \
        name##_between(&it);                                                                       \
        end(&it);                                                                                  \
    }                                                                                              \
    static void name##_between(__attribute__((unused)) type *it)

/* A function that main calls instead of the tests when the only argument is --campaign; it returns
 * what main does. */
#define TEST_CAMPAIGN                                                                              \
    static int test_campaign(void);                                                                \
    __attribute__((constructor)) static void test_campaign_add(void)                               \
    {                                                                                              \
        test_add_campaign(test_campaign);                                                          \
    }                                                                                              \
    static int test_campaign(void)

static inline void assert_ok_at(peat_rc rc, const char *call, const char *file, int line)
{
    if (rc == PEAT_OK)
        return;
    print_error("%s: %s\n", call, peat_rc_name(rc));
    _fail(file, line);
}

/* That the call returns PEAT_OK. */
#define assert_ok(call) assert_ok_at((call), #call, __FILE__, __LINE__)

#endif
