/* SPDX-License-Identifier: MIT */
/*
 * work_result.c - see work_result.h. The rate is what debts.c and quiet.c reckon with.
 */
#include "work/work_result.h"

#include "state/event.h"
#include "work/work.h"

/* A failed unit is tried again after this, doubling up to 64 times it: a full disk may have room
 * by then, and the log of errors stays short. */
#define RETRY_NS ((uint64_t)50 * 1000 * 1000)
/* A flush of less says nothing of the rate; the smallest memtable holds about twice as much. */
#define BYTES_TOO_FEW 16384u

void pt_work_note_result(pt_store *s, peat_rc rc)
{
    if (rc == PEAT_OK) /* a manifest that could not be rewritten does not fail the unit */
        rc = pt_sink_write_failure(&s->sink);
    pt_mutex_lock(&s->work->mu);
    pt_work_state *w = &s->work->state;
    w->failures = rc == PEAT_OK ? 0 : w->failures + 1;
    if (rc != PEAT_OK) {
        uint64_t back_off = RETRY_NS << (w->failures < 7 ? w->failures - 1 : 6);
        w->retry_ns = s->env->now_ns(s->env->ctx) + back_off;
    }
    unsigned failures = w->failures;
    pt_cond_broadcast(&s->work->done_cond);
    pt_mutex_unlock(&s->work->mu);
    if (rc == PEAT_OK)
        return;
    if (rc == PEAT_IO && failures >= PT_WORK_IO_FAILURES_MAX)
        (void)pt_sink_stop_writes(&s->sink, rc); /* the same code */
    pt_event_send(s, PEAT_EVENT_ERROR, rc, 0, 0, 0, NULL);
}

static void smooth(double *io, double now)
{
    *io = *io == 0 ? now : *io * 0.75 + now * 0.25;
}

void pt_work_note_rate(pt_store *s, uint64_t bytes, uint64_t ns)
{
    if (ns == 0 || bytes < BYTES_TOO_FEW)
        return;
    pt_mutex_lock(&s->work->mu);
    pt_work_state *w = &s->work->state;
    /* not worker_count, which open still counts up when the first thread has work */
    double threads = s->settings.threads > 0 ? (double)s->settings.threads : 1.0;
    smooth(&w->flush_ns_per_byte, (double)ns / (double)bytes);
    smooth(&w->ns_per_byte, ((double)ns + (double)w->merge_ns / threads) / (double)bytes);
    w->merge_ns = 0;
    pt_mutex_unlock(&s->work->mu);
}

void pt_work_note_merge_time(pt_store *s, uint64_t ns)
{
    pt_mutex_lock(&s->work->mu);
    s->work->state.merge_ns += ns;
    pt_mutex_unlock(&s->work->mu);
}
