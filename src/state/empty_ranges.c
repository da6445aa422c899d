/* SPDX-License-Identifier: MIT */
/* empty_ranges.c - see empty_ranges.h. */
#include "state/empty_ranges.h"

#include "entry/batch.h"

/* Puts after which a range that no walk has used is forgotten. Finding it again costs as many steps
 * as it has rows; what is watched meanwhile costs each put some tens of nanoseconds. */
#define PUTS_UNUSED_MAX 65536u
/* Puts that may cut it meanwhile: where they come one behind the other, at the end of a log, each
 * would leave a piece. */
#define CUTS_UNUSED_MAX 8u
/* What an iterator that lags further behind finds empty says little about now. */
#define LAG_MAX 4096u

void pt_empty_ranges_init(pt_empty_ranges *e, const pt_env *env, pt_mutex *order_mu,
                          const uint64_t *seq_next)
{
    e->env = env;
    e->order_mu = order_mu;
    e->seq_next = seq_next;
    pt_mutex_init(&e->mu);
    for (size_t i = 0; i < PT_EMPTY_RANGES_MAX; i++) {
        pt_bytes_init(&e->ranges[i].lower, env);
        pt_bytes_init(&e->ranges[i].upper, env);
    }
}

static void forget(pt_empty_range *r)
{
    r->state = PT_EMPTY_FREE;
    pt_bytes_done(&r->lower);
    pt_bytes_done(&r->upper);
}

void pt_empty_ranges_done(pt_empty_ranges *e)
{
    for (size_t i = 0; i < PT_EMPTY_RANGES_MAX; i++)
        forget(&e->ranges[i]);
    pt_mutex_done(&e->mu);
}

static bool is_watched(const pt_empty_range *r)
{
    return r->state == PT_EMPTY_PENDING || r->state == PT_EMPTY_KNOWN;
}

/* Caller holds mu, as in all that follows; commit_mu too when there may be more than before. */
static void count_watched(pt_empty_ranges *e)
{
    uint32_t n = 0;
    PT_DCHECK(pt_mutex_held(&e->mu), "mu guards the ranges");
    for (size_t i = 0; i < PT_EMPTY_RANGES_MAX; i++)
        n += is_watched(&e->ranges[i]);
    /* relaxed: whoever must see it grow holds commit_mu */
    atomic_store_explicit(&e->watched, n, memory_order_relaxed);
}

static bool contains_key(const pt_empty_range *r, pt_slice key)
{
    return pt_slice_compare(key, pt_bytes_slice(&r->lower)) >= 0 &&
           pt_slice_compare(key, pt_bytes_slice(&r->upper)) < 0;
}

static bool lies_within(const pt_empty_range *r, pt_slice lower, pt_slice upper)
{
    return pt_slice_compare(pt_bytes_slice(&r->lower), lower) >= 0 &&
           pt_slice_compare(pt_bytes_slice(&r->upper), upper) <= 0;
}

static bool covers(const pt_empty_range *r, pt_slice lower, pt_slice upper)
{
    return pt_slice_compare(pt_bytes_slice(&r->lower), lower) <= 0 &&
           pt_slice_compare(pt_bytes_slice(&r->upper), upper) >= 0;
}

static bool is_empty(const pt_empty_range *r)
{
    return pt_slice_compare(pt_bytes_slice(&r->lower), pt_bytes_slice(&r->upper)) >= 0;
}

static bool holds_at(const pt_empty_range *r, uint64_t seq)
{
    return r->state == PT_EMPTY_EXACT ? seq == r->seq : r->state == PT_EMPTY_KNOWN && seq >= r->seq;
}

static bool goes_before(const pt_empty_range *a, const pt_empty_range *b)
{
    return a->found != b->found ? !a->found : a->used < b->used;
}

/* A free one, or the one that is missed least, emptied; but none used after `used`. */
static pt_empty_range *make_room(pt_empty_ranges *e, uint64_t used)
{
    pt_empty_range *least = &e->ranges[0];
    PT_DCHECK(pt_mutex_held(&e->mu), "mu guards the ranges");
    for (size_t i = 0; i < PT_EMPTY_RANGES_MAX; i++) {
        pt_empty_range *r = &e->ranges[i];
        if (r->state == PT_EMPTY_FREE)
            return r;
        if (goes_before(r, least))
            least = r;
    }
    if (least->used >= used)
        return NULL;
    forget(least);
    return least;
}

static peat_rc set(pt_bytes *b, pt_slice s)
{
    b->size = 0;
    return pt_bytes_append(b, s.data, s.size);
}

/* The smallest key above `key`. */
static peat_rc set_above(pt_bytes *b, pt_slice key)
{
    peat_rc rc = set(b, key);
    return rc == PEAT_OK ? pt_bytes_append(b, "", 1) : rc;
}

/* ---- puts ---- */

/* What lies behind `key` becomes a range of its own, where there is room and memory for it. */
static void split_off(pt_empty_ranges *e, const pt_empty_range *r, pt_slice key)
{
    pt_empty_range *right = make_room(e, r->used);
    if (right == NULL)
        return;
    pt_bytes lower = right->lower, upper = right->upper;
    *right = *r;
    right->lower = lower;
    right->upper = upper;
    peat_rc rc = set_above(&right->lower, key);
    if (rc == PEAT_OK)
        rc = set(&right->upper, pt_bytes_slice(&r->upper));
    if (rc != PEAT_OK || is_empty(right))
        forget(right);
}

static void cut(pt_empty_ranges *e, pt_empty_range *r, pt_slice key)
{
    if (++r->cuts > CUTS_UNUSED_MAX) {
        forget(r);
        return;
    }
    bool ok;
    if (pt_slice_equal(key, pt_bytes_slice(&r->lower))) {
        ok = set_above(&r->lower, key) == PEAT_OK && !is_empty(r);
    } else {
        split_off(e, r, key);
        ok = set(&r->upper, key) == PEAT_OK;
    }
    if (!ok)
        forget(r);
}

static void note_put(pt_empty_ranges *e, pt_slice key)
{
    for (size_t i = 0; i < PT_EMPTY_RANGES_MAX; i++)
        if (is_watched(&e->ranges[i]) && contains_key(&e->ranges[i], key))
            cut(e, &e->ranges[i], key);
}

static void forget_unused(pt_empty_ranges *e)
{
    for (size_t i = 0; i < PT_EMPTY_RANGES_MAX; i++)
        if (is_watched(&e->ranges[i]) && e->puts - e->ranges[i].puts > PUTS_UNUSED_MAX)
            forget(&e->ranges[i]);
}

void pt_empty_ranges_note(pt_empty_ranges *e, pt_slice payload)
{
    pt_cursor ops = pt_cursor_of(payload.data, payload.size);
    pt_entry entry;
    pt_mutex_lock(&e->mu);
    while (pt_op_next(&ops, &entry) == PEAT_OK) {
        if (!pt_kind_has_value(entry.kind))
            continue;
        note_put(e, entry.key);
        e->puts++;
    }
    forget_unused(e);
    count_watched(e);
    pt_mutex_unlock(&e->mu);
}

/* ---- walks ---- */

static void use(pt_empty_ranges *e, pt_empty_range *r)
{
    r->used = ++e->turns;
    r->puts = e->puts;
    r->cuts = 0;
}

static bool reaches_further(const pt_empty_range *a, const pt_empty_range *b, bool back)
{
    return back ? pt_slice_compare(pt_bytes_slice(&a->lower), pt_bytes_slice(&b->lower)) < 0
                : pt_slice_compare(pt_bytes_slice(&a->upper), pt_bytes_slice(&b->upper)) > 0;
}

bool pt_empty_ranges_find(pt_empty_ranges *e, pt_slice key, uint64_t seq, bool back,
                          pt_bytes *ret_lower, pt_bytes *ret_upper)
{
    pt_empty_range *best = NULL;
    pt_mutex_lock(&e->mu);
    for (size_t i = 0; i < PT_EMPTY_RANGES_MAX; i++) {
        pt_empty_range *r = &e->ranges[i];
        if (holds_at(r, seq) && contains_key(r, key) &&
            (best == NULL || reaches_further(r, best, back)))
            best = r;
    }
    bool found = best != NULL && set(ret_lower, pt_bytes_slice(&best->lower)) == PEAT_OK &&
                 set(ret_upper, pt_bytes_slice(&best->upper)) == PEAT_OK;
    if (found) {
        use(e, best);
        best->found = true;
    }
    pt_mutex_unlock(&e->mu);
    return found;
}

/* A new range is known. What lies within it goes at the second time: readers that are a little
 * older than the new one still need the last but one. */
static void cover(pt_empty_ranges *e, pt_empty_range *known)
{
    for (size_t i = 0; i < PT_EMPTY_RANGES_MAX; i++) {
        pt_empty_range *r = &e->ranges[i];
        if (r == known || !is_watched(r) ||
            !lies_within(r, pt_bytes_slice(&known->lower), pt_bytes_slice(&known->upper)))
            continue;
        known->found = known->found || r->found;
        if (r->covered || r->state == PT_EMPTY_PENDING)
            forget(r);
        r->covered = true;
    }
}

/* Pending ones within [lower, upper), which a walk as of `seq` has found empty, become known. True:
 * there was one, or it waits for a walk that is as new as it; pieces of one do not count. */
static bool confirm(pt_empty_ranges *e, uint64_t seq, pt_slice lower, pt_slice upper)
{
    bool any = false;
    for (size_t i = 0; i < PT_EMPTY_RANGES_MAX; i++) {
        pt_empty_range *r = &e->ranges[i];
        if (r->state != PT_EMPTY_PENDING || !lies_within(r, lower, upper))
            continue;
        any = any || r->cuts == 0;
        if (seq < r->seq)
            continue;
        r->state = PT_EMPTY_KNOWN;
        r->seq = seq;
        use(e, r);
        cover(e, r);
    }
    return any;
}

static bool is_known(const pt_empty_ranges *e, uint64_t seq, pt_slice lower, pt_slice upper)
{
    bool known = false;
    for (size_t i = 0; i < PT_EMPTY_RANGES_MAX; i++)
        known = known || (holds_at(&e->ranges[i], seq) && covers(&e->ranges[i], lower, upper));
    return known;
}

static void replace_exact(pt_empty_ranges *e, const pt_empty_range *exact)
{
    for (size_t i = 0; i < PT_EMPTY_RANGES_MAX; i++) {
        pt_empty_range *r = &e->ranges[i];
        if (r != exact && r->state == PT_EMPTY_EXACT && r->seq == exact->seq &&
            lies_within(r, pt_bytes_slice(&exact->lower), pt_bytes_slice(&exact->upper)))
            forget(r);
    }
}

/* `since`: watched from now on; or 0, not at all. */
static void insert(pt_empty_ranges *e, uint64_t seq, uint64_t since, pt_bytes *lower,
                   pt_bytes *upper)
{
    pt_empty_range *r = make_room(e, UINT64_MAX);
    pt_bytes none = *lower;
    forget(r);
    r->state = since == 0 ? PT_EMPTY_EXACT : since == seq ? PT_EMPTY_KNOWN : PT_EMPTY_PENDING;
    r->seq = r->state == PT_EMPTY_PENDING ? since : seq;
    r->covered = r->found = false;
    r->lower = *lower;
    r->upper = *upper;
    pt_bytes_init(lower, none.env);
    pt_bytes_init(upper, none.env);
    use(e, r);
    if (r->state == PT_EMPTY_KNOWN)
        cover(e, r);
    if (r->state == PT_EMPTY_EXACT)
        replace_exact(e, r);
    count_watched(e);
}

/* As EXACT, or watched from now on, which needs the lock of the committers: it is only tried for,
 * and the bounds are ready before, so that it is held for a microsecond. */
static void remember(pt_empty_ranges *e, uint64_t seq, bool old, pt_bytes *lower, pt_bytes *upper)
{
    bool locked = pt_mutex_try_lock(e->order_mu);
    uint64_t since = locked ? *e->seq_next - 1 : 0;
    bool exact = old && since != seq;
    if (exact || (locked && since - seq <= LAG_MAX)) {
        pt_mutex_lock(&e->mu);
        insert(e, seq, exact ? 0 : since, lower, upper);
        pt_mutex_unlock(&e->mu);
    }
    if (locked)
        pt_mutex_unlock(e->order_mu);
}

/* Of one range: all of them together are too little to be counted in the memory's budget. */
#define BOUNDS_BYTES_MAX 4096u

void pt_empty_ranges_add(pt_empty_ranges *e, uint64_t seq, bool old, pt_slice lower, pt_slice upper)
{
    if (pt_slice_compare(lower, upper) >= 0 || lower.size + upper.size > BOUNDS_BYTES_MAX)
        return;
    pt_mutex_lock(&e->mu);
    bool done = is_known(e, seq, lower, upper) || confirm(e, seq, lower, upper);
    pt_mutex_unlock(&e->mu);
    if (done)
        return;
    pt_bytes from, to;
    pt_bytes_init(&from, e->env);
    pt_bytes_init(&to, e->env);
    if (set(&from, lower) == PEAT_OK && set(&to, upper) == PEAT_OK)
        remember(e, seq, old, &from, &to);
    pt_bytes_done(&from);
    pt_bytes_done(&to);
}
