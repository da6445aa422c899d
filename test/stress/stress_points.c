/* SPDX-License-Identifier: MIT */
/* stress_points.c - actors that write, and such that read single keys and hold pins. */
#include "stress/stress_actors.h"

#include <inttypes.h>
#include <stdlib.h>

#define PINS 12u

bool stress_going_on(stress_actor *t)
{
    if (atomic_fetch_add(&t->a->w->steps, 1) % STRESS_BEAT_STEPS == 0)
        (void)sem_post(&t->a->beat);
    return !atomic_load(&t->a->stop);
}

uint64_t stress_pick(stress_actor *t, uint64_t n)
{
    return rng_below(&t->random, n);
}

void stress_must(const stress_actor *t, peat_rc rc, const char *what)
{
    peat_error e;
    if (rc >= 0)
        return;
    (void)peat_db_error(t->a->db, &e);
    stress_fail(t->a->w, "%s: %s; first trouble: %s", what, peat_rc_name(rc), e.message);
}

void *stress_alloc(const stress_actor *t, size_t size)
{
    void *p = calloc(1, size);
    if (p == NULL)
        stress_fail(t->a->w, "no memory for the test itself");
    return p;
}

/* ---- writers ---- */

void *stress_write_all_the_time(void *arg)
{
    stress_actor *t = (stress_actor *)arg;
    uint8_t *scratch = (uint8_t *)stress_alloc(t, STRESS_VALUE_MAX);
    peat_batch *batch = NULL;
    stress_must(t, peat_batch_new(&batch), "batch_new");
    while (stress_going_on(t)) {
        /* groups go to writers by their remainder; half of the writes go to a few hot ones */
        unsigned range = stress_pick(t, 2) == 0 ? 30 : STRESS_ALL;
        unsigned g = (unsigned)(stress_pick(t, range / STRESS_WRITERS) * STRESS_WRITERS +
                                t->number % STRESS_WRITERS);
        peat_rc rc;
        if (g < STRESS_ALL &&
            !stress_write(t->a->w, t->a->db, batch, g, stress_pick(t, 64) == 0, scratch, &rc))
            stress_must(t, rc, "write");
    }
    peat_batch_free(batch);
    free(scratch);
    return NULL;
}

/* ---- readers ---- */

uint64_t stress_get(stress_actor *t, const peat_read_options *o, unsigned group, unsigned member,
                    peat_buf *buf, const char *where)
{
    char key[ROWS_KEY_MAX];
    peat_slice k = peat_bytes(key, stress_key(group, member, key));
    peat_rc rc = peat_get(t->a->db, o, k, buf);
    stress_must(t, rc, where);
    if (rc == PEAT_NOT_FOUND)
        return 0;
    return stress_check_value(t->a->w, group, member, peat_bytes(buf->data, buf->size), where);
}

static void read_point(stress_actor *t, peat_buf *buf)
{
    stress_world *w = t->a->w;
    unsigned g = (unsigned)stress_pick(t, STRESS_ALL),
             m = (unsigned)stress_pick(t, stress_members(g));
    peat_read_options o = {.size = sizeof o, .no_cache_fill = stress_pick(t, 8) == 0};
    uint64_t low = atomic_load(&w->acked[g]);
    uint64_t v = stress_get(t, &o, g, m, buf, "get");
    stress_check_point(w, g, m, v, low, atomic_load(&w->started[g]), "get");
}

static void ask_point(stress_actor *t)
{
    stress_world *w = t->a->w;
    char key[ROWS_KEY_MAX];
    unsigned g = (unsigned)stress_pick(t, STRESS_ALL),
             m = (unsigned)stress_pick(t, stress_members(g));
    uint64_t low = atomic_load(&w->acked[g]);
    peat_rc rc = peat_exists(t->a->db, NULL, peat_bytes(key, stress_key(g, m, key)));
    stress_must(t, rc, "exists");
    uint64_t high = atomic_load(&w->started[g]);
    for (uint64_t v = low; v <= high; v++)
        if ((v == 0 || stress_is_delete(w, g, m, v)) == (rc == PEAT_NOT_FOUND))
            return;
    stress_fail(w, "exists: group %u member %u: %s, versions %" PRIu64 "..%" PRIu64, g, m,
                peat_rc_name(rc), low, high);
}

enum { MANY_GROUPS = 8, MANY_KEYS = MANY_GROUPS * STRESS_MEMBERS };

typedef struct many {
    char text[MANY_KEYS][ROWS_KEY_MAX];
    peat_slice keys[MANY_KEYS];
    peat_buf values[MANY_KEYS];
    peat_pinned pins[MANY_KEYS];
    peat_rc rcs[MANY_KEYS];
} many;

static void get_many(stress_actor *t, many *m, bool pinned)
{
    peat_rc rc = pinned ? peat_multi_get_pinned(t->a->db, NULL, MANY_KEYS, m->keys, m->pins, m->rcs)
                        : peat_multi_get(t->a->db, NULL, MANY_KEYS, m->keys, m->values, m->rcs);
    stress_must(t, rc, "multi_get");
}

/* The version that key i shows; its pin is dropped. */
static uint64_t take_of_many(stress_actor *t, many *m, unsigned group, unsigned i, bool pinned)
{
    uint64_t v = 0;
    stress_must(t, m->rcs[i], "multi_get of a key");
    peat_slice value = pinned ? peat_bytes(m->pins[i].data, m->pins[i].size)
                              : peat_bytes(m->values[i].data, m->values[i].size);
    if (m->rcs[i] == PEAT_OK)
        v = stress_check_value(t->a->w, group, i % STRESS_MEMBERS, value, "multi_get");
    if (pinned)
        peat_unpin(&m->pins[i]);
    return v;
}

/* All members of some groups, perhaps of one more than once: each group is of one version. */
static void read_many(stress_actor *t, many *m)
{
    stress_world *w = t->a->w;
    unsigned groups[MANY_GROUPS];
    uint64_t low[MANY_GROUPS], high[MANY_GROUPS];
    bool pinned = stress_pick(t, 2) == 0;
    for (unsigned i = 0; i < MANY_KEYS; i++) {
        unsigned g = i / STRESS_MEMBERS;
        if (i % STRESS_MEMBERS == 0) {
            groups[g] = (unsigned)stress_pick(t, STRESS_GROUPS);
            low[g] = atomic_load(&w->acked[groups[g]]);
        }
        m->keys[i] = peat_bytes(m->text[i], stress_key(groups[g], i % STRESS_MEMBERS, m->text[i]));
    }
    get_many(t, m, pinned);
    for (unsigned g = 0; g < MANY_GROUPS; g++)
        high[g] = atomic_load(&w->started[groups[g]]);
    for (unsigned g = 0; g < MANY_GROUPS; g++) {
        uint64_t seen[STRESS_MEMBERS];
        for (unsigned i = 0; i < STRESS_MEMBERS; i++)
            seen[i] = take_of_many(t, m, groups[g], g * STRESS_MEMBERS + i, pinned);
        stress_check_group(w, groups[g], seen, low[g], high[g], "multi_get");
    }
}

typedef struct pin {
    peat_pinned value;
    uint64_t version;
    unsigned group, member;
    bool used;
} pin;

/* The bytes are still those of the day they were pinned. */
static void drop_pin(const stress_actor *t, pin *p)
{
    if (p->used &&
        stress_check_value(t->a->w, p->group, p->member, peat_bytes(p->value.data, p->value.size),
                           "pin") != p->version)
        stress_fail(t->a->w, "pin: group %u has changed its version", p->group);
    if (p->used)
        peat_unpin(&p->value);
    p->used = false;
}

static void pin_point(stress_actor *t, pin *pins)
{
    stress_world *w = t->a->w;
    pin *p = &pins[stress_pick(t, PINS)];
    char key[ROWS_KEY_MAX];
    drop_pin(t, p);
    *p = (pin){.group = (unsigned)stress_pick(t, STRESS_ALL)};
    p->member = (unsigned)stress_pick(t, stress_members(p->group));
    uint64_t low = atomic_load(&w->acked[p->group]);
    peat_rc rc = peat_get_pinned(t->a->db, NULL,
                                 peat_bytes(key, stress_key(p->group, p->member, key)), &p->value);
    stress_must(t, rc, "get_pinned");
    p->used = rc == PEAT_OK;
    if (p->used)
        p->version = stress_check_value(w, p->group, p->member,
                                        peat_bytes(p->value.data, p->value.size), "get_pinned");
    stress_check_point(w, p->group, p->member, p->version, low, atomic_load(&w->started[p->group]),
                       "get_pinned");
}

/* Pins are left for the main thread to drop after the store is closed. */
void *stress_read_all_the_time(void *arg)
{
    stress_actor *t = (stress_actor *)arg;
    pin *pins = (pin *)stress_alloc(t, PINS * sizeof *pins);
    many *all = (many *)stress_alloc(t, sizeof *all);
    peat_buf buf = PEAT_BUF_INIT;
    while (stress_going_on(t)) {
        uint64_t what = stress_pick(t, 11);
        if (what < 6)
            read_point(t, &buf);
        else if (what < 9)
            pin_point(t, pins);
        else if (what < 10)
            ask_point(t);
        else
            read_many(t, all);
    }
    peat_buf_free(&buf);
    for (unsigned i = 0; i < MANY_KEYS; i++)
        peat_buf_free(&all->values[i]);
    free(all);
    return pins;
}

void stress_drop_pins(const stress_actor *reader, void *pins)
{
    pin *p = (pin *)pins;
    for (unsigned i = 0; i < PINS; i++)
        drop_pin(reader, &p[i]);
    free(p);
}
