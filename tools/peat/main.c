/* SPDX-License-Identifier: MIT
 *
 * main.c - the peat command: finds the command, parses by its table, runs it.
 */
#include "bytes.h"
#include "cli.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* No file may be opened as descriptor 0, 1 or 2: our own output would go into it (the library looks
 * after its own). A closed one becomes a descriptor whose every use fails; the root directory is
 * there without a /dev too. False: there is none to be had. */
static bool hold_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/", O_PATH) != fd)
            return false;
    return true;
}

static const char *command_name(const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return "help";
    return strcmp(word, "--version") == 0 ? "version" : word;
}

int main(int argc, char **argv)
{
    cli_args args = {0};
    if (!hold_standard_descriptors())
        return CLI_STORE; /* nowhere to say why */
    cli_signals_init();
    if (argc < 2)
        return cli_fail(&args, CLI_USAGE, "no command given; see 'peat help'");
    const cli_command *command = cli_find_command(command_name(argv[1]));
    if (command == NULL)
        return cli_no_command(&args, argv[1]);
    int failed = cli_parse(command, argc - 1, argv + 1, &args);
    if (failed)
        return failed;
    if (args.help) {
        cli_bytes text = {0};
        cli_help(&text, command);
        return cli_print(&args, &text);
    }
    int code = command->run(&args);
    return code == CLI_INTERRUPTED ? cli_signal_code() : code;
}
