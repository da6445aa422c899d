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

#include <string.h>

void cli_records_init(cli_records *records, const cli_args *args, cli_input *in)
{
    *records = (cli_records){
        .in = in,
        .layout = (cli_layout)args->format,
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

/* A field up to delimiter, or up to the end of the input, from offset from. false: nothing there,
 * a failed read, or interrupted. */
static bool find_field(cli_records *records, size_t from, char delimiter, size_t *ret_end)
{
    cli_input *in = records->in;
    if (cli_input_find(in, from, delimiter, ret_end)) {
        records->used = *ret_end + 1;
        return true;
    }
    if (!in->at_end || cli_input_size(in) <= from)
        return false;
    *ret_end = records->used = cli_input_size(in);
    return true;
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

static bool next_tsv(cli_records *records, peat_slice line, peat_slice *ret_key,
                     peat_slice *ret_value)
{
    const char *data = line.data;
    const char *tab = line.size == 0 ? NULL : memchr(data, records->separator, line.size);
    if (tab == NULL)
        return fail(records, "no separator between key and value");
    size_t key_size = (size_t)(tab - data);
    return decode_pair(records, peat_bytes(data, key_size),
                       peat_bytes(tab + 1, line.size - key_size - 1), ret_key, ret_value);
}

static bool next_nul(cli_records *records, peat_slice *ret_key, peat_slice *ret_value)
{
    size_t key_end = 0, value_end = 0;
    if (!find_field(records, 0, '\0', &key_end))
        return false;
    if (!find_field(records, key_end + 1, '\0', &value_end)) {
        bool cut = records->in->at_end && records->in->os_errno == 0;
        return cut ? fail(records, "a key without a value at the end") : false;
    }
    const char *data = cli_input_data(records->in);
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

static bool next_json(cli_records *records, peat_slice line, peat_slice *ret_key,
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

bool cli_records_next(cli_records *records, peat_slice *ret_key, peat_slice *ret_value)
{
    size_t end = 0;
    if (records->error != NULL)
        return false;
    cli_input_consume(records->in, records->used);
    records->used = 0;
    records->number++;
    if (records->layout == CLI_NUL)
        return next_nul(records, ret_key, ret_value);
    if (!find_field(records, 0, '\n', &end))
        return false;
    peat_slice line = peat_bytes(cli_input_data(records->in), end);
    return records->layout == CLI_TSV ? next_tsv(records, line, ret_key, ret_value)
                                      : next_json(records, line, ret_key, ret_value);
}
