/* SPDX-License-Identifier: MIT */
/* index.c - building and searching the block index; see index.h. */
#include "table/index.h"

#define HEAD_BYTES 16u /* block count u32, flags u32, prefix size u32, large count u32 */

enum { INDEX_EXTENTS = 1, INDEX_TAILS = 2, INDEX_FLAGS = 3 };

/* ---- building ---- */

void pt_index_builder_init(pt_index_builder *b, const pt_env *env)
{
    memset(b, 0, sizeof *b);
    b->env = env;
    pt_bytes_init(&b->separators, env);
}

void pt_index_builder_done(pt_index_builder *b)
{
    if (b->env == NULL)
        return;
    pt_bytes_done(&b->separators);
    pt_free(b->env, b->offsets);
    pt_free(b->env, b->entries);
    pt_free(b->env, b->large);
    memset(b, 0, sizeof *b);
}

static size_t common_prefix(pt_slice a, pt_slice b)
{
    size_t n = a.size < b.size ? a.size : b.size, i = 0;
    while (i < n && a.data[i] == b.data[i])
        i++;
    return i;
}

/* A short s with last <= s < next, or s == last. When it is no prefix of `next`, the byte at
 * size - 1 is last's plus one: told by ret_raise. */
static pt_slice shortest(pt_slice last, pt_slice next, bool *ret_raise)
{
    size_t i = common_prefix(last, next);
    *ret_raise = false;
    if (i >= last.size || i >= next.size)
        return last;
    if (next.size > i + 1)
        return pt_slice_of(next.data, i + 1);
    /* next ends at i: stay below it, above the rest of last */
    for (size_t j = next.data[i] - last.data[i] > 1 ? i : i + 1; j < last.size; j++) {
        if (last.data[j] != 0xff) {
            *ret_raise = true;
            return pt_slice_of(last.data, j + 1);
        }
    }
    return last;
}

peat_rc pt_index_builder_add(pt_index_builder *b, uint64_t offset, uint32_t entries_before,
                             pt_slice last, const pt_slice *next, uint32_t large_size)
{
    size_t n = (size_t)b->count + 1;
    PT_ASSERT(b->count == 0
                  ? offset == 0 && entries_before == 0
                  : offset > b->offsets[b->count - 1] && entries_before > b->entries[b->count - 1],
              "blocks lie one behind the other, and none is empty");
    if (!pt_grow(b->env, &b->offsets, &b->offsets_capacity, n, sizeof *b->offsets) ||
        !pt_grow(b->env, &b->entries, &b->entries_capacity, n, sizeof *b->entries))
        return PEAT_NOMEM;
    if (large_size != 0) {
        size_t pairs = ((size_t)b->large_count + 1) * 2;
        if (!pt_grow(b->env, &b->large, &b->large_capacity, pairs, sizeof *b->large))
            return PEAT_NOMEM;
    }
    bool raise = false;
    pt_slice s = next != NULL ? shortest(last, *next, &raise) : last;
    peat_rc rc = pt_bytes_append_sized(&b->separators, s);
    if (rc != PEAT_OK)
        return rc;
    if (raise)
        b->separators.data[b->separators.size - 1]++;
    if (large_size != 0) {
        b->large[b->large_count * 2] = b->count;
        b->large[b->large_count * 2 + 1] = large_size;
        b->large_count++;
    }
    b->offsets[b->count] = offset;
    b->entries[b->count] = entries_before;
    b->count++;
    return PEAT_OK;
}

static void put_zeros(pt_bytes *out, size_t start)
{
    while ((out->size - start) % 8 != 0)
        out->data[out->size++] = 0;
}

static void put_u32(pt_bytes *out, uint32_t v)
{
    pt_put_u32(out->data + out->size, v);
    out->size += 4;
}

static void put_u64(pt_bytes *out, uint64_t v)
{
    pt_put_u64(out->data + out->size, v);
    out->size += 8;
}

static size_t tail_of(size_t rest)
{
    return rest > 8 ? rest - 8 : 0;
}

/* Heads, offsets, entries, head sizes; returns the bytes of all tails. */
static size_t put_arrays(const pt_index_builder *b, size_t cut, uint64_t blocks_end,
                         uint32_t entries, bool extents, pt_bytes *out)
{
    size_t tails = 0;
    pt_cursor c = pt_cursor_of(b->separators.data, b->separators.size);
    for (uint32_t i = 0; i < b->count; i++) {
        pt_slice s = pt_cursor_sized(&c);
        put_u64(out, pt_key_head(s.data + cut, s.size - cut));
        tails += tail_of(s.size - cut);
    }
    for (uint32_t i = 0; extents && i <= b->count; i++)
        put_u64(out, i < b->count ? b->offsets[i] : blocks_end);
    for (uint32_t i = 0; i <= b->count; i++)
        put_u32(out, i < b->count ? b->entries[i] : entries);
    c = pt_cursor_of(b->separators.data, b->separators.size);
    for (uint32_t i = 0; i < b->count; i++) {
        size_t rest = pt_cursor_sized(&c).size - cut;
        out->data[out->size++] = (uint8_t)(rest < 8 ? rest : 8);
    }
    return tails;
}

static void put_tails(const pt_index_builder *b, size_t cut, pt_bytes *out)
{
    size_t end = 0;
    pt_cursor c = pt_cursor_of(b->separators.data, b->separators.size);
    for (uint32_t i = 0; i < b->count; i++) {
        end += tail_of(pt_cursor_sized(&c).size - cut);
        put_u32(out, (uint32_t)end);
    }
    c = pt_cursor_of(b->separators.data, b->separators.size);
    for (uint32_t i = 0; i < b->count; i++) {
        pt_slice s = pt_cursor_sized(&c);
        size_t n = tail_of(s.size - cut);
        memcpy(out->data + out->size, s.data + s.size - n, n);
        out->size += n;
    }
}

size_t pt_index_heads_at(pt_slice key_min, pt_slice key_max)
{
    return (size_t)pt_round_up(HEAD_BYTES + common_prefix(key_min, key_max), 8);
}

peat_rc pt_index_builder_finish(const pt_index_builder *b, pt_slice key_min, pt_slice key_max,
                                uint64_t blocks_end, uint32_t entries, bool extents,
                                pt_bytes *io_out)
{
    PT_ASSERT(pt_slice_compare(key_min, key_max) <= 0, "I7: the first key is not behind the last");
    size_t cut = common_prefix(key_min, key_max);
    /* an upper bound: arrays of at most 8 + 8 + 4 + 1 + 4 bytes per block, and the strings */
    peat_rc rc = pt_bytes_reserve(io_out, HEAD_BYTES + cut + 48 + (size_t)b->count * 25 +
                                              b->separators.size + (size_t)b->large_count * 8);
    if (rc != PEAT_OK)
        return rc;
    size_t start = io_out->size;
    io_out->size += HEAD_BYTES;
    if (cut != 0)
        memcpy(io_out->data + io_out->size, key_min.data, cut);
    io_out->size += cut;
    put_zeros(io_out, start);
    size_t tails = put_arrays(b, cut, blocks_end, entries, extents, io_out);
    if (tails > UINT32_MAX)
        return PEAT_TOO_BIG;
    if (tails != 0)
        put_tails(b, cut, io_out);
    for (uint32_t i = 0; i < b->large_count * 2; i++)
        put_u32(io_out, b->large[i]);

    uint8_t *head = io_out->data + start;
    pt_put_u32(head, b->count);
    pt_put_u32(head + 4, (extents ? INDEX_EXTENTS : 0u) | (tails ? INDEX_TAILS : 0u));
    pt_put_u32(head + 8, (uint32_t)cut);
    pt_put_u32(head + 12, b->large_count);
    return PEAT_OK;
}

/* ---- reading ---- */

static bool offsets_fit(const pt_index *x, uint64_t blocks_end)
{
    for (uint32_t i = 0; i < x->count; i++) {
        if (pt_index_offset(x, i) >= pt_index_offset(x, i + 1))
            return false;
    }
    return pt_index_offset(x, 0) == 0 && pt_index_offset(x, x->count) == blocks_end;
}

static bool entries_fit(const pt_index *x, uint64_t entries)
{
    for (uint32_t i = 0; i < x->count; i++) {
        if (pt_index_entries_before(x, i) >= pt_index_entries_before(x, i + 1))
            return false;
    }
    return pt_index_entries_before(x, 0) == 0 && pt_index_entries_before(x, x->count) == entries;
}

static bool separators_fit(const pt_index *x, size_t tails)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < x->count; i++) {
        if (x->sizes[i] > 8)
            return false;
        uint32_t end = x->tail_ends != NULL ? pt_get_u32(x->tail_ends + (size_t)i * 4) : 0;
        if (end < at || (end > at && x->sizes[i] < 8))
            return false;
        at = end;
    }
    return at == tails;
}

static bool large_fit(const pt_index *x)
{
    for (uint32_t i = 0; i < x->large_count; i++) {
        uint32_t block = pt_get_u32(x->large + (size_t)i * 8);
        if (block >= x->count || (i != 0 && block <= pt_get_u32(x->large + (size_t)i * 8 - 8)))
            return false;
    }
    return true;
}

static inline uint64_t head_at(const pt_index *x, uint32_t i)
{
    return pt_get_u64(x->heads + (size_t)i * 8);
}

const char *pt_index_view(pt_index *ret_index, pt_slice bytes, uint32_t block_count,
                          uint64_t entries, uint64_t blocks_end, uint64_t *samples)
{
    pt_index x = {0};
    pt_cursor c = pt_cursor_of(bytes.data, bytes.size);
    x.count = pt_cursor_u32(&c);
    uint32_t flags = pt_cursor_u32(&c);
    uint32_t prefix = pt_cursor_u32(&c);
    x.large_count = pt_cursor_u32(&c);
    if (!pt_cursor_ok(&c) || x.count != block_count || (flags & ~(unsigned)INDEX_FLAGS))
        return "index with a bad head";
    uint64_t n = x.count;
    x.prefix = pt_cursor_bytes(&c, prefix);
    (void)pt_cursor_bytes(&c, (8 - prefix % 8) % 8);
    x.heads = pt_cursor_bytes(&c, n * 8).data;
    if (flags & INDEX_EXTENTS)
        x.offsets = pt_cursor_bytes(&c, (n + 1) * 8).data;
    x.entries = pt_cursor_bytes(&c, (n + 1) * 4).data;
    x.sizes = pt_cursor_bytes(&c, n).data;
    if (flags & INDEX_TAILS)
        x.tail_ends = pt_cursor_bytes(&c, n * 4).data;
    size_t large = (size_t)x.large_count * 8;
    if (!pt_cursor_ok(&c) || large > pt_cursor_left(&c))
        return "index shorter than its arrays";
    size_t tails = pt_cursor_left(&c) - large;
    x.tails = pt_cursor_bytes(&c, tails).data;
    x.large = pt_cursor_bytes(&c, large).data;
    if (x.offsets != NULL && !offsets_fit(&x, blocks_end))
        return "index with bad block offsets";
    if (!entries_fit(&x, entries))
        return "index with bad entry counts";
    if (!separators_fit(&x, tails) || !large_fit(&x))
        return "index with bad separators";
    for (uint32_t i = 0; i < x.count; i += PT_INDEX_STRIDE)
        pt_put_u64((uint8_t *)&samples[x.sample_count++], head_at(&x, i));
    x.samples = (const uint8_t *)samples;
    *ret_index = x;
    return NULL;
}

/* Head i, from the samples if it is one of them, whose lines are near behind a search. */
static inline uint64_t head_near(const pt_index *x, uint32_t i)
{
    const uint8_t *sample = x->samples + (size_t)(i / PT_INDEX_STRIDE) * 8;
    return pt_get_u64(i % PT_INDEX_STRIDE == 0 ? sample : x->heads + (size_t)i * 8);
}

/* The part of separator i behind prefix and head. */
static pt_slice tail_at(const pt_index *x, uint32_t i)
{
    if (x->tail_ends == NULL)
        return (pt_slice){0};
    uint32_t from = i ? pt_get_u32(x->tail_ends + (size_t)(i - 1) * 4) : 0;
    return pt_slice_of(x->tails + from, pt_get_u32(x->tail_ends + (size_t)i * 4) - from);
}

/* Separator i against `rest` (behind the prefix), their heads being equal. */
static int compare_rest(const pt_index *x, uint32_t i, pt_slice rest)
{
    size_t head = rest.size < 8 ? rest.size : 8;
    if (x->sizes[i] != head)
        return x->sizes[i] < head ? -1 : 1;
    return pt_slice_compare(tail_at(x, i), pt_slice_of(rest.data + head, rest.size - head));
}

/* The first sample that is not below h, among all of them. */
static inline uint32_t samples_lower(const pt_index *x, uint64_t h)
{
    return (uint32_t)pt_key_heads_below(x->samples, x->sample_count, h);
}

_Static_assert(PT_KEY_HEADS_FEW == PT_INDEX_STRIDE - 1, "the heads between two samples");

/* The first i with head >= h, `s` being samples_lower; count when none. */
static inline uint32_t heads_lower(const pt_index *x, uint64_t h, uint32_t s)
{
    if (s == 0)
        return 0;
    /* head[(s - 1) * stride] < h <= head[s * stride] */
    uint32_t lo = (s - 1) * PT_INDEX_STRIDE + 1;
    const uint8_t *heads = x->heads + (size_t)lo * 8;
    if (PT_LIKELY(x->count - lo >= PT_KEY_HEADS_FEW))
        return lo + (uint32_t)pt_key_heads_below_few(heads, h);
    return lo + (uint32_t)pt_key_heads_below(heads, x->count - lo, h);
}

/* The first i in [lo, count) with head > h. */
static uint32_t heads_upper(const pt_index *x, uint32_t lo, uint64_t h)
{
    uint32_t n = x->count - lo;
    while (n > 0) {
        uint32_t half = n / 2;
        bool right = head_at(x, lo + half) <= h;
        lo = right ? lo + half + 1 : lo;
        n = right ? n - half - 1 : half;
    }
    return lo;
}

/* -1 or 1 when the key lies below or above everything with the table's prefix; else 0. */
static inline int outside(const pt_index *x, pt_slice key)
{
    pt_slice prefix = x->prefix;
    if (PT_LIKELY(key.size >= prefix.size &&
                  pt_key_bytes_equal(key.data, prefix.data, prefix.size)))
        return 0;
    return pt_slice_compare(key, prefix) < 0 ? -1 : 1;
}

/* `lo` is the first block with a head >= h, the key's: the first with a separator that is not below
 * the key. */
static inline uint32_t among_ties(const pt_index *x, pt_slice key, uint64_t h, uint32_t lo)
{
    if (PT_LIKELY(lo == x->count || head_near(x, lo) != h))
        return lo;
    pt_slice rest = pt_slice_of(key.data + x->prefix.size, key.size - x->prefix.size);
    uint32_t hi = heads_upper(x, lo, h);
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (compare_rest(x, mid, rest) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

uint32_t pt_index_search(const pt_index *x, pt_slice key)
{
    int out = outside(x, key);
    if (PT_UNLIKELY(out != 0))
        return out < 0 ? 0 : x->count;
    uint64_t h = pt_key_head_behind(key, x->prefix.size);
    return among_ties(x, key, h, heads_lower(x, h, samples_lower(x, h)));
}

pt_index_place pt_index_narrow(const pt_index *x, pt_slice key)
{
    int out = outside(x, key);
    if (PT_UNLIKELY(out != 0))
        return (pt_index_place){.from = out < 0 ? 0 : x->count, .decided = true};
    pt_index_place p = {.head = pt_key_head_behind(key, x->prefix.size)};
    p.sample = samples_lower(x, p.head);
    p.from = p.sample == 0 ? 0 : (p.sample - 1) * PT_INDEX_STRIDE + 1;
    return p;
}

uint32_t pt_index_settle(const pt_index *x, pt_slice key, const pt_index_place *place)
{
    if (PT_UNLIKELY(place->decided))
        return place->from;
    return among_ties(x, key, place->head, heads_lower(x, place->head, place->sample));
}

uint32_t pt_index_large_size(const pt_index *x, uint32_t block)
{
    uint32_t lo = 0, n = x->large_count;
    while (n > 0) {
        uint32_t half = n / 2;
        bool right = pt_get_u32(x->large + (size_t)(lo + half) * 8) < block;
        lo = right ? lo + half + 1 : lo;
        n = right ? n - half - 1 : half;
    }
    if (lo == x->large_count || pt_get_u32(x->large + (size_t)lo * 8) != block)
        return 0;
    return pt_get_u32(x->large + (size_t)lo * 8 + 4);
}

uint32_t pt_index_position(const pt_index *x, uint32_t block, pt_slice key)
{
    if (outside(x, key) != 0)
        return 0;
    uint64_t h = pt_key_head_behind(key, x->prefix.size);
    uint64_t to = head_at(x, block), from = block != 0 ? head_at(x, block - 1) : 0;
    if (h <= from || to <= from)
        return 0;
    if (h >= to)
        return 65535;
    /* 16 bits of the quotient, without overflow */
    uint64_t span = to - from, at = h - from;
    return (uint32_t)(span >> 48 ? at / ((span >> 16) + 1) : (at << 16) / span);
}
