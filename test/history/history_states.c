/* SPDX-License-Identifier: MIT */
/*
 * history_states.c - whether what a scan saw is the state after a prefix of every thread's writes,
 * and all of them lie on one line.
 *
 * The highest number seen of a thread says how many of its writes are in for certain (low); the
 * first one behind it that would show, and does not, how many at most (high). A put of an owned key
 * shows unless a later delete of the key is in too, a batch shows by its counter, a delete of an
 * owned key by its absence when the key was there before.
 */
#include "history/history.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A write of a thread: a put, a delete, or all of a batch. */
typedef struct deed {
    uint64_t start, end;
    uint64_t first; /* record */
    uint32_t records;
} deed;

typedef struct mark {
    uint32_t number;
    bool gone;
} mark;

typedef struct doer {
    uint32_t count;
    deed *deeds; /* by number, from 1 */
    uint32_t of_key[HISTORY_KEYS + 1];
    mark *marks; /* of key k: [of_key[k], of_key[k + 1]), ascending */
} doer;

typedef struct moment {
    const history_state *state;
    bool final;
    uint32_t low[HISTORY_THREADS_MAX], high[HISTORY_THREADS_MAX];
} moment;

typedef struct judge {
    const history *h;
    doer doers[HISTORY_THREADS_MAX];
    moment *moments;
    size_t count;
    char *text;
    size_t capacity;
} judge;

static bool wrong(judge *j, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool wrong(judge *j, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(j->text, j->capacity, format, args);
    va_end(args);
    return false;
}

/* --- what was done ------------------------------------------------------------------------ */

static bool is_write(const history_record *r)
{
    return r->kind == HISTORY_PUT || r->kind == HISTORY_DELETE;
}

static void find_deeds(doer *d, const history_thread *t)
{
    for (uint64_t i = 0; i < t->count; i++)
        if (is_write(&t->records[i]) && HISTORY_NUMBER_OF(t->records[i].id) > d->count)
            d->count = HISTORY_NUMBER_OF(t->records[i].id);
    d->deeds = calloc((size_t)d->count + 1, sizeof *d->deeds);
    for (uint64_t i = 0; i < t->count; i++) {
        const history_record *r = &t->records[i];
        deed *of = &d->deeds[HISTORY_NUMBER_OF(r->id)];
        if (!is_write(r))
            continue;
        if (of->records++ == 0)
            of->first = i;
        of->start = of->records == 1 || r->start < of->start ? r->start : of->start;
        of->end = of->records == 1 || r->end < of->end ? r->end : of->end;
        d->of_key[r->key + 1]++;
    }
}

static void find_marks(doer *d, const history_thread *t)
{
    uint32_t *next = calloc(HISTORY_KEYS, sizeof *next);
    for (uint32_t k = 0; k < HISTORY_KEYS; k++) {
        d->of_key[k + 1] += d->of_key[k];
        next[k] = d->of_key[k];
    }
    d->marks = calloc((size_t)d->of_key[HISTORY_KEYS] + 1, sizeof *d->marks);
    for (uint64_t i = 0; i < t->count; i++) {
        const history_record *r = &t->records[i];
        if (is_write(r))
            d->marks[next[r->key]++] = (mark){HISTORY_NUMBER_OF(r->id), r->kind == HISTORY_DELETE};
    }
    free(next);
}

/* The thread's last write to the key among its first `n`; NULL when there is none. */
static const mark *last_mark(const doer *d, uint32_t key, uint32_t n)
{
    uint32_t low = d->of_key[key], high = d->of_key[key + 1];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (d->marks[middle].number <= n)
            low = middle + 1;
        else
            high = middle;
    }
    return low == d->of_key[key] ? NULL : &d->marks[low - 1];
}

/* How many writes of the thread had returned before that time. */
static uint32_t returned_before(const doer *d, uint64_t time)
{
    uint32_t low = 0, high = d->count; /* ends ascend; what never returned has 0 and is last */
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        uint64_t end = d->deeds[middle].end;
        if (end != 0 && end < time)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* --- what was seen ------------------------------------------------------------------------ */

static bool find_low(judge *j, moment *m)
{
    for (uint32_t k = 0; k < HISTORY_KEYS; k++) {
        history_id id = m->state->seen[k];
        uint32_t t = HISTORY_THREAD_OF(id), n = HISTORY_NUMBER_OF(id);
        if (id == 0 || id == j->h->initial[k])
            continue;
        if (HISTORY_ROUND_OF(id) != j->h->round || t >= j->h->threads || n > j->doers[t].count)
            return wrong(j, "key %u shows %" PRIx64 ", which nobody wrote", k, id);
        const mark *of = last_mark(&j->doers[t], k, n);
        if (of == NULL || of->number != n || of->gone)
            return wrong(j, "key %u shows %" PRIx64 ", which was not written to it", k, id);
        if (n > m->low[t])
            m->low[t] = n;
    }
    return true;
}

/* Whether the thread deletes the key in a write behind its first `n`. */
static bool deletes_later(const doer *d, uint32_t key, uint32_t n)
{
    for (uint32_t i = d->of_key[key]; i < d->of_key[key + 1]; i++)
        if (d->marks[i].gone && d->marks[i].number > n)
            return true;
    return false;
}

static void find_high(const judge *j, moment *m, uint32_t t)
{
    const doer *d = &j->doers[t];
    uint32_t n = m->low[t];
    for (; n < d->count; n++) {
        const deed *next = &d->deeds[n + 1];
        const history_record *r = &j->h->thread[t].records[next->first];
        if (r->key < HISTORY_CONTENDED)
            continue; /* others may have overwritten it */
        if (next->records > 1 || m->state->seen[r->key] != 0)
            break; /* it would show */
        if (r->kind == HISTORY_PUT) {
            if (deletes_later(d, r->key, n + 1))
                continue;
            break;
        }
        const mark *before = last_mark(d, r->key, m->low[t]);
        if (before != NULL ? !before->gone : j->h->initial[r->key] != 0)
            m->low[t] = n + 1; /* it was there, and is not */
    }
    m->high[t] = n;
}

/* --- one state ---------------------------------------------------------------------------- */

static bool judge_owned(judge *j, const moment *m, uint32_t t, uint32_t key)
{
    const mark *last = last_mark(&j->doers[t], key, m->low[t]);
    history_id expected = last == NULL ? j->h->initial[key]
                          : last->gone ? 0
                                       : HISTORY_ID(j->h->round, t, last->number);
    if (m->state->seen[key] == expected)
        return true;
    return wrong(j, "key %u of thread %u: %" PRIx64 " where %" PRIx64 " is the last of %u writes",
                 key, t, m->state->seen[key], expected, m->low[t]);
}

/* Which write of the round a shared key shows: its own, or the delete that explains its absence. */
static bool find_shown(const judge *j, const moment *m, uint32_t key, uint32_t *ret_thread,
                       const mark **ret_mark)
{
    history_id id = m->state->seen[key];
    *ret_mark = NULL;
    if (id != 0 && id != j->h->initial[key]) {
        *ret_thread = HISTORY_THREAD_OF(id);
        *ret_mark = last_mark(&j->doers[*ret_thread], key, HISTORY_NUMBER_OF(id));
        return true;
    }
    if (id == j->h->initial[key])
        return true;
    for (uint32_t t = 0; t < j->h->threads; t++) {
        const mark *last = last_mark(&j->doers[t], key, m->low[t]);
        if (last != NULL && last->gone) {
            *ret_thread = t;
            *ret_mark = last;
            return true;
        }
    }
    return false;
}

static bool judge_shared(judge *j, const moment *m, uint32_t key)
{
    uint32_t by = 0;
    const mark *shown;
    if (!find_shown(j, m, key, &by, &shown))
        return wrong(j, "key %u is not there, and nobody has deleted it", key);
    for (uint32_t t = 0; t < j->h->threads; t++) {
        const mark *last = last_mark(&j->doers[t], key, m->low[t]);
        if (last == NULL || last == shown)
            continue;
        if (shown == NULL || t == by)
            return wrong(j, "key %u shows %" PRIx64 " although write %u of thread %u is in", key,
                         m->state->seen[key], last->number, t);
        uint64_t end = j->doers[by].deeds[shown->number].end;
        if (end != 0 && end < j->doers[t].deeds[last->number].start)
            return wrong(j,
                         "key %u shows %" PRIx64 " although write %u of thread %u is in, which "
                         "began after that had returned",
                         key, m->state->seen[key], last->number, t);
    }
    return true;
}

/* The time before which everything that returned must be in. */
static uint64_t time_of(const judge *j, const moment *m)
{
    uint64_t time = 0;
    if (!m->final || !j->h->lossy)
        return m->state->start;
    for (uint32_t t = 0; t < j->h->threads; t++)
        for (uint64_t i = 0; i < j->h->thread[t].count; i++) {
            const history_record *r = &j->h->thread[t].records[i];
            if (r->kind == HISTORY_FLUSH && r->end != 0 && r->start > time)
                time = r->start;
        }
    return time;
}

static bool judge_times(judge *j, const moment *m)
{
    uint64_t time = time_of(j, m);
    for (uint32_t t = 0; t < j->h->threads; t++) {
        const deed *last = &j->doers[t].deeds[m->low[t]];
        if (returned_before(&j->doers[t], time) > m->high[t])
            return wrong(j, "at most %u writes of thread %u are in, but %u had returned",
                         m->high[t], t, returned_before(&j->doers[t], time));
        if (m->low[t] == 0)
            continue;
        if (last->start > m->state->end)
            return wrong(j, "write %u of thread %u is in before it began", m->low[t], t);
        for (uint32_t u = 0; u < j->h->threads; u++)
            if (returned_before(&j->doers[u], last->start) > m->high[u])
                return wrong(j,
                             "write %u of thread %u is in, but write %u of thread %u, which had "
                             "returned before it began, is not",
                             m->low[t], t, returned_before(&j->doers[u], last->start), u);
    }
    return true;
}

static bool judge_moment(judge *j, moment *m)
{
    if (!find_low(j, m))
        return false;
    for (uint32_t t = 0; t < j->h->threads; t++)
        find_high(j, m, t);
    if (!judge_times(j, m))
        return false;
    for (uint32_t k = HISTORY_CONTENDED; k < HISTORY_CONTENDED + HISTORY_SHARED; k++)
        if (!judge_shared(j, m, k))
            return false;
    for (uint32_t t = 0; t < j->h->threads; t++) {
        uint32_t first = HISTORY_CONTENDED + HISTORY_SHARED + t * HISTORY_OWNED;
        for (uint32_t k = first; k < first + HISTORY_OWNED; k++)
            if (!judge_owned(j, m, t, k))
                return false;
        if (!judge_owned(j, m, t, HISTORY_COUNTER(t)))
            return false;
    }
    return true;
}

/* --- two states --------------------------------------------------------------------------- */

/* Whether a may be the earlier one, by what is in them. */
static bool may_precede(const judge *j, const moment *a, const moment *b)
{
    for (uint32_t t = 0; t < j->h->threads; t++)
        if (a->low[t] > b->high[t])
            return false;
    return true;
}

/* b is later for certain: no shared key shows what was already overwritten in a. */
static bool judge_later(judge *j, const moment *a, const moment *b)
{
    for (uint32_t k = HISTORY_CONTENDED; k < HISTORY_CONTENDED + HISTORY_SHARED; k++) {
        history_id then = a->state->seen[k], now = b->state->seen[k];
        bool old = now == j->h->initial[k] ||
                   (now != 0 && HISTORY_NUMBER_OF(now) <= a->low[HISTORY_THREAD_OF(now)]);
        if (then != now && now != 0 && old)
            return wrong(j, "key %u shows %" PRIx64 ", and %" PRIx64 " in an earlier state", k, now,
                         then);
    }
    return true;
}

static bool judge_pair(judge *j, const moment *a, const moment *b)
{
    bool forth = may_precede(j, a, b), back = may_precede(j, b, a);
    bool timed = !(j->h->lossy && (a->final || b->final));
    if (!timed)
        return true; /* what others saw may be lost */
    if ((!forth && !back) || (!forth && a->state->end < b->state->start) ||
        (!back && b->state->end < a->state->start))
        return wrong(j, "two scans saw states of which neither comes before the other");
    if (forth && !back)
        return judge_later(j, a, b);
    return !back || forth || judge_later(j, b, a);
}

static bool judge_all(judge *j)
{
    for (size_t i = 0; i < j->count; i++) {
        size_t n;
        if (!judge_moment(j, &j->moments[i])) {
            n = strlen(j->text);
            (void)snprintf(j->text + n, j->capacity - n, " (%s)",
                           j->moments[i].final ? "after opening again" : "a scan");
            return false;
        }
        for (size_t other = 0; other < i; other++)
            if (!judge_pair(j, &j->moments[other], &j->moments[i]))
                return false;
    }
    return true;
}

const char *history_judge_states(const history *h, char *text, size_t capacity)
{
    judge *j = calloc(1, sizeof *j);
    j->h = h;
    j->text = text;
    j->capacity = capacity;
    j->moments = calloc(HISTORY_STATES + 1, sizeof *j->moments);
    for (uint32_t t = 0; t < h->threads; t++) {
        find_deeds(&j->doers[t], &h->thread[t]);
        find_marks(&j->doers[t], &h->thread[t]);
        for (uint64_t i = 0; i < h->thread[t].states; i++)
            j->moments[j->count++].state = &h->thread[t].seen[i];
    }
    j->moments[j->count] = (moment){.state = &h->final, .final = true};
    j->count++;
    bool ok = judge_all(j);
    for (uint32_t t = 0; t < h->threads; t++) {
        free(j->doers[t].deeds);
        free(j->doers[t].marks);
    }
    free(j->moments);
    free(j);
    return ok ? NULL : text;
}
