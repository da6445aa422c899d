/* SPDX-License-Identifier: MIT
 *
 * suggest.c - what somebody may have meant who mistyped a name.
 *
 * The distance is the number of letters that are missing, too many, wrong, or in the place of their
 * neighbour. A word of which a name is the continuation is near to it whatever the name's length.
 */
#include "suggest.h"

#include <stdbool.h>
#include <string.h>

enum { WORD_MAX = 24 }; /* longer than any name of ours */

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t d[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= a_size; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= b_size; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= a_size; i++)
        for (size_t j = 1; j <= b_size; j++) {
            size_t wrong = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            d[i][j] = min_size(wrong, 1 + min_size(d[i - 1][j], d[i][j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = min_size(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[a_size][b_size];
}

void cli_guess_offer(cli_guess *guess, const char *word, size_t word_size, const char *name)
{
    size_t size = strlen(name);
    if (word_size < 2 || word_size > WORD_MAX || size > WORD_MAX)
        return;
    bool begins = word_size < size && memcmp(word, name, word_size) == 0;
    size_t far = begins ? 1 : distance(word, word_size, name, size);
    if (far > 1 + word_size / 4 || far >= word_size)
        return;
    if (guess->name == NULL || far < guess->distance)
        *guess = (cli_guess){name, far};
}
