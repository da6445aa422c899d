/* SPDX-License-Identifier: MIT */
/* faults_world.c - the operations of a workload under faults, and the book; see faults.h. */
#include "api/handle.h"
#include "faults/faults.h"

#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX ((uint32_t)200000)
/* For what a thread does without waiting for anything: when that takes so long it does not do it.
 * Less than the child has (model_child.c), so that the report has a reason. */
#define PATIENCE_NS (UINT64_C(15) * 1000 * 1000 * 1000)

void faults_wrong(const faults_world *w, const char *format, ...)
{
    va_list args;
    (void)fprintf(w->report, "%s: ", w->story);
    va_start(args, format);
    (void)vfprintf(w->report, format, args);
    va_end(args);
    (void)fprintf(w->report, " (after commit %" PRIu32 ", %" PRIu64 " failed calls%s%s)\n",
                  w->book.commits, w->hits(w), w->sim ? "; " : "", w->sim ? sim_story(w->sim) : "");
    (void)fflush(w->report);
    _Exit(FAULTS_EXIT_WRONG);
}

static uint64_t no_hits(const faults_world *w)
{
    (void)w;
    return 0;
}

void faults_init(faults_world *w, sim_env *sim, const char *dir, const char *copy_dir,
                 uint64_t seed)
{
    *w = (faults_world){.sim = sim,
                        .dir = dir,
                        .copy_dir = copy_dir,
                        .story = "",
                        .report = stderr,
                        .random = {seed},
                        .hits = no_hits};
}

/* --- keys and values --- */

/* Made when they are first asked for, and kept. */
static const model_keys *keys_of(int64_t style)
{
    static model_keys keys[MODEL_KEY_STYLES];
    model_keys *k = &keys[style];
    if (k->ranks == 0)
        model_keys_init(k, style);
    return k;
}

/* Some of the style's, from the first on, ordered as their numbers. */
peat_slice faults_key(const faults_world *w, unsigned key)
{
    const model_keys *k = keys_of(w->options.field[MODEL_OPTION_keys]);
    return k->by_rank[key * k->ranks / FAULTS_KEYS];
}

/* --- the book --- */

static uint32_t note_write(faults_book *b, unsigned key, uint32_t size, bool deleted)
{
    if (b->writes == FAULTS_WRITES_MAX || size > VALUE_MAX || key >= FAULTS_KEYS)
        abort();
    model_value value = {size, b->writes + 1};
    b->write[b->writes] = (faults_write){
        .commit = b->commits, .value = value, .key = (uint16_t)key, .deleted = deleted};
    return b->writes++;
}

model_value faults_note_item(faults_world *w, unsigned key, uint32_t size)
{
    return w->book.write[note_write(&w->book, key, size, false)].value;
}

model_value faults_note_write(faults_world *w, unsigned key, uint32_t size, bool deleted)
{
    w->book.commits++;
    return w->book.write[note_write(&w->book, key, size, deleted)].value;
}

uint32_t faults_source(const faults_world *w, unsigned key, const peat_slice *value, uint32_t limit)
{
    const faults_book *b = &w->book;
    bool last_of_commit = true;
    for (uint32_t n = b->writes, commit = 0; n-- > 0;) {
        const faults_write *write = &b->write[n];
        if (write->key != key || write->commit > limit)
            continue;
        last_of_commit = write->commit != commit;
        commit = write->commit;
        if (!last_of_commit) /* overwritten within its batch */
            continue;
        if (value == NULL ? write->deleted
                          : !write->deleted && model_value_is(write->value, *value))
            return n + 1;
        if (b->acked[commit])
            faults_wrong(w,
                         "key %u: write %" PRIu32 " of commit %" PRIu32
                         " (%s) was acknowledged, found %s of %zu bytes",
                         key, n, commit, write->deleted ? "a delete" : "a put",
                         value ? "a value" : "nothing", value ? value->size : 0);
    }
    if (value != NULL)
        faults_wrong(w, "key %u: %zu bytes that nobody wrote", key, value->size);
    return 0;
}

/* --- judging results --- */

/* What an operation may return when calls fail. True: it did what it should. */
bool faults_judge(const faults_world *w, peat_rc rc, const char *call)
{
    if (rc >= 0)
        return true;
    if (w->hits(w) == 0)
        faults_wrong(w, "%s returned %s though nothing has failed", call, peat_rc_name(rc));
    bool right = w->only != PEAT_OK ? rc == w->only : rc == PEAT_IO || rc == PEAT_FULL;
    right = right || (w->also != PEAT_OK && rc == w->also);
    if (!right)
        faults_wrong(w, "%s returned %s", call, peat_rc_name(rc));
    return false;
}

static uint64_t really_now(void)
{
    const peat_env *real = peat_env_default();
    return real->now_ns(real->ctx);
}

/* A vital sync is failing or has failed: the store refuses writes as soon as the call has returned
 * to the thread that made it. Whoever is that thread has it done when its operation returns. */
static void expect_write_failure(const faults_world *w)
{
    bool threads = w->options.field[MODEL_OPTION_threads] >= 0;
    uint64_t end = really_now() + PATIENCE_NS;
    while (pt_sink_write_failure(&w->db->store->sink) == PEAT_OK) {
        if (!threads || really_now() > end)
            faults_wrong(w, "a sync of log or manifest failed, and the store takes writes");
        (void)sched_yield();
    }
}

/* After every operation. A failed sync may have dropped what the system held in memory: what was
 * not durable by then is there or not from the next open on, and so are writes that got through
 * beside it, before the write failure. */
void faults_note(faults_world *w)
{
    bool lost = atomic_exchange(&w->struck_sync, false);
    if (w->db != NULL && w->struck_vital && !w->must_refuse) {
        expect_write_failure(w);
        w->must_refuse = true;
        lost = true;
    }
    for (uint32_t i = w->book.durable + 1; lost && i <= w->book.commits; i++)
        w->book.acked[i] = false;
}

/* What was handed to the store as commit `commits` of the book has returned. */
static void judge_write(faults_world *w, peat_rc rc, bool sync, const char *call)
{
    bool done = faults_judge(w, rc, call);
    if (rc > 0)
        faults_wrong(w, "%s returned %s", call, peat_rc_name(rc));
    if (done && w->must_refuse)
        faults_wrong(w, "%s was accepted after a sync of log or manifest had failed", call);
    bool syncs = sync && !w->open.options.no_log;
    w->book.acked[w->book.commits] = done;
    if (done && syncs)
        w->book.durable = w->book.commits;
    faults_note(w); /* a thread's sync may have failed with this write in it */
}

/* An operation that makes everything durable has returned. */
static void judge_durable(faults_world *w, peat_rc rc, const char *call)
{
    bool done = faults_judge(w, rc, call);
    if (done && w->must_refuse)
        faults_wrong(w, "%s succeeded after a sync of log or manifest had failed", call);
    faults_note(w);
    if (done)
        w->book.durable = w->book.commits;
}

/* --- operations --- */

static void open_store(faults_world *w, bool read_only)
{
    peat_error error = {0};
    if (w->db != NULL)
        return;
    model_open_make(&w->options, w->sim ? sim_peat(w->sim) : NULL, &w->open);
    w->open.options.read_only = read_only;
    w->must_refuse = false;
    w->struck_vital = false;
    w->opens++;
    peat_rc rc = peat_open(w->dir, &w->open.options, &w->db, &error);
    if (rc != PEAT_OK)
        w->db = NULL;
    if (rc == PEAT_NOT_FOUND && read_only && w->book.durable == 0)
        return;
    if (!faults_judge(w, rc, "peat_open") && error.message[0] == '\0')
        faults_wrong(w, "peat_open failed without a word");
    if (rc > 0)
        faults_wrong(w, "peat_open: %s, %s", peat_rc_name(rc), error.message);
    faults_note(w);
    if (rc == PEAT_OK && !read_only)
        w->book.durable = w->book.commits;
}

void faults_open(faults_world *w)
{
    open_store(w, false);
}

void faults_open_read_only(faults_world *w)
{
    open_store(w, true);
}

void faults_close(faults_world *w)
{
    peat_snapshot_close(w->snapshot);
    w->snapshot = NULL;
    if (w->db == NULL)
        return;
    bool read_only = w->open.options.read_only;
    uint32_t durable = w->book.durable;
    peat_rc rc = peat_close(w->db);
    w->db = NULL;
    judge_durable(w, rc, "peat_close");
    for (uint32_t i = durable; rc != PEAT_OK && w->open.options.no_log && i < w->book.commits; i++)
        w->book.acked[i + 1] = false; /* what was in memory only is gone */
    if (read_only)
        w->book.durable = durable;
}

static void write_one(faults_world *w, unsigned key, uint32_t size, bool deleted, bool sync)
{
    peat_write_options options = {.size = sizeof options, .sync = sync};
    if (w->db == NULL)
        return;
    w->book.commits++;
    uint32_t number = note_write(&w->book, key, size, deleted);
    peat_rc rc;
    if (deleted) {
        rc = peat_delete(w->db, &options, faults_key(w, key));
    } else {
        uint8_t *bytes = malloc(size);
        model_value_fill(w->book.write[number].value, bytes);
        rc = peat_put(w->db, &options, faults_key(w, key), peat_bytes(bytes, size));
        free(bytes);
    }
    judge_write(w, rc, sync, deleted ? "peat_delete" : "peat_put");
}

void faults_put(faults_world *w, unsigned key, uint32_t size, bool sync)
{
    write_one(w, key, size, false, sync);
}

void faults_delete(faults_world *w, unsigned key, bool sync)
{
    write_one(w, key, 0, true, sync);
}

void faults_batch(faults_world *w, unsigned key, unsigned count, uint32_t size, bool sync)
{
    peat_write_options options = {.size = sizeof options, .sync = sync};
    peat_batch *batch = NULL, *whole = NULL;
    if (w->db == NULL)
        return;
    w->book.commits++;
    peat_rc rc = peat_batch_new(&batch);
    if (rc == PEAT_OK)
        rc = peat_batch_new(&whole);
    for (unsigned i = 0; rc == PEAT_OK && i < count; i++) {
        unsigned k = (key + i) % FAULTS_KEYS;
        bool deleted = i % 5 == 4;
        uint32_t number = note_write(&w->book, k, deleted ? 0 : size, deleted);
        void *room = NULL;
        if (deleted)
            rc = peat_batch_delete(batch, faults_key(w, k));
        else
            rc = peat_batch_put_reserve(batch, faults_key(w, k), size, &room);
        if (rc == PEAT_OK && room != NULL)
            model_value_fill(w->book.write[number].value, room);
    }
    if (rc == PEAT_OK)
        rc = peat_batch_append(whole, batch);
    if (rc == PEAT_OK)
        rc = peat_write(w->db, &options, whole);
    peat_batch_free(whole);
    peat_batch_free(batch);
    judge_write(w, rc, sync, "peat_write");
}

void faults_sync(faults_world *w)
{
    if (w->db != NULL)
        judge_durable(w, peat_sync(w->db), "peat_sync");
}

/* An acknowledged write has begun the interval. */
void faults_await_sync(faults_world *w)
{
    if (w->db == NULL || !w->book.acked[w->book.commits])
        return;
    pt_store *s = w->db->store;
    uint64_t end = really_now() + PATIENCE_NS, position = pt_log_position(s->log);
    while (pt_log_synced_position(s->log) < position &&
           pt_sink_write_failure(&s->sink) == PEAT_OK) {
        if (really_now() > end)
            faults_wrong(w, "the sync of the interval does not come");
        (void)sched_yield();
    }
    if (pt_log_synced_position(s->log) >= position)
        w->book.durable = w->book.commits;
    faults_note(w);
}

void faults_flush(faults_world *w)
{
    if (w->db != NULL)
        judge_durable(w, peat_flush(w->db), "peat_flush");
}

static void judge_upkeep(faults_world *w, peat_rc rc, const char *call)
{
    (void)faults_judge(w, rc, call);
    faults_note(w);
}

void faults_compact(faults_world *w)
{
    if (w->db != NULL)
        judge_upkeep(w, peat_compact(w->db, peat_unbounded(), peat_unbounded(), NULL),
                     "peat_compact");
}

void faults_settle(faults_world *w)
{
    if (w->db != NULL)
        judge_upkeep(w,
                     peat_settle(w->db, w->options.field[MODEL_OPTION_threads] < 0
                                            ? PEAT_WAIT_FOREVER
                                            : 2000),
                     "peat_settle");
}

void faults_work(faults_world *w, unsigned units)
{
    if (w->db != NULL)
        judge_upkeep(w, peat_work(w->db, units, NULL), "peat_work");
}

/* A file that cannot be read counts as damage. */
static bool tell_damage(void *ctx, const peat_damage *damage)
{
    const faults_world *w = ctx;
    if (w->hits(w) == 0 || w->only == PEAT_NOMEM || w->only == PEAT_FULL ||
        strstr(damage->message, "cannot be read") == NULL)
        faults_wrong(w, "peat_check: %s @%" PRIu64 ": %s", damage->file, damage->offset,
                     damage->message);
    return true;
}

void faults_check(faults_world *w)
{
    peat_check_options options = {
        .size = sizeof options, .damage_fn = tell_damage, .damage_ctx = w};
    if (w->db == NULL)
        return;
    peat_rc rc = peat_check(w->db, &options, NULL);
    judge_upkeep(w, rc == PEAT_CORRUPT ? PEAT_IO : rc, "peat_check"); /* tell_damage has judged */
}

void faults_stats(faults_world *w)
{
    peat_buf json = PEAT_BUF_INIT;
    peat_statistics stats = {.size = sizeof stats};
    uint64_t n = 0;
    if (w->db == NULL)
        return;
    judge_upkeep(w, peat_stats(w->db, &stats), "peat_stats");
    judge_upkeep(w, peat_stats_json(w->db, &json), "peat_stats_json");
    judge_upkeep(w, peat_approximate_size(w->db, peat_unbounded(), peat_unbounded(), &n),
                 "peat_approximate_size");
    judge_upkeep(w, peat_approximate_count(w->db, peat_unbounded(), peat_unbounded(), &n),
                 "peat_approximate_count");
    peat_buf_free(&json);
}
