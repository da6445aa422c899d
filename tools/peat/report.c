/* SPDX-License-Identifier: MIT
 *
 * report.c - one line on stderr: what failed, where, what to do.
 */
#include "bytes.h"
#include "cli.h"
#include "output.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Control bytes in names and keys must not break the line or drive the terminal. */
static void print_line(const cli_args *args, const char *format, va_list list)
{
    char line[2048];
    size_t size = (size_t)snprintf(line, sizeof line, "peat%s%s: ", args->command ? " " : "",
                                   args->command ? args->command->name : "");
    (void)vsnprintf(line + size, sizeof line - size - 1, format, list);
    size = strlen(line);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[size++] = '\n';
    (void)!write(STDERR_FILENO, line, size); /* nobody to tell when stderr is gone */
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
