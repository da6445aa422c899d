/* SPDX-License-Identifier: MIT */
/*
 * merge_iter.c - see merge_iter.h: a loser tree over the children's keys.
 *
 * Each child has a card: the first 12 bytes of its key as (keyspace, head), complemented when
 * walking backward, so that the smaller card goes first in both directions. Ties are settled by the
 * whole keys, then by the child's index. Inner node i of the tree (1 <= i < n) holds the child that
 * lost there, its children are nodes 2i and 2i + 1, and leaf n + c is child c; the overall winner
 * stands apart.
 *
 * Galloping: once a child has won twice in a row its rival (the best of the others, found on its
 * way to the root) is remembered, and as long as the winner stays before the rival one comparison
 * of cards replaces the way through the tree. The rival does not move meanwhile.
 *
 * Invariants while state is PEAT_OK: every child stands on its next entry in walking direction or
 * is spent, and no two cards are out of order with the tree. Any other state: `at` means nothing,
 * and only the four positioning calls lead out of it.
 */
#include "entry/merge_iter.h"

#include "base/coding.h"

#define NO_CHILD UINT32_MAX

typedef struct card {
    uint64_t head;
    uint32_t keyspace;
    bool spent; /* no entry left in this direction: keyspace and head are all ones */
    pt_iter *child;
} card;

typedef struct merge_iter {
    pt_iter base;
    const pt_env *env;
    peat_rc state; /* PEAT_OK: on an entry */
    bool backward;
    bool borrows; /* the children are not its own */
    uint32_t n, capacity;
    uint32_t winner;
    uint32_t rival; /* NO_CHILD: not known */
    uint32_t *tree; /* n losers, [0] unused; behind the cards in the same allocation */
    card cards[];
} merge_iter;

static merge_iter *of(pt_iter *it)
{
    return PT_CONTAINER(it, merge_iter, base);
}

static inline void write_card(card *c, bool backward)
{
    pt_slice key = c->child->at.key;
    uint64_t flip = backward ? UINT64_MAX : 0;
    if (PT_LIKELY(key.size >= PT_KEYSPACE_BYTES + 8)) {
        c->keyspace = pt_get_be32(key.data) ^ (uint32_t)flip;
        c->head = pt_get_be64(key.data + PT_KEYSPACE_BYTES) ^ flip;
    } else {
        size_t n = key.size < PT_KEYSPACE_BYTES ? key.size : PT_KEYSPACE_BYTES;
        c->keyspace = (uint32_t)(pt_key_head(key.data, n) >> 32) ^ (uint32_t)flip;
        c->head = pt_key_head(key.data + n, key.size - n) ^ flip;
    }
    c->spent = false;
}

/* The cards are equal: does child a go before child b? */
static bool before_on_tie(const merge_iter *m, uint32_t a, uint32_t b)
{
    const card *ca = &m->cards[a], *cb = &m->cards[b];
    if (ca->spent || cb->spent)
        return !ca->spent;
    int c = pt_slice_compare(ca->child->at.key, cb->child->at.key);
    if (c == 0)
        c = a < b ? -1 : 1;
    return (c < 0) != m->backward;
}

static inline bool before(const merge_iter *m, uint32_t a, uint32_t b)
{
    const card *ca = &m->cards[a], *cb = &m->cards[b];
    if (PT_UNLIKELY(ca->keyspace != cb->keyspace))
        return ca->keyspace < cb->keyspace;
    if (PT_LIKELY(ca->head != cb->head))
        return ca->head < cb->head;
    return before_on_tie(m, a, b);
}

/* Child c has a new card: plays it from its leaf to the root. */
static void replay(merge_iter *m, uint32_t c)
{
    for (uint32_t node = (m->n + c) / 2; node != 0; node /= 2) {
        uint32_t other = m->tree[node];
        if (before(m, other, c)) {
            m->tree[node] = c;
            c = other;
        }
    }
    m->winner = c;
}

/* Plays all games below `node` and leaves the losers; returns the winner. Depth is log2(n). */
static uint32_t play(merge_iter *m, uint32_t node)
{
    if (node >= m->n)
        return node - m->n;
    uint32_t a = play(m, 2 * node);
    uint32_t b = play(m, 2 * node + 1);
    bool a_wins = before(m, a, b);
    m->tree[node] = a_wins ? b : a;
    return a_wins ? a : b;
}

/* The best of those the winner met. */
static uint32_t find_rival(const merge_iter *m)
{
    uint32_t node = (m->n + m->winner) / 2;
    uint32_t best = m->tree[node];
    while ((node /= 2) != 0)
        if (before(m, m->tree[node], best))
            best = m->tree[node];
    return best;
}

/* Shows the winner's entry, or the end. */
static peat_rc show(merge_iter *m)
{
    const card *c = &m->cards[m->winner];
    m->state = c->spent ? PEAT_END : PEAT_OK;
    if (PT_LIKELY(!c->spent))
        pt_entry_copy(&m->base.at, &c->child->at);
    return m->state;
}

/* A child has moved with this result. An error is kept as the state. */
static bool take(merge_iter *m, uint32_t i, peat_rc rc)
{
    card *c = &m->cards[i];
    if (PT_LIKELY(rc == PEAT_OK)) {
        write_card(c, m->backward);
        return true;
    }
    c->spent = true;
    c->keyspace = UINT32_MAX;
    c->head = UINT64_MAX;
    if (rc == PEAT_END)
        return true;
    m->state = rc;
    return false;
}

static peat_rc build(merge_iter *m)
{
    m->winner = play(m, 1);
    m->rival = NO_CHILD;
    return show(m);
}

typedef enum place { LAST, SEEK, SEEK_FOR_PREV } place;

static peat_rc put_child(pt_iter *child, place where, pt_slice key)
{
    if (where == LAST)
        return pt_iter_last(child);
    return where == SEEK ? pt_iter_seek(child, key) : pt_iter_seek_for_prev(child, key);
}

static peat_rc put_all(merge_iter *m, place where, pt_slice key)
{
    m->backward = where == LAST || where == SEEK_FOR_PREV;
    for (uint32_t i = 0; i < m->n; i++)
        if (!take(m, i, put_child(m->cards[i].child, where, key)))
            return m->state;
    return m->n == 0 ? PEAT_END : build(m);
}

static peat_rc step(pt_iter *child, bool backward)
{
    return backward ? pt_iter_prev(child) : pt_iter_next(child);
}

/* Puts a child that does not stand on the current entry next to it in the new direction. Newer
 * children hold the current key before the entry, older ones behind it. */
static peat_rc put_beside(pt_iter *child, bool newer, bool backward, pt_slice key)
{
    peat_rc rc = put_child(child, backward ? SEEK_FOR_PREV : SEEK, key);
    bool keep_equal = newer == backward;
    while (rc == PEAT_OK && !keep_equal && pt_slice_equal(child->at.key, key))
        rc = step(child, backward);
    return rc;
}

static peat_rc turn(merge_iter *m)
{
    uint32_t current = m->winner;
    pt_slice key = m->base.at.key; /* in the winner's memory, which moves last */
    m->backward = !m->backward;
    for (uint32_t i = 0; i < m->n; i++) {
        pt_iter *child = m->cards[i].child;
        if (i != current && !take(m, i, put_beside(child, i < current, m->backward, key)))
            return m->state;
    }
    if (!take(m, current, step(m->cards[current].child, m->backward)))
        return m->state;
    return build(m);
}

/* The winner stood before the others and has moved: who is next? */
static peat_rc contest(merge_iter *m)
{
    uint32_t w = m->winner;
    PT_DCHECK(w < m->n, "the winner is a child");
    replay(m, w);
    m->rival = m->winner == w ? find_rival(m) : NO_CHILD;
    return show(m);
}

static inline peat_rc advance(merge_iter *m, bool backward)
{
    if (PT_UNLIKELY(m->state != PEAT_OK))
        return m->state;
    if (PT_UNLIKELY(m->backward != backward))
        return turn(m);
    uint32_t w = m->winner;
    card *c = &m->cards[w];
    PT_DCHECK(!c->spent, "I7: the entry shown is a child's");
    PT_DCHECK(m->rival == NO_CHILD || before(m, w, m->rival),
              "I7: no child stands before the one that is shown");
    peat_rc rc = step(c->child, backward);
    if (PT_UNLIKELY(rc != PEAT_OK))
        return take(m, w, rc) ? contest(m) : m->state;
    write_card(c, backward);
    if (PT_UNLIKELY(m->rival == NO_CHILD || !before(m, w, m->rival)))
        return contest(m);
    pt_entry_copy(&m->base.at, &c->child->at);
    return PEAT_OK;
}

static peat_rc merge_last(pt_iter *it)
{
    return put_all(of(it), LAST, (pt_slice){0});
}

static peat_rc merge_seek(pt_iter *it, pt_slice key)
{
    return put_all(of(it), SEEK, key);
}

static peat_rc merge_seek_for_prev(pt_iter *it, pt_slice key)
{
    return put_all(of(it), SEEK_FOR_PREV, key);
}

static peat_rc merge_next(pt_iter *it)
{
    return advance(of(it), false);
}

static peat_rc merge_prev(pt_iter *it)
{
    return advance(of(it), true);
}

static void merge_done(pt_iter *it)
{
    merge_iter *m = of(it);
    for (uint32_t i = 0; i < m->n && !m->borrows; i++)
        pt_iter_done(m->cards[i].child);
    pt_free(m->env, m);
}

static const pt_iter_ops merge_ops = {
    .last = merge_last,
    .seek = merge_seek,
    .seek_for_prev = merge_seek_for_prev,
    .next = merge_next,
    .prev = merge_prev,
    .done = merge_done,
};

static merge_iter *merge_new(const pt_env *env, size_t n)
{
    PT_ASSERT(n < NO_CHILD / 2, "a child has a number");
    size_t cards_end = sizeof(merge_iter) + n * sizeof(card);
    merge_iter *m = pt_alloc(env, cards_end + n * sizeof(uint32_t));
    if (m == NULL)
        return NULL;
    *m = (merge_iter){.base = {.ops = &merge_ops}, .env = env, .capacity = (uint32_t)n};
    m->tree = (uint32_t *)(void *)((char *)m + cards_end);
    return m;
}

static void begin(merge_iter *m, pt_iter **children, size_t n)
{
    m->state = PEAT_END;
    m->backward = false;
    m->rival = NO_CHILD;
    m->n = (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        m->cards[i] = (card){.child = children[i], .spent = true};
}

peat_rc pt_merge_iter_new(const pt_env *env, pt_iter **children, size_t n, pt_iter **ret_iter)
{
    if (n == 1) {
        *ret_iter = children[0];
        return PEAT_OK;
    }
    merge_iter *m = merge_new(env, n);
    if (m == NULL)
        return PEAT_NOMEM;
    begin(m, children, n);
    *ret_iter = &m->base;
    return PEAT_OK;
}

peat_rc pt_merge_iter_again(const pt_env *env, pt_iter **children, size_t n, pt_iter **io_merge)
{
    merge_iter *m = *io_merge != NULL ? of(*io_merge) : NULL;
    if (m == NULL || m->capacity < n) {
        merge_iter *larger = merge_new(env, n);
        if (larger == NULL)
            return PEAT_NOMEM;
        pt_free(env, m);
        m = larger;
        m->borrows = true;
        *io_merge = &m->base;
    }
    begin(m, children, n);
    return PEAT_OK;
}

size_t pt_merge_iter_child(const pt_iter *it)
{
    if (it->ops != &merge_ops)
        return 0; /* the only child itself */
    return PT_CONTAINER(it, const merge_iter, base)->winner;
}
