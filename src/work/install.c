/* SPDX-License-Identifier: MIT */
/*
 * install.c - the third step of background work: what a unit made becomes part of the store. Under
 * install_mu the edit is computed against the current version and made durable; then the view is
 * replaced. What can fail is done before the edit is durable.
 */
#include "compact/split.h"
#include "state/durable.h"
#include "work/install.h"
#include "work/work.h"

/* `next` gets the present view without the flushed memtable, and the version set's version. */
static void swap_view(pt_store *s, pt_view *next, const pt_mem *flushed)
{
    pt_mem *immutables[PT_VIEW_IMMUTABLES_MAX];
    size_t n = 0;
    pt_mutex_lock(&s->view_mu);
    pt_view *v = atomic_load_explicit(&s->view, memory_order_relaxed);
    for (size_t i = 0; i < v->immutable_count; i++)
        if (v->immutables[i] != flushed)
            immutables[n++] = v->immutables[i];
    PT_ASSERT(flushed == NULL || n + 1 == v->immutable_count,
              "I3: what is in tables now leaves the view now");
    pt_view_fill(next, v->active, immutables, n, s->version_set.version);
    pt_store_publish_view(s, next);
    pt_mutex_unlock(&s->view_mu);
}

/* Makes the edit durable and shows its outcome. Caller holds install_mu. */
static peat_rc install(pt_store *s, pt_bytes *io_edit, pt_state *state, const pt_mem *flushed)
{
    PT_DCHECK(pt_mutex_held(&s->install_mu), "install_mu guards the version set");
    PT_DCHECK(!pt_mutex_held(&s->view_mu) && !pt_mutex_held(&s->work->mu),
              "I12: no lock that readers or workers wait for is held across the manifest's sync");
    pt_view *next = pt_view_alloc(s->env);
    if (next == NULL)
        return PEAT_NOMEM;
    state->file_next = atomic_load(&s->file_next);
    if (s->log != NULL)
        state->seq_durable = pt_log_durable(s->log);
    peat_rc rc = pt_version_set_commit(&s->version_set, io_edit, state);
    if (rc != PEAT_OK) {
        pt_view_discard(next);
        return rc;
    }
    swap_view(s, next, flushed);
    /* a manifest that could not be rewritten is only longer than it need be; if its disk is to
     * blame, the sink stops writes */
    rc = pt_version_set_tidy(&s->version_set, s->settings.manifest_bytes_min);
    return rc == PEAT_NOMEM || rc == PEAT_FULL || rc == PEAT_IO ? PEAT_OK : rc;
}

/* The edit is in the manifest, or may be: a failed append stops the writes of the store, and nobody
 * knows what the disk has. Then the new files stay; the next open keeps them or finds them to be
 * orphans. */
static bool may_be_durable(pt_store *s, peat_rc rc)
{
    return rc == PEAT_OK || pt_sink_write_failure(&s->sink) != PEAT_OK;
}

/* What was replaced and nobody sees any more goes: tables are closed, files removed. */
static void clean_up(pt_store *s)
{
    pt_epoch_collect(&s->epoch);
    pt_open_tables_sweep(&s->open_tables);
}

/* The oldest segment that is needed once `mem` is flushed: that of the next memtable. */
static uint64_t log_serial_after(pt_store *s, const pt_mem *mem)
{
    pt_mutex_lock(&s->view_mu);
    const pt_view *v = atomic_load_explicit(&s->view, memory_order_relaxed);
    uint64_t serial = v->active->log_serial;
    for (size_t i = 0; i < v->immutable_count; i++)
        if (v->immutables[i] != mem)
            serial = pt_min_u64(serial, v->immutables[i]->log_serial);
    pt_mutex_unlock(&s->view_mu);
    return serial;
}

/* A flush may cut the last partition when it appends to it: claims it until end_claim. False when a
 * unit works on it. */
static bool try_claim(pt_store *s, uint64_t partition_id)
{
    pt_claims *c = &s->work->state.claims;
    pt_mutex_lock(&s->work->mu);
    bool claimed = pt_claims_has(c, partition_id);
    if (!claimed)
        pt_claims_add(c, partition_id);
    pt_mutex_unlock(&s->work->mu);
    return !claimed;
}

static void end_claim(pt_store *s, uint64_t partition_id)
{
    pt_mutex_lock(&s->work->mu);
    pt_claims_end(&s->work->state.claims, partition_id);
    pt_mutex_unlock(&s->work->mu);
}

/* For how many snapshots the tables that have just come may keep something. */
static void note_kept_for(pt_store *s, const pt_compact_context *ctx)
{
    PT_DCHECK(pt_mutex_held(&s->install_mu), "install_mu guards the version set");
    for (size_t i = 0; i < s->version_set.table_count; i++) {
        pt_table_ref *t = s->version_set.tables[i];
        uint32_t n = 0;
        if (t->kept_noted)
            continue;
        while (n < ctx->snapshot_count && ctx->snapshots[n] < t->meta->seq_max)
            n++;
        t->kept_noted = true;
        atomic_store_explicit(&t->kept_for, n, memory_order_relaxed);
    }
}

peat_rc pt_install_flush(pt_store *s, pt_flush *flush, pt_mem *mem)
{
    peat_rc rc = PEAT_OK;
    pt_bytes edit;
    pt_bytes_init(&edit, s->env);
    pt_mutex_lock(&s->install_mu);
    pt_state state = s->version_set.state;
    const pt_version *v = s->version_set.version;
    uint64_t last_id = v->partitions[v->count - 1]->id;
    bool may_split = try_claim(s, last_id); /* until the outcome is shown */
    PT_ASSERT(atomic_load_explicit(&mem->writers, memory_order_relaxed) == 0,
              "I17: a memtable is flushed when nobody inserts into it");
    PT_ASSERT(mem->seq_last <= atomic_load(&s->published.seq), "I17: all of it was published");
    state.seq_flushed = mem->seq_last;
    if (s->log != NULL)
        state.log_serial_min = pt_max_u64(state.log_serial_min, log_serial_after(s, mem));
    TRY(pt_flush_edit(flush, v, may_split, &state.partition_next, &edit));
    rc = install(s, &edit, &state, mem);
    if (may_be_durable(s, rc))
        pt_flush_installed(flush);
    if (rc != PEAT_OK)
        goto out;
    note_kept_for(s, flush->ctx);
    PT_ASSERT(s->version_set.state.seq_flushed == mem->seq_last,
              "I3: the manifest has what the log lets go of");
    if (s->log != NULL)
        pt_log_release(s->log, state.log_serial_min);
out:
    if (may_split)
        end_claim(s, last_id);
    pt_mutex_unlock(&s->install_mu);
    pt_bytes_done(&edit);
    clean_up(s);
    return rc;
}

peat_rc pt_install_merge(pt_store *s, pt_merge *merge)
{
    peat_rc rc = PEAT_OK;
    pt_bytes edit;
    pt_bytes_init(&edit, s->env);
    pt_mutex_lock(&s->install_mu);
    pt_state state = s->version_set.state;
    TRY(pt_merge_edit(merge, s->version_set.version, &state.partition_next, &edit));
    rc = install(s, &edit, &state, NULL);
    if (may_be_durable(s, rc))
        pt_merge_installed(merge);
    if (rc == PEAT_OK)
        note_kept_for(s, pt_merge_context(merge));
out:
    pt_mutex_unlock(&s->install_mu);
    pt_bytes_done(&edit);
    return rc;
}

static peat_rc split_edit(pt_store *s, const pt_partition *p, uint64_t partition_bytes,
                          pt_state *state, pt_bytes *edit)
{
    pt_split_plan plan = {.id = p->id,
                          .lower = p->lower,
                          .runs = p->runs,
                          .run_count = p->run_count,
                          .bottom = p->bottom,
                          .bottom_count = p->bottom_count};
    return pt_split_edit(s->env, &plan, partition_bytes, &state->partition_next, edit);
}

static peat_rc unite_edit(pt_store *s, const pt_version *v, const pt_merge_pick *pick,
                          pt_bytes *edit)
{
    peat_rc rc = PEAT_OK;
    size_t count = 0, n = 0;
    for (size_t i = 0; i < pick->count; i++)
        count += v->partitions[pick->first + i]->bottom_count;
    pt_layer *layers = (pt_layer *)pt_alloc(s->env, count * sizeof *layers);
    if (layers == NULL)
        return PEAT_NOMEM;
    for (size_t i = 0; i < pick->count; i++) {
        const pt_partition *p = v->partitions[pick->first + i];
        if (p->bottom_count != 0)
            memcpy(layers + n, p->bottom, p->bottom_count * sizeof *layers);
        n += p->bottom_count;
        if (i != 0)
            TRY(pt_edit_drop_partition(edit, p->id));
    }
    const pt_partition *first = v->partitions[pick->first];
    TRY(pt_edit_add_partition(edit, first->id, first->lower, NULL, 0, layers, n));
out:
    pt_free(s->env, layers);
    return rc;
}

/* All that the change touches is claimed by whoever asks for it. */
static bool covers(const uint64_t *claimed, size_t count, const pt_version *v,
                   const pt_merge_pick *pick)
{
    for (size_t i = 0; i < pick->count; i++) {
        bool mine = false;
        for (size_t j = 0; j < count; j++)
            mine = mine || claimed[j] == v->partitions[pick->first + i]->id;
        if (!mine)
            return false;
    }
    return true;
}

peat_rc pt_install_shape(pt_store *s, const pt_pick_options *options, const uint64_t *claimed,
                         size_t claimed_count, bool *ret_did)
{
    peat_rc rc = PEAT_OK;
    pt_bytes edit;
    pt_merge_pick pick;
    pt_bytes_init(&edit, s->env);
    pt_mutex_lock(&s->install_mu);
    pt_state state = s->version_set.state;
    const pt_version *v = s->version_set.version;
    /* chosen again, because the version may be another by now */
    pt_unit unit = pt_pick_shape(v, options, &pick);
    *ret_did = unit != PT_UNIT_NONE && covers(claimed, claimed_count, v, &pick);
    if (!*ret_did)
        goto out;
    if (unit == PT_UNIT_SPLIT)
        TRY(split_edit(s, v->partitions[pick.first], options->partition_bytes, &state, &edit));
    else if (unit == PT_UNIT_UNITE)
        TRY(unite_edit(s, v, &pick, &edit));
    TRY(install(s, &edit, &state, NULL));
out:
    pt_mutex_unlock(&s->install_mu);
    pt_bytes_done(&edit);
    clean_up(s);
    return rc;
}

/* Nothing that is not in tables: the next memtable begins with the next segment, and all before it
 * can go. False when there are unflushed entries. */
static bool end_segment(pt_store *s, uint64_t *ret_serial)
{
    pt_mutex_lock(&s->commit_mu);
    pt_mem *active = s->active;
    pt_memtable_stats stats = pt_memtable_get_stats(active->table);
    bool empty = stats.entries == 0 && s->seq_next == active->seq_first;
    pt_mutex_lock(&s->view_mu); /* only a switch adds immutable ones, and commit_mu is held */
    empty = empty && atomic_load_explicit(&s->view, memory_order_relaxed)->immutable_count == 0;
    if (empty) {
        pt_log_close_segment(s->log);
        *ret_serial = pt_log_serial(s->log);
        active->log_serial = *ret_serial; /* log_serial_after reads it under view_mu */
    }
    pt_mutex_unlock(&s->view_mu);
    pt_mutex_unlock(&s->commit_mu);
    return empty;
}

peat_rc pt_install_empty_log(pt_store *s)
{
    peat_rc rc = PEAT_OK;
    uint64_t serial = 0;
    pt_log_stats l;
    if (s->log == NULL)
        return PEAT_OK;
    pt_log_get_stats(s->log, &l);
    if (l.disk_bytes <= s->settings.segment_bytes_min || !end_segment(s, &serial))
        return PEAT_OK;
    pt_mutex_lock(&s->install_mu);
    pt_state state = s->version_set.state;
    if (serial > state.log_serial_min) {
        state.log_serial_min = serial;
        rc = pt_durable_commit_state(s, &state);
    }
    PT_ASSERT(rc != PEAT_OK || s->version_set.state.log_serial_min >= serial,
              "I3: the manifest has dropped what the log lets go of");
    if (rc == PEAT_OK)
        pt_log_release(s->log, serial);
    pt_mutex_unlock(&s->install_mu);
    pt_mutex_lock(&s->commit_mu);
    if (rc == PEAT_OK)
        pt_log_trim(s->log);
    pt_mutex_unlock(&s->commit_mu);
    return rc;
}
