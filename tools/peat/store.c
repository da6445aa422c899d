/* SPDX-License-Identifier: MIT
 *
 * store.c - opening and closing the store with texts for people, and bounds of ranges.
 */
#include "store.h"
#include "codec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *cli_advice(const cli_args *args, peat_rc rc, char text[CLI_ADVICE_SIZE])
{
    switch ((int)rc) {
    case PEAT_BUSY:
        if (args->wait_ms == 0)
            return "; wait for the other process (--wait SECONDS) or end it";
        (void)snprintf(text, CLI_ADVICE_SIZE, "; waited %.10g s for it",
                       (double)args->wait_ms / 1000);
        return text;
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

/* A signal does not end a wait of the library, so that it is taken in pieces. */
enum { WAIT_PIECE_MS = 100 };

peat_rc cli_wait(const cli_args *args, peat_options *io_options, peat_rc (*attempt)(void *ctx),
                 void *ctx)
{
    for (uint64_t left = args->wait_ms;;) {
        io_options->lock_wait_ms = left < WAIT_PIECE_MS ? (uint32_t)left : WAIT_PIECE_MS;
        peat_rc rc = attempt(ctx);
        left -= io_options->lock_wait_ms;
        if (rc != PEAT_BUSY || left == 0)
            return rc;
        if (cli_interrupted())
            return PEAT_CANCELLED;
    }
}

typedef struct opening {
    const char *dir;
    peat_options options;
    peat_db **ret_db;
    peat_error *ret_error;
} opening;

static peat_rc attempt_open(void *ctx)
{
    const opening *o = ctx;
    return peat_open(o->dir, &o->options, o->ret_db, o->ret_error);
}

peat_rc cli_try_open(const cli_args *args, cli_access access, peat_db **ret_db,
                     peat_error *ret_error)
{
    opening o = {args->dir, cli_store_options(args, access), ret_db, ret_error};
    return cli_wait(args, &o.options, attempt_open, &o);
}

int cli_open_failed(const cli_args *args, peat_rc rc, const peat_error *error)
{
    char text[CLI_ADVICE_SIZE];
    if (rc == PEAT_CANCELLED)
        return CLI_INTERRUPTED;
    /* its message begins with the path */
    return cli_fail(args, CLI_STORE, "cannot open %s%s",
                    *error->message ? error->message : peat_rc_text(rc),
                    cli_advice(args, rc, text));
}

int cli_open(const cli_args *args, cli_access access, peat_db **ret_db)
{
    peat_error error = {0};
    peat_rc rc = cli_try_open(args, access, ret_db, &error);
    return rc == PEAT_OK ? CLI_OK : cli_open_failed(args, rc, &error);
}

int cli_close(const cli_args *args, peat_db *db, int code)
{
    char text[CLI_ADVICE_SIZE];
    peat_rc rc = peat_close(db);
    if (rc < 0 && code != CLI_STORE)
        return cli_fail(args, CLI_STORE, "cannot close %s: %s%s; the next open recovers the log",
                        args->dir, peat_rc_text(rc), cli_advice(args, rc, text));
    return code;
}

int cli_store_fail(const cli_args *args, peat_db *db, peat_rc rc, const char *what)
{
    return cli_store_fail_with(args, db, rc, what, "");
}

int cli_store_fail_with(const cli_args *args, peat_db *db, peat_rc rc, const char *what,
                        const char *more)
{
    char text[CLI_ADVICE_SIZE];
    peat_error cause = {0};
    if (rc == PEAT_CANCELLED && cli_interrupted())
        return CLI_INTERRUPTED;
    (void)peat_db_error(db, &cause); /* without a cause its message is empty */
    bool fits = cause.rc == rc && *cause.message != '\0';
    return cli_fail(args, CLI_STORE, "cannot %s %s: %s%s%s", what, args->dir,
                    fits ? cause.message : peat_rc_text(rc), cli_advice(args, rc, text), more);
}

/* Where something lies in truth that may still have to be made, with the last part of its path.
 * Free it; NULL: not found, which whoever makes it says better. */
static char *real_place(const char *to)
{
    char *real = realpath(to, NULL);
    if (real != NULL || errno != ENOENT)
        return real;
    size_t n = strlen(to);
    while (n > 1 && to[n - 1] == '/')
        n--;
    while (n > 0 && to[n - 1] != '/')
        n--;
    char *parent = malloc(n + 2);
    if (parent == NULL)
        return NULL;
    (void)snprintf(parent, n + 2, "%.*s.", (int)n, to);
    real = realpath(parent, NULL);
    free(parent);
    return real;
}

bool cli_lies_in_store(const char *to, const char *dir)
{
    char *inner = real_place(to), *outer = realpath(dir, NULL);
    size_t n = outer == NULL ? 0 : strlen(outer);
    bool inside = inner != NULL && outer != NULL && strncmp(inner, outer, n) == 0 &&
                  (inner[n] == '\0' || inner[n] == '/');
    free(inner);
    free(outer);
    return inside;
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

void cli_shorten_key(const cli_args *args, peat_slice key, size_t width, char *ret_text)
{
    cli_bytes text = {0}, shown = {0};
    if (args->key_format == CLI_TEXT)
        cli_escape(&text, key, '\t');
    else
        cli_encode(&text, (cli_encoding)args->key_format, key);
    cli_show(&shown, peat_bytes(text.data, text.size));
    size_t n = shown.size;
    bool cut = n > width;
    if (cut) {
        n = width - 2;
        while (n > 0 && ((unsigned char)shown.data[n] & 0xc0) == 0x80)
            n--; /* not through the middle of a character */
    }
    (void)snprintf(ret_text, width + 1, "%.*s%s", (int)n, shown.size ? shown.data : "",
                   cut ? ".." : "");
    cli_bytes_free(&text);
    cli_bytes_free(&shown);
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

/* The prefix with its last byte below 0xff one higher, and nothing behind it. */
peat_slice cli_behind_prefix(peat_slice prefix, cli_bytes *scratch)
{
    const unsigned char *from = prefix.data;
    size_t n = prefix.size;
    while (n > 0 && from[n - 1] == 0xff)
        n--;
    if (n == 0)
        return peat_unbounded();
    scratch->size = 0;
    cli_bytes_add(scratch, from, n);
    scratch->data[n - 1] = (char)(from[n - 1] + 1);
    return peat_bytes(scratch->data, n);
}

int cli_compare(peat_slice a, peat_slice b)
{
    size_t n = a.size < b.size ? a.size : b.size;
    int order = n == 0 ? 0 : memcmp(a.data, b.data, n);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

void cli_range_bounds(cli_range *range, peat_slice *ret_lower, peat_slice *ret_upper)
{
    peat_slice behind = cli_behind_prefix(range->prefix, &range->behind);
    *ret_lower = range->lower;
    *ret_upper = range->upper;
    if (range->prefix.size > 0 &&
        (range->lower.data == NULL || cli_compare(range->prefix, range->lower) > 0))
        *ret_lower = range->prefix;
    if (behind.data != NULL && (range->upper.data == NULL || cli_compare(behind, range->upper) < 0))
        *ret_upper = behind;
}

void cli_range_done(cli_range *range)
{
    for (size_t i = 0; i < 3; i++)
        cli_bytes_free(&range->scratch[i]);
    cli_bytes_free(&range->behind);
}
