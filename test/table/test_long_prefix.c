/* SPDX-License-Identifier: MIT */
/*
 * test_long_prefix.c - blocks whose keys share more than 16 KiB: when they are written, what they
 * save, what of them is damage. That they answer as any table does: test_table_model.c.
 * ctest: timeout=300
 */
#include "repair/table_salvage.h"
#include "shape_tables.h"
#include "table/table_internal.h"

/* Keys of `shared` equal bytes and a number of `rest` digits. */
static void add_keys(model *m, size_t count, size_t shared, size_t rest, size_t value_size)
{
    static uint8_t key[PT_KEY_BYTES_MAX], value[1 << 16];
    assert_true(shared + rest <= sizeof key);
    memset(key, 'k', sizeof key);
    memset(value, 'v', sizeof value);
    for (size_t i = 0; i < count; i++) {
        char digits[600];
        (void)snprintf(digits, sizeof digits, "%0*zu", (int)rest, i);
        memcpy(key + shared, digits, rest);
        model_add(m, pt_slice_of(key, shared + rest), pt_slice_of(value, value_size), i + 1,
                  PT_KIND_PUT);
    }
    model_sort(m);
}

static const pt_table_writer_options flushed = {
    .store_id = 7, .file_number = 1, .run_kind = PT_RUN_FLUSHED, .want_filter = true};

static void expect_answers(kit *k, const model *m)
{
    kit_source s;
    kit_source_init(&s, k);
    for (size_t i = 0; i < m->count; i++) {
        pt_entry have;
        assert_ok(kit_find(k, &s, m->entries[i].key, PT_SEQ_MAX, &have));
        assert_true(pt_slice_equal(have.value, m->entries[i].value));
        free((void *)(uintptr_t)have.value.data);
    }
    assert_ok(pt_table_check(k->table, NULL, NULL, NULL));
}

typedef struct layout_case {
    size_t count, shared, rest, value;
    bool expected;
    size_t file_max; /* 0: not judged */
} layout_case;

/* What fits into blocks of 16 KiB, or shares less than their half, is as in format 1. */
TEST(only_keys_that_share_more_than_a_block_share_a_prefix)
{
    static const layout_case cases[] = {
        {500, 20000, 8, 100, true, 500 * 112 + 20000 * 8},
        {500, 65000, 8, 100, true, 500 * 112 + 65000 * 8},
        {100, 65000, 500, 20, true, 100 * 530 + 65000 * 8},
        {2, 16400, 8, 0, true, 66000},
        {300, 100, 8, 100, false, 0},
        {60, 7000, 8, 20, false, 0},
        {60, 15000, 8, 20, false, 0},
        {10, 20000, 8, 17000, false, 0}, /* the values are large */
        {10, 100, 8, 40000, false, 0},
        {1, 60000, 8, 10, false, 0},
    };
    for (size_t i = 0; i < PT_COUNT_OF(cases); i++) {
        const layout_case *c = &cases[i];
        model m = {0};
        kit k;
        add_keys(&m, c->count, c->shared, c->rest, c->value);
        kit_build(&k, &flushed, &m);
        bool has = (k.meta.flags & PT_TABLE_LONG_PREFIX) != 0;
        print_message("%zu keys of %zu + %zu: %" PRIu64 " bytes in %u blocks\n", c->count,
                      c->shared, c->rest, k.meta.file_bytes, k.meta.block_count);
        assert_int_equal(has, c->expected);
        assert_int_equal(k.meta_bytes.data[0], c->expected ? 2 : 1); /* the meta's format */
        if (c->file_max != 0)
            assert_true(k.meta.file_bytes < c->file_max);
        expect_answers(&k, &m);
        kit_done(&k);
        model_done(&m);
    }
}

/* ---- damage ---- */

static uint64_t extent_of(kit *k, uint32_t block, size_t *ret_size)
{
    pt_section_data *index;
    uint64_t offset;
    assert_ok(pt_table_section_hold(k->table, PT_SECTION_INDEX, &index));
    pt_table_extent(k->table, &index->view.index, block, &offset, ret_size);
    pt_section_unref(index);
    return offset;
}

static void reopen_with(kit *k, uint32_t flags)
{
    pt_bytes bytes;
    k->meta.flags = flags;
    pt_bytes_init(&bytes, k->env);
    assert_ok(pt_table_meta_encode(&k->meta, &bytes));
    pt_table_free(k->table);
    k->table = NULL;
    pt_bytes_done(&k->meta_bytes);
    k->meta_bytes = bytes;
    assert_ok(kit_open(k));
}

static void expect_first(kit *k, const model *m, peat_rc expected)
{
    kit_source s;
    pt_entry have;
    kit_source_init(&s, k);
    peat_rc rc = kit_find(k, &s, m->entries[0].key, PT_SEQ_MAX, &have);
    assert_int_equal(rc, expected);
    if (rc == PEAT_OK)
        free((void *)(uintptr_t)have.value.data);
}

TEST(a_table_says_whether_it_has_long_prefixes)
{
    model m = {0}, small = {0};
    kit k;
    add_keys(&m, 20, 20000, 8, 10);
    kit_build(&k, &flushed, &m);
    reopen_with(&k, 0);
    expect_first(&k, &m, PEAT_CORRUPT);
    assert_non_null(strstr(kit_error(&k), "a long prefix, and the table says it has none"));
    assert_int_equal(pt_table_check(k.table, NULL, NULL, NULL), PEAT_CORRUPT);
    kit_done(&k);
    model_done(&m);
    add_keys(&small, 20, 20, 8, 10);
    kit_build(&k,
              &(pt_table_writer_options){
                  .store_id = 7, .file_number = 1, .run_kind = PT_RUN_FLUSHED, .packed = true},
              &small);
    expect_first(&k, &small, PEAT_OK);
    reopen_with(&k, PT_TABLE_LONG_PREFIX);
    expect_first(&k, &small, PEAT_OK);
    assert_int_equal(pt_table_check(k.table, NULL, NULL, NULL), PEAT_CORRUPT);
    kit_done(&k);
    model_done(&small);
}

static void sign(kit *k, uint8_t *data, uint64_t offset, size_t size)
{
    size_t n = size - PT_BLOCK_CHECK_BYTES;
    pt_put_u64(data + offset + n, pt_checksum(data + offset, n, k->table->file_id, offset));
}

/* Each byte of the head and of what lies before the prefix, as flipped bits and as any value, with
 * and without a checksum that holds: never read beyond the block, never another form of it. */
TEST(each_byte_before_the_prefix_may_be_damaged)
{
    model m = {0};
    kit k;
    add_keys(&m, 12, 17000, 8, 10);
    kit_build(&k, &flushed, &m);
    assert_int_equal(k.meta.block_count, 1);
    kit_bytes f = kit_file(&k);
    size_t size, refused = 0;
    uint64_t offset = extent_of(&k, 0, &size);
    for (size_t at = 0; at < PT_BLOCK_HEAD_LONG + 12 * 12; at++) {
        uint8_t was = f.data[offset + at];
        for (unsigned value = 0; value < 256; value += at < PT_BLOCK_HEAD_LONG ? 1 : 15) {
            if (value == was)
                continue;
            f.data[offset + at] = (uint8_t)value;
            expect_first(&k, &m, PEAT_CORRUPT);
            sign(&k, f.data, offset, size);
            kit_source s;
            pt_entry have;
            kit_source_init(&s, &k);
            for (size_t i = 0; i < m.count; i += 5) {
                peat_rc rc = kit_find(&k, &s, m.entries[i].key, PT_SEQ_MAX, &have);
                refused += rc == PEAT_CORRUPT;
                if (rc == PEAT_OK)
                    free((void *)(uintptr_t)have.value.data);
            }
            peat_rc checked = pt_table_check(k.table, NULL, NULL, NULL);
            assert_true(checked == PEAT_OK || checked == PEAT_CORRUPT);
            f.data[offset + at] = was;
            sign(&k, f.data, offset, size);
        }
    }
    assert_true(refused > 1000);
    expect_answers(&k, &m);
    kit_done(&k);
    model_done(&m);
}

TEST(the_meta_has_the_format_that_its_flags_ask_for)
{
    static const struct {
        uint8_t format;
        uint32_t flags;
        peat_rc rc;
    } cases[] = {
        {1, 0, PEAT_OK},          {2, 2, PEAT_OK},      {1, 2, PEAT_CORRUPT}, {2, 0, PEAT_CORRUPT},
        {2, 1, PEAT_CORRUPT},     {2, 3, PEAT_CORRUPT}, {1, 4, PEAT_CORRUPT}, {2, 6, PEAT_VERSION},
        {2, 4, PEAT_VERSION},     {3, 0, PEAT_VERSION}, {3, 2, PEAT_VERSION}, {0, 0, PEAT_CORRUPT},
        {255, 127, PEAT_VERSION},
    };
    model m = {0};
    kit k;
    add_keys(&m, 2, 20, 8, 3);
    kit_build(&k,
              &(pt_table_writer_options){
                  .store_id = 7, .file_number = 1, .run_kind = PT_RUN_FLUSHED, .packed = true},
              &m);
    for (size_t i = 0; i < PT_COUNT_OF(cases); i++) {
        pt_table_meta meta;
        pt_bytes *b = &k.meta_bytes;
        /* flags are the byte behind the codec: nothing before is above 127 but block_bytes */
        size_t at = 25, field = 0;
        for (; field < 11; field++)
            while (b->data[at++] >= 128)
                ;
        b->data[0] = cases[i].format;
        b->data[at] = (uint8_t)cases[i].flags;
        size_t n = b->size - 8;
        pt_put_u64(b->data + n, pt_checksum(b->data, n, pt_table_file_id(7, 1), UINT64_MAX));
        peat_rc rc = pt_table_meta_decode(pt_bytes_slice(b), &meta);
        if (rc != cases[i].rc)
            fail_msg("case %zu: %d", i, rc);
        b->data[n] ^= 1; /* a newer format that does not verify is damage as any */
        assert_int_equal(pt_table_meta_decode(pt_bytes_slice(b), &meta), PEAT_CORRUPT);
    }
    kit_done(&k);
    model_done(&m);
}

TEST(keys_next_to_one_another_leave_the_prefix_at_any_length)
{
    static uint8_t key[PT_KEY_BYTES_MAX];
    model m = {0};
    memset(key, 'k', sizeof key);
    for (size_t i = 0; i < 400; i++) {
        size_t at = 16000 + i * 123 % 49000;
        key[at] = 'l';
        model_add(&m, pt_slice_of(key, at + 1 + i % 30), pt_slice_of(key, i % 50), i, PT_KIND_PUT);
        key[at] = 'k';
    }
    model_sort(&m);
    for (size_t l = 0; l < PT_COUNT_OF(layouts); l++) {
        kit k;
        kit_build(&k, &layouts[l], &m);
        assert_true((k.meta.flags & PT_TABLE_LONG_PREFIX) != 0);
        expect_answers(&k, &m);
        kit_done(&k);
    }
    model_done(&m);
}

/* ---- what repair finds ---- */

/* All of the model from entry `lost` on, which the first blocks hold. */
static void expect_salvaged(kit *k, const model *m, size_t lost)
{
    pt_salvage *s;
    pt_iter *it;
    size_t i = lost;
    assert_ok(pt_salvage_new(k->env, k->table, &s));
    assert_int_equal(s->entries, m->count - lost);
    assert_ok(pt_salvage_iter_new(s, &it));
    peat_rc rc = pt_iter_seek(it, pt_slice_of("", 0));
    for (; rc == PEAT_OK && i < m->count; i++, rc = pt_iter_next(it))
        assert_true(entry_equal(&it->at, &m->entries[i]));
    assert_int_equal(rc, PEAT_END);
    assert_int_equal(i, m->count);
    pt_iter_done(it);
    pt_salvage_free(s);
}

/* Without the index a block is found by its own head, behind one that is damaged by the next. */
TEST(repair_finds_long_prefixes_without_the_index)
{
    model m = {0};
    add_keys(&m, 300, 20000, 8, 100);
    add_keys(&m, 90, 65000, 8, 30);
    add_keys(&m, 40, 20, 8, 100);
    for (size_t l = 0; l < PT_COUNT_OF(layouts); l++) {
        kit k;
        kit_build(&k, &layouts[l], &m);
        assert_true((k.meta.flags & PT_TABLE_LONG_PREFIX) != 0);
        expect_salvaged(&k, &m, 0);
        pt_section_data *d;
        assert_ok(pt_table_section_hold(k.table, PT_SECTION_INDEX, &d));
        size_t first = pt_index_entries_before(&d->view.index, 1);
        pt_section_unref(d);
        kit_bytes f = kit_file(&k);
        f.data[k.meta.section[PT_SECTION_INDEX].offset] ^= 1;
        reopen_with(&k, k.meta.flags);
        expect_salvaged(&k, &m, 0);
        f.data[30] ^= 1;
        expect_salvaged(&k, &m, first);
        kit_done(&k);
    }
    model_done(&m);
}
