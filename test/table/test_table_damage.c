/* SPDX-License-Identifier: MIT */
/*
 * test_table_damage.c - what happens to tables whose bytes are not what was written: every flip and
 * every truncation is reported or harmless, never a wrong answer and never a false "not found";
 * bytes with repaired checksums never crash.
 * ctest: timeout=300
 */
#include "table/table_internal.h"
#include "damage_tables.h"
#include "world/sanitizer.h"

/* ---- answers of a damaged table ---- */

/* Every answer is right or an error. Returns how many were errors. */
static size_t expect_right_or_error(kit *k)
{
    const model *m = &k->m;
    size_t errors = 0;
    kit_source s;
    kit_source_init(&s, k);
    for (size_t i = 0; i < m->count; i++) {
        pt_entry have;
        const pt_entry *want = model_find(m, m->entries[i].key, PT_SEQ_MAX);
        peat_rc rc = kit_find(k, &s, m->entries[i].key, PT_SEQ_MAX, &have);
        if (rc == PEAT_CORRUPT) {
            errors++;
            continue;
        }
        assert_ok(rc);
        have.key = want->key;
        assert_true(entry_equal(&have, want));
        free((void *)(uintptr_t)have.value.data);
    }
    pt_iter *it;
    peat_rc rc = pt_table_iter_new(k->env, k->table, &s.base, NULL, &it);
    if (rc == PEAT_OK) {
        rc = pt_iter_first(it);
        for (size_t i = 0; i < m->count && rc == PEAT_OK; i++, rc = pt_iter_next(it)) {
            assert_true(pt_slice_equal(it->at.key, m->entries[i].key));
            assert_true(pt_slice_equal(it->at.value, m->entries[i].value));
        }
        pt_iter_done(it);
    }
    assert_true(rc == PEAT_END || rc == PEAT_CORRUPT);
    assert_int_equal(s.held, 0);
    return errors + (rc == PEAT_CORRUPT);
}

typedef struct damages {
    size_t count;
    uint64_t offset; /* of the first */
} damages;

static void note_damage(void *ctx, const char *file, uint64_t offset, const char *text)
{
    damages *d = ctx;
    assert_int_equal(strncmp(file, "t-0000", 6), 0);
    assert_true(strlen(text) > 5);
    if (d->count++ == 0)
        d->offset = offset;
}

static void reopen(kit *k)
{
    pt_table_free(k->table);
    k->table = NULL;
    assert_ok(kit_open(k));
}

static void expect_check_finds(kit *k, uint64_t at, bool exactly)
{
    damages d = {0};
    assert_int_equal(pt_table_check(k->table, note_damage, &d, NULL), PEAT_CORRUPT);
    assert_true(d.count > 0);
    if (exactly) /* the piece named begins at or before the damage, at most a block before */
        assert_true(d.offset <= at && at < d.offset + 8192);
}

/* ---- the tests ---- */

#define BIT_IN TEST_SAMPLE(1, 4, 4) /* of each byte */

TEST(every_bit_flip_is_reported_and_never_answers_wrong)
{
    for (size_t l = 0; l < PT_COUNT_OF(layouts); l++) {
        kit k;
        begin_layout(&k, l, 30, false);
        kit_bytes f = kit_file(&k);
        size_t errors = 0;
        assert_int_equal(expect_right_or_error(&k), 0);
        assert_ok(pt_table_check(k.table, note_damage, &(damages){0}, NULL));
        for (size_t at = 0; at < f.size; at++) {
            for (size_t bit = at % BIT_IN; bit < 8; bit += BIT_IN) {
                f.data[at] ^= (uint8_t)(1 << bit);
                reopen(&k);
                errors += expect_right_or_error(&k) != 0;
                if (bit == at % 8)
                    expect_check_finds(&k, at, true);
                f.data[at] ^= (uint8_t)(1 << bit);
            }
        }
        print_message("layout %zu: %zu bytes, %zu flips met by reads\n", l, f.size, errors);
        assert_true(errors * BIT_IN >
                    f.size); /* most bytes are blocks and index: read by the lookups */
        kit_done(&k);
    }
}

TEST(every_truncation_is_reported_and_never_answers_wrong)
{
    for (size_t l = 0; l < PT_COUNT_OF(layouts); l++) {
        kit k;
        begin_layout(&k, l, 300, l != 0);
        kit_bytes f = kit_file(&k);
        uint8_t *whole = sim_file_get(k.sim, KIT_DIR, f.name, &f.size);
        for (size_t cut = 0; cut < f.size; cut += cut + 64 < f.size ? TEST_SAMPLE(13, 41, 41) : 1) {
            assert_true(sim_file_cut(k.sim, KIT_DIR, f.name, cut));
            reopen(&k);
            (void)expect_right_or_error(&k); /* the footer's loss harms no lookup */
            expect_check_finds(&k, 0, false);
            sim_file_put(k.sim, KIT_DIR, f.name, whole, f.size);
        }
        free(whole);
        kit_done(&k);
    }
}

TEST(flips_in_a_table_of_many_blocks_name_the_block)
{
    rng r = {5};
    for (size_t l = 0; l < PT_COUNT_OF(layouts); l++) {
        kit k;
        begin_layout(&k, l, 900, l != 0);
        kit_bytes f = kit_file(&k);
        assert_true(k.meta.block_count > 3);
        for (int n = 0; n < TEST_SAMPLE(200, 70, 70); n++) {
            size_t at = rng_below(&r, f.size);
            uint8_t flip = (uint8_t)(1 << rng_below(&r, 8));
            f.data[at] ^= flip;
            reopen(&k);
            (void)expect_right_or_error(&k);
            /* large sections begin well before the damage */
            expect_check_finds(&k, at, at < k.meta.section[PT_SECTION_INDEX].offset);
            f.data[at] ^= flip;
        }
        kit_done(&k);
    }
}

TEST(blocks_in_each_others_place_are_reported)
{
    kit k;
    begin_layout(&k, 0, 900, false);
    assert_int_equal(k.meta.flags, PT_TABLE_ALIGNED);
    kit_bytes f = kit_file(&k);
    memcpy(f.data + 4096, f.data + 8192, 4096);
    assert_true(expect_right_or_error(&k) > 0);
    expect_check_finds(&k, 4096, true);
    assert_non_null(strstr(kit_error(&k), "t-000001"));
    kit_done(&k);
}

TEST(a_table_under_another_tables_name_is_reported)
{
    kit k;
    begin_layout(&k, 0, 300, false);
    kit_bytes f = kit_file(&k);
    sim_file_put(k.sim, KIT_DIR, "t-000077", f.data, f.size);
    assert_true(sim_file_delete(k.sim, KIT_DIR, f.name));
    k.meta.file_number = 77;
    pt_bytes bytes;
    pt_bytes_init(&bytes, k.env);
    assert_ok(pt_table_meta_encode(&k.meta, &bytes));
    pt_bytes_done(&k.meta_bytes); /* where the keys of the old meta were */
    k.meta_bytes = bytes;
    reopen(&k);
    assert_int_equal(expect_right_or_error(&k), k.m.count + 1);
    expect_check_finds(&k, 0, false); /* the footer first */
    kit_done(&k);
}

TEST(a_missing_table_is_named)
{
    kit k;
    begin_layout(&k, 0, 3, false);
    assert_true(sim_file_delete(k.sim, KIT_DIR, "t-000001"));
    assert_int_equal(expect_right_or_error(&k), k.m.count + 1);
    assert_non_null(strstr(kit_error(&k), "t-000001 is missing"));
    expect_check_finds(&k, 0, true);
    kit_done(&k);
}

TEST(every_flip_of_the_meta_is_refused)
{
    kit k;
    begin_layout(&k, 2, 30, false);
    pt_table_meta meta;
    pt_slice bytes = pt_slice_of(k.meta_bytes.data, k.meta_bytes.size);
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        k.meta_bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_true(pt_table_meta_decode(bytes, &meta) < 0);
        k.meta_bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t n = 0; n < bytes.size; n++)
        assert_true(pt_table_meta_decode(pt_slice_of(bytes.data, n), &meta) < 0);
    assert_ok(pt_table_meta_decode(bytes, &meta));
    kit_done(&k);
}

/* ---- bytes that verify and make no sense ---- */

static void sign(kit *k, uint8_t *data, uint64_t offset, uint64_t size)
{
    uint64_t n = size - PT_BLOCK_CHECK_BYTES;
    pt_put_u64(data + offset + n, pt_checksum(data + offset, (size_t)n, k->table->file_id, offset));
}

/* Any code may come back, any entry; the sanitizer watches the reads. */
static void use_everything(kit *k)
{
    const model *m = &k->m;
    kit_source s;
    kit_source_init(&s, k);
    uint64_t sum = 0;
    for (size_t i = 0; i < m->count; i += 5) {
        pt_entry have;
        if (kit_find(k, &s, m->entries[i].key, i, &have) == PEAT_OK) {
            for (size_t j = 0; j < have.value.size; j++)
                sum += have.value.data[j];
            free((void *)(uintptr_t)have.value.data);
        }
        uint64_t entries, bytes;
        if (pt_table_rank(k->table, i % 2 != 0 ? &s.base : NULL, m->entries[i].key, &entries,
                          &bytes) == PEAT_OK)
            sum += entries + bytes;
    }
    pt_iter *it;
    pt_table_iter_options o = {.lower = m->entries[0].key, .upper = m->entries[m->count / 2].key};
    if (pt_table_iter_new(k->env, k->table, &s.base, &o, &it) == PEAT_OK) {
        peat_rc rc = pt_iter_first(it);
        for (int i = 0; i < 500 && rc == PEAT_OK; i++, rc = pt_iter_next(it))
            sum += pt_hash(it->at.key.data, it->at.key.size);
        rc = pt_iter_last(it);
        for (int i = 0; i < 500 && rc == PEAT_OK; i++, rc = pt_iter_prev(it))
            sum += pt_hash(it->at.value.data, it->at.value.size);
        (void)pt_iter_seek_for_prev(it, m->entries[m->count / 3].key);
        pt_iter_done(it);
    }
    peat_rc checked = pt_table_check(k->table, NULL, NULL, NULL);
    assert_true(checked == PEAT_OK || checked == PEAT_CORRUPT);
    assert_int_equal(s.held, 0);
    assert_true(sum != 1); /* keeps the reads */
}

static void mutate(rng *r, uint8_t *data, size_t size)
{
    /* mostly in the head, where the sizes are */
    size_t at = rng_below(r, 2) && size > 48 ? rng_below(r, 48) : rng_below(r, size);
    data[at] = rng_below(r, 3) ? (uint8_t)rng_next(r) : (uint8_t)(rng_below(r, 2) * 255);
}

TEST(signed_nonsense_never_crashes)
{
    rng r = {11};
    for (size_t l = 0; l < PT_COUNT_OF(layouts); l++) {
        kit k;
        begin_layout(&k, l, 400, l != 0);
        kit_bytes f = kit_file(&k);
        uint8_t *whole = malloc(f.size);
        assert_non_null(whole);
        memcpy(whole, f.data, f.size);
        for (int n = 0; n < 2500; n++) {
            pt_section_data *index;
            assert_ok(pt_table_section_hold(k.table, PT_SECTION_INDEX, &index));
            uint64_t offset;
            size_t size;
            pt_section s = (pt_section)rng_below(&r, 6);
            if (s < PT_SECTION_RANGES && k.meta.section[s].size != 0) {
                offset = k.meta.section[s].offset;
                size = (size_t)k.meta.section[s].size;
            } else {
                uint32_t b = (uint32_t)rng_below(&r, k.meta.block_count);
                pt_table_extent(k.table, &index->view.index, b, &offset, &size);
            }
            pt_section_unref(index);
            for (uint64_t i = 1 + rng_below(&r, 4); i > 0; i--)
                mutate(&r, f.data + offset, size);
            sign(&k, f.data, offset, size);
            reopen(&k);
            use_everything(&k);
            memcpy(f.data, whole, f.size);
            reopen(&k);
        }
        free(whole);
        kit_done(&k);
    }
}
