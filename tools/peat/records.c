/* SPDX-License-Identifier: MIT
 *
 * records.c - entries out of TSV, JSON lines or NUL-delimited input.
 *
 * Invariant: what a call returns points into the input's buffer or into the scratch of its field,
 * so nothing is copied unless it had to be decoded.
 */
#include "records.h"
#include "codec.h"
#include "json.h"

#include <stdio.h>
#include <string.h>

void cli_records_init(cli_records *records, const cli_args *args, cli_input *in)
{
    *records = (cli_records){
        .in = in,
        .layout = (cli_layout)args->format,
        .detect = args->json && !args->format_given,
        .key_max = PEAT_KEY_SIZE_MAX,
        .value_max = PEAT_VALUE_SIZE_MAX,
        .key_encoding = (cli_encoding)args->key_format,
        .value_encoding = (cli_encoding)args->value_format,
        .separator = args->separator[0],
        .escapes = !args->no_escapes,
        .key_field = args->key_field,
    };
}

void cli_records_done(cli_records *records)
{
    cli_bytes_free(&records->key_scratch);
    cli_bytes_free(&records->value_scratch);
    cli_bytes_free(&records->text_scratch);
}

static bool fail(cli_records *records, const char *why)
{
    records->error = why;
    return false;
}

static bool fail_long(cli_records *records, const char *what, size_t limit)
{
    (void)snprintf(records->error_text, sizeof records->error_text, "a %s of more than %zu bytes",
                   what, limit);
    return fail(records, records->error_text);
}

/* What is as long as max bytes, as it stands in a field. */
static cli_field_limit limit_of(const cli_records *records, cli_encoding encoding, size_t max)
{
    if (encoding == CLI_HEX)
        return (cli_field_limit){2 * max, 0, 2 * max};
    if (encoding == CLI_BASE64)
        return (cli_field_limit){(max + 2) / 3 * 4, 0, (max + 2) / 3 * 4};
    bool escaped = records->escapes && records->layout == CLI_TSV;
    return (cli_field_limit){max, escaped ? 3 : 0, escaped ? 4 * max : max}; /* \xHH */
}

/* The value, up to delimiter or to the end of the input, from offset from. false: it is too long, a
 * failed read, or interrupted. */
static bool find_value(cli_records *records, size_t from, char delimiter, size_t *ret_end)
{
    cli_input *in = records->in;
    cli_field_limit limit = limit_of(records, records->value_encoding, records->value_max);
    if (cli_input_find(in, from, delimiter, limit, ret_end)) {
        records->used = *ret_end + 1;
        return true;
    }
    if (in->too_long)
        return fail_long(records, "value", records->value_max);
    *ret_end = records->used = cli_input_size(in);
    return in->at_end;
}

static bool decode_field(cli_records *records, cli_encoding encoding, peat_slice text,
                         cli_bytes *scratch, peat_slice *ret_data)
{
    bool escaped = encoding == CLI_TEXT && records->escapes && records->layout == CLI_TSV;
    const char *why = escaped ? cli_unescape(text, scratch, ret_data)
                              : cli_decode(encoding, text, scratch, ret_data);
    return why == NULL ? true : fail(records, why);
}

static bool decode_pair(cli_records *records, peat_slice key, peat_slice value, peat_slice *ret_key,
                        peat_slice *ret_value)
{
    return decode_field(records, records->key_encoding, key, &records->key_scratch, ret_key) &&
           decode_field(records, records->value_encoding, value, &records->value_scratch,
                        ret_value);
}

/* There was none within the limit of a key. */
static bool no_separator(cli_records *records)
{
    const cli_input *in = records->in;
    size_t size = cli_input_size(in);
    if (in->too_long && memchr(cli_input_data(in), '\n', size) == NULL)
        return fail_long(records, "key", records->key_max);
    if (in->too_long || (in->at_end && size > 0))
        return fail(records, "no separator between key and value");
    return false; /* the end, a failed read, or interrupted */
}

static bool next_tsv(cli_records *records, peat_slice *ret_key, peat_slice *ret_value)
{
    size_t key_size = 0, end = 0;
    cli_field_limit limit = limit_of(records, records->key_encoding, records->key_max);
    if (!cli_input_find(records->in, 0, records->separator, limit, &key_size))
        return no_separator(records);
    if (key_size > 0 && memchr(cli_input_data(records->in), '\n', key_size) != NULL)
        return fail(records, "no separator between key and value");
    if (!find_value(records, key_size + 1, '\n', &end))
        return false;
    const char *data = cli_input_data(records->in);
    return decode_pair(records, peat_bytes(data, key_size),
                       peat_bytes(data + key_size + 1, end - key_size - 1), ret_key, ret_value);
}

static bool next_nul(cli_records *records, peat_slice *ret_key, peat_slice *ret_value)
{
    cli_input *in = records->in;
    size_t key_end = 0, value_end = 0;
    cli_field_limit limit = limit_of(records, records->key_encoding, records->key_max);
    bool found = cli_input_find(in, 0, '\0', limit, &key_end);
    if (!found && in->too_long)
        return fail_long(records, "key", records->key_max);
    if (!found || !find_value(records, key_end + 1, '\0', &value_end) ||
        (in->at_end && value_end == key_end + 1 && cli_input_size(in) == value_end)) {
        bool cut = in->at_end && cli_input_size(in) > 0 && records->error == NULL;
        return cut ? fail(records, "a key without a value at the end") : false;
    }
    const char *data = cli_input_data(in);
    return decode_pair(records, peat_bytes(data, key_end),
                       peat_bytes(data + key_end + 1, value_end - key_end - 1), ret_key, ret_value);
}

/* Which part of an entry a JSON member is: NAME, NAME_hex or NAME_base64. */
static bool member_is(peat_slice name, const char *part, cli_encoding *ret_encoding)
{
    static const char *const suffixes[] = {"", "_hex", "_base64"};
    size_t n = strlen(part);
    if (name.size < n || memcmp(name.data, part, n) != 0)
        return false;
    for (int i = CLI_TEXT; i <= CLI_BASE64; i++) {
        size_t size = strlen(suffixes[i]);
        const char *rest = (const char *)name.data + n;
        if (name.size - n == size && memcmp(rest, suffixes[i], size) == 0) {
            *ret_encoding = (cli_encoding)i;
            return true;
        }
    }
    return false;
}

/* A value that is no string stands for its own JSON text. */
static bool decode_member(cli_records *records, cli_json_value value, cli_encoding encoding,
                          cli_bytes *scratch, peat_slice *ret_data)
{
    if (!value.is_string) {
        *ret_data = value.raw;
        return encoding == CLI_TEXT ? true : fail(records, "hex or base64 that is not a string");
    }
    const char *why = cli_json_decode(value, scratch, ret_data);
    if (why == NULL && encoding != CLI_TEXT)
        why = cli_decode(encoding, *ret_data, &records->text_scratch, ret_data);
    if (why != NULL)
        return fail(records, why);
    if (ret_data->data == records->text_scratch.data && encoding != CLI_TEXT) {
        scratch->size = 0; /* the other field may need text_scratch */
        cli_bytes_add(scratch, ret_data->data, ret_data->size);
        *ret_data = peat_bytes(scratch->data, scratch->size);
    }
    return true;
}

static bool json_line(cli_records *records, peat_slice line, peat_slice *ret_key,
                      peat_slice *ret_value)
{
    cli_json json;
    cli_json_value name, value;
    peat_slice text;
    bool has_key = false, has_value = false;
    cli_encoding encoding = CLI_TEXT;
    const char *key_name = records->key_field != NULL ? records->key_field : "key";

    cli_json_begin(&json, line);
    while (cli_json_member(&json, &name, &value)) {
        const char *why = cli_json_decode(name, &records->text_scratch, &text);
        if (why != NULL)
            return fail(records, why);
        if (member_is(text, key_name, &encoding)) {
            if (has_key || !decode_member(records, value, encoding, &records->key_scratch, ret_key))
                return records->error ? false : fail(records, "two keys in one JSON object");
            has_key = true;
        } else if (records->key_field == NULL && member_is(text, "value", &encoding)) {
            if (has_value ||
                !decode_member(records, value, encoding, &records->value_scratch, ret_value))
                return records->error ? false : fail(records, "two values in one JSON object");
            has_value = true;
        }
    }
    if (json.error != NULL)
        return fail(records, json.error);
    if (records->key_field != NULL)
        *ret_value = line;
    else if (!has_value)
        return fail(records, "a JSON object without \"value\"");
    return has_key ? true : fail(records, "a JSON object without its key");
}

/* White space at the beginning of a line; more is no record of anybody's. */
enum { BLANK_MAX = 64 * 1024 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The first byte that is not white space, at an offset: consumes whole lines on the way if so
 * asked. false: there is none, a failed read, interrupted, or an error is set. */
static bool find_ink(cli_records *records, bool consume, size_t *ret_at)
{
    cli_input *in = records->in;
    for (size_t at = 0; at <= BLANK_MAX; at++) {
        if (!cli_input_fill(in, at + 1) || cli_input_size(in) <= at)
            return false;
        char c = cli_input_data(in)[at];
        if (!is_blank(c)) {
            *ret_at = at;
            return true;
        }
        if (c == '\n' && consume) {
            cli_input_consume(in, at + 1);
            records->number++;
            at = SIZE_MAX; /* 0 in the next round */
        }
    }
    return fail_long(records, "line of white space", BLANK_MAX);
}

/* Of a whole line: hex is twice as long as what it stands for, \u00HH six times; members that are
 * ignored have the rest. */
static cli_field_limit line_limit(const cli_records *records)
{
    if (records->key_field != NULL)
        return (cli_field_limit){records->value_max, 0, records->value_max};
    size_t both = records->key_max + records->value_max;
    return (cli_field_limit){2 * both + BLANK_MAX, 5, 6 * both + BLANK_MAX};
}

static bool next_json(cli_records *records, peat_slice *ret_key, peat_slice *ret_value)
{
    cli_input *in = records->in;
    size_t at = 0, end = 0;
    if (!find_ink(records, true, &at))
        return false;
    records->offset = cli_input_offset(in);
    if (cli_input_data(in)[at] != '{')
        return fail(records, "not a JSON object");
    if (cli_input_find(in, 0, '\n', line_limit(records), &end))
        records->used = end + 1;
    else if (in->too_long)
        return fail_long(records, "line", line_limit(records).bytes);
    else if (in->at_end)
        end = records->used = cli_input_size(in);
    else
        return false;
    return json_line(records, peat_bytes(cli_input_data(in), end), ret_key, ret_value);
}

/* A byte order mark at the beginning of lines is no part of a key; and which lines they are. */
static void begin_input(cli_records *records)
{
    static const char mark[] = "\xef\xbb\xbf";
    cli_input *in = records->in;
    size_t at = 0;
    if (records->layout == CLI_NUL)
        return; /* bytes as they are */
    for (size_t i = 0; i < 3; i++)
        if (!cli_input_fill(in, i + 1) || cli_input_size(in) <= i ||
            cli_input_data(in)[i] != mark[i])
            break;
        else if (i == 2)
            cli_input_consume(in, 3);
    if (records->detect && find_ink(records, false, &at) && cli_input_data(in)[at] == '{')
        records->layout = CLI_JSONL;
}

bool cli_records_next(cli_records *records, peat_slice *ret_key, peat_slice *ret_value)
{
    if (records->error != NULL)
        return false;
    if (records->number == 0)
        begin_input(records);
    cli_input_consume(records->in, records->used);
    records->used = 0;
    records->number++;
    records->offset = cli_input_offset(records->in);
    if (records->error != NULL)
        return false;
    return records->layout == CLI_NUL   ? next_nul(records, ret_key, ret_value)
           : records->layout == CLI_TSV ? next_tsv(records, ret_key, ret_value)
                                        : next_json(records, ret_key, ret_value);
}
