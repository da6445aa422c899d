/* SPDX-License-Identifier: MIT */
/*
 * skiplist.c - the memtable contract by a skiplist, to compare with; see skiplist.h.
 *
 * Every version is a node of its own, ordered by key, then newest first. A node carries the
 * keyspace and the 8 bytes behind it as integers, so that most comparisons touch no key. Nodes are
 * linked bottom-up by compare-and-swap and never unlinked; what a node holds besides its links is
 * written before its first link is published (release) and never changes.
 * Offsets count 8 bytes from the start of the mapping; 0 is "none", node 1 is the list's head.
 */
#include "skiplist.h"

#include "base/coding.h"
#include "base/hash.h"

#define HEIGHT_MAX     12 /* 4^12 nodes before the top level grows dense */
#define UNIT           8u
#define CAPACITY_MIN   ((size_t)64 << 10)
#define CAPACITY_LIMIT ((uint64_t)32 << 30)

typedef struct node {
    uint64_t prefix; /* head of the key behind its keyspace */
    uint64_t seq_kind;
    uint32_t keyspace;
    uint32_t key_size;
    uint32_t value_size;
    uint32_t height;
    _Atomic uint32_t next[]; /* height of them, then key and value */
} node;

#define NODE_BYTES_MAX (sizeof(node) + HEIGHT_MAX * sizeof(uint32_t) + UNIT - 1)
#define LIST_BYTES     (UNIT + pt_round_up(NODE_BYTES_MAX, UNIT))

struct pt_skiplist {
    const pt_env *env; /* fixed: env, arena, capacity */
    uint8_t *arena;
    size_t capacity;
    atomic_uint refs;
    _Atomic uint64_t reserved; /* bytes promised, the list's head included */
    _Atomic uint64_t tail;     /* units handed out */
    _Atomic uint64_t entries;
    _Atomic uint64_t tombstones;
    _Atomic uint64_t key_bytes;
    _Atomic uint64_t value_bytes;
};

/* What is looked for: the first node at or behind (key, seq). */
typedef struct target {
    pt_slice key;
    uint64_t prefix;
    uint64_t seq;
    uint32_t keyspace;
} target;

static node *node_at(const pt_skiplist *m, uint32_t offset)
{
    return (node *)(void *)(m->arena + (size_t)offset * UNIT);
}

static node *list_head(const pt_skiplist *m)
{
    return node_at(m, 1);
}

static uint32_t next_of(const node *n, unsigned level)
{
    /* acquire: pairs with the compare-and-swap that published the node */
    return atomic_load_explicit(&n->next[level], memory_order_acquire);
}

static pt_slice node_key(const node *n)
{
    return pt_slice_of((const uint8_t *)&n->next[n->height], n->key_size);
}

static void node_entry(const node *n, pt_entry *ret_entry)
{
    ret_entry->key = node_key(n);
    ret_entry->value = pt_slice_of(ret_entry->key.data + n->key_size, n->value_size);
    ret_entry->seq = n->seq_kind >> 8;
    ret_entry->kind = (pt_kind)(n->seq_kind & 0xff);
}

static target target_of(pt_slice key, uint64_t seq)
{
    PT_ASSERT(key.size >= PT_KEYSPACE_BYTES, "a key has its keyspace");
    return (target){.key = key,
                    .prefix =
                        pt_key_head(key.data + PT_KEYSPACE_BYTES, key.size - PT_KEYSPACE_BYTES),
                    .seq = seq,
                    .keyspace = pt_get_be32(key.data)};
}

/* True when the node stands before the target: smaller key, or the same key and newer. */
static bool node_before(const node *n, const target *t)
{
    if (n->keyspace != t->keyspace)
        return n->keyspace < t->keyspace;
    if (n->prefix != t->prefix)
        return n->prefix < t->prefix;
    int c = pt_slice_compare(node_key(n), t->key);
    return c != 0 ? c < 0 : n->seq_kind >> 8 > t->seq;
}

/* Moves *io_at to the last node before the target on this level; returns what follows it. */
static uint32_t walk_level(const pt_skiplist *m, const target *t, unsigned level, node **io_at)
{
    uint32_t next = next_of(*io_at, level);
    while (next != 0 && node_before(node_at(m, next), t)) {
        *io_at = node_at(m, next);
        next = next_of(*io_at, level);
    }
    return next;
}

static uint32_t find_at_or_behind(const pt_skiplist *m, const target *t)
{
    node *at = list_head(m);
    for (unsigned level = HEIGHT_MAX - 1; level > 0; level--)
        (void)walk_level(m, t, level, &at); /* only the place matters above the ground */
    return walk_level(m, t, 0, &at);
}

static node *find_before(const pt_skiplist *m, const target *t)
{
    node *at = list_head(m);
    for (unsigned level = HEIGHT_MAX; level-- > 0;)
        (void)walk_level(m, t, level, &at); /* only the place matters */
    return at;
}

static uint64_t entries_worst_bytes(uint64_t count, uint64_t key_bytes, uint64_t value_bytes)
{
    return count * NODE_BYTES_MAX + key_bytes + value_bytes;
}

static node *node_new(pt_skiplist *m, unsigned height, size_t key_size, size_t value_size,
                      uint32_t *ret_offset)
{
    size_t bytes = sizeof(node) + height * sizeof(uint32_t) + key_size + value_size;
    uint64_t units = pt_round_up(bytes, UNIT) / UNIT;
    uint64_t at = atomic_fetch_add_explicit(&m->tail, units, memory_order_relaxed);
    PT_ASSERT((at + units) * UNIT <= m->capacity, "what was reserved fits");
    *ret_offset = (uint32_t)at;
    node *n = node_at(m, *ret_offset);
    n->height = height;
    n->key_size = (uint32_t)key_size;
    n->value_size = (uint32_t)value_size;
    return n;
}

peat_rc pt_skiplist_new(const pt_env *env, size_t capacity_bytes, pt_skiplist **ret_memtable)
{
    if (capacity_bytes < CAPACITY_MIN || capacity_bytes > CAPACITY_LIMIT)
        return PEAT_INVALID;
    pt_skiplist *m = pt_alloc_zero(env, sizeof *m);
    if (m == NULL)
        return PEAT_NOMEM;
    m->env = env;
    m->capacity = capacity_bytes;
    m->arena = env->map(env->ctx, capacity_bytes);
    if (m->arena == NULL) {
        pt_free(env, m);
        return PEAT_NOMEM;
    }
    atomic_init(&m->refs, 1);
    atomic_init(&m->tail, 1);
    atomic_init(&m->reserved, LIST_BYTES);
    uint32_t offset;
    (void)node_new(m, HEIGHT_MAX, 0, 0, &offset); /* zeroed links: an empty list */
    PT_ASSERT(offset == 1, "the head comes first");
    *ret_memtable = m;
    return PEAT_OK;
}

pt_skiplist *pt_skiplist_ref(pt_skiplist *m)
{
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void pt_skiplist_unref(pt_skiplist *m)
{
    if (m == NULL || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
        return;
    m->env->unmap(m->env->ctx, m->arena, m->capacity);
    pt_free(m->env, m);
}

size_t pt_skiplist_capacity_for(uint64_t count, uint64_t key_bytes, uint64_t value_bytes)
{
    uint64_t need = LIST_BYTES + entries_worst_bytes(count, key_bytes, value_bytes);
    return (size_t)pt_max_u64(need, CAPACITY_MIN);
}

bool pt_skiplist_reserve(pt_skiplist *m, uint64_t count, uint64_t key_bytes, uint64_t value_bytes)
{
    if (count > m->capacity || key_bytes > m->capacity || value_bytes > m->capacity)
        return false;
    uint64_t need = entries_worst_bytes(count, key_bytes, value_bytes);
    uint64_t was = atomic_load_explicit(&m->reserved, memory_order_relaxed);
    do {
        if (was + need > m->capacity)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&m->reserved, &was, was + need,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

static unsigned random_height(const pt_skiplist *m)
{
    uint64_t r = pt_mix(atomic_load_explicit(&m->tail, memory_order_relaxed));
    unsigned height = 1;
    while (height < HEIGHT_MAX && (r & 3) == 0) {
        height++;
        r >>= 2;
    }
    return height;
}

static void count_entry(pt_skiplist *m, const pt_entry *entry)
{
    atomic_fetch_add_explicit(&m->entries, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->key_bytes, entry->key.size, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->value_bytes, entry->value.size, memory_order_relaxed);
    if (entry->kind == PT_KIND_DELETE)
        atomic_fetch_add_explicit(&m->tombstones, 1, memory_order_relaxed);
}

static void link_node(pt_skiplist *m, node *n, uint32_t offset, const target *t)
{
    node *before[HEIGHT_MAX];
    uint32_t behind[HEIGHT_MAX];
    node *at = list_head(m);
    for (unsigned level = HEIGHT_MAX; level-- > 0;) {
        behind[level] = walk_level(m, t, level, &at);
        before[level] = at;
    }
    for (unsigned level = 0; level < n->height; level++) {
        for (;;) {
            atomic_store_explicit(&n->next[level], behind[level], memory_order_relaxed);
            /* release: pairs with next_of; the node is complete */
            if (atomic_compare_exchange_strong_explicit(&before[level]->next[level], &behind[level],
                                                        offset, memory_order_release,
                                                        memory_order_acquire))
                break;
            behind[level] = walk_level(m, t, level, &before[level]);
        }
    }
}

void pt_skiplist_add(pt_skiplist *m, const pt_entry *entry)
{
    PT_DCHECK(entry->seq <= PT_SEQ_MAX, "a sequence");
    target t = target_of(entry->key, entry->seq);
    uint32_t offset;
    node *n = node_new(m, random_height(m), entry->key.size, entry->value.size, &offset);
    n->prefix = t.prefix;
    n->keyspace = t.keyspace;
    n->seq_kind = entry->seq << 8 | (uint64_t)entry->kind;
    uint8_t *bytes = (uint8_t *)&n->next[n->height];
    memcpy(bytes, entry->key.data, entry->key.size);
    if (entry->value.size != 0)
        memcpy(bytes + entry->key.size, entry->value.data, entry->value.size);
    link_node(m, n, offset, &t);
    count_entry(m, entry);
}

bool pt_skiplist_get(const pt_skiplist *m, pt_slice key, uint64_t seq_max, pt_entry *ret_entry)
{
    target t = target_of(key, seq_max);
    uint32_t offset = find_at_or_behind(m, &t);
    if (offset == 0 || !pt_slice_equal(node_key(node_at(m, offset)), key))
        return false;
    node_entry(node_at(m, offset), ret_entry);
    return true;
}

void pt_skiplist_get_stats(const pt_skiplist *m, pt_memtable_stats *ret_stats)
{
    *ret_stats = (pt_memtable_stats){
        .used_bytes = (size_t)atomic_load_explicit(&m->reserved, memory_order_relaxed),
        .capacity_bytes = m->capacity,
        .entries = atomic_load_explicit(&m->entries, memory_order_relaxed),
        .tombstones = atomic_load_explicit(&m->tombstones, memory_order_relaxed),
        .key_bytes = atomic_load_explicit(&m->key_bytes, memory_order_relaxed),
        .value_bytes = atomic_load_explicit(&m->value_bytes, memory_order_relaxed),
    };
}

typedef struct list_iter {
    pt_iter base;
    pt_skiplist *m;
    const node *at;
} list_iter;

static list_iter *list_iter_of(pt_iter *it)
{
    return PT_CONTAINER(it, list_iter, base);
}

static peat_rc iter_stand_on(list_iter *it, const node *n)
{
    if (n == NULL || n == list_head(it->m))
        return PEAT_END;
    it->at = n;
    node_entry(n, &it->base.at);
    return PEAT_OK;
}

static peat_rc iter_stand_on_offset(list_iter *it, uint32_t offset)
{
    return iter_stand_on(it, offset ? node_at(it->m, offset) : NULL);
}

static peat_rc iter_last(pt_iter *base)
{
    list_iter *it = list_iter_of(base);
    node *at = list_head(it->m);
    for (unsigned level = HEIGHT_MAX; level-- > 0;)
        for (uint32_t next; (next = next_of(at, level)) != 0;)
            at = node_at(it->m, next);
    return iter_stand_on(it, at);
}

static peat_rc iter_seek(pt_iter *base, pt_slice key)
{
    list_iter *it = list_iter_of(base);
    target t = target_of(key, PT_SEQ_MAX);
    return iter_stand_on_offset(it, find_at_or_behind(it->m, &t));
}

static peat_rc iter_seek_for_prev(pt_iter *base, pt_slice key)
{
    list_iter *it = list_iter_of(base);
    target t = target_of(key, 0);
    uint32_t offset = find_at_or_behind(it->m, &t); /* sequence 0 itself belongs to the key too */
    if (offset != 0 && pt_slice_equal(node_key(node_at(it->m, offset)), key))
        return iter_stand_on_offset(it, offset);
    return iter_stand_on(it, find_before(it->m, &t));
}

static peat_rc iter_next(pt_iter *base)
{
    list_iter *it = list_iter_of(base);
    return iter_stand_on_offset(it, next_of(it->at, 0));
}

static peat_rc iter_prev(pt_iter *base)
{
    list_iter *it = list_iter_of(base);
    target t = target_of(base->at.key, base->at.seq);
    return iter_stand_on(it, find_before(it->m, &t));
}

static void iter_done(pt_iter *base)
{
    list_iter *it = list_iter_of(base);
    pt_skiplist *m = it->m;
    pt_free(m->env, it);
    pt_skiplist_unref(m);
}

static const pt_iter_ops list_iter_ops = {
    .last = iter_last,
    .seek = iter_seek,
    .seek_for_prev = iter_seek_for_prev,
    .next = iter_next,
    .prev = iter_prev,
    .done = iter_done,
};

peat_rc pt_skiplist_iter_new(pt_skiplist *m, pt_iter **ret_iter)
{
    list_iter *it = pt_alloc_zero(m->env, sizeof *it);
    if (it == NULL)
        return PEAT_NOMEM;
    it->base.ops = &list_iter_ops;
    it->m = pt_skiplist_ref(m);
    *ret_iter = &it->base;
    return PEAT_OK;
}
