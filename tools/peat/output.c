/* SPDX-License-Identifier: MIT
 *
 * output.c - buffered standard output, and entries written to it.
 */
#include "output.h"
#include "codec.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { FLOW_SIZE = 64 * 1024 };

static bool write_all(cli_output *out)
{
    size_t done = 0;
    while (out->os_errno == 0 && done < out->bytes.size) {
        ssize_t n = write(STDOUT_FILENO, out->bytes.data + done, out->bytes.size - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR || cli_interrupted()) /* nobody may ever read it */
            out->os_errno = errno;
    }
    out->bytes.size = 0;
    return out->os_errno == 0;
}

bool cli_output_flow(cli_output *out)
{
    return out->bytes.size < FLOW_SIZE ? out->os_errno == 0 : write_all(out);
}

int cli_output_finish(cli_output *out, const cli_args *args, int code)
{
    bool written = write_all(out);
    cli_bytes_free(&out->bytes);
    if (written)
        return code;
    if (out->os_errno == EPIPE)
        return CLI_PIPE;
    if (out->os_errno == EINTR)
        return code == CLI_STORE ? code : CLI_INTERRUPTED;
    return cli_fail(args, CLI_STORE,
                    "cannot write to standard output: %s; the output is not complete",
                    strerror(out->os_errno));
}

cli_row_format cli_row_format_of(const cli_args *args)
{
    return (cli_row_format){
        .layout = args->json ? CLI_JSONL : (cli_layout)args->format,
        .key_encoding = (cli_encoding)args->key_format,
        .value_encoding = (cli_encoding)args->value_format,
        .separator = args->separator[0],
        .escapes = !args->no_escapes,
        .keys = !args->values_only,
        .values = !args->keys_only,
    };
}

bool cli_is_shown(const cli_args *args)
{
    return !args->raw && isatty(STDOUT_FILENO);
}

void cli_output_show(cli_output *out, size_t from)
{
    cli_bytes text = {0};
    if (!out->shown || out->bytes.size == from)
        return;
    cli_show(&text, peat_bytes(out->bytes.data + from, out->bytes.size - from));
    out->bytes.size = from;
    cli_bytes_add(&out->bytes, text.data, text.size);
    cli_bytes_free(&text);
}

static bool has_byte(peat_slice data, char byte)
{
    return data.size > 0 && memchr(data.data, byte, data.size) != NULL;
}

static const char *add_field(cli_output *out, const cli_row_format *format, cli_encoding encoding,
                             peat_slice data, bool is_key)
{
    if (encoding != CLI_TEXT) {
        cli_encode(&out->bytes, encoding, data);
        return NULL;
    }
    if (format->layout == CLI_NUL) {
        if (has_byte(data, '\0'))
            return "it contains a NUL byte; use --key-format and --value-format hex or base64";
    } else if (format->escapes) {
        (is_key ? cli_escape_key : cli_escape)(&out->bytes, data, format->separator);
        return NULL;
    } else if (is_key && cli_has_mark(data)) {
        return "its key begins with a byte order mark; leave out --no-escapes";
    } else if (has_byte(data, '\n') ||
               (is_key && format->values && has_byte(data, format->separator))) {
        return "it contains the separator or a newline; leave out --no-escapes";
    }
    cli_encode(&out->bytes, CLI_TEXT, data);
    return NULL;
}

static void add_json(cli_output *out, const cli_row_format *format, peat_slice key,
                     peat_slice value)
{
    cli_bytes_add_char(&out->bytes, '{');
    if (format->keys)
        cli_json_field(&out->bytes, "key", format->key_encoding, key);
    if (format->keys && format->values)
        cli_bytes_add_char(&out->bytes, ',');
    if (format->values)
        cli_json_field(&out->bytes, "value", format->value_encoding, value);
    cli_bytes_add_text(&out->bytes, "}\n");
}

static const char *add_row(cli_output *out, const cli_row_format *format, peat_slice key,
                           peat_slice value)
{
    const char *why = NULL;
    if (format->layout == CLI_JSONL) {
        add_json(out, format, key, value);
        return NULL;
    }
    char end = format->layout == CLI_NUL ? '\0' : '\n';
    if (format->keys)
        why = add_field(out, format, format->key_encoding, key, true);
    if (why == NULL && format->keys && format->values)
        cli_bytes_add_char(&out->bytes, format->layout == CLI_NUL ? '\0' : format->separator);
    if (why == NULL && format->values)
        why = add_field(out, format, format->value_encoding, value, false);
    if (why == NULL)
        cli_bytes_add_char(&out->bytes, end);
    return why;
}

const char *cli_output_row(cli_output *out, const cli_row_format *format, peat_slice key,
                           peat_slice value)
{
    size_t from = out->bytes.size;
    const char *why = add_row(out, format, key, value);
    if (why == NULL)
        cli_output_show(out, from);
    else
        out->bytes.size = from; /* never a piece of a row */
    return why;
}
