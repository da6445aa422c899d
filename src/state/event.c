/* SPDX-License-Identifier: MIT */
/* event.c - see event.h. */
#include "state/event.h"

void pt_event_send(pt_store *s, peat_event_kind kind, peat_rc rc, uint64_t duration_ns,
                   uint64_t bytes_in, uint64_t bytes_out, const char *message)
{
    if (s->settings.host.event_fn == NULL)
        return;
    peat_error cause = {0};
    if (rc != PEAT_OK && message == NULL)
        pt_sink_get(&s->sink, &cause);
    peat_event e = {.size = sizeof e,
                    .kind = kind,
                    .rc = rc,
                    .duration_us = duration_ns / 1000,
                    .bytes_in = bytes_in,
                    .bytes_out = bytes_out,
                    .message = message != NULL ? message : cause.message};
    s->settings.host.event_fn(s->settings.host.event_ctx, &e);
}
