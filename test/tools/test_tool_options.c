/* SPDX-License-Identifier: MIT
 *
 * Parsing of command lines by the option table. The files under test are included: the command is a
 * program, not a library.
 */
#include "world/test.h"

#include "../../tools/peat/suggest.c"
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

static const cli_command sample = {
    .name = "sample",
    .arguments = "KEY",
    .place = CLI_TAKES_STORE,
    .rest_min = 1,
    .rest_max = 1,
    .options = "db key-format limit memory json prefix separator no-escapes wait help"};

static int parse(int count, char **words, cli_args *ret_args)
{
    last_error[0] = '\0';
    return cli_parse(&sample, count, words, ret_args);
}

#define PARSE(args, ...)                                                                           \
    parse((int)(sizeof((char *[]){"sample", __VA_ARGS__}) / sizeof(char *)),                       \
          (char *[]){"sample", __VA_ARGS__, NULL}, args)

TEST(options_are_parsed_by_the_table)
{
    cli_args args;
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

TEST(bad_command_lines_are_usage_errors)
{
    cli_args args;
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

TEST(peat_db_names_the_store_whatever_the_arguments)
{
    cli_args args;
    assert_int_equal(setenv("PEAT_DB", "standing", 1), 0);
    assert_int_equal(PARSE(&args, "key"), 0);
    assert_string_equal(args.dir, "standing");
    assert_string_equal(args.rest[0], "key");
    assert_int_equal(PARSE(&args, "dir", "key"), CLI_USAGE);
    assert_non_null(strstr(last_error, "the store is standing, by PEAT_DB"));
    assert_int_equal(PARSE(&args, "--db", "dir", "key"), 0);
    assert_string_equal(args.dir, "dir");
    assert_string_equal(args.rest[0], "key");
    assert_int_equal(setenv("PEAT_DB", "", 1), 0); /* as if it were not set */
    assert_int_equal(PARSE(&args, "dir", "key"), 0);
    assert_string_equal(args.dir, "dir");
    assert_int_equal(unsetenv("PEAT_DB"), 0);
}

TEST(sizes_take_units_and_have_a_least)
{
    static const struct {
        const char *text;
        uint64_t bytes; /* 0: refused */
    } cases[] = {{"1M", 1 << 20},
                 {"1m", 1 << 20},
                 {"1024K", 1 << 20},
                 {"1024KiB", 1 << 20},
                 {"1MB", 1 << 20},
                 {"1048576", 1 << 20},
                 {"1048576B", 1 << 20},
                 {"2G", UINT64_C(2) << 30},
                 {"1T", UINT64_C(1) << 40},
                 {"0", 0},
                 {"1K", 0},
                 {"1023K", 0},
                 {"1M ", 0},
                 {"1MM", 0},
                 {"1iB", 0},
                 {"M", 0},
                 {"-1M", 0},
                 {"1.5G", 0}};
    cli_args args;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int code = PARSE(&args, "--memory", (char *)(uintptr_t)cases[i].text, "dir", "a");
        assert_int_equal(code, cases[i].bytes == 0 ? CLI_USAGE : 0);
        if (code == 0)
            assert_int_equal(args.memory, cases[i].bytes);
        else
            assert_non_null(strstr(last_error, "at least 1M"));
    }
}

TEST(a_wait_is_in_seconds_with_decimals)
{
    static const struct {
        const char *text;
        int64_t ms; /* below 0: refused */
    } cases[] = {{"0", 0},
                 {"10", 10000},
                 {"0.5", 500},
                 {"0.0015", 1},
                 {"1.", 1000},
                 {"007", 7000},
                 {"4294967", 4294967000},
                 {"4294968", -1},
                 {"-1", -1},
                 {".5", -1},
                 {"1s", -1},
                 {"", -1},
                 {"99999999999999999999999", -1}};
    cli_args args;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int code = PARSE(&args, "--wait", (char *)(uintptr_t)cases[i].text, "dir", "a");
        assert_int_equal(code, cases[i].ms < 0 ? CLI_USAGE : 0);
        if (code == 0)
            assert_int_equal(args.wait_ms, cases[i].ms);
    }
}

TEST(what_was_meant_is_guessed)
{
    cli_args args;
    static const char *const pairs[][2] = {{"--memroy=2M", "--memory"},
                                           {"--key-fromat", "--key-format"},
                                           {"--lmit", "--limit"},
                                           {"--jsno", "--json"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char want[64];
        assert_int_equal(PARSE(&args, (char *)(uintptr_t)pairs[i][0], "dir", "a"), CLI_USAGE);
        (void)snprintf(want, sizeof want, "did you mean %s?", pairs[i][1]);
        assert_non_null(strstr(last_error, want));
    }
    assert_int_equal(PARSE(&args, "--zebra", "dir", "a"), CLI_USAGE);
    assert_null(strstr(last_error, "did you mean"));
    assert_int_equal(PARSE(&args, "--zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "dir", "a"),
                     CLI_USAGE);
    assert_int_equal(PARSE(&args, "-k", "bas64", "dir", "a"), CLI_USAGE);
    assert_non_null(strstr(last_error, "one of text, hex, base64; did you mean 'base64'?"));
}

/* Exactly the bytes that cannot stand within a key in its format are separators. */
TEST(a_separator_is_no_byte_that_the_keys_format_uses)
{
    static const char *const formats[] = {"text", "hex", "base64"};
    for (int f = 0; f < 3; f++)
        for (int escapes = 0; escapes <= 1; escapes++)
            for (int c = 1; c < 256; c++) {
                cli_args args;
                char sep[2] = {(char)c, '\0'};
                const char *used = f == 2   ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                              "0123456789+/="
                                   : f == 1 ? "0123456789abcdefABCDEF"
                                   : escapes ? "0123456789abcdefABCDEFnrtx"
                                             : "";
                bool bad = c == '\n' || c == '\\' || strchr(used, c) != NULL;
                int code = PARSE(&args, "-k", (char *)(uintptr_t)formats[f], "-t", sep,
                                 escapes ? "-j" : "-E", "dir", "a");
                assert_int_equal(code, bad ? CLI_USAGE : 0);
            }
}
