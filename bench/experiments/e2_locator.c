/* SPDX-License-Identifier: MIT */
/*
 * e2_locator.c - experiment E2: from a key to its place, by locator or by index.
 *
 *   e2_locator DIR [records] [tables] [rounds] [lookups]
 *
 * Writes `records` records (4 + 16 random bytes, value of 100) into `tables` tables of consecutive
 * keys in DIR, loads everything into memory that asks for huge pages, and prints nanoseconds per
 * key, medians of the rounds:
 *   probe  the place only: locator of 32 bits (block, slot, fingerprint), one of 24 bits (block,
 *          8-bit fingerprint), index search;
 *   find   the whole lookup to the value's bytes, every one checked;
 *   build  filling a locator from hashes.
 * Keys are asked for in random order, each only after the answer to the one before ("chained": what
 * one get costs), or freely ("free": what the machine can overlap).
 *
 * It looks inside the library, so it is built from the sources:
 *   cc -std=c11 -D_GNU_SOURCE -O3 -DNDEBUG -Isrc -Iinclude bench/experiments/e2_locator.c \
 *      src/table/[star].c src/env/[star].c src/base/[star].c -llz4 -pthread
 */
#include "table/table_file.h"

#include <stdio.h>
#include <stdlib.h>

#define KEY_BYTES   (PT_KEYSPACE_BYTES + 16)
#define VALUE_BYTES 100
#define ROUNDS_MAX  15

/* The 24-bit variant: a cell is the XOR share of block << 8 | fingerprint. */
typedef struct locator24 {
    pt_fuse fuse;
    uint8_t *cells;
} locator24;

typedef struct unit {
    pt_table *table;
    pt_block_source source;
    locator24 small;
    pt_locator *locator; /* the one the table uses */
    pt_locator heap, huge;
    const pt_index *index;
} unit;

typedef struct experiment {
    const pt_env *env;
    pt_dir *dir;
    pt_sink sink;
    pt_epoch epoch;
    uint8_t (*keys)[KEY_BYTES]; /* sorted */
    size_t records, tables, lookups;
    int rounds;
    unit *units;
    uint32_t *order;             /* keys to ask for */
    uint8_t (*asked)[KEY_BYTES]; /* the keys in order[], as a caller has them at hand */
    uint64_t *hashes;            /* of these */
} experiment;

static void need(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "e2_locator: %s\n", what);
        exit(1);
    }
}

static void need_rc(experiment *x, peat_rc rc)
{
    peat_error e;
    pt_sink_get(&x->sink, &e);
    need(rc == PEAT_OK, e.message);
}

static int key_order(const void *a, const void *b)
{
    return memcmp(a, b, KEY_BYTES);
}

static void make_keys(experiment *x)
{
    uint64_t state = 1;
    x->keys = malloc(x->records * KEY_BYTES);
    x->order = malloc(x->lookups * sizeof *x->order);
    x->hashes = malloc(x->lookups * sizeof *x->hashes);
    x->asked = malloc(x->lookups * KEY_BYTES);
    need(x->keys && x->order && x->hashes && x->asked, "no memory");
    for (size_t i = 0; i < x->records; i++) {
        pt_put_be32(x->keys[i], PT_KEYSPACE_DEFAULT);
        pt_put_u64(x->keys[i] + 4, pt_mix(++state));
        pt_put_u64(x->keys[i] + 12, pt_mix(++state));
    }
    qsort(x->keys, x->records, KEY_BYTES, key_order);
    for (size_t i = 0; i < x->lookups; i++) {
        x->order[i] = (uint32_t)(pt_mix(++state) % x->records);
        memcpy(x->asked[i], x->keys[x->order[i]], KEY_BYTES);
        x->hashes[i] = pt_hash(x->asked[i], KEY_BYTES);
    }
}

static size_t first_of(const experiment *x, size_t table)
{
    return x->records * table / x->tables;
}

static void value_of(size_t record, uint8_t value[VALUE_BYTES])
{
    memset(value, (int)(record & 0xff), VALUE_BYTES);
    pt_put_u64(value, record);
}

/* Returns the nanoseconds that adding and finishing took. */
static uint64_t write_table(experiment *x, size_t i, bool locator, pt_table_meta *meta,
                            pt_bytes *bytes)
{
    pt_table_writer *w;
    pt_table_writer_options o = {
        .store_id = 1, .file_number = i + 1, .run_kind = PT_RUN_BOTTOM, .want_locator = locator};
    char name[PT_TABLE_NAME_SIZE];
    pt_table_name(o.file_number, name);
    (void)x->env->dir_remove(x->env->ctx, x->dir, name); /* left by an earlier run, or not there */
    need_rc(x, pt_table_writer_new(x->env, x->dir, &x->sink, &o, &w));
    uint64_t start = x->env->now_ns(x->env->ctx);
    for (size_t r = first_of(x, i); r < first_of(x, i + 1); r++) {
        uint8_t value[VALUE_BYTES];
        value_of(r, value);
        pt_entry e = {.key = pt_slice_of(x->keys[r], KEY_BYTES),
                      .value = pt_slice_of(value, VALUE_BYTES),
                      .kind = PT_KIND_PUT};
        need_rc(x, pt_table_writer_add(w, &e, pt_hash(x->keys[r], KEY_BYTES)));
    }
    pt_table_meta own;
    need_rc(x, pt_table_writer_finish(w, &own));
    uint64_t took = x->env->now_ns(x->env->ctx) - start;
    bytes->size = 0;
    need(pt_table_meta_encode(&own, bytes) == PEAT_OK, "no memory");
    need(pt_table_meta_decode(pt_slice_of(bytes->data, bytes->size), meta) == PEAT_OK, "meta");
    pt_table_writer_free(w);
    return took;
}

/* ---- the 24-bit variant ---- */

static uint32_t get24(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static void build24(experiment *x, size_t i, const pt_fuse_order *order)
{
    unit *u = &x->units[i];
    size_t n = pt_fuse_cell_count(&order->fuse);
    u->small.fuse = order->fuse;
    u->small.cells = x->env->map(x->env->ctx, n * 3);
    need(u->small.cells != NULL, "no memory");
    uint8_t *cells = u->small.cells;
    uint32_t *blocks = malloc(order->count * sizeof *blocks), block = 0;
    need(blocks != NULL, "no memory");
    for (uint32_t k = 0; k < order->count; k++) {
        while (pt_index_entries_before(u->index, block + 1) <= k)
            block++;
        blocks[k] = block;
    }
    for (size_t k = order->count; k-- > 0;) {
        pt_fuse_cells c = pt_fuse_place(&order->fuse, order->mixed[k]);
        uint32_t word = blocks[order->key[k]] << 8 | pt_fuse_print(order->mixed[k]) >> 24;
        word ^= get24(cells + (size_t)c.at[0] * 3) ^ get24(cells + (size_t)c.at[1] * 3) ^
                get24(cells + (size_t)c.at[2] * 3);
        uint8_t *own = cells + (size_t)c.at[order->which[k]] * 3;
        own[0] = (uint8_t)word;
        own[1] = (uint8_t)(word >> 8);
        own[2] = (uint8_t)(word >> 16);
    }
    free(blocks);
}

static uint32_t probe24(const locator24 *l, uint64_t hash)
{
    uint64_t mixed = pt_fuse_mix(&l->fuse, hash);
    pt_fuse_cells c = pt_fuse_place(&l->fuse, mixed);
    uint32_t word = get24(l->cells + (size_t)c.at[0] * 3) ^ get24(l->cells + (size_t)c.at[1] * 3) ^
                    get24(l->cells + (size_t)c.at[2] * 3);
    return (word & 0xff) == pt_fuse_print(mixed) >> 24 ? word >> 8 : UINT32_MAX;
}

/* ---- lookups ---- */

typedef uint64_t (*lookup_fn)(experiment *x, unit *u, pt_slice key, uint64_t hash);

static uint64_t probe_locator(experiment *x, unit *u, pt_slice key, uint64_t hash)
{
    uint32_t block = 0, slot = 0;
    (void)x, (void)key;
    need(pt_locator_find(u->locator, hash, &block, &slot), "a key is missing");
    return block + slot;
}

static uint64_t probe_small(experiment *x, unit *u, pt_slice key, uint64_t hash)
{
    (void)x, (void)key;
    return probe24(&u->small, hash);
}

static uint64_t probe_index(experiment *x, unit *u, pt_slice key, uint64_t hash)
{
    (void)x, (void)hash;
    return pt_index_search(u->index, key);
}

/* The value's first bytes are the record's number. */
static uint64_t find_table(experiment *x, unit *u, pt_slice key, uint64_t hash)
{
    pt_find_result r;
    (void)x;
    need(pt_table_find(u->table, &u->source, key, hash, PT_SEQ_MAX, 0, NULL, &r) == PT_FIND_FOUND,
         "a key is missing");
    return pt_get_u64(r.entry.value.data);
}

static uint64_t find_small(experiment *x, unit *u, pt_slice key, uint64_t hash)
{
    (void)x;
    uint32_t block = probe24(&u->small, hash);
    need(block < u->source.block_count, "a key is missing");
    pt_block v;
    pt_block_view(&v, pt_block_peek(&u->source, block));
    uint32_t slot = pt_block_find(&v, key, pt_block_tag(hash));
    need(slot < v.count, "a key is missing");
    return pt_get_u64(pt_block_value(&v, slot).data);
}

static int double_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, double_order);
    return v[n / 2];
}

static double run_once(experiment *x, lookup_fn lookup, bool chained, bool whole)
{
    uint64_t carry = 0, start = x->env->now_ns(x->env->ctx);
    for (size_t i = 0; i < x->lookups; i++) {
        /* chained: the address depends on the last answer, whose top bit is never set */
        size_t at = chained ? i + (size_t)(carry >> 63) : i;
        uint32_t record = x->order[at];
        /* tables hold equal shares, so the partition is a division */
        size_t t = (size_t)record * x->tables / x->records;
        while (record >= first_of(x, t + 1))
            t++;
        uint64_t got = lookup(x, &x->units[t], pt_slice_of(x->asked[at], KEY_BYTES), x->hashes[at]);
        need(!whole || got == record, "a wrong value");
        carry = chained ? got : 0;
    }
    return (double)(x->env->now_ns(x->env->ctx) - start) / (double)x->lookups;
}

static uint64_t nothing(experiment *x, unit *u, pt_slice key, uint64_t hash)
{
    (void)x, (void)u;
    return (key.data[7] + hash) >> 1;
}

/* ---- setting up ---- */

static void load_blocks(experiment *x, unit *u, uint8_t *slab, uint32_t *io_frame)
{
    uint32_t n = u->table->block_count;
    need(u->table->aligned, "the tables are not aligned");
    u->source = (pt_block_source){.slab = slab, .block_count = n};
    u->source.frame = calloc(n, sizeof *u->source.frame);
    need(u->source.frame != NULL, "no memory");
    for (uint32_t b = 0; b < n; b++) {
        size_t used;
        uint32_t f = (*io_frame)++;
        need_rc(x, pt_table_read_block(u->table, b, slab + (size_t)f * PT_FRAME_UNIT, PT_FRAME_UNIT,
                                       &used));
        atomic_store(&u->source.frame[b], f);
    }
}

static void set_up(experiment *x)
{
    uint64_t with = 0, without = 0;
    pt_bytes bytes;
    pt_table_meta meta;
    pt_bytes_init(&bytes, x->env);
    x->units = calloc(x->tables, sizeof *x->units);
    need(x->units != NULL, "no memory");
    uint64_t blocks = 1, locators = 0, indexes = 0, files = 0;
    for (size_t i = 0; i < x->tables; i++) {
        without += write_table(x, i, false, &meta, &bytes);
        with += write_table(x, i, true, &meta, &bytes);
        need_rc(x, pt_table_new(x->env, x->dir, &x->sink, &x->epoch, &meta, &x->units[i].table));
        unit *u = &x->units[i];
        need_rc(x, pt_table_load(u->table, PT_SECTION_INDEX));
        need_rc(x, pt_table_load(u->table, PT_SECTION_LOCATOR));
        u->index = &pt_table_section_peek(u->table, PT_SECTION_INDEX)->view.index;
        u->locator = &pt_table_section_peek(u->table, PT_SECTION_LOCATOR)->view.locator;
        u->heap = *u->locator;
        blocks += u->table->block_count;
        files += meta.file_bytes;
        locators += meta.section[PT_SECTION_LOCATOR].size;
        indexes += meta.section[PT_SECTION_INDEX].size;
    }
    uint8_t *slab = x->env->map(x->env->ctx, blocks * PT_FRAME_UNIT);
    _Atomic uint8_t *used = calloc(blocks, 1);
    need(slab != NULL && used != NULL, "no memory");
    uint32_t frame = 1;
    for (size_t i = 0; i < x->tables; i++) {
        load_blocks(x, &x->units[i], slab, &frame);
        x->units[i].source.used = used;
    }
    double n = (double)x->records;
    printf("%zu records in %zu tables: %.2f bytes each on disk (%.4f of keys and values), "
           "locator %.2f, index %.2f\n",
           x->records, x->tables, (double)files / n, (double)files / n / 116.0,
           (double)locators / n, (double)indexes / n);
    printf("%-28s %7.1f ns per key without locator, %.1f with\n", "write a table",
           (double)without / n, (double)with / n);
    pt_bytes_done(&bytes);
}

/* Also leaves the 24-bit locators behind. */
static void measure_build(experiment *x)
{
    double order_ns[ROUNDS_MAX], fill_ns[ROUNDS_MAX];
    uint64_t *hashes = malloc((x->records / x->tables + 2) * sizeof *hashes);
    uint32_t *places = calloc(x->records / x->tables + 2, sizeof *places);
    pt_bytes out;
    pt_bytes_init(&out, x->env);
    need(hashes != NULL && places != NULL, "no memory");
    for (int r = 0; r < x->rounds; r++) {
        uint64_t ordering = 0, filling = 0;
        for (size_t i = 0; i < x->tables; i++) {
            size_t n = first_of(x, i + 1) - first_of(x, i);
            for (size_t k = 0; k < n; k++)
                hashes[k] = pt_hash(x->keys[first_of(x, i) + k], KEY_BYTES);
            pt_fuse_order order;
            bool found;
            uint64_t a = x->env->now_ns(x->env->ctx);
            need(pt_fuse_order_init(&order, x->env, hashes, n, i, &found) == PEAT_OK && found,
                 "no order");
            uint64_t b = x->env->now_ns(x->env->ctx);
            out.size = 0;
            need(pt_locator_encode(&order, places, 13, 6, &out) == PEAT_OK, "no memory");
            uint64_t c = x->env->now_ns(x->env->ctx);
            ordering += b - a;
            filling += c - b;
            if (r == 0)
                build24(x, i, &order);
            pt_fuse_order_done(&order);
        }
        order_ns[r] = (double)ordering / (double)x->records;
        fill_ns[r] = (double)filling / (double)x->records;
    }
    printf("%-28s %7.1f ns per key to order, %.1f to fill\n", "build a locator",
           median(order_ns, x->rounds), median(fill_ns, x->rounds));
    free(hashes);
    free(places);
    pt_bytes_done(&out);
}

/* ---- what is compared ---- */

/* The 32-bit cells once more, all tables' in one mapping that has huge pages. */
static void copy_to_huge_pages(experiment *x)
{
    size_t size = 0;
    for (size_t i = 0; i < x->tables; i++)
        size += (size_t)pt_fuse_cell_count(&x->units[i].heap.fuse) * 4;
    uint8_t *p = x->env->map(x->env->ctx, size);
    need(p != NULL, "no memory");
    for (size_t i = 0; i < x->tables; i++) {
        unit *u = &x->units[i];
        size_t n = (size_t)pt_fuse_cell_count(&u->heap.fuse) * 4;
        memcpy(p, u->heap.cells, n);
        u->huge = u->heap;
        u->huge.cells = p;
        p += n;
    }
}

typedef enum use { USE_HEAP, USE_HUGE, USE_INDEX } use;

static void choose(experiment *x, use how)
{
    for (size_t i = 0; i < x->tables; i++) {
        *x->units[i].locator = how == USE_HUGE ? x->units[i].huge : x->units[i].heap;
        pt_table_deny(x->units[i].table, PT_SECTION_LOCATOR, how == USE_INDEX);
    }
}

static const struct variant {
    const char *name;
    lookup_fn lookup;
    use how;
    bool whole;
} variants[] = {
    {"the loop itself", nothing, USE_HEAP, false},
    {"probe locator, 32 bits", probe_locator, USE_HEAP, false},
    {"probe locator, huge pages", probe_locator, USE_HUGE, false},
    {"probe locator, 24 bits", probe_small, USE_HEAP, false},
    {"probe index", probe_index, USE_INDEX, false},
    {"find by locator, 32 bits", find_table, USE_HEAP, true},
    {"find by locator, huge pages", find_table, USE_HUGE, true},
    {"find by locator, 24 bits", find_small, USE_HEAP, true},
    {"find by index", find_table, USE_INDEX, true},
};

/* Variants in turn, so that a noisy minute meets all of them. */
static void measure_all(experiment *x)
{
    double chained[PT_COUNT_OF(variants)][ROUNDS_MAX], freely[PT_COUNT_OF(variants)][ROUNDS_MAX];
    for (int r = 0; r < x->rounds; r++) {
        for (size_t v = 0; v < PT_COUNT_OF(variants); v++) {
            choose(x, variants[v].how);
            chained[v][r] = run_once(x, variants[v].lookup, true, variants[v].whole);
            freely[v][r] = run_once(x, variants[v].lookup, false, variants[v].whole);
        }
    }
    for (size_t v = 0; v < PT_COUNT_OF(variants); v++) {
        double c = median(chained[v], x->rounds), f = median(freely[v], x->rounds);
        printf("%-28s %7.1f ns chained (best %.1f)  %7.1f ns free (best %.1f)\n", variants[v].name,
               c, chained[v][0], f, freely[v][0]);
    }
}

static size_t argument(int argc, char **argv, int i, size_t otherwise)
{
    return argc > i ? (size_t)strtoull(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    experiment x = {.env = peat_env_default()};
    need(argc > 1, "usage: e2_locator DIR [records] [tables] [rounds] [lookups]");
    x.records = argument(argc, argv, 2, 10000000);
    x.tables = argument(argc, argv, 3, 64);
    x.rounds = (int)argument(argc, argv, 4, 5);
    x.lookups = argument(argc, argv, 5, 2000000);
    need(x.rounds > 0 && x.rounds <= ROUNDS_MAX && x.tables > 0 && x.records >= x.tables,
         "odd arguments");
    pt_sink_init(&x.sink);
    pt_epoch_init(&x.epoch);
    need(x.env->dir_open(x.env->ctx, argv[1], PEAT_ENV_DIR_CREATE, &x.dir) == 0, "no directory");
    make_keys(&x);
    set_up(&x);
    measure_build(&x);
    copy_to_huge_pages(&x);
    measure_all(&x);
    return 0;
}
