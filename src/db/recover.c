/* SPDX-License-Identifier: MIT */
/*
 * recover.c - see recover.h. In order:
 *   1  the log is read (synced first, by a writer) into memtables, oldest first
 *   2  the catalog counts this open, durably
 *   3  the ends of the old segments are recorded durably, so that records behind a hole never come
 * back 4  a new log begins, behind them The last memtable goes on as the active one; those before
 * it are immutable and wait for a flush.
 */
#include "db/recover.h"

#include "base/coding.h"
#include "base/file_name.h"
#include "entry/batch.h"

typedef struct recovery {
    pt_store *s;
    pt_mem *mems[PT_VIEW_IMMUTABLES_MAX]; /* oldest first */
    size_t count;
    uint64_t records, bytes;
} recovery;

/* A log may be many times the memtable, after a change of options: from the fifth on memtables
 * double, so that the number of them is bounded. */
static size_t next_capacity(const recovery *r)
{
    size_t capacity = r->s->settings.memtable_bytes;
    return r->count < 4 ? capacity : capacity << (r->count - 3);
}

static peat_rc add_mem(recovery *r, size_t capacity, uint64_t seq, uint64_t serial)
{
    if (r->count == PT_VIEW_IMMUTABLES_MAX)
        return pt_fail(&r->s->sink, PEAT_NOMEM, "the log is too large for this memory_bytes");
    peat_rc rc = pt_mem_new(r->s, capacity, seq, serial, &r->mems[r->count]);
    r->count += rc == PEAT_OK;
    return rc;
}

/* The record's operations that tables do not hold yet; sizes for the reservation. */
static peat_rc measure(recovery *r, const pt_log_record *record, uint64_t *ret_count,
                       uint64_t *ret_key_bytes, uint64_t *ret_value_bytes)
{
    pt_cursor ops = pt_cursor_of(record->payload.data, record->payload.size);
    pt_entry e;
    peat_rc rc;
    *ret_count = *ret_key_bytes = *ret_value_bytes = 0;
    while ((rc = pt_op_next(&ops, &e)) == PEAT_OK) {
        ++*ret_count;
        *ret_key_bytes += e.key.size;
        *ret_value_bytes += e.value.size;
    }
    if (rc == PEAT_END && *ret_count == record->count)
        return PEAT_OK;
    char name[PT_FILE_NAME_SIZE];
    pt_file_name('w', record->slot, name);
    return pt_fail_at(&r->s->sink, rc == PEAT_VERSION ? rc : PEAT_CORRUPT, name, record->offset,
                      "the record of sequence %" PRIu64 " does not hold %" PRIu32
                      " operations this version knows",
                      record->first_seq, record->count);
}

static peat_rc visit_record(void *ctx, const pt_log_record *record)
{
    recovery *r = (recovery *)ctx;
    peat_rc rc = PEAT_OK;
    uint64_t count, key_bytes, value_bytes, last = record->first_seq + record->count - 1;
    if (record->count == 0 || last <= r->s->catalog.state.seq_flushed)
        return PEAT_OK; /* batches are flushed whole: never a part of one */
    TRY(measure(r, record, &count, &key_bytes, &value_bytes));
    pt_mem *m = r->count != 0 ? r->mems[r->count - 1] : NULL;
    if (m == NULL || !pt_memtable_reserve(m->table, count, key_bytes, value_bytes)) {
        size_t needed = pt_memtable_capacity_for(count, key_bytes, value_bytes);
        size_t usual = next_capacity(r);
        TRY(add_mem(r, needed > usual ? needed : usual, record->first_seq, record->serial));
        m = r->mems[r->count - 1];
        bool fits = pt_memtable_reserve(m->table, count, key_bytes, value_bytes);
        PT_ASSERT(fits);
    }
    pt_mem_insert(m, record->payload, record->first_seq);
    m->seq_last = last;
    r->records++;
    r->bytes += record->payload.size;
out:
    return rc;
}

peat_rc pt_replay(pt_store *s, pt_sink *sink, bool read_only, pt_log_visit_fn visit, void *ctx,
                  pt_log_replay *ret_replay)
{
    *ret_replay = (pt_log_replay){.store_id = s->store_id,
                                  .serial_min = s->catalog.state.log_serial_min,
                                  .seq_min = s->catalog.state.seq_flushed,
                                  .seq_promised = s->catalog.state.seq_promised,
                                  .ends = s->catalog.log_ends,
                                  .end_count = s->catalog.log_end_count,
                                  .read_only = read_only};
    return pt_log_replay_run(s->env, s->dir, sink, ret_replay, visit, ctx);
}

static peat_rc set_view(recovery *r)
{
    pt_store *s = r->s;
    pt_mem *immutables[PT_VIEW_IMMUTABLES_MAX];
    size_t n = 0;
    if (r->count == 0) {
        peat_rc rc = add_mem(r, s->settings.memtable_bytes, s->seq_next, 0);
        if (rc != PEAT_OK)
            return rc;
    }
    pt_view *v = pt_view_alloc(s->env);
    if (v == NULL)
        return PEAT_NOMEM;
    for (size_t i = r->count - 1; i-- > 0;)
        immutables[n++] = r->mems[i];
    pt_view_fill(v, r->mems[r->count - 1], immutables, n, s->catalog.version);
    pt_store_publish_view(s, v);
    s->active = r->mems[r->count - 1];
    return PEAT_OK;
}

/* Step 3. */
static peat_rc record_ends(pt_store *s, const pt_log_replay *replayed)
{
    peat_rc rc = PEAT_OK;
    pt_bytes edit;
    pt_bytes_init(&edit, s->env);
    pt_state state = s->catalog.state;
    TRY(pt_edit_log_ends(&edit, replayed->live, replayed->live_count));
    TRY(pt_catalog_commit(&s->catalog, &edit, &state));
out:
    pt_bytes_done(&edit);
    return rc;
}

/* Step 4. */
static peat_rc begin_log(pt_store *s, const pt_log_replay *replayed)
{
    uint64_t serial = pt_max_u64(replayed->serial_max + 1, s->catalog.state.log_serial_min);
    const pt_log_segment *last =
        replayed->live_count != 0 ? &replayed->live[replayed->live_count - 1] : NULL;
    pt_log_options o = {.store_id = s->store_id,
                        .open_count = pt_manifest_superblock(s->catalog.manifest)->open_count,
                        .serial_next = serial,
                        .seq_synced = s->seq_next - 1,
                        .prev_serial = last != NULL ? last->serial : 0,
                        .prev_epoch = last != NULL ? last->epoch : 0,
                        .prev_end = last != NULL ? last->end : 0,
                        .segment_bytes_min = s->settings.segment_bytes_min,
                        .segment_bytes_max = s->settings.segment_bytes_max,
                        .spares = replayed->dead,
                        .spare_count = replayed->dead_count};
    peat_rc rc = pt_log_new(s->env, s->dir, &s->sink, &o, &s->log);
    return rc == PEAT_OK ? pt_log_adopt(s->log, replayed->live, replayed->live_count) : rc;
}

static peat_rc begin_writing(pt_store *s, const pt_log_replay *replayed)
{
    peat_rc rc = PEAT_OK;
    TRY(pt_catalog_begin(&s->catalog)); /* 2 */
    if (replayed->live_count != 0 || s->catalog.log_end_count != 0)
        TRY(record_ends(s, replayed)); /* 3 */
    if (!s->settings.no_log)
        TRY(begin_log(s, replayed)); /* 4 */
out:
    return rc;
}

peat_rc pt_recover(pt_store *s)
{
    peat_rc rc = PEAT_OK;
    recovery r = {.s = s};
    pt_log_replay replayed = {0};
    TRY(pt_replay(s, &s->sink, s->settings.read_only, visit_record, &r, &replayed)); /* 1 */
    s->recovered_records = r.records;
    s->recovered_bytes = r.bytes;
    s->seq_next = pt_max_u64(s->catalog.state.seq_flushed, replayed.seq_last) + 1;
    atomic_store(&s->seq_published, s->seq_next - 1);
    atomic_store(&s->file_next, s->catalog.state.file_next);
    if (!s->settings.read_only)
        TRY(begin_writing(s, &replayed));
    else
        s->log_file_bytes = replayed.file_bytes;
    if (s->log != NULL && r.count == 0) /* the first memtable needs nothing of the old segments */
        TRY(add_mem(&r, s->settings.memtable_bytes, s->seq_next, pt_log_serial(s->log)));
    TRY(set_view(&r));
out:
    for (size_t i = 0; i < r.count; i++)
        pt_mem_unref(r.mems[i]);
    pt_log_replay_done(s->env, &replayed);
    return rc;
}
