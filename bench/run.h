/* SPDX-License-Identifier: MIT */
/*
 * run.h - one store under a list of workloads.
 *
 * pb_bench is what is known about the store: which ids are in it and which generations a reader
 * may see. Workers change it only through their results, after all of them stand; during a
 * workload it is read-only.
 */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "allocs.h"
#include "clock.h"
#include "data.h"
#include "engine.h"
#include "hist.h"
#include "options.h"
#include "proc.h"

#include <stdatomic.h>

#define YCSB_VALUE_SIZE 1000 /* ten fields of 100 bytes, stored as one value */

typedef struct pb_workload pb_workload;

typedef struct pb_bench {
    const pb_options *options;
    const pb_engine *engine;
    pb_settings settings;
    pb_clock clock;
    char dir[4096];

    void *store;          /* NULL: not open */
    pb_keys keys;         /* of the store there is */
    pb_values values;     /* the same */
    bool ycsb;            /* which shape keys and values have */
    uint64_t records;     /* ids [0, records) are in the store */
    pb_expect expect;     /* generations a reader may see now */
    uint64_t inserted;    /* YCSB: ids from records upwards that are taken */
    uint64_t started;     /* workloads so far; part of every seed */
    atomic_uint readers;  /* readwhilewriting: readers still at work */
    pb_usage before_open; /* what the process had used before it last opened the store */
} pb_bench;

typedef struct pb_result {
    uint64_t ops, bytes;
    double seconds, settle_s;
    pb_hist hist; /* in ticks */
    pb_usage usage;
    pb_usage usage_settled; /* until settled; with a fresh store from its open on */
    pb_memory memory;
    pb_allocs allocs;
    uint64_t disk_bytes;
    char extra[512]; /* more JSON members, each with a leading comma */
} pb_result;

typedef struct pb_worker {
    pb_bench *bench;
    const pb_workload *workload;
    void *handle;
    unsigned index;
    uint64_t begin, end; /* its part of the operations */
    uint32_t gen;        /* what it writes */
    pb_expect expect;    /* what it may read */
    bool latency;
    pb_rng rng;
    pb_perm perm;
    char *value;
    uint64_t ops, bytes, inserted;
    uint64_t start_ns, end_ns;
    bool aside; /* counted apart: the writer of readwhilewriting */
    int rc;
    pb_hist hist;
} pb_worker;

enum {
    PB_FRESH = 1,          /* begins with an empty store */
    PB_LOADED = 2,         /* needs records; loads them when there are none */
    PB_WRITES = 4,         /* writes a new generation */
    PB_COVERS = 8,         /* ... to every record */
    PB_EMPTIES = 16,       /* leaves nothing */
    PB_SYNC = 32,          /* every write is synced */
    PB_YCSB = 64,          /* works on the YCSB store */
    PB_ONE_WRITER = 128,   /* one more thread, which writes while the others read */
    PB_NO_LATENCY = 256,   /* too short to be timed one by one */
    PB_NEEDS_FILL = 512,   /* only for engines with iter_fill */
    PB_NEEDS_QUEUE = 1024, /* ... with queue_open */
    PB_POOL = 2048         /* by `param` threads, whatever --threads says */
};

struct pb_workload {
    const char *name;
    const char *help;
    unsigned flags;
    uint64_t param;
    int (*run)(pb_worker *worker); /* in each thread, or */
    int (*whole)(pb_bench *bench, const pb_workload *w, pb_result *ret_result);
};

extern const pb_workload pb_write_workloads[], pb_read_workloads[], pb_queue_workloads[],
    pb_mixed_workloads[], pb_open_workloads[]; /* each ends with name NULL */

int pb_read_random(pb_worker *worker); /* gets of present keys */
unsigned pb_threads(const pb_bench *bench, const pb_workload *workload);

const pb_workload *pb_workload_find(const char *name);
const char *pb_workload_group(const char *name); /* a list of names, or NULL */
void pb_workload_list(void);

/* Runs the whole list on one engine in this process; 0, or 3 after a message. */
int pb_run_engine(const pb_options *options, const pb_engine *engine);

int pb_store_open(pb_bench *bench, bool create);
int pb_store_close(pb_bench *bench);
int pb_wrong(const pb_worker *worker, uint64_t id, const char *what); /* says so; PB_ERROR */

static inline uint64_t pb_begin(const pb_worker *w)
{
    return w->latency ? pb_ticks(&w->bench->clock) : 0;
}

static inline void pb_end(pb_worker *w, uint64_t begun)
{
    if (w->latency)
        pb_hist_add(&w->hist, pb_ticks(&w->bench->clock) - begun);
}

#endif
