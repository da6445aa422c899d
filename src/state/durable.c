/* SPDX-License-Identifier: MIT */
/* durable.c - see durable.h. */
#include "state/durable.h"

#include "state/event.h"

peat_rc pt_durable_commit_state(pt_store *s, pt_state *state)
{
    pt_bytes edit;
    PT_DCHECK(pt_mutex_held(&s->install_mu), "install_mu guards the version set");
    pt_bytes_init(&edit, s->env);
    state->file_next = atomic_load(&s->file_next);
    peat_rc rc = pt_version_set_commit(&s->version_set, &edit, state);
    pt_bytes_done(&edit);
    return rc;
}

peat_rc pt_durable_note(pt_store *s, bool always)
{
    peat_rc rc = PEAT_OK;
    pt_mutex_lock(&s->install_mu);
    pt_state state = s->version_set.state;
    uint64_t serial = pt_log_serial(s->log), seq = pt_log_durable(s->log);
    bool news = seq > state.seq_flushed && seq > state.seq_durable;
    if (news && (always || serial != atomic_load(&s->durable_serial))) {
        state.seq_durable = seq;
        rc = pt_durable_commit_state(s, &state);
        if (rc == PEAT_OK)
            atomic_store(&s->durable_serial, serial);
    }
    pt_mutex_unlock(&s->install_mu);
    return rc;
}

/* That the manifest could not be told does not fail the sync: the records are safe. A write failure
 * shows in the next call, anything else is tried again by the next sync. */
peat_rc pt_durable_sync(pt_store *s, uint64_t position, uint64_t seq, bool waited_for)
{
    atomic_fetch_add_explicit(&s->sync_waiters, waited_for, memory_order_relaxed);
    bool timed = s->settings.host.event_fn != NULL;
    uint64_t begin = timed ? s->env->now_ns(s->env->ctx) : 0;
    uint64_t before = timed ? pt_log_synced_position(s->log) : 0;
    peat_rc rc = pt_log_sync(s->log, position), heard = PEAT_OK;
    if (rc == PEAT_OK && atomic_load(&s->durable_serial) != pt_log_serial(s->log))
        heard = pt_durable_note(s, false);
    if (timed)
        pt_event_send(s, PEAT_EVENT_SYNC, rc, s->env->now_ns(s->env->ctx) - begin, 0,
                      pt_log_synced_position(s->log) - before, NULL);
    if (rc != PEAT_OK || heard != PEAT_OK)
        pt_event_send(s, PEAT_EVENT_ERROR, rc != PEAT_OK ? rc : heard, 0, 0, 0, NULL);
    /* what a flush has brought into tables meanwhile needed no sync: the log does not count it */
    if (rc == PEAT_OK)
        pt_taps_durable(&s->tap, pt_max_u64(seq, pt_log_durable(s->log)));
    return rc;
}

peat_rc pt_durable_finish(pt_store *s)
{
    pt_mutex_lock(&s->install_mu);
    pt_state state = s->version_set.state;
    state.unfinished = false;
    peat_rc rc = pt_durable_commit_state(s, &state);
    pt_mutex_unlock(&s->install_mu);
    return rc;
}
