/* SPDX-License-Identifier: MIT */
/* merge.c - see merge.h. */
#include "compact/merge.h"

#include "base/hash.h"
#include "compact/merge_edit.h"
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
