/* SPDX-License-Identifier: MIT */
/* stress_flight.c - a store that is closed while a call is in flight. */
#include "stress/stress_actors.h"

#include <sched.h>

typedef struct flight {
    stress_arena *a;
    atomic_bool inside, closing;
    unsigned kind;
    peat_rc rc;
    pthread_t thread;
} flight;

static void hold_until_closing(flight *f)
{
    atomic_store(&f->inside, true);
    while (!atomic_load(&f->closing))
        (void)sched_yield();
}

static peat_rc hold_export(void *ctx, const void *data, size_t size)
{
    (void)data;
    (void)size;
    hold_until_closing((flight *)ctx);
    return PEAT_OK;
}

static bool hold_compact(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    (void)phase;
    (void)done;
    (void)total;
    hold_until_closing((flight *)ctx);
    return true;
}

static peat_rc hold_shape(void *ctx, const peat_partition_info *p)
{
    (void)p;
    hold_until_closing((flight *)ctx);
    return PEAT_OK;
}

static void *fly(void *arg)
{
    flight *f = (flight *)arg;
    peat_progress progress = {.size = sizeof progress, .fn = hold_compact, .ctx = f};
    if (f->kind == 0)
        f->rc = peat_export(f->a->db, NULL, hold_export, f);
    else if (f->kind == 1)
        f->rc = peat_compact(f->a->db, peat_unbounded(), peat_unbounded(), &progress);
    else
        f->rc = peat_shape(f->a->db, hold_shape, f);
    atomic_store(&f->inside, true);
    return NULL;
}

void stress_close_in_flight(stress_arena *a, unsigned kind)
{
    flight f = {.a = a, .kind = kind};
    if (pthread_create(&f.thread, NULL, fly, &f) != 0)
        stress_fail(a->w, "no thread");
    while (!atomic_load(&f.inside))
        (void)sched_yield();
    atomic_store(&f.closing, true);
    peat_rc rc = peat_close(a->db);
    (void)pthread_join(f.thread, NULL);
    if (rc != PEAT_OK)
        stress_fail(a->w, "close: %s", peat_rc_name(rc));
    if (f.rc != PEAT_OK && f.rc != PEAT_CLOSED)
        stress_fail(a->w, "call %u in flight while closing: %s", kind, peat_rc_name(f.rc));
}
