/* SPDX-License-Identifier: MIT */
/* arena.c - reservations and counters of a memtable's memory; see arena.h. */
#include "mem/arena.h"

#include "base/hash.h"

#define NODE_ALIGN 64u

#define COUNT_SHIFT 35
#define BYTES_MASK  ((UINT64_C(1) << COUNT_SHIFT) - 1)
#define COUNT_MAX   ((UINT64_C(1) << (64 - COUNT_SHIFT)) - 1)

/* Worst share of nodes per entry: a leaf at its emptiest, its share of the level above at its
 * emptiest, of the one above that, and so on: 1/f + 1/f^2 + ... = 1/(f - 1). */
#define INNER_PER_LEAF (PT_INNER_BYTES / (PT_INNER_FILL_MIN - 1) + 1)
#define NODE_SHARE     ((PT_LEAF_BYTES + INNER_PER_LEAF) / PT_LEAF_FILL_MIN + 1)
/* A record is filled up to the unit. */
#define RECORD_WORST (PT_RECORD_EXTRA_MAX + PT_ARENA_UNIT - 1)
#define ENTRY_WORST  (RECORD_WORST + NODE_SHARE)
/* One insert splits at most its leaf and every level above, and adds a root. */
#define SPLITS_WORST (PT_LEAF_BYTES + (PT_TREE_LEVELS_MAX + 1) * PT_INNER_BYTES)
/* The right edge may be nearly empty on every level; one leaf is kept in stock. */
#define EDGE_BYTES (2 * PT_LEAF_BYTES + PT_TREE_LEVELS_MAX * PT_INNER_BYTES + NODE_ALIGN)

_Static_assert(PT_LATER_BYTES <= NODE_SHARE && PT_LATER_BYTES <= SPLITS_WORST,
               "both rules count an entry in the tree, or one with a node of its own");

static size_t overhead_bytes(size_t head_bytes)
{
    return (size_t)pt_round_up(head_bytes, PT_ARENA_UNIT) + EDGE_BYTES;
}

void pt_arena_init(pt_arena *a, const pt_env *env, void *base, size_t capacity, size_t head_bytes)
{
    a->env = env;
    a->base = base;
    a->capacity = capacity;
    a->overhead = overhead_bytes(head_bytes);
    a->node_top = capacity & ~(size_t)(NODE_ALIGN - 1);
    PT_ASSERT(capacity <= PT_ARENA_BYTES_MAX && capacity > a->overhead,
              "a memtable has room, and offsets for it");
    atomic_init(&a->node_bytes, 0);
    atomic_init(&a->tail, pt_round_up(head_bytes, PT_ARENA_UNIT) / PT_ARENA_UNIT);
    atomic_init(&a->promised, 0);
}

size_t pt_arena_capacity_for(uint64_t count, uint64_t key_bytes, uint64_t value_bytes,
                             size_t head_bytes)
{
    if (count > PT_ARENA_BYTES_MAX || key_bytes > PT_ARENA_BYTES_MAX ||
        value_bytes > PT_ARENA_BYTES_MAX)
        return SIZE_MAX; /* no memtable is that large, and the sum cannot overflow */
    return (size_t)(overhead_bytes(head_bytes) + count * ENTRY_WORST + key_bytes + value_bytes);
}

pt_arena_sums pt_arena_sum(const pt_arena *a)
{
    pt_arena_sums sums = {0};
    for (size_t i = 0; i < PT_ARENA_SHARDS; i++) {
        const pt_arena_shard *s = &a->shards[i];
        /* acquire: pairs with bump32 and bump64; what the entry took is seen afterwards */
        sums.entries += atomic_load_explicit(&s->entries, memory_order_acquire);
        sums.tombstones += atomic_load_explicit(&s->tombstones, memory_order_acquire);
        sums.key_bytes += atomic_load_explicit(&s->key_bytes, memory_order_acquire);
        sums.value_bytes += atomic_load_explicit(&s->value_bytes, memory_order_acquire);
    }
    return sums;
}

/* What the static rule counts for entries that are promised. */
static uint64_t worst_bytes(uint64_t count, uint64_t key_bytes, uint64_t value_bytes)
{
    return count * ENTRY_WORST + key_bytes + value_bytes;
}

static uint64_t promised_count(uint64_t promised)
{
    return promised >> COUNT_SHIFT;
}

/* Bytes allocated now and of the records still to come; *ret_waiting of them. The sums are older
 * than `promised`, so they are part of it, and than the tail, so that an entry added meanwhile is
 * counted twice, never not at all. */
static uint64_t exact_bytes(const pt_arena *a, const pt_arena_sums *done, uint64_t promised,
                            uint64_t *ret_waiting)
{
    uint64_t count = promised_count(promised);
    uint64_t records = (promised & BYTES_MASK) - count * NODE_SHARE;
    *ret_waiting = count - done->entries;
    return atomic_load_explicit(&a->tail, memory_order_relaxed) * PT_ARENA_UNIT +
           atomic_load_explicit(&a->node_bytes, memory_order_relaxed) + records -
           (done->entries * RECORD_WORST + done->key_bytes + done->value_bytes);
}

static uint64_t promised_now(const pt_arena *a)
{
    return atomic_load_explicit(&a->promised, memory_order_relaxed);
}

static bool promise(pt_arena *a, uint64_t was, uint64_t now)
{
    /* relaxed: the word stands for itself */
    return atomic_compare_exchange_strong_explicit(&a->promised, &was, now, memory_order_relaxed,
                                                   memory_order_relaxed);
}

static bool fits_static(const pt_arena *a, uint64_t promised)
{
    return (promised & BYTES_MASK) + a->overhead <= a->capacity;
}

static bool fits_exact(const pt_arena *a, const pt_arena_sums *done, uint64_t promised)
{
    uint64_t waiting;
    uint64_t bytes = exact_bytes(a, done, promised, &waiting);
    return bytes + waiting * SPLITS_WORST + NODE_ALIGN <= a->capacity;
}

bool pt_arena_reserve(pt_arena *a, uint64_t count, uint64_t key_bytes, uint64_t value_bytes)
{
    if (count > a->capacity || key_bytes > a->capacity || value_bytes > a->capacity)
        return false;
    uint64_t bytes = worst_bytes(count, key_bytes, value_bytes);
    for (bool exact = false;;) {
        pt_arena_sums done = {0};
        if (exact)
            done = pt_arena_sum(a);
        uint64_t was = promised_now(a);
        if ((was & BYTES_MASK) + bytes > BYTES_MASK || promised_count(was) + count > COUNT_MAX)
            return false;
        uint64_t now = was + bytes + (count << COUNT_SHIFT);
        if (fits_static(a, now) || (exact && fits_exact(a, &done, now))) {
            if (promise(a, was, now))
                return true;
        } else if (exact) {
            return false;
        } else {
            exact = true;
        }
    }
}

void pt_arena_unreserve(pt_arena *a, uint64_t count, uint64_t key_bytes, uint64_t value_bytes)
{
    uint64_t bytes = worst_bytes(count, key_bytes, value_bytes);
    uint64_t was = promised_now(a);
    PT_ASSERT((was & BYTES_MASK) >= bytes && promised_count(was) >= count,
              "only what was promised is given back");
    (void)was;
    atomic_fetch_sub_explicit(&a->promised, bytes + (count << COUNT_SHIFT), memory_order_relaxed);
}

/* Stacks are far apart, so a place on the stack tells threads apart. */
static size_t shard_hint(void)
{
    uint8_t here;
    return (size_t)((((uintptr_t)&here >> 16) * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

static pt_arena_shard *claim_shard(pt_arena *a)
{
    for (size_t i = shard_hint();; i++) {
        pt_arena_shard *s = &a->shards[i % PT_ARENA_SHARDS];
        /* acquire: pairs with the release at the end of pt_arena_added */
        if (atomic_exchange_explicit(&s->claimed, 1, memory_order_acquire) == 0)
            return s;
    }
}

static void bump32(_Atomic uint32_t *p, uint32_t n)
{
    uint32_t was = atomic_load_explicit(p, memory_order_relaxed);
    atomic_store_explicit(p, was + n, memory_order_release);
}

static void bump64(_Atomic uint64_t *p, uint64_t n)
{
    uint64_t was = atomic_load_explicit(p, memory_order_relaxed);
    atomic_store_explicit(p, was + n, memory_order_release);
}

void pt_arena_added(pt_arena *a, const pt_entry *entry)
{
    pt_arena_shard *s = claim_shard(a);
    bump64(&s->key_bytes, entry->key.size);
    bump64(&s->value_bytes, entry->value.size);
    bump32(&s->tombstones, entry->kind == PT_KIND_DELETE);
    bump32(&s->entries, 1);
    PT_DCHECK(atomic_load(&s->claimed) == 1, "a shard is one writer's until it gives it back");
    atomic_store_explicit(&s->claimed, 0, memory_order_release);
}

uint32_t pt_arena_node(pt_arena *a, size_t bytes)
{
    uint64_t used = atomic_load_explicit(&a->node_bytes, memory_order_relaxed) + bytes;
    PT_ASSERT(used + atomic_load_explicit(&a->tail, memory_order_relaxed) * PT_ARENA_UNIT <=
                  a->node_top,
              "I13: what is promised fits: records and nodes never meet");
    atomic_store_explicit(&a->node_bytes, used, memory_order_relaxed);
    uint32_t node = (uint32_t)((a->node_top - used) / PT_ARENA_UNIT);
    if (a->used)
        memset(pt_arena_at(a, node), 0, bytes);
    return node;
}

void pt_arena_trim(pt_arena *a)
{
    size_t begin = (size_t)atomic_load_explicit(&a->tail, memory_order_relaxed) * PT_ARENA_UNIT;
    size_t end = a->node_top - (size_t)atomic_load_explicit(&a->node_bytes, memory_order_relaxed);
    PT_ASSERT(begin <= end, "I13: what is promised fits: records and nodes never meet");
    pt_unneeded(a->env, a->base + begin, end - begin);
}

size_t pt_arena_used(const pt_arena *a)
{
    pt_arena_sums done = pt_arena_sum(a);
    uint64_t waiting;
    uint64_t bytes = exact_bytes(a, &done, promised_now(a), &waiting);
    return (size_t)pt_min_u64(bytes + waiting * NODE_SHARE, a->capacity);
}
