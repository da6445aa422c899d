/* SPDX-License-Identifier: MIT */
/* concat_iter.c - see concat_iter.h. */
#include "entry/concat_iter.h"

static pt_concat_iter *of(pt_iter *it)
{
    return PT_CONTAINER(it, pt_concat_iter, base);
}

/* Passes on what the open link shows. */
static peat_rc mirror(pt_concat_iter *c, peat_rc rc)
{
    if (PT_LIKELY(rc == PEAT_OK)) {
        pt_entry_copy(&c->base.at, &c->open->at);
        c->base.group = c->open->group;
    }
    return rc;
}

void pt_concat_iter_close(pt_concat_iter *c)
{
    if (c->open != NULL)
        c->close_link(c);
    c->open = NULL;
}

static peat_rc open_link(pt_concat_iter *c, size_t i)
{
    PT_DCHECK(i >= c->begin && i < c->end, "a link of the chain");
    if (c->open != NULL && c->at == i)
        return PEAT_OK;
    pt_concat_iter_close(c);
    c->at = i;
    return c->open_link(c, i);
}

/* From link i on, the first entry; earlier links have none in range. */
static peat_rc first_from(pt_concat_iter *c, size_t i)
{
    peat_rc rc = PEAT_END;
    for (; i < c->end && rc == PEAT_END; i++) {
        rc = open_link(c, i);
        if (rc == PEAT_OK)
            rc = pt_iter_first(c->open);
    }
    return mirror(c, rc);
}

/* From link i - 1 down, the last entry. */
static peat_rc last_below(pt_concat_iter *c, size_t i)
{
    peat_rc rc = PEAT_END;
    while (i > c->begin && rc == PEAT_END) {
        rc = open_link(c, --i);
        if (rc == PEAT_OK)
            rc = pt_iter_last(c->open);
    }
    return mirror(c, rc);
}

peat_rc pt_concat_iter_last(pt_iter *it)
{
    return last_below(of(it), of(it)->end);
}

peat_rc pt_concat_iter_seek(pt_iter *it, pt_slice key)
{
    pt_concat_iter *c = of(it);
    size_t i = c->link_of(c, key);
    if (i < c->begin || i >= c->end)
        return i < c->begin ? first_from(c, c->begin) : PEAT_END;
    peat_rc rc = open_link(c, i);
    if (rc == PEAT_OK)
        rc = pt_iter_seek(c->open, key);
    return rc == PEAT_END ? first_from(c, i + 1) : mirror(c, rc);
}

peat_rc pt_concat_iter_seek_for_prev(pt_iter *it, pt_slice key)
{
    pt_concat_iter *c = of(it);
    size_t i = c->link_of(c, key);
    if (i < c->begin || i >= c->end)
        return i < c->begin ? PEAT_END : last_below(c, c->end);
    peat_rc rc = open_link(c, i);
    if (rc == PEAT_OK)
        rc = pt_iter_seek_for_prev(c->open, key);
    return rc == PEAT_END ? last_below(c, i) : mirror(c, rc);
}

peat_rc pt_concat_iter_next(pt_iter *it)
{
    pt_concat_iter *c = of(it);
    PT_DCHECK(c->open != NULL, "a step is made from an entry");
    peat_rc rc = pt_iter_next(c->open);
    return PT_UNLIKELY(rc == PEAT_END) ? first_from(c, c->at + 1) : mirror(c, rc);
}

peat_rc pt_concat_iter_prev(pt_iter *it)
{
    pt_concat_iter *c = of(it);
    PT_DCHECK(c->open != NULL, "a step is made from an entry");
    peat_rc rc = pt_iter_prev(c->open);
    return PT_UNLIKELY(rc == PEAT_END) ? last_below(c, c->at) : mirror(c, rc);
}

bool pt_concat_iter_columns(pt_iter *it, bool back, uint32_t n, pt_columns *ret_columns)
{
    return pt_iter_columns(of(it)->open, back, n, ret_columns);
}

void pt_concat_iter_go(pt_iter *it, uint32_t i)
{
    pt_concat_iter *c = of(it);
    c->open->ops->go(c->open, i);
    (void)mirror(c, PEAT_OK);
}
