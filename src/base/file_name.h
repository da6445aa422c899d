/* SPDX-License-Identifier: MIT */
/*
 * file_name.h - generated names: a letter, a dash, a number of at least six digits (m-000007).
 * A name that this file would not generate is not parsed, so nothing else is ever opened.
 */
#ifndef PT_BASE_FILE_NAME_H
#define PT_BASE_FILE_NAME_H

#include "base/base.h"

#define PT_FILE_NAME_SIZE 24 /* letter, dash, 20 digits, zero, and one to spare */

static inline void pt_file_name(char letter, uint64_t number, char ret_name[PT_FILE_NAME_SIZE])
{
    char digits[20];
    unsigned count = 0;
    for (uint64_t n = number; count < 6 || n != 0; n /= 10)
        digits[count++] = (char)('0' + n % 10);
    ret_name[0] = letter;
    ret_name[1] = '-';
    for (unsigned i = 0; i < count; i++)
        ret_name[2 + i] = digits[count - 1 - i];
    ret_name[2 + count] = '\0';
}

/* False when `name` is not what pt_file_name makes of this letter and some number above 0. */
static inline bool pt_file_name_parse(const char *name, char letter, uint64_t *ret_number)
{
    if (name[0] != letter || name[1] != '-')
        return false;
    uint64_t n = 0;
    for (const char *p = name + 2; *p != '\0'; p++) {
        if (*p < '0' || *p > '9' || n > (UINT64_MAX - 9) / 10)
            return false;
        n = n * 10 + (uint64_t)(*p - '0');
    }
    char again[PT_FILE_NAME_SIZE];
    pt_file_name(letter, n, again);
    if (n == 0 || strcmp(again, name) != 0)
        return false;
    *ret_number = n;
    return true;
}

/* Whether a store makes files of this name: manifests, log segments, tables, blobs, the reserve. */
static inline bool pt_file_name_is_store(const char *name)
{
    static const char letters[] = {'m', 'w', 't', 'b', 'r'};
    uint64_t number;
    for (size_t i = 0; i < PT_COUNT_OF(letters); i++)
        if (pt_file_name_parse(name, letters[i], &number))
            return true;
    return false;
}

#endif
