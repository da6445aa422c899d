/* SPDX-License-Identifier: MIT
 *
 * suggest.h - what somebody may have meant who mistyped a name.
 */
#ifndef PEAT_CLI_SUGGEST_H
#define PEAT_CLI_SUGGEST_H

#include <stddef.h>

/* The best so far; begins as all zero. */
typedef struct cli_guess {
    const char *name; /* NULL: nothing is near enough */
    size_t distance;
} cli_guess;

/* Takes name when it is nearer to word than what was found before. */
void cli_guess_offer(cli_guess *guess, const char *word, size_t word_size, const char *name);

#endif
