/* SPDX-License-Identifier: MIT
 *
 * Records out of TSV, JSON lines and NUL-delimited input. The files under test are included: the
 * command is a program, not a library.
 */
#include "tool_support.h"
#include "../../tools/peat/input.c"
#define fail json_fail
#include "../../tools/peat/json.c"
#undef fail
#define fail records_fail
#include "../../tools/peat/records.c"
#undef fail

bool cli_interrupted(void)
{
    return false;
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

static void values_of_every_kind_keep_their_text(void **state)
{
    static const char *const good[] = {"true",
                                       "false",
                                       "null",
                                       "0",
                                       "-0",
                                       "10",
                                       "-1.5",
                                       "1.25e+10",
                                       "2E-3",
                                       "[]",
                                       "{}",
                                       "[ ]",
                                       "{ }",
                                       "[[],{},[{}]]",
                                       "[1, -2.5, \"]\", true]",
                                       "{\"a\":{\"b\":[null]},\"c\":0}",
                                       "[ { \"a\" : [ ] } , 1 ]"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char line[200];
        int size = snprintf(line, sizeof line, "{\"value\": %s ,\"key\":\"k\",\"other\":%s}\n",
                            good[i], good[i]);
        source s = {0};
        open_source(&s, CLI_JSONL, line, (size_t)size);
        expect_record(&s, "k", good[i]);
        expect_end(&s);
        close_source(&s);
    }
}

/* 64 levels are enough for anybody's records; the 65th is told, and costs no stack. */
static void nesting_has_a_limit(void **state)
{
    (void)state;
    for (size_t depth = 64; depth <= 65; depth++) {
        char line[200] = "{\"key\":\"k\",\"value\":";
        size_t size = strlen(line);
        memset(line + size, '[', depth);
        memset(line + size + depth, ']', depth);
        (void)strcpy(line + size + 2 * depth, "}");
        if (depth == 65) {
            expect_bad(CLI_JSONL, line);
            continue;
        }
        char value[2 * 64 + 1] = "";
        memcpy(value, line + size, sizeof value - 1);
        source s = {0};
        open_source(&s, CLI_JSONL, line, strlen(line));
        expect_record(&s, "k", value);
        expect_end(&s);
        close_source(&s);
    }
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
                                      "{\"key\":\"a\",\"value\":hello}",
                                      "{\"key\":\"a\",\"value\":nul}",
                                      "{\"key\":\"a\",\"value\":true x}",
                                      "{\"key\":\"a\",\"value\":01}",
                                      "{\"key\":\"a\",\"value\":-}",
                                      "{\"key\":\"a\",\"value\":1.}",
                                      "{\"key\":\"a\",\"value\":1e}",
                                      "{\"key\":\"a\",\"value\":[1,]}",
                                      "{\"key\":\"a\",\"value\":[1 2]}",
                                      "{\"key\":\"a\",\"value\":[{]}}",
                                      "{\"key\":\"a\",\"value\":{1:2}}",
                                      "{\"key\":\"a\",\"value\":{\"b\"}}",
                                      "{\"key\":\"a\",\"value\":{\"b\":1,}}",
                                      "{\"key\":\"a\",\"value\":1,\"other\":x}",
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tsv_takes_the_first_separator_and_escapes),
        cmocka_unit_test(tsv_without_escapes_takes_backslashes),
        cmocka_unit_test(nul_records_come_in_pairs),
        cmocka_unit_test(json_lines_take_every_spelling),
        cmocka_unit_test(json_lines_with_a_key_field_keep_the_line),
        cmocka_unit_test(values_of_every_kind_keep_their_text),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(malformed_json_is_refused),
        cmocka_unit_test(random_input_never_breaks_a_reader),
        cmocka_unit_test(records_longer_than_a_read_stay_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
