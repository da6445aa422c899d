/* SPDX-License-Identifier: MIT */
/*
 * run.c - drives a list of workloads over one store.
 *
 * A workload: (1) make sure the store is in the state it needs, (2) start the threads, each with
 * its handle, (3) take usage and start all at once, (4) join, take usage, (5) settle and take
 * usage again, (6) note what is in the store now, (7) report.
 */
#include "run.h"
#include "report.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int pb_wrong(const pb_worker *worker, uint64_t id, const char *what)
{
    fprintf(stderr, "peat-bench: %s: %s: WRONG RESULT: %s (id %llu, generations %u to %u)\n",
            worker->bench->engine->name, worker->workload->name, what, (unsigned long long)id,
            worker->expect.gen_min, worker->expect.gen_max);
    return PB_ERROR;
}

/* --- the store ------------------------------------------------------------------------------ */

static pb_key_format key_format(const char *name)
{
    if (strcmp(name, "binary") == 0)
        return PB_KEY_BINARY;
    return strcmp(name, "hashed") == 0 ? PB_KEY_HASHED : PB_KEY_DECIMAL;
}

static int take_shape(pb_bench *b, bool ycsb)
{
    const pb_options *o = b->options;
    pb_values_done(&b->values);
    b->ycsb = ycsb;
    b->keys.format = ycsb ? PB_KEY_HASHED : key_format(o->keys);
    b->keys.size = o->key_size;
    return pb_values_init(&b->values, ycsb ? YCSB_VALUE_SIZE : o->value_size, o->ratio, o->seed);
}

int pb_store_open(pb_bench *b, bool create)
{
    pb_usage_read(&b->before_open);
    return b->engine->open(&b->settings, create, &b->store);
}

int pb_store_close(pb_bench *b)
{
    void *store = b->store;
    b->store = NULL;
    return store ? b->engine->close(store) : PB_OK;
}

static int fresh_store(pb_bench *b, bool ycsb)
{
    if (pb_store_close(b) != PB_OK)
        return PB_ERROR;
    if (pb_remove_tree(b->dir) != 0 || pb_make_dirs(b->dir) != 0) {
        perror(b->dir);
        return PB_ERROR;
    }
    sync(); /* what the last store left to write back is not this one's cost */
    b->records = b->inserted = 0;
    return take_shape(b, ycsb);
}

static int run_workload(pb_bench *b, const pb_workload *w);

/* (1) */
static int prepare(pb_bench *b, const pb_workload *w)
{
    bool ycsb = w->flags & PB_YCSB, synced = w->flags & PB_SYNC;
    if (w->flags & PB_FRESH) {
        if (fresh_store(b, ycsb) != PB_OK)
            return PB_ERROR;
    } else if (b->records == 0 || ycsb != b->ycsb) {
        const pb_workload *load = pb_workload_find(ycsb ? "ycsbload" : "fillrandom");
        if (run_workload(b, load) != PB_OK)
            return PB_ERROR;
    }
    if (b->store && b->settings.sync != synced && pb_store_close(b) != PB_OK)
        return PB_ERROR;
    b->settings.sync = synced;
    return b->store ? PB_OK : pb_store_open(b, w->flags & PB_FRESH);
}

/* --- the threads ---------------------------------------------------------------------------- */

typedef struct crew {
    pb_bench *bench;
    const pb_workload *workload;
    pb_worker *workers;
    unsigned count;
    pthread_barrier_t ready; /* all workers and the main thread: handles are open */
    pthread_barrier_t go;
} crew;

typedef struct crew_member {
    crew *crew;
    pb_worker *worker;
} crew_member;

static void *work(void *arg)
{
    crew *c = ((crew_member *)arg)->crew;
    pb_worker *w = ((crew_member *)arg)->worker;
    const pb_engine *e = c->bench->engine;
    pb_allocs_mine(true);
    w->rc = e->handle_open(c->bench->store, &w->handle);
    pthread_barrier_wait(&c->ready);
    pthread_barrier_wait(&c->go);
    w->start_ns = pb_now_ns();
    if (w->rc == PB_OK)
        w->rc = w->workload->run(w);
    w->end_ns = pb_now_ns();
    if (w->handle)
        e->handle_close(w->handle);
    return NULL;
}

static uint64_t operations(const pb_bench *b, const pb_workload *w)
{
    const pb_options *o = b->options;
    if (w->flags & PB_FRESH)
        return w->flags & PB_YCSB ? o->ycsb_records : w->flags & PB_SYNC ? o->sync_ops : o->records;
    if (w->flags & PB_YCSB)
        return o->ycsb_ops;
    if (w->flags & (PB_COVERS | PB_EMPTIES | PB_NO_LATENCY))
        return b->records;
    return o->reads ? o->reads : o->records;
}

unsigned pb_threads(const pb_bench *b, const pb_workload *w)
{
    return (unsigned)(w->flags & PB_POOL ? w->param : b->options->threads);
}

static int hire(crew *c, uint64_t ops)
{
    pb_bench *b = c->bench;
    const pb_options *o = b->options;
    unsigned threads = pb_threads(b, c->workload);
    unsigned flags = c->workload->flags;
    uint64_t seed = pb_mix(o->seed * 1000003 + b->started);
    bool fresh = flags & PB_FRESH;
    c->count = threads + (flags & PB_ONE_WRITER ? 1 : 0);
    c->workers = calloc(c->count, sizeof *c->workers);
    for (unsigned i = 0; c->workers && i < c->count; i++) {
        pb_worker *w = &c->workers[i];
        w->bench = b;
        w->workload = c->workload;
        w->index = i;
        w->begin = ops * i / threads;
        w->end = ops * (i + 1) / threads;
        w->gen = fresh ? 1 : b->expect.gen_max + 1;
        w->expect = (pb_expect){b->expect.gen_min, flags & PB_WRITES ? w->gen : b->expect.gen_max};
        w->latency = !o->no_latency && !(flags & PB_NO_LATENCY);
        w->rng.state = pb_mix(seed + i);
        pb_perm_init(&w->perm, fresh ? ops : b->records, seed);
        w->value = malloc(b->values.size);
        if (!w->value)
            return PB_ERROR;
    }
    return c->workers ? PB_OK : PB_ERROR;
}

static void dismiss(crew *c)
{
    for (unsigned i = 0; c->workers && i < c->count; i++)
        free(c->workers[i].value);
    free(c->workers);
}

/* (2) to (4) */
static int run_crew(crew *c, pb_usage *ret_before, pb_result *io_result)
{
    bool counting = c->bench->options->count_allocs;
    pthread_t *threads = calloc(c->count, sizeof *threads);
    crew_member *members = calloc(c->count, sizeof *members);
    if (!threads || !members)
        abort();
    pthread_barrier_init(&c->ready, NULL, c->count + 1);
    pthread_barrier_init(&c->go, NULL, c->count + 1);
    atomic_store(&c->bench->readers, (unsigned)c->bench->options->threads);
    for (unsigned i = 0; i < c->count; i++) {
        members[i] = (crew_member){c, &c->workers[i]};
        if (pthread_create(&threads[i], NULL, work, &members[i]) != 0)
            abort(); /* the others would wait at the barrier for ever */
    }
    pthread_barrier_wait(&c->ready);
    pb_usage_read(ret_before);
    if (counting)
        pb_allocs_start();
    pthread_barrier_wait(&c->go);
    for (unsigned i = 0; i < c->count; i++)
        pthread_join(threads[i], NULL);
    if (counting)
        pb_allocs_stop(&io_result->allocs);
    pb_usage_read(&io_result->usage);
    pthread_barrier_destroy(&c->ready);
    pthread_barrier_destroy(&c->go);
    free(threads);
    free(members);
    for (unsigned i = 0; i < c->count; i++)
        if (c->workers[i].rc != PB_OK)
            return PB_ERROR;
    return PB_OK;
}

/* --- results -------------------------------------------------------------------------------- */

static void subtract(pb_usage *io_after, const pb_usage *before)
{
    io_after->user_s -= before->user_s;
    io_after->sys_s -= before->sys_s;
    io_after->submitted_bytes -= before->submitted_bytes;
    io_after->dirtied_bytes -= before->dirtied_bytes;
    io_after->read_bytes -= before->read_bytes;
}

static void report_aside(const pb_worker *w, const pb_clock *clock, pb_result *io_result)
{
    double seconds = (double)(w->end_ns - w->start_ns) * 1e-9, us = clock->ns_per_tick * 1e-3;
    snprintf(io_result->extra, sizeof io_result->extra,
             ",\"writer_ops_per_s\":%.0f,\"writer_p99_us\":%.2f,\"writer_max_us\":%.1f",
             (double)w->ops / seconds, us * (double)pb_hist_percentile(&w->hist, 99),
             us * (double)w->hist.max);
}

static void add_up(const crew *c, pb_result *io_result)
{
    uint64_t start = UINT64_MAX, end = 0;
    for (unsigned i = 0; i < c->count; i++) {
        const pb_worker *w = &c->workers[i];
        if (w->aside) {
            report_aside(w, &c->bench->clock, io_result);
            io_result->bytes += w->bytes;
            continue;
        }
        io_result->ops += w->ops;
        io_result->bytes += w->bytes;
        pb_hist_merge(&io_result->hist, &w->hist);
        start = w->start_ns < start ? w->start_ns : start;
        end = w->end_ns > end ? w->end_ns : end;
    }
    io_result->seconds = (double)(end - start) * 1e-9;
}

/* (6) */
static int note_state(pb_bench *b, const crew *c, uint64_t ops)
{
    const pb_worker *first = &c->workers[0];
    unsigned flags = c->workload->flags;
    uint64_t most = 0;
    for (unsigned i = 0; i < c->count; i++)
        most = c->workers[i].inserted > most ? c->workers[i].inserted : most;
    b->inserted += most * b->options->threads;
    if (flags & PB_WRITES)
        b->expect.gen_max = first->gen;
    if (flags & (PB_FRESH | PB_COVERS))
        b->expect.gen_min = first->gen;
    if (flags & PB_FRESH)
        b->records = ops;
    if (flags & PB_EMPTIES)
        b->records = 0;
    return PB_OK;
}

/* After deleterandom nothing may be left. */
static int check_empty(pb_bench *b)
{
    void *handle, *it;
    pb_row row;
    if (b->engine->handle_open(b->store, &handle) != PB_OK)
        return PB_ERROR;
    int rc = b->engine->iter_open(handle, &it);
    if (rc == PB_OK) {
        rc = b->engine->iter_first(it, &row);
        b->engine->iter_close(it);
    }
    b->engine->handle_close(handle);
    if (rc == PB_OK)
        fprintf(stderr, "peat-bench: %s: WRONG RESULT: a deleted key is still there\n",
                b->engine->name);
    return rc == PB_NOT_FOUND ? PB_OK : PB_ERROR;
}

static int settle(pb_bench *b, const pb_workload *w, pb_result *io_result)
{
    if (!(w->flags & PB_WRITES) || b->options->no_settle)
        return PB_OK;
    uint64_t start = pb_now_ns();
    int rc = b->engine->settle(b->store);
    io_result->settle_s = (double)(pb_now_ns() - start) * 1e-9;
    return rc;
}

static int run_threads(pb_bench *b, const pb_workload *w, pb_result *io_result)
{
    crew c = {.bench = b, .workload = w};
    pb_usage before;
    uint64_t ops = operations(b, w);
    int rc = hire(&c, ops);
    if (rc == PB_OK)
        rc = run_crew(&c, &before, io_result);
    if (rc == PB_OK)
        rc = settle(b, w, io_result); /* (5) */
    if (rc == PB_OK) {
        pb_usage_read(&io_result->usage_settled);
        subtract(&io_result->usage, &before);
        subtract(&io_result->usage_settled, w->flags & PB_FRESH ? &b->before_open : &before);
        add_up(&c, io_result);
        rc = note_state(b, &c, ops);
    }
    if (rc == PB_OK && (w->flags & PB_EMPTIES))
        rc = check_empty(b);
    dismiss(&c);
    return rc;
}

static int run_workload(pb_bench *b, const pb_workload *w)
{
    if ((w->flags & PB_NEEDS_FILL) && !b->engine->iter_fill)
        return PB_OK; /* this engine has no batch scan */
    if ((w->flags & PB_NEEDS_QUEUE) && !b->engine->queue_open) {
        fprintf(stderr, "peat-bench: %s: %s: skipped: it has no queue\n", b->engine->name, w->name);
        return PB_OK;
    }
    pb_result *result = calloc(1, sizeof *result);
    if (!result || prepare(b, w) != PB_OK) {
        free(result);
        return PB_ERROR;
    }
    b->started++;
    int rc = w->whole ? w->whole(b, w, result) : run_threads(b, w, result);
    if (rc == PB_OK) {
        pb_memory_read(&result->memory);
        result->disk_bytes = pb_disk_bytes(b->dir);
        pb_report(b, w, result);
    }
    free(result);
    return rc;
}

static int run_list(pb_bench *b, const char *list)
{
    char name[64];
    int rc = PB_OK;
    for (const char *at = list; *at && rc == PB_OK;) {
        size_t size = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)size, at);
        at += size + (at[size] == ',');
        const pb_workload *w = pb_workload_find(name);
        if (w) {
            rc = run_workload(b, w);
        } else if (pb_workload_group(name)) {
            rc = run_list(b, pb_workload_group(name));
        } else {
            fprintf(stderr, "peat-bench: unknown workload '%s'; try --list\n", name);
            rc = PB_ERROR;
        }
    }
    return rc;
}

static void adopt_existing(pb_bench *b)
{
    uint32_t gen = (uint32_t)b->options->generation;
    b->records = b->options->records;
    b->expect = gen ? (pb_expect){gen, gen} : (pb_expect){0, UINT32_MAX - 1};
}

int pb_run_engine(const pb_options *o, const pb_engine *engine)
{
    pb_bench *b = calloc(1, sizeof *b);
    if (!b)
        return 3;
    b->options = o;
    b->engine = engine;
    snprintf(b->dir, sizeof b->dir, "%s/%s", o->dir, engine->name);
    b->settings = (pb_settings){.dir = b->dir,
                                .memory_bytes = o->memory_mib << 20,
                                .compression = o->compression,
                                .defaults = o->defaults,
                                .pinned = o->pinned,
                                .lmdb_batch = o->lmdb_batch,
                                .rocksdb_block = o->rocksdb_block};
    pb_clock_init(&b->clock);
    int rc = take_shape(b, false);
    if (rc == PB_OK && o->use_existing)
        adopt_existing(b);
    pb_report_begin(b);
    if (rc == PB_OK)
        rc = run_list(b, o->workloads);
    if (pb_store_close(b) != PB_OK)
        rc = PB_ERROR;
    pb_values_done(&b->values);
    if (!o->keep && !o->use_existing)
        (void)pb_remove_tree(b->dir); /* a leftover is only untidy */
    free(b);
    return rc == PB_OK ? 0 : 3;
}
