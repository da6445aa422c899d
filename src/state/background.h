/* SPDX-License-Identifier: MIT */
/*
 * background.h - what those who read and write need of those who work in the background: handed to
 * the store at open (work/background.c), so that the rooms need not know one another.
 */
#ifndef PT_STATE_BACKGROUND_H
#define PT_STATE_BACKGROUND_H

#include "base/base.h"

typedef struct pt_store pt_store;

typedef struct pt_background {
    /* There is something to do. Nothing before the background has begun, or after its end. */
    void (*wake)(pt_store *s);
    /* A memtable has become immutable: wakes, and takes the debts anew. Caller holds commit_mu. */
    void (*switched)(pt_store *s);
    /* Waits until no more than so many memtables are immutable, or flushes them itself. No lock is
     * held. */
    peat_rc (*make_room)(pt_store *s, size_t immutables_max);
    /* One step of work by a committer of a store without threads; several after a write of many
     * bytes. Nothing while another thread is at it. No lock is held. */
    void (*step)(pt_store *s, uint64_t bytes);
} pt_background;

#endif
