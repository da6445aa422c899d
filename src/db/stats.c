/* SPDX-License-Identifier: MIT */
/* stats.c - see stats.h. Figures are read one by one; nothing is stopped for them. */
#include "db/stats.h"

#include "queue/queue.h"
#include "work/work.h"
#include "compact/pick.h"

static void add_reads(pt_store *s, peat_statistics *r)
{
    for (size_t i = 0; i <= PT_EPOCH_SLOTS; i++) {
        pt_store_read_counters *c = &s->read_counters[i];
        r->gets += atomic_load_explicit(&c->gets, memory_order_relaxed);
        r->gets_found += atomic_load_explicit(&c->found, memory_order_relaxed);
        r->filter_checks += atomic_load_explicit(&c->filter_checks, memory_order_relaxed);
        r->filter_skips += atomic_load_explicit(&c->filter_skips, memory_order_relaxed);
    }
    r->seeks = atomic_load(&s->seeks);
    r->hidden_steps = atomic_load(&s->hidden_steps);
    r->damages = atomic_load(&s->damages);
    r->sync_waiters = atomic_load(&s->sync_waiters);
}

static void add_commits(pt_store *s, peat_statistics *r)
{
    pt_mutex_lock(&s->commit_mu);
    r->puts = s->commits.puts;
    r->deletes = s->commits.deletes;
    r->batches = s->commits.batches;
    r->user_bytes_written = s->commits.user_bytes;
    r->write_delays = s->commits.delays;
    r->write_delay_us_total = s->commits.delay_ns / 1000;
    r->write_waits = s->commits.waits;
    r->write_wait_us_total = s->commits.wait_ns / 1000;
    pt_mutex_unlock(&s->commit_mu);
}

static void add_log(pt_store *s, peat_statistics *r)
{
    r->log_bytes = s->log_file_bytes;
    if (s->log == NULL)
        return;
    pt_log_stats l;
    pt_log_get_stats(s->log, &l);
    r->log_bytes_written = l.written_bytes - l.zero_bytes;
    r->zero_fill_bytes_written = l.zero_bytes;
    r->syncs = l.syncs;
    r->sync_us_total = l.sync_ns / 1000;
    r->log_bytes = l.disk_bytes;
}

static void add_work(pt_store *s, peat_statistics *r)
{
    pt_mutex_lock(&s->work->mu);
    const pt_work_state *w = &s->work->state;
    r->flushes = w->flushes;
    r->mid_merges = w->mid_merges;
    r->bottom_merges = w->bottom_merges;
    r->appends = w->appends;
    r->partition_changes = w->partition_changes;
    r->flush_bytes_written = w->flush_bytes;
    r->merge_bytes_written = w->merge_bytes_written;
    r->merge_bytes_read = w->merge_bytes_read;
    pt_mutex_unlock(&s->work->mu);
    pt_mutex_lock(&s->open_tables.mu);
    r->files_deleted = s->open_tables.files_removed;
    pt_mutex_unlock(&s->open_tables.mu);
}

/* Caller holds install_mu. Entries as the files count them: a layer's are estimates. */
static void add_version_set(pt_store *s, peat_statistics *r)
{
    uint64_t files = 0;
    const pt_version_set *c = &s->version_set;
    r->tables = c->table_count;
    for (size_t i = 0; i < c->table_count; i++) {
        const pt_table_meta *m = c->tables[i]->meta;
        files += m->file_bytes;
        r->entries += m->entries;
        r->tombstones += m->tombstones;
        r->raw_bytes += m->key_bytes + m->value_bytes - PT_KEYSPACE_BYTES * m->entries;
        *(m->codec == PT_CODEC_NONE  ? &r->plain_bytes
          : m->codec == PT_CODEC_LZ4 ? &r->lz4_bytes
                                     : &r->zstd_bytes) += m->file_bytes;
    }
    const pt_superblock *b = pt_manifest_superblock(c->manifest);
    r->format_version = b->format_version;
    r->features = b->features;
    r->app_id = b->app_id;
    uint64_t manifest = pt_manifest_bytes(c->manifest);
    r->manifest_bytes_written = pt_manifest_written_bytes(c->manifest);
    uint64_t layers = r->bottom_bytes + r->mid_bytes + r->fresh_bytes;
    r->other_bytes = manifest + PT_SUPERBLOCK_FILE_BYTES + (files > layers ? files - layers : 0) +
                     atomic_load_explicit(&s->open_tables.dead_bytes, memory_order_relaxed);
    r->disk_bytes = layers + r->log_bytes + r->other_bytes;
}

static void describe(const pt_version *v, size_t i, peat_partition_info *info)
{
    const pt_partition *p = v->partitions[i];
    *info = (peat_partition_info){.size = sizeof *info,
                                  .index = i,
                                  .count = v->count,
                                  .bottom_tables = p->bottom_count,
                                  .bottom_bytes = p->bottom_bytes,
                                  .entries = p->entries,
                                  .tombstones = p->tombstones,
                                  .obsolete_bytes = p->obsolete_bytes};
    if (p->lower.size > PT_KEYSPACE_BYTES)
        info->lower =
            peat_bytes(p->lower.data + PT_KEYSPACE_BYTES, p->lower.size - PT_KEYSPACE_BYTES);
    for (size_t j = 0; j < p->run_count; j++) {
        const pt_layer *l = &p->runs[j];
        bool fresh = l->table_ref->meta->run_kind == PT_RUN_FLUSHED;
        *(fresh ? &info->fresh_slices : &info->mid_slices) += 1;
        *(fresh ? &info->fresh_bytes : &info->mid_bytes) += l->bytes;
        info->damages += atomic_load(&l->table_ref->damages);
    }
    for (size_t j = 0; j < p->bottom_count; j++)
        info->damages += atomic_load(&p->bottom[j].table_ref->damages);
}

static void add_shape(pt_store *s, const pt_version *v, peat_statistics *r)
{
    r->partitions = v->count;
    for (size_t i = 0; i < v->count; i++) {
        peat_partition_info p;
        describe(v, i, &p);
        r->slices += p.fresh_slices + p.mid_slices;
        r->bottom_bytes += p.bottom_bytes;
        r->mid_bytes += p.mid_bytes;
        r->fresh_bytes += p.fresh_bytes;
        r->obsolete_bytes += p.obsolete_bytes;
        r->read_debt = pt_max_u64(r->read_debt, p.fresh_slices + p.mid_slices);
    }
    r->space_debt_bytes = pt_pick_space_debt(v, s->settings.space_target);
}

static uint64_t add_memtable(const pt_mem *mem, peat_statistics *r)
{
    pt_memtable_stats m = pt_memtable_get_stats(mem->table);
    r->entries += m.entries;
    r->tombstones += m.tombstones;
    return m.used_bytes;
}

static void add_memory(pt_store *s, const pt_view *v, peat_statistics *r)
{
    pt_cache_stats c;
    uint64_t immutable = 0;
    r->memtable_bytes = add_memtable(v->active, r);
    r->immutable_memtables = v->immutable_count;
    for (size_t i = 0; i < v->immutable_count; i++)
        immutable += add_memtable(v->immutables[i], r);
    pt_cache_get_stats(s->cache, &c);
    r->cache_bytes = c.frame_bytes;
    r->cache_hits = c.hits_fetch;
    r->cache_misses = c.misses;
    r->pinned_bytes =
        c.heap_bytes + atomic_load(&s->mems.left_bytes) + atomic_load(&s->reader_bytes);
    r->metadata_bytes = atomic_load(&s->open_tables.files.section_bytes);
    r->memory_budget_bytes = s->settings.memory_bytes;
    r->memory_bytes = r->memtable_bytes + immutable + pt_memtable_pool_bytes(&s->mems.pool) +
                      r->cache_bytes + r->metadata_bytes + r->pinned_bytes +
                      atomic_load(&s->open_tables.files.ahead_bytes);
    r->bytes_read =
        atomic_load(&s->open_tables.bytes_read) + atomic_load(&s->open_tables.files.ahead_read);
}

static void add_queues(pt_store *s, peat_statistics *r)
{
    pt_queue_counts c;
    pt_queues_count(s, &c);
    r->queues = c.queues;
    r->queues_by_ring = c.by_ring;
    r->queues_by_threads = c.by_threads;
    r->queue_outstanding = c.outstanding;
}

peat_rc pt_stats_take(pt_store *s, peat_statistics *ret_stats)
{
    peat_statistics r = {.size = sizeof r};
    add_reads(s, &r);
    add_commits(s, &r);
    add_log(s, &r);
    add_work(s, &r);
    pt_mutex_lock(&s->install_mu); /* what a flush moves is counted once */
    pt_view *v = pt_store_view(s);
    add_shape(s, v->version, &r);
    add_version_set(s, &r);
    pt_mutex_unlock(&s->install_mu);
    add_memory(s, v, &r);
    add_queues(s, &r);
    pt_view_unref(v);
    r.recovered_records = s->recovered_records;
    r.recovered_bytes = s->recovered_bytes;
    r.open_us = s->open_ns / 1000;
    pt_mutex_lock(&s->snapshots.mu);
    r.iterators = atomic_load(&s->iterators); /* whose links are among these */
    r.snapshots = s->snapshots.count - r.iterators;
    pt_mutex_unlock(&s->snapshots.mu);
    *ret_stats = r;
    return PEAT_OK;
}

peat_rc pt_stats_shape(pt_store *s, peat_rc (*fn)(void *, const peat_partition_info *), void *ctx)
{
    peat_rc rc = PEAT_OK;
    pt_view *v = pt_store_view(s);
    for (size_t i = 0; i < v->version->count && rc == PEAT_OK; i++) {
        peat_partition_info info;
        describe(v->version, i, &info);
        rc = fn(ctx, &info);
    }
    pt_view_unref(v);
    return rc;
}
