/* SPDX-License-Identifier: MIT
 *
 * json.h - reads one JSON object, member by member, out of a line.
 *
 * Members are raw spans of the line; a string is decoded only when asked for. Nesting is skipped,
 * never recursed into, so a hostile line costs its length and nothing more.
 */
#ifndef PEAT_CLI_JSON_H
#define PEAT_CLI_JSON_H

#include "bytes.h"
#include "cli.h"

typedef struct cli_json_value {
    bool is_string;
    peat_slice raw; /* of a string: between the quotes, escapes as they stand */
} cli_json_value;

typedef struct cli_json {
    const char *at;
    const char *end;
    const char *error; /* static; NULL as long as all is well */
    bool first;
} cli_json;

/* Begins with the object that text must be. */
void cli_json_begin(cli_json *json, peat_slice text);

/* The next member: true and both outputs, or false at the closing brace (nothing but white space
 * may follow) or at an error. */
bool cli_json_member(cli_json *json, cli_json_value *ret_name, cli_json_value *ret_value);

/* Decodes a string: UTF-8 of its characters. Returns NULL or why not. */
const char *cli_json_decode(cli_json_value string, cli_bytes *scratch, peat_slice *ret_text);

#endif
