/* SPDX-License-Identifier: MIT */
/*
 * tree.h - the memtable's B+tree: nodes, how they are read while others write, and the struct that
 * holds it all. For the files of src/mem only.
 *
 * A node holds ascending slots: the head of a key (8 bytes behind the node's `skip`, big-endian)
 * and the offset of the record with the whole key. Heads are compared first, keys on ties only.
 * `skip` bytes are common to every key that can come to stand in the node:
 *   a node between two fences (keys >= `lo`, < `hi`) may skip what the fences have in common;
 *   a node at the left or right edge skips what *all* keys of the memtable have in common, the
 *   tree's prefix. A key outside the prefix first shortens it, which rewrites the heads of the
 *   edges; a lookup outside the prefix is answered without the tree.
 *
 * Reading is optimistic (Leis et al., "The ART of practical synchronization", 2016): remember the
 * version, read, check that the version is the same. An odd version means locked.
 *   1. Every word of a node that a reader may see is atomic. Reads are acquire, writes release: a
 *      read that met a write also meets the lock before it, so the version check cannot miss it.
 *      (Fences would do, but ThreadSanitizer does not follow them; on x86-64 both are plain moves.)
 *   2. Offsets found in a node always lead to a node or a complete record, however torn the rest:
 *      nothing moves or is freed, and slots below a count were written before it.
 *   3. A record found with the right key is the key's record for good: no check is needed then.
 *   4. Going down, the child's version is read before the parent's is checked.
 * Writing: an insert locks one leaf. Whatever changes the shape (splits, the prefix) holds `shape`
 * and then locks a leaf, the new one beside it, and their parent at most; inner nodes change under
 * `shape` only. A node is complete, or locked, before anything leads to it.
 */
#ifndef PT_MEM_TREE_H
#define PT_MEM_TREE_H

#include "base/coding.h"
#include "base/sync.h"
#include "mem/memtable.h"
#include "mem/versions.h"

typedef struct pt_node {
    _Atomic uint64_t version; /* odd: locked */
    _Atomic uint32_t count;   /* slots in use */
    _Atomic uint32_t skip;
    _Atomic uint32_t lo, hi; /* fences: records, or 0 at the edge; a leaf's lo never changes */
} pt_node;

#define PT_LEAF_SLOTS                                                                              \
    ((PT_LEAF_BYTES - sizeof(pt_node) - 2 * sizeof(uint32_t)) /                                    \
     (sizeof(uint64_t) + sizeof(uint32_t)))
#define PT_INNER_SLOTS                                                                             \
    ((PT_INNER_BYTES - sizeof(pt_node) - 2 * sizeof(uint32_t)) /                                   \
     (sizeof(uint64_t) + 2 * sizeof(uint32_t)))

typedef struct pt_leaf {
    pt_node node;
    _Atomic uint32_t next; /* the leaf whose lo is our hi */
    _Atomic uint32_t prev; /* our left neighbour or, while it splits, a leaf left of it */
    _Atomic uint64_t heads[PT_LEAF_SLOTS];
    _Atomic uint32_t records[PT_LEAF_SLOTS];
} pt_leaf;

/* Child i holds keys >= separator i - 1 and < separator i. References carry PT_REF_LEAF. */
typedef struct pt_inner {
    pt_node node;
    _Atomic uint32_t first_child;
    uint32_t unused;
    _Atomic uint64_t heads[PT_INNER_SLOTS];
    _Atomic uint32_t separators[PT_INNER_SLOTS];
    _Atomic uint32_t children[PT_INNER_SLOTS]; /* right of the separator */
} pt_inner;

/* What free slots hold as their head, so that searches need not look at the count. */
#define PT_HEAD_FREE UINT64_MAX

/* Nodes are cache-line aligned, so references count 64 bytes and leave room for a mark. */
#define PT_REF_LEAF  (UINT32_C(1) << 31)
#define PT_REF_UNITS (64 / PT_ARENA_UNIT)

_Static_assert(sizeof(pt_leaf) <= PT_LEAF_BYTES && PT_LEAF_BYTES % 64 == 0, "arena.h counts it");
_Static_assert(sizeof(pt_inner) <= PT_INNER_BYTES && PT_INNER_BYTES % 64 == 0, "and this");
_Static_assert(PT_LEAF_SLOTS / 2 >= PT_LEAF_FILL_MIN, "halves of a full leaf");
_Static_assert(PT_INNER_SLOTS - PT_INNER_SLOTS / 2 >= PT_INNER_FILL_MIN, "the smaller half");

struct pt_memtable {
    pt_arena arena;
    pt_mutex shape;
    uint32_t stock_leaf; /* guarded by shape: a leaf taken and not needed, or 0 */
    atomic_uint refs;
    pt_memtable_pool *pool;      /* NULL: the mapping is this memtable's alone */
    uint64_t unused[8];          /* readers' words apart from writers' */
    uint32_t left_leaf;          /* fixed: splits go to the right, so it is the first leaf ever */
    _Atomic uint32_t root;       /* reference; written under shape, as the next three */
    _Atomic uint32_t right_leaf; /* reference of the right edge */
    _Atomic uint32_t prefix_record; /* its first prefix_size bytes are the prefix; 0: no keys yet */
    _Atomic uint32_t prefix_size;   /* only shrinks */
};

/* Where a key is or belongs. */
typedef struct pt_place {
    pt_leaf *leaf;
    uint64_t version; /* of the leaf, when `at` was right */
    uint64_t head;
    uint32_t at;     /* slots before the key */
    uint32_t count;  /* slots of the leaf */
    uint32_t record; /* the key's record, or 0: not there, if the version still holds */
} pt_place;

void pt_tree_init(pt_memtable *m);
/* tree_add.c. The record is complete; `key` is its key. */
void pt_tree_add(pt_memtable *m, pt_slice key, uint32_t record);
/* These two only for keys within the prefix (pt_tree_side). The leaf where the key belongs, and its
 * version at a time when it did. */
void pt_tree_descend(const pt_memtable *m, pt_slice key, pt_leaf **ret_leaf, uint64_t *ret_version);
void pt_tree_find(const pt_memtable *m, pt_slice key, pt_place *ret_place);

/* Shared by the files of the tree. */
void pt_node_wait(const pt_memtable *m, unsigned *io_tries);
void pt_leaf_search(const pt_memtable *m, pt_leaf *leaf, pt_slice key, pt_place *ret_place);
/* The record of the first slot whose head is the key's; 0: none. It may be another key's. */
uint32_t pt_leaf_candidate(const pt_leaf *leaf, pt_slice key);
pt_inner *pt_inner_search(const pt_memtable *m, uint32_t ref, pt_slice key, uint32_t *ret_at);
uint32_t pt_leaf_new(pt_memtable *m); /* references; under shape */
uint32_t pt_inner_new(pt_memtable *m);

static inline uint32_t pt_load32(const _Atomic uint32_t *p)
{
    return atomic_load_explicit(p, memory_order_acquire);
}

static inline uint64_t pt_load64(const _Atomic uint64_t *p)
{
    return atomic_load_explicit(p, memory_order_acquire);
}

static inline void pt_store32(_Atomic uint32_t *p, uint32_t v)
{
    atomic_store_explicit(p, v, memory_order_release);
}

static inline void pt_store64(_Atomic uint64_t *p, uint64_t v)
{
    atomic_store_explicit(p, v, memory_order_release);
}

static inline bool pt_ref_is_leaf(uint32_t ref)
{
    return (ref & PT_REF_LEAF) != 0;
}

static inline void *pt_ref_at(const pt_memtable *m, uint32_t ref)
{
    return pt_arena_at(&m->arena, (ref & ~PT_REF_LEAF) * PT_REF_UNITS);
}

static inline pt_slice pt_key_at(const pt_memtable *m, uint32_t record)
{
    return pt_record_key(pt_record_at(&m->arena, record));
}

static inline uint32_t pt_inner_child(const pt_inner *inner, uint32_t at)
{
    return pt_load32(at == 0 ? &inner->first_child : &inner->children[at - 1]);
}

/* All lines of a node at once: they arrive together, about 15 ns apart, while each one fetched when
 * the search gets there would cost a full miss. */
static inline void pt_node_prefetch(const pt_memtable *m, uint32_t ref)
{
    const uint8_t *p = (const uint8_t *)pt_ref_at(m, ref);
    size_t bytes = pt_ref_is_leaf(ref) ? PT_LEAF_BYTES : PT_INNER_BYTES / 2;
    for (size_t i = 0; i < bytes; i += 64)
        PT_PREFETCH(p + i);
}

/* <0, 0, >0: the key is before, within, behind the keys that share the tree's prefix. *ret_empty:
 * there are no keys at all. */
static inline int pt_tree_side(const pt_memtable *m, pt_slice key, bool *ret_empty)
{
    uint32_t record = pt_load32(&m->prefix_record);
    *ret_empty = record == 0;
    if (record == 0)
        return 0;
    size_t size = pt_load32(&m->prefix_size);
    int c = memcmp(key.data, pt_key_at(m, record).data, key.size < size ? key.size : size);
    return c != 0 ? c : -(key.size < size);
}

/* Zero for a key shorter than `skip`, which a reader of a changing node may meet. */
static inline uint64_t pt_head_behind(pt_slice key, uint32_t skip)
{
    return key.size > skip ? pt_key_head(key.data + skip, key.size - skip) : 0;
}

static inline uint64_t pt_node_version(const pt_memtable *m, const pt_node *n)
{
    uint64_t v = pt_load64(&n->version);
    for (unsigned tries = 0; PT_UNLIKELY(v & 1); v = pt_load64(&n->version))
        pt_node_wait(m, &tries);
    return v;
}

static inline bool pt_node_unchanged(const pt_node *n, uint64_t version)
{
    /* relaxed would do: the reads before it are acquire and stay before it */
    return pt_load64(&n->version) == version;
}

static inline bool pt_node_try_lock(pt_node *n, uint64_t version)
{
    /* acquire: pairs with the unlock; what follows writes with release and stays behind it */
    return atomic_compare_exchange_strong_explicit(&n->version, &version, version + 1,
                                                   memory_order_acquire, memory_order_relaxed);
}

/* Returns the version to unlock with. */
static inline uint64_t pt_node_lock(const pt_memtable *m, pt_node *n)
{
    for (;;) {
        uint64_t v = pt_node_version(m, n);
        if (pt_node_try_lock(n, v))
            return v + 2;
    }
}

static inline void pt_node_unlock(pt_node *n, uint64_t version)
{
    PT_DCHECK(pt_load64(&n->version) + 1 == version, "a node is unlocked once, by who locked it");
    pt_store64(&n->version, version);
}

#endif
