/* SPDX-License-Identifier: MIT
 *
 * signals.c - SIGINT and SIGTERM as a flag, so that a command ends between two steps and closes its
 * store. The flag is the one variable of the program: a handler has no other place to write to.
 */
#include "cli.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t interrupted; /* 0, or the number of the first signal that came */

static void on_signal(int number)
{
    if (interrupted == 0)
        interrupted = number;
}

void cli_signals_init(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal; /* no SA_RESTART: a blocked read must return */
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL);
}

bool cli_interrupted(void)
{
    return interrupted != 0;
}

int cli_signal_code(void)
{
    return 128 + (int)interrupted;
}
