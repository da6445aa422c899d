/* SPDX-License-Identifier: MIT
 *
 * cmd_repair.c - peat repair: damaged places as lines, doubtful records to a file, a new store.
 */
#include "codec.h"
#include "input.h"
#include "output.h"
#include "progress.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct repair {
    const cli_args *args;
    cli_output out;
    cli_progress progress;
    uint64_t listed;
    int doubtful_fd; /* -1: none */
    int doubtful_errno;
    const char *doubtful_why; /* a record cannot be written in this format */
    cli_row_format format;
    cli_output row;
    const char *to;
    peat_options open;
    peat_repair_options options;
    peat_repair_report report;
    peat_error error;
} repair;

static bool on_damage(void *ctx, const peat_damage *damage)
{
    repair *r = ctx;
    cli_bytes *out = &r->out.bytes;
    if (r->args->json) {
        cli_bytes_add_text(out, r->listed > 0 ? ",{" : "{");
        cli_json_field(out, "file", CLI_TEXT, peat_str(damage->file));
        cli_bytes_format(out, ",\"offset\":%" PRIu64 ",", damage->offset);
        cli_json_field(out, "message", CLI_TEXT, peat_str(damage->message));
        cli_bytes_add_char(out, '}');
    } else {
        cli_bytes_format(out, "%s @%" PRIu64 ": %s\n", damage->file, damage->offset,
                         damage->message);
    }
    r->listed++;
    cli_progress_hide(&r->progress); /* the line may go to the same terminal */
    return cli_output_flow(&r->out) && !cli_interrupted();
}

static bool write_row(repair *r)
{
    size_t done = 0;
    while (done < r->row.bytes.size) {
        ssize_t n = write(r->doubtful_fd, r->row.bytes.data + done, r->row.bytes.size - done);
        if (n < 0 && (errno != EINTR || cli_interrupted())) {
            r->doubtful_errno = errno;
            return false;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    r->row.bytes.size = 0;
    return true;
}

static bool on_doubtful(void *ctx, peat_slice key, peat_slice value)
{
    repair *r = ctx;
    if (r->doubtful_fd < 0)
        return !cli_interrupted();
    r->doubtful_why = cli_output_row(&r->row, &r->format, key, value);
    return r->doubtful_why == NULL && write_row(r) && !cli_interrupted();
}

static int open_doubtful(repair *r)
{
    const char *name = r->args->doubtful;
    r->doubtful_fd = -1;
    if (name == NULL)
        return CLI_OK;
    if (cli_lies_in_store(name, r->args->dir))
        return cli_fail(r->args, CLI_USAGE,
                        "--doubtful %s lies in the store %s; name another place", name,
                        r->args->dir);
    r->doubtful_fd = cli_open_file(name, O_WRONLY | O_CREAT | O_EXCL);
    if (r->doubtful_fd < 0)
        return cli_fail(r->args, CLI_USAGE, "cannot make %s: %s", name, strerror(errno));
    return CLI_OK;
}

static int close_doubtful(repair *r, int code)
{
    cli_bytes_free(&r->row.bytes);
    if (r->doubtful_fd >= 0 && (fsync(r->doubtful_fd) != 0 || close(r->doubtful_fd) != 0) &&
        code != CLI_STORE)
        return cli_fail(r->args, CLI_STORE, "cannot write to %s: %s", r->args->doubtful,
                        strerror(errno));
    return code;
}

static void add_report(repair *r, const peat_repair_report *report, int code)
{
    if (!r->args->json)
        return;
    cli_bytes_format(&r->out.bytes,
                     "],\"ok\":%s,\"entries\":%" PRIu64 ",\"doubtful\":%" PRIu64
                     ",\"lost_table_entries\":%" PRIu64 ",\"lost_log_operations\":%" PRIu64
                     ",\"manifest_lost\":%s}\n",
                     code == CLI_OK ? "true" : "false", report->entries, report->doubtful,
                     report->lost_table_entries, report->lost_log_operations,
                     report->manifest_lost ? "true" : "false");
}

/* What came of it, in words. */
static int tell(repair *r, const peat_repair_report *report, const char *to)
{
    char a[CLI_COUNTED_SIZE], b[CLI_COUNTED_SIZE], c[CLI_COUNTED_SIZE], d[CLI_COUNTED_SIZE];
    bool left_out = report->doubtful != 0 && !r->args->accept_doubtful;
    bool lost = report->lost_table_entries != 0 || report->lost_log_operations != 0;
    cli_note(r->args, "%s has %s; %s %s; lost: %s in tables, %s of the log", to,
             cli_counted(report->entries, "record", a),
             cli_counted(report->doubtful, "doubtful one", b),
             r->args->accept_doubtful ? (report->doubtful == 1 ? "is among them" : "are among them")
                                      : (report->doubtful == 1 ? "was left out" : "were left out"),
             cli_counted(report->lost_table_entries, "version", c),
             cli_counted(report->lost_log_operations, "write", d));
    return left_out || lost ? CLI_NOT_FOUND : CLI_OK;
}

/* The library's message begins with the path that it is about, of one store or the other. */
static int fail_at_store(const repair *r, peat_rc rc)
{
    char text[CLI_ADVICE_SIZE];
    const char *dir = r->args->dir, *why = *r->error.message ? r->error.message : peat_rc_text(rc);
    bool told = rc == PEAT_EXISTS || rc == PEAT_BUSY;
    const char *advice = told ? cli_advice(r->args, rc, text) : "";
    size_t dir_size = strlen(dir), to_size = strlen(r->to);
    if (strncmp(why, dir, dir_size) == 0 && why[dir_size] == ':')
        return cli_fail(r->args, CLI_STORE, "cannot repair %s%s", why, advice);
    if (strncmp(why, r->to, to_size) == 0 && why[to_size] == ':')
        why += to_size + strspn(why + to_size, ": ");
    return cli_fail(r->args, CLI_STORE, "cannot repair %s to %s: %s%s", dir, r->to, why, advice);
}

static int fail(repair *r, peat_rc rc)
{
    if (rc == PEAT_CANCELLED && r->doubtful_why != NULL)
        return cli_fail(r->args, CLI_USAGE, "cannot write a doubtful record to %s: %s",
                        r->args->doubtful, r->doubtful_why);
    if (rc == PEAT_CANCELLED && r->doubtful_errno != 0 && r->doubtful_errno != EINTR)
        return cli_fail(r->args, CLI_STORE, "cannot write to %s: %s", r->args->doubtful,
                        strerror(r->doubtful_errno));
    if (rc == PEAT_CANCELLED)
        return cli_interrupted() ? CLI_INTERRUPTED : CLI_PIPE;
    return fail_at_store(r, rc);
}

static peat_rc repair_once(repair *r)
{
    return peat_repair(r->args->dir, r->to, &r->options, &r->report, &r->error);
}

/* The library does not wait for the damaged store. */
static peat_rc attempt_repair(void *ctx)
{
    repair *r = ctx;
    struct timespec piece = {.tv_nsec = (long)r->open.lock_wait_ms * 1000000};
    peat_rc rc = repair_once(r);
    if (rc != PEAT_BUSY || piece.tv_nsec == 0 || r->listed > 0)
        return rc;
    (void)nanosleep(&piece, NULL); /* a signal may end it */
    return cli_interrupted() ? PEAT_CANCELLED : repair_once(r);
}

static peat_rc run_repair(repair *r)
{
    peat_progress progress = {
        .size = sizeof progress, .fn = cli_progress_callback, .ctx = &r->progress};
    r->open = cli_store_options(r->args, CLI_WRITE_CREATE);
    r->report.size = sizeof r->report;
    r->options = (peat_repair_options){
        .size = sizeof r->options,
        .open = &r->open,
        .accept_doubtful = r->args->accept_doubtful,
        .damage_fn = on_damage,
        .doubtful_fn = on_doubtful,
        .ctx = r,
        .progress = &progress,
    };
    if (!cli_lies_in_store(r->to, r->args->dir))
        return cli_wait(r->args, &r->open, attempt_repair, r);
    (void)snprintf(r->error.message, sizeof r->error.message,
                   "the new store is not made in the directory of the damaged one");
    return PEAT_INVALID;
}

static int repair_and_tell(repair *r)
{
    if (r->args->json)
        cli_bytes_add_text(&r->out.bytes, "{\"damages\":[");
    cli_progress_begin(&r->progress, r->args, "repair", CLI_NO_TRAFFIC);
    peat_rc rc = run_repair(r);
    (void)cli_progress_end(&r->progress);
    int code = rc == PEAT_OK ? tell(r, &r->report, r->to) : fail(r, rc);
    add_report(r, &r->report, code);
    return code;
}

int cli_run_repair(cli_args *args)
{
    repair r = {.args = args, .to = args->rest[0], .format = cli_row_format_of(args)};
    r.format.layout = (cli_layout)args->format; /* --json is for the report */
    args->bar = &r.progress;
    int code = open_doubtful(&r);
    if (code == CLI_OK)
        code = repair_and_tell(&r);
    code = close_doubtful(&r, code);
    return cli_output_finish(&r.out, args, code);
}
