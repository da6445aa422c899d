/* SPDX-License-Identifier: MIT */
/*
 * recover.c - see recover.h. In order:
 *   1  the log is read (synced first, by a writer) and verified to its end. Its records go into
 *      memtables, oldest first, as long as these stay within what this open gives them; of the
 *      rest only the sizes are taken down.
 *   2  the version set counts this open, durably
 *   3  the ends of the old segments are recorded durably, so that records behind a hole never come
 *      back
 *   4  a new log begins, behind them
 *   5  if there is a rest, it is read again: whenever a memtable is full, the next one takes its
 *      place and it is flushed. So the log may be of any size, and what is held at a time is one
 *      memtable and the flush of another.
 * The last memtable goes on as the active one, those before it are immutable and wait for a flush;
 * after 5 there is an empty one.
 *
 * A cut in 5 is a cut behind a flush: an installed one has taken its records out of the log
 * (seq_flushed) and has let go of segments below the next memtable's first, which is made before
 * it. Whatever else was written is an orphan. The next open goes on from there.
 *
 * A reader cannot flush. It may give memtables half of its memory, for it merges nothing, and its
 * cache gives way; a log that is larger is refused.
 */
#include "db/recover.h"

#include "base/coding.h"
#include "base/file_name.h"
#include "entry/batch.h"
#include "state/budget.h"
#include "work/work.h"

/* What operations need in memtables; the worst case of all is that of their sums. */
typedef struct op_sizes {
    uint64_t count, key_bytes, value_bytes;
} op_sizes;

typedef struct recovery {
    pt_store *s;
    pt_mem *mems[PT_VIEW_IMMUTABLES_MAX]; /* oldest first */
    size_t count;
    uint64_t records, bytes;
    op_sizes sizes; /* of all records */
    uint64_t taken; /* worst case of those in memtables at the end of 1 */
    uint64_t taken_max;
    uint64_t rest_seq; /* the first that is not in a memtable after 1; 0: there is no rest */
    uint64_t rest_serial;
    bool flushing; /* 5 */
} recovery;

/* Three full memtables are what a killed writer of the same memory_bytes leaves, at most; the worst
 * case that is counted here is up to a quarter above what they took. */
#define REPLAY_MEMTABLES 4u

static uint64_t taken_max(const pt_settings *settings)
{
    uint64_t usual = (uint64_t)REPLAY_MEMTABLES * settings->memtable_bytes;
    return settings->read_only ? pt_max_u64(usual, settings->memory_bytes / 2) : usual;
}

static uint64_t worst_case(const op_sizes *n)
{
    return pt_memtable_capacity_for(n->count, n->key_bytes, n->value_bytes);
}

/* A reader's memtables may be many times the usual: from the fifth on they double, so that the
 * number of them is bounded. In step 5 there are two at a time, as large as they may be together:
 * every flush costs some syncs. */
static size_t next_capacity(const recovery *r)
{
    size_t capacity = r->s->settings.memtable_bytes;
    if (r->flushing)
        return capacity * (REPLAY_MEMTABLES / 2);
    return r->count < 4 ? capacity : capacity << (r->count - 3);
}

static peat_rc add_mem(recovery *r, size_t capacity, uint64_t seq, uint64_t serial)
{
    PT_ASSERT(r->count < PT_VIEW_IMMUTABLES_MAX, "two neighbours hold more than one's capacity");
    peat_rc rc = pt_mem_new(&r->s->mems, capacity, seq, serial, &r->mems[r->count]);
    r->count += rc == PEAT_OK;
    return rc;
}

static peat_rc set_view(recovery *r)
{
    pt_store *s = r->s;
    pt_mem *immutables[PT_VIEW_IMMUTABLES_MAX];
    size_t n = 0;
    pt_view *v = pt_view_alloc(s->env);
    if (v == NULL)
        return PEAT_NOMEM;
    PT_ASSERT(r->count != 0, "a store has an active memtable");
    for (size_t i = r->count - 1; i-- > 0;)
        immutables[n++] = r->mems[i];
    pt_mutex_lock(&s->view_mu);
    pt_view_fill(v, r->mems[r->count - 1], immutables, n, s->version_set.version);
    pt_store_publish_view(s, v);
    pt_mutex_unlock(&s->view_mu);
    s->active = r->mems[r->count - 1];
    return PEAT_OK;
}

/* Step 5: the last one stays. It is in the view by then, so that the flush of those before it lets
 * go of no segment that it needs. */
static peat_rc flush_all_but_last(recovery *r)
{
    peat_rc rc = set_view(r);
    while (rc == PEAT_OK && r->count > 1) {
        bool did = false;
        rc = pt_work_flush(r->s, &did);
        if (rc != PEAT_OK)
            return rc;
        PT_ASSERT(did, "an immutable memtable was there to be flushed");
        pt_mem_unref(r->mems[0]);
        memmove(r->mems, r->mems + 1, --r->count * sizeof r->mems[0]);
    }
    return rc;
}

/* The record's operations that tables do not hold yet; none when they hold all of it, for batches
 * are flushed whole. */
static peat_rc measure(recovery *r, const pt_log_record *record, op_sizes *ret_sizes)
{
    pt_cursor ops = pt_cursor_of(record->payload.data, record->payload.size);
    pt_entry e;
    peat_rc rc;
    *ret_sizes = (op_sizes){0};
    if (record->count == 0 ||
        record->first_seq + record->count - 1 <= r->s->version_set.state.seq_flushed)
        return PEAT_OK;
    while ((rc = pt_op_next(&ops, &e)) == PEAT_OK) {
        ret_sizes->count++;
        ret_sizes->key_bytes += e.key.size;
        ret_sizes->value_bytes += e.value.size;
    }
    if (rc == PEAT_END && ret_sizes->count == record->count)
        return PEAT_OK;
    char name[PT_FILE_NAME_SIZE];
    pt_file_name('w', record->slot, name);
    return pt_fail_at(&r->s->sink, rc == PEAT_VERSION ? rc : PEAT_CORRUPT, name, record->offset,
                      "the record of sequence %" PRIu64 ": expected %" PRIu32
                      " operations that this version knows, found %" PRIu64,
                      record->first_seq, record->count, ret_sizes->count);
}

static peat_rc insert(recovery *r, const pt_log_record *record, const op_sizes *n)
{
    peat_rc rc = PEAT_OK;
    pt_mem *m = r->count != 0 ? r->mems[r->count - 1] : NULL;
    if (m == NULL || !pt_memtable_reserve(m->table, n->count, n->key_bytes, n->value_bytes)) {
        size_t needed = pt_memtable_capacity_for(n->count, n->key_bytes, n->value_bytes);
        size_t usual = next_capacity(r);
        TRY(add_mem(r, needed > usual ? needed : usual, record->first_seq, record->serial));
        m = r->mems[r->count - 1];
        bool fits = pt_memtable_reserve(m->table, n->count, n->key_bytes, n->value_bytes);
        PT_ASSERT(fits, "pt_memtable_capacity_for is enough");
        if (r->flushing)
            TRY(flush_all_but_last(r));
    }
    PT_ASSERT(record->first_seq >= m->seq_first && record->first_seq > m->seq_last,
              "I2: the log has its records in order of sequence");
    pt_mem_insert(m, record->payload, record->first_seq);
    m->seq_last = record->first_seq + record->count - 1;
out:
    return rc;
}

/* Step 1. A writer takes the first record whatever its size is: it has to pass through. */
static peat_rc visit_record(void *ctx, const pt_log_record *record)
{
    recovery *r = (recovery *)ctx;
    op_sizes n;
    peat_rc rc = measure(r, record, &n);
    if (rc != PEAT_OK || n.count == 0)
        return rc;
    r->records++;
    r->bytes += record->payload.size;
    r->sizes.count += n.count;
    r->sizes.key_bytes += n.key_bytes;
    r->sizes.value_bytes += n.value_bytes;
    if (r->rest_seq != 0)
        return PEAT_OK;
    uint64_t taken = worst_case(&r->sizes);
    bool passes = taken <= r->taken_max || (r->count == 0 && !r->s->settings.read_only);
    if (!passes) {
        r->rest_seq = record->first_seq;
        r->rest_serial = record->serial;
        return PEAT_OK;
    }
    r->taken = taken;
    return insert(r, record, &n);
}

/* Step 5. */
static peat_rc visit_rest(void *ctx, const pt_log_record *record)
{
    recovery *r = (recovery *)ctx;
    op_sizes n;
    if (record->first_seq < r->rest_seq)
        return PEAT_OK;
    peat_rc rc = measure(r, record, &n);
    return rc == PEAT_OK && n.count != 0 ? insert(r, record, &n) : rc;
}

peat_rc pt_recover_replay(pt_store *s, pt_sink *sink, bool read_only, pt_log_visit_fn visit,
                          void *ctx, pt_log_replay *ret_replay)
{
    *ret_replay = (pt_log_replay){.store_id = s->store_id,
                                  .serial_min = s->version_set.state.log_serial_min,
                                  .seq_min = s->version_set.state.seq_flushed,
                                  .seq_durable = s->version_set.state.seq_durable,
                                  .ends = s->version_set.log_ends,
                                  .end_count = s->version_set.log_end_count,
                                  .read_only = read_only};
    return pt_log_replay_run(s->env, s->dir, sink, ret_replay, visit, ctx);
}

/* Step 3. */
static peat_rc record_ends(pt_store *s, const pt_log_replay *replayed)
{
    peat_rc rc = PEAT_OK;
    pt_bytes edit;
    pt_bytes_init(&edit, s->env);
    pt_state state = s->version_set.state;
    TRY(pt_edit_log_ends(&edit, replayed->live, replayed->live_count));
    TRY(pt_version_set_commit(&s->version_set, &edit, &state));
out:
    pt_bytes_done(&edit);
    return rc;
}

/* Step 4. */
static peat_rc begin_log(pt_store *s, const pt_log_replay *replayed)
{
    uint64_t serial = pt_max_u64(replayed->serial_max + 1, s->version_set.state.log_serial_min);
    const pt_log_segment *last =
        replayed->live_count != 0 ? &replayed->live[replayed->live_count - 1] : NULL;
    pt_log_options o = {.store_id = s->store_id,
                        .open_count = pt_manifest_superblock(s->version_set.manifest)->open_count,
                        .serial_next = serial,
                        .seq_synced = s->seq_next - 1,
                        .prev_serial = last != NULL ? last->serial : 0,
                        .prev_salt = last != NULL ? last->salt : 0,
                        .prev_end = last != NULL ? last->end : 0,
                        .segment_bytes_min = s->settings.segment_bytes_min,
                        .segment_bytes_max = s->settings.segment_bytes_max,
                        .spares = replayed->dead,
                        .spare_count = replayed->dead_count};
    PT_ASSERT(last == NULL || last->serial < serial, "I16: serials ascend and none is used twice");
    peat_rc rc = pt_log_new(s->env, s->dir, &s->sink, &o, &s->log);
    return rc == PEAT_OK ? pt_log_adopt(s->log, replayed->live, replayed->live_count) : rc;
}

static peat_rc begin_writing(pt_store *s, const pt_log_replay *replayed)
{
    peat_rc rc = PEAT_OK;
    TRY(pt_version_set_begin(&s->version_set)); /* 2 */
    if (replayed->live_count != 0 || s->version_set.log_end_count != 0)
        TRY(record_ends(s, replayed)); /* 3 */
    if (!s->settings.no_log)
        TRY(begin_log(s, replayed)); /* 4 */
out:
    return rc;
}

/* The memtable of the next write, which needs nothing of the old segments. */
static peat_rc add_active(recovery *r)
{
    pt_store *s = r->s;
    uint64_t serial = s->log != NULL ? pt_log_serial(s->log) : 0;
    return add_mem(r, s->settings.memtable_bytes, s->seq_next, serial);
}

/* Step 5. */
static peat_rc take_rest(recovery *r, const pt_log_replay *replayed)
{
    pt_store *s = r->s;
    peat_rc rc = PEAT_OK;
    r->flushing = true;
    TRY(flush_all_but_last(r));
    TRY(pt_log_replay_again(s->env, s->dir, &s->sink, replayed, r->rest_serial, visit_rest, r));
    TRY(add_active(r));
    TRY(flush_all_but_last(r));
out:
    return rc;
}

#define MIB ((uint64_t)1 << 20)

static peat_rc refuse_rest(recovery *r)
{
    uint64_t needed = worst_case(&r->sizes);
    if (needed > SIZE_MAX / 4)
        return pt_fail(&r->s->sink, PEAT_BUDGET,
                       "the log holds %" PRIu64 " MiB that are in no table yet, more than a reader "
                       "can keep in memory: open the store for writing once",
                       r->bytes / MIB);
    return pt_fail(&r->s->sink, PEAT_BUDGET,
                   "the log holds %" PRIu64 " KiB that are in no table yet, too much for this "
                   "memory_bytes: open the store for writing once, or to read it with at least "
                   "%" PRIu64 " MiB",
                   r->bytes / 1024, pt_round_up(2 * needed, MIB) / MIB);
}

/* Its memtables keep what they have got, so the cache has so much less. */
static void begin_reading(recovery *r, const pt_log_replay *replayed)
{
    pt_store *s = r->s;
    s->settings.writing_bytes = r->taken;
    s->settings.cache_bytes = s->settings.memory_bytes / 8; /* at least */
    s->log_file_bytes = replayed->file_bytes;
}

peat_rc pt_recover(pt_store *s)
{
    peat_rc rc = PEAT_OK;
    recovery r = {.s = s, .taken_max = taken_max(&s->settings)};
    pt_log_replay replayed = {0};
    TRY(pt_recover_replay(s, &s->sink, s->settings.read_only, visit_record, &r, &replayed)); /* 1 */
    if (r.rest_seq != 0 && s->settings.read_only)
        TRY(refuse_rest(&r));
    s->recovered_records = r.records;
    s->recovered_bytes = r.bytes;
    s->seq_next = pt_max_u64(s->version_set.state.seq_flushed, replayed.seq_last) + 1;
    atomic_store(&s->published.seq, s->seq_next - 1);
    atomic_store(&s->file_next, s->version_set.state.file_next);
    if (!s->settings.read_only)
        TRY(begin_writing(s, &replayed));
    else
        begin_reading(&r, &replayed);
    pt_budget_divide(s);
    if (r.rest_seq != 0)
        TRY(take_rest(&r, &replayed)); /* 5 */
    else if (r.count == 0)
        TRY(add_active(&r));
    TRY(set_view(&r));
out:
    for (size_t i = 0; i < r.count; i++)
        pt_mem_unref(r.mems[i]);
    pt_log_replay_done(s->env, &replayed);
    return rc;
}
