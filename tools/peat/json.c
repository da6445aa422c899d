/* SPDX-License-Identifier: MIT
 *
 * json.c - reads one JSON object, member by member, out of a line.
 */
#include "json.h"

#include <string.h>

static void skip_space(cli_json *json)
{
    while (json->at < json->end && *json->at != '\0' && strchr(" \t\r\n", *json->at) != NULL)
        json->at++;
}

static bool fail(cli_json *json, const char *why)
{
    if (json->error == NULL)
        json->error = why;
    json->at = json->end;
    return false;
}

static bool take(cli_json *json, char c)
{
    skip_space(json);
    if (json->at >= json->end || *json->at != c)
        return false;
    json->at++;
    return true;
}

void cli_json_begin(cli_json *json, peat_slice text)
{
    const char *at = text.data;
    *json = (cli_json){.at = at, .end = at == NULL ? NULL : at + text.size, .first = true};
    if (!take(json, '{'))
        (void)fail(json, "not a JSON object"); /* the next member reports it */
}

/* At the opening quote. */
static bool span_string(cli_json *json, cli_json_value *ret_value)
{
    const char *start = ++json->at;
    for (; json->at < json->end; json->at++) {
        if (*json->at == '\\')
            json->at++;
        else if (*json->at == '"') {
            *ret_value = (cli_json_value){true, peat_bytes(start, (size_t)(json->at - start))};
            json->at++;
            return true;
        }
    }
    return fail(json, "a JSON string without its end");
}

static size_t skip_digits(cli_json *json)
{
    const char *start = json->at;
    while (json->at < json->end && *json->at >= '0' && *json->at <= '9')
        json->at++;
    return (size_t)(json->at - start);
}

static bool skip_char(cli_json *json, char a, char b)
{
    if (json->at >= json->end || (*json->at != a && *json->at != b))
        return false;
    json->at++;
    return true;
}

static bool skip_number(cli_json *json)
{
    (void)skip_char(json, '-', '-');
    bool zero = json->at < json->end && *json->at == '0';
    size_t digits = skip_digits(json);
    if (digits == 0 || (zero && digits > 1))
        return false;
    if (skip_char(json, '.', '.') && skip_digits(json) == 0)
        return false;
    if (!skip_char(json, 'e', 'E'))
        return true;
    (void)skip_char(json, '+', '-');
    return skip_digits(json) > 0;
}

static bool skip_scalar(cli_json *json)
{
    static const char *const words[] = {"true", "false", "null"};
    cli_json_value ignored;
    if (json->at < json->end && *json->at == '"')
        return span_string(json, &ignored);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t size = strlen(words[i]);
        if ((size_t)(json->end - json->at) >= size && memcmp(json->at, words[i], size) == 0) {
            json->at += size;
            return true;
        }
    }
    return skip_number(json);
}

/* Deeper values are refused: one bit for each level, set for an object. */
enum { DEPTH_MAX = 64 };

/* Behind a value: closes what ends here, and steps over a comma. False: nothing is open, or what
 * comes is neither. */
static bool close_levels(cli_json *json, uint64_t kinds, size_t *io_depth)
{
    while (*io_depth > 0) {
        if (take(json, ','))
            return true;
        if (!take(json, kinds >> (*io_depth - 1) & 1 ? '}' : ']'))
            return false;
        --*io_depth;
    }
    return false;
}

/* One value of any kind, however deep, by the grammar. */
static bool skip_value(cli_json *json)
{
    uint64_t kinds = 0;
    size_t depth = 0;
    cli_json_value ignored;
    for (;;) {
        bool member = depth > 0 && (kinds >> (depth - 1) & 1) != 0;
        skip_space(json);
        if (member && (json->at >= json->end || *json->at != '"' || !span_string(json, &ignored) ||
                       !take(json, ':')))
            return false;
        skip_space(json);
        bool object = skip_char(json, '{', '{');
        if (object || skip_char(json, '[', '[')) {
            if (depth == DEPTH_MAX)
                return fail(json, "JSON that is nested too deep");
            kinds = (kinds & ~(UINT64_C(1) << depth)) | (uint64_t)object << depth;
            if (!take(json, object ? '}' : ']')) {
                depth++;
                continue; /* to its first member */
            }
        } else if (!skip_scalar(json)) {
            return false;
        }
        if (!close_levels(json, kinds, &depth))
            return depth == 0;
    }
}

/* A number, word, array or object. */
static bool span_other(cli_json *json, cli_json_value *ret_value)
{
    const char *start = json->at;
    if (!skip_value(json))
        return fail(json, "a JSON member without a whole value");
    const char *end = json->at;
    while (end > start && strchr(" \t\r\n", end[-1]) != NULL)
        end--;
    *ret_value = (cli_json_value){false, peat_bytes(start, (size_t)(end - start))};
    return true;
}

bool cli_json_member(cli_json *json, cli_json_value *ret_name, cli_json_value *ret_value)
{
    if (json->error != NULL)
        return false;
    if (take(json, '}')) {
        skip_space(json);
        return json->at == json->end ? false : fail(json, "text after the JSON object");
    }
    if (!json->first && !take(json, ','))
        return fail(json, "a JSON object without its end");
    json->first = false;
    skip_space(json);
    if (json->at >= json->end || *json->at != '"')
        return fail(json, "a JSON member without a name");
    if (!span_string(json, ret_name))
        return false;
    if (!take(json, ':'))
        return fail(json, "a JSON name without a value");
    skip_space(json);
    if (json->at < json->end && *json->at == '"')
        return span_string(json, ret_value);
    return span_other(json, ret_value);
}

/* Four hex digits at p, or -1. */
static long code_unit(const char *p, size_t left)
{
    long unit = 0;
    for (size_t i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdefABCDEF";
        const char *digit = i < left && p[i] != '\0' ? strchr(digits, p[i]) : NULL;
        if (digit == NULL)
            return -1;
        long value = digit - digits;
        unit = unit * 16 + (value < 16 ? value : value - 6);
    }
    return unit;
}

static void add_utf8(cli_bytes *out, unsigned long c)
{
    if (c < 0x80) {
        cli_bytes_add_char(out, (char)c);
    } else if (c < 0x800) {
        cli_bytes_add_char(out, (char)(0xc0 | c >> 6));
        cli_bytes_add_char(out, (char)(0x80 | (c & 63)));
    } else {
        if (c < 0x10000) {
            cli_bytes_add_char(out, (char)(0xe0 | c >> 12));
        } else {
            cli_bytes_add_char(out, (char)(0xf0 | c >> 18));
            cli_bytes_add_char(out, (char)(0x80 | (c >> 12 & 63)));
        }
        cli_bytes_add_char(out, (char)(0x80 | (c >> 6 & 63)));
        cli_bytes_add_char(out, (char)(0x80 | (c & 63)));
    }
}

/* \uXXXX at p (behind the u), with its second half when it is a surrogate; returns the characters
 * used, 0 when it is malformed. */
static size_t decode_unicode(const char *p, size_t left, cli_bytes *out)
{
    long high = code_unit(p, left);
    if (high < 0 || (high >= 0xdc00 && high <= 0xdfff))
        return 0;
    if (high < 0xd800 || high > 0xdbff) {
        add_utf8(out, (unsigned long)high);
        return 4;
    }
    if (left < 10 || p[4] != '\\' || p[5] != 'u')
        return 0;
    long low = code_unit(p + 6, left - 6);
    if (low < 0xdc00 || low > 0xdfff)
        return 0;
    add_utf8(out, 0x10000 + ((unsigned long)(high - 0xd800) << 10) + (unsigned long)(low - 0xdc00));
    return 10;
}

const char *cli_json_decode(cli_json_value string, cli_bytes *scratch, peat_slice *ret_text)
{
    static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    const char *from = string.raw.data;
    size_t size = string.raw.size;
    if (size == 0 || memchr(from, '\\', size) == NULL) {
        *ret_text = string.raw;
        return NULL;
    }
    scratch->size = 0;
    for (size_t i = 0; i < size;) {
        if (from[i] != '\\') {
            cli_bytes_add_char(scratch, from[i++]);
            continue;
        }
        char c = i + 1 < size ? from[i + 1] : '\0';
        const char *letter = c == '\0' ? NULL : strchr(letters, c);
        size_t used = 0;
        if (letter != NULL)
            cli_bytes_add_char(scratch, bytes[letter - letters]);
        else if (c != 'u' || (used = decode_unicode(from + i + 2, size - i - 2, scratch)) == 0)
            return "a JSON string with a malformed escape";
        i += 2 + used;
    }
    *ret_text = peat_bytes(scratch->data, scratch->size);
    return NULL;
}
