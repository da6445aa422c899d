/* SPDX-License-Identifier: MIT */
/* merge.c - see merge.h. */
#include "compact/merge.h"

#include "base/hash.h"
#include "compact/split.h"
#include "entry/merge_iter.h"
#include "version/run_iter.h"

struct pt_merge {
    const pt_compact_context *ctx;
    pt_version *version;
    pt_merge_pick pick;
    size_t at;       /* part under way; pick.count: all done */
    pt_iter *inputs; /* of that part; NULL: not open yet */
    pt_version_gc gc;
    pt_output *output;
    uint64_t read;                        /* bytes of entries read so far */
    uint64_t dropped[PT_MERGE_PARTS_MAX]; /* bytes, per part */
    bool finished;
};

const pt_compact_context *pt_merge_context(const pt_merge *m)
{
    return m->ctx;
}

static const pt_partition *part_partition(const pt_merge *m, size_t i)
{
    return m->version->partitions[m->pick.first + i];
}

static void raise_seqs(const pt_layer *l, size_t count, uint64_t *io_min, uint64_t *io_max)
{
    for (size_t i = 0; i < count; i++) {
        *io_min = pt_min_u64(*io_min, l[i].table_ref->meta->seq_min);
        *io_max = pt_max_u64(*io_max, l[i].table_ref->meta->seq_max);
    }
}

static peat_rc new_output(pt_merge *m)
{
    uint64_t seq_min = UINT64_MAX, seq_max = 0;
    for (size_t i = 0; i < m->pick.count; i++) {
        const pt_partition *p = part_partition(m, i);
        const pt_merge_part *part = &m->pick.parts[i];
        raise_seqs(p->runs + part->run_from, part->run_count, &seq_min, &seq_max);
        if (m->pick.kind == PT_MERGE_BOTTOMMOST)
            raise_seqs(p->bottom, p->bottom_count, &seq_min, &seq_max);
    }
    pt_run_kind kind =
        m->pick.kind == PT_MERGE_BOTTOMMOST ? PT_RUN_BOTTOMMOST : PT_RUN_INTERMEDIATE;
    return pt_output_new(m->ctx, kind, seq_min == UINT64_MAX ? 0 : seq_min, seq_max, &m->output);
}

peat_rc pt_merge_new(const pt_compact_context *ctx, pt_version *version, const pt_merge_pick *pick,
                     pt_merge **ret_merge)
{
    PT_ASSERT(pick->count >= 1 && pick->count <= PT_MERGE_PARTS_MAX, "a merge has parts");
    PT_ASSERT(pick->count <= version->count - pick->first, "its parts are partitions in a row");
    pt_merge *m = (pt_merge *)pt_alloc_zero(ctx->env, sizeof *m);
    if (m == NULL)
        return PEAT_NOMEM;
    m->ctx = ctx;
    m->version = pt_version_ref(version);
    m->pick = *pick;
    pt_version_gc_init(&m->gc, ctx->env, ctx->snapshots, ctx->snapshot_count, false);
    peat_rc rc = new_output(m);
    if (rc != PEAT_OK) {
        pt_merge_free(m);
        return rc;
    }
    *ret_merge = m;
    return PEAT_OK;
}

void pt_merge_free(pt_merge *m)
{
    if (m == NULL)
        return;
    const pt_env *env = m->ctx->env;
    pt_iter_done(m->inputs);
    pt_version_gc_done(&m->gc);
    pt_output_free(m->output);
    pt_version_unref(m->version);
    pt_free(env, m);
}

/* The read-ahead buffers of all inputs fit the budget for them: 1 MiB each at the most. */
static bool may_stream(const pt_merge *m, size_t inputs)
{
    return inputs * ((size_t)1 << 20) <= m->ctx->stream_bytes_max;
}

static peat_rc open_layers(pt_merge *m, const pt_partition *p, const pt_merge_part *part,
                           const pt_table_iter_options *o, pt_iter **children, size_t *io_count)
{
    bool with_bottom = m->pick.kind == PT_MERGE_BOTTOMMOST && p->bottom_count != 0;
    bool stream = may_stream(m, part->run_count + with_bottom);
    peat_rc rc = PEAT_OK;
    for (size_t i = 0; i < part->run_count && rc == PEAT_OK; i++) {
        rc = pt_run_iter_new(m->ctx->env, &p->runs[part->run_from + i], 1, o, stream,
                             &children[*io_count]);
        *io_count += rc == PEAT_OK;
    }
    if (with_bottom && rc == PEAT_OK) {
        rc = pt_run_iter_new(m->ctx->env, p->bottom, p->bottom_count, o, stream,
                             &children[*io_count]);
        *io_count += rc == PEAT_OK;
    }
    return rc;
}

/* Nothing older than the inputs lies below them in this partition. */
static bool nothing_below(const pt_merge *m, const pt_partition *p, const pt_merge_part *part)
{
    bool all_runs = part->run_from + part->run_count == p->run_count;
    return m->pick.kind == PT_MERGE_BOTTOMMOST || (all_runs && p->bottom_count == 0);
}

static peat_rc open_part(pt_merge *m)
{
    const pt_env *env = m->ctx->env;
    const pt_partition *p = part_partition(m, m->at);
    const pt_merge_part *part = &m->pick.parts[m->at];
    PT_ASSERT(part->run_from <= p->run_count && part->run_count <= p->run_count - part->run_from,
              "a part is made of its partition's layers");
    pt_slice upper = pt_version_upper(m->version, m->pick.first + m->at);
    pt_table_iter_options o = {.lower = p->lower.size != 0 ? p->lower : (pt_slice){0},
                               .upper = upper,
                               .hint = PT_FETCH_ONCE};
    size_t count = 0;
    pt_iter **children = (pt_iter **)pt_alloc(env, (part->run_count + 1) * sizeof(pt_iter *));
    if (children == NULL)
        return PEAT_NOMEM;
    peat_rc rc = open_layers(m, p, part, &o, children, &count);
    if (rc == PEAT_OK)
        rc = pt_merge_iter_new(env, children, count, &m->inputs);
    while (rc != PEAT_OK && count-- > 0)
        pt_iter_done(children[count]);
    pt_free(env, children);
    if (rc != PEAT_OK)
        return rc;
    m->gc.bottom = nothing_below(m, p, part);
    m->gc.dropped_bytes = 0;
    if (m->pick.kind == PT_MERGE_INTERMEDIATE) {
        pt_piece piece = {.partition_id = p->id, .lower = p->lower, .upper = upper};
        rc = pt_output_begin_piece(m->output, &piece);
    }
    return rc == PEAT_OK ? pt_iter_first(m->inputs) : rc;
}

/* Checksums verify, but a table was not written by this library. */
static peat_rc fail_order(pt_merge *m, const pt_entry *e)
{
    return pt_fail(m->ctx->sink, PEAT_CORRUPT,
                   "a table of partition %" PRIu64 " is out of order: expected what comes behind a "
                   "key of %zu bytes, found a key of %zu bytes, sequence %" PRIu64 ", before it",
                   part_partition(m, m->at)->id, m->gc.key.size, e->key.size, e->seq);
}

static peat_rc merge_entry(pt_merge *m, pt_entry e)
{
    bool keep;
    peat_rc rc = PEAT_OK;
    m->read += e.key.size + e.value.size;
    rc = pt_version_gc_entry(&m->gc, &e, &keep);
    if (rc == PEAT_CORRUPT)
        TRY(fail_order(m, &e));
    TRY(rc);
    if (!keep)
        goto out;
    /* the versions of one key stay in one table */
    if (m->pick.kind == PT_MERGE_BOTTOMMOST && !m->gc.same_key && pt_output_table_full(m->output))
        TRY(pt_output_end_table(m->output));
    TRY(pt_output_add(m->output, &e, pt_hash(e.key.data, e.key.size)));
    if (m->pick.kind == PT_MERGE_BOTTOMMOST && m->gc.needed_by_snapshot)
        pt_output_count_obsolete(m->output, e.key.size + e.value.size);
out:
    return rc;
}

static void close_part(pt_merge *m)
{
    PT_ASSERT(m->at < m->pick.count, "a part is closed once");
    pt_iter_done(m->inputs);
    m->inputs = NULL;
    m->dropped[m->at++] = m->gc.dropped_bytes;
}

peat_rc pt_merge_step(pt_merge *m, uint64_t bytes)
{
    uint64_t until = m->read + bytes;
    peat_rc rc = PEAT_OK;
    while (m->at < m->pick.count) {
        rc = m->inputs == NULL ? open_part(m) : PEAT_OK;
        while (rc == PEAT_OK) {
            if (m->read >= until)
                return PEAT_OK;
            rc = merge_entry(m, m->inputs->at);
            if (rc == PEAT_OK)
                rc = pt_iter_next(m->inputs);
            else if (rc == PEAT_END)
                return PEAT_CORRUPT; /* writing never ends */
        }
        if (rc != PEAT_END)
            return rc;
        close_part(m);
    }
    if (!m->finished)
        rc = pt_output_finish(m->output);
    else
        rc = PEAT_OK;
    m->finished = rc == PEAT_OK;
    return rc == PEAT_OK ? PEAT_END : rc;
}

/* What a merge has made, and of what. */
typedef struct pt_merge_edit_input {
    const pt_env *env;
    const pt_version *version; /* what was merged is of this one */
    const pt_merge_pick *pick;
    const uint64_t *dropped_bytes; /* of each part */
    pt_output_files files;
    uint64_t partition_bytes; /* target */
} pt_merge_edit_input;

static const pt_partition *partition_then(const pt_merge_edit_input *in, size_t i)
{
    return in->version->partitions[in->pick->first + i];
}

static const pt_partition *find_partition(const pt_version *v, uint64_t id)
{
    for (size_t i = 0; i < v->count; i++)
        if (v->partitions[i]->id == id)
            return v->partitions[i];
    return NULL;
}

static bool is_input(const pt_layer *inputs, size_t count, const pt_layer *l)
{
    for (size_t i = 0; i < count; i++)
        if (inputs[i].table_ref == l->table_ref)
            return true;
    return false;
}

/* The layers that were not merged: newer upper runs on top, older ones below, in order; the new
 * one, if there is one, takes the place of the inputs. Returns how many. */
static size_t rest_of_runs(const pt_partition *cur, const pt_partition *then,
                           const pt_merge_part *part, const pt_layer *replacement,
                           pt_layer *ret_layers)
{
    size_t n = 0, replaced = 0;
    bool placed = replacement == NULL;
    for (size_t i = 0; i < cur->run_count; i++) {
        const pt_layer *l = &cur->runs[i];
        if (!is_input(then->runs + part->run_from, part->run_count, l)) {
            ret_layers[n++] = *l;
            continue;
        }
        if (!placed)
            ret_layers[n++] = *replacement;
        placed = true;
        replaced++;
    }
    PT_ASSERT(placed && replaced >= part->run_count,
              "I9: what a merge has read is still there when its outcome is installed");
    return n;
}

static uint64_t inputs_obsolete(const pt_partition *p, const pt_merge_part *part)
{
    uint64_t n = 0;
    for (size_t i = 0; i < part->run_count; i++)
        n += p->runs[part->run_from + i].obsolete_bytes;
    return n;
}

static peat_rc intermediate_part_edit(const pt_merge_edit_input *in, size_t i,
                                      const pt_version *current, size_t *io_piece,
                                      pt_bytes *io_edit)
{
    const pt_partition *then = partition_then(in, i);
    const pt_partition *cur = find_partition(current, then->id);
    PT_ASSERT(cur != NULL, "I9: a partition that is claimed does not go");
    pt_layer layer = {0};
    bool any = false;
    if (*io_piece < in->files.piece_count) {
        const pt_piece *piece = &in->files.pieces[*io_piece];
        any = piece->partition_id == then->id;
        if (any) {
            uint64_t obsolete = inputs_obsolete(then, &in->pick->parts[i]);
            uint64_t dropped = in->dropped_bytes[i];
            layer = in->files.tables[0];
            layer.bytes = piece->bytes;
            layer.entries = piece->entries;
            layer.tombstones = piece->tombstones;
            layer.obsolete_bytes = obsolete > dropped ? obsolete - dropped : 0;
            ++*io_piece;
        }
    }
    pt_layer *runs = (pt_layer *)pt_alloc(in->env, (cur->run_count + 1) * sizeof *runs);
    if (runs == NULL)
        return PEAT_NOMEM;
    size_t n = rest_of_runs(cur, then, &in->pick->parts[i], any ? &layer : NULL, runs);
    peat_rc rc = pt_edit_add_partition(io_edit, cur->id, cur->lower, runs, n, cur->bottom,
                                       cur->bottom_count);
    pt_free(in->env, runs);
    return rc;
}

/* Tables that were appended behind the merged ones meanwhile stay, behind them. */
static size_t new_bottom(const pt_merge_edit_input *in, const pt_version *current,
                         pt_layer *ret_layers)
{
    size_t n = 0;
    for (size_t i = 0; i < in->files.table_count; i++)
        ret_layers[n++] = in->files.tables[i];
    for (size_t i = 0; i < in->pick->count; i++) {
        const pt_partition *then = partition_then(in, i);
        const pt_partition *cur = find_partition(current, then->id);
        PT_ASSERT(cur->bottom_count >= then->bottom_count && cur->run_count >= then->run_count,
                  "I9: what a merge has read is still there when its outcome is installed");
        for (size_t j = 0; j < cur->bottom_count; j++)
            if (!is_input(then->bottom, then->bottom_count, &cur->bottom[j]))
                ret_layers[n++] = cur->bottom[j];
    }
    return n;
}

static void add_layer_sizes(pt_layer *io, const pt_layer *l)
{
    io->bytes += l->bytes;
    io->entries += l->entries;
    io->tombstones += l->tombstones;
    io->obsolete_bytes += l->obsolete_bytes;
}

/* Upper runs that came on top while the merge ran, of all its partitions: one layer per file,
 * newest first. */
static size_t new_runs(const pt_merge_edit_input *in, const pt_version *current,
                       pt_layer *ret_layers)
{
    size_t n = 0;
    for (size_t i = 0; i < in->pick->count; i++) {
        const pt_partition *then = partition_then(in, i);
        const pt_partition *cur = find_partition(current, then->id);
        for (size_t j = 0; j < cur->run_count; j++) {
            const pt_layer *l = &cur->runs[j];
            if (is_input(then->runs, then->run_count, l))
                continue;
            size_t at = 0;
            while (at < n &&
                   ret_layers[at].table_ref->meta->file_number > l->table_ref->meta->file_number)
                at++;
            if (at < n && ret_layers[at].table_ref == l->table_ref) {
                add_layer_sizes(&ret_layers[at], l);
                continue;
            }
            memmove(ret_layers + at + 1, ret_layers + at, (n - at) * sizeof *ret_layers);
            ret_layers[at] = *l;
            n++;
        }
    }
    return n;
}

static peat_rc bottom_edit(const pt_merge_edit_input *in, const pt_version *current,
                           uint64_t *io_partition_next, pt_bytes *io_edit)
{
    size_t most = in->files.table_count;
    for (size_t i = 0; i < in->pick->count; i++) {
        const pt_partition *cur = find_partition(current, partition_then(in, i)->id);
        PT_ASSERT(cur != NULL, "I9: a partition that is claimed does not go");
        most += cur->bottom_count + cur->run_count;
    }
    pt_layer *layers = (pt_layer *)pt_alloc(in->env, 2 * most * sizeof *layers);
    if (layers == NULL)
        return PEAT_NOMEM;
    const pt_partition *p = partition_then(in, 0);
    pt_split_plan plan = {.id = p->id, .lower = p->lower};
    plan.bottom = layers;
    plan.bottom_count = new_bottom(in, current, layers);
    plan.runs = layers + most;
    plan.run_count = new_runs(in, current, layers + most);
    peat_rc rc = PEAT_OK;
    for (size_t i = 1; i < in->pick->count && rc == PEAT_OK; i++)
        rc = pt_edit_drop_partition(io_edit, partition_then(in, i)->id);
    if (rc == PEAT_OK)
        rc = pt_split_edit(in->env, &plan, in->partition_bytes, io_partition_next, io_edit);
    pt_free(in->env, layers);
    return rc;
}

static peat_rc pt_merge_edit_make(const pt_merge_edit_input *in, const pt_version *current,
                                  uint64_t *io_partition_next, pt_bytes *io_edit)
{
    peat_rc rc = PEAT_OK;
    size_t piece = 0;
    for (size_t i = 0; i < in->files.table_count; i++)
        TRY(pt_edit_add_table(io_edit, in->files.tables[i].table_ref->meta));
    if (in->pick->kind == PT_MERGE_BOTTOMMOST)
        return bottom_edit(in, current, io_partition_next, io_edit);
    for (size_t i = 0; i < in->pick->count; i++)
        TRY(intermediate_part_edit(in, i, current, &piece, io_edit));
out:
    return rc;
}

peat_rc pt_merge_edit(pt_merge *m, const pt_version *current, uint64_t *io_partition_next,
                      pt_bytes *io_edit)
{
    PT_ASSERT(m->finished, "I4: a table is whole, and synced, before an edit names it");
    pt_merge_edit_input in = {.env = m->ctx->env,
                              .version = m->version,
                              .pick = &m->pick,
                              .dropped_bytes = m->dropped,
                              .files = pt_output_get_files(m->output),
                              .partition_bytes = m->ctx->partition_bytes};
    return pt_merge_edit_make(&in, current, io_partition_next, io_edit);
}

void pt_merge_installed(pt_merge *m)
{
    pt_output_keep(m->output);
}

bool pt_merge_is_unreadable(const pt_merge *m)
{
    return !pt_output_has_failed(m->output);
}

uint64_t pt_merge_bytes_written(const pt_merge *m)
{
    return pt_output_bytes(m->output);
}

uint64_t pt_merge_bytes_read(const pt_merge *m)
{
    return m->read;
}

pt_merge_kind pt_merge_get_kind(const pt_merge *m)
{
    return m->pick.kind;
}
