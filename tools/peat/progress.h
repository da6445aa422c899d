/* SPDX-License-Identifier: MIT
 *
 * progress.h - a bar on stderr, at most ten times a second and never wider than the terminal.
 *
 * It is drawn on a terminal only, and not where something else draws or types on the same one: see
 * cli_progress_begin.
 */
#ifndef PEAT_CLI_PROGRESS_H
#define PEAT_CLI_PROGRESS_H

#include "bytes.h"
#include "cli.h"

/* What the command does with its standard input and output while the bar is there. */
typedef enum cli_traffic {
    CLI_NO_TRAFFIC,
    CLI_READS_INPUT,   /* a person may be typing it */
    CLI_WRITES_OUTPUT, /* a person may be reading it, here or in a pager */
} cli_traffic;

typedef struct cli_progress {
    bool enabled;
    bool drawn;
    const char *label;
    double started;    /* seconds */
    double last_drawn; /* seconds */
} cli_progress;

/* What is done of a total (0: unknown) in any unit: the bar and the time left; and what is shown in
 * numbers, with its rate (0: left out). */
typedef struct cli_step {
    uint64_t done, total;
    uint64_t records, bytes;
} cli_step;

/* With output into a pipe the bar is left out, unless --progress: the program at its other end may
 * use the same terminal, as a pager does, and nobody can tell. */
void cli_progress_begin(cli_progress *progress, const cli_args *args, const char *label,
                        cli_traffic traffic);

void cli_progress_step(cli_progress *progress, cli_step step);

/* Takes the bar off the screen; the next step draws it again. */
void cli_progress_hide(cli_progress *progress);

/* The same for good. Returns the seconds since the beginning, at least 1 us. */
double cli_progress_end(cli_progress *progress);

/* For peat_progress.fn with a cli_progress as ctx, where done and total are bytes: draws, and
 * cancels on SIGINT. */
bool cli_progress_callback(void *ctx, const char *phase, uint64_t done, uint64_t total);

/* One line in at most `columns` columns: as much of label, bar, numbers and time left as fits. */
void cli_progress_line(cli_bytes *out, const char *label, cli_step step, double seconds,
                       size_t columns);

#endif
