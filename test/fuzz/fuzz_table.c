/* SPDX-License-Identifier: MIT */
/*
 * fuzz_table.c - a table file, opened as the manifest would have it: checked, iterated both ways,
 * every key looked up. What pt_table_check finds sound must answer without a fault.
 */
#include "fuzz/fuzz.h"
#include "support/sim_env.h"
#include "table/table_internal.h"

#include <stdlib.h>

/* No decoder may ask for more than a few times the file: the largest table here has 64 KiB. */
#define PEAK_BYTES_MAX ((size_t)64 << 20)

typedef struct opened {
    const pt_env *env;
    pt_dir *dir;
    pt_sink sink;
    pt_epoch epoch;
    pt_table *table;
    pt_block_source source;
    size_t entries; /* seen forward */
    bool sound;     /* the check found no damage */
    uint8_t *key;   /* the last one seen */
    size_t key_size;
} opened;

static peat_rc fetch(pt_block_source *source, uint32_t block, pt_fetch_hint hint,
                     pt_block_ref *ret_block)
{
    opened *o = PT_CONTAINER(source, opened, source);
    size_t size = pt_table_block_size(o->table, block), used = 0;
    (void)hint;
    FUZZ_REQUIRE(size <= PEAK_BYTES_MAX, "no huge block out of a declared length");
    uint8_t *p = malloc(size + (size == 0));
    peat_rc rc = pt_table_read_block(o->table, block, p, size, &used);
    if (rc == PEAT_OK) {
        FUZZ_REQUIRE(used <= size, "a block is not longer than announced");
        uint8_t *exact = fuzz_copy(p, used);
        *ret_block = (pt_block_ref){.data = exact, .size = used, .pin = exact};
    }
    free(p);
    return rc;
}

static void release(pt_block_source *source, pt_block_ref *block)
{
    (void)source;
    free(block->pin);
}

/* One key through filter, locator, index and block; what it needs, where that is damaged. */
static pt_find look_up(opened *o, pt_slice key, uint64_t seq_max)
{
    pt_block_ref held = {0};
    pt_find_result r = {0};
    pt_find f;
    for (unsigned calls = 0;; calls++) {
        FUZZ_REQUIRE(calls < 10000, "a lookup ends");
        unsigned slot = pt_epoch_enter(&o->epoch);
        f = pt_table_find(o->table, &o->source, key, pt_hash(key.data, key.size), seq_max, r.block,
                          held.pin != NULL ? &held : NULL, &r);
        if (f == PT_FIND_FOUND)
            (void)fuzz_touch(r.entry.value);
        pt_epoch_exit(&o->epoch, slot);
        if (f == PT_FIND_NEED_BLOCK) {
            free(held.pin);
            held = (pt_block_ref){0};
            if (fetch(&o->source, r.block, PT_FETCH_POINT, &held) != PEAT_OK)
                return f;
        } else if (f != PT_FIND_NEED_SECTION) {
            break;
        } else if (pt_table_load(o->table, r.section) != PEAT_OK) {
            break;
        }
    }
    free(held.pin);
    return f;
}

static void see_entry(opened *o, const pt_entry *e)
{
    pt_slice last = pt_slice_of(o->key, o->key_size);
    (void)fuzz_touch(e->value);
    if (o->sound && o->entries != 0)
        FUZZ_REQUIRE(pt_slice_compare(last, e->key) <= 0, "a sound table is in order");
    if (o->entries < 64) {
        pt_find f = look_up(o, e->key, e->seq);
        FUZZ_REQUIRE(!o->sound || f == PT_FIND_FOUND, "a sound table finds what it holds");
    }
    free(o->key);
    o->key = fuzz_copy(e->key.data, e->key.size);
    o->key_size = e->key.size;
    o->entries++;
}

static void walk(opened *o)
{
    pt_table_iter_options options = {.hint = PT_FETCH_SCAN};
    const pt_table_meta *m = pt_table_get_meta(o->table);
    pt_iter *it = NULL;
    if (pt_table_iter_new(o->env, o->table, &o->source, &options, &it) != PEAT_OK)
        return;
    peat_rc rc;
    for (rc = pt_iter_first(it); rc == PEAT_OK; rc = pt_iter_next(it))
        see_entry(o, &it->at);
    FUZZ_REQUIRE(!o->sound || (rc == PEAT_END && o->entries == m->entries),
                 "a sound table shows all of its entries");
    size_t back = 0;
    for (rc = pt_iter_last(it); rc == PEAT_OK; rc = pt_iter_prev(it))
        back += 1 + (fuzz_touch(it->at.value) & 0);
    FUZZ_REQUIRE(!o->sound || back == o->entries, "as many backwards");
    (void)pt_iter_seek(it, m->key_max);
    (void)pt_iter_seek_for_prev(it, m->key_min);
    pt_iter_done(it);
    uint64_t entries, bytes;
    for (int i = 0; i < 2; i++) {
        pt_block_source *source = i == 0 ? NULL : &o->source;
        if (pt_table_rank(o->table, source, m->key_max, &entries, &bytes) == PEAT_OK)
            FUZZ_REQUIRE(entries <= m->entries && bytes <= m->file_bytes,
                         "a rank lies within the table");
    }
}

static void stream(opened *o)
{
    pt_table_iter_options options = {.hint = PT_FETCH_ONCE};
    pt_block_source *source = NULL;
    pt_iter *it = NULL;
    size_t n = 0;
    if (pt_table_stream_new(o->env, o->table, PT_STREAM_MERGE, &source) != PEAT_OK)
        return;
    if (pt_table_iter_new(o->env, o->table, source, &options, &it) == PEAT_OK)
        for (peat_rc rc = pt_iter_first(it); rc == PEAT_OK; rc = pt_iter_next(it))
            n++;
    FUZZ_REQUIRE(!o->sound || n == o->entries, "the stream shows the same");
    pt_iter_done(it);
    pt_table_stream_free(o->env, source);
}

static void use_table(opened *o, const pt_table_meta *m)
{
    if (pt_table_new(o->env, o->dir, &o->sink, &o->epoch, m, &o->table) != PEAT_OK)
        return;
    o->source.block_count = m->block_count;
    o->sound = pt_table_check(o->table, NULL, NULL, NULL) == PEAT_OK;
    walk(o);
    stream(o);
    pt_table_free(o->table);
}

static size_t run(const uint8_t *data, size_t size)
{
    opened o = {.source = {.fetch = fetch, .release = release}};
    pt_table_meta m;
    if (size < 1 + PT_TABLE_TRAILER_BYTES)
        return 0;
    uint8_t *file = fuzz_copy(data + 1, size - 1);
    size_t n = size - 1, trailer = n - PT_TABLE_TRAILER_BYTES;
    if (data[0] & FUZZ_REPAIR)
        fuzz_repair_table(file, n);
    size_t meta = pt_get_u32(file + trailer);
    if (meta <= trailer &&
        pt_table_meta_decode(pt_slice_of(file + trailer - meta, meta), &m) == PEAT_OK &&
        m.file_bytes == n) { /* the directory is compared before a table is opened */
        char name[PT_TABLE_NAME_SIZE];
        sim_env *sim = sim_new(1);
        o.env = sim_peat(sim);
        pt_sink_init(&o.sink);
        pt_epoch_init(&o.epoch);
        pt_table_name(m.file_number, name);
        sim_file_put(sim, "db", name, file, n);
        FUZZ_REQUIRE(o.env->dir_open(o.env->ctx, "db", 0, &o.dir) == 0, "the directory is there");
        use_table(&o, &m);
        o.env->dir_close(o.env->ctx, o.dir);
        pt_epoch_done(&o.epoch);
        pt_sink_done(&o.sink);
        FUZZ_REQUIRE(sim_is_clean(sim), "nothing is left over");
        sim_free(sim);
    }
    free(o.key);
    free(file);
    return o.entries;
}

const fuzz_target fuzz_table = {.name = "table", .run = run, .size_max = 24 << 10};
