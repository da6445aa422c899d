/* SPDX-License-Identifier: MIT */
/*
 * probe.h - the contract of lookups that give way. A lookup in memory mostly waits: for the next
 * line of a node, of an index, of a block. A probe is a lookup that asks the processor for the
 * lines that it looks at next and returns, so that others go on while they come (Kocberber,
 * Falsafi, Grot, "Asynchronous memory access chaining", 2015). Memtables, tables and versions each
 * have one; read/ring.h runs many.
 *
 * A probe holds nothing and takes no lock. All its steps are made inside one epoch; it may be left
 * where it stands.
 */
#ifndef PT_ENTRY_PROBE_H
#define PT_ENTRY_PROBE_H

#include "entry/entry.h"

typedef enum pt_probe_state {
    PT_PROBE_COMES, /* lines are on their way: to be stepped again, best after others */
    PT_PROBE_FOUND, /* a tombstone, too; the entry is valid inside the epoch */
    PT_PROBE_ABSENT,
    PT_PROBE_MISSES, /* not all that it needs is in memory: a lookup that reads goes on */
} pt_probe_state;

#define PT_PROBE_LINE_BYTES 64u

static inline void pt_probe_ask(const void *from, size_t bytes)
{
    const uint8_t *p = (const uint8_t *)from;
    for (size_t at = 0; at < bytes; at += PT_PROBE_LINE_BYTES)
        PT_PREFETCH(p + at);
}

#endif
