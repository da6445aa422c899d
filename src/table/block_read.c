/* SPDX-License-Identifier: MIT */
/* block_read.c - verifying a block's structure and searching it; see block.h. */
#include "table/block.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static bool kinds_known(const uint8_t *kinds, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!pt_kind_known(kinds[i]))
            return false;
    }
    return true;
}

/* Ends of `count` pieces that together take exactly `size` bytes. */
static bool ends_fit(const uint8_t *ends, uint32_t count, size_t size)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t end = pt_get_u16(ends + 2 * i);
        if (end < at)
            return false;
        at = end;
    }
    return at == size;
}

static const char *check_large(const uint8_t *data, size_t size, size_t *ret_used)
{
    if (size < PT_BLOCK_HEAD_LARGE)
        return "large block shorter than its head";
    if ((data[2] & ~(PT_BLOCK_LARGE | PT_BLOCK_CONTINUES)) || pt_get_u16(data) != 1)
        return "large block with odd flags";
    if (!pt_kind_known(data[3]))
        return "entry of unknown kind";
    uint64_t key = pt_get_u32(data + 4), value = pt_get_u32(data + 8);
    if (key > PT_KEY_BYTES_MAX || value > PEAT_VALUE_SIZE_MAX ||
        PT_BLOCK_HEAD_LARGE + key + value > size)
        return "large block shorter than its entry";
    if (pt_get_u64(data + 16) > PT_SEQ_MAX)
        return "sequence out of range";
    *ret_used = (size_t)(PT_BLOCK_HEAD_LARGE + key + value);
    return NULL;
}

/* A block's head, of either width. */
typedef struct block_head {
    uint32_t flags, count, seq_width, key_width, value_width;
    size_t size, prefix_size, keys_at, values_at, used;
} block_head;

static block_head head_of(const uint8_t *data)
{
    block_head h = {.flags = data[2], .count = pt_get_u16(data), .seq_width = data[3]};
    if (h.flags & PT_BLOCK_LONG_PREFIX) {
        h.size = PT_BLOCK_HEAD_LONG;
        h.prefix_size = pt_get_u32(data + 4);
        h.key_width = pt_get_u16(data + 8);
        h.value_width = pt_get_u16(data + 10);
        h.keys_at = pt_get_u32(data + 12);
        h.values_at = pt_get_u32(data + 16);
        h.used = pt_get_u32(data + PT_BLOCK_LONG_USED);
    } else {
        h.size = PT_BLOCK_HEAD;
        h.prefix_size = pt_get_u16(data + 4);
        h.key_width = pt_get_u16(data + 6);
        h.value_width = pt_get_u16(data + 8);
        h.keys_at = pt_get_u16(data + 10);
        h.values_at = pt_get_u16(data + 12);
        h.used = pt_get_u16(data + 14);
    }
    return h;
}

static bool long_prefix_fits(const block_head *h)
{
    return (h->flags & PT_BLOCK_LARGE) != 0 && h->prefix_size <= PT_KEY_BYTES_MAX &&
           h->values_at - h->keys_at <= UINT16_MAX && h->used - h->values_at <= UINT16_MAX;
}

/* No key is longer than keys can be. */
static bool long_keys_fit(const block_head *h, const uint8_t *ends)
{
    size_t most = PT_KEY_BYTES_MAX - h->prefix_size;
    if (h->flags & PT_BLOCK_FIXED_KEYS)
        return h->key_width <= most;
    for (uint32_t i = 0, at = 0; i < h->count; i++) {
        uint32_t end = pt_get_u16(ends + 2 * i);
        if (end - at > most)
            return false;
        at = end;
    }
    return true;
}

static const char *check_parts(const uint8_t *data, const block_head *h)
{
    uint32_t flags = h->flags, width = h->seq_width;
    size_t count = h->count, kinds = h->size + count;
    size_t seqs = kinds + (flags & PT_BLOCK_KINDS ? count : 0);
    size_t key_ends = seqs + (flags & PT_BLOCK_SEQS ? PT_BLOCK_SEQ_BASE + count * width : 0);
    size_t value_ends = key_ends + (flags & PT_BLOCK_FIXED_KEYS ? 0 : count * 2);
    size_t end = value_ends + (flags & PT_BLOCK_FIXED_VALUES ? 0 : count * 2);
    if (end + h->prefix_size != h->keys_at)
        return "block whose parts do not add up";
    if ((flags & PT_BLOCK_KINDS) && !kinds_known(data + kinds, h->count))
        return "entry of unknown kind";
    if (flags & PT_BLOCK_FIXED_KEYS
            ? h->keys_at + count * h->key_width != h->values_at
            : !ends_fit(data + key_ends, h->count, h->values_at - h->keys_at))
        return "block with bad key offsets";
    if (flags & PT_BLOCK_FIXED_VALUES
            ? h->values_at + count * h->value_width != h->used
            : !ends_fit(data + value_ends, h->count, h->used - h->values_at))
        return "block with bad value offsets";
    if ((flags & PT_BLOCK_LONG_PREFIX) && !long_keys_fit(h, data + key_ends))
        return "block with a key that is too long";
    return NULL;
}

const char *pt_block_check(const uint8_t *data, size_t size, size_t *ret_used)
{
    if (size < PT_BLOCK_HEAD)
        return "block shorter than its head";
    if (data[2] & ~PT_BLOCK_FLAGS)
        return "block with unknown flags";
    if (pt_block_is_large(data))
        return check_large(data, size, ret_used);
    if (pt_block_has_long_prefix(data) && size < PT_BLOCK_HEAD_LONG)
        return "block shorter than its head";

    block_head h = head_of(data);
    uint32_t width = h.seq_width;
    if (h.count == 0 || h.used > size || h.keys_at > h.values_at || h.values_at > h.used ||
        ((h.flags & PT_BLOCK_LONG_PREFIX) && !long_prefix_fits(&h)))
        return "block with a bad head";
    if (width != 0 && width != 2 && width != 4 && width != 8)
        return "block with a bad sequence width";
    if (width != 0 && !(h.flags & PT_BLOCK_SEQS))
        return "block with sequences out of place";
    const char *wrong = check_parts(data, &h);
    if (wrong == NULL)
        *ret_used = h.used;
    return wrong;
}

/* ---- search ---- */

/* Bit i set: tags[i] == tag, for the up to 16 tags from `tags`. */
static inline uint32_t tags_equal(const uint8_t *tags, uint32_t n, uint8_t tag)
{
#ifdef __SSE2__
    if (n >= 16) {
        __m128i have = _mm_loadu_si128((const __m128i *)(const void *)tags);
        return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(have, _mm_set1_epi8((char)tag)));
    }
#endif
    uint32_t bits = 0, i = 0;
    for (; i + 8 <= n; i += 8) {
        /* zero bytes of x, exactly: no borrow crosses a byte */
        uint64_t x = pt_get_u64(tags + i) ^ 0x0101010101010101ULL * tag;
        uint64_t low = 0x7f7f7f7f7f7f7f7fULL;
        uint64_t zero = ~(((x & low) + low) | x | low);
        bits |= (uint32_t)((zero >> 7) * 0x0102040810204080ULL >> 56) << i;
    }
    for (; i < n; i++)
        bits |= (uint32_t)(tags[i] == tag) << i;
    return bits;
}

uint32_t pt_block_find(const pt_block *b, pt_slice key, uint8_t tag)
{
    for (uint32_t base = 0; base < b->count; base += 16) {
        uint32_t n = b->count - base < 16 ? b->count - base : 16;
        uint32_t bits = tags_equal(b->tags + base, n, tag);
        for (; bits != 0; bits &= bits - 1) {
            uint32_t i = base + (uint32_t)__builtin_ctz(bits);
            if (pt_block_key_is(b, i, key))
                return i;
        }
    }
    return b->count;
}

uint32_t pt_block_tagged(const pt_block *b, uint8_t tag)
{
    for (uint32_t base = 0; base < b->count; base += 16) {
        uint32_t n = b->count - base < 16 ? b->count - base : 16;
        uint32_t bits = tags_equal(b->tags + base, n, tag);
        if (bits != 0)
            return base + (uint32_t)__builtin_ctz(bits);
    }
    return b->count;
}

/* As pt_slice_compare, where most suffixes differ in their first 8 bytes, known of `rest`. */
static inline int compare_suffix(pt_slice suffix, pt_slice rest, uint64_t rest_head)
{
    if (PT_LIKELY(suffix.size >= 8 && rest.size >= 8)) {
        uint64_t head = pt_get_be64(suffix.data);
        if (head != rest_head)
            return head < rest_head ? -1 : 1;
    }
    return pt_slice_compare(suffix, rest);
}

/* The first entry with key >= `key`, or > `key` when `above`. */
static uint32_t bound(const pt_block *b, pt_slice key, bool above)
{
    size_t n = key.size < b->prefix_size ? key.size : b->prefix_size;
    int c = n ? memcmp(key.data, b->prefix, n) : 0;
    if (c < 0 || (c == 0 && key.size < b->prefix_size))
        return 0;
    if (c > 0)
        return b->count;
    pt_slice rest = pt_slice_of(key.data + b->prefix_size, key.size - b->prefix_size);
    uint64_t rest_head = pt_key_head(rest.data, rest.size);
    uint32_t lo = 0, hi = b->count;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        c = compare_suffix(pt_block_suffix(b, mid), rest, rest_head);
        if (c < 0 || (above && c == 0))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

uint32_t pt_block_lower(const pt_block *b, pt_slice key)
{
    return bound(b, key, false);
}

uint32_t pt_block_upper(const pt_block *b, pt_slice key)
{
    return bound(b, key, true);
}
