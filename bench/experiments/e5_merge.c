/* SPDX-License-Identifier: MIT */
/*
 * e5_merge.c - what the merge iterator costs per row, against walking the rows in
 * order and against a merge that compares whole keys with every other run at each row.
 *
 * Rows are 16-byte user keys with 100-byte values, laid out as decoded blocks would hold them. An
 * experiment looks inside the library on purpose:
 *   cc -O3 -std=c11 -D_GNU_SOURCE -Isrc -Iinclude bench/experiments/e5_merge.c \
 *      src/entry/merge_iter.c -o e5_merge && ./e5_merge [rows]
 */
#include "base/coding.h"
#include "entry/merge_iter.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define KEY_BYTES   20
#define VALUE_BYTES 100
#define ROW_BYTES   (KEY_BYTES + VALUE_BYTES)

typedef struct run_iter {
    pt_iter base;
    const uint8_t *rows;
    size_t count, at;
} run_iter;

static peat_rc run_show(run_iter *r)
{
    if (r->at >= r->count)
        return PEAT_END;
    const uint8_t *row = r->rows + r->at * ROW_BYTES;
    pt_entry *at = &r->base.at;
    at->key.data = row;
    at->key.size = KEY_BYTES;
    at->value.data = row + KEY_BYTES;
    at->value.size = VALUE_BYTES;
    at->seq = r->at;
    at->kind = PT_KIND_PUT;
    return PEAT_OK;
}

static peat_rc run_first(pt_iter *it)
{
    run_iter *r = (run_iter *)it;
    r->at = 0;
    return run_show(r);
}

static peat_rc run_next(pt_iter *it)
{
    run_iter *r = (run_iter *)it;
    r->at++;
    return run_show(r);
}

static void run_done(pt_iter *it)
{
    (void)it;
}

static const pt_iter_ops run_ops = {.first = run_first, .next = run_next, .done = run_done};

/* The comparison: at each row the smallest of all whole keys is looked for. */
static uint64_t merge_by_scanning(run_iter *runs, size_t n)
{
    uint64_t sum = 0;
    bool live[16];
    for (size_t i = 0; i < n; i++)
        live[i] = run_first(&runs[i].base) == PEAT_OK;
    for (;;) {
        size_t best = n;
        for (size_t i = 0; i < n; i++)
            if (live[i] &&
                (best == n || pt_slice_compare(runs[i].base.at.key, runs[best].base.at.key) < 0))
                best = i;
        if (best == n)
            return sum;
        sum += runs[best].base.at.key.data[KEY_BYTES - 1];
        live[best] = pt_iter_next(&runs[best].base) == PEAT_OK;
    }
}

static uint64_t walk(pt_iter *it)
{
    uint64_t sum = 0;
    for (peat_rc rc = pt_iter_first(it); rc == PEAT_OK; rc = pt_iter_next(it))
        sum += it->at.key.data[KEY_BYTES - 1];
    return sum;
}

static void *heap_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void heap_release(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

static uint64_t mix(uint64_t h)
{
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdULL;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53ULL;
    h ^= h >> 33;
    return h;
}

/* Row i goes to a random run (cluster 1) or each `cluster` neighbours go to one run together. */
static void deal(run_iter *runs, size_t n, size_t rows, size_t cluster, uint8_t **memory)
{
    for (size_t i = 0; i < n; i++)
        runs[i] = (run_iter){.base = {.ops = &run_ops}, .rows = memory[i]};
    for (size_t i = 0; i < rows; i++) {
        run_iter *r = &runs[mix(i / cluster + 1) % n];
        uint8_t *row = memory[r - runs] + r->count++ * ROW_BYTES;
        pt_put_be32(row, PT_KEYSPACE_DEFAULT);
        pt_put_u64(row + 4, __builtin_bswap64(i << 20));
        pt_put_u64(row + 12, mix(i));
        memset(row + KEY_BYTES, 'v', VALUE_BYTES);
    }
}

static double now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double best_of(int times, uint64_t (*run)(void *), void *arg, uint64_t *ret_sum)
{
    double best = 1e300;
    for (int i = 0; i < times; i++) {
        double t = now_ns();
        *ret_sum = run(arg);
        t = now_ns() - t;
        best = t < best ? t : best;
    }
    return best;
}

typedef struct job {
    const pt_env *env;
    run_iter *runs;
    size_t n;
} job;

static uint64_t run_one_after_another(void *arg)
{
    job *j = arg;
    uint64_t sum = 0;
    for (size_t i = 0; i < j->n; i++)
        sum += walk(&j->runs[i].base);
    return sum;
}

static uint64_t run_merge_iter(void *arg)
{
    job *j = arg;
    pt_iter *children[16], *it = NULL;
    for (size_t i = 0; i < j->n; i++)
        children[i] = &j->runs[i].base;
    if (pt_merge_iter_new(j->env, children, j->n, &it) != PEAT_OK)
        exit(1);
    uint64_t sum = walk(it);
    pt_iter_done(it);
    return sum;
}

static uint64_t run_scanning(void *arg)
{
    job *j = arg;
    return merge_by_scanning(j->runs, j->n);
}

int main(int argc, char **argv)
{
    size_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000;
    static const size_t counts[] = {2, 4, 8};
    static const size_t clusters[] = {1, 10, 1000};
    pt_env env = {.size = sizeof env, .alloc = heap_alloc, .release = heap_release};
    printf("rows %zu, ns per row, best of 5\nruns cluster  in-turn  merge  scanning\n", rows);
    for (size_t c = 0; c < PT_COUNT_OF(counts); c++) {
        uint8_t *memory[16];
        run_iter runs[16];
        for (size_t i = 0; i < counts[c]; i++)
            memory[i] = malloc(rows * ROW_BYTES); /* touched as far as it is used */
        for (size_t k = 0; k < PT_COUNT_OF(clusters); k++) {
            deal(runs, counts[c], rows, clusters[k], memory);
            job j = {&env, runs, counts[c]};
            uint64_t sum[3];
            double n = (double)rows;
            double in_turn = best_of(5, run_one_after_another, &j, &sum[0]) / n;
            double merge = best_of(5, run_merge_iter, &j, &sum[1]) / n;
            double scanning = best_of(5, run_scanning, &j, &sum[2]) / n;
            if (sum[0] != sum[1] || sum[0] != sum[2])
                return 1;
            printf("%4zu %7zu  %7.1f  %5.1f  %8.1f\n", counts[c], clusters[k], in_turn, merge,
                   scanning);
        }
        for (size_t i = 0; i < counts[c]; i++)
            free(memory[i]);
    }
    return 0;
}
