/* SPDX-License-Identifier: MIT */
/*
 * history_linear.c - whether each key alone is linearizable.
 *
 * A write and the reads that saw it are a cluster. In any order that explains the reads a cluster
 * stands together; it must come before another one when one of its calls ended before one of the
 * other's began. With `ends` the earliest end of its calls and `begins` the latest beginning, A is
 * before B when A.ends < B.begins. The key is linearizable exactly when no read ended before its
 * write began and no two clusters are each before the other (Gibbons and Korach 1997).
 *
 * A key of one writer may be deleted several times, so what saw nothing names no write. Its writes
 * stand in the order they were made: each read, in the order of beginnings, takes the earliest
 * write that explains it and is not older than what reads that had ended before it have seen.
 */
#include "history/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct call {
    uint64_t start, end;
    history_id id; /* 0 for a delete and for a read that saw nothing */
    uint32_t number;
    bool write;
} call;

typedef struct key_calls {
    size_t count, capacity;
    call *calls;
} key_calls;

typedef struct cluster {
    uint64_t write_start, ends, begins;
    history_id id;
} cluster;

typedef struct judge {
    const history *h;
    uint64_t last; /* no recorded time is later */
    key_calls of_key[HISTORY_KEYS];
    cluster *clusters;
    size_t clusters_max;
    char *text;
    size_t capacity;
} judge;

static void add(judge *j, uint32_t key, call c)
{
    key_calls *k = &j->of_key[key];
    if (k->count == k->capacity) {
        k->capacity = k->capacity ? 2 * k->capacity : 16;
        k->calls = realloc(k->calls, k->capacity * sizeof *k->calls);
    }
    k->calls[k->count++] = c;
}

static void add_state(judge *j, const history_state *s)
{
    for (uint32_t k = 0; k < HISTORY_KEYS && s->complete; k++)
        add(j, k, (call){.start = s->start, .end = s->end, .id = s->seen[k]});
}

/* A write in flight when the process died has no end: it may have happened, or not. */
static void add_records(judge *j, const history_thread *t)
{
    for (uint64_t i = 0; i < t->count; i++) {
        const history_record *r = &t->records[i];
        bool write = r->kind == HISTORY_PUT || r->kind == HISTORY_DELETE;
        if (r->kind == HISTORY_FLUSH || (r->end == 0 && !write))
            continue;
        add(j, r->key,
            (call){.start = r->start,
                   .end = r->end ? r->end : UINT64_MAX,
                   .id = r->kind == HISTORY_DELETE ? 0 : r->id,
                   .number = HISTORY_NUMBER_OF(r->id),
                   .write = write});
    }
}

static void find_last(judge *j)
{
    for (uint32_t t = 0; t < j->h->threads; t++)
        for (uint64_t i = 0; i < j->h->thread[t].count; i++) {
            const history_record *r = &j->h->thread[t].records[i];
            uint64_t last = r->end > r->start ? r->end : r->start;
            j->last = last > j->last ? last : j->last;
        }
    j->last++;
}

/* --- keys of many writers ----------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    const call *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->write == y->write ? 0 : x->write ? -1 : 1; /* the write first */
}

static int by_ends(const void *a, const void *b)
{
    const cluster *x = a, *y = b;
    return x->ends < y->ends ? -1 : x->ends > y->ends;
}

static bool tell_pair(judge *j, uint32_t key, const cluster *a, const cluster *b)
{
    (void)snprintf(j->text, j->capacity,
                   "key %u is not linearizable: of %" PRIx64 " a call ended at %" PRIu64
                   ", one began at %" PRIu64 "; of %" PRIx64 " at %" PRIu64 " and %" PRIu64,
                   key, a->id, a->ends, a->begins, b->id, b->ends, b->begins);
    return false;
}

static bool make_clusters(judge *j, uint32_t key, size_t *ret_count)
{
    const key_calls *k = &j->of_key[key];
    size_t n = 0;
    for (size_t i = 0; i < k->count; i++) {
        const call *c = &k->calls[i];
        if (i == 0 || c->id != k->calls[i - 1].id) {
            if (!c->write) {
                (void)snprintf(j->text, j->capacity, "key %u: %" PRIx64 " was read, never written",
                               key, c->id);
                return false;
            }
            j->clusters[n++] = (cluster){c->start, c->end, c->start, c->id};
            continue;
        }
        cluster *of = &j->clusters[n - 1];
        if (c->end < of->write_start) {
            (void)snprintf(j->text, j->capacity,
                           "key %u: %" PRIx64 " was read before its write began", key, c->id);
            return false;
        }
        of->ends = c->end < of->ends ? c->end : of->ends;
        of->begins = c->start > of->begins ? c->start : of->begins;
    }
    *ret_count = n;
    return true;
}

/* Sorted by `ends`; clusters that last (ends < begins) must not overlap, and none that does not
 * last may lie within one that does. */
static bool judge_clusters(judge *j, uint32_t key)
{
    size_t n = 0, lasting = 0;
    key_calls *k = &j->of_key[key];
    qsort(k->calls, k->count, sizeof *k->calls, by_id);
    if (!make_clusters(j, key, &n))
        return false;
    cluster *c = j->clusters;
    for (size_t i = 0; i < n; i++)
        if (c[i].ends < c[i].begins) {
            cluster swap = c[lasting];
            c[lasting++] = c[i];
            c[i] = swap;
        }
    qsort(c, lasting, sizeof *c, by_ends);
    for (size_t i = 1; i < lasting; i++)
        if (c[i].ends < c[i - 1].begins)
            return tell_pair(j, key, &c[i - 1], &c[i]);
    for (size_t i = lasting; i < n; i++) {
        size_t low = 0, high = lasting; /* the last that ended before c[i] begins */
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (c[middle].ends < c[i].begins)
                low = middle + 1;
            else
                high = middle;
        }
        if (low != 0 && c[i].ends < c[low - 1].begins)
            return tell_pair(j, key, &c[low - 1], &c[i]);
    }
    return true;
}

/* --- keys of one writer ------------------------------------------------------------------- */

static int by_start(const void *a, const void *b)
{
    const call *x = a, *y = b;
    if (x->write != y->write)
        return x->write ? -1 : 1;
    if (x->write)
        return x->number < y->number ? -1 : x->number > y->number;
    return x->start < y->start ? -1 : x->start > y->start;
}

typedef struct seen_at {
    uint64_t end;
    size_t at;
} seen_at;

/* The earliest write from `at` on that explains the read, and may have begun. */
static bool explain(const call *writes, size_t n, const call *read, size_t *io_at)
{
    size_t at = *io_at;
    while (at + 1 < n && writes[at + 1].end < read->start)
        at++;
    while (at < n && writes[at].id != read->id)
        at++;
    *io_at = at;
    return at < n && writes[at].start <= read->end;
}

/* Reads come in the order of their beginnings; those that ended before one begins bound it. */
static bool judge_one_writer(judge *j, uint32_t key)
{
    key_calls *k = &j->of_key[key];
    size_t writes = 0, floor = 0, pending = 0;
    seen_at *open = calloc(k->count + 1, sizeof *open);
    bool ok = true;
    qsort(k->calls, k->count, sizeof *k->calls, by_start);
    while (writes < k->count && k->calls[writes].write)
        writes++;
    for (size_t i = writes; i < k->count && ok; i++) {
        const call *read = &k->calls[i];
        size_t left = 0;
        for (size_t o = 0; o < pending; o++) {
            if (open[o].end >= read->start)
                open[left++] = open[o];
            else if (open[o].at > floor)
                floor = open[o].at;
        }
        pending = left;
        size_t at = floor;
        ok = explain(k->calls, writes, read, &at);
        if (!ok)
            (void)snprintf(j->text, j->capacity,
                           "key %u of one writer: %" PRIx64 " was read from %" PRIu64 " to %" PRIu64
                           ", which no write at that time explains (write %zu of %zu at least)",
                           key, read->id, read->start, read->end, floor, writes);
        open[pending++] = (seen_at){read->end, at};
    }
    free(open);
    return ok;
}

const char *history_judge_linear(const history *h, char *text, size_t capacity)
{
    judge *j = calloc(1, sizeof *j);
    bool ok = true;
    j->h = h;
    j->text = text;
    j->capacity = capacity;
    find_last(j);
    for (uint32_t k = 0; k < HISTORY_KEYS; k++)
        add(j, k, (call){.id = h->initial[k], .write = true});
    for (uint32_t t = 0; t < h->threads; t++) {
        add_records(j, &h->thread[t]);
        for (uint64_t i = 0; i < h->thread[t].states; i++)
            add_state(j, &h->thread[t].seen[i]);
    }
    if (!h->lossy) {
        for (uint32_t k = 0; k < HISTORY_KEYS; k++)
            add(j, k, (call){.start = j->last + 1, .end = j->last + 2, .id = h->final.seen[k]});
    }
    for (uint32_t k = 0; k < HISTORY_KEYS; k++)
        if (j->of_key[k].count > j->clusters_max)
            j->clusters_max = j->of_key[k].count;
    j->clusters = calloc(j->clusters_max, sizeof *j->clusters);
    for (uint32_t k = 0; k < HISTORY_KEYS; k++) {
        ok = ok && (k < HISTORY_CONTENDED + HISTORY_SHARED ? judge_clusters(j, k)
                                                           : judge_one_writer(j, k));
        free(j->of_key[k].calls);
    }
    free(j->clusters);
    free(j);
    return ok ? NULL : text;
}
