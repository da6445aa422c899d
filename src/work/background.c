/* SPDX-License-Identifier: MIT */
/*
 * background.c - the beginning and the end of src/work as a room of the store: its part of the
 * store (struct pt_work) is made and freed, and the functions that others call are handed out
 * (state/background.h).
 */
#include "work/quiet.h"
#include "work/work.h"

static void switched(pt_store *s)
{
    pt_work_wake(s);
    pt_work_take_debts(s);
}

peat_rc pt_work_new(pt_store *s)
{
    pt_work *w = (pt_work *)pt_alloc_zero(s->env, sizeof *w);
    if (w == NULL)
        return PEAT_NOMEM;
    pt_mutex_init(&w->flush_mu);
    pt_mutex_init(&w->inline_mu);
    pt_mutex_init(&w->mu);
    pt_cond_init(&w->due_cond);
    pt_cond_init(&w->done_cond);
    w->inline_worker.store = s;
    s->work = w;
    s->background = (pt_background){.wake = pt_work_wake,
                                    .switched = switched,
                                    .make_room = pt_work_make_room,
                                    .step = pt_work_step};
    pt_quiet_init(s);
    return PEAT_OK;
}

void pt_work_free(pt_store *s)
{
    pt_work *w = s->work;
    if (w == NULL)
        return;
    pt_mutex_done(&w->flush_mu);
    pt_mutex_done(&w->inline_mu);
    pt_mutex_done(&w->mu);
    pt_cond_done(&w->due_cond);
    pt_cond_done(&w->done_cond);
    pt_free(s->env, w);
    s->work = NULL;
}
