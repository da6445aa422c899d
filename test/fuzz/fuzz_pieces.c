/* SPDX-License-Identifier: MIT */
/*
 * fuzz_pieces.c - the pure decoders one by one, on memory of the exact size: block, index, filter,
 * locator, compressed block, footer, operations. The second byte of the input says which.
 */
#include "entry/batch.h"
#include "fuzz/fuzz.h"
#include "table/table_internal.h"

#include <stdlib.h>

static size_t use_block(const uint8_t *data, size_t size)
{
    size_t used = 0;
    if (pt_block_check(data, size, &used) != NULL)
        return 0;
    FUZZ_REQUIRE(used <= size, "a block is not longer than its bytes");
    uint8_t *p = fuzz_copy(data, used);
    pt_block b;
    pt_block_view(&b, p);
    for (uint32_t i = 0; i < b.count; i++) {
        uint8_t key[2 * 65536 + 16];
        pt_slice suffix = pt_block_suffix(&b, i);
        (void)fuzz_touch(pt_block_value(&b, i));
        FUZZ_REQUIRE(pt_kind_known((unsigned)pt_block_kind(&b, i)), "a verified kind is known");
        (void)pt_block_seq(&b, i);
        if (b.prefix_size + suffix.size > sizeof key)
            continue;
        memcpy(key, b.prefix, b.prefix_size);
        if (suffix.size != 0)
            memcpy(key + b.prefix_size, suffix.data, suffix.size);
        pt_slice k = pt_slice_of(key, b.prefix_size + suffix.size);
        FUZZ_REQUIRE(pt_block_key_is(&b, i, k), "an entry has its own key");
        FUZZ_REQUIRE(pt_block_find(&b, k, b.tags[i]) <= i, "a key is found by its tag");
        FUZZ_REQUIRE(pt_block_lower(&b, k) <= b.count, "a bound lies within the block");
        FUZZ_REQUIRE(pt_block_upper(&b, k) <= b.count, "a bound lies within the block");
    }
    size_t count = b.count;
    free(p);
    return count;
}

/* Footer's counts u32, u32, u64, then the section. */
static size_t use_index(pt_cursor *c)
{
    uint32_t blocks = pt_cursor_u32(c);
    uint64_t entries = pt_cursor_u32(c), blocks_end = pt_cursor_u64(c);
    size_t size = pt_cursor_left(c);
    if (!pt_cursor_ok(c) || blocks > size) /* as the footer's own check: a block takes bytes */
        return 0;
    uint8_t *p = fuzz_copy(c->at, size);
    uint64_t *samples = malloc(pt_index_samples_size(blocks));
    pt_index x;
    size_t n = 0;
    if (pt_index_view(&x, pt_slice_of(p, size), blocks, entries, blocks_end, samples) == NULL) {
        n = x.count + 1;
        for (uint32_t b = 0; b < x.count; b++) {
            uint8_t key[32] = {0};
            size_t cut = x.prefix.size < 16 ? x.prefix.size : 16;
            if (cut != 0)
                memcpy(key, x.prefix.data, cut);
            for (size_t i = 0; i < 8; i++)
                key[cut + i] = x.heads[(size_t)b * 8 + 7 - i];
            for (size_t k = cut; k <= cut + 10; k += 2) {
                uint32_t at = pt_index_search(&x, pt_slice_of(key, k));
                FUZZ_REQUIRE(at <= x.count, "a search ends within the index");
                (void)pt_index_position(&x, b, pt_slice_of(key, k));
            }
            FUZZ_REQUIRE(pt_index_entries_before(&x, b) < entries, "blocks have entries");
            if (x.offsets != NULL)
                FUZZ_REQUIRE(pt_index_offset(&x, b) < blocks_end, "blocks lie before the index");
            (void)pt_index_large_size(&x, b);
        }
    }
    free(samples);
    free(p);
    return n;
}

static size_t use_filter(const uint8_t *data, size_t size)
{
    pt_filter f;
    uint8_t *p = fuzz_copy(data, size);
    bool good = pt_filter_view(&f, pt_slice_of(p, size)) == NULL;
    for (uint64_t i = 0; good && i < 64; i++)
        (void)pt_filter_may_contain(&f, pt_mix(i) | (i == 63 ? UINT64_MAX : 0));
    free(p);
    return good;
}

static size_t use_locator(const uint8_t *data, size_t size)
{
    pt_locator l;
    uint32_t slot;
    uint8_t *p = fuzz_copy(data, size);
    bool good = pt_locator_view(&l, pt_slice_of(p, size)) == NULL;
    for (uint64_t i = 0; good && i < 64; i++)
        if (pt_locator_find(&l, pt_mix(i) | (i == 63 ? UINT64_MAX : 0), &slot))
            FUZZ_REQUIRE(slot < 1u << PT_LOCATOR_SLOT_BITS, "a slot has at most its bits");
    free(p);
    return good;
}

static size_t use_compressed(const uint8_t *data, size_t size, pt_codec codec)
{
    uint8_t *p = fuzz_copy(data, size);
    pt_slice stored = pt_slice_of(p, size);
    size_t decoded = pt_codec_decoded_size(stored), n = 0;
    pt_coder *coder = NULL;
    if (decoded <= (size_t)1 << 20 && size >= PT_CODEC_HEAD && pt_codec_present(codec)) {
        uint8_t *dst = malloc(decoded + (decoded == 0));
        FUZZ_REQUIRE(pt_coder_new(peat_env_default(), codec, true, &coder) == PEAT_OK,
                     "there is memory");
        memset(dst, 0xee, decoded);
        if (pt_codec_decode(codec, coder, stored, dst))
            n = use_block(dst, decoded);
        pt_coder_free(peat_env_default(), coder);
        free(dst);
    }
    free(p);
    return n;
}

static size_t use_meta(uint8_t *data, size_t size, bool repair)
{
    pt_table_meta m, again;
    pt_bytes bytes;
    if (repair)
        fuzz_repair_meta(data, size);
    if (pt_table_meta_decode(pt_slice_of(data, size), &m) != PEAT_OK)
        return 0;
    for (size_t s = 0; s < PT_SECTION_COUNT; s++)
        FUZZ_REQUIRE(m.section[s].offset <= m.file_bytes &&
                         m.section[s].size <= m.file_bytes - m.section[s].offset,
                     "sections lie within the file");
    pt_bytes_init(&bytes, peat_env_default());
    FUZZ_REQUIRE(pt_table_meta_encode(&m, &bytes) == PEAT_OK, "what was decoded can be encoded");
    FUZZ_REQUIRE(pt_table_meta_decode(pt_slice_of(bytes.data, bytes.size), &again) == PEAT_OK,
                 "and decoded again");
    FUZZ_REQUIRE(pt_slice_equal(m.key_min, again.key_min) &&
                     pt_slice_equal(m.key_max, again.key_max),
                 "with the same keys");
    m.key_min = again.key_min;
    m.key_max = again.key_max;
    FUZZ_REQUIRE(m.entries == again.entries && m.seq_max == again.seq_max &&
                     m.codec == again.codec && m.flags == again.flags &&
                     memcmp(m.section, again.section, sizeof m.section) == 0,
                 "and the same numbers");
    pt_bytes_done(&bytes);
    return 1;
}

static size_t use_operations(const uint8_t *data, size_t size)
{
    pt_cursor c = pt_cursor_of(data, size);
    pt_batch b;
    pt_entry e;
    size_t n = 0;
    peat_rc rc;
    pt_batch_init(&b, peat_env_default());
    while ((rc = pt_op_next(&c, &e)) == PEAT_OK) {
        pt_slice key = pt_slice_of(e.key.data + PT_KEYSPACE_BYTES, e.key.size - PT_KEYSPACE_BYTES);
        uint32_t keyspace = pt_get_be32(e.key.data);
        (void)fuzz_touch(e.value);
        FUZZ_REQUIRE((e.kind == PT_KIND_PUT ? pt_batch_put(&b, keyspace, key, e.value)
                                            : pt_batch_delete(&b, keyspace, key)) == PEAT_OK,
                     "what was decoded can be written");
        n++;
    }
    FUZZ_REQUIRE(b.count == n, "a batch counts its operations");
    FUZZ_REQUIRE(rc != PEAT_END || b.bytes.size <= size, "writers use the shortest form");
    pt_batch_done(&b);
    return n;
}

static size_t run(const uint8_t *data, size_t size)
{
    pt_cursor c = pt_cursor_of(data, size);
    unsigned flags = pt_cursor_u8(&c), kind = pt_cursor_u8(&c) % 8;
    size_t n = 0, left = pt_cursor_left(&c);
    if (!pt_cursor_ok(&c))
        return 0;
    uint8_t *p = fuzz_copy(c.at, left);
    pt_cursor rest = pt_cursor_of(p, left);
    switch (kind) {
    case 0:
        n = use_block(p, left);
        break;
    case 1:
        n = use_index(&rest);
        break;
    case 2:
        n = use_filter(p, left);
        break;
    case 3:
        n = use_locator(p, left);
        break;
    case 4:
        n = use_compressed(p, left, PT_CODEC_LZ4);
        break;
    case 5:
        n = use_compressed(p, left, PT_CODEC_ZSTD);
        break;
    case 6:
        n = use_meta(p, left, (flags & FUZZ_REPAIR) != 0);
        break;
    default:
        n = use_operations(p, left);
    }
    free(p);
    return n;
}

const fuzz_target fuzz_pieces = {.name = "pieces", .run = run, .size_max = 8192};
