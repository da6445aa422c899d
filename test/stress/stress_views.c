/* SPDX-License-Identifier: MIT */
/* stress_views.c - actors that look at one state of the store for long: snapshots, iterators. */
#include "stress/stress_actors.h"

#include <stdlib.h>
#include <string.h>

#define HELD_ITERS 4u

/* ---- snapshots ---- */

static uint64_t read_group_at(stress_actor *t, const peat_snapshot *snapshot, unsigned g,
                              peat_buf *buf, uint64_t low, uint64_t high)
{
    uint64_t seen[STRESS_MEMBERS] = {0}, hash = 0;
    peat_read_options o = {.size = sizeof o, .snapshot = snapshot};
    for (unsigned m = 0; m < stress_members(g); m++) {
        seen[m] = stress_get(t, &o, g, m, buf, "get at a snapshot");
        hash = rng_hash(hash ^ seen[m]);
    }
    stress_check_group(t->a->w, g, seen, low, high, "get at a snapshot");
    return hash;
}

/* The same groups read twice at one snapshot, with an iterator at it in between. */
static void use_snapshot(stress_actor *t, stress_bounds *b, peat_buf *buf)
{
    peat_snapshot *snapshot = NULL;
    peat_iter *it = NULL;
    uint64_t hashes[STRESS_ALL / 4];
    unsigned from = (unsigned)stress_pick(t, 4);
    stress_low(t->a->w, b);
    stress_must(t, peat_snapshot_open(t->a->db, &snapshot), "snapshot_open");
    stress_high(t->a->w, b);
    for (unsigned i = 0; i < STRESS_ALL / 4; i++) {
        unsigned g = i * 4 + from;
        hashes[i] = read_group_at(t, snapshot, g, buf, b->low[g], b->high[g]);
    }
    peat_iter_options o = {.size = sizeof o, .snapshot = snapshot};
    stress_must(t, peat_iter_open(t->a->db, &o, &it), "iter_open at a snapshot");
    (void)stress_check_scan(t->a->w, it, (unsigned)stress_pick(t, 4), b);
    for (unsigned i = 0; i < STRESS_ALL / 4; i++) {
        unsigned g = i * 4 + from;
        if (read_group_at(t, snapshot, g, buf, b->low[g], b->high[g]) != hashes[i])
            stress_fail(t->a->w, "snapshot: group %u has changed", g);
    }
    peat_snapshot_close(snapshot);
    peat_iter_close(it);
}

void *stress_use_snapshots(void *arg)
{
    stress_actor *t = (stress_actor *)arg;
    stress_bounds *b = (stress_bounds *)stress_alloc(t, sizeof *b);
    peat_buf buf = PEAT_BUF_INIT;
    while (stress_going_on(t))
        use_snapshot(t, b, &buf);
    peat_buf_free(&buf);
    free(b);
    return NULL;
}

/* ---- iterators ---- */

typedef struct held_iter {
    peat_iter *it;
    stress_bounds bounds;
    uint64_t hash;
} held_iter;

/* Opens it, or moves it to now when it is open. */
static void open_held(stress_actor *t, held_iter *h)
{
    stress_low(t->a->w, &h->bounds);
    if (h->it == NULL)
        stress_must(t, peat_iter_open(t->a->db, NULL, &h->it), "iter_open");
    else
        stress_must(t, peat_iter_refresh(h->it), "iter_refresh");
    stress_high(t->a->w, &h->bounds);
    h->hash = stress_check_scan(t->a->w, h->it, (unsigned)stress_pick(t, 4), &h->bounds);
}

/* A few steps to and fro from a random place: the way back shows the same keys. */
static void walk_to_and_fro(stress_actor *t, peat_iter *it)
{
    char keys[8][ROWS_KEY_MAX], key[ROWS_KEY_MAX];
    size_t sizes[8], n = 0;
    unsigned g = (unsigned)stress_pick(t, STRESS_ALL);
    peat_slice k = peat_bytes(key, stress_key(g, (unsigned)stress_pick(t, STRESS_MEMBERS), key));
    peat_rc rc = stress_pick(t, 2) == 0 ? peat_iter_seek(it, k) : peat_iter_seek_for_prev(it, k);
    for (; rc == PEAT_OK && n < 8; rc = peat_iter_next(it), n++) {
        sizes[n] = peat_iter_key(it).size;
        memcpy(keys[n], peat_iter_key(it).data, sizes[n]);
    }
    stress_must(t, rc, "iter_next");
    if (rc == PEAT_END)
        rc = n != 0 ? peat_iter_last(it) : PEAT_END;
    else
        rc = peat_iter_prev(it);
    for (; rc == PEAT_OK && n > 0; rc = peat_iter_prev(it)) {
        n--;
        peat_slice at = peat_iter_key(it);
        if (at.size != sizes[n] || memcmp(at.data, keys[n], sizes[n]) != 0)
            stress_fail(t->a->w, "walk: the way back shows other keys, at step %zu", n);
    }
    stress_must(t, rc, "iter_prev");
    if (n != 0)
        stress_fail(t->a->w, "walk: the way back ends %zu entries too soon", n);
}

void *stress_scan_all_the_time(void *arg)
{
    stress_actor *t = (stress_actor *)arg;
    held_iter *held = (held_iter *)stress_alloc(t, HELD_ITERS * sizeof *held);
    while (stress_going_on(t)) {
        held_iter *h = &held[stress_pick(t, HELD_ITERS)];
        if (h->it == NULL)
            open_held(t, h);
        walk_to_and_fro(t, h->it);
        if (stress_check_scan(t->a->w, h->it, (unsigned)stress_pick(t, 4), &h->bounds) != h->hash)
            stress_fail(t->a->w, "scan: an open iterator shows another state than before");
        if (stress_pick(t, 3) == 0) {
            open_held(t, h);
        } else if (stress_pick(t, 2) == 0) {
            peat_iter_close(h->it);
            h->it = NULL;
        }
    }
    return held;
}

void stress_drop_iters(const stress_actor *scanner, void *iters)
{
    held_iter *h = (held_iter *)iters;
    for (unsigned i = 0; i < HELD_ITERS; i++) {
        if (h[i].it != NULL && peat_iter_first(h[i].it) != PEAT_CLOSED)
            stress_fail(scanner->a->w, "an iterator outlives its store");
        peat_iter_close(h[i].it);
    }
    free(h);
}
