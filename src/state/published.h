/* SPDX-License-Identifier: MIT */
/*
 * published.h - up to which sequence readers see writes. Committers raise it in the order of their
 * sequences, each when its turn has come.
 */
#ifndef PT_STATE_PUBLISHED_H
#define PT_STATE_PUBLISHED_H

#include "base/sync.h"

typedef struct pt_published {
    /* Every sequence up to here is visible. Release by the committer whose turn it is, acquire by
     * readers. */
    _Atomic uint64_t seq;
    _Atomic uint32_t waiters;
    pt_mutex mu;
    pt_cond raised;
} pt_published;

void pt_published_init(pt_published *p);
void pt_published_done(pt_published *p);
/* [first_seq, last_seq] become visible, after all before them. */
void pt_published_raise(pt_published *p, uint64_t first_seq, uint64_t last_seq);
/* Until this sequence is visible. */
void pt_published_wait(pt_published *p, uint64_t seq);

#endif
