/* SPDX-License-Identifier: MIT */
/* rows.c - see rows.h. */
#include "world/rows.h"

#include "world/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t rows_key(uint32_t number, char ret_key[ROWS_KEY_MAX])
{
    const char *head = number % 97 == 5 ? "" : number % 3 == 0 ? "row/common/head/" : "row/";
    return (size_t)snprintf(ret_key, ROWS_KEY_MAX, "%s%02x/%05u", head,
                            (unsigned)(rng_hash(number) & 255), number % 100000);
}

bool rows_parse_key(peat_slice key, uint32_t *ret_number)
{
    char text[ROWS_KEY_MAX], again[ROWS_KEY_MAX];
    if (key.size < 8 || key.size >= sizeof text)
        return false;
    memcpy(text, key.data, key.size);
    text[key.size] = '\0';
    *ret_number = (uint32_t)strtoul(text + key.size - 5, NULL, 10);
    return rows_key(*ret_number, again) == key.size && memcmp(again, text, key.size) == 0;
}

static size_t value_size(uint64_t chance, size_t size_max)
{
    uint64_t kind = chance % 256, n = chance >> 8;
    size_t least = sizeof(uint64_t);
    if (kind == 0)
        return least + n % (size_max - least);
    return least + n % (kind < 16 ? 4000 : 100);
}

size_t rows_value(uint64_t key, uint64_t id, size_t size_max, uint8_t *ret_value)
{
    uint64_t word = rng_hash(id ^ rng_hash(key));
    size_t size = value_size(word, size_max);
    memcpy(ret_value, &id, sizeof id);
    for (size_t i = sizeof id; i < size; i += sizeof word) {
        size_t left = size - i;
        memcpy(ret_value + i, &word, left < sizeof word ? left : sizeof word);
        if (i % 64 == 0)
            word = rng_hash(word);
    }
    return size;
}

uint64_t rows_value_id(uint64_t key, peat_slice value, size_t size_max)
{
    uint64_t id = 0;
    if (value.size >= sizeof id && value.size <= size_max)
        memcpy(&id, value.data, sizeof id);
    if (id == 0)
        return 0;
    uint8_t *expected = malloc(size_max);
    bool whole = rows_value(key, id, size_max, expected) == value.size &&
                 memcmp(expected, value.data, value.size) == 0;
    free(expected);
    return whole ? id : 0;
}
