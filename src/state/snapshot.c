/* SPDX-License-Identifier: MIT */
/*
 * snapshot.c - see snapshot.h. A ring sorted by sequence. What is of now goes to its end, because
 * the published order only grows; a reader at an open snapshot looks for its place from there.
 */
#include "state/snapshot.h"

static void insert_before(pt_snapshot_link *at, pt_snapshot_link *link)
{
    link->prev = at->prev;
    link->next = at;
    at->prev->next = link;
    at->prev = link;
}

void pt_snapshot_link_add(pt_store *s, pt_snapshot_link *link)
{
    pt_mutex_lock(&s->snapshots.mu);
    /* acquire: pairs with the publishing store, so that what this sequence covers is seen */
    link->seq = atomic_load_explicit(&s->published.seq, memory_order_acquire);
    PT_ASSERT(s->snapshots.ring.prev == &s->snapshots.ring ||
                  s->snapshots.ring.prev->seq <= link->seq,
              "I18: snapshots ascend, as the published order does");
    insert_before(&s->snapshots.ring, link);
    s->snapshots.count++;
    pt_mutex_unlock(&s->snapshots.mu);
}

void pt_snapshot_link_add_at(pt_store *s, pt_snapshot_link *link, uint64_t seq)
{
    pt_mutex_lock(&s->snapshots.mu);
    PT_DCHECK(seq <= atomic_load(&s->published.seq), "I18: a snapshot is of what was published");
    link->seq = seq;
    pt_snapshot_link *at = &s->snapshots.ring;
    while (at->prev != &s->snapshots.ring && at->prev->seq > seq)
        at = at->prev;
    insert_before(at, link);
    s->snapshots.count++;
    pt_mutex_unlock(&s->snapshots.mu);
}

void pt_snapshot_link_remove(pt_store *s, pt_snapshot_link *link)
{
    pt_mutex_lock(&s->snapshots.mu);
    PT_ASSERT(s->snapshots.count != 0 && link->prev->next == link,
              "I18: a snapshot is registered until it is closed");
    link->prev->next = link->next;
    link->next->prev = link->prev;
    s->snapshots.count--;
    pt_mutex_unlock(&s->snapshots.mu);
    pt_snapshot_released(s, link->seq);
}

peat_rc pt_snapshot_list(pt_store *s, uint64_t **ret_seqs, size_t *ret_count)
{
    peat_rc rc = PEAT_OK;
    size_t n = 0;
    pt_mutex_lock(&s->snapshots.mu);
    uint64_t *seqs = (uint64_t *)pt_alloc(s->env, s->snapshots.count * sizeof *seqs);
    if (seqs == NULL)
        rc = PEAT_NOMEM;
    for (pt_snapshot_link *l = s->snapshots.ring.next; rc == PEAT_OK && l != &s->snapshots.ring;
         l = l->next)
        if (n == 0 || seqs[n - 1] != l->seq)
            seqs[n++] = l->seq;
    PT_ASSERT(n <= s->snapshots.count, "I18: the list has what is counted");
    pt_mutex_unlock(&s->snapshots.mu);
    if (rc == PEAT_OK) {
        *ret_seqs = seqs;
        *ret_count = n;
    }
    return rc;
}

/* So many iterators at one sequence are passed, no more: the lock is everybody's. */
#define LINKS_LOOKED_AT 256u

size_t pt_snapshot_oldest(pt_store *s, uint64_t *ret_seqs, size_t max, bool *ret_more)
{
    size_t n = 0, looks = 0;
    pt_mutex_lock(&s->snapshots.mu);
    const pt_snapshot_link *l = s->snapshots.ring.next;
    for (; l != &s->snapshots.ring && looks < LINKS_LOOKED_AT; l = l->next, looks++) {
        if (n != 0 && ret_seqs[n - 1] == l->seq)
            continue;
        if (n == max)
            break;
        ret_seqs[n++] = l->seq;
    }
    *ret_more = l != &s->snapshots.ring;
    pt_mutex_unlock(&s->snapshots.mu);
    return n;
}

void pt_snapshot_released(pt_store *s, uint64_t seq)
{
    /* seq_cst: see note_held_back (work/threads.c) */
    if (PT_LIKELY(!atomic_load(&s->snapshots.held_back)) || atomic_load(&s->closed))
        return;
    if (seq >= atomic_load(&s->snapshots.held_before) && !pt_open_tables_has_trash(&s->open_tables))
        return;
    if (atomic_exchange(&s->snapshots.held_back, false))
        s->background.wake(s);
}
