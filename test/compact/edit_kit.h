/* SPDX-License-Identifier: MIT */
/*
 * edit_kit.h - what the tests of merge_edit.c, flush_edit.c and split.c share: versions and files
 * made of literals, without a store or a file, and edits decoded back into what they say.
 */
#ifndef PT_TEST_EDIT_KIT_H
#define PT_TEST_EDIT_KIT_H

#include "version/edit.h"
#include "version/version.h"
#include "world/sim.h"

/* ---- literals ---- */

/* Zeros at the end of a literal are left out. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define KIT_LAYERS     12
#define KIT_PARTITIONS 6
#define KIT_ITEMS      8
#define KIT_FILES      32

/* A layer is written as it is decoded: {file, bytes, entries, tombstones, obsolete bytes}. A list
 * of them ends at the first of file 0. */
typedef pt_layer_record layer_spec;

/* A list of them ends at the first without an id. */
typedef struct part_spec {
    uint64_t id;
    const char *lower; /* NULL: the first partition */
    layer_spec runs[KIT_LAYERS], bottom[KIT_LAYERS];
} part_spec;

/* One of the four. A list of them ends at the first that is none. */
typedef struct item_spec {
    uint64_t table; /* the file */
    uint64_t drop, push;
    layer_spec layer; /* that is pushed */
    part_spec part;
} item_spec;

static inline size_t kit_count(const layer_spec *layers)
{
    size_t n = 0;
    while (n < KIT_LAYERS && layers[n].file_number != 0)
        n++;
    return n;
}

static inline pt_slice kit_key(const char *text)
{
    return text != NULL ? pt_slice_of(text, strlen(text)) : (pt_slice){0};
}

/* ---- what they stand for ---- */

/* One reference for each file, as in a store. The first key of file i is the letter '`' + i: file 1
 * begins with "a". */
typedef struct kit_files {
    pt_table_ref refs[KIT_FILES];
    pt_table_meta metas[KIT_FILES];
    uint8_t keys[KIT_FILES];
} kit_files;

static inline void kit_files_init(kit_files *f)
{
    memset(f, 0, sizeof *f);
    for (size_t i = 0; i < KIT_FILES; i++) {
        f->keys[i] = (uint8_t)('`' + i);
        f->metas[i].file_number = i;
        f->metas[i].key_min = f->metas[i].key_max = pt_slice_of(&f->keys[i], 1);
        f->refs[i].meta = &f->metas[i];
    }
}

static inline size_t kit_layers(kit_files *f, const layer_spec *specs, pt_layer *ret_layers)
{
    size_t count = kit_count(specs);
    for (size_t i = 0; i < count; i++) {
        assert_true(specs[i].file_number < KIT_FILES);
        ret_layers[i] = (pt_layer){.table_ref = &f->refs[specs[i].file_number],
                                   .bytes = specs[i].bytes,
                                   .entries = specs[i].entries,
                                   .tombstones = specs[i].tombstones,
                                   .obsolete_bytes = specs[i].obsolete_bytes};
    }
    return count;
}

typedef struct kit_version {
    pt_version version;
    pt_partition partitions[KIT_PARTITIONS], *pointers[KIT_PARTITIONS];
    pt_slice lower[KIT_PARTITIONS];
    pt_layer layers[KIT_PARTITIONS][2][KIT_LAYERS];
} kit_version;

static inline void kit_version_init(kit_version *v, kit_files *f, const part_spec *parts)
{
    memset(v, 0, sizeof *v);
    v->version.partitions = v->pointers;
    for (size_t i = 0; i < KIT_PARTITIONS && parts[i].id != 0; i++) {
        pt_partition *p = &v->partitions[i];
        v->pointers[i] = p;
        p->id = parts[i].id;
        p->lower = v->lower[i] = kit_key(parts[i].lower);
        p->runs = v->layers[i][0];
        p->run_count = kit_layers(f, parts[i].runs, p->runs);
        p->bottom = v->layers[i][1];
        p->bottom_count = kit_layers(f, parts[i].bottom, p->bottom);
        v->version.count++;
    }
    pt_slice last = v->version.count != 0 ? v->lower[v->version.count - 1] : (pt_slice){0};
    assert_ok(
        pt_key_index_init(&v->version.index, peat_env_default(), v->lower, v->version.count, last));
}

static inline void kit_version_done(kit_version *v)
{
    pt_key_index_done(&v->version.index, peat_env_default());
}

/* ---- what an edit says ---- */

static inline bool kit_is(const char *rule, const char *what, uint64_t found, uint64_t expected)
{
    if (found != expected)
        print_error("\"%s\": %s is %llu, expected %llu\n", rule, what, (unsigned long long)found,
                    (unsigned long long)expected);
    return found == expected;
}

static inline bool layer_is(const char *rule, pt_layer_record found, const layer_spec *expected)
{
    bool good = kit_is(rule, "the file of a layer", found.file_number, expected->file_number);
    good = kit_is(rule, "bytes of a layer", found.bytes, expected->bytes) && good;
    good = kit_is(rule, "entries of a layer", found.entries, expected->entries) && good;
    good = kit_is(rule, "tombstones of a layer", found.tombstones, expected->tombstones) && good;
    return kit_is(rule, "obsolete bytes of a layer", found.obsolete_bytes,
                  expected->obsolete_bytes) &&
           good;
}

static inline bool partition_is(const char *rule, pt_edit_item *item, const part_spec *expected)
{
    size_t runs = kit_count(expected->runs), bottom = kit_count(expected->bottom);
    bool good = kit_is(rule, "the id of a partition", item->partition_id, expected->id);
    good = kit_is(rule, "that a bound is as expected",
                  pt_slice_equal(item->lower, kit_key(expected->lower)), true) &&
           good;
    good = kit_is(rule, "the count of upper runs", item->run_count, runs) && good;
    good = kit_is(rule, "the count of tables", item->bottom_count, bottom) && good;
    for (size_t i = 0; good && i < runs; i++)
        good = layer_is(rule, pt_layer_decode(&item->layers), &expected->runs[i]);
    for (size_t i = 0; good && i < bottom; i++)
        good = layer_is(rule, pt_layer_decode(&item->layers), &expected->bottom[i]);
    return good;
}

/* The item has the file's footer. */
static inline bool table_is(const char *rule, const pt_edit_item *item, const kit_files *f,
                            uint64_t file)
{
    pt_bytes footer;
    pt_bytes_init(&footer, peat_env_default());
    assert_ok(pt_table_meta_encode(&f->metas[file], &footer));
    bool good = kit_is(rule, "that a table is the one expected",
                       pt_slice_equal(item->table_meta, pt_bytes_slice(&footer)), true);
    pt_bytes_done(&footer);
    return good;
}

static inline pt_edit_tag item_tag(const item_spec *s)
{
    return s->table != 0  ? PT_EDIT_TABLE
           : s->drop != 0 ? PT_EDIT_DROP_PARTITION
           : s->push != 0 ? PT_EDIT_PUSH
                          : PT_EDIT_PARTITION;
}

static inline bool item_is(const char *rule, pt_edit_item *item, const kit_files *f,
                           const item_spec *expected)
{
    if (!kit_is(rule, "the tag of an item", item->tag, item_tag(expected)))
        return false;
    if (expected->table != 0)
        return table_is(rule, item, f, expected->table);
    if (expected->drop != 0)
        return kit_is(rule, "the partition that is dropped", item->partition_id, expected->drop);
    if (expected->push != 0)
        return kit_is(rule, "the partition that is pushed to", item->partition_id,
                      expected->push) &&
               layer_is(rule, item->layer, &expected->layer);
    return partition_is(rule, item, &expected->part);
}

static inline bool edit_is(const char *rule, const pt_bytes *edit, const kit_files *f,
                           const item_spec expected[KIT_ITEMS])
{
    pt_cursor cursor = pt_cursor_of(edit->data, edit->size);
    pt_edit_item item;
    bool good = true;
    for (size_t i = 0; good && i < KIT_ITEMS; i++) {
        const item_spec *e = &expected[i];
        if (e->table == 0 && e->drop == 0 && e->push == 0 && e->part.id == 0)
            break;
        good = kit_is(rule, "the result of an item", (uint64_t)pt_edit_next(&cursor, &item),
                      PEAT_OK) &&
               item_is(rule, &item, f, e);
    }
    return good && kit_is(rule, "what is left of the edit", pt_cursor_left(&cursor), 0);
}

/* ---- cases ---- */

/* A function that makes the edit of a case. */
typedef peat_rc kit_make(const void *c, kit_files *files, const pt_env *env, uint64_t *io_next,
                         pt_bytes *io_edit);

typedef struct kit_expected {
    item_spec items[KIT_ITEMS];
    uint64_t ids; /* of partitions that are new */
} kit_expected;

#define KIT_NEXT 300u /* the next id of a partition */

/* One edit that is made. */
typedef struct kit_run {
    sim_env *sim;
    kit_files files;
    pt_bytes edit;
    uint64_t next;
    unsigned fault;
} kit_run;

/* The allocation of this number fails; 0: none. */
static inline peat_rc kit_run_begin(kit_run *r, const void *c, kit_make *make, uint64_t fails_at)
{
    *r = (kit_run){.sim = sim_new(1), .next = KIT_NEXT};
    kit_files_init(&r->files);
    pt_bytes_init(&r->edit, sim_peat(r->sim));
    if (fails_at != 0)
        r->fault = sim_fail(r->sim, .kinds = SIM_MEMORY, .at = fails_at, .error = ENOMEM);
    return make(c, &r->files, sim_peat(r->sim), &r->next, &r->edit);
}

static inline void kit_run_end(kit_run *r)
{
    pt_bytes_done(&r->edit);
    sim_end(r->sim);
}

static inline bool kit_case_holds(const char *rule, const void *c, kit_make *make,
                                  const kit_expected *expected)
{
    kit_run r;
    peat_rc rc = kit_run_begin(&r, c, make, 0);
    bool good = kit_is(rule, "the result", (uint64_t)rc, PEAT_OK) &&
                edit_is(rule, &r.edit, &r.files, expected->items);
    good = kit_is(rule, "the next id", r.next, KIT_NEXT + expected->ids) && good;
    kit_run_end(&r);
    return good;
}

/* Each allocation fails once, until none is left to fail. Returns how many there are. */
static inline uint64_t kit_fails_each(const void *c, kit_make *make)
{
    uint64_t n = 0;
    for (peat_rc rc = PEAT_NOMEM; rc != PEAT_OK;) {
        kit_run r;
        rc = kit_run_begin(&r, c, make, ++n);
        assert_int_equal(rc, sim_fault_hits(r.sim, r.fault) == 0 ? PEAT_OK : PEAT_NOMEM);
        kit_run_end(&r);
    }
    return n - 1;
}

/* Every case that fails is named. Without memory there is no edit, and nothing is held: each makes
 * so many allocations at least (what makes nothing allocates nothing). */
#define TEST_CASES(name, cases, least)                                                             \
    TEST(name)                                                                                     \
    {                                                                                              \
        size_t failed = 0;                                                                         \
        for (size_t i = 0; i < PT_COUNT_OF(cases); i++) {                                          \
            failed +=                                                                              \
                !kit_case_holds((cases)[i].rule, &(cases)[i], make_edit, &(cases)[i].expected);    \
            assert_true(kit_fails_each(&(cases)[i], make_edit) >= (least));                        \
        }                                                                                          \
        assert_int_equal(failed, 0);                                                               \
    }

#endif
