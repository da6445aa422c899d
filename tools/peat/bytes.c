/* SPDX-License-Identifier: MIT
 *
 * bytes.c - a growing run of bytes, and numbers for people.
 */
#include "bytes.h"
#include "cli.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void cli_bytes_free(cli_bytes *bytes)
{
    free(bytes->data);
    *bytes = (cli_bytes){0};
}

char *cli_bytes_room(cli_bytes *bytes, size_t more)
{
    if (bytes->data == NULL || bytes->capacity - bytes->size < more) {
        size_t capacity = bytes->capacity < 256 ? 256 : bytes->capacity * 2;
        if (capacity < bytes->size + more)
            capacity = bytes->size + more;
        char *data = realloc(bytes->data, capacity);
        if (data == NULL) {
            static const char text[] = "peat: out of memory\n";
            (void)!write(STDERR_FILENO, text, sizeof text - 1); /* nothing else is left to try */
            _exit(CLI_STORE);
        }
        bytes->data = data;
        bytes->capacity = capacity;
    }
    return bytes->data + bytes->size;
}

void cli_bytes_add(cli_bytes *bytes, const void *data, size_t size)
{
    if (size > 0) {
        memcpy(cli_bytes_room(bytes, size), data, size);
        bytes->size += size;
    }
}

void cli_bytes_add_char(cli_bytes *bytes, char c)
{
    *cli_bytes_room(bytes, 1) = c;
    bytes->size++;
}

void cli_bytes_add_text(cli_bytes *bytes, const char *text)
{
    cli_bytes_add(bytes, text, strlen(text));
}

void cli_bytes_format(cli_bytes *bytes, const char *format, ...)
{
    /* Most texts fit at once; a long one is formatted again into the room it needs. */
    for (size_t room = 128;;) {
        va_list list;
        char *to = cli_bytes_room(bytes, room);
        va_start(list, format);
        int size = vsnprintf(to, room, format, list);
        va_end(list);
        if (size < 0)
            return; /* no text of this program can fail to format */
        if ((size_t)size < room) {
            bytes->size += (size_t)size;
            return;
        }
        room = (size_t)size + 1;
    }
}

const char *cli_group(uint64_t number, char text[CLI_NUMBER_SIZE])
{
    char digits[CLI_NUMBER_SIZE];
    int n = snprintf(digits, sizeof digits, "%" PRIu64, number);
    char *to = text;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return text;
}

const char *cli_human(uint64_t bytes, char text[CLI_NUMBER_SIZE])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.95 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1000;
        unit++;
    }
    (void)snprintf(text, CLI_NUMBER_SIZE, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return text;
}

const char *cli_counted(uint64_t number, const char *word, char text[CLI_COUNTED_SIZE])
{
    char digits[CLI_NUMBER_SIZE];
    size_t size = strlen(word);
    bool ies =
        number != 1 && size > 1 && word[size - 1] == 'y' && strchr("aeiou", word[size - 2]) == NULL;
    (void)snprintf(text, CLI_COUNTED_SIZE, "%s %.*s%s", cli_group(number, digits),
                   (int)(ies ? size - 1 : size), word,
                   number == 1 ? ""
                   : ies       ? "ies"
                               : "s");
    return text;
}
