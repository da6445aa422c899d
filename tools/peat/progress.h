/* SPDX-License-Identifier: MIT
 *
 * progress.h - a bar on stderr, drawn only on a terminal and at most ten times a second.
 */
#ifndef PEAT_CLI_PROGRESS_H
#define PEAT_CLI_PROGRESS_H

#include "cli.h"

typedef struct cli_progress {
    bool enabled;
    bool drawn;
    const char *label;
    double started;    /* seconds */
    double last_drawn; /* seconds */
} cli_progress;

void cli_progress_begin(cli_progress *progress, const cli_args *args, const char *label);

/* done of total (0: unknown) in whatever unit; records counts towards the rate, 0 leaves it out. */
void cli_progress_step(cli_progress *progress, uint64_t done, uint64_t total, uint64_t records);

/* Takes the bar off the screen and returns the seconds since the beginning, at least 1 us. */
double cli_progress_end(cli_progress *progress);

/* For peat_progress.fn with a cli_progress as ctx: draws, and cancels on SIGINT. */
bool cli_progress_callback(void *ctx, const char *phase, uint64_t done, uint64_t total);

#endif
