/* SPDX-License-Identifier: MIT */
/*
 * doc_hex.h - the worked examples of the format documents, compared with what the code writes.
 * A row is four blanks, five hexadecimal digits of offset, a separator, 16 bytes.
 */
#ifndef TEST_SUPPORT_DOC_HEX_H
#define TEST_SUPPORT_DOC_HEX_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Compares every row with this separator. Returns how many there were, or -1 after saying which one
 * differs. */
static inline int doc_hex_compare(const char *doc, const char *separator, const uint8_t *data,
                                  size_t size)
{
    char path[1024], line[512];
    const char *root = getenv("PEAT_SRC_DIR");
    int rows = 0;
    (void)snprintf(path, sizeof path, "%s/%s", root != NULL ? root : ".", doc);
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        (void)fprintf(stderr, "%s cannot be opened\n", path);
        return -1;
    }
    while (rows >= 0 && fgets(line, sizeof line, f) != NULL) {
        char *at = line + 9;
        if (strlen(line) < 58 || strncmp(line, "    ", 4) != 0 ||
            strncmp(at, separator, strlen(separator)) != 0)
            continue;
        size_t offset = strtoul(line + 4, NULL, 16);
        at += strlen(separator);
        bool same = offset + 16 <= size;
        for (size_t i = 0; i < 16 && same; i++)
            same = strtoul(at, &at, 16) == data[offset + i];
        if (!same)
            (void)fprintf(stderr, "%s: the row of %05zx is not what the code writes\n", doc,
                          offset);
        rows = same ? rows + 1 : -1;
    }
    (void)fclose(f);
    return rows;
}

/* For peat_env.random: the same bytes every time. */
static inline int doc_hex_random(void *ctx, void *buf, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)buf)[i] = (uint8_t)(0x11 * (i + 1));
    return 0;
}

#endif
