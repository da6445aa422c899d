/* SPDX-License-Identifier: MIT
 *
 * progress.c - a bar on stderr.
 */
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A bar of fewer cells tells less than the number beside it. */
enum { BAR_CELLS_MIN = 8, BAR_CELLS_MAX = 30, COLUMNS_DEFAULT = 80, PART_SIZE = 48 };

static double now(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool can_draw(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term != NULL && *term != '\0' && strcmp(term, "dumb") != 0;
}

static bool is_pipe(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

void cli_progress_begin(cli_progress *progress, const cli_args *args, const char *label,
                        cli_traffic traffic)
{
    bool crossed = (traffic == CLI_READS_INPUT && isatty(STDIN_FILENO)) ||
                   (traffic == CLI_WRITES_OUTPUT &&
                    (isatty(STDOUT_FILENO) || (is_pipe(STDOUT_FILENO) && !args->progress)));
    *progress = (cli_progress){
        .enabled = !args->quiet && !crossed && can_draw(),
        .label = label,
        .started = now(),
    };
}

/* Asked each time: the window may have another size by now. */
static size_t terminal_columns(void)
{
    struct winsize size = {0};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return COLUMNS_DEFAULT;
    return size.ws_col;
}

static void add_bar(cli_bytes *out, double share, size_t cells)
{
    size_t filled = (size_t)(share * (double)cells);
    cli_bytes_add_text(out, " [");
    for (size_t i = 0; i < cells; i++)
        cli_bytes_add_char(out, i < filled ? '=' : i == filled ? '>' : ' ');
    cli_bytes_add_char(out, ']');
}

static void format_left(char *to, double share, double seconds)
{
    double left = seconds / share - seconds;
    if (left < 100 * 3600.0)
        (void)snprintf(to, PART_SIZE, "  %u:%02u:%02u left", (unsigned)left / 3600,
                       (unsigned)left / 60 % 60, (unsigned)left % 60);
}

/* The parts behind the bar, most important first. */
static void format_parts(cli_step step, double share, double seconds, char parts[4][PART_SIZE])
{
    char a[CLI_COUNTED_SIZE], b[CLI_NUMBER_SIZE];
    double per_second = 1 / (seconds + 1e-6);
    if (step.total > 0)
        (void)snprintf(parts[0], PART_SIZE, " %3d %%", (int)(share * 100));
    if (step.records > 0) {
        (void)snprintf(parts[1], PART_SIZE, "  %s", cli_counted(step.records, "record", a));
        (void)snprintf(parts[2], PART_SIZE, ", %s/s",
                       cli_group((uint64_t)((double)step.records * per_second), b));
    } else if (step.bytes > 0) {
        (void)snprintf(parts[1], PART_SIZE, "  %s", cli_human(step.bytes, b));
        (void)snprintf(parts[2], PART_SIZE, ", %s/s",
                       cli_human((uint64_t)((double)step.bytes * per_second), b));
    }
    if (share > 0.01 && seconds > 1)
        format_left(parts[3], share, seconds);
}

void cli_progress_line(cli_bytes *out, const char *label, cli_step step, double seconds,
                       size_t columns)
{
    char parts[4][PART_SIZE] = {"", "", "", ""};
    double share = step.total == 0           ? 0
                   : step.done >= step.total ? 1
                                             : (double)step.done / (double)step.total;
    size_t used = strlen(label), kept = 0;
    size_t frame = step.total > 0 ? strlen(" []") : 0, bar = frame > 0 ? frame + BAR_CELLS_MIN : 0;
    format_parts(step, share, seconds, parts);
    if (used > columns)
        used = columns;
    cli_bytes_add(out, label, used);
    /* the bar in its shortest form goes before all but the percentage */
    for (; kept < 4 && used + strlen(parts[kept]) + (kept > 0 ? bar : 0) <= columns; kept++)
        used += strlen(parts[kept]);
    if (frame > 0 && used + bar <= columns) {
        size_t cells = columns - used - frame;
        add_bar(out, share, cells < BAR_CELLS_MAX ? cells : BAR_CELLS_MAX);
    }
    for (size_t i = 0; i < kept; i++)
        cli_bytes_add_text(out, parts[i]);
}

void cli_progress_step(cli_progress *progress, cli_step step)
{
    if (!progress->enabled)
        return;
    double time = now();
    if (time - progress->last_drawn < 0.1)
        return;
    progress->last_drawn = time;
    progress->drawn = true;
    cli_bytes line = {0};
    cli_bytes_add_char(&line, '\r');
    /* the last column stays free: many terminals begin a new line behind it */
    cli_progress_line(&line, progress->label, step, time - progress->started,
                      terminal_columns() - 1);
    cli_bytes_add_text(&line, "\033[K");
    (void)!write(STDERR_FILENO, line.data, line.size); /* a lost bar is no failure */
    cli_bytes_free(&line);
}

void cli_progress_hide(cli_progress *progress)
{
    static const char clear[] = "\r\033[K";
    if (progress->drawn)
        (void)!write(STDERR_FILENO, clear, sizeof clear - 1);
    progress->drawn = false;
}

double cli_progress_end(cli_progress *progress)
{
    cli_progress_hide(progress);
    progress->enabled = false;
    double passed = now() - progress->started;
    return passed < 1e-6 ? 1e-6 : passed;
}

bool cli_progress_callback(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    cli_progress *progress = ctx;
    if (phase != NULL)
        progress->label = phase;
    cli_progress_step(progress, (cli_step){.done = done, .total = total, .bytes = done});
    return !cli_interrupted();
}
