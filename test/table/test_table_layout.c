/* SPDX-License-Identifier: MIT */
/* test_table_layout.c - the bytes of the format document, the writer's decisions, the limits. */
#include "number_tables.h"
#include "table/table_internal.h"

/* ---- the format ---- */

TEST(the_worked_example_is_what_the_writer_writes)
{
    static const uint8_t want[] = {
        0x02, 0x00, 0x01, 0x00, 0x04, 0x00, 0x01, 0x00, 0x00, 0x00, 0x1a, 0x00, 0x1c, 0x00, 0x1f,
        0x00, 0x55, 0x26, 0x01, 0x00, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01, 0x61, 0x62, 0x31, 0x32,
        0x33, 0x35, 0x65, 0x98, 0xe9, 0xab, 0xc4, 0x55, 0x5a, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x62, 0x00, 0x00, 0x00, 0x00,
        0x02, 0x00, 0x00, 0x00, 0x01, 0xbc, 0x97, 0x14, 0xc6, 0x2c, 0x24, 0x70, 0x71, 0x01, 0x07,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0xaf, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x02, 0x00, 0x0a, 0x03, 0x00, 0x00,
        0x01, 0x80, 0x20, 0x01, 0x00, 0x01, 0x04, 0x27, 0x31, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x05, 0x00, 0x00, 0x00, 0x01, 0x61, 0x05, 0x00, 0x00, 0x00, 0x01, 0x62, 0xd3, 0x8a, 0xd0,
        0xa8, 0x61, 0x4d, 0x05, 0xfc, 0x43, 0x00, 0x00, 0x00, 0x50, 0x45, 0x54, 0x54, 0x41, 0x42,
        0x4c, 0x31, 0x06, 0xa6, 0xcf, 0x46, 0xae, 0x1e, 0x4a, 0xd6};
    model m = {0};
    kit k;
    model_add(&m, pt_slice_of("\0\0\0\1a", 5), pt_slice_of("1", 1), 0, PT_KIND_PUT);
    model_add(&m, pt_slice_of("\0\0\0\1b", 5), pt_slice_of("23", 2), 0, PT_KIND_PUT);
    kit_build(&k,
              &(pt_table_writer_options){
                  .store_id = 7, .file_number = 1, .created_edit = 5, .run_kind = PT_RUN_FLUSHED},
              &m);
    assert_int_equal(kit_file(&k).size, sizeof want);
    assert_memory_equal(kit_file(&k).data, want, sizeof want);
    finish(&k, &m);
}

TEST(the_meta_survives_its_encoding)
{
    model m = {0};
    kit k;
    for (size_t i = 0; i < 100; i++)
        add_number(&m, i, 10, 100 + i);
    model_add(&m, pt_slice_of("z", 1), (pt_slice){0}, 7, PT_KIND_DELETE);
    kit_build(&k,
              &(pt_table_writer_options){.store_id = 1234567890123,
                                         .file_number = 4567,
                                         .created_edit = 89,
                                         .run_kind = PT_RUN_INTERMEDIATE,
                                         .inputs_seq_min = 5,
                                         .inputs_seq_max = 150},
              &m);
    assert_int_equal(k.meta.store_id, 1234567890123);
    assert_int_equal(k.meta.file_number, 4567);
    assert_int_equal(k.meta.created_edit, 89);
    assert_int_equal(k.meta.run_kind, PT_RUN_INTERMEDIATE);
    assert_int_equal(k.meta.entries, 101);
    assert_int_equal(k.meta.tombstones, 1);
    assert_int_equal(k.meta.key_bytes, 2001);
    assert_int_equal(k.meta.value_bytes, 1000);
    assert_int_equal(k.meta.seq_min, 5);
    assert_int_equal(k.meta.seq_max, 199);
    assert_int_equal(k.meta.file_bytes, kit_file(&k).size);
    assert_true(pt_slice_equal(k.meta.key_min, m.entries[0].key));
    assert_true(pt_slice_equal(k.meta.key_max, pt_slice_of("z", 1)));
    finish(&k, &m);
}

/* ---- layout ---- */

TEST_NUMBERS(small_records_are_aligned_and_stay_within_the_space_target, 50000, 100,
             .run_kind = PT_RUN_BOTTOMMOST, .want_locator = true)
{
    assert_int_equal(k->meta.flags, PT_TABLE_ALIGNED);
    assert_int_equal(k->meta.block_bytes, 4096);
    double used = (double)k->meta.file_bytes / (50000.0 * 116.0);
    print_message("%.4f of keys and values, locator included\n", used);
    assert_true(used < 1.05);
}

TEST(records_that_leave_pages_empty_are_packed)
{
    static const struct {
        size_t value;
        uint32_t block_bytes, flags;
    } cases[] = {{380, 4096, 0}, {1024, 16384, 0}, {4096, 16384, 0}};
    for (size_t i = 0; i < PT_COUNT_OF(cases); i++) {
        kit k;
        begin_numbers(&k, TABLE(.run_kind = PT_RUN_INTERMEDIATE), 500, cases[i].value);
        assert_int_equal(k.meta.block_bytes, cases[i].block_bytes);
        assert_int_equal(k.meta.flags, cases[i].flags);
        print_message("values of %zu: %" PRIu64 " bytes for %zu\n", cases[i].value,
                      k.meta.file_bytes, 500 * (cases[i].value + 32));
        assert_true(k.meta.file_bytes < 500 * (cases[i].value + 32));
        kit_done(&k);
    }
}

/* Where records are read one by one, those of which some fit a page have pages. */
TEST(records_that_are_read_singly_have_a_page)
{
    static const struct {
        size_t value;
        uint32_t block_bytes, flags;
    } cases[] = {{100, 4096, PT_TABLE_ALIGNED},
                 {1000, 4096, PT_TABLE_ALIGNED}, /* four to a page, which is full then */
                 {900, 4096, 0},
                 {1500, 4096, 0},
                 {3000, 16384, 0}};
    for (size_t i = 0; i < PT_COUNT_OF(cases); i++) {
        kit k;
        begin_numbers(&k, TABLE(.run_kind = PT_RUN_BOTTOMMOST, .single_reads = true), 500,
                      cases[i].value);
        assert_int_equal(k.meta.block_bytes, cases[i].block_bytes);
        assert_int_equal(k.meta.flags, cases[i].flags);
        assert_true((double)k.meta.file_bytes < 1.05 * 500 * (double)(cases[i].value + 32));
        kit_done(&k);
    }
}

TEST(a_codec_that_does_not_shrink_is_dropped)
{
    rng r = {3};
    model m = {0};
    kit k;
    for (size_t i = 0; i < 1000; i++) {
        uint64_t value[12];
        for (size_t j = 0; j < PT_COUNT_OF(value); j++)
            value[j] = rng_next(&r);
        pt_put_u64((uint8_t *)&value[0], rng_next(&r));
        model_add(&m, pt_slice_of(&value[11], 8), pt_slice_of(value, 88), 0, PT_KIND_PUT);
    }
    model_sort(&m);
    kit_build(&k, TABLE(.run_kind = PT_RUN_BOTTOMMOST, .codec = PT_CODEC_LZ4), &m);
    assert_int_equal(k.meta.codec, PT_CODEC_NONE);
    finish(&k, &m);
}

TEST_NUMBERS(an_absent_codec_is_named, 10, 10, .run_kind = PT_RUN_FLUSHED)
{
    pt_table *t;
    pt_table_meta meta = k->meta;
    meta.codec = (pt_codec)99;
    assert_int_equal(pt_table_new(k->env, k->dir, &k->sink, &k->epoch, &meta, &t),
                     PEAT_UNSUPPORTED);
    assert_non_null(strstr(kit_error(k), "t-000001"));
}

TEST(cut_begins_a_block)
{
    kit k;
    kit_init(&k);
    pt_table_writer *w;
    assert_ok(pt_table_writer_new(k.env, k.dir, &k.sink, TABLE(.run_kind = PT_RUN_FLUSHED), &w));
    uint32_t block;
    assert_ok(pt_table_writer_cut(w, &block));
    assert_int_equal(block, 0);
    uint32_t cuts[5];
    for (size_t i = 0; i < 500; i++) {
        char key[16];
        int n = snprintf(key, sizeof key, "%06zu", i);
        pt_entry e = {.key = pt_slice_of(key, (size_t)n),
                      .value = pt_slice_of("value", 5),
                      .kind = PT_KIND_PUT};
        if (i % 100 == 0)
            assert_ok(pt_table_writer_cut(w, &cuts[i / 100]));
        assert_ok(pt_table_writer_add(w, &e, pt_hash(key, (size_t)n)));
    }
    assert_ok(kit_finish(&k, w));
    assert_ok(kit_open(&k));
    assert_int_equal(cuts[0], 0);
    assert_int_equal(k.meta.block_count, cuts[4] + 1);
    pt_section_data *d;
    assert_ok(pt_table_section_hold(k.table, PT_SECTION_INDEX, &d));
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(pt_index_entries_before(&d->view.index, cuts[i]), i * 100);
    pt_section_unref(d);
    assert_ok(pt_table_check(k.table, NULL, NULL, NULL));
    kit_done(&k);
}

TEST(the_largest_keys_and_large_values_survive)
{
    static uint8_t key[PT_KEY_BYTES_MAX];
    size_t size = (8u << 20) + 3;
    uint8_t *value = malloc(size);
    assert_non_null(value);
    memset(value, 'v', size);
    model m = {0};
    memset(key, 'k', sizeof key);
    model_add(&m, pt_slice_of(key, sizeof key), pt_slice_of(value, size), 9, PT_KIND_PUT);
    model_add(&m, pt_slice_of(key, sizeof key - 1), pt_slice_of(value, 5), 8, PT_KIND_PUT);
    model_add(&m, pt_slice_of(key, sizeof key), pt_slice_of(value, size / 2), 3, PT_KIND_PUT);
    model_add(&m, pt_slice_of(key, sizeof key), (pt_slice){0}, 2, PT_KIND_DELETE);
    model_sort(&m);
    for (pt_codec codec = PT_CODEC_NONE; codec <= PT_CODEC_LZ4; codec++) {
        kit k;
        kit_source s;
        kit_build(&k, TABLE(.run_kind = PT_RUN_BOTTOMMOST, .codec = codec, .want_locator = true),
                  &m);
        kit_source_init(&s, &k);
        for (size_t i = 0; i < m.count; i++) {
            pt_entry have;
            assert_ok(kit_find(&k, &s, m.entries[i].key, m.entries[i].seq, &have));
            assert_int_equal(have.kind, m.entries[i].kind);
            assert_true(pt_slice_equal(have.value, m.entries[i].value));
            free((void *)(uintptr_t)have.value.data);
        }
        assert_ok(pt_table_check(k.table, NULL, NULL, NULL));
        kit_done(&k);
    }
    free(value);
    model_done(&m);
}
