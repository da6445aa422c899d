/* SPDX-License-Identifier: MIT */
/* model_keys.c - the sets of keys, and what values look like. */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

/* --- keys --- */

typedef struct key_style {
    const char *name;
    size_t ids;
    size_t (*make)(size_t id, uint8_t *ret_bytes); /* at most PEAT_KEY_SIZE_MAX */
} key_style;

static size_t make_few(size_t id, uint8_t *ret_bytes)
{
    return (size_t)sprintf((char *)ret_bytes, "k%02u", (unsigned)id);
}

static size_t make_number(size_t id, uint8_t *ret_bytes)
{
    for (int i = 0; i < 8; i++)
        ret_bytes[i] = (uint8_t)((uint64_t)id * 3 >> (56 - 8 * i));
    return 8;
}

/* Paths: neighbours share most of their bytes. */
static size_t make_path(size_t id, uint8_t *ret_bytes)
{
    static const char *const places[] = {"usr/share/doc", "usr/share/doc-base", "usr/lib", "etc"};
    return (size_t)sprintf((char *)ret_bytes, "%s/package-%u/file-%u", places[id % 4],
                           (unsigned)(id / 40), (unsigned)(id % 40));
}

/* All behind 300 equal bytes: longer than any prefix a node or a block keeps. */
static size_t make_prefixed(size_t id, uint8_t *ret_bytes)
{
    memset(ret_bytes, 'p', 300);
    return 300 + (size_t)sprintf((char *)ret_bytes + 300, "%u", (unsigned)id);
}

/* 0 to 12 bytes, mostly the extreme ones; many are prefixes of others. */
static size_t make_binary(size_t id, uint8_t *ret_bytes)
{
    static const uint8_t letters[] = {0x00, 0xff, 0x00, 0xff, 0x01, 0x7f, 0x80, 0xfe};
    rng r = {id};
    size_t n = 1 + rng_below(&r, 12);
    for (size_t i = 0; i < n; i++)
        ret_bytes[i] = letters[rng_below(&r, sizeof letters)];
    return n;
}

/* Up to the longest key there may be, different only at the end: those above 16 KiB share prefixes
 * that no block of that size holds. */
static size_t make_huge(size_t id, uint8_t *ret_bytes)
{
    size_t n = id % 6 == 5 ? 20000 : 5000;
    if (id % 3 < 2)
        n = id % 3 == 0 ? PEAT_KEY_SIZE_MAX - id : 40 * id;
    memset(ret_bytes, id % 2 ? 'h' : 'H', n);
    ret_bytes[n - 1] = (uint8_t)id;
    return n;
}

/* Key id is id bytes of one letter: each a prefix of the next. */
static size_t make_nested(size_t id, uint8_t *ret_bytes)
{
    memset(ret_bytes, 'n', id);
    return id;
}

static const key_style styles[MODEL_KEY_STYLES] = {
    {"few", 60, make_few},        {"number", 2000, make_number},
    {"path", 1200, make_path},    {"prefixed", 500, make_prefixed},
    {"binary", 900, make_binary}, {"huge", 24, make_huge},
    {"nested", 200, make_nested},
};

const char *model_key_style_name(int64_t style)
{
    return styles[(uint64_t)style % MODEL_KEY_STYLES].name;
}

static int compare_slices(const void *a, const void *b)
{
    return scan_compare(*(const peat_slice *)a, *(const peat_slice *)b);
}

void model_keys_init(model_keys *k, int64_t style_number)
{
    const key_style *s = &styles[(uint64_t)style_number % MODEL_KEY_STYLES];
    uint8_t *scratch = malloc(PEAT_KEY_SIZE_MAX + 1);
    size_t used = 1, capacity = 1 << 16;
    size_t *offset = calloc(s->ids, sizeof *offset);
    *k = (model_keys){.ids = s->ids, .bytes = malloc(capacity)};
    k->by_id = calloc(s->ids, sizeof *k->by_id);
    k->by_rank = calloc(s->ids, sizeof *k->by_rank);
    k->rank_of_id = calloc(s->ids, sizeof *k->rank_of_id);
    for (size_t id = 0; id < s->ids; id++) {
        size_t n = id == 0 ? 0 : s->make(id, scratch);
        while (used + n > capacity)
            k->bytes = realloc(k->bytes, capacity *= 2);
        if (n != 0)
            memcpy(k->bytes + used, scratch, n);
        offset[id] = used;
        k->by_id[id].size = n;
        used += n;
    }
    for (size_t id = 0; id < s->ids; id++)
        k->by_rank[id] = k->by_id[id] = peat_bytes(k->bytes + offset[id], k->by_id[id].size);
    qsort(k->by_rank, s->ids, sizeof *k->by_rank, compare_slices);
    for (size_t i = 0; i < s->ids; i++)
        if (i == 0 || scan_compare(k->by_rank[k->ranks - 1], k->by_rank[i]) != 0)
            k->by_rank[k->ranks++] = k->by_rank[i];
    for (size_t id = 0; id < s->ids; id++)
        k->rank_of_id[id] = (uint32_t)model_keys_seek(k, k->by_id[id]);
    free(offset);
    free(scratch);
}

void model_keys_done(model_keys *k)
{
    free(k->by_id);
    free(k->by_rank);
    free(k->rank_of_id);
    free(k->bytes);
    *k = (model_keys){0};
}

size_t model_keys_seek(const model_keys *k, peat_slice key)
{
    size_t low = 0, high = k->ranks;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (scan_compare(k->by_rank[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void model_value_fill(model_value value, uint8_t *ret_bytes)
{
    rng r = {value.seed};
    uint64_t word = rng_next(&r);
    for (size_t i = 0; i < value.size; i += 8) {
        size_t left = value.size - i;
        if (value.seed % 2 == 0 || i % 128 == 0)
            word = rng_next(&r);
        memcpy(ret_bytes + i, &word, left < 8 ? left : 8);
    }
}

bool model_value_is(model_value value, peat_slice bytes)
{
    if (bytes.size != value.size || bytes.size == 0)
        return bytes.size == value.size;
    uint8_t *expected = malloc(value.size);
    model_value_fill(value, expected);
    bool same = memcmp(expected, bytes.data, value.size) == 0;
    free(expected);
    return same;
}
