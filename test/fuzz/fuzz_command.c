/* SPDX-License-Identifier: MIT */
/*
 * fuzz_command.c - the parsers of the command: encodings, JSON, records, options. What one side of
 * the command writes, the other reads back as the same bytes.
 */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/command_parts.h"

static bool same(peat_slice a, const void *data, size_t size)
{
    return a.size == size && (size == 0 || memcmp(a.data, data, size) == 0);
}

/* Decoded, encoded and decoded again; base64 has one text only. */
static size_t use_encoding(cli_encoding encoding, const uint8_t *data, size_t size)
{
    cli_bytes scratch = {0}, text = {0}, again = {0};
    peat_slice bytes, back;
    size_t n = 0;
    if (cli_decode(encoding, peat_bytes(data, size), &scratch, &bytes) == NULL) {
        cli_encode(&text, encoding, bytes);
        FUZZ_REQUIRE(text.size == size, "a text is as long as its encoding");
        FUZZ_REQUIRE(encoding != CLI_BASE64 || same(peat_bytes(text.data, text.size), data, size),
                     "bytes have one base64");
        FUZZ_REQUIRE(cli_decode(encoding, peat_bytes(text.data, text.size), &again, &back) ==
                             NULL &&
                         same(back, bytes.data, bytes.size),
                     "an encoding is read back");
        n = 1;
    }
    cli_bytes_free(&scratch);
    cli_bytes_free(&text);
    cli_bytes_free(&again);
    return n;
}

static size_t use_escapes(const uint8_t *data, size_t size)
{
    cli_bytes scratch = {0}, text = {0};
    peat_slice bytes;
    size_t n = cli_unescape(peat_bytes(data, size), &scratch, &bytes) == NULL;
    cli_escape(&text, peat_bytes(data, size), ';');
    FUZZ_REQUIRE(cli_unescape(peat_bytes(text.data, text.size), &scratch, &bytes) == NULL &&
                     same(bytes, data, size),
                 "escaped text is read back");
    FUZZ_REQUIRE(text.size == 0 || memchr(text.data, '\n', text.size) == NULL, "and is one line");
    cli_bytes_free(&scratch);
    cli_bytes_free(&text);
    return n;
}

static size_t use_json(const uint8_t *data, size_t size)
{
    cli_json json;
    cli_json_value name, value;
    cli_bytes scratch = {0};
    peat_slice text;
    size_t n = 0;
    cli_json_begin(&json, peat_bytes(data, size));
    while (cli_json_member(&json, &name, &value)) {
        FUZZ_REQUIRE(name.is_string, "a member has a name");
        (void)cli_json_decode(name, &scratch, &text);
        if (value.is_string && cli_json_decode(value, &scratch, &text) == NULL)
            (void)fuzz_touch(pt_slice_of(text.data, text.size));
        (void)fuzz_touch(pt_slice_of(value.raw.data, value.raw.size));
        n++;
    }
    n += json.error == NULL;
    cli_bytes_free(&scratch);
    return n;
}

/* A file to read from. */
static int file_of(const void *data, size_t size)
{
    int fd = memfd_create("fuzz", 0);
    FUZZ_REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0,
                 "there is a file");
    return fd;
}

static void write_record(cli_bytes *out, cli_layout layout, peat_slice key, peat_slice value)
{
    if (layout == CLI_TSV) {
        cli_escape_key(out, key, '\t');
        cli_bytes_add_char(out, '\t');
        cli_escape(out, value, '\t');
        cli_bytes_add_char(out, '\n');
        return;
    }
    cli_bytes_add_char(out, '{');
    cli_json_field(out, "key", CLI_TEXT, key);
    cli_bytes_add_char(out, ',');
    cli_json_field(out, "value", CLI_TEXT, value);
    cli_bytes_add_text(out, "}\n");
}

/* All records of a text; what was read is written as `to`, for a second reading. */
static size_t read_records(const cli_args *args, const void *data, size_t size, cli_layout to,
                           cli_bytes *out)
{
    cli_input in;
    cli_records records;
    peat_slice key, value;
    size_t n = 0;
    int fd = file_of(data, size);
    cli_input_init(&in, fd);
    cli_records_init(&records, args, &in);
    while (cli_records_next(&records, &key, &value)) {
        (void)fuzz_touch(pt_slice_of(key.data, key.size));
        (void)fuzz_touch(pt_slice_of(value.data, value.size));
        if (out != NULL)
            write_record(out, to, key, value);
        n++;
    }
    FUZZ_REQUIRE(!cli_records_next(&records, &key, &value), "the end is the end");
    cli_records_done(&records);
    cli_input_done(&in);
    (void)close(fd);
    return n;
}

static size_t use_records(cli_layout layout, const uint8_t *data, size_t size)
{
    cli_bytes tsv = {0}, json = {0}, back = {0};
    if (size == 0)
        return 0;
    cli_args args = {.format = (int)layout,
                     .key_format = data[0] % 3,
                     .value_format = data[0] / 4 % 3,
                     .no_escapes = (data[0] & 64) != 0,
                     .key_field = data[0] & 128 ? "id" : NULL,
                     .separator = data[0] & 32 ? ";" : "\t"};
    cli_args plain = {.separator = "\t"}, lines = {.separator = "\t", .format = CLI_JSONL};
    size_t n = read_records(&args, data + 1, size - 1, CLI_TSV, &tsv);
    FUZZ_REQUIRE(read_records(&plain, tsv.data, tsv.size, CLI_JSONL, &json) == n,
                 "records written as lines are read back");
    FUZZ_REQUIRE(read_records(&lines, json.data, json.size, CLI_TSV, &back) == n,
                 "and as JSON too");
    FUZZ_REQUIRE(same(peat_bytes(tsv.data, tsv.size), back.data, back.size), "as the same bytes");
    cli_bytes_free(&tsv);
    cli_bytes_free(&json);
    cli_bytes_free(&back);
    return n;
}

/* Words ended by NUL bytes, given to a command that knows every option. */
static size_t use_options(uint8_t *data, size_t size)
{
    static const cli_command all = {
        .name = "all",
        .arguments = "KEY",
        .place = CLI_TAKES_STORE,
        .rest_min = 0,
        .rest_max = 3,
        .options = "db key-format value-format format separator no-escapes key-field prefix lower "
                   "upper reverse limit keys-only values-only approximate value-file no-newline "
                   "sync batch ack no-log settle memory compression json quiet man completion "
                   "write help"};
    char *argv[24] = {(char *)(uintptr_t) "all"};
    char *fresh[] = {argv[0], NULL};
    int argc = 1;
    cli_args args;
    data[size - 1] = '\0';
    for (size_t at = 0; at < size && argc < 23; at += strlen(argv[argc - 1]) + 1)
        argv[argc++] = (char *)data + at;
    optind = 0; /* forgets a cluster of letters that an error left half read */
    (void)getopt_long(1, fresh, "", NULL, NULL);
    if (cli_parse(&all, argc, argv, &args) != 0)
        return 0;
    FUZZ_REQUIRE(args.help || (args.dir != NULL && args.rest_count <= 3 && args.batch != 0),
                 "arguments that are taken make sense");
    return 1;
}

static size_t run(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    uint8_t *p = fuzz_copy(data + 2, size - 2);
    size_t n = 0;
    switch (data[1] % 8) {
    case 0:
        n = use_encoding(CLI_HEX, p, size - 2);
        break;
    case 1:
        n = use_encoding(CLI_BASE64, p, size - 2);
        break;
    case 2:
        n = use_escapes(p, size - 2);
        break;
    case 3:
        n = use_json(p, size - 2);
        break;
    case 7:
        n = use_options(p, size - 2);
        break;
    default:
        n = use_records((cli_layout)(data[1] % 8 - 4), p, size - 2);
    }
    free(p);
    return n;
}

const fuzz_target fuzz_command = {.name = "command", .run = run, .size_max = 2048};
