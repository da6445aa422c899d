/* SPDX-License-Identifier: MIT */
/*
 * counts.c - small fixed pieces of work, whose instructions counts.py counts. One thread, a settled
 * store in memory, no clock and no random number that is not always the same.
 *
 *     counts DIR         makes a store in DIR, which must not be there, and works in it
 *     counts --list      name and operations, a line for each piece
 *
 * Every piece is done three times: once to warm up, then a short and a long one. counts_mark() is
 * called around these two, where callgrind writes down what it has counted so far; the difference
 * of the two is what the operations more have cost.
 */
#include <peat_admin.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef RECORDS
#define RECORDS 20000u /* two ids each: the odd ones are never written by `fill` */
#endif
#define MEMORY_MIB (128 + (RECORDS - 20000u) / 2000)
#define KEY_SIZE   16
#define VALUE_SIZE 100
#define MANY       100u

typedef struct work {
    peat_db *db;
    peat_iter *iter;
    peat_batch *batch;
    peat_buf value;
    peat_buf values[MANY];
    uint64_t next; /* which key is next, of those in random order */
    char (*there)[KEY_SIZE + 1], (*missing)[KEY_SIZE + 1]; /* RECORDS each, in random order */
} work;

/* Not inlined and not empty to the compiler: callgrind knows it by its name. */
__attribute__((noinline)) void counts_mark(void);
void counts_mark(void)
{
    __asm__ volatile("" ::: "memory");
}

static void expect(peat_rc rc, peat_rc wanted, const char *what)
{
    if (rc == wanted)
        return;
    (void)fprintf(stderr, "counts: %s: %s\n", what, peat_rc_name(rc));
    exit(1);
}

static peat_slice key_at(char (*keys)[KEY_SIZE + 1], uint64_t i)
{
    return peat_bytes(keys[i % RECORDS], KEY_SIZE);
}

static peat_slice some_value(void)
{
    static const char bytes[VALUE_SIZE] = "a value of a hundred bytes";
    return peat_bytes(bytes, sizeof bytes);
}

/* --- the pieces: `n` operations --- */

static void get(work *w, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        expect(peat_get(w->db, NULL, key_at(w->there, w->next++), &w->value), PEAT_OK, "get");
}

static void get_missing(work *w, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        expect(peat_get(w->db, NULL, key_at(w->missing, w->next++), &w->value), PEAT_NOT_FOUND,
               "get, missing");
}

static void multi_get(work *w, uint64_t n)
{
    peat_slice keys[MANY];
    peat_rc rcs[MANY];
    for (uint64_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < MANY; k++)
            keys[k] = key_at(w->there, w->next++);
        expect(peat_multi_get(w->db, NULL, MANY, keys, w->values, rcs), PEAT_OK, "multi-get");
    }
}

static void next(work *w, uint64_t n)
{
    expect(peat_iter_first(w->iter), PEAT_OK, "first");
    for (uint64_t i = 0; i < n; i++)
        expect(peat_iter_next(w->iter), PEAT_OK, "next");
}

static void prev(work *w, uint64_t n)
{
    expect(peat_iter_last(w->iter), PEAT_OK, "last");
    for (uint64_t i = 0; i < n; i++)
        expect(peat_iter_prev(w->iter), PEAT_OK, "prev");
}

/* Near the end there are fewer than ten. */
static void seek(work *w, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        expect(peat_iter_seek(w->iter, key_at(w->there, w->next++)), PEAT_OK, "seek");
        peat_rc rc = PEAT_OK;
        for (unsigned k = 0; rc == PEAT_OK && k < 10; k++)
            rc = peat_iter_next(w->iter);
    }
}

static void put(work *w, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        expect(peat_put(w->db, NULL, key_at(w->missing, w->next++), some_value()), PEAT_OK, "put");
}

static void get_fresh(work *w, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        expect(peat_get(w->db, NULL, key_at(w->missing, i), &w->value), PEAT_OK, "get, fresh");
}

static void batch(work *w, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        peat_batch_clear(w->batch);
        for (unsigned k = 0; k < MANY; k++)
            expect(peat_batch_put(w->batch, key_at(w->missing, w->next++), some_value()), PEAT_OK,
                   "batch");
        expect(peat_write(w->db, NULL, w->batch), PEAT_OK, "write");
    }
}

/* Keys begin where `from` says, so that what a piece meets does not hang on the pieces before. What
 * writes comes last: it fills a memtable, which is large enough. */
static const struct piece {
    const char *name;
    void (*run)(work *, uint64_t);
    uint64_t from, n;
} pieces[] = {
    {"get", get, 0, 2000},
    {"get, missing", get_missing, 0, 2000},
    {"multi-get of 100", multi_get, 0, 20},
    {"next", next, 0, 4000},
    {"prev", prev, 0, 4000},
    {"seek + 10 next", seek, 0, 500},
    {"put", put, 0, 1500},
    {"get, just put", get_fresh, 0, 1500},
    {"batch of 100", batch, RECORDS / 2, 15},
};
#define PIECES (sizeof pieces / sizeof *pieces)

static void measure(work *w, const struct piece *p)
{
    w->next = p->from;
    p->run(w, p->n / 2);
    counts_mark();
    p->run(w, p->n);
    counts_mark();
    p->run(w, 3 * p->n);
    counts_mark();
}

/* --- the store --- */

static uint64_t mix(uint64_t x) /* splitmix64's */
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* Even ids for keys that are there, odd ones for the others. */
static char (*shuffled_keys(unsigned odd))[KEY_SIZE + 1]
{
    char(*keys)[KEY_SIZE + 1] = calloc(RECORDS, sizeof *keys);
    if (keys == NULL)
        exit(1);
    for (unsigned i = 0; i < RECORDS; i++)
        (void)snprintf(keys[i], sizeof *keys, "%016u", 2 * i + odd);
    for (unsigned i = RECORDS - 1; i > 0; i--) {
        char held[KEY_SIZE + 1];
        unsigned j = (unsigned)(mix(i) % (i + 1));
        memcpy(held, keys[i], sizeof held);
        memcpy(keys[i], keys[j], sizeof held);
        memcpy(keys[j], held, sizeof held);
    }
    return keys;
}

static void open_and_fill(work *w, const char *dir)
{
    peat_options o = PEAT_OPTIONS_INIT;
    peat_error error = {.message = ""};
    o.threads = PEAT_THREADS_NONE;
    o.memory_bytes = (size_t)MEMORY_MIB << 20;
    o.compression = PEAT_COMPRESSION_NONE;
    o.sync_interval_ms = 3600 * 1000;
    o.error_if_exists = true;
    if (peat_open(dir, &o, &w->db, &error) != PEAT_OK) {
        (void)fprintf(stderr, "counts: %s\n", error.message);
        exit(1);
    }
    for (unsigned i = 0; i < RECORDS; i++)
        expect(peat_put(w->db, NULL, key_at(w->there, i), some_value()), PEAT_OK, "fill");
    expect(peat_compact(w->db, peat_unbounded(), peat_unbounded(), NULL), PEAT_OK, "compact");
    get(w, RECORDS); /* now every block is in memory */
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < PIECES; i++)
            printf("%s\t%" PRIu64 "\n", pieces[i].name, 2 * pieces[i].n);
        return 0;
    }
    if (argc != 2)
        return 2;
    work w = {.value = PEAT_BUF_INIT, .there = shuffled_keys(0), .missing = shuffled_keys(1)};
    open_and_fill(&w, argv[1]);
    expect(peat_iter_open(w.db, NULL, &w.iter), PEAT_OK, "iterator");
    expect(peat_batch_new(&w.batch), PEAT_OK, "batch");
    for (size_t i = 0; i < PIECES; i++)
        measure(&w, &pieces[i]);
    peat_iter_close(w.iter);
    peat_batch_free(w.batch);
    peat_buf_free(&w.value);
    for (unsigned i = 0; i < MANY; i++)
        peat_buf_free(&w.values[i]);
    expect(peat_close(w.db), PEAT_OK, "close");
    free(w.there);
    free(w.missing);
    return 0;
}
