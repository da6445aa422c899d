/* SPDX-License-Identifier: MIT */
/* flush.c - see flush.h. */
#include "compact/flush.h"

#include "base/hash.h"
#include "compact/estimate.h"
#include "compact/flush_edit.h"
#include "compact/version_gc.h"

typedef struct run_state {
    pt_flush *f;
    const pt_flush_input *input;
    pt_estimate estimate;
    pt_version_gc gc;
    pt_slice last_key; /* of the store */
    bool has_last_key;
    size_t partition; /* the piece under way is of this one; SIZE_MAX: none yet */
    pt_slice partition_upper;
    uint64_t seen_bytes;
    bool appending;
} run_state;

/* What is left above the last key is worth tables of its own: a good part of a table, or, where
 * memtables are smaller than that, of a memtable. As an upper run it would be written once more. */
static bool worth_appending(const run_state *r)
{
    const pt_compact_context *c = r->f->ctx;
    uint64_t rest = r->input->bytes > r->seen_bytes ? r->input->bytes - r->seen_bytes : 0;
    bool part_of_memtable = c->upper_bytes != 0 && rest >= 2 * c->upper_bytes;
    return !r->has_last_key || rest >= c->table_bytes / 4 || part_of_memtable;
}

/* Above every key of the store, and in its last partition: partitions whose keys were all deleted
 * may lie between the last key and the last partition. */
static bool may_append(const run_state *r, pt_slice key)
{
    const pt_version *v = r->f->version;
    if (r->has_last_key && pt_slice_compare(key, r->last_key) <= 0)
        return false;
    return pt_slice_compare(key, v->partitions[v->count - 1]->lower) >= 0;
}

static peat_rc begin_append(run_state *r)
{
    r->appending = true;
    r->gc.bottom = true;
    return pt_output_new(r->f->ctx, PT_RUN_BOTTOMMOST, r->input->seq_first, r->input->seq_last,
                         &r->f->appended);
}

static peat_rc begin_piece(run_state *r, pt_slice key)
{
    pt_flush *f = r->f;
    if (f->runs == NULL) {
        peat_rc rc = pt_output_new(f->ctx, PT_RUN_FLUSHED, r->input->seq_first, r->input->seq_last,
                                   &f->runs);
        if (rc != PEAT_OK)
            return rc;
    }
    size_t i = pt_version_partition_of(f->version, key);
    r->partition = i;
    r->partition_upper = pt_version_upper(f->version, i);
    pt_piece piece = {.partition_id = f->version->partitions[i]->id,
                      .lower = f->version->partitions[i]->lower,
                      .upper = r->partition_upper};
    return pt_output_begin_piece(f->runs, &piece);
}

/* So many bytes, of this upper run or below it, will go when it is merged into the bottom run. */
static void charge(run_state *r, uint64_t bytes)
{
    pt_output_piece(r->f->runs)->obsolete_bytes += bytes;
    r->f->obsolete_bytes += bytes;
}

static peat_rc add_upper_entry(run_state *r, const pt_entry *e, uint64_t hash)
{
    peat_rc rc = PEAT_OK;
    if (r->partition == SIZE_MAX ||
        (r->partition_upper.data != NULL && pt_slice_compare(e->key, r->partition_upper) >= 0))
        TRY(begin_piece(r, e->key));
    TRY(pt_output_add(r->f->runs, e, hash));
    charge(r, pt_estimate_hidden(&r->estimate, e, hash));
    /* tombstones, and what is there for a snapshot only, are to go themselves */
    if (r->gc.needed_by_snapshot)
        charge(r, e->key.size + e->value.size);
out:
    return rc;
}

/* The first tables of a store tell where its keys lie: it can be cut between them before its upper
 * runs are many, and what is flushed then as well. A store that is small has one. */
#define FIRST_BYTES_MIN ((uint64_t)1 << 20)

static bool first_quarter_full(const run_state *r)
{
    uint64_t quarter = r->input->bytes / 4, written = pt_output_table_bytes(r->f->appended);
    bool first = !r->has_last_key && r->input->bytes >= FIRST_BYTES_MIN;
    return first && written >= quarter && r->input->bytes >= r->seen_bytes + quarter / 2;
}

static peat_rc add_append_entry(run_state *r, const pt_entry *e, uint64_t hash)
{
    pt_output *o = r->f->appended;
    peat_rc rc = PEAT_OK;
    /* the versions of one key stay in one table */
    if (!r->gc.same_key && (pt_output_table_full(o) || first_quarter_full(r)))
        rc = pt_output_end_table(o);
    if (rc == PEAT_OK)
        rc = pt_output_add(o, e, hash);
    if (rc == PEAT_OK && r->gc.needed_by_snapshot)
        pt_output_count_obsolete(o, e->key.size + e->value.size);
    return rc;
}

static peat_rc flush_entry(run_state *r, pt_entry e)
{
    peat_rc rc = PEAT_OK;
    bool keep;
    PT_ASSERT(e.seq >= r->input->seq_first && e.seq <= r->input->seq_last,
              "I17: a memtable holds a span of sequences");
    if (!r->appending && may_append(r, e.key) && worth_appending(r))
        TRY(begin_append(r));
    r->seen_bytes += e.key.size + e.value.size;
    TRY(pt_version_gc_entry(&r->gc, &e, &keep));
    if (!keep)
        goto out;
    uint64_t hash = pt_hash(e.key.data, e.key.size);
    rc = r->appending ? add_append_entry(r, &e, hash) : add_upper_entry(r, &e, hash);
out:
    return rc;
}

peat_rc pt_flush_run(pt_flush *f, const pt_compact_context *ctx, const pt_version *version,
                     const pt_flush_input *input)
{
    PT_ASSERT(input->seq_first <= input->seq_last + 1, "I17: a memtable holds a span of sequences");
    *f = (pt_flush){.ctx = ctx, .version = version};
    run_state r = {.f = f, .input = input, .partition = SIZE_MAX};
    r.has_last_key = pt_version_last_key(version, &r.last_key);
    pt_version_gc_init(&r.gc, ctx->env, ctx->snapshots, ctx->snapshot_count, false);
    pt_estimate_init(&r.estimate, version, input->epoch, input->count);
    peat_rc rc = pt_iter_first(input->entries);
    while (rc == PEAT_OK) {
        TRY(flush_entry(&r, input->entries->at));
        rc = pt_iter_next(input->entries);
    }
    if (rc == PEAT_END)
        rc = PEAT_OK;
    if (rc == PEAT_OK && f->runs != NULL)
        TRY(pt_output_finish(f->runs));
    if (rc == PEAT_OK && f->appended != NULL)
        TRY(pt_output_finish(f->appended));
out:
    pt_version_gc_done(&r.gc);
    if (rc != PEAT_OK)
        pt_flush_done(f);
    return rc;
}

peat_rc pt_flush_edit(const pt_flush *f, const pt_version *current, bool may_split,
                      uint64_t *io_partition_next, pt_bytes *io_edit)
{
    pt_flush_edit_input in = {.env = f->ctx->env,
                              .runs = pt_output_get_files(f->runs),
                              .appended = pt_output_get_files(f->appended),
                              .partition_bytes = f->ctx->partition_bytes};
    return pt_flush_edit_make(&in, current, may_split, io_partition_next, io_edit);
}

void pt_flush_installed(pt_flush *f)
{
    if (f->runs != NULL)
        pt_output_keep(f->runs);
    if (f->appended != NULL)
        pt_output_keep(f->appended);
}

uint64_t pt_flush_bytes_written(const pt_flush *f)
{
    return (f->runs != NULL ? pt_output_bytes(f->runs) : 0) +
           (f->appended != NULL ? pt_output_bytes(f->appended) : 0);
}

void pt_flush_done(pt_flush *f)
{
    pt_output_free(f->runs);
    pt_output_free(f->appended);
    f->runs = f->appended = NULL;
}
