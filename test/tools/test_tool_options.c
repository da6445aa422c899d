/* SPDX-License-Identifier: MIT
 *
 * Parsing of command lines by the option table. The files under test are included: the command is a
 * program, not a library.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../tools/peat/options.c"

static char last_error[512];

int cli_fail(const cli_args *args, int code, const char *format, ...)
{
    va_list list;
    (void)args;
    va_start(list, format);
    (void)vsnprintf(last_error, sizeof last_error, format, list);
    va_end(list);
    return code;
}

static const cli_command sample = {.name = "sample",
                                   .arguments = "KEY",
                                   .place = CLI_TAKES_STORE,
                                   .rest_min = 1,
                                   .rest_max = 1,
                                   .options = "db key-format limit memory json prefix help"};

static int parse(int count, char **words, cli_args *ret_args)
{
    last_error[0] = '\0';
    return cli_parse(&sample, count, words, ret_args);
}

#define PARSE(args, ...)                                                                           \
    parse((int)(sizeof((char *[]){"sample", __VA_ARGS__}) / sizeof(char *)),                       \
          (char *[]){"sample", __VA_ARGS__, NULL}, args)

static void options_are_parsed_by_the_table(void **state)
{
    cli_args args;
    (void)state;
    assert_int_equal(PARSE(&args, "-k", "hex", "--limit=7", "dir", "--memory", "2M", "6b", "-j"),
                     0);
    assert_string_equal(args.dir, "dir");
    assert_int_equal(args.rest_count, 1);
    assert_string_equal(args.rest[0], "6b");
    assert_int_equal(args.key_format, CLI_HEX);
    assert_int_equal(args.limit, 7);
    assert_int_equal(args.memory, 2 << 20);
    assert_true(args.json);
    assert_int_equal(PARSE(&args, "dir", "--", "-5"), 0);
    assert_string_equal(args.rest[0], "-5");
    assert_int_equal(PARSE(&args, "--db", "dir", "key"), 0);
    assert_string_equal(args.rest[0], "key");
    assert_int_equal(PARSE(&args, "--help"), 0);
    assert_true(args.help);
}

static void bad_command_lines_are_usage_errors(void **state)
{
    cli_args args;
    (void)state;
    assert_int_equal(unsetenv("PEAT_DB"), 0);
    assert_int_equal(PARSE(&args, "dir"), CLI_USAGE);
    assert_non_null(strstr(last_error, "too few"));
    assert_int_equal(PARSE(&args, "dir", "a", "b"), CLI_USAGE);
    assert_non_null(strstr(last_error, "too many"));
    assert_int_equal(PARSE(&args, "--frob", "dir", "a"), CLI_USAGE);
    assert_non_null(strstr(last_error, "--frob"));
    assert_int_equal(PARSE(&args, "dir", "a", "--limit"), CLI_USAGE);
    assert_int_equal(PARSE(&args, "-k", "octal", "dir", "a"), CLI_USAGE);
    assert_int_equal(PARSE(&args, "--limit", "-1", "dir", "a"), CLI_USAGE);
    assert_int_equal(PARSE(&args, "--limit", "2K", "dir", "a"), CLI_USAGE);
    assert_int_equal(PARSE(&args, "--limit", "99999999999999999999", "dir", "a"), CLI_USAGE);
    assert_int_equal(PARSE(&args, "--memory", "17000000T", "dir", "a"), CLI_USAGE);
    assert_int_equal(PARSE(&args, "--memory", "1023K", "dir", "a"), CLI_USAGE);
    assert_non_null(strstr(last_error, "at least 1M"));
    assert_int_equal(PARSE(&args, "", "a"), CLI_USAGE);
}

static void peat_db_stands_in_for_a_missing_dir_only(void **state)
{
    cli_args args;
    (void)state;
    assert_int_equal(setenv("PEAT_DB", "standing", 1), 0);
    assert_int_equal(PARSE(&args, "key"), 0);
    assert_string_equal(args.dir, "standing");
    assert_string_equal(args.rest[0], "key");
    assert_int_equal(PARSE(&args, "dir", "key"), 0);
    assert_string_equal(args.dir, "dir");
    assert_int_equal(unsetenv("PEAT_DB"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_parsed_by_the_table),
        cmocka_unit_test(bad_command_lines_are_usage_errors),
        cmocka_unit_test(peat_db_stands_in_for_a_missing_dir_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
