/* SPDX-License-Identifier: MIT
 *
 * cmd_scan.c - peat scan, dump and count: one loop over rows.
 */
#include "output.h"
#include "progress.h"
#include "store.h"

#include <inttypes.h>

enum { ROWS = 256 };

typedef struct scan {
    const cli_args *args;
    cli_output *out; /* NULL: only count */
    cli_row_format format;
    cli_progress progress;
    cli_traffic traffic;
    uint64_t limit;
    uint64_t expected; /* for the bar, 0 unknown */
    uint64_t count;
} scan;

static int print_rows(scan *s, const peat_row *rows, size_t n)
{
    for (size_t i = 0; i < n && s->count < s->limit; i++) {
        const char *why = cli_output_row(s->out, &s->format, rows[i].key, rows[i].value);
        if (why != NULL)
            return cli_fail(s->args, CLI_USAGE, "cannot print record %" PRIu64 ": %s", s->count + 1,
                            why);
        s->count++;
        if (!cli_output_flow(s->out))
            return CLI_PIPE; /* cli_output_finish tells why */
    }
    return CLI_OK;
}

static int run_rows(scan *s, peat_db *db, peat_iter *it)
{
    peat_row rows[ROWS];
    size_t n = 0;
    int code = CLI_OK;
    peat_rc rc = PEAT_OK;
    while (code == CLI_OK && s->count < s->limit) {
        /* A short limit should not make the store gather rows nobody sees. */
        size_t want = s->limit - s->count < ROWS ? (size_t)(s->limit - s->count) : ROWS;
        rc = s->args->reverse ? peat_iter_fill_back(it, rows, want, &n)
                              : peat_iter_fill(it, rows, want, &n);
        if (rc != PEAT_OK)
            break;
        if (cli_interrupted())
            code = CLI_INTERRUPTED;
        else if (s->out != NULL)
            code = print_rows(s, rows, n);
        else
            s->count += n;
        cli_progress_step(&s->progress,
                          (cli_step){.done = s->count, .total = s->expected, .records = s->count});
    }
    if (code == CLI_OK && rc < 0)
        code = cli_store_fail(s->args, db, rc, "read");
    return code;
}

/* Opens the store and runs the rows of the range through the scan. */
static int run_scan(scan *s, const char *label, bool keys_only)
{
    peat_db *db = NULL;
    peat_iter *it = NULL;
    cli_range range;
    int code = cli_range_init(&range, s->args);
    if (code == CLI_OK && (code = cli_open(s->args, CLI_READ, &db)) == CLI_OK) {
        peat_iter_options options = {
            .size = sizeof options,
            .lower = range.lower,
            .upper = range.upper,
            .prefix = range.prefix,
            .keys_only = keys_only,
        };
        peat_slice lower, upper;
        cli_range_bounds(&range, &lower, &upper);
        (void)!peat_approximate_count(db, lower, upper, &s->expected); /* for the bar */
        cli_progress_begin(&s->progress, s->args, label, s->traffic);
        peat_rc rc = peat_iter_open(db, &options, &it);
        code = rc == PEAT_OK ? run_rows(s, db, it) : cli_store_fail(s->args, db, rc, "read");
        peat_iter_close(it);
        (void)cli_progress_end(&s->progress);
        code = cli_close(s->args, db, code);
    }
    cli_range_done(&range);
    return code;
}

static int print_scan(cli_args *args, const char *label, int when_empty)
{
    cli_output out = {.shown = cli_is_shown(args)};
    scan s = {
        .args = args,
        .out = &out,
        .format = cli_row_format_of(args),
        .traffic = CLI_WRITES_OUTPUT,
        .limit = args->limit,
    };
    args->bar = &s.progress;
    int code = run_scan(&s, label, args->keys_only);
    if (code == CLI_OK && s.count == 0)
        code = when_empty;
    return cli_output_finish(&out, args, code);
}

int cli_run_scan(cli_args *args)
{
    return print_scan(args, "scan", CLI_NOT_FOUND);
}

int cli_run_dump(cli_args *args)
{
    return print_scan(args, "dump", CLI_OK);
}

static int approximate(const cli_args *args, uint64_t *ret_count)
{
    peat_db *db = NULL;
    cli_range range;
    peat_slice lower, upper;
    int code = cli_range_init(&range, args);
    if (code == CLI_OK && (code = cli_open(args, CLI_READ, &db)) == CLI_OK) {
        cli_range_bounds(&range, &lower, &upper);
        peat_rc rc = peat_approximate_count(db, lower, upper, ret_count);
        if (rc != PEAT_OK)
            code = cli_store_fail(args, db, rc, "read");
        code = cli_close(args, db, code);
    }
    cli_range_done(&range);
    return code;
}

int cli_run_count(cli_args *args)
{
    scan s = {.args = args, .limit = UINT64_MAX};
    args->bar = &s.progress;
    int code = args->approximate ? approximate(args, &s.count) : run_scan(&s, "count", true);
    if (code != CLI_OK)
        return code;
    cli_bytes text = {0};
    cli_bytes_format(&text, args->json ? "{\"count\":%" PRIu64 "}\n" : "%" PRIu64 "\n", s.count);
    return cli_print(args, &text);
}
