/* SPDX-License-Identifier: MIT */
/*
 * rest.c - what a store gives back when nothing is due any more: memory that holds nothing, and
 * descriptors that nobody is using. Nothing that is known is forgotten: blocks, indexes and filters
 * stay where they are, within the budget, so that a store that wakes up is as quick as it was.
 *
 *   memtable   what was touched between its records and its nodes; mappings kept for the next ones
 *   log        its buffer, when all of it is in files
 *   memory     what writing would take is the cache's until the next flush or merge
 *   cache      frames without a block; what describes frames stays, 9 bytes per KiB ever used
 *   manifest   its two files; the next edit opens them again
 *   reads      what gets of many keys read with
 *   tables     files that no read has used since the last rest
 *
 * Two rests, REST_NS apart, are what a quiet store has after its last write: the first finds which
 * files are not used, and the second closes them. What stays open is the directory, the lock and
 * the segment of the log that the next write goes to.
 */
#include "state/budget.h"
#include "work/work.h"

#define REST_NS ((uint64_t)1000 * 1000 * 1000)
#define RESTS   2u

/* Every entry that was reserved is in the memtable: reserving and counting oneself among the
 * writers is done under commit_mu. */
static void trim_writing(pt_store *s)
{
    pt_mutex_lock(&s->commit_mu);
    /* acquire: pairs with the committer's release after its inserts */
    if (atomic_load_explicit(&s->active->writers, memory_order_acquire) == 0)
        pt_memtable_trim(s->active->table);
    if (s->log != NULL)
        pt_log_rest(s->log);
    pt_mutex_unlock(&s->commit_mu);
    pt_memtable_pool_trim(&s->mems.pool);
}

static bool is_working(pt_store *s)
{
    pt_mutex_lock(&s->work->mu);
    bool working = s->work->state.claims.count != 0;
    pt_mutex_unlock(&s->work->mu);
    return working;
}

void pt_work_rest(pt_store *s)
{
    pt_epoch_collect(&s->epoch);
    trim_writing(s);
    if (!is_working(s))
        pt_budget_lend(s);
    pt_cache_trim(s->cache);
    pt_table_files_rest(&s->open_tables.files);
    pt_reads_pool_trim(&s->reads);
    pt_mutex_lock(&s->install_mu);
    pt_manifest_rest(s->version_set.manifest);
    pt_mutex_unlock(&s->install_mu);
}

uint64_t pt_worker_rest(pt_worker *w)
{
    if (w->rested_seq != w->seen_seq)
        w->rests = 0;
    w->rested_seq = w->seen_seq;
    if (w->rests == RESTS)
        return UINT64_MAX;
    pt_work_rest(w->store);
    return ++w->rests == RESTS ? UINT64_MAX : REST_NS;
}
