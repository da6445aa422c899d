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
#include <sys/stat.h>
#include <unistd.h>

static uint64_t disk_bytes(peat_db *db)
{
    peat_statistics stats = {.size = sizeof stats};
    return peat_stats(db, &stats) == PEAT_OK ? stats.disk_bytes : 0;
}

/* A merge is known by what it reads: the library counts units, whose sizes differ by far. */
typedef struct compaction {
    const cli_args *args;
    peat_db *db;
    cli_progress bar;
    peat_slice lower, upper;
    uint64_t total; /* bytes of the partitions in the range that are not one run yet */
    uint64_t read_before;
} compaction;

/* Where a partition ends is where the next one begins, which is not known yet: one more than touch
 * the range may be counted. */
static peat_rc add_partition(void *ctx, const peat_partition_info *info)
{
    compaction *c = ctx;
    bool behind =
        c->upper.data != NULL && info->index > 0 && cli_compare(info->lower, c->upper) >= 0;
    if (!behind && info->fresh_slices + info->mid_slices > 0)
        c->total += info->fresh_bytes + info->mid_bytes + info->bottom_bytes;
    return PEAT_OK;
}

static uint64_t merged_bytes(peat_db *db)
{
    peat_statistics stats = {.size = sizeof stats};
    return peat_stats(db, &stats) == PEAT_OK ? stats.merge_bytes_read : 0;
}

static bool show_compaction(void *ctx, const char *phase, uint64_t units, uint64_t total)
{
    compaction *c = ctx;
    (void)phase, (void)units, (void)total;
    if (c->total == 0) /* after the flush that comes first */
        (void)!peat_shape(c->db, add_partition, c);
    uint64_t done = merged_bytes(c->db) - c->read_before;
    cli_progress_step(&c->bar, (cli_step){.done = done, .total = c->total, .bytes = done});
    return !cli_interrupted();
}

static int compact_range(compaction *c)
{
    char from[CLI_NUMBER_SIZE], to[CLI_NUMBER_SIZE];
    cli_bytes text = {0};
    const cli_args *args = c->args;
    peat_progress progress = {.size = sizeof progress, .fn = show_compaction, .ctx = c};
    uint64_t before = disk_bytes(c->db);
    c->read_before = merged_bytes(c->db);
    cli_progress_begin(&c->bar, args, "compact", CLI_NO_TRAFFIC);
    peat_rc rc = peat_compact(c->db, c->lower, c->upper, &progress);
    double seconds = cli_progress_end(&c->bar);
    if (rc != PEAT_OK)
        return cli_store_fail(args, c->db, rc, "compact");
    uint64_t after = disk_bytes(c->db);
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
    compaction c = {.args = args};
    cli_range range;
    int code = cli_range_init(&range, args);
    args->bar = &c.bar;
    if (code == CLI_OK && (code = cli_open(args, CLI_WRITE, &c.db)) == CLI_OK) {
        cli_range_bounds(&range, &c.lower, &c.upper);
        code = compact_range(&c);
        code = cli_close(args, c.db, code);
    }
    cli_range_done(&range);
    return code;
}

typedef struct sink {
    cli_output out;
    uint64_t bytes;
    double seconds;
} sink;

static peat_rc take_stream(void *ctx, const void *data, size_t size)
{
    sink *s = ctx;
    cli_bytes_add(&s->out.bytes, data, size);
    s->bytes += size;
    return cli_output_flow(&s->out) && !cli_interrupted() ? PEAT_OK : PEAT_CANCELLED;
}

static int export_range(const cli_args *args, peat_db *db, cli_range *range, sink *s)
{
    peat_progress progress = {
        .size = sizeof progress, .fn = cli_progress_callback, .ctx = args->bar};
    peat_export_options options = {.size = sizeof options, .progress = &progress};
    cli_range_bounds(range, &options.lower, &options.upper);
    cli_progress_begin(args->bar, args, "export", CLI_WRITES_OUTPUT);
    peat_rc rc = peat_export(db, &options, take_stream, s);
    s->seconds = cli_progress_end(args->bar);
    if (rc == PEAT_CANCELLED && !cli_interrupted())
        return CLI_PIPE; /* the output is lost: cli_output_finish says why */
    return rc == PEAT_OK ? CLI_OK : cli_store_fail(args, db, rc, "export");
}

int cli_run_export(cli_args *args)
{
    char size[CLI_NUMBER_SIZE];
    peat_db *db = NULL;
    cli_progress bar = {0};
    cli_range range;
    sink s = {.bytes = 0};
    if (isatty(STDOUT_FILENO))
        return cli_fail(args, CLI_USAGE,
                        "the stream is not for a terminal; write it to a file or "
                        "pipe");
    args->bar = &bar;
    int code = cli_range_init(&range, args);
    if (code == CLI_OK && (code = cli_open(args, CLI_READ, &db)) == CLI_OK) {
        code = export_range(args, db, &range, &s);
        code = cli_output_finish(&s.out, args, cli_close(args, db, code));
    }
    cli_range_done(&range);
    if (code == CLI_OK)
        cli_note(args, "%s in %.2f s", cli_human(s.bytes, size), s.seconds);
    return code;
}

typedef struct source {
    const char *dir;
    peat_options options;
    peat_error error;
    cli_progress bar;
    uint64_t bytes;
    uint64_t total; /* 0: unknown */
    int os_errno;
} source;

/* What is left of a regular file. */
static uint64_t bytes_to_come(void)
{
    struct stat st;
    off_t at = lseek(STDIN_FILENO, 0, SEEK_CUR);
    if (fstat(STDIN_FILENO, &st) != 0 || !S_ISREG(st.st_mode) || at < 0 || at > st.st_size)
        return 0;
    return (uint64_t)(st.st_size - at);
}

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
            cli_progress_step(&s->bar, (cli_step){s->bytes, s->total, .bytes = s->bytes});
            return PEAT_OK;
        }
        if (errno != EINTR) {
            s->os_errno = errno;
            return PEAT_IO;
        }
    }
}

static peat_rc attempt_import(void *ctx)
{
    source *s = ctx;
    return peat_import(s->dir, &s->options, give_stream, s, &s->error);
}

static int import_failed(const cli_args *args, const source *s, peat_rc rc)
{
    char text[CLI_ADVICE_SIZE];
    if (rc == PEAT_CANCELLED && cli_interrupted())
        return CLI_INTERRUPTED;
    if (s->os_errno != 0)
        return cli_fail(args, CLI_USAGE, "cannot read standard input: %s", strerror(s->os_errno));
    bool of_store = rc == PEAT_EXISTS || rc == PEAT_BUSY; /* rather than of the stream */
    return cli_fail(args, CLI_STORE, "cannot import to %s%s",
                    *s->error.message ? s->error.message : peat_rc_text(rc),
                    of_store ? cli_advice(args, rc, text) : "");
}

int cli_run_import(cli_args *args)
{
    char size[CLI_NUMBER_SIZE];
    source s = {.dir = args->dir, .total = bytes_to_come()};
    if (isatty(STDIN_FILENO))
        return cli_fail(args, CLI_USAGE, "the stream comes from a file or pipe, not a terminal");
    s.options = cli_store_options(args, CLI_WRITE_CREATE);
    cli_progress_begin(&s.bar, args, "import", CLI_NO_TRAFFIC);
    args->bar = &s.bar;
    peat_rc rc = cli_wait(args, &s.options, attempt_import, &s);
    double seconds = cli_progress_end(&s.bar);
    if (rc != PEAT_OK)
        return import_failed(args, &s, rc);
    cli_note(args, "%s in %.2f s", cli_human(s.bytes, size), seconds);
    return CLI_OK;
}
