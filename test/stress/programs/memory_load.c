/* SPDX-License-Identifier: MIT */
/*
 * memory_load.c - how much memory a store uses while far more data than that goes through it.
 *
 *   memory_load DIR MEMORY_MIB DATA_MIB VALUE_BYTES
 *
 * Loads DATA_MIB in random order, overwrites a fifth, reads, scans, reopens without a clean close
 * of the last part, settles. The kernel itself keeps the most memory that was resident, begun anew
 * with each phase; pages of the program's own file are in it. Prints one line per phase; exit code
 * 1 when the most there was is above 1.25 times MEMORY_MIB plus what the program itself used before
 * it opened the store.
 */
#include "peat.h"
#include "peat_env.h"
#include "world/random.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define VALUE_MAX ((size_t)65536)

typedef struct load {
    const char *dir;
    peat_db *db;
    uint64_t records, memory_kib, base_kib;
    size_t value_bytes;
    uint64_t most_kib;                 /* of all phases that have ended */
    _Atomic uint64_t heap, phase_heap; /* bytes the library has allocated, now and at most */
    peat_env env;                      /* the real one, which counts what it allocates */
} load;

/* ---- counting allocations ---- */

static void *count_heap(load *l, void *p)
{
    uint64_t now = atomic_fetch_add(&l->heap, malloc_usable_size(p)) + malloc_usable_size(p);
    uint64_t most = atomic_load(&l->phase_heap);
    while (now > most && !atomic_compare_exchange_weak(&l->phase_heap, &most, now))
        ;
    return p;
}

static void *counted_alloc(void *ctx, size_t size)
{
    return count_heap((load *)ctx, malloc(size));
}

static void *counted_resize(void *ctx, void *p, size_t size)
{
    load *l = (load *)ctx;
    size_t before = malloc_usable_size(p);
    void *q = realloc(p, size);
    if (q == NULL)
        return NULL;
    atomic_fetch_sub(&l->heap, before);
    return count_heap(l, q);
}

static void counted_release(void *ctx, void *p)
{
    atomic_fetch_sub(&((load *)ctx)->heap, malloc_usable_size(p));
    free(p);
}

static uint64_t status_kib(const char *field)
{
    char line[256];
    uint64_t kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            kib = strtoull(line + strlen(field) + 1, NULL, 10);
    if (f != NULL)
        (void)fclose(f);
    return kib;
}

/* The most that was resident since the last call. Where the mark cannot be set back (proc(5),
 * clear_refs) it is the most since the program began: more, never less. */
static uint64_t end_phase(load *l)
{
    uint64_t kib = status_kib("VmHWM");
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (f != NULL) {
        (void)fputs("5\n", f);
        (void)fclose(f);
    }
    if (kib > l->most_kib)
        l->most_kib = kib;
    return kib;
}

static void must(peat_rc rc, const char *what)
{
    if (rc >= 0)
        return;
    (void)fprintf(stderr, "memory_load: %s: %s\n", what, peat_rc_name(rc));
    exit(2);
}

static size_t make_key(uint64_t i, char key[32])
{
    return (size_t)snprintf(key, 32, "%016" PRIx64, rng_hash(i + 1));
}

/* The record's number, then bytes of which half compress. */
static void make_value(const load *l, uint64_t i, uint64_t version, uint8_t *value)
{
    uint64_t x = rng_hash(i * 31 + version);
    memset(value, 'v', l->value_bytes);
    for (size_t at = sizeof i; at + 8 <= l->value_bytes; at += 16, x = rng_hash(x + 1))
        memcpy(value + at, &x, 8);
    memcpy(value, &i, sizeof i);
}

static void open_store(load *l)
{
    peat_error e;
    peat_host host = {.size = sizeof host, .env = &l->env};
    peat_options o = {
        .size = sizeof o, .memory_bytes = (size_t)l->memory_kib * 1024, .host = &host};
    l->env = *peat_env_default(); /* its members need no ctx but fork_mark's, which may be NULL */
    l->env.ctx = l;
    l->env.alloc = counted_alloc;
    l->env.resize = counted_resize;
    l->env.release = counted_release;
    if (peat_open(l->dir, &o, &l->db, &e) != PEAT_OK) {
        (void)fprintf(stderr, "memory_load: %s\n", e.message);
        exit(2);
    }
}

static void put_range(load *l, uint64_t from, uint64_t count, uint64_t step, uint64_t version)
{
    uint8_t value[VALUE_MAX];
    char key[32];
    for (uint64_t i = from; i < from + count; i += step) {
        make_value(l, i, version, value);
        must(peat_put(l->db, NULL, peat_bytes(key, make_key(i, key)),
                      peat_bytes(value, l->value_bytes)),
             "put");
    }
}

static void read_some(load *l)
{
    uint8_t value[VALUE_MAX];
    peat_buf buf = PEAT_BUF_INIT;
    char key[32];
    for (uint64_t n = 0; n < 100000; n++) {
        uint64_t i = rng_hash(n + 7) % l->records;
        make_value(l, i, i % 5 == 0, value);
        peat_rc rc = peat_get(l->db, NULL, peat_bytes(key, make_key(i, key)), &buf);
        if (rc != PEAT_OK || buf.size != l->value_bytes ||
            memcmp(buf.data, value, l->value_bytes) != 0) {
            (void)fprintf(stderr, "memory_load: record %" PRIu64 ": %s or a wrong value\n", i,
                          peat_rc_name(rc));
            exit(2);
        }
    }
    peat_buf_free(&buf);
}

/* Keys come in order, so none twice: every record is there once and right when each row is and
 * their number is. */
static void check_row(const load *l, const peat_row *row)
{
    uint8_t value[VALUE_MAX];
    char key[32];
    uint64_t i = UINT64_MAX;
    if (row->value.size == l->value_bytes)
        memcpy(&i, row->value.data, sizeof i);
    make_value(l, i, i % 5 == 0, value);
    if (i < l->records && row->key.size == make_key(i, key) &&
        memcmp(row->key.data, key, row->key.size) == 0 &&
        memcmp(row->value.data, value, l->value_bytes) == 0)
        return;
    (void)fprintf(stderr, "memory_load: a row that is no record, or not as written last\n");
    exit(2);
}

static void scan_all(load *l)
{
    peat_iter *it = NULL;
    peat_row rows[64];
    uint64_t count = 0;
    size_t n;
    peat_rc rc;
    must(peat_iter_open(l->db, NULL, &it), "iter_open");
    while ((rc = peat_iter_fill(it, rows, 64, &n)) == PEAT_OK)
        for (size_t i = 0; i < n; i++, count++)
            check_row(l, &rows[i]);
    peat_iter_close(it);
    must(rc, "iter_fill");
    if (count != l->records) {
        (void)fprintf(stderr, "memory_load: %" PRIu64 " rows of %" PRIu64 "\n", count, l->records);
        exit(2);
    }
}

static void report(load *l, const char *phase)
{
    peat_statistics s = {.size = sizeof s};
    uint64_t most_kib = end_phase(l);
    if (l->db != NULL)
        must(peat_stats(l->db, &s), "stats");
    (void)printf(
        "%-10s most %6.1f MiB (heap %5.1f) | now %6.1f (heap %5.1f): says %6.1f (memtable %5.1f + "
        "%" PRIu64 ", cache %5.1f, sections %5.1f, pinned %5.1f) tables %" PRIu64 "\n",
        phase, (double)most_kib / 1024, (double)atomic_load(&l->phase_heap) / 1048576,
        (double)status_kib("VmRSS") / 1024, (double)atomic_load(&l->heap) / 1048576,
        (double)s.memory_bytes / 1048576, (double)s.memtable_bytes / 1048576, s.immutable_memtables,
        (double)s.cache_bytes / 1048576, (double)s.metadata_bytes / 1048576,
        (double)s.pinned_bytes / 1048576, s.tables);
    (void)fflush(stdout);
    atomic_store(&l->phase_heap, 0);
}

/* A child loads and dies in the middle of it, so that the store has a log to recover. */
static void load_and_die(load *l)
{
    pid_t child = fork();
    if (child == 0) {
        open_store(l);
        put_range(l, 0, l->records, 5, 1);
        _exit(0);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        (void)fprintf(stderr, "memory_load: the overwriting process failed\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        (void)fprintf(stderr, "usage: memory_load DIR MEMORY_MIB DATA_MIB VALUE_BYTES\n");
        return 2;
    }
    load l = {.dir = argv[1], .memory_kib = strtoull(argv[2], NULL, 10) * 1024};
    l.value_bytes = (size_t)strtoull(argv[4], NULL, 10);
    if (l.memory_kib == 0 || l.value_bytes < 8 || l.value_bytes > VALUE_MAX)
        return 2;
    l.records = strtoull(argv[3], NULL, 10) * 1048576 / (l.value_bytes + 16);
    l.base_kib = status_kib("VmRSS");
    load_and_die(&l); /* before there are threads */
    open_store(&l);
    report(&l, "recovered");
    put_range(&l, 0, l.records, 1, 0);
    report(&l, "loaded");
    put_range(&l, 0, l.records, 5, 1);
    report(&l, "overwrote");
    read_some(&l);
    report(&l, "read");
    must(peat_settle(l.db, PEAT_WAIT_FOREVER), "settle");
    report(&l, "settled");
    read_some(&l);
    report(&l, "read");
    scan_all(&l);
    report(&l, "scanned");
    must(peat_check(l.db, NULL, NULL), "check");
    report(&l, "checked");
    must(peat_close(l.db), "close");
    l.db = NULL;
    (void)end_phase(&l);
    double most = (double)(l.most_kib - l.base_kib), limit = 1.25 * (double)l.memory_kib;
    (void)printf("all %" PRIu64 " records verified; most: %.1f MiB, %.2f of %" PRIu64 " MiB\n",
                 l.records, most / 1024, most / (double)l.memory_kib, l.memory_kib / 1024);
    return most <= limit ? 0 : 1;
}
