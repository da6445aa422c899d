/* SPDX-License-Identifier: MIT */
/* test_table_sections.c - filter, locator and rank on their own; sections that come and go. */
#include "number_tables.h"
#include "table/table_internal.h"

/* ---- filter, locator, rank ---- */

TEST_NUMBERS(absent_keys_seldom_pass_the_filter, 20000, 8, .run_kind = PT_RUN_FLUSHED,
             .want_filter = true)
{
    assert_ok(pt_table_load(k->table, PT_SECTION_FILTER));
    assert_true(k->meta.section[PT_SECTION_FILTER].size < 20000 * 10 / 8 + 20000 / 8 + 64 + 20000);
    for (size_t i = 0; i < k->m.count; i++) {
        pt_slice key = k->m.entries[i].key;
        uint64_t hash = pt_hash(key.data, key.size);
        pt_table_prefetch(k->table, hash);
        assert_true(pt_table_may_contain(k->table, hash));
    }
    size_t passed = 0;
    for (uint64_t i = 0; i < 100000; i++)
        passed += pt_table_may_contain(k->table, pt_mix(i + 77));
    print_message("%zu of 100000 absent keys pass\n", passed);
    assert_true(passed > 200 && passed < 600); /* 391 expected */
}

TEST(keys_with_equal_hashes_are_all_found)
{
    kit k;
    kit_init(&k);
    pt_table_writer *w;
    assert_ok(pt_table_writer_new(
        k.env, k.dir, &k.sink,
        TABLE(.run_kind = PT_RUN_BOTTOMMOST, .want_filter = true, .want_locator = true), &w));
    for (size_t i = 0; i < 300; i++) {
        char key[16];
        int n = snprintf(key, sizeof key, "%06zu", i);
        pt_entry e = {.key = pt_slice_of(key, (size_t)n),
                      .value = pt_slice_of(key, (size_t)n),
                      .kind = PT_KIND_PUT};
        assert_ok(pt_table_writer_add(w, &e, pt_mix(i / 2)));
    }
    assert_ok(kit_finish(&k, w));
    assert_ok(kit_open(&k));
    assert_int_equal(k.meta.section[PT_SECTION_LOCATOR].size, 0);
    assert_int_not_equal(k.meta.section[PT_SECTION_FILTER].size, 0);
    assert_ok(pt_table_load(k.table, PT_SECTION_FILTER));
    assert_ok(pt_table_load(k.table, PT_SECTION_INDEX));
    kit_source s;
    kit_source_init(&s, &k);
    for (size_t i = 0; i < 300; i++) {
        char key[16];
        int n = snprintf(key, sizeof key, "%06zu", i);
        pt_find_result r;
        pt_block_ref held;
        pt_slice slice = pt_slice_of(key, (size_t)n);
        uint64_t hash = pt_mix(i / 2);
        assert_int_equal(pt_table_find(k.table, &s.base, slice, hash, 9, 0, NULL, &r),
                         PT_FIND_NEED_BLOCK);
        assert_ok(s.base.fetch(&s.base, r.block, PT_FETCH_POINT, &held));
        assert_int_equal(pt_table_find(k.table, &s.base, slice, hash, 9, r.block, &held, &r),
                         PT_FIND_FOUND);
        assert_true(pt_slice_equal(r.entry.value, slice));
        s.base.release(&s.base, &held);
    }
    kit_done(&k);
}

TEST_NUMBERS(without_memory_for_hashes_there_is_no_filter, 1000, 8, .run_kind = PT_RUN_BOTTOMMOST,
             .want_filter = true, .want_locator = true, .keys_max = 83)
{
    assert_int_equal(k->meta.section[PT_SECTION_FILTER].size, 0);
    assert_int_equal(k->meta.section[PT_SECTION_LOCATOR].size, 0);
    assert_ok(pt_table_check(k->table, NULL, NULL, NULL));
}

TEST_NUMBERS(an_absent_key_needs_no_block_with_a_locator, 20000, 100, .run_kind = PT_RUN_BOTTOMMOST,
             .want_locator = true)
{
    assert_ok(pt_table_load(k->table, PT_SECTION_INDEX));
    assert_ok(pt_table_load(k->table, PT_SECTION_LOCATOR));
    kit_source s;
    kit_source_init(&s, k);
    size_t asked = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        pt_find_result r;
        char key[32];
        int n = snprintf(key, sizeof key, "%c%c%c%c%016" PRIu64 "x", 0, 0, 0, 1, i * 2);
        pt_find f = pt_table_find(k->table, &s.base, pt_slice_of(key, (size_t)n),
                                  pt_hash(key, (size_t)n), PT_SEQ_MAX, 0, NULL, &r);
        assert_true(f == PT_FIND_ABSENT || f == PT_FIND_NEED_BLOCK);
        asked += f == PT_FIND_NEED_BLOCK;
    }
    print_message("%zu of 10000 absent keys ask for a block\n", asked);
    assert_true(asked < 40); /* one in 1024: 10 bits of fingerprint */
}

/* Keys that are there, and such between them, under codecs and with values of many sizes. */
TEST_NUMBERS(rank_with_blocks_is_exact_and_its_bytes_follow_the_values, 10000, 40,
             .run_kind = PT_RUN_BOTTOMMOST)
{
    kit_source s;
    kit_source_init(&s, k);
    uint64_t last_bytes = 0;
    for (size_t i = 0; i < k->m.count; i++) {
        uint64_t entries, bytes, behind;
        pt_slice key = k->m.entries[i].key;
        uint8_t longer[64];
        memcpy(longer, key.data, key.size);
        longer[key.size] = 0; /* the smallest key behind it */
        assert_ok(pt_table_rank(k->table, &s.base, key, &entries, &bytes));
        assert_int_equal(entries, i);
        assert_true(bytes >= last_bytes);
        assert_ok(
            pt_table_rank(k->table, &s.base, pt_slice_of(longer, key.size + 1), &entries, &behind));
        assert_int_equal(entries, i + 1);
        assert_true(behind >= bytes + 40 && behind <= bytes + 100);
        last_bytes = behind;
    }
    assert_int_equal(s.held, 0);
    assert_true(last_bytes > k->meta.file_bytes - 100 && last_bytes <= k->meta.file_bytes);
}

TEST_NUMBERS(rank_is_exact_at_block_borders_and_monotone, 10000, 40, .run_kind = PT_RUN_BOTTOMMOST)
{
    uint64_t last = 0, last_bytes = 0;
    for (size_t i = 0; i < k->m.count; i++) {
        uint64_t entries, bytes;
        assert_ok(pt_table_rank(k->table, NULL, k->m.entries[i].key, &entries, &bytes));
        assert_true(entries >= last && bytes >= last_bytes);
        assert_true(entries <= i + 100 && entries + 100 >= i); /* a block holds fewer */
        last = entries;
        last_bytes = bytes;
    }
    uint64_t entries, bytes;
    assert_ok(pt_table_rank(k->table, NULL, pt_slice_of("", 0), &entries, &bytes));
    assert_int_equal(entries, 0);
    assert_ok(pt_table_rank(k->table, NULL, pt_slice_of("z", 1), &entries, &bytes));
    assert_int_equal(entries, 10000);
}

/* ---- sections come and go ---- */

typedef struct reader {
    kit *k;
    const model *m;
    size_t found;
    _Atomic int *stop;
} reader;

static void *read_all(void *arg)
{
    reader *r = arg;
    kit_source s;
    kit_source_init(&s, r->k);
    for (size_t i = 0; i < r->m->count; i++) {
        pt_entry have;
        if (kit_find(r->k, &s, r->m->entries[i].key, PT_SEQ_MAX, &have) == PEAT_OK) {
            r->found++;
            free((void *)(uintptr_t)have.value.data);
        }
    }
    pt_iter *it;
    if (pt_table_iter_new(r->k->env, r->k->table, &s.base, NULL, &it) == PEAT_OK) {
        for (peat_rc rc = pt_iter_first(it); rc == PEAT_OK; rc = pt_iter_next(it))
            r->found++;
        pt_iter_done(it);
    }
    return NULL;
}

static void *come_and_go(void *arg)
{
    reader *r = arg;
    while (!atomic_load(r->stop)) {
        for (int s = 0; s < PT_SECTION_RANGES; s++)
            pt_table_unload(r->k->table, (pt_section)s);
        pt_epoch_collect(&r->k->epoch);
    }
    return NULL;
}

TEST_NUMBERS(readers_go_on_while_sections_are_let_go, 1000, 40, .run_kind = PT_RUN_BOTTOMMOST,
             .packed = true, .want_filter = true, .want_locator = true)
{
    _Atomic int stop = 0;
    reader r[3] = {{k, &k->m, 0, &stop}, {k, &k->m, 0, &stop}, {k, &k->m, 0, &stop}};
    pthread_t threads[3];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &r[i]), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, come_and_go, &r[2]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    atomic_store(&stop, 1);
    assert_int_equal(pthread_join(threads[2], NULL), 0);
    assert_int_equal(r[0].found, 2 * k->m.count);
    assert_int_equal(r[1].found, 2 * k->m.count);
}
