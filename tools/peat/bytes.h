/* SPDX-License-Identifier: MIT
 *
 * bytes.h - a growing run of bytes. Out of memory ends the process with a line on stderr: what was
 * written to the store before is safe, because a killed process loses nothing.
 */
#ifndef PEAT_CLI_BYTES_H
#define PEAT_CLI_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cli_bytes {
    char *data;
    size_t size;
    size_t capacity;
} cli_bytes;

void cli_bytes_free(cli_bytes *bytes);
/* Makes room for more bytes behind the present ones and returns the place. size is unchanged. */
char *cli_bytes_room(cli_bytes *bytes, size_t more);
void cli_bytes_add(cli_bytes *bytes, const void *data, size_t size);
void cli_bytes_add_char(cli_bytes *bytes, char c);
void cli_bytes_add_text(cli_bytes *bytes, const char *text);
void cli_bytes_format(cli_bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Numbers for people: 1,234,567 and 12.3 MB. The result is in text. */
enum { CLI_NUMBER_SIZE = 32 };
const char *cli_group(uint64_t number, char text[CLI_NUMBER_SIZE]);
const char *cli_human(uint64_t bytes, char text[CLI_NUMBER_SIZE]);
/* "1 table", "1,200 tables"; -y behind a consonant becomes -ies. The word has at most 16 letters.
 */
enum { CLI_COUNTED_SIZE = CLI_NUMBER_SIZE + 20 };
const char *cli_counted(uint64_t number, const char *word, char text[CLI_COUNTED_SIZE]);

#endif
