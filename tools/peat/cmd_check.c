/* SPDX-License-Identifier: MIT
 *
 * cmd_check.c - peat check: each damaged place is a line on standard output.
 */
#include "codec.h"
#include "output.h"
#include "progress.h"
#include "store.h"

#include <inttypes.h>

typedef struct check {
    const cli_args *args;
    cli_output out;
    cli_progress progress;
    uint64_t listed;
} check;

static void add_json_text(cli_bytes *out, const char *name, const char *text)
{
    cli_json_field(out, name, CLI_TEXT, peat_str(text));
}

static void add_damage(check *c, const char *file, uint64_t offset, bool has_place,
                       const char *message)
{
    cli_bytes *out = &c->out.bytes;
    if (c->args->json) {
        cli_bytes_add_text(out, c->listed > 0 ? ",{" : "{");
        if (has_place) {
            add_json_text(out, "file", file);
            cli_bytes_format(out, ",\"offset\":%" PRIu64 ",", offset);
        }
        add_json_text(out, "message", message);
        cli_bytes_add_char(out, '}');
    } else if (has_place) {
        cli_bytes_format(out, "%s @%" PRIu64 ": %s\n", file, offset, message);
    } else {
        cli_bytes_format(out, "%s\n", message);
    }
    c->listed++;
}

static bool on_damage(void *ctx, const peat_damage *damage)
{
    check *c = ctx;
    add_damage(c, damage->file, damage->offset, true, damage->message);
    cli_progress_hide(&c->progress); /* the line may go to the same terminal */
    return cli_output_flow(&c->out) && !cli_interrupted();
}

/* What keeps a store from opening is damage like any other, found earlier. */
static int open_for_check(check *c, peat_db **ret_db)
{
    peat_error error = {0};
    peat_rc rc = cli_try_open(c->args, CLI_READ, ret_db, &error);
    if (rc == PEAT_OK)
        return CLI_OK;
    if (rc != PEAT_CORRUPT)
        return cli_open_failed(c->args, rc, &error);
    add_damage(c, "", 0, false, *error.message ? error.message : peat_rc_text(rc));
    return CLI_STORE;
}

static int run_check(check *c, peat_db *db, peat_check_report *report)
{
    peat_progress progress = {
        .size = sizeof progress,
        .fn = cli_progress_callback,
        .ctx = &c->progress,
    };
    peat_check_options options = {
        .size = sizeof options,
        .damage_fn = on_damage,
        .damage_ctx = c,
        .progress = &progress,
    };
    cli_progress_begin(&c->progress, c->args, "check", CLI_NO_TRAFFIC);
    peat_rc rc = peat_check(db, &options, report);
    (void)cli_progress_end(&c->progress);
    if (rc == PEAT_CANCELLED && !cli_interrupted())
        return CLI_PIPE; /* the output is lost: cli_output_finish says why */
    if (rc == PEAT_OK)
        return CLI_OK;
    return rc == PEAT_CORRUPT ? CLI_STORE : cli_store_fail(c->args, db, rc, "check");
}

static void add_report(check *c, const peat_check_report *report, int code)
{
    char size[CLI_NUMBER_SIZE], count[CLI_COUNTED_SIZE], files[CLI_COUNTED_SIZE];
    if (c->args->json) {
        cli_bytes_format(&c->out.bytes,
                         "],\"ok\":%s,\"files\":%" PRIu64 ",\"bytes\":%" PRIu64
                         ",\"blocks\":%" PRIu64 ",\"entries\":%" PRIu64 "}\n",
                         code == CLI_OK ? "true" : "false", report->files, report->bytes,
                         report->blocks, report->entries);
        return;
    }
    if (code == CLI_OK && !c->args->quiet)
        cli_bytes_format(&c->out.bytes, "%s is sound: %s, %s, %s in tables\n", c->args->dir,
                         cli_counted(report->files, "file", files), cli_human(report->bytes, size),
                         cli_counted(report->entries, "entry", count));
}

int cli_run_check(cli_args *args)
{
    check c = {.args = args};
    char places[CLI_COUNTED_SIZE];
    peat_db *db = NULL;
    peat_check_report report = {.size = sizeof report};
    args->bar = &c.progress;
    if (args->json)
        cli_bytes_add_text(&c.out.bytes, "{\"damages\":[");
    int code = open_for_check(&c, &db);
    if (code != CLI_OK && c.listed == 0) {
        cli_bytes_free(&c.out.bytes);
        return code; /* not a damaged store but none that can be read */
    }
    if (db != NULL) {
        code = run_check(&c, db, &report);
        code = cli_close(args, db, code);
    }
    if (code == CLI_OK || code == CLI_STORE)
        add_report(&c, &report, code);
    if (c.listed > 0)
        (void)cli_fail(
            args, code,
            "%s is damaged in %s; what can still be read, 'peat repair' takes into a new "
            "store",
            args->dir, cli_counted(c.listed, "place", places));
    return cli_output_finish(&c.out, args, code);
}
