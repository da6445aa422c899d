/* SPDX-License-Identifier: MIT */
/* crash_run.c - follows a plan, and finds the state of a store among the states of the plan. */
#include "crash/crash.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void crash_fail(const crash_run *r, const char *format, ...)
{
    va_list args;
    (void)fprintf(r->report, "%s%sSEED=%" PRIu64 " N=1, ", r->story, r->story[0] ? "; " : "",
                  r->plan->seed);
    if (r->plan->load != NULL)
        (void)fprintf(r->report, "LOAD=%s, ", r->plan->load->name);
    va_start(args, format);
    (void)vfprintf(r->report, format, args);
    va_end(args);
    if (r->sim != NULL)
        (void)fprintf(r->report, " (%s)", sim_story(r->sim));
    (void)fprintf(r->report, "\noptions:");
    model_options_print(&r->plan->options, r->report);
    (void)fprintf(r->report, "\n");
    (void)fflush(r->report);
    _Exit(MODEL_EXIT_MISMATCH);
}

/* An error that the cut under way explains: the store is closed, and that is all. */
static void excuse(const crash_run *r, peat_rc rc)
{
    if (r->cut == NULL || !atomic_load(r->cut) || (rc != PEAT_IO && rc != PEAT_READ_ONLY))
        return;
    peat_snapshot_close(r->snapshot);
    (void)!peat_close(r->db); /* cannot be said to be durable, must not crash or hang */
    _Exit(CRASH_EXIT_CUT);
}

void crash_run_init(crash_run *r, const crash_plan *plan, sim_env *sim, FILE *report)
{
    *r = (crash_run){.plan = plan, .sim = sim, .dir = "store", .report = report};
    r->begun = &r->counters[0];
    r->returned = &r->counters[1];
    r->durable = &r->counters[2];
}

void crash_open(crash_run *r, bool read_only)
{
    peat_error error;
    model_open_make(&r->plan->options, r->sim ? sim_peat(r->sim) : NULL, &r->open);
    r->open.options.read_only = read_only;
    peat_rc rc = peat_open(r->dir, &r->open.options, &r->db, &error);
    if (rc == PEAT_UNSUPPORTED) {
        r->open.options.compression = PEAT_COMPRESSION_LZ4;
        rc = peat_open(r->dir, &r->open.options, &r->db, &error);
    }
    if (read_only && rc == PEAT_NOT_FOUND)
        return;
    excuse(r, rc);
    if (rc != PEAT_OK)
        crash_fail(r, "peat_open%s: %s, \"%s\"", read_only ? " read-only" : "", peat_rc_name(rc),
                   error.message);
}

void crash_close(crash_run *r)
{
    peat_snapshot_close(r->snapshot);
    r->snapshot = NULL;
    crash_queue_before_close(r);
    peat_rc rc = peat_close(r->db);
    r->db = NULL;
    crash_queue_after_close(r);
    excuse(r, rc);
    if (rc != PEAT_OK)
        crash_fail(r, "peat_close: %s", peat_rc_name(rc));
}

/* --- following --- */

static peat_rc apply_single(const crash_run *r, const crash_write *w,
                            const peat_write_options *options)
{
    uint8_t *bytes = malloc((size_t)w->value.size + 1);
    peat_slice key = r->plan->keys.by_rank[w->rank];
    model_value_fill(w->value, bytes);
    peat_rc rc = w->deleted ? peat_delete(r->db, options, key)
                            : peat_put(r->db, options, key, peat_bytes(bytes, w->value.size));
    free(bytes);
    return rc;
}

peat_rc crash_batch(const crash_run *r, uint64_t i, peat_batch **ret_batch)
{
    const crash_commit *c = &r->plan->commits[i];
    const crash_write *writes = &r->plan->writes[c->first];
    peat_batch *batch = NULL;
    peat_rc rc = peat_batch_new(&batch);
    for (size_t w = 0; rc == PEAT_OK && w < c->count; w++) {
        peat_slice key = r->plan->keys.by_rank[writes[w].rank];
        void *room = NULL;
        if (writes[w].deleted)
            rc = peat_batch_delete(batch, key);
        else
            rc = peat_batch_put_reserve(batch, key, writes[w].value.size, &room);
        if (rc == PEAT_OK && room != NULL)
            model_value_fill(writes[w].value, room);
    }
    *ret_batch = batch;
    return rc;
}

peat_rc crash_apply(const crash_run *r, uint64_t i)
{
    const crash_commit *c = &r->plan->commits[i];
    peat_write_options options = {.size = sizeof options, .sync = c->sync};
    peat_batch *batch = NULL;
    if (c->single)
        return apply_single(r, &r->plan->writes[c->first], &options);
    peat_rc rc = crash_batch(r, i, &batch);
    if (rc == PEAT_OK)
        rc = peat_write(r->db, &options, batch);
    peat_batch_free(batch);
    return rc;
}

void crash_expect_ok(const crash_run *r, peat_rc rc, const char *call)
{
    excuse(r, rc);
    if (rc != PEAT_OK)
        crash_fail(r, "%s after commit %" PRIu64 ": %s", call, atomic_load(r->returned),
                   peat_rc_name(rc));
}

/* Only what was acknowledged before the cut began is counted. Of a file system of the running
 * kernel (ext4, data=writeback) that was shut down under load one cut came back at commit 141 with
 * 148 acknowledged; it was not seen again, and what happened is not known. */
void crash_promise(crash_run *r, uint64_t commit)
{
    if (r->cut == NULL || !atomic_load(r->cut))
        atomic_store(r->durable, commit);
}

static void commit_next(crash_run *r)
{
    uint64_t i = atomic_load(r->begun) + 1;
    bool durable = r->plan->commits[i].sync && !r->open.options.no_log;
    atomic_store(r->begun, i);
    if (r->plan->load->queue) {
        crash_queue_commit(r, i);
        return;
    }
    crash_expect_ok(r, crash_apply(r, i), "a write");
    atomic_store(r->returned, i);
    if (durable)
        crash_promise(r, i);
}

static void toggle_snapshot(crash_run *r)
{
    if (r->snapshot == NULL) {
        crash_expect_ok(r, peat_snapshot_open(r->db, &r->snapshot), "peat_snapshot_open");
    } else {
        peat_snapshot_close(r->snapshot);
        r->snapshot = NULL;
    }
}

/* What the close has cut short of a queue is done again. */
static void reopen(crash_run *r)
{
    uint64_t begun = atomic_load(r->begun);
    crash_close(r);
    crash_promise(r, atomic_load(r->returned));
    crash_open(r, false);
    if (atomic_load(r->begun) < begun)
        (void)crash_identify(r, atomic_load(r->begun), atomic_load(r->begun));
    while (atomic_load(r->begun) < begun)
        commit_next(r);
}

static void do_step(crash_run *r, crash_step_kind step)
{
    switch (step) {
    case CRASH_COMMIT:
        commit_next(r);
        return;
    case CRASH_SYNC:
        if (r->plan->load->queue) {
            crash_queue_sync(r);
            return;
        }
        crash_expect_ok(r, peat_sync(r->db), "peat_sync");
        break;
    case CRASH_FLUSH:
        crash_expect_ok(r, peat_flush(r->db), "peat_flush");
        break;
    case CRASH_WORK:
        crash_expect_ok(r, peat_work(r->db, 2, NULL), "peat_work");
        return;
    case CRASH_COMPACT:
        crash_expect_ok(r, peat_compact(r->db, peat_unbounded(), peat_unbounded(), NULL),
                        "peat_compact");
        return;
    case CRASH_SETTLE:
        crash_expect_ok(r, peat_settle(r->db, PEAT_WAIT_FOREVER), "peat_settle");
        return;
    case CRASH_REOPEN:
        reopen(r);
        return;
    case CRASH_SNAPSHOT:
        toggle_snapshot(r);
        return;
    case CRASH_COPY:
        crash_queue_drain(r);
        crash_copy(r);
        return;
    case CRASH_STEP_COUNT:
        break;
    }
    crash_promise(r, atomic_load(r->returned));
}

void crash_go_on(crash_run *r, uint64_t from, uint64_t to)
{
    size_t commits = 0, step = 0;
    while (step < r->plan->step_count && commits < from)
        commits += r->plan->steps[step++] == CRASH_COMMIT;
    for (; step < r->plan->step_count && atomic_load(r->begun) < to; step++)
        do_step(r, r->plan->steps[step]);
    crash_queue_drain(r);
}

/* --- comparing --- */

typedef struct reader {
    const crash_run *r;
    crash_row_fn each;
    void *arg;
} reader;

static void read_row(void *arg, peat_slice key, peat_slice value)
{
    const reader *d = arg;
    const model_keys *keys = &d->r->plan->keys;
    size_t rank = model_keys_seek(keys, key);
    if (rank == keys->ranks || scan_compare(key, keys->by_rank[rank]) != 0)
        crash_fail(d->r, "a key of %zu bytes that was never written", key.size);
    d->each(d->arg, rank, value, pt_mix(pt_hash(value.data, value.size) ^ pt_mix(rank + 1)));
}

void crash_read(const crash_run *r, crash_row_fn each, void *arg)
{
    peat_iter *it = NULL;
    peat_rc rc = peat_iter_open(r->db, NULL, &it);
    if (rc == PEAT_OK)
        rc = scan_rows(it, SCAN_FILLS, read_row, &(reader){r, each, arg});
    peat_iter_close(it);
    excuse(r, rc);
    if (rc != PEAT_END)
        crash_fail(r, "reading it all: %s", peat_rc_name(rc));
}

typedef struct reading {
    peat_slice *values;
    bool *there;
} reading;

static void keep_row(void *arg, size_t rank, peat_slice value, uint64_t hash)
{
    const reading *g = arg;
    void *copy = malloc(value.size + 1);
    (void)hash;
    if (value.size != 0)
        memcpy(copy, value.data, value.size);
    g->values[rank] = peat_bytes(copy, value.size);
    g->there[rank] = true;
}

static void add_row(void *arg, size_t rank, peat_slice value, uint64_t hash)
{
    uint64_t *sum = arg;
    (void)rank;
    (void)value;
    *sum += hash;
}

/* What the store holds for a rank: the number of a commit, 0 for nothing, UINT32_MAX for bytes that
 * no commit wrote. */
static uint32_t origin_of(const crash_plan *p, size_t rank, bool there, peat_slice value)
{
    for (size_t w = p->write_count; there && w-- > 0;) {
        const crash_write *write = &p->writes[w];
        if (write->rank == rank && !write->deleted && model_value_is(write->value, value))
            return crash_commit_of(write->value);
    }
    return there ? UINT32_MAX : 0;
}

/* Per rank the commit that wrote what is there after commit `at`; 0 for nothing. */
static void origins_at(const crash_plan *p, uint64_t at, uint32_t *ret_origins)
{
    memset(ret_origins, 0, p->keys.ranks * sizeof *ret_origins);
    for (uint64_t i = 1; i <= at; i++)
        for (size_t w = 0; w < p->commits[i].count; w++) {
            const crash_write *write = &p->writes[p->commits[i].first + w];
            ret_origins[write->rank] = write->deleted ? 0 : crash_commit_of(write->value);
        }
}

/* Says how the state differs from the nearest state of the plan. */
static void explain(const crash_run *r, uint64_t low, uint64_t high)
{
    const crash_plan *p = r->plan;
    size_t ranks = p->keys.ranks, best_wrong = SIZE_MAX, example = 0;
    peat_slice *values = calloc(ranks, sizeof *values);
    bool *there = calloc(ranks, sizeof *there);
    uint32_t *found = calloc(ranks, sizeof *found), *expected = calloc(ranks, sizeof *expected);
    uint64_t best = 0;
    crash_read(r, keep_row, &(reading){values, there});
    for (size_t rank = 0; rank < ranks; rank++)
        found[rank] = origin_of(p, rank, there[rank], values[rank]);
    for (uint64_t i = 0; i <= p->commit_count; i++) {
        size_t wrong = 0;
        origins_at(p, i, expected);
        for (size_t rank = 0; rank < ranks; rank++)
            wrong += found[rank] != expected[rank];
        if (wrong <= best_wrong) {
            best_wrong = wrong;
            best = i;
        }
    }
    origins_at(p, best, expected);
    while (example < ranks && found[example] == expected[example])
        example++;
    if (best_wrong == 0)
        crash_fail(
            r, "the state is that after commit %" PRIu64 ", allowed are %" PRIu64 " to %" PRIu64,
            best, low, high);
    crash_fail(r,
               "the state is none of those after commit %" PRIu64 " to %" PRIu64
               ": %zu keys differ from that after %" PRIu64
               ", as rank %zu: expected the value of commit %u, found that of %u (0: none)",
               low, high, best_wrong, best, example, expected[example], found[example]);
}

uint64_t crash_identify(const crash_run *r, uint64_t low, uint64_t high)
{
    uint64_t hash = 0;
    if (r->db == NULL && low == 0)
        return 0; /* read-only, and the cut came before there was a store */
    if (r->db == NULL)
        crash_fail(r, "there is no store, but the state after commit %" PRIu64 " was durable", low);
    crash_read(r, add_row, &hash);
    for (uint64_t i = high + 1; i-- > low;)
        if (r->plan->hash[i] == hash)
            return i;
    explain(r, low, high);
    return 0;
}

static bool tell_damage(void *ctx, const peat_damage *damage)
{
    crash_fail(ctx, "peat_check: %s at %" PRIu64 ": %s", damage->file, damage->offset,
               damage->message);
}

void crash_check(const crash_run *r)
{
    crash_run copy_of_facts = {.plan = r->plan, .sim = r->sim, .report = r->report};
    peat_check_options options = {
        .size = sizeof options, .damage_fn = tell_damage, .damage_ctx = &copy_of_facts};
    (void)strcpy(copy_of_facts.story, r->story);
    peat_rc rc = peat_check(r->db, &options, NULL);
    if (rc != PEAT_OK)
        crash_fail(r, "peat_check: %s", peat_rc_name(rc));
}
