/* SPDX-License-Identifier: MIT */
/* event.h - telling the embedding what has just ended. No lock is held. */
#ifndef PT_STATE_EVENT_H
#define PT_STATE_EVENT_H

#include "state/store.h"

void pt_event_send(pt_store *s, peat_event_kind kind, peat_rc rc, uint64_t duration_ns,
                   uint64_t bytes_in, uint64_t bytes_out, const char *message);

#endif
