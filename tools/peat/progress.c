/* SPDX-License-Identifier: MIT
 *
 * progress.c - a bar on stderr.
 */
#include "progress.h"
#include "bytes.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR_WIDTH = 30 };

static double now(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void cli_progress_begin(cli_progress *progress, const cli_args *args, const char *label)
{
    *progress = (cli_progress){
        .enabled = !args->quiet && isatty(STDERR_FILENO),
        .label = label,
        .started = now(),
    };
}

static void add_bar(cli_bytes *line, double share)
{
    char bar[BAR_WIDTH + 1];
    int filled = (int)(share * BAR_WIDTH);
    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '=', (size_t)filled);
    if (filled < BAR_WIDTH)
        bar[filled] = '>';
    bar[BAR_WIDTH] = '\0';
    cli_bytes_format(line, " [%s] %3d %%", bar, (int)(share * 100));
}

void cli_progress_step(cli_progress *progress, uint64_t done, uint64_t total, uint64_t records)
{
    char number[CLI_NUMBER_SIZE];
    if (!progress->enabled)
        return;
    double time = now(), passed = time - progress->started;
    if (time - progress->last_drawn < 0.1)
        return;
    progress->last_drawn = time;
    progress->drawn = true;
    cli_bytes line = {0};
    cli_bytes_format(&line, "\r%s", progress->label);
    double share = total == 0 ? 0 : done >= total ? 1 : (double)done / (double)total;
    if (total > 0)
        add_bar(&line, share);
    if (records > 0) {
        cli_bytes_format(&line, "  %s records", cli_group(records, number));
        cli_bytes_format(&line, ", %s/s",
                         cli_group((uint64_t)((double)records / (passed + 1e-6)), number));
    }
    if (share > 0.01 && passed > 1) {
        unsigned left = (unsigned)(passed / share - passed);
        cli_bytes_format(&line, "  %u:%02u left", left / 60, left % 60);
    }
    cli_bytes_add_text(&line, "\033[K");
    (void)!write(STDERR_FILENO, line.data, line.size); /* a lost bar is no failure */
    cli_bytes_free(&line);
}

double cli_progress_end(cli_progress *progress)
{
    static const char clear[] = "\r\033[K";
    if (progress->drawn)
        (void)!write(STDERR_FILENO, clear, sizeof clear - 1);
    progress->drawn = false;
    double passed = now() - progress->started;
    return passed < 1e-6 ? 1e-6 : passed;
}

bool cli_progress_callback(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    cli_progress *progress = ctx;
    if (phase != NULL)
        progress->label = phase;
    cli_progress_step(progress, done, total, 0);
    return !cli_interrupted();
}
