/* SPDX-License-Identifier: MIT
 *
 * codec.h - bytes as text, hex, base64, escaped text and JSON strings, and back.
 *
 * Decoders take any bytes and either give exactly what was encoded or say why not. They copy into
 * scratch only when the result differs from the input.
 */
#ifndef PEAT_CLI_CODEC_H
#define PEAT_CLI_CODEC_H

#include "bytes.h"
#include "cli.h"

/* Appends data in the encoding; CLI_TEXT appends it as it is. */
void cli_encode(cli_bytes *out, cli_encoding encoding, peat_slice data);

/* The reverse. Returns NULL, or why not (a static string). */
const char *cli_decode(cli_encoding encoding, peat_slice text, cli_bytes *scratch,
                       peat_slice *ret_data);

/*
 * Escaped text, for lines: backslash, tab, newline, carriage return become \\ \t \n \r; the
 * separator and all other bytes below 0x20 and 0x7f become \xHH. Bytes from 0x80 on stay.
 */
void cli_escape(cli_bytes *out, peat_slice data, char separator);
/* The same for what may stand at the beginning of the output, where a byte order mark is not taken
 * for one of the key: its first byte is escaped. */
void cli_escape_key(cli_bytes *out, peat_slice key, char separator);
bool cli_has_mark(peat_slice data);
const char *cli_unescape(peat_slice text, cli_bytes *scratch, peat_slice *ret_data);

/* Appends what may go to a terminal: control bytes other than newline and tab, U+0080 to U+009F,
 * and bytes that are not UTF-8 stand as \xHH, the rest as it is. */
void cli_show(cli_bytes *out, peat_slice data);

/* Well-formed UTF-8: shortest forms, no surrogates, at most U+10FFFF. */
bool cli_is_utf8(peat_slice data);

/* Appends a JSON string with its quotes; data must be UTF-8. */
void cli_json_string(cli_bytes *out, peat_slice data);

/* Appends "NAME":"..." , or "NAME_base64" when the bytes are not UTF-8 and the encoding is text,
 * or "NAME_hex", "NAME_base64" when that encoding was asked for. */
void cli_json_field(cli_bytes *out, const char *name, cli_encoding encoding, peat_slice data);

#endif
