/* SPDX-License-Identifier: MIT */
/* entry_bytes.h - a whole entry as bytes in memory, for who keeps some for later. No format: they
 * are read by who wrote them. */
#ifndef PT_ENTRY_ENTRY_BYTES_H
#define PT_ENTRY_ENTRY_BYTES_H

#include "base/coding.h"
#include "entry/entry.h"
#include "env/env.h"

static inline PT_MUST_USE peat_rc pt_entry_append(pt_bytes *to, const pt_entry *e)
{
    peat_rc rc = PEAT_OK;
    uint8_t kind = (uint8_t)e->kind;
    TRY(pt_bytes_append(to, &kind, 1));
    TRY(pt_bytes_append_u64(to, e->seq));
    TRY(pt_bytes_append_sized(to, e->key));
    TRY(pt_bytes_append_sized(to, e->value));
out:
    return rc;
}

/* Key and value lie where the bytes do. */
static inline void pt_entry_take(pt_cursor *io_bytes, pt_entry *ret_entry)
{
    ret_entry->kind = (pt_kind)pt_cursor_u8(io_bytes);
    ret_entry->seq = pt_cursor_u64(io_bytes);
    ret_entry->key = pt_cursor_sized(io_bytes);
    ret_entry->value = pt_cursor_sized(io_bytes);
}

#endif
