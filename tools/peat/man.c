/* SPDX-License-Identifier: MIT
 *
 * man.c - manual pages in roff, from the tables.
 */
#include "bytes.h"
#include "cli.h"
#include "manual.h"

#include <ctype.h>
#include <string.h>

/* Plain text to roff: what has a meaning there is escaped; an empty line begins a paragraph. */
static void add_text(cli_bytes *out, const char *text)
{
    bool line_start = true;
    for (const char *p = text; *p != '\0'; p++) {
        if (p[0] == '\n' && p[1] == '\n') {
            cli_bytes_add_text(out, "\n.PP\n");
            p++;
            line_start = true;
            continue;
        }
        if (line_start && (*p == '.' || *p == '\''))
            cli_bytes_add_text(out, "\\&");
        if (*p == '\\')
            cli_bytes_add_text(out, "\\e");
        else if (*p == '-')
            cli_bytes_add_text(out, "\\-");
        else if (*p == '\'')
            cli_bytes_add_text(out, "\\(aq");
        else
            cli_bytes_add_char(out, *p);
        line_start = *p == '\n';
    }
    cli_bytes_add_char(out, '\n');
}

static void add_upper(cli_bytes *out, const char *text)
{
    for (; *text != '\0'; text++)
        cli_bytes_add_char(out, (char)toupper((unsigned char)*text));
}

static void add_head(cli_bytes *out, const cli_command *command)
{
    cli_bytes_add_text(out, ".TH PEAT");
    if (command != NULL) {
        cli_bytes_add_text(out, "\\-");
        add_upper(out, command->name);
    }
    cli_bytes_add_text(out, " 1 \"\" \"peat " PEAT_VERSION_STRING "\" \"Peat\"\n.SH NAME\npeat");
    if (command != NULL)
        cli_bytes_format(out, "\\-%s", command->name);
    cli_bytes_add_text(out, " \\- ");
    add_text(out, command != NULL ? command->summary : MANUAL_TAGLINE);
    cli_bytes_add_text(out, ".SH SYNOPSIS\n.B peat");
    if (command == NULL) {
        cli_bytes_add_text(out, "\n.I COMMAND\n[\\fIoptions\\fR]\n\\fIDIR\\fR ...\n");
        return;
    }
    cli_bytes_format(out, " %s\n[\\fIoptions\\fR]\n", command->name);
    if (command->place == CLI_TAKES_STORE)
        cli_bytes_add_text(out, ".I DIR\n");
    if (*command->arguments != '\0')
        cli_bytes_format(out, ".RI %s\n", command->arguments);
}

static void add_options(cli_bytes *out, const cli_command *command)
{
    const char *at = command->options;
    cli_bytes_add_text(out, ".SH OPTIONS\n");
    for (const cli_option *o; (o = cli_next_option(&at)) != NULL;) {
        cli_bytes_add_text(out, ".TP\n");
        if (o->short_name != 0)
            cli_bytes_format(out, "\\fB\\-%c\\fR, ", o->short_name);
        cli_bytes_add_text(out, "\\fB\\-\\-");
        for (const char *p = o->name; *p != '\0'; p++)
            cli_bytes_add_text(out, *p == '-' ? "\\-" : (char[2]){*p, '\0'});
        cli_bytes_add_text(out, "\\fR");
        if (o->argument != NULL)
            cli_bytes_format(out, " \\fI%s\\fR", o->argument);
        cli_bytes_add_char(out, '\n');
        add_text(out, o->text);
    }
}

static void add_common(cli_bytes *out)
{
    cli_bytes_add_text(out, ".SH EXIT STATUS\n");
    for (const manual_exit *e = manual_exits; e->code != NULL; e++) {
        cli_bytes_format(out, ".TP\n.B %s\n", e->code);
        add_text(out, e->text);
    }
    cli_bytes_add_text(out, ".SH ENVIRONMENT\n.TP\n.B PEAT_DB\n");
    add_text(out, MANUAL_PEAT_DB);
}

static void add_command_list(cli_bytes *out)
{
    cli_bytes_add_text(out, ".SH COMMANDS\n");
    for (const cli_command *c = cli_commands; c->name != NULL; c++) {
        cli_bytes_format(out, ".TP\n.BR peat\\-%s (1)\n", c->name);
        add_text(out, c->summary);
    }
}

void cli_man(cli_bytes *out, const cli_command *command)
{
    add_head(out, command);
    cli_bytes_add_text(out, ".SH DESCRIPTION\n");
    add_text(out, command != NULL ? command->text : MANUAL_ABOUT);
    if (command == NULL) {
        add_command_list(out);
        cli_bytes_add_text(out, ".SH FORMATS\n");
        add_text(out, MANUAL_FORMATS);
    } else {
        add_options(out, command);
    }
    add_common(out);
    if (command == NULL)
        return;
    cli_bytes_add_text(out, ".SH EXAMPLES\n.nf\n");
    add_text(out, command->examples);
    cli_bytes_add_text(out, ".fi\n.SH SEE ALSO\n.BR peat (1)\n");
}
