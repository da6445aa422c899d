/* SPDX-License-Identifier: MIT
 *
 * signals.c - SIGINT and SIGTERM as a flag, so that a command ends between two steps and closes its
 * store. The flag is the one variable of the program: a handler has no other place to write to.
 *
 * What blocks (open, read, write) is ended by a signal only when it comes while it blocks, and not
 * a moment before: from the first one on SIGALRM comes soon and then every second, until the
 * command has ended.
 */
#include "cli.h"

#include <signal.h>
#include <string.h>
#include <sys/time.h>

static volatile sig_atomic_t interrupted; /* 0, or the number of the first signal that came */

/* One system call, which a handler may do. */
static void ring(void)
{
    struct itimerval again = {.it_value = {.tv_usec = 50000}, .it_interval = {.tv_sec = 1}};
    (void)setitimer(ITIMER_REAL, &again, NULL);
}

static void on_signal(int number)
{
    if (interrupted == 0)
        interrupted = number;
    ring();
}

static void on_alarm(int number)
{
    (void)number; /* it was there to end a call */
}

void cli_signals_init(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal; /* no SA_RESTART: a blocked call must return */
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    action.sa_handler = on_alarm;
    (void)sigaction(SIGALRM, &action, NULL);
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
