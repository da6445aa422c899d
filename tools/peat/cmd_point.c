/* SPDX-License-Identifier: MIT
 *
 * cmd_point.c - peat get, put and del.
 */
#include "codec.h"
#include "input.h"
#include "output.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void add_value(cli_output *out, const cli_args *args, peat_slice key, peat_slice value)
{
    if (args->json) {
        cli_row_format format = cli_row_format_of(args);
        (void)cli_output_row(out, &format, key, value); /* JSON takes any bytes */
        return;
    }
    cli_encode(&out->bytes, (cli_encoding)args->value_format, value);
    if (!args->no_newline)
        cli_bytes_add_char(&out->bytes, '\n');
}

int cli_run_get(cli_args *args)
{
    peat_db *db = NULL;
    peat_slice key;
    cli_bytes scratch = {0};
    cli_output out = {0};
    peat_pinned value = PEAT_PINNED_INIT;

    int code = cli_take_key(args, args->rest[0], &scratch, &key);
    if (code == CLI_OK && (code = cli_open(args, CLI_READ, &db)) == CLI_OK) {
        peat_rc rc = peat_get_pinned(db, NULL, key, &value);
        if (rc == PEAT_OK)
            add_value(&out, args, key, peat_bytes(value.data, value.size));
        else if (rc == PEAT_NOT_FOUND)
            code = CLI_NOT_FOUND;
        else
            code = cli_store_fail(args, db, rc, "read");
        peat_unpin(&value);
        if (code == CLI_NOT_FOUND)
            cli_note(args, "the key is not in %s", args->dir);
        code = cli_close(args, db, code);
    }
    cli_bytes_free(&scratch);
    return cli_output_finish(&out, args, code);
}

/* The value: an argument, or all of a file. The result lives in scratch or in the input. */
static int take_value(const cli_args *args, cli_input *in, cli_bytes *scratch,
                      peat_slice *ret_value)
{
    peat_slice text = peat_str(args->value_file == NULL ? args->rest[1] : "");
    if (args->value_file != NULL) {
        bool standard = strcmp(args->value_file, "-") == 0;
        int fd = standard ? STDIN_FILENO : open(args->value_file, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return cli_fail(args, CLI_USAGE, "cannot open %s: %s", args->value_file,
                            strerror(errno));
        cli_input_init(in, fd);
        bool read_all = cli_input_fill(in, PEAT_VALUE_SIZE_MAX + 1);
        if (!standard)
            (void)close(fd); /* it was only read */
        if (cli_interrupted())
            return CLI_INTERRUPTED;
        if (!read_all)
            return cli_fail(args, CLI_USAGE, "cannot read %s: %s", args->value_file,
                            strerror(in->os_errno));
        text = peat_bytes(cli_input_data(in), cli_input_size(in));
    }
    const char *why = cli_decode((cli_encoding)args->value_format, text, scratch, ret_value);
    if (why != NULL)
        return cli_fail(args, CLI_USAGE, "the value has %s", why);
    if (ret_value->size > PEAT_VALUE_SIZE_MAX)
        return cli_fail(args, CLI_USAGE, "the value is longer than %zu bytes", PEAT_VALUE_SIZE_MAX);
    return CLI_OK;
}

int cli_run_put(cli_args *args)
{
    peat_db *db = NULL;
    peat_slice key, value;
    cli_bytes key_scratch = {0}, value_scratch = {0};
    cli_input in = {.fd = -1};

    int code = cli_take_key(args, args->rest[0], &key_scratch, &key);
    if (code == CLI_OK)
        code = take_value(args, &in, &value_scratch, &value);
    if (code == CLI_OK && (code = cli_open(args, CLI_WRITE_CREATE, &db)) == CLI_OK) {
        peat_rc rc = peat_put(db, NULL, key, value); /* the close makes it durable */
        if (rc != PEAT_OK)
            code = cli_store_fail(args, db, rc, "write to");
        code = cli_close(args, db, code);
    }
    cli_bytes_free(&key_scratch);
    cli_bytes_free(&value_scratch);
    cli_input_done(&in);
    return code;
}

/* Returns CLI_OK, CLI_NOT_FOUND when it was not there, or an error after a line. */
static int delete_key(const cli_args *args, peat_db *db, peat_slice key)
{
    peat_rc rc = peat_exists(db, NULL, key);
    if (rc == PEAT_NOT_FOUND)
        return CLI_NOT_FOUND;
    if (rc != PEAT_OK)
        return cli_store_fail(args, db, rc, "read");
    rc = peat_delete(db, NULL, key);
    return rc == PEAT_OK ? CLI_OK : cli_store_fail(args, db, rc, "write to");
}

int cli_run_del(cli_args *args)
{
    peat_db *db = NULL;
    peat_slice key;
    cli_bytes scratch = {0};
    int absent = 0, code = CLI_OK;

    for (int i = 0; code == CLI_OK && i < args->rest_count; i++)
        code = cli_take_key(args, args->rest[i], &scratch, &key); /* all good, or none is removed */
    if (code == CLI_OK)
        code = cli_open(args, CLI_WRITE, &db);
    for (int i = 0; code == CLI_OK && i < args->rest_count; i++) {
        code = cli_take_key(args, args->rest[i], &scratch, &key);
        if (code == CLI_OK)
            code = delete_key(args, db, key);
        if (code == CLI_NOT_FOUND) {
            absent++;
            code = CLI_OK;
        }
    }
    cli_bytes_free(&scratch);
    if (db != NULL)
        code = cli_close(args, db, code);
    if (code == CLI_OK && absent > 0) {
        cli_note(args, "%d of %d keys were not in %s", absent, args->rest_count, args->dir);
        code = CLI_NOT_FOUND;
    }
    return code;
}
