/* SPDX-License-Identifier: MIT */
/* fuse.c - sizing and ordering binary fuse arrays; see fuse.h. */
#include "table/fuse.h"

#define ATTEMPTS     16 /* one fails in a few of a hundred cases: all only when hashes repeat */
#define BUCKETS_BITS 14 /* first pass of the sort by place; more would not stay in the cache */

/* log2 in 1/65536, straight lines between powers of two: off by 0.09 at most, and only sizes
 * follow from it. */
static uint64_t log2_fixed(uint64_t n)
{
    unsigned e = 63u - (unsigned)__builtin_clzll(n);
    return ((uint64_t)e << 16) + (((n - (1ULL << e)) << 16) >> e);
}

/* The paper's sizes for three cells per key: segments of 2^floor(ln n / ln 3.33 + 2.25), and
 * max(1.125, 0.875 + 0.25 ln 10^6 / ln n) cells per key. */
static void size_for(pt_fuse *f, size_t n)
{
    uint64_t lg = log2_fixed(n < 2 ? 2 : n);
    uint64_t length_log = (lg * 1000 / 1736 + (9u << 14)) >> 16; /* log2 3.33 = 1.736 */
    f->segment_length = 1u << (length_log < 18 ? length_log : 18);
    uint64_t factor = (875u << 16) / 1000 + (326518ULL << 16) / lg; /* 0.25 log2 10^6 = 4.983 */
    if (factor < (1125u << 16) / 1000)
        factor = (1125u << 16) / 1000;
    uint64_t cells = n <= 1 ? 0 : ((uint64_t)n * factor) >> 16;
    uint64_t segments = (cells + f->segment_length - 1) / f->segment_length;
    f->segment_count = segments <= 2 ? 1 : (uint32_t)(segments - 2);
}

typedef struct cell {
    uint64_t mixed; /* of the keys on it, XORed: the key itself when it is one */
    uint32_t key;
    uint32_t count;
} cell;

static void cell_toggle(cell *c, uint64_t mixed, uint32_t key)
{
    c->mixed ^= mixed;
    c->key ^= key;
}

/* Keys into `order` by the place of their first cell, so that counting walks memory forward. */
static void sort_by_place(pt_fuse_order *o, const uint64_t *hashes, uint32_t *starts, unsigned bits)
{
    unsigned shift = 64 - bits;
    memset(starts, 0, sizeof *starts << bits);
    for (size_t i = 0; i < o->count; i++)
        starts[pt_fuse_mix(&o->fuse, hashes[i]) >> shift]++;
    uint32_t at = 0;
    for (size_t b = 0; b < (size_t)1 << bits; b++) {
        uint32_t n = starts[b];
        starts[b] = at;
        at += n;
    }
    for (size_t i = 0; i < o->count; i++) {
        uint64_t mixed = pt_fuse_mix(&o->fuse, hashes[i]);
        uint32_t to = starts[mixed >> shift]++;
        o->mixed[to] = mixed;
        o->key[to] = (uint32_t)i;
    }
}

static void count_keys(const pt_fuse_order *o, cell *cells)
{
    memset(cells, 0, sizeof *cells * pt_fuse_cell_count(&o->fuse));
    for (size_t i = 0; i < o->count; i++) {
        pt_fuse_cells p = pt_fuse_place(&o->fuse, o->mixed[i]);
        for (int j = 0; j < 3; j++) {
            cell *c = &cells[p.at[j]];
            cell_toggle(c, o->mixed[i], o->key[i]);
            c->count++;
        }
    }
}

/* Takes keys off cells they are alone on, until none is left. The order overwrites the sorted keys
 * from the front; every key comes out of the cells. */
static size_t peel(pt_fuse_order *o, cell *cells, uint32_t *alone)
{
    size_t queued = 0, peeled = 0;
    uint32_t n = pt_fuse_cell_count(&o->fuse);
    for (uint32_t i = 0; i < n; i++) {
        alone[queued] = i;
        queued += cells[i].count == 1;
    }
    while (queued > 0) {
        uint32_t at = alone[--queued];
        cell own = cells[at];
        if (own.count != 1)
            continue;
        pt_fuse_cells p = pt_fuse_place(&o->fuse, own.mixed);
        o->mixed[peeled] = own.mixed;
        o->key[peeled] = own.key;
        for (uint8_t j = 0; j < 3; j++) {
            if (p.at[j] == at) {
                o->which[peeled] = j;
                continue;
            }
            cell *c = &cells[p.at[j]];
            cell_toggle(c, own.mixed, own.key);
            alone[queued] = p.at[j];
            queued += --c->count == 1;
        }
        cells[at].count = 0;
        peeled++;
    }
    return peeled;
}

static size_t order_bytes(size_t count)
{
    return count * (sizeof(uint64_t) + sizeof(uint32_t) + sizeof(uint8_t));
}

peat_rc pt_fuse_order_init(pt_fuse_order *ret_order, const pt_env *env, const uint64_t *hashes,
                           size_t count, uint64_t seed, bool *ret_found)
{
    pt_fuse_order o = {.env = env, .count = count};
    size_for(&o.fuse, count);
    size_t n = pt_fuse_cell_count(&o.fuse);
    unsigned bits = 1;
    while (bits < BUCKETS_BITS && (1u << bits) < o.fuse.segment_count)
        bits++;
    /* of `alone` one more is written before it counts */
    size_t work_bytes = n * sizeof(cell) + (n + 1) * sizeof(uint32_t) + (sizeof(uint32_t) << bits);
    cell *cells = pt_scratch_alloc(env, work_bytes);
    o.mixed = pt_scratch_alloc(env, order_bytes(count));
    *ret_found = false;
    bool memory = cells != NULL && o.mixed != NULL;
    uint32_t *alone = memory ? (uint32_t *)(void *)(cells + n) : NULL;
    uint32_t *starts = memory ? alone + n + 1 : NULL;
    o.key = memory ? (uint32_t *)(void *)(o.mixed + count) : NULL;
    o.which = memory ? (uint8_t *)(o.key + count) : NULL;
    for (int attempt = 0; memory && attempt < ATTEMPTS && !*ret_found; attempt++) {
        o.fuse.seed = seed = pt_mix(seed + 0x9e3779b97f4a7c15ULL);
        sort_by_place(&o, hashes, starts, bits);
        count_keys(&o, cells);
        *ret_found = peel(&o, cells, alone) == count;
    }
    pt_scratch_free(env, cells, work_bytes);
    if (*ret_found)
        *ret_order = o;
    else
        pt_fuse_order_done(&o);
    return memory ? PEAT_OK : PEAT_NOMEM;
}

void pt_fuse_order_done(pt_fuse_order *order)
{
    if (order->env == NULL)
        return;
    pt_scratch_free(order->env, order->mixed, order_bytes(order->count));
    *order = (pt_fuse_order){0};
}

/* ---- repetitions ---- */

static void sift_down(uint64_t *a, size_t at, size_t n)
{
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && a[child] < a[child + 1])
            child++;
        if (a[at] >= a[child])
            return;
        uint64_t t = a[at];
        a[at] = a[child];
        a[child] = t;
    }
}

size_t pt_fuse_unique(uint64_t *io_hashes, size_t count)
{
    /* a heap sort: no memory, and only ever run on the rare table whose hashes repeat */
    for (size_t i = count / 2; i > 0; i--)
        sift_down(io_hashes, i - 1, count);
    for (size_t n = count; n > 1; n--) {
        uint64_t t = io_hashes[0];
        io_hashes[0] = io_hashes[n - 1];
        io_hashes[n - 1] = t;
        sift_down(io_hashes, 0, n - 1);
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || io_hashes[kept - 1] != io_hashes[i])
            io_hashes[kept++] = io_hashes[i];
    }
    return kept;
}

/* ---- the head of a section ---- */

void pt_fuse_encode(const pt_fuse *f, uint8_t *dst)
{
    pt_put_u64(dst, f->seed);
    pt_put_u32(dst + 8, f->segment_length);
    pt_put_u32(dst + 12, f->segment_count);
}

bool pt_fuse_decode(pt_cursor *c, pt_fuse *ret_fuse)
{
    pt_fuse f = {.seed = pt_cursor_u64(c)};
    f.segment_length = pt_cursor_u32(c);
    f.segment_count = pt_cursor_u32(c);
    if (!pt_cursor_ok(c) || f.segment_length == 0 || f.segment_length > PT_FUSE_SEGMENT_MAX ||
        (f.segment_length & (f.segment_length - 1)) != 0 || f.segment_count == 0 ||
        ((uint64_t)f.segment_count + 2) * f.segment_length > UINT32_MAX)
        return false;
    *ret_fuse = f;
    return true;
}
