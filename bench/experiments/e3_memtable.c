/* SPDX-License-Identifier: MIT */
/*
 * e3_memtable.c - the memtable's B+tree against a skiplist.
 *
 *   e3_memtable [tree|list|both] [records] [rounds] [random|decimal|ascending]
 *
 * Prints nanoseconds per operation, the median of the rounds, one memtable per round: inserts of
 * new keys (each with its reservation), gets of present and of absent keys in random order, a walk
 * over everything that reads each value, the same inserts by two threads, and gets beside a writer.
 * Keys are a keyspace and 16 bytes, values 100 bytes. Every get is checked.
 *
 * It looks inside the library, so it is built from the sources; doc/decisions/003-memtable.md has
 * the command.
 */
#include "base/coding.h"
#include "base/hash.h"
#include "mem/memtable.h"
#include "skiplist.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define KEY_BYTES   (PT_KEYSPACE_BYTES + 16)
#define VALUE_BYTES 100
#define ROUNDS_MAX  31

typedef struct engine {
    const char *name;
    peat_rc (*make)(const pt_env *env, size_t capacity, void **ret_table);
    void (*unref)(void *table);
    bool (*reserve)(void *table, uint64_t count, uint64_t key_bytes, uint64_t value_bytes);
    void (*add)(void *table, const pt_entry *entry);
    bool (*get)(const void *table, pt_slice key, uint64_t seq_max, pt_entry *ret_entry);
    peat_rc (*iter)(void *table, pt_iter **ret_iter);
    void (*stats)(const void *table, pt_memtable_stats *ret_stats);
} engine;

#define ENGINE(prefix, type, label)                                                                \
    static peat_rc label##_make(const pt_env *env, size_t capacity, void **ret)                    \
    {                                                                                              \
        type *t = NULL;                                                                            \
        peat_rc rc = prefix##_new(env, capacity, &t);                                              \
        *ret = t;                                                                                  \
        return rc;                                                                                 \
    }                                                                                              \
    static void label##_unref(void *t)                                                             \
    {                                                                                              \
        prefix##_unref(t);                                                                         \
    }                                                                                              \
    static bool label##_reserve(void *t, uint64_t n, uint64_t k, uint64_t v)                       \
    {                                                                                              \
        return prefix##_reserve(t, n, k, v);                                                       \
    }                                                                                              \
    static void label##_add(void *t, const pt_entry *e)                                            \
    {                                                                                              \
        prefix##_add(t, e);                                                                        \
    }                                                                                              \
    static bool label##_get(const void *t, pt_slice key, uint64_t seq, pt_entry *ret)              \
    {                                                                                              \
        return prefix##_get(t, key, seq, ret);                                                     \
    }                                                                                              \
    static peat_rc label##_iter(void *t, pt_iter **ret)                                            \
    {                                                                                              \
        return prefix##_iter_new(t, ret);                                                          \
    }                                                                                              \
    static void label##_stats(const void *t, pt_memtable_stats *ret)                               \
    {                                                                                              \
        prefix##_get_stats(t, ret);                                                                \
    }                                                                                              \
    static const engine label = {#label,      label##_make, label##_unref, label##_reserve,        \
                                 label##_add, label##_get,  label##_iter,  label##_stats}

ENGINE(pt_memtable, pt_memtable, tree);
ENGINE(pt_skiplist, pt_skiplist, list);

typedef enum order {
    ORDER_RANDOM,  /* 16 random bytes */
    ORDER_DECIMAL, /* 16 digits, zero-padded, shuffled */
    ORDER_ASCENDING,
    ORDER_COUNT,
} order;

static const char *const order_names[] = {"random", "decimal", "ascending"};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void put_decimal(uint8_t *p, uint64_t v)
{
    for (int i = 15; i >= 0; i--, v /= 10)
        p[i] = (uint8_t)('0' + v % 10);
}

/* Odd multiplier, power of two: a permutation of [0, 2^k) that is cheap and scatters. */
static void make_key(order o, uint64_t id, uint64_t n, uint8_t *key)
{
    pt_put_be32(key, PT_KEYSPACE_DEFAULT);
    if (o == ORDER_RANDOM) {
        uint64_t h = pt_mix(id + 1);
        pt_put_u64(key + 4, h);
        pt_put_u64(key + 12, id);
    } else {
        uint64_t mask = (UINT64_C(1) << (64 - __builtin_clzll(n))) - 1;
        put_decimal(key + 4, o == ORDER_DECIMAL ? (id * 0x9e3779b97f4a7c15u + 12345) & mask : id);
    }
}

typedef struct writer {
    const engine *e;
    void *table;
    order o;
    uint64_t from, to, n;
} writer;

static void *write_range(void *arg)
{
    const writer *w = arg;
    uint8_t key[KEY_BYTES], value[VALUE_BYTES];
    memset(value, 'v', sizeof value);
    for (uint64_t id = w->from; id < w->to; id++) {
        make_key(w->o, id, w->n, key);
        memcpy(value, &id, sizeof id);
        if (!w->e->reserve(w->table, 1, sizeof key, sizeof value))
            abort();
        w->e->add(w->table, &(pt_entry){.key = pt_slice_of(key, sizeof key),
                                        .value = pt_slice_of(value, sizeof value),
                                        .seq = id + 1,
                                        .kind = PT_KIND_PUT});
    }
    return NULL;
}

static double insert_ns(const engine *e, void *table, order o, uint64_t n, int threads)
{
    pthread_t ids[8];
    writer w[8];
    double start = now_ns();
    for (int i = 0; i < threads; i++) {
        w[i] = (writer){e,
                        table,
                        o,
                        n * (uint64_t)i / (uint64_t)threads,
                        n * ((uint64_t)i + 1) / (uint64_t)threads,
                        n};
        if (i > 0 && pthread_create(&ids[i], NULL, write_range, &w[i]) != 0)
            abort();
    }
    write_range(&w[0]);
    for (int i = 1; i < threads; i++)
        pthread_join(ids[i], NULL);
    return (now_ns() - start) / (double)n;
}

static double get_ns(const engine *e, void *table, order o, uint64_t n, uint64_t below,
                     uint64_t gets, bool present)
{
    uint8_t key[KEY_BYTES];
    uint64_t wrong = 0;
    double start = now_ns();
    for (uint64_t i = 0; i < gets; i++) {
        uint64_t id = (uint64_t)(((unsigned __int128)pt_mix(i + 77) * below) >> 64), seen = 0;
        make_key(o, id, n, key);
        key[KEY_BYTES - 1] ^= present ? 0 : 0x80;
        pt_entry found;
        if (e->get(table, pt_slice_of(key, sizeof key), PT_SEQ_MAX, &found)) {
            memcpy(&seen, found.value.data, sizeof seen);
            wrong += !present || seen != id;
        } else {
            wrong += present;
        }
    }
    if (wrong != 0)
        abort();
    return (now_ns() - start) / (double)gets;
}

static double walk_ns(const engine *e, void *table, uint64_t n, bool forward)
{
    pt_iter *it = NULL;
    if (e->iter(table, &it) != PEAT_OK)
        abort();
    uint64_t seen = 0, sum = 0;
    double start = now_ns();
    peat_rc rc = forward ? pt_iter_first(it) : pt_iter_last(it);
    for (; rc == PEAT_OK; rc = forward ? pt_iter_next(it) : pt_iter_prev(it)) {
        seen++;
        sum += it->at.key.data[KEY_BYTES - 1];
        for (size_t i = 0; i + 8 <= it->at.value.size; i += 8)
            sum += pt_get_u64(it->at.value.data + i);
    }
    double ns = (now_ns() - start) / (double)n;
    if (seen != n || sum == 0)
        abort();
    pt_iter_done(it);
    return ns;
}

/* One thread inserts the second half while this one reads the first: ns per get, ns per insert. */
static void beside_ns(const engine *e, void *table, order o, uint64_t n, double *figures)
{
    writer first = {e, table, o, 0, n / 2, n}, second = {e, table, o, n / 2, n, n};
    pthread_t id;
    write_range(&first);
    double start = now_ns();
    if (pthread_create(&id, NULL, write_range, &second) != 0)
        abort();
    /* a quarter as many gets as inserts: both threads run for most of the time */
    figures[0] = get_ns(e, table, o, n, n / 2, n / 8, true);
    pthread_join(id, NULL);
    figures[1] = (now_ns() - start) / (double)(n - n / 2);
}

enum { INSERT, GET, MISS, NEXT, PREV, INSERT2, GET_BESIDE, INSERT_BESIDE, FIGURES };
static const char *const figure_names[] = {"insert",
                                           "get",
                                           "miss",
                                           "next",
                                           "prev",
                                           "insert @2",
                                           "get beside a writer",
                                           "insert beside a reader"};

static void run_round(const engine *e, const pt_env *env, order o, uint64_t n, size_t capacity,
                      double *figures, pt_memtable_stats *ret_stats)
{
    uint64_t gets = n < 1000000 ? n : 1000000;
    void *table = NULL;
    if (e->make(env, capacity, &table) != PEAT_OK)
        abort();
    figures[INSERT] = insert_ns(e, table, o, n, 1);
    figures[GET] = get_ns(e, table, o, n, n, gets, true);
    figures[MISS] = get_ns(e, table, o, n, n, gets, false);
    figures[NEXT] = walk_ns(e, table, n, true);
    /* backward costs the skiplist a search per step: not its use */
    figures[PREV] = e == &tree ? walk_ns(e, table, n, false) : 0;
    e->stats(table, ret_stats);
    e->unref(table);
    if (e->make(env, capacity, &table) != PEAT_OK)
        abort();
    figures[INSERT2] = insert_ns(e, table, o, n, 2);
    e->unref(table);
    if (e->make(env, capacity, &table) != PEAT_OK)
        abort();
    beside_ns(e, table, o, n, &figures[GET_BESIDE]);
    e->unref(table);
}

static int compare_doubles(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void run(const engine *e, uint64_t n, int rounds, const char *only)
{
    const pt_env *env = peat_env_default();
    for (order o = 0; o < ORDER_COUNT; o++) {
        double figures[ROUNDS_MAX][FIGURES], column[ROUNDS_MAX];
        pt_memtable_stats stats;
        if (only != NULL && strcmp(only, order_names[o]) != 0)
            continue;
        for (int r = 0; r < rounds; r++)
            run_round(e, env, o, n, n * 260 + (1 << 20), figures[r], &stats);
        printf("%-5s %8llu %-10s", e->name, (unsigned long long)n, order_names[o]);
        for (int f = 0; f < FIGURES; f++) {
            for (int r = 0; r < rounds; r++)
                column[r] = figures[r][f];
            qsort(column, (size_t)rounds, sizeof *column, compare_doubles);
            printf(" %s %.0f", figure_names[f], column[rounds / 2]);
        }
        printf("  bytes/record %.1f\n", (double)stats.used_bytes / (double)n);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : "both";
    uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 400000;
    int rounds = argc > 3 ? atoi(argv[3]) : 5;
    const char *only = argc > 4 ? argv[4] : NULL;
    if (n == 0 || rounds < 1 || rounds > ROUNDS_MAX)
        return 2;
    if (strcmp(which, "list") != 0)
        run(&tree, n, rounds, only);
    if (strcmp(which, "tree") != 0)
        run(&list, n, rounds, only);
    return 0;
}
