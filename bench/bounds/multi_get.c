/* SPDX-License-Identifier: MIT */
/*
 * multi_get.c - how fast keys in memory can be read by the hundred at all: what a store with Peat's
 * structures cannot leave out, and nothing else.
 *
 *   bound-multi-get [records] [keys read] [keys per call] [under way]
 *
 * Of each key: its hash; a search among separators (every eighth is kept apart) and the line
 * of the other seven; three cells of a locator; the page's frame, and the byte that says it
 * was used; of the page of 4 KiB its head, the prefix, the key and the value, each in its
 * place; a comparison of all of the key; and a copy of the value into a buffer of its own. So
 * many keys are under way at once as in a ring of Peat's (src/read/ring.h), and each step asks
 * for the lines of the next. There is no version, no memtable, one table, no second writer, no
 * eviction, and no other kind of page. The locator's cells hold zeros and the caller's number
 * stands for the slot, so that they need not be worked out: their lines are read all the same.
 * Keys, values, their checking and the batches are those of `peat-bench --workloads
 * readmany100`, in the same sitting of which the figure is to be taken.
 */
#include "../clock.h"
#include "../data.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define KEY_BYTES     16u
#define SPACE_BYTES   4u /* a keyspace before it: hashed as well */
#define VALUE_BYTES   100u
#define PAGE_BYTES    4096u
#define PAGE_RECORDS  36u
#define PAGE_HEAD     16u /* then a tag for each record, the prefix, the keys, the values */
#define PREFIX_BYTES  13u /* but for pages in which the fourth digit from the end changes */
#define SUFFIX_BYTES  (KEY_BYTES - PREFIX_BYTES)
#define STRIDE        8u /* separators in a line */
#define SEGMENT_CELLS 2048u
#define UNDER_WAY_MAX 64u

typedef struct store {
    pb_keys keys;
    pb_values values;
    uint64_t records;
    size_t page_count, sample_count, cell_count;
    uint64_t *separators; /* of each page its last key's last 8 bytes, as a number */
    uint64_t *samples;    /* every STRIDE-th of them */
    uint32_t *frames;     /* number 1 begins a line */
    uint8_t *used;
    uint16_t *cells;
    char *slab;
} store;

typedef struct buffer {
    void *data;
    size_t size, capacity;
} buffer;

static void *map(size_t size, int advice)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        perror("bound-multi-get: no memory");
        exit(3);
    }
    (void)madvise(p, size, advice);
    return p;
}

static uint16_t get_u16(const char *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t get_u64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static void put_u16(char *p, size_t v)
{
    uint16_t n = (uint16_t)v;
    memcpy(p, &n, sizeof n);
}

static uint64_t key_head(const char *key)
{
    return __builtin_bswap64(get_u64(key + KEY_BYTES - 8));
}

/* Records [first, first + PAGE_RECORDS). Returns the last key's head. */
static uint64_t fill_page(store *s, char *page, uint64_t first)
{
    char a[PB_KEY_MAX + 1], b[PB_KEY_MAX + 1];
    size_t prefix = 0;
    (void)pb_key_make(&s->keys, first, a);
    (void)pb_key_make(&s->keys, first + PAGE_RECORDS - 1, b);
    while (a[prefix] == b[prefix] && prefix < PREFIX_BYTES)
        prefix++;
    size_t width = KEY_BYTES - prefix, keys_at = PAGE_HEAD + PAGE_RECORDS + prefix;
    size_t values_at = keys_at + PAGE_RECORDS * width;
    put_u16(page, PAGE_RECORDS);
    put_u16(page + 4, prefix);
    put_u16(page + 6, width);
    put_u16(page + 8, VALUE_BYTES);
    put_u16(page + 10, keys_at);
    put_u16(page + 12, values_at);
    memcpy(page + keys_at - prefix, a, prefix);
    for (size_t i = 0; i < PAGE_RECORDS; i++) {
        (void)pb_key_make(&s->keys, first + i, a);
        memcpy(page + keys_at + i * width, a + prefix, width);
        (void)pb_value_make(&s->values, first + i, 1, page + values_at + i * VALUE_BYTES);
    }
    return key_head(b);
}

/* Blocks come into frames in the order in which they are first read. */
static void shuffle_frames(store *s)
{
    pb_rng rng = {7};
    for (size_t i = 0; i < s->page_count; i++)
        s->frames[i] = (uint32_t)i;
    for (size_t i = s->page_count; i > 1; i--) {
        size_t j = pb_rng_below(&rng, i);
        uint32_t other = s->frames[j];
        s->frames[j] = s->frames[i - 1];
        s->frames[i - 1] = other;
    }
}

static void fill(store *s, uint64_t records)
{
    s->page_count = records / PAGE_RECORDS + 1;
    s->records = s->page_count * PAGE_RECORDS;
    s->sample_count = (s->page_count - 1) / STRIDE + 1;
    s->cell_count = s->records / 8 * 9 + 3 * (size_t)SEGMENT_CELLS;
    s->separators = map((s->page_count + STRIDE) * sizeof *s->separators, MADV_NOHUGEPAGE);
    s->samples = map(s->sample_count * sizeof *s->samples, MADV_NOHUGEPAGE);
    s->frames = (uint32_t *)map((s->page_count + 16) * sizeof *s->frames, MADV_NOHUGEPAGE) + 15;
    s->used = map(s->page_count, MADV_NOHUGEPAGE);
    s->cells = map(s->cell_count * sizeof *s->cells, MADV_NOHUGEPAGE);
    memset(s->cells, 0, s->cell_count * sizeof *s->cells); /* the pages are to be there */
    s->slab = map(s->page_count * PAGE_BYTES, MADV_HUGEPAGE);
    shuffle_frames(s);
    for (size_t i = 0; i < s->page_count; i++) {
        char *page = s->slab + (size_t)s->frames[i] * PAGE_BYTES;
        s->separators[i] = fill_page(s, page, i * PAGE_RECORDS);
        s->used[i] = 1;
        if (i % STRIDE == 0)
            s->samples[i / STRIDE] = s->separators[i];
    }
    for (size_t i = 0; i < STRIDE; i++)
        s->separators[s->page_count + i] = UINT64_MAX;
}

/* ---- a lookup in three parts, each of which asks for the lines of the next ---- */

typedef struct lookup {
    uint64_t head;
    size_t from; /* the page is one of the STRIDE from here on */
    const uint16_t *cell[3];
    const char *page;
    uint32_t frame, slot;
} lookup;

static inline void ask(const void *p)
{
    __builtin_prefetch(p, 0, 3);
}

static inline size_t samples_below(const store *s, uint64_t head)
{
    size_t at = 0;
    for (size_t n = s->sample_count; n > 0;) {
        size_t half = (n + 1) / 2;
        at += half & (0 - (size_t)(s->samples[at + half - 1] < head));
        n -= half;
    }
    return at;
}

static inline void look_up(const store *s, lookup *l, pb_slice key)
{
    char internal[SPACE_BYTES + KEY_BYTES] = {0};
    memcpy(internal + SPACE_BYTES, key.data, KEY_BYTES);
    uint64_t hash = XXH3_64bits(internal, sizeof internal);
    l->head = key_head(key.data);
    size_t below = samples_below(s, l->head);
    l->from = below == 0 ? 0 : (below - 1) * STRIDE + 1;
    /* near the entries of its table, as Peat's are */
    size_t first = (size_t)((unsigned __int128)hash * (s->cell_count - 3 * SEGMENT_CELLS) >> 64);
    for (size_t i = 0; i < 3; i++) {
        l->cell[i] = &s->cells[first + i * SEGMENT_CELLS];
        first ^= hash >> 18 * i & 31; /* somewhere else in its segment */
        ask(l->cell[i]);
    }
    ask(&s->separators[l->from]);
    ask(&s->frames[l->from]);
}

static inline void find_record(const store *s, lookup *l, uint64_t number)
{
    const uint64_t *h = s->separators + l->from;
    size_t at = h[3] < l->head ? 4 : 0;
    at += h[at + 1] < l->head ? 2 : 0;
    at += h[at] < l->head;
    l->slot = (uint32_t)(number % PAGE_RECORDS) ^ *l->cell[0] ^ *l->cell[1] ^ *l->cell[2];
    l->frame = s->frames[l->from + at];
    l->page = s->slab + (size_t)l->frame * PAGE_BYTES;
    /* where they are in most pages */
    const char *keys = l->page + PAGE_HEAD + PAGE_RECORDS + PREFIX_BYTES;
    const char *value = keys + PAGE_RECORDS * SUFFIX_BYTES + l->slot * VALUE_BYTES;
    ask(&s->used[l->frame]);
    ask(l->page);
    ask(keys - 1);
    ask(keys + l->slot * SUFFIX_BYTES);
    ask(value);
    ask(value + 64);
    ask(value + VALUE_BYTES);
}

static inline bool take(const store *s, const lookup *l, pb_slice key, buffer *ret_value)
{
    const char *page = l->page;
    size_t prefix = get_u16(page + 4), width = get_u16(page + 6), size = get_u16(page + 8);
    const char *keys = page + get_u16(page + 10);
    if (s->used[l->frame] == 0 || l->slot >= get_u16(page) || key.size != prefix + width ||
        memcmp(keys + l->slot * width, key.data + prefix, width) != 0 ||
        memcmp(keys - prefix, key.data, prefix) != 0 || size > ret_value->capacity)
        return false;
    memcpy(ret_value->data, page + get_u16(page + 12) + l->slot * size, size);
    ret_value->size = size;
    return true;
}

/* As many keys as `under_way` are between their first part and their last. */
static bool get_many(const store *s, const pb_slice *keys, const uint64_t *numbers, size_t count,
                     size_t under_way, buffer *ret_values)
{
    lookup l[2 * UNDER_WAY_MAX];
    size_t half = under_way / 2;
    for (size_t i = 0; i < count + under_way; i++) {
        size_t last = i - under_way, middle = i - half;
        if (i >= under_way &&
            !take(s, &l[last % (2 * UNDER_WAY_MAX)], keys[last], &ret_values[last]))
            return false;
        if (i >= half && middle < count)
            find_record(s, &l[middle % (2 * UNDER_WAY_MAX)], numbers[middle]);
        if (i < count)
            look_up(s, &l[i % (2 * UNDER_WAY_MAX)], keys[i]);
    }
    return true;
}

/* ---- as peat-bench reads many ---- */

static bool read_many(const store *s, uint64_t n, size_t per_call, size_t under_way)
{
    static char key_buf[PB_MANY_MAX][PB_KEY_MAX + 1];
    static buffer values[PB_MANY_MAX];
    uint64_t ids[PB_MANY_MAX];
    pb_slice keys[PB_MANY_MAX];
    pb_rng rng = {1};
    pb_expect expect = {1, 1};
    for (size_t i = 0; i < per_call; i++)
        if (values[i].data == NULL)
            values[i] = (buffer){malloc(VALUE_BYTES), 0, VALUE_BYTES};
    for (uint64_t done = 0; done < n; done += per_call) {
        for (size_t i = 0; i < per_call; i++) {
            ids[i] = pb_rng_below(&rng, s->records);
            keys[i] = pb_key_make(&s->keys, ids[i], key_buf[i]);
            pb_value_expect(&s->values, ids[i], expect);
        }
        if (!get_many(s, keys, ids, per_call, under_way, values))
            return false;
        for (size_t i = 0; i < per_call; i++)
            if (!pb_value_check(&s->values, ids[i], (pb_slice){values[i].data, values[i].size},
                                expect, true))
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
    size_t per_call = argument(argv, argc, 3, 100, PB_MANY_MAX);
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
