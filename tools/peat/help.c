/* SPDX-License-Identifier: MIT
 *
 * help.c - peat help, peat COMMAND --help, and the files of the installation.
 */
#include "bytes.h"
#include "cli.h"
#include "input.h"
#include "manual.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 79, OPTION_COLUMN = 28 };

/* Appends text wrapped at WIDTH; the cursor stands at column, further lines begin at indent. A
 * newline in text is one in the output. */
static void add_wrapped(cli_bytes *out, const char *text, size_t column, size_t indent)
{
    bool first = true;
    while (*text != '\0') {
        if (*text == '\n' || *text == ' ') {
            if (*text == '\n') {
                cli_bytes_format(out, "\n%s%*s", "", text[1] == '\n' ? 0 : (int)indent, "");
                column = indent;
                first = true;
            }
            text++;
            continue;
        }
        size_t word = strcspn(text, " \n");
        if (!first && column + 1 + word > WIDTH) {
            cli_bytes_format(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            cli_bytes_add_char(out, ' ');
            column++;
        }
        cli_bytes_add(out, text, word);
        column += word;
        text += word;
        first = false;
    }
    cli_bytes_add_char(out, '\n');
}

static void add_option(cli_bytes *out, const cli_option *o)
{
    size_t start = out->size;
    if (o->short_name != 0)
        cli_bytes_format(out, "  -%c, --%s", o->short_name, o->name);
    else
        cli_bytes_format(out, "      --%s", o->name);
    if (o->argument != NULL)
        cli_bytes_format(out, " %s", o->argument);
    size_t used = out->size - start;
    if (used + 2 > OPTION_COLUMN) {
        cli_bytes_add_char(out, '\n');
        used = 0;
    }
    cli_bytes_format(out, "%*s", (int)(OPTION_COLUMN - used), "");
    add_wrapped(out, o->text, OPTION_COLUMN, OPTION_COLUMN);
}

static void add_examples(cli_bytes *out, const char *examples)
{
    cli_bytes_add_text(out, "\nExamples:\n");
    while (*examples != '\0') {
        size_t size = strcspn(examples, "\n");
        cli_bytes_format(out, "  %.*s\n", (int)size, examples);
        examples += size + (examples[size] == '\n');
    }
}

static void command_help(cli_bytes *out, const cli_command *command)
{
    const char *at = command->options;
    cli_bytes_format(out, "Usage: peat %s [options]%s%s%s\n\n", command->name,
                     command->place == CLI_TAKES_STORE ? " DIR" : "",
                     *command->arguments ? " " : "", command->arguments);
    add_wrapped(out, command->text, 0, 0);
    cli_bytes_add_text(out, "\nOptions:\n");
    for (const cli_option *o; (o = cli_next_option(&at)) != NULL;)
        add_option(out, o);
    add_examples(out, command->examples);
}

void cli_help(cli_bytes *out, const cli_command *command)
{
    if (command != NULL) {
        command_help(out, command);
        return;
    }
    cli_bytes_add_text(out,
                       "Usage: peat COMMAND [options] DIR ...\n\npeat - " MANUAL_TAGLINE ".\n");
    add_wrapped(out, MANUAL_ABOUT, 0, 0);
    cli_bytes_add_text(out, "\nCommands:\n");
    for (const cli_command *c = cli_commands; c->name != NULL; c++)
        cli_bytes_format(out, "  %-10s %s\n", c->name, c->summary);
    cli_bytes_add_text(out, "\nFormats:\n");
    add_wrapped(out, MANUAL_FORMATS, 0, 0);
    cli_bytes_add_text(out, "\nExit codes:\n");
    for (const manual_exit *e = manual_exits; e->code != NULL; e++)
        cli_bytes_format(out, "  %-4s %s\n", e->code, e->text);
    cli_bytes_add_text(out, "\n'peat help COMMAND' explains a command.\n");
}

static int write_file(const cli_args *args, const char *name, cli_bytes *text)
{
    char path[4096];
    int code = CLI_OK;
    (void)snprintf(path, sizeof path, "%s/%s", args->write, name);
    int fd = cli_open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    bool written = file != NULL && fwrite(text->data, 1, text->size, file) == text->size;
    if (file != NULL && fclose(file) != 0)
        written = false;
    if (!written && cli_interrupted())
        code = CLI_INTERRUPTED;
    else if (!written)
        code = cli_fail(args, CLI_STORE, "cannot write %s: %s", path, strerror(errno));
    cli_bytes_free(text);
    return code;
}

static int write_all(const cli_args *args)
{
    cli_bytes text = {0};
    char name[64];
    cli_man(&text, NULL);
    int code = write_file(args, "peat.1", &text);
    for (const cli_command *c = cli_commands; code == CLI_OK && c->name != NULL; c++) {
        cli_man(&text, c);
        (void)snprintf(name, sizeof name, "peat-%s.1", c->name);
        code = write_file(args, name, &text);
    }
    if (code == CLI_OK) {
        cli_completion(&text);
        code = write_file(args, "peat.bash", &text);
    }
    return code;
}

int cli_run_help(cli_args *args)
{
    cli_bytes text = {0};
    const cli_command *command = NULL;
    if (args->rest_count > 0 && (command = cli_find_command(args->rest[0])) == NULL)
        return cli_no_command(args, args->rest[0]);
    if (args->write != NULL)
        return write_all(args);
    if (args->completion)
        cli_completion(&text);
    else if (args->man)
        cli_man(&text, command);
    else
        cli_help(&text, command);
    return cli_print(args, &text);
}

int cli_run_version(cli_args *args)
{
    cli_bytes text = {0};
    cli_bytes_format(
        &text, args->json ? "{\"command\":\"%s\",\"library\":\"%s\"}\n" : "peat %s (library %s)\n",
        PEAT_VERSION_STRING, peat_version());
    return cli_print(args, &text);
}
