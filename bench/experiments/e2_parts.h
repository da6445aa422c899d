/* SPDX-License-Identifier: MIT */
/* e2_parts.h - locators whose words name the block too, which e2_locator.c compares with the one in
 * use; and small helpers. */
#ifndef E2_PARTS_H
#define E2_PARTS_H

#include "table/table_internal.h"

#include <stdio.h>
#include <stdlib.h>

static inline void need(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "e2_locator: %s\n", what);
        exit(1);
    }
}

/* A locator that names the block: a cell is the XOR share of block | slot | fingerprint. */
typedef struct wide {
    pt_fuse fuse;
    uint8_t *cells;
    unsigned bytes, slot_bits, print_bits;
} wide;

static inline uint32_t get_cell(const wide *l, uint32_t at)
{
    if (l->bytes == 4)
        return pt_get_u32(l->cells + (size_t)at * 4);
    const uint8_t *p = l->cells + (size_t)at * 3;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static inline uint32_t get_word(const wide *l, pt_fuse_cells c)
{
    return get_cell(l, c.at[0]) ^ get_cell(l, c.at[1]) ^ get_cell(l, c.at[2]);
}

static inline void build_wide(const pt_env *env, const pt_index *index, wide *l,
                              const pt_fuse_order *order)
{
    size_t n = pt_fuse_cell_count(&order->fuse);
    uint32_t *places = malloc(order->count * sizeof *places), block = 0;
    l->fuse = order->fuse;
    l->cells = env->map(env->ctx, n * l->bytes);
    need(l->cells != NULL && places != NULL, "no memory");
    for (uint32_t k = 0; k < order->count; k++) {
        while (pt_index_entries_before(index, block + 1) <= k)
            block++;
        uint32_t slot = k - pt_index_entries_before(index, block);
        places[k] = l->slot_bits != 0 ? block << l->slot_bits | slot : block;
    }
    for (size_t k = order->count; k-- > 0;) {
        pt_fuse_cells c = pt_fuse_place(&order->fuse, order->mixed[k]);
        uint32_t word = places[order->key[k]] << l->print_bits |
                        pt_fuse_print(order->mixed[k]) >> (32 - l->print_bits);
        word ^= get_word(l, c);
        for (unsigned b = 0; b < l->bytes; b++)
            l->cells[(size_t)c.at[order->which[k]] * l->bytes + b] = (uint8_t)(word >> 8 * b);
    }
    free(places);
}

/* Words of 24 bits (no slot) and of 32. */
static inline void build_both(const pt_env *env, const pt_index *index, unsigned slot_bits,
                              const pt_fuse_order *order, wide *ret_small, wide *ret_large)
{
    unsigned block_bits = 1;
    while (1u << block_bits < index->count)
        block_bits++;
    *ret_small = (wide){.bytes = 3, .print_bits = 8};
    *ret_large = (wide){.bytes = 4, .slot_bits = slot_bits};
    ret_large->print_bits = 32 - slot_bits - block_bits;
    build_wide(env, index, ret_small, order);
    build_wide(env, index, ret_large, order);
}

/* Block and, when the words have slots, slot. */
static inline uint32_t probe_wide(const wide *l, uint64_t hash)
{
    uint64_t mixed = pt_fuse_mix(&l->fuse, hash);
    uint32_t word = get_word(l, pt_fuse_place(&l->fuse, mixed));
    need(((word ^ pt_fuse_print(mixed) >> (32 - l->print_bits)) & ((1u << l->print_bits) - 1)) == 0,
         "a key is missing");
    return word >> l->print_bits;
}

static inline int double_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static inline double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, double_order);
    return v[n / 2];
}

static inline size_t argument(int argc, char **argv, int i, size_t otherwise)
{
    return argc > i ? (size_t)strtoull(argv[i], NULL, 10) : otherwise;
}

#endif
