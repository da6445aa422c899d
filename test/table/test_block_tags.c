/* SPDX-License-Identifier: MIT */
/* test_block_tags.c - finding by tags, with and without SIMD, against looking at every entry. */
#include "table_kit.h"

/* the portable half once more, under other names */
#undef __SSE2__
#define pt_block_check  portable_check
#define pt_block_find   portable_find
#define pt_block_tagged portable_tagged
#define pt_block_lower  portable_lower
#define pt_block_upper  portable_upper
const char *portable_check(const uint8_t *data, size_t size, size_t *ret_used);
#include "table/block_read.c"
#undef pt_block_check
#undef pt_block_find
#undef pt_block_tagged
#undef pt_block_lower
#undef pt_block_upper

#include "table/block_build.h"

const char *pt_block_check(const uint8_t *data, size_t size, size_t *ret_used);
uint32_t pt_block_find(const pt_block *b, pt_slice key, uint8_t tag);

/* A block of `count` keys whose tags come from few values, so that they repeat. */
static uint8_t *make_block(rng *r, uint32_t count, const pt_env *env, size_t *ret_size)
{
    pt_block_builder b;
    assert_ok(pt_block_builder_init(&b, env));
    pt_block_builder_clear(&b, 16376);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t key[4];
        bool added;
        pt_put_be32(key, i * 2);
        pt_entry e = {
            .key = pt_slice_of(key, 4), .value = pt_slice_of("v", 1), .kind = PT_KIND_PUT};
        uint8_t tag = (uint8_t[]){0, 1, 0x7f, 0x80, 0xff}[rng_below(r, 5)];
        assert_ok(pt_block_builder_add(&b, &e, tag, &added));
        assert_true(added);
    }
    uint8_t *data = malloc(b.size); /* exact: a read beyond it is seen */
    assert_non_null(data);
    pt_block_builder_encode(&b, false, data);
    *ret_size = b.size;
    pt_block_builder_done(&b);
    return data;
}

static uint32_t find_slowly(const pt_block *b, pt_slice key, uint8_t tag)
{
    for (uint32_t i = 0; i < b->count; i++) {
        if (b->tags[i] == tag && pt_block_key_is(b, i, key))
            return i;
    }
    return b->count;
}

TEST(tags_find_what_a_scan_finds)
{
    sim_env *sim = sim_new(1);
    rng r = {21};
    for (uint32_t count = 1; count < 100; count++) {
        size_t size, used;
        uint8_t *data = make_block(&r, count, sim_peat(sim), &size);
        assert_null(pt_block_check(data, size, &used));
        assert_int_equal(used, size);
        pt_block b;
        pt_block_view(&b, data);
        for (uint32_t i = 0; i < 2 * count; i++) {
            uint8_t key[4];
            pt_put_be32(key, i);
            uint8_t tag = i % 2 == 0 ? b.tags[i / 2] : (uint8_t)rng_next(&r);
            uint32_t want = find_slowly(&b, pt_slice_of(key, 4), tag);
            assert_int_equal(want, i % 2 == 0 ? i / 2 : count);
            assert_int_equal(pt_block_find(&b, pt_slice_of(key, 4), tag), want);
            assert_int_equal(portable_find(&b, pt_slice_of(key, 4), tag), want);
        }
        free(data);
    }
    sim_end(sim);
}
