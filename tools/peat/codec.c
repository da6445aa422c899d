/* SPDX-License-Identifier: MIT
 *
 * codec.c - bytes as text, hex, base64, escaped text and JSON strings, and back.
 */
#include "codec.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void encode_hex(cli_bytes *out, peat_slice data)
{
    const unsigned char *from = data.data;
    char *to = cli_bytes_room(out, data.size * 2);
    for (size_t i = 0; i < data.size; i++) {
        *to++ = hex_digits[from[i] >> 4];
        *to++ = hex_digits[from[i] & 15];
    }
    out->size += data.size * 2;
}

static void encode_base64(cli_bytes *out, peat_slice data)
{
    const unsigned char *from = data.data;
    size_t left = data.size;
    char *to = cli_bytes_room(out, (data.size + 2) / 3 * 4);
    out->size += (data.size + 2) / 3 * 4;
    for (; left > 0; from += 3, to += 4) {
        unsigned bits = (unsigned)from[0] << 16;
        bits |= left > 1 ? (unsigned)from[1] << 8 : 0;
        bits |= left > 2 ? (unsigned)from[2] : 0;
        to[0] = base64_digits[bits >> 18];
        to[1] = base64_digits[bits >> 12 & 63];
        to[2] = left > 1 ? base64_digits[bits >> 6 & 63] : '=';
        to[3] = left > 2 ? base64_digits[bits & 63] : '=';
        if (left <= 3)
            break;
        left -= 3;
    }
}

void cli_encode(cli_bytes *out, cli_encoding encoding, peat_slice data)
{
    if (encoding == CLI_HEX)
        encode_hex(out, data);
    else if (encoding == CLI_BASE64)
        encode_base64(out, data);
    else
        cli_bytes_add(out, data.data, data.size);
}

static const char *decode_hex(peat_slice text, cli_bytes *scratch)
{
    const char *from = text.data;
    if (text.size % 2 != 0)
        return "an odd number of hex digits";
    char *to = cli_bytes_room(scratch, text.size / 2);
    for (size_t i = 0; i < text.size; i += 2) {
        int high = hex_value(from[i]), low = hex_value(from[i + 1]);
        if (high < 0 || low < 0)
            return "a character that is no hex digit";
        *to++ = (char)(high << 4 | low);
    }
    scratch->size += text.size / 2;
    return NULL;
}

/* Canonical base64 only (padding present, unused bits zero), so that one value has one text. */
static const char *decode_base64(peat_slice text, cli_bytes *scratch)
{
    const char *from = text.data;
    if (text.size % 4 != 0)
        return "base64 whose length is not a multiple of 4";
    for (size_t i = 0; i < text.size; i += 4) {
        bool last = i + 4 == text.size;
        int pad = last && from[i + 3] == '=' ? (from[i + 2] == '=' ? 2 : 1) : 0;
        unsigned bits = 0;
        for (size_t k = 0; k < 4; k++) {
            int value = k >= 4 - (size_t)pad ? 0 : base64_value(from[i + k]);
            if (value < 0)
                return "a character that is not base64";
            bits = bits << 6 | (unsigned)value;
        }
        if ((pad == 1 && (bits & 0xff) != 0) || (pad == 2 && (bits & 0xffff) != 0))
            return "base64 with stray bits at its end";
        const char three[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
        cli_bytes_add(scratch, three, 3 - (size_t)pad);
    }
    return NULL;
}

const char *cli_decode(cli_encoding encoding, peat_slice text, cli_bytes *scratch,
                       peat_slice *ret_data)
{
    if (encoding == CLI_TEXT) {
        *ret_data = text;
        return NULL;
    }
    scratch->size = 0;
    const char *why =
        encoding == CLI_HEX ? decode_hex(text, scratch) : decode_base64(text, scratch);
    if (why == NULL)
        *ret_data = peat_bytes(scratch->data, scratch->size);
    return why;
}

static void escape_byte(cli_bytes *out, unsigned char c)
{
    char text[4] = {'\\', 'x', hex_digits[c >> 4], hex_digits[c & 15]};
    size_t size = 2;
    if (c == '\\')
        text[1] = '\\';
    else if (c == '\t')
        text[1] = 't';
    else if (c == '\n')
        text[1] = 'n';
    else if (c == '\r')
        text[1] = 'r';
    else
        size = 4;
    cli_bytes_add(out, text, size);
}

void cli_escape(cli_bytes *out, peat_slice data, char separator)
{
    const unsigned char *from = data.data;
    size_t plain = 0; /* start of the run that needs no escape */
    for (size_t i = 0; i < data.size; i++) {
        unsigned char c = from[i];
        if (c >= 0x20 && c != 0x7f && c != '\\' && c != (unsigned char)separator)
            continue;
        cli_bytes_add(out, from + plain, i - plain);
        escape_byte(out, c);
        plain = i + 1;
    }
    if (plain < data.size)
        cli_bytes_add(out, from + plain, data.size - plain);
}

bool cli_has_mark(peat_slice data)
{
    return data.size >= 3 && memcmp(data.data, "\xef\xbb\xbf", 3) == 0;
}

void cli_escape_key(cli_bytes *out, peat_slice key, char separator)
{
    if (cli_has_mark(key)) {
        cli_bytes_add_text(out, "\\xef");
        key = peat_bytes((const char *)key.data + 1, key.size - 1);
    }
    cli_escape(out, key, separator);
}

/* One escape at text[0] = '\\'; returns its length, or 0 when it is none. */
static size_t unescape_one(const char *text, size_t left, char *ret_byte)
{
    static const char names[] = "\\tnr", bytes[] = "\\\t\n\r";
    if (left < 2)
        return 0;
    const char *name = text[1] == '\0' ? NULL : strchr(names, text[1]);
    if (name != NULL) {
        *ret_byte = bytes[name - names];
        return 2;
    }
    if (text[1] != 'x' || left < 4 || hex_value(text[2]) < 0 || hex_value(text[3]) < 0)
        return 0;
    *ret_byte = (char)(hex_value(text[2]) << 4 | hex_value(text[3]));
    return 4;
}

const char *cli_unescape(peat_slice text, cli_bytes *scratch, peat_slice *ret_data)
{
    const char *from = text.data;
    if (text.size == 0 || memchr(from, '\\', text.size) == NULL) {
        *ret_data = text;
        return NULL;
    }
    scratch->size = 0;
    for (size_t i = 0; i < text.size;) {
        char byte = from[i];
        size_t used = byte == '\\' ? unescape_one(from + i, text.size - i, &byte) : 1;
        if (used == 0)
            return "a backslash that is not one of \\\\ \\t \\n \\r \\xHH (--no-escapes takes "
                   "backslashes as they are)";
        cli_bytes_add_char(scratch, byte);
        i += used;
    }
    *ret_data = peat_bytes(scratch->data, scratch->size);
    return NULL;
}

/* Length of the UTF-8 sequence at p, or 0. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || left < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool too_long = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool surrogate = p[0] == 0xed && p[1] > 0x9f;
    bool too_high = p[0] == 0xf4 && p[1] > 0x8f;
    return too_long || surrogate || too_high ? 0 : n;
}

bool cli_is_utf8(peat_slice data)
{
    const unsigned char *p = data.data;
    for (size_t i = 0; i < data.size;) {
        size_t n = utf8_length(p + i, data.size - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

void cli_show(cli_bytes *out, peat_slice data)
{
    const unsigned char *p = data.data;
    for (size_t i = 0; i < data.size;) {
        size_t n = utf8_length(p + i, data.size - i);
        bool control = (p[i] < 0x20 && p[i] != '\n' && p[i] != '\t') || p[i] == 0x7f;
        bool plain = n > 0 && !control && !(n == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0);
        for (size_t k = 0; k < (n > 0 ? n : 1); k++)
            if (plain)
                cli_bytes_add_char(out, (char)p[i + k]);
            else
                cli_bytes_format(out, "\\x%02x", p[i + k]);
        i += n > 0 ? n : 1;
    }
}

void cli_json_string(cli_bytes *out, peat_slice data)
{
    static const char names[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *from = data.data;
    cli_bytes_add_char(out, '"');
    for (size_t i = 0; i < data.size; i++) {
        const char *name = from[i] == '\0' ? NULL : strchr(names, from[i]);
        if (name != NULL) {
            cli_bytes_add_char(out, '\\');
            cli_bytes_add_char(out, letters[name - names]);
        } else if ((unsigned char)from[i] < 0x20 || from[i] == 0x7f) {
            cli_bytes_format(out, "\\u%04x", (unsigned char)from[i]);
        } else if (from[i] == '\xc2' && i + 1 < data.size && (unsigned char)from[i + 1] < 0xa0) {
            cli_bytes_format(out, "\\u%04x",
                             (unsigned char)from[++i]); /* C1: terminals obey them */
        } else {
            cli_bytes_add_char(out, from[i]);
        }
    }
    cli_bytes_add_char(out, '"');
}

void cli_json_field(cli_bytes *out, const char *name, cli_encoding encoding, peat_slice data)
{
    if (encoding == CLI_TEXT && !cli_is_utf8(data))
        encoding = CLI_BASE64;
    cli_bytes_add_char(out, '"');
    cli_bytes_add_text(out, name);
    cli_bytes_add_text(out, encoding == CLI_HEX ? "_hex" : encoding == CLI_BASE64 ? "_base64" : "");
    cli_bytes_add_text(out, "\":");
    if (encoding == CLI_TEXT) {
        cli_json_string(out, data);
        return;
    }
    cli_bytes_add_char(out, '"');
    cli_encode(out, encoding, data);
    cli_bytes_add_char(out, '"');
}
