/* SPDX-License-Identifier: MIT */
/*
 * sim_rings.c - events and rings of a simulated environment; see sim_env.h.
 *
 * A read of a ring is made when it is reaped: which those are, and in what order, is drawn. Until
 * then its buffer holds noise, and its file may not be closed. While there are reads that have
 * begun the event is signalled, so that whoever waits for it comes and reaps; what it gets may be
 * nothing, as from an event that was signalled for something else.
 */
#include "support/sim_calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- events: real ones, counted ---- */

int sim_event_open(void *ctx, int *ret_event)
{
    sim_env *sim = ctx;
    const peat_env *real = peat_env_default();
    int e = sim_admit(sim, SIM_EVENT_OPEN, NULL, NULL);
    if (e == 0)
        e = sim_admit_handle(sim);
    if (e == 0)
        e = real->event_open(real->ctx, ret_event);
    if (e == 0)
        sim_count_up(&sim->events, 1);
    return e;
}

void sim_event_close(void *ctx, int event)
{
    sim_env *sim = ctx;
    const peat_env *real = peat_env_default();
    sim_count_down(&sim->events, 1);
    real->event_close(real->ctx, event);
}

void sim_event_signal(void *ctx, int event)
{
    const peat_env *real = peat_env_default();
    (void)ctx;
    real->event_signal(real->ctx, event);
}

void sim_event_clear(void *ctx, int event)
{
    const peat_env *real = peat_env_default();
    (void)ctx;
    real->event_clear(real->ctx, event);
}

int sim_event_wait(void *ctx, int event, uint64_t timeout_ns)
{
    const peat_env *real = peat_env_default();
    (void)ctx;
    return real->event_wait(real->ctx, event, timeout_ns);
}

/* ---- rings ---- */

typedef struct sim_read {
    peat_env_file *file;
    uint64_t offset;
    void *buf;
    size_t n;
    void *tag;
} sim_read;

struct peat_env_ring {
    unsigned depth, taken, begun; /* reads[0, begun) have begun, up to `taken` they have not */
    int event;
    sim_read reads[];
};

int sim_ring_open(void *ctx, unsigned depth, int event, peat_env_ring **ret_ring)
{
    sim_env *sim = ctx;
    int e = sim_admit(sim, SIM_RING_OPEN, NULL, NULL);
    if (e == 0)
        e = sim->rings_on ? sim_admit_handle(sim) : ENOSYS;
    if (e != 0)
        return e;
    peat_env_ring *ring = sim_new_handle(sizeof *ring + depth * sizeof ring->reads[0]);
    ring->depth = depth;
    ring->event = event;
    sim_count_up(&sim->rings, 1);
    *ret_ring = ring;
    return 0;
}

void sim_ring_close(void *ctx, peat_env_ring *ring)
{
    sim_env *sim = ctx;
    if (ring == NULL)
        return;
    for (unsigned i = 0; i < ring->taken; i++)
        sim_file_let_go(ring->reads[i].file);
    sim_count_down(&sim->rings, 1);
    free(ring);
}

int sim_ring_read(void *ctx, peat_env_ring *ring, peat_env_file *file, uint64_t offset, void *buf,
                  size_t n, void *tag)
{
    sim_env *sim = ctx;
    int e = sim_admit(sim, SIM_RING_READ, NULL, NULL);
    if (e == 0 && ring->taken == ring->depth)
        e = EAGAIN;
    if (e != 0)
        return e;
    if (n > 0)
        memset(buf, 0x5e, n); /* whoever looks before it has ended sees that */
    sim_file_hold(file);
    ring->reads[ring->taken++] =
        (sim_read){.file = file, .offset = offset, .buf = buf, .n = n, .tag = tag};
    return 0;
}

static uint64_t draw(sim_env *sim, uint64_t below)
{
    sim_lock(sim);
    uint64_t x = rng_below(&sim->ring_random, below);
    sim_unlock(sim);
    return x;
}

static void signal_if_begun(sim_env *sim, const peat_env_ring *ring)
{
    if (ring->begun > 0 && ring->event >= 0)
        sim_event_signal(sim, ring->event);
}

void sim_ring_submit(void *ctx, peat_env_ring *ring)
{
    ring->begun = ring->taken;
    signal_if_begun(ctx, ring);
}

static peat_env_completion end_read(sim_env *sim, peat_env_ring *ring, unsigned i)
{
    sim_read read = ring->reads[i];
    ring->begun--;
    ring->taken--;
    ring->reads[i] = ring->reads[ring->begun];
    ring->reads[ring->begun] = ring->reads[ring->taken]; /* one that has not begun, or itself */
    sim_file_let_go(read.file);
    size_t got = 0;
    int e = sim_file_read(sim, read.file, read.offset, read.buf, read.n, &got);
    return (peat_env_completion){.tag = read.tag, .error = e, .bytes = e == 0 ? got : 0};
}

size_t sim_ring_reap(void *ctx, peat_env_ring *ring, bool wait, peat_env_completion *ret_ended,
                     size_t max)
{
    sim_env *sim = ctx;
    size_t n = 0;
    if (ring->begun > 0 && (wait || draw(sim, 4) != 0)) {
        uint64_t many = 1 + draw(sim, ring->begun);
        while (n < many && n < max) {
            ret_ended[n] = end_read(sim, ring, (unsigned)draw(sim, ring->begun));
            n++;
        }
    }
    signal_if_begun(sim, ring);
    return n;
}
