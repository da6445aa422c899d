/* SPDX-License-Identifier: MIT */
/* flush.c - see flush.h. */
#include "compact/flush.h"

#include "base/hash.h"
#include "compact/estimate.h"
#include "compact/version_gc.h"
#include "compact/split.h"

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

/* What is left above the last key is worth tables of its own. */
static bool worth_appending(const run_state *r)
{
    uint64_t rest = r->input->bytes > r->seen_bytes ? r->input->bytes - r->seen_bytes : 0;
    return !r->has_last_key || rest >= r->f->ctx->table_bytes / 4;
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

static peat_rc add_append_entry(run_state *r, const pt_entry *e, uint64_t hash)
{
    pt_output *o = r->f->appended;
    peat_rc rc = PEAT_OK;
    /* the versions of one key stay in one table */
    if (!r->gc.same_key && pt_output_table_full(o))
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

/* What a flush has made. */
typedef struct pt_flush_edit_input {
    const pt_env *env;
    pt_output_files runs, appended;
    uint64_t partition_bytes; /* target */
} pt_flush_edit_input;

/* Layers of the upper run file on their way into an edit: neighbouring pieces that have come to lie
 * in one partition make one layer. */
typedef struct pushing {
    pt_bytes *edit;
    const pt_version *current;
    size_t partition; /* of the layer under way; SIZE_MAX: none */
    pt_layer layer;
    bool hold_last; /* the layer of the last partition is kept back for the plan */
} pushing;

static peat_rc push_out(pushing *p)
{
    if (p->partition == SIZE_MAX || (p->hold_last && p->partition + 1 == p->current->count))
        return PEAT_OK;
    return pt_edit_push(p->edit, p->current->partitions[p->partition]->id, &p->layer);
}

static peat_rc push_piece(pushing *p, const pt_layer *file, const pt_piece *piece)
{
    size_t first = piece->lower.size == 0 ? 0 : pt_version_partition_of(p->current, piece->lower);
    size_t end = first + 1;
    while (end < p->current->count &&
           (piece->upper.data == NULL ||
            pt_slice_compare(p->current->partitions[end]->lower, piece->upper) < 0))
        end++;
    uint64_t parts = end - first;
    PT_ASSERT(first < p->current->count && (p->partition == SIZE_MAX || first >= p->partition),
              "I6: pieces come in the order of partitions");
    for (size_t i = first; i < end; i++) {
        if (i != p->partition) {
            peat_rc rc = push_out(p);
            if (rc != PEAT_OK)
                return rc;
            p->partition = i;
            p->layer = (pt_layer){.table_ref = file->table_ref};
        }
        p->layer.bytes += piece->bytes / parts;
        p->layer.entries += piece->entries / parts;
        p->layer.tombstones += piece->tombstones / parts;
        p->layer.obsolete_bytes += piece->obsolete_bytes / parts;
    }
    return PEAT_OK;
}

/* The last partition gets the appended tables, and the upper run that was held back. */
static peat_rc append_edit(const pt_flush_edit_input *in, const pt_version *current,
                           const pushing *held, bool may_split, uint64_t *io_partition_next,
                           pt_bytes *io_edit)
{
    const pt_partition *p = current->partitions[current->count - 1];
    size_t n = in->appended.table_count, bottoms = p->bottom_count + n;
    bool push = held->partition != SIZE_MAX && held->partition + 1 == current->count;
    pt_layer *layers = (pt_layer *)pt_alloc(in->env, (bottoms + p->run_count + 1) * sizeof *layers);
    if (layers == NULL)
        return PEAT_NOMEM;
    if (p->bottom_count != 0)
        memcpy(layers, p->bottom, p->bottom_count * sizeof *layers);
    for (size_t i = 0; i < n; i++)
        layers[p->bottom_count + i] = in->appended.tables[i];
    pt_layer *runs = layers + bottoms;
    runs[0] = held->layer;
    if (p->run_count != 0)
        memcpy(runs + push, p->runs, p->run_count * sizeof *layers);
    pt_split_plan plan = {.id = p->id,
                          .lower = p->lower,
                          .runs = runs,
                          .run_count = p->run_count + push,
                          .bottom = layers,
                          .bottom_count = bottoms};
    peat_rc rc = pt_split_edit(in->env, &plan, may_split ? in->partition_bytes : UINT64_MAX / 4,
                               io_partition_next, io_edit);
    pt_free(in->env, layers);
    return rc;
}

static peat_rc add_tables(const pt_output_files *files, pt_bytes *io_edit)
{
    peat_rc rc = PEAT_OK;
    for (size_t i = 0; i < files->table_count && rc == PEAT_OK; i++)
        rc = pt_edit_add_table(io_edit, files->tables[i].table_ref->meta);
    return rc;
}

static peat_rc pt_flush_edit_make(const pt_flush_edit_input *in, const pt_version *current,
                                  bool may_split, uint64_t *io_partition_next, pt_bytes *io_edit)
{
    peat_rc rc = PEAT_OK;
    bool append = in->appended.table_count != 0;
    pushing p = {.edit = io_edit, .current = current, .partition = SIZE_MAX, .hold_last = append};
    TRY(add_tables(&in->runs, io_edit));
    TRY(add_tables(&in->appended, io_edit));
    if (in->runs.table_count != 0) {
        for (size_t i = 0; i < in->runs.piece_count; i++)
            TRY(push_piece(&p, &in->runs.tables[0], &in->runs.pieces[i]));
        TRY(push_out(&p));
    }
    if (append)
        TRY(append_edit(in, current, &p, may_split, io_partition_next, io_edit));
out:
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
