/* SPDX-License-Identifier: MIT */
/*
 * multi_get.c - see multi_get.h. The call holds one view and one sequence. Its keys go, in their
 * order, through
 *   1  the ring (ring.h): what is in memory is answered, in an epoch
 *   2  room: values that did not fit into their buffers are given some, outside the epoch, and go
 *      through the ring once more
 *   3  the gather (gather.h): what was not in memory is read, many at once
 * The ring has a span of keys at most, so that no epoch lasts long, and a shorter one where much is
 * missing, so that reads begin early; while they are under way it goes on with the next span.
 */
#include "read/multi_get.h"

#include "read/gather.h"
#include "read/pinned.h"
#include "read/ring.h"
#include "state/snapshot.h"

#define SPAN_KEYS 128u
/* So many misses end a span: the device is not to be idle while what is in memory is looked for. */
#define MISSED_ENOUGH 8u
/* Keys that are neither answered nor still to be looked at. */
#define PENDING_KEYS (SPAN_KEYS + PT_GATHER_GETS)

/* Found, but with no room for its value. */
typedef struct cramped {
    size_t number;
    pt_slice value;
    bool in_memtable; /* there it stays; in a block only its size is true outside the epoch */
} cramped;

typedef struct multi_get {
    pt_store *s;
    const pt_read_options *options;
    const pt_multi_get *request;
    pt_view *view;
    uint64_t seq;
    size_t next; /* keys before it have been through the ring */
    pt_get_sums sums;
    size_t again[PENDING_KEYS], missed[PENDING_KEYS];
    cramped cramped[PENDING_KEYS];
    size_t again_count, missed_count, cramped_count;
    pt_ring ring;
    pt_gather gather;
} multi_get;

/* ---- answers ---- */

static void answer(multi_get *m, size_t number, peat_rc rc)
{
    if (rc < 0)
        pt_sink_call(&m->s->sink, rc, NULL);
    m->request->ret_rcs[number] = rc;
}

static void count_answer(multi_get *m, size_t number, peat_rc rc)
{
    m->sums.gets++;
    m->sums.found += rc == PEAT_OK;
    answer(m, number, rc);
}

static void set_cramped(multi_get *m, size_t number, pt_slice value, bool in_memtable)
{
    m->cramped[m->cramped_count++] =
        (cramped){.number = number, .value = value, .in_memtable = in_memtable};
}

/* Inside the epoch; false: the block is leaving just now. */
static bool pin_resident(multi_get *m, const pt_lookup *l, pt_slice value, peat_pinned *ret)
{
    pt_block_ref held = {0};
    pt_block_source *source = l->table_ref->source;
    if (value.size == 0) {
        *ret = (peat_pinned){.data = "", .size = 0};
        return true;
    }
    if (!source->pin(source, l->found.block, &held))
        return false;
    bool same = (uintptr_t)value.data - (uintptr_t)held.data < held.size;
    if (same)
        pt_read_pin_block(m->s, l->table_ref, &held, value, ret);
    else
        source->release(source, &held);
    return same;
}

/* ---- 1  the ring ---- */

static void answer_found(multi_get *m, const pt_ring_probe *p)
{
    const pt_multi_get *q = m->request;
    pt_slice value = p->lookup.found.entry.value;
    if (q->ret_values != NULL && !pt_read_buf_take(&q->ret_values[p->number], value))
        set_cramped(m, p->number, value, p->mem != NULL);
    else if (q->ret_pinned != NULL && p->mem != NULL)
        set_cramped(m, p->number, value, true);
    else if (q->ret_pinned != NULL &&
             !pin_resident(m, &p->lookup, value, &q->ret_pinned[p->number]))
        m->missed[m->missed_count++] = p->number;
    else
        count_answer(m, p->number, PEAT_OK);
}

static void answer_probe(multi_get *m, const pt_ring_probe *p)
{
    if (p->state == PT_PROBE_MISSES)
        m->missed[m->missed_count++] = p->number;
    else if (p->state == PT_PROBE_FOUND && pt_kind_has_value(p->lookup.found.entry.kind))
        answer_found(m, p);
    else
        count_answer(m, p->number, PEAT_NOT_FOUND);
}

/* The next key for the ring; `left` of the span are still to come. False: the span is over. */
static bool take_key(multi_get *m, size_t *io_left, size_t *ret_number)
{
    if (*io_left == 0 || m->missed_count >= MISSED_ENOUGH)
        return false;
    if (m->again_count != 0)
        *ret_number = m->again[--m->again_count];
    else if (m->next < m->request->n)
        *ret_number = m->next++;
    else
        return false;
    --*io_left;
    return true;
}

static bool has_keys(const multi_get *m)
{
    return m->again_count != 0 || m->next < m->request->n;
}

static void run_ring(multi_get *m)
{
    const peat_slice *keys = m->request->keys;
    pt_ring *r = &m->ring;
    size_t left = SPAN_KEYS, number;
    unsigned slot = pt_epoch_enter(&m->s->epoch);
    while (pt_ring_has_place(r) && take_key(m, &left, &number))
        pt_ring_begin(r, number, keys[number]);
    for (const pt_ring_probe *p; (p = pt_ring_turn(r)) != NULL;) {
        answer_probe(m, p);
        if (take_key(m, &left, &number))
            pt_ring_replace(r, number, keys[number]);
        else
            pt_ring_end(r);
    }
    m->sums.filter_checks = r->checks;
    m->sums.filter_skips = r->skips;
    pt_get_count_many(m->s, slot, &m->sums);
    pt_epoch_exit(&m->s->epoch, slot);
    m->sums = (pt_get_sums){0};
    r->checks = r->skips = 0;
}

/* ---- 2  room ---- */

static peat_rc answer_cramped(multi_get *m, const cramped *c)
{
    const pt_multi_get *q = m->request;
    if (q->ret_pinned != NULL)
        return pt_read_pin_copy(m->s, c->value, &q->ret_pinned[c->number]);
    peat_buf *buf = &q->ret_values[c->number];
    peat_rc rc = pt_read_buf_reserve(m->s->env, buf, c->value.size);
    if (rc == PEAT_OK && c->in_memtable)
        (void)pt_read_buf_take(buf, c->value); /* it fits now */
    return rc;
}

static void make_room(multi_get *m)
{
    while (m->cramped_count != 0) {
        const cramped *c = &m->cramped[--m->cramped_count];
        peat_rc rc = answer_cramped(m, c);
        if (rc == PEAT_OK && !c->in_memtable)
            m->again[m->again_count++] = c->number;
        else
            count_answer(m, c->number, rc);
    }
}

/* ---- 3  the gather ---- */

static void add_missed(multi_get *m)
{
    while (m->missed_count != 0 && pt_gather_has_room(&m->gather)) {
        size_t number = m->missed[--m->missed_count];
        peat_rc rc = pt_gather_add(&m->gather, number, m->request->keys[number]);
        if (rc != PEAT_OK)
            count_answer(m, number, rc);
    }
}

/* Its entry lies in the block it holds, or, when that came into memory by another way, in a
 * resident one. */
static peat_rc take_gathered(multi_get *m, pt_gather_get *f, bool *ret_again)
{
    const pt_multi_get *q = m->request;
    pt_slice value = f->get.entry.value;
    bool held = pt_get_holds_entry(&f->get);
    peat_rc rc = PEAT_OK;
    if (q->ret_pinned != NULL && held)
        return pt_read_pin_value(&f->get, &q->ret_pinned[f->number]);
    if (q->ret_pinned != NULL)
        *ret_again = !pin_resident(m, &f->get.lookup, value, &q->ret_pinned[f->number]);
    if (q->ret_values == NULL || pt_read_buf_take(&q->ret_values[f->number], value))
        return rc;
    pt_get_leave_epoch(&f->get);
    rc = pt_read_buf_reserve(m->s->env, &q->ret_values[f->number], value.size);
    if (rc == PEAT_OK && held)
        (void)pt_read_buf_take(&q->ret_values[f->number], value); /* it fits now */
    *ret_again = rc == PEAT_OK && !held;
    return rc;
}

static void answer_gathered(multi_get *m, pt_gather_get *f)
{
    bool again = false;
    peat_rc rc = f->state == PT_GET_FOUND    ? take_gathered(m, f, &again)
                 : f->state == PT_GET_ABSENT ? PEAT_NOT_FOUND
                                             : f->get.rc;
    if (again) {
        m->again[m->again_count++] = f->number;
        m->sums.gets--; /* it has counted itself, and will be counted once more */
        m->sums.found--;
    } else if (f->state == PT_GET_FAILED) {
        m->request->ret_rcs[f->number] = rc; /* its text is kept already */
    } else {
        answer(m, f->number, rc);
    }
    pt_gather_end(&m->gather, f);
}

/* ---- all of it ---- */

static void run(multi_get *m)
{
    while (has_keys(m) || m->missed_count != 0 || m->gather.count != 0) {
        if (m->missed_count == 0 && has_keys(m)) {
            run_ring(m);
            make_room(m);
        }
        add_missed(m);
        bool wait = m->missed_count != 0 || !has_keys(m); /* there is nothing else to do */
        pt_gather_get *f = m->gather.count != 0 ? pt_gather_next(&m->gather, wait) : NULL;
        if (f != NULL)
            answer_gathered(m, f);
    }
    pt_get_count_many(m->s, PT_EPOCH_SLOTS, &m->sums); /* of keys that had no room, and are last */
}

static void init(multi_get *m, pt_store *s, const pt_read_options *options,
                 const pt_multi_get *request)
{
    m->s = s;
    m->options = options;
    m->request = request;
    m->view = pt_store_view(s);
    /* after the view (get.c); acquire: pairs with the committer's publishing store */
    m->seq = options->has_seq ? options->seq
                              : atomic_load_explicit(&s->published.seq, memory_order_acquire);
    m->next = 0;
    m->sums = (pt_get_sums){0};
    m->again_count = m->missed_count = m->cramped_count = 0;
}

peat_rc pt_read_multi_get(pt_store *s, const pt_read_options *options, const pt_multi_get *request)
{
    multi_get m;
    if (!pt_store_call_begin(s))
        return PEAT_CLOSED;
    init(&m, s, options, request);
    peat_rc rc =
        pt_ring_init(&m.ring, s->env, m.view, m.seq, request->keyspace, request->key_size_max);
    if (rc == PEAT_OK) {
        pt_gather_init(&m.gather, s, options, m.view, m.seq, request->keyspace);
        run(&m);
        pt_gather_done(&m.gather);
    } else {
        rc = pt_fail(&s->sink, rc, "no memory for the keys of a multi-get");
    }
    pt_ring_done(&m.ring);
    pt_view_unref(m.view);
    pt_snapshot_released(s, UINT64_MAX);
    pt_store_call_end(s);
    return rc;
}
