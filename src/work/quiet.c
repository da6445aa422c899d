/* SPDX-License-Identifier: MIT */
/* quiet.c - see quiet.h. Lock: work.mu, and commit_mu before it for what committers count. */
#include "work/quiet.h"

#include "state/switch.h"
#include "work/work.h"

#define MS ((uint64_t)1000 * 1000)
#define S  (1000 * MS)

/* Without a write for this long a store is still. */
#define STILL_NS (500 * MS)
/* The rate of writing is taken over so long at least. */
#define LOOK_NS (250 * MS)
/* Writing is slow when all that it makes the background do takes one in so many of the time. */
#define SLOW_PART 32.0

/* What is paid from the credit: small flushes, and merges that nothing else allows. It grows with
 * what is written, and by a trickle of 1 MB an hour. */
#define CREDIT_PER_BYTE    8.0
#define CREDIT_BYTES_PER_S 256.0
#define CREDIT_BYTES_MAX   ((double)(4 << 20))
#define PATIENCE_NS_MIN    (60 * S)
#define PATIENCE_NS_MAX    (3600 * S)

/* A memtable of fewer bytes than this part of its size waits longer than half a second. */
#define SMALL_PART     64u
#define SMALL_STILL_NS (2 * S)
/* And so long while writing goes on. */
#define SMALL_AGE_NS (120 * S)
/* Each file costs a table's sections, a record of the manifest, and syncs. */
#define FLUSH_BYTES 16384.0
/* A memtable that hides this part of the store, and so many bytes, need not wait. */
#define HIDES_PART  20.0
#define HIDES_BYTES ((double)(64 << 10))
#define TRUST_MIN   (1.0 / 64)

void pt_quiet_init(pt_store *s)
{
    uint64_t now = s->env->now_ns(s->env->ctx);
    s->work->quiet = (pt_quiet){.credit_bytes = CREDIT_BYTES_MAX,
                                .looked_ns = now,
                                .still_since_ns = now,
                                .patience_ns = PATIENCE_NS_MIN,
                                .trust = 1};
}

/* ---- sizes ---- */

/* Of all tables of a version. */
typedef struct totals {
    double bytes, entries;
} totals;

static totals totals_of(const pt_version *v)
{
    totals e = {0};
    for (size_t i = 0; i < v->count; i++) {
        const pt_partition *p = v->partitions[i];
        e.bytes += (double)(p->run_bytes + p->bottom_bytes);
        e.entries += (double)p->entries;
    }
    return e;
}

static double store_bytes(pt_store *s)
{
    pt_view *v = pt_store_view(s);
    totals e = totals_of(v->version);
    pt_view_unref(v);
    return e.bytes;
}

/* Bytes of tables that become obsolete by so many entries, if each hides one of the mean size. What
 * they bring themselves is taken off: new entries of that size hide nothing. */
static double hidden_if_all(const totals *e, double entries, double own_bytes)
{
    double mean = e->entries > 0 ? e->bytes / e->entries : 0;
    double hidden = entries * mean - own_bytes;
    return hidden < 0 ? 0 : hidden > e->bytes ? e->bytes : hidden;
}

/* ---- the rate of writing ---- */

static uint64_t user_bytes(pt_store *s)
{
    pt_mutex_lock(&s->commit_mu);
    /* a delete of a short key counts, too */
    uint64_t n = s->commits.user_bytes + s->commits.deletes;
    pt_mutex_unlock(&s->commit_mu);
    return n;
}

/* Caller holds work.mu. */
static void take_rate(pt_store *s, uint64_t now, uint64_t bytes, double store)
{
    PT_DCHECK(pt_mutex_held(&s->work->mu), "work.mu guards the tempo");
    pt_quiet *q = &s->work->quiet;
    double written = (double)(bytes - q->looked_user_bytes), ns = (double)(now - q->looked_ns);
    double per_byte =
        s->work->state.ns_per_byte > 0 ? s->work->state.ns_per_byte : PT_WORK_NS_PER_BYTE_GUESS;
    q->credit_bytes += CREDIT_BYTES_PER_S * ns / (double)S + CREDIT_PER_BYTE * written;
    if (q->credit_bytes > CREDIT_BYTES_MAX)
        q->credit_bytes = CREDIT_BYTES_MAX;
    bool still = now - q->still_since_ns >= STILL_NS;
    bool slow = written * per_byte * SLOW_PART <= ns;
    q->tempo = still ? PT_TEMPO_STILL : slow ? PT_TEMPO_SLOW : PT_TEMPO_BUSY;
    if ((double)(bytes - q->patience_user_bytes) > store / 64) {
        q->patience_ns = PATIENCE_NS_MIN;
        q->patience_user_bytes = bytes;
    }
    q->looked_ns = now;
    q->looked_user_bytes = bytes;
}

/* Caller holds work.mu. */
static void see_writes(pt_store *s, uint64_t now)
{
    PT_DCHECK(pt_mutex_held(&s->work->mu), "work.mu guards the tempo");
    pt_quiet *q = &s->work->quiet;
    uint64_t seq = atomic_load(&s->published.seq);
    if (seq == q->seen_seq)
        return;
    q->seen_seq = seq;
    q->still_since_ns = now;
    if (q->tempo == PT_TEMPO_STILL)
        q->tempo = PT_TEMPO_SLOW; /* until the rate is taken */
    if (q->indulged)
        q->patience_ns = pt_min_u64(2 * q->patience_ns, PATIENCE_NS_MAX);
    q->indulged = false;
}

pt_quiet_tempo pt_quiet_look(pt_store *s, uint64_t *ret_change_ns)
{
    pt_quiet *q = &s->work->quiet;
    uint64_t now = s->env->now_ns(s->env->ctx);
    pt_mutex_lock(&s->work->mu);
    see_writes(s, now);
    bool due = now - q->looked_ns >= LOOK_NS;
    pt_mutex_unlock(&s->work->mu);
    uint64_t bytes = due ? user_bytes(s) : 0;
    double store = due ? store_bytes(s) : 0;
    pt_mutex_lock(&s->work->mu);
    if (due && now - q->looked_ns >= LOOK_NS) /* else another thread has */
        take_rate(s, now, bytes, store);
    pt_quiet_tempo tempo = q->tempo;
    uint64_t still = now - q->still_since_ns;
    pt_mutex_unlock(&s->work->mu);
    *ret_change_ns = tempo == PT_TEMPO_STILL ? UINT64_MAX
                     : still < STILL_NS      ? STILL_NS - still
                                             : LOOK_NS;
    return tempo;
}

/* ---- the memtable ---- */

/* Hides a good part of the store: then it is worth a file whatever its size, and at any tempo. */
static bool hides_much(pt_store *s, const pt_memtable_stats *m, const pt_version *v)
{
    totals e = totals_of(v);
    double own = (double)(m->key_bytes + m->value_bytes);
    double hidden = s->work->quiet.trust * hidden_if_all(&e, (double)m->entries, own);
    return hidden >= HIDES_BYTES && hidden >= e.bytes / HIDES_PART;
}

bool pt_work_hides_much(pt_store *s)
{
    pt_view *v = pt_store_view(s);
    pt_memtable_stats m = pt_memtable_get_stats(v->active->table);
    pt_mutex_lock(&s->work->mu);
    bool much = hides_much(s, &m, v->version);
    pt_mutex_unlock(&s->work->mu);
    pt_view_unref(v);
    return much;
}

/* Caller holds work.mu. 0: now, and its cost is taken from the credit; else the time to wait. */
static uint64_t small_in(pt_quiet *q, uint64_t now, double bytes)
{
    double cost = FLUSH_BYTES + bytes;
    uint64_t still = now - q->still_since_ns, age = now - q->mem_since_ns;
    uint64_t wait_still = still < SMALL_STILL_NS ? SMALL_STILL_NS - still : 0;
    uint64_t wait_age = age < SMALL_AGE_NS ? SMALL_AGE_NS - age : 0;
    uint64_t wait = pt_min_u64(wait_still, wait_age);
    double missing = cost - q->credit_bytes;
    if (missing > 0 && now - q->still_since_ns < q->patience_ns)
        wait = pt_max_u64(wait, (uint64_t)(missing / CREDIT_BYTES_PER_S * (double)S) + LOOK_NS);
    if (wait == 0)
        q->credit_bytes -= cost;
    return wait;
}

/* How long the active memtable may still wait for its flush, 0: no longer. Caller holds work.mu. */
static uint64_t flush_in(pt_store *s, const pt_view *v, const pt_memtable_stats *m, uint64_t now)
{
    PT_DCHECK(pt_mutex_held(&s->work->mu), "work.mu guards the tempo");
    pt_quiet *q = &s->work->quiet;
    double bytes = (double)(m->key_bytes + m->value_bytes);
    if (q->mem_seq != v->active->seq_first || q->mem_since_ns == 0) {
        q->mem_seq = v->active->seq_first;
        q->mem_since_ns = now;
    }
    if (hides_much(s, m, v->version))
        return 0;
    bool large = bytes >= (double)(s->settings.memtable_bytes / SMALL_PART);
    if (large && now - q->still_since_ns >= STILL_NS)
        return 0;
    return small_in(q, now, bytes);
}

uint64_t pt_quiet_rotate(pt_store *s)
{
    uint64_t now = s->env->now_ns(s->env->ctx), wait = UINT64_MAX;
    pt_view *v = pt_store_view(s);
    pt_memtable_stats m = pt_memtable_get_stats(v->active->table);
    if (m.entries != 0 && !s->settings.read_only && pt_sink_write_failure(&s->sink) == PEAT_OK) {
        pt_mutex_lock(&s->work->mu);
        wait = flush_in(s, v, &m, now);
        pt_mutex_unlock(&s->work->mu);
    }
    pt_view_unref(v);
    if (wait != 0)
        return wait;
    /* no memory, or others wait: then it stays where it is */
    return pt_switch_rotate(s, false) == PEAT_OK ? 0 : LOOK_NS;
}

void pt_quiet_found(pt_store *s, uint64_t mem_entries, uint64_t mem_bytes, uint64_t hidden_bytes)
{
    pt_view *v = pt_store_view(s);
    totals e = totals_of(v->version);
    pt_view_unref(v);
    double guess = hidden_if_all(&e, (double)mem_entries, (double)mem_bytes);
    pt_mutex_lock(&s->work->mu);
    pt_quiet *q = &s->work->quiet;
    if (guess > HIDES_BYTES) {
        double found = (double)hidden_bytes / guess;
        q->trust = (q->trust + (found > 1 ? 1 : found)) / 2;
        q->trust = q->trust < TRUST_MIN ? TRUST_MIN : q->trust;
    }
    pt_mutex_unlock(&s->work->mu);
}

/* ---- merges ---- */

/* Caller holds work.mu. */
static uint64_t patience_left(pt_store *s)
{
    PT_DCHECK(pt_mutex_held(&s->work->mu), "work.mu guards the tempo");
    pt_quiet *q = &s->work->quiet;
    uint64_t still = s->env->now_ns(s->env->ctx) - q->still_since_ns;
    return still >= q->patience_ns ? 0 : q->patience_ns - still;
}

uint64_t pt_quiet_patience_left(pt_store *s)
{
    pt_mutex_lock(&s->work->mu);
    uint64_t left = patience_left(s);
    pt_mutex_unlock(&s->work->mu);
    return left;
}

uint64_t pt_quiet_allowance(pt_store *s)
{
    pt_mutex_lock(&s->work->mu);
    double credit = s->work->quiet.credit_bytes;
    bool all = patience_left(s) == 0;
    pt_mutex_unlock(&s->work->mu);
    return all ? UINT64_MAX : credit > 0 ? (uint64_t)credit : 0;
}

void pt_quiet_spend(pt_store *s, double bytes)
{
    pt_mutex_lock(&s->work->mu);
    pt_quiet *q = &s->work->quiet;
    q->indulged = q->indulged || bytes > q->credit_bytes;
    q->credit_bytes = bytes < q->credit_bytes ? q->credit_bytes - bytes : 0;
    pt_mutex_unlock(&s->work->mu);
}
