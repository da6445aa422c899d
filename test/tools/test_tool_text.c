/* SPDX-License-Identifier: MIT
 *
 * The pure parts of the peat command: codecs, escapes, JSON, records, options. The files under test
 * are included: the command is a program, not a library.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../tools/peat/bytes.c"
#include "../../tools/peat/codec.c"
#include "../../tools/peat/input.c"
#undef fail /* cmocka's macro; the files below have a function of that name */
#define fail json_fail
#include "../../tools/peat/json.c"
#undef fail
#define fail records_fail
#include "../../tools/peat/records.c"
#undef fail
#include "../../tools/peat/options.c"

static char last_error[512];

/* What the command's other files would give. */
bool cli_interrupted(void)
{
    return false;
}

int cli_fail(const cli_args *args, int code, const char *format, ...)
{
    va_list list;
    (void)args;
    va_start(list, format);
    (void)vsnprintf(last_error, sizeof last_error, format, list);
    va_end(list);
    return code;
}

static const uint64_t seed = 20240607;

static uint64_t next_random(uint64_t *io_state)
{
    *io_state ^= *io_state << 13;
    *io_state ^= *io_state >> 7;
    *io_state ^= *io_state << 17;
    return *io_state;
}

/* Bytes that meet the special ones often. */
static size_t random_bytes(uint64_t *io_state, char *to, size_t max)
{
    static const char special[] = "\\\t\n\r\0x\"{};\xff\xc3\xa4";
    size_t size = next_random(io_state) % (max + 1);
    for (size_t i = 0; i < size; i++) {
        uint64_t r = next_random(io_state);
        to[i] = r % 2 == 0 ? special[r / 2 % (sizeof special - 1)] : (char)(r >> 8);
    }
    return size;
}

static void assert_bytes(peat_slice got, const void *data, size_t size)
{
    assert_int_equal(got.size, size);
    if (size > 0)
        assert_memory_equal(got.data, data, size);
}

static void every_encoding_gives_back_what_it_took(void **state)
{
    (void)state;
    uint64_t random = seed;
    cli_bytes text = {0}, scratch = {0};
    for (int round = 0; round < 3000; round++) {
        char data[64];
        peat_slice got, in = peat_bytes(data, random_bytes(&random, data, sizeof data));
        for (int e = CLI_TEXT; e <= CLI_BASE64; e++) {
            text.size = 0;
            cli_encode(&text, (cli_encoding)e, in);
            assert_null(
                cli_decode((cli_encoding)e, peat_bytes(text.data, text.size), &scratch, &got));
            assert_bytes(got, data, in.size);
        }
        text.size = 0;
        cli_escape(&text, in, '\t');
        for (size_t i = 0; i < text.size; i++)
            assert_true((unsigned char)text.data[i] >= 0x20 && text.data[i] != 0x7f);
        assert_null(cli_unescape(peat_bytes(text.data, text.size), &scratch, &got));
        assert_bytes(got, data, in.size);
    }
    cli_bytes_free(&text);
    cli_bytes_free(&scratch);
}

static void known_encodings_are_the_standard_ones(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
    (void)state;
    cli_bytes text = {0};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        text.size = 0;
        cli_encode(&text, CLI_BASE64, peat_str(pairs[i][0]));
        assert_bytes(peat_bytes(text.data, text.size), pairs[i][1], strlen(pairs[i][1]));
    }
    text.size = 0;
    cli_encode(&text, CLI_HEX, peat_bytes("\x00\xff\x1a", 3));
    assert_bytes(peat_bytes(text.data, text.size), "00ff1a", 6);
    cli_bytes_free(&text);
}

static void malformed_texts_are_refused(void **state)
{
    static const char *const bad_hex[] = {"0", "0g", "zz", "00 "};
    static const char *const bad_base64[] = {
        "Z", "Zg=", "Zg", "Zh==", "Zm9=", "=Zg=", "Z===", "Zg==Zg=="};
    static const char *const bad_escapes[] = {"\\", "a\\", "\\x", "\\x1", "\\xg0", "\\q", "\\0"};
    (void)state;
    cli_bytes scratch = {0};
    peat_slice got;
    for (size_t i = 0; i < sizeof bad_hex / sizeof bad_hex[0]; i++)
        assert_non_null(cli_decode(CLI_HEX, peat_str(bad_hex[i]), &scratch, &got));
    for (size_t i = 0; i < sizeof bad_base64 / sizeof bad_base64[0]; i++)
        assert_non_null(cli_decode(CLI_BASE64, peat_str(bad_base64[i]), &scratch, &got));
    for (size_t i = 0; i < sizeof bad_escapes / sizeof bad_escapes[0]; i++)
        assert_non_null(cli_unescape(peat_str(bad_escapes[i]), &scratch, &got));
    cli_bytes_free(&scratch);
}

static void utf8_is_told_from_other_bytes(void **state)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\xc3\xa4",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x8c\xb1",
                                       "\xf4\x8f\xbf\xbf",
                                       "\xed\x9f\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc3",
                                      "\xc0\x80",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xe2\x82",
                                      "a\xff"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(cli_is_utf8(peat_str(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(cli_is_utf8(peat_str(bad[i])));
}

static void numbers_are_readable(void **state)
{
    char text[CLI_NUMBER_SIZE];
    (void)state;
    assert_string_equal(cli_group(0, text), "0");
    assert_string_equal(cli_group(999, text), "999");
    assert_string_equal(cli_group(1234567, text), "1,234,567");
    assert_string_equal(cli_group(UINT64_MAX, text), "18,446,744,073,709,551,615");
    assert_string_equal(cli_human(999, text), "999 B");
    assert_string_equal(cli_human(1000, text), "1.0 kB");
    assert_string_equal(cli_human(999960, text), "1.0 MB");
    assert_string_equal(cli_human(12340000, text), "12.3 MB");
}

/* Records from text through a pipe, so that they also cross reads of every length. */
typedef struct source {
    cli_input in;
    cli_records records;
    cli_args args;
    FILE *file;
} source;

static void open_source(source *s, cli_layout layout, const void *data, size_t size)
{
    s->args.format = (int)layout;
    if (s->args.separator == NULL)
        s->args.separator = "\t";
    s->file = tmpfile();
    assert_non_null(s->file);
    assert_int_equal(fwrite(data, 1, size, s->file), size);
    rewind(s->file);
    cli_input_init(&s->in, fileno(s->file));
    cli_records_init(&s->records, &s->args, &s->in);
}

static void close_source(source *s)
{
    cli_records_done(&s->records);
    cli_input_done(&s->in);
    (void)fclose(s->file);
}

static void expect_record(source *s, const char *key, const char *value)
{
    peat_slice k, v;
    assert_true(cli_records_next(&s->records, &k, &v));
    assert_bytes(k, key, strlen(key));
    assert_bytes(v, value, strlen(value));
}

static void expect_end(source *s)
{
    peat_slice k, v;
    assert_false(cli_records_next(&s->records, &k, &v));
    assert_null(s->records.error);
}

static void expect_bad(cli_layout layout, const char *text)
{
    source s = {0};
    peat_slice k, v;
    open_source(&s, layout, text, strlen(text));
    assert_false(cli_records_next(&s.records, &k, &v));
    assert_non_null(s.records.error);
    assert_int_equal(s.records.number, 1);
    assert_false(cli_records_next(&s.records, &k, &v)); /* and it stays so */
    close_source(&s);
}

static void tsv_takes_the_first_separator_and_escapes(void **state)
{
    static const char text[] = "a\t1\nb\tx\ty\n\t\nk\\te\\\\y\tv\\x41\\n\nlast\tone";
    (void)state;
    source s = {0};
    open_source(&s, CLI_TSV, text, sizeof text - 1);
    expect_record(&s, "a", "1");
    expect_record(&s, "b", "x\ty");
    expect_record(&s, "", "");
    expect_record(&s, "k\te\\y", "vA\n");
    expect_record(&s, "last", "one");
    expect_end(&s);
    close_source(&s);
    expect_bad(CLI_TSV, "no separator\n");
    expect_bad(CLI_TSV, "\n");
    expect_bad(CLI_TSV, "a\\q\tb\n");
}

static void tsv_without_escapes_takes_backslashes(void **state)
{
    static const char text[] = "system\\x2d;a;b\\\n";
    (void)state;
    source s = {.args = {.no_escapes = true, .separator = ";"}};
    open_source(&s, CLI_TSV, text, sizeof text - 1);
    expect_record(&s, "system\\x2d", "a;b\\");
    expect_end(&s);
    close_source(&s);
}

static void nul_records_come_in_pairs(void **state)
{
    static const char text[] = "a\0"
                               "1\n2\0"
                               "\0\0"
                               "b";
    (void)state;
    source s = {0};
    peat_slice k, v;
    open_source(&s, CLI_NUL, text, sizeof text - 1);
    expect_record(&s, "a", "1\n2");
    expect_record(&s, "", "");
    assert_false(cli_records_next(&s.records, &k, &v));
    assert_non_null(s.records.error);
    close_source(&s);
}

static void json_lines_take_every_spelling(void **state)
{
    static const char text[] =
        "{\"key\":\"a\",\"value\":\"1\"}\n"
        " { \"value\" : \"x\\ty\\u00e4\\ud83c\\udf31\" , \"key_hex\" : \"6B\" } \n"
        "{\"n\":[1,{\"key\":2}],\"key\":\"b\",\"value\":{\"a\": [1, \"]}\"]}}\n"
        "{\"key_base64\":\"Zm9v\",\"value_base64\":\"YmFy\"}\n"
        "{\"k\\u0065y\":\"c\",\"value\":12}\n"
        "{\"key\":\"\",\"value\":\"\"}\r\n";
    (void)state;
    source s = {0};
    open_source(&s, CLI_JSONL, text, sizeof text - 1);
    expect_record(&s, "a", "1");
    expect_record(&s, "k", "x\ty\xc3\xa4\xf0\x9f\x8c\xb1");
    expect_record(&s, "b", "{\"a\": [1, \"]}\"]}");
    expect_record(&s, "foo", "bar");
    expect_record(&s, "c", "12");
    expect_record(&s, "", "");
    expect_end(&s);
    close_source(&s);
}

static void json_lines_with_a_key_field_keep_the_line(void **state)
{
    static const char text[] =
        "{\"id\":7,\"name\":\"\\u0041\"}\n{\"name\":\"b\",\"id\":\"x\\ny\"}\n";
    (void)state;
    source s = {.args = {.key_field = "id"}};
    open_source(&s, CLI_JSONL, text, sizeof text - 1);
    expect_record(&s, "7", "{\"id\":7,\"name\":\"\\u0041\"}");
    expect_record(&s, "x\ny", "{\"name\":\"b\",\"id\":\"x\\ny\"}");
    expect_end(&s);
    close_source(&s);
}

static void malformed_json_is_refused(void **state)
{
    static const char *const bad[] = {"{}",
                                      "[]",
                                      "x",
                                      "{\"key\":\"a\"}",
                                      "{\"value\":\"a\"}",
                                      "{\"key\":\"a\",\"value\":\"b\"",
                                      "{\"key\":\"a\" \"value\":\"b\"}",
                                      "{\"key\":\"a\",\"value\":\"b\"} x",
                                      "{\"key\":\"a\",\"value\":}",
                                      "{\"key\":\"a\",\"value\":[1}",
                                      "{\"key\":\"a\",\"value\":\"\\ud800\"}",
                                      "{\"key\":\"a\",\"value\":\"\\q\"}",
                                      "{\"key\":\"a\",\"key\":\"b\",\"value\":\"c\"}",
                                      "{\"key_hex\":\"6\",\"value\":\"c\"}",
                                      "{\"key_hex\":6,\"value\":\"c\"}",
                                      "{\"key\":\"a",
                                      "{\"key\":\"a\\",
                                      "{key:1,\"value\":2}"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_bad(CLI_JSONL, bad[i]);
}

/* Hostile bytes end in records or an error; ASan watches over the rest. */
static void random_input_never_breaks_a_reader(void **state)
{
    (void)state;
    uint64_t random = seed;
    uint64_t records = 0, errors = 0;
    for (int round = 0; round < 600; round++) {
        char data[200];
        size_t size = random_bytes(&random, data, sizeof data);
        source s = {0};
        peat_slice k, v;
        open_source(&s, (cli_layout)(round % 3), data, size);
        while (cli_records_next(&s.records, &k, &v))
            records++;
        errors += s.records.error != NULL;
        close_source(&s);
    }
    assert_true(records > 0 && errors > 0);
}

static void records_longer_than_a_read_stay_whole(void **state)
{
    (void)state;
    size_t size = 3 * READ_SIZE + 17;
    char *text = malloc(size + 3);
    assert_non_null(text);
    memset(text, 'v', size + 3);
    memcpy(text, "k\t", 2);
    text[size + 2] = '\n';
    source s = {0};
    peat_slice k, v;
    open_source(&s, CLI_TSV, text, size + 3);
    assert_true(cli_records_next(&s.records, &k, &v));
    assert_bytes(k, "k", 1);
    assert_bytes(v, text + 2, size);
    expect_end(&s);
    close_source(&s);
    free(text);
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
        cmocka_unit_test(every_encoding_gives_back_what_it_took),
        cmocka_unit_test(known_encodings_are_the_standard_ones),
        cmocka_unit_test(malformed_texts_are_refused),
        cmocka_unit_test(utf8_is_told_from_other_bytes),
        cmocka_unit_test(numbers_are_readable),
        cmocka_unit_test(tsv_takes_the_first_separator_and_escapes),
        cmocka_unit_test(tsv_without_escapes_takes_backslashes),
        cmocka_unit_test(nul_records_come_in_pairs),
        cmocka_unit_test(json_lines_take_every_spelling),
        cmocka_unit_test(json_lines_with_a_key_field_keep_the_line),
        cmocka_unit_test(malformed_json_is_refused),
        cmocka_unit_test(random_input_never_breaks_a_reader),
        cmocka_unit_test(records_longer_than_a_read_stay_whole),
        cmocka_unit_test(options_are_parsed_by_the_table),
        cmocka_unit_test(bad_command_lines_are_usage_errors),
        cmocka_unit_test(peat_db_stands_in_for_a_missing_dir_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
