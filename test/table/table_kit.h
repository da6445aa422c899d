/* SPDX-License-Identifier: MIT */
/*
 * table_kit.h - what the table tests share: entries in an array (the oracle), tables built from
 * them in memory, block sources that hold all blocks or none, and a whole lookup.
 */
#ifndef PT_TEST_TABLE_KIT_H
#define PT_TEST_TABLE_KIT_H

#include "base/hash.h"
#include "table/table.h"
#include "world/entries.h"
#include "world/random.h"
#include "world/sim.h"

/* ---- a table under test ---- */

#define KIT_DIR "db"
/* Those whose failure a table has to tell. */
#define KIT_FILE_CALLS                                                                             \
    (SIM_BIT(SIM_FILE_OPEN) | SIM_BIT(SIM_FILE_CREATE) | SIM_BIT(SIM_FILE_READ) |                  \
     SIM_BIT(SIM_FILE_WRITE) | SIM_BIT(SIM_FILE_SYNC))

typedef struct kit {
    sim_env *sim;
    const pt_env *env;
    pt_dir *dir;
    pt_sink sink;
    pt_epoch epoch;
    pt_table_meta meta;
    pt_bytes meta_bytes; /* the meta's keys live here */
    pt_table *table;
    model m; /* what is in it, where the kit is to know */
} kit;

static inline void kit_init(kit *k)
{
    memset(k, 0, sizeof *k);
    k->sim = sim_new(1);
    k->env = sim_peat(k->sim);
    assert_int_equal(k->env->dir_open(k->env->ctx, KIT_DIR, PEAT_ENV_DIR_CREATE, &k->dir), 0);
    pt_sink_init(&k->sink);
    pt_epoch_init(&k->epoch);
    pt_bytes_init(&k->meta_bytes, k->env);
    assert_ok(pt_bytes_reserve(&k->meta_bytes, 1024));
}

static inline void kit_done(kit *k)
{
    pt_table_free(k->table);
    model_done(&k->m);
    pt_bytes_done(&k->meta_bytes);
    pt_epoch_done(&k->epoch);
    pt_sink_done(&k->sink);
    k->env->dir_close(k->env->ctx, k->dir);
    sim_end(k->sim);
}

static inline const char *kit_error(kit *k)
{
    static char text[512];
    peat_error e;
    pt_sink_get(&k->sink, &e);
    (void)snprintf(text, sizeof text, "%s", e.message);
    return text;
}

/* What a writer has been given becomes the kit's table; the writer is gone. */
static inline peat_rc kit_finish(kit *k, pt_table_writer *w)
{
    pt_table_meta meta;
    peat_rc rc = pt_table_writer_finish(w, &meta);
    k->meta_bytes.size = 0;
    if (rc == PEAT_OK)
        rc = pt_table_meta_encode(&meta, &k->meta_bytes);
    pt_table_writer_free(w);
    return rc;
}

static inline peat_rc kit_write(kit *k, const pt_table_writer_options *options, const model *m)
{
    peat_rc rc = PEAT_OK;
    pt_table_writer *w = NULL;
    TRY(pt_table_writer_new(k->env, k->dir, &k->sink, options, &w));
    for (size_t i = 0; i < m->count; i++) {
        const pt_entry *e = &m->entries[i];
        TRY(pt_table_writer_add(w, e, pt_hash(e->key.data, e->key.size)));
    }
    assert_int_equal(pt_table_writer_entries(w), m->count);
    return kit_finish(k, w);
out:
    pt_table_writer_free(w);
    return rc;
}

static inline peat_rc kit_open(kit *k)
{
    peat_rc rc =
        pt_table_meta_decode(pt_slice_of(k->meta_bytes.data, k->meta_bytes.size), &k->meta);
    if (rc != PEAT_OK)
        return rc;
    return pt_table_new(k->env, k->dir, &k->sink, &k->epoch, &k->meta, &k->table);
}

static inline void kit_build(kit *k, const pt_table_writer_options *options, const model *m)
{
    kit_init(k);
    assert_ok(kit_write(k, options, m));
    assert_ok(kit_open(k));
}

/* The bytes of its file, which may be changed in place. */
typedef struct kit_bytes {
    char name[PT_TABLE_NAME_SIZE];
    uint8_t *data;
    size_t size;
} kit_bytes;

static inline kit_bytes kit_file(kit *k)
{
    kit_bytes f;
    pt_table_name(k->meta.file_number, f.name);
    f.data = sim_file_bytes(k->sim, KIT_DIR, f.name, &f.size);
    return f;
}

/* ---- block sources ---- */

/* Reads every block anew into its own heap memory of the exact size, so that a read beyond it is
 * seen by the sanitizer. With `resident` blocks that fit a frame stay in a slab. */
typedef struct kit_source {
    pt_block_source base;
    kit *kit;
    uint64_t fetched, held;
} kit_source;

static inline peat_rc kit_fetch(pt_block_source *source, uint32_t block, pt_fetch_hint hint,
                                pt_block_ref *ret_block)
{
    kit_source *s = PT_CONTAINER(source, kit_source, base);
    (void)hint;
    size_t size = pt_table_block_size(s->kit->table, block), used = 0;
    uint8_t *p = malloc(size);
    assert_non_null(p);
    peat_rc rc = pt_table_read_block(s->kit->table, block, p, size, &used);
    if (rc != PEAT_OK) {
        free(p);
        return rc;
    }
    assert_true(used <= size);
    uint8_t *exact = malloc(used);
    assert_non_null(exact);
    memcpy(exact, p, used);
    free(p);
    s->fetched++;
    s->held++;
    *ret_block = (pt_block_ref){.data = exact, .size = used, .pin = exact};
    return PEAT_OK;
}

static inline void kit_release(pt_block_source *source, pt_block_ref *block)
{
    PT_CONTAINER(source, kit_source, base)->held--;
    free(block->pin);
}

static inline void kit_source_init(kit_source *s, kit *k)
{
    *s = (kit_source){.kit = k};
    s->base.block_count = k->meta.block_count;
    s->base.fetch = kit_fetch;
    s->base.release = kit_release;
}

/* ---- a whole lookup ---- */

/* PEAT_OK and *ret_entry (value copied), PEAT_NOT_FOUND, or an error. */
static inline peat_rc kit_find(kit *k, kit_source *s, pt_slice key, uint64_t seq_max,
                               pt_entry *ret_entry)
{
    uint64_t hash = pt_hash(key.data, key.size);
    pt_block_ref held = {0};
    bool holds = false;
    uint32_t held_block = 0;
    peat_rc rc = PEAT_OK;
    for (int calls = 0;; calls++) {
        assert_true(calls < 100000);
        pt_find_result r = {0};
        unsigned slot = pt_epoch_enter(&k->epoch);
        pt_find f = pt_table_find(k->table, &s->base, key, hash, seq_max, held_block,
                                  holds ? &held : NULL, &r);
        if (f == PT_FIND_FOUND) {
            *ret_entry = r.entry;
            ret_entry->value = copy_slice(r.entry.value);
        }
        pt_epoch_exit(&k->epoch, slot);
        if (f == PT_FIND_NEED_BLOCK) {
            if (holds)
                s->base.release(&s->base, &held);
            held_block = r.block;
            rc = s->base.fetch(&s->base, r.block, PT_FETCH_POINT, &held);
            holds = rc == PEAT_OK;
        } else if (f == PT_FIND_NEED_SECTION) {
            rc = pt_table_load(k->table, r.section);
        } else {
            rc = f == PT_FIND_FOUND ? PEAT_OK : f == PT_FIND_ABSENT ? PEAT_NOT_FOUND : PEAT_CORRUPT;
            break;
        }
        if (rc != PEAT_OK)
            break;
    }
    if (holds)
        s->base.release(&s->base, &held);
    return rc;
}

#endif
