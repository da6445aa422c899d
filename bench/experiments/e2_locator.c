/* SPDX-License-Identifier: MIT */
/*
 * e2_locator.c - from a key to its place, by locator or by index.
 *
 *   e2_locator DIR [records] [tables] [rounds] [lookups]
 *
 * Writes `records` records (4 + 16 random bytes, value of 100) into `tables` tables of consecutive
 * keys in DIR, loads everything into memory that asks for huge pages, and prints nanoseconds per
 * key, median and least of many short rounds, in which the variants take turns:
 *   probe  the place only: by words of 32 bits (block, slot, 14 to 16 bits of fingerprint), of 24
 *          (block, 8-bit fingerprint), of 16 (slot, fingerprint) beside an index search, and by the
 *          index search alone;
 *   find   the whole lookup to the value's bytes, every one checked;
 *   build  filling a locator from hashes.
 * Keys are asked for in random order, each only after the answer to the one before ("chained": what
 * one get costs), or freely ("free": what the machine can overlap).
 *
 * It looks inside the library, so it is built from the sources:
 *   cc -std=c11 -D_GNU_SOURCE -O3 -DNDEBUG -Isrc -Iinclude bench/experiments/e2_locator.c \
 *      src/table/[star].c src/env/[star].c src/base/[star].c -llz4 -pthread
 */
#include "e2_parts.h"
#include "table/layout_hint.h"
#include "table/table_internal.h"

#define KEY_BYTES    (PT_KEYSPACE_BYTES + 16)
#define VALUE_BYTES  100
#define ROUNDS_MAX   200
#define BUILD_ROUNDS 5

typedef struct unit {
    pt_table *table;
    pt_block_source source;
    wide small, large;
    const pt_locator *locator;
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
    pt_table_writer_options o = {.store_id = 1,
                                 .file_number = i + 1,
                                 .run_kind = PT_RUN_BOTTOMMOST,
                                 .want_locator = locator};
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

/* ---- lookups ---- */

typedef uint64_t (*lookup_fn)(experiment *x, unit *u, pt_slice key, uint64_t hash);

static uint64_t probe_24(experiment *x, unit *u, pt_slice key, uint64_t hash)
{
    (void)x, (void)key;
    return probe_wide(&u->small, hash);
}

static uint64_t probe_32(experiment *x, unit *u, pt_slice key, uint64_t hash)
{
    (void)x, (void)key;
    return probe_wide(&u->large, hash);
}

static uint64_t probe_index(experiment *x, unit *u, pt_slice key, uint64_t hash)
{
    (void)x, (void)hash;
    return pt_index_search(u->index, key);
}

static uint64_t probe_16(experiment *x, unit *u, pt_slice key, uint64_t hash)
{
    uint32_t slot;
    pt_locator_prefetch(u->locator, hash);
    uint64_t block = probe_index(x, u, key, hash);
    need(pt_locator_find(u->locator, hash, &slot), "a key is missing");
    return block + slot;
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

static uint64_t read_tagged(unit *u, pt_slice key, uint32_t block, uint64_t hash)
{
    pt_block v;
    pt_block_view(&v, pt_block_peek(&u->source, block));
    uint32_t slot = pt_block_find(&v, key, pt_block_tag(hash));
    need(slot < v.count, "a key is missing");
    return pt_get_u64(pt_block_value(&v, slot).data);
}

static uint64_t find_24(experiment *x, unit *u, pt_slice key, uint64_t hash)
{
    (void)x;
    return read_tagged(u, key, probe_wide(&u->small, hash), hash);
}

static uint64_t find_tags(experiment *x, unit *u, pt_slice key, uint64_t hash)
{
    return read_tagged(u, key, (uint32_t)probe_index(x, u, key, hash), hash);
}

/* The lines of key and value are asked for together with the head's. */
static uint64_t read_slot(unit *u, pt_slice key, uint32_t block, uint32_t slot)
{
    pt_block v;
    const uint8_t *data = pt_block_peek(&u->source, block);
    pt_layout_prefetch_entry(&u->table->layout, data, slot);
    pt_block_view(&v, data);
    need(slot < v.count && pt_block_key_is(&v, slot, key), "a key is missing");
    return pt_get_u64(pt_block_value(&v, slot).data);
}

static uint64_t find_32(experiment *x, unit *u, pt_slice key, uint64_t hash)
{
    (void)x;
    uint32_t place = probe_wide(&u->large, hash);
    return read_slot(u, key, place >> u->large.slot_bits, place & ((1u << u->large.slot_bits) - 1));
}

static uint64_t find_16(experiment *x, unit *u, pt_slice key, uint64_t hash)
{
    uint32_t slot;
    pt_locator_prefetch(u->locator, hash);
    uint32_t block = (uint32_t)probe_index(x, u, key, hash);
    need(pt_locator_find(u->locator, hash, &slot), "a key is missing");
    return read_slot(u, key, block, slot);
}

/* One round's share of the lookups: other keys each time, so that caches start cold. */
static double run_once(experiment *x, int round, lookup_fn lookup, bool chained, bool whole)
{
    size_t share = x->lookups / (size_t)x->rounds, from = share * (size_t)round;
    uint64_t carry = 0, start = x->env->now_ns(x->env->ctx);
    for (size_t i = from; i < from + share; i++) {
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
    return (double)(x->env->now_ns(x->env->ctx) - start) / (double)share;
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

/* Also leaves the other locators behind. */
static void measure_build(experiment *x)
{
    double order_ns[ROUNDS_MAX], fill_ns[ROUNDS_MAX];
    uint64_t *hashes = malloc((x->records / x->tables + 2) * sizeof *hashes);
    uint32_t *slots = calloc(x->records / x->tables + 2, sizeof *slots);
    pt_bytes out;
    pt_bytes_init(&out, x->env);
    need(hashes != NULL && slots != NULL, "no memory");
    for (int r = 0; r < BUILD_ROUNDS; r++) {
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
            need(pt_locator_encode(&order, slots, 6, &out) == PEAT_OK, "no memory");
            uint64_t c = x->env->now_ns(x->env->ctx);
            ordering += b - a;
            filling += c - b;
            if (r == 0)
                build_both(x->env, x->units[i].index, x->units[i].locator->slot_bits, &order,
                           &x->units[i].small, &x->units[i].large);
            pt_fuse_order_done(&order);
        }
        order_ns[r] = (double)ordering / (double)x->records;
        fill_ns[r] = (double)filling / (double)x->records;
    }
    printf("%-28s %7.1f ns per key to order, %.1f to fill\n", "build a locator",
           median(order_ns, BUILD_ROUNDS), median(fill_ns, BUILD_ROUNDS));
    free(hashes);
    free(slots);
    pt_bytes_done(&out);
}

/* ---- what is compared ---- */

static const struct variant {
    const char *name;
    lookup_fn lookup;
    bool whole, deny;
} variants[] = {
    {"the loop itself", nothing, false, false},
    {"probe 32 bits", probe_32, false, false},
    {"probe 24 bits", probe_24, false, false},
    {"probe 16 bits and index", probe_16, false, false},
    {"probe index", probe_index, false, false},
    {"find by 32 bits", find_32, true, false},
    {"find by 24 bits, tags", find_24, true, false},
    {"find by 16 bits and index", find_16, true, false},
    {"find by index, tags", find_tags, true, false},
    {"pt_table_find", find_table, true, false},
    {"pt_table_find, no locator", find_table, true, true},
};

/* Variants in turn, so that a noisy minute meets all of them. */
static void measure_all(experiment *x)
{
    double chained[PT_COUNT_OF(variants)][ROUNDS_MAX], freely[PT_COUNT_OF(variants)][ROUNDS_MAX];
    for (int r = 0; r < x->rounds; r++) {
        for (size_t v = 0; v < PT_COUNT_OF(variants); v++) {
            for (size_t i = 0; i < x->tables; i++)
                pt_table_deny(x->units[i].table, PT_SECTION_LOCATOR, variants[v].deny);
            chained[v][r] = run_once(x, r, variants[v].lookup, true, variants[v].whole);
            freely[v][r] = run_once(x, r, variants[v].lookup, false, variants[v].whole);
        }
    }
    for (size_t v = 0; v < PT_COUNT_OF(variants); v++) {
        double c = median(chained[v], x->rounds), f = median(freely[v], x->rounds);
        printf("%-28s %7.1f ns chained (best %.1f)  %7.1f ns free (best %.1f)\n", variants[v].name,
               c, chained[v][0], f, freely[v][0]);
    }
}

int main(int argc, char **argv)
{
    experiment x = {.env = peat_env_default()};
    need(argc > 1, "usage: e2_locator DIR [records] [tables] [rounds] [lookups]");
    x.records = argument(argc, argv, 2, 10000000);
    x.tables = argument(argc, argv, 3, 64);
    x.rounds = (int)argument(argc, argv, 4, 60);
    x.lookups = argument(argc, argv, 5, 2000000);
    need(x.rounds > 0 && x.rounds <= ROUNDS_MAX && x.tables > 0 && x.records >= x.tables,
         "odd arguments");
    pt_sink_init(&x.sink);
    pt_epoch_init(&x.epoch);
    need(x.env->dir_open(x.env->ctx, argv[1], PEAT_ENV_DIR_CREATE, &x.dir) == 0, "no directory");
    make_keys(&x);
    set_up(&x);
    measure_build(&x);
    measure_all(&x);
    return 0;
}
