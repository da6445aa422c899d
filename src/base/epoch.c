/* SPDX-License-Identifier: MIT */
/*
 * epoch.c - see epoch.h.
 *
 * Why it is right (C11, no fences). A writer unlinks an object and then advances `now` from E to
 * E + 1; a scan that declares E passed happens after that. For each slot the scan saw one of:
 *  (a) an epoch > E: that reader loaded `now` after the advance (acquire; the advance releases), so
 *      it sees the unlinked state, and all earlier users of the slot left before it claimed it.
 *  (b) 0, seen by a read-modify-write. It is one of the slot's ordered changes: earlier users
 *      left before it (their exit releases, it acquires), and a later claim reads from it or from a
 *      change after it (it releases, the claim acquires), so a later reader sees the unlinked state
 *      even when the epoch it announces is stale.
 * In (b) a plain load would not do: the claim and the load could each miss the other.
 * Whoever is told "passed" from the cached mark acquires it from the scan that set it.
 */
#include "base/epoch.h"

_Static_assert(sizeof(pt_epoch_slot) == 64, "slots do not share lines");
_Static_assert((PT_EPOCH_SLOTS & (PT_EPOCH_SLOTS - 1)) == 0, "slots are chosen by masking");

void pt_epoch_init(pt_epoch *e)
{
    for (unsigned i = 0; i < PT_EPOCH_SLOTS; i++)
        atomic_init(&e->slots[i].active, 0);
    atomic_init(&e->now, 1);
    atomic_init(&e->passed, 0);
    atomic_init(&e->overflow_readers, 0);
    atomic_init(&e->limbo_count, 0);
    pt_mutex_init(&e->mu);
    e->limbo_first = e->limbo_last = NULL;
}

static bool claim(pt_epoch_slot *slot, uint64_t epoch)
{
    uint64_t free = 0;
    /* acquire: pairs with the scan's read-modify-write (b); release: part of the slot's order */
    return atomic_compare_exchange_strong_explicit(&slot->active, &free, epoch,
                                                   memory_order_acq_rel, memory_order_relaxed);
}

unsigned pt_epoch_enter(pt_epoch *e)
{
    unsigned hint = (unsigned)(pt_thread_hint() >> 58) & (PT_EPOCH_SLOTS - 1);
    /* acquire: pairs with the advance (a) */
    uint64_t epoch = atomic_load_explicit(&e->now, memory_order_acquire);
    for (unsigned i = 0; i < PT_EPOCH_SLOTS; i++) {
        unsigned slot = (hint + i) & (PT_EPOCH_SLOTS - 1);
        if (PT_LIKELY(claim(&e->slots[slot], epoch)))
            return slot;
    }
    atomic_fetch_add_explicit(&e->overflow_readers, 1, memory_order_acq_rel); /* as claim */
    return PT_EPOCH_SLOTS;
}

void pt_epoch_exit(pt_epoch *e, unsigned slot)
{
    PT_DCHECK(slot >= PT_EPOCH_SLOTS ? atomic_load(&e->overflow_readers) != 0
                                     : atomic_load(&e->slots[slot].active) != 0,
              "I19: who leaves an epoch was in it");
    /* release: what this reader read comes before the scan that sees it gone */
    if (PT_LIKELY(slot < PT_EPOCH_SLOTS))
        atomic_store_explicit(&e->slots[slot].active, 0, memory_order_release);
    else
        atomic_fetch_sub_explicit(&e->overflow_readers, 1, memory_order_acq_rel);
}

uint64_t pt_epoch_advance(pt_epoch *e)
{
    return atomic_fetch_add_explicit(&e->now, 1, memory_order_acq_rel);
}

/* A plain load answers for a reader that is inside; only "free" has to be asked in order (b). */
static uint64_t look(_Atomic uint64_t *slot)
{
    uint64_t v = atomic_load_explicit(slot, memory_order_acquire);
    return v != 0 ? v : atomic_fetch_add_explicit(slot, 0, memory_order_acq_rel);
}

static void raise_passed(pt_epoch *e, uint64_t passed)
{
    uint64_t old = atomic_load_explicit(&e->passed, memory_order_relaxed);
    while (old < passed &&
           !atomic_compare_exchange_weak_explicit(&e->passed, &old, passed, memory_order_acq_rel,
                                                  memory_order_relaxed))
        continue;
}

bool pt_epoch_passed(pt_epoch *e, uint64_t epoch)
{
    if (epoch <= atomic_load_explicit(&e->passed, memory_order_acquire))
        return true;
    uint64_t oldest = atomic_load_explicit(&e->now, memory_order_acquire);
    PT_DCHECK(epoch < oldest, "an epoch is asked about after the advance that ended it");
    if (look(&e->overflow_readers) != 0)
        return false;
    for (unsigned i = 0; i < PT_EPOCH_SLOTS; i++) {
        uint64_t active = look(&e->slots[i].active);
        if (active == 0)
            continue;
        if (active <= epoch)
            return false;
        oldest = pt_min_u64(oldest, active);
    }
    raise_passed(e, oldest - 1);
    return true;
}

void pt_epoch_retire(pt_epoch *e, pt_retired *r, void (*release)(pt_retired *))
{
    r->next = NULL;
    r->release = release;
    pt_mutex_lock(&e->mu);
    r->epoch = pt_epoch_advance(e); /* under mu: the list is in order */
    PT_ASSERT(e->limbo_last == NULL || e->limbo_last->epoch < r->epoch,
              "I19: what was retired earlier comes first");
    if (e->limbo_last != NULL)
        e->limbo_last->next = r;
    else
        e->limbo_first = r;
    e->limbo_last = r;
    atomic_fetch_add_explicit(&e->limbo_count, 1, memory_order_relaxed);
    pt_mutex_unlock(&e->mu);
}

/* Takes the oldest part of the list that nobody can see any more. */
static pt_retired *take_passed(pt_epoch *e)
{
    pt_retired *first = NULL, *last = NULL;
    pt_mutex_lock(&e->mu);
    uint64_t n = 0;
    for (pt_retired *r = e->limbo_first; r != NULL && pt_epoch_passed(e, r->epoch); r = r->next) {
        last = r;
        n++;
    }
    PT_ASSERT(n <= atomic_load_explicit(&e->limbo_count, memory_order_relaxed),
              "I19: no more is taken than was retired");
    if (last != NULL) {
        first = e->limbo_first;
        e->limbo_first = last->next;
        if (e->limbo_first == NULL)
            e->limbo_last = NULL;
        last->next = NULL;
        atomic_fetch_sub_explicit(&e->limbo_count, n, memory_order_relaxed);
    }
    pt_mutex_unlock(&e->mu);
    return first;
}

static void release_all(pt_retired *r)
{
    while (r != NULL) {
        pt_retired *next = r->next; /* release frees r */
        r->release(r);
        r = next;
    }
}

void pt_epoch_collect(pt_epoch *e)
{
    /* relaxed: a hint; what was retired a moment ago is for the next collection */
    if (atomic_load_explicit(&e->limbo_count, memory_order_relaxed) != 0)
        release_all(take_passed(e));
}

void pt_epoch_done(pt_epoch *e)
{
    while (atomic_load(&e->limbo_count) != 0) { /* a release may retire more */
        pt_retired *r = take_passed(e);
        PT_ASSERT(r != NULL, "no reader is inside an epoch when it ends");
        release_all(r);
    }
    pt_mutex_done(&e->mu);
}
