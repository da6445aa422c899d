/* SPDX-License-Identifier: MIT
 *
 * store.c - opening and closing the store with texts for people, and bounds of ranges.
 */
#include "store.h"
#include "codec.h"

#include <string.h>

static const char *advice(peat_rc rc)
{
    switch ((int)rc) {
    case PEAT_BUSY:
        return "; wait for the other process or end it";
    case PEAT_NOT_FOUND:
        return "; peat put, load or import makes one";
    case PEAT_NOT_STORE:
        return "; name another directory";
    case PEAT_EXISTS:
        return "; name a new directory";
    case PEAT_FULL:
        return "; make room and try again";
    case PEAT_CORRUPT:
        return "; keep the files and see 'peat help repair'";
    case PEAT_NOMEM:
        return "; give less with --memory";
    case PEAT_VERSION:
        return "; use the version that wrote it";
    default:
        return "";
    }
}

peat_options cli_store_options(const cli_args *args, cli_access access)
{
    return (peat_options){
        .size = sizeof(peat_options),
        .memory_bytes = (size_t)args->memory,
        .compression = (peat_compression)args->compression,
        .create = access == CLI_WRITE_CREATE ? PEAT_CREATE_IF_MISSING : PEAT_CREATE_NEVER,
        .read_only = access == CLI_READ,
        .no_log = args->no_log,
    };
}

int cli_open(const cli_args *args, cli_access access, peat_db **ret_db)
{
    peat_error error = {0};
    peat_options options = cli_store_options(args, access);
    peat_rc rc = peat_open(args->dir, &options, ret_db, &error);
    if (rc == PEAT_OK)
        return CLI_OK;
    if (rc == PEAT_NOT_FOUND)
        return cli_fail(args, CLI_STORE, "there is no store at %s%s", args->dir, advice(rc));
    return cli_fail(args, CLI_STORE, "cannot open %s: %s%s", args->dir,
                    *error.message ? error.message : peat_rc_text(rc), advice(rc));
}

int cli_close(const cli_args *args, peat_db *db, int code)
{
    peat_rc rc = peat_close(db);
    if (rc < 0 && code != CLI_STORE)
        return cli_fail(args, CLI_STORE, "cannot close %s: %s%s; the next open recovers the log",
                        args->dir, peat_rc_text(rc), advice(rc));
    return code;
}

int cli_store_fail(const cli_args *args, peat_db *db, peat_rc rc, const char *what)
{
    return cli_store_fail_with(args, db, rc, what, "");
}

int cli_store_fail_with(const cli_args *args, peat_db *db, peat_rc rc, const char *what,
                        const char *more)
{
    peat_error cause = {0};
    if (rc == PEAT_CANCELLED && cli_interrupted())
        return CLI_INTERRUPTED;
    (void)peat_db_error(db, &cause); /* without a cause its message is empty */
    bool fits = cause.rc == rc && *cause.message != '\0';
    return cli_fail(args, CLI_STORE, "cannot %s %s: %s%s%s", what, args->dir,
                    fits ? cause.message : peat_rc_text(rc), advice(rc), more);
}

int cli_take_key(const cli_args *args, const char *text, cli_bytes *scratch, peat_slice *ret_key)
{
    const char *why = cli_decode((cli_encoding)args->key_format, peat_str(text), scratch, ret_key);
    if (why != NULL)
        return cli_fail(args, CLI_USAGE, "the key '%s' has %s", text, why);
    if (ret_key->size > PEAT_KEY_SIZE_MAX)
        return cli_fail(args, CLI_USAGE, "the key is longer than %zu bytes", PEAT_KEY_SIZE_MAX);
    if (ret_key->data == NULL)
        ret_key->data = ""; /* an empty bound is a bound */
    return CLI_OK;
}

int cli_range_init(cli_range *range, const cli_args *args)
{
    const char *const texts[3] = {args->lower, args->upper, args->prefix};
    peat_slice *const slices[3] = {&range->lower, &range->upper, &range->prefix};
    *range = (cli_range){0};
    for (size_t i = 0; i < 3; i++) {
        int code =
            texts[i] == NULL ? CLI_OK : cli_take_key(args, texts[i], &range->scratch[i], slices[i]);
        if (code != CLI_OK)
            return code;
    }
    return CLI_OK;
}

void cli_range_done(cli_range *range)
{
    for (size_t i = 0; i < 3; i++)
        cli_bytes_free(&range->scratch[i]);
}
