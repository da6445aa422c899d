/* SPDX-License-Identifier: MIT */
/*
 * concat_iter.h - iterators whose ranges follow one another, walked as one; one of them is open at
 * a time. The tables of a run and the partitions of a version are such chains.
 *
 * The owner embeds it first, fills in the first three members and the calls, uses
 * PT_CONCAT_ITER_MOVES for its moves, and calls pt_concat_iter_close when it is done.
 */
#ifndef PT_ENTRY_CONCAT_ITER_H
#define PT_ENTRY_CONCAT_ITER_H

#include "entry/iter.h"

typedef struct pt_concat_iter pt_concat_iter;
struct pt_concat_iter {
    pt_iter base;
    size_t begin, end; /* links that can hold entries in bounds: [begin, end) */
    /* Opens link i into `open`; after an error the owner has closed what it began. */
    peat_rc (*open_link)(pt_concat_iter *c, size_t i);
    /* Closes `open`, which is not NULL. */
    void (*close_link)(pt_concat_iter *c);
    /* The first link that can hold keys >= key. */
    size_t (*link_of)(const pt_concat_iter *c, pt_slice key);

    pt_iter *open; /* NULL: none */
    size_t at;     /* the open link */
};

peat_rc pt_concat_iter_last(pt_iter *it);
peat_rc pt_concat_iter_seek(pt_iter *it, pt_slice key);
peat_rc pt_concat_iter_seek_for_prev(pt_iter *it, pt_slice key);
peat_rc pt_concat_iter_next(pt_iter *it);
peat_rc pt_concat_iter_prev(pt_iter *it);
bool pt_concat_iter_columns(pt_iter *it, bool back, uint32_t n, pt_columns *ret_columns);
void pt_concat_iter_go(pt_iter *it, uint32_t i);
void pt_concat_iter_close(pt_concat_iter *c);

#define PT_CONCAT_ITER_MOVES                                                                       \
    .last = pt_concat_iter_last, .seek = pt_concat_iter_seek,                                      \
    .seek_for_prev = pt_concat_iter_seek_for_prev, .next = pt_concat_iter_next,                    \
    .prev = pt_concat_iter_prev, .columns = pt_concat_iter_columns, .go = pt_concat_iter_go

#endif
