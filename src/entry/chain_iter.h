/* SPDX-License-Identifier: MIT */
/*
 * chain_iter.h - iterators whose ranges follow one another, walked as one; one of them is open at a
 * time. The tables of a run and the partitions of a version are such chains.
 *
 * The owner embeds it first, fills in the first three members and the calls, uses PT_CHAIN_MOVES
 * for its moves, and calls pt_chain_close when it is done.
 */
#ifndef PT_ENTRY_CHAIN_ITER_H
#define PT_ENTRY_CHAIN_ITER_H

#include "entry/iter.h"

typedef struct pt_chain pt_chain;
struct pt_chain {
    pt_iter base;
    size_t begin, end; /* links that can hold entries in bounds: [begin, end) */
    /* Opens link i into `open`; after an error the owner has closed what it began. */
    peat_rc (*open_link)(pt_chain *c, size_t i);
    /* Closes `open`, which is not NULL. */
    void (*close_link)(pt_chain *c);
    /* The first link that can hold keys >= key. */
    size_t (*link_of)(const pt_chain *c, pt_slice key);

    pt_iter *open; /* NULL: none */
    size_t at;     /* the open link */
};

peat_rc pt_chain_last(pt_iter *it);
peat_rc pt_chain_seek(pt_iter *it, pt_slice key);
peat_rc pt_chain_seek_for_prev(pt_iter *it, pt_slice key);
peat_rc pt_chain_next(pt_iter *it);
peat_rc pt_chain_prev(pt_iter *it);
void pt_chain_close(pt_chain *c);

#define PT_CHAIN_MOVES                                                                             \
    .last = pt_chain_last, .seek = pt_chain_seek, .seek_for_prev = pt_chain_seek_for_prev,         \
    .next = pt_chain_next, .prev = pt_chain_prev

#endif
