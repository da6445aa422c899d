/* SPDX-License-Identifier: MIT
 *
 * cmd_upkeep.c - peat compact, export and import: one long call each, with a bar.
 */
#include "output.h"
#include "progress.h"
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static uint64_t disk_bytes(peat_db *db)
{
    peat_statistics stats = {.size = sizeof stats};
    return peat_stats(db, &stats) == PEAT_OK ? stats.disk_bytes : 0;
}

static int compact_range(const cli_args *args, peat_db *db, const cli_range *range)
{
    char from[CLI_NUMBER_SIZE], to[CLI_NUMBER_SIZE];
    cli_progress bar;
    cli_bytes text = {0};
    peat_progress progress = {.size = sizeof progress, .fn = cli_progress_callback, .ctx = &bar};
    uint64_t before = disk_bytes(db);
    cli_progress_begin(&bar, args, "compact");
    peat_rc rc = peat_compact(db, range->lower, range->upper, &progress);
    double seconds = cli_progress_end(&bar);
    if (rc != PEAT_OK)
        return cli_store_fail(args, db, rc, "compact");
    uint64_t after = disk_bytes(db);
    cli_note(args, "%s is now %s, was %s; %.2f s", args->dir, cli_human(after, to),
             cli_human(before, from), seconds);
    if (!args->json)
        return CLI_OK;
    cli_bytes_format(
        &text, "{\"disk_bytes_before\":%" PRIu64 ",\"disk_bytes\":%" PRIu64 ",\"seconds\":%.6f}\n",
        before, after, seconds);
    return cli_print(args, &text);
}

int cli_run_compact(cli_args *args)
{
    peat_db *db = NULL;
    cli_range range;
    int code = cli_range_init(&range, args);
    if (code == CLI_OK && (code = cli_open(args, CLI_WRITE, &db)) == CLI_OK) {
        code = compact_range(args, db, &range);
        code = cli_close(args, db, code);
    }
    cli_range_done(&range);
    return code;
}

typedef struct sink {
    cli_output out;
    uint64_t bytes;
} sink;

static peat_rc take_stream(void *ctx, const void *data, size_t size)
{
    sink *s = ctx;
    cli_bytes_add(&s->out.bytes, data, size);
    s->bytes += size;
    return cli_output_flow(&s->out) && !cli_interrupted() ? PEAT_OK : PEAT_CANCELLED;
}

int cli_run_export(cli_args *args)
{
    char size[CLI_NUMBER_SIZE];
    peat_db *db = NULL;
    cli_progress bar;
    sink s = {.bytes = 0};
    if (isatty(STDOUT_FILENO))
        return cli_fail(args, CLI_USAGE,
                        "the stream is not for a terminal; write it to a file or "
                        "pipe");
    int code = cli_open(args, CLI_READ, &db);
    if (code != CLI_OK)
        return code;
    peat_progress progress = {.size = sizeof progress, .fn = cli_progress_callback, .ctx = &bar};
    peat_export_options options = {.size = sizeof options, .progress = &progress};
    cli_progress_begin(&bar, args, "export");
    peat_rc rc = peat_export(db, &options, take_stream, &s);
    double seconds = cli_progress_end(&bar);
    if (rc == PEAT_CANCELLED && !cli_interrupted())
        code = CLI_PIPE; /* the output is lost: cli_output_finish says why */
    else if (rc != PEAT_OK)
        code = cli_store_fail(args, db, rc, "export");
    code = cli_output_finish(&s.out, args, cli_close(args, db, code));
    if (code == CLI_OK)
        cli_note(args, "%s in %.2f s", cli_human(s.bytes, size), seconds);
    return code;
}

typedef struct source {
    cli_progress bar;
    uint64_t bytes;
    int os_errno;
} source;

static peat_rc give_stream(void *ctx, void *buf, size_t size, size_t *ret_n)
{
    source *s = ctx;
    for (;;) {
        if (cli_interrupted())
            return PEAT_CANCELLED;
        ssize_t n = read(STDIN_FILENO, buf, size);
        if (n == 0)
            return PEAT_END;
        if (n > 0) {
            *ret_n = (size_t)n;
            s->bytes += (uint64_t)n;
            cli_progress_step(&s->bar, s->bytes, 0, 0);
            return PEAT_OK;
        }
        if (errno != EINTR) {
            s->os_errno = errno;
            return PEAT_IO;
        }
    }
}

int cli_run_import(cli_args *args)
{
    char size[CLI_NUMBER_SIZE];
    source s = {.bytes = 0};
    peat_error error = {0};
    if (isatty(STDIN_FILENO))
        return cli_fail(args, CLI_USAGE, "the stream comes from a file or pipe, not a terminal");
    peat_options options = cli_store_options(args, CLI_WRITE_CREATE);
    cli_progress_begin(&s.bar, args, "import");
    peat_rc rc = peat_import(args->dir, &options, give_stream, &s, &error);
    double seconds = cli_progress_end(&s.bar);
    if (rc == PEAT_CANCELLED && cli_interrupted())
        return CLI_INTERRUPTED;
    if (s.os_errno != 0)
        return cli_fail(args, CLI_USAGE, "cannot read standard input: %s", strerror(s.os_errno));
    if (rc != PEAT_OK)
        return cli_fail(args, CLI_STORE, "cannot import to %s: %s%s", args->dir,
                        *error.message ? error.message : peat_rc_text(rc),
                        rc == PEAT_EXISTS ? "; name a new directory" : "");
    cli_note(args, "%s in %.2f s", cli_human(s.bytes, size), seconds);
    return CLI_OK;
}
