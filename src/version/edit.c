/* SPDX-License-Identifier: MIT */
/* edit.c - see edit.h. */
#include "version/edit.h"

/* The fewest bytes a layer and a log end take: what a hostile count is held against. */
#define LAYER_BYTES_MIN   5u
#define LOG_END_BYTES_MIN 4u

static peat_rc add_varints(pt_bytes *b, const uint64_t *values, size_t count)
{
    peat_rc rc = PEAT_OK;
    for (size_t i = 0; i < count && rc == PEAT_OK; i++)
        rc = pt_bytes_append_varint(b, values[i]);
    return rc;
}

static peat_rc add_layer(pt_bytes *b, const pt_layer *l)
{
    uint64_t v[] = {l->table_ref->meta->file_number, l->bytes, l->entries, l->tombstones,
                    l->obsolete_bytes};
    return add_varints(b, v, PT_COUNT_OF(v));
}

peat_rc pt_edit_add_table(pt_bytes *io_edit, const pt_table_meta *meta)
{
    peat_rc rc = PEAT_OK;
    pt_bytes footer;
    pt_bytes_init(&footer, io_edit->env);
    TRY(pt_table_meta_encode(meta, &footer));
    TRY(pt_bytes_append_varint(io_edit, PT_EDIT_TABLE));
    TRY(pt_bytes_append_sized(io_edit, pt_bytes_slice(&footer)));
out:
    pt_bytes_done(&footer);
    return rc;
}

peat_rc pt_edit_add_partition(pt_bytes *io_edit, uint64_t id, pt_slice lower, const pt_layer *runs,
                              size_t run_count, const pt_layer *bottom, size_t bottom_count)
{
    peat_rc rc = PEAT_OK;
    uint64_t head[] = {PT_EDIT_PARTITION, id};
    uint64_t counts[] = {run_count, bottom_count};
    TRY(add_varints(io_edit, head, PT_COUNT_OF(head)));
    TRY(pt_bytes_append_sized(io_edit, lower));
    TRY(add_varints(io_edit, counts, PT_COUNT_OF(counts)));
    for (size_t i = 0; i < run_count; i++)
        TRY(add_layer(io_edit, &runs[i]));
    for (size_t i = 0; i < bottom_count; i++)
        TRY(add_layer(io_edit, &bottom[i]));
out:
    return rc;
}

peat_rc pt_edit_drop_partition(pt_bytes *io_edit, uint64_t id)
{
    uint64_t v[] = {PT_EDIT_DROP_PARTITION, id};
    return add_varints(io_edit, v, PT_COUNT_OF(v));
}

peat_rc pt_edit_push(pt_bytes *io_edit, uint64_t partition_id, const pt_layer *layer)
{
    uint64_t v[] = {PT_EDIT_PUSH, partition_id};
    peat_rc rc = add_varints(io_edit, v, PT_COUNT_OF(v));
    return rc == PEAT_OK ? add_layer(io_edit, layer) : rc;
}

peat_rc pt_edit_state(pt_bytes *io_edit, const pt_state *s)
{
    uint64_t v[] = {PT_EDIT_STATE, s->seq_flushed,    s->log_serial_min,
                    s->file_next,  s->partition_next, s->edit_number};
    uint64_t promise[] = {PT_EDIT_DURABLE, s->seq_durable};
    peat_rc rc = add_varints(io_edit, v, PT_COUNT_OF(v));
    if (rc == PEAT_OK && s->seq_durable > s->seq_flushed) /* else the tables say more */
        rc = add_varints(io_edit, promise, PT_COUNT_OF(promise));
    if (rc == PEAT_OK && s->unfinished)
        rc = pt_bytes_append_varint(io_edit, PT_EDIT_UNFINISHED);
    return rc;
}

peat_rc pt_edit_log_ends(pt_bytes *io_edit, const pt_log_end *ends, size_t count)
{
    uint64_t head[] = {PT_EDIT_LOG_ENDS, count};
    peat_rc rc = add_varints(io_edit, head, PT_COUNT_OF(head));
    for (size_t i = 0; i < count && rc == PEAT_OK; i++) {
        uint64_t v[] = {ends[i].slot, ends[i].serial, ends[i].end, ends[i].file_bytes};
        rc = add_varints(io_edit, v, PT_COUNT_OF(v));
    }
    return rc;
}

pt_layer_record pt_layer_decode(pt_cursor *io_layers)
{
    pt_layer_record r;
    r.file_number = pt_cursor_varint(io_layers);
    r.bytes = pt_cursor_varint(io_layers);
    r.entries = pt_cursor_varint(io_layers);
    r.tombstones = pt_cursor_varint(io_layers);
    r.obsolete_bytes = pt_cursor_varint(io_layers);
    return r;
}

pt_log_end pt_log_end_decode(pt_cursor *io_ends)
{
    pt_log_end e = {0};
    e.slot = pt_cursor_varint(io_ends);
    e.serial = pt_cursor_varint(io_ends);
    e.end = pt_cursor_varint(io_ends);
    e.file_bytes = pt_cursor_varint(io_ends);
    return e;
}

static void fail_if_more(pt_cursor *c, uint64_t count, uint64_t bytes_min)
{
    if (count > pt_cursor_left(c) / bytes_min)
        c->failed = true;
}

static void decode_partition(pt_cursor *c, pt_edit_item *item)
{
    item->partition_id = pt_cursor_varint(c);
    item->lower = pt_cursor_sized(c);
    item->run_count = pt_cursor_varint(c);
    item->bottom_count = pt_cursor_varint(c);
    fail_if_more(c, item->run_count, LAYER_BYTES_MIN);
    fail_if_more(c, item->bottom_count, LAYER_BYTES_MIN);
    item->layers = *c;
    for (uint64_t i = 0; i < item->run_count + item->bottom_count && pt_cursor_ok(c); i++)
        (void)pt_layer_decode(c); /* only to step over it */
}

static void decode_ends(pt_cursor *c, pt_edit_item *item)
{
    item->end_count = pt_cursor_varint(c);
    fail_if_more(c, item->end_count, LOG_END_BYTES_MIN);
    item->ends = *c;
    for (uint64_t i = 0; i < item->end_count && pt_cursor_ok(c); i++)
        (void)pt_log_end_decode(c); /* only to step over it */
}

static void decode_state(pt_cursor *c, pt_state *s)
{
    s->seq_flushed = pt_cursor_varint(c);
    s->log_serial_min = pt_cursor_varint(c);
    s->file_next = pt_cursor_varint(c);
    s->partition_next = pt_cursor_varint(c);
    s->edit_number = pt_cursor_varint(c);
    const uint64_t all[] = {s->seq_flushed, s->log_serial_min, s->file_next, s->partition_next,
                            s->edit_number};
    for (size_t i = 0; i < PT_COUNT_OF(all); i++)
        c->failed = c->failed || all[i] > PT_STORED_NUMBER_MAX;
}

peat_rc pt_edit_next(pt_cursor *c, pt_edit_item *item)
{
    if (pt_cursor_ok(c) && pt_cursor_left(c) == 0)
        return PEAT_END;
    memset(item, 0, sizeof *item);
    uint64_t tag = pt_cursor_varint(c);
    item->tag = (pt_edit_tag)tag;
    switch (tag) {
    case PT_EDIT_TABLE:
        item->table_meta = pt_cursor_sized(c);
        break;
    case PT_EDIT_PARTITION:
        decode_partition(c, item);
        break;
    case PT_EDIT_DROP_PARTITION:
        item->partition_id = pt_cursor_varint(c);
        break;
    case PT_EDIT_PUSH:
        item->partition_id = pt_cursor_varint(c);
        item->layer = pt_layer_decode(c);
        break;
    case PT_EDIT_STATE:
        decode_state(c, &item->state);
        break;
    case PT_EDIT_LOG_ENDS:
        decode_ends(c, item);
        break;
    case PT_EDIT_DURABLE:
        item->seq_durable = pt_cursor_varint(c);
        c->failed = c->failed || item->seq_durable > PT_STORED_NUMBER_MAX;
        break;
    case PT_EDIT_UNFINISHED:
        break;
    default:
        return PEAT_CORRUPT;
    }
    return pt_cursor_ok(c) ? PEAT_OK : PEAT_CORRUPT;
}
