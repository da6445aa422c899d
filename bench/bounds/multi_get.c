/* SPDX-License-Identifier: MIT */
/*
 * multi_get.c - how fast keys in memory can be read by the hundred at all: what no store can leave
 * out, and nothing else.
 *
 *   bound-multi-get [records] [keys read] [keys per call] [under way]
 *
 * Of each key a hash, a line of a table of slots, the lines of the record in a page of 4 KiB, a
 * comparison, and a copy of the value into a buffer of its own; so many keys are under way at once
 * as in a ring of Peat's (src/read/ring.h). There is no order, no version, no memtable, no second
 * writer, no eviction. Keys, values, their checking and the batches are those of
 * `peat-bench --workloads readmany64`, in the same sitting of which the figure is to be taken.
 */
#include "../clock.h"
#include "../data.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define KEY_BYTES        16u
#define VALUE_BYTES      100u
#define RECORD_BYTES     (KEY_BYTES + VALUE_BYTES)
#define PAGE_BYTES       4096u
#define PAGE_RECORDS     (PAGE_BYTES / RECORD_BYTES)
#define UNDER_WAY_MAX    64u
#define FINGERPRINT_BITS 24u

typedef struct store {
    pb_keys keys;
    pb_values values;
    uint64_t records;
    uint64_t *slots; /* fingerprint and number of the record, plus one; 0: none */
    uint64_t slot_mask;
    char *pages;
} store;

static void *map(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        perror("bound-multi-get: no memory");
        exit(3);
    }
    (void)madvise(p, size, MADV_HUGEPAGE);
    return p;
}

static char *record_at(const store *s, uint64_t number)
{
    return s->pages + number / PAGE_RECORDS * PAGE_BYTES + number % PAGE_RECORDS * RECORD_BYTES;
}

static uint64_t slot_of(uint64_t hash, uint64_t number)
{
    return hash >> (64 - FINGERPRINT_BITS) << (64 - FINGERPRINT_BITS) | (number + 1);
}

static void fill(store *s, uint64_t records)
{
    uint64_t slots = 2;
    char key_buf[PB_KEY_MAX + 1];
    while (slots < 2 * records)
        slots *= 2;
    s->records = records;
    s->slot_mask = slots - 1;
    s->slots = map(slots * sizeof *s->slots);
    s->pages = map((records / PAGE_RECORDS + 1) * PAGE_BYTES);
    for (uint64_t i = 0; i < records; i++) {
        pb_slice key = pb_key_make(&s->keys, i, key_buf);
        uint64_t hash = XXH3_64bits(key.data, KEY_BYTES), at = hash & s->slot_mask;
        while (s->slots[at] != 0)
            at = (at + 1) & s->slot_mask;
        s->slots[at] = slot_of(hash, i);
        memcpy(record_at(s, i), key.data, KEY_BYTES);
        (void)pb_value_make(&s->values, i, 1, record_at(s, i) + KEY_BYTES);
    }
}

/* ---- a lookup in three parts, each of which asks for the lines of the next ---- */

typedef struct lookup {
    uint64_t hash;
    uint64_t at; /* in the slots */
    const char *record;
} lookup;

static inline void ask(const void *p)
{
    __builtin_prefetch(p, 0, 3);
}

static inline void look_up(const store *s, lookup *l, pb_slice key)
{
    l->hash = XXH3_64bits(key.data, KEY_BYTES);
    l->at = l->hash & s->slot_mask;
    ask(&s->slots[l->at]);
}

static inline void find_record(const store *s, lookup *l)
{
    uint64_t slot = s->slots[l->at];
    while (slot != 0 && (slot ^ l->hash) >> (64 - FINGERPRINT_BITS) != 0) {
        l->at = (l->at + 1) & s->slot_mask;
        slot = s->slots[l->at];
    }
    l->record = NULL;
    if (slot == 0)
        return;
    l->record = record_at(s, (slot & (UINT64_MAX >> FINGERPRINT_BITS)) - 1);
    ask(l->record);
    ask(l->record + 64);
    ask(l->record + RECORD_BYTES - 1);
}

/* Returns whether it is there. (A key whose fingerprint another one has is not met here.) */
static inline bool take(const lookup *l, pb_slice key, char *ret_value)
{
    if (l->record == NULL || memcmp(l->record, key.data, KEY_BYTES) != 0)
        return false;
    memcpy(ret_value, l->record + KEY_BYTES, VALUE_BYTES);
    return true;
}

/* As many keys as `under_way` are between their first part and their last. */
static bool get_many(const store *s, const pb_slice *keys, size_t count, size_t under_way,
                     char (*ret_values)[VALUE_BYTES])
{
    lookup l[2 * UNDER_WAY_MAX];
    size_t half = under_way / 2;
    for (size_t i = 0; i < count + under_way; i++) {
        if (i >= under_way && !take(&l[(i - under_way) % (2 * UNDER_WAY_MAX)], keys[i - under_way],
                                    ret_values[i - under_way]))
            return false;
        if (i >= half && i - half < count)
            find_record(s, &l[(i - half) % (2 * UNDER_WAY_MAX)]);
        if (i < count)
            look_up(s, &l[i % (2 * UNDER_WAY_MAX)], keys[i]);
    }
    return true;
}

/* ---- as peat-bench reads many ---- */

static bool read_many(const store *s, uint64_t n, size_t per_call, size_t under_way)
{
    static char key_buf[PB_MANY_MAX][PB_KEY_MAX + 1], values[PB_MANY_MAX][VALUE_BYTES];
    uint64_t ids[PB_MANY_MAX];
    pb_slice keys[PB_MANY_MAX];
    pb_rng rng = {1};
    pb_expect expect = {1, 1};
    for (uint64_t done = 0; done < n; done += per_call) {
        for (size_t i = 0; i < per_call; i++) {
            ids[i] = pb_rng_below(&rng, s->records);
            keys[i] = pb_key_make(&s->keys, ids[i], key_buf[i]);
            pb_value_expect(&s->values, ids[i], expect);
        }
        if (!get_many(s, keys, per_call, under_way, values))
            return false;
        for (size_t i = 0; i < per_call; i++)
            if (!pb_value_check(&s->values, ids[i], (pb_slice){values[i], VALUE_BYTES}, expect,
                                true))
                return false;
    }
    return true;
}

static uint64_t argument(char **argv, int argc, int i, uint64_t otherwise, uint64_t max)
{
    uint64_t v = argc > i ? strtoull(argv[i], NULL, 10) : otherwise;
    return v == 0 ? otherwise : v > max ? max : v;
}

int main(int argc, char **argv)
{
    uint64_t records = argument(argv, argc, 1, 1000000, UINT32_MAX);
    uint64_t reads = argument(argv, argc, 2, 4000000, UINT64_MAX / 2);
    size_t per_call = argument(argv, argc, 3, 64, PB_MANY_MAX);
    size_t under_way = argument(argv, argc, 4, 12, UNDER_WAY_MAX);
    store s = {.keys = {PB_KEY_DECIMAL, KEY_BYTES}};
    if (pb_values_init(&s.values, VALUE_BYTES, 0.5, 1) != PB_OK)
        return 3;
    fill(&s, records);
    bool right = read_many(&s, reads / 4, per_call, under_way);
    uint64_t begun = pb_now_ns();
    right = right && read_many(&s, reads, per_call, under_way);
    double seconds = (double)(pb_now_ns() - begun) / 1e9;
    if (!right) {
        (void)fputs("WRONG RESULT\n", stderr);
        return 3;
    }
    printf("%zu keys per call, %zu under way: %.0f op/s\n", per_call, under_way,
           (double)reads / seconds);
    pb_values_done(&s.values);
    return 0;
}
