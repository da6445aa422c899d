/* SPDX-License-Identifier: MIT
 *
 * Records out of TSV, JSON lines and NUL-delimited input. The files under test are included: the
 * command is a program, not a library.
 */
#include "tool_support.h"

#include "../../tools/peat/output.c"

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
    assert_int_equal(size > 0 ? fwrite(data, 1, size, s->file) : 0, size);
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

TEST(tsv_takes_the_first_separator_and_escapes)
{
    static const char text[] = "a\t1\nb\tx\ty\n\t\nk\\te\\\\y\tv\\x41\\n\nlast\tone";
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

TEST(tsv_without_escapes_takes_backslashes)
{
    static const char text[] = "system\\x2d;a;b\\\n";
    source s = {.args = {.no_escapes = true, .separator = ";"}};
    open_source(&s, CLI_TSV, text, sizeof text - 1);
    expect_record(&s, "system\\x2d", "a;b\\");
    expect_end(&s);
    close_source(&s);
}

TEST(nul_records_come_in_pairs)
{
    static const char text[] = "a\0"
                               "1\n2\0"
                               "\0\0"
                               "b";
    source s = {0};
    peat_slice k, v;
    open_source(&s, CLI_NUL, text, sizeof text - 1);
    expect_record(&s, "a", "1\n2");
    expect_record(&s, "", "");
    assert_false(cli_records_next(&s.records, &k, &v));
    assert_non_null(s.records.error);
    close_source(&s);
}

TEST(json_lines_take_every_spelling)
{
    static const char text[] =
        "{\"key\":\"a\",\"value\":\"1\"}\n"
        " { \"value\" : \"x\\ty\\u00e4\\ud83c\\udf31\" , \"key_hex\" : \"6B\" } \n"
        "{\"n\":[1,{\"key\":2}],\"key\":\"b\",\"value\":{\"a\": [1, \"]}\"]}}\n"
        "{\"key_base64\":\"Zm9v\",\"value_base64\":\"YmFy\"}\n"
        "{\"k\\u0065y\":\"c\",\"value\":12}\n"
        "{\"key\":\"\",\"value\":\"\"}\r\n";
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

TEST(json_lines_with_a_key_field_keep_the_line)
{
    static const char text[] =
        "{\"id\":7,\"name\":\"\\u0041\"}\n{\"name\":\"b\",\"id\":\"x\\ny\"}\n";
    source s = {.args = {.key_field = "id"}};
    open_source(&s, CLI_JSONL, text, sizeof text - 1);
    expect_record(&s, "7", "{\"id\":7,\"name\":\"\\u0041\"}");
    expect_record(&s, "x\ny", "{\"name\":\"b\",\"id\":\"x\\ny\"}");
    expect_end(&s);
    close_source(&s);
}

TEST(values_of_every_kind_keep_their_text)
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
TEST(nesting_has_a_limit)
{
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

TEST(malformed_json_is_refused)
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
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_bad(CLI_JSONL, bad[i]);
}

/* Hostile bytes end in records or an error; ASan watches over the rest. */
TEST(random_input_never_breaks_a_reader)
{
    rng random = {seed};
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

TEST(records_longer_than_a_read_stay_whole)
{
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

/* What the two sides agree on: a separator is refused by both, or any bytes come back. */
TEST(every_separator_and_format_carries_every_byte_or_is_refused)
{
    static const cli_command sample = {.name = "sample",
                                       .place = CLI_NO_STORE,
                                       .options = "key-format value-format separator no-escapes"};
    static const char *const names[] = {"text", "hex", "base64"};
    char all[257];
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    size_t refused = 0, carried = 0;
    for (int mix = 0; mix < 18; mix++)
        for (int c = 0; c < 256; c++) {
            char sep[2] = {(char)c, '\0'};
            char *words[] = {"sample",
                             "-k",
                             (char *)(uintptr_t)names[mix % 3],
                             "-v",
                             (char *)(uintptr_t)names[mix / 3 % 3],
                             "-t",
                             sep,
                             mix < 9 ? NULL : "-E",
                             NULL};
            source s = {0};
            cli_output out = {0};
            if (cli_parse(&sample, mix < 9 ? 7 : 8, words, &s.args) != 0) {
                refused++;
                continue;
            }
            cli_row_format format = cli_row_format_of(&s.args);
            uint64_t written[512];
            size_t count = 0;
            for (unsigned k = 0; k < 512; k++) { /* in front of others, and behind them */
                char key[3] = {(char)(k % 256), (char)(k < 256 ? k : 0), 'k'};
                peat_slice row = peat_bytes(key, 3);
                if (cli_output_row(&out, &format, row, peat_bytes(all, k % 256)) == NULL)
                    written[count++] = k;
                else
                    assert_true(mix >= 9); /* only without escapes */
            }
            open_source(&s, CLI_TSV, out.bytes.data, out.bytes.size);
            for (size_t i = 0; i < count; i++) {
                peat_slice k, v;
                unsigned n = (unsigned)written[i];
                char key[3] = {(char)(n % 256), (char)(n < 256 ? n : 0), 'k'};
                assert_true(cli_records_next(&s.records, &k, &v));
                assert_bytes(k, key, 3);
                assert_bytes(v, all, n % 256);
                carried++;
            }
            expect_end(&s);
            close_source(&s);
            cli_bytes_free(&out.bytes);
        }
    assert_true(refused > 0 && carried > 500000);
}

/* At the limit a field is taken, one byte more of it is not, nor is much more of it read. */
TEST(a_field_ends_at_its_limit)
{
    static const struct {
        cli_layout layout;
        cli_encoding encoding;
        bool value;
        const char *head, *piece; /* of one byte */
    } cases[] = {
        {CLI_TSV, CLI_TEXT, false, "", "k"},
        {CLI_TSV, CLI_TEXT, false, "", "\\x41"},
        {CLI_TSV, CLI_TEXT, false, "", "\\\\"},
        {CLI_TSV, CLI_HEX, false, "", "6b"},
        {CLI_TSV, CLI_TEXT, true, "k\t", "v"},
        {CLI_TSV, CLI_TEXT, true, "k\t", "\\x41"},
        {CLI_TSV, CLI_HEX, true, "6b\t", "76"},
        {CLI_JSONL, CLI_TEXT, true, "{\"key\":\"k\",\"value\":\"", "v"},
        {CLI_JSONL, CLI_TEXT, true, "{\"key\":\"k\",\"value\":\"", "\\u0001"},
        {CLI_NUL, CLI_TEXT, false, "", "k"},
    };
    const size_t limit = 300000, most = 12 * limit + 4 * READ_SIZE;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int more = 0; more <= 1; more++) {
            source s = {.args = {.key_format = (int)cases[i].encoding,
                                 .value_format = (int)cases[i].encoding}};
            cli_bytes text = {0};
            peat_slice k, v;
            cli_bytes_add_text(&text, cases[i].head);
            for (size_t n = 0; n < (more ? most : limit); n++)
                cli_bytes_add_text(&text, cases[i].piece);
            cli_bytes_add_text(&text, cases[i].layout == CLI_JSONL ? "\"}\n"
                                      : cases[i].value             ? "\n"
                                                                   : "");
            if (!cases[i].value)
                cli_bytes_add(&text, cases[i].layout == CLI_NUL ? "\0\0" : "\t\n", 2);
            open_source(&s, cases[i].layout, text.data, text.size);
            s.records.key_max = s.records.value_max = limit;
            bool got = cli_records_next(&s.records, &k, &v);
            if (!more) {
                assert_true(got);
                assert_int_equal(cases[i].value ? v.size : k.size, limit);
            } else {
                assert_false(got);
                assert_non_null(strstr(s.records.error, " of more than "));
                size_t bound = (cases[i].layout == CLI_JSONL ? 12 : 5) * limit + 4 * READ_SIZE;
                assert_true(s.in.bytes_read < bound);
                assert_true(s.in.buffer.capacity <= 2 * bound);
            }
            close_source(&s);
            cli_bytes_free(&text);
        }
}
