/* SPDX-License-Identifier: MIT */
/* export.c - a consistent state as a stream; reads and writes go on meanwhile. */
#include "read/approximate.h"
#include "copy/copy.h"
#include "copy/copy_frame.h"
#include "read/scan.h"
#include "entry/batch.h"

typedef struct exporting {
    pt_store *s;
    const peat_progress *progress;
    peat_write_fn fn;
    void *ctx;
    uint64_t stream_id, offset;
    pt_copy_end totals;
    uint64_t expected_bytes; /* about so much totals.bytes will be; 0: nobody asks */
    pt_batch frame;
} exporting;

static peat_rc send_bytes(exporting *x, const void *data, size_t size)
{
    x->offset += size;
    return size == 0 ? PEAT_OK : x->fn(x->ctx, data, size);
}

static peat_rc send_header(exporting *x)
{
    uint8_t header[PT_COPY_HEADER_BYTES];
    int e = x->s->env->random(x->s->env->ctx, &x->stream_id, sizeof x->stream_id);
    if (e != 0)
        return pt_fail_os(&x->s->sink, e, "export: asking for random bits");
    x->totals.chain = x->stream_id;
    pt_copy_header_encode(x->stream_id, header);
    return send_bytes(x, header, sizeof header);
}

static peat_rc send_frame(exporting *x)
{
    uint8_t head[PT_COPY_FRAME_HEAD_BYTES];
    pt_slice ops = pt_bytes_slice(&x->frame.bytes);
    PT_ASSERT(ops.size <= PT_COPY_FRAME_BYTES_MAX, "an import takes what an export makes");
    if (x->frame.count == 0)
        return PEAT_OK;
    pt_put_u32(head, (uint32_t)ops.size);
    pt_put_u32(head + 4, x->frame.count);
    uint64_t check = pt_copy_check(head, ops, x->stream_id, x->offset);
    pt_put_u64(head + 8, check);
    x->totals.chain = pt_copy_chain(x->totals.chain, check);
    x->totals.entries += x->frame.count;
    x->totals.bytes += x->frame.key_bytes + x->frame.value_bytes;
    peat_rc rc = send_bytes(x, head, sizeof head);
    if (rc == PEAT_OK)
        rc = send_bytes(x, ops.data, ops.size);
    pt_batch_clear(&x->frame);
    return rc;
}

static peat_rc send_end(exporting *x)
{
    uint8_t end[PT_COPY_END_BYTES];
    pt_put_u32(end, 0);
    pt_put_u32(end + 4, PT_COPY_END_COUNT);
    pt_put_u64(end + 16, x->totals.entries);
    pt_put_u64(end + 24, x->totals.bytes);
    pt_put_u64(end + 32, x->totals.chain);
    pt_put_u64(end + 8, pt_copy_check(end, pt_slice_of(end + 16, 24), x->stream_id, x->offset));
    return send_bytes(x, end, sizeof end);
}

static peat_rc add_entry(exporting *x, const pt_entry *e)
{
    peat_rc rc = PEAT_OK;
    if (x->frame.bytes.size + e->key.size + e->value.size > PT_COPY_FRAME_BYTES) {
        TRY(send_frame(x));
        const peat_progress *p = x->progress;
        if (p != NULL && p->fn != NULL &&
            !p->fn(p->ctx, "exporting", x->totals.bytes,
                   pt_max_u64(x->expected_bytes, x->totals.bytes)))
            return PEAT_CANCELLED;
    }
    rc = pt_batch_add(&x->frame, e);
out:
    return rc;
}

/* Bytes of keys and values in the store and the number of their entries, overwritten ones too. */
static void count_raw(pt_store *s, uint64_t *ret_bytes, uint64_t *ret_entries)
{
    pt_view *v = pt_store_view(s);
    pt_memtable_stats stats = pt_memtable_get_stats(v->active->table);
    pt_view_unref(v);
    *ret_bytes = stats.key_bytes + stats.value_bytes;
    *ret_entries = stats.entries;
    pt_mutex_lock(&s->install_mu);
    for (size_t i = 0; i < s->version_set.table_count; i++) {
        const pt_table_meta *m = s->version_set.tables[i]->meta;
        *ret_bytes += m->key_bytes + m->value_bytes;
        *ret_entries += m->entries;
    }
    pt_mutex_unlock(&s->install_mu);
}

/* Only for the progress: entries in the range, as large as those of the store on average. */
static uint64_t expect_bytes(pt_store *s, pt_slice lower, pt_slice upper)
{
    uint64_t bytes = 0, entries = 0, here = 0, on_disk = 0;
    count_raw(s, &bytes, &entries);
    if (entries == 0 || pt_approximate(s, lower, upper, &here, &on_disk) != PEAT_OK)
        return 0; /* what cannot be read is told by the scan */
    return (uint64_t)((double)bytes / (double)entries * (double)here);
}

static peat_rc open_scan(exporting *x, pt_slice lower, pt_slice upper, pt_scan **ret_scan)
{
    static const uint8_t lowest[PT_KEYSPACE_BYTES] = {0, 0, 0, PT_KEYSPACE_DEFAULT};
    static const uint8_t highest[PT_KEYSPACE_BYTES] = {0xff, 0xff, 0xff, 0xff};
    pt_scan_options o = {
        .lower = lower.data != NULL ? lower : pt_slice_of(lowest, sizeof lowest),
        .upper = upper.data != NULL ? upper : pt_slice_of(highest, sizeof highest),
        .whole_table = true,
    };
    if (x->progress != NULL && x->progress->fn != NULL)
        x->expected_bytes = expect_bytes(x->s, o.lower, o.upper);
    return pt_scan_new(x->s, &o, ret_scan);
}

static peat_rc send_entries(exporting *x, pt_scan *c)
{
    peat_rc rc = pt_scan_go(c, PT_SCAN_FIRST);
    while (rc == PEAT_OK) {
        rc = add_entry(x, pt_scan_entry(c));
        if (rc == PEAT_OK)
            rc = pt_scan_go(c, PT_SCAN_NEXT);
        else if (rc == PEAT_END)
            rc = PEAT_INVALID; /* the writer's answer must not pass for the end of the scan */
    }
    return rc == PEAT_END ? send_frame(x) : rc;
}

peat_rc pt_copy_export(pt_store *s, pt_slice lower, pt_slice upper, const peat_progress *progress,
                       peat_write_fn fn, void *ctx)
{
    exporting x = {.s = s, .progress = progress, .fn = fn, .ctx = ctx};
    pt_batch_init(&x.frame, s->env);
    peat_rc rc = PEAT_OK;
    pt_scan *c = NULL;
    /* the moment that is exported, before fn is called for the first time */
    TRY(open_scan(&x, lower, upper, &c));
    TRY(send_header(&x));
    TRY(send_entries(&x, c));
    TRY(send_end(&x));
out:
    pt_scan_free(c);
    pt_batch_done(&x.frame);
    return rc;
}
