/* SPDX-License-Identifier: MIT */
/*
 * event.h - telling the embedding what has just ended. The receiver may read and write, so no lock
 * is held but, in a caller's thread that works, inline_mu; what would wait for that one is
 * forbidden to it (peat_host), or does not (pt_work_step).
 */
#ifndef PT_STATE_EVENT_H
#define PT_STATE_EVENT_H

#include "state/store.h"

void pt_event_send(pt_store *s, peat_event_kind kind, peat_rc rc, uint64_t duration_ns,
                   uint64_t bytes_in, uint64_t bytes_out, const char *message);

#endif
