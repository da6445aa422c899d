/* SPDX-License-Identifier: MIT
 *
 * report.c - one line on stderr: what failed, where, what to do.
 */
#include "bytes.h"
#include "cli.h"
#include "codec.h"
#include "output.h"
#include "progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Control bytes in names and keys must not break the line or drive the terminal. */
static void print_line(const cli_args *args, const char *format, va_list list)
{
    char line[4096];
    cli_bytes text = {0};
    if (args->bar != NULL)
        cli_progress_hide(args->bar);
    (void)vsnprintf(line, sizeof line, format, list);
    cli_bytes_format(&text, "peat%s%s: ", args->command ? " " : "",
                     args->command ? args->command->name : "");
    for (const char *c = line; *c != '\0';) {
        size_t n = strcspn(c, "\n\t");
        cli_show(&text, peat_bytes(c, n));
        c += n;
        if (*c != '\0')
            cli_bytes_format(&text, "\\x%02x", *c++);
    }
    cli_bytes_add_char(&text, '\n');
    (void)!write(STDERR_FILENO, text.data, text.size); /* nobody to tell when stderr is gone */
    cli_bytes_free(&text);
}

int cli_fail(const cli_args *args, int code, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    print_line(args, format, list);
    va_end(list);
    return code;
}

void cli_note(const cli_args *args, const char *format, ...)
{
    va_list list;
    if (args->quiet)
        return;
    va_start(list, format);
    print_line(args, format, list);
    va_end(list);
}

int cli_print(const cli_args *args, struct cli_bytes *text)
{
    cli_output out = {.bytes = *text};
    *text = (cli_bytes){0};
    return cli_output_finish(&out, args, CLI_OK);
}
